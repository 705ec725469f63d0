//! One transaction, on either database.
//!
//! BEGIN, COMMIT and ROLLBACK are sent as plain statements so that what the pool's hooks and the writer's flag
//! guard against (trap: a dropped `begin()` leaves a pooled session inside a transaction) is the same on both.

use std::time::Duration;

use base::Fault;
use sqlx::pool::PoolConnection;
use sqlx::postgres::Postgres;
use sqlx::sqlite::{Sqlite, SqliteConnection};
use sqlx::{Executor, raw_sql};
use tokio::sync::OwnedMutexGuard;

use crate::connect::Dialect;
use crate::error;
use crate::statement::Statement;

/// SQLite's one writer, with the memory of whether a transaction may be open on it.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) connection: SqliteConnection,
    /// True from before BEGIN is sent until COMMIT or ROLLBACK was answered.
    pub(crate) open: bool,
}

#[derive(Debug)]
pub(crate) enum Session {
    SqliteWriter(OwnedMutexGuard<Writer>),
    SqliteReader(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

/// An open transaction. Dropped without [`Tx::commit`], it leaves nothing.
#[derive(Debug)]
pub struct Tx {
    pub(crate) session: Session,
    pub(crate) writable: bool,
    pub(crate) broken: bool,
    /// PostgreSQL plans statements for their values.
    plans_by_value: bool,
}

impl Tx {
    pub(crate) async fn begin(mut session: Session, writable: bool) -> Result<Self, Fault> {
        let begun = match (&mut session, writable) {
            (Session::SqliteWriter(writer), _) => {
                if writer.open {
                    // The last holder was dropped mid-way; what it began must not become part of this.
                    let _ = raw_sql("ROLLBACK").execute(&mut writer.connection).await;
                }
                writer.open = true;
                writer.connection.execute(raw_sql("BEGIN IMMEDIATE")).await.map(drop)
            }
            (Session::SqliteReader(reader), _) => reader.execute(raw_sql("BEGIN DEFERRED")).await.map(drop),
            (Session::Postgres(session), true) => {
                session.execute(raw_sql("BEGIN ISOLATION LEVEL READ COMMITTED")).await.map(drop)
            }
            (Session::Postgres(session), false) => {
                session.execute(raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")).await.map(drop)
            }
        };
        begun.map_err(error::statement)?;
        Ok(Self { session, writable, broken: false, plans_by_value: false })
    }

    /// A statement in portable SQL.
    pub fn sql(&mut self, text: &'static str) -> Statement<'_> {
        Statement::new(self, text)
    }

    /// A statement that truly needs two texts (lists: JSON against arrays).
    pub fn sql_for(&mut self, sqlite: &'static str, postgres: &'static str) -> Statement<'_> {
        let text = match self.dialect() {
            Dialect::Sqlite => sqlite,
            Dialect::Postgres => postgres,
        };
        Statement::new(self, text)
    }

    /// Whether it may write; a snapshot may not.
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    /// Which database this is.
    pub fn dialect(&self) -> Dialect {
        match self.session {
            Session::Postgres(_) => Dialect::Postgres,
            Session::SqliteWriter(_) | Session::SqliteReader(_) => Dialect::Sqlite,
        }
    }

    /// Bounds how long any later statement of this transaction waits for another's row (PostgreSQL; SQLite waits for
    /// its writer before it begins).
    pub async fn lock_timeout(&mut self, limit: Duration) -> Result<(), Fault> {
        if self.dialect() == Dialect::Postgres {
            let text = format!("{}ms", limit.as_millis());
            let _: Option<String> =
                self.sql_for("SELECT $1", "SELECT set_config('lock_timeout', $1, true)").bind(text).optional().await?;
        }
        Ok(())
    }

    /// Whether PostgreSQL plans the next statements of this transaction for their values. After five runs of a prepared
    /// statement it may keep one plan for all values, and without the elements in sight that plan compares every row with
    /// every element of a list, where it would hash them. What has no list keeps its plan: half a megabyte of a reply would
    /// only be copied, again and again, while it is planned.
    pub(crate) async fn plan_by_value(&mut self, wanted: bool) -> Result<(), Fault> {
        if let (Session::Postgres(session), true) = (&mut self.session, self.plans_by_value != wanted) {
            let set = match wanted {
                true => raw_sql("SET LOCAL plan_cache_mode = force_custom_plan"),
                false => raw_sql("SET LOCAL plan_cache_mode TO DEFAULT"),
            };
            session.execute(set).await.map_err(|error| {
                self.broken = true;
                error::statement(error)
            })?;
            self.plans_by_value = wanted;
        }
        Ok(())
    }

    /// Makes everything durable. An answer that does not come is `OUTCOME_UNKNOWN`.
    pub async fn commit(mut self) -> Result<(), Fault> {
        if self.broken {
            self.rollback().await;
            return Err(Fault::internal("a transaction was committed after one of its statements had failed"));
        }
        let committed = match &mut self.session {
            Session::SqliteWriter(writer) => {
                let done = writer.connection.execute(raw_sql("COMMIT")).await.map(drop);
                writer.open = done.is_err();
                done
            }
            Session::SqliteReader(reader) => reader.execute(raw_sql("COMMIT")).await.map(drop),
            Session::Postgres(session) => session.execute(raw_sql("COMMIT")).await.map(drop),
        };
        committed.map_err(error::commit)
    }

    /// Undoes everything. Nothing can be done about a failure here: the hooks of the pool clean up after it.
    pub async fn rollback(mut self) {
        let rolled_back = match &mut self.session {
            Session::SqliteWriter(writer) => {
                let done = writer.connection.execute(raw_sql("ROLLBACK")).await.map(drop);
                writer.open = done.is_err();
                done
            }
            Session::SqliteReader(reader) => reader.execute(raw_sql("ROLLBACK")).await.map(drop),
            Session::Postgres(session) => session.execute(raw_sql("ROLLBACK")).await.map(drop),
        };
        if let Err(error) = rolled_back {
            tracing::debug!(%error, "a rollback was not answered; the session is cleaned before its next use");
        }
    }
}
