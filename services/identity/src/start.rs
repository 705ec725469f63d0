//! From a configuration to a running identity.

use std::sync::Arc;
use std::time::Duration;

use base::{Clock, Fault};
use db::Db;
use proto::identity::v1::customer_user_service_server::CustomerUserServiceServer;
use proto::identity::v1::identity_internal_service_server::IdentityInternalServiceServer;
use proto::identity::v1::key_service_server::KeyServiceServer;
use proto::identity::v1::organization_service_server::OrganizationServiceServer;
use proto::identity::v1::partner_user_service_server::PartnerUserServiceServer;
use proto::identity::v1::registration_service_server::RegistrationServiceServer;
use proto::identity::v1::session_service_server::SessionServiceServer;
use proto::identity::v1::workload_service_server::WorkloadServiceServer;
use service::config::ProcessConfig;
use service::contract::REQUEST_BYTES_BULK;
use service::keys::ServiceKeys;
use service::outbox;
use service::peer::Peer;
use service::process::{self, Bound, Front, every};
use service::replay::SECRET_LIFE;
use service::{Host, Parts, Service};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::api::Api;
use crate::names::Domain;
use crate::password::Hasher;
use crate::{Identity, clients, migrations, origin, session, signing_key};

/// Waiting password hashes before more are refused (S-03).
const HASH_QUEUE: usize = 64;

/// Reads the domain below which every organization gets its first one (C35).
///
/// # Errors
/// `REQUIRED`, `TOO_LONG` or `MALFORMED`.
pub fn domain_suffix(text: &str) -> Result<Domain, Fault> {
    Domain::parse(text).map_err(|(reason, message)| Fault::invalid(reason, message))
}

/// Runs identity as a process of its own until told to stop.
///
/// # Errors
/// As [`open`] and [`serve`], and when its keys or its addresses are not to be had.
pub async fn run(config: ProcessConfig, suffix: Domain, stop: CancellationToken) -> Result<(), Fault> {
    let keys = ServiceKeys::load(&config.keys_dir, Identity::NAME)?;
    let host = open(&config, keys, suffix, Clock::new()).await?;
    let bound = Bound::bind(&config.addresses, &config.transport).await?;
    let ready = process::ready(&[&bound]);
    tokio::try_join!(serve(host, bound, &config, stop), ready).map(drop)
}

/// Opens the database and puts identity together, with a key to sign with.
///
/// # Errors
/// When the database, its schema or the keys are not as they must be.
pub async fn open(
    config: &ProcessConfig,
    keys: ServiceKeys,
    suffix: Domain,
    clock: Clock,
) -> Result<Arc<Host<Identity>>, Fault> {
    let db = Db::open(&config.database).await?;
    db.check_durability().await?;
    db.check_schema(&migrations()).await?;
    db.sample_clock(&clock).await?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let partner =
        Peer::new("partner", &config.peers.partner, config.peers.tls.as_ref(), Arc::new(keys.clone()), clock.clone())?;
    let hasher = Hasher::new(keys.derive("password pepper"), cores, HASH_QUEUE);
    let host = Host::new(Parts {
        db,
        clock,
        keys,
        issuer: config.issuer.clone(),
        service: Identity::new(hasher, suffix, config.issuer.clone(), partner),
        rates: config.rates,
        concurrency: config.concurrency,
    })?;
    signing_key::rotate(&host).await?;
    Ok(host)
}

/// Serves until told to stop.
///
/// # Errors
/// When a listener cannot be made or a peer's address is malformed.
pub async fn serve(
    host: Arc<Host<Identity>>,
    bound: Bound,
    config: &ProcessConfig,
    stop: CancellationToken,
) -> Result<(), Fault> {
    let mut background = JoinSet::new();
    let peers = &config.peers;
    let licensing =
        Peer::new("licensing", &peers.licensing, peers.tls.as_ref(), Arc::clone(&host.keys), host.clock.clone())?;
    let partner = host.service.partner.clone();
    background.spawn(outbox::relay(Arc::clone(&host), clients::LICENSING, stop.clone(), move |parcels| {
        let peer = licensing.clone();
        async move { clients::tell_licensing(&peer, &parcels).await }
    }));
    background.spawn(outbox::relay(Arc::clone(&host), clients::PARTNER, stop.clone(), move |parcels| {
        let peer = partner.clone();
        async move { clients::tell_partner(&peer, &parcels).await }
    }));
    background.spawn(housekeeping(Arc::clone(&host), stop.clone()));
    bound.serve(Arc::clone(&host), front(&host), background, stop).await
}

async fn housekeeping(host: Arc<Host<Identity>>, stop: CancellationToken) {
    let rotate = every(Duration::from_secs(30), &stop, || signing_key::rotate(&host));
    let sweep = every(Duration::from_secs(600), &stop, || async {
        let mut tx = host.db.write().await?;
        let now = host.clock.now();
        session::store::sweep(&mut tx, now).await?;
        origin::store::sweep_secrets(&mut tx, now - SECRET_LIFE).await?;
        tx.commit().await
    });
    tokio::join!(rotate, sweep);
}

fn front(host: &Arc<Host<Identity>>) -> Front {
    let api = || Api(Arc::clone(host));
    // The key set needs no token there either.
    let internal = Routes::new(KeyServiceServer::new(api()).max_decoding_message_size(REQUEST_BYTES_BULK))
        .add_service(IdentityInternalServiceServer::new(api()).max_decoding_message_size(REQUEST_BYTES_BULK));
    let public = Routes::new(RegistrationServiceServer::new(api()).max_decoding_message_size(REQUEST_BYTES_BULK))
        .add_service(OrganizationServiceServer::new(api()).max_decoding_message_size(REQUEST_BYTES_BULK))
        .add_service(PartnerUserServiceServer::new(api()).max_decoding_message_size(REQUEST_BYTES_BULK))
        .add_service(CustomerUserServiceServer::new(api()).max_decoding_message_size(REQUEST_BYTES_BULK))
        .add_service(SessionServiceServer::new(api()).max_decoding_message_size(REQUEST_BYTES_BULK))
        .add_service(WorkloadServiceServer::new(api()).max_decoding_message_size(REQUEST_BYTES_BULK))
        .add_service(KeyServiceServer::new(api()).max_decoding_message_size(REQUEST_BYTES_BULK));
    let names = vec![
        "tandem.identity.v1.RegistrationService",
        "tandem.identity.v1.OrganizationService",
        "tandem.identity.v1.PartnerUserService",
        "tandem.identity.v1.CustomerUserService",
        "tandem.identity.v1.SessionService",
        "tandem.identity.v1.WorkloadService",
        "tandem.identity.v1.KeyService",
    ];
    Front { public, names, internal }
}
