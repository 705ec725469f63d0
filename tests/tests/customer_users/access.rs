//! Who may, whom they see, and what the customer has to have granted (C1, C19, C22, C24, C30, C32).

use proto::identity::v1::registration_service_client::RegistrationServiceClient;
use proto::identity::v1::{Cloud, ListUsersRequest, Role};
use proto::partner::v1::Access;
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{Customer, PASSWORD, World, dump};
use tonic::{Code, Status};
use uuid::Uuid;

use super::{Desk, Users, all_of, outcome, reason};

/// How the three calls about a customer are answered.
async fn answers(users: &mut Users, token: &str, customer: &Customer) -> [(Code, String); 3] {
    let get = users.get(token, &customer.customer_id, &customer.admin_user_id).await;
    let list = users.list(token, all_of(customer)).await;
    let create = users.create(token, World::creation(customer, &[])).await;
    [outcome(&get), outcome(&list), outcome(&create)]
}

fn three(code: Code, reason: &str) -> [(Code, String); 3] {
    [(code, reason.to_owned()), (code, reason.to_owned()), (code, reason.to_owned())]
}

#[rstest]
#[tokio::test]
async fn what_a_partner_user_may_grant_a_customers_user_is_a_matter_of_roles(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let desk = Desk::open(kind).await;
    let mut users = desk.users().await;
    let custom = [Role::UserManagementAdmin, Role::PasswordAdmin, Role::ServiceAdmin];
    let (any, three, none) = (["OK"; 3], ["OK", "OK", "TARGET_IS_ADMIN"], ["OK", "TARGET_IS_ADMIN", "TARGET_IS_ADMIN"]);
    let nothing = ["ROLE_NOT_ALLOWED"; 3];
    let cases: [(&[Role], _); 9] = [
        (&[Role::GlobalAdmin], any),
        (&[Role::AdminAgent], any),
        (&[Role::UserManagementAdmin], three),
        (&[Role::SalesAgent], none),
        (&[Role::HelpdeskAgent], none),
        (&[Role::SalesAgent, Role::HelpdeskAgent], none),
        (&[Role::HelpdeskAgent, Role::UserManagementAdmin], three),
        (&[Role::BillingAdmin], nothing),
        (&[], nothing),
    ];
    for (roles, expected) in cases {
        let token = desk.world.hire(&desk.partner, roles).await.session.access_token;
        let mut found = Vec::new();
        for wanted in [&[][..], &custom, &[Role::GlobalAdmin]] {
            found.push(reason(&users.create(&token, World::creation(&desk.customer, wanted)).await));
        }
        assert_eq!(found, expected, "{roles:?}");
        let reads = reason(&users.list(&token, all_of(&desk.customer)).await);
        assert_eq!(reads, expected[0], "{roles:?} look at whom they may make a plain user");
    }
}

#[rstest]
#[tokio::test]
async fn a_customer_without_a_relationship_answers_like_an_unknown_one_and_changes_no_row(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let (partner, other) = (world.register().await, world.register().await);
    let served = world.served_by(&other.organization_id).await;
    let unknown = Customer { customer_id: Uuid::now_v7().to_string(), ..served.clone() };
    // Organizations that are no customers are none here either, not even one's own.
    let own = Customer { customer_id: partner.organization_id.clone(), ..served.clone() };
    let token = &partner.session.access_token;
    let mut users = Users::of(&world).await;
    let before = dump(&world.identity.db().await).await;
    let words = |status: Status, id: &str| status.message().replace(id, "it");
    let mut told = Vec::new();
    for customer in [&served, &unknown, &own] {
        assert_eq!(answers(&mut users, token, customer).await, three(Code::NotFound, "NOT_FOUND"));
        let refused = users.list(token, all_of(customer)).await.unwrap_err();
        told.push(words(refused, &customer.customer_id));
    }
    assert!(told.iter().all(|words| *words == told[0]), "{told:?}");
    let after = dump(&world.identity.db().await).await;
    for table in ["users", "user_roles", "accesses", "intents", "organizations"] {
        assert_eq!(before.rows(table), after.rows(table), "{table}");
    }
}

#[rstest]
#[tokio::test]
async fn an_ended_relationship_hides_the_customer_and_delegated_admin_alone_does_not_show_it(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let desk = Desk::open(kind).await;
    let mut users = desk.users().await;
    let access = World::access(&desk.customer.customer_id, &desk.partner.organization_id);
    desk.world.grant_access(Access { active: false, delegated_admin: true, epoch: 2, ..access.clone() }).await;
    assert_eq!(answers(&mut users, desk.admin(), &desk.customer).await, three(Code::NotFound, "NOT_FOUND"));
    desk.world.grant_access(Access { epoch: 1, ..access.clone() }).await;
    assert_eq!(answers(&mut users, desk.admin(), &desk.customer).await, three(Code::NotFound, "NOT_FOUND"), "too late");
    desk.world.grant_access(Access { epoch: 3, ..access }).await;
    assert_eq!(answers(&mut users, desk.admin(), &desk.customer).await, three(Code::Ok, "OK"), "reinstated");
}

#[rstest]
#[tokio::test]
async fn without_delegated_admin_a_customer_is_seen_and_its_users_are_not(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let desk = Desk::open(kind).await;
    let access = World::access(&desk.customer.customer_id, &desk.partner.organization_id);
    desk.world.grant_access(Access { delegated_admin: false, order_right: true, epoch: 2, ..access }).await;
    let mut users = desk.users().await;
    let refused = answers(&mut users, desk.admin(), &desk.customer).await;
    assert_eq!(refused, three(Code::PermissionDenied, "DELEGATED_ADMIN_REQUIRED"));
    let billing = desk.world.hire(&desk.partner, &[Role::BillingAdmin]).await.session.access_token;
    let refused = answers(&mut users, &billing, &desk.customer).await;
    assert_eq!(refused, three(Code::PermissionDenied, "ROLE_NOT_ALLOWED"), "roles come first");
}

#[rstest]
#[tokio::test]
async fn another_customers_user_answers_like_nobody(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let desk = Desk::open(kind).await;
    let neighbor = desk.world.served_by(&desk.partner.organization_id).await;
    let mut users = desk.users().await;
    let customer_id = &desk.customer.customer_id;
    for id in [&neighbor.admin_user_id, &desk.partner.admin_user_id, &Uuid::now_v7().to_string()] {
        let refused = users.get(desk.admin(), customer_id, id).await.unwrap_err();
        assert_eq!(refused.message(), format!("no user {id} is visible to you"));
    }
    users.get(desk.admin(), &neighbor.customer_id, &neighbor.admin_user_id).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_customers_own_global_admin_looks_at_everybody_and_its_other_users_at_themselves(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let desk = Desk::open(kind).await;
    let mut users = desk.users().await;
    let (customer, world) = (&desk.customer, desk.world);
    let neighbor = world.served_by(&desk.partner.organization_id).await;
    let made = users.create(desk.admin(), World::creation(customer, &[Role::UserManagementAdmin])).await.unwrap();
    let person = made.user.unwrap();

    let admin = world.replace_password(&customer.admin_sign_in_name, &customer.temporary_password).await.access_token;
    assert_eq!(users.list(&admin, all_of(customer)).await.unwrap().users.len(), 2);
    users.get(&admin, &customer.customer_id, &person.user_id).await.unwrap();
    let create = users.create(&admin, World::creation(customer, &[])).await;
    assert_eq!(outcome(&create), (Code::PermissionDenied, "ORGANIZATION_KIND_NOT_ALLOWED".to_owned()));
    assert_eq!(reason(&users.list(&admin, all_of(&neighbor)).await), "NOT_FOUND");
    let foreign = users.get(&admin, &neighbor.customer_id, &neighbor.admin_user_id).await;
    assert_eq!(reason(&foreign), "NOT_FOUND");

    let plain = world.replace_password(&person.sign_in_name, &made.temporary_password).await.access_token;
    let oneself = users.get(&plain, &customer.customer_id, &person.user_id).await.unwrap();
    assert_eq!(oneself.sign_in_name, person.sign_in_name);
    for (customer_id, user_id) in [
        (&customer.customer_id, &customer.admin_user_id),
        (&customer.customer_id, &Uuid::now_v7().to_string()),
        (&neighbor.customer_id, &person.user_id),
    ] {
        assert_eq!(reason(&users.get(&plain, customer_id, user_id).await), "ROLE_NOT_ALLOWED");
    }
    assert_eq!(reason(&users.list(&plain, all_of(customer)).await), "ROLE_NOT_ALLOWED");
}

#[rstest]
#[tokio::test]
async fn an_operator_sees_no_customers_users(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let desk = Desk::open(kind).await;
    let operator = desk.world.operator().await;
    let refused = answers(&mut desk.users().await, &operator, &desk.customer).await;
    assert_eq!(refused, three(Code::PermissionDenied, "ORGANIZATION_KIND_NOT_ALLOWED"));
}

#[rstest]
#[tokio::test]
async fn in_the_us_government_cloud_there_are_no_customer_users(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let mut registration = World::registration();
    (registration.cloud, registration.country) = (Cloud::UsGovernment.into(), "US".to_owned());
    let mut client = RegistrationServiceClient::new(world.to_identity().await);
    let made = client.register_organization(registration).await.unwrap().into_inner();
    let government = made.organization.unwrap().organization_id;
    let token = world.sign_in(&made.admin_sign_in_name, PASSWORD).await.access_token;
    let mut preparation = World::preparation();
    preparation.organization.as_mut().unwrap().cloud = Cloud::UsGovernment.into();
    let customer = world.customer_of(preparation).await;
    world.grant_access(World::access(&customer.customer_id, &government)).await;
    let unknown = Customer { customer_id: Uuid::now_v7().to_string(), ..customer.clone() };
    let mut users = Users::of(world).await;
    for customer in [&customer, &unknown] {
        let refused = answers(&mut users, &token, customer).await;
        assert_eq!(refused, three(Code::FailedPrecondition, "NOT_AVAILABLE_IN_CLOUD"));
    }

    // A reference across the clouds is none, even where somebody told of one.
    let global = world.register().await;
    world.grant_access(World::access(&customer.customer_id, &global.organization_id)).await;
    let refused = answers(&mut users, &global.session.access_token, &customer).await;
    assert_eq!(refused, three(Code::NotFound, "NOT_FOUND"));
    let own = world.replace_password(&customer.admin_sign_in_name, &customer.temporary_password).await.access_token;
    let list = ListUsersRequest { customer_id: customer.customer_id, ..Default::default() };
    assert_eq!(reason(&users.list(&own, list).await), "NOT_AVAILABLE_IN_CLOUD");
}
