//! The seats of deleted users: they come back once, whatever is told how often and in whatever order.

use proto::identity::v1::identity_fact::Fact;
use proto::identity::v1::{IdentityFact, user_fact};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::World;
use tokio::task::JoinSet;

use super::trade::{Licenses, Shop, Trade, change, words};

fn told(customer: &str, user: &str, version: i64, state: user_fact::State) -> IdentityFact {
    let mut fact = World::user_fact(customer, user, "Uma User");
    fact.state = state.into();
    IdentityFact { version, fact: Some(Fact::User(fact)) }
}

#[rstest]
#[tokio::test]
async fn a_deletion_that_is_told_again_frees_nothing_twice(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    use user_fact::State::{Active, Deleted};
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let (mut shop, mut licenses) = (Shop::of(world).await, Licenses::of(world).await);
    shop.order(trade.seller(), trade.order(4)).await.unwrap();
    let shield = trade.more(world, 4).await;
    let (token, customer) = (trade.helper(), trade.customer.as_str());
    let users = world.told_users(customer, 3).await;
    let both = [trade.product.as_str(), &shield];
    licenses.update(token, change(customer, &users, &both, &[])).await.unwrap();

    let mut telling = JoinSet::new();
    for _ in 0..4 {
        let facts: Vec<_> = users[..2].iter().map(|user| told(customer, user, 2, Deleted)).collect();
        let world = World::shared(kind).await;
        telling.spawn(async move { world.apply_identity_facts([facts.clone(), facts].concat()).await });
    }
    while let Some(answer) = telling.join_next().await {
        answer.unwrap().unwrap();
    }
    for product in both {
        let owned = shop.entitlement(token, customer, product).await;
        assert_eq!((owned.consumed, owned.available), (1, 3));
    }
    let results = licenses.update(token, change(customer, &users, &both, &[])).await.unwrap();
    assert_eq!(words(&results), ["USER_DELETED", "USER_DELETED", "UNCHANGED"]);

    // One comes back and gets a license; what is told of the former deletion comes too late.
    world.apply_identity_facts(vec![told(customer, &users[0], 3, Active)]).await.unwrap();
    let one = change(customer, &users[..1], &both[..1], &[]);
    assert_eq!(words(&licenses.update(token, one).await.unwrap()), ["CHANGED"]);
    world.apply_identity_facts(vec![told(customer, &users[0], 2, Deleted)]).await.unwrap();
    let owned = shop.entitlement(token, customer, both[0]).await;
    assert_eq!(owned.consumed, 2);
    let held = licenses.get(token, customer, &users[0]).await.unwrap();
    assert_eq!(held.len(), 1);
}

#[rstest]
#[tokio::test]
async fn whoever_is_deleted_while_licenses_are_given_keeps_none(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    Shop::of(world).await.order(trade.seller(), trade.order(40)).await.unwrap();
    let customer = trade.customer.clone();
    let users = world.told_users(&customer, 20).await;
    let mut tasks = JoinSet::new();
    for (at, user) in users.iter().cloned().enumerate() {
        let mut licenses = Licenses::of(world).await;
        let (customer, token) = (customer.clone(), trade.helper().to_owned());
        let request = change(&customer, &users, &[&trade.product], &[]);
        tasks.spawn(async move {
            if at % 2 == 0 {
                let fact = told(&customer, &user, 2, user_fact::State::Deleted);
                World::shared(kind).await.apply_identity_facts(vec![fact]).await.unwrap();
            } else {
                licenses.update(&token, request).await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let owned = Shop::of(world).await.entitlement(trade.helper(), &customer, &trade.product).await;
    assert_eq!((owned.consumed, owned.available), (10, 30), "ten are left, each with one seat");
}
