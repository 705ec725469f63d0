//! What a partner sees of one customer (D-01, D-78, O-54).

use proto::identity::v1::UpdateOrganizationRequest;
use proto::partner::v1 as pb;
use proto::partner::v1::PartnerKind::{Direct, Provider, Reseller};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{World, authorized, reason, soon};

use super::{calls, removing, request_id, revoking, settle_in, shared_with};

#[rstest]
#[tokio::test]
async fn a_partner_sees_those_of_its_own_partners_who_serve_the_customer_too(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let (provider, reseller) = (world.onboard(Provider).await, world.onboard(Reseller).await);
    let (unrelated, idle) = (world.onboard(Direct).await, world.onboard(Provider).await);
    let partnership_id = world.join(&provider, &reseller).await;
    world.join(&idle, &reseller).await;
    let made = world.try_create_customer(provider.token(), shared_with(&reseller)).await.unwrap();
    let tenant = settle_in(world, made).await;
    let (_, link) = world.invite(&unrelated, World::invitation(None)).await;
    world.accept(&tenant, &link).await;

    let mut calls = calls(world).await;
    assert_eq!(calls.partners_of(&tenant).await.len(), 3, "the customer sees all of them");
    let seen = calls.get(reseller.token(), &tenant.customer_id).await.unwrap();
    assert_eq!(seen.partners, [calls.partner_of(&tenant, &provider).await.unwrap()]);
    let seen = calls.get(provider.token(), &tenant.customer_id).await.unwrap();
    assert_eq!(seen.partners, [calls.partner_of(&tenant, &reseller).await.unwrap()]);
    assert!(calls.get(unrelated.token(), &tenant.customer_id).await.unwrap().partners.is_empty());

    let request = pb::RemovePartnershipRequest {
        partnership_id,
        attestation_accepted: true,
        request_id: request_id(),
        ..Default::default()
    };
    world.partnerships().await.remove_partnership(authorized(reseller.token(), request)).await.unwrap();
    for partner in [&provider, &reseller] {
        let seen = calls.get(partner.token(), &tenant.customer_id).await.unwrap();
        assert!(seen.partners.is_empty() && seen.delegated_admin, "strangers to each other, partners of the customer");
    }
}

#[rstest]
#[tokio::test]
async fn one_who_no_longer_serves_the_customer_is_not_shown_beside_it(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let (provider, reseller) = (world.onboard(Provider).await, world.onboard(Reseller).await);
    world.join(&provider, &reseller).await;
    let made = world.try_create_customer(provider.token(), shared_with(&reseller)).await.unwrap();
    let customer_id = made.customer.unwrap().customer_id;
    let mut calls = calls(world).await;
    calls.remove(reseller.token(), removing(&customer_id)).await.unwrap();
    assert!(calls.get(provider.token(), &customer_id).await.unwrap().partners.is_empty());
}

#[rstest]
#[tokio::test]
async fn whether_the_customer_grants_delegated_admin_is_shown(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let (world, reseller, tenant) = super::served(kind).await;
    let mut calls = calls(world).await;
    assert!(calls.get(reseller.token(), &tenant.customer_id).await.unwrap().delegated_admin);
    calls.revoke(tenant.token(), revoking(&reseller.organization_id)).await.unwrap();
    let shown = calls.get(reseller.token(), &tenant.customer_id).await.unwrap();
    assert!(!shown.delegated_admin && shown.customer.is_some());

    let transactional = world.stranger().await;
    let without = pb::CreateInvitationRequest { delegated_admin: Some(false), ..World::invitation(None) };
    let (_, link) = world.invite(&reseller, without).await;
    world.accept(&transactional, &link).await;
    assert!(!calls.get(reseller.token(), &transactional.customer_id).await.unwrap().delegated_admin);
}

#[rstest]
#[tokio::test]
async fn who_does_not_serve_a_customer_cannot_tell_it_from_none(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let (world, reseller, tenant) = super::served(kind).await;
    let mut calls = calls(world).await;
    calls.get(reseller.token(), &tenant.customer_id).await.unwrap();
    for what in [Reseller, Provider, Direct] {
        let stranger = world.onboard(what).await;
        assert_eq!(reason(&calls.get(stranger.token(), &tenant.customer_id).await), "NOT_FOUND");
        // A partner's own organization is nobody's customer, and no partner's either.
        assert_eq!(reason(&calls.get(stranger.token(), &stranger.organization_id).await), "NOT_FOUND");
        assert_eq!(reason(&calls.get(stranger.token(), &reseller.organization_id).await), "NOT_FOUND");
    }
}

#[rstest]
#[tokio::test]
async fn what_an_organization_is_called_now_is_what_partners_see(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let (world, reseller, tenant) = super::served(kind).await;
    let renaming = UpdateOrganizationRequest {
        organization_id: reseller.organization_id.clone(),
        name: "Renamed Reseller".to_owned(),
        request_id: request_id(),
        ..Default::default()
    };
    let mut organizations =
        proto::identity::v1::organization_service_client::OrganizationServiceClient::new(world.to_identity().await);
    organizations.update_organization(authorized(reseller.token(), renaming)).await.unwrap();
    let mut calls = calls(world).await;
    let renamed = async { while calls.partner_of(&tenant, &reseller).await.unwrap().name != "Renamed Reseller" {} };
    soon("the new name", renamed).await;
}
