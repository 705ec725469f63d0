//! Licenses on the wire.

use std::collections::BTreeSet;

use base::country::Country;
use base::names::{DISPLAY_NAME_MAX, SIGN_IN_NAME_MAX, sort_key};
use base::{Fault, Id, Seek};
use proto::licensing::v1 as pb;
use service::form::timestamp;
use service::{Form, Wire, reply};

use super::ops::{
    GetUserLicenses, LicenseUsers, ListLicenseUsers, SummarizeLicenses, Summary, UpdateLicenses, Updated,
};
use super::size;
use super::store::License;
use super::store::listing::{Filter, Selector};
use super::{
    Change, Effect, Excluded, Held, Holding, Mode, Obstacle, Outcome, PAIRS_MAX, PRODUCTS_MAX, Places, SELECTION_MAX,
    USERS_MAX,
};
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
        let excluded = request.assign.iter().enumerate().map(|(at, each)| excluded(&mut form, at, each)).collect();
        let mode = match pb::update_licenses_request::Mode::try_from(request.mode) {
            Ok(pb::update_licenses_request::Mode::AllOrNothing) => Some(Mode::AllOrNothing),
            Ok(_) => Some(Mode::PerUser),
            Err(_) => unknown(&mut form, "mode", "is not a mode"),
        };
        let dry = request.validate_only;
        form.finish(|| {
            Some(Self { customer: customer?, change: Change { users, products, excluded, mode: mode? }, dry })
        })
    }

    fn present(updated: Updated) -> Self::Response {
        let Updated { change, outcomes, after, suspended, dry } = &updated;
        let products: Vec<String> = change.products.iter().map(ToString::to_string).collect();
        let result = |(user, outcome)| {
            let licenses = after.get(user).map(present_held).unwrap_or_default();
            let warnings = warnings(&products, *suspended, outcome);
            pb::LicenseResult { licenses, warnings, ..result(&products, *dry, user, outcome) }
        };
        let results: Vec<pb::LicenseResult> = change.users.iter().zip(outcomes).map(result).collect();
        pb::UpdateLicensesResponse { results: reply::fit(results, size::short_result) }
    }
}

fn excluded(form: &mut Form, at: usize, give: &pb::LicenseToAssign) -> Excluded {
    let field = |plan| format!("assign[{at}].excluded_service_plan_ids[{plan}]");
    let read = |(plan, text): (usize, &String)| form.id::<()>(field(plan), text).map(Id::uuid);
    give.excluded_service_plan_ids.iter().enumerate().filter_map(read).collect()
}

fn result(products: &[String], dry: bool, user: &Id<User>, outcome: &Outcome) -> pb::LicenseResult {
    use pb::license_result::Outcome as Word;
    let product = |place: usize| products.get(place).cloned().unwrap_or_default();
    let ids = |places: Places| places.each().map(product).collect();
    let mut result = pb::LicenseResult { user_id: user.to_string(), ..Default::default() };
    match outcome {
        Outcome::Changed(Effect { given, replanned, taken }) => {
            result.outcome = if dry { Word::WouldChange } else { Word::Changed }.into();
            result.assigned_product_ids = ids(*given);
            result.replanned_product_ids = ids(*replanned);
            result.revoked_product_ids = ids(*taken);
        }
        Outcome::Unchanged => result.outcome = Word::Unchanged.into(),
        Outcome::Failed(obstacles) => {
            result.outcome = if dry { Word::WouldFail } else { Word::Failed }.into();
            result.errors = obstacles.iter().map(|obstacle| error(obstacle, product)).collect();
        }
    }
    result
}

fn error(obstacle: &Obstacle, product: impl Fn(usize) -> String) -> pb::LicenseError {
    let mut error = pb::LicenseError {
        reason: obstacle.reason().to_owned(),
        product_id: obstacle.place().map(product).unwrap_or_default(),
        ..Default::default()
    };
    match obstacle {
        Obstacle::NoSeats { total, .. } => {
            error.total = *total;
            "60012".clone_into(&mut error.partner_center_code);
        }
        Obstacle::SubscriptionSuspended { .. } => "2001".clone_into(&mut error.partner_center_code),
        Obstacle::UserNotFound => "60002".clone_into(&mut error.partner_center_code),
        Obstacle::LocationNotAllowed { location, .. } => error.usage_location = location.to_string(),
        Obstacle::DependencyNotMet { plan, any_of, .. } => {
            error.service_plan_id = plan.to_string();
            error.other_service_plan_ids = any_of.iter().map(ToString::to_string).collect();
        }
        Obstacle::DependentPresent { dependent, plan, any_of, .. } => {
            error.service_plan_id = plan.to_string();
            error.other_service_plan_ids = any_of.iter().map(ToString::to_string).collect();
            error.other_product_id = dependent.map(|id| id.to_string()).unwrap_or_default();
        }
        Obstacle::MutuallyExclusive { plan, other, holder, .. } => {
            error.service_plan_id = plan.to_string();
            error.other_service_plan_ids = vec![other.to_string()];
            error.other_product_id = holder.map(|id| id.to_string()).unwrap_or_default();
        }
        Obstacle::UserDeleted
        | Obstacle::UsageLocationRequired
        | Obstacle::NotEntitled { .. }
        | Obstacle::OthersFailed => {}
    }
    error
}

/// What whoever changed should know of it.
fn warnings(products: &[String], suspended: Places, outcome: &Outcome) -> Vec<pb::LicenseWarning> {
    let Outcome::Changed(effect) = outcome else { return Vec::new() };
    let idle = effect.taken.shared_with(suspended).each().filter_map(|place| products.get(place));
    let warning = |product: &String| pb::LicenseWarning {
        code: pb::license_warning::Code::SeatSuspended.into(),
        message: "every subscription to the product is suspended: the seat that is free now serves nobody".to_owned(),
        product_id: product.clone(),
    };
    idle.map(warning).collect()
}

fn present_held(held: &Held) -> Vec<pb::HeldLicense> {
    let license = |(product, excluded): (&Id<Product>, &Excluded)| pb::HeldLicense {
        product_id: product.to_string(),
        excluded_service_plan_ids: excluded.iter().map(ToString::to_string).collect(),
    };
    held.0.iter().map(license).collect()
}

/// Refuses more than a limit, by its published name, before anything else is looked at.
fn within(field: &str, limit: &'static str, count: usize, max: usize) -> Result<(), Fault> {
    let mut form = Form::default();
    form.within(field, limit, count, max);
    form.finish(|| Some(()))
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
            Err(_) => unknown(&mut form, "seek", "is not a seek"),
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
            let partial = holders.iter().filter(|(_, excluded)| !excluded.is_empty());
            let partial = partial.map(|(user, excluded)| pb::PartialLicense {
                user_id: user.to_string(),
                excluded_service_plan_ids: excluded.iter().map(ToString::to_string).collect(),
            });
            pb::LicenseSummary {
                entitlement: Some(entitlement::present(owned)),
                holding: holding.into(),
                assigned_user_ids: holders.iter().map(|(user, _)| user.to_string()).collect(),
                service_plans: summary.plans.get(&owned.pool.product).map(present_plans).unwrap_or_default(),
                partial_licenses: partial.collect(),
                details_left_out: false,
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
            summaries: reply::fit(summaries.collect(), size::short_summary),
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

impl Wire for ListLicenseUsers {
    type Request = pb::ListLicenseUsersRequest;
    type Response = pb::ListLicenseUsersResponse;
    type Reply = LicenseUsers;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let customer = form.id("customer_id", &request.customer_id);
        let selector = selector(&mut form, &request);
        let location = match request.usage_location.as_str() {
            "" => Some(None),
            code => form.take("usage_location", Country::parse(code)).map(Some),
        };
        let state = match pb::license_user::State::try_from(request.state) {
            Ok(pb::license_user::State::Unspecified | pb::license_user::State::Active) => Some(State::Active),
            Ok(pb::license_user::State::Deleted) => Some(State::Deleted),
            Err(_) => unknown(&mut form, "state", "is not a state"),
        };
        let name = form.text("display_name_prefix", &request.display_name_prefix, 0..=DISPLAY_NAME_MAX);
        let sign_in = form.text("sign_in_name_prefix", &request.sign_in_name_prefix, 0..=SIGN_IN_NAME_MAX);
        let page_size = form.page_size(request.page_size);
        let start = match pb::list_license_users_request::Seek::try_from(request.seek) {
            Ok(pb::list_license_users_request::Seek::Last) => Some(Seek::Last),
            Ok(_) => Some(Seek::First),
            Err(_) => unknown(&mut form, "seek", "is not a seek"),
        };
        form.finish(|| {
            let name_prefix = sort_key(&name?);
            let sign_in_prefix = sign_in?.to_ascii_lowercase();
            let filter =
                Filter { selector: selector?, location: location?, state: state?, name_prefix, sign_in_prefix };
            let page_token = request.page_token;
            Some(Self { customer: customer?, filter, page_size: page_size?, page_token, start: start? })
        })
    }

    fn present(LicenseUsers { page, holdings, tokens }: LicenseUsers) -> Self::Response {
        let user = |user: &User| {
            let state = match user.state {
                State::Active => pb::license_user::State::Active,
                State::Deleted => pb::license_user::State::Deleted,
            };
            pb::LicenseUser {
                user_id: user.id.to_string(),
                display_name: user.display_name.clone(),
                sign_in_name: user.sign_in_name.clone(),
                usage_location: user.usage_location.clone(),
                state: state.into(),
                licenses: holdings.held_by(user.id).map(present_held).unwrap_or_default(),
            }
        };
        pb::ListLicenseUsersResponse {
            users: page.rows.iter().map(user).collect(),
            next_page_token: tokens.next,
            previous_page_token: tokens.previous,
        }
    }
}

/// What is looked for, and of which product when it is one product's.
fn selector(form: &mut Form, request: &pb::ListLicenseUsersRequest) -> Option<Selector> {
    use pb::list_license_users_request::Selector as Word;
    let Ok(word) = Word::try_from(request.selector) else { return unknown(form, "selector", "is not a selector") };
    if !matches!(word, Word::Has | Word::Lacks) && !request.product_id.is_empty() {
        form.wrong("product_id", "MALFORMED", "goes with the selectors of one product");
        return None;
    }
    match word {
        Word::Unspecified => Some(Selector::Any),
        Word::Unlicensed => Some(Selector::Unlicensed),
        Word::Has => form.id("product_id", &request.product_id).map(Selector::Has),
        Word::Lacks => form.id("product_id", &request.product_id).map(Selector::Lacks),
    }
}

fn unknown<T>(form: &mut Form, field: &str, message: &str) -> Option<T> {
    form.wrong(field, "UNKNOWN_VALUE", message);
    None
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
        let license = |license: &License| {
            let all = plans.get(&license.product).map(present_plans).unwrap_or_default();
            let is_excluded = |plan: &pb::ServicePlan| {
                license.excluded.iter().any(|excluded| excluded.to_string() == plan.service_plan_id)
            };
            let (excluded_service_plans, service_plans) = all.into_iter().partition(is_excluded);
            let state = match license.disabled {
                true => pb::user_license::State::Disabled,
                false => pb::user_license::State::Enabled,
            };
            pb::UserLicense {
                product_id: license.product.to_string(),
                product_name: license.name.clone(),
                part_number: license.part_number.clone(),
                service_plans,
                assign_time: Some(timestamp(license.assign_time)),
                state: state.into(),
                excluded_service_plans,
            }
        };
        pb::GetUserLicensesResponse { licenses: licenses.iter().map(license).collect() }
    }
}
