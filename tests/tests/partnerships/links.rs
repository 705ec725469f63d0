//! Links: what each of them answers, to whoever holds it (C6, C33).

use std::time::Duration;

use proto::partner::v1 as pb;
use proto::partner::v1::PartnerKind::Reseller;
use proto::partner::v1::partnership::State;
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{PASSWORD, World, reason};
use tonic::Code;

use super::{Calls, Pair, acceptance, calls, canceling, declining, pair};

/// What looking at a link, accepting and declining it answer.
async fn answers(calls: &mut Calls, token: &str, link: &str) -> [String; 3] {
    [
        reason(&calls.preview(link).await),
        reason(&calls.accept(token, acceptance(link, "")).await),
        reason(&calls.decline(token, declining(link)).await),
    ]
}

#[rstest]
#[tokio::test]
async fn a_link_that_nobody_knows_is_not_found_whatever_it_looks_like(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let pair = pair(kind).await;
    let (_, link) = pair.invite().await;
    let mut calls = calls(pair.world).await;
    let mut told = Vec::new();
    for unknown in ["x", &link[1..], &format!("{link}x"), &"a".repeat(5_000)] {
        assert_eq!(answers(&mut calls, pair.reseller.token(), unknown).await, [const { "NOT_FOUND" }; 3]);
        let refused = calls.preview(unknown).await.unwrap_err();
        told.push((refused.code(), refused.message().to_owned()));
    }
    assert!(told.iter().all(|other| *other == told[0] && other.0 == Code::NotFound), "{told:?}");
    assert_eq!(answers(&mut calls, pair.reseller.token(), "").await, [const { "REQUIRED" }; 3]);
}

#[rstest]
#[tokio::test]
async fn a_link_that_the_provider_took_back_says_so(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let pair = pair(kind).await;
    let (partnership_id, link) = pair.invite().await;
    let mut calls = calls(pair.world).await;
    let request = canceling(&partnership_id);
    let canceled = calls.cancel(pair.provider.token(), request.clone()).await.unwrap();
    assert_eq!(canceled.state(), State::Canceled);
    assert_eq!(calls.cancel(pair.provider.token(), request).await.unwrap(), canceled);
    let told = answers(&mut calls, pair.reseller.token(), &link).await;
    assert_eq!(told, [const { "INVITATION_CANCELED" }; 3]);
}

#[rstest]
#[tokio::test]
async fn a_link_that_was_declined_is_dead(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let pair = pair(kind).await;
    let (partnership_id, link) = pair.invite().await;
    let mut calls = calls(pair.world).await;
    let request = declining(&link);
    let declined = calls.decline(pair.reseller.token(), request.clone()).await.unwrap();
    assert_eq!((declined.state(), declined.provider_admin_access), (State::Declined, false));
    assert_eq!(calls.decline(pair.reseller.token(), request.clone()).await.unwrap(), declined);
    let other = pb::DeclinePartnershipRequest { token: "another".to_owned(), ..request };
    assert_eq!(reason(&calls.decline(pair.reseller.token(), other).await), "REQUEST_ID_REUSED");
    assert_eq!(pair.seen_by_provider(&partnership_id).await.state(), State::Declined);
    assert_eq!(reason(&calls.get(pair.reseller.token(), &partnership_id).await), "NOT_FOUND");
    assert!(calls.providers_of(&pair.reseller).await.is_empty() && calls.resellers_of(&pair.provider).await.is_empty());
    let told = answers(&mut calls, pair.reseller.token(), &link).await;
    assert_eq!(told, [const { "INVITATION_DECLINED" }; 3]);
}

#[rstest]
#[tokio::test]
async fn a_link_is_good_for_one_reseller(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let pair = pair(kind).await;
    let (_, link) = pair.invite().await;
    let other = pair.world.onboard(Reseller).await;
    let mut calls = calls(pair.world).await;
    let request = calls.consent(&link).await;
    calls.accept(pair.reseller.token(), request).await.unwrap();
    let told = answers(&mut calls, other.token(), &link).await;
    assert_eq!(told, [const { "INVITATION_ALREADY_USED" }; 3]);
    let own = answers(&mut calls, pair.reseller.token(), &link).await;
    assert_eq!(own, ["INVITATION_ALREADY_USED", "OK", "INVITATION_ALREADY_USED"]);
}

#[rstest]
#[tokio::test]
async fn a_link_that_was_not_used_in_time_is_dead(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::start(kind).await;
    let pair = Pair::of(&world).await;
    let (partnership_id, link) =
        pair.invite_as(pb::InviteResellerRequest { life_days: 1, ..super::invitation() }).await;
    let mut calls = calls(&world).await;
    world.clock.advance(Duration::from_secs(86_400 - 60));
    calls.preview(&link).await.expect("a minute is left");
    world.clock.advance(Duration::from_secs(60));
    let reseller = world.sign_in(&pair.reseller.admin_sign_in_name, PASSWORD).await.access_token;
    let told = answers(&mut calls, &reseller, &link).await;
    assert_eq!(told, [const { "INVITATION_EXPIRED" }; 3]);
    let provider = world.sign_in(&pair.provider.admin_sign_in_name, PASSWORD).await.access_token;
    let shown = calls.get(&provider, &partnership_id).await.unwrap();
    assert_eq!((shown.partnership.unwrap().state(), shown.draft), (State::Expired, None));
}
