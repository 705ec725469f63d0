//! Opening a database and keeping its sessions clean.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek as _, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use base::Fault;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, Row as _, SqlSafeStr, raw_sql};
use tokio::sync::Mutex;

use crate::error;
use crate::tx::{Session, Tx, Writer};

/// How long a statement waits for another's row, unless its transaction says otherwise (PostgreSQL).
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// Which of the two databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Embedded, the default.
    Sqlite,
    /// Production.
    Postgres,
}

/// How to open a database.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `sqlite:PATH` or `postgres://…`.
    pub url: String,
    /// Sessions in the pool: readers on SQLite, all of them on PostgreSQL.
    pub sessions: u32,
    /// Longest wait for a session, or for SQLite's writer.
    pub acquire_timeout: Duration,
}

impl Settings {
    /// The defaults for a URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), sessions: 10, acquire_timeout: Duration::from_secs(5) }
    }
}

/// An open database. Clones share it.
#[derive(Clone, Debug)]
pub struct Db(Arc<Inner>);

#[derive(Debug)]
enum Inner {
    Sqlite { writer: Arc<Mutex<Writer>>, readers: SqlitePool, acquire_timeout: Duration, _lock: File },
    Postgres { pool: PgPool },
}

impl Db {
    /// Opens the database. A SQLite file is created when it is missing and locked against a second process.
    pub async fn open(settings: &Settings) -> Result<Self, Fault> {
        if let Some(path) = settings.url.strip_prefix("sqlite:") {
            return Self::open_sqlite(Path::new(path), settings).await;
        }
        if settings.url.starts_with("postgres://") || settings.url.starts_with("postgresql://") {
            return Self::open_postgres(settings).await;
        }
        // The URL itself may hold a password and is not repeated.
        Err(Fault::invalid("DATABASE_URL_UNKNOWN", "a database URL begins with sqlite: or postgres://"))
    }

    async fn open_sqlite(path: &Path, settings: &Settings) -> Result<Self, Fault> {
        let lock = lock_file(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // FULL: in WAL mode NORMAL can lose the last commits at power loss.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5))
            .statement_cache_capacity(512)
            .disable_statement_logging();
        let connection = options.connect().await.map_err(error::unavailable)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(settings.sessions)
            .acquire_timeout(settings.acquire_timeout)
            .test_before_acquire(false)
            .after_release(|reader, _| {
                Box::pin(async move {
                    // Fails when no transaction is open, which is the ordinary case.
                    let _ = reader.execute(raw_sql("ROLLBACK")).await;
                    Ok(true)
                })
            })
            .connect_lazy_with(options.read_only(true).create_if_missing(false));
        let writer = Arc::new(Mutex::new(Writer { connection, open: false }));
        let acquire_timeout = settings.acquire_timeout;
        Ok(Self(Arc::new(Inner::Sqlite { writer, readers, acquire_timeout, _lock: lock })))
    }

    async fn open_postgres(settings: &Settings) -> Result<Self, Fault> {
        let options = PgConnectOptions::from_str(&settings.url)
            .map_err(|_| Fault::invalid("DATABASE_URL_UNKNOWN", "the PostgreSQL URL cannot be read"))?
            .application_name("tandem")
            .statement_cache_capacity(512)
            .options([
                ("lock_timeout", format!("{}ms", LOCK_TIMEOUT.as_millis()).as_str()),
                ("statement_timeout", "30s"),
                ("idle_in_transaction_session_timeout", "5s"),
                // Every statement has its index. What a table held when the server counted it is no reason to read all of
                // it now: a table that was found empty and then filled was, for each of its readers.
                ("enable_seqscan", "off"),
                // And none is worth compiling, least of all because its plan seems expensive.
                ("jit", "off"),
            ])
            .disable_statement_logging();
        let pool = PgPoolOptions::new()
            .max_connections(settings.sessions)
            .acquire_timeout(settings.acquire_timeout)
            .max_lifetime(Duration::from_secs(30 * 60))
            .test_before_acquire(false)
            .after_connect(|session, _| {
                Box::pin(async move { session.execute(raw_sql(COMPRESS_FAST)).await.map(drop) })
            })
            .after_release(|session, _| Box::pin(async move { Ok(left_outside(session).await) }))
            .connect_with(options)
            .await
            .map_err(error::unavailable)?;
        Ok(Self(Arc::new(Inner::Postgres { pool })))
    }

    /// Which database this is.
    pub fn dialect(&self) -> Dialect {
        match &*self.0 {
            Inner::Sqlite { .. } => Dialect::Sqlite,
            Inner::Postgres { .. } => Dialect::Postgres,
        }
    }

    /// Begins a transaction that may write: BEGIN IMMEDIATE on SQLite's one writer, READ COMMITTED on PostgreSQL.
    pub async fn write(&self) -> Result<Tx, Fault> {
        let session = match &*self.0 {
            Inner::Sqlite { writer, acquire_timeout, .. } => {
                let waited = tokio::time::timeout(*acquire_timeout, Arc::clone(writer).lock_owned()).await;
                Session::SqliteWriter(waited.map_err(|_| {
                    Fault::unavailable("DATABASE_UNAVAILABLE", "the database's writer is busy; try again")
                })?)
            }
            Inner::Postgres { pool } => Session::Postgres(pool.acquire().await.map_err(error::unavailable)?),
        };
        Tx::begin(session, true).await
    }

    /// Begins a read-only transaction in which every statement sees the same state.
    pub async fn snapshot(&self) -> Result<Tx, Fault> {
        let session = match &*self.0 {
            Inner::Sqlite { readers, .. } => {
                Session::SqliteReader(readers.acquire().await.map_err(error::unavailable)?)
            }
            Inner::Postgres { pool } => Session::Postgres(pool.acquire().await.map_err(error::unavailable)?),
        };
        Tx::begin(session, false).await
    }

    /// Asks the database to compile a text without running it, and tells its complaint.
    pub async fn prepare(&self, text: &str) -> Result<(), String> {
        let text = AssertSqlSafe(text.to_owned()).into_sql_str();
        let prepared = match &*self.0 {
            Inner::Sqlite { readers, .. } => {
                let mut reader = readers.acquire().await.map_err(|error| error.to_string())?;
                (&mut *reader).prepare(text).await.map(drop)
            }
            Inner::Postgres { pool } => {
                let mut session = pool.acquire().await.map_err(|error| error.to_string())?;
                (&mut *session).prepare(text).await.map(drop)
            }
        };
        prepared.map_err(|error| error.to_string())
    }

    /// Runs a text of several statements without parameters, in a transaction of its own: for operators' tools and
    /// test worlds, never for a request.
    pub async fn run_script(&self, text: String) -> Result<(), Fault> {
        let mut tx = self.write().await?;
        tx.run_script(text).await?;
        tx.commit().await
    }

    /// Waits for the sessions under way and closes everything.
    pub async fn close(&self) {
        match &*self.0 {
            Inner::Sqlite { readers, .. } => readers.close().await,
            Inner::Postgres { pool } => pool.close().await,
        }
    }
}

/// Large values (saved replies, journal entries) are compressed with LZ4 where the server was built with it. PostgreSQL's
/// own way took a quarter of the time of a change of ten thousand users.
const COMPRESS_FAST: &str = "SELECT set_config(name, 'lz4', false) FROM pg_settings
    WHERE name = 'default_toast_compression' AND 'lz4' = ANY(enumvals)";

/// Puts a session outside any transaction; false when that cannot be said of it.
///
/// A call that was dropped while BEGIN was under way, or later, left its session inside a transaction: the next
/// borrower would commit what was given up, or write what then vanishes (sqlx 0.9.0). The question comes first because
/// a ROLLBACK outside a transaction is a warning in the server's log, once for each call that we serve.
async fn left_outside(session: &mut PgConnection) -> bool {
    // A statement that stands alone is its own transaction, so the two times are one.
    let alone = session.fetch_one(raw_sql("SELECT now() = statement_timestamp()")).await;
    if alone.and_then(|row| row.try_get(0)).unwrap_or(false) {
        return true;
    }
    session.execute(raw_sql("ROLLBACK")).await.is_ok()
}

/// One process per file: a second start names the first one's pid and the path.
fn lock_file(database: &Path) -> Result<File, Fault> {
    let path = PathBuf::from(format!("{}.lock", database.display()));
    let cannot = |error: std::io::Error| {
        Fault::unavailable("DATA_DIRECTORY_UNUSABLE", format!("cannot use {}: {error}", path.display()))
    };
    let mut file =
        OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path).map_err(cannot)?;
    if file.try_lock().is_err() {
        let mut pid = String::new();
        file.read_to_string(&mut pid).map_err(cannot)?;
        return Err(Fault::precondition(
            "DATA_DIRECTORY_IN_USE",
            format!("{} is in use by process {}", database.display(), pid.trim()),
        ));
    }
    file.set_len(0).map_err(cannot)?;
    file.rewind().map_err(cannot)?;
    writeln!(file, "{}", std::process::id()).map_err(cannot)?;
    Ok(file)
}
