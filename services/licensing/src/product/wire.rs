//! Products on the wire.

use std::collections::BTreeMap;

use base::{Fault, Page, Seek};
use proto::licensing::v1 as pb;
use service::form::timestamp;
use service::page_token::Tokens;
use service::{Form, Wire};
use uuid::Uuid;

use super::PlanNames;
use super::edition::Conflict;
use super::ops::{GetProduct, ImportProducts, Imported, ListProducts, Shown};
use super::store::Listed;
use crate::product_rules;
use base::names::sort_key;

/// Characters of a name, or of the beginning of one, at most.
pub(crate) const NAME_MAX: usize = 200;

impl Wire for ImportProducts {
    type Request = pb::ImportProductsRequest;
    type Response = pb::ImportProductsResponse;
    type Reply = Imported;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        Ok(Self { content: request.content })
    }

    fn present(Imported { edition, changes }: Imported) -> Self::Response {
        let ids = |ids: &[Uuid]| ids.iter().map(ToString::to_string).collect();
        pb::ImportProductsResponse {
            rows: count(edition.rows),
            repeated_rows: count(edition.repeated_rows),
            added_product_ids: ids(&changes.products.added),
            changed_product_ids: ids(&changes.products.changed),
            missing_product_ids: ids(&changes.products.missing),
            unchanged_products: count(changes.products.unchanged),
            added_plans: count(changes.inclusions.added.len()),
            changed_plans: count(changes.inclusions.changed.len()),
            missing_plans: count(changes.inclusions.missing.len()),
            conflicts: edition.conflicts.listed().iter().map(conflict).collect(),
            conflict_count: count(edition.conflicts.total()),
        }
    }
}

fn conflict(conflict: &Conflict) -> pb::ProductConflict {
    pb::ProductConflict {
        line: i32::try_from(conflict.line).unwrap_or(i32::MAX),
        column: conflict.column.header().to_owned(),
        product_id: conflict.product.to_string(),
        service_plan_id: conflict.plan.to_string(),
        kept: conflict.kept.clone(),
        ignored: conflict.ignored.clone(),
    }
}

/// Rows and their like are far fewer than an `i32` can count.
fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

impl Wire for ListProducts {
    type Request = pb::ListProductsRequest;
    type Response = pb::ListProductsResponse;
    type Reply = (Page<Listed>, Tokens);

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let page_size = form.page_size(request.page_size);
        let start = match pb::list_products_request::Seek::try_from(request.seek) {
            Ok(pb::list_products_request::Seek::Last) => Some(Seek::Last),
            Ok(_) => Some(Seek::First),
            Err(_) => {
                form.wrong("seek", "UNKNOWN_VALUE", "is not a seek");
                None
            }
        };
        let name_prefix = form.text("name_prefix", &request.name_prefix, 0..=NAME_MAX).map(|name| sort_key(&name));
        form.finish(|| {
            Some(Self {
                name_prefix: name_prefix?,
                page_size: page_size?,
                page_token: request.page_token,
                start: start?,
            })
        })
    }

    fn present((page, tokens): Self::Reply) -> Self::Response {
        pb::ListProductsResponse {
            products: page.rows.iter().map(present).collect(),
            next_page_token: tokens.next,
            previous_page_token: tokens.previous,
        }
    }
}

impl Wire for GetProduct {
    type Request = pb::GetProductRequest;
    type Response = pb::GetProductResponse;
    type Reply = Shown;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let id = form.id("product_id", &request.product_id);
        form.finish(|| Some(Self { id: id? }))
    }

    fn present(Shown { product, plans, rules }: Shown) -> Self::Response {
        pb::GetProductResponse {
            product: Some(present(&product)),
            service_plans: present_plans(&plans),
            rules: Some(product_rules::wire::present(&rules)),
        }
    }
}

fn present(product: &Listed) -> pb::Product {
    pb::Product {
        product_id: product.id.to_string(),
        name: product.name.clone(),
        part_number: product.part_number.clone(),
        create_time: Some(timestamp(product.create_time)),
        update_time: Some(timestamp(product.update_time)),
    }
}

/// Service plans in the order of their ids.
pub(crate) fn present_plans(plans: &BTreeMap<Uuid, PlanNames>) -> Vec<pb::ServicePlan> {
    let plan = |(id, names): (&Uuid, &PlanNames)| pb::ServicePlan {
        service_plan_id: id.to_string(),
        name: names.plan_name.clone(),
        display_name: names.friendly_name.clone(),
    };
    plans.iter().map(plan).collect()
}
