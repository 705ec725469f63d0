//! The vendor's two clouds: customers are made and listed in each, and neither sees the other's (C22, AS-110).

use proto::identity::v1::organization_service_client::OrganizationServiceClient;
use proto::identity::v1::{Cloud, GetOrganizationRequest};
use proto::partner::v1 as pb;
use proto::partner::v1::PartnerKind::Direct;
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{Registered, World, authorized, reason};

use super::calls;

/// A direct partner of the government's cloud.
pub(crate) async fn government(world: &World) -> Registered {
    let request = pb::OnboardPartnerRequest {
        cloud: Cloud::UsGovernment.into(),
        country: "US".to_owned(),
        ..World::onboarding(Direct)
    };
    world.onboard_as(request).await
}

#[rstest]
#[tokio::test]
async fn a_partner_of_the_government_s_cloud_makes_and_lists_customers_there(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let (here, there) = (world.onboard(Direct).await, government(world).await);
    let (ours, theirs) = (world.create_customer(&here).await, world.create_customer(&there).await);
    assert_eq!(world.customer_ids(&there).await, [theirs.customer_id.as_str()]);
    assert_eq!(world.customer_ids(&here).await, [ours.customer_id.as_str()]);
    let mut calls = calls(world).await;
    let shown = calls.get(there.token(), &theirs.customer_id).await.unwrap().customer.unwrap();
    assert_eq!((shown.country.as_str(), shown.relationship()), ("US", Direct));
    let read = GetOrganizationRequest { organization_id: theirs.customer_id.clone() };
    let mut organizations = OrganizationServiceClient::new(world.to_identity().await);
    let seen = organizations.get_organization(authorized(theirs.token(), read)).await.unwrap().into_inner();
    assert_eq!(seen.organization.unwrap().cloud(), Cloud::UsGovernment, "where its partner is");
    assert_eq!(calls.partners_of(&theirs).await.len(), 1);
    assert_eq!(reason(&calls.get(here.token(), &theirs.customer_id).await), "NOT_FOUND");
    assert_eq!(reason(&calls.get(there.token(), &ours.customer_id).await), "NOT_FOUND");
}
