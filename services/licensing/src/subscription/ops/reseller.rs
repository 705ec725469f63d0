//! Another reseller of record.

use base::Fault;
use service::{Cx, Operation, Preparation};
use uuid::Uuid;

use super::Subject;
use crate::policy::{Permission, Target};
use crate::subscription::{Subscription, reseller};
use crate::{Licensing, partner};

/// Names the reseller who serves the customer with a subscription from now on, or nobody.
#[derive(Debug)]
pub struct ChangeReseller {
    pub(in crate::subscription) subject: Subject,
    pub(in crate::subscription) mpn_id: Option<String>,
}

impl Operation for ChangeReseller {
    type Service = Licensing;
    const METHOD: &'static str = "/tandem.licensing.v1.SubscriptionService/ChangeReseller";
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
        if self.mpn_id.as_ref() == before.reseller.as_ref().map(|reseller| &reseller.mpn_id) {
            // Nothing begins: whoever serves with it already goes on, also when it could not be named now (C20).
            return Ok(before);
        }
        let reseller = match &self.mpn_id {
            Some(mpn_id) => {
                // Whoever is named begins something new, on the account of the partner who sold it.
                partner::check_may_begin(partner::store::standing(&mut cx.tx, before.partner).await?.as_ref())?;
                Some(reseller::named(cx, before.partner, mpn_id).await?)
            }
            None => None,
        };
        let after = before.with_reseller(reseller)?;
        Ok(family.turn_into(cx, after).await?.subject)
    }
}
