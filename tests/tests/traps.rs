//! The traps that a service built like this one falls into, each provoked on purpose (R-02, R-33, R-36, S-24).

use std::sync::atomic::Ordering;
use std::time::Duration;

use base::{Clock, Timestamp};
use db::{Db, Settings};
use proto::identity::v1 as pb;
use proto::identity::v1::session_service_server::SessionService as _;
use proto::identity::v1::workload_service_client::WorkloadServiceClient;
use proto::identity::v1::workload_service_server::{WorkloadService as _, WorkloadServiceServer};
use proto::licensing::v1::licensing_internal_service_client::LicensingInternalServiceClient;
use proto::licensing::v1::licensing_internal_service_server::{
    LicensingInternalService, LicensingInternalServiceServer,
};
use proto::licensing::v1::{ApplyIdentityFactsRequest, ApplyIdentityFactsResponse};
use rstest::rstest;
use service::keys::ServiceKeys;
use service::peer::{ATTEMPT_TIMEOUT, Peer};
use testkit::database::{Database, Kind};
use tests::harness::port::ReservedPort;
use tests::harness::proxy::{Action, Proxy, to_database};
use tests::shelf;
use tests::world::{Alone, Dump, Refused, World, authorized, connect, dump};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Code, Request, Response, Status};
use uuid::Uuid;

/// How every transaction that may write begins on PostgreSQL.
const BEGIN_WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), future).await.unwrap_or_else(|_| panic!("not soon: {what}"))
}

/// A task that will never be polled again when this returns.
async fn give_up<T: std::fmt::Debug>(task: JoinHandle<T>) {
    task.abort();
    assert!(task.await.expect_err("it was still under way").is_cancelled());
}

// A call that is given up

/// One session to a fresh database with a table of notes, through a proxy, and a way past it.
struct Notes {
    db: Db,
    direct: Db,
    proxy: Option<Proxy>,
    _database: Database,
}

impl Notes {
    async fn new(kind: Kind) -> Self {
        let database = Database::empty(kind).await;
        let settings = Settings { sessions: 1, ..database.settings().clone() };
        let (db, direct, proxy) = match kind {
            Kind::Sqlite => {
                let db = Db::open(&settings).await.unwrap();
                (db.clone(), db, None)
            }
            Kind::Postgres => {
                let (proxy, url) = to_database(&settings.url);
                let db = Db::open(&Settings { url, ..settings }).await.unwrap();
                (db, database.open().await, Some(proxy))
            }
        };
        db.run_script("CREATE TABLE notes (note TEXT NOT NULL)".to_owned()).await.unwrap();
        Self { db, direct, proxy, _database: database }
    }

    async fn write(&self, note: &str) {
        let mut tx = self.db.write().await.unwrap();
        tx.sql("INSERT INTO notes (note) VALUES ($1)").bind(note).execute().await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn read(db: &Db) -> Vec<String> {
        let mut tx = db.snapshot().await.unwrap();
        let notes = tx.sql("SELECT note FROM notes ORDER BY note").all().await.unwrap();
        tx.rollback().await;
        notes
    }
}

/// What other sessions of this database are inside a transaction and do nothing.
async fn idle_in_transaction(direct: &Db) -> Vec<String> {
    let mut tx = direct.snapshot().await.unwrap();
    let idle = tx.sql(
        "SELECT query FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'",
    );
    let idle = idle.all().await.unwrap();
    tx.rollback().await;
    idle
}

async fn time_at(db: &Db) -> Timestamp {
    let mut tx = db.snapshot().await.unwrap();
    let time = tx.sql("SELECT clock_timestamp()").one().await.unwrap();
    tx.rollback().await;
    time
}

#[tokio::test]
async fn a_begin_that_was_given_up_leaves_no_session_inside_a_transaction() {
    let notes = Notes::new(Kind::Postgres).await;
    let proxy = notes.proxy.as_ref().unwrap();
    proxy.on_statement(BEGIN_WRITE, Action::HoldAnswer, 1);
    let db = notes.db.clone();
    let call = tokio::spawn(async move { db.write().await.map(drop) });
    soon("BEGIN is under way", proxy.wait_triggered(1)).await;
    give_up(call).await;
    assert_eq!(idle_in_transaction(&notes.direct).await, [BEGIN_WRITE], "the server has begun it");
    let given_up = time_at(&notes.direct).await;
    proxy.release();

    // There is one session, so this is the one that was given up.
    let mut tx = soon("the session is free", notes.db.write()).await.unwrap();
    let begun: Timestamp = tx.sql("SELECT now()").one().await.unwrap();
    assert!(begun > given_up, "the transaction is the one that was given up");
    tx.sql("INSERT INTO notes (note) VALUES ($1)").bind("kept").execute().await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(Notes::read(&notes.direct).await, ["kept"], "what was acknowledged is there for everyone");
    assert_eq!(idle_in_transaction(&notes.direct).await, [""; 0]);
    assert_eq!(proxy.counters().connections, 1, "it is the same session");
}

#[rstest]
#[tokio::test]
async fn what_a_dropped_transaction_wrote_is_in_no_other_commit(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let notes = Notes::new(kind).await;
    let mut tx = notes.db.write().await.unwrap();
    tx.sql("INSERT INTO notes (note) VALUES ($1)").bind("dropped").execute().await.unwrap();
    drop(tx);
    notes.write("kept").await;
    assert_eq!(Notes::read(&notes.direct).await, ["kept"]);
}

#[rstest]
#[tokio::test]
async fn a_dropped_snapshot_shows_the_past_to_nobody_else(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let notes = Notes::new(kind).await;
    let mut tx = notes.db.snapshot().await.unwrap();
    assert_eq!(tx.sql("SELECT count(*) FROM notes").one::<i64>().await.unwrap(), 0);
    drop(tx);
    notes.write("new").await;
    assert_eq!(Notes::read(&notes.db).await, ["new"]);
}

/// A request to identity that writes.
fn creation() -> pb::CreateWorkloadRequest {
    pb::CreateWorkloadRequest {
        display_name: "nightly import".to_owned(),
        roles: vec![pb::Role::AdminAgent.into()],
        request_id: Uuid::now_v7().to_string(),
        validate_only: false,
    }
}

fn create(alone: &Alone, token: &str, request: pb::CreateWorkloadRequest) -> JoinHandle<Result<(), Status>> {
    let (api, request) = (alone.api.clone(), authorized(token, request));
    tokio::spawn(async move { api.create_workload(request).await.map(drop) })
}

/// How many workloads, facts that one was made, failures and saved replies there are.
fn traces(dump: &Dump) -> [usize; 4] {
    let journal = |what: &str| dump.rows("journal").iter().filter(|row| row.contains(what)).count();
    let (made, failed) = (journal("WorkloadCreated"), journal("FAILED"));
    [dump.rows("workloads").len(), made, failed, dump.rows("replays").len()]
}

/// The world before, when its one registration carried a request_id.
const NOTHING: [usize; 4] = [0, 0, 0, 1];
const ONE: [usize; 4] = [1, 1, 0, 2];

#[rstest]
#[tokio::test]
async fn a_caller_who_goes_away_leaves_a_whole_unit_of_work(#[values(BEGIN_WRITE, "INSERT INTO workloads")] at: &str) {
    let alone = Alone::start(Kind::Postgres, 4).await;
    let token = alone.admin().await;
    assert_eq!(traces(&dump(&alone.direct).await), NOTHING);
    let proxy = alone.proxy();
    proxy.on_statement(at, Action::HoldAnswer, 1);
    let request = creation();
    let call = create(&alone, &token, request.clone());
    soon("the statement is under way", proxy.wait_triggered(1)).await;
    give_up(call).await;
    proxy.on_statement("COMMIT", Action::HoldAnswer, 1);
    proxy.release();
    soon("the unit of work goes on to its end", proxy.wait_triggered(2)).await;
    proxy.release();

    // Whoever repeats the request learns what came of it.
    alone.api.create_workload(authorized(&token, request)).await.unwrap();
    assert_eq!(traces(&dump(&alone.direct).await), ONE);
    assert_eq!(idle_in_transaction(&alone.direct).await, [""; 0]);
}

#[tokio::test]
async fn a_call_cancelled_over_the_wire_leaves_a_whole_unit_of_work() {
    let alone = Alone::start(Kind::Postgres, 4).await;
    let token = alone.admin().await;
    let port = ReservedPort::reserve();
    let listener = TcpListenerStream::new(port.listen().unwrap());
    let server = Server::builder().add_service(WorkloadServiceServer::new(alone.api.clone()));
    let _serving = JoinSet::from_iter([server.serve_with_incoming(listener)]);
    let mut client = WorkloadServiceClient::new(connect(port.address()).await);

    let proxy = alone.proxy();
    proxy.on_statement(BEGIN_WRITE, Action::HoldAnswer, 1);
    let request = creation();
    let (mut caller, first) = (client.clone(), authorized(&token, request.clone()));
    let call = tokio::spawn(async move { caller.create_workload(first).await.map(drop) });
    soon("BEGIN is under way", proxy.wait_triggered(1)).await;
    give_up(call).await;
    proxy.release();
    client.create_workload(authorized(&token, request)).await.unwrap();
    assert_eq!(traces(&dump(&alone.direct).await), ONE);
    assert_eq!(idle_in_transaction(&alone.direct).await, [""; 0]);
}

#[tokio::test]
async fn a_deadline_that_passes_in_the_middle_leaves_nothing_but_the_failure() {
    let alone = Alone::start(Kind::Postgres, 4).await;
    let token = alone.admin().await;
    let proxy = alone.proxy();
    proxy.on_statement("INSERT INTO workloads", Action::HoldAnswer, 1);
    let mut request = authorized(&token, creation());
    request.set_timeout(Duration::from_secs(1));
    let call = tokio::spawn({
        let api = alone.api.clone();
        async move { api.create_workload(request).await }
    });
    soon("the write is under way", proxy.wait_triggered(1)).await;
    let refused = Refused::by(soon("the deadline", call).await.unwrap());
    assert_eq!((refused.0, refused.1.as_str()), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"));
    proxy.on_statement("COMMIT", Action::HoldAnswer, 1);
    proxy.release();
    // What is committed after that is the journal of the failure.
    soon("the failure is recorded", proxy.wait_triggered(2)).await;
    proxy.release();
    alone.host.db.close().await;
    assert_eq!(traces(&dump(&alone.direct).await), [0, 0, 1, 1]);
}

#[rstest]
#[tokio::test]
async fn an_operation_that_panics_answers_internal_and_holds_on_to_nothing(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let database = Database::migrated(kind, &shelf::migrations()).await;
    let db = Db::open(&Settings { sessions: 1, ..database.settings().clone() }).await.unwrap();
    let (host, book) = (shelf::host(db.clone(), 1, None), shelf::build(&db).await);
    let mut request = shelf::request(book);
    shelf::PANIC.clone_into(&mut request.get_mut().admin_name);
    assert_eq!(Refused::by(shelf::add(&host, request).await), (Code::Internal, "INTERNAL".to_owned()));
    // There is one permit, and one session: both are free again.
    assert_eq!(soon("the next call", shelf::add(&host, shelf::request(book))).await.unwrap(), 1);
}

// Authority that is taken away meanwhile

#[tokio::test]
async fn ending_a_session_waits_for_the_write_that_rests_on_it() {
    let alone = Alone::start(Kind::Postgres, 4).await;
    let token = alone.admin().await;
    let proxy = alone.proxy();
    proxy.on_statement("INSERT INTO workloads", Action::HoldAnswer, 1);
    let write = create(&alone, &token, creation());
    soon("the write was found allowed", proxy.wait_triggered(1)).await;
    let (api, request) = (alone.api.clone(), authorized(&token, pb::SignOutRequest::default()));
    let removal = tokio::spawn(async move { api.sign_out(request).await.map(drop) });
    soon("the removal waits", async { while shelf::waiting_for_a_row(&alone.direct).await == 0 {} }).await;
    assert!(!removal.is_finished());
    proxy.release();
    soon("the write", write).await.unwrap().unwrap();
    soon("the removal", removal).await.unwrap().unwrap();
    let late = alone.api.create_workload(authorized(&token, creation())).await;
    assert_eq!(Refused::by(late).0, Code::Unauthenticated);
}

// One row that everybody wants

#[tokio::test]
async fn thirty_two_callers_at_one_row_leave_the_neighbor_alone() {
    let database = Database::migrated(Kind::Postgres, &shelf::migrations()).await;
    let db = Db::open(&Settings { sessions: 4, ..database.settings().clone() }).await.unwrap();
    let outside = database.open().await;
    let host = shelf::host(db, 256, None);
    let (hot, neighbor) = (shelf::build(&outside).await, shelf::build(&outside).await);

    let mut holder = outside.write().await.unwrap();
    holder.sql("UPDATE shelves SET books = books WHERE shelf_id = $1").bind(hot).execute().await.unwrap();
    let mut callers = JoinSet::new();
    for _ in 0..32 {
        let host = std::sync::Arc::clone(&host);
        callers.spawn(async move { shelf::add(&host, shelf::request(hot)).await });
    }
    soon("they want the row", async { while shelf::waiting_for_a_row(&outside).await < 2 {} }).await;
    for books in 1..=8 {
        assert_eq!(shelf::add(&host, shelf::request(neighbor)).await.unwrap(), books);
    }
    assert_eq!(shelf::waiting_for_a_row(&outside).await, 2, "the others wait without a session");
    holder.rollback().await;
    while let Some(added) = callers.join_next().await {
        added.unwrap().unwrap();
    }
    assert_eq!(shelf::books(&outside, hot).await, 32);
}

// Deadlines that travel

/// A peer that notes the deadline of each call.
struct Notebook(mpsc::UnboundedSender<Option<String>>);

#[tonic::async_trait]
impl LicensingInternalService for Notebook {
    async fn apply_identity_facts(
        &self,
        request: Request<ApplyIdentityFactsRequest>,
    ) -> Result<Response<ApplyIdentityFactsResponse>, Status> {
        let timeout = request.metadata().get("grpc-timeout").map(|value| value.to_str().unwrap().to_owned());
        self.0.send(timeout).unwrap();
        Ok(Response::new(ApplyIdentityFactsResponse {}))
    }
}

/// A peer that is served, how it is called, and the deadlines that reach it.
struct Noted {
    peer: Peer,
    timeouts: mpsc::UnboundedReceiver<Option<String>>,
    _port: ReservedPort,
    _serving: JoinSet<Result<(), tonic::transport::Error>>,
}

impl Noted {
    fn start() -> Self {
        let port = ReservedPort::reserve();
        let (notes, timeouts) = mpsc::unbounded_channel();
        let listener = TcpListenerStream::new(port.listen().unwrap());
        let server = Server::builder().add_service(LicensingInternalServiceServer::new(Notebook(notes)));
        let serving = JoinSet::from_iter([server.serve_with_incoming(listener)]);
        let keys = ServiceKeys::random(&["shelves"]).remove("shelves").unwrap();
        let peer =
            Peer::new("licensing", &format!("http://{}", port.address()), None, keys.into(), Clock::new()).unwrap();
        Self { peer, timeouts, _port: port, _serving: serving }
    }

    async fn timeout(&mut self) -> Duration {
        let text = self.timeouts.recv().await.unwrap().expect("the call has a deadline");
        let (digits, unit) = text.split_at(text.len() - 1);
        let number = digits.parse().unwrap();
        match unit {
            "S" => Duration::from_secs(number),
            "m" => Duration::from_millis(number),
            "u" => Duration::from_micros(number),
            "n" => Duration::from_nanos(number),
            _ => panic!("{text}"),
        }
    }
}

#[tokio::test]
async fn a_peer_is_told_what_is_left_and_never_more_than_one_attempt() {
    let mut noted = Noted::start();
    let mut client = LicensingInternalServiceClient::new(noted.peer.channel());
    for (left, told) in [(Duration::from_millis(100), Duration::from_millis(100)), (Duration::MAX, ATTEMPT_TIMEOUT)] {
        let request = noted.peer.request(ApplyIdentityFactsRequest::default(), left).unwrap();
        client.apply_identity_facts(request).await.unwrap();
        assert_eq!(noted.timeout().await, told);
    }
}

#[tokio::test]
async fn what_is_left_of_a_call_is_what_the_next_service_gets() {
    let mut noted = Noted::start();
    let database = Database::migrated(Kind::Sqlite, &shelf::migrations()).await;
    let db = database.open().await;
    let (host, book) = (shelf::host(db.clone(), 1, Some(noted.peer.clone())), shelf::build(&db).await);
    let mut request = shelf::request(book);
    request.set_timeout(Duration::from_millis(1_000));
    shelf::add(&host, request).await.unwrap();
    let told = noted.timeout().await;
    // One hop costs ten milliseconds, so that our own answer is in time.
    assert!(told > Duration::ZERO && told <= Duration::from_millis(990), "{told:?}");
}

#[rstest]
#[tokio::test]
async fn no_work_begins_in_the_database_after_the_deadline(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let database = Database::migrated(kind, &shelf::migrations()).await;
    let db = database.open().await;
    let (host, book) = (shelf::host(db.clone(), 1, None), shelf::build(&db).await);
    // The first call cannot be prepared before its deadline has passed.
    host.service.may_prepare.forget_permits(usize::MAX);
    let mut request = shelf::request(book);
    request.set_timeout(Duration::from_millis(50));
    let late = shelf::add(&host, request).await;
    assert_eq!(Refused::by(late), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED".to_owned()));
    host.service.may_prepare.add_permits(2);
    // There is one permit, so this call begins when the first has ended.
    assert_eq!(soon("the next call", shelf::add(&host, shelf::request(book))).await.unwrap(), 1);
    assert_eq!(host.service.ran.load(Ordering::Relaxed), 1);
}

#[rstest]
#[case("5x")]
#[case("5")]
#[case("-1S")]
#[case("123456789S")]
#[case("")]
#[tokio::test]
async fn a_deadline_that_cannot_be_read_is_refused(#[case] timeout: &str) {
    let world = World::shared(Kind::Sqlite).await;
    let registered = world.register().await;
    let mut request = authorized(&registered.session.access_token, pb::ListWorkloadsRequest::default());
    request.metadata_mut().insert("grpc-timeout", timeout.parse().unwrap());
    let mut client = WorkloadServiceClient::new(world.to_identity().await);
    let refused = Refused::by(client.list_workloads(request).await);
    assert_eq!((refused.0, refused.1.as_str()), (Code::InvalidArgument, "TIMEOUT_MALFORMED"));
}

// What is silently different between the databases

#[rstest]
#[tokio::test]
async fn a_statement_with_a_forgotten_parameter_never_runs(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let notes = Notes::new(kind).await;
    let mut tx = notes.db.write().await.unwrap();
    let forgotten = tx.sql("INSERT INTO notes (note) VALUES (COALESCE($1, 'nothing'))").execute().await.unwrap_err();
    assert_eq!(forgotten.kind(), base::Kind::Internal);
    tx.rollback().await;
    let mut tx = notes.db.write().await.unwrap();
    let surplus = tx.sql("INSERT INTO notes (note) VALUES ($1)").bind("one").bind("two").execute().await.unwrap_err();
    assert_eq!(surplus.kind(), base::Kind::Internal);
}
