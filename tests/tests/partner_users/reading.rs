//! Looking at users: who may (D-02, D-27), and pages in every direction (D-31, C17).

use proto::identity::v1::list_partner_users_request::Seek;
use proto::identity::v1::{ListPartnerUsersRequest, PartnerUser, Role};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::World;

use super::{Office, reason, removal_of};

#[rstest]
#[tokio::test]
async fn whoever_holds_a_role_finds_a_global_admin_to_ask(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let office = Office::open(kind).await;
    let mut users = office.users().await;
    for role in [Role::UserManagementAdmin, Role::BillingAdmin, Role::AdminAgent, Role::SalesAgent, Role::HelpdeskAgent]
    {
        let person = office.world.hire(&office.registered, &[role]).await;
        let request = ListPartnerUsersRequest { role: Role::GlobalAdmin.into(), ..Default::default() };
        let found = users.list(&person.session.access_token, request).await.unwrap().users;
        let ids: Vec<_> = found.iter().map(|user| user.user_id.as_str()).collect();
        assert_eq!(ids, [office.registered.admin_user_id.as_str()], "{role:?}");
        users.get(&person.session.access_token, ids[0]).await.unwrap();
    }
}

#[rstest]
#[tokio::test]
async fn who_holds_no_role_sees_themselves_and_nobody_else(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let office = Office::open(kind).await;
    let mut users = office.users().await;
    let person = office.world.hire(&office.registered, &[]).await;
    let token = &person.session.access_token;
    assert_eq!(users.get(token, &person.user_id).await.unwrap().sign_in_name, person.sign_in_name);
    let unknown = uuid::Uuid::now_v7().to_string();
    for other in [&office.registered.admin_user_id, &unknown] {
        assert_eq!(reason(&users.get(token, other).await), "ROLE_NOT_ALLOWED");
    }
    assert_eq!(reason(&users.list(token, Default::default()).await), "ROLE_NOT_ALLOWED");
}

#[rstest]
#[tokio::test]
async fn pages_are_complete_and_stable_forward_and_backward(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let office = Office::open(kind).await;
    let mut users = office.users().await;
    // Names that collide without regard to case, and names that a collation of words would order otherwise.
    let names = ["zoe", "Zoe", "adam", "Élodie", "Ze-ta", "zeta", "ZOE", "Émile", "bob"];
    for name in names {
        let mut addition = World::addition(&office.registered, &[Role::SalesAgent]);
        addition.display_name = name.to_owned();
        users.add(office.admin(), addition).await.unwrap();
    }
    let whole = users.list(office.admin(), Default::default()).await.unwrap();
    assert_eq!(whole.users.len(), names.len() + 1);
    assert!(whole.next_page_token.is_empty() && whole.previous_page_token.is_empty());
    let key = |user: &PartnerUser| (user.display_name.to_lowercase(), user.user_id.clone());
    assert!(whole.users.is_sorted_by_key(key));

    let page = |token: &str, seek: Seek| ListPartnerUsersRequest {
        page_size: 3,
        page_token: token.to_owned(),
        seek: seek.into(),
        ..Default::default()
    };
    let mut forward = Vec::new();
    let mut answer = users.list(office.admin(), page("", Seek::First)).await.unwrap();
    assert!(answer.previous_page_token.is_empty());
    loop {
        forward.extend(answer.users);
        if answer.next_page_token.is_empty() {
            break;
        }
        answer = users.list(office.admin(), page(&answer.next_page_token, Seek::First)).await.unwrap();
    }
    assert_eq!(forward, whole.users);

    let mut backward = Vec::new();
    let mut answer = users.list(office.admin(), page("", Seek::Last)).await.unwrap();
    assert!(answer.next_page_token.is_empty());
    loop {
        backward.splice(0..0, answer.users);
        if answer.previous_page_token.is_empty() {
            break;
        }
        answer = users.list(office.admin(), page(&answer.previous_page_token, Seek::First)).await.unwrap();
    }
    assert_eq!(backward, whole.users);
}

#[rstest]
#[tokio::test]
async fn a_page_that_was_begun_goes_on_behind_its_last_row_whoever_comes_or_goes(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let office = Office::open(kind).await;
    let mut users = office.users().await;
    let mut ids = Vec::new();
    for name in ["b", "c", "d", "e"] {
        let mut addition = World::addition(&office.registered, &[Role::HelpdeskAgent]);
        addition.display_name = name.to_owned();
        ids.push(users.add(office.admin(), addition).await.unwrap().user.unwrap().user_id);
    }
    let helpers = |token: &str| ListPartnerUsersRequest {
        page_size: 2,
        page_token: token.to_owned(),
        role: Role::HelpdeskAgent.into(),
        ..Default::default()
    };
    let first = users.list(office.admin(), helpers("")).await.unwrap();
    users.remove(office.admin(), removal_of(&ids[1])).await.unwrap();
    let mut early = World::addition(&office.registered, &[Role::HelpdeskAgent]);
    early.display_name = "a".to_owned();
    users.add(office.admin(), early).await.unwrap();
    let second = users.list(office.admin(), helpers(&first.next_page_token)).await.unwrap();
    let names: Vec<_> = second.users.iter().map(|user| user.display_name.as_str()).collect();
    assert_eq!(names, ["d", "e"]);
    let all = users.list(office.admin(), ListPartnerUsersRequest { page_size: 0, ..helpers("") }).await.unwrap();
    let names: Vec<_> = all.users.iter().map(|user| user.display_name.as_str()).collect();
    assert_eq!(names, ["a", "b", "d", "e"], "without the one who was removed");
}

#[rstest]
#[tokio::test]
async fn a_page_token_is_good_for_its_own_list_and_its_own_organization(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let office = Office::open(kind).await;
    let neighbor = office.world.register().await;
    let mut users = office.users().await;
    users.add(office.admin(), World::addition(&office.registered, &[])).await.unwrap();
    let page = ListPartnerUsersRequest { page_size: 1, ..Default::default() };
    let token = users.list(office.admin(), page.clone()).await.unwrap().next_page_token;
    let page = ListPartnerUsersRequest { page_token: token, ..page };
    let filtered = ListPartnerUsersRequest { role: Role::GlobalAdmin.into(), ..page.clone() };
    assert_eq!(reason(&users.list(office.admin(), filtered).await), "PAGE_TOKEN_INVALID");
    assert_eq!(reason(&users.list(&neighbor.session.access_token, page.clone()).await), "PAGE_TOKEN_INVALID");
    users.list(office.admin(), page).await.unwrap();
}

#[rstest]
#[case(ListPartnerUsersRequest { page_size: 1_001, ..Default::default() }, "OUT_OF_RANGE")]
#[case(ListPartnerUsersRequest { page_size: -1, ..Default::default() }, "OUT_OF_RANGE")]
#[case(ListPartnerUsersRequest { seek: 9, ..Default::default() }, "UNKNOWN_VALUE")]
#[case(ListPartnerUsersRequest { role: Role::Operator.into(), ..Default::default() }, "UNKNOWN_VALUE")]
#[case(ListPartnerUsersRequest { role: 99, ..Default::default() }, "UNKNOWN_VALUE")]
#[tokio::test]
async fn a_list_that_cannot_be_is_refused(
    #[case] request: ListPartnerUsersRequest,
    #[case] expected: &str,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let office = Office::open(kind).await;
    assert_eq!(reason(&office.users().await.list(office.admin(), request).await), expected);
}
