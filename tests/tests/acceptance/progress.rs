//! While an acceptance runs, and before its decision has arrived everywhere.

use std::time::Duration;

use proto::identity::v1 as identity;
use proto::identity::v1::customer_user_service_client::CustomerUserServiceClient;
use proto::licensing::v1::ListEntitlementsRequest;
use proto::licensing::v1::entitlement_service_client::EntitlementServiceClient;
use proto::partner::v1 as pb;
use proto::partner::v1::PartnerKind;
use proto::partner::v1::acceptance::State as Acceptance;
use proto::partner::v1::invitation::State;
use rstest::rstest;
use service::points::{self, Trouble};
use testkit::database::Kind;
use tests::harness::proxy::Mode;
use tests::world::{Refused, Registered, Tenant, World, authorized, soon};
use tonic::{Code, Status};
use uuid::Uuid;

struct Scene {
    world: World,
    provider: Registered,
    reseller: Registered,
    partnership: String,
    tenant: Tenant,
    invitation: String,
    request: pb::AcceptInvitationRequest,
}

impl Scene {
    /// A customer whom the reseller serves, if wanted, and who has looked at a joint invitation.
    async fn set(kind: Kind, is_served: bool) -> Self {
        let world = World::start(kind).await;
        let provider = world.onboard(PartnerKind::Provider).await;
        let reseller = world.onboard(PartnerKind::Reseller).await;
        let partnership = world.join(&provider, &reseller).await;
        let tenant = if is_served { world.create_customer(&reseller).await } else { world.stranger().await };
        let (invitation, token) = world.invite(&reseller, World::invitation(Some(&provider))).await;
        let request = world.consent(&token).await;
        Self { world, provider, reseller, partnership, tenant, invitation, request }
    }

    /// Suspends the provider by hand, or lets it take part again.
    async fn set_account(&self, state: &str) {
        let mut tx = self.world.partner.db().await.write().await.unwrap();
        let id: Uuid = self.provider.organization_id.parse().unwrap();
        let statement = tx.sql("UPDATE accounts SET state = $2 WHERE partner_id = $1").bind(id).bind(state);
        assert_eq!(statement.execute().await.unwrap(), 1);
        tx.commit().await.unwrap();
    }

    /// Asks once: the answer of an acceptance that cannot come to its end is IN_PROGRESS.
    async fn begin(&self) {
        let token = &self.tenant.session.access_token;
        let answer = self.world.invitations().await.accept_invitation(authorized(token, self.request.clone())).await;
        assert_eq!(answer.unwrap().into_inner().progress(), pb::Progress::InProgress);
    }

    async fn accept(&self) -> Result<pb::AcceptInvitationResponse, Status> {
        soon("the end", self.world.try_accept(&self.tenant.session.access_token, self.request.clone())).await
    }

    async fn shown(&self) -> pb::GetInvitationResponse {
        let request = pb::GetInvitationRequest { invitation_id: self.invitation.clone() };
        let token = &self.reseller.session.access_token;
        self.world.invitations().await.get_invitation(authorized(token, request)).await.unwrap().into_inner()
    }

    /// Why acceptances were refused, as the customer reads it in its journal; nothing else of a refused call is there.
    async fn refusals(&self) -> Vec<String> {
        let entries = self.world.journal_of_partner(self.tenant.token()).await;
        assert!(entries.iter().all(|entry| entry.action != "AcceptInvitation"), "{entries:?}");
        let refusals = entries.into_iter().filter(|entry| entry.action == "InvitationAcceptanceAborted");
        refusals.map(|entry| entry.changes[0].after.clone()).collect()
    }

    /// What identity and licensing answer the reseller who asks for the customer's users and entitlements.
    async fn managing(&self) -> [Result<(), Status>; 2] {
        let (token, customer_id) = (&self.reseller.session.access_token, self.tenant.customer_id.clone());
        let users = identity::ListUsersRequest { customer_id: customer_id.clone(), ..Default::default() };
        let users =
            CustomerUserServiceClient::new(self.world.to_identity().await).list_users(authorized(token, users)).await;
        let held = ListEntitlementsRequest { customer_id, ..Default::default() };
        let mut licensing = EntitlementServiceClient::new(self.world.to_licensing().await);
        let held = licensing.list_entitlements(authorized(token, held)).await;
        [users.map(drop), held.map(drop)]
    }
}

#[rstest]
#[tokio::test]
async fn while_one_service_is_away_nothing_is_effective_and_the_invitation_waits(
    #[values("identity", "licensing")] away: &str,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let scene = Scene::set(kind, false).await;
    let (edge, present) = if away == "identity" { (0, "licensing") } else { (1, "identity") };
    let other = scene.world.stranger().await;
    scene.world.edges[edge].set(Mode::Cut).await;
    scene.begin().await;

    let shown = scene.shown().await;
    assert_eq!(shown.invitation.unwrap().state(), State::Draft, "the former state is shown");
    let acceptance = shown.acceptance.unwrap();
    assert_eq!((acceptance.state(), acceptance.delivered), (Acceptance::Preparing, false));
    let steps: Vec<&str> = acceptance.steps.iter().map(|step| step.service.as_str()).collect();
    assert_eq!(steps, [present]);
    for partner in [&scene.reseller, &scene.provider] {
        assert!(scene.world.customer_ids(partner).await.is_empty());
    }

    let token = &scene.reseller.session.access_token;
    let id = &scene.invitation;
    let mut invitations = scene.world.invitations().await;
    let cancel = pb::CancelInvitationRequest { invitation_id: id.clone(), ..Default::default() };
    let rotate = pb::RotateInvitationLinkRequest { invitation_id: id.clone(), ..Default::default() };
    let decline = pb::DeclineInvitationRequest { token: scene.request.token.clone(), ..Default::default() };
    let busy = (Code::Aborted, "ACCEPTANCE_IN_PROGRESS".to_owned());
    assert_eq!(Refused::by(invitations.cancel_invitation(authorized(token, cancel)).await), busy);
    assert_eq!(Refused::by(invitations.rotate_invitation_link(authorized(token, rotate)).await), busy);
    let admin = &scene.tenant.session.access_token;
    assert_eq!(Refused::by(invitations.decline_invitation(authorized(admin, decline)).await), busy);
    let request = pb::AcceptInvitationRequest { request_id: Uuid::now_v7().to_string(), ..scene.request.clone() };
    let refused = invitations.accept_invitation(authorized(&other.session.access_token, request)).await;
    assert_eq!(Refused::by(refused), busy, "another customer");

    scene.world.edges[edge].set(Mode::Pass).await;
    assert_eq!(scene.accept().await.unwrap().authorized.len(), 2);
    let acceptance = scene.shown().await.acceptance.unwrap();
    assert_eq!((acceptance.state(), acceptance.delivered, acceptance.steps.len()), (Acceptance::Committed, true, 2));
    assert_eq!(scene.world.violations().await, Vec::<String>::new());
}

#[rstest]
#[tokio::test]
async fn a_refused_acceptance_lets_its_invitation_go_before_everybody_has_taken_it_back(
    #[values("decline", "cancel", "rotate")] then: &str,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let scene = Scene::set(kind, false).await;
    scene.world.edges[1].set(Mode::Cut).await;
    scene.begin().await;
    scene.world.clock.advance(Duration::from_secs(61));
    assert_eq!(scene.world.until_refused(scene.reseller.token(), &scene.invitation).await, "SAGA_TIMED_OUT");
    // Licensing cannot take anything back yet, and nobody waits for that.
    let (token, admin) = (&scene.reseller.session.access_token, &scene.tenant.session.access_token);
    let id = &scene.invitation;
    let mut invitations = scene.world.invitations().await;
    match then {
        "decline" => {
            let decline = pb::DeclineInvitationRequest { token: scene.request.token.clone(), ..Default::default() };
            invitations.decline_invitation(authorized(admin, decline)).await.map(drop).unwrap();
        }
        "cancel" => {
            let cancel = pb::CancelInvitationRequest { invitation_id: id.clone(), ..Default::default() };
            invitations.cancel_invitation(authorized(token, cancel)).await.map(drop).unwrap();
        }
        _ => {
            let rotate = pb::RotateInvitationLinkRequest { invitation_id: id.clone(), ..Default::default() };
            invitations.rotate_invitation_link(authorized(token, rotate)).await.map(drop).unwrap();
        }
    }
    let mut tx = scene.world.partner.db().await.snapshot().await.unwrap();
    let taking_back: i64 = tx.sql("SELECT COUNT(*) FROM sagas WHERE state = 'ABORTING'").one().await.unwrap();
    tx.rollback().await;
    assert_eq!(taking_back, 1, "licensing was away all the time");
    scene.world.edges[1].set(Mode::Pass).await;
    scene.world.clock.advance(Duration::from_secs(31));
    assert_eq!(scene.world.violations().await, Vec::<String>::new());
}

#[rstest]
#[tokio::test]
async fn what_ends_while_an_acceptance_runs_is_not_brought_back_by_it(
    #[values("partnership", "delegated admin", "relationship", "account")] ended: &str,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let scene = Scene::set(kind, true).await;
    let points = &scene.world.partner.points();
    points.plan(points::DECISION_BEFORE, Trouble::Fails, u32::MAX);
    scene.begin().await;
    let (reseller, admin) = (&scene.reseller.session.access_token, &scene.tenant.session.access_token);
    let customer_id = scene.tenant.customer_id.clone();
    let expected = match ended {
        "partnership" => {
            let partnership_id = scene.partnership.clone();
            let remove = pb::RemovePartnershipRequest {
                partnership_id,
                attestation_accepted: true,
                request_id: Uuid::now_v7().to_string(),
                ..Default::default()
            };
            scene.world.partnerships().await.remove_partnership(authorized(reseller, remove)).await.unwrap();
            "PARTNERSHIP_NOT_ACTIVE"
        }
        "delegated admin" => {
            let partner_id = scene.reseller.organization_id.clone();
            let revoke = pb::RevokeDelegatedAdminRequest { partner_id, ..Default::default() };
            scene.world.customers().await.revoke_delegated_admin(authorized(admin, revoke)).await.unwrap();
            "ACCESS_CHANGED"
        }
        "relationship" => {
            let remove = pb::RemoveCustomerRequest {
                customer_id,
                attestation_accepted: true,
                request_id: Uuid::now_v7().to_string(),
                ..Default::default()
            };
            scene.world.customers().await.remove_customer(authorized(reseller, remove)).await.unwrap();
            "ACCESS_CHANGED"
        }
        _ => {
            scene.set_account("SUSPENDED").await;
            "ACCOUNT_SUSPENDED"
        }
    };
    let before = scene.world.customer_ids(&scene.reseller).await;
    points.calm();
    // The worker that failed before its decision holds its claim until its lease is over.
    scene.world.clock.advance(Duration::from_secs(16));
    for _ in 0..2 {
        assert_eq!(
            Refused::by(scene.accept().await).1,
            expected,
            "it is what the request is answered with from now on"
        );
    }
    assert_eq!(scene.refusals().await, [expected], "it is recorded once, whoever waits and repeats");
    assert_eq!(scene.world.customer_ids(&scene.reseller).await, before);
    assert!(scene.world.customer_ids(&scene.provider).await.is_empty());
    let shown = scene.shown().await;
    let state = if ended == "partnership" { State::Invalidated } else { State::Draft };
    assert_eq!(shown.invitation.unwrap().state(), state);
    assert_eq!(shown.acceptance.unwrap().state(), Acceptance::Aborted);
    if ended == "account" {
        // What was done by hand was told to nobody.
        scene.set_account("ACTIVE").await;
    }
    assert_eq!(scene.world.violations().await, Vec::<String>::new());
}

#[rstest]
#[tokio::test]
async fn after_a_refusal_that_passes_the_same_request_begins_anew(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let scene = Scene::set(kind, false).await;
    scene.world.edges[1].set(Mode::Cut).await;
    for _ in 0..2 {
        scene.begin().await;
        scene.world.clock.advance(Duration::from_secs(61));
        assert_eq!(scene.world.until_refused(scene.reseller.token(), &scene.invitation).await, "SAGA_TIMED_OUT");
    }
    assert_eq!(scene.refusals().await, ["SAGA_TIMED_OUT", "SAGA_TIMED_OUT"], "one for each attempt");
    scene.world.edges[1].set(Mode::Pass).await;
    let answer = scene.accept().await.unwrap();
    assert_eq!(answer.authorized.len(), 2);
    assert_eq!(scene.accept().await.unwrap(), answer, "and it has one effect");
    scene.world.clock.advance(Duration::from_secs(31));
    assert_eq!(scene.world.violations().await, Vec::<String>::new());
}

#[rstest]
#[tokio::test]
async fn an_acceptance_that_another_one_was_faster_than_begins_anew(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let scene = Scene::set(kind, false).await;
    let (_, faster) = scene.world.invite(&scene.reseller, World::invitation(None)).await;
    let faster = scene.world.consent(&faster).await;
    // Its worker never goes on, so that the other acceptance of the same customer and reseller is decided before it.
    scene.world.partner.points().plan(points::STEP_ASKED, Trouble::Stops, 1);
    scene.begin().await;
    scene.world.try_accept(&scene.tenant.session.access_token, faster).await.unwrap();
    scene.world.clock.advance(Duration::from_secs(16));
    assert_eq!(scene.world.until_refused(scene.reseller.token(), &scene.invitation).await, "ACCEPTANCE_OVERTAKEN");
    assert_eq!(scene.accept().await.unwrap().authorized.len(), 2, "nothing speaks against it");
    assert_eq!(scene.world.violations().await, Vec::<String>::new());
}

#[rstest]
#[tokio::test]
async fn a_database_that_does_not_answer_for_a_moment_ends_nobody_s_waiting(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let scene = Scene::set(kind, false).await;
    let points = &scene.world.partner.points();
    points.plan(points::FOLLOWED, Trouble::Fails, 5);
    let token = &scene.tenant.session.access_token;
    let answer = scene.world.invitations().await.accept_invitation(authorized(token, scene.request.clone())).await;
    assert_eq!(answer.unwrap().into_inner().progress(), pb::Progress::Active);
    assert_eq!(points.hits(points::FOLLOWED), 5);
}

#[rstest]
#[tokio::test]
async fn a_decision_is_effective_everywhere_before_it_has_arrived(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let scene = Scene::set(kind, false).await;
    for refused in scene.managing().await {
        assert_eq!(Refused::by(refused), (Code::NotFound, "NOT_FOUND".to_owned()));
    }
    // Nothing is delivered: what the others know of the decision, they have to ask for.
    scene.world.partner.points().plan(points::OUTBOX_CLAIMED, Trouble::Fails, u32::MAX);
    scene.begin().await;
    let acceptance = scene.shown().await.acceptance.unwrap();
    assert_eq!((acceptance.state(), acceptance.delivered), (Acceptance::Committed, false));
    assert_eq!(scene.world.customer_ids(&scene.reseller).await, [scene.tenant.customer_id.as_str()]);
    for answer in scene.managing().await {
        answer.unwrap();
    }
    scene.world.partner.points().calm();
    scene.world.clock.advance(Duration::from_secs(31));
    assert_eq!(scene.accept().await.unwrap().authorized.len(), 2);
    assert_eq!(scene.world.violations().await, Vec::<String>::new());
}

#[rstest]
#[tokio::test]
async fn whoever_asks_for_a_decision_learns_nothing_of_the_next_one_about_the_same_partner(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let scene = Scene::set(kind, false).await;
    let (_, next) = scene.world.invite(&scene.reseller, World::invitation(None)).await;
    let next = scene.world.consent(&next).await;
    let points = &scene.world.partner.points();
    // The first decision is not delivered, and the second one has an epoch and no intents yet.
    points.plan(points::OUTBOX_CLAIMED, Trouble::Fails, u32::MAX);
    scene.begin().await;
    points.plan(points::STEP_ASKED, Trouble::Stops, 2);
    let token = &scene.tenant.session.access_token;
    let answer = scene.world.invitations().await.accept_invitation(authorized(token, next.clone())).await;
    assert_eq!(answer.unwrap().into_inner().progress(), pb::Progress::InProgress);
    for answer in scene.managing().await {
        answer.unwrap();
    }
    points.calm();
    scene.world.clock.advance(Duration::from_secs(31));
    assert_eq!(scene.world.try_accept(token, next).await.unwrap().authorized.len(), 1);
    assert_eq!(scene.refusals().await, Vec::<String>::new(), "nothing has overtaken it");
    assert_eq!(scene.world.violations().await, Vec::<String>::new());
}

#[rstest]
#[tokio::test]
async fn an_intent_grants_nothing_and_without_the_owner_s_word_everything_is_refused(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let scene = Scene::set(kind, false).await;
    let points = &scene.world.partner.points();
    points.plan(points::DECISION_BEFORE, Trouble::Fails, u32::MAX);
    scene.begin().await;
    for refused in scene.managing().await {
        assert_eq!(Refused::by(refused), (Code::NotFound, "NOT_FOUND".to_owned()), "it is not decided");
    }
    scene.world.edges[2].set(Mode::Cut).await;
    for refused in scene.managing().await {
        assert_eq!(Refused::by(refused), (Code::Unavailable, "PEER_UNAVAILABLE".to_owned()), "nobody knows");
    }
    scene.world.edges[2].set(Mode::Pass).await;
    points.calm();
    scene.world.clock.advance(Duration::from_secs(16));
    scene.accept().await.unwrap();
    for answer in scene.managing().await {
        answer.unwrap();
    }
}

#[rstest]
#[tokio::test]
async fn an_acceptance_is_watched_step_by_step_until_it_is_over(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let scene = Scene::set(kind, false).await;
    let watch = |token: &str| authorized(token, pb::WatchInvitationRequest { invitation_id: scene.invitation.clone() });
    let stranger = scene.world.onboard(PartnerKind::Reseller).await;
    let refused = scene.world.invitations().await.watch_invitation(watch(&stranger.session.access_token)).await;
    assert_eq!(Refused::by(refused.map(drop)).1, "NOT_FOUND");

    scene.world.edges[0].set(Mode::Cut).await;
    for watcher in [&scene.reseller, &scene.provider] {
        let mut client = scene.world.invitations().await;
        let mut stream = client.watch_invitation(watch(&watcher.session.access_token)).await.unwrap().into_inner();
        let first = soon("the first answer", stream.message()).await.unwrap().unwrap();
        if watcher.organization_id == scene.reseller.organization_id {
            assert!(first.acceptance.is_none());
            scene.begin().await;
            let next = soon("the beginning", stream.message()).await.unwrap().unwrap();
            assert_eq!(next.acceptance.unwrap().state(), Acceptance::Preparing);
        } else {
            scene.world.edges[0].set(Mode::Pass).await;
            let mut last = first;
            while let Some(next) = soon("the next answer", stream.message()).await.unwrap() {
                last = next;
            }
            assert_eq!(last.invitation.unwrap().state(), State::Accepted);
            let acceptance = last.acceptance.unwrap();
            assert_eq!((acceptance.state(), acceptance.delivered), (Acceptance::Committed, true));
        }
    }
}

#[rstest]
#[tokio::test]
async fn watching_ends_with_the_token_that_it_rests_on(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let scene = Scene::set(kind, false).await;
    let request = pb::WatchInvitationRequest { invitation_id: scene.invitation.clone() };
    let mut client = scene.world.invitations().await;
    let stream = client.watch_invitation(authorized(&scene.reseller.session.access_token, request)).await;
    let mut stream = stream.unwrap().into_inner();
    soon("the first answer", stream.message()).await.unwrap().unwrap();
    scene.world.clock.advance(Duration::from_secs(605));
    let ended = soon("the end", stream.message()).await;
    assert_eq!(Refused::by(ended), (Code::Unauthenticated, "UNAUTHENTICATED".to_owned()));
}
