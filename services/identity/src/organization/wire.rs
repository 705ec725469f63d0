//! Organizations on the wire.

use base::{Fault, Page, Secret, Seek};
use proto::identity::v1 as pb;
use service::form::{etag, timestamp};
use service::page_token::Tokens;
use service::{Form, Wire};

use super::ops::{
    AddOrganizationDomain, Asked, Availability, CheckDomainAvailability, GetOrganization, ListOrganizations,
    LookUpOrganization, RegisterOrganization, Registered, UpdateOrganization,
};
use super::store::Filter;
use super::{Cloud, Kind, Organization, Plan, State, fact};
use crate::country::Country;
use crate::names::{DisplayName, Domain, DomainPrefix, LocalName, sort_key};
use crate::password::Chosen;

/// Characters of an organization's name at most.
const NAME_MAX: usize = 200;

impl Wire for RegisterOrganization {
    type Request = pb::RegisterOrganizationRequest;
    type Response = pb::RegisterOrganizationResponse;
    type Reply = Registered;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let name = name(&mut form, "name", &request.name);
        let country = form.take("country", Country::parse(&request.country));
        let cloud = cloud(&mut form, "cloud", request.cloud);
        let prefix = form.take("domain_prefix", DomainPrefix::parse(&request.domain_prefix));
        let admin = form.take("admin_display_name", DisplayName::parse(&request.admin_display_name));
        let local = form.take("admin_name", LocalName::parse(&request.admin_name));
        let context = [request.name.as_str(), &request.domain_prefix, &request.admin_name, &request.admin_display_name];
        let password = form.take("admin_password", Chosen::parse(&request.admin_password, &context));
        form.finish(|| {
            let invitation = (!request.invitation_token.is_empty()).then(|| Secret::new(request.invitation_token));
            let plan = Plan {
                kind: if invitation.is_some() { Kind::Customer } else { Kind::Partner },
                name: name?,
                country: country?,
                cloud: cloud?,
                prefix: prefix?,
                admin_display_name: admin?,
                admin_name: local?,
            };
            Some(Self { plan, password: password?, invitation })
        })
    }

    fn present(Registered(founded): Registered) -> Self::Response {
        pb::RegisterOrganizationResponse {
            organization: Some(present(&founded.organization)),
            admin_user_id: founded.admin.id.to_string(),
            admin_sign_in_name: founded.admin.sign_in_name,
        }
    }
}

impl Wire for GetOrganization {
    type Request = pb::GetOrganizationRequest;
    type Response = pb::GetOrganizationResponse;
    type Reply = Organization;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let id = form.id("organization_id", &request.organization_id);
        form.finish(|| Some(Self { id: id? }))
    }

    fn present(organization: Organization) -> Self::Response {
        pb::GetOrganizationResponse { organization: Some(present(&organization)) }
    }
}

impl Wire for ListOrganizations {
    type Request = pb::ListOrganizationsRequest;
    type Response = pb::ListOrganizationsResponse;
    type Reply = (Page<Organization>, Tokens);

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let page_size = form.page_size(request.page_size);
        let start = match pb::list_organizations_request::Seek::try_from(request.seek) {
            Ok(pb::list_organizations_request::Seek::Last) => Some(Seek::Last),
            Ok(_) => Some(Seek::First),
            Err(_) => {
                form.wrong("seek", "UNKNOWN_VALUE", "is not a seek");
                None
            }
        };
        let kind = match pb::OrganizationKind::try_from(request.kind) {
            Ok(pb::OrganizationKind::Unspecified) => Some(None),
            Ok(pb::OrganizationKind::Partner) => Some(Some(Kind::Partner)),
            Ok(pb::OrganizationKind::Customer) => Some(Some(Kind::Customer)),
            Ok(pb::OrganizationKind::Platform) => Some(Some(Kind::Platform)),
            Err(_) => {
                form.wrong("kind", "UNKNOWN_VALUE", format!("{} is not a kind of organization", request.kind));
                None
            }
        };
        let name_prefix = form.text("name_prefix", &request.name_prefix, 0..=NAME_MAX).map(|name| sort_key(&name));
        form.finish(|| {
            Some(Self {
                filter: Filter { kind: kind?, name_prefix: name_prefix? },
                page_size: page_size?,
                page_token: request.page_token,
                start: start?,
            })
        })
    }

    fn present((page, tokens): Self::Reply) -> Self::Response {
        pb::ListOrganizationsResponse {
            organizations: page.rows.iter().map(present).collect(),
            next_page_token: tokens.next,
            previous_page_token: tokens.previous,
        }
    }
}

impl Wire for UpdateOrganization {
    type Request = pb::UpdateOrganizationRequest;
    type Response = pb::UpdateOrganizationResponse;
    type Reply = Organization;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let id = form.id("organization_id", &request.organization_id);
        let name = name(&mut form, "name", &request.name);
        let version = form.etag(&request.etag);
        form.finish(|| Some(Self { id: id?, name: name?, version }))
    }

    fn present(organization: Organization) -> Self::Response {
        pb::UpdateOrganizationResponse { organization: Some(present(&organization)) }
    }
}

impl Wire for AddOrganizationDomain {
    type Request = pb::AddOrganizationDomainRequest;
    type Response = pb::AddOrganizationDomainResponse;
    type Reply = Organization;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let id = form.id("organization_id", &request.organization_id);
        let domain = form.take("domain", Domain::parse(&request.domain));
        let version = form.etag(&request.etag);
        form.finish(|| Some(Self { id: id?, domain: domain?, version }))
    }

    fn present(organization: Organization) -> Self::Response {
        pb::AddOrganizationDomainResponse { organization: Some(present(&organization)) }
    }
}

impl Wire for CheckDomainAvailability {
    type Request = pb::CheckDomainAvailabilityRequest;
    type Response = pb::CheckDomainAvailabilityResponse;
    type Reply = Availability;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        use pb::check_domain_availability_request::Name;
        let mut form = Form::default();
        let asked = match &request.name {
            Some(Name::Domain(text)) => form.take("domain", Domain::parse(text)).map(Asked::Whole),
            Some(Name::DomainPrefix(text)) => form.take("domain_prefix", DomainPrefix::parse(text)).map(Asked::Prefix),
            None => {
                form.wrong("name", "REQUIRED", "give a domain or a domain_prefix");
                None
            }
        };
        form.finish(|| Some(Self { asked: asked? }))
    }

    fn present(reply: Availability) -> Self::Response {
        pb::CheckDomainAvailabilityResponse { domain: reply.domain.as_str().to_owned(), available: reply.available }
    }
}

impl Wire for LookUpOrganization {
    type Request = pb::LookUpOrganizationRequest;
    type Response = pb::LookUpOrganizationResponse;
    type Reply = Organization;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let id = form.id("organization_id", &request.organization_id);
        form.finish(|| Some(Self { id: id? }))
    }

    fn present(organization: Organization) -> Self::Response {
        pb::LookUpOrganizationResponse { version: organization.version, organization: Some(fact(&organization)) }
    }
}

/// An organization's legal name.
pub(crate) fn name(form: &mut Form, field: &str, text: &str) -> Option<String> {
    form.text(field, text, 1..=NAME_MAX)
}

/// A cloud, with none meaning the global one.
pub(crate) fn cloud(form: &mut Form, field: &str, value: i32) -> Option<Cloud> {
    match pb::Cloud::try_from(value) {
        Ok(pb::Cloud::Unspecified | pb::Cloud::Global) => Some(Cloud::Global),
        Ok(pb::Cloud::UsGovernment) => Some(Cloud::UsGovernment),
        Err(_) => {
            form.wrong(field, "UNKNOWN_VALUE", format!("{value} is not a cloud"));
            None
        }
    }
}

/// An organization as its readers see it.
pub(crate) fn present(organization: &Organization) -> pb::Organization {
    pb::Organization {
        organization_id: organization.id.to_string(),
        kind: kind_number(organization.kind),
        name: organization.name.clone(),
        country: organization.country.as_str().to_owned(),
        cloud: cloud_number(organization.cloud),
        state: state_number(organization.state),
        domains: organization.domains.iter().map(|domain| domain.as_str().to_owned()).collect(),
        create_time: Some(timestamp(organization.create_time)),
        etag: etag(organization.version),
    }
}

/// A kind's number in the contract.
pub(super) fn kind_number(kind: Kind) -> i32 {
    let number = match kind {
        Kind::Partner => pb::OrganizationKind::Partner,
        Kind::Customer => pb::OrganizationKind::Customer,
        Kind::Platform => pb::OrganizationKind::Platform,
    };
    number.into()
}

/// A cloud's number in the contract.
pub(super) fn cloud_number(cloud: Cloud) -> i32 {
    let number = match cloud {
        Cloud::Global => pb::Cloud::Global,
        Cloud::UsGovernment => pb::Cloud::UsGovernment,
    };
    number.into()
}

/// A state's number in the contract. Only whoever makes a pending organization is shown it, as what it will be.
pub(super) fn state_number(state: State) -> i32 {
    let number = match state {
        State::Pending | State::Active => pb::organization::State::Active,
        State::Suspended => pb::organization::State::Suspended,
    };
    number.into()
}
