//! Many give and take the same seats.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::RngExt as _;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::asking::told;
use super::stage::Stage;
use super::watching::{Watch, holders, in_the_end};

const CLIENTS: usize = 64;
const SEATS: i32 = 300;
/// Two gifts for each that is taken leave two thirds of them with a seat, were there enough.
const USERS: usize = 520;
const KILLS: usize = 10;
/// Answers between two kills.
const STEPS: u64 = 120;
/// How often each of what can become of a user has to be met.
const EACH_WORD_MIN: u64 = 100;

#[tokio::test(flavor = "multi_thread")]
async fn no_seat_is_given_twice_whoever_is_killed_meanwhile() {
    let mut stage = Stage::set(SEATS, USERS).await;
    let watch = Watch::begin(&stage).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let (mut asking, mut chance) = (stage.asking(number), stage.chance(u64::try_from(number).unwrap()));
        let (token, users, stop) = (stage.helper(number), Arc::clone(&stage.users), Arc::clone(&stop));
        let (customer, product, course) = (stage.customer.clone(), stage.product.clone(), Arc::clone(&stage.course));
        clients.spawn(async move {
            let mut words: BTreeMap<&str, u64> = BTreeMap::new();
            let mut balance: BTreeMap<String, i64> = BTreeMap::new();
            while !stop.load(Ordering::Relaxed) {
                let count = chance.random_range(1..=20);
                let some: Vec<String> =
                    (0..count).map(|_| users[chance.random_range(0..users.len())].clone()).collect();
                // Two give for each one that takes.
                let give = chance.random_range(0..3) < 2;
                let request = super::asking::change(&customer, &product, &some, give);
                let answer = asking.update(&token, &request).await;
                for (user, word, by) in told(&answer) {
                    *words.entry(word).or_default() += 1;
                    *balance.entry(user.to_owned()).or_default() += by;
                }
                course.step();
            }
            *words.entry("sent again").or_default() += asking.repeated;
            (words, balance)
        });
    }
    stage.kill_in_turn(KILLS, STEPS).await;
    stop.store(true, Ordering::Relaxed);
    let ended = timeout(Duration::from_secs(60), clients.join_all()).await.expect("everybody is answered");
    watch.end().await;

    let mut words: BTreeMap<&str, u64> = BTreeMap::new();
    let mut balance: BTreeMap<String, i64> = BTreeMap::new();
    for (some, moved) in ended {
        some.into_iter().for_each(|(word, count)| *words.entry(word).or_default() += count);
        moved.into_iter().for_each(|(user, by)| *balance.entry(user).or_default() += by);
    }
    println!("{KILLS} kills: {words:?}");
    for word in ["GIVEN", "TAKEN", "UNCHANGED", "NO_SEATS_AVAILABLE", "sent again"] {
        let met = words.get(word).copied().unwrap_or(0);
        assert!(met >= EACH_WORD_MIN, "{word} was met {met} times: {words:?}");
    }
    // Each request was answered and had its effect once: what was told adds up to what is there.
    assert!(balance.values().all(|held| (0..=1).contains(held)), "somebody was told to have a license twice");
    let told: BTreeSet<String> = balance.into_iter().filter(|(_, held)| *held == 1).map(|(user, _)| user).collect();
    assert_eq!(told, holders(&stage).await);
    let (seats, consumed) = in_the_end(&stage).await;
    assert_eq!((seats, usize::try_from(consumed)), (i64::from(SEATS), Ok(told.len())));
    stage.nothing_was_caught_late();
}
