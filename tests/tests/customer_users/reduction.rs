//! A reduction of authority against a write that rests on it.

use proto::partner::v1::Access;
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{World, soon};
use tokio::task::JoinSet;

use super::{Desk, Users, all_of, reason};

/// Whatever was made was made before the relationship ended: after that was told, nothing is.
#[rstest]
#[tokio::test]
async fn no_user_is_made_after_the_end_of_the_relationship_was_told(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let desk = Desk::open(kind).await;
    let mut making = JoinSet::new();
    for _ in 0..12 {
        let (mut users, token) = (Users::of(desk.world).await, desk.admin().to_owned());
        let request = World::creation(&desk.customer, &[]);
        making.spawn(async move { reason(&users.create(&token, request).await) });
    }
    let access = World::access(&desk.customer.customer_id, &desk.partner.organization_id);
    desk.world.grant_access(Access { active: false, epoch: 2, ..access.clone() }).await;
    let mut tx = desk.world.identity.db().await.snapshot().await.unwrap();
    let id: uuid::Uuid = desk.customer.customer_id.parse().unwrap();
    let count = tx.sql("SELECT COUNT(*) FROM users WHERE organization_id = $1").bind(id);
    let told: i64 = count.one().await.unwrap();
    tx.rollback().await;
    let answers = soon("all are answered", making.join_all()).await;
    assert!(answers.iter().all(|answer| answer == "OK" || answer == "NOT_FOUND"), "{answers:?}");
    let made = answers.iter().filter(|answer| *answer == "OK").count();
    assert_eq!(usize::try_from(told).unwrap(), made + 1, "nobody came after the end was told");

    desk.world.grant_access(Access { epoch: 3, ..access }).await;
    let listed = desk.users().await.list(desk.admin(), all_of(&desk.customer)).await.unwrap().users;
    assert_eq!(listed.len(), made + 1);
}
