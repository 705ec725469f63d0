//! The vendor's whole list, and real products of it whose service plans collide or need one another.

use proto::licensing::v1::catalog_service_client::CatalogServiceClient;
use proto::licensing::v1::{
    GetProductRequest, ImportProductsRequest, PlaceOrderRequest, ProductRules, UpdateLicensesRequest,
};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{World, authorized, fresh};

use super::catalog::published;
use super::plans::rule;
use super::rules::{excludes, needs};
use super::trade::{Licenses, Shop, Trade, change, give, line, words};

/// The enterprise suites and an add-on, by the ids that the vendor publishes.
const E1: &str = "18181a46-0d4e-45cd-891e-60aabd171b4e";
const E3: &str = "6fd2c87f-b296-42f0-b197-1e91e994b900";
const ANALYTICS: &str = "3d957427-ecdc-4df2-aacd-01cc9d519da8";

/// Service plans of theirs.
const EXCHANGE_STANDARD: &str = "9aaf7827-d63c-4b61-89c3-182f06f82e5c";
const EXCHANGE_ENTERPRISE: &str = "efb87545-963c-4e0d-99df-69c6916d9eb0";
const SHAREPOINT_STANDARD: &str = "c7699d2e-19aa-44de-8edf-1736da088ca1";
const SHAREPOINT_ENTERPRISE: &str = "5dbe027f-2339-4123-9542-606e4d348a72";
const WORKPLACE_ANALYTICS: &str = "f477b0f0-3bb1-4890-940c-40fcee6ce05f";

#[rstest]
#[tokio::test]
async fn real_products_whose_plans_collide_go_together_once_the_plans_of_one_are_left_out(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(content) = published() else { return };
    let world = World::start(kind).await;
    let operator = world.operator().await;
    let mut catalog = CatalogServiceClient::new(world.to_licensing().await);
    let request = ImportProductsRequest { content, request_id: fresh(), validate_only: false };
    catalog.import_products(authorized(&operator, request.clone())).await.unwrap();
    let exclusions =
        vec![excludes(EXCHANGE_ENTERPRISE, EXCHANGE_STANDARD), excludes(SHAREPOINT_ENTERPRISE, SHAREPOINT_STANDARD)];
    rule(&world, E3, ProductRules { exclusions, ..Default::default() }).await;
    let mail = needs(WORKPLACE_ANALYTICS, &[EXCHANGE_STANDARD, EXCHANGE_ENTERPRISE]);
    rule(&world, ANALYTICS, ProductRules { dependencies: vec![mail], ..Default::default() }).await;
    let again = ImportProductsRequest { request_id: fresh(), ..request };
    catalog.import_products(authorized(&operator, again)).await.unwrap();
    let request = GetProductRequest { product_id: E3.to_owned() };
    let shown = catalog.get_product(authorized(&operator, request)).await.unwrap().into_inner();
    assert_eq!(shown.rules.unwrap().exclusions.len(), 2, "the list leaves the rules alone");

    let trade = Trade::begin(&world).await;
    for product in [E1, E3, ANALYTICS] {
        let offer = world.offer(World::offer_of(product)).await;
        let order = PlaceOrderRequest { lines: vec![line(&offer, 9)], ..trade.order(9) };
        Shop::of(&world).await.order(trade.seller(), order).await.unwrap();
    }
    let (token, customer) = (trade.helper(), trade.customer.as_str());
    let users = world.told_users(customer, 2).await;
    let mut licenses = Licenses::of(&world).await;

    let both = licenses.update(token, change(customer, &users, &[E1, E3], &[])).await.unwrap();
    assert_eq!(words(&both), ["MUTUALLY_EXCLUSIVE MUTUALLY_EXCLUSIVE"; 2]);
    let mut named: Vec<&str> = both[0].errors.iter().map(|error| error.service_plan_id.as_str()).collect();
    named.sort_unstable();
    assert_eq!(named, [SHAREPOINT_ENTERPRISE, EXCHANGE_ENTERPRISE], "both plans that collide are named");
    let without = UpdateLicensesRequest {
        assign: vec![give(E1, &[EXCHANGE_STANDARD, SHAREPOINT_STANDARD]), give(E3, &[])],
        ..change(customer, &users[..1], &[], &[])
    };
    assert_eq!(words(&licenses.update(token, without).await.unwrap()), ["CHANGED"]);
    let held = licenses.get(token, customer, &users[0]).await.unwrap();
    let e1 = held.iter().find(|license| license.product_id == E1).unwrap();
    assert_eq!(e1.excluded_service_plans.len(), 2);
    assert!(e1.service_plans.len() > 20, "the others are all there");
    let whole = licenses.update(token, change(customer, &users[..1], &[E1], &[])).await.unwrap();
    assert_eq!(words(&whole), ["MUTUALLY_EXCLUSIVE MUTUALLY_EXCLUSIVE"], "not all of it beside the other");

    let early = licenses.update(token, change(customer, &users, &[ANALYTICS], &[])).await.unwrap();
    assert_eq!(words(&early), ["CHANGED", "DEPENDENCY_NOT_MET"]);
    let bare = licenses.update(token, change(customer, &users[..1], &[], &[E3])).await.unwrap();
    assert_eq!(words(&bare), ["DEPENDENT_LICENSE_PRESENT"], "what is left of the other suite has no mail");
    let swap = licenses.update(token, change(customer, &users[..1], &[E1], &[E3])).await.unwrap();
    assert_eq!(words(&swap), ["CHANGED"], "all of the one takes the place of the other");
}
