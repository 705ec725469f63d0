//! Organizations on the wire.

use base::Fault;
use proto::identity::v1 as pb;
use service::form::{etag, timestamp};
use service::{Form, Wire};

use super::ops::{RegisterOrganization, Registered};
use super::{Cloud, Kind, Organization, State};
use crate::country::Country;
use crate::names::{DisplayName, DomainPrefix, LocalName};
use crate::password::Chosen;

impl Wire for RegisterOrganization {
    type Request = pb::RegisterOrganizationRequest;
    type Response = pb::RegisterOrganizationResponse;
    type Reply = Registered;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let name = form.text("name", &request.name, 1..=200);
        let country = form.take("country", Country::parse(&request.country));
        let cloud = cloud(&mut form, "cloud", request.cloud);
        let prefix = form.take("domain_prefix", DomainPrefix::parse(&request.domain_prefix));
        let admin = form.take("admin_display_name", DisplayName::parse(&request.admin_display_name));
        let local = form.take("admin_name", LocalName::parse(&request.admin_name));
        let context = [request.name.as_str(), &request.domain_prefix, &request.admin_name, &request.admin_display_name];
        let password = form.take("admin_password", Chosen::parse(&request.admin_password, &context));
        form.finish(|| {
            Some(Self {
                name: name?,
                country: country?,
                cloud: cloud?,
                prefix: prefix?,
                admin_display_name: admin?,
                admin_name: local?,
                password: password?,
            })
        })
    }

    fn present(reply: Registered) -> Self::Response {
        pb::RegisterOrganizationResponse {
            organization: Some(present(&reply.organization)),
            admin_user_id: reply.admin.to_string(),
            admin_sign_in_name: reply.sign_in_name,
        }
    }
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
    let kind = match organization.kind {
        Kind::Partner => pb::OrganizationKind::Partner,
        Kind::Customer => pb::OrganizationKind::Customer,
        Kind::Platform => pb::OrganizationKind::Platform,
    };
    let cloud = match organization.cloud {
        Cloud::Global => pb::Cloud::Global,
        Cloud::UsGovernment => pb::Cloud::UsGovernment,
    };
    let state = match organization.state {
        State::Active => pb::organization::State::Active,
        State::Suspended => pb::organization::State::Suspended,
    };
    pb::Organization {
        organization_id: organization.id.to_string(),
        kind: kind.into(),
        name: organization.name.clone(),
        country: organization.country.as_str().to_owned(),
        cloud: cloud.into(),
        state: state.into(),
        domains: organization.domains.iter().map(|domain| domain.as_str().to_owned()).collect(),
        create_time: Some(timestamp(organization.create_time)),
        etag: etag(organization.version),
    }
}
