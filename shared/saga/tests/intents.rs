//! The participant's side of a decision: messages that are repeated, reordered and late.

use base::{Clock, Fault};
use db::Tx;
use rstest::rstest;
use saga::intent::{self, Intent};
use testkit::database::{Database, Kind};
use uuid::Uuid;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Message {
    Prepare,
    End,
}

/// Every order of up to this many messages.
fn orders(length: usize) -> Vec<Vec<Message>> {
    let mut all = vec![Vec::new()];
    let mut last = all.clone();
    for _ in 0..length {
        let longer = last.iter().flat_map(|order| {
            [Message::Prepare, Message::End].map(|next| order.iter().copied().chain([next]).collect::<Vec<_>>())
        });
        last = longer.collect();
        all.extend(last.clone());
    }
    all
}

async fn deliver(
    tx: &mut Tx,
    message: Message,
    is_made: bool,
    decision: Uuid,
    intents: &[Intent],
) -> Result<(), Fault> {
    let now = Clock::new().now();
    match (message, is_made) {
        (Message::Prepare, _) => intent::prepare(tx, decision, intents, now).await,
        (Message::End, true) => intent::settle(tx, decision, intents, now).await,
        (Message::End, false) => intent::cancel(tx, decision, intents, now).await,
    }
}

#[rstest]
#[tokio::test]
async fn every_order_of_prepare_cancel_and_settle_converges(
    #[values(true, false)] is_made: bool,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let database = Database::migrated(kind, saga::INTENT_MIGRATIONS).await;
    let db = database.open().await;
    let mut tx = db.write().await.unwrap();
    let mut ended = 0;
    for order in orders(6) {
        let decision = Uuid::now_v7();
        let intents: Vec<Intent> =
            (1..=2).map(|epoch| Intent { about: (Uuid::now_v7(), Uuid::now_v7()), epoch }).collect();
        let mut over = false;
        for message in &order {
            let taken = deliver(&mut tx, *message, is_made, decision, &intents).await;
            over |= *message == Message::End;
            let late = *message == Message::Prepare && over && !is_made;
            assert_eq!(
                taken.is_err(),
                late,
                "{order:?}: a late intent of a canceled decision, and nothing else, is refused"
            );
            if let Err(refused) = taken {
                assert_eq!(refused.reason(), "DECISION_CANCELED");
            }
        }
        let waits = order.contains(&Message::Prepare) && !over;
        for each in &intents {
            let open = intent::open(&mut tx, each.about).await.unwrap();
            assert_eq!(open, if waits { vec![decision] } else { vec![] }, "{order:?}");
        }
        ended += usize::from(over);
    }
    tx.commit().await.unwrap();
    assert!(ended > 100, "only {ended} orders came to an end");
}

#[rstest]
#[tokio::test]
async fn decisions_about_one_pair_do_not_touch_each_other(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let database = Database::migrated(kind, saga::INTENT_MIGRATIONS).await;
    let db = database.open().await;
    let mut tx = db.write().await.unwrap();
    let now = Clock::new().now();
    let about = (Uuid::now_v7(), Uuid::now_v7());
    let (first, second) = (Uuid::from_u128(1), Uuid::from_u128(2));
    intent::prepare(&mut tx, first, &[Intent { about, epoch: 1 }], now).await.unwrap();
    intent::prepare(&mut tx, second, &[Intent { about, epoch: 2 }], now).await.unwrap();
    assert_eq!(intent::open(&mut tx, about).await.unwrap(), [first, second]);
    assert!(intent::open(&mut tx, (about.1, about.0)).await.unwrap().is_empty());
    intent::cancel(&mut tx, first, &[Intent { about, epoch: 1 }], now).await.unwrap();
    assert_eq!(intent::open(&mut tx, about).await.unwrap(), [second]);
    intent::settle(&mut tx, second, &[Intent { about, epoch: 2 }], now).await.unwrap();
    assert!(intent::open(&mut tx, about).await.unwrap().is_empty());
    tx.rollback().await;
}
