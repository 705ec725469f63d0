//! Forward-only migrations: one file serves both databases.
//!
//! The files are written in PostgreSQL's words. For SQLite the type words are replaced and every table becomes
//! STRICT. What has run is remembered with its checksum; a file that changed after it ran is refused.

use std::time::Duration;

use base::{Clock, Fault};
use sqlx::{AssertSqlSafe, Executor, raw_sql};

use crate::connect::{Db, Dialect};
use crate::tx::{Session, Tx};

/// One migration file, compiled in.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its number. Shared rooms use numbers below 1000, services 1000 and up.
    pub version: i64,
    /// The file's name, for people.
    pub name: &'static str,
    /// The text, in PostgreSQL's words.
    pub sql: &'static str,
}

impl Migration {
    /// The text as this database runs it.
    pub fn text(&self, dialect: Dialect) -> String {
        match dialect {
            Dialect::Postgres => self.sql.to_owned(),
            Dialect::Sqlite => for_sqlite(self.sql),
        }
    }

    fn checksum(&self) -> i64 {
        // FNV-1a: it only has to notice an edit.
        let hash = self
            .sql
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        hash.cast_signed()
    }
}

/// Replaces PostgreSQL's type words by SQLite's and makes every table STRICT.
fn for_sqlite(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len());
    for line in sql.lines() {
        let code = line.split("--").next().unwrap_or_default();
        if code.trim() == ");" {
            out.push_str(") STRICT;\n");
            continue;
        }
        let mut word = String::new();
        for c in code.chars().chain(std::iter::once('\n')) {
            if c.is_ascii_alphanumeric() || c == '_' {
                word.push(c);
                continue;
            }
            out.push_str(match word.as_str() {
                "UUID" | "BYTEA" => "BLOB",
                "TIMESTAMPTZ" | "BOOLEAN" | "BIGINT" => "INTEGER",
                other => other,
            });
            word.clear();
            out.push(c);
        }
    }
    out.replace(" COLLATE \"C\"", "")
}

const HISTORY: Migration = Migration {
    version: 0,
    name: "schema_migrations",
    sql: "CREATE TABLE IF NOT EXISTS schema_migrations (
    version BIGINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    checksum BIGINT NOT NULL,
    apply_time TIMESTAMPTZ NOT NULL
);
",
};

impl Db {
    /// Brings the schema up to date, one transaction per migration. Concurrent callers wait for each other.
    pub async fn migrate(&self, migrations: &[Migration]) -> Result<(), Fault> {
        let dialect = self.dialect();
        let mut tx = self.write().await?;
        if dialect == Dialect::Postgres {
            // One migrator at a time, also before the history table exists.
            tx.lock_timeout(Duration::from_secs(60)).await?;
            tx.run_script("SELECT pg_advisory_xact_lock(8386103244)".to_owned()).await?;
        }
        tx.run_script(HISTORY.text(dialect)).await?;
        let applied = tx.applied().await?;
        for migration in migrations {
            match applied.iter().find(|(version, _)| *version == migration.version) {
                Some((_, checksum)) if *checksum == migration.checksum() => {}
                Some(_) => return Err(edited(migration)),
                None => {
                    tx.run_script(migration.text(dialect)).await?;
                    tx.sql(
                        "INSERT INTO schema_migrations (version, name, checksum, apply_time) VALUES ($1, $2, $3, $4)",
                    )
                    .bind(migration.version)
                    .bind(migration.name)
                    .bind(migration.checksum())
                    .bind(Clock::process_time())
                    .execute()
                    .await?;
                }
            }
        }
        tx.commit().await
    }

    /// Refuses a database whose schema is not exactly what this program was built for.
    pub async fn check_schema(&self, migrations: &[Migration]) -> Result<(), Fault> {
        let behind = || {
            Fault::precondition(
                "SCHEMA_OUT_OF_DATE",
                "the database schema is not up to date: run `tandem migrate` first",
            )
        };
        let mut tx = self.snapshot().await?;
        let exists: Option<i64> = tx
            .sql_for(
                "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'schema_migrations'",
                "SELECT 1::BIGINT FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'schema_migrations'",
            )
            .optional()
            .await?;
        if exists.is_none() {
            return Err(behind());
        }
        let applied = tx.applied().await?;
        tx.rollback().await;
        for migration in migrations {
            match applied.iter().find(|(version, _)| *version == migration.version) {
                Some((_, checksum)) if *checksum == migration.checksum() => {}
                Some(_) => return Err(edited(migration)),
                None => return Err(behind()),
            }
        }
        match applied.iter().find(|(version, _)| !migrations.iter().any(|m| m.version == *version)) {
            None => Ok(()),
            Some((version, _)) => Err(Fault::precondition(
                "SCHEMA_TOO_NEW",
                format!("the database has migration {version}, which this program does not know: run a newer one"),
            )),
        }
    }
}

fn edited(migration: &Migration) -> Fault {
    Fault::internal(format!("migration {} ({}) was edited after it had run", migration.version, migration.name))
}

impl Tx {
    async fn applied(&mut self) -> Result<Vec<(i64, i64)>, Fault> {
        self.sql("SELECT version, checksum FROM schema_migrations ORDER BY version").all().await
    }

    /// Runs a text of several statements without parameters.
    pub(crate) async fn run_script(&mut self, text: String) -> Result<(), Fault> {
        let script = raw_sql(AssertSqlSafe(text));
        let run = match &mut self.session {
            Session::SqliteWriter(writer) => writer.connection.execute(script).await.map(drop),
            Session::SqliteReader(reader) => reader.execute(script).await.map(drop),
            Session::Postgres(session) => session.execute(script).await.map(drop),
        };
        run.map_err(|error| {
            self.broken = true;
            crate::error::statement(error)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_words_are_replaced_and_tables_become_strict() {
        let text =
            for_sqlite("CREATE TABLE t (\n    id UUID NOT NULL, -- a UUID\n    k TEXT COLLATE \"C\" NOT NULL\n);\n");
        assert_eq!(text, "CREATE TABLE t (\n    id BLOB NOT NULL, \n    k TEXT NOT NULL\n) STRICT;\n");
    }
}
