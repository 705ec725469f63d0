//! A gate for each key: how many calls may be at one hot aggregate in the database at once (trap 5, R-36).
//!
//! Whoever wants a row that somebody else holds waits. In the database each waiter would hold a session, and a pool
//! could be parked whole on one row while every other caller stands outside; here a waiter holds nothing but a place in
//! a queue. It promises that the queue of a key is served in order and bounded, and that a key which nobody uses is
//! forgotten. It refuses to replace a lock: other processes have gates of their own, and the row decides.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::Fault;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Who may wait for one key; more are refused.
pub const WAITING_MAX: usize = 64;

/// What a refused one is told to wait.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// What a gate stands before.
pub trait Key: Copy + Eq + Hash {}

impl<K: Copy + Eq + Hash> Key for K {}

/// The gates of a process.
#[derive(Debug)]
pub struct Gate<K: Key> {
    per_key: usize,
    keys: Mutex<HashMap<K, Entry>>,
}

#[derive(Debug)]
struct Entry {
    inside: Arc<Semaphore>,
    /// Inside or waiting.
    present: usize,
}

/// The right to be inside. Dropping it lets the next one in.
#[derive(Debug)]
pub struct Pass<'g, K: Key> {
    // Dropped in this order: the next one is let in before the key may be forgotten.
    _inside: OwnedSemaphorePermit,
    _place: Place<'g, K>,
}

/// A place inside or in the queue.
#[derive(Debug)]
struct Place<'g, K: Key> {
    gate: &'g Gate<K>,
    key: K,
}

impl<K: Key> Gate<K> {
    /// Gates through which `per_key` may be inside at once for each key.
    pub fn new(per_key: usize) -> Self {
        Self { per_key, keys: Mutex::default() }
    }

    /// Waits for a turn. Whoever stops waiting leaves the queue.
    ///
    /// # Errors
    /// `OVERLOADED` when [`WAITING_MAX`] wait already.
    pub async fn enter(&self, key: K) -> Result<Pass<'_, K>, Fault> {
        let (inside, place) = self.queue(key)?;
        let closed = |error| Fault::internal("a gate was closed").because(error);
        Ok(Pass { _inside: inside.acquire_owned().await.map_err(closed)?, _place: place })
    }

    fn queue(&self, key: K) -> Result<(Arc<Semaphore>, Place<'_, K>), Fault> {
        let mut keys = self.keys();
        let entry =
            keys.entry(key).or_insert_with(|| Entry { inside: Arc::new(Semaphore::new(self.per_key)), present: 0 });
        if entry.present >= self.per_key + WAITING_MAX {
            return Err(Fault::exhausted("OVERLOADED", "too many calls want the same thing; try again shortly")
                .retry_after(RETRY_AFTER));
        }
        entry.present += 1;
        Ok((Arc::clone(&entry.inside), Place { gate: self, key }))
    }

    fn keys(&self) -> MutexGuard<'_, HashMap<K, Entry>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Key> Drop for Place<'_, K> {
    fn drop(&mut self) {
        let mut keys = self.gate.keys();
        match keys.get_mut(&self.key) {
            Some(entry) if entry.present > 1 => entry.present -= 1,
            _ => drop(keys.remove(&self.key)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    fn inside(poll: Poll<Result<Pass<'_, u128>, Fault>>) -> Pass<'_, u128> {
        match poll {
            Poll::Ready(pass) => pass.unwrap(),
            Poll::Pending => std::panic::panic_any("it waits"),
        }
    }

    #[test]
    fn only_so_many_are_inside_and_the_first_to_wait_is_the_next() {
        let gate = Gate::new(2);
        let first = inside(poll(pin!(gate.enter(7))));
        let _second = inside(poll(pin!(gate.enter(7))));
        let (mut third, mut fourth) = (pin!(gate.enter(7)), pin!(gate.enter(7)));
        assert!(poll(third.as_mut()).is_pending() && poll(fourth.as_mut()).is_pending());
        drop(first);
        assert!(poll(fourth.as_mut()).is_pending());
        let third = inside(poll(third));
        assert!(poll(fourth.as_mut()).is_pending());
        drop(third);
        inside(poll(fourth));
    }

    #[test]
    fn another_key_has_a_gate_of_its_own() {
        let gate = Gate::new(1);
        let _held = inside(poll(pin!(gate.enter(7))));
        inside(poll(pin!(gate.enter(8))));
    }

    #[test]
    fn the_queue_is_bounded_and_whoever_gives_up_leaves_it() {
        let gate = Gate::new(1);
        let held = inside(poll(pin!(gate.enter(7))));
        let mut waiting: Vec<_> = (0..WAITING_MAX).map(|_| Box::pin(gate.enter(7))).collect();
        assert!(waiting.iter_mut().all(|one| poll(one.as_mut()).is_pending()));
        let Poll::Ready(Err(refused)) = poll(pin!(gate.enter(7))) else { std::panic::panic_any("the queue is full") };
        assert_eq!((refused.reason(), refused.wait()), ("OVERLOADED", Some(RETRY_AFTER)));
        waiting.pop();
        assert!(poll(pin!(gate.enter(7))).is_pending(), "there is a place again");
        drop((waiting, held));
        inside(poll(pin!(gate.enter(7))));
    }

    #[test]
    fn a_key_that_nobody_uses_is_forgotten() {
        let gate = Gate::new(1);
        let held = inside(poll(pin!(gate.enter(7))));
        {
            let mut waiting = pin!(gate.enter(7));
            assert!(poll(waiting.as_mut()).is_pending());
            drop(held);
            assert_eq!(gate.keys().len(), 1, "somebody waits");
        }
        assert_eq!(gate.keys().len(), 0);
    }
}
