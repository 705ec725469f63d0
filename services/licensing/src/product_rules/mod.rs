//! Product rules: who may get a product, together with what, and where.
//!
//! Owns what operators say of a product beside what the vendor publishes, and how rules between service plans are judged.
//! Promises that an edition leaves the rules alone, and that rules between plans bind whoever has the plans, whatever
//! products bring them: it is plans that collide, not products. Refuses to take anything away: what a user had against a
//! rule before a change is no reason to refuse the change.

pub mod ops;
pub mod store;
#[cfg(test)]
mod tests;
pub(crate) mod wire;

use std::collections::BTreeSet;

use base::Timestamp;
use base::country::Country;
use uuid::Uuid;

/// Dependencies of one product at most.
pub const DEPENDENCIES_MAX: usize = 50;
/// Plans of which a dependency needs one, at most.
pub const ALTERNATIVES_MAX: usize = 20;
/// Exclusions of one product at most.
pub const EXCLUSIONS_MAX: usize = 200;
/// Locations in which a product can be used, or cannot, at most.
pub const LOCATIONS_MAX: usize = 250;

/// Who uses a product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TargetType {
    /// Single users.
    #[default]
    User,
    /// The customer as a whole.
    Tenant,
}

/// Which products can be given together in one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LicenseGroup {
    /// Whatever is managed in the customer's directory.
    #[default]
    First,
    /// Whatever is managed beside it.
    Second,
}

/// Who gives a product to users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authority {
    /// The customer's partners, here.
    #[default]
    Partner,
    /// Its publisher, elsewhere.
    Publisher,
}

/// A service plan that needs one of some others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dependency {
    /// The plan.
    pub plan: Uuid,
    /// What it needs one of.
    pub any_of: BTreeSet<Uuid>,
}

/// Two service plans that no user can have together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exclusion {
    /// The one.
    pub plan: Uuid,
    /// The other.
    pub other: Uuid,
}

/// Everything that operators say of a product.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Who uses it.
    pub target_type: TargetType,
    /// What it can be given together with in one call.
    pub group: LicenseGroup,
    /// Who gives it.
    pub authority: Authority,
    /// What its plans need.
    pub dependencies: BTreeSet<Dependency>,
    /// What its plans do not go together with.
    pub exclusions: BTreeSet<Exclusion>,
    /// The only locations in which it can be used; everywhere when there is none.
    pub allowed: BTreeSet<Country>,
    /// Locations in which it cannot be used.
    pub prohibited: BTreeSet<Country>,
}

impl Rules {
    /// Whether it can be used in that location.
    pub fn admits(&self, location: Country) -> bool {
        (self.allowed.is_empty() || self.allowed.contains(&location)) && !self.prohibited.contains(&location)
    }
}

/// The rules of a product with their version: 0 as long as nobody has set them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versioned {
    /// The rules.
    pub rules: Rules,
    /// Rises with every change.
    pub version: i64,
    /// When they were last changed.
    pub update_time: Option<Timestamp>,
}

/// The rules between service plans that a change could touch.
#[derive(Clone, Debug, Default)]
pub struct PlanRules {
    /// What plans need.
    pub dependencies: BTreeSet<Dependency>,
    /// What plans do not go together with.
    pub exclusions: BTreeSet<Exclusion>,
}

/// A rule that a change would break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach<'r> {
    /// A plan that comes needs one that is not there.
    NotMet(&'r Dependency),
    /// A plan that stays needs one that goes.
    StillNeeded(&'r Dependency),
    /// Two plans would come together.
    Together(Exclusion),
}

impl PlanRules {
    /// Whether nothing could be broken.
    pub fn is_empty(&self) -> bool {
        self.dependencies.is_empty() && self.exclusions.is_empty()
    }

    /// The rules that are broken afterwards and were not before.
    pub fn breaches(&self, before: &BTreeSet<Uuid>, after: &BTreeSet<Uuid>) -> Vec<Breach<'_>> {
        let lacks =
            |plans: &BTreeSet<Uuid>, rule: &Dependency| plans.contains(&rule.plan) && plans.is_disjoint(&rule.any_of);
        let dependency = |rule| match () {
            () if !lacks(after, rule) || lacks(before, rule) => None,
            () if before.contains(&rule.plan) => Some(Breach::StillNeeded(rule)),
            () => Some(Breach::NotMet(rule)),
        };
        let both = |plans: &BTreeSet<Uuid>, rule: &Exclusion| plans.contains(&rule.plan) && plans.contains(&rule.other);
        // Two products may say the same of two plans, each from its side.
        let mut told = BTreeSet::new();
        let exclusion = |rule: &Exclusion| {
            let broken = both(after, rule) && !both(before, rule);
            let first = broken && told.insert((rule.plan.min(rule.other), rule.plan.max(rule.other)));
            first.then_some(Breach::Together(*rule))
        };
        let exclusions = self.exclusions.iter().filter_map(exclusion);
        self.dependencies.iter().filter_map(dependency).chain(exclusions).collect()
    }
}
