//! What partner is told of subscriptions, for its views of customers.

use base::Fault;
use proto::channel::v1 as channel;
use proto::channel::v1::licensing_fact::Fact as Told;
use service::Cx;
use service::form::timestamp;

use super::{State, Subscription};
use crate::{Licensing, clients, product};

/// Tells partner a subscription as it has become.
pub(in crate::subscription) async fn tell(cx: &mut Cx<Licensing>, subscription: &Subscription) -> Result<(), Fault> {
    let product = product::store::get(&mut cx.tx, subscription.product).await?;
    let product = product.ok_or_else(|| Fault::internal("the product of a subscription is gone"))?;
    cx.tell(clients::PARTNER, subscription.id.uuid(), subscription.version, &fact(subscription, product.name));
    Ok(())
}

fn fact(subscription: &Subscription, product_name: String) -> channel::LicensingFact {
    use channel::subscription_in_brief::State as Word;
    let (state, expire_time) = match subscription.state {
        State::Active { .. } => (Word::Active, None),
        State::Suspended { expire_time, .. } => (Word::Suspended, Some(timestamp(expire_time))),
        State::Deleted { .. } => (Word::Deleted, None),
    };
    let reseller = subscription.reseller.as_ref();
    let brief = channel::SubscriptionInBrief {
        subscription_id: subscription.id.to_string(),
        customer_id: subscription.customer.to_string(),
        partner_id: subscription.partner.to_string(),
        reseller_id: reseller.map(|reseller| reseller.id.to_string()).unwrap_or_default(),
        product_name,
        friendly_name: subscription.friendly_name.clone(),
        quantity: subscription.quantity,
        state: state.into(),
        expire_time,
    };
    channel::LicensingFact { version: subscription.version, fact: Some(Told::Subscription(brief)) }
}
