//! Dry runs: what would be refused, by partner and by identity, and nothing else.

use proto::identity::v1::Cloud;
use proto::partner::v1 as pb;
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{World, changed, outcome, reason};
use tonic::Code;

use super::onboard;

fn dry(request: pb::OnboardPartnerRequest) -> pb::OnboardPartnerRequest {
    pb::OnboardPartnerRequest { validate_only: true, ..request }
}

#[rstest]
#[tokio::test]
async fn a_dry_run_tells_what_would_be_refused_and_changes_nothing(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::start(kind).await;
    let taken = World::onboarding(pb::PartnerKind::Provider);
    let made = world.try_onboard(&world.operator().await, taken.clone()).await.unwrap();
    let provider = world.replace_password(&made.admin_sign_in_name, &made.temporary_password).await;
    let operator = world.operator().await;
    let before = world.at_rest().await;

    let good = World::onboarding(pb::PartnerKind::Reseller);
    let answer = onboard(&world, &operator, &dry(good.clone())).await.unwrap();
    let begun = pb::OnboardPartnerResponse { progress: pb::Progress::InProgress.into(), ..Default::default() };
    assert_eq!(answer, begun, "no id, no name and no secret");
    let unnamed = pb::OnboardPartnerRequest { request_id: String::new(), ..dry(good.clone()) };
    assert_eq!(onboard(&world, &operator, &unnamed).await.unwrap(), begun, "a dry run needs no name");

    let government = Cloud::UsGovernment.into();
    let refused = [
        (
            pb::OnboardPartnerRequest { domain_prefix: taken.domain_prefix, ..good.clone() },
            (Code::AlreadyExists, "DOMAIN_TAKEN"),
        ),
        (
            pb::OnboardPartnerRequest { mpn_id: taken.mpn_id, ..good.clone() },
            (Code::AlreadyExists, "MPN_ID_ALREADY_LINKED"),
        ),
        (
            pb::OnboardPartnerRequest { cloud: government, ..good.clone() },
            (Code::FailedPrecondition, "NOT_AVAILABLE_IN_CLOUD"),
        ),
        (pb::OnboardPartnerRequest { name: String::new(), ..good.clone() }, (Code::InvalidArgument, "REQUIRED")),
    ];
    for (request, (code, reason)) in refused {
        let told = outcome(&onboard(&world, &operator, &dry(request)).await);
        assert_eq!(told, (code, reason.to_owned()));
    }
    let nobody = reason(&onboard(&world, &provider.access_token, &dry(good.clone())).await);
    assert_eq!(nobody, "ORGANIZATION_KIND_NOT_ALLOWED");
    assert_eq!(changed(&before, &world.at_rest().await), Vec::<String>::new());

    world.try_onboard(&operator, good).await.expect("what a dry run allows is allowed");
}
