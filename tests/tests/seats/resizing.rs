//! The seats become fewer and more while they are given.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use prost::Message;
use proto::licensing::v1::{ChangeQuantityRequest, ChangeQuantityResponse};
use rand::RngExt as _;
use rand::rngs::StdRng;
use tests::world::{Refused, fresh};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tonic::Code;
use tonic_types::StatusExt;

use super::asking::{Asking, CHANGE_QUANTITY, told};
use super::stage::Stage;
use super::watching::{Watch, in_the_end};

const ASSIGNERS: usize = 32;
const RESIZERS: usize = 4;
const SEATS: i32 = 60;
const SEATS_MAX: i32 = 120;
const USERS: usize = 120;
const KILLS: usize = 10;
/// Answers between two kills.
const STEPS: u64 = 100;
/// How often each outcome has to be met.
const EACH_WORD_MIN: u64 = 10;

/// Asks for another number of seats, and says what became of it.
async fn resize(asking: &mut Asking, token: &str, subscription: &str, chance: &mut StdRng) -> &'static str {
    let quantity = chance.random_range(1..=SEATS_MAX);
    let request = ChangeQuantityRequest {
        subscription_id: subscription.to_owned(),
        quantity,
        request_id: fresh(),
        ..Default::default()
    };
    match asking.ask(CHANGE_QUANTITY, token, &request.encode_to_vec()).await {
        Ok(answer) => {
            let shown = ChangeQuantityResponse::decode(answer.as_slice()).unwrap().subscription.unwrap();
            assert_eq!(shown.quantity, quantity);
            "RESIZED"
        }
        Err(status) => {
            let expected = Refused { code: Code::FailedPrecondition, reason: "QUANTITY_BELOW_ASSIGNED".to_owned() };
            assert_eq!(Refused::of(&status), expected, "{status:?}");
            let told = status.get_details_error_info().unwrap().metadata;
            let number = |key: &str| told[key].parse::<i32>().unwrap();
            // There is one subscription: what is assigned is what it needs.
            assert!(number("minimum") > quantity && number("assigned") == number("minimum"), "{quantity}: {told:?}");
            "QUANTITY_BELOW_ASSIGNED"
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn seats_that_are_taken_do_not_go_whoever_is_killed_meanwhile() {
    let mut stage = Stage::set(SEATS, USERS).await;
    let watch = Watch::begin(&stage).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for number in 0..ASSIGNERS + RESIZERS {
        let (mut asking, mut chance) = (stage.asking(number), stage.chance(u64::try_from(number).unwrap()));
        let (stop, course, users) = (Arc::clone(&stop), Arc::clone(&stage.course), Arc::clone(&stage.users));
        let (customer, product) = (stage.customer.clone(), stage.product.clone());
        let (helper, seller, subscription) = (stage.helper(number), stage.seller.clone(), stage.subscription.clone());
        clients.spawn(async move {
            let mut words: BTreeMap<&str, u64> = BTreeMap::new();
            while !stop.load(Ordering::Relaxed) {
                if number < RESIZERS {
                    let word = resize(&mut asking, &seller, &subscription, &mut chance).await;
                    *words.entry(word).or_default() += 1;
                } else {
                    let some: Vec<String> = (0..chance.random_range(1..=8))
                        .map(|_| users[chance.random_range(0..users.len())].clone())
                        .collect();
                    // As many take as give, so that there is room to shrink into.
                    let request = super::asking::change(&customer, &product, &some, chance.random_range(0..2) == 0);
                    for (_, word, _) in told(&asking.update(&helper, &request).await) {
                        *words.entry(word).or_default() += 1;
                    }
                }
                course.step();
            }
            *words.entry("sent again").or_default() += asking.repeated;
            words
        });
    }
    stage.kill_in_turn(KILLS, STEPS).await;
    stop.store(true, Ordering::Relaxed);
    let ended = timeout(Duration::from_secs(60), clients.join_all()).await.expect("everybody is answered");
    watch.end().await;
    let mut words: BTreeMap<&str, u64> = BTreeMap::new();
    ended.into_iter().flatten().for_each(|(word, count)| *words.entry(word).or_default() += count);
    println!("{KILLS} kills: {words:?}");
    for word in ["GIVEN", "TAKEN", "NO_SEATS_AVAILABLE", "RESIZED", "QUANTITY_BELOW_ASSIGNED", "sent again"] {
        let met = words.get(word).copied().unwrap_or(0);
        assert!(met >= EACH_WORD_MIN, "{word} was met {met} times: {words:?}");
    }
    let (seats, consumed) = in_the_end(&stage).await;
    println!("{consumed} of {seats} in the end");
    stage.nothing_was_caught_late();
}
