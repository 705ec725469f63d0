//! Rotation as it happens: the keys are made, retired and handed to the process that signs with them.

use base::Fault;
use service::token::Signer;
use service::{Host, seal};

use super::{SigningKey, active, plan, store, verifying};
use crate::Identity;

const SEAL_LABEL: &str = "access token signing key";

/// Makes and deletes what is due, then lets the process sign and verify with what there is.
pub async fn rotate(host: &Host<Identity>) -> Result<(), Fault> {
    let now = host.clock.now();
    let mut tx = host.db.write().await?;
    let due = plan(&store::all(&mut tx).await?, now);
    if let Some((generation, activate_time)) = due.make {
        let (signer, pkcs8, public_key) = Signer::generate();
        let kid = signer.key().kid.clone();
        let sealed_key = seal::seal(&host.keys, SEAL_LABEL, &[kid.as_bytes()], pkcs8.expose());
        store::insert(&mut tx, &SigningKey { kid, generation, public_key, sealed_key, activate_time }, now).await?;
    }
    for kid in &due.delete {
        store::delete(&mut tx, kid).await?;
    }
    tx.commit().await?;
    load(host).await
}

/// Reads the keys and hands them to the process.
pub async fn load(host: &Host<Identity>) -> Result<(), Fault> {
    let mut tx = host.db.snapshot().await?;
    let keys = store::all(&mut tx).await;
    tx.rollback().await;
    let keys = keys?;
    let now = host.clock.now();
    let active = active(&keys, now).ok_or_else(|| Fault::internal("there is no key to sign access tokens with"))?;
    let pkcs8 = seal::open(&host.keys, SEAL_LABEL, &[active.kid.as_bytes()], &active.sealed_key)?;
    host.service.sign_with(Signer::from_pkcs8(&active.kid, &pkcs8)?);
    host.key_set.replace(verifying(&keys));
    Ok(())
}
