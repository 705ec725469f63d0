//! What partner says of partners and customers, and what a call that hangs on a decision asks.
#![expect(clippy::unwrap_used, reason = "a test has nothing better to do than fail")]

mod orders;
mod telling;

use db::Db;
use uuid::Uuid;

/// The confirmed access of a pair, as identity keeps it: active, delegated admin, epoch.
async fn confirmed(db: &Db, customer: Uuid, partner: Uuid) -> Option<(bool, bool, i64)> {
    let mut tx = db.snapshot().await.unwrap();
    let found = tx
        .sql("SELECT active, delegated_admin, epoch FROM accesses WHERE customer_id = $1 AND partner_id = $2")
        .bind(customer)
        .bind(partner)
        .optional()
        .await
        .unwrap();
    tx.rollback().await;
    found
}

/// The state of a decision's intent about a pair.
async fn intent(db: &Db, decision: Uuid, customer: Uuid, partner: Uuid) -> Option<String> {
    let mut tx = db.snapshot().await.unwrap();
    let found = tx
        .sql("SELECT state FROM intents WHERE decision_id = $1 AND first_id = $2 AND second_id = $3")
        .bind(decision)
        .bind(customer)
        .bind(partner)
        .optional()
        .await
        .unwrap();
    tx.rollback().await;
    found
}
