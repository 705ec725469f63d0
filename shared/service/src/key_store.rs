//! The last key set, kept in the service's own database.

use base::{Fault, Timestamp};
use db::Db;

use crate::token::Key;

/// Replaces what is remembered, when it differs.
pub(crate) async fn remember(db: &Db, keys: &[Key], now: Timestamp) -> Result<(), Fault> {
    let known: Vec<String> = recall(db).await?.into_iter().map(|key| key.kid).collect();
    if known.len() == keys.len() && keys.iter().all(|key| known.contains(&key.kid)) {
        return Ok(());
    }
    let mut tx = db.write().await?;
    tx.sql("DELETE FROM verification_keys").execute().await?;
    for key in keys {
        tx.sql(
            "INSERT INTO verification_keys (kid, public_key, fetch_time) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        )
        .bind(&key.kid)
        .bind(key.public)
        .bind(now)
        .execute()
        .await?;
    }
    tx.commit().await
}

/// What is remembered.
pub(crate) async fn recall(db: &Db) -> Result<Vec<Key>, Fault> {
    let mut tx = db.snapshot().await?;
    let rows: Vec<(String, Vec<u8>)> =
        tx.sql("SELECT kid, public_key FROM verification_keys ORDER BY kid").all().await?;
    tx.rollback().await;
    let key = |(kid, public): (String, Vec<u8>)| {
        let public = public.try_into().map_err(|_| Fault::internal("a remembered key has another length"))?;
        Ok(Key { kid, public })
    };
    rows.into_iter().map(key).collect()
}
