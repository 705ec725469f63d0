//! System-made temporary secrets: 115 random bits, so a keyed fast hash is enough to store them (C18).

use service::keys::ServiceKeys;

/// What the database keeps of a temporary password.
pub fn temporary_digest(keys: &ServiceKeys, secret: &str) -> [u8; 32] {
    keys.mac("temporary password", &[secret.as_bytes()])
}
