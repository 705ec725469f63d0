//! What the caller can see of a target. In a mutation its rows, and those that let it be seen, are held until the end.

use std::collections::BTreeSet;

use base::{Fault, Id};
use saga::intent;
use service::{Cx, Principal};

use super::{Facts, Ground, Target, TargetFacts};
use crate::Identity;
use crate::access::{self, Pair, Unresolved};
use crate::organization::{self, Cloud, Kind, Organization};
use crate::user::{self, Role, User};

/// Who looks.
pub(super) struct Looker<'l> {
    pub(super) principal: &'l Principal,
    /// Everything but the target.
    pub(super) facts: &'l Facts,
    /// The caller is allowed such things, whatever the target is: only then anything is asked of other services.
    pub(super) allowed: bool,
}

impl Looker<'_> {
    fn kind(&self) -> Option<Kind> {
        self.facts.organization_kind
    }

    fn organization(&self) -> Id<Organization> {
        Id::from_uuid(self.principal.organization_id)
    }

    fn has(&self, roles: &[Role]) -> bool {
        roles.iter().any(|role| self.facts.roles.contains(role))
    }

    fn user(&self, ground: Ground, user: &User, gets: &BTreeSet<Role>) -> TargetFacts {
        let at_stake = user.roles.union(gets).copied().collect();
        TargetFacts::User { ground, at_stake, oneself: user.id.uuid() == self.principal.id }
    }
}

/// What the caller sees of the target.
pub(super) async fn look(cx: &mut Cx<Identity>, looker: &Looker<'_>, target: &Target) -> Result<TargetFacts, Fault> {
    match target {
        Target::Nothing | Target::OwnOrganization | Target::PartnerUsers(None) => Ok(TargetFacts::Nothing),
        Target::Organization(id) if looker.kind() == Some(Kind::Platform) || *id == looker.organization() => {
            Ok(TargetFacts::Nothing)
        }
        Target::Organization(id) => Ok(unseen("organization", *id)),
        Target::PartnerUsers(Some(organization)) => {
            let ground = partner_ground(cx, looker, *organization).await?;
            Ok(ground.map_or(unseen("organization", *organization), |_| TargetFacts::Nothing))
        }
        Target::NewPartnerUser { organization, gets } => {
            let organization = organization.unwrap_or(looker.organization());
            let ground = partner_ground(cx, looker, organization).await?;
            Ok(ground.map_or(unseen("organization", organization), |ground| TargetFacts::User {
                ground,
                at_stake: gets.clone(),
                oneself: false,
            }))
        }
        Target::PartnerUser { id, gets } => {
            let Some(user) = user::store::lock(&mut cx.tx, *id).await? else { return Ok(unseen("user", *id)) };
            let ground = partner_ground(cx, looker, user.organization).await?;
            Ok(ground.map_or(unseen("user", *id), |ground| looker.user(ground, &user, gets)))
        }
        Target::CustomerUsers(customer) => look_at_customer(cx, looker, *customer).await,
        Target::NewCustomerUser { customer, gets } => match look_at_customer(cx, looker, *customer).await? {
            TargetFacts::Nothing => {
                Ok(TargetFacts::User { ground: Ground::Customer, at_stake: gets.clone(), oneself: false })
            }
            hidden => Ok(hidden),
        },
        Target::CustomerUser { customer, id } => match look_at_customer(cx, looker, *customer).await? {
            TargetFacts::Nothing => {
                let user = user::store::lock(&mut cx.tx, *id).await?.filter(|user| user.organization == *customer);
                let seen = |user: User| looker.user(Ground::Customer, &user, &BTreeSet::new());
                Ok(user.map_or(unseen("user", *id), seen))
            }
            hidden => Ok(hidden),
        },
    }
}

fn unseen<T>(noun: &'static str, id: Id<T>) -> TargetFacts {
    TargetFacts::Unseen { noun, id: id.uuid() }
}

/// On which ground the caller sees the users of a partner, if at all: its own, to operators any, and to global admins
/// and admin agents of its provider, while it lets them (C25).
async fn partner_ground(
    cx: &mut Cx<Identity>,
    looker: &Looker<'_>,
    organization: Id<Organization>,
) -> Result<Option<Ground>, Fault> {
    let ground = match looker.kind() {
        Some(Kind::Platform) => Ground::Partner,
        _ if organization == looker.organization() => return Ok(Some(Ground::Partner)),
        Some(Kind::Partner) if looker.has(&[Role::GlobalAdmin, Role::AdminAgent]) => {
            if !access::store::has_admin_access(&mut cx.tx, looker.organization(), organization).await? {
                return Ok(None);
            }
            Ground::Administered
        }
        _ => return Ok(None),
    };
    let found = organization::store::get(&mut cx.tx, organization).await?;
    Ok(found.filter(|found| found.kind == Kind::Partner).map(|_| ground))
}

/// Whether the caller sees a customer's users (C1, C30): `Nothing` when nothing is in the way. While a decision about
/// the two is open that could allow what is not allowed yet, the call hangs on it.
async fn look_at_customer(
    cx: &mut Cx<Identity>,
    looker: &Looker<'_>,
    customer: Id<Organization>,
) -> Result<TargetFacts, Fault> {
    if looker.kind() == Some(Kind::Customer) {
        let own = customer == looker.organization();
        return Ok(if own { TargetFacts::Nothing } else { unseen("customer", customer) });
    }
    if !looker.allowed || looker.kind() != Some(Kind::Partner) {
        // The caller is refused whatever there is to see.
        return Ok(unseen("customer", customer));
    }
    let pair = Pair { customer, partner: looker.organization() };
    let confirmed = access::store::get(&mut cx.tx, pair).await?;
    let facts = match confirmed {
        Some(access) if access.active && access.delegated_admin => {
            let found = organization::store::get(&mut cx.tx, customer).await?;
            let seen = found.is_some_and(|found| found.kind == Kind::Customer && found.cloud == Cloud::Global);
            return Ok(if seen { TargetFacts::Nothing } else { unseen("customer", customer) });
        }
        Some(access) if access.active => TargetFacts::Undelegated,
        Some(_) | None => unseen("customer", customer),
    };
    for decision in intent::open(&mut cx.tx, pair.about()).await? {
        cx.hang_on(Unresolved::Decision(decision));
    }
    Ok(facts)
}
