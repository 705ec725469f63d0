//! The keys of a service: what it signs with, what it derives secrets from, and whom it believes.
//!
//! Owns the key files, the key derivation and the service tokens by which services know each other. Promises that two
//! labels never share a key, that no secret is printed, and that a key once made is never overwritten. Refuses key
//! files that others can read, and refuses to say what was wrong with a token.

mod files;
mod primitives;
mod service_token;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use aws_lc_rs::{hkdf, hmac};
use base::Secret;
use jsonwebtoken::{DecodingKey, EncodingKey};

pub(crate) use primitives::sure;
pub use primitives::{base64url, from_base64url, random_bytes, random_token, same, sha256, temporary_secret};
pub use service_token::SERVICE_TOKEN_LIFE;

/// The keys of one service, and the public keys of all.
#[derive(Clone)]
pub struct ServiceKeys {
    service: String,
    signing: EncodingKey,
    root: hkdf::Prk,
    peers: Arc<BTreeMap<String, DecodingKey>>,
}

impl ServiceKeys {
    /// Fresh keys that exist in memory only, one set per service, who know each other: for test worlds.
    pub fn random(services: &[&str]) -> BTreeMap<String, Self> {
        let materials: Vec<Material> = services.iter().map(|service| Material::random(service)).collect();
        let peers = trusted(materials.iter().map(|material| (material.service.clone(), material.public)));
        materials.iter().map(|material| (material.service.clone(), Self::assemble(material, &peers))).collect()
    }

    fn assemble(material: &Material, peers: &Arc<BTreeMap<String, DecodingKey>>) -> Self {
        Self {
            service: material.service.clone(),
            signing: EncodingKey::from_ed_der(material.pkcs8.expose()),
            root: hkdf::Salt::new(hkdf::HKDF_SHA256, b"service-keys-1").extract(material.master.expose()),
            peers: Arc::clone(peers),
        }
    }

    /// The service whose keys these are.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The key for one purpose: HKDF-SHA-256 (RFC 5869) of the master secret with the label as info.
    pub fn derive(&self, label: &'static str) -> [u8; 32] {
        self.expand(&[label.as_bytes()])
    }

    /// The key that seals under a label; another one than [`derive`](Self::derive) gives, so that no key serves both
    /// a MAC and a cipher.
    pub(crate) fn derive_for_sealing(&self, label: &'static str) -> [u8; 32] {
        self.expand(&[b"seal\0", label.as_bytes()])
    }

    fn expand(&self, info: &[&[u8]]) -> [u8; 32] {
        let mut key = [0; 32];
        let filled = self.root.expand(info, hkdf::HKDF_SHA256).and_then(|okm| okm.fill(&mut key));
        sure(filled, "HKDF-SHA-256 gives 32 bytes");
        key
    }

    /// HMAC-SHA-256 under `derive(label)`. Each part goes in with its length, so no two lists of parts collide.
    pub fn mac(&self, label: &'static str, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &self.derive(label)));
        context.update(&join(parts));
        primitives::array(context.sign().as_ref())
    }
}

impl fmt::Debug for ServiceKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceKeys").field("service", &self.service).finish_non_exhaustive()
    }
}

/// Parts one after the other, each behind its length (u64, big-endian): different lists give different bytes.
pub(crate) fn join(parts: &[&[u8]]) -> Vec<u8> {
    let mut joined = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        joined.extend_from_slice(&(part.len() as u64).to_be_bytes());
        joined.extend_from_slice(part);
    }
    joined
}

/// A new Ed25519 key pair: PKCS#8 and public key.
pub(crate) fn new_key_pair() -> (Secret<Vec<u8>>, [u8; 32]) {
    let document = sure(Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()), "no Ed25519 key could be made");
    let pkcs8 = document.as_ref().to_vec();
    let public = sure(public_key(&pkcs8).ok_or(()), "a new Ed25519 key can be read");
    (Secret::new(pkcs8), public)
}

/// The public key of a PKCS#8 Ed25519 key, when it is one.
pub(crate) fn public_key(pkcs8: &[u8]) -> Option<[u8; 32]> {
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8).ok()?;
    pair.public_key().as_ref().try_into().ok()
}

/// What is secret of a service, with the public key that follows from it.
struct Material {
    service: String,
    pkcs8: Secret<Vec<u8>>,
    master: Secret<[u8; 32]>,
    public: [u8; 32],
}

impl Material {
    fn random(service: &str) -> Self {
        let (pkcs8, public) = new_key_pair();
        Self { service: service.to_owned(), pkcs8, master: Secret::new(random_bytes()), public }
    }
}

fn trusted(bundle: impl Iterator<Item = (String, [u8; 32])>) -> Arc<BTreeMap<String, DecodingKey>> {
    Arc::new(bundle.map(|(service, public)| (service, DecodingKey::from_ed_der(&public))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_services_and_purposes_never_share_a_key() {
        let all = ServiceKeys::random(&["a", "b"]);
        let (a, b) = (&all["a"], &all["b"]);
        assert_eq!(a.derive("replay"), a.clone().derive("replay"));
        assert_ne!(a.derive("replay"), a.derive("page-token"));
        assert_ne!(a.derive("replay"), b.derive("replay"));
        assert_ne!(a.derive("replay"), a.derive_for_sealing("replay"));
    }

    #[test]
    fn a_mac_tells_apart_every_split_of_the_same_bytes() {
        let all = ServiceKeys::random(&["a"]);
        let mac = |parts: &[&[u8]]| all["a"].mac("test", parts);
        assert_eq!(mac(&[b"ab", b"c"]), mac(&[b"ab", b"c"]));
        let splits: [&[&[u8]]; 5] = [&[b"ab", b"c"], &[b"a", b"bc"], &[b"abc"], &[b"abc", b""], &[b"", b"abc"]];
        for (i, left) in splits.iter().enumerate() {
            for right in &splits[i + 1..] {
                assert_ne!(mac(left), mac(right), "{left:?} {right:?}");
            }
        }
    }

    #[test]
    fn printing_keys_shows_the_service_and_no_secret() {
        let all = ServiceKeys::random(&["a"]);
        assert_eq!(format!("{:?}", all["a"]), "ServiceKeys { service: \"a\", .. }");
    }
}
