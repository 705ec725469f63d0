//! The one strict form of a signed token (JWS compact, EdDSA), for access tokens and service tokens alike (S-08).
//!
//! The algorithm is fixed by the key; the header says type, algorithm and key id and *nothing else*, so a token cannot
//! bring its own key (`jwk`, `jku`, `x5u`, `x5c`) or ask for extensions (`crit`). Time is the caller's, never this
//! machine's.

use std::time::Duration;

use base::{Fault, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde::ser::Serialize;

use crate::keys::from_base64url;

/// Tokens above this are not even decoded.
pub(crate) const MAX_BYTES: usize = 8 * 1024;

/// How far the issuer's clock may run ahead of ours.
pub(crate) const LEEWAY: Duration = Duration::from_secs(5);

/// Signs `claims` into a token of type `typ`.
pub(crate) fn write(typ: &str, kid: &str, claims: &impl Serialize, key: &EncodingKey) -> Result<String, Fault> {
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some(typ.to_owned());
    header.kid = Some(kid.to_owned());
    jsonwebtoken::encode(&header, claims, key).map_err(|e| Fault::internal("a token could not be signed").because(e))
}

/// A token whose form is right. Nothing it says is believed yet, its key id is only used to find the key.
pub(crate) struct Unverified<'a> {
    token: &'a str,
    kid: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StrictHeader {
    typ: String,
    alg: String,
    kid: String,
}

/// Looks at the form of a token: its size, its three parts, its header.
pub(crate) fn open<'a>(token: &'a str, typ: &str) -> Option<Unverified<'a>> {
    if token.len() > MAX_BYTES || token.bytes().filter(|byte| *byte == b'.').count() != 2 {
        return None;
    }
    let (header, _) = token.split_once('.')?;
    let header: StrictHeader = serde_json::from_slice(&from_base64url(header)?).ok()?;
    (header.typ == typ && header.alg == "EdDSA").then_some(Unverified { token, kid: header.kid })
}

impl Unverified<'_> {
    /// The id of the key that is said to have signed it.
    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// Its claims, when `key` signed it and `issuer` made it for `audience`. The times are left to [`Times::admit`].
    pub(crate) fn verify<T: DeserializeOwned>(&self, key: &DecodingKey, issuer: &str, audience: &str) -> Option<T> {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        // The library would ask the system clock; ours follows the database and the test world.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Some(jsonwebtoken::decode(self.token, key, &validation).ok()?.claims)
    }
}

/// The times of a token in whole seconds since the epoch.
pub(crate) struct Times {
    /// When it was issued.
    pub(crate) iat: i64,
    /// From when it holds.
    pub(crate) nbf: i64,
    /// From when it does not hold any more.
    pub(crate) exp: i64,
}

impl Times {
    /// Whether a token with these times holds at `now`, and was not made to live longer than `life`.
    pub(crate) fn admit(&self, now: Timestamp, life: Duration) -> bool {
        let at = |seconds: i64| Timestamp::from_micros(seconds.saturating_mul(1_000_000));
        let soon = now + LEEWAY;
        at(self.exp) > now
            && at(self.nbf) <= soon
            && at(self.iat) <= soon
            && at(self.exp).since(at(self.iat)) <= life + LEEWAY
    }
}

/// Tokens as an attacker, or a careless issuer, would make them.
#[cfg(test)]
pub(crate) mod forge {
    use serde_json::Value;

    use crate::keys::base64url;

    /// Any header, any claims, any signature.
    pub(crate) fn token(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
        let message = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
        let signature = sign(message.as_bytes());
        format!("{message}.{}", base64url(signature))
    }

    /// The same object with one member set, or taken away by `null`.
    pub(crate) fn with(object: &Value, name: &str, value: Value) -> Value {
        let mut members = object.as_object().cloned().unwrap_or_default();
        if value.is_null() {
            members.remove(name)
        } else {
            members.insert(name.to_owned(), value)
        };
        Value::Object(members)
    }
}
