//! Which rules between service plans a change breaks, case by case.

use super::*;

fn plan(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn plans(list: &[u128]) -> BTreeSet<Uuid> {
    list.iter().map(|n| plan(*n)).collect()
}

/// Plan 1 needs 2 or 3; 4 and 5 exclude each other.
fn rules() -> PlanRules {
    let dependency = Dependency { plan: plan(1), any_of: [plan(2), plan(3)].into() };
    PlanRules { dependencies: [dependency].into(), exclusions: [Exclusion { plan: plan(4), other: plan(5) }].into() }
}

fn words(before: &[u128], after: &[u128]) -> Vec<&'static str> {
    let rules = rules();
    let word = |breach: Breach<'_>| match breach {
        Breach::NotMet(_) => "NOT_MET",
        Breach::StillNeeded(_) => "STILL_NEEDED",
        Breach::Together(_) => "TOGETHER",
    };
    rules.breaches(&plans(before), &plans(after)).into_iter().map(word).collect()
}

#[test]
fn a_plan_that_comes_needs_one_of_its_alternatives() {
    assert_eq!(words(&[], &[1]), ["NOT_MET"]);
    assert_eq!(words(&[], &[1, 3]), [""; 0], "base and add-on come together");
    assert_eq!(words(&[2], &[1, 3]), [""; 0], "one alternative takes the place of the other");
}

#[test]
fn what_a_plan_that_stays_needs_does_not_go() {
    assert_eq!(words(&[1, 2], &[1]), ["STILL_NEEDED"]);
    assert_eq!(words(&[1, 2, 3], &[1, 3]), [""; 0]);
    assert_eq!(words(&[1, 2], &[]), [""; 0], "both go together");
}

#[test]
fn two_plans_that_exclude_each_other_do_not_come_together() {
    assert_eq!(words(&[], &[4, 5]), ["TOGETHER"]);
    assert_eq!(words(&[5], &[4, 5]), ["TOGETHER"]);
    assert_eq!(words(&[5], &[4]), [""; 0], "one takes the place of the other");
}

#[test]
fn two_products_that_say_the_same_of_two_plans_are_told_of_once() {
    let from_both_sides = [Exclusion { plan: plan(4), other: plan(5) }, Exclusion { plan: plan(5), other: plan(4) }];
    let rules = PlanRules { exclusions: from_both_sides.into(), ..PlanRules::default() };
    assert_eq!(rules.breaches(&plans(&[]), &plans(&[4, 5])).len(), 1);
}

#[test]
fn what_was_against_a_rule_before_is_no_reason_to_refuse() {
    assert_eq!(words(&[1], &[1, 4]), [""; 0]);
    assert_eq!(words(&[4, 5], &[4, 5, 2]), [""; 0]);
    assert_eq!(words(&[1, 4, 5], &[4]), [""; 0]);
}

#[test]
fn a_location_is_admitted_when_it_is_allowed_and_not_prohibited() {
    let country = |code| Country::parse(code).unwrap();
    let mut rules = Rules::default();
    assert!(rules.admits(country("DE")));
    rules.prohibited.insert(country("DE"));
    assert!(!rules.admits(country("DE")) && rules.admits(country("AT")));
    rules.allowed.insert(country("CH"));
    assert!(!rules.admits(country("AT")) && rules.admits(country("CH")));
}
