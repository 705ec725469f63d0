//! How much one answer tells: a page ends where the space does, and nothing is left out of a list.

use proto::common::v1::ListAuditEntriesRequest;
use proto::common::v1::audit_service_client::AuditServiceClient;
use proto::licensing::v1::catalog_service_client::CatalogServiceClient;
use proto::licensing::v1::entitlement_service_client::EntitlementServiceClient;
use proto::licensing::v1::list_entitlements_request::Seek;
use proto::licensing::v1::{
    ImportProductsRequest, LicenseToAssign, ListEntitlementsRequest, ListEntitlementsResponse, ListOffersRequest,
    PlaceOrderRequest, UpdateLicensesRequest, UpsertOfferRequest,
};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{HEADER, World, authorized, fresh};
use uuid::Uuid;

use super::plans::{left_out_told, suite};
use super::trade::{Licenses, Shop, Trade, change, give, line};

/// A product of many service plans with long names, about a megabyte in an answer, of which the customer has a seat.
async fn wordy(world: &World, trade: &Trade) -> String {
    let (product, long) = (fresh(), "n".repeat(500));
    let rows: String =
        (0..1_000).map(|_| format!("Harbor Suite,S,{product},{long},{},{long}\n", Uuid::new_v4())).collect();
    let content = format!("{HEADER}{rows}").into_bytes();
    let request = ImportProductsRequest { content, request_id: fresh(), validate_only: false };
    let mut catalog = CatalogServiceClient::new(world.to_licensing().await);
    catalog.import_products(authorized(&world.operator().await, request)).await.unwrap();
    let offer = world.offer(World::offer_of(&product)).await;
    let order = PlaceOrderRequest { lines: vec![line(&offer, 1)], ..trade.order(1) };
    Shop::of(world).await.order(trade.seller(), order).await.unwrap();
    product
}

#[rstest]
#[tokio::test]
async fn of_products_with_much_to_tell_fewer_make_a_page_and_the_next_one_has_the_others(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let mut products = Vec::new();
    for _ in 0..4 {
        products.push(wordy(world, &trade).await);
    }
    let client = EntitlementServiceClient::new(world.to_licensing().await);
    // The client takes no more than the usual 4 MiB.
    let list = async |page_token: &str, seek: Seek| {
        let request = ListEntitlementsRequest {
            customer_id: trade.customer.clone(),
            page_token: page_token.to_owned(),
            seek: seek.into(),
            ..Default::default()
        };
        client.clone().list_entitlements(authorized(trade.helper(), request)).await.unwrap().into_inner()
    };
    let first = list("", Seek::First).await;
    let next = list(&first.next_page_token, Seek::First).await;
    let last = list("", Seek::Last).await;
    let of = |page: &ListEntitlementsResponse| -> Vec<String> {
        assert!(page.entitlements.iter().all(|detail| detail.service_plans.len() == 1_000));
        page.entitlements.iter().map(|detail| detail.entitlement.as_ref().unwrap().product_id.clone()).collect()
    };
    // They have one name, so that they stand in the order of their ids.
    products.sort();
    assert_eq!([of(&first), of(&next)], [&products[..3], &products[3..]]);
    assert_eq!(of(&last), products[1..]);
    assert!(next.next_page_token.is_empty() && !last.previous_page_token.is_empty());
}

#[rstest]
#[tokio::test]
async fn of_very_many_subscriptions_those_are_told_of_which_more_can_be_ordered(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let mut shop = Shop::of(world).await;
    let withdrawn = world.offer(World::offer_of(&trade.product)).await;
    let order = |offer: &str, lines| PlaceOrderRequest { lines: vec![line(offer, 1); lines], ..trade.order(1) };
    let old = shop.order(trade.seller(), order(&withdrawn, 1)).await.unwrap().subscriptions.remove(0);
    let none = UpsertOfferRequest { offer_id: withdrawn, available: false, ..World::offer_of(&trade.product) };
    world.offer(none).await;
    for lines in [100, 100, 100, 100, 100, 100, 100, 100, 100, 99] {
        shop.order(trade.seller(), order(&trade.offer, lines)).await.unwrap();
    }
    let told = async |shop: &mut Shop| shop.entitlement(trade.seller(), &trade.customer, &trade.product).await;
    let all = told(&mut shop).await;
    assert_eq!((all.sources.len(), all.more_sources, all.total), (1_000, false, 1_000));
    assert_eq!(all.sources.last().unwrap().subscription_id, old.subscription_id, "nobody can order more of it");
    shop.order(trade.seller(), order(&trade.offer, 1)).await.unwrap();
    let most = told(&mut shop).await;
    assert_eq!((most.sources.len(), most.more_sources, most.total), (1_000, true, 1_001));
    assert!(most.sources.iter().all(|source| source.orderable));
}

/// So many ids that nobody has.
fn ids(count: usize) -> Vec<String> {
    (0..count).map(|_| fresh()).collect()
}

/// Gives a license, or other plans of it.
async fn replan(world: &World, trade: &Trade, user: &[String], license: LicenseToAssign) {
    let request = UpdateLicensesRequest { assign: vec![license], ..change(&trade.customer, user, &[], &[]) };
    Licenses::of(world).await.update(trade.helper(), request).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn of_journal_entries_that_tell_much_fewer_make_a_page(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    const CHANGES: usize = 25;
    let world = World::shared(kind).await;
    let (trade, plans) = (Trade::begin(world).await, ids(2_002));
    let plans: Vec<&str> = plans.iter().map(String::as_str).collect();
    let product = suite(world, &trade, &plans, 1).await;
    let user = world.told_users(&trade.customer, 1).await;
    for turn in 0..CHANGES {
        // About 150 kilobytes of the journal, what was left out before and what is now.
        let excluded = if turn % 2 == 0 { &plans[1..] } else { &plans[..2_001] };
        replan(world, &trade, &user, give(&product, excluded)).await;
    }
    let mut audit = AuditServiceClient::new(world.to_licensing().await);
    let mut request =
        ListAuditEntriesRequest { page_size: 1_000, action_prefix: "LicensesUpdated".to_owned(), ..Default::default() };
    let mut pages = Vec::new();
    loop {
        // The client takes no more than the usual 4 MiB.
        let page = audit.list_audit_entries(authorized(trade.helper(), request.clone())).await.unwrap().into_inner();
        pages.push(page.entries.len());
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!((pages.len(), pages.iter().sum::<usize>()), (2, CHANGES), "{pages:?}");
    assert!(pages[0] > CHANGES / 2, "{pages:?}");
}

#[rstest]
#[tokio::test]
async fn service_plans_that_are_too_many_for_a_journal_entry_are_told_as_a_star(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let (trade, plans) = (Trade::begin(world).await, ids(4_001));
    let plans: Vec<&str> = plans.iter().map(String::as_str).collect();
    let product = suite(world, &trade, &plans, 1).await;
    let user = world.told_users(&trade.customer, 1).await;
    for excluded in [&plans[1..], &plans[..1]] {
        replan(world, &trade, &user, give(&product, excluded)).await;
    }
    let told = left_out_told(world, trade.helper()).await;
    let [one, many] = [format!("{product}:{}", plans[0]), "*".to_owned()];
    assert_eq!(told, [(many.clone(), one), (String::new(), many)], "newest first");
}

/// Offers of a product that are sold in many countries and add to as many offers as one can, all like the first of them.
async fn alike(world: &World, product: &str, count: usize) {
    let mut offer = UpsertOfferRequest { name: "Harbor Extra".to_owned(), ..World::offer_of(product) };
    for _ in 0..100 {
        offer.parent_offer_ids.push(world.offer(World::offer_of(product)).await);
    }
    offer.countries = ["AT", "BE", "CH", "DE", "FR", "NL"].map(str::to_owned).to_vec();
    let first: Uuid = world.offer(offer).await.parse().unwrap();
    let mut tx = world.licensing.db().await.write().await.unwrap();
    for _ in 1..count {
        let another = Uuid::new_v4();
        for text in [
            "INSERT INTO offers (offer_id, product_id, name, name_key, minimum_quantity, maximum_quantity, available, trial,
                 limit_unit, limit_count, billing_cycles, terms, product_family, version, create_time, update_time)
             SELECT $2, product_id, name, name_key, minimum_quantity, maximum_quantity, available, trial, limit_unit,
                 limit_count, billing_cycles, terms, product_family, version, create_time, update_time
             FROM offers WHERE offer_id = $1",
            "INSERT INTO offer_countries (offer_id, country) SELECT $2, country FROM offer_countries WHERE offer_id = $1",
            "INSERT INTO offer_parents (offer_id, parent_offer_id) SELECT $2, parent_offer_id FROM offer_parents WHERE offer_id = $1",
        ] {
            assert!(tx.sql(text).bind(first).bind(another).execute().await.unwrap() > 0);
        }
    }
    tx.commit().await.unwrap();
}

#[rstest]
#[tokio::test]
async fn of_offers_with_much_to_tell_fewer_make_a_page(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::start(kind).await;
    let product = world.product("Harbor Mail").await;
    alike(&world, &product, 1_000).await;
    let mut catalog = CatalogServiceClient::new(world.to_licensing().await);
    let operator = world.operator().await;
    let mut request = ListOffersRequest { name_prefix: "harbor e".to_owned(), page_size: 1_000, ..Default::default() };
    // The client takes no more than the usual 4 MiB.
    let first = catalog.list_offers(authorized(&operator, request.clone())).await.unwrap().into_inner();
    request.page_token = first.next_page_token;
    let next = catalog.list_offers(authorized(&operator, request)).await.unwrap().into_inner();
    assert!((500..1_000).contains(&first.offers.len()), "{}", first.offers.len());
    assert_eq!((first.offers.len() + next.offers.len(), next.next_page_token.as_str()), (1_000, ""));
}
