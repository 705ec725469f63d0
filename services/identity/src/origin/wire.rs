//! Origins on the wire.

use base::{Fault, Id, Secret};
use proto::identity::v1 as pb;
use service::{Form, Wire};

use super::ops::{
    CancelOrganization, CheckOrganization, ConfirmOrganization, PrepareOrganization, Prepared, RevealSecret,
};
use super::{Binding, Origin};
use crate::country::Country;
use crate::names::{DisplayName, Domain, DomainPrefix, LocalName};
use crate::organization::{self, Kind, Plan};

impl Wire for PrepareOrganization {
    type Request = pb::PrepareOrganizationRequest;
    type Response = pb::PrepareOrganizationResponse;
    type Reply = Prepared;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let origin = form.id("origin_id", &request.origin_id);
        let plan = plan(&mut form, &request.organization.unwrap_or_default());
        let maker = form.id("maker_organization_id", &request.maker_organization_id);
        let binding = binding(&mut form, request.binding.unwrap_or_default());
        form.finish(|| Some(Self { origin: origin?, plan: plan?, maker: maker?, binding: binding? }))
    }

    fn present(reply: Prepared) -> Self::Response {
        pb::PrepareOrganizationResponse {
            organization: Some(organization::fact(&reply.organization)),
            version: reply.organization.version,
            admin_user_id: reply.admin.id.to_string(),
            admin_sign_in_name: reply.admin.sign_in_name,
        }
    }
}

fn plan(form: &mut Form, request: &pb::NewOrganization) -> Option<Plan> {
    let kind = match pb::OrganizationKind::try_from(request.kind) {
        Ok(pb::OrganizationKind::Partner) => Some(Kind::Partner),
        Ok(pb::OrganizationKind::Customer) => Some(Kind::Customer),
        Ok(pb::OrganizationKind::Platform | pb::OrganizationKind::Unspecified) | Err(_) => {
            form.wrong("organization.kind", "UNKNOWN_VALUE", "is neither PARTNER nor CUSTOMER");
            None
        }
    };
    let name = organization::name(form, "organization.name", &request.name);
    let country = form.take("organization.country", Country::parse(&request.country));
    let cloud = organization::cloud(form, "organization.cloud", request.cloud);
    let prefix = form.take("organization.domain_prefix", DomainPrefix::parse(&request.domain_prefix));
    let admin = form.take("organization.admin_display_name", DisplayName::parse(&request.admin_display_name));
    let local = form.take("organization.admin_name", LocalName::parse(&request.admin_name));
    Some(Plan {
        kind: kind?,
        name: name?,
        country: country?,
        cloud: cloud?,
        prefix: prefix?,
        admin_display_name: admin?,
        admin_name: local?,
    })
}

fn binding(form: &mut Form, request: pb::SecretBinding) -> Option<Binding> {
    let principal: Option<Id<()>> = form.id("binding.principal_id", &request.principal_id);
    if request.method.is_empty() {
        form.wrong("binding.method", "REQUIRED", "is required");
    }
    if request.request_hash.is_empty() {
        form.wrong("binding.request_hash", "REQUIRED", "is required");
    }
    Some(Binding { principal: principal?.uuid(), method: request.method, request_hash: request.request_hash })
}

fn origin(text: &str) -> Result<Id<Origin>, Fault> {
    let mut form = Form::default();
    let id = form.id("origin_id", text);
    form.finish(|| id)
}

impl Wire for ConfirmOrganization {
    type Request = pb::ConfirmOrganizationRequest;
    type Response = pb::ConfirmOrganizationResponse;
    type Reply = ();

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        Ok(Self { origin: origin(&request.origin_id)? })
    }

    fn present((): ()) -> Self::Response {
        pb::ConfirmOrganizationResponse {}
    }
}

impl Wire for CancelOrganization {
    type Request = pb::CancelOrganizationRequest;
    type Response = pb::CancelOrganizationResponse;
    type Reply = ();

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        Ok(Self { origin: origin(&request.origin_id)? })
    }

    fn present((): ()) -> Self::Response {
        pb::CancelOrganizationResponse {}
    }
}

impl Wire for CheckOrganization {
    type Request = pb::CheckOrganizationRequest;
    type Response = pb::CheckOrganizationResponse;
    type Reply = Domain;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let plan = plan(&mut form, &request.organization.unwrap_or_default());
        form.finish(|| Some(Self { plan: plan? }))
    }

    fn present(domain: Domain) -> Self::Response {
        pb::CheckOrganizationResponse { domain: domain.to_string() }
    }
}

impl Wire for RevealSecret {
    type Request = pb::RevealSecretRequest;
    type Response = pb::RevealSecretResponse;
    type Reply = Secret<String>;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let origin = form.id("origin_id", &request.origin_id);
        let binding = binding(&mut form, request.binding.unwrap_or_default());
        form.finish(|| Some(Self { origin: origin?, binding: binding? }))
    }

    fn present(password: Secret<String>) -> Self::Response {
        pb::RevealSecretResponse { temporary_password: password.into_inner() }
    }
}
