//! Who grants what (C3), role by role, for every operation; and that nobody outside the organization has a say.

use proto::identity::v1::Role::{
    self, AdminAgent, BillingAdmin, GlobalAdmin, HelpdeskAgent, Operator, PasswordAdmin, SalesAgent,
    UserManagementAdmin,
};
use proto::identity::v1::{AddPartnerUserRequest, RemovePartnerUserRequest, ResetPartnerUserPasswordRequest};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::World;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use uuid::Uuid;

use super::{Office, Users, outcome, reason, removal_of, reset_of, roles_of};

const PARTNER_ROLES: [Role; 6] =
    [GlobalAdmin, UserManagementAdmin, BillingAdmin, AdminAgent, SalesAgent, HelpdeskAgent];

/// Who holds a role, and what they grant; `None` for those who manage nobody.
const GRANTS: [(&[Role], Option<&[Role]>); 8] = [
    (&[GlobalAdmin], Some(&PARTNER_ROLES)),
    (&[UserManagementAdmin], Some(&[UserManagementAdmin, SalesAgent, HelpdeskAgent])),
    (&[AdminAgent], Some(&[AdminAgent, SalesAgent, HelpdeskAgent])),
    (&[BillingAdmin, AdminAgent], Some(&[AdminAgent, SalesAgent, HelpdeskAgent])),
    (&[BillingAdmin], None),
    (&[SalesAgent], None),
    (&[HelpdeskAgent], None),
    (&[], None),
];

#[rstest]
#[tokio::test]
async fn every_operation_needs_the_power_to_grant_what_the_user_holds_and_would_get(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let office = Office::open(kind).await;
    let mut users = office.users().await;
    let mut holders = Vec::new();
    for role in PARTNER_ROLES {
        let added = users.add(office.admin(), World::addition(&office.registered, &[role])).await.unwrap();
        holders.push((role, added.user.unwrap().user_id));
    }
    let nobody = users.add(office.admin(), World::addition(&office.registered, &[])).await.unwrap();
    let nobody = nobody.user.unwrap().user_id;

    for (held, granted) in GRANTS {
        let caller = office.world.hire(&office.registered, held).await;
        let token = &caller.session.access_token;
        for (role, holder) in &holders {
            let expected = match granted {
                Some(granted) if granted.contains(role) => "OK",
                Some(_) => "ROLE_NOT_GRANTABLE",
                None => "ROLE_NOT_ALLOWED",
            };
            let addition =
                AddPartnerUserRequest { validate_only: true, ..World::addition(&office.registered, &[*role]) };
            let mut gains = roles_of(&nobody, &[*role]);
            let mut loses = roles_of(holder, &[]);
            (gains.validate_only, loses.validate_only) = (true, true);
            let reset = ResetPartnerUserPasswordRequest { validate_only: true, ..reset_of(holder) };
            let removal = RemovePartnerUserRequest { validate_only: true, ..removal_of(holder) };
            let answers = [
                ("add", reason(&users.add(token, addition).await)),
                ("give", reason(&users.update(token, gains).await)),
                ("take", reason(&users.update(token, loses).await)),
                ("reset", reason(&users.reset(token, reset).await)),
                ("remove", reason(&users.remove(token, removal).await)),
            ];
            for (operation, answer) in answers {
                assert_eq!(answer, expected, "{held:?} {operation} {role:?}");
            }
        }
        let expected = if granted.is_some() { "OK" } else { "ROLE_NOT_ALLOWED" };
        let plain = AddPartnerUserRequest { validate_only: true, ..World::addition(&office.registered, &[]) };
        assert_eq!(reason(&users.add(token, plain).await), expected, "{held:?} add somebody without roles");
    }
}

#[rstest]
#[tokio::test]
async fn a_refused_grant_names_the_role_and_changes_nothing(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let office = Office::open(kind).await;
    let mut users = office.users().await;
    let caller = office.world.hire(&office.registered, &[UserManagementAdmin]).await;
    let request = World::addition(&office.registered, &[SalesAgent, BillingAdmin]);
    let refused = users.add(&caller.session.access_token, request.clone()).await;
    assert_eq!(outcome(&refused), (Code::PermissionDenied, "ROLE_NOT_GRANTABLE".to_owned()));
    assert_eq!(refused.unwrap_err().get_details_error_info().unwrap().metadata["role"], "BILLING_ADMIN");
    users.add(office.admin(), request).await.unwrap();
}

#[rstest]
#[case(&[UserManagementAdmin], &[UserManagementAdmin, BillingAdmin])]
#[case(&[AdminAgent], &[GlobalAdmin])]
#[case(&[AdminAgent, SalesAgent], &[AdminAgent, UserManagementAdmin])]
#[tokio::test]
async fn nobody_raises_themselves(
    #[case] held: &[Role],
    #[case] wanted: &[Role],
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let office = Office::open(kind).await;
    let mut users = office.users().await;
    let person = office.world.hire(&office.registered, held).await;
    let refused = users.update(&person.session.access_token, roles_of(&person.user_id, wanted)).await;
    assert_eq!(reason(&refused), "ROLE_NOT_GRANTABLE");
    assert_eq!(users.get(office.admin(), &person.user_id).await.unwrap().roles, super::numbers(held));
}

#[rstest]
#[tokio::test]
async fn roles_of_other_kinds_of_organizations_are_granted_by_nobody(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let office = Office::open(kind).await;
    let mut users = office.users().await;
    for role in [Operator, PasswordAdmin] {
        let refused = users.add(office.admin(), World::addition(&office.registered, &[role])).await;
        assert_eq!(reason(&refused), "ROLE_NOT_GRANTABLE", "{role:?}");
    }
}

#[rstest]
#[tokio::test]
async fn an_operator_has_no_say_about_a_partners_users(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let office = Office::open(kind).await;
    let mut users = office.users().await;
    let token = office.world.operator().await;
    let person = office.world.hire(&office.registered, &[SalesAgent]).await;
    let answers = [
        reason(&users.add(&token, World::addition(&office.registered, &[])).await),
        reason(&users.get(&token, &person.user_id).await),
        reason(&users.list(&token, Default::default()).await),
        reason(&users.update(&token, roles_of(&person.user_id, &[])).await),
        reason(&users.remove(&token, removal_of(&person.user_id)).await),
    ];
    assert_eq!(answers, [const { "ORGANIZATION_KIND_NOT_ALLOWED" }; 5]);
}

/// What a refusal says, without the id that was asked for.
fn told<T>(answer: Result<T, Status>, id: &str) -> (Code, String, String) {
    let status = answer.err().expect("the call is refused");
    let info = status.get_details_error_info().unwrap();
    let resource = status.get_details_resource_info();
    let text = format!("{} {info:?} {resource:?}", status.message()).replace(id, "ID");
    (status.code(), info.reason, text)
}

#[rstest]
#[tokio::test]
async fn another_partners_user_answers_like_nobody_and_stays_as_they_are(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let office = Office::open(kind).await;
    let neighbor = office.world.register().await;
    let mut users = Users::of(office.world).await;
    let theirs = office.world.hire(&neighbor, &[SalesAgent]).await;
    let before = users.get(&neighbor.session.access_token, &theirs.user_id).await.unwrap();
    let unknown = Uuid::now_v7().to_string();
    let (foreign, token) = (theirs.user_id.as_str(), office.admin());

    let mut pairs = Vec::new();
    for id in [foreign, &unknown] {
        pairs.push([
            told(users.get(token, id).await, id),
            told(users.update(token, roles_of(id, &[])).await, id),
            told(users.reset(token, reset_of(id)).await, id),
            told(users.remove(token, removal_of(id)).await, id),
        ]);
    }
    assert_eq!(pairs[0], pairs[1]);
    assert!(pairs[0].iter().all(|(code, reason, _)| (*code, reason.as_str()) == (Code::NotFound, "NOT_FOUND")));
    assert_eq!(users.get(&theirs.session.access_token, foreign).await.unwrap(), before);

    // The same requests of the ones who may.
    let token = &neighbor.session.access_token;
    users.update(token, roles_of(foreign, &[])).await.unwrap();
    users.reset(token, reset_of(foreign)).await.unwrap();
    users.remove(token, removal_of(foreign)).await.unwrap();
}
