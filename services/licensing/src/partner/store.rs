//! Partners and partnerships in SQL.

use base::Fault;
use db::Tx;

use super::{Partnership, Standing};

/// Takes a fact over, unless a newer one is here.
pub async fn put_standing(tx: &mut Tx, told: &Standing) -> Result<(), Fault> {
    tx.sql(
        "INSERT INTO partners (partner_id, kind, state, mpn_id, version)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (partner_id) DO UPDATE SET
             kind = excluded.kind, state = excluded.state, mpn_id = excluded.mpn_id, version = excluded.version
         WHERE partners.version < excluded.version",
    )
    .bind(told.partner)
    .bind(told.kind.as_str())
    .bind(if told.suspended { "SUSPENDED" } else { "ACTIVE" })
    .bind(&told.mpn_id)
    .bind(told.version)
    .execute()
    .await
    .map(drop)
}

/// Takes a fact over, unless a newer one is here.
pub async fn put_partnership(tx: &mut Tx, told: &Partnership) -> Result<(), Fault> {
    tx.sql(
        "INSERT INTO partnerships (provider_id, reseller_id, active, version)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (provider_id, reseller_id) DO UPDATE SET active = excluded.active, version = excluded.version
         WHERE partnerships.version < excluded.version",
    )
    .bind(told.provider)
    .bind(told.reseller)
    .bind(told.active)
    .bind(told.version)
    .execute()
    .await
    .map(drop)
}
