//! Making users (D-10, AS-01), their way in (D-13, D-14, AS-09), and what a dry run shows of it.

use proto::common::v1::ListAuditEntriesRequest;
use proto::common::v1::audit_service_client::AuditServiceClient;
use proto::identity::v1::session_service_client::SessionServiceClient;
use proto::identity::v1::{CreateUserRequest, GetMeRequest, OrganizationKind, RefreshSessionRequest, Role, user};
use proto::partner::v1::Access;
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{PASSWORD, World, authorized, dump, fresh};
use tonic::Code;
use tonic_types::StatusExt;
use uuid::Uuid;

use super::{Desk, all_of, outcome, reason};

#[rstest]
#[tokio::test]
async fn a_user_is_made_with_a_way_in_that_is_shown_once(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let desk = Desk::open(kind).await;
    let mut users = desk.users().await;
    let agent = desk.world.hire(&desk.partner, &[Role::HelpdeskAgent]).await.session.access_token;
    let request = World::creation(&desk.customer, &[]);
    let made = users.create(&agent, request.clone()).await.unwrap();
    assert_eq!(made.temporary_password.len(), 20);
    assert!(made.temporary_password_expire_time.is_some());
    let (user, wanted) = (made.user.unwrap(), request.user.unwrap());
    assert_eq!(
        (&user.display_name, &user.first_name, &user.last_name),
        (&wanted.display_name, &wanted.first_name, &wanted.last_name)
    );
    assert_eq!((&user.sign_in_name, &user.usage_location), (&wanted.sign_in_name, &"US".to_owned()));
    assert_eq!((user.customer_id.as_str(), user.roles.as_slice()), (desk.customer.customer_id.as_str(), &[][..]));
    assert_eq!(user.state, i32::from(user::State::Active));
    assert!(user.must_change_password);
    assert_eq!(users.get(&agent, &desk.customer.customer_id, &user.user_id).await.unwrap(), user);
    let listed = users.list(&agent, all_of(&desk.customer)).await.unwrap().users;
    assert!(listed.contains(&user) && listed.len() == 2, "the customer's first admin and this user");
}

#[rstest]
#[tokio::test]
async fn a_customers_user_signs_in_replaces_the_password_and_stays_in(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let desk = Desk::open(kind).await;
    let made = desk.users().await.create(desk.admin(), World::creation(&desk.customer, &[Role::PasswordAdmin])).await;
    let made = made.unwrap();
    let user = made.user.unwrap();
    let first = desk.world.sign_in(&user.sign_in_name, &made.temporary_password).await;
    assert!(first.must_change_password && first.refresh_token.is_empty());
    let early = desk.users().await.get(&first.access_token, &user.customer_id, &user.user_id).await;
    assert_eq!(reason(&early), "PASSWORD_CHANGE_REQUIRED");

    let session = desk.world.replace_password(&user.sign_in_name, &made.temporary_password).await;
    let mut sessions = SessionServiceClient::new(desk.world.to_identity().await);
    let me = sessions.get_me(authorized(&session.access_token, GetMeRequest {})).await.unwrap().into_inner();
    assert_eq!((me.principal_id, me.roles), (user.user_id.clone(), vec![Role::PasswordAdmin as i32]));
    assert_eq!(me.organization.unwrap().kind, i32::from(OrganizationKind::Customer));
    let refresh = RefreshSessionRequest { refresh_token: session.refresh_token };
    let refreshed = sessions.refresh_session(refresh).await.unwrap().into_inner().session.unwrap();
    sessions.get_me(authorized(&refreshed.access_token, GetMeRequest {})).await.unwrap();
    assert_eq!(reason(&desk.world.try_sign_in(&user.sign_in_name, &made.temporary_password).await), "SIGN_IN_FAILED");
    desk.world.sign_in(&user.sign_in_name.to_uppercase(), PASSWORD).await;
}

#[rstest]
#[tokio::test]
async fn repeating_the_creation_shows_the_same_password_until_it_is_used(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let desk = Desk::open(kind).await;
    let mut users = desk.users().await;
    let request = World::creation(&desk.customer, &[]);
    let first = users.create(desk.admin(), request.clone()).await.unwrap();
    let second = users.create(desk.admin(), request.clone()).await.unwrap();
    assert_eq!((&first.user, &first.temporary_password), (&second.user, &second.temporary_password));
    let mut other = request.clone();
    other.user.as_mut().unwrap().display_name = "Somebody Else".to_owned();
    assert_eq!(reason(&users.create(desk.admin(), other).await), "REQUEST_ID_REUSED");

    let ended =
        Access { active: false, epoch: 2, ..World::access(&desk.customer.customer_id, &desk.partner.organization_id) };
    desk.world.grant_access(ended.clone()).await;
    assert_eq!(
        reason(&users.create(desk.admin(), request.clone()).await),
        "NOT_FOUND",
        "not to who is no longer allowed"
    );
    desk.world.grant_access(Access { active: true, epoch: 3, ..ended }).await;
    desk.world.sign_in(&first.user.unwrap().sign_in_name, &first.temporary_password).await;
    let late = users.create(desk.admin(), request).await;
    assert_eq!(outcome(&late), (Code::FailedPrecondition, "CREDENTIALS_ALREADY_DELIVERED".to_owned()));
}

#[rstest]
#[tokio::test]
async fn a_sign_in_name_is_taken_in_every_letter_case_whosever_it_is(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let desk = Desk::open(kind).await;
    let mut users = desk.users().await;
    let mut request = World::creation(&desk.customer, &[]);
    users.create(desk.admin(), request.clone()).await.unwrap();
    request.request_id = Uuid::now_v7().to_string();
    let user = request.user.as_mut().unwrap();
    user.sign_in_name = user.sign_in_name.to_uppercase();
    let taken = users.create(desk.admin(), request).await;
    assert_eq!(outcome(&taken), (Code::AlreadyExists, "USER_PRINCIPAL_NAME_TAKEN".to_owned()));
}

#[rstest]
#[tokio::test]
async fn a_sign_in_name_lies_in_a_domain_of_the_customer(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let desk = Desk::open(kind).await;
    let neighbor = desk.world.served_by(&desk.partner.organization_id).await;
    for domain in [neighbor.domain.as_str(), desk.partner.domain.as_str(), "contoso.example"] {
        let mut request = World::creation(&desk.customer, &[]);
        request.user.as_mut().unwrap().sign_in_name = format!("uma@{domain}");
        let refused = desk.users().await.create(desk.admin(), request).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
        let info = refused.get_details_error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.metadata["domain"].as_str()), ("DOMAIN_NOT_OWNED_BY_CUSTOMER", domain));
    }
}

#[rstest]
#[tokio::test]
async fn all_that_is_wrong_with_a_creation_is_told_at_once(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let desk = Desk::open(kind).await;
    let mut request = World::creation(&desk.customer, &[Role::GlobalAdmin, Role::ServiceAdmin]);
    let user = request.user.as_mut().unwrap();
    user.display_name = " ".to_owned();
    user.first_name = "é".repeat(51);
    user.last_name = "a\nb".to_owned();
    user.sign_in_name = "nobody".to_owned();
    user.usage_location = "UK".to_owned();
    let refused = desk.users().await.create(desk.admin(), request).await.unwrap_err();
    let violations = refused.get_details_bad_request().unwrap().field_violations;
    let told: Vec<_> =
        violations.iter().map(|violation| (violation.field.as_str(), violation.reason.as_str())).collect();
    assert_eq!(
        told,
        [
            ("user.display_name", "REQUIRED"),
            ("user.first_name", "TOO_LONG"),
            ("user.last_name", "MALFORMED"),
            ("user.sign_in_name", "MALFORMED"),
            ("user.usage_location", "COUNTRY_UNKNOWN"),
            ("user.roles", "MALFORMED"),
        ]
    );
    let partners = desk.users().await.create(desk.admin(), World::creation(&desk.customer, &[Role::AdminAgent])).await;
    assert_eq!(reason(&partners), "UNKNOWN_VALUE");
    let empty = desk.users().await.create(desk.admin(), Default::default()).await;
    assert_eq!(outcome(&empty).0, Code::InvalidArgument);
}

#[rstest]
#[tokio::test]
async fn names_of_fifty_characters_and_no_location_are_enough(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let desk = Desk::open(kind).await;
    let mut request = World::creation(&desk.customer, &[]);
    let user = request.user.as_mut().unwrap();
    user.display_name = "é".repeat(50);
    (user.first_name, user.last_name, user.usage_location) = ("x".repeat(50), String::new(), String::new());
    let made = desk.users().await.create(desk.admin(), request).await.unwrap().user.unwrap();
    assert_eq!((made.first_name.len(), made.last_name.as_str(), made.usage_location.as_str()), (50, "", ""));
}

#[rstest]
#[tokio::test]
async fn a_suspended_customer_gets_no_new_users(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let desk = Desk::open(kind).await;
    let mut tx = desk.world.identity.db().await.write().await.unwrap();
    let id: Uuid = desk.customer.customer_id.parse().unwrap();
    let suspend = tx.sql("UPDATE organizations SET state = 'SUSPENDED' WHERE organization_id = $1").bind(id);
    assert_eq!(suspend.execute().await.unwrap(), 1);
    tx.commit().await.unwrap();
    let refused = desk.users().await.create(desk.admin(), World::creation(&desk.customer, &[])).await;
    assert_eq!(outcome(&refused), (Code::FailedPrecondition, "ACCOUNT_SUSPENDED".to_owned()));
    let session = desk.world.sign_in(&desk.customer.admin_sign_in_name, &desk.customer.temporary_password).await;
    assert!(session.must_change_password, "its members may sign in");
}

#[rstest]
#[tokio::test]
async fn a_dry_creation_checks_everything_and_makes_nothing(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let desk = Desk::open(kind).await;
    let mut users = desk.users().await;
    let mut request = World::creation(&desk.customer, &[Role::GlobalAdmin]);
    request.validate_only = true;
    let dry = users.create(desk.admin(), request.clone()).await.unwrap();
    assert_eq!(dry.temporary_password, "");
    let user = dry.user.unwrap();
    assert_eq!((user.user_id.as_str(), user.etag.as_str()), ("", ""));
    assert_eq!(user.sign_in_name, request.user.as_ref().unwrap().sign_in_name);
    assert_eq!(users.list(desk.admin(), all_of(&desk.customer)).await.unwrap().users.len(), 1);
    let agent = desk.world.hire(&desk.partner, &[Role::SalesAgent]).await.session.access_token;
    assert_eq!(reason(&users.create(&agent, request.clone()).await), "TARGET_IS_ADMIN");
    request.user.as_mut().unwrap().sign_in_name = desk.customer.admin_sign_in_name.clone();
    assert_eq!(reason(&users.create(desk.admin(), request).await), "USER_PRINCIPAL_NAME_TAKEN");
}

#[rstest]
#[tokio::test]
async fn a_creation_stands_in_the_partners_journal_and_the_customer_reads_it_too(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let desk = Desk::open(kind).await;
    let mut creation = World::creation(&desk.customer, &[Role::ServiceAdmin]);
    creation.user.as_mut().unwrap().display_name = r#"Zoë "Zo" O'Neil A \ ☃"#.to_owned();
    let made = desk.users().await.create(desk.admin(), creation).await.unwrap();
    let (user, customer) = (made.user.unwrap(), &desk.customer);
    let theirs = desk.world.replace_password(&customer.admin_sign_in_name, &customer.temporary_password).await;
    let mut audit = AuditServiceClient::new(desk.world.to_identity().await);
    for token in [desk.admin(), theirs.access_token.as_str()] {
        let request = ListAuditEntriesRequest { action_prefix: "UserCreated".to_owned(), ..Default::default() };
        let entries = audit.list_audit_entries(authorized(token, request)).await.unwrap().into_inner().entries;
        let about: Vec<_> = entries.iter().filter(|entry| entry.target_id == user.user_id).collect();
        assert_eq!(about.len(), 1);
        assert_eq!(about[0].organization_id, desk.partner.organization_id);
        assert_eq!(about[0].customer_id, customer.customer_id);
        assert_eq!(about[0].actor_id, desk.partner.admin_user_id);
        let change = |field: &str| about[0].changes.iter().find(|change| change.field == field).unwrap().after.clone();
        assert_eq!((change("roles"), change("sign_in_name")), ("SERVICE_ADMIN".to_owned(), user.sign_in_name.clone()));
        assert_eq!(change("display_name"), user.display_name, "as it was written");
        assert!(!format!("{about:?}").contains(&made.temporary_password));
    }
    let tables = dump(&desk.world.identity.db().await).await;
    assert_eq!(tables.tables_with(made.temporary_password.as_bytes()), Vec::<&str>::new());
}

#[rstest]
#[tokio::test]
async fn what_was_refused_at_a_customer_is_read_there_unless_the_caller_may_do_nothing_there(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let desk = Desk::open(kind).await;
    let mut users = desk.users().await;
    let mut taken = World::creation(&desk.customer, &[]);
    taken.user.as_mut().unwrap().sign_in_name = desk.customer.admin_sign_in_name.clone();
    assert_eq!(reason(&users.create(desk.admin(), taken.clone()).await), "USER_PRINCIPAL_NAME_TAKEN");
    let stranger = desk.world.register().await;
    let foreign = CreateUserRequest { request_id: fresh(), ..taken };
    assert_eq!(reason(&users.create(&stranger.session.access_token, foreign).await), "NOT_FOUND");
    let customer = &desk.customer;
    let theirs = desk.world.replace_password(&customer.admin_sign_in_name, &customer.temporary_password).await;
    let request = ListAuditEntriesRequest { action_prefix: "CreateUser".to_owned(), ..Default::default() };
    let mut audit = AuditServiceClient::new(desk.world.to_identity().await);
    let entries =
        audit.list_audit_entries(authorized(&theirs.access_token, request)).await.unwrap().into_inner().entries;
    let told: Vec<(&str, &str)> =
        entries.iter().map(|entry| (entry.organization_id.as_str(), entry.reason.as_str())).collect();
    assert_eq!(told, [(desk.partner.organization_id.as_str(), "USER_PRINCIPAL_NAME_TAKEN")]);
    assert_eq!(entries[0].customer_id, customer.customer_id);
}
