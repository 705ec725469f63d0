//! Points at which tests let things go wrong: before and after everything that must survive going wrong there.
//!
//! A program that is built for release has none: [`Points::at`] is empty in it. Every point has a name in [`NAMES`], so
//! that a test can go through all of them, and notices a new one.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base::Fault;
use tokio::sync::Notify;

/// Every point there is, in the order in which a decision passes them.
pub const NAMES: &[&str] = &[
    SAGA_CLAIMED,
    STEP_ASKED,
    STEP_ANSWERED,
    DECISION_BEFORE,
    DECISION_AFTER,
    SETTLE_ASKED,
    SETTLE_ANSWERED,
    ABORT_BEFORE,
    ABORT_AFTER,
    CANCEL_ASKED,
    CANCEL_ANSWERED,
    OUTBOX_CLAIMED,
    OUTBOX_SENT,
    FOLLOWED,
    SWEPT,
];

/// A worker has claimed a saga.
pub const SAGA_CLAIMED: &str = "saga claimed";
/// A participant is about to be asked.
pub const STEP_ASKED: &str = "step asked";
/// It has answered, and nothing is written down.
pub const STEP_ANSWERED: &str = "step answered";
/// Everybody has agreed, and nothing is decided.
pub const DECISION_BEFORE: &str = "decision before";
/// The decision is committed.
pub const DECISION_AFTER: &str = "decision after";
/// A step after the decision is about to be taken.
pub const SETTLE_ASKED: &str = "settle asked";
/// It was taken, and nothing is written down.
pub const SETTLE_ANSWERED: &str = "settle answered";
/// Somebody has refused, and nothing is written down.
pub const ABORT_BEFORE: &str = "abort before";
/// The refusal is committed, and nothing is taken back.
pub const ABORT_AFTER: &str = "abort after";
/// A step is about to be taken back.
pub const CANCEL_ASKED: &str = "cancel asked";
/// It was taken back, and nothing is written down.
pub const CANCEL_ANSWERED: &str = "cancel answered";
/// A relay has claimed facts.
pub const OUTBOX_CLAIMED: &str = "outbox claimed";
/// The receiver has them, and they are not forgotten here.
pub const OUTBOX_SENT: &str = "outbox sent";
/// A call is about to look at what it began.
pub const FOLLOWED: &str = "followed";
/// What happens by itself is about to be written down, as it is from time to time.
pub const SWEPT: &str = "swept";

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The work fails, as when a network or a database does.
    Fails,
    /// The worker never goes on, as when its process is killed or paused: only another one can.
    Stops,
}

#[derive(Debug, Default)]
struct Plan {
    planned: BTreeMap<&'static str, (Trouble, u32)>,
    hits: BTreeMap<&'static str, u64>,
}

/// What is planned in one process, and what was hit.
#[derive(Debug, Default)]
pub struct Points {
    plan: Mutex<Plan>,
    news: Notify,
}

impl Points {
    /// Plans trouble for the next so many visits of a point.
    pub fn plan(&self, name: &'static str, trouble: Trouble, times: u32) {
        self.lock().planned.insert(name, (trouble, times));
    }

    /// Forgets what was planned and has not happened.
    pub fn calm(&self) {
        self.lock().planned.clear();
    }

    /// How often trouble happened at a point.
    pub fn hits(&self, name: &str) -> u64 {
        self.lock().hits.get(name).copied().unwrap_or(0)
    }

    /// Waits until trouble has happened at a point more often than that.
    pub async fn more_than(&self, hits: u64, name: &str) {
        loop {
            let news = self.news.notified();
            if self.hits(name) > hits {
                return;
            }
            news.await;
        }
    }

    /// Visits a point.
    ///
    /// # Errors
    /// The trouble that a test has planned there.
    pub async fn at(&self, name: &'static str) -> Result<(), Fault> {
        if !cfg!(debug_assertions) {
            return Ok(());
        }
        let Some(trouble) = self.take(name) else { return Ok(()) };
        self.news.notify_waiters();
        match trouble {
            Trouble::Fails => Err(Fault::unavailable("DATABASE_UNAVAILABLE", format!("planned trouble at {name}"))),
            Trouble::Stops => std::future::pending().await,
        }
    }

    fn take(&self, name: &'static str) -> Option<Trouble> {
        let mut plan = self.lock();
        let (trouble, left) = plan.planned.get_mut(name).filter(|(_, left)| *left > 0)?;
        *left -= 1;
        let trouble = *trouble;
        *plan.hits.entry(name).or_default() += 1;
        Some(trouble)
    }

    fn lock(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
