//! Licenses are given and taken, user by user, and every position is told the truth.

use proto::common::v1::ListAuditEntriesRequest;
use proto::common::v1::audit_service_client::AuditServiceClient;
use proto::identity::v1::identity_fact::Fact;
use proto::identity::v1::{IdentityFact, Role, UserFact, user_fact};
use proto::licensing::v1::{ChangeQuantityRequest, PlaceOrderRequest, UpdateLicensesRequest};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{Grant, Registered, World, authorized, dump, fresh};
use tonic::Code;

use super::desk::{Desk, resized};
use super::trade::{Licenses, Shop, Trade, change, foretold, give, person, words};
use super::{detail, outcome, reason};

/// A trade, and beside its own customer one of its provider's with a global admin.
async fn provided(world: &World) -> (Trade, Registered) {
    let (trade, customer) = (Trade::begin(world).await, world.customer_with_admin().await);
    world.told_access(&customer.organization_id, &trade.provider.organization_id, Grant::PROVIDER).await;
    (trade, customer)
}

#[rstest]
#[tokio::test]
async fn licenses_are_given_and_taken_and_every_position_is_told_what_became_of_it(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let (mut shop, mut licenses) = (Shop::of(world).await, Licenses::of(world).await);
    shop.order(trade.seller(), trade.order(2)).await.unwrap();
    let shield = trade.more(world, 5).await;
    let users = world.told_users(&trade.customer, 3).await;
    let (token, customer) = (trade.helper(), trade.customer.as_str());
    let both = [trade.product.as_str(), &shield];

    let all = change(customer, &users, &both, &[]);
    let dry = UpdateLicensesRequest { validate_only: true, ..all.clone() };
    let would = licenses.update(token, dry).await.unwrap();
    assert!(licenses.get(token, customer, &users[0]).await.unwrap().is_empty(), "a dry run gives nothing");
    let results = licenses.update(token, all.clone()).await.unwrap();
    assert_eq!(words(&would), ["WOULD_CHANGE", "WOULD_CHANGE", "NO_SEATS_AVAILABLE"]);
    assert_eq!(foretold(would), results, "a dry run tells what the real call does");
    assert_eq!(words(&results), ["CHANGED", "CHANGED", "NO_SEATS_AVAILABLE"]);
    assert_eq!(results.iter().map(|result| &result.user_id).collect::<Vec<_>>(), users.iter().collect::<Vec<_>>());
    assert_eq!((results[0].assigned_product_ids.len(), results[0].revoked_product_ids.len()), (2, 0));
    let error = &results[2].errors[0];
    assert_eq!((error.product_id.as_str(), error.total, error.partner_center_code.as_str()), (both[0], 2, "60012"));
    assert_eq!(licenses.update(token, all).await.unwrap(), results, "a repeated request is answered again");
    let owned = shop.entitlement(token, customer, &shield).await;
    assert_eq!((owned.consumed, owned.available), (2, 3), "who cannot have both takes no seat of either");

    let held = licenses.get(token, customer, &users[0]).await.unwrap();
    let names: Vec<&str> = held.iter().map(|license| license.product_name.as_str()).collect();
    assert_eq!(names, ["Harbor Mail", "Harbor Shield"]);
    assert!(held.iter().all(|license| license.service_plans.len() == 1 && license.assign_time.is_some()));

    let again = licenses.update(token, change(customer, &users[..2], &both, &[])).await.unwrap();
    assert_eq!(words(&again), ["UNCHANGED", "UNCHANGED"]);
    let swap = change(customer, &users[..1], &[], &[both[0]]);
    assert_eq!(words(&licenses.update(token, swap).await.unwrap()), ["CHANGED"]);
    let last = change(customer, &[users[2].clone(), users[2].clone()], &[both[0]], &[both[1]]);
    let results = licenses.update(token, last).await.unwrap();
    assert_eq!(words(&results), ["CHANGED", "UNCHANGED"], "the seat that was given back is taken, by one position");
    assert_eq!((results[0].assigned_product_ids.len(), results[0].revoked_product_ids.len()), (1, 0));
    let owned = shop.entitlement(token, customer, both[0]).await;
    assert_eq!((owned.total, owned.consumed, owned.available, owned.buy_more), (2, 2, 0, true));
}

#[rstest]
#[tokio::test]
async fn taking_what_a_user_does_not_hold_changes_nothing(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = &World::start(kind).await;
    let trade = Trade::begin(world).await;
    let mut licenses = Licenses::of(world).await;
    let users = world.told_users(&trade.customer, 2).await;
    let before = dump(&world.licensing.db().await).await;
    let request = change(&trade.customer, &users, &[], &[&trade.product, &fresh()]);
    assert_eq!(words(&licenses.update(trade.helper(), request).await.unwrap()), ["UNCHANGED", "UNCHANGED"]);
    let request = change(&trade.customer, &users, &[&trade.product], &[]);
    let results = licenses.update(trade.helper(), request).await.unwrap();
    assert_eq!(words(&results), ["NOT_ENTITLED", "NOT_ENTITLED"], "nothing was ordered");
    let after = dump(&world.licensing.db().await).await;
    assert_eq!(before.rows("assignments"), after.rows("assignments"));
}

#[rstest]
#[tokio::test]
async fn whoever_cannot_get_a_license_is_told_why_and_the_others_get_theirs(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let mut licenses = Licenses::of(world).await;
    Shop::of(world).await.order(trade.seller(), trade.order(10)).await.unwrap();
    let customer = trade.customer.as_str();
    let [good, lost, gone] = world.told_users(customer, 3).await.try_into().unwrap();
    let neighbor = world.told_users(&world.told_customer("DE").await, 1).await.remove(0);
    let told = |user: &str, change: fn(&mut UserFact)| {
        let mut fact = World::user_fact(customer, user, "Uma User");
        change(&mut fact);
        IdentityFact { version: 2, fact: Some(Fact::User(fact)) }
    };
    let without_location = told(&lost, |fact| fact.usage_location.clear());
    let deleted = told(&gone, |fact| fact.state = user_fact::State::Deleted.into());
    world.apply_identity_facts(vec![without_location, deleted]).await.unwrap();
    let users = [lost, gone.clone(), neighbor, good];
    let request = change(customer, &users, &[&trade.product], &[]);
    let results = licenses.update(trade.helper(), request).await.unwrap();
    assert_eq!(words(&results), ["USAGE_LOCATION_REQUIRED", "USER_DELETED", "NOT_FOUND", "CHANGED"]);
    assert_eq!(results[2].errors[0].product_id, "");
    let took = change(customer, &[gone], &[], &[&trade.product]);
    assert_eq!(words(&licenses.update(trade.helper(), took).await.unwrap()), ["USER_DELETED"]);
}

#[rstest]
#[tokio::test]
async fn what_is_too_much_is_refused_before_anything_is_done_and_names_its_limit(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = &World::start(kind).await;
    let trade = Trade::begin(world).await;
    let mut licenses = Licenses::of(world).await;
    let customer = trade.customer.as_str();
    let products: Vec<String> = (0..21).map(|_| fresh()).collect();
    let products: Vec<&str> = products.iter().map(String::as_str).collect();
    let ids = |count: usize| (0..count).map(|_| fresh()).collect::<Vec<_>>();
    let before = dump(&world.licensing.db().await).await;
    for (request, limit) in [
        (change(customer, &ids(10_001), &products[..1], &[]), "license_users_max"),
        (change(customer, &ids(1), &products[..11], &products[11..]), "license_products_max"),
        (change(customer, &ids(2_501), &products[..20], &[]), "license_pairs_max"),
    ] {
        let refused = licenses.update(trade.helper(), request).await;
        assert_eq!(outcome(&refused), (Code::InvalidArgument, "TOO_LONG".to_owned()));
        assert_eq!(detail(&refused, "limit").as_deref(), Some(limit));
    }
    let user = ids(1);
    for (request, expected) in [
        (change(customer, &[], &products[..1], &[]), "EMPTY_SELECTION"),
        (change(customer, &user, &[], &[]), "EMPTY_SELECTION"),
        (change(customer, &user, &products[..1], &products[..1]), "PRODUCT_REPEATED"),
        (change(customer, &["nobody".to_owned()], &products[..1], &[]), "MALFORMED"),
        (change("nobody", &user, &products[..1], &[]), "MALFORMED"),
    ] {
        assert_eq!(
            outcome(&licenses.update(trade.helper(), request).await),
            (Code::InvalidArgument, expected.to_owned())
        );
    }
    let after = dump(&world.licensing.db().await).await;
    assert_eq!((before.rows("assignments"), before.rows("users")), (after.rows("assignments"), after.rows("users")));
}

#[rstest]
#[case(&[Role::GlobalAdmin], "OK")]
#[case(&[Role::UserManagementAdmin], "OK")]
#[case(&[Role::BillingAdmin], "ROLE_NOT_ALLOWED")]
#[case(&[Role::AdminAgent], "OK")]
#[case(&[Role::SalesAgent], "OK")]
#[case(&[Role::HelpdeskAgent], "OK")]
#[tokio::test]
async fn licenses_are_a_matter_of_roles_a_relationship_and_delegated_admin(
    #[case] roles: &[Role],
    #[case] expected: &str,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let mut licenses = Licenses::of(world).await;
    Shop::of(world).await.order(trade.seller(), trade.order(1)).await.unwrap();
    let token = &person(world, &trade.reseller, roles).await;
    let users = world.told_users(&trade.customer, 1).await;
    let one = |customer: &str| change(customer, &users, &[&trade.product], &[]);
    assert_eq!(reason(&licenses.update(token, one(&trade.customer)).await), expected);
    assert_eq!(reason(&licenses.get(token, &trade.customer, &users[0]).await), expected);
    if expected == "OK" {
        assert_eq!(reason(&licenses.update(token, one(&fresh())).await), "NOT_FOUND");
        let without = Grant { delegated_admin: false, epoch: 2, ..Grant::RESELLER };
        world.told_access(&trade.customer, &trade.reseller.organization_id, without).await;
        let refused = licenses.update(token, one(&trade.customer)).await;
        assert_eq!(outcome(&refused), (Code::PermissionDenied, "DELEGATED_ADMIN_REQUIRED".to_owned()));
        assert_eq!(reason(&licenses.get(token, &trade.customer, &users[0]).await), "DELEGATED_ADMIN_REQUIRED");
        let removed = Grant { active: false, epoch: 3, ..Grant::RESELLER };
        world.told_access(&trade.customer, &trade.reseller.organization_id, removed).await;
        let refused = licenses.update(token, one(&trade.customer)).await;
        assert_eq!(reason(&refused), "NOT_FOUND", "delegated admin that survived the relationship does not count");
    }
}

#[rstest]
#[tokio::test]
async fn every_change_of_licenses_is_journaled_for_the_partner_and_the_customer(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let (trade, customer) = provided(world).await;
    let id = customer.organization_id.as_str();
    world.told_access(id, &trade.reseller.organization_id, Grant::RESELLER).await;
    let order = PlaceOrderRequest { customer_id: id.to_owned(), ..trade.order(200) };
    Shop::of(world).await.order(trade.seller(), order).await.unwrap();
    let users = world.told_users(id, 150).await;
    let mut licenses = Licenses::of(world).await;
    licenses.update(trade.helper(), change(id, &users[..1], &[&trade.product], &[])).await.unwrap();
    licenses.update(trade.helper(), change(id, &users, &[&trade.product], &[])).await.unwrap();
    licenses.update(trade.helper(), change(id, &users, &[&trade.product], &[])).await.unwrap();
    let mut audit = AuditServiceClient::new(world.to_licensing().await);
    let request = ListAuditEntriesRequest { action_prefix: "LicensesUpdated".to_owned(), ..Default::default() };
    for token in [trade.helper(), &customer.session.access_token] {
        let entries = audit.list_audit_entries(authorized(token, request.clone())).await.unwrap().into_inner().entries;
        assert_eq!(entries.len(), 3, "one for the single user, two for the other 149, none for what changed nothing");
        let single = entries.iter().find(|entry| entry.target_id == users[0]).unwrap();
        assert_eq!(
            (single.changes[0].field.as_str(), single.changes[0].after.as_str()),
            ("licenses", trade.product.as_str())
        );
        let named: usize = entries
            .iter()
            .flat_map(|entry| &entry.changes)
            .filter(|change| change.field == "users")
            .map(|change| change.after.split(' ').count())
            .sum();
        assert_eq!(named, 149);
    }
}

#[rstest]
#[tokio::test]
async fn ten_thousand_users_get_a_license_in_one_call(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::start(kind).await;
    let trade = Trade::begin(&world).await;
    let mut licenses = Licenses::of(&world).await;
    let mut offer = World::offer_of(&trade.product);
    offer.maximum_quantity = 10_000;
    let offer = world.offer(offer).await;
    let order = PlaceOrderRequest { lines: vec![super::trade::line(&offer, 9_999)], ..trade.order(1) };
    Shop::of(&world).await.order(trade.seller(), order).await.unwrap();
    let users = world.told_users(&trade.customer, 10_000).await;
    let mut request = change(&trade.customer, &users, &[], &[]);
    request.assign = vec![give(&trade.product, &[])];
    let results = licenses.update(trade.helper(), request).await.unwrap();
    assert_eq!(results.len(), 10_000);
    let (last, others) = words(&results).split_last().map(|(last, others)| (last.clone(), others.to_vec())).unwrap();
    assert!(others.iter().all(|word| word == "CHANGED"));
    assert_eq!(last, "NO_SEATS_AVAILABLE");
}

#[rstest]
#[tokio::test]
async fn what_was_refused_at_a_customer_is_read_there_unless_the_caller_may_do_nothing_there(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let (trade, customer) = provided(world).await;
    let id = customer.organization_id.as_str();
    let mut shop = Shop::of(world).await;
    let order = |quantity| PlaceOrderRequest { customer_id: id.to_owned(), ..trade.order(quantity) };
    let placed = shop.order(trade.seller(), order(5)).await.unwrap().subscriptions.remove(0);
    assert_eq!(reason(&shop.order(trade.seller(), order(1_001)).await), "QUANTITY_OUT_OF_RANGE");
    let mut desk = Desk::of(world).await;
    let resize = resized(&placed.subscription_id, 1_001);
    assert_eq!(reason(&desk.resize(trade.seller(), resize.clone()).await), "QUANTITY_OUT_OF_RANGE");
    let foreign = ChangeQuantityRequest { request_id: fresh(), ..resize };
    assert_eq!(reason(&desk.resize(trade.helper(), foreign).await), "NOT_FOUND", "the reseller does not serve it");
    let refused =
        Licenses::of(world).await.update(trade.helper(), change(id, &[fresh()], &[&trade.product], &[])).await;
    assert_eq!(reason(&refused), "NOT_FOUND");
    let mut audit = AuditServiceClient::new(world.to_licensing().await);
    let request = ListAuditEntriesRequest { customer_id: id.to_owned(), ..Default::default() };
    let token = &customer.session.access_token;
    let entries = audit.list_audit_entries(authorized(token, request)).await.unwrap().into_inner().entries;
    let told: Vec<(&str, &str)> = entries.iter().map(|entry| (entry.action.as_str(), entry.reason.as_str())).collect();
    assert_eq!(
        told,
        [
            ("ChangeQuantity", "QUANTITY_OUT_OF_RANGE"),
            ("PlaceOrder", "QUANTITY_OUT_OF_RANGE"),
            ("SubscriptionOrdered", "")
        ]
    );
}
