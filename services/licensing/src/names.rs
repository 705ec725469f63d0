//! How names are ordered and found by their beginnings, alike on both databases.

use unicode_normalization::UnicodeNormalization as _;

/// Characters of a sort key at most.
const SORT_KEY_MAX: usize = 100;

/// What lists are ordered by, byte by byte: compatibility form (NFKC), lower case, cut. It orders and filters; it never
/// decides that two names are the same.
pub fn sort_key(name: &str) -> String {
    name.nfkc().flat_map(char::to_lowercase).nfkc().take(SORT_KEY_MAX).collect()
}

/// The least key that is greater than every key beginning with this one; `None` when there is none. With it a prefix is
/// a range, which any index answers.
pub fn prefix_end(prefix: &str) -> Option<String> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ordered_in_any_letter_case_and_width() {
        assert_eq!(sort_key("Ｈarbor MAIL"), "harbor mail");
        assert_eq!(sort_key(&sort_key("ŒUVRE ﬁn")), sort_key("ŒUVRE ﬁn"));
        assert_eq!(sort_key(&"x".repeat(300)).len(), SORT_KEY_MAX);
    }

    #[test]
    fn a_prefix_is_a_range() {
        assert_eq!(prefix_end("ab"), Some("ac".to_owned()));
        assert_eq!(prefix_end("a\u{10ffff}"), Some("b".to_owned()));
        assert_eq!(prefix_end(""), None);
    }
}
