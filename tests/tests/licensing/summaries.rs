//! What a selection of users holds, product by product.

use proto::identity::v1::identity_fact::Fact;
use proto::identity::v1::{IdentityFact, UserFact, user_fact};
use proto::licensing::v1::license_summary::Holding;
use proto::licensing::v1::{PlaceOrderRequest, SummarizeLicensesRequest};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{Grant, World, fresh};
use tonic::Code;

use super::trade::{Licenses, Shop, Trade, change};
use super::{detail, outcome, reason};

fn of(customer_id: &str, users: &[String]) -> SummarizeLicensesRequest {
    SummarizeLicensesRequest { customer_id: customer_id.to_owned(), user_ids: users.to_vec(), ..Default::default() }
}

#[rstest]
#[tokio::test]
async fn a_selection_is_summarized_by_product_with_its_users_in_order_of_their_names(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let (mut shop, mut licenses) = (Shop::of(world).await, Licenses::of(world).await);
    let order = PlaceOrderRequest { reseller_mpn_id: trade.reseller_mpn_id.clone(), ..trade.order(5) };
    let placed = shop.order(trade.seller(), order).await.unwrap();
    let shield = trade.more(world, 2).await;
    let (token, customer) = (trade.helper(), trade.customer.as_str());
    let users: Vec<String> = (0..3).map(|_| fresh()).collect();
    let facts = users
        .iter()
        .zip(["charlie", "Alpha", "bravo"])
        .map(|(id, name)| IdentityFact { version: 1, fact: Some(Fact::User(World::user_fact(customer, id, name))) });
    world.apply_identity_facts(facts.collect()).await.unwrap();
    licenses.update(token, change(customer, &users[..1], &[&trade.product], &[])).await.unwrap();
    licenses
        .update(token, change(customer, &world.told_users(customer, 2).await, &[&trade.product], &[]))
        .await
        .unwrap();
    licenses.update(token, change(customer, &users[..2], &[&shield], &[])).await.unwrap();

    let summary = licenses.summarize(token, of(customer, &users)).await.unwrap();
    let names: Vec<&str> = summary.users.iter().map(|user| user.display_name.as_str()).collect();
    assert_eq!(names, ["Alpha", "bravo", "charlie"]);
    let [mail, taken] = summary.summaries.as_slice() else { panic!("the customer owns two products") };
    let owned = mail.entitlement.as_ref().unwrap();
    assert_eq!((mail.holding(), owned.available, owned.buy_more), (Holding::Some, 2, false));
    assert_eq!(mail.assigned_user_ids, [users[0].as_str()]);
    let owned = taken.entitlement.as_ref().unwrap();
    assert_eq!((taken.holding(), owned.available, owned.buy_more), (Holding::Some, 0, true));
    assert_eq!(taken.assigned_user_ids, [users[1].as_str(), users[0].as_str()], "in the order of the users");
    assert_eq!(
        summary.orderable_by_partner_ids,
        [trade.provider.organization_id.as_str()],
        "the provider is to be asked"
    );
    let more = world.told_users(customer, 2).await;
    licenses.update(token, change(customer, &more, &[&trade.product], &[])).await.unwrap();
    let exhausted = licenses.summarize(token, of(customer, &users)).await.unwrap().summaries.remove(0);
    let owned = exhausted.entitlement.unwrap();
    assert_eq!((owned.available, owned.buy_more), (0, true));
    let source = &owned.sources[0];
    assert_eq!(
        (&source.subscription_id, &source.offer_id),
        (&placed.subscriptions[0].subscription_id, &trade.offer),
        "more is bought there"
    );

    let both = licenses.summarize(token, of(customer, &users[..2])).await.unwrap();
    assert_eq!(both.summaries[1].holding(), Holding::All);
    let one = licenses.summarize(token, of(customer, &users[2..])).await.unwrap();
    assert!(one.summaries.iter().all(|summary| summary.holding() == Holding::None));
    let again = licenses.summarize(token, of(customer, &users)).await.unwrap();
    assert_eq!((&again.users, &again.summaries[1]), (&summary.users, &summary.summaries[1]));
    assert_eq!(licenses.summarize(token, of(customer, &users)).await.unwrap(), again, "the answer is always the same");
}

#[rstest]
#[tokio::test]
async fn who_does_not_count_in_a_selection_is_named_and_everybody_else_counts(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let mut licenses = Licenses::of(world).await;
    Shop::of(world).await.order(trade.seller(), trade.order(5)).await.unwrap();
    let (token, customer) = (trade.helper(), trade.customer.as_str());
    let [here, gone] = world.told_users(customer, 2).await.try_into().unwrap();
    let neighbor = world.told_users(&world.told_customer("DE").await, 1).await.remove(0);
    licenses.update(token, change(customer, std::slice::from_ref(&here), &[&trade.product], &[])).await.unwrap();
    let state = user_fact::State::Deleted.into();
    let fact = UserFact { state, ..World::user_fact(customer, &gone, "Zoe") };
    world.apply_identity_facts(vec![IdentityFact { version: 2, fact: Some(Fact::User(fact)) }]).await.unwrap();
    let selection = [gone.clone(), here.clone(), here.clone(), neighbor.clone()];
    let summary = licenses.summarize(token, of(customer, &selection)).await.unwrap();
    let users: Vec<(&str, &str)> =
        summary.users.iter().map(|user| (user.user_id.as_str(), user.reason.as_str())).collect();
    assert_eq!(users, [(here.as_str(), ""), (&gone, "USER_DELETED"), (&neighbor, "NOT_FOUND")]);
    assert_eq!(summary.users[2].display_name, "", "nothing is told of another customer's user");
    assert_eq!(summary.summaries[0].holding(), Holding::All);

    assert_eq!(reason(&licenses.summarize(token, of(customer, &[])).await), "EMPTY_SELECTION");
    let many: Vec<String> = (0..1_001).map(|_| fresh()).collect();
    let refused = licenses.summarize(token, of(customer, &many)).await;
    assert_eq!(outcome(&refused), (Code::InvalidArgument, "TOO_LONG".to_owned()));
    assert_eq!(detail(&refused, "limit").as_deref(), Some("license_selection_max"));
    let refused = licenses.get(token, customer, &neighbor).await;
    assert_eq!(outcome(&refused), (Code::NotFound, "NOT_FOUND".to_owned()));
}

#[rstest]
#[tokio::test]
async fn products_of_a_summary_come_in_pages(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let mut licenses = Licenses::of(world).await;
    Shop::of(world).await.order(trade.seller(), trade.order(5)).await.unwrap();
    trade.more(world, 1).await;
    let users = world.told_users(&trade.customer, 1).await;
    let request = SummarizeLicensesRequest { page_size: 1, ..of(&trade.customer, &users) };
    let first = licenses.summarize(trade.helper(), request.clone()).await.unwrap();
    let next = SummarizeLicensesRequest { page_token: first.next_page_token.clone(), ..request.clone() };
    let second = licenses.summarize(trade.helper(), next).await.unwrap();
    let name = |summary: &proto::licensing::v1::SummarizeLicensesResponse| {
        summary.summaries[0].entitlement.as_ref().unwrap().product_name.clone()
    };
    assert_eq!((name(&first), name(&second)), ("Harbor Mail".to_owned(), "Harbor Shield".to_owned()));
    assert_eq!(second.next_page_token, "");
    let other = SummarizeLicensesRequest {
        user_ids: world.told_users(&trade.customer, 1).await,
        page_token: first.next_page_token,
        ..request
    };
    assert_eq!(reason(&licenses.summarize(trade.helper(), other).await), "PAGE_TOKEN_INVALID");
}

#[rstest]
#[tokio::test]
async fn the_customers_own_global_admin_looks_on(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let customer = world.customer_with_admin().await;
    let (id, token) = (customer.organization_id.as_str(), &customer.session.access_token);
    world.told_access(id, &trade.provider.organization_id, Grant::DIRECT).await;
    let order = PlaceOrderRequest { customer_id: id.to_owned(), ..trade.order(3) };
    Shop::of(world).await.order(trade.seller(), order).await.unwrap();
    let users = world.told_users(id, 2).await;
    let mut licenses = Licenses::of(world).await;
    let give = change(id, &users[..1], &[&trade.product], &[]);
    licenses.update(trade.seller(), give.clone()).await.unwrap();
    let summary = licenses.summarize(token, of(id, &users)).await.unwrap();
    assert_eq!(summary.summaries[0].holding(), Holding::Some);
    assert_eq!(licenses.get(token, id, &users[0]).await.unwrap().len(), 1);
    let refused = licenses.update(token, give).await;
    assert_eq!(outcome(&refused), (Code::PermissionDenied, "ORGANIZATION_KIND_NOT_ALLOWED".to_owned()));
    assert_eq!(reason(&licenses.get(token, &trade.customer, &users[0]).await), "NOT_FOUND");
}
