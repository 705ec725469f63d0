//! A service that holds copies is away while a partnership changes: what is answered then, and afterwards.

use std::time::Duration;

use proto::partner::v1::partnership::State;
use proto::partner::v1::remove_partnership_response::State as Progress;
use rstest::rstest;
use testkit::database::Kind;
use tests::harness::proxy::Mode;
use tests::world::{World, authorized, soon};

use super::{Pair, calls, removing, revoking};

#[rstest]
#[case::identity(0)]
#[case::licensing(1)]
#[tokio::test]
async fn the_end_of_a_partnership_is_under_way_until_every_service_knows(
    #[case] away: usize,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let pair = Pair::of(&world).await;
    let partnership_id = pair.join().await;
    world.at_rest().await;
    world.edges[away].set(Mode::Cut).await;
    let mut calls = calls(&world).await;
    let request = removing(&partnership_id);
    for _ in 0..2 {
        let answer = calls.remove(pair.reseller.token(), request.clone()).await.unwrap();
        assert_eq!((answer.state(), answer.partnership.unwrap().state()), (Progress::InProgress, State::Removed));
    }
    assert!(calls.providers_of(&pair.reseller).await.is_empty() && calls.resellers_of(&pair.provider).await.is_empty());

    world.edges[away].set(Mode::Pass).await;
    // The longest that an attempt is put off.
    world.clock.advance(Duration::from_secs(31));
    let done = async {
        loop {
            let answer = calls.remove(pair.reseller.token(), request.clone()).await.unwrap();
            if answer.state() == Progress::Done {
                return answer;
            }
        }
    };
    let answer = soon("the end everywhere", done).await;
    assert_eq!(answer.partnership.unwrap().state(), State::Removed);
}

#[rstest]
#[tokio::test]
async fn access_that_is_withdrawn_while_identity_is_away_is_withdrawn_and_the_answer_says_that_not_everybody_knows(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let pair = Pair::of(&world).await;
    let partnership_id = pair.join().await;
    world.at_rest().await;
    world.edges[0].set(Mode::Cut).await;
    let request = authorized(pair.reseller.token(), revoking(&partnership_id));
    let answer = world.partnerships().await.revoke_provider_admin_access(request).await.unwrap();
    assert_eq!(answer.metadata().get("tandem-propagation").unwrap(), "pending");
    assert!(!answer.into_inner().partnership.unwrap().provider_admin_access);
    assert!(!pair.seen_by_provider(&partnership_id).await.provider_admin_access);
}
