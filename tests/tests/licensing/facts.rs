//! What licensing is told: the higher version wins, in every order, and nothing that it does not know is taken.

use std::collections::{BTreeMap, BTreeSet};

use proto::identity::v1::identity_fact::Fact as FactOfIdentity;
use proto::identity::v1::{IdentityFact, OrganizationFact, OrganizationKind};
use proto::licensing::v1::licensing_internal_service_client::LicensingInternalServiceClient;
use proto::licensing::v1::{
    ApplyPartnerFactsRequest, CancelAccessRequest, PrepareAccessRequest, PrepareAccessResponse,
};
use proto::partner::v1::partner_fact::Fact as FactOfPartner;
use proto::partner::v1::{Access, AccessIntent, PartnerFact, PartnerKind, PartnerStanding};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{Refused, World, authorized, connect, fresh};
use tokio::task::JoinSet;
use tonic::transport::Channel;
use tonic::{Code, Status};
use uuid::Uuid;

/// What can be told of a decision about one customer and one partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Prepare,
    Cancel,
    /// What the decision brought, with its epoch, 1.
    Apply,
    /// A later change, with epoch 2.
    ApplyLater,
}

const STEPS: [Step; 4] = [Step::Prepare, Step::Cancel, Step::Apply, Step::ApplyLater];

/// Every sequence of one to five steps.
fn sequences() -> Vec<Vec<Step>> {
    let mut all: Vec<Vec<Step>> = Vec::new();
    let mut last: Vec<Vec<Step>> = vec![Vec::new()];
    for _ in 0..5 {
        last = last.iter().flat_map(|begun| STEPS.map(|step| [begun.as_slice(), &[step]].concat())).collect();
        all.extend(last.clone());
    }
    all
}

/// One decision, about one pair.
#[derive(Clone)]
struct Case {
    decision: Uuid,
    customer: Uuid,
    partner: Uuid,
    steps: Vec<Step>,
}

impl Case {
    fn of(steps: Vec<Step>) -> Self {
        Self { decision: Uuid::now_v7(), customer: Uuid::now_v7(), partner: Uuid::now_v7(), steps }
    }

    fn intents(&self) -> Vec<AccessIntent> {
        let (customer_id, partner_id) = (self.customer.to_string(), self.partner.to_string());
        vec![AccessIntent { customer_id, partner_id, epoch: 1 }]
    }

    async fn tell(&self, step: Step, client: &mut LicensingInternalServiceClient<Channel>, token: &str) -> String {
        let decision_id = self.decision.to_string();
        let access = |epoch, decision_id| {
            let fact = Access {
                customer_id: self.customer.to_string(),
                partner_id: self.partner.to_string(),
                kind: PartnerKind::Reseller.into(),
                active: true,
                delegated_admin: epoch == 1,
                order_right: false,
                epoch,
                decision_id,
            };
            ApplyPartnerFactsRequest {
                facts: vec![PartnerFact { version: epoch, fact: Some(FactOfPartner::Access(fact)) }],
            }
        };
        let answer: Result<(), Status> = match step {
            Step::Prepare => {
                let request = PrepareAccessRequest { decision_id, intents: self.intents() };
                client.prepare_access(authorized(token, request)).await.map(drop)
            }
            Step::Cancel => {
                let request = CancelAccessRequest { decision_id, intents: self.intents() };
                client.cancel_access(authorized(token, request)).await.map(drop)
            }
            Step::Apply => client.apply_partner_facts(authorized(token, access(1, decision_id))).await.map(drop),
            Step::ApplyLater => client.apply_partner_facts(authorized(token, access(2, String::new()))).await.map(drop),
        };
        answer.map_or_else(|status| Refused::of(&status).reason, |()| "OK".to_owned())
    }

    /// What a step must be answered after those before it.
    fn expected(&self, at: usize) -> &'static str {
        let before = &self.steps[..at];
        match self.steps[at] {
            Step::Prepare if before.iter().any(|step| matches!(step, Step::Apply | Step::ApplyLater)) => "EPOCH_STALE",
            Step::Prepare if before.contains(&Step::Cancel) => "DECISION_CANCELED",
            _ => "OK",
        }
    }

    /// The epoch that is left, whatever the order was.
    fn epoch(&self) -> Option<i64> {
        match (self.steps.contains(&Step::Apply), self.steps.contains(&Step::ApplyLater)) {
            (_, true) => Some(2),
            (true, false) => Some(1),
            (false, false) => None,
        }
    }

    /// Whether somebody has to be asked still: an intent was taken, and its decision was not heard to have ended.
    fn is_open(&self) -> bool {
        let taken = (0..self.steps.len()).any(|at| self.steps[at] == Step::Prepare && self.expected(at) == "OK");
        taken && !self.steps.iter().any(|step| matches!(step, Step::Cancel | Step::Apply))
    }
}

#[rstest]
#[tokio::test]
async fn every_order_of_prepare_cancel_and_settle_converges(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let channel = connect(world.addresses[1].internal).await;
    let cases: Vec<Case> = sequences().into_iter().map(Case::of).collect();
    assert_eq!(cases.len(), 4 + 16 + 64 + 256 + 1024);
    let token = world.partner.keys().issue_service_token("licensing", &world.clock);
    let mut tasks = JoinSet::new();
    for some in cases.chunks(cases.len() / 8) {
        let (some, token) = (some.to_vec(), token.clone());
        let mut client = LicensingInternalServiceClient::new(channel.clone());
        tasks.spawn(async move {
            for case in some {
                for (at, step) in case.steps.iter().enumerate() {
                    let answer = case.tell(*step, &mut client, &token).await;
                    assert_eq!(answer, case.expected(at), "step {at} of {:?}", case.steps);
                }
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let mut tx = world.licensing.db().await.snapshot().await.unwrap();
    let accesses: Vec<(Uuid, i64)> = tx.sql("SELECT customer_id, epoch FROM accesses").all().await.unwrap();
    let open: Vec<Uuid> = tx.sql("SELECT decision_id FROM intents WHERE state = 'OPEN'").all().await.unwrap();
    tx.rollback().await;
    let (accesses, open): (BTreeMap<_, _>, BTreeSet<_>) = (accesses.into_iter().collect(), open.into_iter().collect());
    for case in &cases {
        assert_eq!(accesses.get(&case.customer).copied(), case.epoch(), "{:?}", case.steps);
        assert_eq!(open.contains(&case.decision), case.is_open(), "{:?}", case.steps);
    }
}

#[rstest]
#[tokio::test]
async fn a_refused_preparation_of_several_intents_leaves_none_of_them(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let (stale, next) = (Case::of(vec![Step::ApplyLater]), Case::of(Vec::new()));
    let token = world.partner.keys().issue_service_token("licensing", &world.clock);
    let mut client = LicensingInternalServiceClient::new(connect(world.addresses[1].internal).await);
    stale.tell(Step::ApplyLater, &mut client, &token).await;
    let intents = [next.intents(), stale.intents()].concat();
    let request = PrepareAccessRequest { decision_id: next.decision.to_string(), intents };
    let refused: Result<tonic::Response<PrepareAccessResponse>, Status> =
        client.prepare_access(authorized(&token, request)).await;
    assert_eq!(Refused::by(refused), (Code::FailedPrecondition, "EPOCH_STALE".to_owned()));
    let mut tx = world.licensing.db().await.snapshot().await.unwrap();
    let intents: Vec<Uuid> =
        tx.sql("SELECT decision_id FROM intents WHERE decision_id = $1").bind(next.decision).all().await.unwrap();
    tx.rollback().await;
    assert!(intents.is_empty());
}

fn organization(id: &str, name: &str, version: i64) -> IdentityFact {
    let fact = OrganizationFact {
        organization_id: id.to_owned(),
        kind: OrganizationKind::Customer.into(),
        name: name.to_owned(),
        country: "DE".to_owned(),
        cloud: proto::identity::v1::Cloud::Global.into(),
        state: proto::identity::v1::organization::State::Active.into(),
        domains: Vec::new(),
    };
    IdentityFact { version, fact: Some(FactOfIdentity::Organization(fact)) }
}

#[rstest]
#[tokio::test]
async fn of_organizations_and_users_the_higher_version_wins(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let (customer, user) = (fresh(), fresh());
    let told = |version: i64| {
        let name = format!("v{version}");
        let user = World::user_fact(&customer, &user, &name);
        [organization(&customer, &name, version), IdentityFact { version, fact: Some(FactOfIdentity::User(user)) }]
    };
    for (versions, held) in [(&[5][..], "v5"), (&[5, 3], "v5"), (&[7, 6, 7], "v7"), (&[1], "v7")] {
        let facts = versions.iter().flat_map(|version| told(*version)).collect();
        world.apply_identity_facts(facts).await.unwrap();
        let mut tx = world.licensing.db().await.snapshot().await.unwrap();
        let organization: String = tx
            .sql("SELECT name FROM organizations WHERE organization_id = $1")
            .bind(customer.parse::<Uuid>().unwrap())
            .one()
            .await
            .unwrap();
        let name: String = tx
            .sql("SELECT display_name FROM users WHERE user_id = $1")
            .bind(user.parse::<Uuid>().unwrap())
            .one()
            .await
            .unwrap();
        tx.rollback().await;
        assert_eq!((organization.as_str(), name.as_str()), (held, held), "{versions:?}");
    }
}

#[rstest]
#[tokio::test]
async fn a_fact_that_this_version_does_not_know_is_refused_with_all_that_came_with_it(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let customer = fresh();
    let unknown = IdentityFact { version: 1, fact: None };
    let mut odd = organization(&customer, "Contoso", 1);
    if let Some(FactOfIdentity::Organization(fact)) = &mut odd.fact {
        fact.cloud = 99;
    }
    for strange in [unknown, odd] {
        let refused = world.apply_identity_facts(vec![organization(&customer, "Contoso", 1), strange]).await;
        assert_eq!(Refused::by(refused), (Code::Unimplemented, "FACT_UNKNOWN".to_owned()));
    }
    let standing = PartnerStanding { partner_id: fresh(), mpn_id: "1".to_owned(), ..Default::default() };
    for strange in [None, Some(FactOfPartner::Partner(standing))] {
        let refused = world.apply_partner_facts(vec![PartnerFact { version: 1, fact: strange }]).await;
        assert_eq!(Refused::by(refused), (Code::Unimplemented, "FACT_UNKNOWN".to_owned()));
    }
    let mut tx = world.licensing.db().await.snapshot().await.unwrap();
    let organizations: Vec<String> = tx
        .sql("SELECT name FROM organizations WHERE organization_id = $1")
        .bind(customer.parse::<Uuid>().unwrap())
        .all()
        .await
        .unwrap();
    tx.rollback().await;
    assert!(organizations.is_empty(), "what came with it is not taken over either");
}
