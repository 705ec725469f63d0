//! Sessions on the wire.

use std::collections::BTreeSet;

use base::{Fault, Secret};
use proto::identity::v1 as pb;
use service::form::timestamp;
use service::{Form, Wire};

use super::Opened;
use super::ops::{ChangePassword, GetMe, Me, RefreshSession, SignIn, SignOut};
use crate::names::SignInName;
use crate::organization;
use crate::user::Role;

/// The longest secret that is looked at, in bytes.
const SECRET_BYTES_MAX: usize = 4_096;

impl Wire for SignIn {
    type Request = pb::SignInRequest;
    type Response = pb::SignInResponse;
    type Reply = Opened;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let password = secret(&mut form, "password", request.password);
        if request.sign_in_name.is_empty() {
            form.wrong("sign_in_name", "REQUIRED", "is required");
        }
        // A name that nobody can have fails like one that nobody has.
        let key = SignInName::parse(&request.sign_in_name).map(|name| name.key().to_owned()).unwrap_or_default();
        form.finish(|| Some(Self { sign_in_key: key, password: password? }))
    }

    fn present(reply: Opened) -> Self::Response {
        pb::SignInResponse { session: Some(present(reply)) }
    }
}

impl Wire for ChangePassword {
    type Request = pb::ChangePasswordRequest;
    type Response = pb::ChangePasswordResponse;
    type Reply = Opened;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let current = secret(&mut form, "current_password", request.current_password);
        let new = secret(&mut form, "new_password", request.new_password);
        form.finish(|| Some(Self { current: current?, new: new? }))
    }

    fn present(reply: Opened) -> Self::Response {
        pb::ChangePasswordResponse { session: Some(present(reply)) }
    }
}

impl Wire for RefreshSession {
    type Request = pb::RefreshSessionRequest;
    type Response = pb::RefreshSessionResponse;
    type Reply = Option<Opened>;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let token = secret(&mut form, "refresh_token", request.refresh_token);
        form.finish(|| Some(Self { digest: super::digest(token?.expose()) }))
    }

    fn present(reply: Self::Reply) -> Self::Response {
        pb::RefreshSessionResponse { session: reply.map(present) }
    }
}

impl Wire for SignOut {
    type Request = pb::SignOutRequest;
    type Response = pb::SignOutResponse;
    type Reply = ();

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        Ok(Self { all_sessions: request.all_sessions })
    }

    fn present((): ()) -> Self::Response {
        pb::SignOutResponse {}
    }
}

impl Wire for GetMe {
    type Request = pb::GetMeRequest;
    type Response = pb::GetMeResponse;
    type Reply = Me;

    fn parse(_: Self::Request) -> Result<Self, Fault> {
        Ok(Self)
    }

    fn present(me: Me) -> Self::Response {
        pb::GetMeResponse {
            principal_id: me.principal.id.to_string(),
            workload: me.workload,
            display_name: me.display_name,
            sign_in_name: me.sign_in_name,
            roles: me.principal.roles.iter().filter_map(|role| Role::parse(role)).map(role_number).collect(),
            organization: Some(organization::present(&me.organization)),
            auth_time: Some(timestamp(me.principal.auth_time)),
            must_change_password: me.principal.must_change_password,
            on_behalf_of_user_id: me.principal.on_behalf_of.map(|user| user.user.to_string()).unwrap_or_default(),
        }
    }
}

fn present(opened: Opened) -> pb::Session {
    pb::Session {
        session_id: opened.session.id.to_string(),
        access_token: opened.access_token.into_inner(),
        access_token_expire_time: Some(timestamp(opened.access_token_expire_time)),
        refresh_token_expire_time: opened.refresh_token.is_some().then(|| timestamp(opened.session.expire_time)),
        refresh_token: opened.refresh_token.map(Secret::into_inner).unwrap_or_default(),
        must_change_password: opened.session.must_change_password,
    }
}

fn secret(form: &mut Form, field: &str, text: String) -> Option<Secret<String>> {
    if text.is_empty() {
        form.wrong(field, "REQUIRED", "is required");
        return None;
    }
    if text.len() > SECRET_BYTES_MAX {
        form.wrong(field, "TOO_LONG", format!("has more than {SECRET_BYTES_MAX} bytes"));
        return None;
    }
    Some(Secret::new(text))
}

/// A role's number in the contract.
pub(crate) fn role_number(role: Role) -> i32 {
    let number = match role {
        Role::GlobalAdmin => pb::Role::GlobalAdmin,
        Role::UserManagementAdmin => pb::Role::UserManagementAdmin,
        Role::BillingAdmin => pb::Role::BillingAdmin,
        Role::AdminAgent => pb::Role::AdminAgent,
        Role::SalesAgent => pb::Role::SalesAgent,
        Role::HelpdeskAgent => pb::Role::HelpdeskAgent,
        Role::PasswordAdmin => pb::Role::PasswordAdmin,
        Role::ServiceAdmin => pb::Role::ServiceAdmin,
        Role::Operator => pb::Role::Operator,
    };
    number.into()
}

/// The role of a number in the contract.
pub(crate) fn role(number: i32) -> Option<Role> {
    Role::ALL.into_iter().find(|role| role_number(*role) == number)
}

/// The roles of a repeated field; one that is named twice counts once.
pub(crate) fn roles(form: &mut Form, field: &str, numbers: &[i32]) -> BTreeSet<Role> {
    let mut roles = BTreeSet::new();
    for (position, number) in numbers.iter().enumerate() {
        match role(*number) {
            Some(role) => {
                roles.insert(role);
            }
            None => form.wrong(format!("{field}[{position}]"), "UNKNOWN_VALUE", format!("{number} is not a role")),
        }
    }
    roles
}
