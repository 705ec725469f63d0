//! Partners and partnerships in SQL.

use base::{Fault, Id};
use db::{Record, Row, Tx};

use super::{PartnerKind, Partnership, Standing};
use crate::organization::Organization;

impl Record for Standing {
    fn read(row: &Row) -> Result<Self, Fault> {
        let kind = PartnerKind::parse(&row.get::<String>("kind")?);
        Ok(Self {
            partner: row.get("partner_id")?,
            kind: kind.ok_or_else(|| Fault::internal("a partner's row holds an unknown kind"))?,
            suspended: row.get::<String>("state")? == "SUSPENDED",
            mpn_id: row.get("mpn_id")?,
            version: row.get("version")?,
        })
    }
}

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

/// What a partner is, held as it is.
pub async fn standing(tx: &mut Tx, partner: Id<Organization>) -> Result<Option<Standing>, Fault> {
    tx.sql("SELECT partner_id, kind, state, mpn_id, version FROM partners WHERE partner_id = $1")
        .bind(partner)
        .for_share()
        .optional()
        .await
}

/// The partner with this id in the vendor's network, and whether the provider works with it; both held as they are.
pub async fn reseller(
    tx: &mut Tx,
    provider: Id<Organization>,
    mpn_id: &str,
) -> Result<Option<(Standing, bool)>, Fault> {
    let found: Option<Standing> = tx
        .sql(
            "SELECT partner_id, kind, state, mpn_id, version FROM partners
             WHERE mpn_id = $1
             ORDER BY partner_id",
        )
        .bind(mpn_id)
        .for_share()
        .optional()
        .await?;
    let Some(standing) = found else { return Ok(None) };
    let active: Option<bool> = tx
        .sql("SELECT active FROM partnerships WHERE provider_id = $1 AND reseller_id = $2")
        .bind(provider)
        .bind(standing.partner)
        .for_share()
        .optional()
        .await?;
    Ok(Some((standing, active.unwrap_or(false))))
}
