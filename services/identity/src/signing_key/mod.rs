//! The keys that sign access tokens, and their rotation.
//!
//! A key is published before it signs and stays published until the last token it signed has expired, so that every
//! service can verify every live token (two keys during rotation). Private keys are sealed under the service key.

pub mod ops;
mod rotation;
pub mod store;

pub use rotation::{load, rotate};

use std::time::Duration;

use base::Timestamp;
use service::token::{ACCESS_TOKEN_LIFE, Key};

/// How long a key signs.
pub const KEY_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long a key is published before it signs.
pub const PUBLISH_LEAD: Duration = Duration::from_secs(10 * 60);
/// How long a key stays published after its successor signs.
pub const RETIREMENT: Duration = Duration::from_secs(ACCESS_TOKEN_LIFE.as_secs() + 60);

/// A key pair, the private half sealed.
#[derive(Clone, Debug)]
pub struct SigningKey {
    /// Names it in the header of tokens.
    pub kid: String,
    /// Counts up by one.
    pub generation: i64,
    /// The public half.
    pub public_key: [u8; 32],
    /// The private half.
    pub sealed_key: Vec<u8>,
    /// When it begins to sign.
    pub activate_time: Timestamp,
}

/// What rotation has to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    /// The generation and the activation of the key to make.
    pub make: Option<(i64, Timestamp)>,
    /// The keys to delete.
    pub delete: Vec<String>,
}

/// Decides what is due, given the keys in order of their generation.
pub fn plan(keys: &[SigningKey], now: Timestamp) -> Plan {
    let make = match keys.last() {
        None => Some((1, now)),
        Some(newest) if now + PUBLISH_LEAD >= newest.activate_time + KEY_LIFE => {
            Some((newest.generation + 1, now + PUBLISH_LEAD))
        }
        Some(_) => None,
    };
    let retired = |pair: &[SigningKey]| now >= pair[1].activate_time + RETIREMENT;
    let delete = keys.windows(2).filter(|pair| retired(pair)).map(|pair| pair[0].kid.clone()).collect();
    Plan { make, delete }
}

/// The key that signs now: the newest that is active.
pub fn active(keys: &[SigningKey], now: Timestamp) -> Option<&SigningKey> {
    keys.iter().rev().find(|key| key.activate_time <= now)
}

/// The public halves.
pub fn verifying(keys: &[SigningKey]) -> Vec<Key> {
    keys.iter().map(|key| Key { kid: key.kid.clone(), public: key.public_key }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(generation: i64, activate_time: Timestamp) -> SigningKey {
        SigningKey {
            kid: generation.to_string(),
            generation,
            public_key: [0; 32],
            sealed_key: Vec::new(),
            activate_time,
        }
    }

    const START: Timestamp = Timestamp::from_micros(1_000_000_000_000_000);

    #[test]
    fn the_first_key_signs_at_once() {
        assert_eq!(plan(&[], START), Plan { make: Some((1, START)), delete: vec![] });
    }

    #[test]
    fn a_successor_is_published_before_it_signs_and_the_old_key_stays_until_its_last_token_expired() {
        let old = key(1, START);
        let almost = START + KEY_LIFE - PUBLISH_LEAD;
        assert_eq!(plan(std::slice::from_ref(&old), almost - Duration::from_secs(1)).make, None);
        let due = plan(std::slice::from_ref(&old), almost);
        assert_eq!(due.make, Some((2, almost + PUBLISH_LEAD)));

        let keys = [old, key(2, almost + PUBLISH_LEAD)];
        assert_eq!(active(&keys, almost).map(|key| key.generation), Some(1));
        let switched = almost + PUBLISH_LEAD;
        assert_eq!(active(&keys, switched).map(|key| key.generation), Some(2));
        assert_eq!(plan(&keys, switched + RETIREMENT - Duration::from_secs(1)).delete, Vec::<String>::new());
        assert_eq!(plan(&keys, switched + RETIREMENT).delete, ["1"]);
    }
}
