//! What can be asked of partner users.

use std::collections::BTreeSet;

use base::{Fault, Id, Page, Secret, Seek};
use service::page_token::{self, Tokens};
use service::{Cx, Fact, Operation};

use super::store;
use crate::Identity;
use crate::names::{DisplayName, SignInName};
use crate::organization::{self, Kind, Organization};
use crate::policy::{Permission, Target};
use crate::session::{self, raise_floor};
use crate::user::change::{changed, changed_meanwhile, keep_a_global_admin, to_change};
use crate::user::{self, Role, User, words};

/// A user and their new temporary password.
#[derive(Debug)]
pub struct WithPassword {
    pub(super) user: User,
    pub(super) password: Secret<String>,
}

/// Adds a user to the caller's organization, or to one that it administers.
#[derive(Debug)]
pub struct AddPartnerUser {
    pub(super) organization: Option<Id<Organization>>,
    pub(super) display_name: DisplayName,
    pub(super) sign_in_name: SignInName,
    pub(super) roles: BTreeSet<Role>,
}

impl Operation for AddPartnerUser {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.PartnerUserService/AddPartnerUser";
    const PERMISSION: Permission = Permission::ManagePartnerUsers;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::NewPartnerUser { organization: self.organization, gets: self.roles.clone() }
    }

    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<WithPassword, Fault> {
        let caller = cx.organization()?;
        let organization = self.organization.unwrap_or(caller);
        let found = organization::store::get(&mut cx.tx, organization).await?;
        let found = found.ok_or_else(|| Fault::not_found("organization", organization))?;
        found.check_addition(&self.sign_in_name)?;
        let (password, credential) = user::new_password(cx);
        let user = User {
            id: cx.new_id(),
            organization,
            sign_in_name: self.sign_in_name.text().to_owned(),
            sign_in_key: self.sign_in_name.key().to_owned(),
            display_name: self.display_name.as_str().to_owned(),
            first_name: String::new(),
            last_name: String::new(),
            usage_location: None,
            state: user::State::Active,
            roles: self.roles.clone(),
            credential,
            credential_set_by: Some(caller),
            credential_set_time: cx.now(),
            auth_version: 1,
            version: 1,
            create_time: cx.now(),
        };
        if !user::store::insert(&mut cx.tx, &user).await? {
            let message = format!("{} is somebody's sign-in name", self.sign_in_name);
            return Err(Fault::already_exists("USER_PRINCIPAL_NAME_TAKEN", message));
        }
        let id = user.id.uuid();
        cx.seal_reply(id);
        cx.record(
            Fact::new("PartnerUserAdded")
                .about("user", id)
                .organization(organization.uuid())
                .change("roles", "", words(&user.roles))
                .personal(id, "display_name", "", &user.display_name)
                .personal(id, "sign_in_name", "", &user.sign_in_name),
        );
        Ok(WithPassword { user, password })
    }
}

/// Shows one user.
#[derive(Debug)]
pub struct GetPartnerUser {
    pub(super) id: Id<User>,
}

impl Operation for GetPartnerUser {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.PartnerUserService/GetPartnerUser";
    const PERMISSION: Permission = Permission::ReadPartnerUsers;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::PartnerUser { id: self.id, gets: BTreeSet::new() }
    }

    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<User, Fault> {
        user::store::get(&mut cx.tx, self.id).await?.ok_or_else(|| Fault::not_found("user", self.id))
    }
}

/// Lists the users of the caller's organization by name.
#[derive(Debug)]
pub struct ListPartnerUsers {
    pub(super) organization: Option<Id<Organization>>,
    pub(super) role: Option<Role>,
    pub(super) page_size: usize,
    pub(super) page_token: String,
    pub(super) start: Seek,
}

impl Operation for ListPartnerUsers {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.PartnerUserService/ListPartnerUsers";
    const PERMISSION: Permission = Permission::ReadPartnerUsers;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::PartnerUsers(self.organization)
    }

    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<(Page<User>, Tokens), Fault> {
        let organization = self.organization.unwrap_or(cx.organization()?);
        let scope = cx.page_scope(&format!("{organization}|{}", self.role.map_or("", Role::as_str)));
        let seek = page_token::seek(&cx.host().keys, &scope, &self.page_token, self.start.clone())?;
        let page = store::list(&mut cx.tx, organization, self.role, &seek, self.page_size).await?;
        let tokens = Tokens::of(&cx.host().keys, &scope, &page);
        Ok((page, tokens))
    }
}

/// Replaces a user's roles.
#[derive(Debug)]
pub struct UpdatePartnerUserRoles {
    pub(super) id: Id<User>,
    pub(super) roles: BTreeSet<Role>,
    pub(super) version: Option<i64>,
}

impl Operation for UpdatePartnerUserRoles {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.PartnerUserService/UpdatePartnerUserRoles";
    const PERMISSION: Permission = Permission::ManagePartnerUsers;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::PartnerUser { id: self.id, gets: self.roles.clone() }
    }

    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<User, Fault> {
        let user = to_change(cx, self.id, self.version).await?;
        if user.roles == self.roles {
            return Ok(user);
        }
        keep_a_global_admin(cx, &user, &self.roles).await?;
        let now = cx.now();
        if !user::store::set_roles(&mut cx.tx, &user, &self.roles, now).await? {
            return Err(changed_meanwhile());
        }
        let id = user.id.uuid();
        raise_floor(cx, id, user.auth_version + 1).await?;
        cx.record(
            Fact::new("PartnerUserRolesUpdated").about("user", id).organization(user.organization.uuid()).change(
                "roles",
                words(&user.roles),
                words(&self.roles),
            ),
        );
        changed(cx, self.id).await
    }
}

/// Gives a user a new temporary password.
#[derive(Debug)]
pub struct ResetPartnerUserPassword {
    pub(super) id: Id<User>,
    pub(super) version: Option<i64>,
}

impl Operation for ResetPartnerUserPassword {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.PartnerUserService/ResetPartnerUserPassword";
    const PERMISSION: Permission = Permission::ResetPartnerUsers;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::PartnerUser { id: self.id, gets: BTreeSet::new() }
    }

    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<WithPassword, Fault> {
        let user = to_change(cx, self.id, self.version).await?;
        let caller: Id<Organization> = cx.organization()?;
        if Kind::parse(&cx.principal()?.organization_kind) == Some(Kind::Platform) {
            check_nobody_else_can(cx, user.organization).await?;
        }
        let (password, credential) = user::new_password(cx);
        let now = cx.now();
        if !user::store::set_credential(&mut cx.tx, &user, &credential, Some(caller), now).await? {
            return Err(changed_meanwhile());
        }
        let id = user.id.uuid();
        session::store::end_all(&mut cx.tx, user.id).await?;
        user::forget_secret(cx, user.id).await?;
        cx.seal_reply(id);
        raise_floor(cx, id, user.auth_version + 1).await?;
        cx.record(
            Fact::new("PartnerUserPasswordReset").about("user", id).organization(user.organization.uuid()).change(
                "must_change_password",
                user.must_change_password(),
                true,
            ),
        );
        Ok(WithPassword { user: changed(cx, self.id).await?, password })
    }
}

/// An operator helps only where no global admin can (C23); one with a session can.
async fn check_nobody_else_can(cx: &mut Cx<Identity>, organization: Id<Organization>) -> Result<(), Fault> {
    let now = cx.now();
    if session::store::any_open_with_role(&mut cx.tx, organization, Role::GlobalAdmin, now).await? {
        let message = "a global admin of the organization is signed in and can reset the others";
        return Err(Fault::precondition("GLOBAL_ADMIN_SIGNED_IN", message));
    }
    Ok(())
}

/// Removes a user for good.
#[derive(Debug)]
pub struct RemovePartnerUser {
    pub(super) id: Id<User>,
    pub(super) version: Option<i64>,
}

impl Operation for RemovePartnerUser {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.PartnerUserService/RemovePartnerUser";
    const PERMISSION: Permission = Permission::ManagePartnerUsers;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::PartnerUser { id: self.id, gets: BTreeSet::new() }
    }

    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<User, Fault> {
        let user = to_change(cx, self.id, self.version).await?;
        keep_a_global_admin(cx, &user, &BTreeSet::new()).await?;
        let now = cx.now();
        if !user::store::delete(&mut cx.tx, &user, now).await? {
            return Err(changed_meanwhile());
        }
        let id = user.id.uuid();
        session::store::end_all(&mut cx.tx, user.id).await?;
        user::forget_secret(cx, user.id).await?;
        raise_floor(cx, id, i64::MAX).await?;
        cx.record(
            Fact::new("PartnerUserRemoved")
                .about("user", id)
                .organization(user.organization.uuid())
                .change("roles", words(&user.roles), "")
                .change("state", user::State::Active.as_str(), user::State::Deleted.as_str()),
        );
        changed(cx, self.id).await
    }
}
