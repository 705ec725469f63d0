//! The files of the workspace, or a few made-up ones.

use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

use super::tokens::{self, Imports, PathUse, Token};

/// Folders without anything of ours.
const SKIPPED: [&str; 3] = ["target", "node_modules", "data"];

/// Some files.
#[derive(Debug)]
pub struct Tree(Vec<File>);

/// One file.
#[derive(Debug)]
pub struct File {
    /// From the root of the workspace, with slashes.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Its tokens without comments, when it is Rust.
    pub tokens: Vec<Token>,
    /// The lines of code that is compiled for tests only.
    pub test_lines: Vec<RangeInclusive<usize>>,
    imports: Imports,
}

impl Tree {
    /// Every text file of the workspace.
    pub fn workspace() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests stand in the workspace");
        let mut files = Vec::new();
        walk(root, "", &mut files);
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Self(files)
    }

    /// Made-up files: path and text.
    pub fn of(files: &[(&str, &str)]) -> Self {
        Self(files.iter().map(|(path, text)| File::new((*path).to_owned(), (*text).to_owned())).collect())
    }

    /// All of them.
    pub fn files(&self) -> impl Iterator<Item = &File> {
        self.0.iter()
    }

    /// Those whose names end so.
    pub fn ending<'t>(&'t self, ending: &str) -> impl Iterator<Item = &'t File> {
        self.0.iter().filter(move |file| file.path.ends_with(ending))
    }

    /// The Rust files.
    pub fn rust(&self) -> impl Iterator<Item = &File> {
        self.ending(".rs")
    }
}

impl File {
    fn new(path: String, text: String) -> Self {
        let (tokens, test_lines) = if path.ends_with(".rs") { tokens::read(&path, &text) } else { Default::default() };
        let imports = Imports::of(&tokens);
        Self { path, text, tokens, test_lines, imports }
    }

    /// Whether the file is below the folder.
    pub fn within(&self, folder: &str) -> bool {
        self.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
    }

    /// The last part of the path.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Whether the whole file is compiled for tests only.
    pub fn is_test(&self) -> bool {
        let stem = self.name().trim_end_matches(".rs");
        self.path.split('/').any(|folder| folder == "tests" || folder == "testkit")
            || stem == "tests"
            || stem.ends_with("_tests")
    }

    /// Whether the line is compiled for tests only.
    pub fn tests_at(&self, line: usize) -> bool {
        self.is_test() || self.test_lines.iter().any(|lines| lines.contains(&line))
    }

    /// The tokens that are not compiled for tests only.
    pub fn shipped_tokens(&self) -> impl Iterator<Item = &Token> {
        self.tokens.iter().filter(|token| !self.tests_at(token.line))
    }

    /// Every path of the code, resolved by the file's imports, and the imports themselves.
    pub fn paths(&self) -> Vec<PathUse> {
        self.imports.paths(&self.tokens)
    }

    /// Those that are not compiled for tests only.
    pub fn shipped_paths(&self) -> Vec<PathUse> {
        self.paths().into_iter().filter(|used| !self.tests_at(used.line)).collect()
    }
}

fn walk(folder: &Path, path: &str, files: &mut Vec<File>) {
    for entry in fs::read_dir(folder).expect("a folder of the workspace can be read") {
        let entry = entry.expect("a folder of the workspace can be read");
        let name = entry.file_name().into_string().expect("a file name of the workspace is UTF-8");
        let kind = entry.file_type().expect("a file of the workspace has a type");
        if name.starts_with('.') && name != ".ci" || path.is_empty() && SKIPPED.contains(&name.as_str()) {
            continue;
        }
        let inner = if path.is_empty() { name } else { format!("{path}/{name}") };
        if kind.is_dir() {
            walk(&entry.path(), &inner, files);
        } else if let Ok(text) = fs::read_to_string(entry.path()) {
            files.push(File::new(inner, text));
        }
    }
}
