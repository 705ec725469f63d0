//! Licenses of many users are given and taken.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use base::country::Country;
use base::{Fault, Id};
use service::{Cx, Operation, Preparation};
use uuid::Uuid;

use super::first_sight;
use crate::license::judgment::{Ground, classify};
use crate::license::store::Holdings;
use crate::license::{Change, Held, Member, Outcome, Places, SELECTION_MAX, journal, moves, store};
use crate::organization::Organization;
use crate::policy::{Permission, Target};
use crate::product::Product;
use crate::product_rules::{Authority, LicenseGroup, PlanRules, Rules, TargetType};
use crate::user::{PerUser, User};
use crate::{Licensing, entitlement, organization, product, product_rules, user};

/// Gives and takes licenses of many users.
#[derive(Debug)]
pub struct UpdateLicenses {
    pub(in crate::license) customer: Id<Organization>,
    pub(in crate::license) change: Change,
    /// Nothing will be changed, so what would be is told as such.
    pub(in crate::license) dry: bool,
}

/// What became of it.
#[derive(Debug)]
pub struct Updated {
    pub(in crate::license) change: Change,
    pub(in crate::license) outcomes: Vec<Outcome>,
    /// What everybody holds afterwards; nothing of the many.
    pub(in crate::license) after: PerUser<Held>,
    /// The products whose subscriptions are all suspended: a seat that is given back there serves nobody.
    pub(in crate::license) suspended: Places,
    pub(in crate::license) dry: bool,
}

impl Operation for UpdateLicenses {
    type Service = Licensing;
    const METHOD: &'static str = "/tandem.licensing.v1.LicenseService/UpdateLicenses";
    const PERMISSION: Permission = Permission::ManageLicenses;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Customer(self.customer)
    }

    async fn gate(&self, _: &Preparation<'_, Licensing>) -> Result<Option<Uuid>, Fault> {
        Ok(Some(self.customer.uuid()))
    }

    /// The pools are held in one statement, and everything that is counted is read in the next ones: a statement sees
    /// what was committed before it began, so what others wrote while this one waited for the pools is seen.
    async fn run(&self, cx: &mut Cx<Licensing>, (): &()) -> Result<Updated, Fault> {
        let now = cx.now();
        let ground = self.look(cx).await?;
        let outcomes = classify(&self.change, &ground);
        for each in moves(&self.change, &outcomes) {
            store::write(&mut cx.tx, self.customer, &each, now).await?;
            let seats = i64::try_from(each.given.len()).unwrap_or(i64::MAX)
                - i64::try_from(each.taken.len()).unwrap_or(i64::MAX);
            if seats != 0 {
                entitlement::store::consume(&mut cx.tx, self.customer, each.product, seats).await?;
            }
        }
        for fact in journal::facts(self.customer, &self.change, &ground, &outcomes) {
            cx.record(fact);
        }
        let after = if self.shows_everything() { after(&self.change, &ground, &outcomes) } else { PerUser::default() };
        let suspended = ground.suspended(&self.change);
        Ok(Updated { change: self.change.clone(), outcomes, after, suspended, dry: self.dry })
    }
}

impl UpdateLicenses {
    /// Whether the answer lists all that each user holds, and not only what changed (C17).
    fn shows_everything(&self) -> bool {
        self.change.users.len() <= SELECTION_MAX
    }

    /// Holds the customer and its pools, and reads what the change is judged on.
    async fn look(&self, cx: &mut Cx<Licensing>) -> Result<Ground, Fault> {
        let Change { users, products, .. } = &self.change;
        self.check_excluded(cx).await?;
        organization::store::hold_customer(&mut cx.tx, self.customer).await?;
        // All of them: what users hold of other products is judged where rules say so, and answered.
        let pools = entitlement::store::lock_all(&mut cx.tx, self.customer).await?;
        // Operators may change the rules while this waits: what was answered to them before this moment holds.
        let (rules, plan_rules) = rules(cx, products).await?;
        check_products(products, &rules)?;
        let everything = self.shows_everything() || !plan_rules.is_empty();
        let held = if everything {
            store::held(&mut cx.tx, self.customer, users).await?
        } else {
            store::held_of(&mut cx.tx, self.customer, products, users).await?
        };
        let members = members(cx, self.customer, &self.change, &held).await?;
        let missing: Vec<Id<User>> = users.iter().filter(|id| !members.contains_key(id)).copied().collect();
        first_sight(cx, self.customer, &missing).await?;
        let plans = plans(cx, products, &held.distinct, &plan_rules).await?;
        Ok(Ground { pools, rules, plan_rules, plans, members, held: held.distinct })
    }

    /// What is left out is a part of the product, and not all of it.
    async fn check_excluded(&self, cx: &mut Cx<Licensing>) -> Result<(), Fault> {
        if self.change.excluded.iter().all(BTreeSet::is_empty) {
            return Ok(());
        }
        let plans = product::store::plans(&mut cx.tx, &self.change.products).await?;
        for (at, (product, excluded)) in self.change.products.iter().zip(&self.change.excluded).enumerate() {
            let field = || format!("assign[{at}].excluded_service_plan_ids");
            let own = plans.get(product);
            if let Some(strange) = excluded.iter().find(|plan| own.is_none_or(|own| !own.contains_key(plan))) {
                let message = format!("{strange} is no service plan of the product");
                return Err(Fault::field(field(), "SERVICE_PLAN_UNKNOWN", message));
            }
            if !excluded.is_empty() && own.is_some_and(|own| own.len() == excluded.len()) {
                let message = "a license without any service plan is none; take the product instead";
                return Err(Fault::field(field(), "ALL_SERVICE_PLANS_EXCLUDED", message));
            }
        }
        Ok(())
    }
}

/// What operators say of the products, and the rules between service plans that are about them. They are read one after the
/// other; a product's rules that are replaced in between would be judged half as they were and half as they are.
///
/// **Invariant:** nobody gets a license that a product's rules refuse both before and after they are changed
/// (`rules_that_are_replaced_while_they_are_read_are_not_mixed`).
async fn rules(
    cx: &mut Cx<Licensing>,
    products: &[Id<Product>],
) -> Result<(BTreeMap<Id<Product>, Rules>, PlanRules), Fault> {
    let heads = product_rules::store::heads(&mut cx.tx, products).await?;
    let plan_rules = product_rules::store::touching(&mut cx.tx, products).await?;
    if product_rules::store::heads(&mut cx.tx, products).await? != heads {
        return Err(Fault::busy("the rules of a product were changed while they were read"));
    }
    Ok((heads.into_iter().map(|(product, versioned)| (product, versioned.rules)).collect(), plan_rules))
}

/// Some products are not given to users, or not here, or not together: that is the same for every user.
fn check_products(products: &[Id<Product>], rules: &BTreeMap<Id<Product>, Rules>) -> Result<(), Fault> {
    for (product, rules) in rules {
        if rules.target_type == TargetType::Tenant {
            let message = format!("the product {product} is the whole customer's; no user is given it");
            return Err(Fault::precondition("PRODUCT_NOT_FOR_USERS", message).with("product_id", product));
        }
        if rules.authority == Authority::Publisher {
            let message = format!("the publisher of {product} gives it; change the subscription's quantity instead");
            return Err(Fault::precondition("LICENSE_MANAGED_BY_PUBLISHER", message).with("product_id", product));
        }
    }
    let group = |product| rules.get(product).map_or(LicenseGroup::default(), |rules| rules.group);
    if products.windows(2).any(|pair| group(&pair[0]) != group(&pair[1])) {
        let message = "products of two license groups are not given or taken in one call; send one for each group";
        return Err(Fault::invalid("MIXED_LICENSE_GROUPS", message));
    }
    Ok(())
}

/// Those of the users whom the customer has. Whoever holds a license is one of them, and was not deleted: where nothing is
/// given, where they are does not matter, and only the others are looked up.
async fn members(
    cx: &mut Cx<Licensing>,
    customer: Id<Organization>,
    change: &Change,
    held: &Holdings,
) -> Result<PerUser<Member>, Fault> {
    let mut members = PerUser::with_capacity_and_hasher(change.users.len(), Default::default());
    let mut others = Cow::Borrowed(&change.users);
    if change.gives().is_empty() {
        members.extend(held.of.iter().map(|(id, held)| (*id, Member { deleted: false, location: None, held: *held })));
        others.to_mut().retain(|id| !held.of.contains_key(id));
    }
    if others.is_empty() {
        return Ok(members);
    }
    for (deleted, location, alike) in user::store::members(&mut cx.tx, customer, &others).await? {
        let location = Country::parse(&location).ok();
        let member = |id| (id, Member { deleted, location, held: held.of.get(&id).copied().unwrap_or_default() });
        members.extend(alike.into_iter().map(member));
    }
    Ok(members)
}

/// The service plans of everything that is held, given or taken, when rules between plans have to be judged.
async fn plans(
    cx: &mut Cx<Licensing>,
    products: &[Id<Product>],
    held: &[Held],
    rules: &PlanRules,
) -> Result<BTreeMap<Id<Product>, BTreeSet<Uuid>>, Fault> {
    if rules.is_empty() {
        return Ok(BTreeMap::new());
    }
    let all: BTreeSet<Id<Product>> = held.iter().flat_map(|held| held.0.keys()).chain(products).copied().collect();
    let plans = product::store::plans(&mut cx.tx, &all.into_iter().collect::<Vec<_>>()).await?;
    Ok(plans.into_iter().map(|(product, plans)| (product, plans.into_keys().collect())).collect())
}

/// What everybody holds afterwards.
fn after(change: &Change, ground: &Ground, outcomes: &[Outcome]) -> PerUser<Held> {
    let mut after = PerUser::with_capacity_and_hasher(ground.members.len(), Default::default());
    for (user, outcome) in change.users.iter().zip(outcomes) {
        let Some(held) = ground.members.get(user).and_then(|member| ground.held.get(member.held)) else { continue };
        match outcome {
            Outcome::Changed(effect) => {
                after.insert(*user, effect.apply(change, held));
            }
            Outcome::Unchanged | Outcome::Failed(_) => {
                after.entry(*user).or_insert_with(|| held.clone());
            }
        }
    }
    after
}
