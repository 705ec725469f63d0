//! Who may do what at partner: one table, one pure function over facts, and the printed matrix.

mod look;
mod matrix;

use base::{Fault, Id};
use service::token::PrincipalKind;
use service::{Caller, Cx};
use uuid::Uuid;

pub use matrix::{MATRIX, Rule};

use crate::Partner;
use crate::account::{self, PartnerKind};
use crate::invitation::Invitation;
use crate::organization::Organization;
use crate::partnership::Partnership;

/// What can be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Public methods.
    Anyone,
    /// Whoever is signed in, about themselves.
    SignedIn,
    /// Reading the journal of one's organization.
    ReadJournal,
    /// What the services ask and tell each other: those that the contract names, which the executor has checked.
    Peer,
    /// Taking partners in.
    OnboardPartner,
    /// Inviting resellers, and taking that back.
    InviteReseller,
    /// Accepting or declining a provider's invitation.
    AnswerPartnership,
    /// Looking at one's partnerships, and at the customers whom both serve.
    ReadPartnerships,
    /// Looking at one's providers.
    ReadProviders,
    /// Looking at one's resellers.
    ReadResellers,
    /// Withdrawing a provider's access to the reseller's organization.
    RevokeProviderAdminAccess,
    /// Ending a partnership.
    RemovePartnership,
    /// Making customers.
    CreateCustomer,
    /// Looking at one's customers.
    ReadCustomers,
    /// Ending the relationship with a customer.
    RemoveCustomer,
    /// Making invitations and changing them.
    ManageInvitations,
    /// Looking at one's invitations.
    ReadInvitations,
    /// Accepting or declining an invitation.
    AnswerInvitation,
    /// A customer's look at its own partners.
    ReadOwnPartners,
    /// Withdrawing delegated admin from a partner.
    RevokeDelegatedAdmin,
}

/// What an operation is aimed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Nothing that could be hidden from the caller.
    Nothing,
    /// The caller's own organization.
    OwnOrganization,
    /// A partnership.
    Partnership(Id<Partnership>),
    /// A customer of the caller's partner.
    Customer(Id<Organization>),
    /// The same, or one to whom an open joint invitation binds the caller as provider (C30).
    CustomerName(Id<Organization>),
    /// An invitation of the caller's partner.
    Invitation(Id<Invitation>),
    /// The same, or one that names the caller's partner as provider.
    NamingInvitation(Id<Invitation>),
    /// A partner of the caller's customer.
    PartnerOfCustomer(Id<Organization>),
}

/// What the decision rests on.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The kind of the caller's organization.
    pub organization_kind: String,
    /// The caller's roles.
    pub roles: Vec<String>,
    /// What the caller's organization is in the channel, when it has an account.
    pub partner_kind: Option<PartnerKind>,
    /// The caller is a user who proved who they are within the last 10 minutes.
    pub is_fresh: bool,
    /// What is known of the target.
    pub target: TargetFacts,
}

/// What is known of a target.
#[derive(Clone, Debug)]
pub enum TargetFacts {
    /// Nothing that would matter.
    Nothing,
    /// There is no such thing, or the caller cannot see it: the two are not told apart.
    Unseen {
        /// What was asked for.
        noun: &'static str,
        /// By which id.
        id: Uuid,
    },
}

/// Decides. The refusal names the missing link. Roles are judged before the target, so that who may not do a thing at
/// all is told the same about every target.
pub fn decide(permission: Permission, facts: &Facts) -> Result<(), Fault> {
    if matches!(permission, Permission::Anyone | Permission::SignedIn) {
        return Ok(());
    }
    let rule = MATRIX.iter().find(|rule| rule.permission == permission);
    let allowed = rule.map_or(&[][..], |rule| rule.allowed);
    let Some((_, roles)) = allowed.iter().find(|(kind, _)| *kind == facts.organization_kind) else {
        let kinds = allowed.iter().map(|(kind, _)| *kind).collect::<Vec<_>>().join(" ");
        return Err(Fault::denied("ORGANIZATION_KIND_NOT_ALLOWED", "organizations of your kind do not do this")
            .with("organization_kinds", kinds));
    };
    if !facts.roles.iter().any(|role| roles.contains(&role.as_str())) {
        return Err(missing_role(roles));
    }
    let Some(rule) = rule else { return Ok(()) };
    check_partner(rule, facts)?;
    if rule.fresh && !facts.is_fresh {
        let message = "this asks for a user who signed in within the last 10 minutes; sign in again";
        return Err(Fault::precondition("AUTHENTICATION_TOO_OLD", message));
    }
    match &facts.target {
        TargetFacts::Unseen { noun, id } => Err(Fault::not_found(noun, id)),
        TargetFacts::Nothing => Ok(()),
    }
}

/// Whether the caller's roles would allow it, for answers that show more to some than to others.
pub(crate) fn may(cx: &Cx<Partner>, permission: Permission) -> Result<bool, Fault> {
    let principal = cx.principal()?;
    let rule = MATRIX.iter().find(|rule| rule.permission == permission);
    let allowed = rule.map_or(&[][..], |rule| rule.allowed).iter();
    let roles = allowed.filter(|(kind, _)| *kind == principal.organization_kind).flat_map(|(_, roles)| roles.iter());
    Ok(roles.into_iter().any(|role| principal.roles.contains(*role)))
}

fn missing_role(roles: &[&str]) -> Fault {
    let words = roles.join(" ");
    let reason = if roles == ["GLOBAL_ADMIN"] { "GLOBAL_ADMIN_REQUIRED" } else { "ROLE_NOT_ALLOWED" };
    Fault::denied(reason, format!("this needs one of the roles {words}"))
        .with("roles", words)
        .with("partner_center_code", 900_150)
}

fn check_partner(rule: &Rule, facts: &Facts) -> Result<(), Fault> {
    if rule.partner_kinds.is_empty() || facts.organization_kind != "PARTNER" {
        return Ok(());
    }
    let Some(kind) = facts.partner_kind else {
        return Err(Fault::denied("NOT_A_PARTNER", "your organization has no account as a partner yet"));
    };
    if rule.partner_kinds.contains(&kind) {
        return Ok(());
    }
    let words = rule.partner_kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(" ");
    let message = format!("a partner of kind {} does not do this; {words} does", kind.as_str());
    Err(Fault::denied("PARTNER_KIND_NOT_ALLOWED", message).with("partner_kinds", words))
}

/// Gathers the facts and decides.
pub(crate) async fn authorize(cx: &mut Cx<Partner>, permission: Permission, target: &Target) -> Result<(), Fault> {
    let principal = match cx.caller() {
        Caller::Anonymous { .. } if permission == Permission::Anyone => return Ok(()),
        Caller::Peer(_) if permission == Permission::Peer => return Ok(()),
        Caller::Principal(principal) => principal.clone(),
        Caller::Anonymous { .. } | Caller::Peer(_) => {
            return Err(Fault::unauthenticated("UNAUTHENTICATED", "the call carries no valid token"));
        }
    };
    let own = Id::from_uuid(principal.organization_id);
    let account = account::store::get(&mut cx.tx, own).await?;
    let age = cx.now().since(principal.auth_time);
    let facts = Facts {
        organization_kind: principal.organization_kind.clone(),
        roles: principal.roles.iter().cloned().collect(),
        partner_kind: account.map(|account| account.kind),
        is_fresh: principal.kind == PrincipalKind::User && age <= matrix::FRESH_FOR,
        target: look::at(cx, own, target).await?,
    };
    decide(permission, &facts)?;
    if let Target::Customer(customer) = target {
        cx.concern(customer.uuid());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(kind: &str, roles: &[&str], partner_kind: Option<PartnerKind>) -> Facts {
        Facts {
            organization_kind: kind.to_owned(),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            partner_kind,
            is_fresh: true,
            target: TargetFacts::Nothing,
        }
    }

    fn reason(permission: Permission, facts: &Facts) -> String {
        decide(permission, facts).map_or_else(|fault| fault.reason().to_owned(), |()| "ALLOWED".to_owned())
    }

    #[test]
    fn every_link_that_is_missing_is_named_and_roles_come_first() {
        let mut provider = facts("PARTNER", &["SALES_AGENT"], Some(PartnerKind::Provider));
        assert_eq!(reason(Permission::InviteReseller, &provider), "ALLOWED");
        provider.target = TargetFacts::Unseen { noun: "partnership", id: Uuid::nil() };
        assert_eq!(reason(Permission::InviteReseller, &provider), "NOT_FOUND");
        provider.partner_kind = Some(PartnerKind::Reseller);
        assert_eq!(reason(Permission::InviteReseller, &provider), "PARTNER_KIND_NOT_ALLOWED");
        provider.partner_kind = None;
        assert_eq!(reason(Permission::InviteReseller, &provider), "NOT_A_PARTNER");
        provider.roles = vec!["HELPDESK_AGENT".to_owned()];
        assert_eq!(reason(Permission::InviteReseller, &provider), "ROLE_NOT_ALLOWED");
        provider.organization_kind = "CUSTOMER".to_owned();
        assert_eq!(reason(Permission::InviteReseller, &provider), "ORGANIZATION_KIND_NOT_ALLOWED");
    }

    #[test]
    fn a_customer_s_consent_takes_its_global_admin_who_has_just_signed_in() {
        let mut admin = facts("CUSTOMER", &["GLOBAL_ADMIN"], None);
        assert_eq!(reason(Permission::AnswerInvitation, &admin), "ALLOWED");
        admin.is_fresh = false;
        assert_eq!(reason(Permission::AnswerInvitation, &admin), "AUTHENTICATION_TOO_OLD");
        assert_eq!(reason(Permission::RevokeDelegatedAdmin, &admin), "AUTHENTICATION_TOO_OLD");
        assert_eq!(reason(Permission::ReadOwnPartners, &admin), "ALLOWED");
        admin.roles = vec!["USER_MANAGEMENT_ADMIN".to_owned()];
        assert_eq!(reason(Permission::AnswerInvitation, &admin), "GLOBAL_ADMIN_REQUIRED");
    }

    #[test]
    fn every_permission_but_those_for_everybody_has_one_row() {
        for rule in MATRIX {
            assert_eq!(MATRIX.iter().filter(|other| other.permission == rule.permission).count(), 1, "{rule:?}");
            assert!(rule.allowed.iter().all(|(_, roles)| !roles.is_empty()), "{rule:?}");
        }
        assert_eq!(reason(Permission::Peer, &facts("PLATFORM", &["OPERATOR"], None)), "ORGANIZATION_KIND_NOT_ALLOWED");
    }
}
