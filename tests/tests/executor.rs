//! What the executor does for every operation: replay, sealed secrets, dry runs, the journal (R-04, S-17, AS-111).

use std::sync::atomic::Ordering;
use std::time::Duration;

use prost::Message as _;
use proto::common::v1::audit_entry::Outcome;
use proto::common::v1::audit_service_client::AuditServiceClient;
use proto::common::v1::{AuditEntry, ListAuditEntriesRequest};
use proto::identity::v1 as pb;
use proto::identity::v1::registration_service_client::RegistrationServiceClient;
use proto::identity::v1::workload_service_client::WorkloadServiceClient;
use proto::identity::v1::workload_service_server::WorkloadService as _;
use rstest::rstest;
use testkit::database::{Database, Kind};
use tests::harness::proxy::Action;
use tests::shelf;
use tests::world::{Alone, Dump, PASSWORD, Refused, World, authorized, dump};
use tokio::task::JoinSet;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;

type Workloads = WorkloadServiceClient<Channel>;

async fn workloads(world: &World) -> Workloads {
    WorkloadServiceClient::new(world.to_identity().await)
}

fn creation(name: &str) -> pb::CreateWorkloadRequest {
    pb::CreateWorkloadRequest {
        display_name: name.to_owned(),
        roles: vec![pb::Role::AdminAgent.into()],
        request_id: Uuid::now_v7().to_string(),
        validate_only: false,
    }
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

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), future).await.unwrap_or_else(|_| panic!("not soon: {what}"))
}

fn words<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, String) {
    Refused::by(answer)
}

fn refusal(code: Code, reason: &str) -> (Code, String) {
    (code, reason.to_owned())
}

// Replay

#[rstest]
#[tokio::test]
async fn eight_copies_of_a_request_are_one_request_and_get_one_answer(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let request = World::registration();
    let mut copies = JoinSet::new();
    for _ in 0..8 {
        let (mut client, request) = (RegistrationServiceClient::new(world.to_identity().await), request.clone());
        copies.spawn(async move { client.register_organization(request).await.unwrap().into_inner() });
    }
    let first = copies.join_next().await.unwrap().unwrap();
    while let Some(copy) = copies.join_next().await {
        assert_eq!(copy.unwrap().encode_to_vec(), first.encode_to_vec());
    }
    let mut client = RegistrationServiceClient::new(world.to_identity().await);
    let late = client.register_organization(request).await.unwrap().into_inner();
    assert_eq!(late.encode_to_vec(), first.encode_to_vec());
    let organization = first.organization.unwrap();
    let found = dump(&world.identity.db).await;
    let named = |row: &&String| row.contains(&organization.domains[0]);
    assert_eq!(found.rows("organization_domains").iter().filter(named).count(), 1);
}

#[tokio::test]
async fn copies_that_reach_different_processes_are_one_request() {
    let alone = Alone::start(Kind::Postgres, 10).await;
    let (token, request, replica) = (alone.admin().await, creation("nightly import"), alone.replica().await);
    let mut copies = JoinSet::new();
    for number in 0..8 {
        let api = if number % 2 == 0 { alone.api.clone() } else { replica.clone() };
        let request = authorized(&token, request.clone());
        copies.spawn(async move { api.create_workload(request).await.unwrap().into_inner().encode_to_vec() });
    }
    let answers = copies.join_all().await;
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(dump(&alone.direct).await.rows("workloads").len(), 1);
}

#[tokio::test]
async fn a_copy_of_a_request_that_is_still_running_waits_a_second_and_holds_no_session() {
    let alone = Alone::start(Kind::Postgres, 2).await;
    let (token, request, replica) = (alone.admin().await, creation("nightly import"), alone.replica().await);
    let proxy = alone.proxy();
    proxy.on_statement("COMMIT", Action::HoldAnswer, 1);
    let send = |api: &identity::api::Api| {
        let (api, request) = (api.clone(), authorized(&token, request.clone()));
        tokio::spawn(async move { api.create_workload(request).await.map(tonic::Response::into_inner) })
    };
    let first = send(&alone.api);
    // The server has run it; what it locked is still locked for whoever cannot know.
    soon("the first one commits", proxy.wait_triggered(1)).await;
    let copies: Vec<_> = (0..3).map(|_| send(&alone.api)).collect();
    soon("another call", alone.api.list_workloads(authorized(&token, pb::ListWorkloadsRequest::default())))
        .await
        .unwrap();
    assert!(copies.iter().all(|copy| !copy.is_finished()), "the copies still wait");
    for copy in copies {
        let status = soon("the copy is told to come back", copy).await.unwrap().unwrap_err();
        assert_eq!(Refused::of(&status).reason, "REQUEST_IN_PROGRESS");
        assert_eq!(status.code(), Code::Aborted);
        assert!(status.get_details_retry_info().is_some_and(|info| info.retry_delay > Some(Duration::ZERO)));
    }
    let elsewhere = soon("another process knows", send(&replica)).await.unwrap().unwrap();
    proxy.release();
    let first = soon("the first one", first).await.unwrap().unwrap();
    assert_eq!(first.encode_to_vec(), elsewhere.encode_to_vec());
}

#[tokio::test]
async fn a_copy_in_another_process_waits_a_second_for_a_request_that_has_not_committed() {
    let alone = Alone::start(Kind::Postgres, 2).await;
    let (token, request, replica) = (alone.admin().await, creation("nightly import"), alone.replica().await);
    let proxy = alone.proxy();
    proxy.on_statement("INSERT INTO workloads", Action::HoldAnswer, 1);
    let (api, sent) = (alone.api.clone(), authorized(&token, request.clone()));
    let first = tokio::spawn(async move { api.create_workload(sent).await.map(tonic::Response::into_inner) });
    soon("the first one writes", proxy.wait_triggered(1)).await;
    let copy = soon("the copy", replica.create_workload(authorized(&token, request.clone()))).await;
    assert_eq!(words(copy), refusal(Code::Aborted, "REQUEST_IN_PROGRESS"));
    proxy.release();
    let first = soon("the first one", first).await.unwrap().unwrap();
    let copy = replica.create_workload(authorized(&token, request)).await.unwrap().into_inner();
    assert_eq!(copy.encode_to_vec(), first.encode_to_vec());
}

#[rstest]
#[tokio::test]
async fn a_request_id_means_one_body(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let (mut client, token) = (workloads(world).await, world.register().await.session.access_token);
    let request = creation("first");
    create(&mut client, &token, &request).await.unwrap();
    let other = pb::CreateWorkloadRequest { display_name: "second".to_owned(), ..request };
    let reused = create(&mut client, &token, &other).await;
    assert_eq!(words(reused), refusal(Code::InvalidArgument, "REQUEST_ID_REUSED"));
}

#[rstest]
#[tokio::test]
async fn a_request_id_of_somebody_else_is_another_request(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let mut client = workloads(world).await;
    let request = creation("nightly import");
    let mut made = Vec::new();
    for _ in 0..2 {
        let token = world.register().await.session.access_token;
        made.push(create(&mut client, &token, &request).await.unwrap());
    }
    assert_ne!(id(&made[0]), id(&made[1]));
    assert_ne!(made[0].client_secret, made[1].client_secret);
}

#[rstest]
#[tokio::test]
async fn a_refused_request_can_be_made_again(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let (mut client, token) = (workloads(world).await, world.register().await.session.access_token);
    let taken = create(&mut client, &token, &creation("import")).await.unwrap();
    let request = creation("import");
    let refused = create(&mut client, &token, &request).await;
    assert_eq!(words(refused), refusal(Code::AlreadyExists, "WORKLOAD_NAME_TAKEN"));
    let deletion = pb::DeleteWorkloadRequest { workload_id: id(&taken), ..pb::DeleteWorkloadRequest::default() };
    client.delete_workload(authorized(&token, deletion)).await.unwrap();
    create(&mut client, &token, &request).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_repeated_request_is_not_prepared_again(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let database = Database::migrated(kind, &shelf::migrations()).await;
    let db = database.open().await;
    let (host, book) = (shelf::host(db.clone(), 8, None), shelf::build(&db).await);
    let id = Uuid::now_v7().to_string();
    for _ in 0..3 {
        let mut request = shelf::request(book);
        id.clone_into(&mut request.get_mut().request_id);
        assert_eq!(shelf::add(&host, request).await.unwrap(), 1);
    }
    assert_eq!(host.service.prepared.load(Ordering::Relaxed), 1);
}

#[rstest]
#[tokio::test]
async fn a_refusal_that_was_committed_is_not_replayed_as_a_success(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let database = Database::migrated(kind, &shelf::migrations()).await;
    let db = database.open().await;
    let (host, book) = (shelf::host(db.clone(), 8, None), shelf::build(&db).await);
    let id = Uuid::now_v7().to_string();
    for books in 1..=2 {
        let mut request = shelf::request(book);
        id.clone_into(&mut request.get_mut().request_id);
        shelf::REFUSE_AFTER_COMMIT.clone_into(&mut request.get_mut().admin_name);
        assert_eq!(words(shelf::add(&host, request).await), refusal(Code::FailedPrecondition, "SHELF_FULL"));
        assert_eq!(shelf::books(&db, book).await, books);
    }
}

// Secrets that are shown once

#[rstest]
#[tokio::test]
async fn a_secret_is_replayed_until_it_is_used(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let (mut client, token) = (workloads(world).await, world.register().await.session.access_token);
    let request = creation("import");
    let first = create(&mut client, &token, &request).await.unwrap();
    let again = create(&mut client, &token, &request).await.unwrap();
    assert_eq!(first.encode_to_vec(), again.encode_to_vec());
    issue(&mut client, &again).await.unwrap();
    let late = create(&mut client, &token, &request).await;
    assert_eq!(words(late), refusal(Code::FailedPrecondition, "CREDENTIALS_ALREADY_DELIVERED"));
}

#[rstest]
#[tokio::test]
async fn a_secret_is_replayed_until_it_is_replaced(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let (mut client, token) = (workloads(world).await, world.register().await.session.access_token);
    let request = creation("import");
    let first = create(&mut client, &token, &request).await.unwrap();
    let rotation = pb::RotateWorkloadSecretRequest {
        workload_id: id(&first),
        request_id: Uuid::now_v7().to_string(),
        ..pb::RotateWorkloadSecretRequest::default()
    };
    let rotated = client.rotate_workload_secret(authorized(&token, rotation.clone())).await.unwrap().into_inner();
    let late = create(&mut client, &token, &request).await;
    assert_eq!(words(late), refusal(Code::FailedPrecondition, "CREDENTIALS_ALREADY_DELIVERED"));
    let again = client.rotate_workload_secret(authorized(&token, rotation)).await.unwrap().into_inner();
    assert_eq!(rotated.encode_to_vec(), again.encode_to_vec());
    assert_eq!(words(issue(&mut client, &first).await), refusal(Code::Unauthenticated, "SIGN_IN_FAILED"));
}

#[rstest]
#[tokio::test]
async fn a_secret_is_replayed_for_a_day(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::start(kind).await;
    let registered = world.register().await;
    let (mut client, request) = (workloads(&world).await, creation("import"));
    let first = create(&mut client, &registered.session.access_token, &request).await.unwrap();
    world.clock.advance(Duration::from_secs(24 * 3600 - 60));
    let token = world.sign_in(&registered.admin_sign_in_name, PASSWORD).await.access_token;
    assert_eq!(create(&mut client, &token, &request).await.unwrap().client_secret, first.client_secret);
    for later in [60, 3600] {
        world.clock.advance(Duration::from_secs(later));
        world.identity.sweep().await.unwrap();
        let token = world.sign_in(&registered.admin_sign_in_name, PASSWORD).await.access_token;
        let late = create(&mut client, &token, &request).await;
        assert_eq!(words(late), refusal(Code::FailedPrecondition, "CREDENTIALS_ALREADY_DELIVERED"));
    }
    assert!(dump(&world.identity.db).await.rows("workloads").len() == 1, "the workload itself is there");
}

#[rstest]
#[tokio::test]
async fn a_secret_is_shown_only_to_those_who_may_still_see_it(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let registered = world.register().await;
    let (mut client, request) = (workloads(world).await, creation("import"));
    create(&mut client, &registered.session.access_token, &request).await.unwrap();
    let mut tx = world.identity.db.write().await.unwrap();
    let admin: Uuid = registered.admin_user_id.parse().unwrap();
    tx.sql("DELETE FROM user_roles WHERE user_id = $1").bind(admin).execute().await.unwrap();
    tx.commit().await.unwrap();
    let token = world.sign_in(&registered.admin_sign_in_name, PASSWORD).await.access_token;
    let refused = create(&mut client, &token, &request).await;
    assert_eq!(words(refused), refusal(Code::PermissionDenied, "ROLE_NOT_ALLOWED"));
}

#[rstest]
#[tokio::test]
async fn no_table_holds_a_secret_that_can_be_read(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::start(kind).await;
    let registered = world.register().await;
    let mut client = workloads(&world).await;
    let made = create(&mut client, &registered.session.access_token, &creation("import")).await.unwrap();
    let found = dump(&world.identity.db).await;
    assert_eq!(found.rows("replays").len(), 2);
    let session = registered.session;
    for secret in [&made.client_secret, PASSWORD, &session.access_token, &session.refresh_token] {
        assert_eq!(found.tables_with(secret.as_bytes()), [""; 0]);
    }
    // The search itself works.
    assert_eq!(found.tables_with(b"nightly import"), [""; 0]);
    assert_eq!(found.tables_with(b"import"), ["journal", "workloads"]);
}

// Dry runs

#[rstest]
#[tokio::test]
async fn a_dry_run_answers_without_ids_secrets_and_etags_and_writes_nothing(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let (mut client, token) = (workloads(&world).await, world.register().await.session.access_token);
    let kept = create(&mut client, &token, &creation("kept")).await.unwrap();
    let before = everything(&world).await;

    let registration = pb::RegisterOrganizationRequest { validate_only: true, ..World::registration() };
    let mut registrations = RegistrationServiceClient::new(world.to_identity().await);
    let dry = registrations.register_organization(registration.clone()).await.unwrap().into_inner();
    let organization = dry.organization.unwrap();
    assert_eq!((dry.admin_user_id.as_str(), organization.organization_id.as_str()), ("", ""));
    assert_eq!((organization.etag.as_str(), organization.name), ("", registration.name));

    let dry = create(&mut client, &token, &pb::CreateWorkloadRequest { validate_only: true, ..creation("dry") }).await;
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
    let request = creation("import");
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
    [dump(&world.identity.db).await, dump(&world.licensing.db).await, dump(&world.partner.db).await]
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

    let request = creation("import");
    let made = create(&mut client, &token, &request).await.unwrap();
    create(&mut client, &token, &request).await.unwrap();
    create(&mut client, &token, &creation("import")).await.unwrap_err();
    client.list_workloads(authorized(&token, pb::ListWorkloadsRequest::default())).await.unwrap();
    let unreadable = pb::ListWorkloadsRequest { page_size: -1, ..pb::ListWorkloadsRequest::default() };
    client.list_workloads(authorized(&token, unreadable)).await.unwrap_err();
    create(&mut client, &token, &pb::CreateWorkloadRequest { validate_only: true, ..creation("dry") }).await.unwrap();
    create(&mut client, &token, &pb::CreateWorkloadRequest { display_name: String::new(), ..creation("") })
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
    let made = create(&mut client, &token, &creation("import")).await.unwrap();
    let request = pb::IssueTokenRequest {
        workload_id: id(&made),
        client_secret: made.client_secret.clone(),
        on_behalf_of_user_id: registered.admin_user_id.clone(),
    };
    let issued = client.issue_token(request).await.unwrap().into_inner();
    let refused = create(&mut client, &issued.access_token, &creation("another")).await;
    assert_eq!(words(refused), refusal(Code::PermissionDenied, "ROLE_NOT_ALLOWED"));
    let found = entries(world, &token).await;
    assert_eq!(told(&found)[0], ("CreateWorkload", Outcome::Failed, "ROLE_NOT_ALLOWED"));
    assert_eq!((found[0].actor_id.clone(), found[0].actor_kind.as_str()), (id(&made), "workload"));
    assert_eq!(found[0].on_behalf_of_user_id, registered.admin_user_id);
}
