//! The customers whom both sides serve (D-65, D-66, O-45).

use proto::partner::v1 as pb;
use proto::partner::v1::PartnerKind::{Provider, Reseller};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{Tenant, World, authorized, outcome, reason};
use tonic::Code;
use uuid::Uuid;

use super::{Pair, calls, pair, removing, sharing};

/// A customer of that name, whom provider and reseller serve.
async fn both_serve(pair: &Pair<'_>, name: &str) -> String {
    let request = pb::CreateCustomerRequest {
        name: name.to_owned(),
        reseller_id: pair.reseller.organization_id.clone(),
        ..World::new_customer()
    };
    let made = pair.world.try_create_customer(pair.provider.token(), request).await.unwrap();
    made.customer.unwrap().customer_id
}

async fn remove(world: &World, partner: &tests::world::Registered, customer_id: &str) {
    let request = pb::RemoveCustomerRequest {
        customer_id: customer_id.to_owned(),
        attestation_accepted: true,
        request_id: Uuid::now_v7().to_string(),
        ..Default::default()
    };
    world.customers().await.remove_customer(authorized(partner.token(), request)).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn shared_are_those_whom_each_serves_by_a_relationship_of_its_own(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let pair = pair(kind).await;
    let world = pair.world;
    let partnership_id = pair.join().await;
    let shared = both_serve(&pair, "Shared").await;
    let lost = both_serve(&pair, "Lost").await;
    remove(world, &pair.reseller, &lost).await;
    let joint: Tenant = world.stranger().await;
    let (_, link) = world.invite(&pair.reseller, World::invitation(Some(&pair.provider))).await;
    world.accept(&joint, &link).await;
    world.create_customer(&pair.provider).await;
    world.create_customer(&pair.reseller).await;
    let (other_provider, other_reseller) = (world.onboard(Provider).await, world.onboard(Reseller).await);
    let with_other = world.join(&other_provider, &pair.reseller).await;
    world.join(&pair.provider, &other_reseller).await;

    let mut calls = calls(world).await;
    for token in [pair.provider.token(), pair.reseller.token()] {
        let mut seen = calls.shared(token, sharing(&partnership_id)).await.unwrap().customers;
        seen.sort_by(|one, other| one.customer_id.cmp(&other.customer_id));
        let mut ids = [shared.clone(), joint.customer_id.clone()];
        ids.sort();
        assert_eq!(seen.iter().map(|customer| customer.customer_id.as_str()).collect::<Vec<_>>(), ids);
        assert!(seen.iter().any(|customer| customer.name == "Shared"));
    }
    let none = calls.shared(pair.reseller.token(), sharing(&with_other)).await.unwrap().customers;
    assert!(none.is_empty(), "the other provider serves none of them");
    assert_eq!(reason(&calls.shared(pair.provider.token(), sharing(&with_other)).await), "NOT_FOUND");

    calls.remove(pair.reseller.token(), removing(&partnership_id)).await.unwrap();
    for token in [pair.provider.token(), pair.reseller.token()] {
        let refused = outcome(&calls.shared(token, sharing(&partnership_id)).await);
        assert_eq!(refused, (Code::FailedPrecondition, "PARTNERSHIP_NOT_ACTIVE".to_owned()));
    }
}

#[rstest]
#[tokio::test]
async fn shared_customers_are_walked_in_both_directions_from_both_ends(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let pair = pair(kind).await;
    let partnership_id = pair.join().await;
    for name in ["zoe", "Zoe", "Über", "ze-ta", "alpha"] {
        both_serve(&pair, name).await;
    }
    let mut calls = calls(pair.world).await;
    let token = pair.reseller.token();
    let whole = calls.shared(token, sharing(&partnership_id)).await.unwrap().customers;
    assert_eq!(whole.len(), 5);
    assert!(whole.is_sorted_by_key(|customer| (customer.name.to_lowercase(), customer.customer_id.clone())));
    let page = |page_token: &str, seek: pb::Seek| pb::ListSharedCustomersRequest {
        page_size: 2,
        page_token: page_token.to_owned(),
        seek: seek.into(),
        ..sharing(&partnership_id)
    };
    let mut forward = Vec::new();
    let mut answer = calls.shared(token, page("", pb::Seek::First)).await.unwrap();
    assert!(answer.previous_page_token.is_empty());
    let second = answer.next_page_token.clone();
    loop {
        forward.extend(answer.customers);
        if answer.next_page_token.is_empty() {
            break;
        }
        answer = calls.shared(token, page(&answer.next_page_token, pb::Seek::First)).await.unwrap();
    }
    assert_eq!(forward, whole);
    let mut backward = Vec::new();
    let mut answer = calls.shared(token, page("", pb::Seek::Last)).await.unwrap();
    assert!(answer.next_page_token.is_empty());
    loop {
        backward.splice(0..0, answer.customers);
        if answer.previous_page_token.is_empty() {
            break;
        }
        answer = calls.shared(token, page(&answer.previous_page_token, pb::Seek::First)).await.unwrap();
    }
    assert_eq!(backward, whole);
    let foreign = calls.shared(pair.provider.token(), page(&second, pb::Seek::First)).await;
    assert_eq!(reason(&foreign), "PAGE_TOKEN_INVALID", "the other side's token");
}
