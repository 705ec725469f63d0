//! The form of a file: its size, its first lines, and what it must not leave behind.

use super::{File, Finding, Tree};

/// Lines of a Rust file at most.
const LINES_MAX: usize = 500;

/// A file is one subject, so it is not long.
pub fn length(tree: &Tree) -> Vec<Finding> {
    let long = |file: &&File| file.text.lines().count() > LINES_MAX;
    let trouble = format!("more than {LINES_MAX} lines: find the second subject in it and give it a file");
    tree.rust().filter(long).map(|file| Finding::new(&file.path, LINES_MAX + 1, &trouble)).collect()
}

/// Every crate and every folder opens with what it owns, promises and refuses.
pub fn front_pages(tree: &Tree) -> Vec<Finding> {
    let front = |file: &&File| ["lib.rs", "main.rs", "mod.rs"].contains(&file.name());
    let silent = tree.rust().filter(front).filter(|file| !file.text.starts_with("//! "));
    let trouble = "open with a paragraph (//!): what this owns, promises and refuses";
    silent.map(|file| Finding::new(&file.path, 1, trouble)).collect()
}

/// A lint is expected with a reason, never switched off.
pub fn lints(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        for three in file.tokens.windows(3) {
            if three[0].is_sign("[") && three[1].is_word("allow") && three[2].is_sign("(") {
                let trouble = "say #[expect(lint, reason = \"…\")], which tells when it is no longer needed";
                findings.push(Finding::new(&file.path, three[1].line, trouble));
            }
        }
    }
    findings
}

/// Nothing is left to do, and nothing is left from looking for a mistake.
pub fn leftovers(tree: &Tree) -> Vec<Finding> {
    const MACROS: [&str; 3] = ["todo", "unimplemented", "dbg"];
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    let mut findings = Vec::new();
    for file in tree.rust() {
        for pair in file.tokens.windows(2) {
            if pair[1].is_sign("!") && MACROS.iter().any(|name| pair[0].is_word(name)) {
                let trouble = format!("`{}!`: finish it", pair[0].text);
                findings.push(Finding::new(&file.path, pair[0].line, trouble));
            }
        }
        for (line, text) in file.text.lines().enumerate() {
            let comment = text.find("//").map_or("", |at| &text[at..]);
            if marks.iter().any(|mark| comment.contains(mark)) {
                findings.push(Finding::new(&file.path, line + 1, "a note of work to do: do it, or take the note out"));
            }
        }
    }
    findings
}

/// Whoever writes down an invariant names the test that keeps it true.
pub fn invariants(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let lines: Vec<&str> = file.text.lines().map(str::trim).collect();
        for (at, _) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("//") && line.contains(INVARIANT)) {
            let paragraph = lines[at..].iter().take_while(|line| line.starts_with("//") && line.len() > 4);
            let text = paragraph.map(|line| line.trim_start_matches(['/', '!', ' '])).collect::<Vec<_>>().join(" ");
            let quoted: Vec<&str> = text.split('`').skip(1).step_by(2).filter(|name| is_sentence(name)).collect();
            if quoted.is_empty() {
                findings.push(Finding::new(
                    &file.path,
                    at + 1,
                    "name the test that keeps the invariant true, in backticks",
                ));
            }
            for name in quoted.into_iter().filter(|name| !defined(tree, name)) {
                findings.push(Finding::new(&file.path, at + 1, format!("there is no test called {name}")));
            }
        }
    }
    findings
}

/// How a comment begins to tell an invariant.
const INVARIANT: &str = concat!("**", "Invariant:**");

/// The name of a test: a sentence of at least three words.
fn is_sentence(name: &str) -> bool {
    let name = name.rsplit("::").next().unwrap_or(name);
    name.matches('_').count() >= 2 && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn defined(tree: &Tree, name: &str) -> bool {
    let name = name.rsplit("::").next().unwrap_or(name);
    let defines = |file: &File| file.tokens.windows(2).any(|pair| pair[0].is_word("fn") && pair[1].is_word(name));
    tree.rust().any(defines)
}

/// Every test runs.
pub fn ignored(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        for pair in file.tokens.windows(2).filter(|pair| pair[0].is_sign("[") && pair[1].is_word("ignore")) {
            findings.push(Finding::new(&file.path, pair[1].line, "a test runs always, or it is none: take it out"));
        }
    }
    findings
}

/// A name says what is in a file, so no file is called after what does not fit elsewhere.
pub fn names(tree: &Tree) -> Vec<Finding> {
    const EMPTY: [&str; 8] = ["helper", "helpers", "manager", "managers", "misc", "util", "utils", "utilities"];
    let empty = |file: &&File| file.path.trim_end_matches(".rs").split('/').any(|part| EMPTY.contains(&part));
    let trouble = "name it after its subject: a room for what fits nowhere else grows without end";
    tree.rust().filter(empty).map(|file| Finding::new(&file.path, 1, trouble)).collect()
}
