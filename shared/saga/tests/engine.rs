//! The engine by property: every step repeated, lost, refused and away, at every point.

mod support;

use std::time::Duration;

use rstest::rstest;
use saga::{Outcome, State};
use support::{Answer, Deal, STEPS, World};
use testkit::database::Kind;
use tokio_util::sync::CancellationToken;

#[rstest]
#[tokio::test]
async fn what_everybody_agrees_to_is_decided_once_and_settled(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::start(kind).await;
    let id = world.begin().await;
    assert_eq!(world.state(id).await, State::Preparing);
    world.turn().await;
    assert_eq!(world.state(id).await, State::Settled);
    assert_eq!(world.effects(id).await, ["DECIDED"]);
    assert_eq!(world.journal().await, ["DealDecided"]);
    assert_eq!(world.held(id), (2, 0));
    assert_eq!(world.calls(id, "settle archive"), 1);
}

#[rstest]
#[tokio::test]
async fn a_refusal_takes_back_every_step_even_the_one_that_was_never_asked(
    #[values("prepare east", "prepare west")] refused: &str,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    world.script(refused, &[Answer::No]);
    let id = world.begin().await;
    world.turn().await;
    assert_eq!(world.state(id).await, State::Aborted);
    assert_eq!(world.effects(id).await, ["NOT_AGREED"]);
    assert_eq!(world.held(id), (0, STEPS.len()), "no intent is left, and a late one finds a tombstone");
    let mut tx = world.host().db.snapshot().await.unwrap();
    let outcome = saga::outcome(&mut tx, id).await.unwrap();
    assert!(matches!(&outcome, Outcome::Refused(refusal) if refusal.reason() == "NOT_AGREED"), "{outcome:?}");
    tx.rollback().await;
}

#[rstest]
#[tokio::test]
async fn a_decision_that_the_world_refuses_leaves_nothing(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::start(kind).await;
    *world.decision_refused.lock().unwrap() = Some("WORLD_CHANGED");
    let id = world.begin().await;
    assert_eq!(world.until_over(id).await, State::Aborted);
    assert_eq!(world.effects(id).await, ["WORLD_CHANGED"]);
    assert_eq!(world.held(id), (0, 2));
}

#[rstest]
#[tokio::test]
async fn every_step_may_be_away_or_lose_its_answer_several_times(
    #[values("prepare east", "prepare west", "settle archive")] step: &str,
    #[values(Answer::Away, Answer::Lost)] trouble: Answer,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    world.script(step, &[trouble; 4]);
    let id = world.begin().await;
    assert_eq!(world.until_over(id).await, State::Settled);
    assert_eq!(world.calls(id, step), 5);
    assert_eq!(world.effects(id).await, ["DECIDED"], "exactly one decision");
    assert_eq!(world.held(id), (2, 0));
}

#[rstest]
#[tokio::test]
async fn every_cancel_may_be_away_or_lose_its_answer_several_times(
    #[values("cancel east", "cancel west")] step: &str,
    #[values(Answer::Away, Answer::Lost)] trouble: Answer,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    world.script("prepare west", &[Answer::No]);
    world.script(step, &[trouble; 4]);
    let id = world.begin().await;
    assert_eq!(world.until_over(id).await, State::Aborted);
    assert_eq!(world.effects(id).await, ["NOT_AGREED"], "it is abandoned once");
    assert_eq!(world.held(id), (0, 2));
}

#[rstest]
#[tokio::test]
async fn without_an_answer_it_is_aborted_after_a_minute_and_with_a_decision_never(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    world.script("prepare east", &[Answer::Away; 1000]);
    let waiting = world.begin().await;
    assert_eq!(world.until_over(waiting).await, State::Aborted);
    assert_eq!(world.effects(waiting).await, ["SAGA_TIMED_OUT"]);
    assert_eq!(world.held(waiting), (0, 2));

    world.script("prepare east", &[]);
    world.script("settle archive", &[Answer::Away; 1000]);
    let decided = world.begin().await;
    world.turn().await;
    world.clock.advance(Duration::from_secs(3600));
    world.turn().await;
    assert_eq!(world.state(decided).await, State::Committed);
    world.script("settle archive", &[]);
    assert_eq!(world.until_over(decided).await, State::Settled);
    assert_eq!(world.effects(decided).await, ["DECIDED"]);
}

#[rstest]
#[tokio::test]
async fn a_stale_worker_changes_nothing(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::start(kind).await;
    let id = world.begin().await;
    let paused = saga::claim(&world.host().db, world.clock.now(), 10).await.unwrap().remove(0);
    assert!(saga::claim(&world.host().db, world.clock.now(), 10).await.unwrap().is_empty(), "the lease holds");
    world.clock.advance(Duration::from_secs(16));
    world.script("prepare west", &[Answer::No]);
    world.turn().await;
    assert_eq!(world.state(id).await, State::Aborted);

    // The paused worker wakes up and would have decided.
    saga::drive::<Deal>(world.host(), paused).await.unwrap();
    assert_eq!(world.state(id).await, State::Aborted);
    assert_eq!(world.effects(id).await, ["NOT_AGREED"]);
    assert_eq!(world.held(id), (0, 2), "its late steps found tombstones");
}

#[rstest]
#[tokio::test]
async fn a_worker_whose_claim_another_has_taken_over_decides_nothing(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let id = world.begin().await;
    let paused = saga::claim(&world.host().db, world.clock.now(), 10).await.unwrap().remove(0);
    world.clock.advance(Duration::from_secs(16));
    let present = saga::claim(&world.host().db, world.clock.now(), 10).await.unwrap().remove(0);

    // Nobody refuses anything, and the saga is where it was: only the claim tells the two apart.
    saga::drive::<Deal>(world.host(), paused).await.unwrap();
    assert_eq!(world.state(id).await, State::Preparing);
    assert_eq!(world.effects(id).await, Vec::<String>::new());
    saga::drive::<Deal>(world.host(), present).await.unwrap();
    assert_eq!(world.state(id).await, State::Settled);
    assert_eq!(world.effects(id).await, ["DECIDED"]);
}

#[rstest]
#[tokio::test]
async fn many_sagas_of_two_replicas_are_each_decided_exactly_once(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::with_replicas(kind, 2).await;
    let stop = CancellationToken::new();
    let workers: Vec<_> = world
        .hosts
        .iter()
        .map(|host| tokio::spawn(saga::run::<Deal>(std::sync::Arc::clone(host), stop.clone())))
        .collect();
    let mut ids = Vec::new();
    for _ in 0..40 {
        ids.push(world.begin().await);
        world.host().wake_followers();
    }
    tokio::time::timeout(Duration::from_secs(30), async {
        for id in &ids {
            while !world.state(*id).await.is_over() {
                tokio::task::yield_now().await;
            }
        }
    })
    .await
    .expect("all of them come to an end");
    stop.cancel();
    for worker in workers {
        worker.await.unwrap();
    }
    for id in ids {
        assert_eq!(world.state(id).await, State::Settled);
        assert_eq!(world.effects(id).await, ["DECIDED"]);
    }
}
