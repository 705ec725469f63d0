//! What a database must be before we serve from it.

use base::{Clock, Fault, Timestamp};

use crate::connect::{Db, Dialect};

impl Db {
    /// Refuses a server that could lose what it acknowledged: fsync, full_page_writes and synchronous_commit must be
    /// on, and the server must not be in recovery. SQLite is opened by us with synchronous = FULL.
    pub async fn check_durability(&self) -> Result<(), Fault> {
        if self.dialect() == Dialect::Sqlite {
            return Ok(());
        }
        let mut tx = self.snapshot().await?;
        let settings: Vec<(String, String)> = tx
            .sql_for(
                "SELECT 'none' AS name, 'needed' AS value WHERE 1 = 0",
                "SELECT name, setting FROM pg_settings
                 WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')
                 UNION ALL SELECT 'recovery', CASE WHEN pg_is_in_recovery() THEN 'off' ELSE 'on' END",
            )
            .all()
            .await?;
        tx.rollback().await;
        let off: Vec<&str> =
            settings.iter().filter(|(_, value)| value == "off").map(|(name, _)| name.as_str()).collect();
        if off.is_empty() {
            return Ok(());
        }
        Err(Fault::precondition(
            "DATABASE_NOT_DURABLE",
            format!(
                "the database could lose acknowledged writes: {} (fsync, full_page_writes and synchronous_commit must \
                 be on, and the server must not be a standby in recovery)",
                off.join(", ")
            ),
        ))
    }

    /// Samples the database's clock and lets ours follow it.
    pub async fn sample_clock(&self, clock: &Clock) -> Result<(), Fault> {
        let before = Clock::process_time();
        let database: Timestamp = match self.dialect() {
            Dialect::Sqlite => before,
            Dialect::Postgres => {
                let mut tx = self.snapshot().await?;
                let time = tx.sql_for("SELECT 0", "SELECT clock_timestamp()").one().await?;
                tx.rollback().await;
                time
            }
        };
        clock.follow(before, database, Clock::process_time());
        Ok(())
    }
}
