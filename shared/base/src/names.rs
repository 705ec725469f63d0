//! What users, domains and people are called.
//!
//! Owns the one canonical form of each name, computed once, when the name is parsed. Promises that a canonical form is
//! its own canonical form: what looks taken to the eye of one function is taken to all of them (S-20). Refuses letters
//! that only look like ASCII in anything a person signs in with: a sign-in name is ASCII by rule, so that no two of
//! them look alike without being equal.

use std::fmt;

use unicode_normalization::UnicodeNormalization;

/// Characters in a sign-in name before the `@` at most.
pub const LOCAL_PART_MAX: usize = 64;
/// Characters in a domain at most.
pub const DOMAIN_MAX: usize = 255;
/// Characters in a sign-in name at most, with the `@`.
pub const SIGN_IN_NAME_MAX: usize = LOCAL_PART_MAX + 1 + DOMAIN_MAX;
/// Characters in a display name at most (O-01).
pub const DISPLAY_NAME_MAX: usize = 50;
/// Characters in a sort key at most. Compatibility forms grow up to eighteenfold, and a key must fit into an index.
pub const SORT_KEY_MAX: usize = 200;

/// What a user signs in with: `local@domain`. Two of them are equal when their keys are.
#[derive(Clone, Debug)]
pub struct SignInName {
    text: String,
    key: String,
    at: usize,
}

impl SignInName {
    /// Reads `local@domain`, keeping the spelling that was given beside the canonical one.
    ///
    /// # Errors
    /// `REQUIRED`, `TOO_LONG` or `MALFORMED`.
    pub fn parse(text: &str) -> Result<Self, (&'static str, String)> {
        let text = text.trim();
        if text.is_empty() {
            return Err(("REQUIRED", "is required".to_owned()));
        }
        let Some((local, domain)) = text.split_once('@') else {
            return Err(("MALFORMED", "has no @; a sign-in name is a name, an @ and a domain".to_owned()));
        };
        let (domain, local) = (Domain::parse(domain)?, LocalName::parse(local)?);
        Ok(Self { text: text.to_owned(), ..Self::compose(&local, &domain) })
    }

    /// Joins the part before the `@` with a domain.
    pub fn compose(local: &LocalName, domain: &Domain) -> Self {
        let text = format!("{}@{domain}", local.0);
        Self { key: text.to_ascii_lowercase(), at: local.0.len(), text }
    }

    /// The spelling that was given, for showing.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The canonical spelling, for comparing; unique among users that are not deleted.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What stands before the `@`, canonical.
    pub fn local(&self) -> &str {
        &self.key[..self.at]
    }

    /// What stands behind the `@`, canonical: the text of a [`Domain`].
    pub fn domain(&self) -> &str {
        &self.key[self.at + 1..]
    }
}

impl PartialEq for SignInName {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for SignInName {}

impl fmt::Display for SignInName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What stands before the `@` of a sign-in name, as it was written.
#[derive(Clone, Debug)]
pub struct LocalName(String);

impl LocalName {
    /// The name as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads 1 to 64 ASCII letters, digits, dots, underscores, hyphens and plus signs.
    ///
    /// # Errors
    /// `REQUIRED`, `TOO_LONG` or `MALFORMED`.
    pub fn parse(local: &str) -> Result<Self, (&'static str, String)> {
        if local.is_empty() {
            return Err(("REQUIRED", "has nothing before the @".to_owned()));
        }
        let count = local.chars().count();
        if count > LOCAL_PART_MAX {
            return Err(("TOO_LONG", format!("has {count} characters before the @; {LOCAL_PART_MAX} are accepted")));
        }
        if !local.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-+".contains(&b)) {
            let message = "before the @ only the letters a to z, digits, and . _ - + are accepted";
            return Err(("MALFORMED", message.to_owned()));
        }
        if local.split('.').any(str::is_empty) {
            return Err(("MALFORMED", "before the @ a dot stands between two other characters".to_owned()));
        }
        Ok(Self(local.to_owned()))
    }
}

/// A DNS domain in lower case, at least two labels of letters, digits and inner hyphens (RFC 1123). Names in other
/// scripts arrive as A-labels (`xn--…`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(String);

impl Domain {
    /// Reads a domain in any case, without a dot at the end.
    ///
    /// # Errors
    /// `REQUIRED`, `TOO_LONG` or `MALFORMED`.
    pub fn parse(text: &str) -> Result<Self, (&'static str, String)> {
        if text.is_empty() {
            return Err(("REQUIRED", "has no domain".to_owned()));
        }
        if text.len() > DOMAIN_MAX {
            return Err(("TOO_LONG", format!("the domain has {} characters; {DOMAIN_MAX} are accepted", text.len())));
        }
        let is_number = |label: &str| label.bytes().all(|b| b.is_ascii_digit());
        let well_formed = text.len() >= 4
            && text.split('.').all(is_label)
            && text.rsplit_once('.').is_some_and(|(_, last)| !is_number(last));
        if !well_formed {
            let message = "a domain is two or more labels of letters, digits and inner hyphens, such as example.com";
            return Err(("MALFORMED", message.to_owned()));
        }
        Ok(Self(text.to_ascii_lowercase()))
    }

    /// The domain in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// The label that an organization chooses for itself; its first domain is this under the common suffix (C35).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainPrefix(String);

impl DomainPrefix {
    /// Reads 3 to 27 lower-case letters, digits and single inner hyphens that begin with a letter. Two hyphens in a row
    /// are refused because they could make an A-label, which is shown as letters nobody chose.
    ///
    /// # Errors
    /// `REQUIRED` or `MALFORMED`.
    pub fn parse(text: &str) -> Result<Self, (&'static str, String)> {
        let text = text.trim();
        if text.is_empty() {
            return Err(("REQUIRED", "is required".to_owned()));
        }
        let well_formed = (3..=27).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && !text.ends_with('-')
            && !text.contains("--");
        if !well_formed {
            let message = "a domain prefix is 3 to 27 lower-case letters, digits and single inner hyphens, \
                           and begins with a letter";
            return Err(("MALFORMED", message.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The prefix.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The domain of this prefix under a suffix.
    ///
    /// # Errors
    /// `TOO_LONG` when the suffix leaves no room.
    pub fn under(&self, suffix: &Domain) -> Result<Domain, (&'static str, String)> {
        Domain::parse(&format!("{self}.{suffix}"))
    }
}

impl fmt::Display for DomainPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What people call a user or an organization: 1 to 50 characters on one line (O-01).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisplayName(String);

impl DisplayName {
    /// Trims and reads. Characters that turn the writing direction or break the line count as control characters: in a
    /// list they would change how the neighbors read.
    ///
    /// # Errors
    /// `REQUIRED`, `TOO_LONG` or `MALFORMED`.
    pub fn parse(text: &str) -> Result<Self, (&'static str, String)> {
        let text = text.trim();
        if text.is_empty() {
            return Err(("REQUIRED", "is required".to_owned()));
        }
        let count = text.chars().count();
        if count > DISPLAY_NAME_MAX {
            return Err(("TOO_LONG", format!("has {count} characters; 1 to {DISPLAY_NAME_MAX} are accepted")));
        }
        let disturbs =
            |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}');
        if text.chars().any(disturbs) {
            return Err(("MALFORMED", "has control characters".to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key that lists are ordered by.
    pub fn sort_key(&self) -> String {
        sort_key(&self.0)
    }
}

impl fmt::Display for DisplayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What lists are ordered by, byte by byte, on either database: compatibility form (NFKC), lower case, at most
/// [`SORT_KEY_MAX`] characters. It orders and filters; it never decides that two names are the same.
///
/// **Invariant:** the key of a key is that key (`the_key_of_a_sort_key_is_that_key`).
pub fn sort_key(display_name: &str) -> String {
    display_name.nfkc().flat_map(char::to_lowercase).nfkc().take(SORT_KEY_MAX).collect()
}

/// The least key that is greater than every key beginning with this one; `None` when there is none. With it a prefix is
/// a range, which any index answers.
pub fn prefix_end(prefix: &str) -> Option<String> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        // The character after the last one, in the order of the bytes, which is that of the code points.
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests;
