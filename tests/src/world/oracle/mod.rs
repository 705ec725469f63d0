//! What must hold over the three databases when nothing is under way any more.

mod copies;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use db::{Db, Record};
use uuid::Uuid;

use super::World;

/// What a partner may do at a customer: kind, active, delegated admin, order right.
type May = (String, bool, bool, bool);

/// The three databases, to be judged.
#[derive(Clone, Debug)]
pub struct Oracle {
    /// Identity's.
    pub identity: Db,
    /// Licensing's.
    pub licensing: Db,
    /// Partner's.
    pub partner: Db,
}

impl World {
    /// As [`Oracle::violations`].
    pub async fn violations(&self) -> Vec<String> {
        let (identity, licensing, partner) = self.inside().await;
        Oracle { identity, licensing, partner }.violations().await
    }
}

impl Oracle {
    /// Waits until no saga, no fact and no intent is under way, and answers everything that is wrong then.
    pub async fn violations(&self) -> Vec<String> {
        for _ in 0..2_000 {
            if self.under_way().await == 0 {
                return self.judge().await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        vec![format!("{} sagas or facts are still under way", self.under_way().await)]
    }

    async fn under_way(&self) -> i64 {
        let sagas =
            count(&self.partner, "SELECT COUNT(*) FROM sagas WHERE state IN ('PREPARING', 'COMMITTED', 'ABORTING')");
        let mut under_way = sagas.await;
        for db in [&self.identity, &self.licensing, &self.partner] {
            under_way += count(db, "SELECT COUNT(*) FROM outbox").await;
        }
        under_way
    }

    async fn judge(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let owned = owned(&self.partner).await;
        let epochs = epochs(&self.partner).await;
        for (name, db) in [("identity", &self.identity), ("licensing", &self.licensing)] {
            let (held, held_epochs) = held(db).await;
            for (pair, may) in &owned {
                if held.get(pair) != Some(may) {
                    wrong.push(format!("{name} holds {:?} of {pair:?}, and partner says {may:?}", held.get(pair)));
                }
            }
            for pair in held.keys().filter(|pair| epochs.contains_key(*pair) && !owned.contains_key(*pair)) {
                wrong.push(format!("{name} holds an access of {pair:?} that partner never decided"));
            }
            for (pair, epoch) in held_epochs {
                if epochs.get(&pair).is_some_and(|allotted| epoch > *allotted) {
                    wrong.push(format!("{name} holds epoch {epoch} of {pair:?}, which was never allotted"));
                }
            }
            let open = count(db, "SELECT COUNT(*) FROM intents WHERE state = 'OPEN'").await;
            if open > 0 {
                wrong.push(format!("{name} holds {open} intents of decisions that are made"));
            }
        }
        wrong.extend(self.judge_invitations().await);
        wrong.extend(self.judge_openings().await);
        wrong.extend(self.judge_organizations().await);
        wrong.extend(self.judge_requests().await);
        wrong.extend(self.judge_copies().await);
        wrong
    }

    /// Whoever asked for what failed for a reason that passes may ask again: their requests were given up.
    async fn judge_requests(&self) -> Vec<String> {
        let text = "SELECT method, continuation FROM replays JOIN sagas ON saga_id = continuation
                    WHERE sagas.state = 'ABORTED' AND COALESCE(refusal_kind, 'INTERNAL') IN ('UNAVAILABLE',
                        'DEADLINE', 'ABORTED', 'EXHAUSTED', 'INTERNAL')";
        let kept = rows::<(String, Uuid)>(&self.partner, text).await;
        kept.map(|(method, saga)| format!("a request of {method} still waits for saga {saga}, which is aborted"))
            .collect()
    }

    /// Whoever was to be made is there if that was decided, and nothing of them is if it was not.
    async fn judge_openings(&self) -> Vec<String> {
        let openings = "SELECT saga_id, state FROM sagas WHERE flow IN ('creation', 'onboarding')";
        let origins = "SELECT origin_id, state FROM organization_origins";
        let origins: BTreeMap<Uuid, String> = rows(&self.identity, origins).await.collect();
        let mut wrong = Vec::new();
        for (id, saga) in rows::<(Uuid, String)>(&self.partner, openings).await {
            let origin = origins.get(&id).map(String::as_str);
            let expected = if saga == "SETTLED" { "CONFIRMED" } else { "CANCELED" };
            if origin != Some(expected) {
                wrong.push(format!("saga {id} is {saga}, and what identity made of it is {origin:?}"));
            }
        }
        let pending = count(&self.identity, "SELECT COUNT(*) FROM organizations WHERE state = 'PENDING'").await;
        if pending > 0 {
            wrong.push(format!("{pending} organizations wait for a decision that is made"));
        }
        wrong
    }

    /// What the others hold of organizations is what identity says of them.
    async fn judge_organizations(&self) -> Vec<String> {
        let text = "SELECT organization_id, name, version FROM organizations";
        let own: BTreeSet<(Uuid, String, i64)> = rows(&self.identity, text).await.collect();
        let mut wrong = Vec::new();
        for (name, db) in [("licensing", &self.licensing), ("partner", &self.partner)] {
            let held: BTreeSet<(Uuid, String, i64)> = rows(db, text).await.collect();
            let differing = own.symmetric_difference(&held);
            wrong.extend(differing.map(|organization| format!("identity and {name} disagree on {organization:?}")));
        }
        wrong
    }

    async fn judge_invitations(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut tx = self.partner.snapshot().await.expect("the database answers");
        let invitations: Vec<(Uuid, String, Option<Uuid>, bool)> = tx
            .sql("SELECT invitation_id, state, acceptance_id, accepting FROM invitations")
            .all()
            .await
            .expect("invitations can be read");
        let sagas: Vec<(Uuid, String)> =
            tx.sql("SELECT saga_id, state FROM sagas").all().await.expect("sagas can be read");
        tx.rollback().await;
        let sagas: BTreeMap<Uuid, String> = sagas.into_iter().collect();
        let mut accepted_by = BTreeSet::new();
        for (id, state, acceptance, is_accepting) in invitations {
            let saga = acceptance.and_then(|acceptance| sagas.get(&acceptance)).map(String::as_str);
            if is_accepting {
                wrong.push(format!("invitation {id} waits for an acceptance that is {saga:?}"));
            }
            if (state == "ACCEPTED") != (saga == Some("SETTLED")) {
                wrong.push(format!("invitation {id} is {state} and its acceptance is {saga:?}"));
            }
            if let Some(acceptance) = acceptance.filter(|_| state == "ACCEPTED")
                && !accepted_by.insert(acceptance)
            {
                wrong.push(format!("acceptance {acceptance} accepted two invitations"));
            }
        }
        wrong
    }
}

async fn rows<R: Record>(db: &Db, text: &'static str) -> std::vec::IntoIter<R> {
    let mut tx = db.snapshot().await.expect("the database answers");
    let rows: Vec<R> = tx.sql(text).all().await.expect("the rows can be read");
    tx.rollback().await;
    rows.into_iter()
}

async fn count(db: &Db, text: &'static str) -> i64 {
    let mut tx = db.snapshot().await.expect("the database answers");
    let count = tx.sql(text).one().await.expect("a count");
    tx.rollback().await;
    count
}

/// What partner's own rows say of every pair that ever had a relationship or delegated admin.
async fn owned(db: &Db) -> BTreeMap<(Uuid, Uuid), May> {
    let mut tx = db.snapshot().await.expect("the database answers");
    let relationships: Vec<(Uuid, Uuid, String, String)> = tx
        .sql("SELECT customer_id, partner_id, kind, state FROM relationships")
        .all()
        .await
        .expect("relationships can be read");
    let admins: Vec<(Uuid, Uuid)> = tx
        .sql("SELECT customer_id, partner_id FROM delegated_admins WHERE state = 'GRANTED'")
        .all()
        .await
        .expect("delegated admin can be read");
    tx.rollback().await;
    let admins: BTreeSet<(Uuid, Uuid)> = admins.into_iter().collect();
    let may = |(customer, partner, kind, state): (Uuid, Uuid, String, String)| {
        let (active, orders) = (state == "ACTIVE", kind != "RESELLER");
        ((customer, partner), (kind, active, admins.contains(&(customer, partner)), active && orders))
    };
    relationships.into_iter().map(may).collect()
}

async fn epochs(db: &Db) -> BTreeMap<(Uuid, Uuid), i64> {
    let mut tx = db.snapshot().await.expect("the database answers");
    let rows: Vec<(Uuid, Uuid, i64)> =
        tx.sql("SELECT first_id, second_id, epoch FROM epochs").all().await.expect("epochs can be read");
    tx.rollback().await;
    rows.into_iter().map(|(first, second, epoch)| ((first, second), epoch)).collect()
}

/// What a participant holds, and under which epochs.
async fn held(db: &Db) -> (BTreeMap<(Uuid, Uuid), May>, BTreeMap<(Uuid, Uuid), i64>) {
    let mut tx = db.snapshot().await.expect("the database answers");
    let kinds: Vec<(Uuid, Uuid, Option<String>, i64)> = tx
        .sql("SELECT customer_id, partner_id, kind, epoch FROM accesses ORDER BY customer_id, partner_id")
        .all()
        .await
        .expect("accesses can be read");
    let flags: Vec<(bool, bool, bool)> = tx
        .sql("SELECT active, delegated_admin, order_right FROM accesses ORDER BY customer_id, partner_id")
        .all()
        .await
        .expect("accesses can be read");
    tx.rollback().await;
    let mut held = BTreeMap::new();
    let mut epochs = BTreeMap::new();
    for ((customer, partner, kind, epoch), (active, delegated_admin, order_right)) in kinds.into_iter().zip(flags) {
        held.insert((customer, partner), (kind.unwrap_or_default(), active, delegated_admin, order_right));
        epochs.insert((customer, partner), epoch);
    }
    (held, epochs)
}
