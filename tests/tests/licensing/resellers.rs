//! Subscriptions that get another reseller of record.

use proto::identity::v1::Role;
use proto::licensing::v1::ChangeResellerRequest;
use proto::licensing::v1::subscription_change::Kind as Happened;
use proto::partner::v1::{PartnerKind, partner_standing};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{World, wrong_fields};
use tonic::Code;

use super::desk::{Desk, bought, served_by, unpaid, unwanted};
use super::trade::{Shop, Trade, person};
use super::{detail, outcome, reason};

#[rstest]
#[tokio::test]
async fn a_reseller_who_is_named_later_sees_the_subscription_until_another_one_is(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let other = world.register().await;
    let other_mpn_id = world.told_partner(&other.organization_id, PartnerKind::Reseller).await;
    world.told_partnership(&trade.provider.organization_id, &other.organization_id, true, 1).await;
    let (mut desk, mut shop) = (Desk::of(world).await, Shop::of(world).await);
    let ordered = bought(world, &trade, 5).await;
    let id = &ordered.subscription_id;
    assert_eq!(reason(&shop.get(trade.helper(), id).await), "NOT_FOUND", "it was ordered without a reseller");

    let request = ChangeResellerRequest { etag: ordered.etag.clone(), ..served_by(id, &trade.reseller_mpn_id) };
    let dry = ChangeResellerRequest { validate_only: true, ..request.clone() };
    let foretold = desk.name(trade.seller(), dry).await.unwrap();
    assert_eq!(foretold.reseller_id, trade.reseller.organization_id);
    assert_eq!(shop.get(trade.seller(), id).await.unwrap(), ordered, "a dry run changes nothing");
    let named = desk.name(trade.seller(), request.clone()).await.unwrap();
    let of_record = (&named.reseller_id, &named.reseller_mpn_id);
    assert_eq!(of_record, (&trade.reseller.organization_id, &trade.reseller_mpn_id));
    assert_eq!((named.quantity, named.state, &named.partner_id), (5, ordered.state, &ordered.partner_id));
    assert_eq!(desk.name(trade.seller(), request).await.unwrap(), named, "the same request again is the same");
    let again = desk.name(trade.seller(), served_by(id, &trade.reseller_mpn_id)).await.unwrap();
    assert_eq!(again, named, "whom it has already is no change");
    let stale = ChangeResellerRequest { etag: ordered.etag, ..served_by(id, &other_mpn_id) };
    let stale = desk.name(trade.seller(), stale).await;
    assert_eq!(outcome(&stale), (Code::Aborted, "ETAG_MISMATCH".to_owned()));
    assert_eq!(shop.get(trade.helper(), id).await.unwrap(), named, "it is the reseller's from now on");
    assert_eq!(shop.list(trade.helper(), &trade.customer).await.unwrap(), [named]);

    let moved = desk.name(trade.seller(), served_by(id, &other_mpn_id)).await.unwrap();
    assert_eq!(moved.reseller_id, other.organization_id);
    assert_eq!(reason(&shop.get(trade.helper(), id).await), "NOT_FOUND");
    assert!(shop.list(trade.helper(), &trade.customer).await.unwrap().is_empty());
    let alone = desk.name(trade.seller(), served_by(id, "")).await.unwrap();
    assert_eq!((alone.reseller_id.as_str(), alone.reseller_mpn_id.as_str()), ("", ""));
    let history = desk.history(trade.seller(), id).await;
    let told: Vec<_> = history.iter().map(|line| (line.kind(), line.quantity_before, line.quantity_after)).collect();
    let change = (Happened::ResellerChanged, 5, 5);
    assert_eq!(told, [change, change, change, (Happened::Ordered, 0, 5)]);
    assert_eq!(history[0].actor_id, trade.provider.admin_user_id);
}

#[rstest]
#[tokio::test]
async fn a_reseller_is_named_later_under_the_conditions_of_an_order(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let stranger = world.register().await;
    let stranger_mpn_id = world.told_partner(&stranger.organization_id, PartnerKind::Reseller).await;
    let mut desk = Desk::of(world).await;
    let ordered = bought(world, &trade, 5).await;
    let id = &ordered.subscription_id;
    let (reseller, mpn_id) = (&trade.reseller.organization_id, &trade.reseller_mpn_id);
    for (named, expected, code) in
        [(&trade.provider_mpn_id, "MPN_ID_IS_OWN", "2072"), (&stranger_mpn_id, "RESELLER_NOT_PARTNERED", "800016")]
    {
        let refused = desk.name(trade.seller(), served_by(id, named)).await;
        assert_eq!(outcome(&refused), (Code::FailedPrecondition, expected.to_owned()));
        assert_eq!(detail(&refused, "partner_center_code").as_deref(), Some(code));
    }
    let long = desk.name(trade.seller(), served_by(id, &"7".repeat(51))).await;
    assert_eq!(wrong_fields(long), ["reseller_mpn_id"]);
    let helpdesk = person(world, &trade.provider, &[Role::HelpdeskAgent]).await;
    assert_eq!(reason(&desk.name(&helpdesk, served_by(id, mpn_id)).await), "ROLE_NOT_ALLOWED");
    assert_eq!(reason(&desk.name(trade.helper(), served_by(id, mpn_id)).await), "NOT_FOUND", "it is not its yet");

    let (suspended, active) = (partner_standing::State::Suspended, partner_standing::State::Active);
    world.told_standing(reseller, PartnerKind::Reseller, mpn_id, suspended, 2).await;
    let refused = desk.name(trade.seller(), served_by(id, mpn_id)).await;
    assert_eq!(outcome(&refused), (Code::FailedPrecondition, "RESELLER_SUSPENDED".to_owned()));
    assert_eq!(detail(&refused, "partner_center_code").as_deref(), Some("800039"));
    world.told_standing(reseller, PartnerKind::Reseller, mpn_id, active, 3).await;
    let named = desk.name(trade.seller(), served_by(id, mpn_id)).await.unwrap();
    world.told_partnership(&trade.provider.organization_id, reseller, false, 2).await;
    assert_eq!(desk.name(trade.seller(), served_by(id, mpn_id)).await.unwrap(), named, "whom it has, it has (C20)");
    let refused = desk.name(trade.helper(), served_by(id, "")).await;
    let expected = "OPERATION_NOT_AVAILABLE_TO_INDIRECT_RESELLER";
    assert_eq!(outcome(&refused), (Code::PermissionDenied, expected.to_owned()), "its own it does not change either");
    assert_eq!(detail(&refused, "partner_center_code").as_deref(), Some("1002"));

    let (provider, provider_mpn_id) = (&trade.provider.organization_id, &trade.provider_mpn_id);
    world.told_standing(provider, PartnerKind::Provider, provider_mpn_id, suspended, 2).await;
    let alone = desk.name(trade.seller(), served_by(id, "")).await.unwrap();
    assert_eq!(alone.reseller_id, "", "to have nobody is nothing new");
    let refused = desk.name(trade.seller(), served_by(id, mpn_id)).await;
    assert_eq!(outcome(&refused), (Code::FailedPrecondition, "ACCOUNT_SUSPENDED".to_owned()));
    assert_eq!(detail(&refused, "partner_center_code").as_deref(), Some("800039"));
    world.told_standing(provider, PartnerKind::Provider, provider_mpn_id, active, 3).await;

    desk.suspend(trade.seller(), unpaid(id)).await.unwrap();
    assert_eq!(reason(&desk.name(trade.seller(), served_by(id, mpn_id)).await), "SUBSCRIPTION_SUSPENDED");
    desk.cancel(trade.seller(), unwanted(id)).await.unwrap();
    assert_eq!(reason(&desk.name(trade.seller(), served_by(id, mpn_id)).await), "SUBSCRIPTION_DELETED");
}
