//! The only file that calls a peer: it asks for keys, first sights and decisions, and delivers licensing's facts.

use std::time::Duration;

use base::{Fault, Id, Kind};
use proto::identity::v1::identity_internal_service_client::IdentityInternalServiceClient;
use proto::identity::v1::key_service_client::KeyServiceClient;
use proto::identity::v1::{ApplyLicensingFactsRequest, GetJwksRequest, LookUpOrganizationRequest, LookUpUsersRequest};
use proto::partner::v1::partner_internal_service_client::PartnerInternalServiceClient;
use proto::partner::v1::{self as partner_pb, GetDecisionRequest, get_decision_response};
use service::outbox::Parcel;
use service::peer::{ATTEMPT_TIMEOUT, Peer};
use service::token::Key;
use uuid::Uuid;

use crate::organization::Organization;
use crate::projection::{Told, wire};
use crate::user::User;

/// Who decides that users are deleted.
pub const IDENTITY: &str = "identity";

/// Who shows customers with their subscriptions.
pub const PARTNER: &str = "partner";

/// Delivers facts to identity.
pub async fn tell_identity(identity: &Peer, parcels: &[Parcel]) -> Result<(), Fault> {
    let facts = parcels.iter().map(Parcel::decode).collect::<Result<_, Fault>>()?;
    let request = identity.request(ApplyLicensingFactsRequest { facts }, ATTEMPT_TIMEOUT)?;
    let mut client = IdentityInternalServiceClient::new(identity.channel());
    client.apply_licensing_facts(request).await.map(drop).map_err(|status| identity.refusal(status))
}

/// Delivers facts to partner.
pub async fn tell_partner(partner: &Peer, parcels: &[Parcel]) -> Result<(), Fault> {
    let facts = parcels.iter().map(Parcel::decode).collect::<Result<_, Fault>>()?;
    let request = partner.request(partner_pb::ApplyLicensingFactsRequest { facts }, ATTEMPT_TIMEOUT)?;
    let mut client = PartnerInternalServiceClient::new(partner.channel());
    client.apply_licensing_facts(request).await.map(drop).map_err(|status| partner.refusal(status))
}

/// The key set that verifies access tokens.
pub async fn fetch_keys(identity: &Peer) -> Result<Vec<Key>, Fault> {
    let request = identity.request(GetJwksRequest {}, ATTEMPT_TIMEOUT)?;
    let answer = KeyServiceClient::new(identity.channel()).get_jwks(request).await;
    let keys = answer.map_err(|status| identity.fault(status))?.into_inner().keys;
    keys.into_iter().map(|jwk| Key::published(jwk.kid, &jwk.x)).collect()
}

/// How a decision ended: what it brought about, or that it never will. Nothing when it is not made yet, or when nobody
/// there knows of it.
pub async fn decision(partner: &Peer, id: Uuid, left: Duration) -> Result<Vec<Told>, Fault> {
    let request = partner.request(GetDecisionRequest { decision_id: id.to_string() }, left)?;
    let answer = match PartnerInternalServiceClient::new(partner.channel()).get_decision(request).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => return nothing(partner.refusal(status)).map(|()| Vec::new()),
    };
    match answer.outcome() {
        get_decision_response::Outcome::Aborted => Ok(vec![Told::Abandoned(id)]),
        get_decision_response::Outcome::Committed => {
            let accesses = answer.accesses.iter().map(|access| match wire::access(access)? {
                // The intents that end are those of the decision that was asked for.
                Told::Access { access, .. } => Ok(Told::Access { access, decision: Some(id) }),
                told => Ok(told),
            });
            accesses.collect()
        }
        get_decision_response::Outcome::Undecided | get_decision_response::Outcome::Unspecified => Ok(Vec::new()),
    }
}

/// An organization of which identity has not told yet, if there is one.
pub async fn organization(identity: &Peer, id: Id<Organization>, left: Duration) -> Result<Option<Told>, Fault> {
    let request = identity.request(LookUpOrganizationRequest { organization_id: id.to_string() }, left)?;
    let answer = match IdentityInternalServiceClient::new(identity.channel()).look_up_organization(request).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => return nothing(identity.refusal(status)).map(|()| None),
    };
    answer.organization.map(|organization| wire::organization(organization, answer.version)).transpose()
}

/// Users who are looked up in one call at most: with the longest names the answer stays below what a client takes, 4 MiB.
pub const LOOKED_UP_TOGETHER: usize = 2_000;

/// Those of these users, no more than [`LOOKED_UP_TOGETHER`], of whom identity has not told yet, and who exist.
pub async fn users(
    identity: &Peer,
    customer: Id<Organization>,
    ids: &[Id<User>],
    left: Duration,
) -> Result<Vec<Told>, Fault> {
    let message = LookUpUsersRequest {
        customer_id: customer.to_string(),
        user_ids: ids.iter().map(ToString::to_string).collect(),
    };
    let request = identity.request(message, left)?;
    let answer = match IdentityInternalServiceClient::new(identity.channel()).look_up_users(request).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => return nothing(identity.refusal(status)).map(|()| Vec::new()),
    };
    let told = answer.users.into_iter().filter_map(|each| Some(wire::user(each.user?, each.version)));
    told.collect()
}

/// A peer that knows of no such thing has answered; every other refusal is none.
fn nothing(refusal: Fault) -> Result<(), Fault> {
    if refusal.kind() == Kind::NotFound { Ok(()) } else { Err(refusal) }
}
