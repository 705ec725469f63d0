//! Who may do what at licensing: one table, one pure function over facts, and the printed matrix.

use base::Fault;
use service::{Caller, Cx};

use crate::Licensing;

/// What can be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Whoever is signed in, about themselves.
    SignedIn,
    /// Reading the journal of one's organization.
    ReadJournal,
    /// Telling facts: the service that the contract names, which the executor has checked.
    Peer,
}

/// What an operation is aimed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Nothing that could be hidden from the caller.
    Nothing,
    /// The caller's own organization.
    OwnOrganization,
}

/// One row of the matrix: which roles of which kind of organization are allowed.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// What is allowed.
    pub permission: Permission,
    /// To whom: kind of organization, roles.
    pub allowed: &'static [(&'static str, &'static [&'static str])],
}

/// The matrix (domain §3, C23, C31, C32). What is not here is not allowed.
pub const MATRIX: &[Rule] = &[Rule {
    permission: Permission::ReadJournal,
    allowed: &[
        (
            "PARTNER",
            &["GLOBAL_ADMIN", "USER_MANAGEMENT_ADMIN", "BILLING_ADMIN", "ADMIN_AGENT", "SALES_AGENT", "HELPDESK_AGENT"],
        ),
        ("CUSTOMER", &["GLOBAL_ADMIN"]),
        ("PLATFORM", &["OPERATOR"]),
    ],
}];

/// What the decision rests on.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The kind of the caller's organization.
    pub organization_kind: String,
    /// The caller's roles.
    pub roles: Vec<String>,
}

/// Decides. The refusal names the missing link.
pub fn decide(permission: Permission, facts: &Facts) -> Result<(), Fault> {
    if permission == Permission::SignedIn {
        return Ok(());
    }
    let rule = MATRIX.iter().find(|rule| rule.permission == permission);
    let allowed = rule.map_or(&[][..], |rule| rule.allowed);
    let Some((_, roles)) = allowed.iter().find(|(kind, _)| *kind == facts.organization_kind) else {
        let kinds = allowed.iter().map(|(kind, _)| *kind).collect::<Vec<_>>().join(" ");
        return Err(Fault::denied("ORGANIZATION_KIND_NOT_ALLOWED", "organizations of your kind do not do this")
            .with("organization_kinds", kinds));
    };
    if facts.roles.iter().any(|role| roles.contains(&role.as_str())) {
        return Ok(());
    }
    let words = roles.join(" ");
    Err(Fault::denied("ROLE_NOT_ALLOWED", format!("this needs one of the roles {words}")).with("roles", words))
}

/// Gathers the facts and decides.
pub(crate) fn authorize(cx: &Cx<Licensing>, permission: Permission) -> Result<(), Fault> {
    match cx.caller() {
        Caller::Peer(_) if permission == Permission::Peer => Ok(()),
        Caller::Principal(principal) => {
            let facts = Facts {
                organization_kind: principal.organization_kind.clone(),
                roles: principal.roles.iter().cloned().collect(),
            };
            decide(permission, &facts)
        }
        Caller::Anonymous { .. } | Caller::Peer(_) => {
            Err(Fault::unauthenticated("UNAUTHENTICATED", "the call carries no valid token"))
        }
    }
}
