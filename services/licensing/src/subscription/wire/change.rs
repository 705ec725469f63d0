//! What is done to subscriptions, on the wire.

use base::{Fault, Page, Seek};
use proto::licensing::v1 as pb;
use service::form::timestamp;
use service::page_token::Tokens;
use service::{Form, Wire};

use super::{MPN_ID_MAX, commitment, present, present_reason, quantity};
use crate::subscription::change::Turned;
use crate::subscription::history::{Change, Kind};
use crate::subscription::ops::{
    CancelSubscription, ChangeQuantity, ChangeReseller, ConvertTrial, ListSubscriptionChanges, ReactivateSubscription,
    Subject, SuspendSubscription,
};
use crate::subscription::{Reason, Subscription};

fn subject(form: &mut Form, id: &str, etag: &str) -> Option<Subject> {
    let version = form.etag(etag);
    Some(Subject { id: form.id("subscription_id", id)?, version })
}

fn check_seats(form: &mut Form, quantity: i32) {
    if quantity < 1 {
        form.wrong("quantity", "OUT_OF_RANGE", "a subscription has at least one seat; cancel it to have none");
    }
}

/// A reason that somebody has. Those that stand for what happens by itself are nobody's to give.
fn reason(form: &mut Form, number: i32) -> Option<Reason> {
    match pb::StateReason::try_from(number) {
        Ok(pb::StateReason::CustomerRequest) => Some(Reason::CustomerRequest),
        Ok(pb::StateReason::NonPayment) => Some(Reason::NonPayment),
        Ok(pb::StateReason::Fraud) => Some(Reason::Fraud),
        Ok(pb::StateReason::Unspecified) => {
            form.wrong("reason", "REQUIRED", "is required");
            None
        }
        _ => {
            form.wrong("reason", "UNKNOWN_VALUE", "is not a reason that can be given");
            None
        }
    }
}

impl Wire for ChangeQuantity {
    type Request = pb::ChangeQuantityRequest;
    type Response = pb::ChangeQuantityResponse;
    type Reply = Subscription;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let subject = subject(&mut form, &request.subscription_id, &request.etag);
        check_seats(&mut form, request.quantity);
        form.finish(|| Some(Self { subject: subject?, quantity: request.quantity.into() }))
    }

    fn present(subscription: Subscription) -> Self::Response {
        pb::ChangeQuantityResponse { subscription: Some(present(&subscription)) }
    }
}

impl Wire for SuspendSubscription {
    type Request = pb::SuspendSubscriptionRequest;
    type Response = pb::SuspendSubscriptionResponse;
    type Reply = Subscription;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let subject = subject(&mut form, &request.subscription_id, &request.etag);
        let reason = reason(&mut form, request.reason);
        form.finish(|| Some(Self { subject: subject?, reason: reason? }))
    }

    fn present(subscription: Subscription) -> Self::Response {
        pb::SuspendSubscriptionResponse { subscription: Some(present(&subscription)) }
    }
}

impl Wire for ReactivateSubscription {
    type Request = pb::ReactivateSubscriptionRequest;
    type Response = pb::ReactivateSubscriptionResponse;
    type Reply = Subscription;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let subject = subject(&mut form, &request.subscription_id, &request.etag);
        form.finish(|| Some(Self { subject: subject? }))
    }

    fn present(subscription: Subscription) -> Self::Response {
        pb::ReactivateSubscriptionResponse { subscription: Some(present(&subscription)) }
    }
}

impl Wire for ConvertTrial {
    type Request = pb::ConvertTrialRequest;
    type Response = pb::ConvertTrialResponse;
    type Reply = Subscription;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let subject = subject(&mut form, &request.subscription_id, &request.etag);
        let offer = form.id("offer_id", &request.offer_id);
        check_seats(&mut form, request.quantity);
        let commitment = commitment(&mut form, "", request.billing_cycle, request.term);
        let quantity = request.quantity.into();
        form.finish(|| Some(Self { subject: subject?, offer: offer?, quantity, commitment: commitment? }))
    }

    fn present(subscription: Subscription) -> Self::Response {
        pb::ConvertTrialResponse { subscription: Some(present(&subscription)) }
    }
}

impl Wire for ChangeReseller {
    type Request = pb::ChangeResellerRequest;
    type Response = pb::ChangeResellerResponse;
    type Reply = Subscription;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let subject = subject(&mut form, &request.subscription_id, &request.etag);
        let mpn_id = form.text("reseller_mpn_id", &request.reseller_mpn_id, 0..=MPN_ID_MAX);
        form.finish(|| Some(Self { subject: subject?, mpn_id: Some(mpn_id?).filter(|mpn_id| !mpn_id.is_empty()) }))
    }

    fn present(subscription: Subscription) -> Self::Response {
        pb::ChangeResellerResponse { subscription: Some(present(&subscription)) }
    }
}

impl Wire for CancelSubscription {
    type Request = pb::CancelSubscriptionRequest;
    type Response = pb::CancelSubscriptionResponse;
    type Reply = Turned;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let subject = subject(&mut form, &request.subscription_id, &request.etag);
        let reason = reason(&mut form, request.reason);
        form.finish(|| Some(Self { subject: subject?, reason: reason? }))
    }

    fn present(turned: Turned) -> Self::Response {
        let licenses_ended = quantity(turned.licenses_ended);
        pb::CancelSubscriptionResponse { subscription: Some(present(&turned.subject)), licenses_ended }
    }
}

impl Wire for ListSubscriptionChanges {
    type Request = pb::ListSubscriptionChangesRequest;
    type Response = pb::ListSubscriptionChangesResponse;
    type Reply = (Page<Change>, Tokens);

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let id = form.id("subscription_id", &request.subscription_id);
        let page_size = form.page_size(request.page_size);
        let start = match pb::list_subscription_changes_request::Seek::try_from(request.seek) {
            Ok(pb::list_subscription_changes_request::Seek::Last) => Some(Seek::Last),
            Ok(_) => Some(Seek::First),
            Err(_) => {
                form.wrong("seek", "UNKNOWN_VALUE", "is not a seek");
                None
            }
        };
        form.finish(|| Some(Self { id: id?, page_size: page_size?, page_token: request.page_token, start: start? }))
    }

    fn present((page, tokens): Self::Reply) -> Self::Response {
        pb::ListSubscriptionChangesResponse {
            changes: page.rows.iter().map(present_change).collect(),
            next_page_token: tokens.next,
            previous_page_token: tokens.previous,
        }
    }
}

fn present_change(change: &Change) -> pb::SubscriptionChange {
    use pb::subscription_change::Kind as Word;
    let kind = match change.kind {
        Kind::Ordered => Word::Ordered,
        Kind::QuantityChanged => Word::QuantityChanged,
        Kind::Suspended => Word::Suspended,
        Kind::Reactivated => Word::Reactivated,
        Kind::Converted => Word::Converted,
        Kind::ResellerChanged => Word::ResellerChanged,
        Kind::Deleted => Word::Deleted,
    };
    pb::SubscriptionChange {
        change_id: change.id.to_string(),
        kind: kind.into(),
        reason: present_reason(change.reason).into(),
        quantity_before: quantity(change.quantity_before),
        quantity_after: quantity(change.quantity_after),
        actor_id: change.actor.id.map(|id| id.to_string()).unwrap_or_default(),
        actor_kind: change.actor.kind.clone(),
        actor_organization_id: change.actor.organization.map(|id| id.to_string()).unwrap_or_default(),
        create_time: Some(timestamp(change.create_time)),
    }
}
