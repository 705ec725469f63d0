//! Calls that are given up and connections that break: the effect is whole or absent, and whoever does not know which
//! learns it by asking again.
#![expect(clippy::unwrap_used, reason = "a test fails where something is missing")]

use std::time::Duration;

use base::Timestamp;
use db::Db;
use identity::api::Api;
use prost::Message as _;
use proto::identity::v1 as pb;
use proto::identity::v1::workload_service_server::WorkloadService as _;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rstest::rstest;
use testkit::database::Kind;
use tests::harness::proxy::Action;
use tests::harness::reorder::{SEED_VARIABLE, seed};
use tests::world::{Alone, Refused, World, authorized, dump, soon};
use tokio::time::Instant;
use tonic::Code;

const ROUNDS: usize = 20;

async fn create(api: &Api, token: &str, request: &pb::CreateWorkloadRequest) -> pb::CreateWorkloadResponse {
    api.create_workload(authorized(token, request.clone())).await.unwrap().into_inner()
}

/// The workloads, the facts that one was made, and the saved replies.
async fn effects(direct: &Db) -> [usize; 3] {
    let dump = dump(direct).await;
    let facts = dump.rows("journal").iter().filter(|row| row.contains("WorkloadCreated")).count();
    assert_eq!(dump.rows("journal").iter().filter(|row| row.contains("FAILED")).count(), 0, "nothing is known to fail");
    [dump.rows("workloads").len(), facts, dump.rows("replays").len()]
}

#[rstest]
#[case::before_the_server_heard_of_it(Action::CutBeforeForward, 0)]
#[case::while_the_server_runs_it(Action::CutAfterForward, 1)]
#[case::when_the_server_has_run_it(Action::CutOnAnswer, 1)]
#[tokio::test]
async fn a_commit_cut_off_is_unknown_until_the_same_request_is_repeated(#[case] cut: Action, #[case] done: usize) {
    // With one session the edge is idle when the server has finished with the one that was cut.
    let alone = Alone::start(Kind::Postgres, 1).await;
    let (token, proxy) = (alone.admin().await, alone.proxy());
    let [_, _, replies] = effects(&alone.direct).await;
    for round in 0..ROUNDS {
        let request = World::workload(&format!("import {round}"));
        proxy.on_statement("COMMIT", cut, 1);
        let unknown = alone.api.create_workload(authorized(&token, request.clone())).await;
        assert_eq!(Refused::by(unknown), (Code::Unavailable, "OUTCOME_UNKNOWN".to_owned()), "round {round}");
        soon("the edge is idle", proxy.idle()).await;
        let one = round + done;
        assert_eq!(effects(&alone.direct).await, [one, one, replies + one], "round {round}");

        let known = create(&alone.api, &token, &request).await;
        let again = create(&alone.api, &token, &request).await;
        assert_eq!(known.encode_to_vec(), again.encode_to_vec(), "round {round}");
        let one = round + 1;
        assert_eq!(effects(&alone.direct).await, [one, one, replies + one], "round {round}");
        let workload = known.workload.unwrap().workload_id;
        assert!(dump(&alone.direct).await.tables_with(workload.as_bytes()).contains(&"workloads"), "round {round}");
    }
    assert_eq!(proxy.counters().triggered, ROUNDS as u64);
}

#[tokio::test]
async fn a_call_whose_connection_breaks_before_the_commit_has_failed_and_leaves_nothing() {
    let alone = Alone::start(Kind::Postgres, 1).await;
    let (token, proxy) = (alone.admin().await, alone.proxy());
    let before = effects(&alone.direct).await;
    let statements = ["BEGIN ISOLATION LEVEL READ COMMITTED", "INSERT INTO replays", "INSERT INTO journal"];
    for (round, statement) in statements.into_iter().cycle().take(ROUNDS).enumerate() {
        proxy.on_statement(statement, Action::CutAfterForward, 1);
        let failed = alone.api.create_workload(authorized(&token, World::workload(&format!("import {round}")))).await;
        assert_eq!(Refused::by(failed), (Code::Unavailable, "DATABASE_UNAVAILABLE".to_owned()), "round {round}");
    }
    alone.host.db.close().await;
    let after = dump(&alone.direct).await;
    let journal = |what: &str| after.rows("journal").iter().filter(|row| row.contains(what)).count();
    assert_eq!([after.rows("workloads").len(), journal("WorkloadCreated"), after.rows("replays").len()], before);
    assert_eq!(journal("DATABASE_UNAVAILABLE"), ROUNDS, "each failure stands in the journal");
}

/// How the calls of a sweep ended.
#[derive(Debug, Default)]
struct Phases {
    answered: usize,
    left_and_done: usize,
    late_and_done: usize,
    late_and_absent: usize,
}

#[rstest]
#[tokio::test]
async fn calls_given_up_at_any_moment_are_whole_or_absent_and_harm_no_other(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    const CALLS: usize = 200;
    let seed = seed();
    println!("{SEED_VARIABLE}={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let alone = Alone::start(kind, 4).await;
    let (token, [_, _, replies]) = (alone.admin().await, effects(&alone.direct).await);

    // Of one width, so that none stands within another.
    let named = |number: usize| format!("import {number:03}");
    let mut calls = Vec::new();
    // As long as the last answered call took.
    let mut usual = Duration::from_millis(20);
    for number in 0..CALLS {
        let sent = World::workload(&named(number));
        let mut request = authorized(&token, sent.clone());
        let patience = usual.mul_f64(random.random_range(0.0..1.5));
        let began = Instant::now();
        let (answer, late) = match number % 3 {
            0 => (Some(alone.api.create_workload(request).await.unwrap()), false),
            1 => {
                let answer = tokio::time::timeout(patience, alone.api.create_workload(request)).await;
                (answer.ok().map(Result::unwrap), false)
            }
            _ => {
                request.set_timeout(patience);
                (alone.api.create_workload(request).await.ok(), true)
            }
        };
        if answer.is_some() {
            usual = began.elapsed();
        }
        calls.push((sent, answer.map(tonic::Response::into_inner), late));
    }

    // What nobody waits for any longer ends in its own time: only then is what is repeated told from what was done.
    for number in (0..CALLS).filter(|number| number % 3 == 1) {
        let (name, patience) = (named(number), Instant::now() + Duration::from_secs(20));
        while !dump(&alone.direct).await.tables_with(name.as_bytes()).contains(&"workloads") {
            assert!(Instant::now() < patience, "seed {seed}: nobody has stopped {name}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    let (mut phases, again) = (Phases::default(), alone.host.clock.now());
    for (sent, answer, late) in calls {
        let known = create(&alone.api, &token, &sent).await;
        let time = known.workload.as_ref().unwrap().create_time.unwrap();
        let time = Timestamp::from_micros(time.seconds * 1_000_000 + i64::from(time.nanos) / 1_000);
        if let Some(answer) = answer {
            assert_eq!(answer.encode_to_vec(), known.encode_to_vec(), "seed {seed}: {}", sent.display_name);
            phases.answered += 1;
            continue;
        }
        match (late, time < again) {
            (false, done) => {
                assert!(done, "seed {seed}: {} was made twice", sent.display_name);
                phases.left_and_done += 1;
            }
            (true, true) => phases.late_and_done += 1,
            (true, false) => phases.late_and_absent += 1,
        }
    }
    println!("{phases:?}");
    let after = dump(&alone.direct).await;
    let made = after.rows("journal").iter().filter(|row| row.contains("WorkloadCreated")).count();
    assert_eq!([after.rows("workloads").len(), made, after.rows("replays").len()], [CALLS, CALLS, replies + CALLS]);
    let least = CALLS / 30;
    let hit = [phases.answered, phases.left_and_done, phases.late_and_absent];
    assert!(hit.iter().all(|count| *count >= least), "seed {seed}: a phase was hardly hit: {phases:?}");
}
