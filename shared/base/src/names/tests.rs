use unicode_normalization::char::is_combining_mark;

use super::*;

fn example() -> Domain {
    Domain::parse("example.com").unwrap()
}

fn every_character() -> impl Iterator<Item = char> {
    '\0'..=char::MAX
}

#[test]
fn a_sign_in_name_keeps_its_spelling_and_is_compared_in_lower_case() {
    let name = SignInName::parse("  Ana.Lopez+x@Example.COM ").unwrap();
    assert_eq!(name.text(), "Ana.Lopez+x@Example.COM");
    assert_eq!((name.key(), name.local(), name.domain()), ("ana.lopez+x@example.com", "ana.lopez+x", "example.com"));
    assert_eq!(name, SignInName::parse("ANA.LOPEZ+X@example.com").unwrap());
    assert_eq!(name, SignInName::compose(&LocalName::parse("ana.LOPEZ+x").unwrap(), &example()));
}

#[test]
fn whatever_character_stands_in_a_sign_in_name_its_key_is_its_own_key() {
    let mut accepted = 0;
    for c in every_character() {
        for text in [format!("a{c}b@example.com"), format!("a@ex{c}mple.com"), format!("{c}@example.com")] {
            let Ok(name) = SignInName::parse(&text) else { continue };
            accepted += 1;
            assert_eq!(SignInName::parse(name.key()).unwrap().key(), name.key());
            assert!(name.key().is_ascii(), "{text}");
        }
    }
    // Letters and digits in three places, `. _ - +` inside, `_ - +` alone, hyphen and dot in the domain.
    assert_eq!(accepted, 3 * 62 + 4 + 3 + 2);
}

#[test]
fn a_letter_that_only_looks_like_ascii_is_refused() {
    for text in ["аna@example.com", "ａna@example.com", "ana@exаmple.com", "ana\u{200B}@example.com", "ſam@example.com"]
    {
        assert_eq!(SignInName::parse(text).unwrap_err().0, "MALFORMED", "{text}");
    }
}

#[test]
fn a_sign_in_name_is_one_local_part_one_at_and_one_domain() {
    for text in ["ana", "ana@@example.com", "ana@b@example.com", ".ana@example.com", "ana.@example.com"] {
        assert_eq!(SignInName::parse(text).unwrap_err().0, "MALFORMED", "{text}");
    }
    for text in [
        "a..b@example.com",
        "a b@example.com",
        "ana@ example.com",
        "ana @example.com",
        "a\0b@example.com",
        "ana@example",
        "\"a\"@example.com",
    ] {
        assert_eq!(SignInName::parse(text).unwrap_err().0, "MALFORMED", "{text}");
    }
    for text in ["", "  ", "@example.com", "ana@"] {
        assert_eq!(SignInName::parse(text).unwrap_err().0, "REQUIRED", "{text}");
    }
    assert!(LocalName::parse(&"a".repeat(64)).is_ok());
    assert_eq!(LocalName::parse(&"a".repeat(65)).unwrap_err().0, "TOO_LONG");
    assert_eq!(LocalName::parse("a@example.org").unwrap_err().0, "MALFORMED");
}

#[test]
fn a_domain_is_lower_case_labels_of_letters_digits_and_inner_hyphens() {
    let longest = format!("{0}.{0}.{0}.{0}", "a".repeat(63));
    for text in ["a.co", "Example.COM", "a-b.c-d.example", "xn--mnchen-3ya.de", "3m.com", longest.as_str()] {
        assert_eq!(Domain::parse(text).unwrap().as_str(), text.to_ascii_lowercase());
    }
    let long_label = format!("{}.com", "a".repeat(64));
    for text in [
        "a.b",
        "example",
        "-a.com",
        "a-.com",
        "a..com",
        " a.com",
        ".a.com",
        "a.com.",
        "a_b.com",
        "münchen.de",
        "10.0.0.1",
    ] {
        assert_eq!(Domain::parse(text).unwrap_err().0, "MALFORMED", "{text}");
    }
    assert_eq!(Domain::parse(&long_label).unwrap_err().0, "MALFORMED");
    assert_eq!(Domain::parse(&format!("{longest}.a")).unwrap_err().0, "TOO_LONG");
    assert_eq!(Domain::parse("").unwrap_err().0, "REQUIRED");
}

#[test]
fn a_domain_prefix_begins_with_a_letter_and_can_never_become_an_a_label() {
    for text in ["abc", "contoso-retail2", &"a".repeat(27)] {
        assert_eq!(DomainPrefix::parse(text).unwrap().as_str(), text);
    }
    let too_long = "a".repeat(28);
    for text in ["ab", "Abc", "1bc", "-bc", "bc-", "a.b", "xn--abc", "a_b", "åbc", too_long.as_str()] {
        assert_eq!(DomainPrefix::parse(text).unwrap_err().0, "MALFORMED", "{text}");
    }
    assert_eq!(DomainPrefix::parse("").unwrap_err().0, "REQUIRED");
}

#[test]
fn a_prefix_under_a_suffix_is_a_domain_unless_there_is_no_room() {
    let prefix = DomainPrefix::parse("contoso").unwrap();
    assert_eq!(prefix.under(&example()).unwrap().as_str(), "contoso.example.com");
    let full = Domain::parse(&format!("{0}.{0}.{0}.{0}", "a".repeat(63))).unwrap();
    assert_eq!(prefix.under(&full).unwrap_err().0, "TOO_LONG");
}

#[test]
fn a_display_name_is_counted_in_characters_after_trimming() {
    assert_eq!(DisplayName::parse("  Ana López ").unwrap().as_str(), "Ana López");
    assert!(DisplayName::parse(&"é".repeat(50)).is_ok());
    assert_eq!(DisplayName::parse(&"é".repeat(51)).unwrap_err().0, "TOO_LONG");
    assert_eq!(DisplayName::parse(" \t ").unwrap_err().0, "REQUIRED");
}

#[test]
fn a_display_name_cannot_disturb_the_line_it_stands_in() {
    for text in ["a\0b", "a\nb", "a\u{85}b", "a\u{202E}b", "a\u{2066}b", "a\u{2028}b"] {
        assert_eq!(DisplayName::parse(text).unwrap_err().0, "MALFORMED", "{text:?}");
    }
    assert!(DisplayName::parse("👩\u{200D}💻 Ada").is_ok(), "joined emoji are one picture, not a control");
}

#[test]
fn lists_put_wide_composed_and_upper_case_spellings_side_by_side() {
    assert_eq!(sort_key("ＡNA"), "ana");
    assert_eq!(sort_key("E\u{301}va"), sort_key("éva"));
    assert_eq!(sort_key("ﬁnch"), "finch");
    assert!(sort_key("ana") < sort_key("Bea") && sort_key("Bea") < sort_key("cid"));
}

#[test]
fn the_key_of_a_sort_key_is_that_key() {
    for c in every_character() {
        let alone = c.to_string();
        let key = sort_key(&alone);
        assert_eq!(sort_key(&key), key, "{c:?}");
        if key == alone && !is_combining_mark(c) {
            continue;
        }
        for text in [format!("x{c}\u{301}"), format!("Α{c}\u{345}Σ"), format!("{c} {c}")] {
            let key = sort_key(&text);
            assert_eq!(sort_key(&key), key, "{text:?}");
        }
    }
}

#[test]
fn a_sort_key_fits_into_an_index_however_its_characters_expand() {
    let key = sort_key(&"\u{FDFA}".repeat(50));
    assert_eq!(key.chars().count(), SORT_KEY_MAX);
    assert_eq!(sort_key(&key), key);
}

#[test]
fn the_end_of_a_prefix_lies_right_behind_everything_that_begins_with_it() {
    assert_eq!(prefix_end("fab").as_deref(), Some("fac"));
    assert_eq!(prefix_end("a\u{10ffff}").as_deref(), Some("b"));
    assert_eq!(prefix_end("\u{d7ff}").as_deref(), Some("\u{e000}"), "there are no characters between");
    assert_eq!(prefix_end(""), None);
    for (prefix, longer) in [("fab", "fab\u{10ffff}\u{10ffff}"), ("\u{7f}", "\u{7f}z"), ("é", "é")] {
        let end = prefix_end(prefix).unwrap();
        assert!(prefix <= longer && longer < end.as_str() && !end.starts_with(prefix));
    }
}
