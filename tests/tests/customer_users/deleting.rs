//! Deleting users (D-16): they are out at once, and licensing gives their seats back, forward only (AS-19).

use proto::identity::v1::delete_user_response::Seats;
use proto::identity::v1::session_service_client::SessionServiceClient;
use proto::identity::v1::{DeleteUserRequest, GetMeRequest, Role, User, user};
use proto::licensing::v1::license_service_client::LicenseServiceClient;
use proto::licensing::v1::subscription_service_client::SubscriptionServiceClient;
use proto::licensing::v1::{
    LicenseResult, LicenseToAssign, OrderLine, PlaceOrderRequest, UpdateLicensesRequest, license_result,
};
use proto::partner::v1::{Access, PartnerKind};
use rstest::rstest;
use testkit::database::Kind;
use tests::harness::proxy::Mode;
use tests::world::{Customer, Grant, Registered, World, authorized, dump, fresh, soon};
use tonic::Code;
use uuid::Uuid;

use super::{Desk, Users, all_of, outcome, reason};

fn deletion(user: &User) -> DeleteUserRequest {
    DeleteUserRequest {
        customer_id: user.customer_id.clone(),
        user_id: user.user_id.clone(),
        etag: String::new(),
        request_id: fresh(),
        validate_only: false,
    }
}

/// A direct partner with a customer, both of whom licensing knows too, and some seats of a product.
struct Shop<'w> {
    world: &'w World,
    partner: Registered,
    customer: Customer,
    product: String,
}

impl<'w> Shop<'w> {
    async fn open(world: &'w World, seats: i32) -> Self {
        let partner = world.register().await;
        let customer = world.served_by(&partner.organization_id).await;
        world.told_partner(&partner.organization_id, PartnerKind::Direct).await;
        world.tell_customer(&customer.customer_id, "US").await;
        world.told_access(&customer.customer_id, &partner.organization_id, Grant::DIRECT).await;
        let product = world.product("Harbor Mail").await;
        let offer_id = world.offer(World::offer_of(&product)).await;
        let order = PlaceOrderRequest {
            customer_id: customer.customer_id.clone(),
            lines: vec![OrderLine { offer_id, quantity: seats, ..Default::default() }],
            request_id: fresh(),
            ..Default::default()
        };
        let mut subscriptions = SubscriptionServiceClient::new(world.to_licensing().await);
        subscriptions.place_order(authorized(&partner.session.access_token, order)).await.unwrap();
        Self { world, partner, customer, product }
    }

    fn admin(&self) -> &str {
        &self.partner.session.access_token
    }

    async fn hire(&self) -> User {
        let mut users = Users::of(self.world).await;
        users.create(self.admin(), World::creation(&self.customer, &[])).await.unwrap().user.unwrap()
    }

    /// What becomes of a user who is given the product.
    async fn give(&self, user: &User) -> LicenseResult {
        let request = UpdateLicensesRequest {
            customer_id: self.customer.customer_id.clone(),
            user_ids: vec![user.user_id.clone()],
            assign: vec![LicenseToAssign { product_id: self.product.clone(), ..Default::default() }],
            request_id: fresh(),
            ..Default::default()
        };
        let mut licenses = LicenseServiceClient::new(self.world.to_licensing().await);
        let results = licenses.update_licenses(authorized(self.admin(), request)).await.unwrap().into_inner().results;
        results.into_iter().next().unwrap()
    }

    /// How many seats are taken, by the counter and by the licenses that there are.
    async fn taken(&self) -> (i64, i64) {
        let customer: Uuid = self.customer.customer_id.parse().unwrap();
        let mut tx = self.world.licensing.db().await.snapshot().await.unwrap();
        let counted = tx.sql(
            "SELECT consumed, (SELECT COUNT(*) FROM assignments a WHERE a.customer_id = pools.customer_id)
             FROM pools WHERE customer_id = $1",
        );
        let counted = counted.bind(customer).one().await.unwrap();
        tx.rollback().await;
        counted
    }
}

#[rstest]
#[tokio::test]
async fn a_deleted_user_is_out_at_once_and_the_seats_are_free_when_the_answer_says_so(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let shop = Shop::open(&world, 1).await;
    let mut users = Users::of(&world).await;
    let request = World::creation(&shop.customer, &[]);
    let made = users.create(shop.admin(), request.clone()).await.unwrap();
    let user = made.user.unwrap();
    let session = world.replace_password(&user.sign_in_name, &made.temporary_password).await;
    assert_eq!(shop.give(&user).await.outcome(), license_result::Outcome::Changed);
    let before = dump(&world.identity.db().await).await;

    let dry = DeleteUserRequest { validate_only: true, ..deletion(&user) };
    let would = users.delete(shop.admin(), dry).await.unwrap();
    assert_eq!((would.seats(), would.user.unwrap().state()), (Seats::Pending, user::State::Deleted));
    let changed = dump(&world.identity.db().await).await;
    assert_eq!(before.changed(&changed), Vec::<&str>::new(), "a dry run changes nothing");

    let late = DeleteUserRequest { etag: "77".to_owned(), ..deletion(&user) };
    assert_eq!(outcome(&users.delete(shop.admin(), late).await), (Code::Aborted, "ETAG_MISMATCH".to_owned()));
    let request = deletion(&user);
    let deleted = users.delete(shop.admin(), request.clone()).await.unwrap();
    assert_eq!(deleted.seats(), Seats::Released);
    assert_eq!(shop.taken().await, (0, 0), "the seat is free when the answer says so");
    let (delete_time, purge_time) = (deleted.delete_time.as_ref().unwrap(), deleted.purge_time.as_ref().unwrap());
    assert_eq!(purge_time.seconds - delete_time.seconds, 30 * 24 * 3600);
    assert_eq!(deleted.user.as_ref().unwrap().state(), user::State::Deleted);
    assert_eq!(users.delete(shop.admin(), request).await.unwrap(), deleted, "a repeated request is told the same");
    let again = users.delete(shop.admin(), deletion(&user)).await;
    assert_eq!(outcome(&again), (Code::FailedPrecondition, "USER_DELETED".to_owned()));

    let mut sessions = SessionServiceClient::new(world.to_identity().await);
    let me = sessions.get_me(authorized(&session.access_token, GetMeRequest {})).await;
    assert_eq!(outcome(&me), (Code::Unauthenticated, "UNAUTHENTICATED".to_owned()));
    let back = world.try_sign_in(&user.sign_in_name, tests::world::PASSWORD).await;
    assert_eq!(reason(&back), "SIGN_IN_FAILED");
    let listed = users.list(shop.admin(), all_of(&shop.customer)).await.unwrap().users;
    assert!(listed.iter().all(|each| each.user_id != user.user_id));
    let refused = shop.give(&user).await;
    assert_eq!(refused.errors[0].reason, "USER_DELETED", "nobody gives them a license any more");
    let mut successor = World::creation(&shop.customer, &[]);
    successor.user.as_mut().unwrap().sign_in_name = user.sign_in_name.clone();
    let successor = users.create(shop.admin(), successor).await.unwrap().user.unwrap();
    assert_eq!(shop.give(&successor).await.outcome(), license_result::Outcome::Changed, "name and seat are free");

    let id: Uuid = user.user_id.parse().unwrap();
    let product: Uuid = shop.product.parse().unwrap();
    soon("identity is told what the user held", async {
        let db = world.identity.db().await;
        loop {
            let mut tx = db.snapshot().await.unwrap();
            let held = tx.sql("SELECT product_id, product_name FROM released_licenses WHERE user_id = $1").bind(id);
            let held: Vec<(Uuid, String)> = held.all().await.unwrap();
            tx.rollback().await;
            if held == [(product, "Harbor Mail".to_owned())] {
                return;
            }
        }
    })
    .await;
}

#[rstest]
#[tokio::test]
async fn while_licensing_is_away_the_deletion_stands_and_the_seats_come_back_later_and_once(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let shop = Shop::open(&world, 2).await;
    let (user, other) = (shop.hire().await, shop.hire().await);
    for each in [&user, &other] {
        assert_eq!(shop.give(each).await.outcome(), license_result::Outcome::Changed);
    }
    world.edges[1].set(Mode::Cut).await;
    let mut users = Users::of(&world).await;
    let request = deletion(&user);
    let deleted = users.delete(shop.admin(), request.clone()).await.unwrap();
    assert_eq!(deleted.seats(), Seats::Pending);
    let listed = users.list(shop.admin(), all_of(&shop.customer)).await.unwrap().users;
    assert!(listed.iter().all(|each| each.user_id != user.user_id), "identity alone decides");
    assert_eq!(shop.taken().await, (2, 2));
    world.edges[1].set(Mode::Pass).await;
    soon("the seat comes back", async {
        while users.delete(shop.admin(), request.clone()).await.unwrap().seats() != Seats::Released {}
    })
    .await;
    assert_eq!(shop.taken().await, (1, 1));
}

#[rstest]
#[tokio::test]
async fn the_last_global_admin_of_a_customer_stays(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let desk = Desk::open(kind).await;
    let mut users = desk.users().await;
    let first = users.get(desk.admin(), &desk.customer.customer_id, &desk.customer.admin_user_id).await.unwrap();
    let kept = users.delete(desk.admin(), deletion(&first)).await;
    assert_eq!(outcome(&kept), (Code::FailedPrecondition, "LAST_GLOBAL_ADMIN".to_owned()));
    let second = World::creation(&desk.customer, &[Role::GlobalAdmin]);
    let second = users.create(desk.admin(), second).await.unwrap().user.unwrap();
    let mut others = desk.users().await;
    let (one, two) =
        tokio::join!(users.delete(desk.admin(), deletion(&first)), others.delete(desk.admin(), deletion(&second)));
    let mut told = [reason(&one), reason(&two)];
    told.sort();
    assert_eq!(told, ["LAST_GLOBAL_ADMIN", "OK"], "of two who go at the same time one stays");
}

#[rstest]
#[case(Role::GlobalAdmin, "OK", "OK")]
#[case(Role::UserManagementAdmin, "TARGET_IS_ADMIN", "OK")]
#[case(Role::AdminAgent, "OK", "OK")]
#[case(Role::SalesAgent, "TARGET_IS_ADMIN", "OK")]
#[case(Role::HelpdeskAgent, "TARGET_IS_ADMIN", "OK")]
#[case(Role::BillingAdmin, "ROLE_NOT_ALLOWED", "ROLE_NOT_ALLOWED")]
#[tokio::test]
async fn who_deletes_a_user_has_the_power_to_grant_what_the_user_holds(
    #[case] role: Role,
    #[case] admin: &str,
    #[case] plain: &str,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let desk = Desk::open(kind).await;
    let mut users = desk.users().await;
    let token = desk.world.hire(&desk.partner, &[role]).await.session.access_token;
    for (roles, expected) in [(&[Role::GlobalAdmin][..], admin), (&[], plain)] {
        let made = users.create(desk.admin(), World::creation(&desk.customer, roles)).await.unwrap().user.unwrap();
        assert_eq!(reason(&users.delete(&token, deletion(&made)).await), expected, "{roles:?}");
    }
}

#[rstest]
#[tokio::test]
async fn a_foreign_user_is_deleted_by_nobody_and_answers_like_an_unknown_one(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let (desk, neighbor) = (Desk::open(kind).await, Desk::open(kind).await);
    let mut users = desk.users().await;
    let foreign = World::creation(&neighbor.customer, &[]);
    let foreign = users.create(neighbor.admin(), foreign).await.unwrap().user.unwrap();
    let own = users.create(desk.admin(), World::creation(&desk.customer, &[])).await.unwrap().user.unwrap();
    for (customer_id, user_id) in [
        (foreign.customer_id.clone(), foreign.user_id.clone()),
        (own.customer_id.clone(), foreign.user_id.clone()),
        (own.customer_id.clone(), fresh()),
        (fresh(), own.user_id.clone()),
    ] {
        let request = DeleteUserRequest { customer_id, user_id, ..deletion(&own) };
        let refused = users.delete(desk.admin(), request).await;
        assert_eq!(outcome(&refused), (Code::NotFound, "NOT_FOUND".to_owned()));
    }
    users.get(neighbor.admin(), &foreign.customer_id, &foreign.user_id).await.unwrap();
    let access = World::access(&own.customer_id, &desk.partner.organization_id);
    desk.world.grant_access(Access { delegated_admin: false, epoch: 2, ..access }).await;
    assert_eq!(reason(&users.delete(desk.admin(), deletion(&own)).await), "DELEGATED_ADMIN_REQUIRED");
}
