//! What can be asked of licenses.

mod listing;
mod update;

use std::collections::HashSet;

use base::{Fault, Id, Page, Seek};
use service::page_token::{self, Tokens};
use service::{Cx, Operation, Preparation};

use super::store::License;
use super::{Excluded, PAIRS_MAX, store};
use crate::entitlement::Entitlement;
use crate::entitlement::ops::{Plans, viewer};
use crate::organization::Organization;
use crate::policy::{Permission, Target};
use crate::product::{self, Product};
use crate::projection::{self, Unresolved};
use crate::user::{State, User};
use crate::{Licensing, entitlement, user};

pub use listing::{LicenseUsers, ListLicenseUsers};
pub use update::{UpdateLicenses, Updated};

/// Looks up the users of whom identity has not told yet, and tells how many they were: who is still unknown afterwards
/// does not exist. One who is known as another customer's is not asked for.
pub(super) async fn first_sight(
    preparation: &Preparation<'_, Licensing>,
    customer: Id<Organization>,
    users: &[Id<User>],
) -> Result<usize, Fault> {
    let mut tx = preparation.host.db.snapshot().await?;
    let unknown = user::store::unknown(&mut tx, users).await;
    tx.rollback().await;
    let ids = unknown?;
    let count = ids.len();
    if count > 0 {
        projection::ops::resolve(preparation, vec![Unresolved::Users { customer, ids }]).await?;
    }
    Ok(count)
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
    type Prepared = usize;

    fn target(&self) -> Target {
        Target::Customer(self.customer)
    }

    async fn prepare(&self, preparation: &Preparation<'_, Licensing>) -> Result<usize, Fault> {
        first_sight(preparation, self.customer, &self.users).await
    }

    async fn run(&self, cx: &mut Cx<Licensing>, _: &usize) -> Result<Summary, Fault> {
        let mut selected = self.users.clone();
        selected.sort_unstable();
        selected.dedup();
        let scope = cx.page_scope(&format!("{}|{selected:?}", self.customer));
        let seek = page_token::seek(&cx.host().keys, &scope, &self.page_token, self.start.clone())?;
        let mut users = user::store::people(&mut cx.tx, self.customer, &selected).await?;
        users.sort_by(|a, b| (&a.sort_key, a.id).cmp(&(&b.sort_key, b.id)));
        let known: HashSet<Id<User>> = users.iter().map(|user| user.id).collect();
        let strangers = selected.iter().filter(|id| !known.contains(id)).copied().collect();

        let viewer = viewer(cx, self.customer)?;
        // Each product may name each user: with many users fewer products make a page.
        let page_size = self.page_size.min(PAIRS_MAX / selected.len().max(1));
        let page = entitlement::ops::owned(cx, (self.customer, None), &seek, page_size).await?;
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
            if !user::store::unknown(&mut cx.tx, &[self.user]).await?.is_empty() {
                cx.hang_on(Unresolved::Users { customer: self.customer, ids: vec![self.user] });
            }
            return Err(Fault::not_found("user", self.user).with("partner_center_code", 60002));
        }
        let licenses = store::of_user(&mut cx.tx, self.customer, self.user).await?;
        let products: Vec<Id<Product>> = licenses.iter().map(|license| license.product).collect();
        let plans = product::store::plans(&mut cx.tx, &products).await?;
        Ok((licenses, plans))
    }
}
