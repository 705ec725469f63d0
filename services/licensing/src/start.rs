//! From a configuration to a running licensing.

use std::sync::Arc;
use std::time::Duration;

use base::{Clock, Fault};
use db::Db;
use proto::licensing::v1::catalog_service_server::CatalogServiceServer;
use proto::licensing::v1::entitlement_service_server::EntitlementServiceServer;
use proto::licensing::v1::license_service_server::LicenseServiceServer;
use proto::licensing::v1::licensing_internal_service_server::LicensingInternalServiceServer;
use proto::licensing::v1::purchase_permission_service_server::PurchasePermissionServiceServer;
use proto::licensing::v1::subscription_service_server::SubscriptionServiceServer;
use service::config::ProcessConfig;
use service::contract::REQUEST_BYTES_BULK;
use service::keys::ServiceKeys;
use service::outbox;
use service::peer::Peer;
use service::points;
use service::process::{self, Bound, Front, every};
use service::{Host, Parts, Service};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::api::Api;
use crate::subscription::sweep;
use crate::{Licensing, clients, migrations};

/// Runs licensing as a process of its own until told to stop.
///
/// # Errors
/// As [`open`] and [`serve`], and when its keys or its addresses are not to be had.
pub async fn run(config: ProcessConfig, stop: CancellationToken) -> Result<(), Fault> {
    let keys = ServiceKeys::load(&config.keys_dir, Licensing::NAME)?;
    let host = open(&config, keys, Clock::new()).await?;
    let bound = Bound::bind(&config.addresses, &config.transport).await?;
    let ready = process::ready(&[&bound]);
    tokio::try_join!(serve(host, bound, stop), ready).map(drop)
}

/// Opens the database and puts licensing together. The key set that was fetched last is in use until it is fetched anew.
///
/// # Errors
/// When the database, its schema or the keys are not as they must be.
pub async fn open(config: &ProcessConfig, keys: ServiceKeys, clock: Clock) -> Result<Arc<Host<Licensing>>, Fault> {
    let db = Db::open(&config.database).await?;
    db.check_durability().await?;
    db.check_schema(&migrations()).await?;
    db.sample_clock(&clock).await?;
    let (peers, own_keys) = (&config.peers, Arc::new(keys.clone()));
    let peer = |name, address: &str| Peer::new(name, address, peers.tls.as_ref(), Arc::clone(&own_keys), clock.clone());
    let (identity, partner) = (peer("identity", &peers.identity)?, peer("partner", &peers.partner)?);
    let host = Host::new(Parts {
        db,
        clock,
        keys,
        issuer: config.issuer.clone(),
        service: Licensing { identity, partner },
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
pub async fn serve(host: Arc<Host<Licensing>>, bound: Bound, stop: CancellationToken) -> Result<(), Fault> {
    let mut background = JoinSet::new();
    background.spawn(follow_keys(Arc::clone(&host), stop.clone()));
    let identity = host.service.identity.clone();
    background.spawn(outbox::relay(Arc::clone(&host), clients::IDENTITY, stop.clone(), move |parcels| {
        let peer = identity.clone();
        async move { clients::tell_identity(&peer, &parcels).await }
    }));
    let partner = host.service.partner.clone();
    background.spawn(outbox::relay(Arc::clone(&host), clients::PARTNER, stop.clone(), move |parcels| {
        let peer = partner.clone();
        async move { clients::tell_partner(&peer, &parcels).await }
    }));
    background.spawn(sweep(Arc::clone(&host), stop.clone()));
    bound.serve(Arc::clone(&host), front(&host), background, stop).await
}

fn front(host: &Arc<Host<Licensing>>) -> Front {
    let api = || Api(Arc::clone(host));
    let internal =
        Routes::new(LicensingInternalServiceServer::new(api()).max_decoding_message_size(REQUEST_BYTES_BULK));
    let public = Routes::new(CatalogServiceServer::new(api()).max_decoding_message_size(REQUEST_BYTES_BULK))
        .add_service(LicenseServiceServer::new(api()).max_decoding_message_size(REQUEST_BYTES_BULK))
        .add_service(EntitlementServiceServer::new(api()).max_decoding_message_size(REQUEST_BYTES_BULK))
        .add_service(PurchasePermissionServiceServer::new(api()).max_decoding_message_size(REQUEST_BYTES_BULK))
        .add_service(SubscriptionServiceServer::new(api()).max_decoding_message_size(REQUEST_BYTES_BULK));
    let names = vec![
        "tandem.licensing.v1.CatalogService",
        "tandem.licensing.v1.LicenseService",
        "tandem.licensing.v1.EntitlementService",
        "tandem.licensing.v1.PurchasePermissionService",
        "tandem.licensing.v1.SubscriptionService",
    ];
    Front { public, names, internal }
}

/// Fetches the key set at the start and every minute, so that a new key is known before it signs.
async fn follow_keys(host: Arc<Host<Licensing>>, stop: CancellationToken) {
    if let Err(fault) = host.refresh_keys().await {
        tracing::info!(%fault, "the key set could not be fetched yet");
    }
    every(Duration::from_secs(60), &stop, || host.refresh_keys()).await;
}

/// Lets happen what happens to subscriptions by itself. Any replica does it; who comes second finds nothing due.
async fn sweep(host: Arc<Host<Licensing>>, stop: CancellationToken) {
    let swept = || async {
        host.points.at(points::SWEPT).await?;
        sweep::run(&host).await
    };
    every(Duration::from_secs(5), &stop, swept).await;
}
