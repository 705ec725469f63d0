//! What becomes effective when a partner is taken in, and what is refused (D-51, C22, C23).

use std::time::Duration;

use proto::identity::v1::check_domain_availability_request::Name;
use proto::identity::v1::organization_service_client::OrganizationServiceClient;
use proto::identity::v1::{CheckDomainAvailabilityRequest, Cloud, GetOrganizationRequest, OrganizationKind};
use proto::partner::v1 as pb;
use proto::partner::v1::PartnerKind::{Direct, Provider, Reseller};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{Refused, World, authorized, dump, id, outcome, reason, wrong_fields};
use tonic::Code;

use super::{anew, onboard, partners_with};

async fn is_free(world: &World, token: &str, prefix: &str) -> bool {
    let request = CheckDomainAvailabilityRequest { name: Some(Name::DomainPrefix(prefix.to_owned())) };
    let answer = OrganizationServiceClient::new(world.to_identity().await)
        .check_domain_availability(authorized(token, request))
        .await;
    answer.unwrap().into_inner().available
}

#[rstest]
#[case(Reseller)]
#[case(Provider)]
#[case(Direct)]
#[tokio::test]
async fn a_partner_is_taken_in_with_its_organization_its_account_and_its_admin(
    #[case] what: pb::PartnerKind,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let operator = world.operator().await;
    let mut request = World::onboarding(what);
    let contact = pb::SupportContact {
        email: "help@fabrikam.example".to_owned(),
        phone: "+49 (30) 123-45".to_owned(),
        website: "https://fabrikam.example/help".to_owned(),
    };
    request.support_contact = Some(contact.clone());
    let made = world.try_onboard(&operator, request.clone()).await.unwrap();
    assert_eq!(made.progress(), pb::Progress::Active);
    let partner = made.partner.unwrap();
    assert_eq!((partner.kind(), partner.state()), (what, pb::partner_account::State::Active));
    assert_eq!((&partner.name, &partner.mpn_id, &partner.country), (&request.name, &request.mpn_id, &request.country));
    assert_eq!(partner.support_contact, Some(contact));
    assert!(partner.create_time.is_some());
    assert!(made.admin_sign_in_name.starts_with(&format!("paula@{}.", request.domain_prefix)));

    let early = world.sign_in(&made.admin_sign_in_name, &made.temporary_password).await;
    assert!(early.must_change_password, "the temporary password is good for nothing but replacing it");
    let session = world.replace_password(&made.admin_sign_in_name, &made.temporary_password).await;
    let read = GetOrganizationRequest { organization_id: partner.partner_id.clone() };
    let mut organizations = OrganizationServiceClient::new(world.to_identity().await);
    let seen = organizations.get_organization(authorized(&session.access_token, read)).await.unwrap().into_inner();
    let seen = seen.organization.unwrap();
    assert_eq!((seen.kind(), &seen.name), (OrganizationKind::Partner, &request.name));

    let mine = world.customers().await.list_customers(authorized(&session.access_token, Default::default())).await;
    assert!(mine.unwrap().into_inner().customers.is_empty(), "it takes part from now on");
    let licensing = dump(&world.licensing.db().await).await;
    assert!(!licensing.tables_with(partner.mpn_id.as_bytes()).is_empty(), "ACTIVE is said when everybody knows");
}

#[rstest]
#[tokio::test]
async fn everything_that_is_wrong_with_a_partner_is_told_at_once(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let operator = world.operator().await;
    let all = pb::OnboardPartnerRequest {
        cloud: 9,
        support_contact: Some(pb::SupportContact {
            email: "nobody".to_owned(),
            phone: "ask for Paula".to_owned(),
            website: "http://fabrikam.example".to_owned(),
        }),
        ..Default::default()
    };
    let fields = wrong_fields(onboard(world, &operator, &all).await);
    let expected = [
        "kind",
        "name",
        "country",
        "cloud",
        "domain_prefix",
        "mpn_id",
        "admin_display_name",
        "admin_name",
        "support_contact.email",
        "support_contact.phone",
        "support_contact.website",
        "request_id",
    ];
    assert_eq!(fields, expected);

    let (good, nowhere) = (World::onboarding(Direct), "ZZ".to_owned());
    let contact = |email: &str, phone: &str, website: String| {
        Some(pb::SupportContact { email: email.to_owned(), phone: phone.to_owned(), website })
    };
    let (mail, none) = ("help@fabrikam.example", String::new());
    let wrong = [
        ("COUNTRY_UNKNOWN", pb::OnboardPartnerRequest { country: nowhere, ..good.clone() }),
        ("UNKNOWN_VALUE", pb::OnboardPartnerRequest { kind: 9, ..good.clone() }),
        ("MALFORMED", pb::OnboardPartnerRequest { mpn_id: "12a".to_owned(), ..good.clone() }),
        ("TOO_LONG", pb::OnboardPartnerRequest { mpn_id: "1".repeat(21), ..good.clone() }),
        ("TOO_LONG", pb::OnboardPartnerRequest { name: "x".repeat(201), ..good.clone() }),
        ("REQUIRED", pb::OnboardPartnerRequest { support_contact: None, ..good.clone() }),
        (
            "TOO_LONG",
            pb::OnboardPartnerRequest { support_contact: contact(mail, &"1".repeat(31), none), ..good.clone() },
        ),
        (
            "TOO_LONG",
            pb::OnboardPartnerRequest {
                support_contact: contact(mail, "", format!("https://{}", "x".repeat(500))),
                ..good.clone()
            },
        ),
        ("MALFORMED", pb::OnboardPartnerRequest { request_id: "again".to_owned(), ..good.clone() }),
    ];
    for (expected, request) in wrong {
        let refused = outcome(&onboard(world, &operator, &request).await);
        assert_eq!(refused, (Code::InvalidArgument, expected.to_owned()), "{request:?}");
    }
    assert_eq!(partners_with(world, &good.mpn_id).await, 0);
}

#[rstest]
#[tokio::test]
async fn only_operators_take_partners_in(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let partner = world.onboard(Provider).await;
    let tenant = world.create_customer(&partner).await;
    let applicant = world.register().await;
    for token in [partner.token(), tenant.token(), applicant.token()] {
        let refused = Refused::by(onboard(world, token, &World::onboarding(Reseller)).await);
        assert_eq!(refused, (Code::PermissionDenied, "ORGANIZATION_KIND_NOT_ALLOWED".to_owned()));
    }
}

#[rstest]
#[tokio::test]
async fn staff_without_the_operator_s_role_takes_nobody_in(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::start(kind).await;
    world.operator().await;
    let mut tx = world.identity.db().await.write().await.unwrap();
    // No RPC takes the role of the platform's own staff away.
    let taken = tx.sql("DELETE FROM user_roles WHERE role = 'OPERATOR'").execute().await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(taken, 1);
    // Past the time that a world uses an operator's token again.
    world.clock.advance(Duration::from_secs(301));
    let refused = Refused::by(onboard(&world, &world.operator().await, &World::onboarding(Direct)).await);
    assert_eq!(refused, (Code::PermissionDenied, "ROLE_NOT_ALLOWED".to_owned()));
}

#[rstest]
#[tokio::test]
async fn in_the_government_s_cloud_only_direct_partners_are_taken_in(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let operator = world.operator().await;
    let in_government = |what| pb::OnboardPartnerRequest {
        cloud: Cloud::UsGovernment.into(),
        country: "US".to_owned(),
        ..World::onboarding(what)
    };
    for what in [Reseller, Provider] {
        let request = in_government(what);
        let refused = outcome(&onboard(world, &operator, &request).await);
        assert_eq!(refused, (Code::FailedPrecondition, "NOT_AVAILABLE_IN_CLOUD".to_owned()));
        assert_eq!(partners_with(world, &request.mpn_id).await, 0);
        assert!(is_free(world, &operator, &request.domain_prefix).await);
    }
    let made = world.try_onboard(&operator, in_government(Direct)).await.unwrap();
    assert_eq!(made.partner.unwrap().kind(), Direct);
}

#[rstest]
#[tokio::test]
async fn an_mpn_id_belongs_to_one_partner(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let operator = world.operator().await;
    let first = World::onboarding(Reseller);
    world.try_onboard(&operator, first.clone()).await.unwrap();
    let second = pb::OnboardPartnerRequest { mpn_id: first.mpn_id.clone(), ..World::onboarding(Direct) };
    let refused = outcome(&world.try_onboard(&operator, second.clone()).await);
    assert_eq!(refused, (Code::AlreadyExists, "MPN_ID_ALREADY_LINKED".to_owned()));
    assert!(is_free(world, &operator, &second.domain_prefix).await, "identity made nothing of it");
    assert_eq!(partners_with(world, &first.mpn_id).await, 1);
}

#[rstest]
#[tokio::test]
async fn of_two_partners_with_one_mpn_id_at_the_same_time_one_is_taken_in_and_nothing_is_left_of_the_other(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let operator = world.operator().await;
    for _ in 0..4 {
        let one = World::onboarding(Reseller);
        let other = pb::OnboardPartnerRequest { mpn_id: one.mpn_id.clone(), ..World::onboarding(Provider) };
        let (first, second) =
            tokio::join!(world.try_onboard(&operator, one.clone()), world.try_onboard(&operator, other.clone()));
        let mut reasons = [reason(&first), reason(&second)];
        let loser = if first.is_ok() { &other } else { &one };
        reasons.sort();
        assert_eq!(reasons, ["MPN_ID_ALREADY_LINKED", "OK"]);
        assert_eq!(partners_with(world, &one.mpn_id).await, 1);
        // Taking back may go on after the answer.
        while !is_free(world, &operator, &loser.domain_prefix).await {}
    }
}

#[rstest]
#[tokio::test]
async fn a_domain_that_somebody_has_is_refused_and_nothing_is_left(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let operator = world.operator().await;
    let first = World::onboarding(Provider);
    world.try_onboard(&operator, first.clone()).await.unwrap();
    let second = pb::OnboardPartnerRequest { domain_prefix: first.domain_prefix, ..World::onboarding(Provider) };
    let refused = outcome(&world.try_onboard(&operator, second.clone()).await);
    assert_eq!(refused, (Code::AlreadyExists, "DOMAIN_TAKEN".to_owned()));
    assert_eq!(reason(&world.try_onboard(&operator, second.clone()).await), "DOMAIN_TAKEN", "and so when repeated");
    assert_eq!(partners_with(world, &second.mpn_id).await, 0);
    let free = World::onboarding(Provider).domain_prefix;
    let third = pb::OnboardPartnerRequest { domain_prefix: free, ..anew(&second) };
    world.try_onboard(&operator, third).await.expect("the MPN id is still free");
}

#[rstest]
#[tokio::test]
async fn the_new_partner_s_journal_tells_who_took_it_in_and_no_secret(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let operator = world.operator().await;
    let request = World::onboarding(Provider);
    let made = world.try_onboard(&operator, request.clone()).await.unwrap();
    let partner_id = made.partner.unwrap().partner_id;
    for db in [&world.partner.db().await, &world.licensing.db().await, &world.identity.db().await] {
        let found = dump(db).await;
        assert_eq!(found.tables_with(made.temporary_password.as_bytes()), Vec::<&str>::new());
    }
    let session = world.replace_password(&made.admin_sign_in_name, &made.temporary_password).await;
    let entries = world.journal_of_partner(&session.access_token).await;
    let [entry] = entries.as_slice() else { panic!("one entry: {entries:?}") };
    assert_eq!((entry.action.as_str(), &entry.target_id), ("PartnerOnboarded", &partner_id));
    assert_eq!((entry.actor_kind.as_str(), &entry.organization_id), ("user", &partner_id));
    assert_ne!(id(&entry.actor_id), id(&made.admin_user_id), "an operator did it");
    let changes: Vec<_> = entry.changes.iter().map(|change| (change.field.as_str(), change.after.as_str())).collect();
    assert_eq!(changes, [("kind", "PROVIDER"), ("mpn_id", request.mpn_id.as_str())]);
}
