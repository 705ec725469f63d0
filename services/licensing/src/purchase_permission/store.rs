//! Purchase permissions in SQL.

use base::{Fault, Id, Timestamp};
use db::{Record, Row, Tx};

use super::PurchasePermission;
use crate::access::Access;
use crate::organization::Organization;

impl Record for PurchasePermission {
    fn read(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            customer: row.get("customer_id")?,
            partner: row.get("partner_id")?,
            product_family: row.get("product_family")?,
            permitted: row.get("permitted")?,
            update_time: row.get("update_time")?,
        })
    }
}

/// The switches of a customer that were ever turned, of one partner or of all of them, by family.
pub async fn list(
    tx: &mut Tx,
    customer: Id<Organization>,
    partner: Option<Id<Organization>>,
) -> Result<Vec<PurchasePermission>, Fault> {
    tx.sql(
        "SELECT customer_id, partner_id, product_family, permitted, update_time FROM purchase_permissions
         WHERE customer_id = $1",
    )
    .bind(customer)
    .when(partner, "AND partner_id = $?")
    .all()
    .await
}

/// The families in which partners bought a customer active subscriptions, each with who did. What the customer bought by
/// itself is none of them.
pub async fn families(
    tx: &mut Tx,
    customer: Id<Organization>,
    partner: Option<Id<Organization>>,
) -> Result<Vec<(Id<Organization>, String)>, Fault> {
    tx.sql(
        "SELECT DISTINCT partner_id, product_family FROM subscriptions s JOIN offers USING (offer_id)
         WHERE customer_id = $1 AND state = 'ACTIVE' AND product_family <> '' AND NOT EXISTS (
             SELECT 1 FROM subscription_changes c WHERE c.subscription_id = s.subscription_id
                 AND c.kind = 'ORDERED' AND c.actor_organization_id = s.customer_id)",
    )
    .bind(customer)
    .when(partner, "AND partner_id = $?")
    .all()
    .await
}

/// Turns off what a partner let a customer buy before an access ended, and answers in which families that was.
pub async fn end(tx: &mut Tx, ended: &Access, now: Timestamp) -> Result<Vec<String>, Fault> {
    tx.sql(
        "UPDATE purchase_permissions SET permitted = FALSE, update_time = $4
         WHERE customer_id = $1 AND partner_id = $2 AND permitted AND access_epoch < $3
         RETURNING product_family",
    )
    .bind(ended.customer)
    .bind(ended.partner)
    .bind(ended.epoch)
    .bind(now)
    .all()
    .await
}

/// A switch as it stands.
pub async fn get(
    tx: &mut Tx,
    customer: Id<Organization>,
    partner: Id<Organization>,
    product_family: &str,
) -> Result<Option<PurchasePermission>, Fault> {
    tx.sql(
        "SELECT customer_id, partner_id, product_family, permitted, update_time FROM purchase_permissions
         WHERE customer_id = $1 AND partner_id = $2 AND product_family = $3",
    )
    .bind(customer)
    .bind(partner)
    .bind(product_family)
    .optional()
    .await
}

/// Whether a switch is on, held as it is.
pub async fn is_on(
    tx: &mut Tx,
    customer: Id<Organization>,
    partner: Id<Organization>,
    product_family: &str,
) -> Result<bool, Fault> {
    let permitted: Option<bool> = tx
        .sql(
            "SELECT permitted FROM purchase_permissions
             WHERE customer_id = $1 AND partner_id = $2 AND product_family = $3",
        )
        .bind(customer)
        .bind(partner)
        .bind(product_family)
        .for_share()
        .optional()
        .await?;
    Ok(permitted.unwrap_or_default())
}

/// Turns a switch, under the access of the partner that turns it. False when it stands so already.
pub async fn put(tx: &mut Tx, permission: &PurchasePermission, now: Timestamp) -> Result<bool, Fault> {
    let turned = tx
        .sql(
            "INSERT INTO purchase_permissions (customer_id, partner_id, product_family, permitted, access_epoch,
                 update_time)
             SELECT customer_id, partner_id, $3, $4, epoch, $5 FROM accesses
             WHERE customer_id = $1 AND partner_id = $2
             ON CONFLICT (customer_id, partner_id, product_family) DO UPDATE SET
                 permitted = excluded.permitted, access_epoch = excluded.access_epoch,
                 update_time = excluded.update_time
             WHERE purchase_permissions.permitted <> excluded.permitted",
        )
        .bind(permission.customer)
        .bind(permission.partner)
        .bind(&permission.product_family)
        .bind(permission.permitted)
        .bind(now)
        .execute()
        .await?;
    Ok(turned == 1)
}
