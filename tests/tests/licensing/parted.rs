//! What was ordered stays as it is when provider and reseller part (C20).

use proto::licensing::v1::PlaceOrderRequest;
use proto::licensing::v1::subscription::State;
use proto::partner::v1 as pb;
use proto::partner::v1::PartnerKind;
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{World, authorized, fresh};
use tonic::Code;

use super::desk::{Desk, paid, resized, unpaid};
use super::outcome;
use super::trade::{Licenses, Shop, change, line, words};

#[rstest]
#[tokio::test]
async fn a_subscription_keeps_its_reseller_and_its_provider_changes_it_when_the_two_have_parted(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let provider = world.onboard(PartnerKind::Provider).await;
    let onboarding = World::onboarding(PartnerKind::Reseller);
    let reseller_mpn_id = onboarding.mpn_id.clone();
    let reseller = world.onboard_as(onboarding).await;
    let partnership_id = world.join(&provider, &reseller).await;
    let tenant = world.create_customer(&reseller).await;
    let (_, link) = world.invite(&reseller, World::invitation(Some(&provider))).await;
    world.accept(&tenant, &link).await;
    let product = world.product("Harbor Mail").await;
    let offer = world.offer(World::offer_of(&product)).await;
    let order = |reseller_mpn_id: &str| PlaceOrderRequest {
        customer_id: tenant.customer_id.clone(),
        lines: vec![line(&offer, 5)],
        reseller_mpn_id: reseller_mpn_id.to_owned(),
        request_id: fresh(),
        ..Default::default()
    };
    let (mut shop, mut desk) = (Shop::of(world).await, Desk::of(world).await);
    let ordered = shop.order(provider.token(), order(&reseller_mpn_id)).await.unwrap().subscriptions.remove(0);
    let of_record = (reseller.organization_id.as_str(), reseller_mpn_id.as_str());

    let removal = pb::RemovePartnershipRequest {
        partnership_id,
        attestation_accepted: true,
        request_id: fresh(),
        ..Default::default()
    };
    world.partnerships().await.remove_partnership(authorized(provider.token(), removal)).await.unwrap();

    let id = &ordered.subscription_id;
    for token in [provider.token(), reseller.token()] {
        assert_eq!(shop.get(token, id).await.unwrap(), ordered, "both see it as it was");
    }
    let more = desk.resize(provider.token(), resized(id, 8)).await.unwrap();
    assert_eq!((more.quantity, (more.reseller_id.as_str(), more.reseller_mpn_id.as_str())), (8, of_record));
    let users = [tenant.admin_user_id.clone()];
    let mut licenses = Licenses::of(world).await;
    let results =
        licenses.update(reseller.token(), change(&tenant.customer_id, &users, &[], &[&product])).await.unwrap();
    assert_eq!(words(&results), ["UNCHANGED"], "the reseller goes on with licenses");
    assert_eq!(desk.suspend(provider.token(), unpaid(id)).await.unwrap().state(), State::Suspended);
    let active = desk.reactivate(provider.token(), paid(id)).await.unwrap();
    assert_eq!(
        (active.state(), (active.reseller_id.as_str(), active.reseller_mpn_id.as_str())),
        (State::Active, of_record)
    );

    let refused = shop.order(provider.token(), order(&reseller_mpn_id)).await;
    assert_eq!(outcome(&refused), (Code::FailedPrecondition, "RESELLER_NOT_PARTNERED".to_owned()));
    let alone = shop.order(provider.token(), order("")).await.unwrap().subscriptions.remove(0);
    assert_eq!(alone.reseller_id, "", "its own relationship is enough");
}
