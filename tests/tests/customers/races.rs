//! What happens at the same time.

use proto::partner::v1 as pb;
use proto::partner::v1::PartnerKind::Reseller;
use proto::partner::v1::remove_customer_response::State;
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{World, reason};

use super::{calls, known_by_all, removing, revoking, served};

#[rstest]
#[tokio::test]
async fn of_two_removals_at_the_same_time_one_ends_the_relationship(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let (world, reseller, tenant) = served(kind).await;
    let (mut one, mut other) = (calls(world).await, calls(world).await);
    for _ in 0..6 {
        let (token, id) = (reseller.token(), &tenant.customer_id);
        let (first, second) = tokio::join!(one.remove(token, removing(id)), other.remove(token, removing(id)));
        let mut told = [reason(&first), reason(&second)];
        told.sort();
        assert_eq!(told, ["NOT_FOUND", "OK"]);
        let (_, link) = world.invite(&reseller, World::invitation(None)).await;
        world.accept(&tenant, &link).await;
    }
}

#[rstest]
#[tokio::test]
async fn a_removal_that_is_sent_twice_at_the_same_time_is_answered_twice(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let (world, reseller, tenant) = served(kind).await;
    let (mut one, mut other) = (calls(world).await, calls(world).await);
    let request = removing(&tenant.customer_id);
    let (first, second) =
        tokio::join!(one.remove(reseller.token(), request.clone()), other.remove(reseller.token(), request.clone()));
    assert_eq!(first.unwrap(), second.unwrap());
    let removals = world.journal_of_partner(reseller.token()).await;
    assert_eq!(removals.iter().filter(|entry| entry.action == "RelationshipRemoved").count(), 1);
}

#[rstest]
#[tokio::test]
async fn a_removal_and_a_withdrawal_at_the_same_time_both_happen(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let reseller = world.onboard(Reseller).await;
    let (mut one, mut other) = (calls(world).await, calls(world).await);
    for _ in 0..4 {
        let tenant = world.create_customer(&reseller).await;
        let (removed, revoked) = tokio::join!(
            one.remove(reseller.token(), removing(&tenant.customer_id)),
            other.revoke(tenant.token(), revoking(&reseller.organization_id)),
        );
        assert_eq!(removed.unwrap().state(), State::Done);
        assert!(!revoked.unwrap().delegated_admin);
        assert!(one.partners_of(&tenant).await.is_empty());
        let everywhere = known_by_all(world, &tenant.customer_id, &reseller.organization_id).await;
        assert_eq!(everywhere, [Some((false, false)); 2]);
    }
}

#[rstest]
#[tokio::test]
async fn a_customer_that_is_asked_for_twice_at_the_same_time_is_made_once(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let reseller = world.onboard(Reseller).await;
    let request: pb::CreateCustomerRequest = World::new_customer();
    let (first, second) = tokio::join!(
        world.try_create_customer(reseller.token(), request.clone()),
        world.try_create_customer(reseller.token(), request.clone())
    );
    assert_eq!(first.unwrap(), second.unwrap());
    assert_eq!(world.customer_ids(&reseller).await.len(), 1);
}
