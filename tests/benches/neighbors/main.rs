//! Single licenses over a thousand pools, and what a hot pool or large batches cost everybody else (R-16, R-36).
//!
//! ```sh
//! cargo bench -p tests --bench neighbors
//! ```
//!
//! First sixteen callers give and take one license at a time, each at another pool, by call and by hand in turn: the same
//! transaction by hand, the same number of sessions, the same rows. Then other tenants' calls come at a steady rate while
//! nobody else works and while sixty-four callers want the same pool; how long one takes is counted from the moment at which
//! it was due. At last other tenants look at the licenses of one user each, as often as to keep the service three tenths
//! busy, alone and while ten thousand users of one customer are changed once a second. It prints the tables that stand in
//! `TABLE.md`, and fails when the calls are less than three fifths of what is done by hand, or when the neighbors' 99th
//! percentile more than doubles. A number of seconds for each turn may be given.
#![expect(clippy::expect_used, clippy::print_stdout, reason = "a benchmark prints what it measured, or fails")]

mod hand;
mod stage;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use testkit::database::Kind;
use tests::world::World;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::stage::Stage;

const POOLS: usize = 1_000;
const CALLERS: usize = 16;
const HOT_CALLERS: usize = 64;
/// How often another tenant calls.
const NEIGHBOR_EVERY: Duration = Duration::from_millis(10);
/// Users of one batch.
const BATCH: usize = 10_000;
/// How often a batch comes.
const BATCH_EVERY: Duration = Duration::from_secs(1);
/// How busy those who look keep the service, in proportion to what it can answer.
const LOAD: f64 = 0.3;
/// Turns of each kind. What takes how long is the median of theirs: a machine that somebody else disturbs in one of them is
/// not the service's fault.
const TURNS: usize = 5;
const SECONDS: u64 = 10;
/// Calls in proportion to the same by hand, at least.
const SHARE_MIN: f64 = 0.6;
/// The neighbors' 99th percentile beside others' work in proportion to the same alone, at most.
const DELAY_MAX: f64 = 2.0;
/// What a row says of how long calls took.
const COLUMNS: &str = "ms: median, 99th percentile, most";

fn main() {
    let seconds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(SECONDS);
    let turn = Duration::from_secs(seconds);
    Runtime::new().expect("a runtime starts").block_on(async {
        let world = World::start(Kind::Postgres).await;
        let stage = Arc::new(Stage::set(&world).await);
        let share = measure_share(&stage, turn).await;
        let delay = measure_delay(&stage, turn).await;
        let batch_delay = measure_batches(&stage, turn).await;
        assert!(share >= SHARE_MIN, "calls were {share:.2} of what is done by hand, not {SHARE_MIN}");
        assert!(delay <= DELAY_MAX, "the neighbors' 99th percentile was {delay:.2} times as long, not {DELAY_MAX}");
        assert!(batch_delay <= DELAY_MAX, "beside batches it was {batch_delay:.2} times as long, not {DELAY_MAX}");
    });
}

/// Calls for each one by hand, in the same time.
async fn measure_share(stage: &Arc<Stage>, turn: Duration) -> f64 {
    let (mut called, mut by_hand) = (0, 0);
    for _ in 0..TURNS {
        called += single(stage, turn, true).await;
        by_hand += single(stage, turn, false).await;
    }
    let rate = |count: u32| f64::from(count) / seconds(turn);
    let share = rate(called) / rate(by_hand);
    println!("| {POOLS} pools, {CALLERS} callers | a second, by call | a second, by hand | share |");
    println!("|---|---|---|---|");
    println!("| give or take one license | {:.0} | {:.0} | {share:.2} |\n", rate(called), rate(by_hand));
    share
}

/// How many single changes there are in a turn.
async fn single(stage: &Arc<Stage>, turn: Duration, by_call: bool) -> u32 {
    let until = Instant::now() + turn;
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let stage = Arc::clone(stage);
        callers.spawn(async move {
            let mut count = 0;
            while Instant::now() < until {
                let place = stage.next();
                if by_call {
                    stage.call(place, 0).await;
                } else {
                    stage.hand(place, 0).await;
                }
                count += 1;
            }
            count
        });
    }
    callers.join_all().await.into_iter().sum()
}

/// What other tenants do.
#[derive(Clone, Copy)]
enum Neighbor {
    Changes,
    Looks,
}

/// How much longer the slowest of a hundred neighbors takes beside a hot pool.
async fn measure_delay(stage: &Arc<Stage>, turn: Duration) -> f64 {
    let (mut alone, mut beside, mut hot) = (Vec::new(), Vec::new(), 0);
    for _ in 0..TURNS {
        alone.push(neighbors(stage, turn, Neighbor::Changes, NEIGHBOR_EVERY).await);
        let stop = Arc::new(AtomicBool::new(false));
        let mut callers = JoinSet::new();
        for user in 0..HOT_CALLERS {
            let (stage, stop) = (Arc::clone(stage), Arc::clone(&stop));
            callers.spawn(async move {
                let mut count = 0;
                while !stop.load(Ordering::Relaxed) {
                    stage.call(&stage.hot, user).await;
                    count += 1;
                }
                count
            });
        }
        beside.push(neighbors(stage, turn, Neighbor::Changes, NEIGHBOR_EVERY).await);
        stop.store(true, Ordering::Relaxed);
        hot += callers.join_all().await.into_iter().sum::<u32>();
    }
    let rate = f64::from(hot) / seconds(turn);
    println!("| neighbors, one every {NEIGHBOR_EVERY:?} | calls | {COLUMNS} |");
    println!("|---|---|---|");
    let alone = row("alone", &alone);
    let beside = row(&format!("beside {HOT_CALLERS} callers of one pool ({rate:.0} calls a second)"), &beside);
    println!("\nThe 99th percentile beside the hot pool is {:.2} times that alone.\n", beside / alone);
    beside / alone
}

/// How much longer the slowest of a hundred who look takes beside a large batch once a second.
async fn measure_batches(stage: &Arc<Stage>, turn: Duration) -> f64 {
    let capacity = looks(stage, turn).await;
    let every = Duration::from_secs_f64(1.0 / (capacity * LOAD));
    let (mut alone, mut beside, mut took) = (Vec::new(), Vec::new(), Vec::new());
    // A minute of batches and more.
    let turn = turn * 3 / 2;
    for _ in 0..TURNS {
        alone.push(neighbors(stage, turn, Neighbor::Looks, every).await);
        let stop = Arc::new(AtomicBool::new(false));
        // Who writes ten thousand ids and reads as many results does not do it on the threads that serve.
        let batches = tokio::task::spawn_blocking({
            let (stage, stop) = (Arc::clone(stage), Arc::clone(&stop));
            let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime starts");
            move || runtime.block_on(batches(&stage, &stop))
        });
        beside.push(neighbors(stage, turn, Neighbor::Looks, every).await);
        stop.store(true, Ordering::Relaxed);
        took.push(batches.await.expect("the batches end"));
    }
    println!("Of {capacity:.0} looks a second that the service answers at most, {:.0} come:\n", capacity * LOAD);
    println!("| who look at one user, one every {every:.1?} | calls | {COLUMNS} |");
    println!("|---|---|---|");
    let alone = row("alone", &alone);
    let beside = row(&format!("beside {BATCH} users once a second"), &beside);
    row(&format!("the {BATCH} users themselves"), &took);
    println!("\nThe 99th percentile beside the batches is {:.2} times that alone.", beside / alone);
    beside / alone
}

/// Changes ten thousand users once a second, and answers how long each time took.
async fn batches(stage: &Stage, stop: &AtomicBool) -> Vec<Duration> {
    let (mut due, mut took) = (tokio::time::interval(BATCH_EVERY), Vec::new());
    while !stop.load(Ordering::Relaxed) {
        due.tick().await;
        let begun = Instant::now();
        stage.change(&stage.large, 0..BATCH).await;
        took.push(begun.elapsed());
    }
    took
}

/// How many look in a second when all callers do, one after the other.
async fn looks(stage: &Arc<Stage>, turn: Duration) -> f64 {
    let until = Instant::now() + turn;
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let stage = Arc::clone(stage);
        callers.spawn(async move {
            let mut count = 0_u32;
            while Instant::now() < until {
                stage.look(stage.next()).await;
                count += 1;
            }
            count
        });
    }
    f64::from(callers.join_all().await.into_iter().sum::<u32>()) / turn.as_secs_f64()
}

/// How long calls of other tenants take, each from the moment at which it was due.
async fn neighbors(stage: &Arc<Stage>, turn: Duration, neighbor: Neighbor, every: Duration) -> Vec<Duration> {
    let begun = tokio::time::Instant::now();
    let mut calls = JoinSet::new();
    for at in 0.. {
        let due = begun + every * at;
        if due >= begun + turn {
            break;
        }
        tokio::time::sleep_until(due).await;
        let stage = Arc::clone(stage);
        calls.spawn(async move {
            match neighbor {
                Neighbor::Changes => stage.call(stage.next(), 0).await,
                Neighbor::Looks => stage.look(stage.next()).await,
            }
            due.elapsed()
        });
    }
    calls.join_all().await
}

/// The seconds of all turns of one kind.
fn seconds(turn: Duration) -> f64 {
    turn.as_secs_f64() * f64::from(u32::try_from(TURNS).expect("a few"))
}

/// Prints the medians of the turns, and answers that of their 99th percentiles in milliseconds.
fn row(what: &str, turns: &[Vec<Duration>]) -> f64 {
    let at = |percent: usize| {
        let mut of_turns: Vec<Duration> = turns.iter().map(|took| percentile(took, percent)).collect();
        of_turns.sort_unstable();
        of_turns[of_turns.len() / 2].as_secs_f64() * 1_000.0
    };
    let calls: usize = turns.iter().map(Vec::len).sum();
    println!("| {what} | {calls} | {:.1}, {:.1}, {:.1} |", at(50), at(99), at(100));
    at(99)
}

fn percentile(took: &[Duration], percent: usize) -> Duration {
    let mut took = took.to_vec();
    took.sort_unstable();
    took[(took.len() - 1) * percent / 100]
}
