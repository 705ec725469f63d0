//! Slow hashing, held within bounds.
//!
//! Owns the argon2id parameters, the pepper and the pool in which hashes are computed. Promises that at most `permits`
//! hashes run and at most `queue` wait at any time, that whoever comes later is told so at once instead of
//! waiting, that an unknown user costs what a known one costs (S-04), and that the rows alone verify nothing, because the
//! pepper is outside the database (S-02). Refuses to cut, trim or normalize: it hashes the bytes it is given.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use argon2::{
    Algorithm, Argon2, KeyId, Params, ParamsBuilder, PasswordHash, PasswordHasher, PasswordVerifier, Version,
    password_hash::{Error, Result as HashResult},
};
use aws_lc_rs::hmac;
use base::{Fault, Secret};
use service::keys::random_bytes;
use tokio::sync::Semaphore;
use tokio::task;

const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const OUTPUT_BYTES: usize = 32;
const SALT_BYTES: usize = 16;
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Makes and verifies password hashes. Clones share one pool.
#[derive(Clone)]
pub struct Hasher(Arc<Pool>);

struct Pool {
    pepper: Pepper,
    permits: usize,
    queue: usize,
    /// One place for each hash that runs or waits.
    places: Arc<Semaphore>,
    /// One core for each hash that runs.
    cores: Arc<Semaphore>,
}

struct Pepper {
    key: [u8; 32],
    /// Names the key in every hash without telling anything about it.
    id: [u8; KeyId::MAX_LEN],
}

impl Hasher {
    /// A pool that computes `permits` hashes at a time, 19 MiB each, and lets `queue` more wait.
    pub fn new(pepper: [u8; 32], permits: usize, queue: usize) -> Self {
        let permits = permits.max(1);
        Self(Arc::new(Pool {
            pepper: Pepper::new(pepper),
            permits,
            queue,
            places: Arc::new(Semaphore::new(permits + queue)),
            cores: Arc::new(Semaphore::new(permits)),
        }))
    }

    /// Hashes a password under a new salt, as a PHC string.
    ///
    /// # Errors
    /// `OVERLOADED` at once when the queue is full.
    pub async fn hash(&self, password: &Secret<String>) -> Result<String, Fault> {
        let password = password.clone();
        let salt = random_bytes::<SALT_BYTES>();
        self.compute(move |pepper| pepper.hash(&password, &salt)).await
    }

    /// Whether this is the password that was stored. Without a stored hash the answer is no, at the same cost.
    ///
    /// # Errors
    /// `OVERLOADED` at once when the queue is full; a fault for the log when the hash is no hash or has another pepper.
    pub async fn verify(&self, password: &Secret<String>, stored: Option<&str>) -> Result<bool, Fault> {
        let password = password.clone();
        let stored = stored.map(str::to_owned);
        self.compute(move |pepper| match stored {
            Some(stored) => pepper.verify(&password, &stored),
            None => pepper.hash(&password, &[0; SALT_BYTES]).map(|_| false),
        })
        .await
    }

    /// Whether a hash that just verified should be made anew, because its parameters or its pepper are not today's.
    pub fn needs_rehash(&self, stored: &str) -> bool {
        !self.0.pepper.would_make(stored).unwrap_or(false)
    }

    async fn compute<T, F>(&self, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&Pepper) -> Result<T, Fault> + Send + 'static,
    {
        let pool = Arc::clone(&self.0);
        let place = Arc::clone(&pool.places).try_acquire_owned().map_err(|_| overloaded())?;
        let core = Arc::clone(&pool.cores)
            .acquire_owned()
            .await
            .map_err(|error| Fault::internal("the hashing pool was closed").because(error))?;
        let work = task::spawn_blocking(move || {
            // A caller who goes away cannot stop the hash, so place and core stay taken until it is done.
            let _taken = (place, core);
            work(&pool.pepper)
        });
        work.await.map_err(|error| Fault::internal("hashing a password did not finish").because(error))?
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Pool { permits, queue, .. } = &*self.0;
        f.debug_struct("Hasher").field("permits", permits).field("queue", queue).finish_non_exhaustive()
    }
}

impl Pepper {
    fn new(key: [u8; 32]) -> Self {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), b"name of the password pepper");
        let mut id = [0; KeyId::MAX_LEN];
        id.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        Self { key, id }
    }

    fn hash(&self, password: &Secret<String>, salt: &[u8]) -> Result<String, Fault> {
        let hash = self.argon2().and_then(|argon2| argon2.hash_password_with_salt(password.expose().as_bytes(), salt));
        hash.map(|hash| hash.to_string())
            .map_err(|error| Fault::internal("a password could not be hashed").because(error))
    }

    fn verify(&self, password: &Secret<String>, stored: &str) -> Result<bool, Fault> {
        let unreadable = |error| Fault::internal("a stored password hash cannot be read").because(error);
        let hash = PasswordHash::new(stored).map_err(|error| unreadable(Error::from(error)))?;
        let params = Params::try_from(&hash).map_err(unreadable)?;
        if params.keyid() != self.id {
            return Err(Fault::internal(
                "a stored password hash was made with a pepper that this process does not hold",
            ));
        }
        match self.argon2().and_then(|argon2| argon2.verify_password(password.expose().as_bytes(), &hash)) {
            Ok(()) => Ok(true),
            Err(Error::PasswordInvalid) => Ok(false),
            Err(error) => Err(unreadable(error)),
        }
    }

    fn would_make(&self, stored: &str) -> HashResult<bool> {
        let hash = PasswordHash::new(stored)?;
        let salt_is_ours = hash.salt.as_ref().is_some_and(|salt| salt.len() == SALT_BYTES);
        Ok(salt_is_ours
            && hash.algorithm == Algorithm::Argon2id.ident()
            && hash.version == Some(Version::V0x13.into())
            && Params::try_from(&hash)? == self.params()?)
    }

    fn argon2(&self) -> HashResult<Argon2<'_>> {
        Ok(Argon2::new_with_secret(&self.key, Algorithm::Argon2id, Version::V0x13, self.params()?)?)
    }

    fn params(&self) -> HashResult<Params> {
        let mut params = ParamsBuilder::new();
        params.m_cost(MEMORY_KIB).t_cost(PASSES).p_cost(LANES).output_len(OUTPUT_BYTES).keyid(KeyId::new(&self.id)?);
        Ok(params.build()?)
    }
}

fn overloaded() -> Fault {
    Fault::exhausted("OVERLOADED", "too many sign-ins at this moment; try again").retry_after(RETRY_AFTER)
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::sync::mpsc;
    use std::task::{Context, Poll, Waker};
    use std::time::Instant;

    use super::*;

    const PASSWORD: &str = "harbor lantern quiet";

    fn hasher(permits: usize, queue: usize) -> Hasher {
        Hasher::new([7; 32], permits, queue)
    }

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn the_password_verifies_and_no_other_does() {
        let hasher = hasher(2, 4);
        let stored = hasher.hash(&secret(PASSWORD)).await.unwrap();
        assert!(hasher.verify(&secret(PASSWORD), Some(&stored)).await.unwrap());
        for other in ["", "harbor lantern quieT", "harbor lantern quiet ", "harbor lantern quiet\0"] {
            assert!(!hasher.verify(&secret(other), Some(&stored)).await.unwrap(), "{other:?}");
        }
        assert!(!hasher.verify(&secret(PASSWORD), None).await.unwrap());
    }

    #[tokio::test]
    async fn a_stored_hash_names_its_parameters_and_no_two_share_a_salt() {
        let hasher = hasher(2, 4);
        let (one, two) = (hasher.hash(&secret(PASSWORD)).await.unwrap(), hasher.hash(&secret(PASSWORD)).await.unwrap());
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1,keyid="), "{one}");
        assert_ne!(one, two);
        assert_eq!(PasswordHash::new(&one).unwrap().salt.unwrap().len(), SALT_BYTES);
    }

    #[tokio::test]
    async fn the_rows_alone_verify_nothing() {
        let stored = hasher(1, 1).hash(&secret(PASSWORD)).await.unwrap();
        let hash = PasswordHash::new(&stored).unwrap();
        assert_eq!(Argon2::default().verify_password(PASSWORD.as_bytes(), &hash), Err(Error::PasswordInvalid));
    }

    #[tokio::test]
    async fn a_hash_under_another_pepper_is_a_fault_of_the_operator_and_not_a_wrong_password() {
        let stored = hasher(1, 1).hash(&secret(PASSWORD)).await.unwrap();
        let other = Hasher::new([8; 32], 1, 1);
        let fault = other.verify(&secret(PASSWORD), Some(&stored)).await.unwrap_err();
        assert_eq!(fault.kind(), base::Kind::Internal);
        assert!(other.needs_rehash(&stored));
    }

    #[tokio::test]
    async fn what_is_no_hash_is_a_fault_and_wants_to_be_made_anew() {
        let hasher = hasher(1, 1);
        for stored in ["", "plain", "$argon2id$v=19$m=19456,t=2,p=1", "$bcrypt$v=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNo"] {
            assert!(hasher.verify(&secret(PASSWORD), Some(stored)).await.is_err(), "{stored}");
            assert!(hasher.needs_rehash(stored), "{stored}");
        }
    }

    #[tokio::test]
    async fn a_hash_with_yesterday_s_parameters_still_verifies_and_wants_to_be_made_anew() {
        let hasher = hasher(1, 1);
        let pepper = &hasher.0.pepper;
        let mut params = ParamsBuilder::new();
        params.m_cost(8 * 1_024).t_cost(1).output_len(OUTPUT_BYTES).keyid(KeyId::new(&pepper.id).unwrap());
        let weaker = params.build().unwrap();
        let argon2 = Argon2::new_with_secret(&pepper.key, Algorithm::Argon2id, Version::V0x13, weaker).unwrap();
        let stored = argon2.hash_password_with_salt(PASSWORD.as_bytes(), &[1; SALT_BYTES]).unwrap().to_string();

        assert!(hasher.verify(&secret(PASSWORD), Some(&stored)).await.unwrap());
        assert!(!hasher.verify(&secret("harbor lantern loud"), Some(&stored)).await.unwrap());
        assert!(hasher.needs_rehash(&stored));
        assert!(!hasher.needs_rehash(&hasher.hash(&secret(PASSWORD)).await.unwrap()));
    }

    #[tokio::test]
    async fn who_finds_the_queue_full_is_told_at_once_and_a_place_left_can_be_taken() {
        let hasher = hasher(1, 1);
        let password = secret(PASSWORD);
        let core = Arc::clone(&hasher.0.cores).acquire_owned().await.unwrap();
        let mut first = pin!(hasher.hash(&password));
        assert!(poll_once(first.as_mut()).is_pending());
        {
            let mut leaver = pin!(hasher.verify(&password, None));
            assert!(poll_once(leaver.as_mut()).is_pending());
            let mut late = pin!(hasher.verify(&password, None));
            let Poll::Ready(Err(fault)) = poll_once(late.as_mut()) else { panic!("the queue should be full") };
            assert_eq!((fault.kind(), fault.reason()), (base::Kind::Exhausted, "OVERLOADED"));
            assert_eq!(fault.wait(), Some(RETRY_AFTER));
        }
        let mut next = pin!(hasher.verify(&password, None));
        assert!(poll_once(next.as_mut()).is_pending(), "the leaver's place is free");
        drop(core);
        first.await.unwrap();
        assert!(!next.await.unwrap());
    }

    #[tokio::test]
    async fn a_caller_who_goes_away_does_not_free_the_core_before_its_hash_is_done() {
        let hasher = hasher(1, 0);
        let (finish, finished) = mpsc::channel::<()>();
        {
            let mut call = pin!(hasher.compute(move |_| {
                let _ = finished.recv();
                Ok(())
            }));
            assert!(poll_once(call.as_mut()).is_pending());
        }
        assert_eq!((hasher.0.cores.available_permits(), hasher.0.places.available_permits()), (0, 0));
        drop(finish);
        drop(hasher.0.cores.acquire().await.unwrap());
        drop(hasher.0.places.acquire().await.unwrap());
    }

    #[tokio::test]
    async fn an_unknown_user_costs_a_hash_like_a_known_one() {
        let hasher = hasher(1, 0);
        let password = secret(PASSWORD);
        let stored = hasher.hash(&password).await.unwrap();
        let (mut known, mut unknown) = (Duration::MAX, Duration::MAX);
        for _ in 0..3 {
            for (stored, least) in [(Some(stored.as_str()), &mut known), (None, &mut unknown)] {
                let begin = Instant::now();
                hasher.verify(&password, stored).await.unwrap();
                *least = begin.elapsed().min(*least);
            }
        }
        // A tenth leaves room for a busy machine; without the hash it would be a thousandth.
        assert!(unknown > known / 10, "unknown {unknown:?}, known {known:?}");
    }

    #[test]
    fn debug_text_shows_the_bounds_and_no_key() {
        assert_eq!(format!("{:?}", hasher(2, 64)), "Hasher { permits: 2, queue: 64, .. }");
    }
}
