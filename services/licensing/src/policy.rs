//! Who may do what at licensing: one table, one pure function over facts, and the printed matrix.

use base::{Fault, Id};
use saga::intent;
use service::{Caller, Cx, Principal};
use uuid::Uuid;

use crate::access::Access;
use crate::organization::Organization;
use crate::partner::PartnerKind;
use crate::projection::Unresolved;
use crate::subscription::Subscription;
use crate::{Licensing, access, subscription};

/// What can be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Whoever is signed in, about themselves.
    SignedIn,
    /// Reading the journal of one's organization.
    ReadJournal,
    /// Looking at products and offers.
    ReadCatalog,
    /// Importing products and making offers.
    ManageCatalog,
    /// Ordering for a customer.
    PlaceOrder,
    /// Changing what was ordered.
    ManageSubscriptions,
    /// Looking at subscriptions.
    ReadSubscriptions,
    /// Looking at where a customer may buy by itself.
    ReadPurchasePermissions,
    /// Letting a customer buy by itself.
    SetPurchasePermission,
    /// Looking at what a customer owns.
    ReadEntitlements,
    /// Looking whether the counters of seats are right.
    VerifySeats,
    /// Looking at who uses what a customer owns.
    ReadLicenses,
    /// Giving and taking licenses.
    ManageLicenses,
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
    /// A customer.
    Customer(Id<Organization>),
    /// A subscription of some customer.
    Subscription(Id<Subscription>),
}

/// One row of the matrix: which roles of which kind of organization are allowed.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// What is allowed.
    pub permission: Permission,
    /// To whom: kind of organization, roles.
    pub allowed: &'static [(&'static str, &'static [&'static str])],
    /// What a partner needs at the customer.
    pub needs: Needs,
    /// In the government's cloud too (C22).
    pub in_every_cloud: bool,
}

/// What a partner needs at a customer beside the relationship, without which the customer is not there (C30).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// Delegated admin (C1).
    DelegatedAdmin,
    /// Not to be a reseller, who orders nothing itself.
    Seller,
    /// The order right.
    OrderRight,
}

/// The matrix (domain §3, C23, C31, C32). What is not here is not allowed.
pub const MATRIX: &[Rule] = &[
    Rule {
        permission: Permission::ReadJournal,
        allowed: &[
            (
                "PARTNER",
                &[
                    "GLOBAL_ADMIN",
                    "USER_MANAGEMENT_ADMIN",
                    "BILLING_ADMIN",
                    "ADMIN_AGENT",
                    "SALES_AGENT",
                    "HELPDESK_AGENT",
                ],
            ),
            ("CUSTOMER", &["GLOBAL_ADMIN"]),
            ("PLATFORM", &["OPERATOR"]),
        ],
        needs: Needs::Nothing,
        in_every_cloud: true,
    },
    Rule {
        permission: Permission::ReadCatalog,
        allowed: &[
            ("PARTNER", &["GLOBAL_ADMIN", "BILLING_ADMIN", "ADMIN_AGENT", "SALES_AGENT"]),
            ("PLATFORM", &["OPERATOR"]),
        ],
        needs: Needs::Nothing,
        in_every_cloud: true,
    },
    Rule {
        permission: Permission::ManageCatalog,
        allowed: &[("PLATFORM", &["OPERATOR"])],
        needs: Needs::Nothing,
        in_every_cloud: true,
    },
    Rule {
        permission: Permission::PlaceOrder,
        // A customer where its partner lets it (C26).
        allowed: &[("PARTNER", &["GLOBAL_ADMIN", "ADMIN_AGENT", "SALES_AGENT"]), ("CUSTOMER", &["GLOBAL_ADMIN"])],
        needs: Needs::OrderRight,
        in_every_cloud: true,
    },
    Rule {
        permission: Permission::ManageSubscriptions,
        allowed: &[("PARTNER", &["GLOBAL_ADMIN", "ADMIN_AGENT", "SALES_AGENT"])],
        needs: Needs::Seller,
        in_every_cloud: true,
    },
    Rule {
        permission: Permission::ReadSubscriptions,
        allowed: &[
            ("PARTNER", &["GLOBAL_ADMIN", "BILLING_ADMIN", "ADMIN_AGENT", "SALES_AGENT"]),
            ("CUSTOMER", &["GLOBAL_ADMIN"]),
        ],
        needs: Needs::Nothing,
        in_every_cloud: true,
    },
    Rule {
        permission: Permission::ReadPurchasePermissions,
        allowed: &[
            ("PARTNER", &["GLOBAL_ADMIN", "ADMIN_AGENT", "SALES_AGENT", "HELPDESK_AGENT"]),
            ("CUSTOMER", &["GLOBAL_ADMIN"]),
        ],
        needs: Needs::Nothing,
        in_every_cloud: true,
    },
    Rule {
        permission: Permission::SetPurchasePermission,
        allowed: &[("PARTNER", &["ADMIN_AGENT"])],
        needs: Needs::Seller,
        in_every_cloud: true,
    },
    Rule {
        permission: Permission::VerifySeats,
        allowed: &[("PLATFORM", &["OPERATOR"])],
        needs: Needs::Nothing,
        in_every_cloud: true,
    },
    // What is owned names no user, and whoever sells more has to see it: no delegated admin (O-20, AS-32).
    Rule {
        permission: Permission::ReadEntitlements,
        allowed: &[("PARTNER", USER_MANAGERS), ("CUSTOMER", &["GLOBAL_ADMIN"])],
        needs: Needs::Nothing,
        in_every_cloud: false,
    },
    Rule {
        permission: Permission::ReadLicenses,
        allowed: &[("PARTNER", USER_MANAGERS), ("CUSTOMER", &["GLOBAL_ADMIN"])],
        needs: Needs::DelegatedAdmin,
        in_every_cloud: false,
    },
    Rule {
        permission: Permission::ManageLicenses,
        allowed: &[("PARTNER", USER_MANAGERS)],
        needs: Needs::DelegatedAdmin,
        in_every_cloud: false,
    },
];

/// Who works with the users of customers.
const USER_MANAGERS: &[&str] =
    &["GLOBAL_ADMIN", "USER_MANAGEMENT_ADMIN", "ADMIN_AGENT", "SALES_AGENT", "HELPDESK_AGENT"];

/// What the decision rests on.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The kind of the caller's organization.
    pub organization_kind: String,
    /// That organization's cloud.
    pub cloud: String,
    /// The caller's roles.
    pub roles: Vec<String>,
    /// What is known of the target.
    pub target: TargetFacts,
}

/// What is known of a target.
#[derive(Clone, Debug)]
pub enum TargetFacts {
    /// Nothing that would matter.
    Nothing,
    /// The caller's own.
    Own,
    /// There is no such thing, or the caller cannot see it: the two are not told apart.
    Unseen {
        /// What was asked for.
        noun: &'static str,
        /// By which id.
        id: Uuid,
    },
    /// Something of a customer, or the customer itself.
    Customer {
        /// What was asked for.
        noun: &'static str,
        /// By which id.
        id: Uuid,
        /// The confirmed access of the caller's organization to the customer.
        access: Option<Access>,
        /// Without one that is active: an open invitation names the caller's organization at the customer.
        is_named: bool,
    },
}

/// Whether the roles alone would do.
pub(crate) fn has_role(principal: &Principal, permission: Permission) -> bool {
    decide(permission, &facts(principal, TargetFacts::Nothing)).is_ok()
}

/// Decides. The refusal names the missing link. Roles are judged before the target, so that who may not do a thing at
/// all is told the same about every target.
pub fn decide(permission: Permission, facts: &Facts) -> Result<(), Fault> {
    if permission == Permission::SignedIn {
        return Ok(());
    }
    let rule = MATRIX.iter().find(|rule| rule.permission == permission);
    let allowed = rule.map_or(&[][..], |rule| rule.allowed);
    let Some((rule, (_, roles))) = rule.zip(allowed.iter().find(|(kind, _)| *kind == facts.organization_kind)) else {
        let kinds = allowed.iter().map(|(kind, _)| *kind).collect::<Vec<_>>().join(" ");
        return Err(Fault::denied("ORGANIZATION_KIND_NOT_ALLOWED", "organizations of your kind do not do this")
            .with("organization_kinds", kinds));
    };
    if !facts.roles.iter().any(|role| roles.contains(&role.as_str())) {
        let words = roles.join(" ");
        return Err(Fault::denied("ROLE_NOT_ALLOWED", format!("this needs one of the roles {words}"))
            .with("roles", words)
            .with("partner_center_code", 900_150));
    }
    if !rule.in_every_cloud && facts.cloud == "US_GOVERNMENT" {
        let message = "licenses are not managed here in the cloud of the United States government";
        return Err(Fault::precondition("NOT_AVAILABLE_IN_CLOUD", message));
    }
    match &facts.target {
        TargetFacts::Nothing | TargetFacts::Own => Ok(()),
        TargetFacts::Unseen { noun, id } => Err(Fault::not_found(noun, id)),
        TargetFacts::Customer { noun, id, access, is_named } => match access {
            Some(access) if access.active => check_needs(rule.needs, access),
            // Whoever knows of the customer is told what is missing (AS-50).
            _ if *is_named && matches!(rule.needs, Needs::OrderRight) => Err(order_right_required()),
            _ => Err(Fault::not_found(noun, id)),
        },
    }
}

fn check_needs(needs: Needs, access: &Access) -> Result<(), Fault> {
    match needs {
        Needs::DelegatedAdmin if !access.delegated_admin => {
            let message = "the customer has not granted your organization delegated admin";
            Err(Fault::denied("DELEGATED_ADMIN_REQUIRED", message))
        }
        Needs::Seller | Needs::OrderRight if access.kind == Some(PartnerKind::Reseller) => {
            let message = "an indirect reseller orders nothing itself; ask a provider";
            Err(Fault::denied("OPERATION_NOT_AVAILABLE_TO_INDIRECT_RESELLER", message)
                .with("partner_center_code", 1002))
        }
        Needs::OrderRight if !access.order_right => Err(order_right_required()),
        Needs::Nothing | Needs::DelegatedAdmin | Needs::Seller | Needs::OrderRight => Ok(()),
    }
}

fn order_right_required() -> Fault {
    let message = "your organization may not place orders for this customer";
    Fault::denied("ORDER_RIGHT_REQUIRED", message).with("partner_center_code", 20002)
}

/// Gathers the facts and decides. What a decision that is on its way could change is asked for first.
pub(crate) async fn authorize(cx: &mut Cx<Licensing>, permission: Permission, target: &Target) -> Result<(), Fault> {
    let principal = match cx.caller() {
        Caller::Peer(_) if permission == Permission::Peer => return Ok(()),
        Caller::Principal(principal) => principal.clone(),
        Caller::Anonymous { .. } | Caller::Peer(_) => {
            return Err(Fault::unauthenticated("UNAUTHENTICATED", "the call carries no valid token"));
        }
    };
    let caller = Id::from_uuid(principal.organization_id);
    let is_customer = principal.organization_kind == "CUSTOMER";
    let (target, customer) = match target {
        Target::Nothing => (TargetFacts::Nothing, None),
        Target::OwnOrganization => (TargetFacts::Own, None),
        Target::Customer(id) => look(cx, (caller, is_customer), *id, ("customer", id.uuid())).await?,
        Target::Subscription(id) => match subscription::store::get(&mut cx.tx, *id).await? {
            Some(found) if found.is_seen_by(caller) => {
                look(cx, (caller, is_customer), found.customer, ("subscription", id.uuid())).await?
            }
            _ => (TargetFacts::Unseen { noun: "subscription", id: id.uuid() }, None),
        },
    };
    let facts = facts(&principal, target);
    let Err(refusal) = decide(permission, &facts) else {
        customer.into_iter().for_each(|customer| cx.concern(customer.uuid()));
        return Ok(());
    };
    if let Some(customer) = customer
        && decide(permission, &facts.granted(customer, caller)).is_ok()
    {
        for decision in intent::open(&mut cx.tx, (customer.uuid(), caller.uuid())).await? {
            cx.hang_on(Unresolved::Decision(decision));
        }
    }
    Err(refusal)
}

/// What the caller can see of something that is a customer's. In a mutation the access is held until the end.
async fn look(
    cx: &mut Cx<Licensing>,
    (caller, is_customer): (Id<Organization>, bool),
    customer: Id<Organization>,
    (noun, id): (&'static str, Uuid),
) -> Result<(TargetFacts, Option<Id<Organization>>), Fault> {
    // A partner is nobody's customer, and not its own either.
    if is_customer && customer == caller {
        return Ok((TargetFacts::Own, None));
    }
    let (now, access) = (cx.now(), access::store::get(&mut cx.tx, customer, caller).await?);
    let is_served = access.as_ref().is_some_and(|access| access.active);
    // What a subscription is about is told to nobody who is only named.
    let is_named =
        noun == "customer" && !is_served && access::store::is_named(&mut cx.tx, customer, caller, now).await?;
    Ok((TargetFacts::Customer { noun, id, access, is_named }, Some(customer)))
}

fn facts(principal: &Principal, target: TargetFacts) -> Facts {
    Facts {
        organization_kind: principal.organization_kind.clone(),
        cloud: principal.cloud.clone(),
        roles: principal.roles.iter().cloned().collect(),
        target,
    }
}

impl Facts {
    /// The same facts if a decision granted everything that decisions grant.
    fn granted(&self, customer: Id<Organization>, partner: Id<Organization>) -> Self {
        let TargetFacts::Customer { noun, id, access, .. } = &self.target else { return self.clone() };
        let kind = access.as_ref().and_then(|access| access.kind);
        let epoch = access.as_ref().map_or(0, |access| access.epoch);
        let access = Access { customer, partner, kind, active: true, delegated_admin: true, order_right: true, epoch };
        let target = TargetFacts::Customer { noun, id: *id, access: Some(access), is_named: false };
        Self { target, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: Grant = Grant { active: true, delegated_admin: false, order_right: false, kind: PartnerKind::Provider };

    #[derive(Clone, Copy)]
    struct Grant {
        active: bool,
        delegated_admin: bool,
        order_right: bool,
        kind: PartnerKind,
    }

    fn reason(permission: Permission, role: &str, cloud: &str, grant: Option<Grant>) -> String {
        let (customer, partner) = (Id::from_uuid(Uuid::nil()), Id::from_uuid(Uuid::nil()));
        let access = grant.map(|Grant { active, delegated_admin, order_right, kind }| Access {
            customer,
            partner,
            kind: Some(kind),
            active,
            delegated_admin,
            order_right,
            epoch: 1,
        });
        let facts = Facts {
            organization_kind: "PARTNER".to_owned(),
            cloud: cloud.to_owned(),
            roles: vec![role.to_owned()],
            target: TargetFacts::Customer { noun: "customer", id: Uuid::nil(), access, is_named: false },
        };
        decide(permission, &facts).map_or_else(|fault| fault.reason().to_owned(), |()| "ALLOWED".to_owned())
    }

    #[test]
    fn roles_come_first_then_the_cloud_then_the_relationship_then_what_the_customer_granted() {
        let manage = |role, cloud, grant| reason(Permission::ManageLicenses, role, cloud, grant);
        let full = Grant { delegated_admin: true, ..ANY };
        assert_eq!(manage("BILLING_ADMIN", "US_GOVERNMENT", None), "ROLE_NOT_ALLOWED");
        assert_eq!(manage("SALES_AGENT", "US_GOVERNMENT", Some(full)), "NOT_AVAILABLE_IN_CLOUD");
        assert_eq!(manage("SALES_AGENT", "GLOBAL", None), "NOT_FOUND");
        assert_eq!(manage("SALES_AGENT", "GLOBAL", Some(Grant { active: false, ..full })), "NOT_FOUND");
        assert_eq!(manage("SALES_AGENT", "GLOBAL", Some(ANY)), "DELEGATED_ADMIN_REQUIRED");
        assert_eq!(manage("SALES_AGENT", "GLOBAL", Some(full)), "ALLOWED");
    }

    #[test]
    fn the_order_right_is_no_delegated_admin_and_the_other_way_round() {
        let grant = Grant { order_right: true, ..ANY };
        let order = |grant| reason(Permission::PlaceOrder, "ADMIN_AGENT", "GLOBAL", Some(grant));
        assert_eq!(order(grant), "ALLOWED");
        assert_eq!(order(Grant { delegated_admin: true, ..ANY }), "ORDER_RIGHT_REQUIRED");
        let reseller = Grant { kind: PartnerKind::Reseller, ..grant };
        assert_eq!(order(reseller), "OPERATION_NOT_AVAILABLE_TO_INDIRECT_RESELLER");
        assert_eq!(
            reason(Permission::ManageLicenses, "ADMIN_AGENT", "GLOBAL", Some(grant)),
            "DELEGATED_ADMIN_REQUIRED"
        );
    }

    #[test]
    fn every_permission_has_one_row_with_roles() {
        for rule in MATRIX {
            assert_eq!(MATRIX.iter().filter(|other| other.permission == rule.permission).count(), 1, "{rule:?}");
            assert!(rule.allowed.iter().all(|(_, roles)| !roles.is_empty()), "{rule:?}");
        }
    }
}
