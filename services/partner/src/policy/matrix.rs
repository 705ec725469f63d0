//! The matrix: which roles of which kind of organization, and which kinds of partner, are allowed what.

use std::time::Duration;

use super::Permission;
use crate::account::PartnerKind;

/// How long a proof of who somebody is counts as fresh: for consent and for taking it back (S-11).
pub(super) const FRESH_FOR: Duration = Duration::from_secs(600);

/// One row of the matrix.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// What is allowed.
    pub permission: Permission,
    /// To whom: kind of organization, roles.
    pub allowed: &'static [(&'static str, &'static [&'static str])],
    /// Which kinds of partner. None: it takes no account.
    pub partner_kinds: &'static [PartnerKind],
    /// Only users who proved who they are within [`FRESH_FOR`].
    pub fresh: bool,
}

const ALL: &[&str] =
    &["GLOBAL_ADMIN", "USER_MANAGEMENT_ADMIN", "BILLING_ADMIN", "ADMIN_AGENT", "SALES_AGENT", "HELPDESK_AGENT"];
/// Those who do a reseller's work (D-05, C15).
const MAKERS: &[&str] = &["GLOBAL_ADMIN", "USER_MANAGEMENT_ADMIN", "ADMIN_AGENT", "SALES_AGENT"];
/// Those who look at it (C31).
const READERS: &[&str] = &["GLOBAL_ADMIN", "USER_MANAGEMENT_ADMIN", "ADMIN_AGENT", "SALES_AGENT", "HELPDESK_AGENT"];
const GLOBAL_ADMIN: &[&str] = &["GLOBAL_ADMIN"];
const OPERATOR: &[&str] = &["OPERATOR"];

const ANY_PARTNER: &[PartnerKind] = &[PartnerKind::Reseller, PartnerKind::Provider, PartnerKind::Direct];
const TWO_TIERS: &[PartnerKind] = &[PartnerKind::Reseller, PartnerKind::Provider];
const RESELLER: &[PartnerKind] = &[PartnerKind::Reseller];
const PROVIDER: &[PartnerKind] = &[PartnerKind::Provider];

const fn partners(
    permission: Permission,
    allowed: &'static [(&'static str, &'static [&'static str])],
    partner_kinds: &'static [PartnerKind],
) -> Rule {
    Rule { permission, allowed, partner_kinds, fresh: false }
}

/// The matrix (domain §3, C15, C23, C31, C32). What is not here is not allowed.
pub const MATRIX: &[Rule] = &[
    partners(Permission::ReadJournal, &[("PARTNER", ALL), ("CUSTOMER", GLOBAL_ADMIN), ("PLATFORM", OPERATOR)], &[]),
    partners(Permission::OnboardPartner, &[("PLATFORM", OPERATOR)], &[]),
    partners(Permission::InviteReseller, &[("PARTNER", MAKERS)], PROVIDER),
    partners(Permission::AnswerPartnership, &[("PARTNER", MAKERS)], RESELLER),
    partners(Permission::ReadPartnerships, &[("PARTNER", READERS)], TWO_TIERS),
    partners(Permission::ReadProviders, &[("PARTNER", READERS)], RESELLER),
    partners(Permission::ReadResellers, &[("PARTNER", READERS)], PROVIDER),
    partners(Permission::RevokeProviderAdminAccess, &[("PARTNER", GLOBAL_ADMIN)], RESELLER),
    partners(Permission::RemovePartnership, &[("PARTNER", MAKERS)], TWO_TIERS),
    partners(Permission::CreateCustomer, &[("PARTNER", MAKERS)], ANY_PARTNER),
    partners(Permission::ReadCustomers, &[("PARTNER", READERS)], ANY_PARTNER),
    partners(Permission::RemoveCustomer, &[("PARTNER", MAKERS)], RESELLER),
    partners(Permission::ManageInvitations, &[("PARTNER", MAKERS)], ANY_PARTNER),
    partners(Permission::ReadInvitations, &[("PARTNER", READERS)], ANY_PARTNER),
    // A partner's own global admin may try, and is told that a partner is nobody's customer.
    Rule {
        permission: Permission::AnswerInvitation,
        allowed: &[("CUSTOMER", GLOBAL_ADMIN), ("PARTNER", GLOBAL_ADMIN)],
        partner_kinds: &[],
        fresh: true,
    },
    Rule {
        permission: Permission::ReadOwnPartners,
        allowed: &[("CUSTOMER", GLOBAL_ADMIN)],
        partner_kinds: &[],
        fresh: false,
    },
    Rule {
        permission: Permission::RevokeDelegatedAdmin,
        allowed: &[("CUSTOMER", GLOBAL_ADMIN)],
        partner_kinds: &[],
        fresh: true,
    },
];
