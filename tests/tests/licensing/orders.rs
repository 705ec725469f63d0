//! Orders: who may place them, what they bring, and how they are refused.

use proto::identity::v1::{Cloud, RegisterOrganizationRequest, Role};
use proto::licensing::v1::{
    ListSubscriptionsRequest, PlaceOrderRequest, Subscription, UpsertOfferRequest, subscription,
};
use proto::partner::v1::{PartnerKind, partner_standing};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{Grant, World, dump, fresh};
use tonic::Code;

use super::trade::{Shop, Trade, line, person};
use super::{detail, outcome, reason};

#[rstest]
#[tokio::test]
async fn an_order_brings_active_subscriptions_and_their_seats_and_names_the_reseller(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let mut shop = Shop::of(world).await;
    let request = PlaceOrderRequest { reseller_mpn_id: trade.reseller_mpn_id.clone(), ..trade.order(5) };

    let dry = PlaceOrderRequest { validate_only: true, ..request.clone() };
    let dry = shop.order(trade.seller(), dry).await.unwrap();
    assert_eq!((dry.order_id.as_str(), dry.subscriptions[0].subscription_id.as_str()), ("", ""));
    assert!(shop.list(trade.seller(), &trade.customer).await.unwrap().is_empty(), "a dry run orders nothing");

    let placed = shop.order(trade.seller(), request.clone()).await.unwrap();
    let [ordered] = placed.subscriptions.as_slice() else { panic!("one line brings one subscription") };
    assert_eq!(ordered.state(), subscription::State::Active);
    assert_eq!((ordered.quantity, ordered.friendly_name.as_str()), (5, "Harbor Mail"));
    assert_eq!(
        (&ordered.reseller_id, &ordered.reseller_mpn_id),
        (&trade.reseller.organization_id, &trade.reseller_mpn_id)
    );
    assert_eq!((&ordered.partner_id, &ordered.product_id), (&trade.provider.organization_id, &trade.product));
    assert_eq!(shop.order(trade.seller(), request).await.unwrap(), placed, "the same order again is the same order");
    let owned = shop.entitlement(trade.helper(), &trade.customer, &trade.product).await;
    assert_eq!((owned.total, owned.consumed, owned.available, owned.buy_more), (5, 0, 5, false));

    for token in [trade.seller(), trade.helper()] {
        assert_eq!(shop.list(token, &trade.customer).await.unwrap(), placed.subscriptions);
        assert_eq!(shop.get(token, &ordered.subscription_id).await.unwrap(), *ordered);
    }
}

#[rstest]
#[tokio::test]
async fn seats_of_several_subscriptions_are_one_entitlement_over_every_partner(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let direct = world.register().await;
    world.told_partner(&direct.organization_id, PartnerKind::Direct).await;
    world.told_access(&trade.customer, &direct.organization_id, Grant::DIRECT).await;
    let mut shop = Shop::of(world).await;
    let two = PlaceOrderRequest { lines: vec![line(&trade.offer, 2), line(&trade.offer, 3)], ..trade.order(1) };
    assert_eq!(shop.order(trade.seller(), two).await.unwrap().subscriptions.len(), 2);
    let other = &direct.session.access_token;
    shop.order(other, trade.order(10)).await.unwrap();

    let seen = shop.entitlements(trade.helper(), &trade.customer).await.unwrap();
    let detail = &seen.entitlements[0];
    let owned = detail.entitlement.as_ref().unwrap();
    assert_eq!((owned.total, owned.available, seen.entitlements.len()), (15, 15, 1));
    assert_eq!(detail.service_plans[0].name, "PLAN");
    assert!(owned.sources.is_empty(), "the reseller is of record of none of them");
    assert_eq!(seen.orderable_by_partner_ids, [trade.provider.organization_id.as_str()], "its own provider may order");
    assert_eq!(shop.entitlement(trade.seller(), &trade.customer, &trade.product).await.sources.len(), 2);
    assert_eq!(shop.list(trade.helper(), &trade.customer).await.unwrap(), []);
    assert_eq!(shop.list(trade.seller(), &trade.customer).await.unwrap().len(), 2);
    assert_eq!(shop.list(other, &trade.customer).await.unwrap().len(), 1);
    let theirs = shop.entitlements(other, &trade.customer).await.unwrap().orderable_by_partner_ids;
    assert_eq!(theirs, [direct.organization_id.as_str()]);
}

#[rstest]
#[tokio::test]
async fn the_customers_own_global_admin_sees_everything_and_orders_nothing_that_nobody_permits(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let customer = world.customer_with_admin().await;
    let (id, token) = (&customer.organization_id, &customer.session.access_token);
    world.told_access(id, &trade.provider.organization_id, Grant::PROVIDER).await;
    let mut shop = Shop::of(world).await;
    let order = PlaceOrderRequest { customer_id: id.clone(), ..trade.order(3) };
    let placed = shop.order(trade.seller(), order.clone()).await.unwrap();
    assert_eq!(shop.list(token, id).await.unwrap(), placed.subscriptions);
    assert_eq!(shop.get(token, &placed.subscriptions[0].subscription_id).await.unwrap(), placed.subscriptions[0]);
    let seen = shop.entitlements(token, id).await.unwrap();
    assert_eq!(seen.entitlements[0].entitlement.as_ref().unwrap().sources.len(), 1);
    assert_eq!(seen.orderable_by_partner_ids, [trade.provider.organization_id.as_str()]);
    let refused = shop.order(token, order.clone()).await;
    assert_eq!(outcome(&refused), (Code::InvalidArgument, "REQUIRED".to_owned()));
    let base_subscription_id = placed.subscriptions[0].subscription_id.clone();
    let refused = shop.order(token, PlaceOrderRequest { base_subscription_id, request_id: fresh(), ..order }).await;
    assert_eq!(outcome(&refused), (Code::PermissionDenied, "PURCHASE_NOT_PERMITTED".to_owned()));
    assert_eq!(
        reason(&shop.list(token, &trade.customer).await),
        "NOT_FOUND",
        "another customer is none of its business"
    );
}

#[rstest]
#[tokio::test]
async fn a_customer_without_a_relationship_answers_like_an_unknown_one(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = &World::start(kind).await;
    let trade = Trade::begin(world).await;
    let ended = Grant { active: false, epoch: 2, ..Grant::PROVIDER };
    let (stranger, former) = (world.told_customer("DE").await, world.told_customer("DE").await);
    world.told_access(&former, &trade.provider.organization_id, ended).await;
    let mut shop = Shop::of(world).await;
    let before = dump(&world.licensing.db().await).await;
    let mut told = Vec::new();
    for id in [&fresh(), &stranger, &former] {
        let order = PlaceOrderRequest { customer_id: id.clone(), ..trade.order(1) };
        let answers = [
            shop.order(trade.seller(), order).await.unwrap_err(),
            shop.list(trade.seller(), id).await.unwrap_err(),
            shop.entitlements(trade.seller(), id).await.unwrap_err(),
        ];
        told.push(answers.map(|status| (status.code(), status.message().replace(id.as_str(), "ID"))));
    }
    assert!(told.iter().all(|answers| *answers == told[0] && answers[0].0 == Code::NotFound), "{told:?}");
    let changed = dump(&world.licensing.db().await).await;
    assert_eq!(before.rows("subscriptions"), changed.rows("subscriptions"));

    let placed = shop.order(trade.seller(), trade.order(1)).await.unwrap();
    let foreign = &placed.subscriptions[0].subscription_id;
    let neighbor = world.register().await.session.access_token;
    for id in [foreign, &fresh()] {
        let refused = shop.get(&neighbor, id).await.unwrap_err();
        assert_eq!(refused.message(), format!("no subscription {id} is visible to you"));
    }
}

#[rstest]
#[tokio::test]
async fn who_sees_the_customer_and_may_not_order_is_told_what_is_missing(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let mut shop = Shop::of(world).await;
    let refused = shop.order(trade.helper(), trade.order(1)).await;
    let expected = "OPERATION_NOT_AVAILABLE_TO_INDIRECT_RESELLER";
    assert_eq!(outcome(&refused), (Code::PermissionDenied, expected.to_owned()));
    assert_eq!(detail(&refused, "partner_center_code").unwrap(), "1002");
    let without = Grant { order_right: false, epoch: 2, ..Grant::PROVIDER };
    world.told_access(&trade.customer, &trade.provider.organization_id, without).await;
    let refused = shop.order(trade.seller(), trade.order(1)).await;
    assert_eq!(outcome(&refused), (Code::PermissionDenied, "ORDER_RIGHT_REQUIRED".to_owned()));
    assert_eq!(detail(&refused, "partner_center_code").unwrap(), "20002");
}

#[rstest]
#[tokio::test]
async fn a_partner_is_nobody_s_customer_and_not_its_own_either(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let mut shop = Shop::of(world).await;
    // Whoever registers an organization is its global admin.
    let newcomer = world.register().await;
    for partner in [&trade.provider, &trade.reseller, &newcomer] {
        let (own, token) = (&partner.organization_id, &partner.session.access_token);
        let order = PlaceOrderRequest { customer_id: own.clone(), ..trade.order(1) };
        assert_eq!(outcome(&shop.order(token, order).await), (Code::NotFound, "NOT_FOUND".to_owned()));
        assert_eq!(reason(&shop.list(token, own).await), "NOT_FOUND");
        assert_eq!(reason(&shop.entitlements(token, own).await), "NOT_FOUND");
    }
}

#[rstest]
#[case(&[Role::GlobalAdmin], "OK", "OK", "OK")]
#[case(&[Role::UserManagementAdmin], "ROLE_NOT_ALLOWED", "ROLE_NOT_ALLOWED", "OK")]
#[case(&[Role::BillingAdmin], "ROLE_NOT_ALLOWED", "OK", "ROLE_NOT_ALLOWED")]
#[case(&[Role::AdminAgent], "OK", "OK", "OK")]
#[case(&[Role::SalesAgent], "OK", "OK", "OK")]
#[case(&[Role::HelpdeskAgent], "ROLE_NOT_ALLOWED", "ROLE_NOT_ALLOWED", "OK")]
#[tokio::test]
async fn orders_and_what_they_brought_are_a_matter_of_roles(
    #[case] roles: &[Role],
    #[case] order: &str,
    #[case] subscriptions: &str,
    #[case] entitlements: &str,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let token = &person(world, &trade.provider, roles).await;
    let mut shop = Shop::of(world).await;
    assert_eq!(reason(&shop.order(token, trade.order(1)).await), order);
    assert_eq!(reason(&shop.list(token, &trade.customer).await), subscriptions);
    assert_eq!(reason(&shop.entitlements(token, &trade.customer).await), entitlements);
    assert_eq!(
        reason(&shop.order(token, PlaceOrderRequest { customer_id: fresh(), ..trade.order(1) }).await),
        if order == "OK" { "NOT_FOUND" } else { order },
        "roles are judged before the customer"
    );
}

#[rstest]
#[tokio::test]
async fn an_order_is_taken_whole_or_not_at_all_and_the_refused_line_is_named(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let offer = |change: fn(&mut UpsertOfferRequest)| {
        let mut offer = World::offer_of(&trade.product);
        change(&mut offer);
        world.offer(offer)
    };
    let foreign = offer(|offer| offer.countries = vec!["FR".to_owned()]).await;
    let gone = offer(|offer| offer.available = false).await;
    let mut shop = Shop::of(world).await;
    for (second, expected, code) in [
        (line(&fresh(), 1), "NOT_FOUND", None),
        (line(&foreign, 1), "OFFER_NOT_IN_COUNTRY", Some("800070")),
        (line(&gone, 1), "OFFER_NOT_AVAILABLE", None),
        (line(&trade.offer, 1_001), "QUANTITY_OUT_OF_RANGE", Some("800067")),
    ] {
        let order = PlaceOrderRequest { lines: vec![line(&trade.offer, 5), second], ..trade.order(1) };
        let refused = shop.order(trade.seller(), order).await;
        assert_eq!(reason(&refused), expected);
        assert_eq!(detail(&refused, "partner_center_code").as_deref(), code, "{expected}");
        assert_eq!(detail(&refused, "line").as_deref(), Some("1"), "{expected}");
    }
    assert!(shop.list(trade.seller(), &trade.customer).await.unwrap().is_empty());
    assert!(shop.entitlements(trade.seller(), &trade.customer).await.unwrap().entitlements.is_empty());

    let order = trade.order(1);
    for (request, expected) in [
        (PlaceOrderRequest { lines: Vec::new(), ..order.clone() }, "REQUIRED"),
        (PlaceOrderRequest { lines: vec![line(&trade.offer, 1); 101], ..order.clone() }, "TOO_LONG"),
        (PlaceOrderRequest { lines: vec![line(&trade.offer, 0)], ..order.clone() }, "OUT_OF_RANGE"),
        (PlaceOrderRequest { lines: vec![line("Harbor", 1)], ..order }, "MALFORMED"),
    ] {
        let refused = shop.order(trade.seller(), request).await;
        assert_eq!(outcome(&refused), (Code::InvalidArgument, expected.to_owned()));
        let limit = (expected == "TOO_LONG").then_some("order_lines_max");
        assert_eq!(detail(&refused, "limit").as_deref(), limit);
    }
}

#[rstest]
#[tokio::test]
async fn the_reseller_of_record_works_with_the_provider_and_is_not_the_provider_itself(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let (stranger, former) = (fresh(), fresh());
    let stranger_mpn = world.told_partner(&stranger, PartnerKind::Reseller).await;
    let former_mpn = world.told_partner(&former, PartnerKind::Reseller).await;
    world.told_partnership(&trade.provider.organization_id, &former, false, 1).await;
    let mut shop = Shop::of(world).await;
    let naming = |mpn_id: &str| PlaceOrderRequest { reseller_mpn_id: mpn_id.to_owned(), ..trade.order(1) };
    let mut told = Vec::new();
    for mpn_id in [&fresh(), &stranger_mpn, &former_mpn] {
        let refused = shop.order(trade.seller(), naming(mpn_id)).await;
        assert_eq!(outcome(&refused), (Code::FailedPrecondition, "RESELLER_NOT_PARTNERED".to_owned()));
        assert_eq!(detail(&refused, "partner_center_code").unwrap(), "800016");
        told.push(refused.unwrap_err().message().to_owned());
    }
    assert!(told.iter().all(|message| *message == told[0]), "who is not partnered answers like nobody");
    let own = shop.order(trade.seller(), naming(&trade.provider_mpn_id)).await;
    assert_eq!(
        (reason(&own).as_str(), detail(&own, "partner_center_code").unwrap().as_str()),
        ("MPN_ID_IS_OWN", "2072")
    );

    let suspended = partner_standing::State::Suspended;
    let (reseller, mpn_id) = (&trade.reseller.organization_id, &trade.reseller_mpn_id);
    world.told_standing(reseller, PartnerKind::Reseller, mpn_id, suspended, 2).await;
    let refused = shop.order(trade.seller(), naming(mpn_id)).await;
    assert_eq!(outcome(&refused), (Code::FailedPrecondition, "RESELLER_SUSPENDED".to_owned()));
    assert_eq!(detail(&refused, "partner_center_code").unwrap(), "800039");
    let (provider, mpn_id) = (&trade.provider.organization_id, &trade.provider_mpn_id);
    world.told_standing(provider, PartnerKind::Provider, mpn_id, suspended, 2).await;
    let refused = shop.order(trade.seller(), trade.order(1)).await;
    assert_eq!(outcome(&refused), (Code::FailedPrecondition, "ACCOUNT_SUSPENDED".to_owned()));
    assert_eq!(detail(&refused, "partner_center_code").unwrap(), "800039");
    assert!(
        shop.list(trade.seller(), &trade.customer).await.unwrap().is_empty(),
        "reading goes on, and nothing was ordered"
    );
}

#[rstest]
#[tokio::test]
async fn subscriptions_are_paged_by_name_in_both_directions(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let mut shop = Shop::of(world).await;
    let named =
        |name: &str| proto::licensing::v1::OrderLine { friendly_name: name.to_owned(), ..line(&trade.offer, 1) };
    let lines = ["delta", "Alpha", "charlie", "BRAVO"].map(named).to_vec();
    shop.order(trade.seller(), PlaceOrderRequest { lines, ..trade.order(1) }).await.unwrap();
    let names = |page: &[Subscription]| page.iter().map(|each| each.friendly_name.clone()).collect::<Vec<_>>();
    let request = ListSubscriptionsRequest { customer_id: trade.customer.clone(), page_size: 3, ..Default::default() };
    let (first, next, previous) = shop.page(trade.seller(), request.clone()).await;
    assert_eq!((names(&first).join(" "), previous.as_str()), ("Alpha BRAVO charlie".to_owned(), ""));
    let (second, _, back) =
        shop.page(trade.seller(), ListSubscriptionsRequest { page_token: next, ..request.clone() }).await;
    assert_eq!(names(&second), ["delta"]);
    let (again, ..) = shop.page(trade.seller(), ListSubscriptionsRequest { page_token: back, ..request.clone() }).await;
    assert_eq!(again, first);
    let other = ListSubscriptionsRequest { product_id: fresh(), ..request };
    assert!(shop.page(trade.seller(), other).await.0.is_empty());
}

#[rstest]
#[tokio::test]
async fn in_the_governments_cloud_entitlements_are_not_shown(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    use proto::identity::v1::registration_service_client::RegistrationServiceClient;
    let world = World::shared(kind).await;
    let request = RegisterOrganizationRequest { cloud: Cloud::UsGovernment.into(), ..World::registration() };
    let mut registration = RegistrationServiceClient::new(world.to_identity().await);
    let made = registration.register_organization(request).await.unwrap().into_inner();
    let token = world.sign_in(&made.admin_sign_in_name, tests::world::PASSWORD).await.access_token;
    let refused = Shop::of(world).await.entitlements(&token, &fresh()).await;
    assert_eq!(outcome(&refused), (Code::FailedPrecondition, "NOT_AVAILABLE_IN_CLOUD".to_owned()));
}
