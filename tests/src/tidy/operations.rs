//! The operations of the code: which permission each RPC asks for.

use std::collections::BTreeMap;

use syn::visit::{self, Visit};
use syn::{Expr, ImplItem, ItemImpl, Lit, Type};

use super::Tree;

/// An RPC as the code runs it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operation {
    /// `/package.Service/Method`.
    pub method: String,
    /// The name of its permission; for what every service has, the name of the service's constant.
    pub permission: String,
    /// The file.
    pub path: String,
}

/// Every operation outside of tests.
pub fn operations(tree: &Tree) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (path, constants) in implementations(tree, "Operation") {
        if let (Some(method), Some(permission)) = (constants.get("METHOD"), constants.get("PERMISSION")) {
            operations.push(Operation { method: method.clone(), permission: permission.clone(), path });
        }
    }
    operations.sort();
    operations
}

/// Every service by its name, with the constants that name its permissions.
pub fn services(tree: &Tree) -> BTreeMap<String, BTreeMap<String, String>> {
    let found = implementations(tree, "Service").into_iter();
    found.filter_map(|(_, constants)| Some((constants.get("NAME")?.clone(), constants))).collect()
}

/// The constants of every implementation of a trait: texts as they are, paths by their last part.
fn implementations(tree: &Tree, name: &'static str) -> Vec<(String, BTreeMap<String, String>)> {
    let mut all = Vec::new();
    for file in tree.rust().filter(|file| !file.is_test()) {
        let ast = syn::parse_file(&file.text).unwrap_or_else(|error| panic!("{} is not Rust: {error}", file.path));
        let mut reader = Reader { name, found: Vec::new() };
        reader.visit_file(&ast);
        let shipped = reader.found.into_iter().filter(|(line, _)| !file.tests_at(*line));
        all.extend(shipped.map(|(_, constants)| (file.path.clone(), constants)));
    }
    all
}

struct Reader {
    name: &'static str,
    found: Vec<(usize, BTreeMap<String, String>)>,
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        let of_trait = item.trait_.as_ref().and_then(|(_, path, _)| path.segments.last());
        if of_trait.is_some_and(|last| last.ident == self.name) && matches!(*item.self_ty, Type::Path(_)) {
            let constants = item.items.iter().filter_map(|inner| match inner {
                ImplItem::Const(constant) => Some((constant.ident.to_string(), text(&constant.expr)?)),
                _ => None,
            });
            self.found.push((item.impl_token.span.start().line, constants.collect()));
        }
        visit::visit_item_impl(self, item);
    }
}

fn text(value: &Expr) -> Option<String> {
    match value {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => Some(text.value()),
            _ => None,
        },
        Expr::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
        _ => None,
    }
}
