//! Subscriptions in brief on the wire.

use base::{Fault, Id};
use proto::channel::v1::subscription_in_brief::State as Word;
use proto::channel::v1::{LicensingFact, licensing_fact};
use proto::partner::v1 as pb;
use service::form::{read_timestamp, timestamp};

use super::{State, Subscription};

/// A subscription that licensing tells of. A kind that is not known here is refused, so that whoever tells it keeps it for
/// a later version.
pub(crate) fn read(told: &LicensingFact) -> Result<Subscription, Fault> {
    let unknown =
        || Fault::unimplemented("FACT_UNKNOWN", "this version does not know a fact of this kind, or a value in one");
    let Some(licensing_fact::Fact::Subscription(brief)) = &told.fact else { return Err(unknown()) };
    let state = match brief.state() {
        Word::Active => State::Active,
        Word::Suspended => {
            let time = brief.expire_time.as_ref().and_then(read_timestamp);
            let lacking = || Fault::field("facts", "MALFORMED", "a suspended subscription lacks its expire_time");
            State::Suspended { expire_time: time.ok_or_else(lacking)? }
        }
        Word::Deleted => State::Deleted,
        Word::Unspecified => return Err(unknown()),
    };
    let reseller = (!brief.reseller_id.is_empty()).then(|| id(&brief.reseller_id)).transpose()?;
    Ok(Subscription {
        id: id(&brief.subscription_id)?,
        customer: id(&brief.customer_id)?,
        partner: id(&brief.partner_id)?,
        reseller,
        product_name: brief.product_name.clone(),
        friendly_name: brief.friendly_name.clone(),
        quantity: brief.quantity,
        state,
        version: told.version,
    })
}

fn id<T>(text: &str) -> Result<Id<T>, Fault> {
    Id::parse(text).ok_or_else(|| Fault::field("facts", "MALFORMED", "an id in a fact is not a UUID with hyphens"))
}

/// A subscription beside its customer. A deleted one is never shown.
pub(crate) fn present(subscription: &Subscription) -> pb::CustomerSubscription {
    use pb::customer_subscription::State as Shown;
    pb::CustomerSubscription {
        subscription_id: subscription.id.to_string(),
        friendly_name: subscription.friendly_name.clone(),
        product_name: subscription.product_name.clone(),
        quantity: count(subscription.quantity),
        state: match subscription.state {
            State::Active => Shown::Active,
            State::Suspended { .. } => Shown::Suspended,
            State::Deleted => Shown::Unspecified,
        }
        .into(),
        partner_id: subscription.partner.to_string(),
        reseller_id: subscription.reseller.map(|reseller| reseller.to_string()).unwrap_or_default(),
        expire_time: subscription.state.expire_time().map(timestamp),
    }
}

/// A number that licensing keeps far below what the wire can say.
pub(crate) fn count(number: i64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
