//! Product rules on the wire.

use std::collections::BTreeSet;

use base::country::Country;
use base::{Fault, Id};
use proto::licensing::v1 as pb;
use proto::licensing::v1::product_rules::{AssignmentAuthority, LicenseGroup as Group, TargetType as Target};
use service::form::{etag, timestamp};
use service::{Form, Wire};
use uuid::Uuid;

use super::ops::SetProductRules;
use super::{
    ALTERNATIVES_MAX, Authority, DEPENDENCIES_MAX, Dependency, EXCLUSIONS_MAX, Exclusion, LOCATIONS_MAX, LicenseGroup,
    Rules, TargetType, Versioned,
};

impl Wire for SetProductRules {
    type Request = pb::SetProductRulesRequest;
    type Response = pb::SetProductRulesResponse;
    type Reply = Versioned;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let product = form.id("product_id", &request.product_id);
        let rules = request.rules.unwrap_or_default();
        let (target_type, group, authority) = words(&mut form, &rules);
        let dependencies = dependencies(&mut form, &rules.dependencies);
        let exclusions = exclusions(&mut form, &rules.exclusions);
        let allowed = locations(&mut form, "rules.allowed_usage_locations", &rules.allowed_usage_locations);
        let prohibited = locations(&mut form, "rules.prohibited_usage_locations", &rules.prohibited_usage_locations);
        for country in allowed.intersection(&prohibited) {
            let message = format!("{country} is allowed as well");
            form.wrong("rules.prohibited_usage_locations", "MALFORMED", message);
        }
        let version = form.etag(&request.etag);
        form.finish(|| {
            let rules = Rules {
                target_type: target_type?,
                group: group?,
                authority: authority?,
                dependencies,
                exclusions,
                allowed,
                prohibited,
            };
            Some(Self { product: product?, rules, version })
        })
    }

    fn present(versioned: Versioned) -> Self::Response {
        pb::SetProductRulesResponse { rules: Some(present(&versioned)) }
    }
}

fn words(form: &mut Form, rules: &pb::ProductRules) -> (Option<TargetType>, Option<LicenseGroup>, Option<Authority>) {
    let target_type = match Target::try_from(rules.target_type) {
        Ok(Target::Unspecified | Target::User) => Some(TargetType::User),
        Ok(Target::Tenant) => Some(TargetType::Tenant),
        Err(_) => unknown(form, "rules.target_type"),
    };
    let group = match Group::try_from(rules.license_group) {
        Ok(Group::Unspecified | Group::First) => Some(LicenseGroup::First),
        Ok(Group::Second) => Some(LicenseGroup::Second),
        Err(_) => unknown(form, "rules.license_group"),
    };
    let authority = match AssignmentAuthority::try_from(rules.assignment_authority) {
        Ok(AssignmentAuthority::Unspecified | AssignmentAuthority::Partner) => Some(Authority::Partner),
        Ok(AssignmentAuthority::Publisher) => Some(Authority::Publisher),
        Err(_) => unknown(form, "rules.assignment_authority"),
    };
    (target_type, group, authority)
}

fn unknown<T>(form: &mut Form, field: &str) -> Option<T> {
    form.wrong(field, "UNKNOWN_VALUE", "is none of the documented values");
    None
}

fn dependencies(form: &mut Form, rules: &[pb::ServicePlanDependency]) -> BTreeSet<Dependency> {
    let field = "rules.dependencies";
    let mut read = BTreeSet::new();
    if !form.within(field, "product_dependencies_max", rules.len(), DEPENDENCIES_MAX) {
        return read;
    }
    for (at, rule) in rules.iter().enumerate() {
        let plan = form.id::<()>(format!("{field}[{at}].service_plan_id"), &rule.service_plan_id);
        let others = format!("{field}[{at}].any_of_service_plan_ids");
        let needed = &rule.any_of_service_plan_ids;
        if needed.is_empty() {
            form.wrong(&others, "REQUIRED", "names at least one service plan");
        }
        if !form.within(&others, "dependency_service_plans_max", needed.len(), ALTERNATIVES_MAX) {
            continue;
        }
        let any_of: BTreeSet<Uuid> = needed
            .iter()
            .enumerate()
            .filter_map(|(at, text)| form.id::<()>(format!("{others}[{at}]"), text))
            .map(Id::uuid)
            .collect();
        read.extend(plan.map(|plan| Dependency { plan: plan.uuid(), any_of }));
    }
    read
}

fn exclusions(form: &mut Form, rules: &[pb::ServicePlanExclusion]) -> BTreeSet<Exclusion> {
    let field = "rules.exclusions";
    let mut read = BTreeSet::new();
    if !form.within(field, "product_exclusions_max", rules.len(), EXCLUSIONS_MAX) {
        return read;
    }
    for (at, rule) in rules.iter().enumerate() {
        let plan = form.id::<()>(format!("{field}[{at}].service_plan_id"), &rule.service_plan_id);
        let other = form.id::<()>(format!("{field}[{at}].other_service_plan_id"), &rule.other_service_plan_id);
        let (Some(plan), Some(other)) = (plan, other) else { continue };
        if plan == other {
            form.wrong(format!("{field}[{at}]"), "MALFORMED", "a service plan does not exclude itself");
        }
        read.insert(Exclusion { plan: plan.uuid(), other: other.uuid() });
    }
    read
}

fn locations(form: &mut Form, field: &str, codes: &[String]) -> BTreeSet<Country> {
    if !form.within(field, "product_locations_max", codes.len(), LOCATIONS_MAX) {
        return BTreeSet::new();
    }
    let read = |(at, code): (usize, &String)| form.take(format!("{field}[{at}]"), Country::parse(code));
    codes.iter().enumerate().filter_map(read).collect()
}

/// Rules as their readers see them.
pub(crate) fn present(Versioned { rules, version, update_time }: &Versioned) -> pb::ProductRules {
    let dependency = |rule: &Dependency| pb::ServicePlanDependency {
        service_plan_id: rule.plan.to_string(),
        any_of_service_plan_ids: rule.any_of.iter().map(ToString::to_string).collect(),
    };
    let exclusion = |rule: &Exclusion| pb::ServicePlanExclusion {
        service_plan_id: rule.plan.to_string(),
        other_service_plan_id: rule.other.to_string(),
    };
    pb::ProductRules {
        target_type: write_target(rules.target_type).into(),
        license_group: write_group(rules.group).into(),
        assignment_authority: write_authority(rules.authority).into(),
        dependencies: rules.dependencies.iter().map(dependency).collect(),
        exclusions: rules.exclusions.iter().map(exclusion).collect(),
        allowed_usage_locations: rules.allowed.iter().map(ToString::to_string).collect(),
        prohibited_usage_locations: rules.prohibited.iter().map(ToString::to_string).collect(),
        update_time: update_time.map(timestamp),
        etag: etag(*version),
    }
}

/// Who uses a product.
pub(crate) const fn write_target(target: TargetType) -> Target {
    match target {
        TargetType::User => Target::User,
        TargetType::Tenant => Target::Tenant,
    }
}

/// What it can be given together with.
pub(crate) const fn write_group(group: LicenseGroup) -> Group {
    match group {
        LicenseGroup::First => Group::First,
        LicenseGroup::Second => Group::Second,
    }
}

/// Who gives it.
pub(crate) const fn write_authority(authority: Authority) -> AssignmentAuthority {
    match authority {
        Authority::Partner => AssignmentAuthority::Partner,
        Authority::Publisher => AssignmentAuthority::Publisher,
    }
}
