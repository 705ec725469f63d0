//! Partner users on the wire.

use base::{Fault, Page, Seek};
use proto::identity::v1 as pb;
use service::form::{etag, timestamp};
use service::page_token::Tokens;
use service::{Form, Wire};

use super::ops::{
    AddPartnerUser, GetPartnerUser, ListPartnerUsers, RemovePartnerUser, ResetPartnerUserPassword,
    UpdatePartnerUserRoles, WithPassword,
};
use crate::names::{DisplayName, SignInName};
use crate::organization::Kind;
use crate::session::{role, role_number, roles};
use crate::user::{State, User};

impl Wire for AddPartnerUser {
    type Request = pb::AddPartnerUserRequest;
    type Response = pb::AddPartnerUserResponse;
    type Reply = WithPassword;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let display_name = form.take("display_name", DisplayName::parse(&request.display_name));
        let sign_in_name = form.take("sign_in_name", SignInName::parse(&request.sign_in_name));
        let roles = roles(&mut form, "roles", &request.roles);
        let organization = form.optional_id("organization_id", &request.organization_id);
        form.finish(|| {
            Some(Self { organization: organization?, display_name: display_name?, sign_in_name: sign_in_name?, roles })
        })
    }

    fn present(reply: WithPassword) -> Self::Response {
        pb::AddPartnerUserResponse {
            user: Some(present(&reply.user)),
            temporary_password: reply.password.into_inner(),
            temporary_password_expire_time: reply.user.credential.expire_time().map(timestamp),
        }
    }
}

impl Wire for GetPartnerUser {
    type Request = pb::GetPartnerUserRequest;
    type Response = pb::GetPartnerUserResponse;
    type Reply = User;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let id = form.id("user_id", &request.user_id);
        form.finish(|| Some(Self { id: id? }))
    }

    fn present(user: User) -> Self::Response {
        pb::GetPartnerUserResponse { user: Some(present(&user)) }
    }
}

impl Wire for ListPartnerUsers {
    type Request = pb::ListPartnerUsersRequest;
    type Response = pb::ListPartnerUsersResponse;
    type Reply = (Page<User>, Tokens);

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let page_size = form.page_size(request.page_size);
        let start = match pb::list_partner_users_request::Seek::try_from(request.seek) {
            Ok(pb::list_partner_users_request::Seek::Last) => Some(Seek::Last),
            Ok(_) => Some(Seek::First),
            Err(_) => {
                form.wrong("seek", "UNKNOWN_VALUE", "is not a seek");
                None
            }
        };
        let role = role(request.role).filter(|role| role.belongs_to(Kind::Partner));
        if role.is_none() && request.role != i32::from(pb::Role::Unspecified) {
            form.wrong("role", "UNKNOWN_VALUE", format!("{} is not a role of partner users", request.role));
        }
        let organization = form.optional_id("organization_id", &request.organization_id);
        form.finish(|| {
            Some(Self {
                organization: organization?,
                role,
                page_size: page_size?,
                page_token: request.page_token,
                start: start?,
            })
        })
    }

    fn present((page, tokens): Self::Reply) -> Self::Response {
        pb::ListPartnerUsersResponse {
            users: page.rows.iter().map(present).collect(),
            next_page_token: tokens.next,
            previous_page_token: tokens.previous,
        }
    }
}

impl Wire for UpdatePartnerUserRoles {
    type Request = pb::UpdatePartnerUserRolesRequest;
    type Response = pb::UpdatePartnerUserRolesResponse;
    type Reply = User;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let id = form.id("user_id", &request.user_id);
        let roles = roles(&mut form, "roles", &request.roles);
        let version = form.etag(&request.etag);
        form.finish(|| Some(Self { id: id?, roles, version }))
    }

    fn present(user: User) -> Self::Response {
        pb::UpdatePartnerUserRolesResponse { user: Some(present(&user)) }
    }
}

impl Wire for ResetPartnerUserPassword {
    type Request = pb::ResetPartnerUserPasswordRequest;
    type Response = pb::ResetPartnerUserPasswordResponse;
    type Reply = WithPassword;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let id = form.id("user_id", &request.user_id);
        let version = form.etag(&request.etag);
        form.finish(|| Some(Self { id: id?, version }))
    }

    fn present(reply: WithPassword) -> Self::Response {
        pb::ResetPartnerUserPasswordResponse {
            user: Some(present(&reply.user)),
            temporary_password: reply.password.into_inner(),
            temporary_password_expire_time: reply.user.credential.expire_time().map(timestamp),
        }
    }
}

impl Wire for RemovePartnerUser {
    type Request = pb::RemovePartnerUserRequest;
    type Response = pb::RemovePartnerUserResponse;
    type Reply = User;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let id = form.id("user_id", &request.user_id);
        let version = form.etag(&request.etag);
        form.finish(|| Some(Self { id: id?, version }))
    }

    fn present(user: User) -> Self::Response {
        pb::RemovePartnerUserResponse { user: Some(present(&user)) }
    }
}

fn present(user: &User) -> pb::PartnerUser {
    let state = match user.state {
        State::Active => pb::partner_user::State::Active,
        State::Deleted => pb::partner_user::State::Deleted,
    };
    pb::PartnerUser {
        user_id: user.id.to_string(),
        display_name: user.display_name.clone(),
        sign_in_name: user.sign_in_name.clone(),
        roles: user.roles.iter().copied().map(role_number).collect(),
        state: state.into(),
        must_change_password: user.must_change_password(),
        create_time: Some(timestamp(user.create_time)),
        etag: etag(user.version),
    }
}
