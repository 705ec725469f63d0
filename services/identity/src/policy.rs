//! Who may do what at identity: one table, one pure function over facts, and the printed matrix.

use base::{Fault, Id};
use service::token::PrincipalKind;
use service::{Caller, Cx, Principal};

use crate::Identity;
use crate::organization::Kind;
use crate::session::{self, Session};
use crate::user::Role;

/// What can be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Public methods.
    Anyone,
    /// Whoever is signed in, about themselves.
    SignedIn,
    /// Reading the journal of one's organization.
    ReadJournal,
    /// Making, rotating and deleting workloads.
    ManageWorkloads,
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
    /// To whom.
    pub allowed: &'static [(Kind, &'static [Role])],
}

/// The matrix (domain §3, C23, C31, C32). What is not here is not allowed.
pub const MATRIX: &[Rule] = &[
    Rule {
        permission: Permission::ReadJournal,
        allowed: &[
            (
                Kind::Partner,
                &[
                    Role::GlobalAdmin,
                    Role::UserManagementAdmin,
                    Role::BillingAdmin,
                    Role::AdminAgent,
                    Role::SalesAgent,
                    Role::HelpdeskAgent,
                ],
            ),
            (Kind::Customer, &[Role::GlobalAdmin]),
            (Kind::Platform, &[Role::Operator]),
        ],
    },
    Rule {
        permission: Permission::ManageWorkloads,
        allowed: &[(Kind::Partner, &[Role::GlobalAdmin]), (Kind::Customer, &[Role::GlobalAdmin])],
    },
];

/// What the decision rests on.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The kind of the caller's organization.
    pub organization_kind: Option<Kind>,
    /// The caller's roles.
    pub roles: Vec<Role>,
}

/// Decides. The refusal names the missing link.
pub fn decide(permission: Permission, facts: &Facts) -> Result<(), Fault> {
    if matches!(permission, Permission::Anyone | Permission::SignedIn) {
        return Ok(());
    }
    let rule = MATRIX.iter().find(|rule| rule.permission == permission);
    let allowed = rule.map_or(&[][..], |rule| rule.allowed);
    let Some((_, roles)) = allowed.iter().find(|(kind, _)| Some(*kind) == facts.organization_kind) else {
        let kinds = allowed.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>().join(" ");
        return Err(Fault::denied("ORGANIZATION_KIND_NOT_ALLOWED", "organizations of your kind do not do this")
            .with("organization_kinds", kinds));
    };
    if facts.roles.iter().any(|role| roles.contains(role)) {
        return Ok(());
    }
    let words = roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(" ");
    Err(Fault::denied("ROLE_NOT_ALLOWED", format!("this needs one of the roles {words}")).with("roles", words))
}

/// Loads the facts and decides.
pub(crate) async fn authorize(cx: &mut Cx<Identity>, permission: Permission) -> Result<(), Fault> {
    let principal = match cx.caller() {
        Caller::Anonymous { .. } if permission == Permission::Anyone => return Ok(()),
        Caller::Principal(principal) => principal.clone(),
        Caller::Anonymous { .. } | Caller::Peer(_) => {
            return Err(Fault::unauthenticated("UNAUTHENTICATED", "the call carries no valid token"));
        }
    };
    check_session(cx, &principal).await?;
    let facts = Facts {
        organization_kind: Kind::parse(&principal.organization_kind),
        roles: principal.roles.iter().filter_map(|role| Role::parse(role)).collect(),
    };
    decide(permission, &facts)
}

/// Here a token dies with its session, at once.
async fn check_session(cx: &mut Cx<Identity>, principal: &Principal) -> Result<(), Fault> {
    if principal.kind == PrincipalKind::Workload {
        return Ok(());
    }
    let session = match principal.session_id {
        Some(id) => session::store::get(&mut cx.tx, Id::<Session>::from_uuid(id)).await?,
        None => None,
    };
    match session {
        Some(session) if session.is_open(cx.now()) => Ok(()),
        _ => Err(Fault::unauthenticated("UNAUTHENTICATED", "the access token is not valid")),
    }
}
