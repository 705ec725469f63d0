//! What an attacker tries first.
//!
//! Owns the list of well-known words and how far a password may stand from it: letter case, digits for letters, digits
//! and punctuation around or once in between, and two words side by side do not make a listed word a good one. Promises
//! to name the kind of weakness. Refuses to estimate strength: a password is on the beaten path or it is not.

use std::collections::HashSet;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;

/// The longest unit whose repetition is no better than the unit.
const UNIT_MAX: usize = 6;
/// The shortest piece of a row that counts as running along it.
const RUN_MIN: usize = 3;
/// The shortest context word that is looked for.
const NAME_MIN: usize = 3;
/// How many digits or signs around a word may stand for its own letters, as in `$ummer` or `pa55`.
const LEET_REACH: usize = 3;

/// Words that belong to every account here.
const OWN_NAMES: &[&str] = &["tandem"];

/// The words of `blocklist.txt`, as skeletons.
static WELL_KNOWN: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let lines = include_str!("blocklist.txt").lines().filter(|line| !line.starts_with('#'));
    lines.flat_map(str::split_whitespace).map(|word| skeleton(&lower(word))).collect()
});

/// Rows along which a finger or a thought runs, in either direction.
const ROWS: &[&str] = &[
    "abcdefghijklmnopqrstuvwxyz",
    "0123456789012345678901234567890",
    "1234567890-=",
    "!@#$%^&*()_+",
    "qwertyuiop[]\\",
    "asdfghjkl;'",
    "zxcvbnm,./",
    "qwertzuiopü",
    "yxcvbnm,.-",
    "azertyuiop",
    "qsdfghjklm",
    "wxcvbn",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/",
    "!qaz@wsx#edc$rfv%tgb^yhn&ujm*ik<(ol>)p:?",
    "qazwsxedcrfvtgbyhnujmikolp",
    "1q2w3e4r5t6y7u8i9o0p",
    "q1w2e3r4t5y6u7i8o9p0",
    "a1b2c3d4e5f6g7h8i9j0",
    "1a2b3c4d5e6f7g8h9i0j",
    "741852963",
    "147258369",
    "789456123",
];

/// Why a password would be guessed early; `None` when nothing says so. The text is in NFKC.
pub(super) fn weakness(text: &str, context: &[&str]) -> Option<&'static str> {
    let chars = lower(text);
    if period(&chars) <= UNIT_MAX {
        return Some("it repeats a few characters over and over");
    }
    if runs_along_rows(&chars) {
        return Some("it runs along the keyboard, the alphabet or the digits");
    }
    let cores = cores(&chars);
    let made_of = |known: &HashSet<String>| cores.iter().any(|core| is_one_or_two_of(core, known));
    if made_of(&WELL_KNOWN) {
        return Some("it is a well-known password or close to one");
    }
    let mut known = WELL_KNOWN.clone();
    known.extend(context.iter().chain(OWN_NAMES).flat_map(|name| names_in(name)));
    made_of(&known).then_some("it is made of a name that belongs to the account or the organization")
}

fn lower(text: &str) -> Vec<char> {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// The length of the shortest unit that the text repeats, the last time perhaps only in part.
fn period(chars: &[char]) -> usize {
    (1..chars.len()).find(|p| chars.iter().zip(&chars[*p..]).all(|(a, b)| a == b)).unwrap_or(chars.len())
}

/// Whether nothing is left of the text when pieces of rows and of equal characters are taken away; each character may
/// have been typed several times, and punctuation may stand around.
fn runs_along_rows(chars: &[char]) -> bool {
    let Some(first) = chars.iter().position(|c| c.is_alphanumeric()) else {
        return is_covered_by_runs(chars);
    };
    let last = chars.iter().rposition(|c| c.is_alphanumeric()).unwrap_or(first);
    let bare = &chars[first..=last];
    let mut once = bare.to_vec();
    once.dedup();
    is_covered_by_runs(chars) || is_covered_by_runs(bare) || is_covered_by_runs(&once)
}

fn is_covered_by_runs(chars: &[char]) -> bool {
    // reached[i]: the first i characters are pieces of rows. A run cut short at its end is still a run.
    let mut reached = vec![false; chars.len() + 1];
    reached[0] = true;
    for start in 0..chars.len() {
        if !reached[start] {
            continue;
        }
        for end in start + RUN_MIN..=chars.len() {
            if !is_run(&chars[start..end]) {
                break;
            }
            reached[end] = true;
        }
    }
    reached[chars.len()]
}

fn is_run(piece: &[char]) -> bool {
    let forward: String = piece.iter().collect();
    let backward: String = piece.iter().rev().collect();
    period(piece) == 1 || ROWS.iter().any(|row| row.contains(&forward) || row.contains(&backward))
}

/// What may be the word inside a decorated text, as skeletons.
fn cores(chars: &[char]) -> Vec<String> {
    let mut cores = Vec::new();
    let groups: Vec<&[char]> = chars.split(|c| !c.is_alphabetic()).filter(|group| !group.is_empty()).collect();
    if (1..=2).contains(&groups.len()) {
        cores.push(skeleton(&groups.concat()));
    }
    let first = chars.iter().position(|c| c.is_alphabetic());
    let last = chars.iter().rposition(|c| c.is_alphabetic());
    if let (Some(first), Some(last)) = (first, last) {
        for start in first.saturating_sub(LEET_REACH)..=first {
            for end in last + 1..=chars.len().min(last + 1 + LEET_REACH) {
                cores.push(skeleton(&chars[start..end]));
            }
        }
    }
    cores
}

/// Whether a core is a known word, two of them, or a repetition of that.
fn is_one_or_two_of(core: &str, known: &HashSet<String>) -> bool {
    let chars: Vec<char> = core.chars().collect();
    let period = period(&chars);
    let whole_units = chars.len().is_multiple_of(period.max(1));
    let unit: String = chars[..if whole_units { period } else { chars.len() }].iter().collect();
    let splits = |text: &str, word: &String| {
        text.strip_prefix(word.as_str()).is_some_and(|rest| rest.is_empty() || known.contains(rest))
    };
    known.iter().any(|word| splits(core, word) || splits(&unit, word))
}

/// The words of a name, and the name in one word, as skeletons.
fn names_in(name: &str) -> Vec<String> {
    let chars = lower(&name.nfkc().collect::<String>());
    let words = chars.split(|c| !c.is_alphanumeric()).map(skeleton);
    words.chain([skeleton(&chars)]).filter(|word| word.chars().count() >= NAME_MIN).collect()
}

/// Letters as they are meant: digits and signs become the letters they imitate, other signs vanish, and the letters that
/// share an imitation become one. Equal skeletons are close enough to call two words one; nothing else rests on them.
fn skeleton(chars: &[char]) -> String {
    chars.iter().filter_map(|&c| meant(c)).collect()
}

fn meant(c: char) -> Option<char> {
    match c {
        '0' => Some('o'),
        '1' | '!' | '|' | 'l' => Some('i'),
        '2' => Some('z'),
        '3' => Some('e'),
        '4' | '@' => Some('a'),
        '5' | '$' => Some('s'),
        '6' | '9' => Some('g'),
        '7' | '+' => Some('t'),
        '8' => Some('b'),
        _ => c.is_alphanumeric().then_some(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_weak(text: &str) -> bool {
        weakness(text, &["ana.lopez", "Harbor Retail Ltd", "harbor-eu2"]).is_some()
    }

    fn all_weak(texts: &[&str]) {
        for text in texts {
            assert!(is_weak(text), "{text} would be guessed early");
        }
    }

    #[test]
    fn a_repeated_character_or_short_unit_is_no_password() {
        all_weak(&[
            "aaaaaaaaaaaa",
            "            ",
            "121212121212",
            "abc!abc!abc!",
            "Xk9$mQXk9$mQ",
            "🦊🌵🦊🌵🦊🌵🦊🌵🦊🌵🦊🌵",
            "zKzkZKZKzkzK",
        ]);
    }

    #[test]
    fn a_run_along_the_keyboard_the_alphabet_or_the_digits_is_no_password() {
        all_weak(&["qwertyuiopasdf", "1234567890123", "abcdefghijkl", "lkjihgfedcba", "qweasdzxc123", "1qaz2wsx3edc"]);
        all_weak(&["1q2w3e4r5t6y", "!QAZ2wsx#EDC", "qwertz123456", "azertyuiop123", "112233445566", "aaaabbbbcccc"]);
        all_weak(&["1234567890!?", "!!poiuytrewq", "!@#$%^&*()_+", "098765432109", "aaaaaaZZZZZZ"]);
    }

    #[test]
    fn a_well_known_password_stays_one_in_any_dress() {
        all_weak(&["correcthorsebatterystaple", "Correct Horse Battery Staple", "iloveyouforever", "passwordpassword"]);
        all_weak(&[
            "Password1234!",
            "P@ssw0rd2024",
            "pa55w0rd!!!!",
            "!!!p4$$w0rd!!!",
            "PASSWORD_2025",
            "123password123",
        ]);
        all_weak(&[
            "$ummer2024!!!",
            "Welcome-2024",
            "W3lc0me!!2024",
            "pass1234word",
            "l3tme1n_please!",
            "changeme12345",
        ]);
        all_weak(&["password123abc", "adminpassword1", "qwertypassword", "1password2password3", "dragonmonkey99"]);
        all_weak(&["ＰＡＳＳＷＯＲＤ１２３４".nfkc().collect::<String>().as_str()]);
    }

    #[test]
    fn a_name_that_belongs_to_the_account_with_digits_and_punctuation_is_no_password() {
        all_weak(&[
            "anaLopez2024!",
            "Lopez1234567",
            "lopez.ana.2024",
            "Harbor123456",
            "harborretail1",
            "H4rb0r-R3t4il",
        ]);
        all_weak(&["harbor-eu2!!!!", "Tandem2024!!", "tandem-harbor-1", "HarborWelcome1", "Retail!Password"]);
        assert!(weakness("Harbor123456", &["Mueller GmbH"]).is_none_or(|why| !why.contains("name")));
        assert!(weakness("müller-2024-1", &["Müller GmbH"]).is_some_and(|why| why.contains("name")));
    }

    #[test]
    fn a_context_word_of_one_or_two_letters_condemns_nothing() {
        assert_eq!(weakness("qz8471#20x93", &["q", "z", "qz", "", "  "]), None);
    }

    #[test]
    fn ordinary_passphrases_and_random_text_pass() {
        for text in [
            "harbor lantern quiet",
            "violet tractor sings at noon",
            "my password is a long sentence",
            "Tandem bicycles need two riders",
            "k7#pQz!v2Lm9",
            "83#9!d27o$5g91",
            "8294710365827",
            "трамвай едет медленно",
            "春眠不覚暁処処聞啼鳥夜来",
            "abcdefgh-unless-longer",
            "qwerty but with a twist",
        ] {
            assert_eq!(weakness(text, &["ana.lopez", "Harbor Retail Ltd", "harbor-eu2"]), None, "{text}");
        }
    }

    #[test]
    fn the_longest_password_and_a_long_context_are_judged_without_panic() {
        let long: String = ('\u{4E00}'..).take(256).collect();
        assert_eq!(weakness(&long, &[&"Harbor ".repeat(60)]), None);
        for text in ["", "1", "!", "l", "!!!"] {
            weakness(text, &[text]);
        }
    }

    #[test]
    fn every_word_of_the_list_makes_a_password_that_is_refused() {
        let lines = include_str!("blocklist.txt").lines().filter(|line| !line.starts_with('#'));
        let mut words = 0;
        for word in lines.flat_map(str::split_whitespace) {
            words += 1;
            assert!(is_weak(&format!("{word}{word}2024!")), "{word}");
            assert!(is_weak(&format!("2024!{}", word.to_uppercase())), "{word}");
        }
        assert!(words > 400, "{words} words are too few to be the list");
    }
}
