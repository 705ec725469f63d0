//! `tests/behaviors.md` is complete: every rule in scope, and every one that the contract and the code cite, stands on
//! tests that exist.
#![expect(clippy::unwrap_used, reason = "a test fails where something is missing")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every file below the folder with that ending.
fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, ending, found);
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
}

fn texts(folders: &[&str], ending: &str) -> Vec<String> {
    let mut found = Vec::new();
    for folder in folders {
        files(&root().join(folder), ending, &mut found);
    }
    found.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// The ids in a text: `D-14`, `O-10`, `AS-111`, `C18`.
fn ids(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'));
    let is_id = |word: &&str| {
        let number = ["D-", "O-", "AS-", "C"].iter().find_map(|prefix| word.strip_prefix(prefix));
        number.is_some_and(|digits| (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    words.filter(is_id).map(str::to_owned).collect()
}

fn page() -> String {
    fs::read_to_string(root().join("tests/behaviors.md")).unwrap()
}

/// The rows of the page: id, then the tests.
fn rows() -> BTreeMap<String, Vec<String>> {
    let page = page();
    let rows = page.lines().filter(|line| line.starts_with("| ") && line.ends_with("` |"));
    let mut read = BTreeMap::new();
    for line in rows {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        assert!(cells.len() == 3 && cells[1].len() > 20, "a row has an id, a sentence and tests: {line}");
        let tests = cells[2].split(", ").map(|test| test.trim_matches('`').to_owned()).collect();
        assert!(read.insert(cells[0].to_owned(), tests).is_none(), "{} has two rows", cells[0]);
    }
    read
}

/// The ids that the page says are in scope: they stand between the marks of a block.
fn scope() -> BTreeSet<String> {
    let page = page();
    let (_, after) = page.split_once("```text\n").unwrap();
    ids(after.split_once("```").unwrap().0)
}

#[test]
fn every_rule_in_scope_has_a_row_and_nothing_else_has() {
    let (scope, rows) = (scope(), rows());
    assert!(scope.len() > 100, "what is in scope is listed: {scope:?}");
    let listed: BTreeSet<String> = rows.into_keys().collect();
    let missing: Vec<&String> = scope.difference(&listed).collect();
    assert!(missing.is_empty(), "tests/behaviors.md has no row for {missing:?}");
    let strange: Vec<&String> = listed.difference(&scope).collect();
    assert!(strange.is_empty(), "tests/behaviors.md does not say that {strange:?} are in scope");
}

#[test]
fn every_rule_that_is_cited_has_a_row() {
    let rows = rows();
    let mut cited = BTreeSet::new();
    for text in texts(&["proto/tandem"], "proto").iter().chain(&texts(&["services", "shared"], "rs")) {
        cited.extend(ids(text));
    }
    assert!(cited.len() > 20, "the rules are cited by their ids: {cited:?}");
    let missing: Vec<&String> = cited.iter().filter(|id| !rows.contains_key(*id)).collect();
    assert!(missing.is_empty(), "tests/behaviors.md has no row for {missing:?}");
}

#[test]
fn every_row_names_a_test_that_sends_rpcs() {
    let sources = texts(&["tests/tests"], "rs");
    for (id, tests) in rows() {
        for test in tests {
            let declaration = format!("fn {test}(");
            let source = sources.iter().find(|source| source.contains(&declaration));
            assert!(source.is_some(), "{id}: there is no test {test} in tests/tests");
        }
    }
}

#[test]
fn ids_are_found_and_other_words_are_not() {
    let found = ids("C18 and D-14, AS-111; not C.UTF-8, CD-1, C1x, R-01 or (O-10)");
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["AS-111", "C18", "D-14", "O-10"]);
}
