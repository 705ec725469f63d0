//! Changing roles and removing users (D-26, O-16): effective at once (AS-71), and one global admin stays (AS-72).

use base::Id;
use identity::organization::{self, Organization};
use proto::common::v1::GetLimitsRequest;
use proto::common::v1::limits_service_client::LimitsServiceClient;
use proto::identity::v1::session_service_client::SessionServiceClient;
use proto::identity::v1::{RefreshSessionRequest, Role, partner_user};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{PASSWORD, World, authorized};
use tonic::Code;

use super::{Office, Users, numbers, outcome, reason, removal_of, reset_of, roles_of};

#[rstest]
#[tokio::test]
async fn a_role_that_is_taken_away_mid_session_is_gone_from_the_next_call_everywhere(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let office = Office::open(kind).await;
    let mut users = office.users().await;
    let person = office.world.hire(&office.registered, &[Role::UserManagementAdmin, Role::SalesAgent]).await;
    let token = &person.session.access_token;
    users.add(token, World::addition(&office.registered, &[])).await.unwrap();

    users.update(office.admin(), roles_of(&person.user_id, &[Role::SalesAgent])).await.unwrap();
    let denied = users.add(token, World::addition(&office.registered, &[])).await;
    assert_eq!(outcome(&denied), (Code::Unauthenticated, "UNAUTHENTICATED".to_owned()));
    for channel in [office.world.to_licensing().await, office.world.to_partner().await] {
        let refused = LimitsServiceClient::new(channel).get_limits(authorized(token, GetLimitsRequest {})).await;
        assert_eq!(reason(&refused), "UNAUTHENTICATED");
    }

    // The session goes on, with what is left.
    let refresh = RefreshSessionRequest { refresh_token: person.session.refresh_token.clone() };
    let mut sessions = SessionServiceClient::new(office.world.to_identity().await);
    let fresh = sessions.refresh_session(refresh).await.unwrap().into_inner().session.unwrap().access_token;
    let denied = users.add(&fresh, World::addition(&office.registered, &[])).await;
    assert_eq!(outcome(&denied), (Code::PermissionDenied, "ROLE_NOT_ALLOWED".to_owned()));
    users.list(&fresh, Default::default()).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn giving_the_present_roles_changes_nothing(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let office = Office::open(kind).await;
    let mut users = office.users().await;
    let person = office.world.hire(&office.registered, &[Role::SalesAgent, Role::HelpdeskAgent]).await;
    let before = users.get(office.admin(), &person.user_id).await.unwrap();
    let same = roles_of(&person.user_id, &[Role::HelpdeskAgent, Role::SalesAgent]);
    assert_eq!(users.update(office.admin(), same).await.unwrap(), before);
    users.get(&person.session.access_token, &person.user_id).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_change_that_was_decided_on_an_older_state_is_refused(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let office = Office::open(kind).await;
    let mut users = office.users().await;
    let person = office.world.hire(&office.registered, &[Role::SalesAgent]).await;
    let seen = users.get(office.admin(), &person.user_id).await.unwrap().etag;
    let mut update = roles_of(&person.user_id, &[Role::AdminAgent]);
    update.etag = seen.clone();
    let updated = users.update(office.admin(), update).await.unwrap();
    assert_eq!(updated.roles, numbers(&[Role::AdminAgent]));

    let (mut update, mut reset, mut removal) =
        (roles_of(&person.user_id, &[]), reset_of(&person.user_id), removal_of(&person.user_id));
    (update.etag, reset.etag, removal.etag) = (seen.clone(), seen.clone(), seen);
    let stale = (Code::Aborted, "ETAG_MISMATCH".to_owned());
    assert_eq!(outcome(&users.update(office.admin(), update).await), stale);
    assert_eq!(outcome(&users.reset(office.admin(), reset).await), stale);
    assert_eq!(outcome(&users.remove(office.admin(), removal).await), stale);
    assert_eq!(users.get(office.admin(), &person.user_id).await.unwrap(), updated);
}

#[rstest]
#[tokio::test]
async fn a_removed_user_is_out_at_once_and_for_good(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let office = Office::open(kind).await;
    let mut users = office.users().await;
    let person = office.world.hire(&office.registered, &[Role::SalesAgent]).await;
    let request = removal_of(&person.user_id);
    let removed = users.remove(office.admin(), request.clone()).await.unwrap();
    assert_eq!(removed.state, i32::from(partner_user::State::Deleted));
    assert_eq!(users.remove(office.admin(), request).await.unwrap(), removed, "repeating is safe");

    let token = &person.session.access_token;
    assert_eq!(reason(&users.get(token, &person.user_id).await), "UNAUTHENTICATED");
    let mut partner = LimitsServiceClient::new(office.world.to_partner().await);
    assert_eq!(reason(&partner.get_limits(authorized(token, GetLimitsRequest {})).await), "UNAUTHENTICATED");
    let refresh = RefreshSessionRequest { refresh_token: person.session.refresh_token };
    let mut sessions = SessionServiceClient::new(office.world.to_identity().await);
    assert_eq!(reason(&sessions.refresh_session(refresh).await), "REFRESH_TOKEN_INVALID");
    assert_eq!(reason(&office.world.try_sign_in(&person.sign_in_name, PASSWORD).await), "SIGN_IN_FAILED");

    let gone = (Code::FailedPrecondition, "USER_DELETED".to_owned());
    assert_eq!(outcome(&users.remove(office.admin(), removal_of(&person.user_id)).await), gone);
    assert_eq!(outcome(&users.reset(office.admin(), reset_of(&person.user_id)).await), gone);
    assert_eq!(outcome(&users.update(office.admin(), roles_of(&person.user_id, &[])).await), gone);
    assert_eq!(users.get(office.admin(), &person.user_id).await.unwrap(), removed, "their name can be looked up");
}

#[rstest]
#[tokio::test]
async fn the_last_global_admin_stays(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let office = Office::open(kind).await;
    let mut users = office.users().await;
    let admin = &office.registered.admin_user_id;
    let refused = (Code::FailedPrecondition, "LAST_GLOBAL_ADMIN".to_owned());
    assert_eq!(outcome(&users.remove(office.admin(), removal_of(admin)).await), refused);
    assert_eq!(outcome(&users.update(office.admin(), roles_of(admin, &[Role::AdminAgent])).await), refused);
    users.update(office.admin(), roles_of(admin, &[Role::GlobalAdmin, Role::AdminAgent])).await.unwrap();

    let token = office.world.sign_in(&office.registered.admin_sign_in_name, PASSWORD).await.access_token;
    let heir = users.add(&token, World::addition(&office.registered, &[Role::GlobalAdmin])).await.unwrap();
    users.remove(&token, removal_of(admin)).await.unwrap();
    let heir = heir.user.unwrap();
    assert_eq!(users.get(&token, &heir.user_id).await.unwrap_err().code(), Code::Unauthenticated);
}

#[rstest]
#[tokio::test]
async fn a_removed_global_admin_does_not_count_as_one(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let office = Office::open(kind).await;
    let mut users = office.users().await;
    let other = users.add(office.admin(), World::addition(&office.registered, &[Role::GlobalAdmin])).await.unwrap();
    users.remove(office.admin(), removal_of(&other.user.unwrap().user_id)).await.unwrap();
    let last = users.remove(office.admin(), removal_of(&office.registered.admin_user_id)).await;
    assert_eq!(reason(&last), "LAST_GLOBAL_ADMIN");
}

#[rstest]
#[tokio::test]
async fn of_two_global_admins_who_go_at_the_same_time_one_stays(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::start(kind).await;
    let registered = world.register().await;
    let other = world.hire(&registered, &[Role::GlobalAdmin]).await;
    let (mut first, mut second) = (Users::of(&world).await, Users::of(&world).await);

    // Both arrive while somebody else holds the organization, and are let go together.
    let mut holder = world.identity.db().await.write().await.unwrap();
    let id: Id<Organization> = Id::parse(&registered.organization_id).unwrap();
    organization::store::lock(&mut holder, id).await.unwrap().unwrap();
    let release = async {
        if kind == Kind::Postgres {
            until_two_wait(&world).await;
        }
        holder.commit().await.unwrap();
    };
    let (one, two, ()) = tokio::join!(
        first.remove(&registered.session.access_token, removal_of(&registered.admin_user_id)),
        second.remove(&other.session.access_token, removal_of(&other.user_id)),
        release,
    );
    let mut answers = [reason(&one), reason(&two)];
    answers.sort();
    assert_eq!(answers, ["LAST_GLOBAL_ADMIN", "OK"]);
}

#[rstest]
#[tokio::test]
async fn of_two_global_admins_who_remove_each_other_one_stays(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let office = Office::open(kind).await;
    let other = office.world.hire(&office.registered, &[Role::GlobalAdmin]).await;
    let (mut first, mut second) = (office.users().await, office.users().await);
    let (one, two) = tokio::join!(
        first.remove(office.admin(), removal_of(&other.user_id)),
        second.remove(&other.session.access_token, removal_of(&office.registered.admin_user_id)),
    );
    let mut answers = [reason(&one), reason(&two)];
    answers.sort();
    assert_eq!(answers, ["OK", "UNAUTHENTICATED"], "who was removed first has no say any more");
}

/// Looks at the server until two calls wait for a lock.
async fn until_two_wait(world: &World) {
    for _ in 0..1_000 {
        let mut tx = world.identity.db().await.snapshot().await.unwrap();
        let waiting = "SELECT COUNT(*) FROM pg_stat_activity
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let waiting: i64 = tx.sql(waiting).one().await.unwrap();
        tx.rollback().await;
        if waiting == 2 {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("two removals do not wait for the organization");
}
