//! What can be asked of orders and subscriptions.

mod change;
mod convert;
mod history;
mod order;
mod reseller;

use base::{Fault, Id, Page, Seek};
use service::page_token::{self, Tokens};
use service::{Cx, Operation};

pub use change::{CancelSubscription, ChangeQuantity, ReactivateSubscription, Subject, SuspendSubscription};
pub use convert::ConvertTrial;
pub use history::ListSubscriptionChanges;
pub use order::{PlaceOrder, Placed};
pub use reseller::ChangeReseller;

use super::store::Filter;
use super::{Subscription, store};
use crate::Licensing;
use crate::entitlement::ops::viewer;
use crate::organization::Organization;
use crate::policy::{Permission, Target};
use crate::product::Product;

/// Shows one subscription.
#[derive(Debug)]
pub struct GetSubscription {
    pub(super) id: Id<Subscription>,
}

impl Operation for GetSubscription {
    type Service = Licensing;
    const METHOD: &'static str = "/tandem.licensing.v1.SubscriptionService/GetSubscription";
    const PERMISSION: Permission = Permission::ReadSubscriptions;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Subscription(self.id)
    }

    async fn run(&self, cx: &mut Cx<Licensing>, (): &()) -> Result<Subscription, Fault> {
        store::get(&mut cx.tx, self.id).await?.ok_or_else(|| Fault::not_found("subscription", self.id))
    }
}

/// Lists a customer's subscriptions by name.
#[derive(Debug)]
pub struct ListSubscriptions {
    pub(super) customer: Id<Organization>,
    pub(super) product: Option<Id<Product>>,
    pub(super) page_size: usize,
    pub(super) page_token: String,
    pub(super) start: Seek,
}

impl Operation for ListSubscriptions {
    type Service = Licensing;
    const METHOD: &'static str = "/tandem.licensing.v1.SubscriptionService/ListSubscriptions";
    const PERMISSION: Permission = Permission::ReadSubscriptions;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Customer(self.customer)
    }

    async fn run(&self, cx: &mut Cx<Licensing>, (): &()) -> Result<(Page<Subscription>, Tokens), Fault> {
        let scope = cx.page_scope(&format!("{}|{:?}", self.customer, self.product));
        let seek = page_token::seek(&cx.host().keys, &scope, &self.page_token, self.start.clone())?;
        let viewer = viewer(cx, self.customer)?;
        let filter = Filter { customer: self.customer, viewer, product: self.product };
        let page = store::list(&mut cx.tx, &filter, &seek, self.page_size).await?;
        let tokens = Tokens::of(&cx.host().keys, &scope, &page);
        Ok((page, tokens))
    }
}
