//! Trials that are paid for.

use std::time::Duration;

use proto::identity::v1::Role;
use proto::licensing::v1::subscription_change::Kind as Happened;
use proto::licensing::v1::{ConvertTrialRequest, LimitUnit, OrderLine, PlaceOrderRequest, UpsertOfferRequest};
use proto::partner::v1::{PartnerKind, partner_standing};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{Grant, PASSWORD, World};
use tonic::Code;

use super::desk::{Desk, bought, converted, resized, tried, unpaid, unwanted};
use super::trade::{Licenses, Shop, Trade, change, line, person};
use super::{detail, outcome, reason};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[rstest]
#[tokio::test]
async fn a_trial_that_is_paid_for_keeps_its_licenses_and_does_not_end(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let trade = Trade::begin(&world).await;
    let trial = tried(&world, &trade).await;
    let id = &trial.subscription_id;
    let users = world.told_users(&trade.customer, 10).await;
    let (mut desk, mut shop, mut licenses) =
        (Desk::of(&world).await, Shop::of(&world).await, Licenses::of(&world).await);
    licenses.update(trade.helper(), change(&trade.customer, &users, &[&trade.product], &[])).await.unwrap();

    let few = desk.convert(trade.seller(), converted(id, &trade.offer, 9)).await;
    assert_eq!(outcome(&few), (Code::FailedPrecondition, "QUANTITY_BELOW_ASSIGNED".to_owned()));
    assert_eq!(detail(&few, "minimum").unwrap(), "10");
    let request = ConvertTrialRequest { etag: trial.etag.clone(), ..converted(id, &trade.offer, 12) };
    let dry = ConvertTrialRequest { validate_only: true, ..request.clone() };
    assert_eq!(desk.convert(trade.seller(), dry).await.unwrap().quantity, 12);
    assert_eq!(shop.get(trade.seller(), id).await.unwrap(), trial, "a dry run changes nothing");
    let paid = desk.convert(trade.seller(), request.clone()).await.unwrap();
    assert_eq!((paid.quantity, &paid.offer_id, paid.trial_end_time), (12, &trade.offer, None));
    assert_eq!(
        desk.convert(trade.seller(), request.clone()).await.unwrap(),
        paid,
        "the same request again is the same"
    );
    let again = ConvertTrialRequest { etag: trial.etag, ..converted(id, &trade.offer, 12) };
    assert_eq!(reason(&desk.convert(trade.seller(), again).await), "ETAG_MISMATCH");
    assert_eq!(reason(&desk.convert(trade.seller(), converted(id, &trade.offer, 12)).await), "NOT_A_TRIAL");
    let again = PlaceOrderRequest { lines: vec![line(&trial.offer_id, 25)], ..trade.order(1) };
    let again = shop.order(trade.seller(), again).await;
    assert_eq!(reason(&again), "SUBSCRIPTION_LIMIT_REACHED", "it was tried once");
    let line = desk.history(trade.seller(), id).await.remove(0);
    assert_eq!((line.kind(), line.quantity_before, line.quantity_after), (Happened::Converted, 25, 12));
    assert_eq!(line.actor_id, trade.provider.admin_user_id);
    desk.resize(trade.seller(), resized(id, 13)).await.unwrap();

    world.clock.advance(DAY * 31);
    let helper = world.sign_in(&trade.reseller.admin_sign_in_name, PASSWORD).await.access_token;
    let owned = shop.entitlement(&helper, &trade.customer, &trade.product).await;
    assert_eq!((owned.active, owned.suspended, owned.consumed), (13, 0, 10));
}

#[rstest]
#[tokio::test]
async fn a_trial_is_paid_for_under_its_own_offer_when_that_is_no_trial_any_more(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let trial = tried(world, &trade).await;
    let (id, quantity) = (&trial.subscription_id, trial.quantity);
    let once = UpsertOfferRequest {
        offer_id: trial.offer_id.clone(),
        limit_unit: LimitUnit::Lifetime.into(),
        limit: 1,
        ..World::offer_of(&trade.product)
    };
    world.offer(once).await;
    let mut desk = Desk::of(world).await;
    let paid = desk.convert(trade.seller(), converted(id, &trial.offer_id, quantity)).await.unwrap();
    assert_eq!((paid.trial_end_time, paid.quantity), (None, quantity));
    assert_eq!(Shop::of(world).await.get(trade.seller(), id).await.unwrap(), paid);
    let line = desk.history(trade.seller(), id).await.remove(0);
    assert_eq!((line.kind(), line.quantity_before, line.quantity_after), (Happened::Converted, quantity, quantity));
}

#[rstest]
#[tokio::test]
async fn a_trial_is_paid_for_under_the_conditions_of_an_order(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let trial = tried(world, &trade).await;
    let id = &trial.subscription_id;
    let mut desk = Desk::of(world).await;
    let good = World::offer_of(&trade.product);
    let parent = bought(world, &trade, 1).await;
    let limited = UpsertOfferRequest { limit_unit: LimitUnit::Lifetime.into(), limit: 1, ..good.clone() };
    let had = world.offer(limited).await;
    let order = PlaceOrderRequest { lines: vec![line(&had, 1)], ..trade.order(1) };
    Shop::of(world).await.order(trade.seller(), order).await.unwrap();
    let other = world.product("Harbor Shield").await;
    for (offer, quantity, expected) in [
        (
            world.offer(UpsertOfferRequest { available: false, ..World::offer_of(&trade.product) }).await,
            5,
            "OFFER_NOT_AVAILABLE",
        ),
        (
            world
                .offer(UpsertOfferRequest { countries: vec!["AT".to_owned()], ..World::offer_of(&trade.product) })
                .await,
            5,
            "OFFER_NOT_IN_COUNTRY",
        ),
        (world.offer(World::offer_of(&other)).await, 5, "OFFER_NOT_SUITABLE"),
        (trial.offer_id.clone(), 25, "OFFER_NOT_SUITABLE"),
        (trade.offer.clone(), 1_001, "QUANTITY_OUT_OF_RANGE"),
        (had, 5, "SUBSCRIPTION_LIMIT_REACHED"),
        (
            world
                .offer(UpsertOfferRequest {
                    parent_offer_ids: vec![trade.offer.clone()],
                    ..World::offer_of(&trade.product)
                })
                .await,
            5,
            "PARENT_REQUIRED",
        ),
        (tests::world::fresh(), 5, "NOT_FOUND"),
    ] {
        assert_eq!(reason(&desk.convert(trade.seller(), converted(id, &offer, quantity)).await), expected);
    }
    let none = desk.convert(trade.seller(), converted(id, &trade.offer, 0)).await;
    assert_eq!(outcome(&none), (Code::InvalidArgument, "OUT_OF_RANGE".to_owned()));
    let paid = desk.convert(trade.seller(), converted(&parent.subscription_id, &trade.offer, 5)).await;
    assert_eq!(outcome(&paid), (Code::FailedPrecondition, "NOT_A_TRIAL".to_owned()));

    let good = || converted(id, &trade.offer, 5);
    assert_eq!(reason(&desk.convert(trade.helper(), good()).await), "NOT_FOUND", "it is not the reseller's");
    let helpdesk = person(world, &trade.provider, &[Role::HelpdeskAgent]).await;
    assert_eq!(reason(&desk.convert(&helpdesk, good()).await), "ROLE_NOT_ALLOWED");
    let provider = &trade.provider.organization_id;
    world.told_access(&trade.customer, provider, Grant { order_right: false, epoch: 2, ..Grant::PROVIDER }).await;
    assert_eq!(reason(&desk.convert(trade.seller(), good()).await), "ORDER_RIGHT_REQUIRED");
    world.told_access(&trade.customer, provider, Grant { epoch: 3, ..Grant::PROVIDER }).await;
    let suspended = partner_standing::State::Suspended;
    world.told_standing(provider, PartnerKind::Provider, &trade.provider_mpn_id, suspended, 2).await;
    assert_eq!(reason(&desk.convert(trade.seller(), good()).await), "ACCOUNT_SUSPENDED");
    let active = partner_standing::State::Active;
    world.told_standing(provider, PartnerKind::Provider, &trade.provider_mpn_id, active, 3).await;
    desk.suspend(trade.seller(), unpaid(id)).await.unwrap();
    assert_eq!(reason(&desk.convert(trade.seller(), good()).await), "SUBSCRIPTION_SUSPENDED");
}

#[rstest]
#[tokio::test]
async fn what_adds_to_a_trial_must_be_sold_for_what_it_becomes(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let trial = tried(world, &trade).await;
    let product = world.product("Harbor Shield").await;
    let request = UpsertOfferRequest { parent_offer_ids: vec![trial.offer_id.clone()], ..World::offer_of(&product) };
    let mut adding = line(&world.offer(request.clone()).await, 2);
    adding.parent_subscription_id.clone_from(&trial.subscription_id);
    let order = PlaceOrderRequest { lines: vec![adding.clone()], ..trade.order(1) };
    let added = Shop::of(world).await.order(trade.seller(), order).await.unwrap().subscriptions.remove(0);
    let mut desk = Desk::of(world).await;
    let refused = desk.convert(trade.seller(), converted(&trial.subscription_id, &trade.offer, 5)).await;
    assert_eq!(outcome(&refused), (Code::FailedPrecondition, "PARENT_NOT_SUITABLE".to_owned()));
    assert_eq!(detail(&refused, "subscription_id").unwrap(), added.subscription_id);
    let both = UpsertOfferRequest {
        offer_id: adding.offer_id,
        parent_offer_ids: vec![trial.offer_id, trade.offer.clone()],
        request_id: tests::world::fresh(),
        ..request
    };
    world.offer(both).await;
    desk.convert(trade.seller(), converted(&trial.subscription_id, &trade.offer, 5)).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn what_a_customer_owns_already_is_not_tried(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let trial = UpsertOfferRequest { trial: true, maximum_quantity: 1, ..World::offer_of(&trade.product) };
    let trial = world.offer(trial).await;
    let mut shop = Shop::of(world).await;
    let order = |lines: Vec<OrderLine>| PlaceOrderRequest { lines, validate_only: true, ..trade.order(1) };
    let paid_first = shop.order(trade.seller(), order(vec![line(&trade.offer, 1), line(&trial, 1)])).await;
    assert_eq!(outcome(&paid_first), (Code::FailedPrecondition, "PRODUCT_OWNED".to_owned()));
    assert_eq!(["line", "product_id"].map(|key| detail(&paid_first, key).unwrap()), ["1", &trade.product]);
    let tried_first = order(vec![line(&trial, 1), line(&trade.offer, 1)]);
    shop.order(trade.seller(), tried_first).await.unwrap();

    // Whoever sold it.
    let direct = world.register().await;
    world.told_partner(&direct.organization_id, PartnerKind::Direct).await;
    world.told_access(&trade.customer, &direct.organization_id, Grant::DIRECT).await;
    let sold = shop.order(&direct.session.access_token, trade.order(1)).await.unwrap().subscriptions.remove(0);
    let refused = shop.order(trade.seller(), order(vec![line(&trial, 1)])).await;
    assert_eq!(reason(&refused), "PRODUCT_OWNED");
    let mut desk = Desk::of(world).await;
    desk.suspend(&direct.session.access_token, unpaid(&sold.subscription_id)).await.unwrap();
    let refused = shop.order(trade.seller(), order(vec![line(&trial, 1)])).await;
    assert_eq!(reason(&refused), "PRODUCT_OWNED", "what is suspended can become active again");
    desk.cancel(&direct.session.access_token, unwanted(&sold.subscription_id)).await.unwrap();
    shop.order(trade.seller(), order(vec![line(&trial, 1)])).await.unwrap();
}
