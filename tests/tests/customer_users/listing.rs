//! Lists of a customer's users: pages in every direction (D-31), and filters (D-20).

use proto::identity::v1::list_users_request::Seek;
use proto::identity::v1::{ListUsersRequest, User};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::World;
use uuid::Uuid;

use super::{Desk, Users, all_of, outcome, reason};

/// Makes a user of that name, who signs in as `local` and uses licenses there.
async fn make(desk: &Desk, users: &mut Users, name: &str, local: &str, location: &str) -> User {
    let mut request = World::creation(&desk.customer, &[]);
    let user = request.user.as_mut().unwrap();
    user.display_name = name.to_owned();
    user.sign_in_name = format!("{local}@{}", desk.customer.domain);
    user.usage_location = location.to_owned();
    users.create(desk.admin(), request).await.unwrap().user.unwrap()
}

fn names(users: &[User]) -> Vec<&str> {
    users.iter().map(|user| user.sign_in_name.split('@').next().unwrap()).collect()
}

#[rstest]
#[tokio::test]
async fn a_customers_users_are_walked_in_both_directions_from_both_ends(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let desk = Desk::open(kind).await;
    let mut users = desk.users().await;
    // The same name three times, in an order of making that is none of sign-in names; a name that begins another.
    for (name, local) in
        [("Zoe", "c"), ("ZOE", "a"), ("zoe", "b"), ("Zoe Z", "0"), ("Élodie", "e"), ("adam", "z"), ("Ｂob", "y")]
    {
        make(&desk, &mut users, name, local, "").await;
    }
    let whole = users.list(desk.admin(), all_of(&desk.customer)).await.unwrap();
    assert_eq!(names(&whole.users), ["z", "y", "casey", "a", "b", "c", "0", "e"]);
    assert!(whole.next_page_token.is_empty() && whole.previous_page_token.is_empty());

    let page = |token: &str, seek: Seek| ListUsersRequest {
        page_size: 3,
        page_token: token.to_owned(),
        seek: seek.into(),
        ..all_of(&desk.customer)
    };
    let mut forward = Vec::new();
    let mut answer = users.list(desk.admin(), page("", Seek::First)).await.unwrap();
    assert!(answer.previous_page_token.is_empty());
    loop {
        forward.extend(answer.users);
        if answer.next_page_token.is_empty() {
            break;
        }
        answer = users.list(desk.admin(), page(&answer.next_page_token, Seek::First)).await.unwrap();
    }
    assert_eq!(forward, whole.users);
    let mut backward = Vec::new();
    let mut answer = users.list(desk.admin(), page("", Seek::Last)).await.unwrap();
    assert!(answer.next_page_token.is_empty());
    loop {
        backward.splice(0..0, answer.users);
        if answer.previous_page_token.is_empty() {
            break;
        }
        answer = users.list(desk.admin(), page(&answer.previous_page_token, Seek::First)).await.unwrap();
    }
    assert_eq!(backward, whole.users);
}

#[rstest]
#[tokio::test]
async fn a_list_holds_what_every_filter_lets_through(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let desk = Desk::open(kind).await;
    let mut users = desk.users().await;
    let mut made = Vec::new();
    for (name, local, location) in
        [("Anna", "anna", "DE"), ("Annabel", "bel", "FR"), ("ANNE", "anne", "DE"), ("Bert", "ann.b", "")]
    {
        made.push(make(&desk, &mut users, name, local, location).await);
    }
    let neighbor = desk.world.served_by(&desk.partner.organization_id).await;
    let all = || all_of(&desk.customer);
    let ids = |of: &[usize]| -> Vec<String> { of.iter().map(|at| made[*at].user_id.clone()).collect() };
    let selected = [ids(&[3, 0, 0, 2]), vec![neighbor.admin_user_id.clone(), Uuid::now_v7().to_string()]].concat();
    let cases: Vec<(ListUsersRequest, &[&str])> = vec![
        (ListUsersRequest { display_name_prefix: " aNn".to_owned(), ..all() }, &["anna", "bel", "anne"]),
        (ListUsersRequest { display_name_prefix: "anna".to_owned(), ..all() }, &["anna", "bel"]),
        (ListUsersRequest { sign_in_name_prefix: "ANN".to_owned(), ..all() }, &["anna", "anne", "ann.b"]),
        (ListUsersRequest { usage_location: "de".to_owned(), ..all() }, &["anna", "anne"]),
        (ListUsersRequest { user_ids: selected.clone(), ..all() }, &["anna", "anne", "ann.b"]),
        (
            ListUsersRequest {
                user_ids: selected.clone(),
                usage_location: "DE".to_owned(),
                display_name_prefix: "anne".to_owned(),
                sign_in_name_prefix: "a".to_owned(),
                ..all()
            },
            &["anne"],
        ),
        (ListUsersRequest { user_ids: vec![neighbor.admin_user_id.clone()], ..all() }, &[]),
        (ListUsersRequest { display_name_prefix: "_nna".to_owned(), ..all() }, &[]),
    ];
    for (request, expected) in cases {
        let found = users.list(desk.admin(), request.clone()).await.unwrap().users;
        assert_eq!(names(&found), expected, "{request:?}");
    }

    let page = ListUsersRequest { user_ids: selected, page_size: 2, seek: Seek::Last.into(), ..all() };
    let last = users.list(desk.admin(), page.clone()).await.unwrap();
    assert_eq!(names(&last.users), ["anne", "ann.b"]);
    let first = ListUsersRequest { page_token: last.previous_page_token.clone(), ..page.clone() };
    assert_eq!(names(&users.list(desk.admin(), first.clone()).await.unwrap().users), ["anna"]);
    let others = [
        ListUsersRequest { user_ids: ids(&[0]), ..first.clone() },
        ListUsersRequest { usage_location: "DE".to_owned(), ..first.clone() },
        ListUsersRequest { customer_id: neighbor.customer_id, ..first },
    ];
    for other in others {
        assert_eq!(reason(&users.list(desk.admin(), other.clone()).await), "PAGE_TOKEN_INVALID", "{other:?}");
    }
}

#[rstest]
#[tokio::test]
async fn a_selection_has_a_thousand_users_and_no_more(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let desk = Desk::open(kind).await;
    let mut users = desk.users().await;
    let selection = |count: usize| ListUsersRequest {
        user_ids: vec![desk.customer.admin_user_id.clone(); count],
        ..all_of(&desk.customer)
    };
    assert_eq!(users.list(desk.admin(), selection(1_000)).await.unwrap().users.len(), 1);
    assert_eq!(reason(&users.list(desk.admin(), selection(1_001)).await), "TOO_LONG");
    let all = || all_of(&desk.customer);
    let cases = [
        (ListUsersRequest { page_size: 1_001, ..all() }, "OUT_OF_RANGE"),
        (ListUsersRequest { seek: 9, ..all() }, "UNKNOWN_VALUE"),
        (ListUsersRequest { usage_location: "UK".to_owned(), ..all() }, "COUNTRY_UNKNOWN"),
        (ListUsersRequest { display_name_prefix: "x".repeat(51), ..all() }, "TOO_LONG"),
        (ListUsersRequest { user_ids: vec!["x".to_owned()], ..all() }, "MALFORMED"),
        (ListUsersRequest { customer_id: String::new(), ..all() }, "REQUIRED"),
    ];
    for (request, expected) in cases {
        assert_eq!(outcome(&users.list(desk.admin(), request).await).1, expected);
    }
}
