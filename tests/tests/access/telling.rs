//! Facts that cannot be taken, and those that came late.

use proto::identity::v1::{ApplyPartnerFactsRequest, PrepareAccessRequest};
use proto::partner::v1::partner_fact::Fact;
use proto::partner::v1::{
    Access, AccessIntent, PartnerFact, PartnerKind, PartnerStanding, PartnershipStanding, partner_standing,
};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{Refused, World};
use tonic::Code;
use uuid::Uuid;

use super::confirmed;

fn fact(fact: Fact) -> PartnerFact {
    PartnerFact { version: 1, fact: Some(fact) }
}

fn standing(kind: PartnerKind, state: partner_standing::State) -> PartnerStanding {
    let partner_id = Uuid::now_v7().to_string();
    PartnerStanding { partner_id, kind: kind.into(), state: state.into(), mpn_id: "4711".to_owned() }
}

#[rstest]
#[tokio::test]
async fn a_fact_that_this_version_does_not_know_is_refused_together_with_its_batch(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let mut identity = world.inside_identity().await;
    let (customer, partner) = (Uuid::now_v7(), Uuid::now_v7());
    let known = World::access(&customer.to_string(), &partner.to_string());
    let active = partner_standing::State::Active;
    let unknown = [
        PartnerFact { version: 1, fact: None },
        fact(Fact::Access(Access { kind: 9, ..known.clone() })),
        fact(Fact::Partner(PartnerStanding { kind: 9, ..standing(PartnerKind::Provider, active) })),
        fact(Fact::Partner(PartnerStanding { state: 9, ..standing(PartnerKind::Provider, active) })),
        fact(Fact::Partner(standing(PartnerKind::Unspecified, active))),
    ];
    for unknown in unknown {
        let facts = vec![fact(Fact::Access(known.clone())), unknown.clone()];
        let answer = identity.apply_partner_facts(world.as_partner(ApplyPartnerFactsRequest { facts })).await;
        assert_eq!(Refused::by(answer), (Code::Unimplemented, "FACT_UNKNOWN".to_owned()), "{unknown:?}");
    }
    assert_eq!(confirmed(&world.identity.db().await, customer, partner).await, None);
}

#[rstest]
#[tokio::test]
async fn what_is_malformed_is_refused_with_the_field(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let mut identity = world.inside_identity().await;
    let id = Uuid::now_v7().to_string();
    let nameless = fact(Fact::Access(World::access("", &id)));
    let answer = identity.apply_partner_facts(world.as_partner(ApplyPartnerFactsRequest { facts: vec![nameless] }));
    assert_eq!(Refused::by(answer.await), (Code::InvalidArgument, "REQUIRED".to_owned()));
    let many = vec![fact(Fact::Access(World::access(&id, &id))); 201];
    let answer = identity.apply_partner_facts(world.as_partner(ApplyPartnerFactsRequest { facts: many })).await;
    assert_eq!(Refused::by(answer), (Code::InvalidArgument, "TOO_LONG".to_owned()));
    let intents = vec![AccessIntent { customer_id: "x".to_owned(), partner_id: id, epoch: 1 }];
    let prepare = PrepareAccessRequest { decision_id: Uuid::now_v7().to_string(), intents, ..Default::default() };
    let answer = identity.prepare_access(world.as_partner(prepare)).await;
    assert_eq!(Refused::by(answer), (Code::InvalidArgument, "MALFORMED".to_owned()));
}

#[rstest]
#[tokio::test]
async fn a_standing_told_twice_or_late_changes_nothing(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let told = standing(PartnerKind::Provider, partner_standing::State::Suspended);
    let earlier = PartnerStanding { state: partner_standing::State::Active.into(), ..told.clone() };
    let (provider, reseller) = (told.partner_id.clone(), Uuid::now_v7().to_string());
    let partnership = |provider_admin_access, version| PartnerFact {
        version,
        fact: Some(Fact::Partnership(PartnershipStanding {
            provider_id: provider.clone(),
            reseller_id: reseller.clone(),
            active: true,
            provider_admin_access,
        })),
    };
    for _ in 0..2 {
        let partner = PartnerFact { version: 4, fact: Some(Fact::Partner(told.clone())) };
        let late = PartnerFact { version: 3, fact: Some(Fact::Partner(earlier.clone())) };
        world.tell_identity(vec![partner, late, partnership(false, 8), partnership(true, 7)]).await;
    }
    let mut tx = world.identity.db().await.snapshot().await.unwrap();
    let id: Uuid = provider.parse().unwrap();
    let partner: (String, i64) =
        tx.sql("SELECT state, version FROM partner_standings WHERE partner_id = $1").bind(id).one().await.unwrap();
    let access: (bool, i64) = tx
        .sql("SELECT provider_admin_access, version FROM partnership_standings WHERE provider_id = $1")
        .bind(id)
        .one()
        .await
        .unwrap();
    tx.rollback().await;
    assert_eq!((partner, access), (("SUSPENDED".to_owned(), 4), (false, 8)));
}

#[rstest]
#[tokio::test]
async fn licensing_tells_identity_nothing_of_accesses(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let request = world.as_licensing(ApplyPartnerFactsRequest::default());
    let answer = world.inside_identity().await.apply_partner_facts(request).await;
    assert_eq!(Refused::by(answer), (Code::PermissionDenied, "CALLER_NOT_ALLOWED".to_owned()));
}
