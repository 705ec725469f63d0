//! What can be done to a subscription.

use base::{Fault, Id};
use service::{Cx, Operation, Preparation};
use uuid::Uuid;

use crate::policy::{self, Permission, Target};
use crate::subscription::change::{Family, Turned};
use crate::subscription::{Reason, Subscription, store};
use crate::{Licensing, entitlement, offer, partner};

/// Which subscription, and as what the caller saw it.
#[derive(Debug)]
pub struct Subject {
    pub(in crate::subscription) id: Id<Subscription>,
    pub(in crate::subscription) version: Option<i64>,
}

impl Subject {
    /// What its change holds is its customer's: the pools of the products that it and its add-ons are of. Whoever does not
    /// see it learns nothing of whose it is.
    pub(super) async fn gate(&self, preparation: &Preparation<'_, Licensing>) -> Result<Option<Uuid>, Fault> {
        let Some(caller) = preparation.caller.principal() else { return Ok(None) };
        let caller = Id::from_uuid(caller.organization_id);
        let mut tx = preparation.host.db.snapshot().await?;
        let found = store::get(&mut tx, self.id).await;
        tx.rollback().await;
        let seen = found?.filter(|subscription| subscription.is_seen_by(caller));
        Ok(Some(seen.map_or(self.id.uuid(), |subscription| subscription.customer.uuid())))
    }

    /// Holds it for a change.
    pub(super) async fn hold(&self, cx: &mut Cx<Licensing>) -> Result<Family, Fault> {
        let family = Family::hold(cx, self.id).await?;
        if self.version.is_some_and(|version| version != family.subject.version) {
            let message = "the subscription is not as it was when it was read; read it again";
            return Err(Fault::aborted("ETAG_MISMATCH", message).with("partner_center_code", 2055));
        }
        Ok(family)
    }
}

/// Changes how many seats a subscription has.
#[derive(Debug)]
pub struct ChangeQuantity {
    pub(in crate::subscription) subject: Subject,
    pub(in crate::subscription) quantity: i64,
}

impl Operation for ChangeQuantity {
    type Service = Licensing;
    const METHOD: &'static str = "/tandem.licensing.v1.SubscriptionService/ChangeQuantity";
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
        let before = family.subject.clone();
        before.check_active()?;
        if self.quantity > before.quantity {
            // More seats are bought like the first ones.
            policy::authorize(cx, Permission::PlaceOrder, &Target::Customer(before.customer)).await?;
            partner::check_may_begin(partner::store::standing(&mut cx.tx, before.partner).await?.as_ref())?;
        }
        let offer = offer::store::get(&mut cx.tx, before.offer).await?;
        let offer = offer.ok_or_else(|| Fault::internal("a subscription has no offer"))?;
        let pool = entitlement::store::of_subscription(&mut cx.tx, before.customer, before.product).await?;
        let after = before.with_quantity(self.quantity, &offer, &pool)?;
        Ok(family.turn_into(cx, after).await?.subject)
    }
}

/// Suspends a subscription, and what adds to it.
#[derive(Debug)]
pub struct SuspendSubscription {
    pub(in crate::subscription) subject: Subject,
    pub(in crate::subscription) reason: Reason,
}

impl Operation for SuspendSubscription {
    type Service = Licensing;
    const METHOD: &'static str = "/tandem.licensing.v1.SubscriptionService/SuspendSubscription";
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
        let after = family.subject.clone().suspended(self.reason, cx.now())?;
        Ok(family.turn_into(cx, after).await?.subject)
    }
}

/// Makes a suspended subscription active again.
#[derive(Debug)]
pub struct ReactivateSubscription {
    pub(in crate::subscription) subject: Subject,
}

impl Operation for ReactivateSubscription {
    type Service = Licensing;
    const METHOD: &'static str = "/tandem.licensing.v1.SubscriptionService/ReactivateSubscription";
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
        let after = family.subject.clone().reactivated(family.parent.as_ref(), cx.now())?;
        Ok(family.turn_into(cx, after).await?.subject)
    }
}

/// Ends a subscription for ever, and what adds to it.
#[derive(Debug)]
pub struct CancelSubscription {
    pub(in crate::subscription) subject: Subject,
    pub(in crate::subscription) reason: Reason,
}

impl Operation for CancelSubscription {
    type Service = Licensing;
    const METHOD: &'static str = "/tandem.licensing.v1.SubscriptionService/CancelSubscription";
    const PERMISSION: Permission = Permission::ManageSubscriptions;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Subscription(self.subject.id)
    }

    async fn gate(&self, preparation: &Preparation<'_, Licensing>) -> Result<Option<Uuid>, Fault> {
        self.subject.gate(preparation).await
    }

    async fn run(&self, cx: &mut Cx<Licensing>, (): &()) -> Result<Turned, Fault> {
        let family = self.subject.hold(cx).await?;
        let after = family.subject.clone().canceled(self.reason, cx.now())?;
        family.turn_into(cx, after).await
    }
}
