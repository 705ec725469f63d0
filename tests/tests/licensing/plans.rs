//! Service plans: what is left out of a license, what needs what, what does not go together, and what is used where.

use proto::common::v1::ListAuditEntriesRequest;
use proto::common::v1::audit_service_client::AuditServiceClient;
use proto::identity::v1::IdentityFact;
use proto::identity::v1::identity_fact::Fact;
use proto::licensing::v1::catalog_service_client::CatalogServiceClient;
use proto::licensing::v1::product_rules::{AssignmentAuthority, LicenseGroup, TargetType};
use proto::licensing::v1::update_licenses_request::Mode;
use proto::licensing::v1::{
    HeldLicense, ImportProductsRequest, PartialLicense, PlaceOrderRequest, ProductRules, SummarizeLicensesRequest,
    UpdateLicensesRequest,
};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{HEADER, World, authorized, fresh};
use tonic::Code;

use super::rules::{Catalog, excludes, needs, setting};
use super::trade::{Licenses, Shop, Trade, change, foretold, give, line, words};
use super::{detail, outcome};

/// A product of some plans, of which the customer has seats.
pub(crate) async fn suite(world: &World, trade: &Trade, plans: &[&str], seats: i32) -> String {
    let product = fresh();
    let rows: String = plans.iter().map(|plan| format!("Harbor Suite,S,{product},P,{plan},Plan\n")).collect();
    let content = format!("{HEADER}{rows}").into_bytes();
    let request = ImportProductsRequest { content, request_id: fresh(), validate_only: false };
    let operator = world.operator().await;
    CatalogServiceClient::new(world.to_licensing().await)
        .import_products(authorized(&operator, request))
        .await
        .unwrap();
    let offer = world.offer(World::offer_of(&product)).await;
    let order = PlaceOrderRequest { lines: vec![line(&offer, seats)], ..trade.order(seats) };
    Shop::of(world).await.order(trade.seller(), order).await.unwrap();
    product
}

/// What the journal tells of service plans that were left out of licenses and are now, the newest first.
pub(crate) async fn left_out_told(world: &World, token: &str) -> Vec<(String, String)> {
    let request = ListAuditEntriesRequest { action_prefix: "LicensesUpdated".to_owned(), ..Default::default() };
    let mut audit = AuditServiceClient::new(world.to_licensing().await);
    let entries = audit.list_audit_entries(authorized(token, request)).await.unwrap().into_inner().entries;
    let changes = entries.into_iter().flat_map(|entry| entry.changes);
    let told = changes.filter(|change| change.field == "excluded_service_plans");
    told.map(|change| (change.before, change.after)).collect()
}

pub(crate) async fn rule(world: &World, product: &str, rules: ProductRules) {
    let operator = world.operator().await;
    Catalog::of(world).await.set(&operator, setting(product, rules)).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn plans_are_left_out_of_a_license_and_chosen_anew_without_another_seat(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let mut licenses = Licenses::of(world).await;
    let (token, customer) = (trade.helper(), trade.customer.as_str());
    let mut plans: [String; 3] = std::array::from_fn(|_| fresh());
    plans.sort();
    let [a, b, c] = plans.each_ref().map(String::as_str);
    let product = suite(world, &trade, &[a, b, c], 1).await;
    let users = world.told_users(customer, 1).await;
    let without = |excluded: &[&str]| UpdateLicensesRequest {
        assign: vec![give(&product, excluded)],
        ..change(customer, &users, &[], &[])
    };
    let results = licenses.update(token, without(&[b])).await.unwrap();
    assert_eq!(results[0].assigned_product_ids, [product.as_str()]);
    let holds = |excluded: &[&str]| HeldLicense {
        product_id: product.clone(),
        excluded_service_plan_ids: excluded.iter().map(|plan| (*plan).to_owned()).collect(),
    };
    assert_eq!(results[0].licenses, [holds(&[b])]);
    let shown = licenses.get(token, customer, &users[0]).await.unwrap().remove(0);
    let ids = |plans: &[proto::licensing::v1::ServicePlan]| {
        plans.iter().map(|plan| plan.service_plan_id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        (ids(&shown.service_plans), ids(&shown.excluded_service_plans)),
        (vec![a.into(), c.into()], vec![b.into()])
    );

    let selection =
        SummarizeLicensesRequest { customer_id: customer.to_owned(), user_ids: users.clone(), ..Default::default() };
    let summary = licenses.summarize(token, selection).await.unwrap().summaries.remove(0);
    assert_eq!(ids(&summary.service_plans), [a, b, c]);
    let partial = PartialLicense { user_id: users[0].clone(), excluded_service_plan_ids: vec![b.into()] };
    assert_eq!((summary.assigned_user_ids, summary.partial_licenses), (users.clone(), vec![partial]));

    let again = licenses.update(token, without(&[b, b])).await.unwrap();
    assert_eq!(words(&again), ["UNCHANGED"]);
    let other = without(&[c, a]);
    let would = licenses.update(token, UpdateLicensesRequest { validate_only: true, ..other.clone() }).await.unwrap();
    let results = licenses.update(token, other).await.unwrap();
    assert_eq!(foretold(would), results);
    assert_eq!((&results[0].replanned_product_ids, results[0].assigned_product_ids.len()), (&vec![product.clone()], 0));
    assert_eq!(results[0].licenses, [holds(&[a, c])], "what was left out before is not any more");
    let owned = Shop::of(world).await.entitlement(token, customer, &product).await;
    assert_eq!((owned.consumed, owned.available), (1, 0), "it is the same seat");
    let all = licenses.update(token, change(customer, &users, &[&product], &[])).await.unwrap();
    assert_eq!(all[0].licenses, [holds(&[])], "without a word nothing is left out");

    let told = left_out_told(world, token).await;
    let [none, without_b, without_a_c] =
        [String::new(), b.to_owned(), format!("{a}|{c}")].map(|plans| format!("{product}:{plans}"));
    let expected = [(without_a_c.clone(), none), (without_b.clone(), without_a_c), (String::new(), without_b)];
    assert_eq!(told, expected, "newest first");

    for (excluded, expected) in
        [(&[a, b, c][..], "ALL_SERVICE_PLANS_EXCLUDED"), (&[&fresh()], "SERVICE_PLAN_UNKNOWN"), (&["x"], "MALFORMED")]
    {
        let refused = licenses.update(token, without(excluded)).await;
        assert_eq!(outcome(&refused), (Code::InvalidArgument, expected.to_owned()));
    }
}

#[rstest]
#[tokio::test]
async fn an_add_on_needs_its_base_and_the_base_stays_as_long_as_it_is_needed(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let mut licenses = Licenses::of(world).await;
    let (token, customer) = (trade.helper(), trade.customer.as_str());
    let [mail, mail_2, archive, board] = std::array::from_fn(|_| fresh());
    let base = suite(world, &trade, &[&mail, &board], 9).await;
    let better = suite(world, &trade, &[&mail_2], 9).await;
    let add_on = suite(world, &trade, &[&archive], 9).await;
    let needs_mail = ProductRules { dependencies: vec![needs(&archive, &[&mail, &mail_2])], ..Default::default() };
    rule(world, &add_on, needs_mail).await;
    let users = world.told_users(customer, 2).await;
    let one = &users[..1];

    let results = licenses.update(token, change(customer, one, &[&add_on], &[])).await.unwrap();
    assert_eq!(words(&results), ["DEPENDENCY_NOT_MET"]);
    let error = &results[0].errors[0];
    assert_eq!((&error.product_id, &error.service_plan_id), (&add_on, &archive));
    assert_eq!(error.other_service_plan_ids.len(), 2, "either of the two would do");
    let both = licenses.update(token, change(customer, one, &[&add_on, &base], &[])).await.unwrap();
    assert_eq!(words(&both), ["CHANGED"], "what is held in the end counts");
    let results = licenses.update(token, change(customer, one, &[], &[&base])).await.unwrap();
    assert_eq!(words(&results), ["DEPENDENT_LICENSE_PRESENT"]);
    let error = &results[0].errors[0];
    assert_eq!((&error.product_id, &error.other_product_id, &error.service_plan_id), (&base, &add_on, &archive));
    let without = UpdateLicensesRequest { assign: vec![give(&base, &[&mail])], ..change(customer, one, &[], &[]) };
    let results = licenses.update(token, without).await.unwrap();
    assert_eq!(words(&results), ["DEPENDENT_LICENSE_PRESENT"], "its plan is what is needed");
    let without = UpdateLicensesRequest { assign: vec![give(&base, &[&board])], ..change(customer, one, &[], &[]) };
    assert_eq!(words(&licenses.update(token, without).await.unwrap()), ["CHANGED"]);
    let swap = licenses.update(token, change(customer, one, &[&better], &[&base])).await.unwrap();
    assert_eq!(words(&swap), ["CHANGED"], "one base takes the place of the other");
    let gone = licenses.update(token, change(customer, &users, &[], &[&better, &add_on])).await.unwrap();
    assert_eq!(words(&gone), ["CHANGED", "UNCHANGED"]);
}

#[rstest]
#[tokio::test]
async fn products_whose_plans_collide_go_together_once_one_of_the_plans_is_left_out(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let mut licenses = Licenses::of(world).await;
    let (token, customer) = (trade.helper(), trade.customer.as_str());
    let [mail_1, mail_2, board, drive] = std::array::from_fn(|_| fresh());
    let small = suite(world, &trade, &[&mail_1, &drive], 9).await;
    let large = suite(world, &trade, &[&mail_2, &board], 9).await;
    let users = world.told_users(customer, 3).await;
    let both = licenses.update(token, change(customer, &users[2..], &[&small, &large], &[])).await.unwrap();
    assert_eq!(words(&both), ["CHANGED"], "there is no rule yet");
    rule(world, &large, ProductRules { exclusions: vec![excludes(&mail_2, &mail_1)], ..Default::default() }).await;
    licenses.update(token, change(customer, &users[..1], &[&small], &[])).await.unwrap();
    let results = licenses.update(token, change(customer, &users, &[&large], &[])).await.unwrap();
    assert_eq!(words(&results), ["MUTUALLY_EXCLUSIVE", "CHANGED", "UNCHANGED"]);
    let error = &results[0].errors[0];
    assert_eq!((&error.product_id, &error.service_plan_id), (&large, &mail_2));
    assert_eq!((&error.other_product_id, &error.other_service_plan_ids), (&small, &vec![mail_1]));
    let results = licenses.update(token, change(customer, &users[1..2], &[&small], &[])).await.unwrap();
    assert_eq!(words(&results), ["MUTUALLY_EXCLUSIVE"], "whichever of them comes second");
    let without =
        UpdateLicensesRequest { assign: vec![give(&large, &[&mail_2])], ..change(customer, &users, &[], &[]) };
    let results = licenses.update(token, without).await.unwrap();
    assert_eq!(words(&results), ["CHANGED", "CHANGED", "CHANGED"]);
    let swap = licenses.update(token, change(customer, &users[..1], &[&large], &[&small])).await.unwrap();
    assert_eq!(words(&swap), ["CHANGED"], "one takes the place of the other");
}

#[rstest]
#[tokio::test]
async fn a_product_is_used_where_its_rules_allow_it(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let mut licenses = Licenses::of(world).await;
    let (token, customer) = (trade.helper(), trade.customer.as_str());
    let product = suite(world, &trade, &[&fresh()], 9).await;
    let users = world.told_users(customer, 4).await;
    for (user, location) in users.iter().zip(["AT", "CH", "", "FR"]) {
        let mut fact = World::user_fact(customer, user, "Uma User");
        location.clone_into(&mut fact.usage_location);
        world.apply_identity_facts(vec![IdentityFact { version: 2, fact: Some(Fact::User(fact)) }]).await.unwrap();
    }
    let places = |places: &[&str]| places.iter().map(|place| (*place).to_owned()).collect();
    let allowed = ProductRules { allowed_usage_locations: places(&["AT", "FR"]), ..Default::default() };
    let prohibited = ProductRules { prohibited_usage_locations: places(&["FR"]), ..Default::default() };
    let (no, unset) = ("USAGE_LOCATION_NOT_ALLOWED", "USAGE_LOCATION_REQUIRED");
    for (rules, expected) in
        [(allowed, ["CHANGED", no, unset, "CHANGED"]), (prohibited, ["CHANGED", "CHANGED", unset, no])]
    {
        rule(world, &product, rules).await;
        let results = licenses.update(token, change(customer, &users, &[&product], &[])).await.unwrap();
        assert_eq!(words(&results), expected);
        licenses.update(token, change(customer, &users, &[], &[&product])).await.unwrap();
    }
}

#[rstest]
#[tokio::test]
async fn products_that_nobody_gives_here_or_not_together_are_refused_for_everybody(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let mut licenses = Licenses::of(world).await;
    let (token, customer) = (trade.helper(), trade.customer.as_str());
    let usual = suite(world, &trade, &[&fresh()], 9).await;
    let [apart, tenant, publisher] = [
        suite(world, &trade, &[&fresh()], 9).await,
        suite(world, &trade, &[&fresh()], 9).await,
        suite(world, &trade, &[&fresh()], 9).await,
    ];
    rule(world, &apart, ProductRules { license_group: LicenseGroup::Second.into(), ..Default::default() }).await;
    rule(world, &tenant, ProductRules { target_type: TargetType::Tenant.into(), ..Default::default() }).await;
    let by_publisher =
        ProductRules { assignment_authority: AssignmentAuthority::Publisher.into(), ..Default::default() };
    rule(world, &publisher, by_publisher).await;
    let users = world.told_users(customer, 1).await;
    let alone = licenses.update(token, change(customer, &users, &[&apart], &[])).await.unwrap();
    assert_eq!(words(&alone), ["CHANGED"]);
    let (usual, apart) = (usual.as_str(), apart.as_str());
    for (gives, takes) in [(&[apart, usual][..], &[][..]), (&[usual], &[apart])] {
        let refused = licenses.update(token, change(customer, &users, gives, takes)).await;
        assert_eq!(outcome(&refused), (Code::InvalidArgument, "MIXED_LICENSE_GROUPS".to_owned()));
    }
    for (product, expected) in [(&tenant, "PRODUCT_NOT_FOR_USERS"), (&publisher, "LICENSE_MANAGED_BY_PUBLISHER")] {
        let refused_one = product.as_str();
        for (gives, takes) in [(&[refused_one, usual][..], &[][..]), (&[usual], &[refused_one])] {
            let refused = licenses.update(token, change(customer, &users, gives, takes)).await;
            assert_eq!(outcome(&refused), (Code::FailedPrecondition, expected.to_owned()));
            assert_eq!(detail(&refused, "product_id").as_ref(), Some(product));
        }
    }
    let held = licenses.get(token, customer, &users[0]).await.unwrap();
    assert_eq!(held.len(), 1, "nobody got a part of what was refused");
}

#[rstest]
#[tokio::test]
async fn all_or_nothing_changes_nobody_when_one_cannot(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let mut licenses = Licenses::of(world).await;
    let (token, customer) = (trade.helper(), trade.customer.as_str());
    let product = suite(world, &trade, &[&fresh()], 2).await;
    let users = world.told_users(customer, 3).await;
    let all = |users: &[String]| UpdateLicensesRequest {
        mode: Mode::AllOrNothing.into(),
        ..change(customer, users, &[&product], &[])
    };
    let request = all(&users);
    let dry = UpdateLicensesRequest { validate_only: true, ..request.clone() };
    let would = licenses.update(token, dry).await.unwrap();
    let results = licenses.update(token, request).await.unwrap();
    assert_eq!(words(&results), ["OTHERS_FAILED", "OTHERS_FAILED", "NO_SEATS_AVAILABLE"]);
    assert_eq!(foretold(would), results);
    let owned = Shop::of(world).await.entitlement(token, customer, &product).await;
    assert_eq!(owned.consumed, 0);
    assert_eq!(words(&licenses.update(token, all(&users[..2])).await.unwrap()), ["CHANGED", "CHANGED"]);
    let mut odd = all(&users);
    odd.mode = 9;
    assert_eq!(outcome(&licenses.update(token, odd).await), (Code::InvalidArgument, "UNKNOWN_VALUE".to_owned()));
}
