//! The only file that calls a peer: it delivers identity's facts.

use std::time::Duration;

use base::Fault;
use proto::identity::v1::IdentityFact;
use proto::licensing::v1::licensing_internal_service_client::LicensingInternalServiceClient;
use proto::partner::v1::partner_internal_service_client::PartnerInternalServiceClient;
use proto::{licensing, partner};
use service::outbox::Parcel;
use service::peer::{ATTEMPT_TIMEOUT, Peer};

/// The services that hold projections of identity's facts.
pub const PEERS: [&str; 2] = ["licensing", "partner"];

/// How long one delivery may take.
const DELIVERY: Duration = ATTEMPT_TIMEOUT;

fn facts(parcels: &[Parcel]) -> Result<Vec<IdentityFact>, Fault> {
    parcels.iter().map(Parcel::decode).collect()
}

/// Delivers facts to licensing.
pub async fn tell_licensing(peer: &Peer, parcels: &[Parcel]) -> Result<(), Fault> {
    let request = peer.request(licensing::v1::ApplyIdentityFactsRequest { facts: facts(parcels)? }, DELIVERY)?;
    let mut client = LicensingInternalServiceClient::new(peer.channel());
    client.apply_identity_facts(request).await.map(drop).map_err(|status| peer.fault(status))
}

/// Delivers facts to partner.
pub async fn tell_partner(peer: &Peer, parcels: &[Parcel]) -> Result<(), Fault> {
    let request = peer.request(partner::v1::ApplyIdentityFactsRequest { facts: facts(parcels)? }, DELIVERY)?;
    let mut client = PartnerInternalServiceClient::new(peer.channel());
    client.apply_identity_facts(request).await.map(drop).map_err(|status| peer.fault(status))
}
