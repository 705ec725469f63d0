//! What can be asked of customer users.

mod deletion;

use base::{Fault, Id, Page, Secret, Seek};
use service::page_token::{self, Tokens};
use service::{Cx, Fact, Operation};

use super::store::Filter;
use super::{NewUser, store};
use crate::Identity;
use crate::country::Country;
use crate::names::DisplayName;
use crate::organization::{self, Organization};
use crate::policy::{Permission, Target};
use crate::user::{self, User, words};

pub use deletion::{ApplyLicensingFacts, DeleteUser, Deleted};

/// A user and their temporary password.
#[derive(Debug)]
pub struct WithPassword {
    pub(super) user: User,
    pub(super) password: Secret<String>,
}

/// Makes a user of a customer.
#[derive(Debug)]
pub struct CreateUser {
    pub(super) customer: Id<Organization>,
    pub(super) user: NewUser,
}

impl Operation for CreateUser {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.CustomerUserService/CreateUser";
    const PERMISSION: Permission = Permission::ManageCustomerUsers;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::NewCustomerUser { customer: self.customer, gets: self.user.roles.clone() }
    }

    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<WithPassword, Fault> {
        let customer = organization::store::get(&mut cx.tx, self.customer).await?;
        let customer = customer.ok_or_else(|| Fault::not_found("customer", self.customer))?;
        customer.check_addition(&self.user.sign_in_name)?;
        let (password, credential) = user::new_password(cx);
        let text = |name: &Option<DisplayName>| name.as_ref().map(ToString::to_string).unwrap_or_default();
        let user = User {
            id: cx.new_id(),
            organization: customer.id,
            sign_in_name: self.user.sign_in_name.text().to_owned(),
            sign_in_key: self.user.sign_in_name.key().to_owned(),
            display_name: self.user.display_name.as_str().to_owned(),
            first_name: text(&self.user.first_name),
            last_name: text(&self.user.last_name),
            usage_location: self.user.usage_location,
            state: user::State::Active,
            roles: self.user.roles.clone(),
            credential,
            credential_set_by: Some(cx.organization()?),
            credential_set_time: cx.now(),
            auth_version: 1,
            version: 1,
            create_time: cx.now(),
        };
        if !user::store::insert(&mut cx.tx, &user).await? {
            let message = format!("{} is somebody's sign-in name", self.user.sign_in_name);
            return Err(Fault::already_exists("USER_PRINCIPAL_NAME_TAKEN", message));
        }
        cx.seal_reply(user.id.uuid());
        user::tell(cx, &user);
        record(cx, &user);
        Ok(WithPassword { user, password })
    }
}

fn record(cx: &mut Cx<Identity>, user: &User) {
    let id = user.id.uuid();
    let location = user.usage_location.as_ref().map_or("", Country::as_str);
    cx.record(
        Fact::new("UserCreated")
            .about("user", id)
            .customer(user.organization.uuid())
            .change("roles", "", words(&user.roles))
            .change("usage_location", "", location)
            .personal(id, "display_name", "", &user.display_name)
            .personal(id, "first_name", "", &user.first_name)
            .personal(id, "last_name", "", &user.last_name)
            .personal(id, "sign_in_name", "", &user.sign_in_name),
    );
}

/// Shows one user.
#[derive(Debug)]
pub struct GetUser {
    pub(super) customer: Id<Organization>,
    pub(super) id: Id<User>,
}

impl Operation for GetUser {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.CustomerUserService/GetUser";
    const PERMISSION: Permission = Permission::ReadCustomerUsers;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::CustomerUser { customer: self.customer, id: self.id }
    }

    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<User, Fault> {
        user::store::get(&mut cx.tx, self.id).await?.ok_or_else(|| Fault::not_found("user", self.id))
    }
}

/// Lists a customer's users by name.
#[derive(Debug)]
pub struct ListUsers {
    pub(super) customer: Id<Organization>,
    pub(super) filter: Filter,
    pub(super) page_size: usize,
    pub(super) page_token: String,
    pub(super) start: Seek,
}

impl Operation for ListUsers {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.CustomerUserService/ListUsers";
    const PERMISSION: Permission = Permission::ReadCustomerUsers;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::CustomerUsers(self.customer)
    }

    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<(Page<User>, Tokens), Fault> {
        let scope = cx.page_scope(&format!("{}|{:?}", self.customer, self.filter));
        let seek = page_token::seek(&cx.host().keys, &scope, &self.page_token, self.start.clone())?;
        let page = store::list(&mut cx.tx, self.customer, &self.filter, &seek, self.page_size).await?;
        let tokens = Tokens::of(&cx.host().keys, &scope, &page);
        Ok((page, tokens))
    }
}

/// Shows users whose facts have not arrived yet to the service that is told of them.
#[derive(Debug)]
pub struct LookUpUsers {
    pub(super) customer: Id<Organization>,
    pub(super) users: Vec<Id<User>>,
}

impl Operation for LookUpUsers {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.IdentityInternalService/LookUpUsers";
    const PERMISSION: Permission = Permission::Peer;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<Vec<User>, Fault> {
        user::store::of_customer(&mut cx.tx, self.customer, &self.users).await
    }
}
