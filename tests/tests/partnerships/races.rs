//! What happens at the same time (D-63).

use proto::partner::v1 as pb;
use proto::partner::v1::partnership::State;
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{id, reason, soon};

use super::{calls, canceling, pair, removing};

#[rstest]
#[tokio::test]
async fn two_invitations_of_one_pair_that_are_accepted_at_the_same_time_make_one_partnership(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let pair = pair(kind).await;
    let (mut one, mut other) = (calls(pair.world).await, calls(pair.world).await);
    for _ in 0..8 {
        let (first_id, first) = pair.invite().await;
        let (second_id, second) = pair.invite().await;
        let (request, rival) = (one.consent(&first).await, one.consent(&second).await);
        let token = pair.reseller.token();
        let (won, lost) = tokio::join!(one.accept(token, request), other.accept(token, rival));
        let mut told = [reason(&won), reason(&lost)];
        told.sort();
        assert_eq!(told, ["OK", "PARTNERSHIP_EXISTS"]);
        let [mine] = one.providers_of(&pair.reseller).await.try_into().unwrap();
        let [theirs] = one.resellers_of(&pair.provider).await.try_into().unwrap();
        assert_eq!(mine.partnership_id, theirs.partnership_id);
        let loser = if won.is_ok() { &second_id } else { &first_id };
        assert_eq!(pair.seen_by_provider(loser).await.state(), State::Invited);
        one.cancel(pair.provider.token(), canceling(loser)).await.unwrap();
        one.remove(token, removing(&mine.partnership_id)).await.unwrap();
    }
}

#[rstest]
#[tokio::test]
async fn both_sides_end_a_partnership_at_the_same_time_and_it_ends_once(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let pair = pair(kind).await;
    let (mut one, mut other) = (calls(pair.world).await, calls(pair.world).await);
    for _ in 0..8 {
        let partnership_id = pair.join().await;
        let (first, second) = tokio::join!(
            one.remove(pair.provider.token(), removing(&partnership_id)),
            other.remove(pair.reseller.token(), removing(&partnership_id)),
        );
        let mut told = [reason(&first), reason(&second)];
        told.sort();
        assert_eq!(told, ["OK", "PARTNERSHIP_NOT_ACTIVE"]);
        let removed = pair.seen_by_provider(&partnership_id).await;
        assert_eq!((removed.state(), removed.etag.as_str()), (State::Removed, "3"), "changed twice: begun and ended");
    }
}

#[rstest]
#[tokio::test]
async fn an_invitation_that_is_accepted_and_taken_back_at_the_same_time_ends_one_way(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let pair = pair(kind).await;
    let (mut one, mut other) = (calls(pair.world).await, calls(pair.world).await);
    for _ in 0..8 {
        let (partnership_id, link) = pair.invite().await;
        let request = one.consent(&link).await;
        let (accepted, canceled) = tokio::join!(
            one.accept(pair.reseller.token(), request),
            other.cancel(pair.provider.token(), canceling(&partnership_id)),
        );
        let listed = one.providers_of(&pair.reseller).await.len();
        match (reason(&accepted).as_str(), reason(&canceled).as_str()) {
            ("OK", "PARTNERSHIP_NOT_INVITED") => assert_eq!(listed, 1),
            ("INVITATION_CANCELED", "OK") => assert_eq!(listed, 0),
            told => panic!("neither of the two won: {told:?}"),
        }
        if accepted.is_ok() {
            one.remove(pair.reseller.token(), removing(&partnership_id)).await.unwrap();
        }
    }
}

#[rstest]
#[tokio::test]
async fn a_request_that_is_sent_twice_at_the_same_time_has_one_effect(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let pair = pair(kind).await;
    let (mut one, mut other) = (calls(pair.world).await, calls(pair.world).await);
    let request = super::invitation();
    let token = pair.provider.token();
    let (first, second) = tokio::join!(one.invite(token, request.clone()), other.invite(token, request.clone()));
    let first = first.unwrap();
    assert_eq!(first, second.unwrap());
    let link = tests::world::token_of(&first.draft.unwrap().link);
    let request: pb::AcceptPartnershipRequest = one.consent(&link).await;
    let token = pair.reseller.token();
    let (first, second) = tokio::join!(one.accept(token, request.clone()), other.accept(token, request.clone()));
    assert_eq!(first.unwrap(), second.unwrap());
    assert_eq!(one.providers_of(&pair.reseller).await.len(), 1);
}

#[rstest]
#[tokio::test]
async fn accepting_a_second_invitation_waits_for_nobody_who_ends_the_partnership(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let pair = pair(kind).await;
    let partnership_id = pair.join().await;
    let (_, link) = pair.invite().await;
    let mut calls = calls(pair.world).await;
    let request = calls.consent(&link).await;
    // Held as whoever ends it holds it, who then wants the pair's epoch. SQLite has one writer, and no such circle.
    let mut held = None;
    if kind == Kind::Postgres {
        let mut tx = pair.world.partner.db().await.write().await.unwrap();
        let statement = "SELECT version FROM partnerships WHERE partnership_id = $1";
        let _: i64 = tx.sql(statement).bind(id(&partnership_id)).for_update().one().await.unwrap();
        held = Some(tx);
    }
    let accepted = soon("an answer", calls.accept(pair.reseller.token(), request)).await;
    assert_eq!(reason(&accepted), "PARTNERSHIP_EXISTS");
    if let Some(tx) = held {
        tx.rollback().await;
    }
}
