//! The epochs of pairs in SQL: what the other services hold about a pair carries one, and the higher one wins.

use base::Fault;
use db::Tx;
use uuid::Uuid;

/// Allots the next epoch of a pair. The row is held until the transaction ends.
pub async fn next(tx: &mut Tx, first: Uuid, second: Uuid) -> Result<i64, Fault> {
    tx.sql(
        "INSERT INTO epochs (first_id, second_id, epoch, reduced_epoch, told_epoch) VALUES ($1, $2, 1, 0, 0)
         ON CONFLICT (first_id, second_id) DO UPDATE SET epoch = epochs.epoch + 1
         RETURNING epoch",
    )
    .bind(first)
    .bind(second)
    .one()
    .await
}

/// Keeps that the epoch which was allotted last takes something away.
pub async fn reduce(tx: &mut Tx, first: Uuid, second: Uuid) -> Result<(), Fault> {
    tx.sql("UPDATE epochs SET reduced_epoch = epoch WHERE first_id = $1 AND second_id = $2")
        .bind(first)
        .bind(second)
        .execute()
        .await
        .map(drop)
}

/// The last epoch that took something away, held: what is taken away next comes after this transaction.
pub async fn reduced(tx: &mut Tx, first: Uuid, second: Uuid) -> Result<Option<i64>, Fault> {
    tx.sql("SELECT reduced_epoch FROM epochs WHERE first_id = $1 AND second_id = $2")
        .bind(first)
        .bind(second)
        .for_update()
        .optional()
        .await
}

/// Keeps that what is effective now is told under the epoch which was allotted last.
pub async fn tell(tx: &mut Tx, first: Uuid, second: Uuid) -> Result<(), Fault> {
    tx.sql("UPDATE epochs SET told_epoch = epoch WHERE first_id = $1 AND second_id = $2")
        .bind(first)
        .bind(second)
        .execute()
        .await
        .map(drop)
}

/// The epoch that was allotted last.
pub async fn last(tx: &mut Tx, first: Uuid, second: Uuid) -> Result<Option<i64>, Fault> {
    tx.sql("SELECT epoch FROM epochs WHERE first_id = $1 AND second_id = $2").bind(first).bind(second).optional().await
}

/// The epoch under which what is effective was told. Later ones belong to decisions that are still to be made.
pub async fn told(tx: &mut Tx, first: Uuid, second: Uuid) -> Result<Option<i64>, Fault> {
    tx.sql("SELECT told_epoch FROM epochs WHERE first_id = $1 AND second_id = $2")
        .bind(first)
        .bind(second)
        .optional()
        .await
}
