//! A service with one kind of saga, and two peers whose answers the test chooses.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails where something is missing")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{Clock, Fault};
use db::{Db, Migration};
use saga::{Answers, Flow, State};
use service::keys::ServiceKeys;
use service::rate::Rates;
use service::token::Key;
use service::{Cx, Fact, Host, NamedLimit, Parts, Service, Work};
use testkit::database::{Database, Kind};
use uuid::Uuid;

/// The two peers.
pub(crate) const STEPS: &[&str] = &["east", "west"];
/// What is done after the decision.
pub(crate) const AFTER: &[&str] = &["archive"];

/// What the peers hold, and what they will answer.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    /// Steps that were prepared and not canceled.
    pub(crate) intents: BTreeSet<(Uuid, &'static str)>,
    /// Steps that must not be prepared any more.
    pub(crate) tombstones: BTreeSet<(Uuid, &'static str)>,
    /// How often each step was asked, canceled or settled.
    pub(crate) calls: BTreeMap<(Uuid, String), u32>,
    /// The answers to come, by `prepare east` and its like; without one the answer is yes.
    pub(crate) script: BTreeMap<String, Vec<Answer>>,
}

/// An answer of a peer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// It does not arrive there.
    Away,
    /// It is done, and the answer is lost.
    Lost,
    /// It is refused.
    No,
}

/// A service that has nothing but sagas.
#[derive(Debug)]
pub(crate) struct Office {
    pub(crate) peers: Arc<Mutex<Peers>>,
    /// Refuses the decision with this reason.
    pub(crate) decision_refused: Arc<Mutex<Option<&'static str>>>,
}

impl Service for Office {
    const NAME: &'static str = "office";
    const DOMAIN: &'static str = "tandem.office";
    const LIMITS: &'static [NamedLimit] = &[];
    const READ_JOURNAL: () = ();
    const READ_LIMITS: () = ();
    type Permission = ();
    type Target = ();
    type Unresolved = std::convert::Infallible;

    fn own_organization() {}

    fn journal_scope(_: &Cx<Self>) -> Result<Option<Uuid>, Fault> {
        Ok(None)
    }

    async fn authorize(_: &mut Cx<Self>, (): (), (): &()) -> Result<(), Fault> {
        Ok(())
    }

    async fn resolve(_: &service::Preparation<'_, Self>, _: Vec<Self::Unresolved>) -> Result<(), Fault> {
        Ok(())
    }

    async fn fetch_keys(_: &Host<Self>) -> Result<Vec<Key>, Fault> {
        Ok(Vec::new())
    }
}

/// The one flow: writes one row when it is decided.
#[derive(Debug)]
pub(crate) struct Deal;

fn passing() -> Fault {
    Fault::unavailable("PEER_UNAVAILABLE", "the peer is away")
}

/// Asks a peer: counts, looks at the script, does it unless it does not arrive.
fn ask(
    host: &Host<Office>,
    saga: Uuid,
    verb: &str,
    step: &'static str,
    work: impl FnOnce(&mut Peers) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut peers = host.service.peers.lock().unwrap();
    let name = format!("{verb} {step}");
    *peers.calls.entry((saga, name.clone())).or_default() += 1;
    let scripted = peers.script.get_mut(&name).filter(|answers| !answers.is_empty()).map(|answers| answers.remove(0));
    match scripted {
        Some(Answer::Away) => Err(passing()),
        Some(Answer::No) => Err(Fault::precondition("NOT_AGREED", "the peer does not agree")),
        Some(Answer::Lost) => {
            work(&mut peers)?;
            Err(passing())
        }
        None => work(&mut peers),
    }
}

impl Flow for Deal {
    type Service = Office;

    fn read(flow: &str, request: &[u8]) -> Result<Self, Fault> {
        assert_eq!((flow, request), ("deal", &b"terms"[..]));
        Ok(Self)
    }

    fn prepare_steps(&self) -> &'static [&'static str] {
        STEPS
    }

    async fn prepare(&self, host: &Host<Office>, saga: Uuid, step: &'static str) -> Result<Vec<u8>, Fault> {
        ask(host, saga, "prepare", step, |peers| {
            if peers.tombstones.contains(&(saga, step)) {
                return Err(Fault::precondition("TOO_LATE", "this was canceled"));
            }
            peers.intents.insert((saga, step));
            Ok(())
        })?;
        Ok(step.as_bytes().to_vec())
    }

    async fn cancel(&self, host: &Host<Office>, saga: Uuid, step: &'static str) -> Result<(), Fault> {
        ask(host, saga, "cancel", step, |peers| {
            peers.tombstones.insert((saga, step));
            peers.intents.remove(&(saga, step));
            Ok(())
        })
    }

    async fn decide(&self, cx: &mut Cx<Office>, saga: Uuid, answers: &Answers) -> Result<(), Fault> {
        for step in STEPS {
            assert_eq!(answers.get(step).unwrap(), step.as_bytes());
        }
        let refused = *cx.service().decision_refused.lock().unwrap();
        if let Some(reason) = refused {
            return Err(Fault::precondition(reason, "the world has changed meanwhile"));
        }
        cx.tx.sql("INSERT INTO effects (saga_id, effect) VALUES ($1, 'DECIDED')").bind(saga).execute().await?;
        cx.record(Fact::new("DealDecided").about("deal", saga));
        Ok(())
    }

    async fn abandon(&self, cx: &mut Cx<Office>, saga: Uuid, refusal: &Fault) -> Result<(), Fault> {
        cx.tx
            .sql("INSERT INTO effects (saga_id, effect) VALUES ($1, $2)")
            .bind(saga)
            .bind(refusal.reason())
            .execute()
            .await
            .map(drop)
    }

    fn settle_steps(&self) -> &'static [&'static str] {
        AFTER
    }

    async fn settle(&self, host: &Host<Office>, saga: Uuid, step: &'static str) -> Result<Vec<u8>, Fault> {
        ask(host, saga, "settle", step, |_| Ok(()))?;
        Ok(Vec::new())
    }
}

/// An office on a fresh database, with as many replicas as wanted.
pub(crate) struct World {
    pub(crate) hosts: Vec<Arc<Host<Office>>>,
    pub(crate) clock: Clock,
    pub(crate) peers: Arc<Mutex<Peers>>,
    pub(crate) decision_refused: Arc<Mutex<Option<&'static str>>>,
    _database: Database,
}

struct Begin(Uuid);

impl Work for Begin {
    type Service = Office;
    type Done = ();

    async fn run(&self, cx: &mut Cx<Office>) -> Result<(), Fault> {
        saga::begin(cx, self.0, "deal", b"terms").await
    }
}

impl World {
    pub(crate) async fn start(kind: Kind) -> Self {
        Self::with_replicas(kind, 1).await
    }

    pub(crate) async fn with_replicas(kind: Kind, replicas: usize) -> Self {
        let effects = Migration {
            version: 1000,
            name: "office",
            sql: "CREATE TABLE effects (\n    saga_id UUID NOT NULL,\n    effect TEXT NOT NULL\n);\n",
        };
        let migrations: Vec<Migration> =
            service::MIGRATIONS.iter().chain(saga::MIGRATIONS).copied().chain([effects]).collect();
        let database = Database::migrated(kind, &migrations).await;
        let (peers, decision_refused) = (Arc::new(Mutex::new(Peers::default())), Arc::new(Mutex::new(None)));
        let clock = Clock::new();
        let keys = ServiceKeys::random(&["office"]);
        // SQLite has one process for a file: its replicas share the open database.
        let shared: Db = database.open().await;
        let mut hosts = Vec::new();
        for _ in 0..replicas {
            let db = if kind == Kind::Postgres { database.open().await } else { shared.clone() };
            let parts = Parts {
                db,
                clock: clock.clone(),
                keys: keys["office"].clone(),
                issuer: "tandem".to_owned(),
                service: Office { peers: Arc::clone(&peers), decision_refused: Arc::clone(&decision_refused) },
                rates: Rates::default(),
                concurrency: 64,
            };
            hosts.push(Host::new(parts).unwrap());
        }
        Self { hosts, clock, peers, decision_refused, _database: database }
    }

    pub(crate) fn host(&self) -> &Arc<Host<Office>> {
        &self.hosts[0]
    }

    pub(crate) fn script(&self, name: &str, answers: &[Answer]) {
        self.peers.lock().unwrap().script.insert(name.to_owned(), answers.to_vec());
    }

    /// Begins a saga and leaves it to whoever claims it.
    pub(crate) async fn begin(&self) -> Uuid {
        let id = Uuid::now_v7();
        self.host().transact(&Begin(id)).await.unwrap();
        id
    }

    /// Claims what is due and takes it as far as it goes.
    pub(crate) async fn turn(&self) {
        for saga in saga::claim(&self.host().db, self.clock.now(), 100).await.unwrap() {
            saga::drive::<Deal>(self.host(), saga).await.unwrap();
        }
    }

    /// Lets time pass until every lease and every pause is over, again and again, until the saga is over.
    pub(crate) async fn until_over(&self, id: Uuid) -> State {
        for _ in 0..200 {
            self.turn().await;
            let state = self.state(id).await;
            if state.is_over() {
                return state;
            }
            self.clock.advance(Duration::from_millis(700));
        }
        panic!("saga {id} does not come to an end");
    }

    pub(crate) async fn state(&self, id: Uuid) -> State {
        let mut tx = self.host().db.snapshot().await.unwrap();
        let saga = saga::get(&mut tx, id).await.unwrap().unwrap();
        tx.rollback().await;
        saga.state
    }

    pub(crate) async fn effects(&self, id: Uuid) -> Vec<String> {
        let mut tx = self.host().db.snapshot().await.unwrap();
        let effects = tx.sql("SELECT effect FROM effects WHERE saga_id = $1").bind(id).all().await.unwrap();
        tx.rollback().await;
        effects
    }

    pub(crate) async fn journal(&self) -> Vec<String> {
        let mut tx = self.host().db.snapshot().await.unwrap();
        let actions = tx.sql("SELECT action FROM journal ORDER BY entry_id").all().await.unwrap();
        tx.rollback().await;
        actions
    }

    pub(crate) fn calls(&self, id: Uuid, name: &str) -> u32 {
        self.peers.lock().unwrap().calls.get(&(id, name.to_owned())).copied().unwrap_or(0)
    }

    /// What the peers hold of a saga: intents, tombstones.
    pub(crate) fn held(&self, id: Uuid) -> (usize, usize) {
        let peers = self.peers.lock().unwrap();
        let of = |steps: &BTreeSet<(Uuid, &str)>| steps.iter().filter(|(saga, _)| *saga == id).count();
        (of(&peers.intents), of(&peers.tombstones))
    }
}
