//! The only crate that names sqlx: one SQL text over an enum of two native databases.
//!
//! It promises that a transaction is either committed or leaves nothing, whoever drops what and when; that times,
//! ids and lists are native on both sides; and that a statement with a forgotten parameter never runs. It refuses
//! to know any business noun, and has no repository traits, no query builder and no ORM.
//!
//! # The dialect card
//!
//! | write | not | because |
//! |---|---|---|
//! | `$1, $2 …`, each bound | `?` | an unbound `$n` is NULL on SQLite; [`Statement`] refuses to run it |
//! | `INSERT … ON CONFLICT DO NOTHING`, then the affected rows | catching a unique violation | PostgreSQL's transaction is dead after any error |
//! | `UPDATE … WHERE id = $1 AND version = $2` | read, think, overwrite | the count tells who was faster |
//! | `.for_update()`, `.for_share()` | `FOR UPDATE` in the text | SQLite has one writer and no row locks |
//! | `.when(filter, "AND state = $?")` | `($1 IS NULL OR state = $1)` | casts and bad plans |
//! | `.page(&seek, limit, "name_key", "user_id")` | OFFSET, LIKE | stable in both directions |
//! | `TEXT COLLATE "C"` on every text that is ordered | the default collation | byte-wise on both |
//! | `UUID`, `TIMESTAMPTZ`, `BIGINT`, `BOOLEAN`, `BYTEA`, `TEXT` | other column types | the migration runner knows these words |
//! | `sql_for(sqlite, postgres)` for arrays against JSON | two texts for anything else | tidy counts them |
//! | `array_agg(id)` against `group_concat(hex(id), '')`, read as `Vec<Id<T>>` | a row for each of thousands of ids | a row costs more than its id |
//! | times bound as values | `now()` | the context's clock is fixed per attempt |
//!
//! **Invariant:** every statement prepares on both databases (`every_statement_prepares_on_both_databases`).

mod admin;
mod check;
mod connect;
mod error;
mod migrate;
mod row;
mod statement;
mod text;
mod tx;
mod value;

pub use admin::{create_database, database_exists, drop_database, rename_database};
pub use connect::{Db, Dialect, LOCK_TIMEOUT, Settings};
pub use migrate::Migration;
pub use row::{Column, Record, Row};
pub use statement::Statement;
pub use text::Text;
pub use tx::Tx;
pub use value::{Param, Value};
