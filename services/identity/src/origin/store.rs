//! Origins and the secrets of what they made, in SQL.

use base::{Fault, Id, Timestamp};
use db::{Record, Row, Tx};

use super::{Made, Origin};
use crate::user::User;

impl Record for Origin {
    fn read(row: &Row) -> Result<Self, Fault> {
        let state: String = row.get("state")?;
        let made = || Ok(Made { organization: row.get("organization_id")?, admin: row.get("admin_id")? });
        match state.as_str() {
            "PENDING" => made().map(Self::Pending),
            "CONFIRMED" => made().map(Self::Confirmed),
            "CANCELED" => Ok(Self::Canceled),
            _ => Err(Fault::internal("an origin's row holds an unknown state")),
        }
    }
}

/// The origin, held for a change.
pub async fn lock(tx: &mut Tx, id: Id<Origin>) -> Result<Option<Origin>, Fault> {
    tx.sql("SELECT state, organization_id, admin_id FROM organization_origins WHERE origin_id = $1")
        .bind(id)
        .for_update()
        .optional()
        .await
}

/// Writes an origin with what it made. False when it is there already; the transaction must then be rolled back.
pub async fn insert_pending(tx: &mut Tx, id: Id<Origin>, made: Made, now: Timestamp) -> Result<bool, Fault> {
    let inserted = tx
        .sql(
            "INSERT INTO organization_origins (origin_id, organization_id, admin_id, state, create_time, update_time)
             VALUES ($1, $2, $3, 'PENDING', $4, $4)
             ON CONFLICT DO NOTHING",
        )
        .bind(id)
        .bind(made.organization)
        .bind(made.admin)
        .bind(now)
        .execute()
        .await?;
    Ok(inserted == 1)
}

/// Writes an origin that never arrived and will make nothing. False when it is there already.
pub async fn insert_canceled(tx: &mut Tx, id: Id<Origin>, now: Timestamp) -> Result<bool, Fault> {
    let inserted = tx
        .sql(
            "INSERT INTO organization_origins (origin_id, state, create_time, update_time)
             VALUES ($1, 'CANCELED', $2, $2)
             ON CONFLICT DO NOTHING",
        )
        .bind(id)
        .bind(now)
        .execute()
        .await?;
    Ok(inserted == 1)
}

/// Marks a pending origin confirmed.
pub async fn confirm(tx: &mut Tx, id: Id<Origin>, now: Timestamp) -> Result<bool, Fault> {
    let confirmed = tx
        .sql(
            "UPDATE organization_origins SET state = 'CONFIRMED', update_time = $2
             WHERE origin_id = $1 AND state = 'PENDING'",
        )
        .bind(id)
        .bind(now)
        .execute()
        .await?;
    Ok(confirmed == 1)
}

/// Marks a pending origin canceled, with its secret.
pub async fn cancel(tx: &mut Tx, id: Id<Origin>, now: Timestamp) -> Result<(), Fault> {
    tx.sql(
        "UPDATE organization_origins
         SET state = 'CANCELED', organization_id = NULL, admin_id = NULL, update_time = $2
         WHERE origin_id = $1 AND state = 'PENDING'",
    )
    .bind(id)
    .bind(now)
    .execute()
    .await?;
    tx.sql("DELETE FROM origin_secrets WHERE origin_id = $1").bind(id).execute().await.map(drop)
}

/// A secret as it is kept.
#[derive(Debug)]
pub struct Kept<S> {
    /// Whose request it belongs to.
    pub binding_digest: Vec<u8>,
    /// The secret, sealed.
    pub sealed: S,
    /// When it was made.
    pub time: Timestamp,
}

impl Record for Kept<Option<Vec<u8>>> {
    fn read(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            binding_digest: row.get("binding_digest")?,
            sealed: row.get("sealed")?,
            time: row.get("create_time")?,
        })
    }
}

/// Keeps the secret of the user whom an origin made.
pub async fn keep_secret(tx: &mut Tx, origin: Id<Origin>, user: Id<User>, secret: &Kept<Vec<u8>>) -> Result<(), Fault> {
    tx.sql(
        "INSERT INTO origin_secrets (origin_id, user_id, binding_digest, sealed, create_time)
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(origin)
    .bind(user)
    .bind(secret.binding_digest.as_slice())
    .bind(secret.sealed.as_slice())
    .bind(secret.time)
    .execute()
    .await
    .map(drop)
}

/// The secret of an origin; without itself when it was erased.
pub async fn secret(tx: &mut Tx, origin: Id<Origin>) -> Result<Option<Kept<Option<Vec<u8>>>>, Fault> {
    tx.sql("SELECT binding_digest, sealed, create_time FROM origin_secrets WHERE origin_id = $1")
        .bind(origin)
        .optional()
        .await
}

/// Erases a user's secret, because it was used or replaced.
pub async fn erase_secret(tx: &mut Tx, user: Id<User>) -> Result<(), Fault> {
    tx.sql("UPDATE origin_secrets SET sealed = NULL WHERE user_id = $1 AND sealed IS NOT NULL")
        .bind(user)
        .execute()
        .await
        .map(drop)
}

/// Erases secrets that nobody fetched in time.
pub async fn sweep_secrets(tx: &mut Tx, before: Timestamp) -> Result<(), Fault> {
    tx.sql("UPDATE origin_secrets SET sealed = NULL WHERE create_time <= $1 AND sealed IS NOT NULL")
        .bind(before)
        .execute()
        .await
        .map(drop)
}
