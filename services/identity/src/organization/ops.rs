//! What can be asked of organizations.

use base::{Fault, Id, Page, Secret, Seek};
use service::page_token::{self, Tokens};
use service::{Caller, Cx, Fact, Operation, Preparation};

use super::store::Filter;
use super::{DOMAINS_MAX, Founded, Founding, Kind, Organization, Plan, State, domain_taken, found, store, tell};
use crate::names::{Domain, DomainPrefix};
use crate::password::Chosen;
use crate::policy::{Permission, Target};
use crate::user::{self, Credential, Role};
use crate::{Identity, clients};

/// Makes a work account for a future partner, or for a customer who was invited, with its first global admin.
#[derive(Debug)]
pub struct RegisterOrganization {
    pub(super) plan: Plan,
    pub(super) password: Chosen,
    /// The token of the invitation's link.
    pub(super) invitation: Option<Secret<String>>,
}

/// The new account.
#[derive(Debug)]
pub struct Registered(pub(super) Founded);

impl RegisterOrganization {
    /// Whether the link leads to an invitation that this organization could accept.
    async fn check_invitation(
        &self,
        preparation: &Preparation<'_, Identity>,
        token: &Secret<String>,
    ) -> Result<(), Fault> {
        let partner = &preparation.host.service.partner;
        let (country, cloud) = clients::check_invitation_link(partner, token, preparation.left()).await?;
        if cloud != self.plan.cloud {
            return Err(Fault::not_found("invitation", "by this link"));
        }
        if country != self.plan.country {
            let message = format!("the partner that invites is in {country}, and so has its customer to be");
            return Err(Fault::precondition("REGION_MISMATCH", message));
        }
        Ok(())
    }
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
        Some(self.plan.prefix.as_str().to_owned())
    }

    async fn prepare(&self, preparation: &Preparation<'_, Identity>) -> Result<String, Fault> {
        if let Some(token) = &self.invitation {
            // A link that is dead costs no hash.
            self.check_invitation(preparation, token).await?;
        }
        preparation.host.service.hasher.hash(self.password.secret()).await
    }

    async fn run(&self, cx: &mut Cx<Identity>, password_hash: &String) -> Result<Registered, Fault> {
        let credential = Credential::Chosen { password_hash: password_hash.clone() };
        let founding = Founding {
            organization: cx.new_id(),
            admin: cx.new_id(),
            plan: &self.plan,
            state: State::Active,
            credential,
            credential_set_by: None,
        };
        let founded = found(cx, founding).await?;
        let Founded { organization, admin } = &founded;
        tell(cx, organization);
        if organization.kind == Kind::Customer {
            user::tell(cx, admin);
        }
        let organization_id = organization.id.uuid();
        cx.record(
            Fact::new("OrganizationRegistered")
                .about("organization", organization_id)
                .organization(organization_id)
                .change("name", "", &organization.name)
                .change("country", "", organization.country)
                .change("domain", "", organization.domains.first().map_or("", Domain::as_str)),
        );
        cx.record(
            Fact::new("UserCreated")
                .about("user", admin.id.uuid())
                .organization(organization_id)
                .change("roles", "", Role::GlobalAdmin.as_str())
                .personal(admin.id.uuid(), "display_name", "", &admin.display_name)
                .personal(admin.id.uuid(), "sign_in_name", "", &admin.sign_in_name),
        );
        Ok(Registered(founded))
    }
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

/// The organization as the change left it, which every service is told.
async fn changed(cx: &mut Cx<Identity>, id: Id<Organization>) -> Result<Organization, Fault> {
    let organization = store::get(&mut cx.tx, id).await?.ok_or_else(|| unknown(id))?;
    tell(cx, &organization);
    Ok(organization)
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
        changed(cx, self.id).await
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
        changed(cx, self.id).await
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

/// Shows an organization whose fact has not arrived yet to a service that is told of them.
#[derive(Debug)]
pub struct LookUpOrganization {
    pub(super) id: Id<Organization>,
}

impl Operation for LookUpOrganization {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.IdentityInternalService/LookUpOrganization";
    const PERMISSION: Permission = Permission::Peer;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<Organization, Fault> {
        store::get(&mut cx.tx, self.id).await?.ok_or_else(|| unknown(self.id))
    }
}
