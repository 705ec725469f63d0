//! Orders and subscriptions on the wire.

mod change;

use base::{Fault, Page, Seek};
use proto::licensing::v1 as pb;
use service::form::{etag, timestamp};
use service::page_token::Tokens;
use service::{Form, Wire};

use super::ops::{GetSubscription, ListSubscriptions, PlaceOrder, Placed};
use super::order::{LINES_MAX, Line};
use super::{Reason, State, Subscription};
use crate::offer;
use crate::offer::commitment::Commitment;

/// Characters of a friendly name at most.
const FRIENDLY_NAME_MAX: usize = 100;
/// Characters of an MPN id at most.
const MPN_ID_MAX: usize = 50;

impl Wire for PlaceOrder {
    type Request = pb::PlaceOrderRequest;
    type Response = pb::PlaceOrderResponse;
    type Reply = Placed;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let customer = form.id("customer_id", &request.customer_id);
        let mpn_id = form.text("reseller_mpn_id", &request.reseller_mpn_id, 0..=MPN_ID_MAX);
        let base = form.optional_id("base_subscription_id", &request.base_subscription_id);
        let lines = lines(&mut form, &request.lines);
        form.finish(|| {
            let reseller_mpn_id = mpn_id.filter(|mpn_id| !mpn_id.is_empty());
            Some(Self { customer: customer?, lines, reseller_mpn_id, base: base? })
        })
    }

    fn present(placed: Placed) -> Self::Response {
        pb::PlaceOrderResponse {
            order_id: placed.order.to_string(),
            subscriptions: placed.subscriptions.iter().map(present).collect(),
        }
    }
}

fn lines(form: &mut Form, lines: &[pb::OrderLine]) -> Vec<Line> {
    if lines.is_empty() {
        form.wrong("lines", "REQUIRED", "an order has at least one line");
    }
    if !form.within("lines", "order_lines_max", lines.len(), LINES_MAX) {
        return Vec::new();
    }
    let mut parsed = Vec::with_capacity(lines.len());
    for (at, line) in lines.iter().enumerate() {
        let offer = form.id(format!("lines[{at}].offer_id"), &line.offer_id);
        let name = form.text(format!("lines[{at}].friendly_name"), &line.friendly_name, 0..=FRIENDLY_NAME_MAX);
        let parent = form.optional_id(format!("lines[{at}].parent_subscription_id"), &line.parent_subscription_id);
        let commitment = commitment(form, &format!("lines[{at}]."), line.billing_cycle, line.term);
        let mpn_id = form.text(format!("lines[{at}].reseller_mpn_id"), &line.reseller_mpn_id, 0..=MPN_ID_MAX);
        if line.quantity < 1 {
            form.wrong(format!("lines[{at}].quantity"), "OUT_OF_RANGE", "a line orders at least one seat");
        }
        let line = || {
            let friendly_name = Some(name?).filter(|name| !name.is_empty());
            let reseller_mpn_id = Some(mpn_id?).filter(|mpn_id| !mpn_id.is_empty());
            let (quantity, commitment) = (line.quantity.into(), commitment?);
            Some(Line { offer: offer?, quantity, parent: parent?, friendly_name, commitment, reseller_mpn_id })
        };
        parsed.extend(line());
    }
    parsed
}

/// How often something is to be billed, and for how long its buyer is to be bound.
fn commitment(form: &mut Form, path: &str, cycle: i32, term: i32) -> Option<Commitment> {
    let billing_cycle = offer::wire::billing_cycle(form, &format!("{path}billing_cycle"), cycle);
    let term = offer::wire::term(form, &format!("{path}term"), term);
    Some(Commitment { billing_cycle: billing_cycle?, term: term? })
}

impl Wire for GetSubscription {
    type Request = pb::GetSubscriptionRequest;
    type Response = pb::GetSubscriptionResponse;
    type Reply = Subscription;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let id = form.id("subscription_id", &request.subscription_id);
        form.finish(|| Some(Self { id: id? }))
    }

    fn present(subscription: Subscription) -> Self::Response {
        pb::GetSubscriptionResponse { subscription: Some(present(&subscription)) }
    }
}

impl Wire for ListSubscriptions {
    type Request = pb::ListSubscriptionsRequest;
    type Response = pb::ListSubscriptionsResponse;
    type Reply = (Page<Subscription>, Tokens);

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let customer = form.id("customer_id", &request.customer_id);
        let product = form.optional_id("product_id", &request.product_id);
        let page_size = form.page_size(request.page_size);
        let start = match pb::list_subscriptions_request::Seek::try_from(request.seek) {
            Ok(pb::list_subscriptions_request::Seek::Last) => Some(Seek::Last),
            Ok(_) => Some(Seek::First),
            Err(_) => {
                form.wrong("seek", "UNKNOWN_VALUE", "is not a seek");
                None
            }
        };
        form.finish(|| {
            Some(Self {
                customer: customer?,
                product: product?,
                page_size: page_size?,
                page_token: request.page_token,
                start: start?,
            })
        })
    }

    fn present((page, tokens): Self::Reply) -> Self::Response {
        pb::ListSubscriptionsResponse {
            subscriptions: page.rows.iter().map(present).collect(),
            next_page_token: tokens.next,
            previous_page_token: tokens.previous,
        }
    }
}

fn present(subscription: &Subscription) -> pb::Subscription {
    use pb::subscription::State as Word;
    let reseller = subscription.reseller.as_ref();
    let (word, reason, time, expire_time) = match subscription.state {
        State::Active { time } => (Word::Active, None, time, None),
        State::Suspended { reason, time, expire_time } => (Word::Suspended, Some(reason), time, Some(expire_time)),
        State::Deleted { reason, time } => (Word::Deleted, Some(reason), time, None),
    };
    pb::Subscription {
        subscription_id: subscription.id.to_string(),
        order_id: subscription.order.to_string(),
        customer_id: subscription.customer.to_string(),
        product_id: subscription.product.to_string(),
        offer_id: subscription.offer.to_string(),
        friendly_name: subscription.friendly_name.clone(),
        quantity: quantity(subscription.quantity),
        state: word.into(),
        partner_id: subscription.partner.to_string(),
        reseller_id: reseller.map(|reseller| reseller.id.to_string()).unwrap_or_default(),
        reseller_mpn_id: reseller.map(|reseller| reseller.mpn_id.clone()).unwrap_or_default(),
        create_time: Some(timestamp(subscription.create_time)),
        update_time: Some(timestamp(subscription.update_time)),
        etag: etag(subscription.version),
        parent_subscription_id: subscription.parent.map(|parent| parent.to_string()).unwrap_or_default(),
        state_reason: present_reason(reason).into(),
        state_time: Some(timestamp(time)),
        expire_time: expire_time.map(timestamp),
        trial_end_time: subscription.trial_end.map(timestamp),
        billing_cycle: subscription
            .commitment
            .billing_cycle
            .map_or(pb::BillingCycle::Unspecified, offer::wire::present_billing_cycle)
            .into(),
        term: subscription.commitment.term.map_or(pb::Term::Unspecified, offer::wire::present_term).into(),
    }
}

/// No subscription has more seats than an offer may have at most.
fn quantity(seats: i64) -> i32 {
    i32::try_from(seats).unwrap_or(i32::MAX)
}

fn present_reason(reason: Option<Reason>) -> pb::StateReason {
    match reason {
        None => pb::StateReason::Unspecified,
        Some(Reason::CustomerRequest) => pb::StateReason::CustomerRequest,
        Some(Reason::NonPayment) => pb::StateReason::NonPayment,
        Some(Reason::Fraud) => pb::StateReason::Fraud,
        Some(Reason::ParentSuspended) => pb::StateReason::ParentSuspended,
        Some(Reason::ParentDeleted) => pb::StateReason::ParentDeleted,
        Some(Reason::TrialEnded) => pb::StateReason::TrialEnded,
        Some(Reason::Expired) => pb::StateReason::Expired,
    }
}
