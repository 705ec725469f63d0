//! Accesses and standings on the wire.

use base::{Fault, Id};
use proto::identity::v1 as pb;
use proto::partner::v1::{self as told, partner_fact, partner_standing};
use saga::intent::Intent;
use service::form::timestamp;
use service::{Form, Wire};
use uuid::Uuid;

use super::ops::{ApplyPartnerFacts, CancelAccess, CheckAccess, CredentialSet, PrepareAccess};
use super::{Access, Pair, PartnerKind, PartnerStanding, PartnerState, PartnershipStanding, Told};

/// Facts in one call at most.
const FACTS_MAX: usize = 200;

impl Wire for ApplyPartnerFacts {
    type Request = pb::ApplyPartnerFactsRequest;
    type Response = pb::ApplyPartnerFactsResponse;
    type Reply = ();

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        if request.facts.len() > FACTS_MAX {
            let message = format!("has {} items; {FACTS_MAX} are accepted", request.facts.len());
            form.wrong("facts", "TOO_LONG", message);
        }
        let mut facts = Vec::with_capacity(request.facts.len());
        for (position, fact) in request.facts.iter().enumerate() {
            facts.extend(read(&mut form, &format!("facts[{position}]"), fact)?);
        }
        form.finish(|| Some(Self(facts)))
    }

    fn present((): ()) -> Self::Response {
        pb::ApplyPartnerFactsResponse {}
    }
}

/// One fact. A kind that is not known here is refused, so that whoever tells it keeps it for a later version.
fn read(form: &mut Form, field: &str, fact: &told::PartnerFact) -> Result<Option<Told>, Fault> {
    match &fact.fact {
        Some(partner_fact::Fact::Access(access)) => {
            let decision: Option<Option<Id<()>>> =
                form.optional_id(format!("{field}.access.decision_id"), &access.decision_id);
            let read = read_access(form, &format!("{field}.access"), access)?;
            Ok(read.zip(decision).map(|(access, decision)| Told::Access(access, decision.map(Id::uuid))))
        }
        Some(partner_fact::Fact::Partner(standing)) => {
            let partner = form.id(format!("{field}.partner.partner_id"), &standing.partner_id);
            let kind = kind(standing.kind)?.ok_or_else(unknown)?;
            let state = match partner_standing::State::try_from(standing.state) {
                Ok(partner_standing::State::Active) => PartnerState::Active,
                Ok(partner_standing::State::Suspended) => PartnerState::Suspended,
                Ok(partner_standing::State::Unspecified) | Err(_) => return Err(unknown()),
            };
            let version = fact.version;
            Ok(partner.map(|partner| Told::Partner(PartnerStanding { partner, kind, state, version })))
        }
        Some(partner_fact::Fact::Partnership(standing)) => {
            let provider = form.id(format!("{field}.partnership.provider_id"), &standing.provider_id);
            let reseller = form.id(format!("{field}.partnership.reseller_id"), &standing.reseller_id);
            Ok(provider.zip(reseller).map(|(provider, reseller)| {
                Told::Partnership(PartnershipStanding {
                    provider,
                    reseller,
                    active: standing.active,
                    provider_admin_access: standing.active && standing.provider_admin_access,
                    version: fact.version,
                })
            }))
        }
        None => Err(unknown()),
    }
}

fn unknown() -> Fault {
    Fault::unimplemented("FACT_UNKNOWN", "this version does not know such a fact; tell it again to a later one")
}

/// An access as it is told, or answered with a decision.
pub(super) fn read_access(form: &mut Form, field: &str, access: &told::Access) -> Result<Option<Access>, Fault> {
    let customer = form.id(format!("{field}.customer_id"), &access.customer_id);
    let partner = form.id(format!("{field}.partner_id"), &access.partner_id);
    let kind = kind(access.kind)?;
    Ok(customer.zip(partner).map(|(customer, partner)| Access {
        pair: Pair { customer, partner },
        kind,
        active: access.active,
        delegated_admin: access.delegated_admin,
        order_right: access.order_right,
        epoch: access.epoch,
    }))
}

/// What a partner is; `None` for one that has never been anything to the customer.
fn kind(number: i32) -> Result<Option<PartnerKind>, Fault> {
    match told::PartnerKind::try_from(number) {
        Ok(told::PartnerKind::Unspecified) => Ok(None),
        Ok(told::PartnerKind::Reseller) => Ok(Some(PartnerKind::Reseller)),
        Ok(told::PartnerKind::Provider) => Ok(Some(PartnerKind::Provider)),
        Ok(told::PartnerKind::Direct) => Ok(Some(PartnerKind::Direct)),
        Err(_) => Err(unknown()),
    }
}

fn intents(form: &mut Form, intents: &[told::AccessIntent]) -> Option<Vec<Intent>> {
    let mut read = Vec::with_capacity(intents.len());
    for (position, intent) in intents.iter().enumerate() {
        let customer: Option<Id<()>> = form.id(format!("intents[{position}].customer_id"), &intent.customer_id);
        let partner: Option<Id<()>> = form.id(format!("intents[{position}].partner_id"), &intent.partner_id);
        read.push(Intent { about: (customer?.uuid(), partner?.uuid()), epoch: intent.epoch });
    }
    Some(read)
}

fn decision(form: &mut Form, text: &str) -> Option<Uuid> {
    form.id::<()>("decision_id", text).map(Id::uuid)
}

impl Wire for PrepareAccess {
    type Request = pb::PrepareAccessRequest;
    type Response = pb::PrepareAccessResponse;
    type Reply = Option<CredentialSet>;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let decision = decision(&mut form, &request.decision_id);
        let intents = intents(&mut form, &request.intents);
        let user = form.optional_id("user_id", &request.user_id);
        form.finish(|| Some(Self { decision: decision?, intents: intents?, user: user? }))
    }

    fn present(set: Option<CredentialSet>) -> Self::Response {
        let Some(CredentialSet { by, time }) = set else { return Self::Response::default() };
        pb::PrepareAccessResponse { credential_set_by_id: by.to_string(), credential_set_time: Some(timestamp(time)) }
    }
}

impl Wire for CheckAccess {
    type Request = pb::CheckAccessRequest;
    type Response = pb::CheckAccessResponse;
    type Reply = ();

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let intents = intents(&mut form, &request.intents);
        form.finish(|| Some(Self(intents?)))
    }

    fn present((): ()) -> Self::Response {
        pb::CheckAccessResponse {}
    }
}

impl Wire for CancelAccess {
    type Request = pb::CancelAccessRequest;
    type Response = pb::CancelAccessResponse;
    type Reply = ();

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let decision = decision(&mut form, &request.decision_id);
        let intents = intents(&mut form, &request.intents);
        form.finish(|| Some(Self { decision: decision?, intents: intents? }))
    }

    fn present((): ()) -> Self::Response {
        pb::CancelAccessResponse {}
    }
}

/// How a decision ended, as partner answered it.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Not made yet.
    Undecided,
    /// Made: these are the accesses it is about, as they are now.
    Committed(Vec<Access>),
    /// Refused for ever.
    Aborted,
}

/// Reads partner's answer.
pub(super) fn read_outcome(answer: &told::GetDecisionResponse) -> Result<Outcome, Fault> {
    use told::get_decision_response::Outcome as Answered;
    match Answered::try_from(answer.outcome) {
        Ok(Answered::Undecided) => Ok(Outcome::Undecided),
        Ok(Answered::Aborted) => Ok(Outcome::Aborted),
        Ok(Answered::Committed) => {
            let mut form = Form::default();
            let mut accesses = Vec::with_capacity(answer.accesses.len());
            for (position, access) in answer.accesses.iter().enumerate() {
                accesses.extend(read_access(&mut form, &format!("accesses[{position}]"), access)?);
            }
            form.finish(|| Some(Outcome::Committed(accesses)))
        }
        Ok(Answered::Unspecified) | Err(_) => Err(Fault::internal("partner answered a decision with no outcome")),
    }
}
