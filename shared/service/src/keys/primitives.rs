//! The few primitives everything here is built from: hash, randomness, comparison and text form.

use aws_lc_rs::{constant_time, digest, rand};
use base::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Letters and digits that nobody confuses on paper or on the telephone: without `0 O o`, `1 I l i`.
const UNAMBIGUOUS: &[u8; 55] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz";

/// Characters of a temporary secret: 20 * log2(55) = 115 bits, above the 112 that let a plain hash be stored (S-11).
const TEMPORARY_SECRET_CHARS: usize = 20;

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    array(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// Bytes from the cryptographic random generator.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    sure(rand::fill(&mut bytes), "the random generator of this machine fails");
    bytes
}

/// 32 random bytes as base64url: links, refresh tokens, client secrets. Store their [`sha256`] only.
pub fn random_token() -> Secret<String> {
    Secret::new(base64url(random_bytes::<32>()))
}

/// A password for its first use only: 20 unambiguous letters and digits, 115 bits.
pub fn temporary_secret() -> Secret<String> {
    // Bytes from the last, incomplete round of the alphabet are thrown away so that no character is likelier.
    let fair = 256 - 256 % UNAMBIGUOUS.len();
    let mut text = String::with_capacity(TEMPORARY_SECRET_CHARS);
    while text.len() < TEMPORARY_SECRET_CHARS {
        let fair_bytes = random_bytes::<32>().into_iter().map(usize::from).filter(|byte| *byte < fair);
        let wanted = TEMPORARY_SECRET_CHARS - text.len();
        text.extend(fair_bytes.take(wanted).map(|byte| char::from(UNAMBIGUOUS[byte % UNAMBIGUOUS.len()])));
    }
    Secret::new(text)
}

/// Whether two byte strings are equal, in a time that depends on their lengths only.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

/// Base64 in the URL-safe alphabet without padding.
pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads [`base64url`] in its one canonical form; padding, line breaks and stray trailing bits are `None`.
pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Copies what is 32 bytes long by its algorithm's definition.
pub(super) fn array(bytes: &[u8]) -> [u8; 32] {
    sure(bytes.try_into(), "SHA-256 and Ed25519 keys are 32 bytes long")
}

/// The outcome of what fails only when the machine cannot do cryptography at all.
///
/// Nothing can be answered safely then, and no caller could do anything about it.
#[expect(clippy::panic, reason = "to go on without randomness or ciphers would be worse than to stop")]
pub(crate) fn sure<T, E>(outcome: Result<T, E>, complaint: &'static str) -> T {
    match outcome {
        Ok(value) => value,
        Err(_) => panic!("{complaint}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_temporary_secret_has_twenty_unambiguous_characters_and_at_least_112_bits() {
        let mut seen = BTreeSet::new();
        for _ in 0..500 {
            let secret = temporary_secret().into_inner();
            assert_eq!(secret.len(), 20);
            assert!(secret.bytes().all(|c| c.is_ascii_alphanumeric() && !b"0Oo1Iil".contains(&c)), "{secret}");
            seen.extend(secret.bytes());
        }
        assert_eq!(seen.len(), UNAMBIGUOUS.len(), "10,000 characters leave none of the alphabet out");
        assert!(20.0 * (seen.len() as f64).log2() >= 112.0);
    }

    #[test]
    fn no_secret_comes_twice() {
        let secrets: BTreeSet<String> = (0..1000).map(|_| temporary_secret().into_inner()).collect();
        let tokens: BTreeSet<String> = (0..1000).map(|_| random_token().into_inner()).collect();
        assert_eq!((secrets.len(), tokens.len()), (1000, 1000));
        assert!(tokens.iter().all(|token| from_base64url(token).is_some_and(|bytes| bytes.len() == 32)));
    }

    #[test]
    fn text_that_is_not_the_canonical_form_is_not_read() {
        assert_eq!(from_base64url("AQI"), Some(vec![1, 2]));
        for wrong in ["AQI=", "AQJ", "AQ I", "A", "+/8"] {
            assert_eq!(from_base64url(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sha256_is_the_one_of_the_standard() {
        let expected = from_base64url("ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
        assert_eq!(Some(sha256(b"abc").to_vec()), expected);
        assert!(same(b"abc", b"abc") && !same(b"abc", b"abd") && !same(b"abc", b"ab"));
    }
}
