//! Resetting passwords (O-18, D-15, AS-10, AS-11), and the help of an operator (C23).

use std::time::Duration;

use proto::common::v1::audit_service_client::AuditServiceClient;
use proto::common::v1::limits_service_client::LimitsServiceClient;
use proto::common::v1::{GetLimitsRequest, ListAuditEntriesRequest};
use proto::identity::v1::session_service_client::SessionServiceClient;
use proto::identity::v1::{RefreshSessionRequest, Role, SignOutRequest};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{PASSWORD, World, authorized};
use tonic::Code;

use super::{Office, Users, outcome, reason, reset_of};

#[rstest]
#[tokio::test]
async fn after_a_reset_the_old_password_fails_and_the_new_one_has_to_be_replaced(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let office = Office::open(kind).await;
    let mut users = office.users().await;
    let person = office.world.hire(&office.registered, &[Role::SalesAgent]).await;
    let reset = users.reset(office.admin(), reset_of(&person.user_id)).await.unwrap();
    assert!(reset.temporary_password_expire_time.is_some());
    assert!(reset.user.unwrap().must_change_password);

    let old = office.world.try_sign_in(&person.sign_in_name, PASSWORD).await;
    assert_eq!(outcome(&old), (Code::Unauthenticated, "SIGN_IN_FAILED".to_owned()));
    let temporary = office.world.sign_in(&person.sign_in_name, &reset.temporary_password).await;
    assert!(temporary.must_change_password);
    office.world.replace_password(&person.sign_in_name, &reset.temporary_password).await;
    let spent = office.world.try_sign_in(&person.sign_in_name, &reset.temporary_password).await;
    assert_eq!(reason(&spent), "SIGN_IN_FAILED");
    office.world.sign_in(&person.sign_in_name, PASSWORD).await;
}

#[rstest]
#[tokio::test]
async fn a_reset_ends_every_session_and_token_everywhere(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let office = Office::open(kind).await;
    let mut users = office.users().await;
    let person = office.world.hire(&office.registered, &[Role::SalesAgent]).await;
    let token = &person.session.access_token;
    users.reset(office.admin(), reset_of(&person.user_id)).await.unwrap();
    assert_eq!(reason(&users.get(token, &person.user_id).await), "UNAUTHENTICATED");
    for channel in [office.world.to_licensing().await, office.world.to_partner().await] {
        let refused = LimitsServiceClient::new(channel).get_limits(authorized(token, GetLimitsRequest {})).await;
        assert_eq!(reason(&refused), "UNAUTHENTICATED");
    }
    let refresh = RefreshSessionRequest { refresh_token: person.session.refresh_token };
    let refused = SessionServiceClient::new(office.world.to_identity().await).refresh_session(refresh).await;
    assert_eq!(reason(&refused), "REFRESH_TOKEN_INVALID");
}

#[rstest]
#[tokio::test]
async fn a_repeated_reset_shows_the_same_password_until_the_next_one_voids_it(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let office = Office::open(kind).await;
    let mut users = office.users().await;
    let addition = World::addition(&office.registered, &[Role::SalesAgent]);
    let added = users.add(office.admin(), addition.clone()).await.unwrap();
    let user = added.user.unwrap();

    let request = reset_of(&user.user_id);
    let first = users.reset(office.admin(), request.clone()).await.unwrap();
    let repeated = users.reset(office.admin(), request.clone()).await.unwrap();
    assert_eq!(first, repeated);
    assert_eq!(reason(&users.add(office.admin(), addition).await), "CREDENTIALS_ALREADY_DELIVERED");

    let second = users.reset(office.admin(), reset_of(&user.user_id)).await.unwrap();
    assert_eq!(reason(&users.reset(office.admin(), request).await), "CREDENTIALS_ALREADY_DELIVERED");
    for void in [&added.temporary_password, &first.temporary_password] {
        assert_eq!(reason(&office.world.try_sign_in(&user.sign_in_name, void).await), "SIGN_IN_FAILED");
    }
    office.world.sign_in(&user.sign_in_name, &second.temporary_password).await;
}

#[rstest]
#[tokio::test]
async fn a_temporary_password_lives_72_hours(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::start(kind).await;
    let registered = world.register().await;
    let token = &registered.session.access_token;
    let mut users = Users::of(&world).await;
    let added = users.add(token, World::addition(&registered, &[])).await.unwrap();
    let name = added.user.unwrap().sign_in_name;
    world.clock.advance(Duration::from_secs(72 * 3600 - 5));
    world.sign_in(&name, &added.temporary_password).await;
    world.clock.advance(Duration::from_secs(10));
    assert_eq!(reason(&world.try_sign_in(&name, &added.temporary_password).await), "SIGN_IN_FAILED");
}

#[rstest]
#[tokio::test]
async fn an_operator_resets_a_global_admin_when_none_of_them_can_sign_in_and_the_partner_sees_it(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let office = Office::open(kind).await;
    let mut users = office.users().await;
    let operator = office.world.operator().await;
    let agent = office.world.hire(&office.registered, &[Role::AdminAgent]).await;
    let admin = &office.registered.admin_user_id;

    let refused = users.reset(&operator, reset_of(admin)).await;
    assert_eq!(outcome(&refused), (Code::FailedPrecondition, "GLOBAL_ADMIN_SIGNED_IN".to_owned()));
    let refused = users.reset(&operator, reset_of(&agent.user_id)).await;
    assert_eq!(outcome(&refused), (Code::PermissionDenied, "ROLE_NOT_ALLOWED".to_owned()));

    let everywhere = SignOutRequest { all_sessions: true };
    let mut sessions = SessionServiceClient::new(office.world.to_identity().await);
    sessions.sign_out(authorized(office.admin(), everywhere)).await.unwrap();
    let reset = users.reset(&operator, reset_of(admin)).await.unwrap();
    let name = &office.registered.admin_sign_in_name;
    assert_eq!(reason(&office.world.try_sign_in(name, PASSWORD).await), "SIGN_IN_FAILED");
    let session = office.world.replace_password(name, &reset.temporary_password).await;

    let mut journal = AuditServiceClient::new(office.world.to_identity().await);
    let request = ListAuditEntriesRequest { action_prefix: "partneruserpassword".to_owned(), ..Default::default() };
    let entries = journal.list_audit_entries(authorized(&session.access_token, request)).await.unwrap();
    let entries = entries.into_inner().entries;
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].target_id, *admin);
    assert_ne!(entries[0].actor_id, *admin);
}

#[rstest]
#[tokio::test]
async fn an_operator_is_told_of_an_unknown_user_that_there_is_none(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let mut users = Users::of(world).await;
    let operator = world.operator().await;
    let refused = users.reset(&operator, reset_of(&uuid::Uuid::now_v7().to_string())).await;
    assert_eq!(outcome(&refused), (Code::NotFound, "NOT_FOUND".to_owned()));
}
