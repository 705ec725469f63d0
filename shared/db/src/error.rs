//! What a database error means to the one who asked.

use base::{Fault, Kind};
use sqlx::Error;

/// Turns an error of a statement into a fault: retry the unit of work, try later, or a bug.
pub(crate) fn statement(error: Error) -> Fault {
    match kind(&error) {
        Kind::Busy => Fault::busy("the database asks for another attempt").because(error),
        Kind::Exhausted => Fault::exhausted("STORAGE_FULL", "the storage is full; nothing was changed").because(error),
        Kind::Unavailable => unavailable(error),
        _ => Fault::internal("a statement failed").because(error),
    }
}

/// The answer to a commit did not arrive: the outcome is unknown until the same request is repeated.
pub(crate) fn commit(error: Error) -> Fault {
    match kind(&error) {
        Kind::Busy => Fault::busy("the database refused the commit and asks for another attempt").because(error),
        Kind::Unavailable => Fault::unavailable(
            "OUTCOME_UNKNOWN",
            "the connection broke while the change was being committed; repeat the same request with the same request_id",
        )
        .because(error),
        _ => statement(error),
    }
}

/// A column that is not what the code says it is.
pub(crate) fn decode(error: Error) -> Fault {
    Fault::internal("a row does not have the expected shape").because(error)
}

/// The database cannot be reached.
pub(crate) fn unavailable(error: Error) -> Fault {
    Fault::unavailable("DATABASE_UNAVAILABLE", "the database cannot be reached at the moment; try again").because(error)
}

fn kind(error: &Error) -> Kind {
    match error {
        Error::Database(database) => match database.code().as_deref() {
            // PostgreSQL: serialization failure, deadlock, lock not available.
            Some("40001" | "40P01" | "55P03") => Kind::Busy,
            // PostgreSQL: disk full. SQLite: SQLITE_FULL.
            Some("53100" | "13") => Kind::Exhausted,
            // SQLite: SQLITE_BUSY and its snapshot and recovery variants.
            Some("5" | "261" | "517") => Kind::Busy,
            // PostgreSQL: read-only transaction (a standby), canceled statement, shutdown, out of connections.
            Some("25006" | "25P03" | "57014" | "57P01" | "57P02" | "57P03" | "57P05" | "53300") => Kind::Unavailable,
            Some(code) if code.len() == 5 && code.starts_with("08") => Kind::Unavailable,
            _ => Kind::Internal,
        },
        Error::Io(_) | Error::Tls(_) | Error::PoolTimedOut | Error::PoolClosed | Error::WorkerCrashed => {
            Kind::Unavailable
        }
        _ => Kind::Internal,
    }
}
