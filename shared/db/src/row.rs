//! Rows in, nouns out.

use base::{Fault, Id, Timestamp};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error;

/// A row of either database.
#[derive(Debug)]
pub enum Row {
    /// From SQLite.
    Sqlite(SqliteRow),
    /// From PostgreSQL.
    Postgres(PgRow),
}

/// Where a value stands in a row.
#[derive(Clone, Copy, Debug)]
pub enum At<'a> {
    /// By the column's name.
    Name(&'a str),
    /// By position, for tuples.
    Index(usize),
}

impl Row {
    /// The value of the named column.
    pub fn get<T: Column>(&self, name: &str) -> Result<T, Fault> {
        T::read(self, At::Name(name))
    }
}

/// A type that stands in one column.
pub trait Column: Sized {
    /// Reads it.
    fn read(row: &Row, at: At<'_>) -> Result<Self, Fault>;
}

/// A type that is read from one row.
pub trait Record: Sized {
    /// Reads it.
    fn read(row: &Row) -> Result<Self, Fault>;
}

impl<T: Column> Record for T {
    fn read(row: &Row) -> Result<Self, Fault> {
        T::read(row, At::Index(0))
    }
}

macro_rules! native {
    ($row:expr, $at:expr, $sqlite:ty, $postgres:ty) => {
        match ($row, $at) {
            (Row::Sqlite(row), At::Name(name)) => row.try_get::<Option<$sqlite>, _>(name).map(|v| v.map(Into::into)),
            (Row::Sqlite(row), At::Index(i)) => row.try_get::<Option<$sqlite>, _>(i).map(|v| v.map(Into::into)),
            (Row::Postgres(row), At::Name(name)) => {
                row.try_get::<Option<$postgres>, _>(name).map(|v| v.map(Into::into))
            }
            (Row::Postgres(row), At::Index(i)) => row.try_get::<Option<$postgres>, _>(i).map(|v| v.map(Into::into)),
        }
        .map_err(error::decode)
    };
}

/// Microseconds of either side's time type.
struct Micros(i64);

impl From<i64> for Micros {
    fn from(micros: i64) -> Self {
        Self(micros)
    }
}
impl From<OffsetDateTime> for Micros {
    fn from(time: OffsetDateTime) -> Self {
        Self(i64::try_from(time.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX))
    }
}

fn present<T>(value: Option<T>, at: At<'_>) -> Result<T, Fault> {
    value.ok_or_else(|| Fault::internal(format!("column {at:?} is NULL where a value is expected")))
}

impl Column for Option<String> {
    fn read(row: &Row, at: At<'_>) -> Result<Self, Fault> {
        native!(row, at, String, String)
    }
}
impl Column for Option<i64> {
    fn read(row: &Row, at: At<'_>) -> Result<Self, Fault> {
        native!(row, at, i64, i64)
    }
}
impl Column for Option<bool> {
    fn read(row: &Row, at: At<'_>) -> Result<Self, Fault> {
        native!(row, at, bool, bool)
    }
}
impl Column for Option<Vec<u8>> {
    fn read(row: &Row, at: At<'_>) -> Result<Self, Fault> {
        native!(row, at, Vec<u8>, Vec<u8>)
    }
}
impl Column for Option<Uuid> {
    fn read(row: &Row, at: At<'_>) -> Result<Self, Fault> {
        native!(row, at, Uuid, Uuid)
    }
}
impl Column for Option<Timestamp> {
    fn read(row: &Row, at: At<'_>) -> Result<Self, Fault> {
        let micros: Result<Option<Micros>, Fault> = native!(row, at, i64, OffsetDateTime);
        Ok(micros?.map(|Micros(micros)| Timestamp::from_micros(micros)))
    }
}
impl<T> Column for Option<Id<T>> {
    fn read(row: &Row, at: At<'_>) -> Result<Self, Fault> {
        Ok(<Option<Uuid> as Column>::read(row, at)?.map(Id::from_uuid))
    }
}

macro_rules! required {
    ($($type:ty),+) => {$(
        impl Column for $type {
            fn read(row: &Row, at: At<'_>) -> Result<Self, Fault> {
                present(<Option<$type> as Column>::read(row, at)?, at)
            }
        }
    )+};
}
required!(String, i64, bool, Vec<u8>, Uuid, Timestamp);

impl<T> Column for Id<T> {
    fn read(row: &Row, at: At<'_>) -> Result<Self, Fault> {
        present(<Option<Self> as Column>::read(row, at)?, at)
    }
}

/// Many ids in one value: `array_agg(id)` on PostgreSQL, `group_concat(hex(id), '')` on SQLite. A row for each of them would
/// cost more than everything else about it.
impl<T> Column for Vec<Id<T>> {
    fn read(row: &Row, at: At<'_>) -> Result<Self, Fault> {
        let ids: Vec<Uuid> = match (row, at) {
            (Row::Sqlite(_), at) => unhex(&<String as Column>::read(row, at)?)?,
            (Row::Postgres(row), At::Name(name)) => row.try_get(name).map_err(error::decode)?,
            (Row::Postgres(row), At::Index(i)) => row.try_get(i).map_err(error::decode)?,
        };
        Ok(ids.into_iter().map(Id::from_uuid).collect())
    }
}

fn unhex(text: &str) -> Result<Vec<Uuid>, Fault> {
    let broken = |_| Fault::internal("a list of ids is not written in hexadecimal digits");
    text.as_bytes().chunks(32).map(|digits| Uuid::try_parse_ascii(digits).map_err(broken)).collect()
}

impl<A: Column, B: Column> Record for (A, B) {
    fn read(row: &Row) -> Result<Self, Fault> {
        Ok((A::read(row, At::Index(0))?, B::read(row, At::Index(1))?))
    }
}
impl<A: Column, B: Column, C: Column> Record for (A, B, C) {
    fn read(row: &Row) -> Result<Self, Fault> {
        Ok((A::read(row, At::Index(0))?, B::read(row, At::Index(1))?, C::read(row, At::Index(2))?))
    }
}
impl<A: Column, B: Column, C: Column, D: Column> Record for (A, B, C, D) {
    fn read(row: &Row) -> Result<Self, Fault> {
        Ok((
            A::read(row, At::Index(0))?,
            B::read(row, At::Index(1))?,
            C::read(row, At::Index(2))?,
            D::read(row, At::Index(3))?,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_in_one_text_are_read_one_by_one_and_none_is_made_up() {
        let ids = [Uuid::from_u128(7), Uuid::from_u128(u128::MAX)];
        let text: String = ids.iter().map(|id| id.simple().to_string().to_uppercase()).collect();
        assert_eq!(unhex(&text).unwrap(), ids);
        assert!(unhex("").unwrap().is_empty());
        for broken in [&text[1..], &text[..63], &text.replace('7', "G")] {
            assert!(unhex(broken).is_err(), "{broken}");
        }
    }
}
