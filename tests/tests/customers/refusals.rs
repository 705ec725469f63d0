//! What is refused when a customer is made, of which nothing is left then (O-57, C21, C34, C35).

use proto::identity::v1::CheckDomainAvailabilityRequest;
use proto::identity::v1::check_domain_availability_request::Name;
use proto::identity::v1::organization_service_client::OrganizationServiceClient;
use proto::partner::v1 as pb;
use proto::partner::v1::PartnerKind::{Direct, Provider, Reseller};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{Registered, World, authorized, outcome, reason, told_of, wrong_fields};
use tonic::Code;
use uuid::Uuid;

use super::{calls, request_id, set_account, shared_with};

/// Tries, and demands that the domain is free and the partner without customers afterwards.
async fn refused(world: &World, partner: &Registered, request: &pb::CreateCustomerRequest) -> (Code, String) {
    let told = outcome(&world.try_create_customer(partner.token(), request.clone()).await);
    let name = Some(Name::DomainPrefix(request.domain_prefix.clone()));
    let operator = world.operator().await;
    let mut organizations = OrganizationServiceClient::new(world.to_identity().await);
    // Taking back may go on after the answer.
    loop {
        let check = CheckDomainAvailabilityRequest { name: name.clone() };
        let answer = organizations.check_domain_availability(authorized(&operator, check)).await.unwrap();
        if answer.into_inner().available {
            break;
        }
    }
    assert!(world.customer_ids(partner).await.is_empty());
    told
}

#[rstest]
#[tokio::test]
async fn only_a_provider_names_a_reseller_and_only_one_of_its_own(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let (provider, reseller) = (world.onboard(Provider).await, world.onboard(Reseller).await);
    for what in [Reseller, Direct] {
        let partner = world.onboard(what).await;
        let told = refused(world, &partner, &shared_with(&reseller)).await;
        assert_eq!(told, (Code::PermissionDenied, "PARTNER_KIND_NOT_ALLOWED".to_owned()));
    }
    let no_partner = (Code::FailedPrecondition, "PARTNERSHIP_NOT_ACTIVE".to_owned());
    assert_eq!(refused(world, &provider, &shared_with(&reseller)).await, no_partner);
    let unknown = Uuid::now_v7().to_string();
    let nobody = pb::CreateCustomerRequest { reseller_id: unknown.clone(), ..World::new_customer() };
    assert_eq!(refused(world, &provider, &nobody).await, no_partner);
    let mut calls = calls(world).await;
    let stranger = calls.create(provider.token(), shared_with(&reseller)).await;
    let stranger = told_of(stranger, &reseller.organization_id);
    let nobody = pb::CreateCustomerRequest { request_id: request_id(), ..nobody };
    assert_eq!(told_of(calls.create(provider.token(), nobody).await, &unknown), stranger, "like one that is none");

    let partnership_id = world.join(&provider, &reseller).await;
    let request = pb::RemovePartnershipRequest {
        partnership_id,
        attestation_accepted: true,
        request_id: request_id(),
        ..Default::default()
    };
    world.partnerships().await.remove_partnership(authorized(provider.token(), request)).await.unwrap();
    assert_eq!(refused(world, &provider, &shared_with(&reseller)).await, no_partner, "no longer");
    assert!(world.customer_ids(&reseller).await.is_empty());
}

#[rstest]
#[tokio::test]
async fn a_suspended_partner_makes_no_customer_and_gets_none(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let (provider, reseller) = (world.onboard(Provider).await, world.onboard(Reseller).await);
    world.join(&provider, &reseller).await;
    let suspended = (Code::FailedPrecondition, "ACCOUNT_SUSPENDED".to_owned());
    set_account(world, &provider, "SUSPENDED").await;
    assert_eq!(refused(world, &provider, &World::new_customer()).await, suspended);
    set_account(world, &provider, "ACTIVE").await;
    set_account(world, &reseller, "SUSPENDED").await;
    let request = shared_with(&reseller);
    let dry = pb::CreateCustomerRequest { validate_only: true, ..request.clone() };
    let predicted = outcome(&calls(world).await.create(provider.token(), dry).await);
    assert_eq!(predicted, suspended, "a dry run knows it too");
    assert_eq!(refused(world, &provider, &request).await, suspended);
    set_account(world, &reseller, "ACTIVE").await;
    world.try_create_customer(provider.token(), shared_with(&reseller)).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_customer_is_of_its_partner_s_country(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let partner = world.onboard(Direct).await;
    let in_country = |country: &str| pb::CreateCustomerRequest { country: country.to_owned(), ..World::new_customer() };
    let told = refused(world, &partner, &in_country("FR")).await;
    assert_eq!(told, (Code::FailedPrecondition, "REGION_MISMATCH".to_owned()));
    let told = refused(world, &partner, &in_country("ZZ")).await;
    assert_eq!(told, (Code::InvalidArgument, "COUNTRY_UNKNOWN".to_owned()));
}

#[rstest]
#[tokio::test]
async fn a_domain_has_one_owner(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let (one, other) = (world.onboard(Direct).await, world.onboard(Direct).await);
    let first = World::new_customer();
    world.try_create_customer(one.token(), first.clone()).await.unwrap();
    let second = pb::CreateCustomerRequest { request_id: request_id(), ..first };
    for partner in [&one, &other] {
        let told = outcome(&world.try_create_customer(partner.token(), second.clone()).await);
        assert_eq!(told, (Code::AlreadyExists, "DOMAIN_TAKEN".to_owned()));
    }
    assert_eq!((world.customer_ids(&one).await.len(), world.customer_ids(&other).await.len()), (1, 0));
}

#[rstest]
#[tokio::test]
async fn of_two_customers_with_one_domain_at_the_same_time_one_is_made(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let (one, other) = (world.onboard(Reseller).await, world.onboard(Direct).await);
    for made in 1..=4 {
        let request = World::new_customer();
        let (first, second) = tokio::join!(
            world.try_create_customer(one.token(), request.clone()),
            world.try_create_customer(other.token(), request.clone())
        );
        let mut told = [reason(&first), reason(&second)];
        told.sort();
        assert_eq!(told, ["DOMAIN_TAKEN", "OK"]);
        assert_eq!(world.customer_ids(&one).await.len() + world.customer_ids(&other).await.len(), made);
    }
}

#[rstest]
#[tokio::test]
async fn everything_that_is_wrong_with_a_request_is_told_at_once(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let (world, reseller, tenant) = super::served(kind).await;
    let token = reseller.token();
    let mut calls = calls(world).await;
    let request = pb::CreateCustomerRequest {
        country: "Germany".to_owned(),
        reseller_id: "somebody".to_owned(),
        ..Default::default()
    };
    let expected =
        ["name", "country", "domain_prefix", "admin_display_name", "admin_name", "reseller_id", "request_id"];
    assert_eq!(wrong_fields(calls.create(token, request).await), expected);
    let request = pb::ListCustomersRequest {
        page_size: 1_001,
        seek: 9,
        name_prefix: "x".repeat(201),
        domain_prefix: "x".repeat(256),
        ..Default::default()
    };
    let expected = ["page_size", "seek", "name_prefix", "domain_prefix"];
    assert_eq!(wrong_fields(calls.list(token, request).await), expected);
    assert_eq!(wrong_fields(calls.get(token, "one").await), ["customer_id"]);
    assert_eq!(wrong_fields(calls.remove(token, super::removing("")).await), ["customer_id"]);
    let request = pb::ListPartnersOfCustomerRequest { page_size: -1, seek: 9, ..Default::default() };
    assert_eq!(wrong_fields(calls.partners(tenant.token(), request).await), ["page_size", "seek"]);
    assert_eq!(wrong_fields(calls.revoke(tenant.token(), super::revoking("one")).await), ["partner_id"]);
}
