//! Passwords that people choose and attempt.
//!
//! Owns what makes a chosen password acceptable (C18, S-01) and the one form in which passwords are compared: NFKC,
//! computed once, never cut (S-06). Promises that everything that can be refused is refused before anything is hashed,
//! and that no message repeats what was typed. Refuses composition rules: length and the block list are all there is.
//! Temporary secrets are not chosen and not judged here.

mod blocklist;
mod hasher;
mod temporary;

use base::Secret;
use unicode_normalization::UnicodeNormalization;

pub use self::hasher::Hasher;
pub use self::temporary::temporary_digest;

/// Code points of a chosen password at least, after NFKC (C18).
pub const LENGTH_MIN: usize = 12;
/// Code points of a chosen password at most, after NFKC (C18).
pub const LENGTH_MAX: usize = 256;
/// Bytes that are looked at before NFKC: four for each code point, and as many again for what composes.
pub const RAW_BYTES_MAX: usize = 4_096;

/// A password that its owner chose and that passed every rule, in the form that is hashed.
#[derive(Clone, Debug)]
pub struct Chosen(Secret<String>);

impl Chosen {
    /// Judges a password. `context` are the words an attacker would try first for this account: the local part of the
    /// sign-in name, the display name, the organization's name and its domain prefix.
    ///
    /// # Errors
    /// `PASSWORD_TOO_SHORT`, `PASSWORD_TOO_LONG` or `PASSWORD_TOO_COMMON`; the message says why without repeating it.
    pub fn parse(text: &str, context: &[&str]) -> Result<Self, (&'static str, String)> {
        let too_long = || ("PASSWORD_TOO_LONG", format!("has more than {LENGTH_MAX} characters"));
        let normal = normalized(text).ok_or_else(too_long)?;
        if normal.chars().count() < LENGTH_MIN {
            return Err(("PASSWORD_TOO_SHORT", format!("has fewer than {LENGTH_MIN} characters")));
        }
        if let Some(weakness) = blocklist::weakness(&normal, context) {
            return Err(("PASSWORD_TOO_COMMON", format!("would be guessed early: {weakness}")));
        }
        Ok(Self(Secret::new(normal)))
    }

    /// The password, for hashing.
    pub const fn secret(&self) -> &Secret<String> {
        &self.0
    }
}

/// What somebody typed to sign in, in the form that is hashed; `None` when it is too long to be anybody's password.
/// Short attempts are not told apart: they cost what every attempt costs (S-04).
pub fn normalized_attempt(text: &str) -> Option<Secret<String>> {
    normalized(text).map(Secret::new)
}

fn normalized(text: &str) -> Option<String> {
    if text.len() > RAW_BYTES_MAX {
        return None;
    }
    let normal: String = text.nfkc().take(LENGTH_MAX + 1).collect();
    (normal.chars().count() <= LENGTH_MAX).then_some(normal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> &'static str {
        Chosen::parse(text, &[]).map_or_else(|(reason, _)| reason, |_| "ACCEPTED")
    }

    #[test]
    fn a_password_has_12_to_256_code_points() {
        // Neither repeated nor running: distinct characters of a script without case.
        let text = |length: u32| -> String { (0..length).map(|i| char::from_u32(0x4E00 + i * 7).unwrap()).collect() };
        assert_eq!(refusal(&text(11)), "PASSWORD_TOO_SHORT");
        assert_eq!(refusal(&text(12)), "ACCEPTED");
        assert_eq!(refusal(&text(256)), "ACCEPTED");
        assert_eq!(refusal(&text(257)), "PASSWORD_TOO_LONG");
    }

    #[test]
    fn characters_are_counted_after_they_are_composed() {
        let letters = "qzkxvjwpygbh";
        let decomposed: String = letters.chars().flat_map(|c| [c, '\u{323}', '\u{307}']).collect();
        let composed = Chosen::parse(&decomposed, &[]).unwrap();
        assert_eq!(*composed.secret().expose(), decomposed.nfkc().collect::<String>());
        let twelve_typed_eleven_meant = "qzkxvjwpyge\u{301}";
        assert_eq!(refusal(twelve_typed_eleven_meant), "PASSWORD_TOO_SHORT");
    }

    #[test]
    fn one_character_that_expands_counts_as_what_it_expands_to() {
        assert_eq!("\u{FDFA}".nfkc().count(), 18);
        assert_eq!(refusal(&"\u{FDFA}".repeat(15)), "PASSWORD_TOO_LONG");
    }

    #[test]
    fn megabytes_are_refused_without_being_normalized() {
        let huge = "é".repeat(1 << 20);
        assert_eq!(refusal(&huge), "PASSWORD_TOO_LONG");
        assert!(normalized_attempt(&huge).is_none());
    }

    #[test]
    fn spaces_emoji_and_nul_are_characters_like_any_other() {
        for text in ["harbor lantern quiet", " zvxq kjwp bnmt ", "🦊🌵🎷🧊🛶🪁🥨🧭🦉🎲🪴🛰", "qzk\0vjwpygbhrt"]
        {
            let chosen = Chosen::parse(text, &[]).unwrap();
            assert_eq!(chosen.secret().expose(), text, "nothing is trimmed or cut");
        }
    }

    #[test]
    fn the_same_password_typed_on_two_keyboards_is_one_password() {
        let chosen = Chosen::parse("Crème brûlée, tiède", &[]).unwrap();
        let attempt = normalized_attempt("Cre\u{300}me bru\u{302}le\u{301}e, tie\u{300}de").unwrap();
        assert_eq!(chosen.secret().expose(), attempt.expose());
    }

    #[test]
    fn an_attempt_of_any_length_up_to_the_limit_is_one() {
        for text in ["", "x", &"x".repeat(LENGTH_MAX)] {
            assert_eq!(normalized_attempt(text).unwrap().expose(), text);
        }
        assert!(normalized_attempt(&"x".repeat(LENGTH_MAX + 1)).is_none());
    }

    #[test]
    fn no_message_and_no_debug_text_repeats_the_password() {
        let marker = "hunter2";
        for text in ["hunter2", "hunter2hunter2", "hunter2!!!!!!!!", &"hunter2".repeat(60)] {
            let (_, message) = Chosen::parse(text, &["hunter2"]).unwrap_err();
            assert!(!message.contains(marker), "{message}");
        }
        let chosen = Chosen::parse("hunter2 walks along the pier", &[]).unwrap();
        assert!(!format!("{chosen:?}").contains(marker));
    }
}
