//! The only file that calls a peer: it delivers identity's facts, and asks how decisions ended.

use std::time::Duration;

use base::{Fault, Secret};
use proto::identity::v1::IdentityFact;
use proto::licensing::v1::licensing_internal_service_client::LicensingInternalServiceClient;
use proto::partner::v1::partner_internal_service_client::PartnerInternalServiceClient;
use proto::partner::v1::{CheckInvitationLinkRequest, GetDecisionRequest, GetDecisionResponse};
use proto::{licensing, partner};
use service::outbox::Parcel;
use service::peer::{ATTEMPT_TIMEOUT, Peer};
use uuid::Uuid;

use crate::country::Country;
use crate::organization::Cloud;

/// Who assigns licenses.
pub const LICENSING: &str = "licensing";

/// Who owns relationships.
pub const PARTNER: &str = "partner";

/// The services that hold projections of identity's facts.
pub const PEERS: [&str; 2] = [LICENSING, PARTNER];

/// How long one delivery may take.
const DELIVERY: Duration = ATTEMPT_TIMEOUT;

fn facts(parcels: &[Parcel]) -> Result<Vec<IdentityFact>, Fault> {
    parcels.iter().map(Parcel::decode).collect()
}

/// Delivers facts to licensing.
pub async fn tell_licensing(peer: &Peer, parcels: &[Parcel]) -> Result<(), Fault> {
    let request = peer.request(licensing::v1::ApplyIdentityFactsRequest { facts: facts(parcels)? }, DELIVERY)?;
    let mut client = LicensingInternalServiceClient::new(peer.channel());
    client.apply_identity_facts(request).await.map(drop).map_err(|status| peer.refusal(status))
}

/// Delivers facts to partner.
pub async fn tell_partner(peer: &Peer, parcels: &[Parcel]) -> Result<(), Fault> {
    let request = peer.request(partner::v1::ApplyIdentityFactsRequest { facts: facts(parcels)? }, DELIVERY)?;
    let mut client = PartnerInternalServiceClient::new(peer.channel());
    client.apply_identity_facts(request).await.map(drop).map_err(|status| peer.refusal(status))
}

/// Asks partner for the country and cloud in which a customer has to be to accept the invitation of a link.
pub async fn check_invitation_link(
    peer: &Peer,
    token: &Secret<String>,
    left: Duration,
) -> Result<(Country, Cloud), Fault> {
    let request = peer.request(CheckInvitationLinkRequest { token: token.expose().clone() }, left)?;
    let answer = PartnerInternalServiceClient::new(peer.channel()).check_invitation_link(request).await;
    let answer = answer.map_err(|status| peer.refusal(status))?.into_inner();
    let broken = || Fault::internal("partner's answer about a link cannot be read");
    let cloud = match answer.cloud() {
        proto::identity::v1::Cloud::Global => Cloud::Global,
        proto::identity::v1::Cloud::UsGovernment => Cloud::UsGovernment,
        proto::identity::v1::Cloud::Unspecified => return Err(broken()),
    };
    Ok((Country::parse(&answer.country).map_err(|_| broken())?, cloud))
}

/// Asks partner how a decision ended, with what is left of the caller's time.
pub async fn get_decision(peer: &Peer, decision: Uuid, left: Duration) -> Result<GetDecisionResponse, Fault> {
    let request = peer.request(GetDecisionRequest { decision_id: decision.to_string() }, left)?;
    let answer = PartnerInternalServiceClient::new(peer.channel()).get_decision(request).await;
    answer.map(tonic::Response::into_inner).map_err(|status| peer.refusal(status))
}
