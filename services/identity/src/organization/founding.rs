//! Making an organization: its row, its first domain and its first global admin, whoever asks for it.

use std::collections::BTreeSet;

use base::{Fault, Id};
use service::Cx;

use super::{Organization, Plan, State, store};
use crate::Identity;
use crate::names::{Domain, SignInName};
use crate::user::{self, Credential, Role, User};

/// A new organization and its first global admin.
#[derive(Debug)]
pub(crate) struct Founded {
    pub(crate) organization: Organization,
    pub(crate) admin: User,
}

/// The domain that the organization would get (C35).
pub(crate) fn domain_of(plan: &Plan, suffix: &Domain) -> Result<Domain, Fault> {
    plan.prefix.under(suffix).map_err(|(_, message)| Fault::internal(message))
}

pub(crate) fn domain_taken(domain: &Domain) -> Fault {
    Fault::already_exists("DOMAIN_TAKEN", format!("{domain} belongs to an organization")).with("domain", domain)
}

/// How an organization begins.
#[derive(Debug)]
pub(crate) struct Founding<'p> {
    pub(crate) organization: Id<Organization>,
    pub(crate) admin: Id<User>,
    pub(crate) plan: &'p Plan,
    pub(crate) state: State,
    pub(crate) credential: Credential,
    /// The organization that made the admin's credential, when it was not the admin.
    pub(crate) credential_set_by: Option<Id<Organization>>,
}

/// Makes it.
///
/// # Errors
/// `DOMAIN_TAKEN`.
pub(crate) async fn found(cx: &mut Cx<Identity>, founding: Founding<'_>) -> Result<Founded, Fault> {
    let Founding { organization, admin, plan, state, credential, credential_set_by } = founding;
    let domain = domain_of(plan, &cx.service().domain_suffix)?;
    let now = cx.now();
    let organization = Organization {
        id: organization,
        kind: plan.kind,
        name: plan.name.clone(),
        country: plan.country,
        cloud: plan.cloud,
        state,
        domains: vec![domain.clone()],
        create_time: now,
        version: 1,
    };
    if !store::insert(&mut cx.tx, &organization).await? {
        return Err(domain_taken(&domain));
    }
    let sign_in_name = SignInName::compose(&plan.admin_name, &domain);
    let admin = User {
        id: admin,
        organization: organization.id,
        sign_in_name: sign_in_name.text().to_owned(),
        sign_in_key: sign_in_name.key().to_owned(),
        display_name: plan.admin_display_name.as_str().to_owned(),
        first_name: String::new(),
        last_name: String::new(),
        usage_location: None,
        state: user::State::Active,
        roles: BTreeSet::from([Role::GlobalAdmin]),
        credential,
        credential_set_by,
        credential_set_time: now,
        auth_version: 1,
        version: 1,
        create_time: now,
    };
    // The domain is new, so nobody can hold a name below it.
    user::store::insert(&mut cx.tx, &admin).await?;
    Ok(Founded { organization, admin })
}
