//! The only file that calls a peer: identity for organizations, both participants for what is decided here.

use std::time::Duration;

use base::{Fault, Id, Kind, Secret, Timestamp};
use prost::Message as _;
use proto::identity::v1::identity_internal_service_client::IdentityInternalServiceClient;
use proto::identity::v1::key_service_client::KeyServiceClient;
use proto::identity::v1::{self as identity, GetJwksRequest};
use proto::licensing::v1 as licensing;
use proto::licensing::v1::licensing_internal_service_client::LicensingInternalServiceClient;
use proto::partner::v1::{AccessIntent, PartnerFact};
use service::form::read_timestamp;
use service::outbox::Parcel;
use service::peer::{ATTEMPT_TIMEOUT, Peer};
use service::token::Key;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::organization::{self, Organization};

/// The services that hold copies of partner's facts, and take part in its decisions.
pub const PEERS: [&str; 2] = ["identity", "licensing"];

fn to_identity(peer: &Peer) -> IdentityInternalServiceClient<Channel> {
    IdentityInternalServiceClient::new(peer.channel())
}

fn to_licensing(peer: &Peer) -> LicensingInternalServiceClient<Channel> {
    LicensingInternalServiceClient::new(peer.channel())
}

/// The key set that verifies access tokens.
pub async fn fetch_keys(identity: &Peer) -> Result<Vec<Key>, Fault> {
    let request = identity.request(GetJwksRequest {}, ATTEMPT_TIMEOUT)?;
    let answer = KeyServiceClient::new(identity.channel()).get_jwks(request).await;
    let keys = answer.map_err(|status| identity.fault(status))?.into_inner().keys;
    keys.into_iter().map(|jwk| Key::published(jwk.kid, &jwk.x)).collect()
}

/// An organization that has not been told yet; `None` when there is none.
pub async fn look_up_organization(
    peer: &Peer,
    id: Id<Organization>,
    left: Duration,
) -> Result<Option<Organization>, Fault> {
    let request = identity::LookUpOrganizationRequest { organization_id: id.to_string() };
    let answer = to_identity(peer).look_up_organization(peer.request(request, left)?).await;
    let found = match answer.map_err(|status| peer.refusal(status)) {
        Ok(answer) => answer.into_inner(),
        Err(fault) if fault.kind() == Kind::NotFound => return Ok(None),
        Err(fault) => return Err(fault),
    };
    found.organization.map(|fact| organization::wire::read(found.version, fact)).transpose()
}

/// Makes a pending organization.
pub async fn prepare_organization(
    peer: &Peer,
    request: identity::PrepareOrganizationRequest,
) -> Result<identity::PrepareOrganizationResponse, Fault> {
    let answer = to_identity(peer).prepare_organization(peer.request(request, ATTEMPT_TIMEOUT)?).await;
    answer.map(tonic::Response::into_inner).map_err(|status| peer.refusal(status))
}

/// Makes it effective.
pub async fn confirm_organization(peer: &Peer, origin: Uuid) -> Result<(), Fault> {
    let request = identity::ConfirmOrganizationRequest { origin_id: origin.to_string() };
    let answer = to_identity(peer).confirm_organization(peer.request(request, ATTEMPT_TIMEOUT)?).await;
    answer.map(drop).map_err(|status| peer.fault(status))
}

/// Takes it back.
pub async fn cancel_organization(peer: &Peer, origin: Uuid) -> Result<(), Fault> {
    let request = identity::CancelOrganizationRequest { origin_id: origin.to_string() };
    let answer = to_identity(peer).cancel_organization(peer.request(request, ATTEMPT_TIMEOUT)?).await;
    answer.map(drop).map_err(|status| peer.fault(status))
}

/// Asks what making it would refuse.
pub async fn check_organization(
    peer: &Peer,
    organization: identity::NewOrganization,
    left: Duration,
) -> Result<(), Fault> {
    let request = identity::CheckOrganizationRequest { organization: Some(organization) };
    let answer = to_identity(peer).check_organization(peer.request(request, left)?).await;
    answer.map(drop).map_err(|status| peer.refusal(status))
}

/// The one-time secret that identity keeps for this request.
pub async fn reveal_secret(
    peer: &Peer,
    origin: Uuid,
    binding: identity::SecretBinding,
    left: Duration,
) -> Result<Secret<String>, Fault> {
    let request = identity::RevealSecretRequest { origin_id: origin.to_string(), binding: Some(binding) };
    let answer = to_identity(peer).reveal_secret(peer.request(request, left)?).await;
    answer.map(|answer| Secret::new(answer.into_inner().temporary_password)).map_err(|status| peer.refusal(status))
}

/// Lets a participant write the intents of a decision that a user asks for. Identity's answer is for [`credential_set`].
pub async fn prepare_access(
    peer: &Participant<'_>,
    decision: Uuid,
    intents: Vec<AccessIntent>,
    user: Uuid,
) -> Result<Vec<u8>, Fault> {
    let decision_id = decision.to_string();
    match peer {
        Participant::Identity(peer) => {
            let request = identity::PrepareAccessRequest { decision_id, intents, user_id: user.to_string() };
            let answer = to_identity(peer).prepare_access(peer.request(request, ATTEMPT_TIMEOUT)?).await;
            answer.map(|answer| answer.into_inner().encode_to_vec()).map_err(|status| peer.refusal(status))
        }
        Participant::Licensing(peer) => {
            let request = licensing::PrepareAccessRequest { decision_id, intents };
            let answer = to_licensing(peer).prepare_access(peer.request(request, ATTEMPT_TIMEOUT)?).await;
            answer.map(|answer| answer.into_inner().encode_to_vec()).map_err(|status| peer.refusal(status))
        }
    }
}

/// Reads from identity's answer who made the user or last reset their password, and when.
///
/// # Errors
/// When the bytes are not such an answer.
pub fn credential_set(answer: &[u8]) -> Result<Option<(Uuid, Timestamp)>, Fault> {
    let broken = || Fault::internal("identity's answer about a decision cannot be read");
    let answer = identity::PrepareAccessResponse::decode(answer).map_err(|_| broken())?;
    let Some(time) = answer.credential_set_time else { return Ok(None) };
    let by = answer.credential_set_by_id.parse().map_err(|_| broken())?;
    Ok(Some((by, read_timestamp(&time).ok_or_else(broken)?)))
}

/// Asks a participant what writing them would refuse.
pub async fn check_access(peer: &Participant<'_>, intents: Vec<AccessIntent>, left: Duration) -> Result<(), Fault> {
    match peer {
        Participant::Identity(peer) => {
            let request = identity::CheckAccessRequest { intents };
            let answer = to_identity(peer).check_access(peer.request(request, left)?).await;
            answer.map(drop).map_err(|status| peer.refusal(status))
        }
        Participant::Licensing(peer) => {
            let request = licensing::CheckAccessRequest { intents };
            let answer = to_licensing(peer).check_access(peer.request(request, left)?).await;
            answer.map(drop).map_err(|status| peer.refusal(status))
        }
    }
}

/// Lets a participant take them back.
pub async fn cancel_access(peer: &Participant<'_>, decision: Uuid, intents: Vec<AccessIntent>) -> Result<(), Fault> {
    let decision_id = decision.to_string();
    match peer {
        Participant::Identity(peer) => {
            let request = identity::CancelAccessRequest { decision_id, intents };
            let answer = to_identity(peer).cancel_access(peer.request(request, ATTEMPT_TIMEOUT)?).await;
            answer.map(drop).map_err(|status| peer.fault(status))
        }
        Participant::Licensing(peer) => {
            let request = licensing::CancelAccessRequest { decision_id, intents };
            let answer = to_licensing(peer).cancel_access(peer.request(request, ATTEMPT_TIMEOUT)?).await;
            answer.map(drop).map_err(|status| peer.fault(status))
        }
    }
}

/// Who takes part in a decision.
#[derive(Debug)]
pub enum Participant<'p> {
    /// Identity.
    Identity(&'p Peer),
    /// Licensing.
    Licensing(&'p Peer),
}

fn facts(parcels: &[Parcel]) -> Result<Vec<PartnerFact>, Fault> {
    parcels.iter().map(Parcel::decode).collect()
}

/// Delivers facts to a participant.
pub async fn tell(peer: &Participant<'_>, parcels: &[Parcel]) -> Result<(), Fault> {
    match peer {
        Participant::Identity(peer) => {
            let request = identity::ApplyPartnerFactsRequest { facts: facts(parcels)? };
            let answer = to_identity(peer).apply_partner_facts(peer.request(request, ATTEMPT_TIMEOUT)?).await;
            answer.map(drop).map_err(|status| peer.refusal(status))
        }
        Participant::Licensing(peer) => {
            let request = licensing::ApplyPartnerFactsRequest { facts: facts(parcels)? };
            let answer = to_licensing(peer).apply_partner_facts(peer.request(request, ATTEMPT_TIMEOUT)?).await;
            answer.map(drop).map_err(|status| peer.refusal(status))
        }
    }
}
