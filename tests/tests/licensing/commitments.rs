//! How often a subscription is billed, for how long its buyer is bound, and which reseller of record each line has.

use proto::licensing::v1::{BillingCycle, ConvertTrialRequest, OrderLine, PlaceOrderRequest, Term, UpsertOfferRequest};
use proto::partner::v1::PartnerKind;
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{World, fresh, wrong_fields};
use tonic::Code;

use super::desk::{Desk, converted, tried};
use super::trade::{Shop, Trade, line};
use super::{detail, outcome, reason};

/// An offer that is billed every year, for one or three.
async fn yearly(world: &World, trade: &Trade) -> String {
    let request = UpsertOfferRequest {
        billing_cycles: vec![BillingCycle::Annual.into()],
        terms: vec![Term::ThreeYears.into(), Term::OneYear.into()],
        ..World::offer_of(&trade.product)
    };
    world.offer(request).await
}

#[rstest]
#[tokio::test]
async fn who_orders_chooses_among_the_billing_cycles_and_terms_of_the_offer(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let offer = yearly(world, &trade).await;
    let mut shop = Shop::of(world).await;
    let order = |line: OrderLine| PlaceOrderRequest { lines: vec![line], ..trade.order(1) };
    let three = OrderLine { term: Term::ThreeYears.into(), ..line(&offer, 2) };
    let bought = shop.order(trade.seller(), order(three.clone())).await.unwrap().subscriptions.remove(0);
    assert_eq!((bought.billing_cycle(), bought.term()), (BillingCycle::Annual, Term::ThreeYears), "the only cycle");
    assert_eq!(shop.get(trade.seller(), &bought.subscription_id).await.unwrap(), bought);

    let unnamed = shop.order(trade.seller(), order(line(&offer, 2))).await;
    assert_eq!(outcome(&unnamed), (Code::FailedPrecondition, "TERM_NOT_OFFERED".to_owned()));
    assert_eq!(detail(&unnamed, "terms").unwrap(), "P1Y P3Y");
    let monthly = OrderLine { billing_cycle: BillingCycle::Monthly.into(), ..three.clone() };
    let monthly = shop.order(trade.seller(), order(monthly)).await;
    assert_eq!(outcome(&monthly), (Code::FailedPrecondition, "BILLING_CYCLE_NOT_OFFERED".to_owned()));
    assert_eq!(detail(&monthly, "billing_cycles").unwrap(), "ANNUAL");
    let said = OrderLine { term: Term::OneYear.into(), ..line(&trade.offer, 1) };
    assert_eq!(reason(&shop.order(trade.seller(), order(said)).await), "TERM_NOT_OFFERED", "the offer says nothing");
    let unknown = OrderLine { billing_cycle: 9, term: 9, ..three };
    let unknown = shop.order(trade.seller(), order(unknown)).await;
    assert_eq!(wrong_fields(unknown), ["lines[0].billing_cycle", "lines[0].term"]);

    let plain = shop.order(trade.seller(), trade.order(1)).await.unwrap().subscriptions.remove(0);
    assert_eq!((plain.billing_cycle(), plain.term()), (BillingCycle::Unspecified, Term::Unspecified));
}

#[rstest]
#[tokio::test]
async fn who_pays_for_a_trial_chooses_as_well(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let (trial, offer) = (tried(world, &trade).await, yearly(world, &trade).await);
    let mut desk = Desk::of(world).await;
    let unnamed = desk.convert(trade.seller(), converted(&trial.subscription_id, &offer, 5)).await;
    assert_eq!(reason(&unnamed), "TERM_NOT_OFFERED");
    let term = Term::OneYear.into();
    let request = ConvertTrialRequest { term, ..converted(&trial.subscription_id, &offer, 5) };
    let paid = desk.convert(trade.seller(), request).await.unwrap();
    assert_eq!((paid.billing_cycle(), paid.term()), (BillingCycle::Annual, Term::OneYear));
    let again = Shop::of(world).await.get(trade.seller(), &trial.subscription_id).await.unwrap();
    assert_eq!(again, paid);
}

#[rstest]
#[tokio::test]
async fn a_line_has_the_reseller_of_record_that_it_names_or_the_order_s(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let other = world.register().await;
    let other_mpn_id = world.told_partner(&other.organization_id, PartnerKind::Reseller).await;
    let named = |mpn_id: &str| OrderLine { reseller_mpn_id: mpn_id.to_owned(), ..line(&trade.offer, 1) };
    let order = |lines: Vec<OrderLine>| PlaceOrderRequest {
        lines,
        reseller_mpn_id: trade.reseller_mpn_id.clone(),
        request_id: fresh(),
        ..trade.order(1)
    };
    let mut shop = Shop::of(world).await;
    let lines = || vec![named(""), named(&other_mpn_id)];
    let early = shop.order(trade.seller(), order(lines())).await;
    assert_eq!(outcome(&early), (Code::FailedPrecondition, "RESELLER_NOT_PARTNERED".to_owned()));
    assert_eq!(detail(&early, "line").unwrap(), "1");
    let own = shop.order(trade.seller(), order(vec![named(&trade.provider_mpn_id)])).await;
    assert_eq!(
        (reason(&own).as_str(), detail(&own, "partner_center_code").as_deref()),
        ("MPN_ID_IS_OWN", Some("2072"))
    );
    world.told_partnership(&trade.provider.organization_id, &other.organization_id, true, 1).await;
    let placed = shop.order(trade.seller(), order(lines())).await.unwrap().subscriptions;
    let resellers: Vec<&str> = placed.iter().map(|subscription| subscription.reseller_id.as_str()).collect();
    assert_eq!(resellers, [trade.reseller.organization_id.as_str(), &other.organization_id]);
}
