//! Facts on the wire, and the only place that reads them.

use base::{Fault, Id};
use proto::identity::v1 as identity;
use proto::identity::v1::{IdentityFact, OrganizationFact, OrganizationKind, UserFact, identity_fact};
use proto::licensing::v1 as pb;
use proto::partner::v1 as partner;
use proto::partner::v1::{PartnerFact, PartnerStanding, PartnershipStanding, partner_fact};
use service::Wire;
use service::form::read_timestamp;

use super::Told;
use super::ops::{ApplyIdentityFacts, ApplyPartnerFacts};
use crate::access::{Access, Naming};
use crate::organization::Organization;
use crate::partner::{PartnerKind, Partnership, Standing};
use crate::user::{State, User};

impl Wire for ApplyIdentityFacts {
    type Request = pb::ApplyIdentityFactsRequest;
    type Response = pb::ApplyIdentityFactsResponse;
    type Reply = ();

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        request.facts.into_iter().map(of_identity).collect::<Result<_, _>>().map(Self)
    }

    fn present((): ()) -> Self::Response {
        pb::ApplyIdentityFactsResponse {}
    }
}

impl Wire for ApplyPartnerFacts {
    type Request = pb::ApplyPartnerFactsRequest;
    type Response = pb::ApplyPartnerFactsResponse;
    type Reply = ();

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        request.facts.into_iter().map(of_partner).collect::<Result<_, _>>().map(Self)
    }

    fn present((): ()) -> Self::Response {
        pb::ApplyPartnerFactsResponse {}
    }
}

fn of_identity(fact: IdentityFact) -> Result<Told, Fault> {
    let version = fact.version;
    match fact.fact.ok_or_else(unknown)? {
        identity_fact::Fact::PrincipalFloor(told) => {
            Ok(Told::Floor { principal: id::<()>(&told.principal_id)?.uuid(), auth_version: told.auth_version })
        }
        identity_fact::Fact::Organization(told) => organization(told, version),
        identity_fact::Fact::User(told) => user(told, version),
    }
}

fn of_partner(fact: PartnerFact) -> Result<Told, Fault> {
    let version = fact.version;
    match fact.fact.ok_or_else(unknown)? {
        partner_fact::Fact::Access(told) => access(&told),
        partner_fact::Fact::Partner(told) => standing(told, version),
        partner_fact::Fact::Partnership(told) => partnership(&told, version),
        partner_fact::Fact::Naming(told) => naming(&told, version),
    }
}

/// An organization, from a fact or from an answer.
pub(crate) fn organization(told: OrganizationFact, version: i64) -> Result<Told, Fault> {
    let kind = match told.kind() {
        OrganizationKind::Partner => "PARTNER",
        OrganizationKind::Customer => "CUSTOMER",
        OrganizationKind::Platform => "PLATFORM",
        OrganizationKind::Unspecified => return Err(unknown()),
    };
    let cloud = match told.cloud() {
        identity::Cloud::Global => "GLOBAL",
        identity::Cloud::UsGovernment => "US_GOVERNMENT",
        identity::Cloud::Unspecified => return Err(unknown()),
    };
    let state = match told.state() {
        identity::organization::State::Active => "ACTIVE",
        identity::organization::State::Suspended => "SUSPENDED",
        identity::organization::State::Unspecified => return Err(unknown()),
    };
    let id = id(&told.organization_id)?;
    Ok(Told::Organization(Organization { id, kind, name: told.name, country: told.country, cloud, state, version }))
}

/// A user, from a fact or from an answer.
pub(crate) fn user(told: UserFact, version: i64) -> Result<Told, Fault> {
    let state = match told.state() {
        identity::user_fact::State::Active => State::Active,
        identity::user_fact::State::Deleted => State::Deleted,
        identity::user_fact::State::Unspecified => return Err(unknown()),
    };
    Ok(Told::User(User {
        id: id(&told.user_id)?,
        customer: id(&told.customer_id)?,
        display_name: told.display_name,
        sign_in_name: told.sign_in_name,
        sort_key: told.sort_key,
        usage_location: told.usage_location,
        state,
        version,
    }))
}

/// An access, from a fact or from an answer.
pub(crate) fn access(told: &partner::Access) -> Result<Told, Fault> {
    let kind = match partner::PartnerKind::try_from(told.kind) {
        Ok(partner::PartnerKind::Unspecified) => None,
        _ => Some(kind(told.kind)?),
    };
    let decision = if told.decision_id.is_empty() { None } else { Some(id::<()>(&told.decision_id)?.uuid()) };
    let access = Access {
        customer: id(&told.customer_id)?,
        partner: id(&told.partner_id)?,
        kind,
        active: told.active,
        delegated_admin: told.delegated_admin,
        order_right: told.order_right,
        epoch: told.epoch,
    };
    Ok(Told::Access { access, decision })
}

fn standing(told: PartnerStanding, version: i64) -> Result<Told, Fault> {
    let suspended = match told.state() {
        partner::partner_standing::State::Active => false,
        partner::partner_standing::State::Suspended => true,
        partner::partner_standing::State::Unspecified => return Err(unknown()),
    };
    let (partner, kind) = (id(&told.partner_id)?, kind(told.kind)?);
    Ok(Told::Standing(Standing { partner, kind, suspended, mpn_id: told.mpn_id, version }))
}

fn partnership(told: &PartnershipStanding, version: i64) -> Result<Told, Fault> {
    let (provider, reseller) = (id(&told.provider_id)?, id(&told.reseller_id)?);
    Ok(Told::Partnership(Partnership { provider, reseller, active: told.active, version }))
}

fn naming(told: &partner::Naming, version: i64) -> Result<Told, Fault> {
    let expire_time = told.expire_time.as_ref().and_then(read_timestamp).ok_or_else(unknown)?;
    Ok(Told::Naming(Naming {
        invitation: id::<()>(&told.invitation_id)?.uuid(),
        customer: id(&told.customer_id)?,
        provider: id(&told.provider_id)?,
        is_open: told.open,
        expire_time,
        version,
    }))
}

fn kind(number: i32) -> Result<PartnerKind, Fault> {
    match partner::PartnerKind::try_from(number) {
        Ok(partner::PartnerKind::Reseller) => Ok(PartnerKind::Reseller),
        Ok(partner::PartnerKind::Provider) => Ok(PartnerKind::Provider),
        Ok(partner::PartnerKind::Direct) => Ok(PartnerKind::Direct),
        Ok(partner::PartnerKind::Unspecified) | Err(_) => Err(unknown()),
    }
}

fn id<T>(text: &str) -> Result<Id<T>, Fault> {
    Id::parse(text).ok_or_else(|| Fault::field("facts", "MALFORMED", "an id in a fact is not a UUID with hyphens"))
}

/// Acknowledging it would lose it: its sender keeps it until a version that knows it runs here.
fn unknown() -> Fault {
    Fault::unimplemented("FACT_UNKNOWN", "this version does not know a fact, or a value in one")
}
