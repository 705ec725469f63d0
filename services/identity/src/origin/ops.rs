//! What partner asks of origins: prepare, confirm, cancel, check, and the secret in between.

use base::{Fault, Id, Secret};
use service::replay::SECRET_LIFE;
use service::{Cx, Fact, Operation, seal};

use super::{Binding, Made, Origin, store};
use crate::Identity;
use crate::names::Domain;
use crate::organization::{self, Founding, Kind, Organization, Plan, State, domain_of, domain_taken, found};
use crate::policy::{Permission, Target};
use crate::user::{self, Role, User};

/// What the temporary passwords are sealed under.
const LABEL: &str = "origin secret";

/// Makes a pending organization.
#[derive(Debug)]
pub struct PrepareOrganization {
    pub(super) origin: Id<Origin>,
    pub(super) plan: Plan,
    pub(super) maker: Id<Organization>,
    pub(super) binding: Binding,
}

/// A pending organization, or what became of it.
#[derive(Debug)]
pub struct Prepared {
    pub(super) organization: Organization,
    pub(super) admin: User,
}

impl Operation for PrepareOrganization {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.IdentityInternalService/PrepareOrganization";
    const PERMISSION: Permission = Permission::Peer;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<Prepared, Fault> {
        if let Some(origin) = store::lock(&mut cx.tx, self.origin).await? {
            return prepared(cx, origin.made()?).await;
        }
        let made = Made { organization: cx.new_id(), admin: cx.new_id() };
        let now = cx.now();
        // Before anything else is written, so that a repeat waits here and not at the domain.
        if !store::insert_pending(&mut cx.tx, self.origin, made, now).await? {
            return Err(Fault::busy("an origin was prepared or canceled twice at the same time"));
        }
        let (password, credential) = user::new_password(cx);
        let keys = &cx.host().keys;
        let kept = store::Kept {
            binding_digest: self.binding.digest(keys, self.origin).to_vec(),
            sealed: seal::seal(keys, LABEL, &self.binding.parts(&self.origin.uuid()), password.expose().as_bytes()),
            time: now,
        };
        store::keep_secret(&mut cx.tx, self.origin, made.admin, &kept).await?;
        let founding = Founding {
            organization: made.organization,
            admin: made.admin,
            plan: &self.plan,
            state: State::Pending,
            credential,
            credential_set_by: Some(self.maker),
        };
        let founded = found(cx, founding).await?;
        Ok(Prepared { organization: founded.organization, admin: founded.admin })
    }
}

async fn prepared(cx: &mut Cx<Identity>, made: Made) -> Result<Prepared, Fault> {
    let organization = organization::store::in_the_making(&mut cx.tx, made.organization).await?;
    let admin = user::store::get(&mut cx.tx, made.admin).await?;
    match (organization, admin) {
        (Some(organization), Some(admin)) => Ok(Prepared { organization, admin }),
        _ => Err(Fault::internal("what an origin made is gone")),
    }
}

fn unknown(origin: Id<Origin>) -> Fault {
    Fault::not_found("origin", origin)
}

/// Makes a pending organization effective.
#[derive(Debug)]
pub struct ConfirmOrganization {
    pub(super) origin: Id<Origin>,
}

impl Operation for ConfirmOrganization {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.IdentityInternalService/ConfirmOrganization";
    const PERMISSION: Permission = Permission::Peer;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<(), Fault> {
        let origin = store::lock(&mut cx.tx, self.origin).await?.ok_or_else(|| unknown(self.origin))?;
        let Some(made) = origin.to_confirm()? else { return Ok(()) };
        let now = cx.now();
        let confirmed = store::confirm(&mut cx.tx, self.origin, now).await?
            && organization::store::activate(&mut cx.tx, made.organization, now).await?;
        if !confirmed {
            return Err(Fault::internal("a pending origin has no pending organization"));
        }
        let Prepared { organization, admin } = prepared(cx, made).await?;
        organization::tell(cx, &organization);
        if organization.kind == Kind::Customer {
            user::tell(cx, &admin);
        }
        record(cx, &organization, &admin);
        Ok(())
    }
}

fn record(cx: &mut Cx<Identity>, organization: &Organization, admin: &User) {
    let (id, admin_id) = (organization.id.uuid(), admin.id.uuid());
    let about = |fact: Fact| match organization.kind {
        Kind::Customer => fact.organization(id).customer(id),
        Kind::Partner | Kind::Platform => fact.organization(id),
    };
    cx.record(about(
        Fact::new("OrganizationCreated")
            .about("organization", id)
            .change("name", "", &organization.name)
            .change("country", "", organization.country)
            .change("domain", "", organization.domains.first().map_or("", Domain::as_str)),
    ));
    cx.record(about(
        Fact::new("UserCreated")
            .about("user", admin_id)
            .change("roles", "", Role::GlobalAdmin.as_str())
            .personal(admin_id, "display_name", "", &admin.display_name)
            .personal(admin_id, "sign_in_name", "", &admin.sign_in_name),
    ));
}

/// Takes a pending organization back, or the right to make it.
#[derive(Debug)]
pub struct CancelOrganization {
    pub(super) origin: Id<Origin>,
}

impl Operation for CancelOrganization {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.IdentityInternalService/CancelOrganization";
    const PERMISSION: Permission = Permission::Peer;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<(), Fault> {
        let now = cx.now();
        let Some(origin) = store::lock(&mut cx.tx, self.origin).await? else {
            return match store::insert_canceled(&mut cx.tx, self.origin, now).await? {
                true => Ok(()),
                false => Err(Fault::busy("an origin was prepared while it was canceled")),
            };
        };
        let Some(made) = origin.to_cancel()? else { return Ok(()) };
        store::cancel(&mut cx.tx, self.origin, now).await?;
        user::store::remove_pending(&mut cx.tx, made.admin).await?;
        organization::store::remove_pending(&mut cx.tx, made.organization).await
    }
}

/// Tells whether an organization could be made.
#[derive(Debug)]
pub struct CheckOrganization {
    pub(super) plan: Plan,
}

impl Operation for CheckOrganization {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.IdentityInternalService/CheckOrganization";
    const PERMISSION: Permission = Permission::Peer;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<Domain, Fault> {
        let domain = domain_of(&self.plan, &cx.service().domain_suffix)?;
        match organization::store::has_owner(&mut cx.tx, &domain).await? {
            true => Err(domain_taken(&domain)),
            false => Ok(domain),
        }
    }
}

/// Shows the temporary password of an origin's first admin to the request that it belongs to.
#[derive(Debug)]
pub struct RevealSecret {
    pub(super) origin: Id<Origin>,
    pub(super) binding: Binding,
}

impl Operation for RevealSecret {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.IdentityInternalService/RevealSecret";
    const PERMISSION: Permission = Permission::Peer;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    /// Another request than the one that began it finds nothing, as if there were no such origin.
    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<Secret<String>, Fault> {
        let kept = store::secret(&mut cx.tx, self.origin).await?;
        let keys = &cx.host().keys;
        let digest = self.binding.digest(keys, self.origin);
        let mine = kept.filter(|kept| service::keys::same(&kept.binding_digest, &digest));
        let kept = mine.ok_or_else(|| unknown(self.origin))?;
        let old = cx.now().since(kept.time) >= SECRET_LIFE;
        let Some(sealed) = kept.sealed.filter(|_| !old) else {
            let message = "the temporary password was used, replaced or erased; reset the user's password instead";
            return Err(Fault::precondition("CREDENTIALS_ALREADY_DELIVERED", message));
        };
        let plain = seal::open(keys, LABEL, &self.binding.parts(&self.origin.uuid()), &sealed)?;
        let password = String::from_utf8(plain).map_err(|_| Fault::internal("a sealed password is no text"))?;
        Ok(Secret::new(password))
    }
}
