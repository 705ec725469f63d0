//! Page tokens: where a page begins, in a form that nobody can read meaning into or make up.
//!
//! A token is bound to its scope (the caller's organization, the method, the digest of the filter), so one from another
//! list or another caller is refused like nonsense. It is not encrypted: it holds a sort key and an id that its owner
//! was just shown. Refuses everything above 4 KiB.

use base::{Fault, Keyset, Page, Seek};
use uuid::Uuid;

use crate::keys::{ServiceKeys, base64url, from_base64url, same};

const LABEL: &str = "page-token";
const MAX_BYTES: usize = 4 * 1024;
const MAC_BYTES: usize = 16;
const ID_BYTES: usize = 16;

const FIRST: u8 = 0;
const LAST: u8 = 1;
const AFTER: u8 = 2;
const BEFORE: u8 = 3;

/// The token for a seek within a scope. Sort keys are at most 3,000 bytes long; a longer one makes a token that
/// [`read`] refuses.
pub fn write(keys: &ServiceKeys, scope: &[&[u8]], seek: &Seek) -> String {
    let mut bytes = match seek {
        Seek::First => vec![FIRST],
        Seek::Last => vec![LAST],
        Seek::After(row) => position(AFTER, row),
        Seek::Before(row) => position(BEFORE, row),
    };
    let mac = mac(keys, scope, &bytes);
    bytes.extend_from_slice(&mac);
    base64url(bytes)
}

/// The seek of a token that [`write`] made for the same scope.
///
/// # Errors
/// `PAGE_TOKEN_INVALID` on the field `page_token`, whatever was wrong with it.
pub fn read(keys: &ServiceKeys, scope: &[&[u8]], token: &str) -> Result<Seek, Fault> {
    parse(keys, scope, token).ok_or_else(|| {
        let message = "is not a token of this list with this filter; leave it empty to begin again";
        Fault::field("page_token", "PAGE_TOKEN_INVALID", message)
    })
}

/// The seek of a request: `start` when it carries no token, otherwise what [`read`] says.
///
/// # Errors
/// As [`read`].
pub fn seek(keys: &ServiceKeys, scope: &[Vec<u8>], token: &str, start: Seek) -> Result<Seek, Fault> {
    if token.is_empty() { Ok(start) } else { read(keys, &parts(scope), token) }
}

/// The tokens of a page's neighbors; empty where there is none.
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    /// Of the next page.
    pub next: String,
    /// Of the previous page.
    pub previous: String,
}

impl Tokens {
    /// The tokens of this page within a scope.
    pub fn of<R>(keys: &ServiceKeys, scope: &[Vec<u8>], page: &Page<R>) -> Self {
        let scope = parts(scope);
        let token = |seek: &Option<Seek>| seek.as_ref().map(|seek| write(keys, &scope, seek)).unwrap_or_default();
        Self { next: token(&page.next), previous: token(&page.previous) }
    }
}

fn parts(scope: &[Vec<u8>]) -> Vec<&[u8]> {
    scope.iter().map(Vec::as_slice).collect()
}

fn parse(keys: &ServiceKeys, scope: &[&[u8]], token: &str) -> Option<Seek> {
    if token.len() > MAX_BYTES {
        return None;
    }
    let bytes = from_base64url(token)?;
    let (payload, found) = bytes.split_at_checked(bytes.len().checked_sub(MAC_BYTES)?)?;
    if !same(&mac(keys, scope, payload), found) {
        return None;
    }
    match payload.split_first()? {
        (&FIRST, []) => Some(Seek::First),
        (&LAST, []) => Some(Seek::Last),
        (&AFTER, row) => keyset(row).map(Seek::After),
        (&BEFORE, row) => keyset(row).map(Seek::Before),
        _ => None,
    }
}

fn position(direction: u8, row: &Keyset) -> Vec<u8> {
    [&[direction], row.id.as_bytes().as_slice(), row.key.as_bytes()].concat()
}

fn keyset(row: &[u8]) -> Option<Keyset> {
    let (id, key) = row.split_at_checked(ID_BYTES)?;
    Some(Keyset { id: Uuid::from_slice(id).ok()?, key: String::from_utf8(key.to_vec()).ok()? })
}

/// HMAC-SHA-256 cut to 128 bits (RFC 2104, 5), which is plenty for a value that only its forger would profit from.
fn mac(keys: &ServiceKeys, scope: &[&[u8]], payload: &[u8]) -> [u8; MAC_BYTES] {
    let mut parts = scope.to_vec();
    parts.push(payload);
    let mut cut = [0; MAC_BYTES];
    cut.copy_from_slice(&keys.mac(LABEL, &parts)[..MAC_BYTES]);
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCOPE: &[&[u8]] = &[b"organization", b"method", b"filter"];

    fn keys() -> ServiceKeys {
        ServiceKeys::random(&["a"]).remove("a").unwrap()
    }

    fn row(key: &str) -> Keyset {
        Keyset { key: key.to_owned(), id: Uuid::now_v7() }
    }

    #[test]
    fn every_seek_comes_back_as_it_went() {
        let keys = keys();
        let longest = "\u{e9}".repeat(1_500);
        let seeks =
            [Seek::First, Seek::Last, Seek::After(row("")), Seek::Before(row("müller")), Seek::After(row(&longest))];
        for seek in seeks {
            assert_eq!(read(&keys, SCOPE, &write(&keys, SCOPE, &seek)).unwrap(), seek);
        }
    }

    #[test]
    fn the_tokens_of_a_page_lead_on_and_back_and_none_leads_to_the_start() {
        let (keys, scope) = (keys(), vec![b"organization".to_vec(), b"filter".to_vec()]);
        let (next, previous) = (Seek::After(row("b")), Seek::Before(row("a")));
        let page = Page { rows: vec!["a", "b"], next: Some(next.clone()), previous: Some(previous.clone()) };
        let Tokens { next: next_token, previous: previous_token } = Tokens::of(&keys, &scope, &page);
        assert_eq!(seek(&keys, &scope, &next_token, Seek::First).unwrap(), next);
        assert_eq!(seek(&keys, &scope, &previous_token, Seek::First).unwrap(), previous);
        assert_eq!(seek(&keys, &scope, "", Seek::Last).unwrap(), Seek::Last);
        assert!(seek(&keys, &scope[1..], &next_token, Seek::First).is_err());
        let only = Page { rows: vec!["a"], next: None, previous: None };
        let none = Tokens::of(&keys, &scope, &only);
        assert!(none.next.is_empty() && none.previous.is_empty());
    }

    #[test]
    fn a_token_of_another_scope_or_service_is_refused() {
        let home = keys();
        let token = write(&home, SCOPE, &Seek::After(row("a")));
        let foreign: [&[&[u8]]; 4] = [
            &[b"another", b"method", b"filter"],
            &[b"organization", b"method", b"another"],
            &[b"organizationmethod", b"filter"],
            &[],
        ];
        for scope in foreign {
            let fault = read(&home, scope, &token).unwrap_err();
            assert_eq!(fault.reason(), "PAGE_TOKEN_INVALID");
            assert_eq!(fault.violations()[0].field, "page_token");
        }
        assert!(read(&keys(), SCOPE, &token).is_err());
        assert!(read(&home, SCOPE, &token).is_ok());
    }

    #[test]
    fn a_changed_cut_or_oversized_token_is_refused() {
        let keys = keys();
        let token = write(&keys, SCOPE, &Seek::After(row("abc")));
        let bytes = from_base64url(&token).unwrap();
        for position in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[position] ^= 1;
            assert!(read(&keys, SCOPE, &base64url(&changed)).is_err(), "byte {position}");
            assert!(read(&keys, SCOPE, &base64url(&bytes[..position])).is_err(), "cut at {position}");
        }
        for nonsense in ["", "=", "AAAA", &format!("{token}=")] {
            assert!(read(&keys, SCOPE, nonsense).is_err(), "{nonsense}");
        }
        let oversized = write(&keys, SCOPE, &Seek::After(row(&"x".repeat(3_100))));
        assert!(oversized.len() > MAX_BYTES && read(&keys, SCOPE, &oversized).is_err());
    }
}
