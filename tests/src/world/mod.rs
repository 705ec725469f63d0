//! A world: all three services, in this process, on fresh databases, behind real listeners on loopback.
//!
//! It runs on a thread of its own, so that tests of any runtime can share it. [`World::shared`] is for tests that bring
//! their own organizations; [`World::start`] for those that move the clock or break something.
#![expect(clippy::expect_used, clippy::panic, reason = "a test without its world has nothing better to do than fail")]

mod alone;
mod answers;
mod channel;
mod customers;
mod doors;
mod dump;
mod inside;
mod licensed;
mod oracle;
mod people;
mod staff;

use std::net::SocketAddr;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use base::Clock;
use db::{Db, Settings};
use identity::Identity;
use identity::names::Domain;
use licensing::Licensing;
use partner::Partner;
use partner::link::LinkBase;
use service::config::{Peers, ProcessConfig};
use service::keys::ServiceKeys;
use service::process::{Addresses, Bound};
use service::rate::{Rate, Rates};
use service::serve::Transport;
use service::telemetry::LogFormat;
use testkit::database::{Database, Kind};
use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};

pub use alone::Alone;
pub use answers::{changed, id, outcome, reason, told_of, wrong_fields};
pub use channel::{Tenant, token_of};
pub use customers::Customer;
pub use doors::Doors;
pub use dump::{Dump, dump};
pub use inside::Inside;
pub use licensed::{Grant, HEADER, fresh};
pub use oracle::Oracle;
pub use people::{PASSWORD, Refused, Registered, authorized};
pub use staff::Person;

use crate::harness::proxy::Proxy;
use crate::harness::reorder::{Chaos, GrpcProxy, Policy};

/// Below it the world's organizations get their domains.
pub const SUFFIX: &str = "tandem.example";

/// All three services on fresh databases.
#[derive(Debug)]
pub struct World {
    /// Which database they are on.
    pub kind: Kind,
    /// Identity, for looking inside.
    pub identity: Inside<Identity>,
    /// Licensing, for looking inside.
    pub licensing: Inside<Licensing>,
    /// Partner, for looking inside.
    pub partner: Inside<Partner>,
    /// Where they listen: identity, licensing, partner.
    pub addresses: [Addresses; 3],
    /// What the services call one another through: to identity, licensing, partner. Only for breaking a world of one's
    /// own.
    pub edges: [Proxy; 3],
    /// What disturbs those calls behind the edges, if anything does.
    disturbers: Option<[GrpcProxy; 3]>,
    doors: Doors,
    stop: CancellationToken,
    databases: [Database; 3],
}

impl World {
    /// The world that this process's tests share, one for each database.
    pub async fn shared(kind: Kind) -> &'static Self {
        static SQLITE: OnceLock<World> = OnceLock::new();
        static POSTGRES: OnceLock<World> = OnceLock::new();
        let place = if kind == Kind::Sqlite { &SQLITE } else { &POSTGRES };
        let found = tokio::task::spawn_blocking(move || place.get_or_init(|| build(kind, generous(), None)));
        found.await.expect("the shared world starts")
    }

    /// A world of its own.
    pub async fn start(kind: Kind) -> Self {
        Self::with_rates(kind, generous()).await
    }

    /// A world of its own with these rates.
    pub async fn with_rates(kind: Kind, rates: Rates) -> Self {
        tokio::task::spawn_blocking(move || build(kind, rates, None)).await.expect("the world starts")
    }

    /// A world of its own in which whatever the services call one another for comes twice, late or in another order.
    pub async fn disturbed(kind: Kind, policy: Policy) -> Self {
        let world = tokio::task::spawn_blocking(move || build(kind, generous(), Some(policy)));
        world.await.expect("the world starts")
    }

    /// What happens to the calls to identity, licensing and partner.
    ///
    /// # Panics
    /// In a world that is not disturbed.
    pub fn chaos(&self) -> [&Chaos; 3] {
        self.disturbers.as_ref().expect("the world is a disturbed one").each_ref().map(GrpcProxy::chaos)
    }

    /// The databases of identity, licensing and partner.
    pub async fn inside(&self) -> (Db, Db, Db) {
        (self.identity.db().await, self.licensing.db().await, self.partner.db().await)
    }

    /// How to open the databases of identity, licensing and partner.
    pub fn databases(&self) -> [&db::Settings; 3] {
        self.databases.each_ref().map(Database::settings)
    }
}

impl Deref for World {
    type Target = Doors;

    fn deref(&self) -> &Doors {
        &self.doors
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Waits for what has to come.
///
/// # Panics
/// When it does not come, so that nobody waits for it for ever.
pub async fn soon<T>(what: &str, coming: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(15), coming).await {
        Ok(come) => come,
        Err(_) => panic!("not soon: {what}"),
    }
}

/// A fresh channel.
pub async fn connect(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address is a URL");
    endpoint.connect().await.expect("the service listens")
}

/// Rates that no test reaches by accident.
fn generous() -> Rates {
    let much = Rate { per_minute: 6_000_000, burst: 100_000 };
    Rates { principal: much, tenant: much, source: much, target: much, refusals: much, ..Rates::default() }
}

/// Starts the world on a thread of its own, which ends when the world is dropped.
fn build(kind: Kind, rates: Rates, policy: Option<Policy>) -> World {
    let (send, receive) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime starts");
        runtime.block_on(async {
            let (world, serving) = assemble(kind, rates, policy).await;
            // The test went away before its world was ready.
            let _ = send.send(world);
            serving.await;
        });
        runtime.shutdown_timeout(Duration::from_secs(2));
    });
    receive.recv().expect("the world starts")
}

async fn assemble(kind: Kind, rates: Rates, policy: Option<Policy>) -> (World, impl Future<Output = ()>) {
    let databases = [
        Database::migrated(kind, &identity::migrations()).await,
        Database::migrated(kind, &licensing::migrations()).await,
        Database::migrated(kind, &partner::migrations()).await,
    ];
    let transport = Transport {
        lame_duck: Duration::ZERO,
        drain: Duration::from_secs(1),
        connections_per_address_max: 0,
        ..Transport::default()
    };
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let anywhere = Addresses { public: any, internal: any, management: None };
    let bind = || Bound::bind(&anywhere, &transport);
    let bound =
        [bind().await.expect("a free port"), bind().await.expect("a free port"), bind().await.expect("a free port")];
    let addresses = bound.each_ref().map(Bound::addresses);
    let inside = addresses.each_ref().map(|addresses| addresses.internal);
    let disturbers = policy.map(|policy| inside.map(|address| GrpcProxy::start(address, policy.clone())));
    let edges = disturbers.as_ref().map_or(inside, |all| all.each_ref().map(GrpcProxy::address)).map(Proxy::start);
    let [to_identity, to_licensing, to_partner] = edges.each_ref().map(|edge| format!("http://{}", edge.address()));
    let peers = Peers { identity: to_identity, licensing: to_licensing, partner: to_partner, tls: None };
    let config = |database: &Database| ProcessConfig {
        addresses: anywhere.clone(),
        peers: peers.clone(),
        transport: transport.clone(),
        rates,
        ..process_config(database.settings().clone())
    };
    let keys = ServiceKeys::random(&["identity", "licensing", "partner"]);
    let key = |service: &str| keys.get(service).expect("every service has a key").clone();
    let clock = Clock::new();
    let suffix = Domain::parse(SUFFIX).expect("the suffix is a domain");
    let identity_config = config(&databases[0]);
    let identity = identity::start::open(&identity_config, key("identity"), suffix, clock.clone());
    let identity = identity.await.expect("identity opens");
    let licensing_config = config(&databases[1]);
    let licensing = licensing::start::open(&licensing_config, key("licensing"), clock.clone());
    let licensing = licensing.await.expect("licensing opens");
    let partner_config = config(&databases[2]);
    let partner = partner::start::open(&partner_config, key("partner"), link_base(), clock.clone());
    let partner = partner.await.expect("partner opens");
    let way_in = identity::operator::ensure_first(&identity).await.expect("the operator can be made");
    let stop = CancellationToken::new();
    let [first, second, third] = bound;
    let serving = {
        let (identity, licensing, partner) = (Arc::clone(&identity), Arc::clone(&licensing), Arc::clone(&partner));
        let stop = stop.clone();
        async move {
            let served = tokio::try_join!(
                identity::start::serve(identity, first, &identity_config, stop.clone()),
                licensing::start::serve(licensing, second, stop.clone()),
                partner::start::serve(partner, third, stop.clone()),
            );
            served.expect("the world serves until it is dropped");
        }
    };
    let doors = Doors::new(
        addresses.each_ref().map(|addresses| addresses.public),
        clock,
        way_in.expect("a fresh world has no operator yet"),
    );
    let [at_identity, at_licensing, at_partner] = databases.each_ref().map(|database| database.settings().clone());
    let identity = Inside::new(identity, at_identity);
    let licensing = Inside::new(licensing, at_licensing);
    let partner = Inside::new(partner, at_partner);
    let world = World { kind, identity, licensing, partner, addresses, edges, disturbers, doors, stop, databases };
    (world, serving)
}

/// What the world's links begin with.
pub fn link_base() -> LinkBase {
    LinkBase::parse("https://partner.tandem.example").expect("an address")
}

/// A process on this database that nobody calls and that calls nobody.
pub fn process_config(database: Settings) -> ProcessConfig {
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let nobody = "http://127.0.0.1:1".to_owned();
    ProcessConfig {
        database,
        addresses: Addresses { public: nowhere, internal: nowhere, management: None },
        keys_dir: PathBuf::new(),
        peers: Peers { identity: nobody.clone(), licensing: nobody.clone(), partner: nobody, tls: None },
        issuer: "tandem".to_owned(),
        concurrency: 256,
        transport: Transport::default(),
        rates: generous(),
        log: "info".to_owned(),
        log_format: LogFormat::Human,
    }
}
