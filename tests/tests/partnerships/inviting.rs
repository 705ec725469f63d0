//! A provider invites: the draft, its link, and what is refused (D-61, C6, C16).

use std::time::Duration;

use base::Timestamp;
use proto::partner::v1 as pb;
use proto::partner::v1::partnership::State;
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{dump, id, outcome, reason, wrong_fields};
use tonic::Code;
use tonic_types::StatusExt;
use uuid::Uuid;

use super::{calls, canceling, invitation, pair, set_account, set_cloud};

fn days_between(partnership: &pb::Partnership) -> i64 {
    let (begin, end) = (partnership.create_time.as_ref().unwrap(), partnership.expire_time.as_ref().unwrap());
    (end.seconds - begin.seconds) / 86_400
}

#[rstest]
#[tokio::test]
async fn a_provider_gets_the_draft_of_a_mail_whose_link_ties_a_reseller_to_it(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let pair = pair(kind).await;
    let mut calls = calls(pair.world).await;
    let invited = calls.invite(pair.provider.token(), invitation()).await.unwrap();
    let (partnership, draft) = (invited.partnership.unwrap(), invited.draft.unwrap());
    assert_eq!((partnership.state(), partnership.provider_admin_access), (State::Invited, false));
    assert_eq!(partnership.provider_id, pair.provider.organization_id);
    assert_eq!((partnership.reseller_id.as_str(), partnership.reseller_name.as_str()), ("", ""));
    assert_eq!((days_between(&partnership), &partnership.accept_time), (30, &None));
    let name = &partnership.provider_name;
    assert!(name.starts_with("Partner ") && draft.subject.contains(name) && draft.body.contains(name));
    assert!(draft.link.starts_with("https://partner.tandem.example/partnerships#"));
    assert!(draft.body.contains(&draft.link), "the link stands in the text");

    let shown = calls.get(pair.provider.token(), &partnership.partnership_id).await.unwrap();
    assert_eq!((shown.partnership.as_ref(), shown.draft.as_ref()), (Some(&partnership), Some(&draft)), "again");
    let token = tests::world::token_of(&draft.link);
    let preview = calls.preview(&token).await.unwrap();
    assert_eq!((&preview.provider_name, preview.provider_country.as_str()), (name, "DE"));
    assert_eq!((preview.consents.len(), preview.expire_time), (2, partnership.expire_time));
    assert!(preview.consents.iter().all(|consent| consent.contains(name)));

    let held = dump(&pair.world.partner.db().await).await;
    assert_eq!(held.tables_with(token.as_bytes()), Vec::<&str>::new(), "the database holds no link");
}

#[rstest]
#[tokio::test]
async fn a_link_lives_as_long_as_it_is_given(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let pair = pair(kind).await;
    let mut calls = calls(pair.world).await;
    for days in [1, 45, 90] {
        let request = pb::InviteResellerRequest { life_days: days, ..invitation() };
        let invited = calls.invite(pair.provider.token(), request).await.unwrap();
        assert_eq!(days_between(&invited.partnership.unwrap()), i64::from(days));
    }
    for days in [-1, 91] {
        let request = pb::InviteResellerRequest { life_days: days, ..invitation() };
        let refused = calls.invite(pair.provider.token(), request).await;
        assert_eq!(outcome(&refused), (Code::InvalidArgument, "OUT_OF_RANGE".to_owned()));
        assert!(refused.unwrap_err().message().contains("link_life_days_max"), "the message names the limit");
    }
}

#[rstest]
#[tokio::test]
async fn everything_that_is_wrong_with_an_invitation_is_told_at_once(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let pair = pair(kind).await;
    let request = pb::InviteResellerRequest {
        recipient_email: "nobody".to_owned(),
        reseller_id: "somebody".to_owned(),
        life_days: 91,
        ..Default::default()
    };
    let fields = wrong_fields(calls(pair.world).await.invite(pair.provider.token(), request).await);
    assert_eq!(fields, ["recipient_email", "reseller_id", "life_days"]);
}

#[rstest]
#[tokio::test]
async fn a_reseller_who_is_a_partner_already_is_not_invited_again(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let pair = pair(kind).await;
    pair.join().await;
    let mut calls = calls(pair.world).await;
    let naming = |id: &str| pb::InviteResellerRequest { reseller_id: id.to_owned(), ..invitation() };
    let refused = calls.invite(pair.provider.token(), naming(&pair.reseller.organization_id)).await;
    assert_eq!(outcome(&refused), (Code::AlreadyExists, "PARTNERSHIP_EXISTS".to_owned()));

    // Whom a provider may name is nobody's business: somebody who exists is named like somebody who does not.
    let stranger = pair.world.onboard(pb::PartnerKind::Reseller).await;
    let mut answers = Vec::new();
    for id in [stranger.organization_id, Uuid::now_v7().to_string()] {
        let partnership = calls.invite(pair.provider.token(), naming(&id)).await.unwrap().partnership.unwrap();
        assert_eq!(partnership.reseller_id, id);
        answers.push((partnership.state(), partnership.reseller_name, partnership.etag));
    }
    assert_eq!(answers[0], answers[1]);
}

#[rstest]
#[tokio::test]
async fn a_suspended_provider_begins_nothing_new(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let pair = pair(kind).await;
    let (partnership_id, link) = pair.invite().await;
    let mut calls = calls(pair.world).await;
    set_account(pair.world, &pair.provider, "SUSPENDED").await;
    let refused = outcome(&calls.invite(pair.provider.token(), invitation()).await);
    assert_eq!(refused, (Code::FailedPrecondition, "ACCOUNT_SUSPENDED".to_owned()));
    calls.preview(&link).await.expect("what it has goes on");
    calls.cancel(pair.provider.token(), canceling(&partnership_id)).await.expect("and it may end it");
    set_account(pair.world, &pair.provider, "ACTIVE").await;
    calls.invite(pair.provider.token(), invitation()).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn the_government_s_cloud_has_no_partnerships(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let pair = pair(kind).await;
    let mut calls = calls(pair.world).await;
    set_cloud(pair.world, &pair.provider, "US_GOVERNMENT").await;
    let refused = outcome(&calls.invite(pair.provider.token(), invitation()).await);
    assert_eq!(refused, (Code::FailedPrecondition, "NOT_AVAILABLE_IN_CLOUD".to_owned()));
}

#[rstest]
#[tokio::test]
async fn open_invitations_of_one_provider_have_a_limit_that_the_refusal_names(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let pair = pair(kind).await;
    let (partnership_id, _) = pair.invite().await;
    // As if it had invited all day long.
    let mut tx = pair.world.partner.db().await.write().await.unwrap();
    let later = pair.world.clock.now() + Duration::from_secs(3_600);
    for at in 1..5_000_i64 {
        let expired = if at == 1 { Timestamp::from_micros(1) } else { later };
        tx.sql(
            "INSERT INTO partnerships
                 (partnership_id, provider_id, state, provider_admin_access, recipient_email, token_digest, expire_time,
                  version, create_time, update_time)
             VALUES ($1, $2, 'INVITED', FALSE, 'rita@reseller.example', $3, $4, 1, $5, $5)",
        )
        .bind(Uuid::now_v7())
        .bind(id(&pair.provider.organization_id))
        .bind(Uuid::now_v7().as_bytes().to_vec())
        .bind(expired)
        .bind(pair.world.clock.now())
        .execute()
        .await
        .unwrap();
    }
    tx.commit().await.unwrap();
    let mut calls = calls(pair.world).await;
    calls.invite(pair.provider.token(), invitation()).await.expect("one of them is not open any more");
    let refused = calls.invite(pair.provider.token(), invitation()).await;
    assert_eq!(outcome(&refused), (Code::FailedPrecondition, "LIMIT_EXCEEDED".to_owned()));
    let limit = refused.unwrap_err().get_details_error_info().unwrap().metadata["limit"].clone();
    assert_eq!(limit, "open_partnership_invitations_max");
    calls.cancel(pair.provider.token(), canceling(&partnership_id)).await.unwrap();
    calls.invite(pair.provider.token(), invitation()).await.expect("one that is over makes room");
}

#[rstest]
#[tokio::test]
async fn repeating_an_invitation_shows_the_same_link_while_it_is_live(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let pair = pair(kind).await;
    let mut calls = calls(pair.world).await;
    let request = invitation();
    let first = calls.invite(pair.provider.token(), request.clone()).await.unwrap();
    assert_eq!(calls.invite(pair.provider.token(), request.clone()).await.unwrap(), first);
    let other = pb::InviteResellerRequest { life_days: 7, ..request.clone() };
    assert_eq!(reason(&calls.invite(pair.provider.token(), other).await), "REQUEST_ID_REUSED");

    let partnership_id = first.partnership.unwrap().partnership_id;
    calls.cancel(pair.provider.token(), canceling(&partnership_id)).await.unwrap();
    let late = outcome(&calls.invite(pair.provider.token(), request).await);
    assert_eq!(late, (Code::FailedPrecondition, "CREDENTIALS_ALREADY_DELIVERED".to_owned()));
    let shown = calls.get(pair.provider.token(), &partnership_id).await.unwrap();
    assert_eq!((shown.partnership.unwrap().state(), shown.draft), (State::Canceled, None), "and no draft any more");
}
