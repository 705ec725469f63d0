//! Workloads on the wire.

use base::{Fault, Page, Secret, Seek};
use proto::identity::v1 as pb;
use service::form::{etag, timestamp};
use service::page_token::Tokens;
use service::{Form, Wire};

use super::Workload;
use super::ops::{CreateWorkload, DeleteWorkload, IssueToken, Issued, ListWorkloads, RotateWorkloadSecret, WithSecret};
use crate::names::DisplayName;
use crate::session::{role_number, roles};

impl Wire for CreateWorkload {
    type Request = pb::CreateWorkloadRequest;
    type Response = pb::CreateWorkloadResponse;
    type Reply = WithSecret;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let name = form.take("display_name", DisplayName::parse(&request.display_name));
        if request.roles.is_empty() {
            form.wrong("roles", "REQUIRED", "at least one role is required");
        }
        let roles = roles(&mut form, "roles", &request.roles);
        form.finish(|| Some(Self { display_name: name?, roles }))
    }

    fn present(reply: WithSecret) -> Self::Response {
        pb::CreateWorkloadResponse {
            workload: Some(present(&reply.workload)),
            client_secret: reply.secret.into_inner(),
        }
    }
}

impl Wire for ListWorkloads {
    type Request = pb::ListWorkloadsRequest;
    type Response = pb::ListWorkloadsResponse;
    type Reply = (Page<Workload>, Tokens);

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let page_size = form.page_size(request.page_size);
        let start = match pb::list_workloads_request::Seek::try_from(request.seek) {
            Ok(pb::list_workloads_request::Seek::Last) => Some(Seek::Last),
            Ok(_) => Some(Seek::First),
            Err(_) => {
                form.wrong("seek", "UNKNOWN_VALUE", "is not a seek");
                None
            }
        };
        form.finish(|| Some(Self { page_size: page_size?, page_token: request.page_token, start: start? }))
    }

    fn present((page, tokens): Self::Reply) -> Self::Response {
        pb::ListWorkloadsResponse {
            workloads: page.rows.iter().map(present).collect(),
            next_page_token: tokens.next,
            previous_page_token: tokens.previous,
        }
    }
}

impl Wire for RotateWorkloadSecret {
    type Request = pb::RotateWorkloadSecretRequest;
    type Response = pb::RotateWorkloadSecretResponse;
    type Reply = WithSecret;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let id = form.id("workload_id", &request.workload_id);
        let version = form.etag(&request.etag);
        form.finish(|| Some(Self { id: id?, version }))
    }

    fn present(reply: WithSecret) -> Self::Response {
        pb::RotateWorkloadSecretResponse {
            workload: Some(present(&reply.workload)),
            client_secret: reply.secret.into_inner(),
        }
    }
}

impl Wire for DeleteWorkload {
    type Request = pb::DeleteWorkloadRequest;
    type Response = pb::DeleteWorkloadResponse;
    type Reply = ();

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let id = form.id("workload_id", &request.workload_id);
        let version = form.etag(&request.etag);
        form.finish(|| Some(Self { id: id?, version }))
    }

    fn present((): ()) -> Self::Response {
        pb::DeleteWorkloadResponse {}
    }
}

impl Wire for IssueToken {
    type Request = pb::IssueTokenRequest;
    type Response = pb::IssueTokenResponse;
    type Reply = Issued;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let id = form.id("workload_id", &request.workload_id);
        let user = form.optional_id("on_behalf_of_user_id", &request.on_behalf_of_user_id);
        if request.client_secret.is_empty() {
            form.wrong("client_secret", "REQUIRED", "is required");
        }
        form.finish(|| Some(Self { id: id?, secret: Secret::new(request.client_secret), on_behalf_of: user? }))
    }

    fn present(reply: Issued) -> Self::Response {
        pb::IssueTokenResponse {
            access_token: reply.access_token.into_inner(),
            expire_time: Some(timestamp(reply.expire_time)),
        }
    }
}

fn present(workload: &Workload) -> pb::Workload {
    pb::Workload {
        workload_id: workload.id.to_string(),
        display_name: workload.display_name.clone(),
        roles: workload.roles.iter().copied().map(role_number).collect(),
        create_time: Some(timestamp(workload.create_time)),
        secret_create_time: Some(timestamp(workload.secret_create_time)),
        etag: etag(workload.version),
    }
}
