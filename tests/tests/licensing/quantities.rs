//! Seats of a subscription that become more or fewer.

use std::sync::Arc;

use proto::identity::v1::Role;
use proto::licensing::v1::{ChangeQuantityRequest, UpsertOfferRequest, subscription_change};
use proto::partner::v1::{PartnerKind, partner_standing};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{Grant, World, fresh};
use tokio::task::JoinSet;
use tonic::Code;

use super::desk::{Desk, bought, resized, unpaid, unwanted};
use super::trade::{Licenses, Shop, Trade, change, person, words};
use super::{detail, outcome, reason};

#[rstest]
#[tokio::test]
async fn seats_become_fewer_but_never_fewer_than_the_licenses(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let ordered = bought(world, &trade, 10).await;
    let id = &ordered.subscription_id;
    let users = world.told_users(&trade.customer, 8).await;
    let given = change(&trade.customer, &users, &[&trade.product], &[]);
    Licenses::of(world).await.update(trade.helper(), given).await.unwrap();
    let (mut desk, mut shop) = (Desk::of(world).await, Shop::of(world).await);

    let refused = desk.resize(trade.seller(), resized(id, 7)).await;
    assert_eq!(outcome(&refused), (Code::FailedPrecondition, "QUANTITY_BELOW_ASSIGNED".to_owned()));
    let keys = ["quantity", "assigned", "minimum", "partner_center_code"];
    assert_eq!(keys.map(|key| detail(&refused, key).unwrap()), ["7", "8", "8", "800090"]);

    let dry = ChangeQuantityRequest { validate_only: true, ..resized(id, 8) };
    assert_eq!(desk.resize(trade.seller(), dry).await.unwrap().quantity, 8);
    assert_eq!(shop.get(trade.seller(), id).await.unwrap(), ordered, "a dry run changes nothing");

    let request = ChangeQuantityRequest { etag: ordered.etag.clone(), ..resized(id, 8) };
    let changed = desk.resize(trade.seller(), request.clone()).await.unwrap();
    assert_eq!((changed.quantity, shop.get(trade.seller(), id).await.unwrap()), (8, changed.clone()));
    assert_eq!(desk.resize(trade.seller(), request).await.unwrap(), changed, "the same request again is the same");
    let owned = shop.entitlement(trade.helper(), &trade.customer, &trade.product).await;
    assert_eq!((owned.total, owned.consumed, owned.available, owned.buy_more), (8, 8, 0, true));

    let stale = desk.resize(trade.seller(), ChangeQuantityRequest { etag: ordered.etag, ..resized(id, 9) }).await;
    assert_eq!(outcome(&stale), (Code::Aborted, "ETAG_MISMATCH".to_owned()));
    assert_eq!(detail(&stale, "partner_center_code").unwrap(), "2055");
    assert_eq!(desk.resize(trade.seller(), resized(id, 8)).await.unwrap(), changed, "as many as it has is no change");
    let history = desk.history(trade.seller(), id).await;
    let told: Vec<_> = history.iter().map(|line| (line.kind(), line.quantity_before, line.quantity_after)).collect();
    let (ordered, resized) = (subscription_change::Kind::Ordered, subscription_change::Kind::QuantityChanged);
    assert_eq!(told, [(resized, 10, 8), (ordered, 0, 10)]);
}

#[rstest]
#[tokio::test]
async fn what_other_subscriptions_bring_counts_when_one_gets_smaller(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let (first, second) = (bought(world, &trade, 5).await, bought(world, &trade, 5).await);
    let users = world.told_users(&trade.customer, 6).await;
    let given = change(&trade.customer, &users, &[&trade.product], &[]);
    Licenses::of(world).await.update(trade.helper(), given).await.unwrap();
    let mut desk = Desk::of(world).await;
    desk.resize(trade.seller(), resized(&first.subscription_id, 2)).await.unwrap();
    let refused = desk.resize(trade.seller(), resized(&second.subscription_id, 3)).await;
    assert_eq!(
        (reason(&refused).as_str(), detail(&refused, "minimum").unwrap().as_str()),
        ("QUANTITY_BELOW_ASSIGNED", "4")
    );
    desk.resize(trade.seller(), resized(&second.subscription_id, 4)).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn the_bounds_are_the_offer_s_as_they_are_now(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let id = bought(world, &trade, 10).await.subscription_id;
    let bounds = UpsertOfferRequest {
        offer_id: trade.offer.clone(),
        minimum_quantity: 5,
        maximum_quantity: 20,
        ..World::offer_of(&trade.product)
    };
    world.offer(bounds).await;
    let mut desk = Desk::of(world).await;
    for quantity in [4, 21] {
        let refused = desk.resize(trade.seller(), resized(&id, quantity)).await;
        assert_eq!(outcome(&refused), (Code::FailedPrecondition, "QUANTITY_OUT_OF_RANGE".to_owned()));
        let numbers = ["minimum", "maximum", "partner_center_code"].map(|key| detail(&refused, key).unwrap());
        assert_eq!(numbers, ["5", "20", "2002"]);
    }
    assert_eq!(desk.resize(trade.seller(), resized(&id, 20)).await.unwrap().quantity, 20);
    let nothing = desk.resize(trade.seller(), resized(&id, 0)).await;
    assert_eq!(outcome(&nothing), (Code::InvalidArgument, "OUT_OF_RANGE".to_owned()));

    desk.suspend(trade.seller(), unpaid(&id)).await.unwrap();
    let suspended = desk.resize(trade.seller(), resized(&id, 19)).await;
    assert_eq!(outcome(&suspended), (Code::FailedPrecondition, "SUBSCRIPTION_SUSPENDED".to_owned()));
    assert_eq!(detail(&suspended, "partner_center_code").unwrap(), "2001");
    desk.cancel(trade.seller(), unwanted(&id)).await.unwrap();
    let deleted = desk.resize(trade.seller(), resized(&id, 19)).await;
    assert_eq!(outcome(&deleted), (Code::FailedPrecondition, "SUBSCRIPTION_DELETED".to_owned()));
    assert_eq!(detail(&deleted, "partner_center_code").unwrap(), "2011");
}

#[rstest]
#[tokio::test]
async fn more_seats_take_what_an_order_takes_and_fewer_do_not(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let id = bought(world, &trade, 10).await.subscription_id;
    let mut desk = Desk::of(world).await;
    let provider = &trade.provider.organization_id;
    let suspended = partner_standing::State::Suspended;
    world.told_standing(provider, PartnerKind::Provider, &trade.provider_mpn_id, suspended, 2).await;
    assert_eq!(reason(&desk.resize(trade.seller(), resized(&id, 11)).await), "ACCOUNT_SUSPENDED");
    desk.resize(trade.seller(), resized(&id, 9)).await.unwrap();
    world.told_access(&trade.customer, provider, Grant { order_right: false, epoch: 2, ..Grant::PROVIDER }).await;
    let refused = desk.resize(trade.seller(), resized(&id, 11)).await;
    assert_eq!(outcome(&refused), (Code::PermissionDenied, "ORDER_RIGHT_REQUIRED".to_owned()));
    assert_eq!(detail(&refused, "partner_center_code").unwrap(), "20002");
    desk.resize(trade.seller(), resized(&id, 8)).await.unwrap();
}

#[rstest]
#[case(&[Role::GlobalAdmin], "OK")]
#[case(&[Role::AdminAgent], "OK")]
#[case(&[Role::SalesAgent], "OK")]
#[case(&[Role::HelpdeskAgent, Role::UserManagementAdmin, Role::BillingAdmin], "ROLE_NOT_ALLOWED")]
#[tokio::test]
async fn subscriptions_are_changed_by_the_roles_that_order(
    #[case] roles: &[Role],
    #[case] expected: &str,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let id = bought(world, &trade, 10).await.subscription_id;
    let token = &person(world, &trade.provider, roles).await;
    let mut desk = Desk::of(world).await;
    assert_eq!(reason(&desk.resize(token, resized(&id, 11)).await), expected);
    let unknown = if expected == "OK" { "NOT_FOUND" } else { expected };
    assert_eq!(reason(&desk.resize(token, resized(&fresh(), 11)).await), unknown);
}

#[rstest]
#[tokio::test]
async fn a_subscription_is_changed_by_the_partner_who_ordered_it_and_nobody_else(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let mut shop = Shop::of(world).await;
    let order =
        proto::licensing::v1::PlaceOrderRequest { reseller_mpn_id: trade.reseller_mpn_id.clone(), ..trade.order(10) };
    let id = shop.order(trade.seller(), order).await.unwrap().subscriptions.remove(0).subscription_id;
    let neighbor = world.register().await;
    world.told_partner(&neighbor.organization_id, PartnerKind::Direct).await;
    world.told_access(&trade.customer, &neighbor.organization_id, Grant::DIRECT).await;
    let stranger = world.register().await;
    let mut desk = Desk::of(world).await;
    let before = (shop.get(trade.seller(), &id).await.unwrap(), desk.history(trade.seller(), &id).await);

    // The reseller of record sees it and is told why not.
    let expected = (Code::PermissionDenied, "OPERATION_NOT_AVAILABLE_TO_INDIRECT_RESELLER".to_owned());
    assert_eq!(outcome(&desk.resize(trade.helper(), resized(&id, 11)).await), expected);
    assert_eq!(outcome(&desk.suspend(trade.helper(), unpaid(&id)).await), expected);
    assert_eq!(outcome(&desk.cancel(trade.helper(), unwanted(&id)).await), expected);

    // Whoever does not see it is told the same as about one that there is not.
    for token in [&neighbor.session.access_token, &stranger.session.access_token] {
        let mut told = Vec::new();
        for id in [&id, &fresh()] {
            let answers = [
                desk.resize(token, resized(id, 11)).await.unwrap_err(),
                desk.suspend(token, unpaid(id)).await.unwrap_err(),
                desk.reactivate(token, super::desk::paid(id)).await.unwrap_err(),
                desk.cancel(token, unwanted(id)).await.unwrap_err(),
            ];
            told.push(answers.map(|status| (status.code(), status.message().replace(id.as_str(), "ID"))));
        }
        assert!(told[0] == told[1] && told[0].iter().all(|answer| answer.0 == Code::NotFound), "{told:?}");
    }
    let after = (shop.get(trade.seller(), &id).await.unwrap(), desk.history(trade.seller(), &id).await);
    assert_eq!(before, after);
}

#[rstest]
#[tokio::test]
async fn seats_that_shrink_while_licenses_are_given_are_never_fewer_than_those(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let id = Arc::new(bought(world, &trade, 20).await.subscription_id);
    let users = world.told_users(&trade.customer, 32).await;
    let (desk, licenses) = (Desk::of(world).await, Licenses::of(world).await);
    let mut tasks = JoinSet::new();
    for (at, user) in users.into_iter().enumerate() {
        let (mut licenses, token) = (licenses.clone(), trade.helper().to_owned());
        let (customer, product) = (trade.customer.clone(), trade.product.clone());
        tasks.spawn(async move {
            let given = change(&customer, std::slice::from_ref(&user), &[&product], &[]);
            let told = words(&licenses.update(&token, given).await.unwrap()).remove(0);
            assert!(["CHANGED", "NO_SEATS_AVAILABLE"].contains(&told.as_str()), "{told}");
            if told == "CHANGED" && at % 2 == 0 {
                licenses.update(&token, change(&customer, &[user], &[], &[&product])).await.unwrap();
            }
        });
    }
    for resizer in 0..4 {
        let (mut desk, token, id) = (desk.clone(), trade.seller().to_owned(), Arc::clone(&id));
        tasks.spawn(async move {
            for turn in 0..6 {
                let quantity = 1 + (resizer * 7 + turn * 5) % 20;
                let told = reason(&desk.resize(&token, resized(&id, quantity)).await);
                assert!(["OK", "QUANTITY_BELOW_ASSIGNED"].contains(&told.as_str()), "{told}");
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let mut shop = Shop::of(world).await;
    let owned = shop.entitlement(trade.helper(), &trade.customer, &trade.product).await;
    let quantity = shop.get(trade.seller(), &id).await.unwrap().quantity;
    assert!(owned.total == i64::from(quantity) && owned.consumed <= owned.total, "{owned:?}");
}
