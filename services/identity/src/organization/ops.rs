//! What can be asked of organizations.

use std::collections::BTreeSet;

use base::{Fault, Id, Page, Seek};
use service::page_token::{self, Tokens};
use service::{Caller, Cx, Fact, Operation, Preparation};

use super::store::Filter;
use super::{Cloud, DOMAINS_MAX, Kind, Organization, State, store};
use crate::Identity;
use crate::country::Country;
use crate::names::{DisplayName, Domain, DomainPrefix, LocalName, SignInName};
use crate::password::Chosen;
use crate::policy::{Permission, Target};
use crate::user::{self, Credential, Role, User};

/// Makes a work account for a future partner, with its first global admin.
#[derive(Debug)]
pub struct RegisterOrganization {
    pub(super) name: String,
    pub(super) country: Country,
    pub(super) cloud: Cloud,
    pub(super) prefix: DomainPrefix,
    pub(super) admin_display_name: DisplayName,
    pub(super) admin_name: LocalName,
    pub(super) password: Chosen,
}

/// The new account.
#[derive(Debug)]
pub struct Registered {
    pub(super) organization: Organization,
    pub(super) admin: Id<User>,
    pub(super) sign_in_name: String,
}

impl Operation for RegisterOrganization {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.RegistrationService/RegisterOrganization";
    const PERMISSION: Permission = Permission::Anyone;
    type Prepared = String;

    fn target(&self) -> Target {
        Target::Nothing
    }

    fn named_target(&self, _: &Caller) -> Option<String> {
        Some(self.prefix.as_str().to_owned())
    }

    async fn prepare(&self, preparation: &Preparation<'_, Identity>) -> Result<String, Fault> {
        preparation.host.service.hasher.hash(self.password.secret()).await
    }

    async fn run(&self, cx: &mut Cx<Identity>, password_hash: &String) -> Result<Registered, Fault> {
        let domain = self.prefix.under(&cx.service().domain_suffix).map_err(|(_, message)| Fault::internal(message))?;
        let now = cx.now();
        let organization = Organization {
            id: cx.new_id(),
            kind: Kind::Partner,
            name: self.name.clone(),
            country: self.country,
            cloud: self.cloud,
            state: State::Active,
            domains: vec![domain.clone()],
            create_time: now,
            version: 1,
        };
        if !store::insert(&mut cx.tx, &organization).await? {
            return Err(domain_taken(&domain));
        }
        let sign_in_name = SignInName::compose(&self.admin_name, &domain);
        let admin = User {
            id: cx.new_id(),
            organization: organization.id,
            sign_in_name: sign_in_name.text().to_owned(),
            sign_in_key: sign_in_name.key().to_owned(),
            display_name: self.admin_display_name.as_str().to_owned(),
            state: user::State::Active,
            roles: BTreeSet::from([Role::GlobalAdmin]),
            credential: Credential::Chosen { password_hash: password_hash.clone() },
            credential_set_by: None,
            credential_set_time: now,
            auth_version: 1,
            version: 1,
            create_time: now,
        };
        // The domain is new, so nobody can hold a name below it.
        user::store::insert(&mut cx.tx, &admin).await?;
        let organization_id = organization.id.uuid();
        cx.record(
            Fact::new("OrganizationRegistered")
                .about("organization", organization_id)
                .organization(organization_id)
                .change("name", "", &self.name)
                .change("country", "", self.country)
                .change("domain", "", &domain),
        );
        cx.record(
            Fact::new("UserCreated")
                .about("user", admin.id.uuid())
                .organization(organization_id)
                .change("roles", "", Role::GlobalAdmin.as_str())
                .personal(admin.id.uuid(), "display_name", "", &admin.display_name)
                .personal(admin.id.uuid(), "sign_in_name", "", &admin.sign_in_name),
        );
        Ok(Registered { organization, admin: admin.id, sign_in_name: admin.sign_in_name })
    }
}

fn domain_taken(domain: &Domain) -> Fault {
    Fault::already_exists("DOMAIN_TAKEN", format!("{domain} belongs to an organization")).with("domain", domain)
}

fn unknown(id: Id<Organization>) -> Fault {
    Fault::not_found("organization", id)
}

/// Shows one organization.
#[derive(Debug)]
pub struct GetOrganization {
    pub(super) id: Id<Organization>,
}

impl Operation for GetOrganization {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.OrganizationService/GetOrganization";
    const PERMISSION: Permission = Permission::ReadOrganization;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Organization(self.id)
    }

    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<Organization, Fault> {
        store::get(&mut cx.tx, self.id).await?.ok_or_else(|| unknown(self.id))
    }
}

/// Lists all organizations by name.
#[derive(Debug)]
pub struct ListOrganizations {
    pub(super) filter: Filter,
    pub(super) page_size: usize,
    pub(super) page_token: String,
    pub(super) start: Seek,
}

impl Operation for ListOrganizations {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.OrganizationService/ListOrganizations";
    const PERMISSION: Permission = Permission::ListOrganizations;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<(Page<Organization>, Tokens), Fault> {
        let kind = self.filter.kind.map_or("", Kind::as_str);
        let scope = cx.page_scope(&format!("{kind}|{}", self.filter.name_prefix));
        let seek = page_token::seek(&cx.host().keys, &scope, &self.page_token, self.start.clone())?;
        let page = store::list(&mut cx.tx, &self.filter, &seek, self.page_size).await?;
        let tokens = Tokens::of(&cx.host().keys, &scope, &page);
        Ok((page, tokens))
    }
}

/// The organization, held for a change, if it is as the caller saw it.
async fn to_change(cx: &mut Cx<Identity>, id: Id<Organization>, version: Option<i64>) -> Result<Organization, Fault> {
    let organization = store::lock(&mut cx.tx, id).await?.ok_or_else(|| unknown(id))?;
    match version {
        Some(version) if version != organization.version => Err(changed_meanwhile()),
        _ => Ok(organization),
    }
}

fn changed_meanwhile() -> Fault {
    Fault::aborted("ETAG_MISMATCH", "the organization was changed meanwhile; read it again")
}

/// Changes the name of the caller's organization.
#[derive(Debug)]
pub struct UpdateOrganization {
    pub(super) id: Id<Organization>,
    pub(super) name: String,
    pub(super) version: Option<i64>,
}

impl Operation for UpdateOrganization {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.OrganizationService/UpdateOrganization";
    const PERMISSION: Permission = Permission::UpdateOrganization;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Organization(self.id)
    }

    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<Organization, Fault> {
        let organization = to_change(cx, self.id, self.version).await?;
        let now = cx.now();
        if !store::set_name(&mut cx.tx, &organization, &self.name, now).await? {
            return Err(changed_meanwhile());
        }
        cx.record(Fact::new("OrganizationUpdated").about("organization", self.id.uuid()).change(
            "name",
            &organization.name,
            &self.name,
        ));
        store::get(&mut cx.tx, self.id).await?.ok_or_else(|| unknown(self.id))
    }
}

/// Gives an organization a further domain.
#[derive(Debug)]
pub struct AddOrganizationDomain {
    pub(super) id: Id<Organization>,
    pub(super) domain: Domain,
    pub(super) version: Option<i64>,
}

impl Operation for AddOrganizationDomain {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.OrganizationService/AddOrganizationDomain";
    const PERMISSION: Permission = Permission::AddOrganizationDomain;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Organization(self.id)
    }

    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<Organization, Fault> {
        let organization = to_change(cx, self.id, self.version).await?;
        if organization.domains.len() >= DOMAINS_MAX {
            let message = format!("the organization has {DOMAINS_MAX} domains, as many as are accepted");
            return Err(Fault::precondition("LIMIT_EXCEEDED", message).with("limit", "organization_domains_max"));
        }
        let now = cx.now();
        if !store::add_domain(&mut cx.tx, &organization, &self.domain, now).await? {
            return Err(domain_taken(&self.domain));
        }
        let id = self.id.uuid();
        cx.record(Fact::new("OrganizationDomainAdded").about("organization", id).organization(id).change(
            "domain",
            "",
            &self.domain,
        ));
        store::get(&mut cx.tx, self.id).await?.ok_or_else(|| unknown(self.id))
    }
}

/// Tells whether a domain is still free.
#[derive(Debug)]
pub struct CheckDomainAvailability {
    pub(super) asked: Asked,
}

/// How a domain is asked for.
#[derive(Debug)]
pub enum Asked {
    /// By its name.
    Whole(Domain),
    /// By the label that an organization would choose.
    Prefix(DomainPrefix),
}

/// A domain, and whether nobody has it.
#[derive(Debug)]
pub struct Availability {
    pub(super) domain: Domain,
    pub(super) available: bool,
}

impl Operation for CheckDomainAvailability {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.OrganizationService/CheckDomainAvailability";
    const PERMISSION: Permission = Permission::CheckDomain;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<Availability, Fault> {
        let domain = match &self.asked {
            Asked::Whole(domain) => domain.clone(),
            Asked::Prefix(prefix) => {
                prefix.under(&cx.service().domain_suffix).map_err(|(_, message)| Fault::internal(message))?
            }
        };
        let available = !store::has_owner(&mut cx.tx, &domain).await?;
        Ok(Availability { domain, available })
    }
}
