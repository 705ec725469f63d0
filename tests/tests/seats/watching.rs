//! Who looks at the counters as often as they can while others move them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use db::Db;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::stage::{Course, PHASES, Stage};

/// How many moments have to be seen in all.
const MOMENTS_MIN: u64 = 300;
/// And while the same replicas serve.
const MOMENTS_OF_A_PHASE_MIN: u64 = 20;

const PAUSE: Duration = Duration::from_millis(2);

/// What one moment sees of a pool: its seats, how many are taken, how many licenses there are, and what was sold.
type Counted = (i64, i64, i64, i64);

async fn counted(db: &Db, customer: Uuid) -> Counted {
    let mut tx = db.snapshot().await.unwrap();
    let text = "SELECT seats, consumed, (SELECT COUNT(*) FROM assignments a WHERE a.customer_id = $1),
                    (SELECT SUM(quantity)::BIGINT FROM subscriptions s WHERE s.customer_id = $1)
                FROM pools WHERE customer_id = $1";
    let counted = tx.sql(text).bind(customer).one().await.unwrap();
    tx.rollback().await;
    counted
}

/// Looks until it is told to stop.
pub(crate) struct Watch {
    stop: oneshot::Sender<()>,
    looking: JoinHandle<BTreeMap<&'static str, u64>>,
}

impl Watch {
    pub(crate) async fn begin(stage: &Stage) -> Self {
        let db = stage.fleet.database("licensing").await;
        let (customer, course) = (stage.customer.parse().unwrap(), Arc::clone(&stage.course));
        let (stop, stopped) = oneshot::channel();
        Self { stop, looking: tokio::spawn(look(db, customer, course, stopped)) }
    }

    /// Every moment was right, there were enough of them, and some of them in each phase.
    pub(crate) async fn end(self) {
        self.stop.send(()).unwrap();
        let moments = self.looking.await.unwrap();
        println!("moments: {moments:?}");
        assert!(moments.values().sum::<u64>() >= MOMENTS_MIN, "{moments:?}");
        for phase in PHASES {
            let seen = moments.get(phase).copied().unwrap_or(0);
            assert!(seen >= MOMENTS_OF_A_PHASE_MIN, "only {seen} moments when {phase}: {moments:?}");
        }
    }
}

async fn look(
    db: Db,
    customer: Uuid,
    course: Arc<Course>,
    mut stopped: oneshot::Receiver<()>,
) -> BTreeMap<&'static str, u64> {
    let mut moments: BTreeMap<&'static str, u64> = BTreeMap::new();
    while stopped.try_recv().is_err() {
        let phase = course.phase();
        let (seats, consumed, licenses, sold) = counted(&db, customer).await;
        assert_eq!(
            (consumed, seats),
            (licenses, sold),
            "{phase}: {consumed} of {seats}, {licenses} licenses, {sold} sold"
        );
        assert!((0..=seats).contains(&consumed), "{phase}: {consumed} of {seats}");
        *moments.entry(phase).or_default() += 1;
        // Who looks all the time takes the time of those who are looked at.
        tokio::time::sleep(PAUSE).await;
    }
    moments
}

/// How many seats there are and how many are taken in the end, when both replicas serve.
pub(crate) async fn in_the_end(stage: &Stage) -> (i64, i64) {
    let db = stage.fleet.database("licensing").await;
    let (seats, consumed, licenses, sold) = counted(&db, stage.customer.parse().unwrap()).await;
    assert_eq!((consumed, seats), (licenses, sold));
    (seats, consumed)
}

/// Who has a license in the end.
pub(crate) async fn holders(stage: &Stage) -> BTreeSet<String> {
    let db = stage.fleet.database("licensing").await;
    let customer: Uuid = stage.customer.parse().unwrap();
    let mut tx = db.snapshot().await.unwrap();
    let text = "SELECT user_id FROM assignments WHERE customer_id = $1";
    let rows: Vec<Uuid> = tx.sql(text).bind(customer).all().await.unwrap();
    tx.rollback().await;
    rows.into_iter().map(|user| user.to_string()).collect()
}
