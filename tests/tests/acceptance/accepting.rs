//! What becomes effective, and for whom.

use proto::partner::v1 as pb;
use rstest::rstest;
use testkit::database::Kind;
use tests::world::World;

#[rstest]
#[tokio::test]
async fn a_customer_authorizes_reseller_and_provider_at_once(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let provider = world.onboard(pb::PartnerKind::Provider).await;
    let reseller = world.onboard(pb::PartnerKind::Reseller).await;
    world.join(&provider, &reseller).await;
    let tenant = world.stranger().await;
    let (_, token) = world.invite(&reseller, World::invitation(Some(&provider))).await;
    assert!(world.customer_ids(&reseller).await.is_empty() && world.customer_ids(&provider).await.is_empty());
    let accepted = world.accept(&tenant, &token).await;
    assert_eq!(accepted.authorized.len(), 2);
    assert_eq!(world.customer_ids(&reseller).await, [tenant.customer_id.clone()]);
    assert_eq!(world.customer_ids(&provider).await, [tenant.customer_id]);
}
