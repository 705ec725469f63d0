//! What can be asked of licenses.

use std::collections::{BTreeMap, HashMap, HashSet};

use base::{Fault, Id, Page, Seek};
use service::page_token::{self, Tokens};
use service::{Cx, Fact, Operation, Preparation};
use uuid::Uuid;

use super::store::License;
use super::{Change, Member, Outcome, PAIRS_MAX, Places, classify, moves, store};
use crate::entitlement::Entitlement;
use crate::entitlement::ops::{Plans, viewer};
use crate::organization::Organization;
use crate::policy::{Permission, Target};
use crate::product::{self, Product};
use crate::projection::{self, Unresolved};
use crate::user::{State, User};
use crate::{Licensing, entitlement, user};

/// Users whose ids one entry of the journal lists at most.
const USERS_PER_ENTRY: usize = 100;

/// Gives and takes licenses of many users.
#[derive(Debug)]
pub struct UpdateLicenses {
    pub(super) customer: Id<Organization>,
    pub(super) change: Change,
}

/// What became of it.
#[derive(Debug)]
pub struct Updated {
    pub(super) change: Change,
    pub(super) outcomes: Vec<Outcome>,
}

impl Operation for UpdateLicenses {
    type Service = Licensing;
    const METHOD: &'static str = "/tandem.licensing.v1.LicenseService/UpdateLicenses";
    const PERMISSION: Permission = Permission::ManageLicenses;
    type Prepared = usize;

    fn target(&self) -> Target {
        Target::Customer(self.customer)
    }

    fn gate(&self) -> Option<Uuid> {
        Some(self.customer.uuid())
    }

    async fn prepare(&self, preparation: &Preparation<'_, Licensing>) -> Result<usize, Fault> {
        first_sight(preparation, self.customer, &self.change.users).await
    }

    /// The pools are held in one statement, and everything that is counted is read in the next ones: a statement sees
    /// what was committed before it began, so what others wrote while this one waited for the pools is seen.
    async fn run(&self, cx: &mut Cx<Licensing>, _: &usize) -> Result<Updated, Fault> {
        let Change { users, products, .. } = &self.change;
        let now = cx.now();
        let pools = entitlement::store::lock(&mut cx.tx, self.customer, products).await?;
        let members = members(cx, self.customer, products, users).await?;
        let outcomes = classify(&self.change, &pools, &members);
        for each in moves(&self.change, &outcomes) {
            store::write(&mut cx.tx, self.customer, &each, now).await?;
            let seats = i64::try_from(each.given.len()).unwrap_or(i64::MAX)
                - i64::try_from(each.taken.len()).unwrap_or(i64::MAX);
            entitlement::store::consume(&mut cx.tx, self.customer, each.product, seats).await?;
        }
        for fact in facts(self.customer, &self.change, &outcomes) {
            cx.record(fact);
        }
        Ok(Updated { change: self.change.clone(), outcomes })
    }
}

async fn members(
    cx: &mut Cx<Licensing>,
    customer: Id<Organization>,
    products: &[Id<Product>],
    users: &[Id<User>],
) -> Result<HashMap<Id<User>, Member>, Fault> {
    let known = user::store::members(&mut cx.tx, customer, users).await?;
    let held = store::held(&mut cx.tx, customer, products, users).await?;
    let mut members: HashMap<Id<User>, Member> = known
        .into_iter()
        .map(|(id, state, usage_location)| {
            let deleted = state == State::Deleted.as_str();
            (id, Member { deleted, located: !usage_location.is_empty(), held: Places::default() })
        })
        .collect();
    let place: HashMap<Id<Product>, usize> =
        products.iter().enumerate().map(|(place, product)| (*product, place)).collect();
    for (product, user) in held {
        if let (Some(member), Some(place)) = (members.get_mut(&user), place.get(&product)) {
            member.held = member.held.with(*place);
        }
    }
    Ok(members)
}

/// One entry for each user who changed alone, and one for up to a hundred users to whom the same happened.
fn facts(customer: Id<Organization>, change: &Change, outcomes: &[Outcome]) -> Vec<Fact> {
    let mut alike: BTreeMap<(Places, Places), Vec<Id<User>>> = BTreeMap::new();
    for (user, outcome) in change.users.iter().zip(outcomes) {
        if let Outcome::Changed { given, taken } = outcome {
            alike.entry((*given, *taken)).or_default().push(*user);
        }
    }
    let words = |places: Places| join(places.each().filter_map(|place| change.products.get(place)));
    let mut facts = Vec::new();
    for ((given, taken), users) in alike {
        for some in users.chunks(USERS_PER_ENTRY) {
            let fact = Fact::new("LicensesUpdated").customer(customer.uuid());
            let fact = match some {
                [one] => fact.about("user", one.uuid()),
                several => fact.about("customer", customer.uuid()).change("users", "", join(several)),
            };
            facts.push(fact.change("licenses", words(taken), words(given)));
        }
    }
    facts
}

fn join<'i, T: 'i>(ids: impl IntoIterator<Item = &'i Id<T>>) -> String {
    ids.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// Looks up the users of whom identity has not told yet, and tells how many they were: who is still unknown afterwards
/// does not exist. One who is known as another customer's is not asked for.
async fn first_sight(
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

/// What they hold.
#[derive(Debug)]
pub struct Summary {
    /// In the order in which they are shown.
    pub(super) users: Vec<User>,
    /// Who of the selected the customer does not have.
    pub(super) strangers: Vec<Id<User>>,
    pub(super) page: Page<(Entitlement, Vec<Id<User>>)>,
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
        let page = entitlement::ops::owned(cx, self.customer, &seek, page_size).await?;
        let tokens = Tokens::of(&cx.host().keys, &scope, &page);
        let products: Vec<Id<Product>> = page.rows.iter().map(|entitlement| entitlement.pool.product).collect();
        let held = store::held(&mut cx.tx, self.customer, &products, &selected).await?;
        let held: HashSet<(Id<Product>, Id<User>)> = held.into_iter().collect();
        let page = page.map(|entitlement| {
            let product = entitlement.pool.product;
            let counts = users.iter().filter(|user| user.state == State::Active);
            let holders = counts.map(|user| user.id).filter(|id| held.contains(&(product, *id))).collect();
            (entitlement, holders)
        });
        let mut orderers = entitlement::store::orderers(&mut cx.tx, self.customer, viewer).await?;
        orderers.sort_unstable();
        Ok(Summary { users, strangers, page, tokens, orderers })
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
            return Err(Fault::not_found("user", self.user));
        }
        let licenses = store::of_user(&mut cx.tx, self.customer, self.user).await?;
        let products: Vec<Id<Product>> = licenses.iter().map(|license| license.product).collect();
        let plans = product::store::plans(&mut cx.tx, &products).await?;
        Ok((licenses, plans))
    }
}
