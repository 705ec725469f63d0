//! The rules of the house, each a function over a tree of files.
//!
//! Owns what can be told from the text of the workspace: who may import whom, where SQL, clocks and tasks stand, how
//! words are spelled, which statements, reasons and operations there are. Promises that a rule reads the tree it is
//! given and nothing else, so that each can be shown to fail on a made-up one. Refuses to know what the code does.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a rule that cannot read the house has nothing better to do than fail"
)]

pub mod contract;
pub mod form;
pub mod imports;
pub mod listing;
pub mod manifests;
pub mod matrix;
pub mod operations;
pub mod purity;
pub mod reasons;
pub mod spelling;
pub mod statements;
mod tokens;
mod tree;
pub mod vocabulary;

use std::fmt;

pub use tokens::{Kind, Token};
pub use tree::{File, Tree};

/// A place where a rule is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file, from the root of the workspace.
    pub path: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong, and what to do about it.
    pub trouble: String,
}

impl Finding {
    /// A finding in a file.
    pub fn new(path: impl Into<String>, line: usize, trouble: impl Into<String>) -> Self {
        Self { path: path.into(), line, trouble: trouble.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.trouble)
    }
}

/// A rule: every place where a tree breaks it.
pub type Rule = fn(&Tree) -> Vec<Finding>;

/// Demands that the rule finds something in each of the made-up trees, and nothing in the workspace.
///
/// # Panics
/// When it finds nothing where it must, or something where it must not.
#[track_caller]
pub fn keep(rule: Rule, broken: &[&[(&str, &str)]]) {
    for files in broken {
        assert!(!rule(&Tree::of(files)).is_empty(), "the rule does not notice what is wrong with {files:#?}");
    }
    none(&rule(&Tree::workspace()));
}

/// Demands that there are no findings.
///
/// # Panics
/// With all of them, when there are.
#[track_caller]
pub fn none(findings: &[Finding]) {
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(findings.is_empty(), "{} found:\n{}", findings.len(), lines.join("\n"));
}
