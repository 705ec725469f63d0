//! What can be asked of licenses.

mod listing;
mod update;

use std::collections::HashSet;

use base::{Fault, Id, Page, Seek};
use service::page_token::{self, Tokens};
use service::{Cx, Operation};

use super::store::License;
use super::{Excluded, PAIRS_MAX, store};
use crate::entitlement::Entitlement;
use crate::entitlement::ops::{Plans, viewer};
use crate::organization::Organization;
use crate::policy::{Permission, Target};
use crate::product::{self, Product};
use crate::projection::Unresolved;
use crate::user::{State, User};
use crate::{Licensing, entitlement, user};

pub use listing::{LicenseUsers, ListLicenseUsers};
pub use update::{UpdateLicenses, Updated};

/// Asks identity for those whom the customer was not seen to have: whoever is still missing in the next attempt does not
/// exist. One who is known as another customer's is not asked for; one who was told of in the meantime is, and is seen then.
pub(super) async fn first_sight(
    cx: &mut Cx<Licensing>,
    customer: Id<Organization>,
    missing: &[Id<User>],
) -> Result<(), Fault> {
    if missing.is_empty() {
        return Ok(());
    }
    let unknown = user::store::unknown(&mut cx.tx, customer, missing).await?;
    cx.ask(unknown.into_iter().map(|id| Unresolved::User { customer, id }))
}

/// Tells who of the selected users holds what.
#[derive(Debug)]
pub struct SummarizeLicenses {
    pub(super) customer: Id<Organization>,
    pub(super) users: Vec<Id<User>>,
    pub(super) page_size: usize,
    pub(super) page_token: String,
    pub(super) start: Seek,
}

/// Who holds a product, and what is left out for them.
pub(super) type Holder = (Id<User>, Excluded);

/// What they hold.
#[derive(Debug)]
pub struct Summary {
    /// In the order in which they are shown.
    pub(super) users: Vec<User>,
    /// Who of the selected the customer does not have.
    pub(super) strangers: Vec<Id<User>>,
    pub(super) page: Page<(Entitlement, Vec<Holder>)>,
    pub(super) plans: Plans,
    pub(super) tokens: Tokens,
    pub(super) orderers: Vec<Id<Organization>>,
}

impl Operation for SummarizeLicenses {
    type Service = Licensing;
    const METHOD: &'static str = "/tandem.licensing.v1.LicenseService/SummarizeLicenses";
    const PERMISSION: Permission = Permission::ReadLicenses;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Customer(self.customer)
    }

    async fn run(&self, cx: &mut Cx<Licensing>, (): &()) -> Result<Summary, Fault> {
        let mut selected = self.users.clone();
        selected.sort_unstable();
        selected.dedup();
        let scope = cx.page_scope(&format!("{}|{selected:?}", self.customer));
        let seek = page_token::seek(&cx.host().keys, &scope, &self.page_token, self.start.clone())?;
        let mut users = user::store::people(&mut cx.tx, self.customer, &selected).await?;
        users.sort_by(|a, b| (&a.sort_key, a.id).cmp(&(&b.sort_key, b.id)));
        let known: HashSet<Id<User>> = users.iter().map(|user| user.id).collect();
        let strangers: Vec<Id<User>> = selected.iter().filter(|id| !known.contains(id)).copied().collect();
        first_sight(cx, self.customer, &strangers).await?;

        let viewer = viewer(cx, self.customer)?;
        // Each product may name each user: with many users fewer products make a page.
        let page_size = self.page_size.min(PAIRS_MAX / selected.len().max(1));
        let owned = entitlement::ops::owned(cx, (self.customer, None), &seek, page_size).await?;
        let page = Page::cut(owned, page_size, &seek, entitlement::store::position);
        let tokens = Tokens::of(&cx.host().keys, &scope, &page);
        let products: Vec<Id<Product>> = page.rows.iter().map(|entitlement| entitlement.pool.product).collect();
        let held = store::held_of(&mut cx.tx, self.customer, &products, &selected).await?;
        let page = page.map(|entitlement| {
            let product = entitlement.pool.product;
            let counts = users.iter().filter(|user| user.state == State::Active);
            let holder = |user: &User| Some((user.id, held.held_by(user.id)?.0.get(&product)?.clone()));
            let holders = counts.filter_map(holder).collect();
            (entitlement, holders)
        });
        let orderers = entitlement::ops::orderers(cx, self.customer, viewer).await?;
        let plans = product::store::plans(&mut cx.tx, &products).await?;
        Ok(Summary { users, strangers, page, plans, tokens, orderers })
    }
}

/// Shows the licenses of one user.
#[derive(Debug)]
pub struct GetUserLicenses {
    pub(super) customer: Id<Organization>,
    pub(super) user: Id<User>,
}

impl Operation for GetUserLicenses {
    type Service = Licensing;
    const METHOD: &'static str = "/tandem.licensing.v1.LicenseService/GetUserLicenses";
    const PERMISSION: Permission = Permission::ReadLicenses;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Customer(self.customer)
    }

    async fn run(&self, cx: &mut Cx<Licensing>, (): &()) -> Result<(Vec<License>, Plans), Fault> {
        if user::store::people(&mut cx.tx, self.customer, &[self.user]).await?.is_empty() {
            first_sight(cx, self.customer, &[self.user]).await?;
            return Err(Fault::not_found("user", self.user).with("partner_center_code", 60002));
        }
        let licenses = store::of_user(&mut cx.tx, self.customer, self.user).await?;
        let products: Vec<Id<Product>> = licenses.iter().map(|license| license.product).collect();
        let plans = product::store::plans(&mut cx.tx, &products).await?;
        Ok((licenses, plans))
    }
}
