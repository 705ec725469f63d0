//! What partner takes over of the other services' facts. The owner is the only writer of a fact; the higher version wins.

use base::{Fault, Id};
use proto::identity::v1::{IdentityFact, identity_fact};
use proto::partner::v1 as pb;
use service::{Cx, Operation, Preparation, Wire, Work, floor};

use crate::organization::{self, Organization};
use crate::policy::{Permission, Target};
use crate::subscription::Subscription;
use crate::{Partner, clients, subscription};

/// Takes over facts of identity.
#[derive(Debug)]
pub struct ApplyIdentityFacts(Vec<IdentityFact>);

impl Wire for ApplyIdentityFacts {
    type Request = pb::ApplyIdentityFactsRequest;
    type Response = pb::ApplyIdentityFactsResponse;
    type Reply = ();

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        Ok(Self(request.facts))
    }

    fn present((): ()) -> Self::Response {
        pb::ApplyIdentityFactsResponse {}
    }
}

impl Operation for ApplyIdentityFacts {
    type Service = Partner;
    const METHOD: &'static str = "/tandem.partner.v1.PartnerInternalService/ApplyIdentityFacts";
    const PERMISSION: Permission = Permission::Peer;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    async fn run(&self, cx: &mut Cx<Partner>, (): &()) -> Result<(), Fault> {
        for told in &self.0 {
            match told.fact.clone() {
                Some(identity_fact::Fact::PrincipalFloor(told)) => {
                    let principal = Id::<()>::parse(&told.principal_id)
                        .ok_or_else(|| Fault::field("facts", "MALFORMED", "a principal_id is not a UUID"))?;
                    floor::raise(&mut cx.tx, principal.uuid(), told.auth_version).await?;
                }
                Some(identity_fact::Fact::Organization(fact)) => {
                    let organization = organization::wire::read(told.version, fact)?;
                    organization::store::put(&mut cx.tx, &organization).await?;
                }
                // Users are licensing's business; what a newer identity tells, it tells again until it is understood.
                Some(identity_fact::Fact::User(_)) | None => {
                    return Err(Fault::unimplemented("FACT_UNKNOWN", "this version does not know a fact of this kind"));
                }
            }
        }
        Ok(())
    }
}

/// Takes over facts of licensing.
#[derive(Debug)]
pub struct ApplyLicensingFacts(Vec<Subscription>);

impl Wire for ApplyLicensingFacts {
    type Request = pb::ApplyLicensingFactsRequest;
    type Response = pb::ApplyLicensingFactsResponse;
    type Reply = ();

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        request.facts.iter().map(subscription::wire::read).collect::<Result<_, _>>().map(Self)
    }

    fn present((): ()) -> Self::Response {
        pb::ApplyLicensingFactsResponse {}
    }
}

impl Operation for ApplyLicensingFacts {
    type Service = Partner;
    const METHOD: &'static str = "/tandem.partner.v1.PartnerInternalService/ApplyLicensingFacts";
    const PERMISSION: Permission = Permission::Peer;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    async fn run(&self, cx: &mut Cx<Partner>, (): &()) -> Result<(), Fault> {
        // Two deliveries that hold the same subscriptions take them in the same order.
        let mut told: Vec<&Subscription> = self.0.iter().collect();
        told.sort_by_key(|told| told.id);
        for told in told {
            subscription::store::put(&mut cx.tx, told).await?;
        }
        Ok(())
    }
}

/// What an attempt can hang on that only another service knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unresolved {
    /// The caller's own organization, whose fact has not arrived yet.
    Organization(Id<Organization>),
}

/// Asks identity for what has not been told yet.
pub(crate) async fn resolve(preparation: &Preparation<'_, Partner>, unresolved: Vec<Unresolved>) -> Result<(), Fault> {
    for Unresolved::Organization(id) in unresolved {
        let identity = &preparation.host.service.identity;
        let Some(organization) = clients::look_up_organization(identity, id, preparation.left()).await? else {
            continue;
        };
        preparation.host.transact(&FirstSight(organization)).await?;
    }
    Ok(())
}

/// An organization that was looked up.
struct FirstSight(Organization);

impl Work for FirstSight {
    type Service = Partner;
    type Done = ();

    async fn run(&self, cx: &mut Cx<Partner>) -> Result<(), Fault> {
        organization::store::put(&mut cx.tx, &self.0).await
    }
}

/// The caller's own organization. One that has not been told yet is looked up, and the attempt made again.
pub(crate) async fn own_organization(cx: &mut Cx<Partner>) -> Result<Organization, Fault> {
    let id = cx.organization()?;
    if let Some(organization) = organization::store::get(&mut cx.tx, id).await? {
        return Ok(organization);
    }
    cx.hang_on(Unresolved::Organization(id));
    Err(Fault::not_found("organization", id))
}
