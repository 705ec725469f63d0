//! What became of a subscription, as it is read.

use base::{Fault, Id, Page, Seek};
use service::page_token::{self, Tokens};
use service::{Cx, Operation};

use crate::Licensing;
use crate::policy::{Permission, Target};
use crate::subscription::history::Change;
use crate::subscription::{Subscription, store};

/// Lists what happened to a subscription, newest first.
#[derive(Debug)]
pub struct ListSubscriptionChanges {
    pub(in crate::subscription) id: Id<Subscription>,
    pub(in crate::subscription) page_size: usize,
    pub(in crate::subscription) page_token: String,
    pub(in crate::subscription) start: Seek,
}

impl Operation for ListSubscriptionChanges {
    type Service = Licensing;
    const METHOD: &'static str = "/tandem.licensing.v1.SubscriptionService/ListSubscriptionChanges";
    const PERMISSION: Permission = Permission::ReadSubscriptions;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Subscription(self.id)
    }

    async fn run(&self, cx: &mut Cx<Licensing>, (): &()) -> Result<(Page<Change>, Tokens), Fault> {
        let scope = cx.page_scope(&self.id.to_string());
        let seek = page_token::seek(&cx.host().keys, &scope, &self.page_token, self.start.clone())?;
        let page = store::changes(&mut cx.tx, self.id, &seek, self.page_size).await?;
        let tokens = Tokens::of(&cx.host().keys, &scope, &page);
        Ok((page, tokens))
    }
}
