//! Access tokens: who a caller is, signed by identity and verified offline everywhere.
//!
//! Owns the claims, their wire form (a profile of RFC 9068 without `client_id`: nobody here is an OAuth client) and the
//! signer. Promises that a signer never makes a token that a verifier would refuse for its life. Verification is
//! [`KeySet`](crate::keyset::KeySet)'s.

pub(crate) mod jwt;

use std::fmt;
use std::time::Duration;

use base::{Fault, Id, Secret, Timestamp};
use jsonwebtoken::EncodingKey;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::keys::{base64url, from_base64url, new_key_pair, public_key, sha256};

/// The longest life of an access token.
pub const ACCESS_TOKEN_LIFE: Duration = Duration::from_secs(10 * 60);

/// The `typ` that keeps an access token from being taken for a service token.
pub(crate) const TYPE: &str = "at+jwt";

/// All services of one installation are one audience.
pub(crate) const AUDIENCE: &str = "tandem";

/// Whether a principal is a person or a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrincipalKind {
    /// A person.
    User,
    /// A machine with a client id and secret.
    Workload,
}

/// The user for whom a workload acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnBehalfOf {
    /// The user.
    pub user: Uuid,
    /// The user's `auth_version` when the token was made, compared with that user's own floor.
    pub auth_version: i64,
}

/// What an access token says. Times are whole seconds on the wire, rounded down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The principal.
    pub subject: Uuid,
    /// Whether it is a person or a machine.
    pub kind: PrincipalKind,
    /// The organization it belongs to.
    pub organization: Uuid,
    /// That organization's kind.
    pub organization_kind: String,
    /// That organization's cloud.
    pub cloud: String,
    /// What it may do.
    pub roles: Vec<String>,
    /// Raised by whatever takes rights away; a token below the principal's floor is refused.
    pub auth_version: i64,
    /// When the principal last proved who it is.
    pub auth_time: Timestamp,
    /// The session of a user.
    pub session: Option<Uuid>,
    /// It may do nothing but replace its temporary password.
    pub must_change_password: bool,
    /// The user for whom a workload acts.
    pub on_behalf_of: Option<OnBehalfOf>,
    /// When the token was made.
    pub issued_at: Timestamp,
    /// From when it does not hold any more; at most [`ACCESS_TOKEN_LIFE`] after `issued_at`.
    pub expires_at: Timestamp,
    /// The token's own id.
    pub token_id: Uuid,
}

/// A public key that verifies access tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The id by which tokens name it.
    pub kid: String,
    /// The Ed25519 public key.
    pub public: [u8; 32],
}

impl Key {
    /// A key as the issuer publishes it: `x` of a JWK on the curve Ed25519 (RFC 8037).
    ///
    /// # Errors
    /// When it is none.
    pub fn published(kid: String, x: &str) -> Result<Self, Fault> {
        let public = from_base64url(x).and_then(|bytes| bytes.try_into().ok());
        let public = public.ok_or_else(|| Fault::internal("the issuer published a key that cannot be read"))?;
        Ok(Self { kid, public })
    }
}

/// Signs access tokens. Only identity has one.
#[derive(Clone)]
pub struct Signer {
    key: Key,
    signing: EncodingKey,
}

impl Signer {
    /// A new signer with its PKCS#8 document, which is to be kept sealed, and its public key. Its key id is the key's
    /// thumbprint (RFC 7638, RFC 8037).
    pub fn generate() -> (Self, Secret<Vec<u8>>, [u8; 32]) {
        let (pkcs8, public) = new_key_pair();
        let jwk = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, base64url(public));
        let kid = base64url(sha256(jwk.as_bytes()));
        let signing = EncodingKey::from_ed_der(pkcs8.expose());
        (Self { key: Key { kid, public }, signing }, pkcs8, public)
    }

    /// The signer of a kept PKCS#8 document.
    ///
    /// # Errors
    /// An internal fault when it is not an Ed25519 key.
    pub fn from_pkcs8(kid: &str, der: &[u8]) -> Result<Self, Fault> {
        let public = public_key(der).ok_or_else(|| Fault::internal(format!("signing key {kid} is not Ed25519")))?;
        Ok(Self { key: Key { kid: kid.to_owned(), public }, signing: EncodingKey::from_ed_der(der) })
    }

    /// What verifies this signer's tokens.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Signs the claims in the name of `issuer`.
    ///
    /// # Errors
    /// An internal fault when the claims ask for more than [`ACCESS_TOKEN_LIFE`] or make too large a token.
    pub fn sign(&self, claims: &Claims, issuer: &str) -> Result<Secret<String>, Fault> {
        if claims.expires_at.since(claims.issued_at) > ACCESS_TOKEN_LIFE {
            return Err(Fault::internal("an access token was to live longer than any verifier admits"));
        }
        let token = jwt::write(TYPE, &self.key.kid, &Wire::from_claims(claims, issuer), &self.signing)?;
        if token.len() > jwt::MAX_BYTES {
            return Err(Fault::internal("an access token was to be larger than any verifier reads"));
        }
        Ok(Secret::new(token))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("key", &self.key).finish_non_exhaustive()
    }
}

/// The claims by their names on the wire. Members it does not know are passed over, so that a newer issuer may add some.
#[derive(Serialize, Deserialize)]
pub(crate) struct Wire {
    iss: String,
    aud: String,
    sub: String,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: String,
    auth_time: i64,
    knd: PrincipalKind,
    org: String,
    okd: String,
    cld: String,
    roles: Vec<String>,
    ver: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    mcp: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    obo: Option<WireOnBehalfOf>,
}

#[derive(Serialize, Deserialize)]
struct WireOnBehalfOf {
    sub: String,
    ver: i64,
}

impl Wire {
    fn from_claims(claims: &Claims, issuer: &str) -> Self {
        Self {
            iss: issuer.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: claims.subject.to_string(),
            iat: claims.issued_at.seconds(),
            nbf: claims.issued_at.seconds(),
            exp: claims.expires_at.seconds(),
            jti: claims.token_id.to_string(),
            auth_time: claims.auth_time.seconds(),
            knd: claims.kind,
            org: claims.organization.to_string(),
            okd: claims.organization_kind.clone(),
            cld: claims.cloud.clone(),
            roles: claims.roles.clone(),
            ver: claims.auth_version,
            sid: claims.session.map(|session| session.to_string()),
            mcp: claims.must_change_password,
            obo: claims.on_behalf_of.map(|user| WireOnBehalfOf { sub: user.user.to_string(), ver: user.auth_version }),
        }
    }

    pub(crate) fn times(&self) -> jwt::Times {
        jwt::Times { iat: self.iat, nbf: self.nbf, exp: self.exp }
    }

    pub(crate) fn into_claims(self) -> Option<Claims> {
        let session = match self.sid {
            Some(session) => Some(uuid(&session)?),
            None => None,
        };
        let on_behalf_of = match self.obo {
            Some(user) => Some(OnBehalfOf { user: uuid(&user.sub)?, auth_version: user.ver }),
            None => None,
        };
        Some(Claims {
            subject: uuid(&self.sub)?,
            kind: self.knd,
            organization: uuid(&self.org)?,
            organization_kind: self.okd,
            cloud: self.cld,
            roles: self.roles,
            auth_version: self.ver,
            auth_time: time(self.auth_time)?,
            session,
            must_change_password: self.mcp,
            on_behalf_of,
            issued_at: time(self.iat)?,
            expires_at: time(self.exp)?,
            token_id: uuid(&self.jti)?,
        })
    }
}

fn uuid(text: &str) -> Option<Uuid> {
    Id::<Claims>::parse(text).map(Id::uuid)
}

fn time(seconds: i64) -> Option<Timestamp> {
    seconds.checked_mul(1_000_000).map(Timestamp::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyset::tests::{ISSUER, claims_at};

    #[test]
    fn a_kept_signer_signs_as_before() {
        let (signer, pkcs8, public) = Signer::generate();
        let again = Signer::from_pkcs8(&signer.key().kid, pkcs8.expose()).unwrap();
        assert_eq!((again.key(), again.key().public), (signer.key(), public));
        let claims = claims_at(Timestamp::from_micros(1_800_000_000_000_000));
        let token = signer.sign(&claims, ISSUER).unwrap().into_inner();
        assert_eq!(token, again.sign(&claims, ISSUER).unwrap().into_inner(), "Ed25519 is deterministic");
        assert!(Signer::from_pkcs8("k", b"not a key").is_err());
    }

    #[test]
    fn a_signer_makes_no_token_that_would_be_refused_for_its_life_or_size() {
        let (signer, _, _) = Signer::generate();
        let mut claims = claims_at(Timestamp::from_micros(1_800_000_000_000_000));
        claims.expires_at = claims.issued_at + ACCESS_TOKEN_LIFE + Duration::from_micros(1);
        assert!(signer.sign(&claims, ISSUER).is_err());
        claims.expires_at = claims.issued_at + ACCESS_TOKEN_LIFE;
        assert!(signer.sign(&claims, ISSUER).is_ok());
        claims.roles = vec!["R".repeat(9_000)];
        assert!(signer.sign(&claims, ISSUER).is_err());
    }

    #[test]
    fn printing_a_signer_or_its_token_shows_no_secret() {
        let (signer, pkcs8, _) = Signer::generate();
        assert!(format!("{signer:?}").starts_with("Signer { key: Key { kid:"));
        assert!(format!("{signer:?}").ends_with(", .. }"));
        assert_eq!(format!("{pkcs8:?}"), "Secret(…)");
    }
}
