//! Signing keys in SQL.

use base::{Fault, Timestamp};
use db::{Record, Row, Tx};

use super::SigningKey;

impl Record for SigningKey {
    fn read(row: &Row) -> Result<Self, Fault> {
        let public_key: Vec<u8> = row.get("public_key")?;
        Ok(Self {
            kid: row.get("kid")?,
            generation: row.get("generation")?,
            public_key: public_key.try_into().map_err(|_| Fault::internal("a signing key has another length"))?,
            sealed_key: row.get("sealed_key")?,
            activate_time: row.get("activate_time")?,
        })
    }
}

/// All keys in order of their generation.
pub async fn all(tx: &mut Tx) -> Result<Vec<SigningKey>, Fault> {
    tx.sql("SELECT kid, generation, public_key, sealed_key, activate_time FROM signing_keys ORDER BY generation")
        .all()
        .await
}

/// Writes a new key, unless another replica made that generation.
pub async fn insert(tx: &mut Tx, key: &SigningKey, now: Timestamp) -> Result<(), Fault> {
    tx.sql(
        "INSERT INTO signing_keys (kid, generation, public_key, sealed_key, activate_time, create_time)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT DO NOTHING",
    )
    .bind(&key.kid)
    .bind(key.generation)
    .bind(key.public_key)
    .bind(&key.sealed_key)
    .bind(key.activate_time)
    .bind(now)
    .execute()
    .await
    .map(drop)
}

/// Deletes a key whose last token has expired.
pub async fn delete(tx: &mut Tx, kid: &str) -> Result<(), Fault> {
    tx.sql("DELETE FROM signing_keys WHERE kid = $1").bind(kid).execute().await.map(drop)
}
