//! What goes on outside of any call: work of the service's own, and what calls began and left to others.

use std::sync::Arc;

use base::{Fault, Kind};
use tokio::sync::futures::Notified;

use crate::backoff;
use crate::cx::Cx;
use crate::executor::Host;
use crate::journal::{self, Outcome};
use crate::operation::{Service, Work};
use crate::outbox;
use crate::unit::{ATTEMPTS_MAX, contention};

impl<S: Service> Host<S> {
    /// Runs work of the service's own in one transaction, with journal and outbox like a call's. It is done again when
    /// the database asks for it.
    ///
    /// # Errors
    /// What the work refuses, or CONTENTION.
    pub async fn transact<W: Work<Service = S>>(self: &Arc<Self>, work: &W) -> Result<W::Done, Fault> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.attempt(work).await {
                Err(fault) if fault.kind() == Kind::Busy && attempt < ATTEMPTS_MAX => {
                    tokio::time::sleep(backoff::busy(attempt)).await;
                }
                Err(fault) if fault.kind() == Kind::Busy => return Err(contention(fault)),
                outcome => return outcome,
            }
        }
    }

    async fn attempt<W: Work<Service = S>>(self: &Arc<Self>, work: &W) -> Result<W::Done, Fault> {
        let caller = work.caller();
        let mut cx = Cx::new(self.db.write().await?, Arc::clone(self), caller.clone(), "");
        let done = match work.run(&mut cx).await {
            Ok(done) => done,
            Err(fault) => {
                cx.tx.rollback().await;
                return Err(fault);
            }
        };
        let facts = std::mem::take(&mut cx.facts);
        journal::write(&mut cx.tx, &caller, cx.now, None, &facts, Outcome::Succeeded).await?;
        let outgoing = std::mem::take(&mut cx.outgoing);
        let told = outbox::put(&mut cx.tx, &outgoing, cx.delivery, cx.now).await?;
        cx.tx.commit().await?;
        if !told.is_empty() {
            self.wake_relays();
        }
        Ok(done)
    }

    /// Wakes whoever works on what calls began.
    pub fn wake_followers(&self) {
        self.begun.notify_waiters();
    }

    /// Resolves when a call began something that goes on after its commit.
    pub fn begun(&self) -> Notified<'_> {
        self.begun.notified()
    }

    /// Tells those who wait that something that goes on has moved.
    pub fn tell_moved(&self) {
        self.moved.notify_waiters();
    }
}
