//! Accesses and standings in SQL. A write of an older epoch or version changes nothing.

use base::{Fault, Id, Timestamp};
use db::{Record, Row, Tx};

use super::{Access, Pair, PartnerKind, PartnerStanding, PartnershipStanding};
use crate::organization::Organization;

impl Record for Access {
    fn read(row: &Row) -> Result<Self, Fault> {
        let kind: Option<String> = row.get("kind")?;
        let broken = || Fault::internal("an access's row holds an unknown kind");
        Ok(Self {
            pair: Pair { customer: row.get("customer_id")?, partner: row.get("partner_id")? },
            kind: kind.map(|kind| PartnerKind::parse(&kind).ok_or_else(broken)).transpose()?,
            active: row.get("active")?,
            delegated_admin: row.get("delegated_admin")?,
            order_right: row.get("order_right")?,
            epoch: row.get("epoch")?,
        })
    }
}

/// The confirmed access, held as it is.
pub async fn get(tx: &mut Tx, pair: Pair) -> Result<Option<Access>, Fault> {
    tx.sql(
        "SELECT customer_id, partner_id, kind, active, delegated_admin, order_right, epoch
         FROM accesses
         WHERE customer_id = $1 AND partner_id = $2",
    )
    .bind(pair.customer)
    .bind(pair.partner)
    .for_share()
    .optional()
    .await
}

/// Writes an access over every older one.
pub async fn put(tx: &mut Tx, access: &Access, now: Timestamp) -> Result<(), Fault> {
    tx.sql(
        "INSERT INTO accesses
             (customer_id, partner_id, kind, active, delegated_admin, order_right, epoch, update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (customer_id, partner_id) DO UPDATE
         SET kind = excluded.kind, active = excluded.active, delegated_admin = excluded.delegated_admin,
             order_right = excluded.order_right, epoch = excluded.epoch, update_time = excluded.update_time
         WHERE accesses.epoch < excluded.epoch",
    )
    .bind(access.pair.customer)
    .bind(access.pair.partner)
    .bind(access.kind.map(PartnerKind::as_str))
    .bind(access.active)
    .bind(access.delegated_admin)
    .bind(access.order_right)
    .bind(access.epoch)
    .bind(now)
    .execute()
    .await
    .map(drop)
}

/// Writes what a partner is over every older word.
pub async fn put_partner(tx: &mut Tx, standing: &PartnerStanding, now: Timestamp) -> Result<(), Fault> {
    tx.sql(
        "INSERT INTO partner_standings (partner_id, kind, state, version, update_time)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (partner_id) DO UPDATE
         SET kind = excluded.kind, state = excluded.state, version = excluded.version,
             update_time = excluded.update_time
         WHERE partner_standings.version < excluded.version",
    )
    .bind(standing.partner)
    .bind(standing.kind.as_str())
    .bind(standing.state.as_str())
    .bind(standing.version)
    .bind(now)
    .execute()
    .await
    .map(drop)
}

/// Writes how a provider and a reseller stand to each other over every older word.
pub async fn put_partnership(tx: &mut Tx, standing: &PartnershipStanding, now: Timestamp) -> Result<(), Fault> {
    tx.sql(
        "INSERT INTO partnership_standings
             (provider_id, reseller_id, active, provider_admin_access, version, update_time)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (provider_id, reseller_id) DO UPDATE
         SET active = excluded.active, provider_admin_access = excluded.provider_admin_access,
             version = excluded.version, update_time = excluded.update_time
         WHERE partnership_standings.version < excluded.version",
    )
    .bind(standing.provider)
    .bind(standing.reseller)
    .bind(standing.active)
    .bind(standing.provider_admin_access)
    .bind(standing.version)
    .bind(now)
    .execute()
    .await
    .map(drop)
}

/// Whether the provider has administrator access to the reseller's organization. What says so is held as it is.
pub async fn has_admin_access(
    tx: &mut Tx,
    provider: Id<Organization>,
    reseller: Id<Organization>,
) -> Result<bool, Fault> {
    let access: Option<bool> = tx
        .sql(
            "SELECT provider_admin_access FROM partnership_standings
             WHERE provider_id = $1 AND reseller_id = $2",
        )
        .bind(provider)
        .bind(reseller)
        .for_share()
        .optional()
        .await?;
    Ok(access == Some(true))
}
