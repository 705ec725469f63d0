//! The proof that counters of seats are right, and where more seats can be had.

use proto::identity::v1::Role;
use proto::licensing::v1::entitlement_service_client::EntitlementServiceClient;
use proto::licensing::v1::{PlaceOrderRequest, SeatCounters, VerifySeatsRequest, VerifySeatsResponse};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{World, authorized};
use tonic::{Code, Status};
use uuid::Uuid;

use super::desk::{Desk, bought, unpaid};
use super::outcome;
use super::trade::{Licenses, Shop, Trade, change, person};

async fn verify(world: &World, token: &str) -> Result<VerifySeatsResponse, Status> {
    let mut client = EntitlementServiceClient::new(world.to_licensing().await);
    client.verify_seats(authorized(token, VerifySeatsRequest {})).await.map(tonic::Response::into_inner)
}

/// The operator proves that no counter is wrong, whoever has just moved them.
pub(crate) async fn counted_right(world: &World) {
    let found = verify(world, &world.operator().await).await.unwrap();
    assert!(found.pools > 0 && found.drifts.is_empty(), "{found:?}");
}

/// Writes to licensing's database behind its back.
async fn plant(world: &World, customer: &str, what: fn(&mut db::Tx, Uuid) -> db::Statement<'_>) {
    let mut tx = world.licensing.db().await.write().await.unwrap();
    assert_eq!(what(&mut tx, customer.parse().unwrap()).execute().await.unwrap(), 1);
    tx.commit().await.unwrap();
}

/// Somebody is deleted behind licensing's back, or was not.
const DELETE_ONE: &str = "UPDATE users SET state = 'DELETED'
    WHERE user_id = (SELECT user_id FROM users WHERE customer_id = $1 ORDER BY user_id LIMIT 1)";
const KEEP_ONE: &str = "UPDATE users SET state = 'ACTIVE'
    WHERE user_id = (SELECT user_id FROM users WHERE customer_id = $1 ORDER BY user_id LIMIT 1)";

#[rstest]
#[tokio::test]
async fn counters_that_are_not_what_they_count_are_found_and_told_to_operators(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let (right, wrong) = (Trade::begin(&world).await, Trade::begin(&world).await);
    for trade in [&right, &wrong] {
        let id = bought(&world, trade, 10).await.subscription_id;
        bought(&world, trade, 5).await;
        let users = world.told_users(&trade.customer, 4).await;
        let given = change(&trade.customer, &users, &[&trade.product], &[]);
        Licenses::of(&world).await.update(trade.helper(), given).await.unwrap();
        Desk::of(&world).await.suspend(trade.seller(), unpaid(&id)).await.unwrap();
    }
    let operator = world.operator().await;
    let found = verify(&world, &operator).await.unwrap();
    assert_eq!((found.pools, found.drifts.len(), found.more), (2, 0, false));

    let counters = |consumed| Some(SeatCounters { seats: 15, suspended: 10, consumed });
    for (state, drift) in [("DELETED", Some((counters(4), counters(3)))), ("ACTIVE", None)] {
        let one: fn(&mut db::Tx, Uuid) -> db::Statement<'_> = match state {
            "DELETED" => |tx, customer| tx.sql(DELETE_ONE).bind(customer),
            _ => |tx, customer| tx.sql(KEEP_ONE).bind(customer),
        };
        plant(&world, &wrong.customer, one).await;
        let found = verify(&world, &operator).await.unwrap();
        let told = found.drifts.first().map(|drift| (drift.told, drift.counted));
        assert_eq!(told, drift, "who was deleted takes no seat");
    }
    plant(&world, &wrong.customer, |tx, customer| {
        tx.sql("UPDATE pools SET consumed = consumed + 1 WHERE customer_id = $1").bind(customer)
    })
    .await;
    let found = verify(&world, &operator).await.unwrap();
    let [drift] = found.drifts.as_slice() else { panic!("one pool drifts: {found:?}") };
    assert_eq!((&drift.customer_id, &drift.product_id), (&wrong.customer, &wrong.product));
    assert_eq!((drift.told, drift.counted), (counters(5), counters(4)));

    plant(&world, &wrong.customer, |tx, customer| tx.sql("DELETE FROM pools WHERE customer_id = $1").bind(customer))
        .await;
    let found = verify(&world, &operator).await.unwrap();
    let nothing = Some(SeatCounters { seats: 0, suspended: 0, consumed: 0 });
    assert_eq!((found.pools, found.drifts[0].told, found.drifts[0].counted), (1, nothing, counters(4)));

    let refused = verify(&world, right.seller()).await;
    assert_eq!(outcome(&refused), (Code::PermissionDenied, "ORGANIZATION_KIND_NOT_ALLOWED".to_owned()));
}

#[rstest]
#[tokio::test]
async fn it_is_told_where_more_seats_can_be_had_and_by_whom(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let mut shop = Shop::of(world).await;
    let order = PlaceOrderRequest { reseller_mpn_id: trade.reseller_mpn_id.clone(), ..trade.order(6) };
    let placed = shop.order(trade.seller(), order).await.unwrap().subscriptions.remove(0);
    let helpdesk = person(world, &trade.provider, &[Role::HelpdeskAgent]).await;
    for (token, orderable) in [(trade.seller(), true), (trade.helper(), false), (helpdesk.as_str(), false)] {
        let seen = shop.entitlements(token, &trade.customer).await.unwrap();
        assert_eq!(seen.orderable_by_partner_ids, [trade.provider.organization_id.as_str()]);
        let owned = seen.entitlements[0].entitlement.as_ref().unwrap();
        let source = &owned.sources[0];
        assert_eq!((&source.subscription_id, &source.offer_id), (&placed.subscription_id, &trade.offer));
        assert_eq!((source.quantity, source.suspended, source.orderable), (6, false, orderable));
    }
    Desk::of(world).await.suspend(trade.seller(), unpaid(&placed.subscription_id)).await.unwrap();
    assert!(shop.entitlement(trade.helper(), &trade.customer, &trade.product).await.sources[0].suspended);
}
