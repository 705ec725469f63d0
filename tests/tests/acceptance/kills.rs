//! The real services as processes in two replicas, killed while a customer accepts (R-05, R-06, AS-114).

use std::collections::BTreeMap;
use std::time::Duration;

use db::Db;
use proto::partner::v1 as pb;
use proto::partner::v1::PartnerKind;
use proto::partner::v1::invitation_service_client::InvitationServiceClient;
use tests::fleet::{Fleet, SERVICES};
use tests::world::{PASSWORD, Refused, World, authorized, soon};
use tonic::transport::Endpoint;
use uuid::Uuid;

/// Kills of each replica of each service.
const KILLS_EACH: u64 = 6;

/// How far an acceptance can have come.
const PHASES: [&str; 4] = ["not begun", "preparing", "decided", "delivered"];
/// Kills that have to come in each phase, so that the sweep is one.
const EACH_PHASE_MIN: u64 = 3;

/// Waits until the acceptance has come that far, and answers how far it has then.
async fn phase_from(partner: &Db, invitation: &str, wanted: &str) -> &'static str {
    let order = |phase: &str| PHASES.iter().position(|each| *each == phase).unwrap();
    loop {
        let phase = phase(partner, invitation).await;
        if order(phase) >= order(wanted) {
            return phase;
        }
    }
}

/// How far the acceptance has come when somebody is killed.
async fn phase(partner: &Db, invitation: &str) -> &'static str {
    let id: Uuid = invitation.parse().unwrap();
    let mut tx = partner.snapshot().await.unwrap();
    let state: Option<String> = tx
        .sql("SELECT s.state FROM sagas s JOIN invitations i ON i.acceptance_id = s.saga_id WHERE i.invitation_id = $1")
        .bind(id)
        .optional()
        .await
        .unwrap();
    let waiting: i64 = tx.sql("SELECT COUNT(*) FROM outbox").one().await.unwrap();
    tx.rollback().await;
    match state.as_deref() {
        None => "not begun",
        Some("PREPARING") => "preparing",
        Some(_) if waiting > 0 => "decided",
        Some(_) => "delivered",
    }
}

/// Accepts with the same request until it is effective, through whichever replica of partner answers.
async fn accept(addresses: [std::net::SocketAddr; 2], token: &str, request: pb::AcceptInvitationRequest) -> u64 {
    let mut calls = 0;
    loop {
        calls += 1;
        let address = addresses[usize::try_from(calls % 2).unwrap()];
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        let Ok(channel) = endpoint.connect().await else { continue };
        match InvitationServiceClient::new(channel).accept_invitation(authorized(token, request.clone())).await {
            Ok(answer) if answer.get_ref().progress() == pb::Progress::Active => return calls,
            Ok(_) => {}
            Err(status) => {
                // A broken connection has no reason; what a service answers has one.
                let reason = Refused::of(&status).reason;
                let passing = ["", "OUTCOME_UNKNOWN", "DATABASE_UNAVAILABLE", "REQUEST_IN_PROGRESS", "OVERLOADED"];
                assert!(passing.contains(&reason.as_str()), "{status:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_killed_while_a_customer_accepts_the_acceptance_is_whole() {
    let mut fleet = Fleet::start(2).await;
    let doors = fleet.doors(0).await;
    let mut provider = doors.onboard(PartnerKind::Provider).await;
    let mut reseller = doors.onboard(PartnerKind::Reseller).await;
    let mut maker = doors.onboard(PartnerKind::Direct).await;
    doors.join(&provider, &reseller).await;
    let addresses = [0, 1].map(|replica| fleet.cluster.member("partner", replica).clients.address());
    let oracle = fleet.oracle().await;
    let mut kills: BTreeMap<String, u64> = BTreeMap::new();
    let mut phases: BTreeMap<&str, u64> = BTreeMap::new();
    let mut calls = 0;
    for round in 0..KILLS_EACH * 6 {
        if round % 12 == 0 {
            // A slow machine takes longer for all rounds than a token lives.
            for partner in [&mut provider, &mut reseller, &mut maker] {
                partner.session = doors.sign_in(&partner.admin_sign_in_name, PASSWORD).await;
            }
        }
        let tenant = doors.create_customer(if round % 2 == 0 { &maker } else { &reseller }).await;
        let (invitation, token) = doors.invite(&reseller, World::invitation(Some(&provider))).await;
        let request = doors.consent(&token).await;
        let access = tenant.session.access_token.clone();
        let accepting = tokio::spawn(async move { accept(addresses, &access, request).await });
        let service = SERVICES[usize::try_from(round % 3).unwrap()];
        let replica = usize::try_from(round / 3 % 2).unwrap();
        let wanted = PHASES[usize::try_from(round % 4).unwrap()];
        let met = soon("the phase", phase_from(&oracle.partner, &invitation, wanted)).await;
        *phases.entry(met).or_default() += 1;
        let member = fleet.cluster.member_mut(service, replica);
        member.process.kill9().await;
        member.process.restart().await;
        *kills.entry(format!("{service}-{replica}")).or_default() += 1;
        // What a killed worker had claimed is free when its lease is over.
        calls += tokio::time::timeout(Duration::from_secs(60), accepting).await.expect("it comes to its end").unwrap();
        for partner in [&reseller, &provider] {
            let served = soon("the list", doors.customer_ids(partner)).await;
            assert!(served.contains(&tenant.customer_id), "round {round}");
        }
    }
    println!("{calls} calls were needed for {} acceptances over the kills {kills:?} in {phases:?}", KILLS_EACH * 6);
    assert!(kills.len() == 6 && kills.values().all(|count| *count == KILLS_EACH), "{kills:?}");
    for phase in PHASES {
        let hit = phases.get(phase).copied().unwrap_or(0);
        assert!(hit >= EACH_PHASE_MIN, "only {hit} kills came when an acceptance was {phase}: {phases:?}");
    }
    assert_eq!(oracle.violations().await, Vec::<String>::new());
}
