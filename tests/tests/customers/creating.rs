//! A partner makes a customer (D-70, D-77, O-57, C21).

use proto::identity::v1::organization_service_client::OrganizationServiceClient;
use proto::identity::v1::{GetOrganizationRequest, OrganizationKind};
use proto::partner::v1 as pb;
use proto::partner::v1::PartnerKind::{Direct, Provider, Reseller};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{World, authorized, reason};

use super::{calls, known_by_all, settle_in, shared_with};

#[rstest]
#[case(Reseller, false)]
#[case(Provider, true)]
#[case(Direct, true)]
#[tokio::test]
async fn a_partner_makes_a_customer_and_serves_it_with_delegated_admin(
    #[case] what: pb::PartnerKind,
    #[case] orders: bool,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let partner = world.onboard(what).await;
    let request = World::new_customer();
    let made = world.try_create_customer(partner.token(), request.clone()).await.unwrap();
    assert_eq!(made.progress(), pb::Progress::Active);
    let customer = made.customer.clone().unwrap();
    assert_eq!((&customer.name, customer.country.as_str()), (&request.name, "DE"), "the maker's country");
    assert_eq!(customer.domain, format!("{}.tandem.example", request.domain_prefix));
    assert_eq!(made.admin_sign_in_name, format!("carla@{}", customer.domain));
    assert_eq!((customer.relationship(), customer.source()), (what, pb::RelationshipSource::Creation));
    assert!(customer.since.is_some() && !customer.etag.is_empty());
    let everywhere = known_by_all(world, &customer.customer_id, &partner.organization_id).await;
    assert_eq!(everywhere, [Some((true, true)); 2], "ACTIVE is said when everybody knows");

    let mut calls = calls(world).await;
    let listed = calls.list(partner.token(), Default::default()).await.unwrap().customers;
    assert_eq!(listed, std::slice::from_ref(&customer));
    let shown = calls.get(partner.token(), &customer.customer_id).await.unwrap();
    assert_eq!((shown.customer.as_ref(), shown.delegated_admin), (Some(&customer), true));
    assert!(shown.partners.is_empty());

    let early = world.sign_in(&made.admin_sign_in_name, &made.temporary_password).await;
    assert!(early.must_change_password);
    let tenant = settle_in(world, made).await;
    let read = GetOrganizationRequest { organization_id: customer.customer_id.clone() };
    let mut organizations = OrganizationServiceClient::new(world.to_identity().await);
    let seen = organizations.get_organization(authorized(tenant.token(), read)).await.unwrap().into_inner();
    assert_eq!(seen.organization.unwrap().kind(), OrganizationKind::Customer);
    let [seen] = calls.partners_of(&tenant).await.try_into().unwrap();
    assert_eq!((&seen.partner_id, seen.relationship()), (&partner.organization_id, what));
    assert_eq!((seen.active, seen.delegated_admin, seen.order_right), (true, true, orders));
    assert_eq!(seen.since, customer.since);
}

#[rstest]
#[tokio::test]
async fn a_provider_makes_a_customer_for_a_reseller_and_both_serve_it_at_once(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let (provider, reseller) = (world.onboard(Provider).await, world.onboard(Reseller).await);
    world.join(&provider, &reseller).await;
    let mut made = world.try_create_customer(provider.token(), shared_with(&reseller)).await.unwrap();
    let customer = made.customer.clone().unwrap();
    assert_eq!(customer.relationship(), Provider);
    assert_eq!(world.customer_ids(&reseller).await, [customer.customer_id.as_str()]);
    assert_eq!(world.customer_ids(&provider).await, [customer.customer_id.as_str()]);
    for partner in [&provider, &reseller] {
        let everywhere = known_by_all(world, &customer.customer_id, &partner.organization_id).await;
        assert_eq!(everywhere, [Some((true, true)); 2]);
    }
    let mut calls = calls(world).await;
    let seen = calls.get(reseller.token(), &customer.customer_id).await.unwrap();
    assert!(seen.delegated_admin);
    assert_eq!(seen.customer.unwrap().relationship(), Reseller);
    let [colleague] = seen.partners.try_into().unwrap();
    assert_eq!((&colleague.partner_id, colleague.order_right), (&provider.organization_id, true));

    made.customer = Some(customer);
    let tenant = settle_in(world, made).await;
    let mine = calls.partner_of(&tenant, &provider).await.unwrap();
    assert_eq!((mine.active, mine.delegated_admin, mine.order_right), (true, true, true));
    let theirs = calls.partner_of(&tenant, &reseller).await.unwrap();
    assert_eq!((theirs.active, theirs.delegated_admin, theirs.order_right), (true, true, false), "it never orders");
}

#[rstest]
#[tokio::test]
async fn a_country_that_is_named_is_the_partner_s_own(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let french = pb::OnboardPartnerRequest { country: "FR".to_owned(), ..World::onboarding(Direct) };
    let partner = world.onboard_as(french).await;
    let request = pb::CreateCustomerRequest { country: "FR".to_owned(), ..World::new_customer() };
    let made = world.try_create_customer(partner.token(), request).await.unwrap();
    assert_eq!(made.customer.unwrap().country, "FR");
}

#[rstest]
#[tokio::test]
async fn a_reseller_brings_its_provider_in_by_a_joint_invitation(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let (world, reseller, tenant) = super::served(kind).await;
    let provider = world.onboard(Provider).await;
    world.join(&provider, &reseller).await;
    assert_eq!(reason(&calls(world).await.get(provider.token(), &tenant.customer_id).await), "NOT_FOUND");
    let (_, link) = world.invite(&reseller, World::invitation(Some(&provider))).await;
    world.accept(&tenant, &link).await;
    assert_eq!(world.customer_ids(&provider).await, [tenant.customer_id.as_str()]);
    let mut calls = calls(world).await;
    let seen = calls.partner_of(&tenant, &provider).await.unwrap();
    assert_eq!((seen.active, seen.delegated_admin, seen.order_right), (true, false, true));
    let customer = calls.get(provider.token(), &tenant.customer_id).await.unwrap();
    assert!(!customer.delegated_admin);
    assert_eq!(customer.customer.unwrap().source(), pb::RelationshipSource::Invitation);
    let own = calls.get(reseller.token(), &tenant.customer_id).await.unwrap().customer.unwrap();
    assert_eq!(own.source(), pb::RelationshipSource::Creation, "what there was stays as it was");
}
