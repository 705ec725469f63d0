//! Whatever the services call one another for comes twice, late or in another order: nobody notices, and in the end
//! everybody agrees.

use std::collections::BTreeMap;
use std::time::Duration;

use proto::identity::v1::ListUsersRequest;
use proto::identity::v1::customer_user_service_client::CustomerUserServiceClient;
use proto::licensing::v1::ListEntitlementsRequest;
use proto::licensing::v1::entitlement_service_client::EntitlementServiceClient;
use proto::partner::v1 as pb;
use rstest::rstest;
use testkit::database::Kind;
use tests::harness::reorder::{Chaos, Odds, Plan, Policy, Tally, seed};
use tests::world::{Registered, Tenant, World, authorized, fresh, reason, soon};
use tonic::Status;

/// How often each kind of disturbance has to be met, so that the sweep is one.
const EACH_KIND_MIN: u64 = 12;
/// How many calls of each of these have to be disturbed.
const EACH_METHOD_MIN: u64 = 2;
const METHODS: [&str; 13] = [
    "identity.v1.IdentityInternalService/ApplyPartnerFacts",
    "identity.v1.IdentityInternalService/CancelAccess",
    "identity.v1.IdentityInternalService/CancelOrganization",
    "identity.v1.IdentityInternalService/ConfirmOrganization",
    "identity.v1.IdentityInternalService/PrepareAccess",
    "identity.v1.IdentityInternalService/PrepareOrganization",
    "identity.v1.IdentityInternalService/RevealSecret",
    "licensing.v1.LicensingInternalService/ApplyIdentityFacts",
    "licensing.v1.LicensingInternalService/ApplyPartnerFacts",
    "licensing.v1.LicensingInternalService/CancelAccess",
    "licensing.v1.LicensingInternalService/PrepareAccess",
    "partner.v1.PartnerInternalService/ApplyIdentityFacts",
    "partner.v1.PartnerInternalService/GetDecision",
];
/// How often a race has to end with a refusal, so that decisions are taken back too.
const REFUSALS_MIN: u64 = 2;
/// After so many rounds it is too late for what was hardly met.
const ROUNDS_MAX: u64 = 8;

/// What an answer tells of the customer that was asked for. Who was not answered has seen nothing.
const SIGHTS: [(&str, Option<bool>); 5] = [
    ("OK", Some(true)),
    ("DELEGATED_ADMIN_REQUIRED", Some(true)),
    ("NOT_FOUND", Some(false)),
    ("PEER_UNAVAILABLE", None),
    ("DEADLINE_EXCEEDED", None),
];

/// A world whose calls are disturbed, and who takes part.
struct Stage {
    world: World,
    provider: Registered,
    /// Providers whose partnership with the reseller does not last.
    leavers: [Registered; 2],
    reseller: Registered,
    maker: Registered,
}

impl Stage {
    async fn set(kind: Kind) -> Self {
        let odds = Odds { twice: 0.1, at_once: 0.1, hold: 0.15, repeat: 0.25, depth: 1, lateness: 30 };
        let plan = Plan::Random { seed: seed(), odds };
        // A repetition comes long after the others have gone on, or when everybody rests.
        let policy = Policy { plan, patience: Duration::from_millis(300), late: Duration::from_secs(10) };
        let world = World::disturbed(kind, policy).await;
        let provider = world.onboard(pb::PartnerKind::Provider).await;
        let leavers = [world.onboard(pb::PartnerKind::Provider).await, world.onboard(pb::PartnerKind::Provider).await];
        let reseller = world.onboard(pb::PartnerKind::Reseller).await;
        let maker = world.onboard(pb::PartnerKind::Direct).await;
        world.join(&provider, &reseller).await;
        Self { world, provider, leavers, reseller, maker }
    }

    /// One after the other: a password takes its time.
    async fn customers<const N: usize>(&self, maker: &Registered) -> [Tenant; N] {
        let mut tenants = Vec::new();
        for _ in 0..N {
            tenants.push(self.world.create_customer(maker).await);
        }
        tenants.try_into().unwrap()
    }

    /// An invitation by the reseller together with this provider, as whoever saw it would accept it.
    async fn invite(&self, provider: Option<&Registered>) -> (String, pb::AcceptInvitationRequest) {
        let (id, token) = self.world.invite(&self.reseller, World::invitation(provider)).await;
        (id, self.world.consent(&token).await)
    }

    async fn accept(
        &self,
        tenant: &Tenant,
        request: pb::AcceptInvitationRequest,
    ) -> Result<pb::AcceptInvitationResponse, Status> {
        soon("the end of an acceptance", self.world.try_accept(tenant.token(), request)).await
    }

    /// Waits until an acceptance of the invitation has begun.
    async fn begun(&self, invitation: &str) {
        let mut invitations = self.world.invitations().await;
        loop {
            let get = pb::GetInvitationRequest { invitation_id: invitation.to_owned() };
            let shown = invitations.get_invitation(authorized(self.reseller.token(), get)).await.unwrap();
            if shown.into_inner().acceptance.is_some() {
                return;
            }
        }
    }

    /// Ends the reseller's relationship everywhere.
    async fn remove(&self, tenant: &Tenant) {
        let request = pb::RemoveCustomerRequest {
            customer_id: tenant.customer_id.clone(),
            attestation_accepted: true,
            request_id: fresh(),
            ..Default::default()
        };
        let mut customers = self.world.customers().await;
        let done = async {
            loop {
                let removed = customers.remove_customer(authorized(self.reseller.token(), request.clone())).await;
                if removed.unwrap().into_inner().state() == pb::remove_customer_response::State::Done {
                    return;
                }
            }
        };
        soon("the end of a relationship", done).await;
    }

    /// Ends the reseller's partnership with this provider everywhere.
    async fn part(&self, provider: &Registered, partnership_id: &str) {
        let request = pb::RemovePartnershipRequest {
            partnership_id: partnership_id.to_owned(),
            attestation_accepted: true,
            request_id: fresh(),
            ..Default::default()
        };
        let mut partnerships = self.world.partnerships().await;
        let done = async {
            loop {
                let removed = partnerships.remove_partnership(authorized(provider.token(), request.clone())).await;
                if removed.unwrap().into_inner().state() == pb::remove_partnership_response::State::Done {
                    return;
                }
            }
        };
        soon("the end of a partnership", done).await;
    }

    /// Whether the reseller, and whether this provider, has the customer in its list.
    async fn who_serves(&self, tenant: &Tenant, provider: &Registered) -> (bool, bool) {
        let lists = async |partner| self.world.customer_ids(partner).await.contains(&tenant.customer_id);
        (lists(&self.reseller).await, lists(provider).await)
    }

    /// Whether each service shows the customer to the partner. Nothing, when one cannot say: it did not get an answer.
    async fn seen(&self, partner: &Registered, tenant: &Tenant) -> [Option<bool>; 3] {
        let customer_id = tenant.customer_id.clone();
        let users = ListUsersRequest { customer_id: customer_id.clone(), ..Default::default() };
        let mut identity = CustomerUserServiceClient::new(self.world.to_identity().await);
        let users = reason(&identity.list_users(authorized(partner.token(), users)).await);
        let held = ListEntitlementsRequest { customer_id: customer_id.clone(), ..Default::default() };
        let mut licensing = EntitlementServiceClient::new(self.world.to_licensing().await);
        let held = reason(&licensing.list_entitlements(authorized(partner.token(), held)).await);
        let get = pb::GetCustomerRequest { customer_id };
        let shown = reason(&self.world.customers().await.get_customer(authorized(partner.token(), get)).await);
        [users, held, shown].map(|reason| {
            let sight = SIGHTS.iter().find(|(answer, _)| *answer == reason);
            assert!(sight.is_some(), "{reason}");
            sight.and_then(|(_, sight)| *sight)
        })
    }

    /// Looks until everybody sees the customer in every service. Who has seen it once sees it ever after, everywhere.
    async fn watch(&self, tenant: &Tenant, partners: &[&Registered]) {
        let mut was_seen = false;
        loop {
            let mut hidden = 0;
            for partner in partners {
                for seen in self.seen(partner, tenant).await {
                    assert!(!was_seen || seen != Some(false), "what was seen is hidden again");
                    was_seen |= seen == Some(true);
                    hidden += u32::from(seen != Some(true));
                }
            }
            if hidden == 0 {
                return;
            }
        }
    }

    /// A customer accepts both, loses one, and gets it back.
    async fn accepted(&self, tenant: &Tenant, is_served: bool) -> &'static str {
        let (_, request) = self.invite(Some(&self.provider)).await;
        let watchers: &[&Registered] = if is_served { &[&self.provider] } else { &[&self.provider, &self.reseller] };
        let watching = soon("everybody's sight", self.watch(tenant, watchers));
        let (accepted, ()) = tokio::join!(self.accept(tenant, request), watching);
        assert_eq!(accepted.unwrap().authorized.len(), 2);
        assert_eq!(self.who_serves(tenant, &self.provider).await, (true, true));

        self.remove(tenant).await;
        assert_eq!(self.seen(&self.reseller, tenant).await, [Some(false); 3]);
        assert_eq!(self.who_serves(tenant, &self.provider).await, (false, true));
        if is_served {
            let partner_id = self.reseller.organization_id.clone();
            let revoke = pb::RevokeDelegatedAdminRequest { partner_id, request_id: fresh(), ..Default::default() };
            let revoked = self.world.customers().await.revoke_delegated_admin(authorized(tenant.token(), revoke)).await;
            revoked.unwrap();
        }
        let (_, request) = self.invite(None).await;
        assert_eq!(self.accept(tenant, request).await.unwrap().authorized.len(), 1);
        assert_eq!(self.seen(&self.reseller, tenant).await, [Some(true); 3]);
        assert_eq!(self.who_serves(tenant, &self.provider).await, (true, true));
        "accepted"
    }

    /// The partnership that a joint invitation rests on ends while a customer accepts.
    async fn accepted_while_the_partnership_ends(&self, tenant: &Tenant, provider: &Registered) -> &'static str {
        let partnership = self.world.join(provider, &self.reseller).await;
        let (id, request) = self.invite(Some(provider)).await;
        let ending = async {
            self.begun(&id).await;
            self.part(provider, &partnership).await;
        };
        let (accepted, ()) = tokio::join!(self.accept(tenant, request), ending);
        let outcome = reason(&accepted);
        let served = self.who_serves(tenant, provider).await;
        let is_accepted = outcome == "OK";
        assert!(is_accepted || outcome == "PARTNERSHIP_NOT_ACTIVE", "{outcome}");
        assert_eq!(served, (is_accepted, is_accepted));
        if is_accepted { "accepted before the partnership ended" } else { "refused for the partnership" }
    }

    /// The reseller's relationship ends while the customer accepts it again, together with the provider.
    async fn accepted_while_the_relationship_ends(&self, tenant: &Tenant) -> &'static str {
        let (id, request) = self.invite(Some(&self.provider)).await;
        let ending = async {
            self.begun(&id).await;
            self.remove(tenant).await;
        };
        let (accepted, ()) = tokio::join!(self.accept(tenant, request), ending);
        let outcome = reason(&accepted);
        let served = self.who_serves(tenant, &self.provider).await;
        let is_accepted = outcome == "OK";
        assert!(is_accepted || outcome == "ACCESS_CHANGED", "{outcome}");
        assert_eq!(served, (false, is_accepted));
        if is_accepted { "accepted before the relationship ended" } else { "refused for the relationship" }
    }

    /// Two partners want a customer of the same name: one is made, whole, and nothing of the other.
    async fn made_once(&self) -> &'static str {
        let request = World::new_customer();
        let other = pb::CreateCustomerRequest { request_id: fresh(), ..request.clone() };
        let (one, other) = tokio::join!(
            self.world.try_create_customer(self.reseller.token(), request),
            self.world.try_create_customer(self.maker.token(), other)
        );
        let reasons = [reason(&one), reason(&other)];
        assert!(reasons.contains(&"OK".to_owned()) && reasons.contains(&"DOMAIN_TAKEN".to_owned()), "{reasons:?}");
        let made = one.or(other).unwrap();
        self.world.sign_in(&made.admin_sign_in_name, &made.temporary_password).await;
        "made once"
    }

    /// What was met so far, by method.
    fn tallies(&self) -> BTreeMap<String, Tally> {
        let chaos = self.world.chaos();
        chaos.into_iter().flat_map(Chaos::tallies).collect()
    }

    /// Lets everybody come to rest, and then everything come that is still late.
    async fn agree(&self) {
        assert_eq!(self.world.violations().await, Vec::<String>::new());
        for chaos in self.world.chaos() {
            soon("the end of what is late", chaos.settle()).await;
        }
        assert_eq!(self.world.violations().await, Vec::<String>::new(), "after what came late");
    }
}

/// What was hardly met.
fn missing(tallies: &BTreeMap<String, Tally>, ended: &BTreeMap<&str, u64>) -> Vec<String> {
    let all = tallies.values().copied().fold(Tally::default(), Tally::and);
    let kinds =
        [("twice", all.twice), ("at once", all.at_once), ("overtaken", all.overtaken), ("repeated", all.repeated)];
    let kinds = kinds.into_iter().filter(|(_, met)| *met < EACH_KIND_MIN);
    let mut missing: Vec<String> = kinds.map(|(kind, met)| format!("{kind}: {met}")).collect();
    for method in METHODS {
        let tally = tallies.get(&format!("/tandem.{method}")).copied().unwrap_or_default();
        let met = tally.twice + tally.at_once + tally.overtaken + tally.repeated;
        if met < EACH_METHOD_MIN {
            missing.push(format!("{method}: {met}"));
        }
    }
    for refusal in ["refused for the partnership", "refused for the relationship"] {
        let met = ended.get(refusal).copied().unwrap_or(0);
        if met < REFUSALS_MIN {
            missing.push(format!("{refusal}: {met}"));
        }
    }
    missing
}

#[rstest]
#[tokio::test]
async fn however_the_services_reach_one_another_everybody_agrees_in_the_end(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let stage = Stage::set(kind).await;
    let mut ended: BTreeMap<&str, u64> = BTreeMap::new();
    for round in 1.. {
        let unserved: [Tenant; 3] = stage.customers(&stage.maker).await;
        let served: [Tenant; 3] = stage.customers(&stage.reseller).await;
        let outcomes: [&str; 8] = tokio::join!(
            stage.accepted(&unserved[0], false),
            stage.accepted(&served[0], true),
            stage.accepted_while_the_partnership_ends(&unserved[1], &stage.leavers[0]),
            stage.accepted_while_the_partnership_ends(&unserved[2], &stage.leavers[1]),
            stage.accepted_while_the_relationship_ends(&served[1]),
            stage.accepted_while_the_relationship_ends(&served[2]),
            stage.made_once(),
            stage.made_once(),
        )
        .into();
        for outcome in outcomes {
            *ended.entry(outcome).or_default() += 1;
        }
        stage.agree().await;
        let missing = missing(&stage.tallies(), &ended);
        if missing.is_empty() {
            break;
        }
        assert!(round < ROUNDS_MAX, "hardly met in {round} rounds: {missing:?}");
    }
    let all = stage.tallies().into_values().fold(Tally::default(), Tally::and);
    println!("{kind:?}: {all:?} over {ended:?}");
}
