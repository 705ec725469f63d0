//! What offers ask of those who order: add-ons and their parents, trials, and limits.

use std::time::Duration;

use proto::licensing::v1::catalog_service_client::CatalogServiceClient;
use proto::licensing::v1::subscription::State;
use proto::licensing::v1::{
    ImportProductsRequest, LimitUnit, Offer, OrderLine, PlaceOrderRequest, StateReason, Subscription,
    SubscriptionChange, UpsertOfferRequest,
};
use proto::partner::v1::PartnerKind;
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{Grant, HEADER, PASSWORD, World, authorized, fresh};
use tokio::task::JoinSet;
use tonic::{Code, Status};

use super::buying::refusals;
use super::desk::{Desk, bought, paid, resized, tried, unpaid, unwanted};
use super::trade::{Licenses, Shop, Trade, change, line};
use super::{detail, outcome, reason};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn upsert(world: &World, offer: UpsertOfferRequest) -> Result<Offer, Status> {
    let mut catalog = CatalogServiceClient::new(world.to_licensing().await);
    let made = catalog.upsert_offer(authorized(&world.operator().await, offer)).await?;
    Ok(made.into_inner().offer.unwrap())
}

/// An offer of a product of its own that adds to the trade's.
async fn add_on(world: &World, trade: &Trade) -> UpsertOfferRequest {
    let product = world.product("Harbor Shield").await;
    UpsertOfferRequest { parent_offer_ids: vec![trade.offer.clone()], ..World::offer_of(&product) }
}

pub(crate) fn adding(offer_id: &str, parent_id: &str) -> OrderLine {
    OrderLine { parent_subscription_id: parent_id.to_owned(), ..line(offer_id, 2) }
}

async fn order(world: &World, trade: &Trade, line: OrderLine) -> Result<Subscription, Status> {
    let request = PlaceOrderRequest { lines: vec![line], ..trade.order(1) };
    Ok(Shop::of(world).await.order(trade.seller(), request).await?.subscriptions.remove(0))
}

#[rstest]
#[tokio::test]
async fn an_add_on_is_ordered_for_an_active_subscription_to_one_of_its_offers(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let parent = bought(world, &trade, 5).await.subscription_id;
    let offer = world.offer(add_on(world, &trade).await).await;
    let other = world.offer(World::offer_of(&world.product("Tide").await)).await;
    let unsuitable = order(world, &trade, line(&other, 1)).await.unwrap().subscription_id;
    for (line, expected) in [
        (line(&offer, 2), "PARENT_REQUIRED"),
        (adding(&offer, &unsuitable), "PARENT_NOT_SUITABLE"),
        (adding(&other, &parent), "PARENT_NOT_SUITABLE"),
        (adding(&offer, &fresh()), "NOT_FOUND"),
    ] {
        let refused = order(world, &trade, line).await;
        assert_eq!((reason(&refused).as_str(), detail(&refused, "line").as_deref()), (expected, Some("0")));
    }
    let added = order(world, &trade, adding(&offer, &parent)).await.unwrap();
    assert_eq!((added.state(), &added.parent_subscription_id), (State::Active, &parent));

    // Another partner's subscription is nothing to add to, and answers like none.
    let direct = world.register().await;
    world.told_partner(&direct.organization_id, PartnerKind::Direct).await;
    world.told_access(&trade.customer, &direct.organization_id, Grant::DIRECT).await;
    let request = PlaceOrderRequest { lines: vec![adding(&offer, &parent)], ..trade.order(1) };
    assert_eq!(reason(&Shop::of(world).await.order(&direct.session.access_token, request).await), "NOT_FOUND");

    Desk::of(world).await.suspend(trade.seller(), unpaid(&parent)).await.unwrap();
    let refused = order(world, &trade, adding(&offer, &parent)).await;
    assert_eq!(outcome(&refused), (Code::FailedPrecondition, "PARENT_NOT_ACTIVE".to_owned()));
    assert_eq!(detail(&refused, "partner_center_code").unwrap(), "27009");
}

#[rstest]
#[tokio::test]
async fn add_ons_are_suspended_and_deleted_with_their_parent_and_reactivated_after_it(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let parent = bought(world, &trade, 5).await.subscription_id;
    let offer = add_on(world, &trade).await;
    let (product, offer) = (offer.product_id.clone(), world.offer(offer).await);
    let added = order(world, &trade, adding(&offer, &parent)).await.unwrap().subscription_id;
    let users = world.told_users(&trade.customer, 1).await;
    let mut licenses = Licenses::of(world).await;
    licenses.update(trade.helper(), change(&trade.customer, &users, &[&product], &[])).await.unwrap();
    let (mut desk, mut shop) = (Desk::of(world).await, Shop::of(world).await);

    let down = desk.suspend(trade.seller(), unpaid(&parent)).await.unwrap();
    let followed = shop.get(trade.seller(), &added).await.unwrap();
    assert_eq!((followed.state(), followed.state_reason()), (State::Suspended, StateReason::ParentSuspended));
    assert_eq!(followed.expire_time, down.expire_time);
    let owned = shop.entitlement(trade.helper(), &trade.customer, &product).await;
    assert_eq!((owned.active, owned.suspended, owned.available), (0, 2, 0));

    let early = desk.reactivate(trade.seller(), paid(&added)).await;
    assert_eq!(outcome(&early), (Code::FailedPrecondition, "PARENT_NOT_ACTIVE".to_owned()));
    assert_eq!(detail(&early, "partner_center_code").unwrap(), "27009");
    assert_eq!(detail(&early, "parent_subscription_id").unwrap(), parent);
    desk.reactivate(trade.seller(), paid(&parent)).await.unwrap();
    assert_eq!(shop.get(trade.seller(), &added).await.unwrap().state(), State::Suspended, "each by itself");
    desk.reactivate(trade.seller(), paid(&added)).await.unwrap();
    let owned = shop.entitlement(trade.helper(), &trade.customer, &product).await;
    assert_eq!((owned.active, owned.suspended, owned.consumed), (2, 0, 1));

    desk.cancel(trade.seller(), unwanted(&parent)).await.unwrap();
    let gone = shop.get(trade.seller(), &added).await.unwrap();
    assert_eq!((gone.state(), gone.state_reason()), (State::Deleted, StateReason::ParentDeleted));
    assert!(shop.entitlements(trade.helper(), &trade.customer).await.unwrap().entitlements.is_empty());
    assert!(licenses.get(trade.helper(), &trade.customer, &users[0]).await.unwrap().is_empty());
}

#[rstest]
#[tokio::test]
async fn an_add_on_adds_to_no_add_on_and_not_to_itself(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let request = add_on(world, &trade).await;
    let made = upsert(world, request.clone()).await.unwrap();
    assert_eq!(made.parent_offer_ids, [trade.offer.as_str()]);
    let second =
        UpsertOfferRequest { parent_offer_ids: vec![made.offer_id.clone()], ..World::offer_of(&trade.product) };
    assert_eq!(reason(&upsert(world, second).await), "PARENT_IS_ADD_ON");
    let other = world.offer(World::offer_of(&trade.product)).await;
    let turned = UpsertOfferRequest {
        offer_id: trade.offer.clone(),
        parent_offer_ids: vec![other],
        ..World::offer_of(&trade.product)
    };
    assert_eq!(reason(&upsert(world, turned).await), "PARENT_IS_ADD_ON", "something adds to it already");
    let itself = UpsertOfferRequest { parent_offer_ids: vec![made.offer_id], request_id: fresh(), ..request.clone() };
    assert_eq!(outcome(&upsert(world, itself).await), (Code::InvalidArgument, "MALFORMED".to_owned()));
    let (offer_id, loud) = (fresh(), |id: &str| id.to_ascii_uppercase());
    for (offer_id, parent) in [(offer_id.clone(), loud(&offer_id)), (loud(&offer_id), offer_id.clone())] {
        let itself =
            UpsertOfferRequest { offer_id, parent_offer_ids: vec![parent], request_id: fresh(), ..request.clone() };
        assert_eq!(outcome(&upsert(world, itself).await), (Code::InvalidArgument, "MALFORMED".to_owned()));
    }
    let unknown = UpsertOfferRequest { parent_offer_ids: vec![fresh()], request_id: fresh(), ..request };
    assert_eq!(reason(&upsert(world, unknown).await), "NOT_FOUND");
}

#[rstest]
#[tokio::test]
async fn what_was_ordered_as_an_add_on_takes_none_whatever_its_offer_says_now(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let request = add_on(world, &trade).await;
    let middle = upsert(world, request.clone()).await.unwrap();
    let parent = order(world, &trade, line(&trade.offer, 1)).await.unwrap().subscription_id;
    let added = order(world, &trade, adding(&middle.offer_id, &parent)).await.unwrap().subscription_id;
    let alone = UpsertOfferRequest {
        offer_id: middle.offer_id.clone(),
        parent_offer_ids: Vec::new(),
        request_id: fresh(),
        ..request.clone()
    };
    upsert(world, alone).await.unwrap();
    let top = UpsertOfferRequest { parent_offer_ids: vec![middle.offer_id.clone()], ..World::offer_of(&trade.product) };
    let top = upsert(world, top).await.unwrap().offer_id;
    let chained = OrderLine { parent_subscription_id: added, ..line(&top, 1) };
    assert_eq!(
        reason(&order(world, &trade, chained).await),
        "PARENT_NOT_SUITABLE",
        "nobody would suspend it with its root"
    );
    assert_eq!(refusals(world, trade.seller(), &trade, &top).await, ["PARENT_REQUIRED"], "it has nothing to add to");
    let root = order(world, &trade, line(&middle.offer_id, 1)).await.unwrap().subscription_id;
    assert!(refusals(world, trade.seller(), &trade, &top).await.is_empty());
    order(world, &trade, adding(&top, &root)).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_customer_has_an_offer_as_often_as_its_limit_says_whoever_sells_it(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let limited =
        |unit: LimitUnit| UpsertOfferRequest { limit_unit: unit.into(), limit: 2, ..World::offer_of(&trade.product) };
    let direct = world.register().await;
    world.told_partner(&direct.organization_id, PartnerKind::Direct).await;
    world.told_access(&trade.customer, &direct.organization_id, Grant::DIRECT).await;
    let (mut desk, mut shop) = (Desk::of(world).await, Shop::of(world).await);
    for (unit, word) in [(LimitUnit::Concurrent, "CONCURRENT"), (LimitUnit::Lifetime, "LIFETIME")] {
        let offer = world.offer(limited(unit)).await;
        let first = order(world, &trade, line(&offer, 1)).await.unwrap().subscription_id;
        let two = PlaceOrderRequest { lines: vec![line(&offer, 1); 2], ..trade.order(1) };
        let refused = shop.order(&direct.session.access_token, two).await;
        assert_eq!(outcome(&refused), (Code::ResourceExhausted, "SUBSCRIPTION_LIMIT_REACHED".to_owned()));
        let numbers = ["limit", "limit_unit", "partner_center_code", "line"].map(|key| detail(&refused, key).unwrap());
        assert_eq!(numbers, ["2", word, "800066", "1"]);
        let one = PlaceOrderRequest { lines: vec![line(&offer, 1)], ..trade.order(1) };
        shop.order(&direct.session.access_token, one).await.unwrap();
        desk.suspend(trade.seller(), unpaid(&first)).await.unwrap();
        assert_eq!(reason(&order(world, &trade, line(&offer, 1)).await), "SUBSCRIPTION_LIMIT_REACHED");
        desk.cancel(trade.seller(), unwanted(&first)).await.unwrap();
        let expected = if unit == LimitUnit::Concurrent { "OK" } else { "SUBSCRIPTION_LIMIT_REACHED" };
        assert_eq!(
            reason(&order(world, &trade, line(&offer, 1)).await),
            expected,
            "deleted ones count for ever or not"
        );
    }
}

#[rstest]
#[tokio::test]
async fn of_many_who_order_at_once_no_more_get_an_offer_than_its_limit_says(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let limited =
        UpsertOfferRequest { limit_unit: LimitUnit::Concurrent.into(), limit: 3, ..World::offer_of(&trade.product) };
    let offer = world.offer(limited).await;
    let mut tasks = JoinSet::new();
    for _ in 0..12 {
        let request = PlaceOrderRequest { lines: vec![line(&offer, 1)], ..trade.order(1) };
        let (mut shop, token) = (Shop::of(world).await, trade.seller().to_owned());
        tasks.spawn(async move { reason(&shop.order(&token, request).await) });
    }
    let told = tasks.join_all().await;
    assert_eq!(told.iter().filter(|told| *told == "OK").count(), 3, "{told:?}");
    assert_eq!(Shop::of(world).await.list(trade.seller(), &trade.customer).await.unwrap().len(), 3);
}

#[rstest]
#[tokio::test]
async fn what_is_wrong_with_the_terms_of_an_offer_is_told(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let good = World::offer_of(&fresh());
    let unit = LimitUnit::Lifetime.into();
    for (request, expected) in [
        (UpsertOfferRequest { trial: true, ..good.clone() }, "OUT_OF_RANGE"),
        (
            UpsertOfferRequest { trial: true, minimum_quantity: 1_000, limit_unit: unit, limit: 1, ..good.clone() },
            "UNKNOWN_VALUE",
        ),
        (UpsertOfferRequest { limit: 1, ..good.clone() }, "OUT_OF_RANGE"),
        (UpsertOfferRequest { limit_unit: unit, ..good.clone() }, "OUT_OF_RANGE"),
        (UpsertOfferRequest { limit_unit: unit, limit: 10_001, ..good.clone() }, "OUT_OF_RANGE"),
        (UpsertOfferRequest { limit_unit: 9, ..good.clone() }, "UNKNOWN_VALUE"),
        (UpsertOfferRequest { parent_offer_ids: vec![fresh(); 101], ..good.clone() }, "TOO_LONG"),
        (UpsertOfferRequest { product_family: "x".repeat(51), ..good }, "TOO_LONG"),
    ] {
        assert_eq!(outcome(&upsert(world, request).await), (Code::InvalidArgument, expected.to_owned()));
    }
}

#[rstest]
#[tokio::test]
async fn offers_and_their_terms_survive_another_edition_of_the_list(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let request = UpsertOfferRequest {
        limit_unit: LimitUnit::Concurrent.into(),
        limit: 7,
        product_family: "harbor".to_owned(),
        ..add_on(world, &trade).await
    };
    let made = upsert(world, request.clone()).await.unwrap();
    let renamed = format!("{HEADER}Renamed,PART,{},PLAN,{},Renamed\n", request.product_id, fresh());
    let mut catalog = CatalogServiceClient::new(world.to_licensing().await);
    let import = ImportProductsRequest { content: renamed.into_bytes(), request_id: fresh(), validate_only: false };
    let operator = world.operator().await;
    catalog.import_products(authorized(&operator, import)).await.unwrap();
    let again = UpsertOfferRequest { request_id: fresh(), ..request };
    assert_eq!(upsert(world, again).await.unwrap(), made, "it says the same, so that nothing was changed");
}

#[rstest]
#[tokio::test]
async fn a_trial_is_had_once_keeps_its_seats_and_ends_after_thirty_days(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let trade = Trade::begin(&world).await;
    let tried = tried(&world, &trade).await;
    let (id, offer) = (&tried.subscription_id, tried.offer_id.clone());
    assert_eq!(tried.trial_end_time.unwrap().seconds - tried.create_time.unwrap().seconds, 30 * 24 * 60 * 60);
    assert_eq!(reason(&order(&world, &trade, line(&offer, 25)).await), "SUBSCRIPTION_LIMIT_REACHED");
    assert_eq!(reason(&order(&world, &trade, line(&offer, 24)).await), "QUANTITY_OUT_OF_RANGE");
    let (mut desk, mut shop) = (Desk::of(&world).await, Shop::of(&world).await);
    assert_eq!(reason(&desk.resize(trade.seller(), resized(id, 26)).await), "TRIAL_QUANTITY_FIXED");

    let product = world.product("Harbor Shield").await;
    let adds = UpsertOfferRequest { parent_offer_ids: vec![offer.clone()], ..World::offer_of(&product) };
    let adds = world.offer(adds).await;
    let first = order(&world, &trade, adding(&adds, id)).await.unwrap().subscription_id;
    let second = order(&world, &trade, adding(&adds, id)).await.unwrap().subscription_id;

    world.clock.advance(DAY * 30);
    let seller = world.sign_in(&trade.provider.admin_sign_in_name, PASSWORD).await.access_token;
    // Whoever changes one of them first finds what was due written down for all of them.
    desk.cancel(&seller, unwanted(&first)).await.unwrap();
    assert_eq!(shop.get(&seller, &second).await.unwrap().state_reason(), StateReason::ParentSuspended);
    let alone = |history: Vec<SubscriptionChange>| (history[0].reason(), history[0].actor_id.clone());
    let (followed, ended) = (desk.history(&seller, &second).await, desk.history(&seller, id).await);
    assert_eq!(alone(followed), (StateReason::ParentSuspended, String::new()), "nobody did it");
    assert_eq!(alone(ended), (StateReason::TrialEnded, String::new()), "nobody did it");
    let ended = shop.get(&seller, id).await.unwrap();
    assert_eq!((ended.state(), ended.state_reason()), (State::Suspended, StateReason::TrialEnded));
    let owned = shop.entitlement(&seller, &trade.customer, &trade.product).await;
    assert_eq!((owned.active, owned.suspended), (0, 25));
    assert_eq!(reason(&desk.reactivate(&seller, paid(id)).await), "TRIAL_ENDED");
    desk.cancel(&seller, unwanted(id)).await.unwrap();
}
