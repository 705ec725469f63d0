//! Identity is away: an onboarding waits, goes on by itself, and is given up in time.

use std::time::Duration;

use proto::partner::v1 as pb;
use rstest::rstest;
use testkit::database::Kind;
use tests::harness::proxy::Mode;
use tests::world::{Refused, World, outcome, soon};
use tonic::Code;

use super::{onboard, partners_with};

#[rstest]
#[tokio::test]
async fn an_onboarding_that_identity_does_not_answer_is_completed_by_repeating_it(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let operator = world.operator().await;
    let request = World::onboarding(pb::PartnerKind::Provider);
    let [to_identity, ..] = &world.edges;
    to_identity.set(Mode::Cut).await;
    for _ in 0..2 {
        let answer = onboard(&world, &operator, &request).await.unwrap();
        let begun = pb::OnboardPartnerResponse { progress: pb::Progress::InProgress.into(), ..Default::default() };
        assert_eq!(answer, begun);
    }
    assert_eq!(partners_with(&world, &request.mpn_id).await, 0, "nothing is effective before everything is");

    to_identity.set(Mode::Pass).await;
    // The longest that an attempt is put off, and still before the end of the budget.
    world.clock.advance(Duration::from_secs(31));
    let made = soon("the onboarding", world.try_onboard(&operator, request.clone())).await.unwrap();
    assert_eq!(partners_with(&world, &request.mpn_id).await, 1);

    // The secret is identity's alone: who asks for it again while identity is away comes again.
    to_identity.set(Mode::Cut).await;
    let refused = outcome(&onboard(&world, &operator, &request).await);
    assert_eq!(refused, (Code::Unavailable, "PEER_UNAVAILABLE".to_owned()));
    to_identity.set(Mode::Pass).await;
    assert_eq!(soon("identity is back", repeated(&world, &operator, &request)).await, made);
}

/// Repeats until everything that was given up is taken back, and the same request has begun anew and come to its end.
async fn completed(world: &World, token: &str, request: &pb::OnboardPartnerRequest) -> pb::OnboardPartnerResponse {
    loop {
        match world.try_onboard(token, request.clone()).await {
            Ok(answer) => return answer,
            Err(status) => assert_eq!(Refused::of(&status).reason, "SAGA_TIMED_OUT"),
        }
    }
}

/// Repeats until identity, which has just come back, is reached.
async fn repeated(world: &World, token: &str, request: &pb::OnboardPartnerRequest) -> pb::OnboardPartnerResponse {
    loop {
        match onboard(world, token, request).await {
            Ok(answer) => return answer,
            Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status:?}"),
        }
    }
}

#[rstest]
#[tokio::test]
async fn an_onboarding_that_takes_too_long_is_given_up_and_leaves_nothing(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let operator = world.operator().await;
    let request = World::onboarding(pb::PartnerKind::Reseller);
    let [to_identity, ..] = &world.edges;
    to_identity.set(Mode::Cut).await;
    assert_eq!(onboard(&world, &operator, &request).await.unwrap().progress(), pb::Progress::InProgress);
    world.clock.advance(Duration::from_secs(61));
    let given_up = soon("the end of the budget", world.try_onboard(&operator, request.clone())).await;
    assert_eq!(outcome(&given_up), (Code::Unavailable, "SAGA_TIMED_OUT".to_owned()));

    to_identity.set(Mode::Pass).await;
    world.clock.advance(Duration::from_secs(31));
    let made = soon("the same request, anew", completed(&world, &operator, &request)).await;
    assert_eq!(partners_with(&world, &request.mpn_id).await, 1);
    assert_eq!(world.try_onboard(&operator, request).await.unwrap(), made, "it has one effect");
}

#[rstest]
#[tokio::test]
async fn a_dry_run_does_not_guess_what_identity_would_say(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::start(kind).await;
    let operator = world.operator().await;
    world.edges[0].set(Mode::Cut).await;
    let request = pb::OnboardPartnerRequest { validate_only: true, ..World::onboarding(pb::PartnerKind::Direct) };
    let refused = outcome(&onboard(&world, &operator, &request).await);
    assert_eq!(refused, (Code::Unavailable, "PEER_UNAVAILABLE".to_owned()));
}
