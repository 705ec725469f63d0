//! What happens to subscriptions by itself: trials end, and what was suspended for too long is deleted.

use std::sync::Arc;

use base::{Fault, Id};
use service::{Cx, Host, Work};

use super::change::Family;
use super::{Subscription, store};
use crate::Licensing;

/// Subscriptions that are looked for at once.
const BATCH: i64 = 100;

/// Writes down what is due. Readers see it already ([`Subscription::as_of`]); the seats follow here.
///
/// # Errors
/// When the database does not answer. What was not written down is due the next time.
pub async fn run(host: &Arc<Host<Licensing>>) -> Result<(), Fault> {
    loop {
        let mut tx = host.db.snapshot().await?;
        let due = store::due(&mut tx, host.clock.now(), BATCH).await;
        tx.rollback().await;
        let due = due?;
        if due.is_empty() {
            return Ok(());
        }
        for id in due {
            host.transact(&Happen(id)).await?;
        }
    }
}

/// Lets happen what is due to one subscription, and to what adds to it.
struct Happen(Id<Subscription>);

impl Work for Happen {
    type Service = Licensing;
    type Done = ();

    async fn run(&self, cx: &mut Cx<Licensing>) -> Result<(), Fault> {
        Family::hold(cx, self.0).await.map(drop)
    }
}
