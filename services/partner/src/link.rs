//! Links: what a mail carries to its recipient, and what the database keeps of it (C6).
//!
//! The token is a MAC under a key that is held outside of the database, so that a draft can be shown again; the database
//! keeps only its SHA-256. It stands behind the `#` of an address, which no server sees and no log keeps (S-11).

use std::fmt;

use base::Secret;
use service::keys::{ServiceKeys, base64url, sha256};
use uuid::Uuid;

/// Days a link lives when nothing is asked for (C6).
pub const LIFE_DAYS_DEFAULT: i32 = 30;
/// Days a link lives at most (C6).
pub const LIFE_DAYS_MAX: i32 = 90;
/// Where a link stands in a stored text.
pub const PLACEHOLDER: &str = "{{link}}";

/// What a link leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A partnership to accept.
    Partnership,
    /// An invitation to accept.
    Invitation,
}

/// The address that every link begins with.
#[derive(Clone, Debug)]
pub struct LinkBase(String);

impl LinkBase {
    /// Reads an address such as `https://partner.example`.
    ///
    /// # Errors
    /// `MALFORMED`.
    pub fn parse(text: &str) -> Result<Self, (&'static str, String)> {
        let text = text.trim_end_matches('/');
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let is_plain =
            |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        if rest.is_some_and(is_plain) {
            return Ok(Self(text.to_owned()));
        }
        Err(("MALFORMED", "links begin with an address such as https://partner.example".to_owned()))
    }

    /// The whole link.
    pub fn link(&self, purpose: Purpose, token: &Secret<String>) -> String {
        let path = match purpose {
            Purpose::Partnership => "partnerships",
            Purpose::Invitation => "invitations",
        };
        format!("{self}/{path}#{}", token.expose())
    }
}

impl fmt::Display for LinkBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The token of one thing and one rotation of it.
pub fn token(keys: &ServiceKeys, purpose: Purpose, id: Uuid, rotation: i64) -> Secret<String> {
    let label = match purpose {
        Purpose::Partnership => "partnership link",
        Purpose::Invitation => "invitation link",
    };
    Secret::new(base64url(keys.mac(label, &[id.as_bytes(), &rotation.to_be_bytes()])))
}

/// What the database keeps of a token, and looks one up by.
pub fn digest(token: &str) -> [u8; 32] {
    sha256(token.as_bytes())
}

/// What names a link where calls are counted: looking often at one link slows nobody down who has another.
pub fn name(token: &str) -> String {
    base64url(digest(token))
}

/// What proves that somebody saw exactly this (S-12): the parties, by id and by name, and the scope.
pub fn consent_hash(keys: &ServiceKeys, purpose: Purpose, parts: &[&[u8]]) -> String {
    let label = match purpose {
        Purpose::Partnership => "partnership consent",
        Purpose::Invitation => "invitation consent",
    };
    base64url(keys.mac(label, parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_of_one_thing_one_rotation_and_one_purpose() {
        let keys = ServiceKeys::random(&["partner"]).remove("partner").unwrap();
        let id = Uuid::now_v7();
        let one = token(&keys, Purpose::Invitation, id, 1);
        assert_eq!(one.expose(), token(&keys, Purpose::Invitation, id, 1).expose());
        assert_eq!(one.expose().len(), 43, "256 bits");
        let others = [
            token(&keys, Purpose::Invitation, id, 2),
            token(&keys, Purpose::Partnership, id, 1),
            token(&keys, Purpose::Invitation, Uuid::now_v7(), 1),
        ];
        assert!(others.iter().all(|other| other.expose() != one.expose()));
        assert!(!one.expose().contains(&id.simple().to_string()));
    }

    #[test]
    fn a_link_keeps_its_token_behind_the_number_sign() {
        let base = LinkBase::parse("https://partner.example/").unwrap();
        let link = base.link(Purpose::Partnership, &Secret::new("abc".to_owned()));
        assert_eq!(link, "https://partner.example/partnerships#abc");
        for text in ["", "partner.example", "https://", "ftp://x.example", "https://x.example/#a", "https://a b"] {
            assert!(LinkBase::parse(text).is_err(), "{text}");
        }
    }
}
