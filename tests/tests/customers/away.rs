//! A service is away while a customer is made or removed: what is answered then, and when it is back.

use std::time::Duration;

use proto::partner::v1 as pb;
use proto::partner::v1::PartnerKind::{Provider, Reseller};
use proto::partner::v1::remove_customer_response::State;
use rstest::rstest;
use testkit::database::Kind;
use tests::harness::proxy::Mode;
use tests::world::{Refused, World, authorized, outcome, reason, soon};
use tonic::Code;

use super::{calls, known_by_all, removing, request_id, shared_with};

/// The longest that an attempt is put off.
const PUT_OFF: Duration = Duration::from_secs(31);

#[rstest]
#[case::identity(0)]
#[case::licensing(1)]
#[tokio::test]
async fn a_removal_is_under_way_until_every_service_knows(
    #[case] away: usize,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let reseller = world.onboard(Reseller).await;
    let tenant = world.create_customer(&reseller).await;
    world.at_rest().await;
    world.edges[away].set(Mode::Cut).await;
    let mut calls = calls(&world).await;
    let request = removing(&tenant.customer_id);
    for _ in 0..2 {
        let answer = calls.remove(reseller.token(), request.clone()).await.unwrap();
        assert_eq!((answer.state(), answer.remaining_delegated_admin), (State::InProgress, true));
    }
    assert!(world.customer_ids(&reseller).await.is_empty(), "it is decided already");
    assert_eq!(reason(&calls.get(reseller.token(), &tenant.customer_id).await), "NOT_FOUND");
    let known = known_by_all(&world, &tenant.customer_id, &reseller.organization_id).await;
    assert_eq!(known[away], Some((true, true)));
    assert_eq!(known[1 - away], Some((false, true)), "who is there knows");

    world.edges[away].set(Mode::Pass).await;
    world.clock.advance(PUT_OFF);
    let done = async { while calls.remove(reseller.token(), request.clone()).await.unwrap().state() != State::Done {} };
    soon("the end everywhere", done).await;
    let known = known_by_all(&world, &tenant.customer_id, &reseller.organization_id).await;
    assert_eq!(known, [Some((false, true)); 2]);
}

#[rstest]
#[tokio::test]
async fn a_customer_that_identity_does_not_make_is_completed_by_repeating(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let reseller = world.onboard(Reseller).await;
    world.at_rest().await;
    world.edges[0].set(Mode::Cut).await;
    let mut calls = calls(&world).await;
    let request = World::new_customer();
    let begun = pb::CreateCustomerResponse { progress: pb::Progress::InProgress.into(), ..Default::default() };
    for _ in 0..2 {
        assert_eq!(calls.create(reseller.token(), request.clone()).await.unwrap(), begun);
    }
    let dry = pb::CreateCustomerRequest { validate_only: true, ..World::new_customer() };
    let refused = outcome(&calls.create(reseller.token(), dry).await);
    assert_eq!(refused, (Code::Unavailable, "PEER_UNAVAILABLE".to_owned()));
    assert!(world.customer_ids(&reseller).await.is_empty());

    world.edges[0].set(Mode::Pass).await;
    world.clock.advance(PUT_OFF);
    let made = soon("the customer", world.try_create_customer(reseller.token(), request)).await.unwrap();
    assert_eq!(world.customer_ids(&reseller).await, [made.customer.unwrap().customer_id]);
}

#[rstest]
#[tokio::test]
async fn a_customer_is_not_active_before_licensing_knows_who_serves_it(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let reseller = world.onboard(Reseller).await;
    world.at_rest().await;
    world.edges[1].set(Mode::Cut).await;
    let mut calls = calls(&world).await;
    let request = World::new_customer();
    let answer = calls.create(reseller.token(), request.clone()).await.unwrap();
    assert_eq!((answer.progress(), answer.temporary_password.as_str()), (pb::Progress::InProgress, ""));
    world.edges[1].set(Mode::Pass).await;
    world.clock.advance(PUT_OFF);
    let made = soon("the customer", world.try_create_customer(reseller.token(), request)).await.unwrap();
    let customer_id = made.customer.unwrap().customer_id;
    assert_eq!(known_by_all(&world, &customer_id, &reseller.organization_id).await, [Some((true, true)); 2]);
}

#[rstest]
#[tokio::test]
async fn a_customer_that_takes_too_long_is_given_up_and_leaves_nothing(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let reseller = world.onboard(Reseller).await;
    world.at_rest().await;
    world.edges[0].set(Mode::Cut).await;
    let request = World::new_customer();
    let answer = calls(&world).await.create(reseller.token(), request.clone()).await.unwrap();
    assert_eq!(answer.progress(), pb::Progress::InProgress);
    world.clock.advance(Duration::from_secs(61));
    let given_up = soon("the end of the budget", world.try_create_customer(reseller.token(), request.clone())).await;
    assert_eq!(outcome(&given_up), (Code::Unavailable, "SAGA_TIMED_OUT".to_owned()));
    assert_eq!(reason(&calls(&world).await.create(reseller.token(), request.clone()).await), "SAGA_TIMED_OUT");
    let entries = world.journal_of_partner(reseller.token()).await;
    let told = |action: &str| entries.iter().filter(|entry| entry.action == action).count();
    assert_eq!((told("CustomerCreationAborted"), told("CreateCustomer")), (1, 0), "once, whoever waits and repeats");

    world.edges[0].set(Mode::Pass).await;
    world.clock.advance(PUT_OFF);
    let anew = async {
        loop {
            match world.try_create_customer(reseller.token(), request.clone()).await {
                Ok(made) => return made,
                // Before everything is taken back the domain is not free.
                Err(status) => assert_eq!(Refused::of(&status).reason, "SAGA_TIMED_OUT"),
            }
        }
    };
    let made = soon("the same request, anew", anew).await;
    assert_eq!(world.customer_ids(&reseller).await, [made.customer.clone().unwrap().customer_id]);
    assert_eq!(world.try_create_customer(reseller.token(), request).await.unwrap(), made, "it has one effect");
}

#[rstest]
#[tokio::test]
async fn a_partnership_that_ends_while_a_customer_is_made_for_both_leaves_no_half(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let (provider, reseller) = (world.onboard(Provider).await, world.onboard(Reseller).await);
    let partnership_id = world.join(&provider, &reseller).await;
    world.at_rest().await;
    world.edges[0].set(Mode::Cut).await;
    let request = shared_with(&reseller);
    let answer = calls(&world).await.create(provider.token(), request.clone()).await.unwrap();
    assert_eq!(answer.progress(), pb::Progress::InProgress);
    let end = pb::RemovePartnershipRequest {
        partnership_id,
        attestation_accepted: true,
        request_id: request_id(),
        ..Default::default()
    };
    world.partnerships().await.remove_partnership(authorized(reseller.token(), end)).await.unwrap();
    world.edges[0].set(Mode::Pass).await;
    world.clock.advance(PUT_OFF);
    let refused = soon("the decision", world.try_create_customer(provider.token(), request.clone())).await;
    assert_eq!(outcome(&refused), (Code::FailedPrecondition, "PARTNERSHIP_NOT_ACTIVE".to_owned()));
    let again = world.try_create_customer(provider.token(), request.clone()).await;
    assert_eq!(reason(&again), "PARTNERSHIP_NOT_ACTIVE", "a refusal that does not pass is answered again");
    assert!(world.customer_ids(&provider).await.is_empty() && world.customer_ids(&reseller).await.is_empty());
    let alone =
        || pb::CreateCustomerRequest { reseller_id: String::new(), request_id: request_id(), ..request.clone() };
    let made = async {
        // Taking back may go on after the answer.
        while reason(&world.try_create_customer(provider.token(), alone()).await) == "DOMAIN_TAKEN" {}
    };
    soon("the domain, free again", made).await;
    assert_eq!(world.customer_ids(&provider).await.len(), 1);
}
