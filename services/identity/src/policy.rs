//! Who may do what at identity: one table, one pure function over facts, and the printed matrix.

mod sight;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use base::{Fault, Id};
use service::token::PrincipalKind;
use service::{Caller, Cx, Principal};
use uuid::Uuid;

use crate::Identity;
use crate::organization::{Cloud, Kind, Organization};
use crate::session::{self, Session};
use crate::user::{Role, User, grants};

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
    /// Looking at the users of a customer.
    ReadCustomerUsers,
    /// Making and changing users of a customer.
    ManageCustomerUsers,
    /// Looking at the users of a partner.
    ReadPartnerUsers,
    /// Adding and removing users of a partner, and changing their roles.
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
    /// A customer's users, as a list.
    CustomerUsers(Id<Organization>),
    /// A customer user who is to be made.
    NewCustomerUser {
        /// Whose.
        customer: Id<Organization>,
        /// The roles that the user would get.
        gets: BTreeSet<Role>,
    },
    /// A customer user.
    CustomerUser {
        /// Whose.
        customer: Id<Organization>,
        /// Who.
        id: Id<User>,
    },
    /// A partner's users, as a list: the caller's own organization's, or another's.
    PartnerUsers(Option<Id<Organization>>),
    /// A partner user who is to be made.
    NewPartnerUser {
        /// In which organization, when that is not the caller's own.
        organization: Option<Id<Organization>>,
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
    pub beyond: &'static [Beyond],
}

/// What counts beside a caller's roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// Whom it is about is allowed too, whatever their roles (D-02).
    Oneself,
    /// The caller must have the power to grant every role that the target holds or would get (C3, C24).
    Grants,
    /// A partner needs an ACTIVE relationship with the customer and its delegated admin (C1), in a cloud that has
    /// customer users (C22).
    Delegation,
}

const ANY_PARTNER_ROLE: &[Role] = &[
    Role::GlobalAdmin,
    Role::UserManagementAdmin,
    Role::BillingAdmin,
    Role::AdminAgent,
    Role::SalesAgent,
    Role::HelpdeskAgent,
];

/// Who does the work with customer users (C1). A stricter table is a change of this line.
const CUSTOMER_WORK: &[Role] =
    &[Role::GlobalAdmin, Role::UserManagementAdmin, Role::AdminAgent, Role::SalesAgent, Role::HelpdeskAgent];

/// The matrix (domain §3, C3, C23, C31, C32). What is not here is not allowed.
pub const MATRIX: &[Rule] = &[
    Rule {
        permission: Permission::ReadJournal,
        allowed: &[
            (Kind::Partner, ANY_PARTNER_ROLE),
            (Kind::Customer, &[Role::GlobalAdmin]),
            (Kind::Platform, &[Role::Operator]),
        ],
        beyond: &[],
    },
    Rule {
        permission: Permission::ManageWorkloads,
        allowed: &[(Kind::Partner, &[Role::GlobalAdmin]), (Kind::Customer, &[Role::GlobalAdmin])],
        beyond: &[],
    },
    Rule {
        permission: Permission::ReadCustomerUsers,
        allowed: &[(Kind::Partner, CUSTOMER_WORK), (Kind::Customer, &[Role::GlobalAdmin])],
        beyond: &[Beyond::Delegation, Beyond::Oneself],
    },
    Rule {
        permission: Permission::ManageCustomerUsers,
        allowed: &[(Kind::Partner, CUSTOMER_WORK)],
        beyond: &[Beyond::Delegation, Beyond::Grants],
    },
    Rule {
        permission: Permission::ReadPartnerUsers,
        allowed: &[(Kind::Partner, ANY_PARTNER_ROLE)],
        beyond: &[Beyond::Oneself],
    },
    Rule {
        permission: Permission::ManagePartnerUsers,
        allowed: &[(Kind::Partner, &[Role::GlobalAdmin, Role::UserManagementAdmin, Role::AdminAgent])],
        beyond: &[Beyond::Grants],
    },
    Rule {
        permission: Permission::ResetPartnerUsers,
        allowed: &[
            (Kind::Partner, &[Role::GlobalAdmin, Role::UserManagementAdmin, Role::AdminAgent]),
            (Kind::Platform, &[Role::Operator]),
        ],
        beyond: &[Beyond::Grants],
    },
    Rule {
        permission: Permission::ReadOrganization,
        allowed: &[
            (Kind::Partner, ANY_PARTNER_ROLE),
            (Kind::Customer, &[Role::GlobalAdmin]),
            (Kind::Platform, &[Role::Operator]),
        ],
        beyond: &[],
    },
    Rule { permission: Permission::ListOrganizations, allowed: &[(Kind::Platform, &[Role::Operator])], beyond: &[] },
    Rule { permission: Permission::UpdateOrganization, allowed: &[(Kind::Partner, &[Role::GlobalAdmin])], beyond: &[] },
    Rule {
        permission: Permission::AddOrganizationDomain,
        allowed: &[(Kind::Platform, &[Role::Operator])],
        beyond: &[],
    },
    Rule {
        permission: Permission::CheckDomain,
        allowed: &[
            (Kind::Partner, &[Role::GlobalAdmin, Role::UserManagementAdmin, Role::AdminAgent, Role::SalesAgent]),
            (Kind::Platform, &[Role::Operator]),
        ],
        beyond: &[],
    },
];

/// What the decision rests on.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The kind of the caller's organization.
    pub organization_kind: Option<Kind>,
    /// The cloud of the caller's organization.
    pub cloud: Option<Cloud>,
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
    /// A customer whom the caller serves without its delegated admin.
    Undelegated,
    /// A user.
    User {
        /// Whose user it is to the caller.
        ground: Ground,
        /// The roles that the user holds or would get.
        at_stake: BTreeSet<Role>,
        /// The user is who calls.
        oneself: bool,
    },
}

/// Whose user somebody is, to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// The caller's own organization's, or, to an operator, any partner's.
    Partner,
    /// A reseller's, which the caller's organization administers as its provider (C25).
    Administered,
    /// A customer's.
    Customer,
}

/// Decides. The refusal names the missing link. Roles are judged before the target, so that who may not do a thing at
/// all is told the same about every target; then whether the caller's cloud has such things; then the target.
pub fn decide(permission: Permission, facts: &Facts) -> Result<(), Fault> {
    let Some((kind, beyond)) = judge_caller(permission, facts)? else { return Ok(()) };
    match &facts.target {
        TargetFacts::Unseen { noun, id } => Err(Fault::not_found(noun, id)),
        TargetFacts::Undelegated => {
            let message = "the customer has granted your organization no delegated admin; invite it to";
            Err(Fault::denied("DELEGATED_ADMIN_REQUIRED", message))
        }
        TargetFacts::User { ground, at_stake, .. } if beyond.contains(&Beyond::Grants) => {
            check_power(kind, &facts.roles, *ground, at_stake)
        }
        TargetFacts::User { .. } | TargetFacts::Nothing => Ok(()),
    }
}

/// What can be said without a look at the target: `None` for what needs no more than a token.
fn judge_caller(permission: Permission, facts: &Facts) -> Result<Option<(Kind, &'static [Beyond])>, Fault> {
    if matches!(permission, Permission::Anyone | Permission::SignedIn) {
        return Ok(None);
    }
    let rule = MATRIX.iter().find(|rule| rule.permission == permission);
    let (allowed, beyond) = rule.map_or((&[][..], &[][..]), |rule| (rule.allowed, rule.beyond));
    let Some((kind, roles)) = allowed.iter().find(|(kind, _)| Some(*kind) == facts.organization_kind) else {
        let kinds = allowed.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>().join(" ");
        return Err(Fault::denied("ORGANIZATION_KIND_NOT_ALLOWED", "organizations of your kind do not do this")
            .with("organization_kinds", kinds));
    };
    let oneself = beyond.contains(&Beyond::Oneself) && matches!(facts.target, TargetFacts::User { oneself: true, .. });
    if !oneself && !facts.roles.iter().any(|role| roles.contains(role)) {
        let words = roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(" ");
        return Err(role_not_allowed(format!("this needs one of the roles {words}"), words));
    }
    if beyond.contains(&Beyond::Delegation) && facts.cloud != Some(Cloud::Global) {
        let message = "in this cloud customer users are managed in a portal of its own";
        return Err(Fault::precondition("NOT_AVAILABLE_IN_CLOUD", message));
    }
    Ok(Some((*kind, beyond)))
}

/// Power over a user is the power to grant every role at stake (C3, C24). Operators grant nothing; their power ends at
/// global admins (C23), and that of a provider at a reseller before them (C25).
fn check_power(kind: Kind, roles: &BTreeSet<Role>, ground: Ground, at_stake: &BTreeSet<Role>) -> Result<(), Fault> {
    if kind == Kind::Platform {
        if at_stake.contains(&Role::GlobalAdmin) {
            return Ok(());
        }
        let message = "an operator does this for global admins only; the organization's own can do it".to_owned();
        return Err(role_not_allowed(message, Role::GlobalAdmin.as_str().to_owned()));
    }
    let beyond_reach = match ground {
        Ground::Partner => grants::ungrantable(grants::PARTNER_USERS, roles, at_stake),
        Ground::Administered if at_stake.contains(&Role::GlobalAdmin) => Some(Role::GlobalAdmin),
        Ground::Administered => grants::ungrantable(grants::PARTNER_USERS, roles, at_stake),
        Ground::Customer => grants::ungrantable(grants::CUSTOMER_USERS, roles, at_stake),
    };
    match beyond_reach {
        None => Ok(()),
        Some(role) => {
            let message = format!("none of your roles may grant {}, which the user holds or would get", role.as_str());
            let fault = match ground {
                Ground::Customer => Fault::denied("TARGET_IS_ADMIN", message),
                Ground::Partner | Ground::Administered => Fault::denied("ROLE_NOT_GRANTABLE", message),
            };
            Err(fault.with("role", role.as_str()))
        }
    }
}

fn role_not_allowed(message: String, roles: String) -> Fault {
    Fault::denied("ROLE_NOT_ALLOWED", message).with("roles", roles).with("partner_center_code", 900_150)
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
        cloud: Cloud::parse(&principal.cloud),
        roles: principal.roles.iter().filter_map(|role| Role::parse(role)).collect(),
        target: TargetFacts::Nothing,
    };
    let allowed = judge_caller(permission, &facts).is_ok();
    let looker = sight::Looker { principal: &principal, facts: &facts, allowed };
    let seen = sight::look(cx, &looker, target).await?;
    decide(permission, &Facts { target: seen, ..facts })?;
    if let Target::CustomerUsers(customer)
    | Target::NewCustomerUser { customer, .. }
    | Target::CustomerUser { customer, .. } = target
    {
        cx.concern(customer.uuid());
    }
    Ok(())
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
