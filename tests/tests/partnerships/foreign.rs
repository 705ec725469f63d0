//! Somebody else's partnership answers like one that does not exist, and stays as it is (D-01, C30).

use proto::partner::v1 as pb;
use proto::partner::v1::PartnerKind::{Provider, Reseller};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{Registered, World, changed, told_of};
use tonic::Code;
use uuid::Uuid;

use super::{Pair, calls, canceling, removing, revoking, sharing};

/// What every call that names a partnership tells this provider and this reseller of that id.
async fn told(world: &World, provider: &Registered, reseller: &Registered, id: &str) -> Vec<(Code, String)> {
    let mut calls = calls(world).await;
    let (provider, reseller) = (provider.token(), reseller.token());
    let mut told = vec![
        told_of(calls.cancel(provider, canceling(id)).await, id),
        told_of(calls.revoke(reseller, revoking(id)).await, id),
    ];
    for token in [provider, reseller] {
        told.push(told_of(calls.get(token, id).await, id));
        told.push(told_of(calls.shared(token, sharing(id)).await, id));
        told.push(told_of(calls.remove(token, removing(id)).await, id));
        let unattested = pb::RemovePartnershipRequest { attestation_accepted: false, ..removing(id) };
        told.push(told_of(calls.remove(token, unattested).await, id));
    }
    told
}

#[rstest]
#[tokio::test]
async fn a_foreign_partnership_answers_like_an_unknown_one_and_stays_as_it_is(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let pair = Pair::of(&world).await;
    let (active, (invited, _)) = (pair.join().await, pair.invite().await);
    let (provider, reseller) = (world.onboard(Provider).await, world.onboard(Reseller).await);
    // So that the strangers have written before: the first write of a principal leaves a row of its own.
    let own = world.join(&provider, &reseller).await;
    let unknown = Uuid::now_v7().to_string();

    let before = world.at_rest().await;
    let expected = told(&world, &provider, &reseller, &unknown).await;
    assert!(expected.iter().all(|(code, _)| *code == Code::NotFound), "{expected:?}");
    assert_eq!(told(&world, &provider, &reseller, &active).await, expected);
    assert_eq!(told(&world, &provider, &reseller, &invited).await, expected);
    // The other side of a pair does not see an invitation that it has not accepted.
    let refused = told_of(calls(&world).await.get(pair.reseller.token(), &invited).await, &invited);
    assert!(expected.contains(&refused));
    assert_eq!(changed(&before, &world.at_rest().await), ["partner.journal"], "refusals are journaled");

    let mut calls = calls(&world).await;
    let (by_provider, by_reseller) = (provider.token(), reseller.token());
    calls.get(by_provider, &own).await.unwrap();
    calls.shared(by_reseller, sharing(&own)).await.unwrap();
    calls.revoke(by_reseller, revoking(&own)).await.unwrap();
    calls.remove(by_provider, removing(&own)).await.unwrap();
    calls.cancel(pair.provider.token(), canceling(&invited)).await.unwrap();
}
