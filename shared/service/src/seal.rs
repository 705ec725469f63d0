//! Values that leave the process unreadable: AES-256-GCM under a key that the database never sees.
//!
//! Promises that a sealed value opens only under the label and binding it was sealed with, so that moving it to another
//! row or principal makes it worthless. Refuses to say why it does not open.
//!
//! A sealed value is a random nonce of 12 bytes, the ciphertext, and the tag of 16 bytes. Nonces are random, so one
//! label may seal 2^32 values in the life of a master secret (NIST SP 800-38D, 8.3).

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base::Fault;

use crate::keys::{ServiceKeys, join, sure};

/// Seals `plain` for `label`, bound to what surrounds it (such as the principal and method it was made for).
pub fn seal(keys: &ServiceKeys, label: &'static str, binding: &[&[u8]], plain: &[u8]) -> Vec<u8> {
    let mut body = plain.to_vec();
    let nonce = sure(key(keys, label).seal_in_place_append_tag(aad(binding), &mut body), "AES-256-GCM seals");
    let mut sealed = Vec::with_capacity(NONCE_LEN + body.len());
    sealed.extend_from_slice(nonce.as_ref());
    sealed.append(&mut body);
    sealed
}

/// Opens what [`seal`] sealed under the same label and binding.
///
/// # Errors
/// An internal fault: a sealed value that does not open was damaged, moved or sealed under another master secret.
pub fn open(keys: &ServiceKeys, label: &'static str, binding: &[&[u8]], sealed: &[u8]) -> Result<Vec<u8>, Fault> {
    let closed = || Fault::internal(format!("a value sealed for {label} does not open here"));
    let (nonce, body) = sealed.split_at_checked(NONCE_LEN).ok_or_else(closed)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| closed())?;
    let mut body = body.to_vec();
    let plain = key(keys, label).open_in_place(nonce, aad(binding), &mut body).map_err(|_| closed())?;
    Ok(plain.to_vec())
}

fn key(keys: &ServiceKeys, label: &'static str) -> RandomizedNonceKey {
    let bytes = keys.derive_for_sealing(label);
    sure(RandomizedNonceKey::new(&AES_256_GCM, &bytes), "AES-256-GCM takes any 32 bytes for a key")
}

fn aad(binding: &[&[u8]]) -> Aad<Vec<u8>> {
    Aad::from(join(binding))
}

#[cfg(test)]
mod tests {
    use base::Kind;

    use super::*;

    fn keys() -> ServiceKeys {
        ServiceKeys::random(&["a"]).remove("a").unwrap()
    }

    #[test]
    fn a_sealed_value_opens_where_it_was_sealed() {
        let keys = keys();
        for plain in [b"".as_slice(), b"the temporary password"] {
            let sealed = seal(&keys, "replay", &[b"principal", b"method"], plain);
            assert!(plain.is_empty() || !sealed.windows(plain.len()).any(|part| part == plain));
            assert_eq!(open(&keys, "replay", &[b"principal", b"method"], &sealed).unwrap(), plain);
        }
    }

    #[test]
    fn it_opens_under_no_other_binding_label_or_key() {
        let home = keys();
        let sealed = seal(&home, "replay", &[b"ab", b"c"], b"secret");
        let bindings: [&[&[u8]]; 4] = [&[b"a", b"bc"], &[b"abc"], &[b"ab", b"c", b""], &[]];
        for binding in bindings {
            assert_eq!(open(&home, "replay", binding, &sealed).unwrap_err().kind(), Kind::Internal, "{binding:?}");
        }
        assert!(open(&home, "handle", &[b"ab", b"c"], &sealed).is_err());
        assert!(open(&keys(), "replay", &[b"ab", b"c"], &sealed).is_err());
    }

    #[test]
    fn damage_anywhere_is_noticed() {
        let keys = keys();
        let sealed = seal(&keys, "replay", &[], b"secret");
        for position in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[position] ^= 1;
            assert!(open(&keys, "replay", &[], &damaged).is_err(), "byte {position}");
            assert!(open(&keys, "replay", &[], &sealed[..position]).is_err(), "cut at {position}");
        }
    }

    #[test]
    fn the_same_value_never_looks_the_same() {
        let keys = keys();
        assert_ne!(seal(&keys, "replay", &[], b"secret"), seal(&keys, "replay", &[], b"secret"));
    }
}
