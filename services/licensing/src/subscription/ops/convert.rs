//! A trial becomes a subscription that is paid for.

use base::{Fault, Id};
use service::{Cx, Operation, Preparation};
use uuid::Uuid;

use super::Subject;
use crate::offer::Offer;
use crate::offer::commitment::Commitment;
use crate::policy::{self, Permission, Target};
use crate::subscription::change::Family;
use crate::subscription::order::{check_limit, check_parent, check_terms};
use crate::subscription::{Subscription, store};
use crate::{Licensing, entitlement, offer, organization, partner};

/// Turns a trial into a paid subscription to the same product, with the licenses that it has.
#[derive(Debug)]
pub struct ConvertTrial {
    pub(in crate::subscription) subject: Subject,
    pub(in crate::subscription) offer: Id<Offer>,
    pub(in crate::subscription) quantity: i64,
    pub(in crate::subscription) commitment: Commitment,
}

impl Operation for ConvertTrial {
    type Service = Licensing;
    const METHOD: &'static str = "/tandem.licensing.v1.SubscriptionService/ConvertTrial";
    const PERMISSION: Permission = Permission::ManageSubscriptions;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Subscription(self.subject.id)
    }

    async fn gate(&self, preparation: &Preparation<'_, Licensing>) -> Result<Option<Uuid>, Fault> {
        self.subject.gate(preparation).await
    }

    async fn run(&self, cx: &mut Cx<Licensing>, (): &()) -> Result<Subscription, Fault> {
        let family = self.subject.hold(cx).await?;
        let trial = family.subject.clone();
        trial.check_trial()?;
        // It is bought like what is ordered.
        policy::authorize(cx, Permission::PlaceOrder, &Target::Customer(trial.customer)).await?;
        partner::check_may_begin(partner::store::standing(&mut cx.tx, trial.partner).await?.as_ref())?;
        let country = organization::store::country(&mut cx.tx, trial.customer).await?;
        let country = country.ok_or_else(|| Fault::internal("a customer with a subscription is not known"))?;
        let offer = offer::store::get(&mut cx.tx, self.offer).await?;
        let offer = offer.ok_or_else(|| Fault::not_found("offer", self.offer))?;
        check_terms(self.quantity, &offer, &country)?;
        check_parent(&offer, family.parent.as_ref())?;
        check_add_ons(cx, &family, offer.id).await?;
        let pool = entitlement::store::of_subscription(&mut cx.tx, trial.customer, trial.product).await?;
        let after = trial.clone().converted(self.quantity, self.commitment, &offer, &pool)?;
        if let Some(limit) = offer.effective_limit() {
            // Whoever orders something of the same product waits for its pool, so that what is counted stays so.
            let counted = store::count_under(&mut cx.tx, after.customer, offer.id, limit).await?;
            // Under the same offer it is counted already.
            check_limit(limit, counted - i64::from(trial.offer == offer.id))?;
        }
        Ok(family.turn_into(cx, after).await?.subject)
    }
}

/// What adds to the trial must be sold for what it becomes as well.
async fn check_add_ons(cx: &mut Cx<Licensing>, family: &Family, parent: Id<Offer>) -> Result<(), Fault> {
    for add_on in &family.add_ons {
        let offer = offer::store::get(&mut cx.tx, add_on.offer).await?;
        if add_on.is_deleted() || offer.is_some_and(|offer| offer.parents.contains(&parent)) {
            continue;
        }
        let message = format!("the subscription {} adds to this one and not to that offer; cancel it first", add_on.id);
        return Err(Fault::precondition("PARENT_NOT_SUITABLE", message).with("subscription_id", add_on.id));
    }
    Ok(())
}
