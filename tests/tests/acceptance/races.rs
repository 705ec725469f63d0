//! One link, many callers, and those who take back what it rests on at the same time.

use std::collections::BTreeMap;
use std::time::Duration;

use proto::partner::v1 as pb;
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{PASSWORD, Refused, Registered, Tenant, World, authorized};
use tokio::task::JoinSet;
use tonic::transport::Channel;
use uuid::Uuid;

const ROUNDS: u64 = 200;
const CALLERS: usize = 64;
/// Rounds that each of the three has to win, so that the race is one.
const WINS_MIN: u64 = 10;

/// What an accepting caller may be told who lost.
const LOSER: [&str; 4] =
    ["ACCEPTANCE_IN_PROGRESS", "INVITATION_ALREADY_USED", "INVITATION_CANCELED", "PARTNERSHIP_NOT_ACTIVE"];

struct Race<'w> {
    world: &'w World,
    provider: &'w Registered,
    reseller: &'w Registered,
    tenants: &'w [Tenant; 2],
}

/// How a round ended: what the invitation says, and who was told that their acceptance is effective.
struct Ended {
    state: pb::invitation::State,
    accepted: Vec<usize>,
    told: BTreeMap<String, u64>,
}

impl Race<'_> {
    async fn run(&self, round: u64, patience: Duration) -> Ended {
        let partnership = self.world.join(self.provider, self.reseller).await;
        let (invitation, token) = self.world.invite(self.reseller, World::invitation(Some(self.provider))).await;
        let consent = self.world.consent(&token).await;
        let channel = self.world.to_partner().await;
        // Who comes first changes from round to round. An acceptance takes longest: when it is its turn, the others wait.
        let held_up = |who: u64| match who {
            _ if round % 3 == who => Duration::ZERO,
            0 => Duration::from_millis(round % 5),
            _ if round.is_multiple_of(3) => patience,
            _ => Duration::from_millis(round % 7),
        };
        let mut callers = JoinSet::new();
        for caller in 0..CALLERS {
            let request = pb::AcceptInvitationRequest { request_id: Uuid::now_v7().to_string(), ..consent.clone() };
            let tenant = caller % 2;
            let (access, channel) = (self.tenants[tenant].session.access_token.clone(), channel.clone());
            let wait = held_up(0);
            callers.spawn(async move {
                tokio::time::sleep(wait).await;
                (tenant, accept(channel, &access, request).await)
            });
        }
        let (cancel, remove) = (held_up(1), held_up(2));
        let (canceled, removed) = tokio::join!(self.cancel(&invitation, cancel), self.remove(&partnership, remove));
        let (mut accepted, mut told) = (Vec::new(), BTreeMap::new());
        while let Some(answer) = callers.join_next().await {
            match answer.unwrap() {
                (tenant, Ok(answer)) => {
                    assert_eq!(answer.authorized.len(), 2, "round {round}");
                    accepted.push(tenant);
                }
                (_, Err(status)) => *told.entry(Refused::of(&status).reason).or_default() += 1,
            }
        }
        let state = self.state(&invitation).await;
        let canceled = canceled.map_or_else(|status| Refused::of(&status).reason, |()| "CANCELED".to_owned());
        let expected: &[&str] = match state {
            pb::invitation::State::Canceled => &["CANCELED"],
            _ => &["ACCEPTANCE_IN_PROGRESS", "INVITATION_NOT_OPEN"],
        };
        assert!(expected.contains(&canceled.as_str()), "round {round}: {state:?}, and canceling answered {canceled}");
        removed.unwrap();
        Ended { state, accepted, told }
    }

    async fn cancel(&self, id: &str, wait: Duration) -> Result<(), tonic::Status> {
        tokio::time::sleep(wait).await;
        let request = pb::CancelInvitationRequest { invitation_id: id.to_owned(), ..Default::default() };
        let token = &self.reseller.session.access_token;
        self.world.invitations().await.cancel_invitation(authorized(token, request)).await.map(drop)
    }

    async fn remove(&self, id: &str, wait: Duration) -> Result<(), tonic::Status> {
        tokio::time::sleep(wait).await;
        let request = pb::RemovePartnershipRequest {
            partnership_id: id.to_owned(),
            attestation_accepted: true,
            request_id: Uuid::now_v7().to_string(),
            ..Default::default()
        };
        let token = &self.provider.session.access_token;
        self.world.partnerships().await.remove_partnership(authorized(token, request)).await.map(drop)
    }

    async fn state(&self, id: &str) -> pb::invitation::State {
        let request = pb::GetInvitationRequest { invitation_id: id.to_owned() };
        let token = &self.reseller.session.access_token;
        let shown = self.world.invitations().await.get_invitation(authorized(token, request)).await.unwrap();
        shown.into_inner().invitation.unwrap().state()
    }

    /// Whether the reseller, and whether the provider, serves this tenant.
    async fn served(&self, tenant: usize) -> (bool, bool) {
        let id = &self.tenants[tenant].customer_id;
        let reseller = self.world.customer_ids(self.reseller).await.contains(id);
        (reseller, self.world.customer_ids(self.provider).await.contains(id))
    }

    async fn part(&self, tenant: usize) {
        let customer_id = self.tenants[tenant].customer_id.clone();
        let request = pb::RemoveCustomerRequest {
            customer_id,
            attestation_accepted: true,
            request_id: Uuid::now_v7().to_string(),
            ..Default::default()
        };
        let token = &self.reseller.session.access_token;
        self.world.customers().await.remove_customer(authorized(token, request)).await.unwrap();
    }
}

async fn accept(
    channel: Channel,
    token: &str,
    request: pb::AcceptInvitationRequest,
) -> Result<pb::AcceptInvitationResponse, tonic::Status> {
    let mut client = pb::invitation_service_client::InvitationServiceClient::new(channel);
    loop {
        let answer = client.accept_invitation(authorized(token, request.clone())).await?.into_inner();
        if answer.progress() == pb::Progress::Active {
            return Ok(answer);
        }
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_link_has_one_outcome_whoever_accepts_cancels_and_removes_at_the_same_time(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let mut provider = world.onboard(pb::PartnerKind::Provider).await;
    let mut reseller = world.onboard(pb::PartnerKind::Reseller).await;
    let mut maker = world.onboard(pb::PartnerKind::Direct).await;
    let mut wins: BTreeMap<String, u64> = BTreeMap::new();
    let mut told: BTreeMap<String, u64> = BTreeMap::new();
    let (mut round, mut patience) = (0, Duration::from_millis(60));
    while round < ROUNDS {
        if round % 40 == 0 {
            // A slow machine takes longer for all rounds than a token lives.
            for partner in [&mut provider, &mut reseller, &mut maker] {
                partner.session = world.sign_in(&partner.admin_sign_in_name, PASSWORD).await;
            }
        }
        let tenants = [world.create_customer(&maker).await, world.create_customer(&maker).await];
        let race = Race { world: &world, provider: &provider, reseller: &reseller, tenants: &tenants };
        let mut provided = [false; 2];
        for _ in 0..20 {
            let ended = race.run(round, patience).await;
            let is_accepted = ended.state == pb::invitation::State::Accepted;
            if round % 3 == 0 {
                // However fast this machine is: about every second of these rounds is won by an acceptance.
                let next = if is_accepted { patience.mul_f64(0.6) } else { patience.mul_f64(1.8) };
                patience = next.clamp(Duration::from_millis(2), Duration::from_secs(4));
            }
            round += 1;
            for (reason, count) in ended.told {
                assert!(LOSER.contains(&reason.as_str()), "round {round}: {reason}");
                *told.entry(reason).or_default() += count;
            }
            *wins.entry(ended.state.as_str_name().to_owned()).or_default() += 1;
            let winner = ended.accepted.first().copied();
            assert!(ended.accepted.iter().all(|tenant| Some(*tenant) == winner), "round {round}: two tenants accepted");
            assert_eq!(winner.is_some(), is_accepted, "round {round}: {:?}", ended.state);
            for (tenant, provided) in provided.iter_mut().enumerate() {
                let is_winner = winner == Some(tenant);
                *provided |= is_winner;
                assert_eq!(race.served(tenant).await, (is_winner, *provided), "round {round}");
                if is_winner {
                    race.part(tenant).await;
                }
            }
        }
    }
    println!("{kind:?}: {ROUNDS} rounds of {CALLERS} callers: won by {wins:?}, losers were told {told:?}");
    for state in ["STATE_ACCEPTED", "STATE_CANCELED", "STATE_INVALIDATED"] {
        let won = wins.get(state).copied().unwrap_or(0);
        assert!(won >= WINS_MIN, "{state} won {won} of {ROUNDS} rounds: {wins:?}");
    }
    assert_eq!(world.violations().await, Vec::<String>::new());
}
