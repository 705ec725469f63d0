//! Separate processes in two replicas on PostgreSQL, killed and paused.
#![expect(clippy::unwrap_used, reason = "a test fails where something is missing")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use proto::common::v1::GetLimitsRequest;
use proto::common::v1::limits_service_client::LimitsServiceClient;
use proto::identity::v1::registration_service_client::RegistrationServiceClient;
use proto::identity::v1::session_service_client::SessionServiceClient;
use proto::identity::v1::{ChangePasswordRequest, RegisterOrganizationRequest, Session, SignInRequest};
use tests::fleet::Fleet;
use tests::world::{PASSWORD, Refused, World, authorized};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

async fn register(channel: Channel, request: RegisterOrganizationRequest) -> Result<String, Status> {
    let answer = RegistrationServiceClient::new(channel).register_organization(request).await?.into_inner();
    Ok(answer.organization.unwrap().organization_id)
}

async fn sign_in(channel: Channel, name: &str) -> Result<Session, Status> {
    let request = SignInRequest { sign_in_name: name.to_owned(), password: PASSWORD.to_owned() };
    Ok(SessionServiceClient::new(channel).sign_in(request).await?.into_inner().session.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kill_9_and_every_repetition_has_one_effect() {
    let mut fleet = Fleet::start(2).await;
    let addresses = [0, 1].map(|n| fleet.cluster.member("identity", n).clients.address());
    let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..4)
        .map(|n| {
            let (stop, acknowledged) = (Arc::clone(&stop), Arc::clone(&acknowledged));
            tokio::spawn(async move {
                let mut mine = Vec::new();
                let mut turn = n;
                while !stop.load(Ordering::Relaxed) {
                    let request = World::registration();
                    // Until it is acknowledged, with the same request_id, by whichever replica answers.
                    let id = loop {
                        turn += 1;
                        let endpoint = Endpoint::from_shared(format!("http://{}", addresses[turn % 2])).unwrap();
                        let Ok(channel) = endpoint.connect().await else { continue };
                        match register(channel, request.clone()).await {
                            Ok(id) => break id,
                            // A broken connection has no reason; what a service answers has one.
                            Err(status) => {
                                let reason = Refused::of(&status).reason;
                                let passing = ["", "OUTCOME_UNKNOWN", "DATABASE_UNAVAILABLE", "REQUEST_IN_PROGRESS"];
                                assert!(passing.contains(&reason.as_str()), "{status:?}");
                            }
                        }
                    };
                    mine.push((request, id));
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                }
                mine
            })
        })
        .collect();
    for round in 0..6 {
        let target = acknowledged.load(Ordering::Relaxed) + 8;
        while acknowledged.load(Ordering::Relaxed) < target {
            tokio::task::yield_now().await;
        }
        let member = fleet.cluster.member_mut("identity", round % 2);
        member.process.kill9().await;
        member.process.restart().await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut all = Vec::new();
    for client in clients {
        all.extend(client.await.unwrap());
    }
    println!("{} registrations were acknowledged over 6 kills", all.len());
    assert!(all.len() >= 48);

    let db = fleet.database("identity").await;
    let mut tx = db.snapshot().await.unwrap();
    let rows: Vec<String> = tx
        .sql_for("SELECT 'no'", "SELECT organization_id::TEXT FROM organizations WHERE kind = 'PARTNER'")
        .all()
        .await
        .unwrap();
    tx.rollback().await;
    let stored: BTreeSet<String> = rows.iter().cloned().collect();
    let told: BTreeSet<String> = all.iter().map(|(_, id)| id.clone()).collect();
    assert_eq!(rows.len(), told.len(), "one effect for each request");
    assert_eq!(stored, told, "nothing acknowledged is missing, and nothing else is there");

    let (request, id) = all.swap_remove(0);
    assert_eq!(
        register(fleet.to("identity", 1).await, request).await.unwrap(),
        id,
        "a repetition has the first answer"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_replica_keeps_nobody_from_learning_of_a_password_change() {
    let fleet = Fleet::start(2).await;
    let request = World::registration();
    let name = format!("{}@{}.tandem.example", request.admin_name, request.domain_prefix);
    register(fleet.to("identity", 0).await, request).await.unwrap();
    let old = sign_in(fleet.to("identity", 0).await, &name).await.unwrap().access_token;
    for (service, replica) in [("licensing", 0), ("licensing", 1), ("partner", 0), ("partner", 1)] {
        let mut limits = LimitsServiceClient::new(fleet.to(service, replica).await);
        limits.get_limits(authorized(&old, GetLimitsRequest {})).await.unwrap();
    }

    fleet.cluster.member("identity", 0).process.stop();
    let change = ChangePasswordRequest {
        current_password: PASSWORD.to_owned(),
        new_password: "teapot lantern quarry oboe".to_owned(),
    };
    let mut sessions = SessionServiceClient::new(fleet.to("identity", 1).await);
    sessions.change_password(authorized(&old, change)).await.unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    for (service, replica) in [("licensing", 0), ("licensing", 1), ("partner", 0), ("partner", 1)] {
        let mut limits = LimitsServiceClient::new(fleet.to(service, replica).await);
        // A fact that the paused replica had claimed is delivered when its lease is over.
        while let Ok(_answered) = limits.get_limits(authorized(&old, GetLimitsRequest {})).await {
            assert!(tokio::time::Instant::now() < deadline, "{service}-{replica} still accepts the old token");
            tokio::task::yield_now().await;
        }
    }
    fleet.cluster.member("identity", 0).process.cont();
    let refused = SessionServiceClient::new(fleet.to("identity", 0).await)
        .get_me(authorized(&old, proto::identity::v1::GetMeRequest {}))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}
