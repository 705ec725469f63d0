//! Products: what can be licensed, under the names that the vendor publishes.
//!
//! Owns what a product (SKU) is called and which service plans it includes, and says how a newer edition of the
//! vendor's list differs from what is present. Promises that the same list twice changes nothing, that an import
//! never deletes, and that every answer comes in the order of ids. Refuses to guess: two names for one thing are
//! reported (see [`edition`]), never merged. What a product may be combined with is set elsewhere.

pub mod edition;
mod edition_row;
#[cfg(test)]
mod edition_tests;
pub mod ops;
#[cfg(test)]
mod published_tests;
pub mod store;
pub(crate) mod wire;

use std::collections::BTreeMap;

use uuid::Uuid;

/// A product as the vendor publishes it, also called a SKU. Its GUID is its identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// What people call it.
    pub name: String,
    /// The vendor's part number, `String_Id` in the list. Several products may share one: it is never an identity.
    pub part_number: String,
    /// The service plans it includes, by plan GUID. Their order in the list means nothing and is not kept.
    pub plans: BTreeMap<Uuid, PlanNames>,
}

/// What a product calls one of its service plans. The same plan goes by other names in other products, so these
/// belong to the pair and not to the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanNames {
    /// The technical name, such as `HARBOR_MAIL_1`.
    pub plan_name: String,
    /// The name for people, such as `Harbor Mail (Plan 1)`.
    pub friendly_name: String,
}

/// A service plan as part of a product: one row of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Inclusion {
    /// The product that includes the plan.
    pub product: Uuid,
    /// The plan.
    pub plan: Uuid,
}

/// Products by GUID: those of one edition, or those that are present.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    /// The products.
    pub products: BTreeMap<Uuid, Product>,
}

impl Catalog {
    /// Each plan of each product, with what the product calls it.
    pub fn inclusions(&self) -> BTreeMap<Inclusion, &PlanNames> {
        self.products
            .iter()
            .flat_map(|(&product, sku)| {
                sku.plans.iter().map(move |(&plan, names)| (Inclusion { product, plan }, names))
            })
            .collect()
    }

    /// Each plan once, with the number of products that include it.
    pub fn plans(&self) -> BTreeMap<Uuid, usize> {
        let mut plans = BTreeMap::new();
        for plan in self.products.values().flat_map(|product| product.plans.keys()) {
            *plans.entry(*plan).or_default() += 1;
        }
        plans
    }

    fn names(&self) -> BTreeMap<Uuid, (&str, &str)> {
        self.products.iter().map(|(&id, product)| (id, (product.name.as_str(), product.part_number.as_str()))).collect()
    }
}

/// How a newer list differs from what is present, level by level.
///
/// **Invariant:** once everything added and changed is written, the same list yields neither again
/// (`importing_the_same_file_again_changes_nothing`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// Products, compared by their own name and part number.
    pub products: Delta<Uuid>,
    /// Plans of products, compared by what the product calls them.
    pub inclusions: Delta<Inclusion>,
    /// Plans that appear in any product. A plan has no name of its own, so `changed` stays empty.
    pub plans: Delta<Uuid>,
}

impl Changes {
    /// What `newer` would change about `present`.
    pub fn between(newer: &Catalog, present: &Catalog) -> Self {
        let known = |catalog: &Catalog| catalog.plans().into_keys().map(|plan| (plan, ())).collect();
        Self {
            products: Delta::between(&newer.names(), &present.names()),
            inclusions: Delta::between(&newer.inclusions(), &present.inclusions()),
            plans: Delta::between(&known(newer), &known(present)),
        }
    }

    /// Whether there is nothing to write. What is missing stays as it is, so it does not count; a plan is never new
    /// without a new inclusion.
    pub const fn is_nothing(&self) -> bool {
        self.products.is_nothing() && self.inclusions.is_nothing()
    }
}

/// The differences of one level, each list in ascending order of ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta<K> {
    /// In the newer list only: to be inserted.
    pub added: Vec<K>,
    /// In both under different names: to be updated.
    pub changed: Vec<K>,
    /// Present but not in the newer list: reported and left alone, because licenses may hang on it.
    pub missing: Vec<K>,
    /// How many are the same in both.
    pub unchanged: usize,
}

impl<K: Copy + Ord> Delta<K> {
    fn between<V: PartialEq>(newer: &BTreeMap<K, V>, present: &BTreeMap<K, V>) -> Self {
        let (mut added, mut changed, mut unchanged) = (Vec::new(), Vec::new(), 0);
        for (key, value) in newer {
            match present.get(key) {
                None => added.push(*key),
                Some(before) if before != value => changed.push(*key),
                Some(_) => unchanged += 1,
            }
        }
        let missing = present.keys().filter(|key| !newer.contains_key(key)).copied().collect();
        Self { added, changed, missing, unchanged }
    }
}

impl<K> Delta<K> {
    const fn is_nothing(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty()
    }
}
