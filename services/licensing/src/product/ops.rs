//! What can be asked of products.

use std::collections::BTreeMap;

use base::{Fault, Id, Page, Seek, Violations};
use service::page_token::{self, Tokens};
use service::{Cx, Fact, Operation, Preparation};
use uuid::Uuid;

use super::edition::{Edition, EditionFault};
use super::store::Listed;
use super::{Changes, PlanNames, Product, store};
use crate::Licensing;
use crate::policy::{Permission, Target};
use crate::product_rules::{self, Versioned};

/// Takes over an edition of the vendor's list.
#[derive(Debug)]
pub struct ImportProducts {
    pub(super) content: Vec<u8>,
}

/// What an import found.
#[derive(Debug)]
pub struct Imported {
    pub(super) edition: Edition,
    pub(super) changes: Changes,
}

impl Operation for ImportProducts {
    type Service = Licensing;
    const METHOD: &'static str = "/tandem.licensing.v1.CatalogService/ImportProducts";
    const PERMISSION: Permission = Permission::ManageCatalog;
    type Prepared = Option<Edition>;

    fn target(&self) -> Target {
        Target::Nothing
    }

    /// Megabytes are read once, for callers who were found allowed, and never in a transaction.
    async fn prepare(&self, _: &Preparation<'_, Licensing>) -> Result<Option<Edition>, Fault> {
        Edition::parse(&self.content).map(Some).map_err(|fault| refused(&fault))
    }

    async fn run(&self, cx: &mut Cx<Licensing>, edition: &Option<Edition>) -> Result<Imported, Fault> {
        let edition = edition.clone().ok_or_else(|| Fault::internal("an edition was not prepared"))?;
        // Two imports are compared one after the other: the list is never a mix of theirs.
        store::hold_catalog(&mut cx.tx).await?;
        let present = store::catalog(&mut cx.tx).await?;
        let changes = edition.compare(&present);
        if !changes.is_nothing() {
            let now = cx.now();
            store::take_over(&mut cx.tx, &edition.catalog, &changes, now).await?;
            cx.record(
                Fact::new("ProductsImported")
                    .change("added_products", "", changes.products.added.len())
                    .change("changed_products", "", changes.products.changed.len())
                    .change("added_plans", "", changes.inclusions.added.len())
                    .change("changed_plans", "", changes.inclusions.changed.len()),
            );
        }
        Ok(Imported { edition, changes })
    }
}

fn refused(fault: &EditionFault) -> Fault {
    let EditionFault::BrokenRows(found) = fault else { return Fault::invalid(fault.reason(), fault.to_string()) };
    let mut violations = Violations::default();
    for violation in found.listed() {
        let reason = violation.problem.reason();
        violations.add(format!("content:{}", violation.line), reason, violation.to_string());
    }
    violations.into_fault().with("violation_count", found.total())
}

/// Lists the products by name.
#[derive(Debug)]
pub struct ListProducts {
    pub(super) name_prefix: String,
    pub(super) page_size: usize,
    pub(super) page_token: String,
    pub(super) start: Seek,
}

impl Operation for ListProducts {
    type Service = Licensing;
    const METHOD: &'static str = "/tandem.licensing.v1.CatalogService/ListProducts";
    const PERMISSION: Permission = Permission::ReadCatalog;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    async fn run(&self, cx: &mut Cx<Licensing>, (): &()) -> Result<(Page<Listed>, Tokens), Fault> {
        let scope = cx.page_scope(&self.name_prefix);
        let seek = page_token::seek(&cx.host().keys, &scope, &self.page_token, self.start.clone())?;
        let page = store::list(&mut cx.tx, &self.name_prefix, &seek, self.page_size).await?;
        let tokens = Tokens::of(&cx.host().keys, &scope, &page);
        Ok((page, tokens))
    }
}

/// A product with its service plans and rules.
#[derive(Debug)]
pub struct Shown {
    pub(super) product: Listed,
    pub(super) plans: BTreeMap<Uuid, PlanNames>,
    pub(super) rules: Versioned,
}

/// Shows one product with its service plans and rules.
#[derive(Debug)]
pub struct GetProduct {
    pub(super) id: Id<Product>,
}

impl Operation for GetProduct {
    type Service = Licensing;
    const METHOD: &'static str = "/tandem.licensing.v1.CatalogService/GetProduct";
    const PERMISSION: Permission = Permission::ReadCatalog;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    async fn run(&self, cx: &mut Cx<Licensing>, (): &()) -> Result<Shown, Fault> {
        let found = store::get(&mut cx.tx, self.id).await?;
        let product = found.ok_or_else(|| Fault::not_found("product", self.id))?;
        let plans = store::plans(&mut cx.tx, &[self.id]).await?.remove(&self.id).unwrap_or_default();
        let rules = product_rules::store::get(&mut cx.tx, self.id).await?;
        Ok(Shown { product, plans, rules })
    }
}
