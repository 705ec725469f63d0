//! Lists of what a customer owns are walked from both ends in both directions (D-31).

use proto::licensing::v1::entitlement_service_client::EntitlementServiceClient;
use proto::licensing::v1::{
    Entitlement, ListEntitlementsRequest, PlaceOrderRequest, SummarizeLicensesRequest, list_entitlements_request,
    summarize_licenses_request,
};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{World, authorized};

use super::trade::{Licenses, Shop, Trade, line};

/// As they are listed: in any letter case.
const NAMES: [&str; 5] = ["Anchor", "beacon", "Capstan", "dock", "Ebb"];
const PAGE: usize = 2;

/// The names on a page, and the tokens of the next and the previous one.
type Page = (Vec<String>, String, String);

fn names(page: impl IntoIterator<Item = Option<Entitlement>>) -> Vec<String> {
    page.into_iter().map(|each| each.unwrap().product_name).collect()
}

/// What somebody sees who turns the pages of a list: each is asked for with a token and from which end.
async fn walk<F: Future<Output = Page>>(ask: impl Fn(String, bool) -> F) {
    let all = NAMES.map(str::to_owned);
    let (mut seen, mut token, mut back) = (Vec::new(), String::new(), Vec::new());
    loop {
        let (names, next, previous) = ask(token, false).await;
        assert!(names.len() <= PAGE && previous.is_empty() == seen.is_empty());
        seen.extend(names.clone());
        back.push((names, previous));
        token = next;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, all, "forward from the first");

    let (_, mut previous) = back.pop().unwrap();
    while let Some((names, _)) = back.pop() {
        let (again, next, before) = ask(previous, false).await;
        assert_eq!(again, names, "the page before");
        assert!(!next.is_empty());
        previous = before;
    }
    assert_eq!(previous, "", "nothing stands before the first");

    let (mut seen, mut page) = (Vec::new(), ask(String::new(), true).await);
    assert_eq!((page.0.last().map(String::as_str), page.1.as_str()), (Some("Ebb"), ""), "the last page ends the list");
    loop {
        seen = [page.0, seen].concat();
        if page.2.is_empty() {
            break;
        }
        page = ask(page.2, false).await;
    }
    assert_eq!(seen, all, "backward from the last");
}

#[rstest]
#[tokio::test]
async fn entitlements_and_summaries_are_walked_in_both_directions_from_both_ends(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let mut lines = Vec::new();
    for name in ["dock", "Anchor", "Ebb", "beacon", "Capstan"] {
        let product = world.product(name).await;
        lines.push(line(&world.offer(World::offer_of(&product)).await, 1));
    }
    Shop::of(world).await.order(trade.seller(), PlaceOrderRequest { lines, ..trade.order(1) }).await.unwrap();
    let users = world.told_users(&trade.customer, 1).await;
    let channel = world.to_licensing().await;
    let page_size = i32::try_from(PAGE).unwrap();

    walk(|page_token, from_the_end| {
        use list_entitlements_request::Seek;
        let seek = if from_the_end { Seek::Last } else { Seek::First }.into();
        let request = ListEntitlementsRequest {
            customer_id: trade.customer.clone(),
            page_size,
            page_token,
            seek,
            ..Default::default()
        };
        let (mut client, token) = (EntitlementServiceClient::new(channel.clone()), trade.helper());
        async move {
            let page = client.list_entitlements(authorized(token, request)).await.unwrap().into_inner();
            let listed = page.entitlements.into_iter().map(|detail| detail.entitlement);
            (names(listed), page.next_page_token, page.previous_page_token)
        }
    })
    .await;

    let licenses = Licenses::of(world).await;
    walk(|page_token, from_the_end| {
        use summarize_licenses_request::Seek;
        let seek = if from_the_end { Seek::Last } else { Seek::First }.into();
        let customer_id = trade.customer.clone();
        let request = SummarizeLicensesRequest { customer_id, user_ids: users.clone(), page_size, page_token, seek };
        let (mut licenses, token) = (licenses.clone(), trade.helper());
        async move {
            let page = licenses.summarize(token, request).await.unwrap();
            let listed = page.summaries.into_iter().map(|summary| summary.entitlement);
            (names(listed), page.next_page_token, page.previous_page_token)
        }
    })
    .await;
}
