//! One statement: text, parameters, and the ways to run it.

use base::{Fault, Seek};
use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments};
use sqlx::{AssertSqlSafe, SqlSafeStr};
use time::OffsetDateTime;

use crate::connect::Dialect;
use crate::error;
use crate::row::{Record, Row};
use crate::text::Text;
use crate::tx::{Session, Tx};
use crate::value::{Param, Value, json_list};

/// Elements that a kept plan may compare each row with, one by one.
const SHORT_LIST: usize = 32;

/// A statement under construction.
#[derive(Debug)]
#[must_use = "a statement does nothing until it is run"]
pub struct Statement<'t> {
    tx: &'t mut Tx,
    text: Text,
    values: Vec<Value>,
}

impl<'t> Statement<'t> {
    pub(crate) fn new(tx: &'t mut Tx, text: &'static str) -> Self {
        Self { tx, text: Text::new(text), values: Vec::new() }
    }

    /// Binds the next parameter: the first call is `$1`.
    pub fn bind(mut self, value: impl Param) -> Self {
        self.text.bind();
        self.values.push(value.value());
        self
    }

    /// Joins a static fragment when there is something to filter by. `$?` in it is that value.
    pub fn when(mut self, filter: Option<impl Param>, fragment: &'static str) -> Self {
        if let Some(value) = filter {
            self.text.join_bound(fragment);
            self.values.push(value.value());
        }
        self
    }

    /// Joins a static fragment without a parameter when `wanted`.
    pub fn when_set(mut self, wanted: bool, fragment: &'static str) -> Self {
        if wanted {
            self.text.join(fragment);
        }
        self
    }

    /// Ends the statement with a keyset condition, an order and `limit + 1`. The text must already have a WHERE.
    /// Cut the rows with [`base::Page::cut`].
    pub fn page(mut self, seek: &Seek, limit: usize, key: &'static str, id: &'static str) -> Self {
        self.text.page(seek, key, id);
        if let Seek::After(keyset) | Seek::Before(keyset) = seek {
            self.values.push(keyset.key.as_str().value());
            self.values.push(keyset.id.value());
        }
        self.values.push(Value::Int(Some(i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1)));
        self
    }

    /// Locks the rows it reads against every other writer (PostgreSQL; SQLite's single writer does it).
    pub fn for_update(mut self) -> Self {
        if self.tx.dialect() == Dialect::Postgres && self.tx.writable {
            self.text.join("FOR UPDATE");
        }
        self
    }

    /// Holds the rows it reads as they are until the transaction ends. In a read-only transaction the snapshot does.
    pub fn for_share(mut self) -> Self {
        if self.tx.dialect() == Dialect::Postgres && self.tx.writable {
            self.text.join("FOR SHARE");
        }
        self
    }

    /// Runs it and tells how many rows were affected.
    pub async fn execute(mut self) -> Result<u64, Fault> {
        self.ready().await?;
        let Self { tx, text, values } = self;
        let text = AssertSqlSafe(text.into_inner()).into_sql_str();
        let affected = match &mut tx.session {
            Session::SqliteWriter(writer) => {
                sqlite(text, values).execute(&mut writer.connection).await.map(|done| done.rows_affected())
            }
            Session::SqliteReader(reader) => {
                sqlite(text, values).execute(&mut **reader).await.map(|done| done.rows_affected())
            }
            Session::Postgres(session) => {
                postgres(text, values).execute(&mut **session).await.map(|done| done.rows_affected())
            }
        };
        affected.map_err(|error| {
            tx.broken = true;
            error::statement(error)
        })
    }

    /// Runs it and reads every row.
    pub async fn all<R: Record>(self) -> Result<Vec<R>, Fault> {
        self.rows().await?.iter().map(R::read).collect()
    }

    /// Runs it and reads the row, if there is one.
    pub async fn optional<R: Record>(self) -> Result<Option<R>, Fault> {
        self.rows().await?.first().map(R::read).transpose()
    }

    /// Runs it and reads the row, which must be there.
    pub async fn one<R: Record>(self) -> Result<R, Fault> {
        let missing = Fault::internal(format!("no row where one is certain: {}", self.text.as_str()));
        self.optional().await?.ok_or(missing)
    }

    async fn rows(mut self) -> Result<Vec<Row>, Fault> {
        self.ready().await?;
        let Self { tx, text, values } = self;
        let text = AssertSqlSafe(text.into_inner()).into_sql_str();
        let rows = match &mut tx.session {
            Session::SqliteWriter(writer) => sqlite(text, values)
                .fetch_all(&mut writer.connection)
                .await
                .map(|rows| rows.into_iter().map(Row::Sqlite).collect()),
            Session::SqliteReader(reader) => sqlite(text, values)
                .fetch_all(&mut **reader)
                .await
                .map(|rows| rows.into_iter().map(Row::Sqlite).collect()),
            Session::Postgres(session) => postgres(text, values)
                .fetch_all(&mut **session)
                .await
                .map(|rows| rows.into_iter().map(Row::Postgres).collect()),
        };
        rows.map_err(|error| {
            tx.broken = true;
            error::statement(error)
        })
    }

    /// May run, and PostgreSQL does not use a kept plan for a long list.
    async fn ready(&mut self) -> Result<(), Fault> {
        self.check()?;
        let has_long_list = self.values.iter().any(|value| value.elements() > SHORT_LIST);
        self.tx.plan_by_value(has_long_list).await
    }

    /// A failed statement ends the transaction on both databases, and every `$n` must be bound.
    fn check(&self) -> Result<(), Fault> {
        if self.tx.broken {
            return Err(Fault::internal("a transaction was used after one of its statements had failed"));
        }
        self.text.check()
    }
}

fn sqlite<'q>(text: sqlx::SqlStr, values: Vec<Value>) -> Query<'q, Sqlite, SqliteArguments> {
    let mut query = sqlx::query(text);
    for value in values {
        let list = json_list(&value);
        query = match value {
            Value::Uuid(uuid) => query.bind(uuid),
            Value::Text(text) => query.bind(text),
            Value::Int(int) => query.bind(int),
            Value::Bool(bool) => query.bind(bool),
            Value::Time(time) => query.bind(time.map(base::Timestamp::micros)),
            Value::Bytes(bytes) => query.bind(bytes),
            Value::Uuids(_) | Value::Texts(_) | Value::Ints(_) => query.bind(list),
        };
    }
    query
}

fn postgres<'q>(text: sqlx::SqlStr, values: Vec<Value>) -> Query<'q, Postgres, PgArguments> {
    let mut query = sqlx::query(text);
    for value in values {
        query = match value {
            Value::Uuid(uuid) => query.bind(uuid),
            Value::Text(text) => query.bind(text),
            Value::Int(int) => query.bind(int),
            Value::Bool(bool) => query.bind(bool),
            Value::Time(time) => query.bind(
                time.and_then(|time| OffsetDateTime::from_unix_timestamp_nanos(i128::from(time.micros()) * 1_000).ok()),
            ),
            Value::Bytes(bytes) => query.bind(bytes),
            Value::Uuids(uuids) => query.bind(uuids),
            Value::Texts(texts) => query.bind(texts),
            Value::Ints(ints) => query.bind(ints),
        };
    }
    query
}
