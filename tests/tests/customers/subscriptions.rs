//! What a partner sees of a customer's subscriptions: what licensing told of those that are its business (D-78).

use base::Timestamp;
use proto::channel::v1::licensing_fact::Fact as FactOfLicensing;
use proto::channel::v1::subscription_in_brief::State as Told;
use proto::channel::v1::{LicensingFact, SubscriptionInBrief};
use proto::licensing::v1 as licensing;
use proto::licensing::v1::subscription_service_client::SubscriptionServiceClient;
use proto::partner::v1 as pb;
use proto::partner::v1::PartnerKind::{Direct, Provider, Reseller};
use proto::partner::v1::customer_subscription::State;
use proto::partner::v1::partner_internal_service_client::PartnerInternalServiceClient;
use rstest::rstest;
use service::form::timestamp;
use testkit::database::Kind;
use tests::world::{Registered, Tenant, World, authorized, connect, fresh, reason, soon};
use tonic::Status;

use super::{Calls, calls, settle_in, shared_with};

/// A provider, a reseller whose id in the vendor's network is known, and a customer whom both serve.
struct Scene {
    world: &'static World,
    provider: Registered,
    reseller: Registered,
    mpn_id: String,
    tenant: Tenant,
    calls: Calls,
}

impl Scene {
    async fn set(kind: Kind) -> Self {
        let world = World::shared(kind).await;
        let onboarding = World::onboarding(Reseller);
        let mpn_id = onboarding.mpn_id.clone();
        let (provider, reseller) = (world.onboard(Provider).await, world.onboard_as(onboarding).await);
        world.join(&provider, &reseller).await;
        let made = world.try_create_customer(provider.token(), shared_with(&reseller)).await.unwrap();
        let tenant = settle_in(world, made).await;
        Self { world, provider, reseller, mpn_id, tenant, calls: calls(world).await }
    }

    async fn shown(&self, token: &str) -> pb::GetCustomerResponse {
        Calls(self.calls.0.clone()).get(token, &self.tenant.customer_id).await.unwrap()
    }

    /// Looks until what is shown is so.
    async fn until(&self, token: &str, is_so: impl Fn(&pb::GetCustomerResponse) -> bool) -> pb::GetCustomerResponse {
        let looking = async {
            loop {
                let shown = self.shown(token).await;
                if is_so(&shown) {
                    return shown;
                }
            }
        };
        soon("what licensing has told", looking).await
    }

    /// An active subscription of the provider's to this customer, as licensing would tell of it.
    fn brief(&self, name: &str) -> SubscriptionInBrief {
        SubscriptionInBrief {
            subscription_id: fresh(),
            customer_id: self.tenant.customer_id.clone(),
            partner_id: self.provider.organization_id.clone(),
            reseller_id: String::new(),
            product_name: "Harbor".to_owned(),
            friendly_name: name.to_owned(),
            quantity: 1,
            state: Told::Active.into(),
            expire_time: None,
        }
    }

    async fn tell(&self, facts: Vec<(i64, SubscriptionInBrief)>) {
        let facts = facts.into_iter().map(|(version, brief)| fact(version, brief)).collect();
        tell_as(self.world, "licensing", facts).await.unwrap();
    }
}

fn fact(version: i64, brief: SubscriptionInBrief) -> LicensingFact {
    LicensingFact { version, fact: Some(FactOfLicensing::Subscription(brief)) }
}

/// Tells partner something as that service would.
async fn tell_as(world: &World, service: &str, facts: Vec<LicensingFact>) -> Result<(), Status> {
    let token = match service {
        "licensing" => world.licensing.keys().issue_service_token("partner", &world.clock),
        _ => world.identity.keys().issue_service_token("partner", &world.clock),
    };
    let mut inside = PartnerInternalServiceClient::new(connect(world.addresses[2].internal).await);
    inside.apply_licensing_facts(authorized(&token, pb::ApplyLicensingFactsRequest { facts })).await.map(drop)
}

#[rstest]
#[tokio::test]
async fn what_is_ordered_and_what_becomes_of_it_is_shown_to_who_sold_it_and_to_the_reseller_of_record(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let scene = Scene::set(kind).await;
    let world = scene.world;
    let unrelated = world.onboard(Direct).await;
    let (_, link) = world.invite(&unrelated, World::invitation(None)).await;
    world.accept(&scene.tenant, &link).await;
    let product_id = world.product("Harbor").await;
    let offer_id = world.offer(World::offer_of(&product_id)).await;
    let line = |name: &str| licensing::OrderLine {
        offer_id: offer_id.clone(),
        quantity: 7,
        friendly_name: name.to_owned(),
        ..Default::default()
    };
    let order = |name: &str, mpn_id: &str| licensing::PlaceOrderRequest {
        customer_id: scene.tenant.customer_id.clone(),
        lines: vec![line(name)],
        reseller_mpn_id: mpn_id.to_owned(),
        ..Default::default()
    };
    let mut desk = SubscriptionServiceClient::new(world.to_licensing().await);
    let (provider, reseller) = (scene.provider.token().to_owned(), scene.reseller.token().to_owned());
    let joint = desk.place_order(authorized(&provider, order("Joint", &scene.mpn_id))).await.unwrap().into_inner();
    desk.place_order(authorized(&provider, order("alone", ""))).await.unwrap();

    let shown = scene.until(&provider, |shown| shown.active_subscriptions == 2).await;
    let names: Vec<&str> = shown.subscriptions.iter().map(|each| each.friendly_name.as_str()).collect();
    assert_eq!(names, ["alone", "Joint"]);
    let expected = pb::CustomerSubscription {
        subscription_id: joint.subscriptions[0].subscription_id.clone(),
        friendly_name: "Joint".to_owned(),
        product_name: "Harbor".to_owned(),
        quantity: 7,
        state: State::Active.into(),
        partner_id: scene.provider.organization_id.clone(),
        reseller_id: scene.reseller.organization_id.clone(),
        expire_time: None,
    };
    assert_eq!(shown.subscriptions[1], expected);
    let shown = scene.until(&reseller, |shown| shown.active_subscriptions == 1).await;
    assert_eq!(shown.subscriptions, std::slice::from_ref(&expected), "the other one is not its business");

    let suspend = licensing::SuspendSubscriptionRequest {
        subscription_id: expected.subscription_id.clone(),
        reason: licensing::StateReason::NonPayment.into(),
        ..Default::default()
    };
    let suspended = desk.suspend_subscription(authorized(&provider, suspend)).await.unwrap().into_inner();
    for token in [&provider, &reseller] {
        let shown = scene.until(token, |shown| shown.suspended_subscriptions == 1).await;
        let joint = shown.subscriptions.iter().find(|each| each.friendly_name == "Joint").unwrap();
        assert_eq!(joint.state(), State::Suspended);
        assert_eq!(joint.expire_time, suspended.subscription.as_ref().unwrap().expire_time);
    }
    let cancel = licensing::CancelSubscriptionRequest {
        subscription_id: expected.subscription_id,
        reason: licensing::StateReason::CustomerRequest.into(),
        ..Default::default()
    };
    desk.cancel_subscription(authorized(&provider, cancel)).await.unwrap();
    let shown = scene.until(&reseller, |shown| shown.suspended_subscriptions == 0).await;
    assert!(shown.subscriptions.is_empty() && shown.active_subscriptions == 0);
    let shown = scene.until(&provider, |shown| shown.suspended_subscriptions == 0).await;
    assert_eq!((shown.subscriptions.len(), shown.active_subscriptions), (1, 1));

    let shown = scene.shown(unrelated.token()).await;
    assert!(shown.customer.is_some() && shown.subscriptions.is_empty());
    assert_eq!((shown.active_subscriptions, shown.suspended_subscriptions), (0, 0));
}

#[rstest]
#[tokio::test]
async fn what_is_told_of_a_subscription_late_or_again_changes_nothing(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let scene = Scene::set(kind).await;
    let token = scene.provider.token().to_owned();
    let reseller_id = scene.reseller.organization_id.clone();
    let first = SubscriptionInBrief { reseller_id, ..scene.brief("Harbor Mail") };
    let more = SubscriptionInBrief { quantity: 5, ..first.clone() };
    let parted = SubscriptionInBrief { reseller_id: String::new(), ..more.clone() };
    let gone = SubscriptionInBrief { state: Told::Deleted.into(), ..first.clone() };
    // In one call and in several, newest first.
    scene.tell(vec![(2, more.clone()), (1, first.clone())]).await;
    for told in [(1, first.clone()), (2, more.clone()), (2, first.clone())] {
        scene.tell(vec![told]).await;
        let shown = scene.shown(&token).await;
        assert_eq!(shown.subscriptions.len(), 1);
        assert_eq!(shown.subscriptions[0].quantity, 5);
    }
    assert_eq!(scene.shown(scene.reseller.token()).await.subscriptions.len(), 1);
    scene.tell(vec![(3, parted)]).await;
    assert!(scene.shown(scene.reseller.token()).await.subscriptions.is_empty(), "it has another reseller, or none");
    assert_eq!(scene.shown(&token).await.subscriptions.len(), 1);
    scene.tell(vec![(4, gone)]).await;
    for told in [(1, first), (3, more)] {
        scene.tell(vec![told]).await;
        let shown = scene.shown(&token).await;
        assert!(shown.subscriptions.is_empty() && shown.active_subscriptions == 0, "what was deleted stays so");
    }
}

#[rstest]
#[tokio::test]
async fn a_suspended_subscription_whose_time_is_over_is_shown_no_more(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let scene = Scene::set(kind).await;
    let now = scene.world.clock.now().micros();
    for (seconds, count) in [(-1, 0), (3_600, 1)] {
        let expire_time = Some(timestamp(Timestamp::from_micros(now + seconds * 1_000_000)));
        let brief = SubscriptionInBrief { state: Told::Suspended.into(), expire_time, ..scene.brief("Harbor Mail") };
        scene.tell(vec![(1, brief)]).await;
        let shown = scene.shown(scene.provider.token()).await;
        assert_eq!((shown.subscriptions.len(), shown.suspended_subscriptions), (count as usize, count));
    }
}

#[rstest]
#[tokio::test]
async fn of_many_subscriptions_the_first_hundred_are_shown_and_all_are_counted(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let scene = Scene::set(kind).await;
    let facts = (0..103).rev().map(|number| (1, scene.brief(&format!("Harbor {number:03}")))).collect();
    scene.tell(facts).await;
    let shown = scene.shown(scene.provider.token()).await;
    let names: Vec<String> = shown.subscriptions.into_iter().map(|each| each.friendly_name).collect();
    assert_eq!(names, (0..100).map(|number| format!("Harbor {number:03}")).collect::<Vec<_>>());
    assert_eq!(shown.active_subscriptions, 103);
}

#[rstest]
#[tokio::test]
async fn one_who_is_only_named_to_a_customer_sees_no_subscription_even_of_its_own(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let scene = Scene::set(kind).await;
    let named = scene.world.onboard(Provider).await;
    scene.world.join(&named, &scene.reseller).await;
    let bound = pb::CreateInvitationRequest {
        customer_id: scene.tenant.customer_id.clone(),
        ..World::invitation(Some(&named))
    };
    scene.world.invite(&scene.reseller, bound).await;
    let brief = SubscriptionInBrief { partner_id: named.organization_id.clone(), ..scene.brief("From before") };
    scene.tell(vec![(1, brief)]).await;
    let shown = scene.shown(named.token()).await;
    let customer = shown.customer.clone().unwrap();
    let only = pb::Customer { customer_id: customer.customer_id, name: customer.name, ..Default::default() };
    assert_eq!(shown, pb::GetCustomerResponse { customer: Some(only), ..Default::default() });
}

#[rstest]
#[tokio::test]
async fn only_licensing_tells_of_subscriptions_and_what_is_not_understood_is_refused(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let scene = Scene::set(kind).await;
    let good = scene.brief("Harbor Mail");
    let refused = tell_as(scene.world, "identity", vec![fact(1, good.clone())]).await;
    assert_eq!(reason(&refused), "CALLER_NOT_ALLOWED");
    let cases = [
        (LicensingFact { version: 1, fact: None }, "FACT_UNKNOWN"),
        (fact(1, SubscriptionInBrief { state: 0, ..good.clone() }), "FACT_UNKNOWN"),
        (fact(1, SubscriptionInBrief { state: Told::Suspended.into(), ..good.clone() }), "MALFORMED"),
        (fact(1, SubscriptionInBrief { customer_id: "nobody".to_owned(), ..good }), "MALFORMED"),
    ];
    for (told, expected) in cases {
        assert_eq!(reason(&tell_as(scene.world, "licensing", vec![told.clone()]).await), expected, "{told:?}");
    }
}
