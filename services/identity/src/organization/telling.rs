//! What the other services are told of organizations.

use proto::identity::v1 as pb;
use proto::identity::v1::identity_fact::Fact;
use service::Cx;

use super::Organization;
use super::wire::{cloud_number, kind_number, state_number};
use crate::{Identity, clients};

/// An organization as it is now; one that is pending, as it will be.
pub(crate) fn fact(organization: &Organization) -> pb::OrganizationFact {
    pb::OrganizationFact {
        organization_id: organization.id.to_string(),
        kind: kind_number(organization.kind),
        name: organization.name.clone(),
        country: organization.country.to_string(),
        cloud: cloud_number(organization.cloud),
        state: state_number(organization.state),
        domains: organization.domains.iter().map(ToString::to_string).collect(),
    }
}

/// Tells every service, after the commit. To be called whenever something changes that the fact holds.
pub(crate) fn tell(cx: &mut Cx<Identity>, organization: &Organization) {
    for destination in clients::PEERS {
        let told =
            pb::IdentityFact { version: organization.version, fact: Some(Fact::Organization(fact(organization))) };
        cx.tell(destination, organization.id.uuid(), organization.version, &told);
    }
}
