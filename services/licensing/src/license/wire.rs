//! Licenses on the wire.

use std::collections::BTreeSet;

use base::{Fault, Id, Seek};
use proto::licensing::v1 as pb;
use service::form::timestamp;
use service::{Form, Wire};

use super::ops::{GetUserLicenses, SummarizeLicenses, Summary, UpdateLicenses, Updated};
use super::store::License;
use super::{Change, Holding, Obstacle, Outcome, PAIRS_MAX, PRODUCTS_MAX, Places, SELECTION_MAX, USERS_MAX};
use crate::entitlement::ops::Plans;
use crate::entitlement::wire as entitlement;
use crate::product::Product;
use crate::product::wire::present_plans;
use crate::user::{State, User};

impl Wire for UpdateLicenses {
    type Request = pb::UpdateLicensesRequest;
    type Response = pb::UpdateLicensesResponse;
    type Reply = Updated;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let (users, gives) = (&request.user_ids, request.assign.len());
        let count = gives + request.revoke_product_ids.len();
        within("user_ids", "license_users_max", users.len(), USERS_MAX)?;
        within("assign", "license_products_max", count, PRODUCTS_MAX)?;
        within("user_ids", "license_pairs_max", users.len() * count, PAIRS_MAX)?;
        let mut form = Form::default();
        let customer = form.id("customer_id", &request.customer_id);
        let users = selection(&mut form, users);
        if count == 0 {
            form.wrong("assign", "EMPTY_SELECTION", "name a product to give or to take");
        }
        let mut products = Vec::with_capacity(count);
        let gives_fields = request.assign.iter().enumerate();
        let gives_fields = gives_fields.map(|(at, each)| (format!("assign[{at}].product_id"), &each.product_id));
        let takes_fields = request.revoke_product_ids.iter().enumerate();
        let takes_fields = takes_fields.map(|(at, id)| (format!("revoke_product_ids[{at}]"), id));
        let mut seen = BTreeSet::new();
        for (field, text) in gives_fields.chain(takes_fields) {
            let Some(product) = form.id::<Product>(field.clone(), text) else { continue };
            if !seen.insert(product) {
                form.wrong(field, "PRODUCT_REPEATED", "stands in the request already");
            }
            products.push(product);
        }
        form.finish(|| Some(Self { customer: customer?, change: Change { users, products, gives } }))
    }

    fn present(Updated { change, outcomes }: Updated) -> Self::Response {
        let results = change.users.iter().zip(&outcomes).map(|(user, outcome)| result(&change, user, outcome));
        pb::UpdateLicensesResponse { results: results.collect() }
    }
}

fn result(change: &Change, user: &Id<User>, outcome: &Outcome) -> pb::LicenseResult {
    use pb::license_result::Outcome as Word;
    let product = |place: usize| change.products.get(place).map(ToString::to_string).unwrap_or_default();
    let ids = |places: &Places| places.each().map(product).collect();
    let mut result = pb::LicenseResult { user_id: user.to_string(), ..Default::default() };
    match outcome {
        Outcome::Changed { given, taken } => {
            result.outcome = Word::Changed.into();
            result.assigned_product_ids = ids(given);
            result.revoked_product_ids = ids(taken);
        }
        Outcome::Unchanged => result.outcome = Word::Unchanged.into(),
        Outcome::Failed(obstacles) => {
            result.outcome = Word::Failed.into();
            result.errors = obstacles.iter().map(|obstacle| error(*obstacle, product)).collect();
        }
    }
    result
}

fn error(obstacle: Obstacle, product: impl Fn(usize) -> String) -> pb::LicenseError {
    let (total, code) = match obstacle {
        Obstacle::NoSeats { total, .. } => (total, "60012"),
        Obstacle::UserNotFound => (0, "60002"),
        Obstacle::SubscriptionSuspended { .. } => (0, "2001"),
        Obstacle::UserDeleted | Obstacle::UsageLocationRequired | Obstacle::NotEntitled { .. } => (0, ""),
    };
    pb::LicenseError {
        reason: obstacle.reason().to_owned(),
        product_id: obstacle.place().map(product).unwrap_or_default(),
        total,
        partner_center_code: code.to_owned(),
    }
}

/// Refuses more than a limit, by its published name, before anything else is looked at.
fn within(field: &str, limit: &'static str, count: usize, max: usize) -> Result<(), Fault> {
    if count <= max {
        return Ok(());
    }
    Err(Fault::field(field, "TOO_LONG", format!("asks for {count}; {limit} is {max}")).with("limit", limit))
}

/// The selected users. Ids are many, so only a malformed one costs a name for its field.
fn selection(form: &mut Form, texts: &[String]) -> Vec<Id<User>> {
    if texts.is_empty() {
        form.wrong("user_ids", "EMPTY_SELECTION", "select a user");
    }
    let mut users = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        users.extend(Id::parse(text).or_else(|| form.id(format!("user_ids[{at}]"), text)));
    }
    users
}

impl Wire for SummarizeLicenses {
    type Request = pb::SummarizeLicensesRequest;
    type Response = pb::SummarizeLicensesResponse;
    type Reply = Summary;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        within("user_ids", "license_selection_max", request.user_ids.len(), SELECTION_MAX)?;
        let mut form = Form::default();
        let customer = form.id("customer_id", &request.customer_id);
        let users = selection(&mut form, &request.user_ids);
        let page_size = form.page_size(request.page_size);
        let start = match pb::summarize_licenses_request::Seek::try_from(request.seek) {
            Ok(pb::summarize_licenses_request::Seek::Last) => Some(Seek::Last),
            Ok(_) => Some(Seek::First),
            Err(_) => {
                form.wrong("seek", "UNKNOWN_VALUE", "is not a seek");
                None
            }
        };
        form.finish(|| {
            Some(Self {
                customer: customer?,
                users,
                page_size: page_size?,
                page_token: request.page_token,
                start: start?,
            })
        })
    }

    fn present(summary: Summary) -> Self::Response {
        let count = summary.users.iter().filter(|user| user.state == State::Active).count();
        let summaries = summary.page.rows.iter().map(|(owned, holders)| {
            let holding = match Holding::of(holders.len(), count) {
                Holding::None => pb::license_summary::Holding::None,
                Holding::Some => pb::license_summary::Holding::Some,
                Holding::All => pb::license_summary::Holding::All,
            };
            pb::LicenseSummary {
                entitlement: Some(entitlement::present(owned)),
                holding: holding.into(),
                assigned_user_ids: holders.iter().map(ToString::to_string).collect(),
            }
        });
        let stranger = |id: &Id<User>| pb::SelectedUser {
            user_id: id.to_string(),
            reason: Obstacle::UserNotFound.reason().to_owned(),
            ..Default::default()
        };
        let users = summary.users.iter().map(selected).chain(summary.strangers.iter().map(stranger));
        pb::SummarizeLicensesResponse {
            users: users.collect(),
            summaries: summaries.collect(),
            orderable_by_partner_ids: summary.orderers.iter().map(ToString::to_string).collect(),
            next_page_token: summary.tokens.next,
            previous_page_token: summary.tokens.previous,
        }
    }
}

fn selected(user: &User) -> pb::SelectedUser {
    let reason = if user.state == State::Deleted { Obstacle::UserDeleted.reason() } else { "" };
    pb::SelectedUser {
        user_id: user.id.to_string(),
        display_name: user.display_name.clone(),
        sign_in_name: user.sign_in_name.clone(),
        reason: reason.to_owned(),
    }
}

impl Wire for GetUserLicenses {
    type Request = pb::GetUserLicensesRequest;
    type Response = pb::GetUserLicensesResponse;
    type Reply = (Vec<License>, Plans);

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let customer = form.id("customer_id", &request.customer_id);
        let user = form.id("user_id", &request.user_id);
        form.finish(|| Some(Self { customer: customer?, user: user? }))
    }

    fn present((licenses, plans): Self::Reply) -> Self::Response {
        let license = |license: &License| pb::UserLicense {
            product_id: license.product.to_string(),
            product_name: license.name.clone(),
            part_number: license.part_number.clone(),
            service_plans: plans.get(&license.product).map(present_plans).unwrap_or_default(),
            assign_time: Some(timestamp(license.assign_time)),
            state: match license.disabled {
                true => pb::user_license::State::Disabled,
                false => pb::user_license::State::Enabled,
            }
            .into(),
        };
        pb::GetUserLicensesResponse { licenses: licenses.iter().map(license).collect() }
    }
}
