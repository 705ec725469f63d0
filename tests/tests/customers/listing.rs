//! A partner's customers, page by page (D-31, O-54, C17).

use proto::identity::v1::organization_service_client::OrganizationServiceClient;
use proto::identity::v1::{AddOrganizationDomainRequest, UpdateOrganizationRequest};
use proto::partner::v1 as pb;
use proto::partner::v1::PartnerKind::{Direct, Provider, Reseller};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{Registered, World, authorized, reason, soon};

use super::{Calls, calls, removing, request_id, shared_with};

async fn create(world: &World, partner: &Registered, name: &str) -> pb::Customer {
    let request = pb::CreateCustomerRequest { name: name.to_owned(), ..World::new_customer() };
    world.try_create_customer(partner.token(), request).await.unwrap().customer.unwrap()
}

async fn names(calls: &mut Calls, partner: &Registered, name_prefix: &str, domain_prefix: &str) -> Vec<String> {
    let request = pb::ListCustomersRequest {
        name_prefix: name_prefix.to_owned(),
        domain_prefix: domain_prefix.to_owned(),
        ..Default::default()
    };
    let customers = calls.list(partner.token(), request).await.unwrap().customers;
    customers.into_iter().map(|customer| customer.name).collect()
}

#[rstest]
#[tokio::test]
async fn a_list_is_walked_in_both_directions_from_both_ends_of_the_customers(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let partner = world.onboard(Direct).await;
    for name in ["zoe", "Zoe", "Über", "ze-ta", "zeta", "alpha", "ALPHA two"] {
        create(world, &partner, name).await;
    }
    let mut calls = calls(world).await;
    let token = partner.token();
    let whole = calls.list(token, Default::default()).await.unwrap();
    assert!(whole.next_page_token.is_empty() && whole.previous_page_token.is_empty());
    let whole = whole.customers;
    assert_eq!(whole.len(), 7);
    assert!(whole.is_sorted_by_key(|customer| (customer.name.to_lowercase(), customer.customer_id.clone())));
    let page = |page_token: &str, seek: pb::Seek| pb::ListCustomersRequest {
        page_size: 3,
        page_token: page_token.to_owned(),
        seek: seek.into(),
        ..Default::default()
    };
    let mut forward = Vec::new();
    let mut answer = calls.list(token, page("", pb::Seek::First)).await.unwrap();
    assert!(answer.previous_page_token.is_empty());
    let second = answer.next_page_token.clone();
    loop {
        forward.extend(answer.customers);
        if answer.next_page_token.is_empty() {
            break;
        }
        answer = calls.list(token, page(&answer.next_page_token, pb::Seek::First)).await.unwrap();
    }
    assert_eq!(forward, whole);
    let mut backward = Vec::new();
    let mut answer = calls.list(token, page("", pb::Seek::Last)).await.unwrap();
    assert!(answer.next_page_token.is_empty());
    loop {
        backward.splice(0..0, answer.customers);
        if answer.previous_page_token.is_empty() {
            break;
        }
        answer = calls.list(token, page(&answer.previous_page_token, pb::Seek::First)).await.unwrap();
    }
    assert_eq!(backward, whole);

    let other_name = pb::ListCustomersRequest { name_prefix: "z".to_owned(), ..page(&second, pb::Seek::First) };
    assert_eq!(reason(&calls.list(token, other_name).await), "PAGE_TOKEN_INVALID");
    let other_domain = pb::ListCustomersRequest { domain_prefix: "c".to_owned(), ..page(&second, pb::Seek::First) };
    assert_eq!(reason(&calls.list(token, other_domain).await), "PAGE_TOKEN_INVALID");
    let stranger = world.onboard(Direct).await;
    let foreign = calls.list(stranger.token(), page(&second, pb::Seek::First)).await;
    assert_eq!(reason(&foreign), "PAGE_TOKEN_INVALID", "of another organization");
    assert_eq!(reason(&calls.list(token, page("bm90aGluZw", pb::Seek::First)).await), "PAGE_TOKEN_INVALID");
}

#[rstest]
#[tokio::test]
async fn customers_are_found_by_how_their_name_or_one_of_their_domains_begins(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let partner = world.onboard(Reseller).await;
    let (contoso, conoco) = (create(world, &partner, "Contoso").await, create(world, &partner, "conoco").await);
    create(world, &partner, "Über Contoso").await;
    let mut calls = calls(world).await;
    assert_eq!(names(&mut calls, &partner, "CON", "").await, ["conoco", "Contoso"]);
    assert_eq!(names(&mut calls, &partner, "ü", "").await, ["Über Contoso"]);
    assert!(names(&mut calls, &partner, "con%", "").await.is_empty(), "a prefix is no pattern");
    assert_eq!(names(&mut calls, &partner, "", &contoso.domain.to_uppercase()).await, ["Contoso"]);
    assert!(names(&mut calls, &partner, "Contoso", &conoco.domain).await.is_empty(), "both have to fit");
    assert_eq!(names(&mut calls, &partner, "", "c").await.len(), 3);
    assert!(names(&mut calls, &partner, "", "tandem").await.is_empty(), "nor what stands in the middle");

    // A further domain counts like the first one, which is still the one that is shown.
    let prefix = format!("x{}", uuid::Uuid::now_v7().simple());
    let request = AddOrganizationDomainRequest {
        organization_id: conoco.customer_id.clone(),
        domain: format!("{prefix}.example"),
        request_id: request_id(),
        ..Default::default()
    };
    let operator = world.operator().await;
    let mut organizations = OrganizationServiceClient::new(world.to_identity().await);
    organizations.add_organization_domain(authorized(&operator, request)).await.unwrap();
    let told = async { while names(&mut calls, &partner, "", &prefix).await != ["conoco"] {} };
    soon("the further domain", told).await;
    assert_eq!(calls.get(partner.token(), &conoco.customer_id).await.unwrap().customer.unwrap().domain, conoco.domain);
    assert_eq!(names(&mut calls, &partner, "", "").await.len(), 3, "and is in the list once");
}

#[rstest]
#[tokio::test]
async fn a_partner_that_changes_its_name_is_found_under_the_new_one_by_its_customers_and_partners(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let (provider, reseller) = (world.onboard(Provider).await, world.onboard(Reseller).await);
    world.join(&provider, &reseller).await;
    let renaming = UpdateOrganizationRequest {
        organization_id: provider.organization_id.clone(),
        name: "AAA Provider".to_owned(),
        request_id: request_id(),
        ..Default::default()
    };
    let mut organizations = OrganizationServiceClient::new(world.to_identity().await);
    organizations.update_organization(authorized(provider.token(), renaming)).await.unwrap();
    let mut partnerships = world.partnerships().await;
    let renamed = async {
        loop {
            let request = pb::ListIndirectProvidersRequest { name_prefix: "aaa".to_owned(), ..Default::default() };
            let listed = partnerships.list_indirect_providers(authorized(reseller.token(), request)).await.unwrap();
            if listed.into_inner().entries.len() == 1 {
                break;
            }
        }
    };
    soon("the new name", renamed).await;
}

#[rstest]
#[tokio::test]
async fn a_list_holds_those_whom_the_partner_serves_and_no_others(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let (provider, reseller) = (world.onboard(Provider).await, world.onboard(Reseller).await);
    world.join(&provider, &reseller).await;
    let shared = world.try_create_customer(provider.token(), shared_with(&reseller)).await.unwrap();
    let shared = shared.customer.unwrap().customer_id;
    let own = create(world, &reseller, "Own").await.customer_id;
    world.stranger().await;
    let mut calls = calls(world).await;
    calls.remove(reseller.token(), removing(&shared)).await.unwrap();
    assert_eq!(world.customer_ids(&reseller).await, [own]);
    assert_eq!(world.customer_ids(&provider).await, [shared]);
}
