//! Programs that act for an organization (C3, C23, D-01, D-31).
#![expect(clippy::unwrap_used, reason = "a test fails where something is missing")]

use std::time::Duration;

use proto::common::v1::GetLimitsRequest;
use proto::common::v1::limits_service_client::LimitsServiceClient;
use proto::identity::v1::session_service_client::SessionServiceClient;
use proto::identity::v1::workload_service_client::WorkloadServiceClient;
use proto::identity::v1::{
    ChangePasswordRequest, CreateWorkloadRequest, DeleteWorkloadRequest, GetMeRequest, IssueTokenRequest,
    ListWorkloadsRequest, Role, RotateWorkloadSecretRequest, Workload, list_workloads_request,
};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{PASSWORD, Refused, World, authorized};
use tonic::transport::Channel;
use tonic::{Code, Status};
use uuid::Uuid;

type Workloads = WorkloadServiceClient<Channel>;

fn creation(name: &str, roles: &[Role]) -> CreateWorkloadRequest {
    CreateWorkloadRequest {
        display_name: name.to_owned(),
        roles: roles.iter().map(|role| i32::from(*role)).collect(),
        request_id: Uuid::now_v7().to_string(),
        validate_only: false,
    }
}

async fn create(client: &mut Workloads, token: &str, name: &str, roles: &[Role]) -> (Workload, String) {
    let made = client.create_workload(authorized(token, creation(name, roles))).await.unwrap().into_inner();
    (made.workload.unwrap(), made.client_secret)
}

async fn issue(client: &mut Workloads, id: &str, secret: &str, user: &str) -> Result<String, Status> {
    let request = IssueTokenRequest {
        workload_id: id.to_owned(),
        client_secret: secret.to_owned(),
        on_behalf_of_user_id: user.to_owned(),
    };
    client.issue_token(request).await.map(|answer| answer.into_inner().access_token)
}

fn words(refused: &(Code, String)) -> (Code, &str) {
    (refused.0, &refused.1)
}

#[rstest]
#[tokio::test]
async fn a_workload_signs_in_with_its_secret_and_acts_for_its_organization(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let home = world.register().await;
    let mut client = WorkloadServiceClient::new(world.to_identity().await);
    let (workload, secret) = create(&mut client, &home.session.access_token, "nightly", &[Role::BillingAdmin]).await;
    let token = issue(&mut client, &workload.workload_id, &secret, "").await.unwrap();
    let mut sessions = SessionServiceClient::new(world.to_identity().await);
    let me = sessions.get_me(authorized(&token, GetMeRequest {})).await.unwrap().into_inner();
    assert!(me.workload);
    assert_eq!((me.principal_id, me.display_name), (workload.workload_id.clone(), "nightly".to_owned()));
    assert_eq!(me.organization.unwrap().organization_id, home.organization_id);
    assert_eq!(me.roles, [i32::from(Role::BillingAdmin)]);
    let mut limits = LimitsServiceClient::new(world.to_licensing().await);
    limits.get_limits(authorized(&token, GetLimitsRequest {})).await.unwrap();

    let refused =
        Refused::by(client.create_workload(authorized(&token, creation("child", &[Role::BillingAdmin]))).await);
    assert_eq!(words(&refused), (Code::PermissionDenied, "ROLE_NOT_ALLOWED"));
    let refused = Refused::by(issue(&mut client, &workload.workload_id, "not the secret", "").await);
    assert_eq!(words(&refused), (Code::Unauthenticated, "SIGN_IN_FAILED"));
    let change = ChangePasswordRequest { current_password: secret, new_password: PASSWORD.to_owned() };
    let refused = Refused::by(sessions.change_password(authorized(&token, change)).await);
    assert_eq!(words(&refused), (Code::PermissionDenied, "USER_REQUIRED"), "a workload has no password");
}

#[rstest]
#[tokio::test]
async fn acting_for_a_user_means_the_roles_of_both_and_only_within_the_organization(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let (home, other) = (world.register().await, world.register().await);
    let mut client = WorkloadServiceClient::new(world.to_identity().await);
    let roles = [Role::GlobalAdmin, Role::SalesAgent];
    let (workload, secret) = create(&mut client, &home.session.access_token, "helper", &roles).await;
    let token = issue(&mut client, &workload.workload_id, &secret, &home.admin_user_id).await.unwrap();
    let mut sessions = SessionServiceClient::new(world.to_identity().await);
    let me = sessions.get_me(authorized(&token, GetMeRequest {})).await.unwrap().into_inner();
    assert_eq!(me.roles, [i32::from(Role::GlobalAdmin)], "the user is no sales agent");
    assert_eq!(me.on_behalf_of_user_id, home.admin_user_id);

    let refused = Refused::by(issue(&mut client, &workload.workload_id, &secret, &other.admin_user_id).await);
    assert_eq!(words(&refused), (Code::Unauthenticated, "SIGN_IN_FAILED"));
}

#[rstest]
#[tokio::test]
async fn a_rotated_secret_and_a_deleted_workload_are_refused_everywhere(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let admin = world.register().await.session.access_token;
    let mut client = WorkloadServiceClient::new(world.to_identity().await);
    let (workload, first) = create(&mut client, &admin, "rotating", &[Role::SalesAgent]).await;
    let id = workload.workload_id;
    let old = issue(&mut client, &id, &first, "").await.unwrap();

    let stale = RotateWorkloadSecretRequest { workload_id: id.clone(), etag: "7".to_owned(), ..Default::default() };
    let refused = Refused::by(client.rotate_workload_secret(authorized(&admin, stale)).await);
    assert_eq!(words(&refused), (Code::Aborted, "ETAG_MISMATCH"));
    let rotate = RotateWorkloadSecretRequest { workload_id: id.clone(), etag: workload.etag, ..Default::default() };
    let rotated = client.rotate_workload_secret(authorized(&admin, rotate)).await.unwrap().into_inner();
    assert_eq!(issue(&mut client, &id, &first, "").await.unwrap_err().code(), Code::Unauthenticated);
    let token = issue(&mut client, &id, &rotated.client_secret, "").await.unwrap();
    let mut partner = LimitsServiceClient::new(world.to_partner().await);
    partner.get_limits(authorized(&token, GetLimitsRequest {})).await.unwrap();
    let refused = Refused::by(partner.get_limits(authorized(&old, GetLimitsRequest {})).await);
    assert_eq!(words(&refused), (Code::Unauthenticated, "UNAUTHENTICATED"));

    let delete = DeleteWorkloadRequest { workload_id: id.clone(), ..Default::default() };
    client.delete_workload(authorized(&admin, delete)).await.unwrap();
    let refused = Refused::by(partner.get_limits(authorized(&token, GetLimitsRequest {})).await);
    assert_eq!(words(&refused), (Code::Unauthenticated, "UNAUTHENTICATED"));
    assert_eq!(issue(&mut client, &id, &rotated.client_secret, "").await.unwrap_err().code(), Code::Unauthenticated);
}

#[rstest]
#[tokio::test]
async fn another_organization_s_workload_answers_like_an_unknown_one(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let (home, other) = (world.register().await, world.register().await);
    let mut client = WorkloadServiceClient::new(world.to_identity().await);
    let (workload, secret) = create(&mut client, &home.session.access_token, "mine", &[Role::SalesAgent]).await;
    let mut answers = Vec::new();
    for id in [workload.workload_id.clone(), Uuid::now_v7().to_string()] {
        let rotate = RotateWorkloadSecretRequest { workload_id: id.clone(), ..Default::default() };
        let rotated = client.rotate_workload_secret(authorized(&other.session.access_token, rotate)).await.unwrap_err();
        let delete = DeleteWorkloadRequest { workload_id: id.clone(), ..Default::default() };
        let deleted = client.delete_workload(authorized(&other.session.access_token, delete)).await.unwrap_err();
        // The messages differ in nothing but the id that was asked for.
        let of = |status: &Status| (Refused::of(status), status.message().replace(&id, "ID"));
        answers.push((of(&rotated), of(&deleted)));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].0.0.code, Code::NotFound);
    issue(&mut client, &workload.workload_id, &secret, "").await.expect("nothing was changed");
    let delete = DeleteWorkloadRequest { workload_id: workload.workload_id, ..Default::default() };
    client.delete_workload(authorized(&home.session.access_token, delete)).await.expect("its own may");
}

#[rstest]
#[tokio::test]
async fn a_role_of_another_kind_of_organization_and_a_taken_name_are_refused(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let admin = world.register().await.session.access_token;
    let mut client = WorkloadServiceClient::new(world.to_identity().await);
    for role in [Role::Operator, Role::ServiceAdmin] {
        let refused = Refused::by(client.create_workload(authorized(&admin, creation("odd", &[role]))).await);
        assert_eq!(words(&refused), (Code::PermissionDenied, "ROLE_NOT_GRANTABLE"));
    }
    create(&mut client, &admin, "Straße", &[Role::SalesAgent]).await;
    let again = creation("STRASSE", &[Role::SalesAgent]);
    let differs = client.create_workload(authorized(&admin, again)).await;
    assert!(differs.is_ok(), "names are folded by letter case, not by spelling");
    let refused =
        Refused::by(client.create_workload(authorized(&admin, creation("straße", &[Role::SalesAgent]))).await);
    assert_eq!(words(&refused), (Code::AlreadyExists, "WORKLOAD_NAME_TAKEN"));

    let operator = world.operator().await;
    let refused = Refused::by(client.create_workload(authorized(&operator, creation("op", &[Role::Operator]))).await);
    assert_eq!(words(&refused), (Code::PermissionDenied, "ORGANIZATION_KIND_NOT_ALLOWED"));
}

#[rstest]
#[tokio::test]
async fn a_list_is_walked_in_both_directions_from_both_ends(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let (home, other) = (world.register().await, world.register().await);
    let admin = &home.session.access_token;
    let mut client = WorkloadServiceClient::new(world.to_identity().await);
    let names = ["Ähre", "alpha", "Beta", "gamma", "Zeta", "élan", "omega"];
    for name in names {
        create(&mut client, admin, name, &[Role::SalesAgent]).await;
    }
    let mut expected: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    expected.sort_by_key(|name| identity::names::sort_key(name));

    let mut forward = Vec::new();
    let mut request = ListWorkloadsRequest { page_size: 3, ..Default::default() };
    loop {
        let page = client.list_workloads(authorized(admin, request.clone())).await.unwrap().into_inner();
        assert_eq!(page.previous_page_token.is_empty(), forward.is_empty());
        forward.extend(page.workloads.iter().map(|workload| workload.display_name.clone()));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(forward, expected);

    let mut backward: Vec<String> = Vec::new();
    let last = list_workloads_request::Seek::Last.into();
    let mut request = ListWorkloadsRequest { page_size: 3, seek: last, ..Default::default() };
    loop {
        let page = client.list_workloads(authorized(admin, request.clone())).await.unwrap().into_inner();
        let names = page.workloads.iter().map(|workload| workload.display_name.clone());
        backward.splice(0..0, names);
        if page.previous_page_token.is_empty() {
            break;
        }
        request.page_token = page.previous_page_token;
    }
    assert_eq!(backward, expected);

    let first = ListWorkloadsRequest { page_size: 3, ..Default::default() };
    let token = client.list_workloads(authorized(admin, first)).await.unwrap().into_inner().next_page_token;
    let stolen = ListWorkloadsRequest { page_size: 3, page_token: token, ..Default::default() };
    let refused = Refused::by(client.list_workloads(authorized(&other.session.access_token, stolen)).await);
    assert_eq!(words(&refused), (Code::InvalidArgument, "PAGE_TOKEN_INVALID"));
    let greedy = ListWorkloadsRequest { page_size: 1_001, ..Default::default() };
    let refused = Refused::by(client.list_workloads(authorized(admin, greedy)).await);
    assert_eq!(words(&refused), (Code::InvalidArgument, "OUT_OF_RANGE"));
}

#[rstest]
#[tokio::test]
async fn tokens_outlive_a_key_rotation_and_new_ones_are_signed_with_the_new_key(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    use proto::identity::v1::GetJwksRequest;
    use proto::identity::v1::key_service_client::KeyServiceClient;
    let world = World::start(kind).await;
    let home = world.register().await;
    let mut client = WorkloadServiceClient::new(world.to_identity().await);
    let (workload, secret) = create(&mut client, &home.session.access_token, "steady", &[Role::SalesAgent]).await;
    let mut keys = KeyServiceClient::new(world.to_identity().await);
    let mut kids = async || -> Vec<String> {
        let keys = keys.get_jwks(GetJwksRequest {}).await.unwrap().into_inner().keys;
        keys.into_iter().map(|key| key.kid).collect()
    };
    let before = kids().await;
    assert_eq!(before.len(), 1);

    // Ten minutes before the key's life is over, its successor is published and does not sign yet.
    world.clock.advance(Duration::from_secs(30 * 24 * 3600 - 500));
    identity::signing_key::rotate(world.identity.host()).await.unwrap();
    let during = kids().await;
    assert_eq!((during.len(), &during[0]), (2, &before[0]));
    let old = issue(&mut client, &workload.workload_id, &secret, "").await.unwrap();

    world.clock.advance(Duration::from_secs(580));
    identity::signing_key::rotate(world.identity.host()).await.unwrap();
    let stranger = issue(&mut client, &workload.workload_id, &secret, "").await.unwrap();
    let mut licensing = LimitsServiceClient::new(world.to_licensing().await);
    for token in [&old, &stranger] {
        licensing.get_limits(authorized(token, GetLimitsRequest {})).await.expect("both keys are accepted");
    }

    world.clock.advance(Duration::from_secs(700));
    identity::signing_key::rotate(world.identity.host()).await.unwrap();
    assert_eq!(kids().await, during[1..], "the old key is gone when its last token has expired");
}
