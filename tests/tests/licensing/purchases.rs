//! Customers who buy by themselves where a partner lets them.

use proto::identity::v1::Role;
use std::sync::Arc;
use std::time::Duration;

use licensing::api::Api;
use proto::licensing::v1::purchase_permission_service_client::PurchasePermissionServiceClient;
use proto::licensing::v1::purchase_permission_service_server::PurchasePermissionService as _;
use proto::licensing::v1::{
    GetPurchasePermissionsRequest, OrderLine, PlaceOrderRequest, PurchasePermission, SetPurchasePermissionRequest,
    Subscription, UpsertOfferRequest,
};
use proto::partner::v1::{PartnerKind, partner_standing};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{Grant, Registered, World, authorized, fresh, wrong_fields};
use tonic::transport::Channel;
use tonic::{Code, Status};
use uuid::Uuid;

use super::desk::{Desk, paid, unpaid, unwanted};
use super::races::{another, waiting};
use super::trade::{Shop, Trade, line, person};
use super::{detail, outcome, reason};

const FAMILY: &str = "reservations";

/// The switches, with requests unwrapped.
struct Switches(PurchasePermissionServiceClient<Channel>);

impl Switches {
    async fn of(world: &World) -> Self {
        Self(PurchasePermissionServiceClient::new(world.to_licensing().await))
    }

    async fn get(&mut self, token: &str, customer_id: &str) -> Result<Vec<PurchasePermission>, Status> {
        let request = GetPurchasePermissionsRequest { customer_id: customer_id.to_owned() };
        Ok(self.0.get_purchase_permissions(authorized(token, request)).await?.into_inner().permissions)
    }

    async fn set(&mut self, token: &str, request: SetPurchasePermissionRequest) -> Result<PurchasePermission, Status> {
        Ok(self.0.set_purchase_permission(authorized(token, request)).await?.into_inner().permission.unwrap())
    }
}

fn turned(customer_id: &str, permitted: bool) -> SetPurchasePermissionRequest {
    SetPurchasePermissionRequest {
        customer_id: customer_id.to_owned(),
        product_family: FAMILY.to_owned(),
        permitted,
        request_id: fresh(),
        validate_only: false,
    }
}

/// A customer with its own global admin, for whom the trade's provider has bought in a family.
struct Buyer {
    trade: Trade,
    customer: Registered,
    /// An admin agent of the provider.
    agent: String,
    /// An offer of the family.
    offer: String,
    base: Subscription,
}

impl Buyer {
    async fn begin(world: &World) -> Self {
        let trade = Trade::begin(world).await;
        let customer = world.customer_with_admin().await;
        let id = &customer.organization_id;
        world.told_access(id, &trade.provider.organization_id, Grant::PROVIDER).await;
        world.told_access(id, &trade.reseller.organization_id, Grant::RESELLER).await;
        let offer = UpsertOfferRequest { product_family: FAMILY.to_owned(), ..World::offer_of(&trade.product) };
        let offer = world.offer(offer).await;
        let agent = person(world, &trade.provider, &[Role::AdminAgent]).await;
        let order = PlaceOrderRequest {
            customer_id: id.clone(),
            lines: vec![line(&offer, 3)],
            reseller_mpn_id: trade.reseller_mpn_id.clone(),
            ..trade.order(1)
        };
        let base = Shop::of(world).await.order(&agent, order).await.unwrap().subscriptions.remove(0);
        Self { trade, customer, agent, offer, base }
    }

    fn id(&self) -> &str {
        &self.customer.organization_id
    }

    /// The customer's own global admin.
    fn token(&self) -> &str {
        &self.customer.session.access_token
    }

    /// Whether the customer is told that it could order more of what it has.
    async fn could_order(&self, shop: &mut Shop) -> bool {
        shop.entitlement(self.token(), self.id(), &self.trade.product).await.sources[0].orderable
    }

    fn order(&self, lines: Vec<OrderLine>) -> PlaceOrderRequest {
        PlaceOrderRequest {
            customer_id: self.id().to_owned(),
            lines,
            base_subscription_id: self.base.subscription_id.clone(),
            ..self.trade.order(1)
        }
    }
}

#[rstest]
#[tokio::test]
async fn a_customer_buys_by_itself_where_its_partner_lets_it_and_the_partner_of_record_stays(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let buyer = Buyer::begin(world).await;
    let (mut switches, mut shop) = (Switches::of(world).await, Shop::of(world).await);
    let order = || buyer.order(vec![line(&buyer.offer, 4)]);
    assert_eq!(
        outcome(&shop.order(buyer.token(), order()).await),
        (Code::PermissionDenied, "PURCHASE_NOT_PERMITTED".to_owned())
    );
    let off = switches.get(buyer.token(), buyer.id()).await.unwrap();
    assert_eq!((off.len(), off[0].permitted, off[0].update_time), (1, false, None), "off by default");
    assert!(!buyer.could_order(&mut shop).await);

    let dry = SetPurchasePermissionRequest { validate_only: true, ..turned(buyer.id(), true) };
    assert!(switches.set(&buyer.agent, dry).await.unwrap().permitted);
    assert_eq!(switches.get(buyer.token(), buyer.id()).await.unwrap(), off, "a dry run turns nothing on");
    let request = turned(buyer.id(), true);
    let on = switches.set(&buyer.agent, request.clone()).await.unwrap();
    assert_eq!((on.permitted, &on.partner_id), (true, &buyer.trade.provider.organization_id));
    assert_eq!(switches.set(&buyer.agent, request).await.unwrap(), on, "the same request again is the same");
    assert_eq!(switches.set(&buyer.agent, turned(buyer.id(), true)).await.unwrap(), on, "on stays on");
    assert_eq!(switches.get(buyer.token(), buyer.id()).await.unwrap(), [on]);
    assert!(buyer.could_order(&mut shop).await);

    let dry = PlaceOrderRequest { validate_only: true, ..order() };
    assert_eq!(shop.order(buyer.token(), dry).await.unwrap().subscriptions[0].quantity, 4);
    let placed = shop.order(buyer.token(), order()).await.unwrap().subscriptions.remove(0);
    assert_eq!(placed.partner_id, buyer.trade.provider.organization_id);
    assert_eq!(placed.reseller_mpn_id, buyer.trade.reseller_mpn_id);
    let owned = shop.entitlement(buyer.token(), buyer.id(), &buyer.trade.product).await;
    assert_eq!((owned.total, owned.sources.len()), (7, 2));
    let history = Desk::of(world).await.history(&buyer.agent, &placed.subscription_id).await;
    assert_eq!(history[0].actor_organization_id, buyer.id());

    switches.set(&buyer.agent, turned(buyer.id(), false)).await.unwrap();
    assert_eq!(reason(&shop.order(buyer.token(), order()).await), "PURCHASE_NOT_PERMITTED");
    assert_eq!(shop.list(buyer.token(), buyer.id()).await.unwrap().len(), 2, "what was bought stays");
}

#[rstest]
#[tokio::test]
async fn a_purchase_is_based_on_an_active_subscription_of_the_family_and_stays_in_it(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let buyer = Buyer::begin(world).await;
    let (mut desk, mut shop) = (Desk::of(world).await, Shop::of(world).await);
    Switches::of(world).await.set(&buyer.agent, turned(buyer.id(), true)).await.unwrap();

    let outside =
        shop.order(buyer.token(), buyer.order(vec![line(&buyer.offer, 1), line(&buyer.trade.offer, 1)])).await;
    assert_eq!(reason(&outside), "PURCHASE_NOT_PERMITTED");
    let order = || buyer.order(vec![line(&buyer.offer, 1)]);
    let naming = PlaceOrderRequest { reseller_mpn_id: buyer.trade.reseller_mpn_id.clone(), ..order() };
    assert_eq!(outcome(&shop.order(buyer.token(), naming).await), (Code::InvalidArgument, "UNKNOWN_VALUE".to_owned()));
    let mut naming = order();
    naming.lines[0].reseller_mpn_id.clone_from(&buyer.trade.reseller_mpn_id);
    assert_eq!(wrong_fields(shop.order(buyer.token(), naming).await), ["lines[0].reseller_mpn_id"]);
    let partner = shop.order(&buyer.agent, order()).await;
    assert_eq!(outcome(&partner), (Code::InvalidArgument, "UNKNOWN_VALUE".to_owned()), "partners base on nothing");
    for foreign in [fresh(), super::desk::bought(world, &buyer.trade, 1).await.subscription_id] {
        let based = PlaceOrderRequest { base_subscription_id: foreign, ..order() };
        assert_eq!(outcome(&shop.order(buyer.token(), based).await), (Code::NotFound, "NOT_FOUND".to_owned()));
    }

    // The reseller of record would be that of something new, which takes a partnership now (C20).
    let (reseller, mpn_id) = (&buyer.trade.reseller.organization_id, &buyer.trade.reseller_mpn_id);
    world.told_partnership(&buyer.trade.provider.organization_id, reseller, false, 2).await;
    assert_eq!(reason(&shop.order(buyer.token(), order()).await), "RESELLER_NOT_PARTNERED");
    assert!(!buyer.could_order(&mut shop).await);
    world.told_partnership(&buyer.trade.provider.organization_id, reseller, true, 3).await;
    let suspended = partner_standing::State::Suspended;
    world.told_standing(reseller, PartnerKind::Reseller, mpn_id, suspended, 2).await;
    assert_eq!(reason(&shop.order(buyer.token(), order()).await), "RESELLER_SUSPENDED");
    assert!(!buyer.could_order(&mut shop).await);
    world.told_standing(reseller, PartnerKind::Reseller, mpn_id, partner_standing::State::Active, 3).await;
    assert!(buyer.could_order(&mut shop).await);

    desk.suspend(&buyer.agent, unpaid(&buyer.base.subscription_id)).await.unwrap();
    assert_eq!(reason(&shop.order(buyer.token(), order()).await), "SUBSCRIPTION_SUSPENDED");
    assert!(!buyer.could_order(&mut shop).await);
    desk.reactivate(&buyer.agent, paid(&buyer.base.subscription_id)).await.unwrap();
    let (provider, mpn_id) = (&buyer.trade.provider.organization_id, &buyer.trade.provider_mpn_id);
    world.told_access(buyer.id(), provider, Grant { order_right: false, epoch: 2, ..Grant::PROVIDER }).await;
    let refused = shop.order(buyer.token(), order()).await;
    assert_eq!(outcome(&refused), (Code::PermissionDenied, "ORDER_RIGHT_REQUIRED".to_owned()));
    assert_eq!(detail(&refused, "partner_center_code").unwrap(), "20002");
    assert!(!buyer.could_order(&mut shop).await);
    world.told_access(buyer.id(), provider, Grant { epoch: 3, ..Grant::PROVIDER }).await;
    world.told_standing(provider, PartnerKind::Provider, mpn_id, suspended, 2).await;
    assert_eq!(reason(&shop.order(buyer.token(), order()).await), "ACCOUNT_SUSPENDED");
    assert!(!buyer.could_order(&mut shop).await);
    assert_eq!(shop.list(buyer.token(), buyer.id()).await.unwrap().len(), 1, "nothing was bought");
}

#[rstest]
#[tokio::test]
async fn what_a_customer_bought_by_itself_is_no_base(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let buyer = Buyer::begin(world).await;
    let (mut desk, mut shop, mut switches) = (Desk::of(world).await, Shop::of(world).await, Switches::of(world).await);
    switches.set(&buyer.agent, turned(buyer.id(), true)).await.unwrap();
    let order = || buyer.order(vec![line(&buyer.offer, 1)]);
    let own = shop.order(buyer.token(), order()).await.unwrap().subscriptions.remove(0);
    let owned = shop.entitlement(buyer.token(), buyer.id(), &buyer.trade.product).await;
    let told: Vec<bool> = owned.sources.iter().map(|source| source.orderable).collect();
    assert_eq!(told, [true, false]);
    let based = PlaceOrderRequest { base_subscription_id: own.subscription_id.clone(), ..order() };
    let refused = shop.order(buyer.token(), based).await;
    assert_eq!(outcome(&refused), (Code::PermissionDenied, "PURCHASE_NOT_PERMITTED".to_owned()));
    assert!(refused.unwrap_err().message().contains("that your partner bought"));

    // What the partner bought is gone: the customer's own purchase is nothing that it sold.
    desk.cancel(&buyer.agent, unwanted(&buyer.base.subscription_id)).await.unwrap();
    switches.set(&buyer.agent, turned(buyer.id(), false)).await.unwrap();
    assert_eq!(reason(&switches.set(&buyer.agent, turned(buyer.id(), true)).await), "NO_SUBSCRIPTION_IN_FAMILY");
}

#[rstest]
#[tokio::test]
async fn a_permission_ends_with_the_relationship_and_does_not_come_back_with_it(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let buyer = Buyer::begin(world).await;
    let (mut shop, mut switches) = (Shop::of(world).await, Switches::of(world).await);
    switches.set(&buyer.agent, turned(buyer.id(), true)).await.unwrap();
    let provider = &buyer.trade.provider.organization_id;
    let ended = Grant { active: false, delegated_admin: false, order_right: false, epoch: 2, ..Grant::PROVIDER };
    world.told_access(buyer.id(), provider, ended).await;
    world.told_access(buyer.id(), provider, Grant { epoch: 3, ..Grant::PROVIDER }).await;
    let off = switches.get(buyer.token(), buyer.id()).await.unwrap();
    assert_eq!((off.len(), off[0].permitted), (1, false));
    let order = buyer.order(vec![line(&buyer.offer, 1)]);
    assert_eq!(reason(&shop.order(buyer.token(), order.clone()).await), "PURCHASE_NOT_PERMITTED");

    switches.set(&buyer.agent, turned(buyer.id(), true)).await.unwrap();
    world.told_access(buyer.id(), provider, ended).await;
    shop.order(buyer.token(), order).await.unwrap();

    // It ended once more, and that is told after its return.
    let access = |epoch: i64, active: bool| Grant { epoch, ..if active { Grant::PROVIDER } else { ended } };
    world.told_access(buyer.id(), provider, access(5, true)).await;
    world.told_access(buyer.id(), provider, access(4, false)).await;
    assert!(!switches.get(buyer.token(), buyer.id()).await.unwrap()[0].permitted);
}

#[tokio::test]
async fn whoever_ends_a_relationship_does_not_wait_for_a_purchase_that_waits_for_it() {
    let world = World::start(Kind::Postgres).await;
    let buyer = Buyer::begin(&world).await;
    Switches::of(&world).await.set(&buyer.agent, turned(buyer.id(), true)).await.unwrap();
    let database = world.licensing.db().await;
    let [customer, provider]: [Uuid; 2] =
        [buyer.id(), &buyer.trade.provider.organization_id].map(|id| id.parse().unwrap());
    // As the fact that it ended is taken over: first the access, then what hangs on it.
    let mut ending = database.write().await.unwrap();
    ending.sql("SET LOCAL lock_timeout = '500ms'").execute().await.unwrap();
    let access = "UPDATE accesses SET active = FALSE, epoch = 2 WHERE customer_id = $1 AND partner_id = $2";
    assert_eq!(ending.sql(access).bind(customer).bind(provider).execute().await.unwrap(), 1);
    let ordering = tokio::spawn({
        let (mut shop, token) = (Shop::of(&world).await, buyer.token().to_owned());
        let order = buyer.order(vec![line(&buyer.offer, 1)]);
        async move { shop.order(&token, order).await }
    });
    waiting(&database, 1).await;
    let switch = "UPDATE purchase_permissions SET permitted = FALSE WHERE customer_id = $1 AND partner_id = $2";
    assert_eq!(ending.sql(switch).bind(customer).bind(provider).execute().await.unwrap(), 1);
    ending.commit().await.unwrap();
    assert_eq!(reason(&ordering.await.unwrap()), "PURCHASE_NOT_PERMITTED");
}

#[tokio::test]
async fn of_two_who_turn_a_switch_on_for_the_first_time_the_later_one_is_answered_what_the_other_one_stored() {
    let world = World::start(Kind::Postgres).await;
    let buyer = Buyer::begin(&world).await;
    let database = world.licensing.db().await;
    let mut held = database.write().await.unwrap();
    let [customer, provider]: [Uuid; 2] =
        [buyer.id(), &buyer.trade.provider.organization_id].map(|id| id.parse().unwrap());
    let text = "INSERT INTO purchase_permissions (customer_id, partner_id, product_family, permitted, access_epoch, update_time)
                VALUES ($1, $2, $3, TRUE, 1, $4)";
    held.sql(text).bind(customer).bind(provider).bind(FAMILY).bind(world.clock.now()).execute().await.unwrap();
    let (own, replica) = (Api(Arc::clone(world.licensing.host())), another(&world, Kind::Postgres).await.unwrap());
    let mut turning = Vec::new();
    for (api, waiters) in [(own, 1), (replica, 2)] {
        let request = authorized(&buyer.agent, turned(buyer.id(), true));
        turning.push(tokio::spawn(async move { api.set_purchase_permission(request).await }));
        waiting(&database, waiters).await;
        world.clock.advance(Duration::from_secs(1));
    }
    held.rollback().await;
    let mut answers = Vec::new();
    for one in turning {
        answers.push(one.await.unwrap().unwrap().into_inner().permission.unwrap());
    }
    let mut tx = database.snapshot().await.unwrap();
    let text = "SELECT COUNT(*) FROM journal WHERE action = 'PurchasePermissionGranted'";
    let recorded: i64 = tx.sql(text).one().await.unwrap();
    tx.rollback().await;
    assert_eq!((&answers[0], recorded), (&answers[1], 1));
    assert_eq!(Switches::of(&world).await.get(&buyer.agent, buyer.id()).await.unwrap(), answers[..1]);
}

#[rstest]
#[case(Role::GlobalAdmin, "ROLE_NOT_ALLOWED", "OK")]
#[case(Role::AdminAgent, "OK", "OK")]
#[case(Role::SalesAgent, "ROLE_NOT_ALLOWED", "OK")]
#[case(Role::HelpdeskAgent, "ROLE_NOT_ALLOWED", "OK")]
#[case(Role::UserManagementAdmin, "ROLE_NOT_ALLOWED", "ROLE_NOT_ALLOWED")]
#[case(Role::BillingAdmin, "ROLE_NOT_ALLOWED", "ROLE_NOT_ALLOWED")]
#[tokio::test]
async fn admin_agents_alone_let_customers_buy_and_the_other_agents_look(
    #[case] role: Role,
    #[case] set: &str,
    #[case] get: &str,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let buyer = Buyer::begin(world).await;
    let token = &person(world, &buyer.trade.provider, &[role]).await;
    let mut switches = Switches::of(world).await;
    assert_eq!(reason(&switches.set(token, turned(buyer.id(), true)).await), set);
    assert_eq!(reason(&switches.get(token, buyer.id()).await), get);
}

#[rstest]
#[tokio::test]
async fn a_permission_takes_an_own_customer_the_order_right_and_a_subscription_of_the_family(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let buyer = Buyer::begin(world).await;
    let mut switches = Switches::of(world).await;
    let stranger = world.told_customer("DE").await;
    let mut told = Vec::new();
    for id in [&stranger, &fresh()] {
        let refused = switches.set(&buyer.agent, turned(id, true)).await.unwrap_err();
        told.push((refused.code(), refused.message().replace(id.as_str(), "ID")));
    }
    assert!(told[0] == told[1] && told[0].0 == Code::NotFound, "{told:?}");
    let reseller = person(world, &buyer.trade.reseller, &[Role::AdminAgent]).await;
    let refused = switches.set(&reseller, turned(buyer.id(), true)).await;
    assert_eq!(reason(&refused), "OPERATION_NOT_AVAILABLE_TO_INDIRECT_RESELLER");
    let other = SetPurchasePermissionRequest { product_family: "tide".to_owned(), ..turned(buyer.id(), true) };
    assert_eq!(
        outcome(&switches.set(&buyer.agent, other).await),
        (Code::FailedPrecondition, "NO_SUBSCRIPTION_IN_FAMILY".to_owned())
    );
    assert_eq!(reason(&switches.set(buyer.token(), turned(buyer.id(), true)).await), "ORGANIZATION_KIND_NOT_ALLOWED");
    let (provider, mpn_id) = (&buyer.trade.provider.organization_id, &buyer.trade.provider_mpn_id);
    let (suspended, active) = (partner_standing::State::Suspended, partner_standing::State::Active);
    world.told_standing(provider, PartnerKind::Provider, mpn_id, suspended, 2).await;
    assert_eq!(reason(&switches.set(&buyer.agent, turned(buyer.id(), true)).await), "ACCOUNT_SUSPENDED");
    world.told_standing(provider, PartnerKind::Provider, mpn_id, active, 3).await;
    let mut desk = Desk::of(world).await;
    desk.suspend(&buyer.agent, unpaid(&buyer.base.subscription_id)).await.unwrap();
    assert_eq!(reason(&switches.set(&buyer.agent, turned(buyer.id(), true)).await), "NO_SUBSCRIPTION_IN_FAMILY");
    desk.reactivate(&buyer.agent, paid(&buyer.base.subscription_id)).await.unwrap();
    switches.set(&buyer.agent, turned(buyer.id(), true)).await.unwrap();
    world.told_access(buyer.id(), provider, Grant { order_right: false, epoch: 2, ..Grant::PROVIDER }).await;
    assert_eq!(reason(&switches.set(&buyer.agent, turned(buyer.id(), true)).await), "ORDER_RIGHT_REQUIRED");
    assert!(!switches.set(&buyer.agent, turned(buyer.id(), false)).await.unwrap().permitted, "off takes no right");
    assert!(switches.get(&reseller, buyer.id()).await.unwrap().is_empty(), "a partner sees its own");
}
