//! Words: which nouns stand where, and what the project never says.

use super::{Finding, Tree};

/// A word of a text, in lower case: `AcceptInvitation` and `accept_invitation` are two words each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// In lower case.
    pub text: String,
    /// The identifier or word it is part of, as it is written.
    pub whole: String,
    /// What stands before that, at most two characters.
    pub before: String,
    /// The line, counted from 1.
    pub line: usize,
}

/// All words of a text.
pub fn words(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    for (line, code) in text.lines().enumerate() {
        let inside = |c: char| c.is_alphanumeric() || c == '_';
        let mut begin = None;
        for (at, c) in code.char_indices().chain([(code.len(), ' ')]) {
            match begin {
                None if inside(c) => begin = Some(at),
                Some(from) if !inside(c) => {
                    begin = None;
                    let before: Vec<char> = code[..from].chars().rev().take(2).collect();
                    let before: String = before.into_iter().rev().collect();
                    let whole = &code[from..at];
                    words.extend(parts(whole).into_iter().map(|part| Word {
                        text: part.to_lowercase(),
                        whole: whole.to_owned(),
                        before: before.clone(),
                        line: line + 1,
                    }));
                }
                _ => {}
            }
        }
    }
    words
}

/// An identifier cut at underscores and where a capital letter follows a small one.
fn parts(whole: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut small = false;
    for c in whole.chars() {
        if c == '_' || small && c.is_uppercase() {
            parts.push(String::new());
        }
        if c != '_'
            && let Some(last) = parts.last_mut()
        {
            last.push(c);
        }
        small = c.is_lowercase() || c.is_ascii_digit();
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// The nouns of the services. Principals, organizations and the names of the services stand in tokens and addresses, so
/// `shared/` knows them.
const BUSINESS: [&str; 18] = [
    "catalog",
    "customer",
    "dap",
    "delegation",
    "distributor",
    "enrollment",
    "entitlement",
    "invitation",
    "invoice",
    "license",
    "mpn",
    "partnership",
    "purchase",
    "relationship",
    "reseller",
    "seat",
    "sku",
    "subscription",
];

/// Where a business noun stands in `shared/` all the same.
const EXCEPTIONS: [(&str, &str, &str); 3] = [
    ("customer", "shared/service/src/journal.rs", "an entry names the customer it is about, by contract"),
    ("customer", "shared/service/src/audit.rs", "the journal is filtered by customer, by contract"),
    ("customer", "shared/service/migrations/0100_service.sql", "the journal's column"),
];

/// `shared/` is plumbing that a stranger could use.
pub fn business_nouns(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in
        tree.files().filter(|file| file.within("shared") && [".rs", ".sql"].iter().any(|end| file.path.ends_with(end)))
    {
        for word in words(&file.text) {
            let Some(noun) = BUSINESS.iter().find(|noun| word.text == **noun || word.text == format!("{noun}s")) else {
                continue;
            };
            if EXCEPTIONS.iter().any(|(allowed, path, _)| allowed == noun && *path == file.path) {
                continue;
            }
            let trouble = format!("`{}`: no business noun in shared/: say it in general words, or move it", word.whole);
            findings.push(Finding::new(&file.path, word.line, trouble));
        }
    }
    findings
}

/// No file names a place on somebody's machine: neither a home nor where this checkout stands.
pub fn machines(tree: &Tree) -> Vec<Finding> {
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/").trim_end_matches("/tests/").to_owned();
    let mut places = vec!["/home/", "/root/", "/Users/"];
    // A checkout right below the root has a name that may stand anywhere.
    if here.matches('/').count() > 1 {
        places.push(&here);
    }
    let mut findings = Vec::new();
    for file in tree.files().filter(|file| file.path != "tests/src/tidy/vocabulary.rs") {
        for (line, text) in file.text.lines().enumerate() {
            for place in places.iter().filter(|place| text.contains(*place)) {
                let trouble = format!("`{place}` is a place on one machine: say it relative to the workspace");
                findings.push(Finding::new(&file.path, line + 1, trouble));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_cut_into_words() {
        let found: Vec<String> =
            words("AcceptInvitation accept_invitation MPN_ID2x").into_iter().map(|w| w.text).collect();
        assert_eq!(found, ["accept", "invitation", "accept", "invitation", "mpn", "id2x"]);
    }
}
