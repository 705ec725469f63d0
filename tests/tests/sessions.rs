//! Signing in, staying in, going out (O-10, C18, D-13, D-14, AS-09, AS-10, R-22).
#![expect(clippy::unwrap_used, reason = "a test fails where something is missing")]

use std::time::Duration;

use proto::common::v1::GetLimitsRequest;
use proto::common::v1::limits_service_client::LimitsServiceClient;
use proto::identity::v1::session_service_client::SessionServiceClient;
use proto::identity::v1::{
    ChangePasswordRequest, GetMeRequest, OrganizationKind, RefreshSessionRequest, Role, SignOutRequest,
};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{PASSWORD, Refused, World, authorized};
use tonic::transport::Channel;
use tonic::{Code, Status};

type Sessions = SessionServiceClient<Channel>;

async fn sessions(world: &World) -> Sessions {
    SessionServiceClient::new(world.to_identity().await)
}

async fn who_am_i(client: &mut Sessions, token: &str) -> Result<proto::identity::v1::GetMeResponse, Status> {
    client.get_me(authorized(token, GetMeRequest {})).await.map(tonic::Response::into_inner)
}

async fn refresh(client: &mut Sessions, token: &str) -> Result<proto::identity::v1::Session, Status> {
    let answer = client.refresh_session(RefreshSessionRequest { refresh_token: token.to_owned() }).await?;
    Ok(answer.into_inner().session.unwrap())
}

const UNAUTHENTICATED: (Code, &str) = (Code::Unauthenticated, "UNAUTHENTICATED");

fn words(refused: &(Code, String)) -> (Code, &str) {
    (refused.0, &refused.1)
}

#[rstest]
#[tokio::test]
async fn a_registered_admin_signs_in_and_is_told_who_they_are(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let registered = world.register().await;
    let me = who_am_i(&mut sessions(world).await, &registered.session.access_token).await.unwrap();
    assert_eq!(me.principal_id, registered.admin_user_id);
    assert_eq!(me.sign_in_name, registered.admin_sign_in_name);
    assert_eq!(me.roles, [Role::GlobalAdmin as i32]);
    let organization = me.organization.unwrap();
    assert_eq!(organization.organization_id, registered.organization_id);
    assert_eq!(organization.kind, OrganizationKind::Partner as i32);
    assert_eq!(organization.domains, [registered.domain]);
}

#[rstest]
#[tokio::test]
async fn a_sign_in_name_is_the_same_in_any_letter_case(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let registered = world.register().await;
    world.sign_in(&registered.admin_sign_in_name.to_uppercase(), PASSWORD).await;
}

#[rstest]
#[tokio::test]
async fn a_wrong_password_an_unknown_name_and_a_name_that_nobody_can_have_are_refused_alike(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let registered = world.register().await;
    let unknown = format!("nobody@{}", registered.domain);
    let mut answers = Vec::new();
    for (name, password) in [
        (registered.admin_sign_in_name.as_str(), "not the password at all"),
        (&unknown, PASSWORD),
        ("not a sign-in name", PASSWORD),
        (&registered.admin_sign_in_name, &"x".repeat(4_000)),
    ] {
        let refused = world.try_sign_in(name, password).await.unwrap_err();
        answers.push((refused.code(), refused.message().to_owned(), Refused::of(&refused).reason));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!((answers[0].0, answers[0].2.as_str()), (Code::Unauthenticated, "SIGN_IN_FAILED"));
}

#[rstest]
#[tokio::test]
async fn guessing_at_one_name_is_slowed_down_and_told_how_long_to_wait(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    use tonic_types::StatusExt;
    let world = World::shared(kind).await;
    let registered = world.register().await;
    let mut limited = None;
    for _ in 0..12 {
        let refused = world.try_sign_in(&registered.admin_sign_in_name, "guess number something").await.unwrap_err();
        if refused.code() == Code::ResourceExhausted {
            limited = Some(refused);
        }
    }
    let limited = limited.expect("the twelfth guess comes too fast");
    assert_eq!(Refused::of(&limited).reason, "RATE_LIMITED");
    assert!(limited.get_details_retry_info().is_some_and(|info| info.retry_delay > Some(Duration::ZERO)));
}

#[rstest]
#[tokio::test]
async fn a_temporary_password_is_good_for_nothing_but_replacing_it(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::start(kind).await;
    let way_in = identity::operator::reset(world.identity.host()).await.unwrap();
    let temporary = world.sign_in(&way_in.sign_in_name, way_in.secret.expose()).await;
    assert!(temporary.must_change_password);
    assert_eq!(temporary.refresh_token, "");

    let mut limits = LimitsServiceClient::new(world.to_partner().await);
    for channel in [world.to_identity().await, world.to_partner().await] {
        limits = LimitsServiceClient::new(channel);
        let refused = Refused::by(limits.get_limits(authorized(&temporary.access_token, GetLimitsRequest {})).await);
        assert_eq!(words(&refused), (Code::FailedPrecondition, "PASSWORD_CHANGE_REQUIRED"));
    }

    let mut client = sessions(&world).await;
    let change = |new: &str| ChangePasswordRequest {
        current_password: way_in.secret.expose().clone(),
        new_password: new.to_owned(),
    };
    let same = client.change_password(authorized(&temporary.access_token, change(way_in.secret.expose()))).await;
    assert_eq!(words(&Refused::by(same)), (Code::InvalidArgument, "PASSWORD_UNCHANGED"));
    let changed = client.change_password(authorized(&temporary.access_token, change(PASSWORD))).await.unwrap();
    let session = changed.into_inner().session.unwrap();
    assert!(!session.must_change_password);
    limits.get_limits(authorized(&session.access_token, GetLimitsRequest {})).await.unwrap();

    let refused = Refused::by(world.try_sign_in(&way_in.sign_in_name, way_in.secret.expose()).await);
    assert_eq!(words(&refused), (Code::Unauthenticated, "SIGN_IN_FAILED"));
    world.sign_in(&way_in.sign_in_name, PASSWORD).await;
}

#[rstest]
#[tokio::test]
async fn a_temporary_password_dies_after_72_hours_and_at_the_next_reset(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let first = identity::operator::reset(world.identity.host()).await.unwrap();
    let second = identity::operator::reset(world.identity.host()).await.unwrap();
    let refused = Refused::by(world.try_sign_in(&first.sign_in_name, first.secret.expose()).await);
    assert_eq!(words(&refused), (Code::Unauthenticated, "SIGN_IN_FAILED"));
    world.clock.advance(Duration::from_secs(72 * 3600 - 5));
    world.sign_in(&second.sign_in_name, second.secret.expose()).await;
    world.clock.advance(Duration::from_secs(10));
    let refused = Refused::by(world.try_sign_in(&second.sign_in_name, second.secret.expose()).await);
    assert_eq!(words(&refused), (Code::Unauthenticated, "SIGN_IN_FAILED"));
}

#[rstest]
#[case("short", "PASSWORD_TOO_SHORT")]
#[case("password1234567", "PASSWORD_TOO_COMMON")]
#[case("aaaaaaaaaaaaaaaa", "PASSWORD_TOO_COMMON")]
#[case(PASSWORD, "PASSWORD_UNCHANGED")]
#[tokio::test]
async fn a_poor_new_password_is_refused_and_changes_nothing(
    #[case] new: &str,
    #[case] reason: &str,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let registered = world.register().await;
    let mut client = sessions(world).await;
    let change = ChangePasswordRequest { current_password: PASSWORD.to_owned(), new_password: new.to_owned() };
    let refused = Refused::by(client.change_password(authorized(&registered.session.access_token, change)).await);
    assert_eq!(words(&refused), (Code::InvalidArgument, reason));
    who_am_i(&mut client, &registered.session.access_token).await.unwrap();
    world.sign_in(&registered.admin_sign_in_name, PASSWORD).await;
}

#[rstest]
#[tokio::test]
async fn changing_the_password_ends_every_older_token_everywhere(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let registered = world.register().await;
    let other = world.sign_in(&registered.admin_sign_in_name, PASSWORD).await;
    let mut client = sessions(world).await;
    let mut licensing = LimitsServiceClient::new(world.to_licensing().await);
    let mut partner = LimitsServiceClient::new(world.to_partner().await);
    licensing.get_limits(authorized(&other.access_token, GetLimitsRequest {})).await.unwrap();

    let change = ChangePasswordRequest {
        current_password: PASSWORD.to_owned(),
        new_password: "teapot lantern quarry oboe".to_owned(),
    };
    let changed = client.change_password(authorized(&registered.session.access_token, change)).await.unwrap();
    assert!(changed.metadata().get("tandem-propagation").is_none(), "the floor arrived before the answer");
    let fresh = changed.into_inner().session.unwrap().access_token;

    for old in [&registered.session.access_token, &other.access_token] {
        assert_eq!(words(&Refused::by(who_am_i(&mut client, old).await)), UNAUTHENTICATED);
        for service in [&mut licensing, &mut partner] {
            let refused = Refused::by(service.get_limits(authorized(old, GetLimitsRequest {})).await);
            assert_eq!(words(&refused), UNAUTHENTICATED);
        }
    }
    let dead = Refused::by(refresh(&mut client, &other.refresh_token).await);
    assert_eq!(words(&dead), (Code::Unauthenticated, "REFRESH_TOKEN_INVALID"));
    who_am_i(&mut client, &fresh).await.unwrap();
    licensing.get_limits(authorized(&fresh, GetLimitsRequest {})).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_refresh_token_is_good_once_and_presenting_it_again_ends_the_session(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let registered = world.register().await;
    let mut client = sessions(world).await;
    let before = who_am_i(&mut client, &registered.session.access_token).await.unwrap();
    let second = refresh(&mut client, &registered.session.refresh_token).await.unwrap();
    assert_eq!(second.session_id, registered.session.session_id);
    let after = who_am_i(&mut client, &second.access_token).await.unwrap();
    assert_eq!(before.auth_time, after.auth_time, "refreshing is not proving");

    let refused = Refused::by(refresh(&mut client, &registered.session.refresh_token).await);
    assert_eq!(words(&refused), (Code::Unauthenticated, "REFRESH_TOKEN_INVALID"));
    let refused = Refused::by(refresh(&mut client, &second.refresh_token).await);
    assert_eq!(words(&refused), (Code::Unauthenticated, "REFRESH_TOKEN_INVALID"));
    assert_eq!(words(&Refused::by(who_am_i(&mut client, &second.access_token).await)), UNAUTHENTICATED);
}

#[rstest]
#[tokio::test]
async fn a_refresh_token_that_comes_twice_ends_every_older_access_token_everywhere(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let registered = world.register().await;
    let other = world.sign_in(&registered.admin_sign_in_name, PASSWORD).await;
    let mut client = sessions(world).await;
    let second = refresh(&mut client, &registered.session.refresh_token).await.unwrap();
    let services = [world.to_identity().await, world.to_licensing().await, world.to_partner().await];
    let mut services = services.map(LimitsServiceClient::new);
    for service in &mut services {
        service.get_limits(authorized(&second.access_token, GetLimitsRequest {})).await.unwrap();
    }
    let refused = Refused::by(refresh(&mut client, &registered.session.refresh_token).await);
    assert_eq!(words(&refused), (Code::Unauthenticated, "REFRESH_TOKEN_INVALID"));

    for old in [&registered.session.access_token, &second.access_token, &other.access_token] {
        for service in &mut services {
            let refused = Refused::by(service.get_limits(authorized(old, GetLimitsRequest {})).await);
            assert_eq!(words(&refused), UNAUTHENTICATED);
        }
    }
    // Who was not robbed goes on with their other session.
    let fresh = refresh(&mut client, &other.refresh_token).await.unwrap().access_token;
    for service in &mut services {
        service.get_limits(authorized(&fresh, GetLimitsRequest {})).await.unwrap();
    }
}

#[rstest]
#[tokio::test]
async fn signing_out_ends_this_session_and_no_other(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let registered = world.register().await;
    let other = world.sign_in(&registered.admin_sign_in_name, PASSWORD).await;
    let mut client = sessions(world).await;
    client.sign_out(authorized(&other.access_token, SignOutRequest { all_sessions: false })).await.unwrap();
    assert_eq!(words(&Refused::by(who_am_i(&mut client, &other.access_token).await)), UNAUTHENTICATED);
    who_am_i(&mut client, &registered.session.access_token).await.unwrap();

    let everywhere = SignOutRequest { all_sessions: true };
    client.sign_out(authorized(&registered.session.access_token, everywhere)).await.unwrap();
    let mut partner = LimitsServiceClient::new(world.to_partner().await);
    let refused = partner.get_limits(authorized(&registered.session.access_token, GetLimitsRequest {})).await;
    assert_eq!(words(&Refused::by(refused)), UNAUTHENTICATED);
}

#[rstest]
#[tokio::test]
async fn an_access_token_lives_ten_minutes_and_a_session_twelve_hours(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let registered = world.register().await;
    let mut client = sessions(&world).await;
    world.clock.advance(Duration::from_secs(595));
    who_am_i(&mut client, &registered.session.access_token).await.unwrap();
    world.clock.advance(Duration::from_secs(10));
    assert_eq!(words(&Refused::by(who_am_i(&mut client, &registered.session.access_token).await)), UNAUTHENTICATED);
    let second = refresh(&mut client, &registered.session.refresh_token).await.unwrap();
    world.clock.advance(Duration::from_secs(12 * 3600 - 600));
    let refused = Refused::by(refresh(&mut client, &second.refresh_token).await);
    assert_eq!(words(&refused), (Code::Unauthenticated, "REFRESH_TOKEN_INVALID"));
}
