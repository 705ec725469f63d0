//! The government's cloud has no licenses (C22, AS-110).

use std::fmt::Debug;

use proto::identity::v1::Cloud;
use proto::licensing::v1::{ListLicenseUsersRequest, SummarizeLicensesRequest};
use proto::partner::v1::{OnboardPartnerRequest, PartnerKind};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{World, fresh};
use tonic::{Code, Status};

use super::outcome;
use super::trade::{Licenses, Shop, change};

fn not_there<T: Debug>(what: &str, answer: &Result<T, Status>) {
    assert_eq!(outcome(answer), (Code::FailedPrecondition, "NOT_AVAILABLE_IN_CLOUD".to_owned()), "{what}");
}

#[rstest]
#[tokio::test]
async fn in_the_governments_cloud_nobody_gives_takes_or_looks_at_licenses(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let onboarding = OnboardPartnerRequest {
        cloud: Cloud::UsGovernment.into(),
        country: "US".to_owned(),
        ..World::onboarding(PartnerKind::Direct)
    };
    let partner = world.onboard_as(onboarding).await;
    let tenant = world.create_customer(&partner).await;
    let mut licenses = Licenses::of(world).await;
    let elsewhere = world.create_customer(&world.onboard(PartnerKind::Direct).await).await;
    // Its own customer, somebody else's, and one whom nobody knows: it does not depend on whose they are.
    for (customer, user) in [
        (tenant.customer_id, tenant.admin_user_id),
        (elsewhere.customer_id, elsewhere.admin_user_id),
        (fresh(), fresh()),
    ] {
        let (token, users) = (partner.token(), vec![user.clone()]);
        not_there("update", &licenses.update(token, change(&customer, &users, &[&fresh()], &[])).await);
        let selection =
            SummarizeLicensesRequest { customer_id: customer.clone(), user_ids: users, ..Default::default() };
        not_there("summarize", &licenses.summarize(token, selection).await);
        let everybody = ListLicenseUsersRequest { customer_id: customer.clone(), ..Default::default() };
        not_there("list", &licenses.list(token, everybody).await);
        not_there("get", &licenses.get(token, &customer, &user).await);
        not_there("entitlements", &Shop::of(world).await.entitlements(token, &customer).await);
    }
}
