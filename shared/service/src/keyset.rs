//! The public keys that access tokens are verified with, and the verification (S-08).
//!
//! Owns the present key set of a process. Promises that nothing in a token chooses how it is verified, that time is the
//! caller's `now`, and that unknown key ids, however many, cause one look at the issuer in 30 seconds. Refuses to say
//! what was wrong with a token, apart from whether a newer key set might help.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use base::Timestamp;
use jsonwebtoken::DecodingKey;

use crate::token::{ACCESS_TOKEN_LIFE, AUDIENCE, Claims, Key, TYPE, Wire, jwt};

/// The least time between two looks at the issuer's keys.
pub const REFETCH_INTERVAL: Duration = Duration::from_secs(30);

/// Before any look.
const NEVER: i64 = i64::MIN;

/// Why a token was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// It names a key that is not in the set; a newer set may have it, see [`KeySet::may_refetch`].
    UnknownKey,
    /// Everything else.
    Invalid,
}

/// The keys of one issuer. Clones share them.
#[derive(Clone)]
pub struct KeySet {
    shared: Arc<Shared>,
}

struct Shared {
    issuer: String,
    keys: RwLock<HashMap<String, DecodingKey>>,
    last_refetch_micros: AtomicI64,
}

impl KeySet {
    /// A set without keys: it refuses every token as of an unknown key.
    pub fn new(issuer: String) -> Self {
        let (keys, last_refetch_micros) = (RwLock::default(), AtomicI64::new(NEVER));
        Self { shared: Arc::new(Shared { issuer, keys, last_refetch_micros }) }
    }

    /// Takes over the issuer's keys. Those that are not among them are believed no longer.
    pub fn replace(&self, keys: Vec<Key>) {
        let keys = keys.into_iter().map(|key| (key.kid, DecodingKey::from_ed_der(&key.public))).collect();
        *self.shared.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    /// The claims of a token that holds at `now`.
    ///
    /// # Errors
    /// [`Rejected`], which tells unknown keys from everything else.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, Rejected> {
        let unverified = jwt::open(token, TYPE).ok_or(Rejected::Invalid)?;
        let key = self.key(unverified.kid()).ok_or(Rejected::UnknownKey)?;
        let wire: Option<Wire> = unverified.verify(&key, &self.shared.issuer, AUDIENCE);
        let wire = wire.filter(|wire| wire.times().admit(now, ACCESS_TOKEN_LIFE));
        wire.and_then(Wire::into_claims).ok_or(Rejected::Invalid)
    }

    /// Whether there is no key yet, so that nothing can be said of any token.
    pub(crate) fn is_empty(&self) -> bool {
        self.shared.keys.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn key(&self, kid: &str) -> Option<DecodingKey> {
        self.shared.keys.read().unwrap_or_else(PoisonError::into_inner).get(kid).cloned()
    }

    /// Whether the asker, after [`Rejected::UnknownKey`], is the one who is to look at the issuer's keys now.
    ///
    /// Exactly one asker per [`REFETCH_INTERVAL`] hears yes; with a deadline below that interval no two looks overlap.
    /// Issuers publish a key before they sign with it, so nobody else has to wait for the answer.
    pub fn may_refetch(&self, now: Timestamp) -> bool {
        let last = self.shared.last_refetch_micros.load(Ordering::Relaxed);
        // The distance in either direction: a clock that was set back must not stop refetching for long.
        let interval = u64::try_from(REFETCH_INTERVAL.as_micros()).unwrap_or(u64::MAX);
        if last != NEVER && now.micros().abs_diff(last) < interval {
            return false;
        }
        let claimed = &self.shared.last_refetch_micros;
        claimed.compare_exchange(last, now.micros(), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySet").field("issuer", &self.shared.issuer).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "keyset_tests.rs"]
pub(crate) mod tests;
