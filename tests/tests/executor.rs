//! What the executor does around every operation: dry runs and the journal (AS-111, AS-112).
#![expect(clippy::unwrap_used, reason = "a test fails where something is missing")]

use proto::common::v1::audit_entry::Outcome;
use proto::common::v1::audit_service_client::AuditServiceClient;
use proto::common::v1::{AuditEntry, ListAuditEntriesRequest};
use proto::identity::v1 as pb;
use proto::identity::v1::registration_service_client::RegistrationServiceClient;
use proto::identity::v1::workload_service_client::WorkloadServiceClient;
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{Dump, PASSWORD, Refused, World, authorized, dump};
use tonic::transport::Channel;
use tonic::{Code, Status};

type Workloads = WorkloadServiceClient<Channel>;

async fn workloads(world: &World) -> Workloads {
    WorkloadServiceClient::new(world.to_identity().await)
}

async fn create(
    client: &mut Workloads,
    token: &str,
    request: &pb::CreateWorkloadRequest,
) -> Result<pb::CreateWorkloadResponse, Status> {
    client.create_workload(authorized(token, request.clone())).await.map(tonic::Response::into_inner)
}

fn id(created: &pb::CreateWorkloadResponse) -> String {
    created.workload.as_ref().unwrap().workload_id.clone()
}

async fn issue(client: &mut Workloads, created: &pb::CreateWorkloadResponse) -> Result<(), Status> {
    let request = pb::IssueTokenRequest {
        workload_id: id(created),
        client_secret: created.client_secret.clone(),
        ..pb::IssueTokenRequest::default()
    };
    client.issue_token(request).await.map(drop)
}

fn words<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, String) {
    Refused::by(answer)
}

fn refusal(code: Code, reason: &str) -> (Code, String) {
    (code, reason.to_owned())
}

// Dry runs

#[rstest]
#[tokio::test]
async fn a_dry_run_answers_without_ids_secrets_and_etags_and_writes_nothing(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let (mut client, token) = (workloads(&world).await, world.register().await.session.access_token);
    let kept = create(&mut client, &token, &World::workload("kept")).await.unwrap();
    let before = everything(&world).await;

    let registration = pb::RegisterOrganizationRequest { validate_only: true, ..World::registration() };
    let mut registrations = RegistrationServiceClient::new(world.to_identity().await);
    let dry = registrations.register_organization(registration.clone()).await.unwrap().into_inner();
    let organization = dry.organization.unwrap();
    assert_eq!((dry.admin_user_id.as_str(), organization.organization_id.as_str()), ("", ""));
    assert_eq!((organization.etag.as_str(), organization.name), ("", registration.name));

    let dry =
        create(&mut client, &token, &pb::CreateWorkloadRequest { validate_only: true, ..World::workload("dry") }).await;
    let dry = dry.unwrap();
    let workload = dry.workload.unwrap();
    assert_eq!((dry.client_secret.as_str(), workload.workload_id.as_str(), workload.etag.as_str()), ("", "", ""));
    assert_eq!(workload.display_name, "dry");

    let rotation = pb::RotateWorkloadSecretRequest {
        workload_id: id(&kept),
        validate_only: true,
        ..pb::RotateWorkloadSecretRequest::default()
    };
    let dry = client.rotate_workload_secret(authorized(&token, rotation)).await.unwrap().into_inner();
    let workload = dry.workload.unwrap();
    assert_eq!((dry.client_secret.as_str(), workload.etag.as_str()), ("", ""));
    assert_eq!(workload.workload_id, id(&kept), "this id was not made by the dry run");

    let deletion = pb::DeleteWorkloadRequest {
        workload_id: id(&kept),
        validate_only: true,
        ..pb::DeleteWorkloadRequest::default()
    };
    client.delete_workload(authorized(&token, deletion)).await.unwrap();
    assert_eq!(changes(&before, &everything(&world).await), [""; 0]);
    issue(&mut client, &kept).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_dry_run_is_refused_as_the_call_would_be_and_leaves_no_trace(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let (mut client, token) = (workloads(&world).await, world.register().await.session.access_token);
    let request = World::workload("import");
    create(&mut client, &token, &request).await.unwrap();
    let before = everything(&world).await;
    // Its request_id is ignored: the reply of the real call is not replayed.
    let taken = pb::CreateWorkloadRequest { validate_only: true, ..request };
    let refused = create(&mut client, &token, &taken).await;
    assert_eq!(words(refused), refusal(Code::AlreadyExists, "WORKLOAD_NAME_TAKEN"));
    let operator = pb::CreateWorkloadRequest { roles: vec![pb::Role::Operator.into()], ..taken };
    let refused = create(&mut client, &token, &operator).await;
    assert_eq!(words(refused), refusal(Code::PermissionDenied, "ROLE_NOT_GRANTABLE"));
    assert_eq!(changes(&before, &everything(&world).await), [""; 0]);
}

async fn everything(world: &World) -> [Dump; 3] {
    [
        dump(&world.identity.db().await).await,
        dump(&world.licensing.db().await).await,
        dump(&world.partner.db().await).await,
    ]
}

fn changes<'d>(before: &'d [Dump; 3], after: &'d [Dump; 3]) -> Vec<&'d str> {
    before.iter().zip(after).flat_map(|(before, after)| before.changed(after)).collect()
}

// The journal

async fn entries(world: &World, token: &str) -> Vec<AuditEntry> {
    let mut client = AuditServiceClient::new(world.to_identity().await);
    let answer = client.list_audit_entries(authorized(token, ListAuditEntriesRequest::default())).await.unwrap();
    answer.into_inner().entries
}

/// Actions, outcomes and reasons, newest first.
fn told(entries: &[AuditEntry]) -> Vec<(&str, Outcome, &str)> {
    entries.iter().map(|entry| (entry.action.as_str(), entry.outcome(), entry.reason.as_str())).collect()
}

#[rstest]
#[tokio::test]
async fn every_call_that_changes_or_fails_has_one_entry_and_no_other_has_any(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let registered = world.register().await;
    let (mut client, token) = (workloads(world).await, registered.session.access_token.clone());
    let beginning = [
        ("SignedIn", Outcome::Succeeded, ""),
        ("OrganizationRegistered", Outcome::Succeeded, ""),
        ("UserCreated", Outcome::Succeeded, ""),
    ];
    assert_eq!(told(&entries(world, &token).await), beginning);

    let request = World::workload("import");
    let made = create(&mut client, &token, &request).await.unwrap();
    create(&mut client, &token, &request).await.unwrap();
    create(&mut client, &token, &World::workload("import")).await.unwrap_err();
    client.list_workloads(authorized(&token, pb::ListWorkloadsRequest::default())).await.unwrap();
    let unreadable = pb::ListWorkloadsRequest { page_size: -1, ..pb::ListWorkloadsRequest::default() };
    client.list_workloads(authorized(&token, unreadable)).await.unwrap_err();
    create(&mut client, &token, &pb::CreateWorkloadRequest { validate_only: true, ..World::workload("dry") })
        .await
        .unwrap();
    create(&mut client, &token, &pb::CreateWorkloadRequest { display_name: String::new(), ..World::workload("") })
        .await
        .unwrap_err();
    let mut expected = vec![
        ("CreateWorkload", Outcome::Failed, "REQUIRED"),
        ("CreateWorkload", Outcome::Failed, "WORKLOAD_NAME_TAKEN"),
        ("WorkloadCreated", Outcome::Succeeded, ""),
    ];
    expected.extend(beginning);
    let found = entries(world, &token).await;
    assert_eq!(told(&found), expected);
    let entry = &found[2];
    assert_eq!((entry.actor_id.as_str(), entry.actor_kind.as_str()), (registered.admin_user_id.as_str(), "user"));
    assert_eq!((entry.target_kind.as_str(), entry.target_id.as_str()), ("workload", id(&made).as_str()));
    assert_eq!(entry.organization_id, registered.organization_id);
    let text = format!("{found:?}");
    assert!(!text.contains(&made.client_secret) && !text.contains(PASSWORD));
}

#[rstest]
#[tokio::test]
async fn a_refused_caller_is_named_in_the_journal_of_their_organization(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let registered = world.register().await;
    let (mut client, token) = (workloads(world).await, registered.session.access_token.clone());
    // A workload holds its own roles only, and none of them manages workloads.
    let made = create(&mut client, &token, &World::workload("import")).await.unwrap();
    let request = pb::IssueTokenRequest {
        workload_id: id(&made),
        client_secret: made.client_secret.clone(),
        on_behalf_of_user_id: registered.admin_user_id.clone(),
    };
    let issued = client.issue_token(request).await.unwrap().into_inner();
    let refused = create(&mut client, &issued.access_token, &World::workload("another")).await;
    assert_eq!(words(refused), refusal(Code::PermissionDenied, "ROLE_NOT_ALLOWED"));
    let found = entries(world, &token).await;
    assert_eq!(told(&found)[0], ("CreateWorkload", Outcome::Failed, "ROLE_NOT_ALLOWED"));
    assert_eq!((found[0].actor_id.clone(), found[0].actor_kind.as_str()), (id(&made), "workload"));
    assert_eq!(found[0].on_behalf_of_user_id, registered.admin_user_id);
}
