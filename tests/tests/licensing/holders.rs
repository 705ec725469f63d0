//! A customer's users by what they hold.

use proto::identity::v1::identity_fact::Fact;
use proto::identity::v1::{IdentityFact, Role, user_fact};
use proto::licensing::v1::list_license_users_request::{Seek, Selector};
use proto::licensing::v1::{ListLicenseUsersRequest, UpdateLicensesRequest, license_user};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{Grant, World, fresh, wrong_fields};
use tonic::Code;

use super::plans::suite;
use super::trade::{Licenses, Trade, change, give, person};
use super::{outcome, reason};

/// Users of the customer in the order of their names, some of them elsewhere and one deleted.
async fn people(world: &World, customer: &str) -> Vec<String> {
    let users = world.told_users(customer, 7).await;
    let names = ["Ada", "Adam", "bela", "Cleo", "Dora", "Edda", "Gone"];
    for (at, (user, name)) in users.iter().zip(names).enumerate() {
        let mut fact = World::user_fact(customer, user, name);
        fact.sign_in_name = format!("{name}@contoso.example");
        if at % 2 == 1 {
            "AT".clone_into(&mut fact.usage_location);
        }
        if name == "Gone" {
            fact.state = user_fact::State::Deleted.into();
        }
        world.apply_identity_facts(vec![IdentityFact { version: 2, fact: Some(Fact::User(fact)) }]).await.unwrap();
    }
    users
}

#[rstest]
#[tokio::test]
async fn users_are_found_by_what_they_have_lack_and_are(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let mut licenses = Licenses::of(world).await;
    let (token, customer) = (trade.helper(), trade.customer.as_str());
    let (mail, shield) = (trade.more(world, 9).await, trade.more(world, 9).await);
    let users = people(world, customer).await;
    licenses.update(token, change(customer, &users[..3], &[&mail], &[])).await.unwrap();
    licenses.update(token, change(customer, &users[2..4], &[&shield], &[])).await.unwrap();
    let all = ListLicenseUsersRequest { customer_id: customer.to_owned(), ..Default::default() };
    let of = |selector: Selector, product: &str| ListLicenseUsersRequest {
        selector: selector.into(),
        product_id: product.to_owned(),
        ..all.clone()
    };
    for (request, expected) in [
        (all.clone(), "Ada Adam bela Cleo Dora Edda"),
        (of(Selector::Has, &mail), "Ada Adam bela"),
        (of(Selector::Lacks, &mail), "Cleo Dora Edda"),
        (of(Selector::Lacks, &fresh()), "Ada Adam bela Cleo Dora Edda"),
        (of(Selector::Has, &fresh()), ""),
        (of(Selector::Unlicensed, ""), "Dora Edda"),
        (ListLicenseUsersRequest { usage_location: "at".to_owned(), ..of(Selector::Lacks, &mail) }, "Cleo Edda"),
        (ListLicenseUsersRequest { display_name_prefix: "aDa".to_owned(), ..of(Selector::Has, &mail) }, "Ada Adam"),
        (ListLicenseUsersRequest { display_name_prefix: "B".to_owned(), ..of(Selector::Has, &shield) }, "bela"),
        (ListLicenseUsersRequest { sign_in_name_prefix: "ADA".to_owned(), ..of(Selector::Has, &mail) }, "Ada Adam"),
        (ListLicenseUsersRequest { sign_in_name_prefix: "adam@".to_owned(), ..all.clone() }, "Adam"),
        (ListLicenseUsersRequest { sign_in_name_prefix: "dam".to_owned(), ..all.clone() }, ""),
        (ListLicenseUsersRequest { state: license_user::State::Deleted.into(), ..all.clone() }, "Gone"),
    ] {
        let found = licenses.list(token, request.clone()).await.unwrap().users;
        let names: Vec<&str> = found.iter().map(|user| user.display_name.as_str()).collect();
        assert_eq!(names.join(" "), expected, "{request:?}");
    }
    let bela = &licenses.list(token, of(Selector::Has, &shield)).await.unwrap().users[0];
    let mut held = [mail.clone(), shield.clone()];
    held.sort();
    assert_eq!(bela.licenses.iter().map(|license| license.product_id.as_str()).collect::<Vec<_>>(), held);
    assert_eq!((bela.user_id.as_str(), bela.usage_location.as_str()), (users[2].as_str(), "DE"));
    assert_eq!(bela.state(), license_user::State::Active);

    let odd = ListLicenseUsersRequest {
        usage_location: "UK".to_owned(),
        state: 9,
        display_name_prefix: "a".repeat(51),
        sign_in_name_prefix: "a".repeat(321),
        page_size: -1,
        seek: 9,
        ..of(Selector::Has, "")
    };
    let fields = wrong_fields(licenses.list(token, odd).await);
    assert_eq!(
        fields,
        ["product_id", "usage_location", "state", "display_name_prefix", "sign_in_name_prefix", "page_size", "seek",]
    );
    assert_eq!(wrong_fields(licenses.list(token, of(Selector::Unlicensed, &mail)).await), ["product_id"]);
}

#[rstest]
#[tokio::test]
async fn who_lacks_a_product_is_found_across_pages_from_both_ends(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let mut licenses = Licenses::of(world).await;
    let (token, customer) = (trade.helper(), trade.customer.as_str());
    let product = trade.more(world, 9).await;
    let users = world.told_users(customer, 11).await;
    let holders: Vec<String> = users.iter().step_by(3).cloned().collect();
    licenses.update(token, change(customer, &holders, &[&product], &[])).await.unwrap();
    let mut lacking: Vec<String> = users.iter().filter(|user| !holders.contains(user)).cloned().collect();
    // All of them have the same name, so ids decide.
    lacking.sort();
    let request = ListLicenseUsersRequest {
        customer_id: customer.to_owned(),
        selector: Selector::Lacks.into(),
        product_id: product.clone(),
        page_size: 2,
        ..Default::default()
    };
    for seek in [Seek::First, Seek::Last] {
        let (mut found, mut page_token, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let request = ListLicenseUsersRequest { page_token, seek: seek.into(), ..request.clone() };
            let page = licenses.list(token, request).await.unwrap();
            let ids = page.users.into_iter().map(|user| user.user_id);
            found =
                if seek == Seek::First { found.into_iter().chain(ids).collect() } else { ids.chain(found).collect() };
            pages += 1;
            page_token = if seek == Seek::First { page.next_page_token } else { page.previous_page_token };
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!((found, pages), (lacking.clone(), lacking.len().div_ceil(2)));
    }
    let first = licenses.list(token, request.clone()).await.unwrap();
    let other =
        ListLicenseUsersRequest { page_token: first.next_page_token, selector: Selector::Has.into(), ..request };
    let refused = licenses.list(token, other).await;
    assert_eq!(outcome(&refused), (Code::InvalidArgument, "PAGE_TOKEN_INVALID".to_owned()));
}

#[rstest]
#[case(&[Role::UserManagementAdmin], "OK")]
#[case(&[Role::BillingAdmin], "ROLE_NOT_ALLOWED")]
#[case(&[Role::HelpdeskAgent], "OK")]
#[tokio::test]
async fn users_are_listed_for_who_may_see_their_licenses(
    #[case] roles: &[Role],
    #[case] expected: &str,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let mut licenses = Licenses::of(world).await;
    let token = &person(world, &trade.reseller, roles).await;
    let of = |customer: &str| ListLicenseUsersRequest { customer_id: customer.to_owned(), ..Default::default() };
    assert_eq!(reason(&licenses.list(token, of(&trade.customer)).await), expected);
    if expected == "OK" {
        assert_eq!(reason(&licenses.list(token, of(&fresh())).await), "NOT_FOUND");
        let strange = world.told_customer("DE").await;
        assert_eq!(reason(&licenses.list(token, of(&strange)).await), "NOT_FOUND");
        let without = Grant { delegated_admin: false, epoch: 2, ..Grant::RESELLER };
        world.told_access(&trade.customer, &trade.reseller.organization_id, without).await;
        assert_eq!(reason(&licenses.list(token, of(&trade.customer)).await), "DELEGATED_ADMIN_REQUIRED");
    }
}

#[rstest]
#[tokio::test]
async fn of_users_who_hold_much_fewer_make_a_page_and_the_next_one_has_the_others(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let mut licenses = Licenses::of(world).await;
    let (token, customer) = (trade.helper(), trade.customer.as_str());
    let plans: Vec<String> = (0..101).map(|_| fresh()).collect();
    let plans: Vec<&str> = plans.iter().map(String::as_str).collect();
    let product = suite(world, &trade, &plans, 1_000).await;
    let mut users = world.told_users(customer, 1_000).await;
    let left_out =
        UpdateLicensesRequest { assign: vec![give(&product, &plans[1..])], ..change(customer, &users, &[], &[]) };
    licenses.update(token, left_out).await.unwrap();
    let all = ListLicenseUsersRequest { customer_id: customer.to_owned(), page_size: 1_000, ..Default::default() };
    let first = licenses.list(token, all.clone()).await.unwrap();
    let next = ListLicenseUsersRequest { page_token: first.next_page_token.clone(), ..all.clone() };
    let next = licenses.list(token, next).await.unwrap();
    assert!((500..1_000).contains(&first.users.len()), "{}", first.users.len());
    assert_eq!((next.next_page_token.as_str(), next.previous_page_token.is_empty()), ("", false));
    let both = first.users.iter().chain(&next.users);
    assert!(both.clone().all(|user| user.licenses[0].excluded_service_plan_ids.len() == 100));
    let mut found: Vec<String> = both.map(|user| user.user_id.clone()).collect();
    let last = licenses.list(token, ListLicenseUsersRequest { seek: Seek::Last.into(), ..all }).await.unwrap();
    assert_eq!(last.users.last(), next.users.last());
    assert_eq!((last.users.len(), last.previous_page_token.is_empty()), (first.users.len(), false));
    found.sort();
    users.sort();
    assert_eq!(found, users);
}
