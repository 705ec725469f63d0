//! What can be asked of organizations.

use std::collections::BTreeSet;

use base::{Fault, Id};
use service::{Caller, Cx, Fact, Operation, Preparation};

use super::{Cloud, Kind, Organization, State, store};
use crate::Identity;
use crate::country::Country;
use crate::names::{DisplayName, DomainPrefix, LocalName, SignInName};
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
            return Err(Fault::already_exists("DOMAIN_TAKEN", format!("{domain} belongs to an organization"))
                .with("domain", &domain));
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
