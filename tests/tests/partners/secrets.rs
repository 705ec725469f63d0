//! The first admin's temporary password: shown to the request that made it, until it is used or a day old (D-13, D-14).

use std::time::Duration;

use proto::partner::v1 as pb;
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{World, outcome, reason};
use tonic::Code;

use super::{onboard, partners_with};

#[rstest]
#[tokio::test]
async fn repeating_shows_the_same_partner_and_password_until_it_is_used(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let operator = world.operator().await;
    let request = World::onboarding(pb::PartnerKind::Reseller);
    let first = world.try_onboard(&operator, request.clone()).await.unwrap();
    assert_eq!(first.temporary_password.len(), 20);
    let again = onboard(world, &operator, &request).await.unwrap();
    assert_eq!(again, first);
    // Another session of the same operator is the same principal.
    assert_eq!(onboard(world, &world.operator().await, &request).await.unwrap(), first);
    let other = pb::OnboardPartnerRequest { name: "Another".to_owned(), ..request.clone() };
    let refused = outcome(&onboard(world, &operator, &other).await);
    assert_eq!(refused, (Code::InvalidArgument, "REQUEST_ID_REUSED".to_owned()));
    assert_eq!(partners_with(world, &request.mpn_id).await, 1);

    world.sign_in(&first.admin_sign_in_name, &first.temporary_password).await;
    let late = outcome(&onboard(world, &operator, &request).await);
    assert_eq!(late, (Code::FailedPrecondition, "CREDENTIALS_ALREADY_DELIVERED".to_owned()));
    assert_eq!(partners_with(world, &request.mpn_id).await, 1);
}

#[rstest]
#[tokio::test]
async fn the_password_is_shown_for_a_day(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::start(kind).await;
    let request = World::onboarding(pb::PartnerKind::Direct);
    let first = world.try_onboard(&world.operator().await, request.clone()).await.unwrap();
    world.clock.advance(Duration::from_secs(24 * 3_600 - 60));
    assert_eq!(onboard(&world, &world.operator().await, &request).await.unwrap(), first);
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(reason(&onboard(&world, &world.operator().await, &request).await), "CREDENTIALS_ALREADY_DELIVERED");
    world.sign_in(&first.admin_sign_in_name, &first.temporary_password).await;
}
