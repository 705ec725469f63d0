//! Every order and repetition of what partner sends about one decision.

use proto::identity::v1::identity_internal_service_client::IdentityInternalServiceClient;
use proto::identity::v1::{ApplyPartnerFactsRequest, CancelAccessRequest, PrepareAccessRequest};
use proto::partner::v1::partner_fact::Fact;
use proto::partner::v1::{Access, AccessIntent, PartnerFact};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{Refused, World};
use tokio::task::JoinSet;
use tonic::Status;
use tonic::transport::Channel;
use uuid::Uuid;

use super::{confirmed, intent};

/// The epoch that was allotted to the decision, and one of a later change.
const ALLOTTED: i64 = 5;
const LATER: i64 = 9;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Message {
    Prepare,
    Cancel,
    ApplyDecision,
    ApplyLater,
}

const MESSAGES: [Message; 4] = [Message::Prepare, Message::Cancel, Message::ApplyDecision, Message::ApplyLater];

/// What has to be there after some messages.
#[derive(Default)]
struct Expected {
    access: Option<(bool, bool, i64)>,
    intent: Option<&'static str>,
}

impl Expected {
    /// Takes a message in and says how it has to be answered.
    fn after(&mut self, message: Message) -> &'static str {
        let epoch = self.access.map_or(0, |(_, _, epoch)| epoch);
        match message {
            Message::Prepare if epoch >= ALLOTTED => return "EPOCH_STALE",
            Message::Prepare if self.intent == Some("CANCELED") => return "DECISION_CANCELED",
            Message::Prepare => self.intent = self.intent.or(Some("OPEN")),
            Message::Cancel if self.intent != Some("SETTLED") => self.intent = Some("CANCELED"),
            Message::Cancel => {}
            Message::ApplyDecision => {
                if epoch < ALLOTTED {
                    self.access = Some((true, true, ALLOTTED));
                }
                if self.intent != Some("CANCELED") {
                    self.intent = Some("SETTLED");
                }
            }
            Message::ApplyLater => self.access = Some((false, true, LATER)),
        }
        "OK"
    }
}

/// One decision about one pair.
struct Decision {
    world: &'static World,
    identity: IdentityInternalServiceClient<Channel>,
    decision: Uuid,
    customer: Uuid,
    partner: Uuid,
}

impl Decision {
    fn intents(&self) -> Vec<AccessIntent> {
        let (customer_id, partner_id) = (self.customer.to_string(), self.partner.to_string());
        vec![AccessIntent { customer_id, partner_id, epoch: ALLOTTED }]
    }

    async fn apply(&mut self, access: Access) -> Result<(), Status> {
        let fact = PartnerFact { version: access.epoch, fact: Some(Fact::Access(access)) };
        let request = self.world.as_partner(ApplyPartnerFactsRequest { facts: vec![fact] });
        self.identity.apply_partner_facts(request).await.map(drop)
    }

    async fn send(&mut self, message: Message) -> Result<(), Status> {
        let access = World::access(&self.customer.to_string(), &self.partner.to_string());
        let (decision_id, intents) = (self.decision.to_string(), self.intents());
        match message {
            Message::Prepare => {
                let request =
                    self.world.as_partner(PrepareAccessRequest { decision_id, intents, ..Default::default() });
                self.identity.prepare_access(request).await.map(drop)
            }
            Message::Cancel => {
                let request = self.world.as_partner(CancelAccessRequest { decision_id, intents });
                self.identity.cancel_access(request).await.map(drop)
            }
            Message::ApplyDecision => self.apply(Access { epoch: ALLOTTED, decision_id, ..access }).await,
            Message::ApplyLater => self.apply(Access { epoch: LATER, active: false, ..access }).await,
        }
    }

    async fn play(mut self, messages: Vec<Message>) {
        let mut expected = Expected::default();
        for (position, message) in messages.iter().enumerate() {
            let wanted = expected.after(*message);
            let answered = self.send(*message).await;
            let reason = answered.map_or_else(|status| Refused::of(&status).reason, |()| "OK".to_owned());
            let so_far = &messages[..=position];
            assert_eq!(reason, wanted, "{so_far:?}");
            let db = &self.world.identity.db().await;
            assert_eq!(confirmed(db, self.customer, self.partner).await, expected.access, "{so_far:?}");
            let found = intent(db, self.decision, self.customer, self.partner).await;
            assert_eq!(found.as_deref(), expected.intent, "{so_far:?}");
        }
    }
}

/// All sequences of that many messages; their beginnings are the shorter ones.
fn sequences(length: u32) -> Vec<Vec<Message>> {
    let sequence = |mut number: usize| -> Vec<Message> {
        let mut messages = Vec::new();
        for _ in 0..length {
            messages.push(MESSAGES[number % MESSAGES.len()]);
            number /= MESSAGES.len();
        }
        messages
    };
    (0..MESSAGES.len().pow(length)).map(sequence).collect()
}

#[rstest]
#[tokio::test]
async fn every_order_and_repetition_of_prepare_cancel_and_apply_converges(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let identity = world.inside_identity().await;
    let all = sequences(5);
    assert_eq!(all.len(), 1_024);
    let mut playing = JoinSet::new();
    for messages in all {
        if playing.len() >= 8 {
            playing.join_next().await.unwrap().unwrap();
        }
        let [decision, customer, partner] = [Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7()];
        let decision = Decision { world, identity: identity.clone(), decision, customer, partner };
        playing.spawn(decision.play(messages));
    }
    while let Some(played) = playing.join_next().await {
        played.unwrap();
    }
}

#[rstest]
#[tokio::test]
async fn an_intent_of_a_canceled_decision_is_refused_for_ever_and_takes_the_others_with_it(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let mut identity = world.inside_identity().await;
    let (decision, pairs) = (Uuid::now_v7(), [(); 2].map(|()| (Uuid::now_v7(), Uuid::now_v7())));
    let intents = pairs.map(|(customer, partner)| AccessIntent {
        customer_id: customer.to_string(),
        partner_id: partner.to_string(),
        epoch: 1,
    });
    let cancel = CancelAccessRequest { decision_id: decision.to_string(), intents: vec![intents[1].clone()] };
    identity.cancel_access(world.as_partner(cancel)).await.unwrap();
    let prepare =
        PrepareAccessRequest { decision_id: decision.to_string(), intents: intents.to_vec(), ..Default::default() };
    let refused = Refused::by(identity.prepare_access(world.as_partner(prepare)).await);
    assert_eq!(refused.1, "DECISION_CANCELED");
    let (customer, partner) = pairs[0];
    assert_eq!(
        intent(&world.identity.db().await, decision, customer, partner).await,
        None,
        "nothing of it was written"
    );
}
