//! What is looked for, in every form in which it can stand somewhere.

use std::collections::BTreeSet;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use uuid::Uuid;

/// Secrets, each with what it is.
#[derive(Debug, Default)]
pub(super) struct Canaries(Vec<(String, Vec<u8>)>);

impl Canaries {
    /// A text that nobody may find, and the bytes that it stands for when it is Base64: a token can be kept as either.
    pub(super) fn add(&mut self, what: &str, secret: &str) {
        assert!(secret.len() >= 16, "{what} is too short to be told from other bytes");
        self.add_bytes(what, secret.as_bytes());
        if let Ok(bytes) = URL_SAFE_NO_PAD.decode(secret) {
            self.add_bytes(what, &bytes);
        }
    }

    /// Bytes that nobody may find.
    pub(super) fn add_bytes(&mut self, what: &str, secret: &[u8]) {
        self.0.push((what.to_owned(), secret.to_vec()));
    }

    /// A token. Whatever came before the last part is no secret, and the last part alone would be enough.
    pub(super) fn add_token(&mut self, what: &str, token: &str) {
        self.add(what, token.rsplit('.').next().unwrap());
    }

    /// A new password that anybody could choose. Only its middle is looked for, however the rest is written.
    pub(super) fn password(&mut self, what: &str) -> String {
        let song = Uuid::now_v7().simple().to_string();
        self.add(what, &song);
        format!("Canary {song} sings")
    }

    /// Everything known, ready to be looked for.
    pub(super) fn search(&self) -> Search {
        let mut needles = Vec::new();
        let mut what = Vec::new();
        for (name, secret) in &self.0 {
            for form in forms(secret) {
                needles.push(form);
                what.push(name.clone());
            }
        }
        let automaton = AhoCorasick::builder().ascii_case_insensitive(true).build(needles).unwrap();
        Search { automaton, what }
    }
}

/// One pass finds every form of every secret.
#[derive(Debug)]
pub(super) struct Search {
    automaton: AhoCorasick,
    what: Vec<String>,
}

impl Search {
    /// What stands there and must not.
    pub(super) fn in_bytes(&self, haystack: &[u8]) -> BTreeSet<&str> {
        let found = self.automaton.find_overlapping_iter(haystack);
        found.map(|found| self.what[found.pattern().as_usize()].as_str()).collect()
    }
}

/// As they are, in hexadecimal and in decimal digits, and in both alphabets of Base64 at each of its three offsets.
fn forms(bytes: &[u8]) -> Vec<Vec<u8>> {
    let hexadecimal: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let decimal: Vec<String> = bytes.iter().map(u8::to_string).collect();
    let mut forms = vec![bytes.to_vec(), hexadecimal.into_bytes(), decimal.join(", ").into_bytes()];
    for offset in 0..3 {
        let padded = [&vec![0; offset], bytes].concat();
        // The digits that stand for these bytes alone, whatever comes before and after them.
        let own = (offset * 8).div_ceil(6)..padded.len() * 8 / 6;
        for alphabet in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            forms.push(alphabet.encode(&padded).into_bytes()[own.clone()].to_vec());
        }
    }
    forms
}

#[test]
fn a_secret_is_found_in_every_form_and_a_part_of_it_in_none() {
    let mut canaries = Canaries::default();
    let token = URL_SAFE_NO_PAD.encode([0xfb, 0xff, 7, 200, 31, 4, 99, 180, 250, 251, 252, 0, 17]);
    canaries.add("token", &token);
    let search = canaries.search();
    for secret in [token.as_bytes(), &URL_SAFE_NO_PAD.decode(&token).unwrap()] {
        for before in ["", "a", "ab", "abc"] {
            let around = [before.as_bytes(), secret, b"after"].concat();
            let hexadecimal: String = around.iter().map(|byte| format!("{byte:02X}")).collect();
            for haystack in [
                around.clone(),
                hexadecimal.into_bytes(),
                format!("{around:?}").into_bytes(),
                STANDARD_NO_PAD.encode(&around).into_bytes(),
                URL_SAFE_NO_PAD.encode(&around).into_bytes(),
            ] {
                assert!(!search.in_bytes(&haystack).is_empty(), "{}", String::from_utf8_lossy(&haystack));
            }
        }
        assert!(search.in_bytes(&secret[..secret.len() / 2]).is_empty());
    }
}
