//! What can be asked of product rules.

use std::collections::BTreeSet;

use base::country::Country;
use base::{Fault, Id, Violations};
use service::{Cx, Fact, Operation};
use uuid::Uuid;

use super::{Authority, LicenseGroup, Rules, TargetType, Versioned, store};
use crate::Licensing;
use crate::policy::{Permission, Target};
use crate::product::{self, Product};

/// Sets the rules of a product.
#[derive(Debug)]
pub struct SetProductRules {
    pub(super) product: Id<Product>,
    pub(super) rules: Rules,
    pub(super) version: Option<i64>,
}

impl Operation for SetProductRules {
    type Service = Licensing;
    const METHOD: &'static str = "/tandem.licensing.v1.CatalogService/SetProductRules";
    const PERMISSION: Permission = Permission::ManageCatalog;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    async fn run(&self, cx: &mut Cx<Licensing>, (): &()) -> Result<Versioned, Fault> {
        // Without a row of their own yet, the rules are held by the product's.
        if !product::store::lock(&mut cx.tx, self.product).await? {
            return Err(Fault::not_found("product", self.product));
        }
        let present = store::get(&mut cx.tx, self.product).await?;
        if self.version.is_some_and(|version| version != present.version) {
            let message = "the rules are not as they were when they were read; read them again";
            return Err(Fault::aborted("ETAG_MISMATCH", message));
        }
        check_plans(cx, self.product, &self.rules).await?;
        if self.rules == present.rules && present.version > 0 {
            return Ok(present);
        }
        let now = cx.now();
        let versioned = Versioned { rules: self.rules.clone(), version: present.version + 1, update_time: Some(now) };
        store::put(&mut cx.tx, self.product, &versioned, now).await?;
        cx.record(told(self.product, &present.rules, &self.rules));
        Ok(versioned)
    }
}

/// A rule is about a plan of its product, and about others that some product has.
async fn check_plans(cx: &mut Cx<Licensing>, product: Id<Product>, rules: &Rules) -> Result<(), Fault> {
    let plans = product::store::plans(&mut cx.tx, &[product]).await?.remove(&product).unwrap_or_default();
    let others = rules.dependencies.iter().flat_map(|rule| &rule.any_of);
    let others: BTreeSet<Uuid> = others.copied().chain(rules.exclusions.iter().map(|rule| rule.other)).collect();
    let known = product::store::known_plans(&mut cx.tx, &others.into_iter().collect::<Vec<_>>()).await?;
    let mut violations = Violations::default();
    let mut check = |is_known: bool, field: &str, plan: &Uuid, whose: &str| {
        if !is_known {
            violations.add(field, "SERVICE_PLAN_UNKNOWN", format!("{plan} is no service plan of {whose}"));
        }
    };
    for rule in &rules.dependencies {
        check(plans.contains_key(&rule.plan), "rules.dependencies", &rule.plan, "the product");
        for plan in &rule.any_of {
            check(known.contains(plan), "rules.dependencies", plan, "any product");
        }
    }
    for rule in &rules.exclusions {
        check(plans.contains_key(&rule.plan), "rules.exclusions", &rule.plan, "the product");
        check(known.contains(&rule.other), "rules.exclusions", &rule.other, "any product");
    }
    violations.finish(Some(()))
}

fn told(product: Id<Product>, before: &Rules, after: &Rules) -> Fact {
    let fact = Fact::new("ProductRulesSet").about("product", product.uuid());
    let changes = described(before).into_iter().zip(described(after));
    let changes = changes.filter(|((_, old), (_, new))| old != new);
    changes.fold(fact, |fact, ((field, old), (_, new))| fact.change(field, old, new))
}

/// Everything that can be said of a product, for the journal.
fn described(rules: &Rules) -> [(&'static str, String); 7] {
    let join = |words: Vec<String>| words.join(" ");
    let codes = |countries: &BTreeSet<Country>| join(countries.iter().map(ToString::to_string).collect());
    let dependency = |rule: &super::Dependency| {
        let any_of: Vec<String> = rule.any_of.iter().map(ToString::to_string).collect();
        format!("{}:{}", rule.plan, any_of.join("|"))
    };
    let exclusion = |rule: &super::Exclusion| format!("{}:{}", rule.plan, rule.other);
    [
        ("target_type", TargetType::as_str(rules.target_type).to_owned()),
        ("license_group", LicenseGroup::as_str(rules.group).to_owned()),
        ("assignment_authority", Authority::as_str(rules.authority).to_owned()),
        ("dependencies", join(rules.dependencies.iter().map(dependency).collect())),
        ("exclusions", join(rules.exclusions.iter().map(exclusion).collect())),
        ("allowed_usage_locations", codes(&rules.allowed)),
        ("prohibited_usage_locations", codes(&rules.prohibited)),
    ]
}
