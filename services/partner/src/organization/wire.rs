//! Organizations as identity writes them.

use base::country::Country;
use base::{Fault, Id};
use proto::identity::v1 as identity;

use super::{Cloud, Kind, NewOrganization, Organization};

/// Reads a fact of identity.
pub fn read(version: i64, fact: identity::OrganizationFact) -> Result<Organization, Fault> {
    let malformed =
        |what: &str| Fault::field("facts", "MALFORMED", format!("an organization's {what} is not readable"));
    let kind = match fact.kind() {
        identity::OrganizationKind::Partner => Kind::Partner,
        identity::OrganizationKind::Customer => Kind::Customer,
        identity::OrganizationKind::Platform => Kind::Platform,
        identity::OrganizationKind::Unspecified => return Err(malformed("kind")),
    };
    let cloud = match fact.cloud() {
        identity::Cloud::Global => Cloud::Global,
        identity::Cloud::UsGovernment => Cloud::UsGovernment,
        identity::Cloud::Unspecified => return Err(malformed("cloud")),
    };
    Ok(Organization {
        id: Id::parse(&fact.organization_id).ok_or_else(|| malformed("id"))?,
        kind,
        name: fact.name,
        country: Country::parse(&fact.country).map_err(|_| malformed("country"))?,
        cloud,
        domains: fact.domains,
        version,
    })
}

/// A new organization as identity reads it.
pub fn write_new(organization: &NewOrganization) -> identity::NewOrganization {
    let kind = match organization.kind {
        Kind::Partner => identity::OrganizationKind::Partner,
        Kind::Customer => identity::OrganizationKind::Customer,
        Kind::Platform => identity::OrganizationKind::Platform,
    };
    identity::NewOrganization {
        kind: kind.into(),
        name: organization.name.clone(),
        country: organization.country.as_str().to_owned(),
        cloud: write_cloud(organization.cloud).into(),
        domain_prefix: organization.prefix.as_str().to_owned(),
        admin_display_name: organization.admin_display_name.as_str().to_owned(),
        admin_name: organization.admin_name.as_str().to_owned(),
    }
}

/// A cloud as identity reads it.
pub fn write_cloud(cloud: Cloud) -> identity::Cloud {
    match cloud {
        Cloud::Global => identity::Cloud::Global,
        Cloud::UsGovernment => identity::Cloud::UsGovernment,
    }
}
