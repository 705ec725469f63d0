//! Finding organizations among all of them (C23), page by page (D-31, C17).

use proto::identity::v1::list_organizations_request::Seek;
use proto::identity::v1::registration_service_client::RegistrationServiceClient;
use proto::identity::v1::{ListOrganizationsRequest, Organization, OrganizationKind};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::World;
use uuid::Uuid;

use super::{Organizations, reason};

/// Registers an organization of that name.
async fn register(world: &World, name: &str) -> Organization {
    let mut registration = World::registration();
    name.clone_into(&mut registration.name);
    let mut client = RegistrationServiceClient::new(world.to_identity().await);
    client.register_organization(registration).await.unwrap().into_inner().organization.unwrap()
}

#[rstest]
#[tokio::test]
async fn operators_find_organizations_by_kind_and_by_how_their_name_begins(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let operator = world.operator().await;
    let mut organizations = Organizations::of(world).await;
    let mark = Uuid::now_v7().simple().to_string();
    let mut ids = Vec::new();
    for name in [format!("Q{mark} Über"), format!("q{mark} ALPHA"), format!("Q{mark}")] {
        ids.push(register(world, &name).await.organization_id);
    }
    register(world, &format!("Before Q{mark}")).await;
    let begins = |prefix: &str, kind: OrganizationKind| ListOrganizationsRequest {
        name_prefix: prefix.to_owned(),
        kind: kind.into(),
        ..Default::default()
    };
    let any = OrganizationKind::Unspecified;
    let mut found = async |request| -> Vec<String> {
        let rows = organizations.list(&operator, request).await.unwrap().organizations;
        rows.into_iter().map(|row| row.organization_id).collect()
    };
    let in_order = [ids[2].as_str(), &ids[1], &ids[0]];
    assert_eq!(found(begins(&format!("q{mark}"), any)).await, in_order);
    assert_eq!(found(begins(&format!("Q{}", mark.to_uppercase()), OrganizationKind::Partner)).await, in_order);
    assert_eq!(found(begins(&format!("q{mark} ü"), any)).await, [ids[0].as_str()]);
    assert!(found(begins(&format!("q{mark}"), OrganizationKind::Customer)).await.is_empty());
    assert!(found(begins(&format!("q{mark}%"), any)).await.is_empty(), "a prefix is no pattern");
    let platform = organizations.list(&operator, begins("", OrganizationKind::Platform)).await.unwrap().organizations;
    assert_eq!(platform.len(), 1);
    assert!(!platform[0].domains.is_empty());
}

#[rstest]
#[tokio::test]
async fn the_list_is_complete_and_stable_forward_and_backward(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let operator = world.operator().await;
    let mut organizations = Organizations::of(world).await;
    let mark = format!("p{}", Uuid::now_v7().simple());
    for end in ["", "b", "B", "a-", "a", "é", "z"] {
        register(world, &format!("{mark}{end}")).await;
    }
    let page = |size: i32, token: &str, seek: Seek| ListOrganizationsRequest {
        page_size: size,
        page_token: token.to_owned(),
        seek: seek.into(),
        name_prefix: mark.clone(),
        ..Default::default()
    };
    let whole = organizations.list(&operator, page(0, "", Seek::Unspecified)).await.unwrap().organizations;
    assert_eq!(whole.len(), 7);
    assert!(whole.is_sorted_by_key(|row| (row.name.to_lowercase(), row.organization_id.clone())));
    assert!(whole.iter().all(|row| row.domains.len() == 1));

    let mut forward = Vec::new();
    let mut answer = organizations.list(&operator, page(3, "", Seek::First)).await.unwrap();
    assert!(answer.previous_page_token.is_empty());
    let second = answer.next_page_token.clone();
    loop {
        forward.extend(answer.organizations);
        if answer.next_page_token.is_empty() {
            break;
        }
        answer = organizations.list(&operator, page(3, &answer.next_page_token, Seek::First)).await.unwrap();
    }
    assert_eq!(forward, whole);
    let mut backward = Vec::new();
    let mut answer = organizations.list(&operator, page(3, "", Seek::Last)).await.unwrap();
    assert!(answer.next_page_token.is_empty());
    loop {
        backward.splice(0..0, answer.organizations);
        if answer.previous_page_token.is_empty() {
            break;
        }
        answer = organizations.list(&operator, page(3, &answer.previous_page_token, Seek::First)).await.unwrap();
    }
    assert_eq!(backward, whole);

    let other = ListOrganizationsRequest { name_prefix: "another".to_owned(), ..page(3, &second, Seek::First) };
    assert_eq!(reason(&organizations.list(&operator, other).await), "PAGE_TOKEN_INVALID");
    let unknown = ListOrganizationsRequest { kind: 9, ..Default::default() };
    assert_eq!(reason(&organizations.list(&operator, unknown).await), "UNKNOWN_VALUE");
}
