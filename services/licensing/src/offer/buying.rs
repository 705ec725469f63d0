//! Whether a customer could have an offer: what PlaceOrder would ask, asked beforehand and by the same rules.

use std::collections::{BTreeMap, BTreeSet};

use base::{Fault, Id, Kind};
use service::Cx;

use super::Offer;
use crate::organization::Organization;
use crate::policy::{self, Permission, Target};
use crate::product::Product;
use crate::projection::Unresolved;
use crate::subscription::order::{check_available, check_country, check_limit, check_new, check_parent};
use crate::subscription::store::Counted;
use crate::subscription::{self, Subscription};
use crate::{Licensing, entitlement, organization, partner};

/// What an order of some offers would be judged on: one seller, one customer.
#[derive(Debug)]
pub(crate) struct Prospect {
    /// What keeps the seller from ordering anything for the customer.
    obstacles: Vec<String>,
    country: String,
    counted: BTreeMap<Id<Offer>, Counted>,
    /// The products that the customer owns, whoever sold them.
    owned: BTreeSet<Id<Product>>,
    /// Of each offer to which something adds, a subscription that the seller has sold, an active one if there is one.
    parents: Vec<Subscription>,
}

impl Prospect {
    /// Looks everything up that these offers would be judged on.
    pub(crate) async fn of(
        cx: &mut Cx<Licensing>,
        (customer, seller): (Id<Organization>, Id<Organization>),
        offers: &[Offer],
    ) -> Result<Self, Fault> {
        let standing = partner::store::standing(&mut cx.tx, seller).await?;
        let obstacles =
            partner::check_may_begin(standing.as_ref()).err().into_iter().map(|fault| word(&fault)).collect();
        let Some(country) = organization::store::country(&mut cx.tx, customer).await? else {
            cx.hang_on(Unresolved::Organization(customer));
            return Err(Fault::not_found("customer", customer));
        };
        let ids: Vec<Id<Offer>> = offers.iter().map(|offer| offer.id).collect();
        let counted = subscription::store::counts_under(&mut cx.tx, customer, &ids).await?;
        let owned = entitlement::store::owned(&mut cx.tx, customer).await?;
        let now = cx.now();
        let parents = match offers.iter().any(|offer| !offer.parents.is_empty()) {
            true => subscription::store::to_add_to(&mut cx.tx, (customer, seller), now).await?,
            false => Vec::new(),
        };
        let parents = parents.into_iter().map(|parent| parent.as_of(now)).collect();
        Ok(Self { obstacles, country, counted, owned, parents })
    }

    /// The same for the caller as seller, whose own right to order is asked first.
    pub(crate) async fn of_caller(
        cx: &mut Cx<Licensing>,
        customer: Id<Organization>,
        offers: &[Offer],
    ) -> Result<Self, Fault> {
        let seller = cx.organization()?;
        let refused = match policy::authorize(cx, Permission::PlaceOrder, &Target::Customer(customer)).await {
            Ok(()) => None,
            Err(fault) if matches!(fault.kind(), Kind::Denied | Kind::Precondition) => Some(word(&fault)),
            Err(fault) => return Err(fault),
        };
        let found = Self::of(cx, (customer, seller), offers).await?;
        Ok(Self { obstacles: refused.into_iter().chain(found.obstacles).collect(), ..found })
    }

    /// Everything that would stand in the way of an order of this offer with a fitting quantity, in the words and in the
    /// order in which PlaceOrder would say it.
    pub(crate) fn refusals(&self, offer: &Offer) -> Vec<String> {
        let checks = [
            check_available(offer),
            check_country(offer, &self.country),
            self.check_parent(offer),
            self.check_limit(offer),
            check_new(offer, self.owned.contains(&offer.product)),
        ];
        let refused = checks.into_iter().filter_map(Result::err).map(|fault| word(&fault));
        self.obstacles.iter().cloned().chain(refused).collect()
    }

    /// An add-on needs a subscription of the same seller that it could add to.
    fn check_parent(&self, offer: &Offer) -> Result<(), Fault> {
        let mut refused = check_parent(offer, None);
        for parent in self.parents.iter().filter(|parent| offer.parents.contains(&parent.offer)) {
            refused = check_parent(offer, Some(parent));
            if refused.is_ok() {
                break;
            }
        }
        refused
    }

    fn check_limit(&self, offer: &Offer) -> Result<(), Fault> {
        let Some(limit) = offer.effective_limit() else { return Ok(()) };
        let counted = self.counted.get(&offer.id).copied().unwrap_or_default();
        check_limit(limit, counted.under(limit))
    }
}

fn word(fault: &Fault) -> String {
    fault.reason().to_owned()
}
