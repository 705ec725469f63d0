//! Identity is away while licenses are given to somebody of whom licensing has not heard.

use proto::identity::v1::customer_user_service_client::CustomerUserServiceClient;
use proto::partner::v1::PartnerKind;
use rstest::rstest;
use testkit::database::Kind;
use tests::harness::proxy::Mode;
use tests::world::{Customer, World, authorized, fresh};
use tonic::Code;

use super::outcome;
use super::trade::{Licenses, Shop, change, line, words};

#[rstest]
#[tokio::test]
async fn who_is_unknown_while_identity_is_away_gets_no_seat_and_gets_it_when_identity_is_back(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
    #[values(Mode::Cut, Mode::BlackHole)] gone: Mode,
) {
    let world = World::start(kind).await;
    let partner = world.onboard(PartnerKind::Direct).await;
    let tenant = world.create_customer(&partner).await;
    let product = world.product("Harbor Mail").await;
    let offer = world.offer(World::offer_of(&product)).await;
    let order = proto::licensing::v1::PlaceOrderRequest {
        customer_id: tenant.customer_id.clone(),
        lines: vec![line(&offer, 5)],
        request_id: fresh(),
        ..Default::default()
    };
    let (mut shop, mut licenses) = (Shop::of(&world).await, Licenses::of(&world).await);
    shop.order(partner.token(), order).await.unwrap();

    // Nothing reaches licensing, so that it does not hear of the user, and it reaches nobody.
    world.edges[1].set(Mode::Cut).await;
    let customer = Customer {
        customer_id: tenant.customer_id.clone(),
        domain: tenant.domain.clone(),
        admin_user_id: tenant.admin_user_id.clone(),
        admin_sign_in_name: tenant.admin_sign_in_name.clone(),
        temporary_password: String::new(),
    };
    let mut users = CustomerUserServiceClient::new(world.to_identity().await);
    let made = users.create_user(authorized(partner.token(), World::creation(&customer, &[]))).await.unwrap();
    let user = made.into_inner().user.unwrap().user_id;
    world.edges[0].set(gone).await;
    let request = change(&tenant.customer_id, &[user], &[&product], &[]);
    let refused = licenses.update(partner.token(), request.clone()).await;
    assert_eq!(outcome(&refused), (Code::Unavailable, "PEER_UNAVAILABLE".to_owned()));
    let owned = shop.entitlement(partner.token(), &tenant.customer_id, &product).await;
    assert_eq!((owned.consumed, owned.available), (0, 5), "no seat is taken");
    let mut tx = world.licensing.db().await.snapshot().await.unwrap();
    let given: i64 = tx.sql("SELECT COUNT(*) FROM assignments").one().await.unwrap();
    tx.rollback().await;
    assert_eq!(given, 0);

    world.edges[0].set(Mode::Pass).await;
    let results = loop {
        // What failed a moment ago is not asked for at once.
        match licenses.update(partner.token(), request.clone()).await {
            Ok(results) => break results,
            refused => assert_eq!(outcome(&refused), (Code::Unavailable, "PEER_UNAVAILABLE".to_owned())),
        }
    };
    assert_eq!(words(&results), ["CHANGED"]);
    assert_eq!(shop.entitlement(partner.token(), &tenant.customer_id, &product).await.consumed, 1);
    world.edges[1].set(Mode::Pass).await;
    assert_eq!(world.violations().await, Vec::<String>::new());
}
