//! Rust as a flat list of tokens, and the paths among them: enough to tell what a file names, also inside of macros.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An identifier or keyword.
    Word,
    /// The value of a string literal.
    Text,
    /// Punctuation (`::` is one token), a bracket, or another literal.
    Sign,
}

/// A token. Comments, doc comments among them, are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// As it is written; of a string literal its value.
    pub text: String,
    /// Where it begins, counted from 1.
    pub line: usize,
}

impl Token {
    /// Whether it is that word.
    pub fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text == word
    }

    /// Whether it is that sign.
    pub fn is_sign(&self, sign: &str) -> bool {
        self.kind == Kind::Sign && self.text == sign
    }
}

/// A path as it is used, such as `["tokio", "task", "spawn"]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathUse {
    /// Its parts.
    pub parts: Vec<String>,
    /// Where it begins.
    pub line: usize,
}

impl PathUse {
    /// Whether it ends with these parts.
    pub fn ends_with(&self, end: &[&str]) -> bool {
        self.parts.len() >= end.len() && self.parts[self.parts.len() - end.len()..].iter().eq(end.iter())
    }

    /// Its first part, when it has another one.
    pub fn root(&self) -> Option<&str> {
        if self.parts.len() > 1 { self.parts.first().map(String::as_str) } else { None }
    }

    /// As it is written.
    pub fn text(&self) -> String {
        self.parts.join("::")
    }
}

type Lines = Vec<RangeInclusive<usize>>;

/// The tokens of a file, and the lines that are compiled for tests only.
pub(super) fn read(path: &str, text: &str) -> (Vec<Token>, Lines) {
    let stream: TokenStream = text.parse().unwrap_or_else(|error| panic!("{path} is not Rust: {error}"));
    let mut reader = Reader::default();
    reader.stream(stream);
    (reader.tokens, reader.test_lines)
}

#[derive(Default)]
struct Reader {
    tokens: Vec<Token>,
    test_lines: Lines,
}

impl Reader {
    fn stream(&mut self, stream: TokenStream) {
        let trees: Vec<TokenTree> = stream.into_iter().collect();
        let mut test_from = None;
        let mut next = 0;
        while let Some(tree) = trees.get(next) {
            next += 1;
            match tree {
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    let inner = usize::from(matches!(trees.get(next), Some(TokenTree::Punct(p)) if p.as_char() == '!'));
                    if let Some(TokenTree::Group(group)) = trees.get(next + inner) {
                        let attribute = group.stream().to_string();
                        if attribute.starts_with("doc") {
                            next += inner + 1;
                            continue;
                        }
                        if inner == 0 && attribute == "cfg (test)" {
                            test_from = Some(punct.span().start().line);
                        }
                    }
                    self.push(Kind::Sign, "#".to_owned(), punct.span().start().line);
                }
                TokenTree::Punct(punct) => {
                    let line = punct.span().start().line;
                    let double = punct.as_char() == ':'
                        && punct.spacing() == Spacing::Joint
                        && matches!(trees.get(next), Some(TokenTree::Punct(second)) if second.as_char() == ':');
                    next += usize::from(double);
                    self.push(Kind::Sign, if double { "::".to_owned() } else { punct.as_char().to_string() }, line);
                    if punct.as_char() == ';'
                        && let Some(from) = test_from.take()
                    {
                        self.test_lines.push(from..=line);
                    }
                }
                TokenTree::Group(group) => {
                    self.group(group);
                    if group.delimiter() == Delimiter::Brace
                        && let Some(from) = test_from.take()
                    {
                        self.test_lines.push(from..=group.span_close().end().line);
                    }
                }
                TokenTree::Ident(word) => self.push(Kind::Word, word.to_string(), word.span().start().line),
                TokenTree::Literal(literal) => {
                    let line = literal.span().start().line;
                    match syn::Lit::new(literal.clone()) {
                        syn::Lit::Str(text) => self.push(Kind::Text, text.value(), line),
                        _ => self.push(Kind::Sign, literal.to_string(), line),
                    }
                }
            }
        }
    }

    fn group(&mut self, group: &Group) {
        let (open, close) = match group.delimiter() {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Brace => ("{", "}"),
            Delimiter::Bracket => ("[", "]"),
            Delimiter::None => ("", ""),
        };
        self.push(Kind::Sign, open.to_owned(), group.span_open().start().line);
        self.stream(group.stream());
        self.push(Kind::Sign, close.to_owned(), group.span_close().start().line);
    }

    fn push(&mut self, kind: Kind, text: String, line: usize) {
        self.tokens.push(Token { kind, text, line });
    }
}

/// What a file imports: by the name it has in the file.
#[derive(Debug, Default)]
pub(super) struct Imports {
    by_name: BTreeMap<String, Vec<String>>,
    all: Vec<PathUse>,
}

impl Imports {
    pub(super) fn of(tokens: &[Token]) -> Self {
        let mut imports = Self::default();
        for (at, _) in tokens.iter().enumerate().filter(|(_, token)| token.is_word("use")) {
            imports.read(&tokens[at + 1..], Vec::new());
        }
        imports
    }

    /// Reads one tree of an import and tells how many tokens it has.
    fn read(&mut self, tokens: &[Token], mut parts: Vec<String>) -> usize {
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            match token.kind {
                Kind::Word if token.text == "as" => {
                    let alias = tokens.get(at + 1).map(|token| token.text.clone());
                    self.import(alias, parts, token.line);
                    return at + 2;
                }
                Kind::Word if token.text == "self" && !parts.is_empty() => {}
                Kind::Word => parts.push(token.text.clone()),
                Kind::Sign if token.text == "::" => {}
                Kind::Sign if token.text == "*" => parts.push("*".to_owned()),
                Kind::Sign if token.text == "{" => {
                    at += 1;
                    while tokens.get(at).is_some_and(|token| !token.is_sign("}")) {
                        at += self.read(&tokens[at..], parts.clone());
                        at += usize::from(tokens.get(at).is_some_and(|token| token.is_sign(",")));
                    }
                    return at + 1;
                }
                _ => break,
            }
            at += 1;
        }
        let line = tokens.first().map_or(0, |token| token.line);
        self.import(parts.last().cloned(), parts, line);
        at
    }

    fn import(&mut self, name: Option<String>, parts: Vec<String>, line: usize) {
        self.all.push(PathUse { parts: parts.clone(), line });
        if let Some(name) = name {
            self.by_name.insert(name, parts);
        }
    }

    /// The imports themselves, and every other path with its first part resolved.
    pub(super) fn paths(&self, tokens: &[Token]) -> Vec<PathUse> {
        let mut paths = self.all.clone();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            if token.is_word("use") {
                at += tokens[at..].iter().take_while(|token| !token.is_sign(";")).count();
                continue;
            }
            let member = at > 0 && [".", "'"].iter().any(|sign| tokens[at - 1].is_sign(sign));
            if token.kind != Kind::Word || member {
                at += 1;
                continue;
            }
            let (parts, taken) = path(&tokens[at..]);
            let mut resolved = self.by_name.get(&parts[0]).cloned().unwrap_or_else(|| vec![parts[0].clone()]);
            resolved.extend(parts.into_iter().skip(1));
            paths.push(PathUse { parts: resolved, line: token.line });
            at += taken;
        }
        paths
    }
}

/// The path that begins here. Generic arguments in its middle are stepped over.
fn path(tokens: &[Token]) -> (Vec<String>, usize) {
    let mut parts = vec![tokens[0].text.clone()];
    let mut at = 1;
    while tokens.get(at).is_some_and(|token| token.is_sign("::")) {
        match tokens.get(at + 1) {
            Some(next) if next.kind == Kind::Word => {
                parts.push(next.text.clone());
                at += 2;
            }
            Some(next) if next.is_sign("<") => match after_generics(&tokens[at + 1..]) {
                Some(taken) if tokens.get(at + 1 + taken).is_some_and(|token| token.is_sign("::")) => at += 1 + taken,
                _ => break,
            },
            _ => break,
        }
    }
    (parts, at)
}

/// How many tokens the generic arguments have that begin here.
fn after_generics(tokens: &[Token]) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        if token.is_sign("<") {
            depth += 1;
        } else if token.is_sign(">") {
            depth -= 1;
            if depth == 0 {
                return Some(at + 1);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        let (tokens, _) = read("x.rs", text);
        Imports::of(&tokens).paths(&tokens).iter().map(PathUse::text).collect()
    }

    #[test]
    fn a_path_is_resolved_by_its_import() {
        let found = paths("use a::{b::{self, C}, d as e}; fn f() { C::new(); b::g(); e(); x.b(); }");
        for wanted in ["a::b", "a::b::C", "a::d", "a::b::C::new", "a::b::g"] {
            assert!(found.contains(&wanted.to_owned()), "{wanted} is not in {found:?}");
        }
    }

    #[test]
    fn generic_arguments_in_a_path_are_stepped_over() {
        assert!(paths("fn f() { Id::<Vec<u8>>::random() }").contains(&"Id::random".to_owned()));
    }

    #[test]
    fn paths_inside_of_macros_are_found_and_comments_are_not() {
        let found = paths("/// sqlx::query\nfn f() { select! { x = tokio::spawn(y) => {} } /* a::b */ }");
        assert!(found.contains(&"tokio::spawn".to_owned()) && !found.contains(&"sqlx::query".to_owned()));
    }

    #[test]
    fn code_for_tests_is_known_by_its_lines() {
        let (_, lines) = read("x.rs", "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n");
        assert_eq!(lines, [2..=5]);
    }
}
