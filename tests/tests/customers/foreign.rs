//! Somebody else's customer answers like one that does not exist, and stays as it is (D-01, C30).

use proto::partner::v1 as pb;
use proto::partner::v1::PartnerKind::Reseller;
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{Registered, World, changed, told_of};
use tonic::Code;
use uuid::Uuid;

use super::{calls, removing, revoking};

/// What every call that names a customer tells this partner of that id.
async fn told(world: &World, partner: &Registered, id: &str) -> Vec<(Code, String)> {
    let mut calls = calls(world).await;
    let unattested = pb::RemoveCustomerRequest { attestation_accepted: false, ..removing(id) };
    let stale = pb::RemoveCustomerRequest { etag: "77".to_owned(), ..removing(id) };
    let dry = pb::RemoveCustomerRequest { validate_only: true, ..removing(id) };
    vec![
        told_of(calls.get(partner.token(), id).await, id),
        told_of(calls.remove(partner.token(), removing(id)).await, id),
        told_of(calls.remove(partner.token(), unattested).await, id),
        told_of(calls.remove(partner.token(), stale).await, id),
        told_of(calls.remove(partner.token(), dry).await, id),
    ]
}

#[rstest]
#[tokio::test]
async fn a_foreign_customer_answers_like_an_unknown_one_and_stays_as_it_is(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let (reseller, neighbor) = (world.onboard(Reseller).await, world.onboard(Reseller).await);
    let (own, foreign) = (world.create_customer(&reseller).await, world.create_customer(&neighbor).await);
    let lost = world.create_customer(&reseller).await;
    calls(&world).await.remove(reseller.token(), removing(&lost.customer_id)).await.unwrap();
    let unknown = Uuid::now_v7().to_string();

    let before = world.at_rest().await;
    let expected = told(&world, &reseller, &unknown).await;
    assert!(expected.iter().all(|(code, _)| *code == Code::NotFound), "{expected:?}");
    for id in [&foreign.customer_id, &lost.customer_id, &reseller.organization_id, &neighbor.organization_id] {
        assert_eq!(told(&world, &reseller, id).await, expected);
    }
    assert_eq!(changed(&before, &world.at_rest().await), ["partner.journal"], "refusals are journaled");

    let mut calls = calls(&world).await;
    calls.get(reseller.token(), &own.customer_id).await.unwrap();
    calls.remove(reseller.token(), removing(&own.customer_id)).await.unwrap();
    calls.get(neighbor.token(), &foreign.customer_id).await.unwrap();
    calls.revoke(foreign.token(), revoking(&neighbor.organization_id)).await.unwrap();
}
