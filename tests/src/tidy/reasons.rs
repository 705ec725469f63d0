//! The reasons that the code gives: every word that can become `google.rpc.ErrorInfo.reason`.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};
use syn::{Expr, ExprCall, ExprMethodCall, ExprTuple, ItemConst, Lit};

use super::{File, Kind, Tree};

/// A reason where it is given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// The file.
    pub path: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The word.
    pub word: String,
}

/// Every reason that is given to a fault, noted in a form or told by a parse, outside of tests.
pub fn given(tree: &Tree) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = Vec::new();
    for file in shipped(tree) {
        let ast = syn::parse_file(&file.text).unwrap_or_else(|error| panic!("{} is not Rust: {error}", file.path));
        let mut constants = Constants::default();
        constants.visit_file(&ast);
        let mut reader = Reader { file, constants: constants.0, reasons: Vec::new() };
        reader.visit_file(&ast);
        reasons.extend(reader.reasons);
    }
    reasons.sort();
    reasons.dedup();
    reasons
}

/// Every literal outside of tests that could be a reason.
pub fn mentioned(tree: &Tree) -> BTreeSet<String> {
    let texts = shipped(tree).flat_map(File::shipped_tokens).filter(|token| token.kind == Kind::Text);
    texts.map(|token| token.text.clone()).filter(|text| is_reason(text)).collect()
}

fn shipped(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.rust().filter(|file| (file.within("shared") || file.within("services")) && !file.is_test())
}

fn is_reason(text: &str) -> bool {
    text.len() > 2
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// The texts of the file's constants.
#[derive(Default)]
struct Constants(BTreeMap<String, String>);

impl<'ast> Visit<'ast> for Constants {
    fn visit_item_const(&mut self, constant: &'ast ItemConst) {
        if let Expr::Lit(literal) = constant.expr.as_ref()
            && let Lit::Str(text) = &literal.lit
        {
            self.0.insert(constant.ident.to_string(), text.value());
        }
        visit::visit_item_const(self, constant);
    }
}

struct Reader<'f> {
    file: &'f File,
    constants: BTreeMap<String, String>,
    reasons: Vec<Reason>,
}

impl Reader<'_> {
    /// Notes the words of an argument: a literal, a constant, or the literals of what chooses between some.
    fn note(&mut self, argument: Option<&Expr>) {
        let Some(argument) = argument else { return };
        let mut words = Words { constants: &self.constants, found: Vec::new() };
        words.visit_expr(argument);
        let shipped = words.found.into_iter().filter(|(line, _)| !self.file.tests_at(*line));
        self.reasons.extend(shipped.map(|(line, word)| Reason { path: self.file.path.clone(), line, word }));
    }
}

struct Words<'c> {
    constants: &'c BTreeMap<String, String>,
    found: Vec<(usize, String)>,
}

impl<'ast> Visit<'ast> for Words<'_> {
    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        if is_reason(&text.value()) {
            self.found.push((text.span().start().line, text.value()));
        }
    }

    fn visit_ident(&mut self, name: &'ast proc_macro2::Ident) {
        if let Some(text) = self.constants.get(&name.to_string()).filter(|text| is_reason(text)) {
            self.found.push((name.span().start().line, text.clone()));
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        if let Expr::Path(function) = call.func.as_ref() {
            let parts: Vec<String> = function.path.segments.iter().map(|part| part.ident.to_string()).collect();
            let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
            match parts.as_slice() {
                [.., "Fault", "field" | "new"] | ["Self", "new"] => self.note(call.args.get(1)),
                [.., "Fault", "not_found" | "internal" | "busy"] => {}
                [.., "Fault", _] => self.note(call.args.first()),
                [.., "Err"] => {
                    if let Some(Expr::Tuple(tuple)) = call.args.first() {
                        self.note(tuple.elems.first());
                    }
                }
                _ => {}
            }
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if (call.method == "wrong" || call.method == "add") && call.args.len() == 3 {
            self.note(call.args.get(1));
        }
        visit::visit_expr_method_call(self, call);
    }

    /// What a parse answers: the reason and a sentence that is made for it. Tables pair words with what is there.
    fn visit_expr_tuple(&mut self, tuple: &'ast ExprTuple) {
        if tuple.elems.len() == 2
            && matches!(tuple.elems.get(1), Some(Expr::Macro(_) | Expr::Call(_) | Expr::MethodCall(_)))
        {
            self.note(tuple.elems.first());
        }
        visit::visit_expr_tuple(self, tuple);
    }
}
