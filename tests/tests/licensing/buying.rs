//! What a customer could have: offers that are judged beforehand as an order would be, and where more can be bought.

use proto::identity::v1::Role;
use proto::licensing::v1::catalog_service_client::CatalogServiceClient;
use proto::licensing::v1::entitlement_service_client::EntitlementServiceClient;
use proto::licensing::v1::product_rules::{AssignmentAuthority, LicenseGroup, TargetType};
use proto::licensing::v1::{
    BillingCycle, Entitlement, LimitUnit, ListEntitlementsRequest, ListOffersRequest, Offer, OrderLine,
    PlaceOrderRequest, ProductRules, Term, UpsertOfferRequest,
};
use proto::partner::v1::{PartnerKind, partner_standing};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{Grant, World, authorized, fresh, told_of};
use tonic::{Code, Status};

use super::desk::{Desk, paid, unpaid, unwanted};
use super::reason;
use super::rules::{Catalog, setting};
use super::trade::{Shop, Trade, line, person};

async fn listed(world: &World, token: &str, request: ListOffersRequest) -> Result<Vec<Offer>, Status> {
    let mut catalog = CatalogServiceClient::new(world.to_licensing().await);
    Ok(catalog.list_offers(authorized(token, request)).await?.into_inner().offers)
}

/// The offers of the trade's product for its customer.
fn for_customer(trade: &Trade) -> ListOffersRequest {
    ListOffersRequest {
        product_id: trade.product.clone(),
        customer_id: trade.customer.clone(),
        page_size: 1_000,
        ..Default::default()
    }
}

/// What stands in the way of one offer; nothing when it can be had.
pub(crate) async fn refusals(world: &World, token: &str, trade: &Trade, offer_id: &str) -> Vec<String> {
    let offers = listed(world, token, for_customer(trade)).await.unwrap();
    let found = offers.into_iter().find(|offer| offer.offer_id == offer_id).unwrap();
    assert_eq!(found.purchasable, Some(found.refusal_reasons.is_empty()));
    found.refusal_reasons
}

/// What a dry order of that line is answered.
async fn tried(world: &World, token: &str, trade: &Trade, line: OrderLine) -> String {
    let order = PlaceOrderRequest { lines: vec![line], validate_only: true, ..trade.order(1) };
    reason(&Shop::of(world).await.order(token, order).await)
}

#[rstest]
#[tokio::test]
async fn an_offer_is_judged_for_a_customer_as_its_order_would_be(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let plain = || World::offer_of(&trade.product);
    let make = |offer: UpsertOfferRequest| async move { world.offer(offer).await };
    let gone = make(UpsertOfferRequest { available: false, ..plain() }).await;
    let french = vec!["FR".to_owned()];
    let foreign = make(UpsertOfferRequest { countries: french.clone(), ..plain() }).await;
    let both = make(UpsertOfferRequest { available: false, countries: french, ..plain() }).await;
    let trial = make(UpsertOfferRequest { trial: true, minimum_quantity: 25, maximum_quantity: 25, ..plain() }).await;
    let limit_unit = LimitUnit::Concurrent.into();
    let once = make(UpsertOfferRequest { limit_unit, limit: 1, ..plain() }).await;
    let base = make(plain()).await;
    let add_on = make(UpsertOfferRequest { parent_offer_ids: vec![base.clone()], ..plain() }).await;

    let seller = trade.seller();
    for (offer, quantity, expected) in [
        (&trade.offer, 1, &["OK"][..]),
        (&trial, 25, &["OK"]),
        (&once, 1, &["OK"]),
        (&gone, 1, &["OFFER_NOT_AVAILABLE"]),
        (&foreign, 1, &["OFFER_NOT_IN_COUNTRY"]),
        (&both, 1, &["OFFER_NOT_AVAILABLE", "OFFER_NOT_IN_COUNTRY"]),
        (&add_on, 1, &["PARENT_REQUIRED"]),
    ] {
        let told = refusals(world, seller, &trade, offer).await;
        assert_eq!(if told.is_empty() { vec!["OK".to_owned()] } else { told }, expected);
        assert_eq!(tried(world, seller, &trade, line(offer, quantity)).await, expected[0]);
    }

    let (mut shop, mut desk) = (Shop::of(world).await, Desk::of(world).await);
    let lines = vec![line(&trial, 25), line(&once, 2), line(&base, 3)];
    let placed = shop.order(seller, PlaceOrderRequest { lines, ..trade.order(1) }).await.unwrap().subscriptions;
    let had = &["SUBSCRIPTION_LIMIT_REACHED", "PRODUCT_OWNED"][..];
    for (offer, quantity, told) in [(&trial, 25, had), (&once, 2, &had[..1])] {
        assert_eq!(refusals(world, seller, &trade, offer).await, told);
        assert_eq!(tried(world, seller, &trade, line(offer, quantity)).await, "SUBSCRIPTION_LIMIT_REACHED");
    }
    let parent = &placed[2].subscription_id;
    let adding = || OrderLine { parent_subscription_id: parent.clone(), ..line(&add_on, 1) };
    assert!(refusals(world, seller, &trade, &add_on).await.is_empty());
    assert_eq!(tried(world, seller, &trade, adding()).await, "OK");
    desk.suspend(seller, unpaid(parent)).await.unwrap();
    assert_eq!(refusals(world, seller, &trade, &add_on).await, ["PARENT_NOT_ACTIVE"]);
    assert_eq!(tried(world, seller, &trade, adding()).await, "PARENT_NOT_ACTIVE");
    // One of several that is active is enough, whichever was ordered first.
    shop.order(seller, PlaceOrderRequest { lines: vec![line(&base, 1)], ..trade.order(1) }).await.unwrap();
    assert!(refusals(world, seller, &trade, &add_on).await.is_empty());
    desk.reactivate(seller, paid(parent)).await.unwrap();

    // What another partner sold counts for the limit, and is nothing to add to.
    let direct = world.register().await;
    world.told_partner(&direct.organization_id, PartnerKind::Direct).await;
    world.told_access(&trade.customer, &direct.organization_id, Grant::DIRECT).await;
    let other = &direct.session.access_token;
    assert_eq!(refusals(world, other, &trade, &once).await, ["SUBSCRIPTION_LIMIT_REACHED"]);
    assert_eq!(refusals(world, other, &trade, &add_on).await, ["PARENT_REQUIRED"]);
    // A limit on what there is at one time ends with what is deleted; a trial was had for ever.
    for (subscription, left) in [(&placed[0], had), (&placed[1], &[])] {
        desk.cancel(seller, unwanted(&subscription.subscription_id)).await.unwrap();
        assert_eq!(refusals(world, seller, &trade, &subscription.offer_id).await, left);
    }
}

#[rstest]
#[tokio::test]
async fn who_may_not_order_is_told_so_of_every_offer(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let gone = world.offer(UpsertOfferRequest { available: false, ..World::offer_of(&trade.product) }).await;
    let provider = &trade.provider.organization_id;
    let clerk = person(world, &trade.provider, &[Role::BillingAdmin]).await;
    let check = async |token: &str, expected: &str| {
        assert_eq!(refusals(world, token, &trade, &trade.offer).await, [expected]);
        assert_eq!(refusals(world, token, &trade, &gone).await, [expected, "OFFER_NOT_AVAILABLE"]);
        assert_eq!(tried(world, token, &trade, line(&trade.offer, 1)).await, expected);
    };
    check(&clerk, "ROLE_NOT_ALLOWED").await;
    check(trade.helper(), "OPERATION_NOT_AVAILABLE_TO_INDIRECT_RESELLER").await;
    world.told_access(&trade.customer, provider, Grant { order_right: false, epoch: 2, ..Grant::PROVIDER }).await;
    check(trade.seller(), "ORDER_RIGHT_REQUIRED").await;
    world.told_access(&trade.customer, provider, Grant { epoch: 3, ..Grant::PROVIDER }).await;
    let suspended = partner_standing::State::Suspended;
    world.told_standing(provider, PartnerKind::Provider, &trade.provider_mpn_id, suspended, 2).await;
    check(trade.seller(), "ACCOUNT_SUSPENDED").await;
}

#[rstest]
#[tokio::test]
async fn offers_are_judged_for_nobody_whom_the_caller_does_not_serve(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let stranger = world.told_customer("DE").await;
    let mut told = Vec::new();
    for id in [&stranger, &fresh()] {
        let request = ListOffersRequest { customer_id: id.clone(), ..for_customer(&trade) };
        told.push(told_of(listed(world, trade.seller(), request.clone()).await, id));
        assert_eq!(reason(&listed(world, &world.operator().await, request).await), "NOT_FOUND");
    }
    assert!(told[0] == told[1] && told[0].0 == Code::NotFound, "{told:?}");
    let nobody = ListOffersRequest { customer_id: String::new(), ..for_customer(&trade) };
    let offers = listed(world, trade.seller(), nobody).await.unwrap();
    assert_eq!((offers.len(), offers[0].purchasable, offers[0].refusal_reasons.len()), (1, None, 0));
}

#[rstest]
#[tokio::test]
async fn offers_are_found_by_family_billing_and_whether_they_are_trials(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let named = |name: &str| UpsertOfferRequest { name: name.to_owned(), ..World::offer_of(&trade.product) };
    world.offer(UpsertOfferRequest { trial: true, maximum_quantity: 1, ..named("trial") }).await;
    let (billing_cycles, terms) =
        (vec![BillingCycle::Monthly.into(), BillingCycle::Annual.into()], vec![Term::OneYear.into()]);
    let tidal = UpsertOfferRequest { product_family: "tide".to_owned(), billing_cycles, terms, ..named("tidal") };
    world.offer(tidal).await;
    let all = for_customer(&trade);
    for (request, expected) in [
        (all.clone(), &["Harbor Mail", "tidal", "trial"][..]),
        (ListOffersRequest { trial: Some(true), ..all.clone() }, &["trial"]),
        (ListOffersRequest { trial: Some(false), ..all.clone() }, &["Harbor Mail", "tidal"]),
        (ListOffersRequest { product_family: "tide".to_owned(), ..all.clone() }, &["tidal"]),
        (ListOffersRequest { product_family: "tide".to_owned(), trial: Some(true), ..all.clone() }, &[]),
        (ListOffersRequest { product_family: "TIDE".to_owned(), ..all.clone() }, &[]),
        (ListOffersRequest { billing_cycle: BillingCycle::Annual.into(), ..all.clone() }, &["tidal"]),
        (ListOffersRequest { billing_cycle: BillingCycle::Triennial.into(), ..all.clone() }, &[]),
        (ListOffersRequest { term: Term::OneYear.into(), ..all.clone() }, &["tidal"]),
        (ListOffersRequest { term: Term::OneMonth.into(), ..all }, &[]),
    ] {
        let names: Vec<String> =
            listed(world, trade.seller(), request).await.unwrap().into_iter().map(|o| o.name).collect();
        assert_eq!(names, expected);
    }
}

#[rstest]
#[tokio::test]
async fn more_can_be_ordered_where_an_order_would_be_taken(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let plain = World::offer_of(&trade.product);
    let seats =
        |offer: &UpsertOfferRequest| UpsertOfferRequest { offer_id: fresh(), request_id: fresh(), ..offer.clone() };
    let trial = UpsertOfferRequest { trial: true, minimum_quantity: 25, maximum_quantity: 25, ..seats(&plain) };
    let (withdrawn, moved) = (seats(&plain), seats(&plain));
    let mut shop = Shop::of(world).await;
    let mut lines = vec![line(&trial.offer_id, 25), line(&trade.offer, 1)];
    for offer in [&trial, &withdrawn, &moved] {
        world.offer(offer.clone()).await;
    }
    lines.extend([line(&withdrawn.offer_id, 1), line(&moved.offer_id, 1)]);
    shop.order(trade.seller(), PlaceOrderRequest { lines, ..trade.order(1) }).await.unwrap();
    let again = |offer: UpsertOfferRequest| UpsertOfferRequest { request_id: fresh(), ..offer };
    world.offer(again(UpsertOfferRequest { available: false, ..withdrawn })).await;
    world.offer(again(UpsertOfferRequest { countries: vec!["FR".to_owned()], ..moved })).await;

    let owned = shop.entitlement(trade.seller(), &trade.customer, &trade.product).await;
    let orderable = owned.sources.iter().filter(|source| source.orderable).map(|source| &source.offer_id);
    assert_eq!(owned.sources.len(), 4);
    assert_eq!(orderable.collect::<Vec<_>>(), [&trade.offer]);
    let provider = &trade.provider.organization_id;
    let seen = shop.entitlements(trade.helper(), &trade.customer).await.unwrap();
    assert_eq!(seen.orderable_by_partner_ids, std::slice::from_ref(provider));

    let suspended = partner_standing::State::Suspended;
    world.told_standing(provider, PartnerKind::Provider, &trade.provider_mpn_id, suspended, 2).await;
    let owned = shop.entitlement(trade.seller(), &trade.customer, &trade.product).await;
    assert!(owned.sources.iter().all(|source| !source.orderable), "nothing new begins");
    for token in [trade.seller(), trade.helper()] {
        let seen = shop.entitlements(token, &trade.customer).await.unwrap();
        assert!(seen.orderable_by_partner_ids.is_empty());
    }
}

#[rstest]
#[tokio::test]
async fn entitlements_are_listed_by_license_group_and_say_who_uses_and_who_gives_them(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    Shop::of(world).await.order(trade.seller(), trade.order(1)).await.unwrap();
    let (beside, whole, published) =
        (trade.more(world, 1).await, trade.more(world, 1).await, trade.more(world, 1).await);
    let mut catalog = Catalog::of(world).await;
    let second = ProductRules { license_group: LicenseGroup::Second.into(), ..Default::default() };
    let tenant = ProductRules { target_type: TargetType::Tenant.into(), ..Default::default() };
    let publisher = ProductRules { assignment_authority: AssignmentAuthority::Publisher.into(), ..Default::default() };
    for (product, rules) in [(&beside, second), (&whole, tenant), (&published, publisher)] {
        catalog.set(&world.operator().await, setting(product, rules)).await.unwrap();
    }
    let client = EntitlementServiceClient::new(world.to_licensing().await);
    let list = async |groups: &[LicenseGroup], page_size: i32, page_token: &str| {
        let request = ListEntitlementsRequest {
            customer_id: trade.customer.clone(),
            license_groups: groups.iter().copied().map(i32::from).collect(),
            page_size,
            page_token: page_token.to_owned(),
            ..Default::default()
        };
        client.clone().list_entitlements(authorized(trade.helper(), request)).await.map(tonic::Response::into_inner)
    };
    let both = [LicenseGroup::Second, LicenseGroup::First];
    for (groups, mut expected) in [
        (&[][..], vec![&trade.product, &whole, &published]),
        (&[LicenseGroup::First], vec![&trade.product, &whole, &published]),
        (&[LicenseGroup::Second], vec![&beside]),
        (&both, vec![&trade.product, &beside, &whole, &published]),
    ] {
        let page = list(groups, 0, "").await.unwrap();
        let found: Vec<Entitlement> = page.entitlements.into_iter().filter_map(|detail| detail.entitlement).collect();
        for owned in &found {
            let is = |product: &String| owned.product_id == *product;
            assert_eq!(owned.target_type() == TargetType::Tenant, is(&whole));
            assert_eq!(owned.license_group() == LicenseGroup::Second, is(&beside));
            assert_eq!(owned.assignment_authority() == AssignmentAuthority::Publisher, is(&published));
        }
        let mut ids: Vec<&String> = found.iter().map(|owned| &owned.product_id).collect();
        ids.sort_unstable();
        expected.sort_unstable();
        assert_eq!(ids, expected);
    }
    let token = list(&[], 1, "").await.unwrap().next_page_token;
    assert_eq!(reason(&list(&[], 1, &token).await), "OK");
    assert_eq!(reason(&list(&both, 1, &token).await), "PAGE_TOKEN_INVALID");
    assert_eq!(reason(&list(&[LicenseGroup::Unspecified], 0, "").await), "UNKNOWN_VALUE");
}
