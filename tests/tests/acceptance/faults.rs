//! Whatever fails or stops, and wherever: an acceptance is whole in the end, or it never was.

use std::sync::Arc;
use std::time::Duration;

use partner::clients::{Participant, tell};
use partner::flow::Flow;
use proto::partner::v1 as pb;
use rstest::rstest;
use service::outbox;
use service::points::{self, Trouble};
use testkit::database::Kind;
use tests::world::{PASSWORD, Refused, Registered, Tenant, World, soon};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Longer than a lease.
const TAKE_OVER: Duration = Duration::from_secs(16);
/// Longer than what a saga may take before its decision.
const BUDGET: Duration = Duration::from_secs(61);

/// A world with a provider and a reseller, and more workers for when the first ones stop.
struct Stage {
    world: World,
    provider: Registered,
    reseller: Registered,
    maker: Registered,
    moved: Duration,
    stop: CancellationToken,
    _workers: JoinSet<()>,
}

impl Stage {
    async fn set(kind: Kind) -> Self {
        let world = World::start(kind).await;
        let provider = world.onboard(pb::PartnerKind::Provider).await;
        let reseller = world.onboard(pb::PartnerKind::Reseller).await;
        let maker = world.onboard(pb::PartnerKind::Direct).await;
        world.join(&provider, &reseller).await;
        let (stop, mut workers) = (CancellationToken::new(), JoinSet::new());
        let host = world.partner.host();
        // One for each relay that will be stopped, whichever it is.
        for name in ["identity", "licensing"].repeat(4) {
            let service = Arc::clone(host);
            workers.spawn(outbox::relay(Arc::clone(host), name, stop.clone(), move |parcels| {
                let host = Arc::clone(&service);
                async move {
                    let peer = match name {
                        "identity" => Participant::Identity(&host.service.identity),
                        _ => Participant::Licensing(&host.service.licensing),
                    };
                    tell(&peer, &parcels).await
                }
            }));
        }
        workers.spawn(saga::run::<Flow>(Arc::clone(host), stop.clone()));
        Self { world, provider, reseller, maker, moved: Duration::ZERO, stop, _workers: workers }
    }

    /// Moves the clock; sessions that would be too old by then are begun anew.
    async fn pass(&mut self, time: Duration) {
        self.world.clock.advance(time);
        self.moved += time;
        if self.moved > Duration::from_secs(240) {
            self.moved = Duration::ZERO;
            for partner in [&mut self.provider, &mut self.reseller, &mut self.maker] {
                partner.session = self.world.sign_in(&partner.admin_sign_in_name, PASSWORD).await;
            }
        }
    }

    /// A customer whom the reseller serves already, or whom neither of the two does.
    async fn customer(&self, is_served: bool) -> Tenant {
        self.world.create_customer(if is_served { &self.reseller } else { &self.maker }).await
    }

    async fn who_serves(&self, tenant: &Tenant) -> (bool, bool) {
        let serves = |ids: Vec<String>| ids.contains(&tenant.customer_id);
        (serves(self.world.customer_ids(&self.reseller).await), serves(self.world.customer_ids(&self.provider).await))
    }
}

/// Does the work with what is planned at a point, and lets the time pass that another worker needs to take over.
async fn through<T>(world: &World, point: &str, hits: u64, time: Duration, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    tokio::select! {
        answer = &mut work => {
            // What failed was done again at once, or comes after the answer.
            soon("the planned trouble", world.partner.points().more_than(hits, point)).await;
            world.clock.advance(time);
            answer
        }
        () = world.partner.points().more_than(hits, point) => {
            world.clock.advance(time);
            soon("the end of the work", work).await
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The points that an acceptance passes which nobody refuses.
const FORWARD: [&str; 7] = [
    points::SAGA_CLAIMED,
    points::STEP_ASKED,
    points::STEP_ANSWERED,
    points::DECISION_BEFORE,
    points::DECISION_AFTER,
    points::OUTBOX_CLAIMED,
    points::OUTBOX_SENT,
];

/// The points that it passes on its way back.
const BACKWARD: [&str; 4] = [points::ABORT_BEFORE, points::ABORT_AFTER, points::CANCEL_ASKED, points::CANCEL_ANSWERED];

#[rstest]
#[tokio::test]
async fn whatever_fails_or_stops_on_the_way_an_acceptance_comes_to_its_end(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let mut stage = Stage::set(kind).await;
    for point in FORWARD {
        for trouble in [Trouble::Fails, Trouble::Stops] {
            for is_served in [false, true] {
                let tenant = stage.customer(is_served).await;
                let invitation = World::invitation(Some(&stage.provider));
                let (_, token) = stage.world.invite(&stage.reseller, invitation).await;
                let request = stage.world.consent(&token).await;
                let points = &stage.world.partner.points();
                let hits = points.hits(point);
                points.plan(point, trouble, 1);
                let accepting = stage.world.try_accept(&tenant.session.access_token, request);
                let answer = through(&stage.world, point, hits, TAKE_OVER, accepting).await.unwrap();
                stage.moved += TAKE_OVER;
                stage.pass(Duration::ZERO).await;
                let what = format!("{trouble:?} at {point}, served: {is_served}");
                assert_eq!(answer.authorized.len(), 2, "{what}");
                assert_eq!(stage.who_serves(&tenant).await, (true, true), "{what}");
                assert_eq!(stage.world.violations().await, Vec::<String>::new(), "{what}");
            }
        }
    }
}

#[rstest]
#[tokio::test]
async fn whatever_fails_or_stops_on_the_way_back_a_refused_acceptance_leaves_nothing(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let mut stage = Stage::set(kind).await;
    for point in BACKWARD {
        for trouble in [Trouble::Fails, Trouble::Stops] {
            for is_served in [false, true] {
                let what = format!("{trouble:?} at {point}, served: {is_served}");
                let tenant = stage.customer(is_served).await;
                let invitation = World::invitation(Some(&stage.provider));
                let (id, token) = stage.world.invite(&stage.reseller, invitation).await;
                let request = stage.world.consent(&token).await;
                // Nobody answers until the time is over: the saga is refused, and takes everything back.
                let points = &stage.world.partner.points();
                points.plan(points::STEP_ANSWERED, Trouble::Fails, u32::MAX);
                let (hits, failed) = (points.hits(point), points.hits(points::STEP_ANSWERED));
                points.plan(point, trouble, 1);
                let access = tenant.session.access_token.clone();
                let watcher = stage.reseller.session.access_token.clone();
                // One call: whoever repeats it after the refusal begins anew.
                let refused = async {
                    let answer = stage.world.invitations().await;
                    let answer = { answer }.accept_invitation(tests::world::authorized(&access, request)).await;
                    if let Err(status) = answer {
                        assert_eq!(Refused::of(&status).reason, "SAGA_TIMED_OUT", "{what}");
                    }
                    stage.world.until_refused(&watcher, &id).await
                };
                let refused = through(&stage.world, point, hits, TAKE_OVER, refused);
                let refused = through(&stage.world, points::STEP_ANSWERED, failed + 1, BUDGET, refused).await;
                assert_eq!(refused, "SAGA_TIMED_OUT", "{what}");
                stage.world.partner.points().calm();
                stage.moved += BUDGET + TAKE_OVER;
                stage.pass(TAKE_OVER).await;
                assert_eq!(stage.world.violations().await, Vec::<String>::new(), "{what}");
                assert_eq!(stage.who_serves(&tenant).await, (is_served, false), "{what}");
                let shown = shown(&stage, &id).await;
                assert_eq!(shown.invitation.unwrap().state(), pb::invitation::State::Draft, "{what}");
                assert_eq!(shown.acceptance.unwrap().refusal_reason, "SAGA_TIMED_OUT", "{what}");
                // It is as it was: the customer can decide again.
                let tenant =
                    Tenant { session: stage.world.sign_in(&tenant.admin_sign_in_name, PASSWORD).await, ..tenant };
                assert_eq!(stage.world.accept(&tenant, &token).await.authorized.len(), 2, "{what}");
                assert_eq!(stage.who_serves(&tenant).await, (true, true), "{what}");
                assert_eq!(stage.world.violations().await, Vec::<String>::new(), "{what}");
            }
        }
    }
}

async fn shown(stage: &Stage, id: &str) -> pb::GetInvitationResponse {
    let request = pb::GetInvitationRequest { invitation_id: id.to_owned() };
    let token = &stage.reseller.session.access_token;
    let shown = stage.world.invitations().await.get_invitation(tests::world::authorized(token, request)).await;
    shown.unwrap().into_inner()
}

#[rstest]
#[tokio::test]
async fn whatever_fails_or_stops_a_customer_that_is_made_is_whole(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let mut stage = Stage::set(kind).await;
    for point in [points::STEP_ANSWERED, points::DECISION_AFTER, points::SETTLE_ASKED, points::SETTLE_ANSWERED] {
        for trouble in [Trouble::Fails, Trouble::Stops] {
            let hits = stage.world.partner.points().hits(point);
            stage.world.partner.points().plan(point, trouble, 1);
            let token = stage.provider.session.access_token.clone();
            let request = pb::CreateCustomerRequest {
                reseller_id: stage.reseller.organization_id.clone(),
                ..World::new_customer()
            };
            let creating = stage.world.try_create_customer(&token, request);
            let made = through(&stage.world, point, hits, TAKE_OVER, creating).await;
            stage.moved += TAKE_OVER;
            let customer = made.unwrap().customer.unwrap();
            stage.pass(Duration::ZERO).await;
            for partner in [&stage.provider, &stage.reseller] {
                let ids = stage.world.customer_ids(partner).await;
                assert!(ids.contains(&customer.customer_id), "{trouble:?} at {point}");
            }
            assert_eq!(stage.world.violations().await, Vec::<String>::new(), "{trouble:?} at {point}");
        }
    }
}

#[test]
fn every_point_is_gone_through() {
    // Two are of customers that are made, above; at one a caller waits, as in progress.rs; the last one is no decision's.
    let others = [points::SETTLE_ASKED, points::SETTLE_ANSWERED, points::FOLLOWED, points::SWEPT];
    let gone: Vec<&str> = FORWARD.into_iter().chain(BACKWARD).chain(others).collect();
    let missing: Vec<&&str> = points::NAMES.iter().filter(|name| !gone.contains(*name)).collect();
    assert!(missing.is_empty(), "nothing goes wrong at {missing:?}");
}
