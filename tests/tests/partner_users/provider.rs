//! A provider that administers a reseller's organization, until that is revoked (D-64, C25).

use proto::common::v1::ListAuditEntriesRequest;
use proto::common::v1::audit_service_client::AuditServiceClient;
use proto::identity::v1::{AddPartnerUserRequest, ListPartnerUsersRequest, Role};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{Registered, World, authorized};
use tonic::Code;
use uuid::Uuid;

use super::{Users, outcome, reason, removal_of, reset_of, roles_of};

/// A provider and a reseller whose organization it administers.
struct Two {
    world: &'static World,
    provider: Registered,
    reseller: Registered,
}

impl Two {
    async fn open(kind: Kind) -> Self {
        let world = World::shared(kind).await;
        let (provider, reseller) = (world.register().await, world.register().await);
        let two = Self { world, provider, reseller };
        two.grant(true, 1).await;
        two
    }

    async fn grant(&self, granted: bool, version: i64) {
        let (provider, reseller) = (&self.provider.organization_id, &self.reseller.organization_id);
        self.world.grant_admin_access(provider, reseller, granted, version).await;
    }

    /// A user for the reseller.
    fn addition(&self, roles: &[Role]) -> AddPartnerUserRequest {
        let organization_id = self.reseller.organization_id.clone();
        AddPartnerUserRequest { organization_id, ..World::addition(&self.reseller, roles) }
    }

    /// A list of the reseller's users.
    fn list(&self) -> ListPartnerUsersRequest {
        let organization_id = self.reseller.organization_id.clone();
        ListPartnerUsersRequest { organization_id, ..Default::default() }
    }

    async fn token(&self, roles: &[Role]) -> String {
        self.world.hire(&self.provider, roles).await.session.access_token
    }
}

/// How every operation on a user of that organization is answered.
async fn everything(users: &mut Users, token: &str, two: &Two, user_id: &str) -> Vec<String> {
    vec![
        reason(&users.add(token, two.addition(&[])).await),
        reason(&users.list(token, two.list()).await),
        reason(&users.get(token, user_id).await),
        reason(&users.update(token, roles_of(user_id, &[Role::SalesAgent])).await),
        reason(&users.reset(token, reset_of(user_id)).await),
        reason(&users.remove(token, removal_of(user_id)).await),
    ]
}

#[rstest]
#[tokio::test]
async fn a_provider_manages_a_resellers_users_until_that_is_revoked(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let two = Two::open(kind).await;
    let mut users = Users::of(two.world).await;
    for role in [Role::GlobalAdmin, Role::AdminAgent] {
        let person = two.world.hire(&two.reseller, &[Role::HelpdeskAgent]).await;
        let token = two.token(&[role]).await;
        assert_eq!(everything(&mut users, &token, &two, &person.user_id).await, ["OK"; 6], "{role:?}");
    }
    let agent = two.token(&[Role::AdminAgent]).await;
    let person = two.world.hire(&two.reseller, &[Role::HelpdeskAgent]).await;
    two.grant(false, 2).await;
    assert_eq!(everything(&mut users, &agent, &two, &person.user_id).await, ["NOT_FOUND"; 6]);
    two.grant(true, 1).await;
    assert_eq!(everything(&mut users, &agent, &two, &person.user_id).await, ["NOT_FOUND"; 6], "a late grant is none");
}

#[rstest]
#[tokio::test]
async fn a_user_whom_the_provider_adds_is_the_resellers_and_stands_in_its_journal(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let two = Two::open(kind).await;
    let mut users = Users::of(two.world).await;
    let token = &two.provider.session.access_token;
    let foreign = AddPartnerUserRequest {
        organization_id: two.reseller.organization_id.clone(),
        ..World::addition(&two.provider, &[])
    };
    let refused = users.add(token, foreign).await;
    assert_eq!(outcome(&refused), (Code::FailedPrecondition, "DOMAIN_NOT_OWNED".to_owned()));
    let added = users.add(token, two.addition(&[Role::AdminAgent])).await.unwrap();
    let user = added.user.unwrap();
    let own = users.list(&two.reseller.session.access_token, Default::default()).await.unwrap().users;
    assert!(own.iter().any(|own| own.user_id == user.user_id));
    assert_eq!(users.list(token, two.list()).await.unwrap().users, own);
    let mine = users.list(token, Default::default()).await.unwrap().users;
    assert!(mine.iter().all(|mine| mine.user_id != user.user_id), "it is none of the provider's");
    two.world.replace_password(&user.sign_in_name, &added.temporary_password).await;
    users.update(token, roles_of(&user.user_id, &[Role::SalesAgent])).await.unwrap();
    users.remove(token, removal_of(&user.user_id)).await.unwrap();

    let mut audit = AuditServiceClient::new(two.world.to_identity().await);
    let request = ListAuditEntriesRequest { action_prefix: "PartnerUser".to_owned(), ..Default::default() };
    let request = authorized(&two.reseller.session.access_token, request);
    let entries = audit.list_audit_entries(request).await.unwrap().into_inner().entries;
    let told: Vec<_> = entries.iter().map(|entry| (entry.action.as_str(), entry.actor_id.as_str())).collect();
    let admin = two.provider.admin_user_id.as_str();
    assert_eq!(told, [("PartnerUserRemoved", admin), ("PartnerUserRolesUpdated", admin), ("PartnerUserAdded", admin)]);
}

#[rstest]
#[tokio::test]
async fn a_provider_never_touches_a_global_admin_of_a_reseller_and_makes_none(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let two = Two::open(kind).await;
    let mut users = Users::of(two.world).await;
    let token = &two.provider.session.access_token;
    let (person, admin) = (two.world.hire(&two.reseller, &[]).await, &two.reseller.admin_user_id);
    users.get(token, admin).await.expect("it may be looked at");
    let refused = [
        reason(&users.add(token, two.addition(&[Role::SalesAgent, Role::GlobalAdmin])).await),
        reason(&users.update(token, roles_of(&person.user_id, &[Role::GlobalAdmin])).await),
        reason(&users.update(token, roles_of(admin, &[Role::SalesAgent])).await),
        reason(&users.reset(token, reset_of(admin)).await),
        reason(&users.remove(token, removal_of(admin)).await),
    ];
    assert_eq!(refused, ["ROLE_NOT_GRANTABLE"; 5]);
    let agent = two.token(&[Role::AdminAgent]).await;
    let billing = users.add(&agent, two.addition(&[Role::BillingAdmin])).await;
    assert_eq!(reason(&billing), "ROLE_NOT_GRANTABLE", "an admin agent grants there what it grants at home");
    users.add(token, two.addition(&[Role::BillingAdmin])).await.unwrap();
    two.world.sign_in(&two.reseller.admin_sign_in_name, tests::world::PASSWORD).await;
}

#[rstest]
#[tokio::test]
async fn for_everybody_else_another_organization_is_not_there(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let two = Two::open(kind).await;
    let mut users = Users::of(two.world).await;
    let person = two.world.hire(&two.reseller, &[Role::HelpdeskAgent]).await;
    let manager = two.token(&[Role::UserManagementAdmin]).await;
    assert_eq!(everything(&mut users, &manager, &two, &person.user_id).await, ["NOT_FOUND"; 6]);
    let seller = two.token(&[Role::SalesAgent]).await;
    let [no, hidden] = ["ROLE_NOT_ALLOWED", "NOT_FOUND"];
    assert_eq!(everything(&mut users, &seller, &two, &person.user_id).await, [no, hidden, hidden, no, no, no]);

    // The access goes one way, and to nobody else.
    let (stranger, reseller) = (two.world.register().await, &two.reseller.session.access_token);
    let stranger = &stranger.session.access_token;
    assert_eq!(everything(&mut users, stranger, &two, &person.user_id).await, ["NOT_FOUND"; 6]);
    assert_eq!(reason(&users.get(reseller, &two.provider.admin_user_id).await), "NOT_FOUND");
    let unknown = ListPartnerUsersRequest { organization_id: Uuid::now_v7().to_string(), ..Default::default() };
    assert_eq!(reason(&users.list(&two.provider.session.access_token, unknown).await), "NOT_FOUND");
    let refused = users.list(stranger, two.list()).await.unwrap_err();
    let id = &two.reseller.organization_id;
    assert_eq!(refused.message(), format!("no organization {id} is visible to you"));
}

#[rstest]
#[tokio::test]
async fn a_page_token_is_good_for_the_organization_it_was_made_for(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let two = Two::open(kind).await;
    let mut users = Users::of(two.world).await;
    let token = &two.provider.session.access_token;
    two.world.hire(&two.reseller, &[]).await;
    let first = users.list(token, ListPartnerUsersRequest { page_size: 1, ..two.list() }).await.unwrap();
    let next = ListPartnerUsersRequest { page_token: first.next_page_token, page_size: 1, ..two.list() };
    let at_home = ListPartnerUsersRequest { organization_id: String::new(), ..next.clone() };
    assert_eq!(reason(&users.list(token, at_home).await), "PAGE_TOKEN_INVALID");
    users.list(token, next).await.unwrap();
}
