//! The smallest service that the executor can run, for tests of the executor alone: shelves with books on them.
//!
//! It borrows a public method of the contract, because the executor runs nothing that the contract does not describe.
//! The request's `name` is the shelf, its `admin_name` what happens beside adding a book.
#![expect(clippy::expect_used, clippy::panic, reason = "a test without its service has nothing better to do than fail")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base::{Clock, Fault};
use db::{Db, Dialect, Migration};
use proto::identity::v1::key_service_client::KeyServiceClient;
use proto::identity::v1::{GetJwksRequest, GetJwksResponse};
use proto::identity::v1::{RegisterOrganizationRequest, RegisterOrganizationResponse};
use service::keys::ServiceKeys;
use service::peer::Peer;
use service::rate::{Rate, Rates};
use service::token::Key;
use service::{Cx, Fact, Host, NamedLimit, Operation, Parts, Preparation, Service, Watch, Wire};
use tokio::sync::Semaphore;
use tonic::{Request, Status};
use uuid::Uuid;

/// What happens beside adding a book.
pub const REFUSE_AFTER_COMMIT: &str = "refuse after commit";
/// The operation panics.
pub const PANIC: &str = "panic";

/// The state of the service.
#[derive(Debug)]
pub struct Shelves {
    /// A permit is used up by each call that is prepared.
    pub may_prepare: Semaphore,
    /// How many calls were prepared.
    pub prepared: AtomicUsize,
    /// How many times the business was run.
    pub ran: AtomicUsize,
    /// Asked by each call that is prepared, with what is left of its time.
    pub peer: Option<Peer>,
}

/// The tables: those of every service, and the shelves.
pub fn migrations() -> Vec<Migration> {
    let sql = "CREATE TABLE shelves (shelf_id UUID NOT NULL PRIMARY KEY, books BIGINT NOT NULL);";
    let own = Migration { version: 9000, name: "shelves", sql };
    [service::MIGRATIONS.to_vec(), vec![own]].concat()
}

/// A host of shelves that runs so many units of work at once.
pub fn host(db: Db, concurrency: usize, peer: Option<Peer>) -> Arc<Host<Shelves>> {
    let much = Rate { per_minute: 6_000_000, burst: 100_000 };
    let service =
        Shelves { may_prepare: Semaphore::new(10_000), prepared: AtomicUsize::new(0), ran: AtomicUsize::new(0), peer };
    let keys = ServiceKeys::random(&["shelves"]).remove("shelves").expect("the service has keys");
    let rates = Rates { source: much, ..Rates::default() };
    let parts = Parts { db, clock: Clock::new(), keys, issuer: "tandem".to_owned(), service, rates, concurrency };
    Host::new(parts).expect("the host can be put together")
}

/// Makes an empty shelf.
pub async fn build(db: &Db) -> Uuid {
    let shelf = Uuid::now_v7();
    let mut tx = db.write().await.expect("the database answers");
    tx.sql("INSERT INTO shelves (shelf_id, books) VALUES ($1, 0)").bind(shelf).execute().await.expect("a row");
    tx.commit().await.expect("a commit");
    shelf
}

/// The books on a shelf.
pub async fn books(db: &Db, shelf: Uuid) -> i64 {
    let mut tx = db.snapshot().await.expect("the database answers");
    let books = tx.sql("SELECT books FROM shelves WHERE shelf_id = $1").bind(shelf).one().await.expect("a shelf");
    tx.rollback().await;
    books
}

/// A request for one book more.
pub fn request(shelf: Uuid) -> Request<RegisterOrganizationRequest> {
    Request::new(RegisterOrganizationRequest { name: shelf.to_string(), ..RegisterOrganizationRequest::default() })
}

/// Adds a book and answers how many there are.
pub async fn add(host: &Arc<Host<Shelves>>, request: Request<RegisterOrganizationRequest>) -> Result<i64, Status> {
    let answer = host.run::<AddBook>(request).await?.into_inner();
    Ok(answer.admin_user_id.parse().expect("a number of books"))
}

impl Service for Shelves {
    const NAME: &'static str = "shelves";
    const DOMAIN: &'static str = "test.shelves";
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

/// Adds a book.
#[derive(Debug)]
pub struct AddBook {
    shelf: Uuid,
    beside: String,
}

/// What is left of the call's time after its preparation; something, so that there is something to prepare.
#[derive(Debug, Default)]
pub struct Prepared(pub Duration);

impl Wire for AddBook {
    type Request = RegisterOrganizationRequest;
    type Response = RegisterOrganizationResponse;
    type Reply = i64;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let shelf = request.name.parse().map_err(|_| Fault::field("name", "MALFORMED", "is not a shelf"))?;
        Ok(Self { shelf, beside: request.admin_name })
    }

    fn present(books: i64) -> Self::Response {
        RegisterOrganizationResponse { admin_user_id: books.to_string(), ..RegisterOrganizationResponse::default() }
    }
}

impl Operation for AddBook {
    type Service = Shelves;
    const METHOD: &'static str = "/tandem.identity.v1.RegistrationService/RegisterOrganization";
    const PERMISSION: () = ();
    type Prepared = Prepared;

    fn target(&self) {}

    async fn gate(&self, _: &Preparation<'_, Shelves>) -> Result<Option<Uuid>, Fault> {
        Ok(Some(self.shelf))
    }

    async fn prepare(&self, preparation: &Preparation<'_, Shelves>) -> Result<Prepared, Fault> {
        let shelves = &preparation.host.service;
        shelves.may_prepare.acquire().await.expect("nobody closes it").forget();
        if let Some(peer) = &shelves.peer {
            let request = peer.request(GetJwksRequest::default(), preparation.left())?;
            let mut client = KeyServiceClient::new(peer.channel());
            client.get_jwks(request).await.map_err(|status| peer.fault(status))?;
        }
        shelves.prepared.fetch_add(1, Ordering::Relaxed);
        Ok(Prepared(preparation.left()))
    }

    async fn run(&self, cx: &mut Cx<Shelves>, _: &Prepared) -> Result<i64, Fault> {
        cx.service().ran.fetch_add(1, Ordering::Relaxed);
        let books = cx.tx.sql("UPDATE shelves SET books = books + 1 WHERE shelf_id = $1 RETURNING books");
        let books = books.bind(self.shelf).optional().await?;
        let books = books.ok_or_else(|| Fault::not_found("shelf", self.shelf))?;
        cx.record(Fact::new("BookAdded").about("shelf", self.shelf));
        match self.beside.as_str() {
            PANIC => panic!("a book falls"),
            REFUSE_AFTER_COMMIT => cx.refuse_after_commit(Fault::precondition("SHELF_FULL", "this was the last one")),
            _ => {}
        }
        Ok(books)
    }
}

/// How the number of shelves is read.
pub const COUNT: &str = "SELECT count(*) FROM shelves";

/// Watches how many shelves there are.
pub async fn watch(host: &Arc<Host<Shelves>>) -> Result<(), Status> {
    host.watch::<CountShelves>(Request::new(GetJwksRequest {})).await.map(drop)
}

/// Counts the shelves.
#[derive(Debug)]
pub struct CountShelves;

impl Wire for CountShelves {
    type Request = GetJwksRequest;
    type Response = GetJwksResponse;
    type Reply = i64;

    fn parse(_: Self::Request) -> Result<Self, Fault> {
        Ok(Self)
    }

    fn present(_: i64) -> Self::Response {
        GetJwksResponse::default()
    }
}

impl Operation for CountShelves {
    type Service = Shelves;
    const METHOD: &'static str = "/tandem.identity.v1.KeyService/GetJwks";
    const PERMISSION: () = ();
    type Prepared = ();

    fn target(&self) {}

    async fn run(&self, cx: &mut Cx<Shelves>, (): &()) -> Result<i64, Fault> {
        cx.tx.sql(COUNT).one().await
    }
}

impl Watch for CountShelves {
    fn is_last(_: &i64) -> bool {
        true
    }
}

/// How many sessions of this database wait for somebody's row.
pub async fn waiting_for_a_row(direct: &Db) -> i64 {
    assert_eq!(direct.dialect(), Dialect::Postgres, "SQLite has no row locks");
    let mut tx = direct.snapshot().await.expect("the database answers");
    let waiting =
        tx.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'");
    let waiting = waiting.one().await.expect("a count");
    tx.rollback().await;
    waiting
}
