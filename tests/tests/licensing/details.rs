//! What an answer says beside the outcome: numbers of the vendor's portal, warnings, locations, and how much of it fits.

use proto::identity::v1::Role;
use proto::licensing::v1::catalog_service_client::CatalogServiceClient;
use proto::licensing::v1::license_result::Outcome;
use proto::licensing::v1::license_warning::Code as Warning;
use proto::licensing::v1::{
    ImportProductsRequest, PlaceOrderRequest, ProductRules, UpdateLicensesRequest, UpsertOfferRequest,
};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{HEADER, World, authorized, fresh};
use uuid::Uuid;

use super::desk::{Desk, bought, paid, resized, unpaid};
use super::rules::{Catalog, needs, setting};
use super::trade::{Licenses, Shop, Trade, change, line, person};
use super::{detail, reason};

#[rstest]
#[tokio::test]
async fn refusals_carry_the_numbers_of_the_vendor_s_portal(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let bounded = UpsertOfferRequest { minimum_quantity: 2, maximum_quantity: 5, ..World::offer_of(&trade.product) };
    let bounded = world.offer(bounded).await;
    let (mut shop, mut desk) = (Shop::of(world).await, Desk::of(world).await);
    let order = |quantity| PlaceOrderRequest { lines: vec![line(&bounded, quantity)], ..trade.order(1) };
    let placed = shop.order(trade.seller(), order(3)).await.unwrap().subscriptions.remove(0);
    let code = "partner_center_code";
    for (quantity, ordered, changed) in [(6, "800067", "2002"), (1, "2002", "2002")] {
        let refused = shop.order(trade.seller(), order(quantity)).await;
        assert_eq!(reason(&refused), "QUANTITY_OUT_OF_RANGE");
        assert_eq!(detail(&refused, code).unwrap(), ordered);
        let refused = desk.resize(trade.seller(), resized(&placed.subscription_id, quantity)).await;
        assert_eq!(reason(&refused), "QUANTITY_OUT_OF_RANGE");
        assert_eq!(detail(&refused, code).unwrap(), changed);
    }
    let clerk = person(world, &trade.provider, &[Role::BillingAdmin]).await;
    let refused = shop.order(&clerk, order(3)).await;
    assert_eq!((reason(&refused), detail(&refused, code).unwrap()), ("ROLE_NOT_ALLOWED".into(), "900150".into()));
    let unknown = Licenses::of(world).await.get(trade.helper(), &trade.customer, &fresh()).await;
    assert_eq!((reason(&unknown), detail(&unknown, code).unwrap()), ("NOT_FOUND".into(), "60002".into()));
}

#[rstest]
#[tokio::test]
async fn who_takes_a_license_of_a_suspended_product_is_warned_that_its_seat_serves_nobody(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let id = bought(world, &trade, 5).await.subscription_id;
    let more = trade.more(world, 5).await;
    let users = world.told_users(&trade.customer, 3).await;
    let (mut desk, mut licenses) = (Desk::of(world).await, Licenses::of(world).await);
    let products = [trade.product.as_str(), more.as_str()];
    licenses.update(trade.helper(), change(&trade.customer, &users[..2], &products, &[])).await.unwrap();
    desk.suspend(trade.seller(), unpaid(&id)).await.unwrap();
    let dry = UpdateLicensesRequest { validate_only: true, ..change(&trade.customer, &users, &[], &products) };
    let warned = licenses.update(trade.helper(), dry).await.unwrap();
    let results = licenses.update(trade.helper(), change(&trade.customer, &users[..1], &[], &products)).await.unwrap();
    assert_eq!((&warned[0].warnings, results[0].outcome()), (&results[0].warnings, Outcome::Changed));
    let warnings: Vec<(Warning, &str)> =
        results[0].warnings.iter().map(|warning| (warning.code(), warning.product_id.as_str())).collect();
    assert_eq!(warnings, [(Warning::SeatSuspended, trade.product.as_str())]);
    assert!(warned[2].warnings.is_empty(), "who had nothing frees nothing");
    desk.reactivate(trade.seller(), paid(&id)).await.unwrap();
    let results = licenses.update(trade.helper(), change(&trade.customer, &users[1..2], &[], &products)).await.unwrap();
    assert!(results[0].warnings.is_empty());
}

#[rstest]
#[tokio::test]
async fn a_location_that_is_not_allowed_is_named(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    bought(world, &trade, 5).await;
    let users = world.told_users(&trade.customer, 1).await;
    let rules = ProductRules { prohibited_usage_locations: vec!["DE".to_owned()], ..Default::default() };
    Catalog::of(world).await.set(&world.operator().await, setting(&trade.product, rules)).await.unwrap();
    let request = change(&trade.customer, &users, &[&trade.product], &[]);
    let results = Licenses::of(world).await.update(trade.helper(), request).await.unwrap();
    let error = &results[0].errors[0];
    assert_eq!((error.reason.as_str(), error.usage_location.as_str()), ("USAGE_LOCATION_NOT_ALLOWED", "DE"));
}

/// Products each of which has a plan that needs one of twenty others.
async fn demanding(world: &World, count: usize) -> Vec<String> {
    let operator = world.operator().await;
    let others: Vec<String> = (0..20).map(|_| Uuid::new_v4().to_string()).collect();
    let needed = Uuid::new_v4();
    let wanted = others.iter().map(|plan| format!("Tide,TIDE,{needed},P{plan},{plan},Plan {plan}\n"));
    let products: Vec<(String, String)> =
        (0..count).map(|_| (Uuid::new_v4().to_string(), Uuid::new_v4().to_string())).collect();
    let lacking = products.iter();
    let lacking = lacking.map(|(id, plan)| format!("Harbor {id},HARBOR,{id},P{plan},{plan},Plan {plan}\n"));
    let content = HEADER.to_owned() + &wanted.chain(lacking).collect::<String>();
    let request = ImportProductsRequest { content: content.into_bytes(), request_id: fresh(), validate_only: false };
    let mut catalog = CatalogServiceClient::new(world.to_licensing().await);
    catalog.import_products(authorized(&operator, request)).await.unwrap();
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    for (product, plan) in &products {
        let rules = ProductRules { dependencies: vec![needs(plan, &others)], ..Default::default() };
        Catalog::of(world).await.set(&operator, setting(product, rules)).await.unwrap();
    }
    products.into_iter().map(|(product, _)| product).collect()
}

#[rstest]
#[tokio::test]
async fn an_answer_that_would_be_too_large_tells_every_outcome_and_leaves_out_details(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let products = demanding(world, 5).await;
    let users = world.told_users(&trade.customer, 10_000).await;
    let products: Vec<&str> = products.iter().map(String::as_str).collect();
    // The client takes no more than the usual 4 MiB.
    let request = change(&trade.customer, &users, &products, &[]);
    let results = Licenses::of(world).await.update(trade.helper(), request).await.unwrap();
    assert_eq!(results.len(), 10_000);
    let whole = results.iter().take_while(|result| !result.details_left_out).count();
    assert!(whole > 100 && whole < 10_000, "{whole}");
    for (at, (result, user)) in results.iter().zip(&users).enumerate() {
        assert_eq!((&result.user_id, result.outcome()), (user, Outcome::Failed));
        assert_eq!(result.details_left_out, at >= whole);
        assert_eq!(result.errors.len(), if at < whole { 10 } else { 1 }, "of each product two reasons");
        assert_eq!(result.errors[0].reason, results[0].errors[0].reason);
    }
}
