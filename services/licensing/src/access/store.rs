//! Accesses in SQL.

use base::{Fault, Id, Timestamp};
use db::{Record, Row, Tx};

use super::{Access, Naming};
use crate::organization::Organization;
use crate::partner::PartnerKind;

impl Record for Access {
    fn read(row: &Row) -> Result<Self, Fault> {
        let kind = row.get::<Option<String>>("kind")?;
        let kind = kind.map(|kind| {
            PartnerKind::parse(&kind).ok_or_else(|| Fault::internal("an access holds an unknown kind of partner"))
        });
        Ok(Self {
            customer: row.get("customer_id")?,
            partner: row.get("partner_id")?,
            kind: kind.transpose()?,
            active: row.get("active")?,
            delegated_admin: row.get("delegated_admin")?,
            order_right: row.get("order_right")?,
            epoch: row.get("epoch")?,
        })
    }
}

/// The confirmed access, held as it is.
pub async fn get(tx: &mut Tx, customer: Id<Organization>, partner: Id<Organization>) -> Result<Option<Access>, Fault> {
    tx.sql(
        "SELECT customer_id, partner_id, kind, active, delegated_admin, order_right, epoch
         FROM accesses
         WHERE customer_id = $1 AND partner_id = $2",
    )
    .bind(customer)
    .bind(partner)
    .for_share()
    .optional()
    .await
}

/// Takes a fact over, unless one of that epoch or a later one is here.
pub async fn put(tx: &mut Tx, told: &Access) -> Result<(), Fault> {
    tx.sql(
        "INSERT INTO accesses (customer_id, partner_id, kind, active, delegated_admin, order_right, epoch)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (customer_id, partner_id) DO UPDATE SET
             kind = excluded.kind, active = excluded.active, delegated_admin = excluded.delegated_admin,
             order_right = excluded.order_right, epoch = excluded.epoch
         WHERE accesses.epoch < excluded.epoch",
    )
    .bind(told.customer)
    .bind(told.partner)
    .bind(told.kind.map(|kind| kind.as_str().to_owned()))
    .bind(told.active)
    .bind(told.delegated_admin)
    .bind(told.order_right)
    .bind(told.epoch)
    .execute()
    .await
    .map(drop)
}

/// Takes over whom an invitation names, unless that version or a later one is here.
pub async fn put_naming(tx: &mut Tx, told: &Naming) -> Result<(), Fault> {
    tx.sql(
        "INSERT INTO namings (invitation_id, customer_id, provider_id, open, expire_time, version)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (invitation_id) DO UPDATE
         SET open = excluded.open, expire_time = excluded.expire_time, version = excluded.version
         WHERE namings.version < excluded.version",
    )
    .bind(told.invitation)
    .bind(told.customer)
    .bind(told.provider)
    .bind(told.is_open)
    .bind(told.expire_time)
    .bind(told.version)
    .execute()
    .await
    .map(drop)
}

/// Whether an invitation that can be accepted names the provider at the customer.
pub async fn is_named(
    tx: &mut Tx,
    customer: Id<Organization>,
    provider: Id<Organization>,
    now: Timestamp,
) -> Result<bool, Fault> {
    let found: Option<i64> = tx
        .sql(
            "SELECT version FROM namings
             WHERE customer_id = $1 AND provider_id = $2 AND open AND expire_time > $3
             LIMIT 1",
        )
        .bind(customer)
        .bind(provider)
        .bind(now)
        .optional()
        .await?;
    Ok(found.is_some())
}
