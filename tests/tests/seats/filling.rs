//! More want a seat than there are, and nobody gives one back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt as _;
use rand::seq::SliceRandom as _;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::asking::told;
use super::stage::Stage;
use super::watching::{Watch, holders, in_the_end};

const CLIENTS: usize = 64;
const SEATS: i32 = 1_000;
const USERS: usize = 1_120;
const KILLS: usize = 10;
/// Answers between two kills.
const STEPS: u64 = 80;

#[tokio::test(flavor = "multi_thread")]
async fn of_what_everybody_wants_every_seat_is_given_in_the_end() {
    let mut stage = Stage::set(SEATS, USERS).await;
    let watch = Watch::begin(&stage).await;
    let mut order: Vec<String> = stage.users.to_vec();
    order.shuffle(&mut stage.chance(0));
    let mut clients = JoinSet::new();
    for (number, own) in order.chunks(USERS.div_ceil(CLIENTS)).enumerate() {
        let (mut asking, mut chance) = (stage.asking(number), stage.chance(u64::try_from(number).unwrap()));
        // Those whom nobody else asks for, so that everybody is asked for, and some at random.
        let mut wanted = own.to_vec();
        wanted.extend((0..6).map(|_| stage.users[chance.random_range(0..USERS)].clone()));
        let (token, course) = (stage.helper(number), Arc::clone(&stage.course));
        let requests: Vec<_> = wanted.iter().map(|user| stage.change(std::slice::from_ref(user), true)).collect();
        clients.spawn(async move {
            let mut answers = Vec::new();
            for request in requests {
                let answer = asking.update(&token, &request).await;
                answers.extend(told(&answer).into_iter().map(|(user, word, _)| (user.to_owned(), word)));
                course.step();
            }
            (answers, asking.repeated)
        });
    }
    stage.kill_in_turn(KILLS, STEPS).await;
    let ended = timeout(Duration::from_secs(60), clients.join_all()).await.expect("everybody is answered");
    watch.end().await;

    let repeated: u64 = ended.iter().map(|(_, repeated)| repeated).sum();
    let mut words: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut given, mut refused) = (BTreeSet::new(), BTreeSet::new());
    for (user, word) in ended.into_iter().flat_map(|(answers, _)| answers) {
        *words.entry(word).or_default() += 1;
        match word {
            "GIVEN" => assert!(given.insert(user), "a user is given one license"),
            "NO_SEATS_AVAILABLE" => drop(refused.insert(user)),
            _ => {}
        }
    }
    println!("{KILLS} kills: {words:?}, sent again {repeated}");
    assert!(repeated >= 20, "the kills were hardly noticed");
    assert_eq!(in_the_end(&stage).await, (i64::from(SEATS), i64::from(SEATS)), "no seat is left");
    assert_eq!(given, holders(&stage).await);
    assert!(given.is_disjoint(&refused), "nobody is refused a seat that comes back later");
    assert_eq!(given.len() + refused.len(), USERS);
    stage.nothing_was_caught_late();
}
