//! Every order and repetition of prepare, confirm and cancel.

use proto::identity::v1::identity_internal_service_client::IdentityInternalServiceClient;
use proto::identity::v1::{
    CancelOrganizationRequest, CheckOrganizationRequest, ConfirmOrganizationRequest, LookUpOrganizationRequest,
    PrepareOrganizationRequest, PrepareOrganizationResponse, RevealSecretRequest,
};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::World;
use tokio::task::JoinSet;
use tonic::transport::Channel;

use super::reason;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Message {
    Prepare,
    Confirm,
    Cancel,
}

const MESSAGES: [Message; 3] = [Message::Prepare, Message::Confirm, Message::Cancel];

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Unknown,
    Pending,
    Confirmed,
    Canceled,
}

impl State {
    /// What a message makes of it, and how it has to be answered.
    fn after(self, message: Message) -> (Self, &'static str) {
        match (self, message) {
            (Self::Unknown | Self::Pending, Message::Prepare) => (Self::Pending, "OK"),
            (Self::Confirmed, Message::Prepare) => (Self::Confirmed, "OK"),
            (Self::Canceled, Message::Prepare | Message::Confirm) => (Self::Canceled, "ORIGIN_CANCELED"),
            (Self::Unknown, Message::Confirm) => (Self::Unknown, "NOT_FOUND"),
            (Self::Pending | Self::Confirmed, Message::Confirm) => (Self::Confirmed, "OK"),
            (Self::Confirmed, Message::Cancel) => (Self::Confirmed, "ORIGIN_CONFIRMED"),
            (Self::Unknown | Self::Pending | Self::Canceled, Message::Cancel) => (Self::Canceled, "OK"),
        }
    }
}

struct Origin {
    world: &'static World,
    identity: IdentityInternalServiceClient<Channel>,
    preparation: PrepareOrganizationRequest,
    made: Option<PrepareOrganizationResponse>,
    password: Option<String>,
}

impl Origin {
    async fn send(&mut self, message: Message) -> String {
        let origin_id = self.preparation.origin_id.clone();
        match message {
            Message::Prepare => {
                let request = self.world.as_partner(self.preparation.clone());
                let answer = self.identity.prepare_organization(request).await;
                if let Ok(answer) = &answer {
                    let made = self.made.get_or_insert_with(|| answer.get_ref().clone());
                    assert_eq!(made, answer.get_ref(), "a repeat answers what the first one made");
                }
                reason(&answer)
            }
            Message::Confirm => {
                let request = self.world.as_partner(ConfirmOrganizationRequest { origin_id });
                reason(&self.identity.confirm_organization(request).await)
            }
            Message::Cancel => {
                let request = self.world.as_partner(CancelOrganizationRequest { origin_id });
                reason(&self.identity.cancel_organization(request).await)
            }
        }
    }

    /// What everybody else sees of it.
    async fn check(&mut self, state: State, so_far: &[Message]) {
        let taken = matches!(state, State::Pending | State::Confirmed);
        let check = CheckOrganizationRequest { organization: self.preparation.organization.clone() };
        let answer = self.identity.check_organization(self.world.as_partner(check)).await;
        assert_eq!(reason(&answer), if taken { "DOMAIN_TAKEN" } else { "OK" }, "{so_far:?}");

        let (origin_id, binding) = (self.preparation.origin_id.clone(), self.preparation.binding.clone());
        let reveal = RevealSecretRequest { origin_id, binding };
        let answer = self.identity.reveal_secret(self.world.as_partner(reveal)).await;
        assert_eq!(reason(&answer), if taken { "OK" } else { "NOT_FOUND" }, "{so_far:?}");
        if let Ok(answer) = answer {
            let shown = answer.into_inner().temporary_password;
            assert_eq!(self.password.get_or_insert_with(|| shown.clone()), &shown);
        }

        let Some(made) = &self.made else { return };
        let organization = made.organization.clone().unwrap();
        let look = LookUpOrganizationRequest { organization_id: organization.organization_id.clone() };
        let answer = self.identity.look_up_organization(self.world.as_partner(look)).await;
        match state {
            State::Confirmed => {
                let found = answer.unwrap().into_inner();
                assert_eq!((found.organization, found.version), (Some(organization), made.version), "{so_far:?}");
            }
            _ => assert_eq!(reason(&answer), "NOT_FOUND", "{so_far:?}"),
        }
    }

    async fn play(mut self, messages: Vec<Message>) {
        let mut state = State::Unknown;
        for (position, message) in messages.iter().enumerate() {
            let (next, wanted) = state.after(*message);
            let so_far = &messages[..=position];
            assert_eq!(self.send(*message).await, wanted, "{so_far:?}");
            self.check(next, so_far).await;
            state = next;
        }
    }
}

#[rstest]
#[tokio::test]
async fn every_order_and_repetition_of_prepare_confirm_and_cancel_converges(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let identity = world.inside_identity().await;
    let mut playing = JoinSet::new();
    for number in 0..MESSAGES.len().pow(5) {
        let messages = (0..5).map(|position| MESSAGES[number / MESSAGES.len().pow(position) % MESSAGES.len()]);
        if playing.len() >= 8 {
            playing.join_next().await.unwrap().unwrap();
        }
        let (identity, preparation) = (identity.clone(), World::preparation());
        let origin = Origin { world, identity, preparation, made: None, password: None };
        playing.spawn(origin.play(messages.collect()));
    }
    while let Some(played) = playing.join_next().await {
        played.unwrap();
    }
}

#[rstest]
#[tokio::test]
async fn an_origin_that_is_prepared_many_times_at_once_makes_one_organization(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let preparation = World::preparation();
    let mut asking = JoinSet::new();
    for _ in 0..8 {
        let (mut identity, request) = (world.inside_identity().await, world.as_partner(preparation.clone()));
        asking.spawn(async move { identity.prepare_organization(request).await.unwrap().into_inner() });
    }
    let answers = asking.join_all().await;
    assert!(answers.iter().all(|answer| answer == &answers[0]), "{answers:?}");
}

#[rstest]
#[tokio::test]
async fn two_origins_with_one_domain_are_one_too_many(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let mut identity = world.inside_identity().await;
    let first = World::preparation();
    let second = PrepareOrganizationRequest { organization: first.organization.clone(), ..World::preparation() };
    identity.prepare_organization(world.as_partner(first)).await.unwrap();
    assert_eq!(reason(&identity.prepare_organization(world.as_partner(second.clone())).await), "DOMAIN_TAKEN");
    // What was refused left nothing behind: its origin may still be canceled, or prepared with another domain.
    let organization = World::preparation().organization;
    let third = PrepareOrganizationRequest { organization, ..second };
    identity.prepare_organization(world.as_partner(third)).await.unwrap();
}
