//! No secret in a log, the journal, an error, a trace or a database (R-41, S-25, S-26).
//!
//! Canaries walk through everything that takes a secret while the whole process logs at trace level.
#![expect(clippy::unwrap_used, reason = "a test fails where something is missing")]

use std::io::{self, Write};
use std::sync::Mutex;

use proto::common::v1::ListAuditEntriesRequest;
use proto::common::v1::audit_service_client::AuditServiceClient;
use proto::identity::v1::registration_service_client::RegistrationServiceClient;
use proto::identity::v1::session_service_client::SessionServiceClient;
use proto::identity::v1::workload_service_client::WorkloadServiceClient;
use proto::identity::v1::{
    ChangePasswordRequest, CreateWorkloadRequest, IssueTokenRequest, RefreshSessionRequest, Role,
};
use testkit::database::Kind;
use tests::world::{World, authorized};
use tonic::Status;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use uuid::Uuid;

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct ToLog;

impl Write for ToLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Log;

impl MakeWriter<'_> for Log {
    type Writer = ToLog;

    fn make_writer(&self) -> ToLog {
        ToLog
    }
}

fn holds(haystack: &[u8], secret: &str) -> bool {
    haystack.windows(secret.len()).any(|window| window == secret.as_bytes())
}

/// What a caller sees of an error.
fn visible(status: &Status) -> Vec<u8> {
    [status.message().as_bytes(), status.details(), format!("{status:?}").as_bytes()].concat()
}

#[tokio::test]
async fn canaries_are_found_nowhere_and_a_planted_one_is() {
    tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_writer(Log).init();
    let world = World::start(Kind::Sqlite).await;
    let mut secrets: Vec<(&str, String)> = Vec::new();
    let mut errors: Vec<u8> = Vec::new();
    let canary = || format!("Canary {} sings", Uuid::now_v7().simple());
    let [chosen, wrong, next] = [canary(), canary(), canary()];

    let registration =
        proto::identity::v1::RegisterOrganizationRequest { admin_password: chosen.clone(), ..World::registration() };
    let mut registrations = RegistrationServiceClient::new(world.to_identity().await);
    let made = registrations.register_organization(registration.clone()).await.unwrap().into_inner();
    let poor = proto::identity::v1::RegisterOrganizationRequest { country: "??".to_owned(), ..registration };
    errors.extend(visible(&registrations.register_organization(poor).await.unwrap_err()));

    let name = made.admin_sign_in_name;
    errors.extend(visible(&world.try_sign_in(&name, &wrong).await.unwrap_err()));
    let first = world.sign_in(&name, &chosen).await;
    let mut sessions = SessionServiceClient::new(world.to_identity().await);
    let change =
        |current: &str| ChangePasswordRequest { current_password: current.to_owned(), new_password: next.clone() };
    errors
        .extend(visible(&sessions.change_password(authorized(&first.access_token, change(&wrong))).await.unwrap_err()));
    let second = sessions.change_password(authorized(&first.access_token, change(&chosen))).await.unwrap();
    let second = second.into_inner().session.unwrap();
    let refresh = RefreshSessionRequest { refresh_token: second.refresh_token.clone() };
    let third = sessions.refresh_session(refresh.clone()).await.unwrap().into_inner().session.unwrap();

    let create = CreateWorkloadRequest {
        display_name: "canary cage".to_owned(),
        roles: vec![Role::BillingAdmin.into()],
        request_id: Uuid::now_v7().to_string(),
        validate_only: false,
    };
    let mut workloads = WorkloadServiceClient::new(world.to_identity().await);
    let workload = workloads.create_workload(authorized(&third.access_token, create)).await.unwrap().into_inner();
    let issue = |secret: &str| IssueTokenRequest {
        workload_id: workload.workload.as_ref().unwrap().workload_id.clone(),
        client_secret: secret.to_owned(),
        on_behalf_of_user_id: String::new(),
    };
    errors.extend(visible(&workloads.issue_token(issue(&wrong)).await.unwrap_err()));
    let audit = AuditServiceClient::new(world.to_identity().await)
        .list_audit_entries(authorized(&third.access_token, ListAuditEntriesRequest::default()))
        .await
        .unwrap()
        .into_inner();
    assert!(audit.entries.len() >= 5, "the journal tells what happened: {audit:?}");
    let issued = workloads.issue_token(issue(&workload.client_secret)).await.unwrap().into_inner();
    errors.extend(visible(&sessions.refresh_session(refresh).await.unwrap_err()));

    secrets.push(("the chosen password", chosen));
    secrets.push(("the wrong password", wrong));
    secrets.push(("the next password", next));
    secrets.push(("the workload's secret", workload.client_secret));
    for (what, session) in [("first", &first), ("second", &second), ("third", &third)] {
        secrets.push((what, session.access_token.clone()));
        secrets.push((what, session.refresh_token.clone()));
    }
    secrets.push(("the workload's token", issued.access_token));

    let journal = format!("{audit:?}").into_bytes();
    let mut rows = Vec::new();
    for settings in world.databases() {
        let file = settings.url.trim_start_matches("sqlite:");
        rows.extend(std::fs::read(file).unwrap());
        rows.extend(std::fs::read(format!("{file}-wal")).unwrap_or_default());
    }
    let log = LOG.lock().unwrap().clone();
    assert!(log.len() > 100_000, "the process logs at trace level");
    for (what, secret) in &secrets {
        for (place, haystack) in [("log", &log), ("journal", &journal), ("errors", &errors), ("databases", &rows)] {
            assert!(!holds(haystack, secret), "{what} is in the {place}");
        }
    }

    // The search finds what is there.
    let planted = &secrets[0].1;
    tracing::trace!(%planted, "a leak on purpose");
    assert!(holds(&LOG.lock().unwrap(), planted));
}
