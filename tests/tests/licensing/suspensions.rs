//! Subscriptions that are suspended, reactivated, canceled, or end by themselves.

use std::time::Duration;

use licensing::subscription::sweep;
use proto::common::v1::ListAuditEntriesRequest;
use proto::common::v1::audit_service_client::AuditServiceClient;
use proto::licensing::v1::subscription::State;
use proto::licensing::v1::subscription_change::Kind as Happened;
use proto::licensing::v1::{
    CancelSubscriptionRequest, ListSubscriptionChangesRequest, StateReason, SuspendSubscriptionRequest, entitlement,
    list_subscription_changes_request, user_license,
};
use proto::partner::v1::PartnerKind;
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{Grant, PASSWORD, World, authorized, fresh};
use tonic::Code;

use super::desk::{Desk, bought, paid, resized, unpaid, unwanted};
use super::trade::{Licenses, Shop, Trade, change, words};
use super::{detail, outcome, reason};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[rstest]
#[tokio::test]
async fn licenses_of_a_suspended_subscription_are_disabled_and_come_back_as_they_were(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let id = bought(world, &trade, 5).await.subscription_id;
    let users = world.told_users(&trade.customer, 3).await;
    let (mut desk, mut shop, mut licenses) = (Desk::of(world).await, Shop::of(world).await, Licenses::of(world).await);
    let give = |users: &[String]| change(&trade.customer, users, &[&trade.product], &[]);
    licenses.update(trade.helper(), give(&users[..2])).await.unwrap();

    let dry = SuspendSubscriptionRequest { validate_only: true, ..unpaid(&id) };
    assert_eq!(desk.suspend(trade.seller(), dry).await.unwrap().state(), State::Suspended);
    assert_eq!(shop.get(trade.seller(), &id).await.unwrap().state(), State::Active);

    let request = unpaid(&id);
    let suspended = desk.suspend(trade.seller(), request.clone()).await.unwrap();
    assert_eq!((suspended.state(), suspended.state_reason()), (State::Suspended, StateReason::NonPayment));
    let (since, until) = (suspended.state_time.unwrap().seconds, suspended.expire_time.unwrap().seconds);
    assert_eq!(until - since, 90 * 24 * 60 * 60);
    assert_eq!(desk.suspend(trade.seller(), request).await.unwrap(), suspended, "the same request again is the same");
    assert_eq!(reason(&desk.suspend(trade.seller(), unpaid(&id)).await), "SUBSCRIPTION_SUSPENDED");

    let owned = shop.entitlement(trade.helper(), &trade.customer, &trade.product).await;
    assert_eq!(owned.capability(), entitlement::Capability::Suspended);
    assert_eq!((owned.active, owned.warning, owned.total, owned.suspended), (0, 2, 2, 5));
    assert_eq!((owned.consumed, owned.available), (2, 0));
    let results = licenses.update(trade.helper(), give(&users[2..])).await.unwrap();
    assert_eq!(words(&results), ["SUBSCRIPTION_SUSPENDED"]);
    let state = licenses.get(trade.helper(), &trade.customer, &users[0]).await.unwrap()[0].state();
    assert_eq!(state, user_license::State::Disabled);

    let active = desk.reactivate(trade.seller(), paid(&id)).await.unwrap();
    assert_eq!(
        (active.state(), active.state_reason(), active.expire_time),
        (State::Active, StateReason::Unspecified, None)
    );
    assert_eq!(reason(&desk.reactivate(trade.seller(), paid(&id)).await), "SUBSCRIPTION_ACTIVE");
    let owned = shop.entitlement(trade.helper(), &trade.customer, &trade.product).await;
    assert_eq!((owned.active, owned.warning, owned.suspended, owned.consumed, owned.available), (5, 0, 0, 2, 3));
    let state = licenses.get(trade.helper(), &trade.customer, &users[0]).await.unwrap()[0].state();
    assert_eq!(state, user_license::State::Enabled);
    assert_eq!(words(&licenses.update(trade.helper(), give(&users[2..])).await.unwrap()), ["CHANGED"]);
}

#[rstest]
#[tokio::test]
async fn when_one_of_two_is_suspended_who_has_a_license_keeps_it_and_nobody_gets_one(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let (first, second) = (bought(world, &trade, 2).await, bought(world, &trade, 3).await);
    let users = world.told_users(&trade.customer, 5).await;
    let (mut desk, mut shop, mut licenses) = (Desk::of(world).await, Shop::of(world).await, Licenses::of(world).await);
    licenses.update(trade.helper(), change(&trade.customer, &users[..4], &[&trade.product], &[])).await.unwrap();
    desk.suspend(trade.seller(), unpaid(&second.subscription_id)).await.unwrap();
    let owned = shop.entitlement(trade.helper(), &trade.customer, &trade.product).await;
    assert_eq!(owned.capability(), entitlement::Capability::Warning);
    assert_eq!((owned.active, owned.warning, owned.total, owned.suspended, owned.available), (2, 2, 4, 3, 0));
    // Giving one back frees a suspended seat, which nobody gets.
    licenses.update(trade.helper(), change(&trade.customer, &users[..1], &[], &[&trade.product])).await.unwrap();
    let given = change(&trade.customer, &users[4..], &[&trade.product], &[]);
    assert_eq!(words(&licenses.update(trade.helper(), given).await.unwrap()), ["NO_SEATS_AVAILABLE"]);
    let refused = desk.resize(trade.seller(), resized(&first.subscription_id, 1)).await;
    assert_eq!(reason(&refused), "QUANTITY_BELOW_ASSIGNED");
    desk.resize(trade.seller(), resized(&first.subscription_id, 4)).await.unwrap();
    let owned = shop.entitlement(trade.helper(), &trade.customer, &trade.product).await;
    assert_eq!((owned.capability(), owned.available), (entitlement::Capability::Enabled, 1));
}

#[rstest]
#[tokio::test]
async fn who_was_given_a_license_last_loses_it_first_when_a_subscription_is_canceled(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let (first, second) = (bought(world, &trade, 2).await, bought(world, &trade, 3).await);
    let users = world.told_users(&trade.customer, 4).await;
    let (mut desk, mut shop, mut licenses) = (Desk::of(world).await, Shop::of(world).await, Licenses::of(world).await);
    for user in users.chunks(1) {
        licenses.update(trade.helper(), change(&trade.customer, user, &[&trade.product], &[])).await.unwrap();
    }
    let request = unwanted(&second.subscription_id);
    let dry = CancelSubscriptionRequest { validate_only: true, ..request.clone() };
    assert_eq!(desk.canceled(trade.seller(), dry).await.unwrap().licenses_ended, 2, "a dry run foretells it");
    let told = desk.canceled(trade.seller(), request.clone()).await.unwrap();
    assert_eq!(told.licenses_ended, 2);
    let gone = told.subscription.unwrap();
    let journal = ListAuditEntriesRequest {
        action_prefix: "LicensesEnded".to_owned(),
        customer_id: trade.customer.clone(),
        ..Default::default()
    };
    let audit = AuditServiceClient::new(world.to_licensing().await);
    let entries = async |token: &str| {
        audit.clone().list_audit_entries(authorized(token, journal.clone())).await.unwrap().into_inner().entries
    };
    assert!(entries(trade.seller()).await.is_empty(), "who sells without delegated admin is told how many, not whose");
    let entries = entries(&world.operator().await).await;
    assert_eq!((entries.len(), entries[0].customer_id.as_str()), (1, trade.customer.as_str()));
    let ended = entries[0].changes.iter().find(|change| change.field == "users").unwrap();
    assert!(users[2..].iter().all(|user| ended.after.contains(user)), "whose licenses they were: {ended:?}");
    assert_eq!((gone.state(), gone.state_reason()), (State::Deleted, StateReason::CustomerRequest));
    assert_eq!(desk.cancel(trade.seller(), request).await.unwrap(), gone, "the same request again is the same");
    let owned = shop.entitlement(trade.helper(), &trade.customer, &trade.product).await;
    assert_eq!((owned.total, owned.consumed, owned.sources.len()), (2, 2, 0));
    let mut kept = Vec::new();
    for user in &users {
        kept.push(licenses.get(trade.helper(), &trade.customer, user).await.unwrap().len());
    }
    assert_eq!(kept, [1, 1, 0, 0]);
    for refused in [
        desk.cancel(trade.seller(), unwanted(&second.subscription_id)).await,
        desk.suspend(trade.seller(), unpaid(&second.subscription_id)).await,
        desk.reactivate(trade.seller(), paid(&second.subscription_id)).await,
    ] {
        assert_eq!(outcome(&refused), (Code::FailedPrecondition, "SUBSCRIPTION_DELETED".to_owned()));
        assert_eq!(detail(&refused, "partner_center_code").unwrap(), "2011");
    }
    desk.suspend(trade.seller(), unpaid(&first.subscription_id)).await.unwrap();
    desk.cancel(trade.seller(), unwanted(&first.subscription_id)).await.unwrap();
    assert!(shop.entitlements(trade.helper(), &trade.customer).await.unwrap().entitlements.is_empty());
    assert!(licenses.get(trade.helper(), &trade.customer, &users[0]).await.unwrap().is_empty());
    let given = change(&trade.customer, &users[..1], &[&trade.product], &[]);
    assert_eq!(words(&licenses.update(trade.helper(), given).await.unwrap()), ["NOT_ENTITLED"]);
}

#[rstest]
#[tokio::test]
async fn a_seller_with_delegated_admin_reads_whose_licenses_its_cancellation_ended(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let direct = world.register().await;
    world.told_partner(&direct.organization_id, PartnerKind::Direct).await;
    world.told_access(&trade.customer, &direct.organization_id, Grant::DIRECT).await;
    let token = &direct.session.access_token;
    let bought = Shop::of(world).await.order(token, trade.order(1)).await.unwrap().subscriptions.remove(0);
    let user = world.told_users(&trade.customer, 1).await;
    let given = change(&trade.customer, &user, &[&trade.product], &[]);
    Licenses::of(world).await.update(token, given).await.unwrap();
    Desk::of(world).await.cancel(token, unwanted(&bought.subscription_id)).await.unwrap();
    let journal = ListAuditEntriesRequest { action_prefix: "LicensesEnded".to_owned(), ..Default::default() };
    let mut audit = AuditServiceClient::new(world.to_licensing().await);
    let entries = audit.list_audit_entries(authorized(token, journal)).await.unwrap().into_inner().entries;
    let told: Vec<(&str, &str)> =
        entries.iter().map(|entry| (entry.organization_id.as_str(), entry.target_id.as_str())).collect();
    assert_eq!(told, [(direct.organization_id.as_str(), user[0].as_str())]);
}

#[rstest]
#[tokio::test]
async fn after_ninety_days_a_suspended_subscription_is_gone_with_its_licenses(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let trade = Trade::begin(&world).await;
    let id = bought(&world, &trade, 5).await.subscription_id;
    let users = world.told_users(&trade.customer, 1).await;
    let (mut desk, mut shop, mut licenses) =
        (Desk::of(&world).await, Shop::of(&world).await, Licenses::of(&world).await);
    licenses.update(trade.helper(), change(&trade.customer, &users, &[&trade.product], &[])).await.unwrap();
    desk.suspend(trade.seller(), unpaid(&id)).await.unwrap();

    world.clock.advance(DAY * 89);
    let seller = world.sign_in(&trade.provider.admin_sign_in_name, PASSWORD).await.access_token;
    sweep::run(world.licensing.host()).await.unwrap();
    assert_eq!(shop.get(&seller, &id).await.unwrap().state(), State::Suspended);
    desk.reactivate(&seller, paid(&id)).await.unwrap();
    desk.suspend(&seller, unpaid(&id)).await.unwrap();

    world.clock.advance(DAY * 90);
    let seller = world.sign_in(&trade.provider.admin_sign_in_name, PASSWORD).await.access_token;
    let gone = shop.get(&seller, &id).await.unwrap();
    assert_eq!((gone.state(), gone.state_reason()), (State::Deleted, StateReason::Expired), "written down or not");
    assert_eq!(reason(&desk.reactivate(&seller, paid(&id)).await), "SUBSCRIPTION_DELETED");
    sweep::run(world.licensing.host()).await.unwrap();
    sweep::run(world.licensing.host()).await.unwrap();
    assert!(shop.entitlements(&seller, &trade.customer).await.unwrap().entitlements.is_empty());
    let helper = world.sign_in(&trade.reseller.admin_sign_in_name, PASSWORD).await.access_token;
    assert!(licenses.get(&helper, &trade.customer, &users[0]).await.unwrap().is_empty());
    let history = desk.history(&seller, &id).await;
    assert_eq!((history[0].kind(), history[0].reason()), (Happened::Deleted, StateReason::Expired));
    assert_eq!((history[0].actor_id.as_str(), history[0].actor_kind.as_str()), ("", "service"));
    assert_eq!(history.iter().filter(|line| line.kind() == Happened::Deleted).count(), 1);
}

#[rstest]
#[tokio::test]
async fn the_history_tells_what_happened_why_and_who_did_it(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let id = bought(world, &trade, 5).await.subscription_id;
    let mut desk = Desk::of(world).await;
    desk.resize(trade.seller(), resized(&id, 6)).await.unwrap();
    desk.suspend(trade.seller(), unpaid(&id)).await.unwrap();
    desk.reactivate(trade.seller(), paid(&id)).await.unwrap();
    desk.cancel(trade.seller(), unwanted(&id)).await.unwrap();
    let history = desk.history(trade.seller(), &id).await;
    let told: Vec<_> = history.iter().map(|line| (line.kind(), line.reason())).collect();
    assert_eq!(
        told,
        [
            (Happened::Deleted, StateReason::CustomerRequest),
            (Happened::Reactivated, StateReason::Unspecified),
            (Happened::Suspended, StateReason::NonPayment),
            (Happened::QuantityChanged, StateReason::Unspecified),
            (Happened::Ordered, StateReason::Unspecified),
        ]
    );
    for line in &history {
        assert_eq!((&line.actor_id, line.actor_kind.as_str()), (&trade.provider.admin_user_id, "user"));
        assert_eq!(line.actor_organization_id, trade.provider.organization_id);
    }

    let request = ListSubscriptionChangesRequest { subscription_id: id, page_size: 2, ..Default::default() };
    let first = desk.page(trade.seller(), request.clone()).await.unwrap();
    assert_eq!((&first.changes[..], first.previous_page_token.as_str()), (&history[..2], ""));
    let token = first.next_page_token;
    let second = desk.page(trade.seller(), ListSubscriptionChangesRequest { page_token: token, ..request.clone() });
    let second = second.await.unwrap();
    assert_eq!(second.changes, history[2..4]);
    let token = second.previous_page_token;
    let back = desk.page(trade.seller(), ListSubscriptionChangesRequest { page_token: token, ..request.clone() });
    assert_eq!(back.await.unwrap().changes, first.changes);
    let seek = list_subscription_changes_request::Seek::Last.into();
    let last = desk.page(trade.seller(), ListSubscriptionChangesRequest { seek, ..request.clone() }).await.unwrap();
    assert_eq!(last.changes, history[3..]);
    let foreign = ListSubscriptionChangesRequest { subscription_id: fresh(), ..request };
    assert_eq!(reason(&desk.page(trade.seller(), foreign).await), "NOT_FOUND");
}

#[rstest]
#[tokio::test]
async fn a_reason_is_one_that_somebody_has(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let id = bought(world, &trade, 5).await.subscription_id;
    let mut desk = Desk::of(world).await;
    for (given, expected) in [
        (StateReason::Unspecified, "REQUIRED"),
        (StateReason::ParentSuspended, "UNKNOWN_VALUE"),
        (StateReason::Expired, "UNKNOWN_VALUE"),
    ] {
        let refused = desk.suspend(trade.seller(), SuspendSubscriptionRequest { reason: given.into(), ..unpaid(&id) });
        assert_eq!(outcome(&refused.await), (Code::InvalidArgument, expected.to_owned()));
    }
}
