//! The decisions, without a database.

use super::*;

fn user(at_stake: &[Role], oneself: bool) -> TargetFacts {
    user_on(Ground::Partner, at_stake, oneself)
}

fn user_on(ground: Ground, at_stake: &[Role], oneself: bool) -> TargetFacts {
    TargetFacts::User { ground, at_stake: at_stake.iter().copied().collect(), oneself }
}

fn reason(permission: Permission, kind: Kind, roles: &[Role], target: TargetFacts) -> String {
    reason_in(Cloud::Global, permission, kind, roles, target)
}

fn reason_in(cloud: Cloud, permission: Permission, kind: Kind, roles: &[Role], target: TargetFacts) -> String {
    let roles = roles.iter().copied().collect();
    let facts = Facts { organization_kind: Some(kind), cloud: Some(cloud), roles, target };
    decide(permission, &facts).map_or_else(|fault| fault.reason().to_owned(), |()| "ALLOWED".to_owned())
}

#[test]
fn who_has_no_role_sees_themselves_and_nobody_else() {
    let read = |target| reason(Permission::ReadPartnerUsers, Kind::Partner, &[], target);
    assert_eq!(read(user(&[], true)), "ALLOWED");
    assert_eq!(read(user(&[], false)), "ROLE_NOT_ALLOWED");
    assert_eq!(read(TargetFacts::Unseen { noun: "user", id: Uuid::nil() }), "ROLE_NOT_ALLOWED");
    assert_eq!(read(TargetFacts::Nothing), "ROLE_NOT_ALLOWED");
}

#[test]
fn being_oneself_is_no_role_where_roles_are_asked_for() {
    let manage = |permission| reason(permission, Kind::Partner, &[Role::SalesAgent], user(&[], true));
    assert_eq!(manage(Permission::ManagePartnerUsers), "ROLE_NOT_ALLOWED");
    assert_eq!(manage(Permission::ResetPartnerUsers), "ROLE_NOT_ALLOWED");
}

#[test]
fn an_operator_resets_global_admins_and_nobody_else() {
    let reset = |at_stake: &[Role]| {
        reason(Permission::ResetPartnerUsers, Kind::Platform, &[Role::Operator], user(at_stake, false))
    };
    assert_eq!(reset(&[Role::GlobalAdmin, Role::AdminAgent]), "ALLOWED");
    assert_eq!(reset(&[Role::AdminAgent]), "ROLE_NOT_ALLOWED");
    let manage =
        reason(Permission::ManagePartnerUsers, Kind::Platform, &[Role::Operator], user(&[Role::GlobalAdmin], false));
    assert_eq!(manage, "ORGANIZATION_KIND_NOT_ALLOWED");
}

#[test]
fn every_permission_but_the_two_for_everybody_has_one_row() {
    for rule in MATRIX {
        assert_eq!(MATRIX.iter().filter(|other| other.permission == rule.permission).count(), 1, "{rule:?}");
        for (kind, roles) in rule.allowed {
            assert!(!roles.is_empty() && roles.iter().all(|role| role.belongs_to(*kind)), "{rule:?}");
        }
    }
}

#[test]
fn roles_are_judged_before_the_cloud_and_the_cloud_before_the_customer() {
    let unseen = || TargetFacts::Unseen { noun: "customer", id: Uuid::nil() };
    for permission in [Permission::ReadCustomerUsers, Permission::ManageCustomerUsers] {
        for target in [unseen(), TargetFacts::Undelegated, TargetFacts::Nothing] {
            let billing = reason(permission, Kind::Partner, &[Role::BillingAdmin], target.clone());
            assert_eq!(billing, "ROLE_NOT_ALLOWED");
            let government = reason_in(Cloud::UsGovernment, permission, Kind::Partner, &[Role::AdminAgent], target);
            assert_eq!(government, "NOT_AVAILABLE_IN_CLOUD");
        }
        assert_eq!(reason(permission, Kind::Partner, &[Role::AdminAgent], unseen()), "NOT_FOUND");
        let undelegated = reason(permission, Kind::Partner, &[Role::AdminAgent], TargetFacts::Undelegated);
        assert_eq!(undelegated, "DELEGATED_ADMIN_REQUIRED");
        assert_eq!(reason(permission, Kind::Platform, &[Role::Operator], unseen()), "ORGANIZATION_KIND_NOT_ALLOWED");
    }
}

#[test]
fn a_customers_global_admin_reads_its_users_and_manages_none() {
    let of = |permission, role: &[Role], oneself| {
        reason(permission, Kind::Customer, role, user_on(Ground::Customer, &[], oneself))
    };
    assert_eq!(of(Permission::ReadCustomerUsers, &[Role::GlobalAdmin], false), "ALLOWED");
    assert_eq!(of(Permission::ReadCustomerUsers, &[Role::PasswordAdmin], false), "ROLE_NOT_ALLOWED");
    assert_eq!(of(Permission::ReadCustomerUsers, &[], true), "ALLOWED");
    assert_eq!(of(Permission::ManageCustomerUsers, &[Role::GlobalAdmin], true), "ORGANIZATION_KIND_NOT_ALLOWED");
}

#[test]
fn a_provider_never_reaches_a_global_admin_of_a_reseller() {
    let over = |roles: &[Role], at_stake: &[Role]| {
        let target = user_on(Ground::Administered, at_stake, false);
        reason(Permission::ManagePartnerUsers, Kind::Partner, roles, target)
    };
    assert_eq!(over(&[Role::GlobalAdmin], &[Role::BillingAdmin, Role::AdminAgent]), "ALLOWED");
    assert_eq!(over(&[Role::GlobalAdmin], &[Role::GlobalAdmin]), "ROLE_NOT_GRANTABLE");
    assert_eq!(over(&[Role::AdminAgent], &[Role::HelpdeskAgent]), "ALLOWED");
    assert_eq!(over(&[Role::AdminAgent], &[Role::UserManagementAdmin]), "ROLE_NOT_GRANTABLE");
}
