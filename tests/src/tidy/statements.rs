//! Every SQL statement of the workspace, and every text that it can have.
//!
//! A statement is one expression: `.sql("…")` or `.sql_for("…", "…")`, what is bound and joined, and the call that runs
//! it. What cannot be understood as that is a finding, so that none is overlooked.

use std::collections::BTreeSet;

use base::{Keyset, Seek};
use db::{Dialect, Text};
use proc_macro2::Span;
use syn::visit::{self, Visit};
use syn::{Expr, ExprMethodCall, Lit};
use uuid::Uuid;

use super::{File, Finding, Tree};

/// A statement.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The file.
    pub path: String,
    /// Where its text begins.
    pub line: usize,
    sqlite: String,
    postgres: String,
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
enum Step {
    Bind,
    When(String),
    WhenSet(String),
    Page { key: String, id: String },
    Lock(&'static str),
}

/// All statements outside of tests, and what could not be understood.
pub fn collect(tree: &Tree) -> (Vec<Chain>, Vec<Finding>) {
    let (mut chains, mut findings) = (Vec::new(), Vec::new());
    for file in tree.rust().filter(|file| !file.is_test()) {
        let ast = syn::parse_file(&file.text).unwrap_or_else(|error| panic!("{} is not Rust: {error}", file.path));
        let mut reader = Reader { file, seen: BTreeSet::new(), chains: Vec::new(), findings: Vec::new() };
        reader.visit_file(&ast);
        let tokens: Vec<_> = file.shipped_tokens().collect();
        for three in tokens.windows(3).filter(|three| three[0].is_sign(".") && three[2].is_sign("(")) {
            let read = reader.seen.iter().any(|(line, _)| *line == three[1].line);
            if begins(&three[1].text) && !read {
                let trouble = "a statement inside of a macro is not read: move it into a function";
                findings.push(Finding::new(&file.path, three[1].line, trouble));
            }
        }
        chains.extend(reader.chains);
        findings.extend(reader.findings);
    }
    (chains, findings)
}

fn begins(method: &str) -> bool {
    method == "sql" || method == "sql_for"
}

struct Reader<'f> {
    file: &'f File,
    seen: BTreeSet<(usize, usize)>,
    chains: Vec<Chain>,
    findings: Vec<Finding>,
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        let links = links(call);
        if let Some((at, first)) = links.iter().enumerate().find(|(_, link)| begins(&link.method.to_string())) {
            let start = first.method.span().start();
            if !self.file.tests_at(start.line) && self.seen.insert((start.line, start.column)) {
                match chain(&self.file.path, first, &links[at + 1..]) {
                    Ok(chain) => self.chains.push(chain),
                    Err((span, trouble)) => {
                        self.findings.push(Finding::new(&self.file.path, span.start().line, trouble));
                    }
                }
            }
        }
        visit::visit_expr_method_call(self, call);
    }
}

/// The calls of a chain, the first one first.
fn links(last: &ExprMethodCall) -> Vec<&ExprMethodCall> {
    let mut links = vec![last];
    let mut receiver: &Expr = &last.receiver;
    loop {
        receiver = match receiver {
            Expr::MethodCall(call) => {
                links.push(call);
                &call.receiver
            }
            Expr::Await(awaited) => &awaited.base,
            Expr::Try(tried) => &tried.expr,
            Expr::Paren(inner) => &inner.expr,
            _ => break,
        };
    }
    links.reverse();
    links
}

type Trouble = (Span, &'static str);

fn chain(path: &str, first: &ExprMethodCall, rest: &[&ExprMethodCall]) -> Result<Chain, Trouble> {
    let texts: Vec<String> = (0..first.args.len()).map(|at| literal(first, at)).collect::<Result<_, _>>()?;
    let (sqlite, postgres) = match texts.as_slice() {
        [both] => (both.clone(), both.clone()),
        [sqlite, postgres] => (sqlite.clone(), postgres.clone()),
        _ => return Err((first.method.span(), "a statement has one text or two")),
    };
    let line = first.method.span().start().line;
    let mut chain = Chain { path: path.to_owned(), line, sqlite, postgres, steps: Vec::new() };
    for link in rest {
        chain.steps.push(match link.method.to_string().as_str() {
            "bind" => Step::Bind,
            "when" => Step::When(literal(link, 1)?),
            "when_set" => Step::WhenSet(literal(link, 1)?),
            "page" => Step::Page { key: literal(link, 2)?, id: literal(link, 3)? },
            "for_update" => Step::Lock("FOR UPDATE"),
            "for_share" => Step::Lock("FOR SHARE"),
            "execute" | "all" | "optional" | "one" => return Ok(chain),
            _ => return Err((link.method.span(), "a statement is bound, joined, paged, locked and run, nothing else")),
        });
    }
    Err((first.method.span(), "a statement is run in the expression that begins it"))
}

fn literal(call: &ExprMethodCall, at: usize) -> Result<String, Trouble> {
    match call.args.get(at) {
        Some(Expr::Lit(literal)) => match &literal.lit {
            Lit::Str(text) => Ok(text.value()),
            _ => Err((call.method.span(), "SQL is text")),
        },
        _ => {
            Err((call.method.span(), "SQL is written here as a literal, so that every text can be prepared by a test"))
        }
    }
}

impl Chain {
    /// Every text that a request can make of it on this database.
    pub fn texts(&self, dialect: Dialect) -> Vec<Text> {
        let text = match dialect {
            Dialect::Sqlite => &self.sqlite,
            Dialect::Postgres => &self.postgres,
        };
        let keyset = Keyset { key: String::new(), id: Uuid::nil() };
        let seeks = [Seek::First, Seek::Last, Seek::After(keyset.clone()), Seek::Before(keyset)];
        self.steps.iter().fold(vec![Text::new(text.clone())], |texts, step| {
            let with = |change: &dyn Fn(&mut Text)| -> Vec<Text> {
                texts
                    .iter()
                    .cloned()
                    .map(|mut text| {
                        change(&mut text);
                        text
                    })
                    .collect()
            };
            match step {
                Step::Bind => with(&Text::bind),
                Step::When(fragment) => [texts.clone(), with(&|text| text.join_bound(fragment))].concat(),
                Step::WhenSet(fragment) => [texts.clone(), with(&|text| text.join(fragment))].concat(),
                Step::Page { key, id } => {
                    seeks.iter().flat_map(|seek| with(&|text| text.page(seek, key, id))).collect()
                }
                // A read-only transaction does not lock.
                Step::Lock(lock) if dialect == Dialect::Postgres => {
                    [texts.clone(), with(&|text| text.join(lock))].concat()
                }
                Step::Lock(_) => texts,
            }
        })
    }

    /// What is wrong with its parameters: each `$n` of the text is bound once, in order, before anything is joined, for
    /// an unbound one is NULL on SQLite and a joined one takes the next number.
    pub fn misbound(&self) -> Vec<Finding> {
        let mut troubles = Vec::new();
        let fixed = self.steps.iter().take_while(|step| matches!(step, Step::Bind)).count();
        if self.steps[fixed..].iter().any(|step| matches!(step, Step::Bind)) {
            troubles.push("bind everything before anything is joined: what is joined takes the next number".to_owned());
        }
        for text in [&self.sqlite, &self.postgres] {
            let wanted: BTreeSet<usize> = (1..=fixed).collect();
            let found = placeholders(text);
            if found != wanted {
                troubles.push(format!("the text has the parameters {found:?}, and {fixed} are bound"));
            }
        }
        for step in &self.steps {
            let (fragment, own) = match step {
                Step::When(fragment) => (fragment, true),
                Step::WhenSet(fragment) => (fragment, false),
                _ => continue,
            };
            if fragment.contains("$?") != own || placeholders(fragment).iter().any(|number| *number > fixed) {
                troubles
                    .push(format!("`{fragment}`: `$?` stands in a fragment with a value of its own, and only there"));
            }
        }
        troubles.into_iter().map(|trouble| Finding::new(&self.path, self.line, trouble)).collect()
    }

    /// What is written in one database's own way, or without a bound.
    pub fn unportable(&self) -> Vec<Finding> {
        const WORDS: [&str; 7] = ["ILIKE", "LIKE", "OFFSET", "NOW", "CURRENT_TIMESTAMP", "CURRENT_TIME", "NULLS"];
        let mut findings = Vec::new();
        let fragments = self.steps.iter().filter_map(|step| match step {
            Step::When(fragment) | Step::WhenSet(fragment) => Some(fragment),
            Step::Bind | Step::Page { .. } | Step::Lock(_) => None,
        });
        for text in [&self.sqlite, &self.postgres].into_iter().chain(fragments) {
            let upper = text.to_uppercase();
            let mut words = upper.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            if let Some(word) = words.find(|word| WORDS.contains(word)) {
                let trouble = format!("`{word}`: the dialect card of shared/db says what to write instead");
                findings.push(Finding::new(&self.path, self.line, trouble));
            }
            if upper.contains("SELECT *") || upper.contains("RETURNING *") {
                let trouble = "name the columns: a new one must not change what is read";
                findings.push(Finding::new(&self.path, self.line, trouble));
            }
        }
        findings
    }
}

fn placeholders(text: &str) -> BTreeSet<usize> {
    let digits = |rest: &str| rest.chars().take_while(char::is_ascii_digit).collect::<String>();
    text.split('$').skip(1).filter_map(|rest| digits(rest).parse().ok()).collect()
}
