//! Who may do what at identity: one table, one pure function over facts, and the printed matrix.

use std::collections::BTreeSet;

use base::{Fault, Id};
use service::token::PrincipalKind;
use service::{Caller, Cx, Principal};
use uuid::Uuid;

use crate::Identity;
use crate::organization::{self, Kind, Organization};
use crate::session::{self, Session};
use crate::user::{self, Role, User, grants};

/// What can be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Public methods.
    Anyone,
    /// Whoever is signed in, about themselves.
    SignedIn,
    /// Telling and asking as another service: the one that the contract names, which the executor has checked.
    Peer,
    /// Reading the journal of one's organization.
    ReadJournal,
    /// Making, rotating and deleting workloads.
    ManageWorkloads,
    /// Looking at the users of one's organization.
    ReadPartnerUsers,
    /// Adding and removing users of one's organization, and changing their roles.
    ManagePartnerUsers,
    /// Replacing their passwords.
    ResetPartnerUsers,
    /// Looking at one organization.
    ReadOrganization,
    /// Looking at all of them.
    ListOrganizations,
    /// Changing what one's organization is called.
    UpdateOrganization,
    /// Giving organizations domains.
    AddOrganizationDomain,
    /// Asking whether a domain is free.
    CheckDomain,
}

/// What an operation is aimed at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Nothing that could be hidden from the caller.
    Nothing,
    /// The caller's own organization.
    OwnOrganization,
    /// An organization, the caller's own or another.
    Organization(Id<Organization>),
    /// A partner user who is to be made.
    NewPartnerUser {
        /// The roles that the user would get.
        gets: BTreeSet<Role>,
    },
    /// A partner user.
    PartnerUser {
        /// Who.
        id: Id<User>,
        /// The roles that the user would get.
        gets: BTreeSet<Role>,
    },
}

/// One row of the matrix: which roles of which kind of organization are allowed.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// What is allowed.
    pub permission: Permission,
    /// To whom.
    pub allowed: &'static [(Kind, &'static [Role])],
    /// What counts beside the roles.
    pub beyond: Beyond,
}

/// What counts beside a caller's roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// Nothing.
    Nothing,
    /// Whom it is about is allowed too, whatever their roles (D-02).
    Oneself,
    /// The caller must have the power to grant every role that the target holds or would get (C3).
    Grants,
}

const ANY_PARTNER_ROLE: &[Role] = &[
    Role::GlobalAdmin,
    Role::UserManagementAdmin,
    Role::BillingAdmin,
    Role::AdminAgent,
    Role::SalesAgent,
    Role::HelpdeskAgent,
];

/// The matrix (domain §3, C3, C23, C31, C32). What is not here is not allowed.
pub const MATRIX: &[Rule] = &[
    Rule {
        permission: Permission::ReadJournal,
        allowed: &[
            (Kind::Partner, ANY_PARTNER_ROLE),
            (Kind::Customer, &[Role::GlobalAdmin]),
            (Kind::Platform, &[Role::Operator]),
        ],
        beyond: Beyond::Nothing,
    },
    Rule {
        permission: Permission::ManageWorkloads,
        allowed: &[(Kind::Partner, &[Role::GlobalAdmin]), (Kind::Customer, &[Role::GlobalAdmin])],
        beyond: Beyond::Nothing,
    },
    Rule {
        permission: Permission::ReadPartnerUsers,
        allowed: &[(Kind::Partner, ANY_PARTNER_ROLE)],
        beyond: Beyond::Oneself,
    },
    Rule {
        permission: Permission::ManagePartnerUsers,
        allowed: &[(Kind::Partner, &[Role::GlobalAdmin, Role::UserManagementAdmin, Role::AdminAgent])],
        beyond: Beyond::Grants,
    },
    Rule {
        permission: Permission::ResetPartnerUsers,
        allowed: &[
            (Kind::Partner, &[Role::GlobalAdmin, Role::UserManagementAdmin, Role::AdminAgent]),
            (Kind::Platform, &[Role::Operator]),
        ],
        beyond: Beyond::Grants,
    },
    Rule {
        permission: Permission::ReadOrganization,
        allowed: &[
            (Kind::Partner, ANY_PARTNER_ROLE),
            (Kind::Customer, &[Role::GlobalAdmin]),
            (Kind::Platform, &[Role::Operator]),
        ],
        beyond: Beyond::Nothing,
    },
    Rule {
        permission: Permission::ListOrganizations,
        allowed: &[(Kind::Platform, &[Role::Operator])],
        beyond: Beyond::Nothing,
    },
    Rule {
        permission: Permission::UpdateOrganization,
        allowed: &[(Kind::Partner, &[Role::GlobalAdmin])],
        beyond: Beyond::Nothing,
    },
    Rule {
        permission: Permission::AddOrganizationDomain,
        allowed: &[(Kind::Platform, &[Role::Operator])],
        beyond: Beyond::Nothing,
    },
    Rule {
        permission: Permission::CheckDomain,
        allowed: &[
            (Kind::Partner, &[Role::GlobalAdmin, Role::UserManagementAdmin, Role::AdminAgent, Role::SalesAgent]),
            (Kind::Platform, &[Role::Operator]),
        ],
        beyond: Beyond::Nothing,
    },
];

/// What the decision rests on.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The kind of the caller's organization.
    pub organization_kind: Option<Kind>,
    /// The caller's roles.
    pub roles: BTreeSet<Role>,
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
    /// A user.
    User {
        /// The roles that the user holds or would get.
        at_stake: BTreeSet<Role>,
        /// The user is who calls.
        oneself: bool,
    },
}

/// Decides. The refusal names the missing link. Roles are judged before the target, so that who may not do a thing at
/// all is told the same about every target.
pub fn decide(permission: Permission, facts: &Facts) -> Result<(), Fault> {
    if matches!(permission, Permission::Anyone | Permission::SignedIn) {
        return Ok(());
    }
    let rule = MATRIX.iter().find(|rule| rule.permission == permission);
    let (allowed, beyond) = rule.map_or((&[][..], Beyond::Nothing), |rule| (rule.allowed, rule.beyond));
    let Some((kind, roles)) = allowed.iter().find(|(kind, _)| Some(*kind) == facts.organization_kind) else {
        let kinds = allowed.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>().join(" ");
        return Err(Fault::denied("ORGANIZATION_KIND_NOT_ALLOWED", "organizations of your kind do not do this")
            .with("organization_kinds", kinds));
    };
    let oneself = beyond == Beyond::Oneself && matches!(facts.target, TargetFacts::User { oneself: true, .. });
    if !oneself && !facts.roles.iter().any(|role| roles.contains(role)) {
        let words = roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(" ");
        return Err(role_not_allowed(format!("this needs one of the roles {words}"), words));
    }
    match &facts.target {
        TargetFacts::Unseen { noun, id } => Err(Fault::not_found(noun, id)),
        TargetFacts::User { at_stake, .. } if beyond == Beyond::Grants => check_power(*kind, &facts.roles, at_stake),
        TargetFacts::User { .. } | TargetFacts::Nothing => Ok(()),
    }
}

/// Power over a user is the power to grant every role at stake (C3). Operators grant nothing; their power ends at
/// global admins (C23).
fn check_power(kind: Kind, roles: &BTreeSet<Role>, at_stake: &BTreeSet<Role>) -> Result<(), Fault> {
    if kind == Kind::Platform {
        if at_stake.contains(&Role::GlobalAdmin) {
            return Ok(());
        }
        let message = "an operator does this for global admins only; the organization's own can do it".to_owned();
        return Err(role_not_allowed(message, Role::GlobalAdmin.as_str().to_owned()));
    }
    match grants::ungrantable(roles, at_stake) {
        None => Ok(()),
        Some(role) => {
            let message = format!("none of your roles may grant {}, which the user holds or would get", role.as_str());
            Err(Fault::denied("ROLE_NOT_GRANTABLE", message).with("role", role.as_str()))
        }
    }
}

fn role_not_allowed(message: String, roles: String) -> Fault {
    Fault::denied("ROLE_NOT_ALLOWED", message).with("roles", roles)
}

/// Loads the facts and decides.
pub(crate) async fn authorize(cx: &mut Cx<Identity>, permission: Permission, target: &Target) -> Result<(), Fault> {
    let principal = match cx.caller() {
        Caller::Anonymous { .. } if permission == Permission::Anyone => return Ok(()),
        Caller::Peer(_) if permission == Permission::Peer => return Ok(()),
        Caller::Principal(principal) => principal.clone(),
        Caller::Anonymous { .. } | Caller::Peer(_) => {
            return Err(Fault::unauthenticated("UNAUTHENTICATED", "the call carries no valid token"));
        }
    };
    check_session(cx, &principal).await?;
    let organization_kind = Kind::parse(&principal.organization_kind);
    let facts = Facts {
        organization_kind,
        roles: principal.roles.iter().filter_map(|role| Role::parse(role)).collect(),
        target: look(cx, &principal, organization_kind, target).await?,
    };
    decide(permission, &facts)
}

/// What the caller can see of the target. In a mutation its rows are held until the end.
async fn look(
    cx: &mut Cx<Identity>,
    principal: &Principal,
    kind: Option<Kind>,
    target: &Target,
) -> Result<TargetFacts, Fault> {
    let platform = kind == Some(Kind::Platform);
    match target {
        Target::Nothing | Target::OwnOrganization => Ok(TargetFacts::Nothing),
        Target::Organization(id) if platform || id.uuid() == principal.organization_id => Ok(TargetFacts::Nothing),
        Target::Organization(id) => Ok(TargetFacts::Unseen { noun: "organization", id: id.uuid() }),
        Target::NewPartnerUser { gets } => Ok(TargetFacts::User { at_stake: gets.clone(), oneself: false }),
        Target::PartnerUser { id, gets } => {
            let unseen = TargetFacts::Unseen { noun: "user", id: id.uuid() };
            let Some(user) = user::store::lock(&mut cx.tx, *id).await? else { return Ok(unseen) };
            let seen = if platform {
                let organization = organization::store::get(&mut cx.tx, user.organization).await?;
                organization.is_some_and(|organization| organization.kind == Kind::Partner)
            } else {
                user.organization.uuid() == principal.organization_id
            };
            if !seen {
                return Ok(unseen);
            }
            let at_stake = user.roles.union(gets).copied().collect();
            Ok(TargetFacts::User { at_stake, oneself: user.id.uuid() == principal.id })
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn user(at_stake: &[Role], oneself: bool) -> TargetFacts {
        TargetFacts::User { at_stake: at_stake.iter().copied().collect(), oneself }
    }

    fn reason(permission: Permission, kind: Kind, roles: &[Role], target: TargetFacts) -> String {
        let facts = Facts { organization_kind: Some(kind), roles: roles.iter().copied().collect(), target };
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
        let manage = reason(
            Permission::ManagePartnerUsers,
            Kind::Platform,
            &[Role::Operator],
            user(&[Role::GlobalAdmin], false),
        );
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
}
