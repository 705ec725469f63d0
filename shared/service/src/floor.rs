//! The floor of a principal's auth_version: tokens below it are refused.

use base::Fault;
use db::Tx;
use uuid::Uuid;

use crate::caller::Principal;

/// Raises a floor; a lower or equal version changes nothing.
pub async fn raise(tx: &mut Tx, principal: Uuid, auth_version: i64) -> Result<(), Fault> {
    tx.sql(
        "INSERT INTO principal_floors (principal_id, auth_version) VALUES ($1, $2)
         ON CONFLICT (principal_id) DO UPDATE SET auth_version = excluded.auth_version
         WHERE principal_floors.auth_version < excluded.auth_version",
    )
    .bind(principal)
    .bind(auth_version)
    .execute()
    .await
    .map(drop)
}

/// Refuses a token that was issued before its principal's authority was reduced. In a mutation the floor is held.
pub(crate) async fn check(tx: &mut Tx, principal: &Principal) -> Result<(), Fault> {
    check_one(tx, principal.id, principal.auth_version).await?;
    match &principal.on_behalf_of {
        Some(user) => check_one(tx, user.user, user.auth_version).await,
        None => Ok(()),
    }
}

async fn check_one(tx: &mut Tx, principal: Uuid, auth_version: i64) -> Result<(), Fault> {
    // Without a row there is nothing to hold: a reduction could be answered while a write that began before it commits.
    if tx.is_writable() {
        tx.sql("INSERT INTO principal_floors (principal_id, auth_version) VALUES ($1, 0) ON CONFLICT DO NOTHING")
            .bind(principal)
            .execute()
            .await?;
    }
    let floor: Option<i64> = tx
        .sql("SELECT auth_version FROM principal_floors WHERE principal_id = $1")
        .bind(principal)
        .for_share()
        .optional()
        .await?;
    if floor.is_some_and(|floor| auth_version < floor) {
        return Err(Fault::unauthenticated("UNAUTHENTICATED", "the access token is not valid"));
    }
    Ok(())
}
