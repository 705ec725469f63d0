//! Adding users (D-25, O-15, AS-69), the way in that they get (D-13, D-14, AS-09), and what a dry run shows of it.

use proto::common::v1::ListAuditEntriesRequest;
use proto::common::v1::audit_service_client::AuditServiceClient;
use proto::identity::v1::registration_service_client::RegistrationServiceClient;
use proto::identity::v1::session_service_client::SessionServiceClient;
use proto::identity::v1::{ChangePasswordRequest, Cloud, Role, partner_user};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{PASSWORD, World, authorized};
use tonic::Code;
use tonic_types::StatusExt;
use uuid::Uuid;

use super::{Office, Users, outcome, reason, removal_of, reset_of, roles_of};

#[rstest]
#[tokio::test]
async fn an_added_user_has_the_roles_and_a_way_in_that_is_shown_once(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let office = Office::open(kind).await;
    let mut users = office.users().await;
    let request = World::addition(&office.registered, &[Role::SalesAgent, Role::BillingAdmin, Role::SalesAgent]);
    let added = users.add(office.admin(), request.clone()).await.unwrap();
    assert_eq!(added.temporary_password.len(), 20);
    assert!(added.temporary_password_expire_time.is_some());
    let user = added.user.unwrap();
    assert_eq!(user.sign_in_name, request.sign_in_name);
    assert_eq!(user.roles, [Role::BillingAdmin as i32, Role::SalesAgent as i32], "a set, in the order of the enum");
    assert_eq!(user.state, i32::from(partner_user::State::Active));
    assert!(user.must_change_password);
    assert_eq!(users.get(office.admin(), &user.user_id).await.unwrap(), user, "and no field for a password");
}

#[rstest]
#[tokio::test]
async fn a_temporary_password_opens_the_account_for_a_new_password_and_dies(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let office = Office::open(kind).await;
    let mut users = office.users().await;
    let added = users.add(office.admin(), World::addition(&office.registered, &[Role::AdminAgent])).await.unwrap();
    let (user, temporary) = (added.user.unwrap(), added.temporary_password);

    let session = office.world.sign_in(&user.sign_in_name, &temporary).await;
    assert!(session.must_change_password && session.refresh_token.is_empty());
    let early = users.get(&session.access_token, &user.user_id).await;
    assert_eq!(outcome(&early), (Code::FailedPrecondition, "PASSWORD_CHANGE_REQUIRED".to_owned()));

    let mut sessions = SessionServiceClient::new(office.world.to_identity().await);
    let change =
        |new: &str| ChangePasswordRequest { current_password: temporary.clone(), new_password: new.to_owned() };
    let same = sessions.change_password(authorized(&session.access_token, change(&temporary))).await;
    assert_eq!(reason(&same), "PASSWORD_UNCHANGED");
    let changed = sessions.change_password(authorized(&session.access_token, change(PASSWORD))).await.unwrap();
    let token = changed.into_inner().session.unwrap().access_token;
    assert!(!users.get(&token, &user.user_id).await.unwrap().must_change_password);

    let again = office.world.try_sign_in(&user.sign_in_name, &temporary).await;
    assert_eq!(outcome(&again), (Code::Unauthenticated, "SIGN_IN_FAILED".to_owned()));
    assert!(!office.world.sign_in(&user.sign_in_name, PASSWORD).await.must_change_password);
}

#[rstest]
#[tokio::test]
async fn repeating_the_request_shows_the_same_password_until_it_is_used(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let office = Office::open(kind).await;
    let mut users = office.users().await;
    let request = World::addition(&office.registered, &[Role::HelpdeskAgent]);
    let first = users.add(office.admin(), request.clone()).await.unwrap();
    let second = users.add(office.admin(), request.clone()).await.unwrap();
    assert_eq!((&first.user, &first.temporary_password), (&second.user, &second.temporary_password));

    let mut other = request.clone();
    other.display_name = "Somebody Else".to_owned();
    assert_eq!(reason(&users.add(office.admin(), other).await), "REQUEST_ID_REUSED");

    let name = first.user.unwrap().sign_in_name;
    office.world.sign_in(&name, &first.temporary_password).await;
    let late = users.add(office.admin(), request).await;
    assert_eq!(outcome(&late), (Code::FailedPrecondition, "CREDENTIALS_ALREADY_DELIVERED".to_owned()));
}

#[rstest]
#[tokio::test]
async fn a_repeated_request_shows_nothing_to_somebody_who_may_no_longer_ask(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let office = Office::open(kind).await;
    let mut users = office.users().await;
    let asker = office.world.hire(&office.registered, &[Role::GlobalAdmin]).await;
    let request = World::addition(&office.registered, &[Role::BillingAdmin]);
    users.add(&asker.session.access_token, request.clone()).await.unwrap();
    users.update(office.admin(), roles_of(&asker.user_id, &[Role::UserManagementAdmin])).await.unwrap();
    let asker = office.world.sign_in(&asker.sign_in_name, PASSWORD).await;
    assert_eq!(reason(&users.add(&asker.access_token, request).await), "ROLE_NOT_GRANTABLE");
}

#[rstest]
#[tokio::test]
async fn a_sign_in_name_is_taken_in_every_letter_case_and_free_when_its_holder_is_removed(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let office = Office::open(kind).await;
    let mut users = office.users().await;
    let request = World::addition(&office.registered, &[Role::SalesAgent]);
    let added = users.add(office.admin(), request.clone()).await.unwrap();
    let mut shouted = World::addition(&office.registered, &[]);
    shouted.sign_in_name = request.sign_in_name.to_uppercase();
    let taken = users.add(office.admin(), shouted.clone()).await;
    assert_eq!(outcome(&taken), (Code::AlreadyExists, "USER_PRINCIPAL_NAME_TAKEN".to_owned()));

    users.remove(office.admin(), removal_of(&added.user.unwrap().user_id)).await.unwrap();
    let heir = users.add(office.admin(), shouted.clone()).await.unwrap();
    assert_eq!(heir.user.unwrap().sign_in_name.split('@').next(), shouted.sign_in_name.split('@').next());
    office.world.sign_in(&request.sign_in_name, &heir.temporary_password).await;
}

#[rstest]
#[tokio::test]
async fn a_name_in_a_domain_of_others_is_refused(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let office = Office::open(kind).await;
    let mut users = office.users().await;
    let neighbor = office.world.register().await;
    for domain in [neighbor.domain.as_str(), "nobody.example", &format!("mail.{}", office.registered.domain)] {
        let mut request = World::addition(&office.registered, &[]);
        request.sign_in_name = format!("ada@{domain}");
        let refused = users.add(office.admin(), request).await;
        assert_eq!(outcome(&refused), (Code::FailedPrecondition, "DOMAIN_NOT_OWNED".to_owned()), "{domain}");
        assert_eq!(refused.unwrap_err().get_details_error_info().unwrap().metadata["domain"], domain);
    }
}

#[rstest]
#[tokio::test]
async fn all_that_is_wrong_with_an_addition_is_told_at_once(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let office = Office::open(kind).await;
    let mut request = World::addition(&office.registered, &[Role::SalesAgent]);
    (request.display_name, request.sign_in_name) = (String::new(), "no at sign".to_owned());
    request.roles.push(99);
    let refused = office.users().await.add(office.admin(), request).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let fields = refused.get_details_bad_request().unwrap().field_violations;
    let fields: Vec<_> = fields.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["display_name", "sign_in_name", "roles[1]"]);
}

#[rstest]
#[tokio::test]
async fn a_suspended_partner_gets_no_new_users(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let office = Office::open(kind).await;
    let mut tx = office.world.identity.db().await.write().await.unwrap();
    let id: base::Id<()> = base::Id::parse(&office.registered.organization_id).unwrap();
    let suspend = tx.sql("UPDATE organizations SET state = 'SUSPENDED' WHERE organization_id = $1").bind(id);
    assert_eq!(suspend.execute().await.unwrap(), 1);
    tx.commit().await.unwrap();
    let refused = office.users().await.add(office.admin(), World::addition(&office.registered, &[])).await;
    assert_eq!(outcome(&refused), (Code::FailedPrecondition, "ACCOUNT_SUSPENDED".to_owned()));
}

#[rstest]
#[tokio::test]
async fn a_partner_in_the_us_government_cloud_has_users_too(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let mut registration = World::registration();
    (registration.cloud, registration.country) = (Cloud::UsGovernment.into(), "US".to_owned());
    let mut client = RegistrationServiceClient::new(world.to_identity().await);
    let made = client.register_organization(registration).await.unwrap().into_inner();
    let domain = made.organization.unwrap().domains[0].clone();
    let token = world.sign_in(&made.admin_sign_in_name, PASSWORD).await.access_token;

    let mut users = Users::of(world).await;
    let mut request = World::addition(&world.register().await, &[Role::AdminAgent]);
    request.sign_in_name = format!("bea@{domain}");
    let added = users.add(&token, request).await.unwrap();
    let user = added.user.unwrap();
    world.replace_password(&user.sign_in_name, &added.temporary_password).await;
    users.update(&token, roles_of(&user.user_id, &[Role::SalesAgent])).await.unwrap();
    users.reset(&token, reset_of(&user.user_id)).await.unwrap();
    users.remove(&token, removal_of(&user.user_id)).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_dry_run_checks_everything_makes_nothing_and_shows_no_secret(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let office = Office::open(kind).await;
    let mut users = office.users().await;
    let person = office.world.hire(&office.registered, &[Role::SalesAgent]).await;
    let before = users.get(office.admin(), &person.user_id).await.unwrap();

    let mut addition = World::addition(&office.registered, &[Role::SalesAgent]);
    addition.validate_only = true;
    let dry = users.add(office.admin(), addition.clone()).await.unwrap();
    assert_eq!(dry.temporary_password, "");
    let user = dry.user.unwrap();
    assert_eq!((user.user_id.as_str(), user.etag.as_str()), ("", ""));
    assert_eq!(user.sign_in_name, addition.sign_in_name);
    addition.sign_in_name = person.sign_in_name.to_uppercase();
    assert_eq!(reason(&users.add(office.admin(), addition.clone()).await), "USER_PRINCIPAL_NAME_TAKEN");

    let mut update = roles_of(&person.user_id, &[Role::HelpdeskAgent]);
    update.validate_only = true;
    let dry = users.update(office.admin(), update).await.unwrap();
    assert_eq!((dry.roles.as_slice(), dry.etag.as_str()), ([Role::HelpdeskAgent as i32].as_slice(), ""));
    let mut reset = reset_of(&person.user_id);
    reset.validate_only = true;
    assert_eq!(users.reset(office.admin(), reset).await.unwrap().temporary_password, "");
    let mut removal = removal_of(&person.user_id);
    removal.validate_only = true;
    users.remove(office.admin(), removal).await.unwrap();

    assert_eq!(users.get(&person.session.access_token, &person.user_id).await.unwrap(), before);
    let all = users.list(office.admin(), Default::default()).await.unwrap().users;
    assert_eq!(all.len(), 2, "the admin and the one who was hired");
}

#[rstest]
#[tokio::test]
async fn the_journal_tells_the_admins_what_was_done_to_whom_and_holds_no_secret(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let office = Office::open(kind).await;
    let mut users = office.users().await;
    let added = users.add(office.admin(), World::addition(&office.registered, &[Role::SalesAgent])).await.unwrap();
    let user = added.user.unwrap();
    users.update(office.admin(), roles_of(&user.user_id, &[Role::HelpdeskAgent])).await.unwrap();
    let reset = users.reset(office.admin(), reset_of(&user.user_id)).await.unwrap();
    users.remove(office.admin(), removal_of(&user.user_id)).await.unwrap();
    let unknown = removal_of(&Uuid::now_v7().to_string());
    users.remove(office.admin(), unknown).await.unwrap_err();

    let mut journal = AuditServiceClient::new(office.world.to_identity().await);
    let answer = journal.list_audit_entries(authorized(office.admin(), ListAuditEntriesRequest::default())).await;
    let entries = answer.unwrap().into_inner().entries;
    let about: Vec<_> = entries.iter().filter(|entry| entry.target_id == user.user_id).collect();
    let actions: Vec<_> = about.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(
        actions,
        ["PartnerUserRemoved", "PartnerUserPasswordReset", "PartnerUserRolesUpdated", "PartnerUserAdded"]
    );
    assert!(about.iter().all(|entry| entry.actor_id == office.registered.admin_user_id));
    let changes = |entry: &proto::common::v1::AuditEntry| -> Vec<(String, String, String)> {
        entry.changes.iter().map(|c| (c.field.clone(), c.before.clone(), c.after.clone())).collect()
    };
    let line = |field: &str, before: &str, after: &str| (field.to_owned(), before.to_owned(), after.to_owned());
    assert_eq!(changes(about[2]), [line("roles", "SALES_AGENT", "HELPDESK_AGENT")]);
    assert!(changes(about[3]).contains(&line("sign_in_name", "", &user.sign_in_name)));
    assert_eq!((entries[0].action.as_str(), entries[0].reason.as_str()), ("RemovePartnerUser", "NOT_FOUND"));
    let text = format!("{entries:?}");
    assert!(!text.contains(&added.temporary_password) && !text.contains(&reset.temporary_password));
}
