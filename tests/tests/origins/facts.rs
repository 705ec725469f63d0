//! What the other services are told of organizations and customers' users, and what they find when they look first.

use prost::Message;
use proto::identity::v1::identity_fact::Fact;
use proto::identity::v1::organization_service_client::OrganizationServiceClient;
use proto::identity::v1::{
    AddOrganizationDomainRequest, IdentityFact, LookUpOrganizationRequest, LookUpUsersRequest, OrganizationFact,
    OrganizationKind, UpdateOrganizationRequest, UserFact, organization, user_fact,
};
use rstest::rstest;
use testkit::database::Kind;
use tests::harness::proxy::Mode;
use tests::world::{World, authorized, soon};
use uuid::Uuid;

use super::reason;

/// What waits to be told: to whom, and what. The relays may be at it, so a row is waited for.
async fn waiting(world: &World) -> Vec<(String, IdentityFact)> {
    let mut tx = world.identity.db().await.snapshot().await.unwrap();
    let rows: Vec<(String, Vec<u8>)> =
        tx.sql("SELECT destination, fact FROM outbox ORDER BY outbox_id").all().await.unwrap();
    tx.rollback().await;
    rows.into_iter().map(|(destination, fact)| (destination, IdentityFact::decode(fact.as_slice()).unwrap())).collect()
}

/// A world in which nothing arrives, with nothing told yet.
async fn silent(kind: Kind) -> World {
    let world = World::start(kind).await;
    soon("the platform is told", world.identity.told()).await;
    for edge in &world.edges[1..] {
        edge.set(Mode::Cut).await;
    }
    world
}

fn organizations(told: &[(String, IdentityFact)], destination: &str) -> Vec<(i64, OrganizationFact)> {
    let to = told.iter().filter(|(to, _)| to == destination);
    to.filter_map(|(_, fact)| match &fact.fact {
        Some(Fact::Organization(organization)) => Some((fact.version, organization.clone())),
        _ => None,
    })
    .collect()
}

fn users(told: &[(String, IdentityFact)], destination: &str) -> Vec<(i64, UserFact)> {
    let to = told.iter().filter(|(to, _)| to == destination);
    to.filter_map(|(_, fact)| match &fact.fact {
        Some(Fact::User(user)) => Some((fact.version, user.clone())),
        _ => None,
    })
    .collect()
}

#[rstest]
#[tokio::test]
async fn a_confirmed_customer_is_told_to_everybody_and_its_admin_to_licensing(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = silent(kind).await;
    let mut identity = world.inside_identity().await;
    let preparation = World::preparation();
    identity.prepare_organization(world.as_partner(preparation.clone())).await.unwrap();
    assert_eq!(waiting(&world).await, [], "nobody is told of a pending one");
    let customer = world.customer_of(preparation).await;
    let told = waiting(&world).await;
    let fact = OrganizationFact {
        organization_id: customer.customer_id.clone(),
        kind: OrganizationKind::Customer.into(),
        name: "Contoso".to_owned(),
        country: "US".to_owned(),
        cloud: proto::identity::v1::Cloud::Global.into(),
        state: organization::State::Active.into(),
        domains: vec![customer.domain.clone()],
    };
    for destination in ["licensing", "partner"] {
        assert_eq!(organizations(&told, destination), [(1, fact.clone())], "{destination}");
    }
    let admin = UserFact {
        user_id: customer.admin_user_id.clone(),
        customer_id: customer.customer_id.clone(),
        display_name: "Casey Customer".to_owned(),
        sign_in_name: customer.admin_sign_in_name.clone(),
        sort_key: format!("casey customer\u{1}{}", customer.admin_sign_in_name),
        usage_location: String::new(),
        state: user_fact::State::Active.into(),
    };
    assert_eq!(users(&told, "licensing"), [(1, admin.clone())]);
    assert_eq!(users(&told, "partner"), [], "who assigns no licenses is told of no users");

    let look = LookUpOrganizationRequest { organization_id: customer.customer_id.clone() };
    let found = identity.look_up_organization(world.as_licensing(look)).await.unwrap().into_inner();
    assert_eq!((found.version, found.organization), (1, Some(fact)));
    let look = LookUpUsersRequest { customer_id: customer.customer_id, user_ids: vec![customer.admin_user_id] };
    let found = identity.look_up_users(world.as_licensing(look)).await.unwrap().into_inner();
    assert_eq!(
        found.users.into_iter().map(|found| (found.version, found.user.unwrap())).collect::<Vec<_>>(),
        [(1, admin)]
    );
}

#[rstest]
#[tokio::test]
async fn every_change_of_an_organization_is_told_with_its_version(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = silent(kind).await;
    let registered = world.register().await;
    let mut organizations_client = OrganizationServiceClient::new(world.to_identity().await);
    let rename = UpdateOrganizationRequest {
        organization_id: registered.organization_id.clone(),
        name: "Renamed".to_owned(),
        request_id: Uuid::now_v7().to_string(),
        ..Default::default()
    };
    let token = &registered.session.access_token;
    for _ in 0..2 {
        organizations_client.update_organization(authorized(token, rename.clone())).await.unwrap();
    }
    let dry = UpdateOrganizationRequest { validate_only: true, ..rename };
    organizations_client.update_organization(authorized(token, dry)).await.unwrap();
    let operator = world.operator().await;
    let domain = format!("d{}.example", Uuid::now_v7().simple());
    let add = AddOrganizationDomainRequest {
        organization_id: registered.organization_id.clone(),
        domain: domain.clone(),
        ..Default::default()
    };
    organizations_client.add_organization_domain(authorized(&operator, add)).await.unwrap();
    let told = waiting(&world).await;
    for destination in ["licensing", "partner"] {
        let of_it = organizations(&told, destination);
        let brief: Vec<_> =
            of_it.iter().map(|(version, fact)| (*version, fact.name.as_str(), fact.domains.len())).collect();
        assert_eq!(brief, [(1, "Fabrikam Distribution", 1), (2, "Renamed", 1), (3, "Renamed", 2)], "{destination}");
        assert_eq!(of_it[2].1.domains, [registered.domain.clone(), domain.clone()]);
        assert_eq!(users(&told, destination), [], "a partner's users are told to nobody");
    }
}

#[rstest]
#[tokio::test]
async fn who_looks_first_finds_what_is_there_and_nothing_of_others(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let mut identity = world.inside_identity().await;
    let (customer, neighbor, partner) = (world.customer().await, world.customer().await, world.register().await);
    let pending = identity.prepare_organization(world.as_partner(World::preparation())).await.unwrap().into_inner();
    let unknown = Uuid::now_v7().to_string();
    let all = vec![
        customer.admin_user_id.clone(),
        neighbor.admin_user_id,
        partner.admin_user_id.clone(),
        pending.admin_user_id.clone(),
        unknown,
    ];
    let mut of = async |customer_id: &str| -> Vec<String> {
        let request = LookUpUsersRequest { customer_id: customer_id.to_owned(), user_ids: all.clone() };
        let found = identity.look_up_users(world.as_licensing(request)).await.unwrap().into_inner();
        found.users.into_iter().map(|found| found.user.unwrap().user_id).collect()
    };
    assert_eq!(of(&customer.customer_id).await, std::slice::from_ref(&customer.admin_user_id));
    assert_eq!(of(&partner.organization_id).await, Vec::<String>::new(), "a partner's users are no customer users");
    assert_eq!(of(&pending.organization.unwrap().organization_id).await, Vec::<String>::new());
    let many = LookUpUsersRequest {
        customer_id: customer.customer_id.clone(),
        user_ids: vec![customer.admin_user_id.clone(); 10_001],
    };
    assert_eq!(reason(&identity.look_up_users(world.as_licensing(many)).await), "TOO_LONG");
    let request = LookUpUsersRequest { customer_id: customer.customer_id, user_ids: Vec::new() };
    assert_eq!(reason(&identity.look_up_users(world.as_partner(request)).await), "CALLER_NOT_ALLOWED");
}
