//! From a configuration to a running partner.

use std::sync::Arc;
use std::time::Duration;

use base::{Clock, Fault};
use db::Db;
use proto::partner::v1::customer_service_server::CustomerServiceServer;
use proto::partner::v1::invitation_service_server::InvitationServiceServer;
use proto::partner::v1::partner_internal_service_server::PartnerInternalServiceServer;
use proto::partner::v1::partner_review_service_server::PartnerReviewServiceServer;
use proto::partner::v1::partnership_service_server::PartnershipServiceServer;
use service::config::ProcessConfig;
use service::contract::REQUEST_BYTES_BULK;
use service::keys::ServiceKeys;
use service::outbox;
use service::peer::Peer;
use service::process::{self, Bound, Front, every};
use service::{Host, Parts, Service};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::api::Api;
use crate::clients::{self, Participant};
use crate::flow::Flow;
use crate::link::LinkBase;
use crate::{Partner, migrations};

/// Reads what every link begins with.
///
/// # Errors
/// `MALFORMED`.
pub fn link_base(text: &str) -> Result<LinkBase, Fault> {
    LinkBase::parse(text).map_err(|(reason, message)| Fault::invalid(reason, message))
}

/// Runs partner as a process of its own until told to stop.
///
/// # Errors
/// As [`open`] and [`serve`], and when its keys or its addresses are not to be had.
pub async fn run(config: ProcessConfig, links: LinkBase, stop: CancellationToken) -> Result<(), Fault> {
    let keys = ServiceKeys::load(&config.keys_dir, Partner::NAME)?;
    let host = open(&config, keys, links, Clock::new()).await?;
    let bound = Bound::bind(&config.addresses, &config.transport).await?;
    let ready = process::ready(&[&bound]);
    tokio::try_join!(serve(host, bound, stop), ready).map(drop)
}

/// Opens the database and puts partner together. The key set that was fetched last is in use until it is fetched anew.
///
/// # Errors
/// When the database, its schema or the keys are not as they must be.
pub async fn open(
    config: &ProcessConfig,
    keys: ServiceKeys,
    links: LinkBase,
    clock: Clock,
) -> Result<Arc<Host<Partner>>, Fault> {
    let db = Db::open(&config.database).await?;
    db.check_durability().await?;
    db.check_schema(&migrations()).await?;
    db.sample_clock(&clock).await?;
    let (peers, shared_keys) = (&config.peers, Arc::new(keys.clone()));
    let peer =
        |name, address: &str| Peer::new(name, address, peers.tls.as_ref(), Arc::clone(&shared_keys), clock.clone());
    let (identity, licensing) = (peer("identity", &peers.identity)?, peer("licensing", &peers.licensing)?);
    let host = Host::new(Parts {
        db,
        clock,
        keys,
        issuer: config.issuer.clone(),
        service: Partner { identity, licensing, links },
        rates: config.rates,
        concurrency: config.concurrency,
    })?;
    host.recall_keys().await?;
    Ok(host)
}

/// Serves until told to stop.
///
/// # Errors
/// When a listener cannot be made.
pub async fn serve(host: Arc<Host<Partner>>, bound: Bound, stop: CancellationToken) -> Result<(), Fault> {
    let mut background = JoinSet::new();
    background.spawn(follow_keys(Arc::clone(&host), stop.clone()));
    let (identity, licensing) = (host.service.identity.clone(), host.service.licensing.clone());
    background.spawn(outbox::relay(Arc::clone(&host), "identity", stop.clone(), move |parcels| {
        let peer = identity.clone();
        async move { clients::tell(&Participant::Identity(&peer), &parcels).await }
    }));
    background.spawn(outbox::relay(Arc::clone(&host), "licensing", stop.clone(), move |parcels| {
        let peer = licensing.clone();
        async move { clients::tell(&Participant::Licensing(&peer), &parcels).await }
    }));
    background.spawn(saga::run::<Flow>(Arc::clone(&host), stop.clone()));
    bound.serve(Arc::clone(&host), front(&host), background, stop).await
}

fn front(host: &Arc<Host<Partner>>) -> Front {
    let api = || Api(Arc::clone(host));
    let internal = PartnerInternalServiceServer::new(api()).max_decoding_message_size(REQUEST_BYTES_BULK);
    let public = Routes::new(PartnerReviewServiceServer::new(api()).max_decoding_message_size(REQUEST_BYTES_BULK))
        .add_service(PartnershipServiceServer::new(api()).max_decoding_message_size(REQUEST_BYTES_BULK))
        .add_service(InvitationServiceServer::new(api()).max_decoding_message_size(REQUEST_BYTES_BULK))
        .add_service(CustomerServiceServer::new(api()).max_decoding_message_size(REQUEST_BYTES_BULK));
    let names = vec![
        "tandem.partner.v1.PartnerReviewService",
        "tandem.partner.v1.PartnershipService",
        "tandem.partner.v1.InvitationService",
        "tandem.partner.v1.CustomerService",
    ];
    Front { public, names, internal: Routes::new(internal) }
}

/// Fetches the key set at the start and every minute, so that a new key is known before it signs.
async fn follow_keys(host: Arc<Host<Partner>>, stop: CancellationToken) {
    if let Err(fault) = host.refresh_keys().await {
        tracing::info!(%fault, "the key set could not be fetched yet");
    }
    every(Duration::from_secs(60), &stop, || host.refresh_keys()).await;
}
