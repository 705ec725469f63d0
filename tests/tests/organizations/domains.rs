//! How organizations get domains (C35), and asking whether one is free.

use proto::common::v1::audit_service_client::AuditServiceClient;
use proto::common::v1::limits_service_client::LimitsServiceClient;
use proto::common::v1::{GetLimitsRequest, ListAuditEntriesRequest};
use proto::identity::v1::check_domain_availability_request::Name;
use proto::identity::v1::partner_user_service_client::PartnerUserServiceClient;
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{SUFFIX, World, authorized};
use tonic::Code;
use tonic_types::StatusExt;

use super::{Organizations, domain_for, fresh_domain, outcome, reason};

#[rstest]
#[tokio::test]
async fn a_domain_that_an_operator_adds_is_the_organizations_and_nobody_elses(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let (registered, neighbor) = (world.register().await, world.register().await);
    let (operator, token) = (world.operator().await, &registered.session.access_token);
    let mut organizations = Organizations::of(world).await;
    let before = organizations.get(token, &registered.organization_id).await.unwrap();
    let domain = fresh_domain();

    let mut dry = domain_for(&registered.organization_id, &domain);
    dry.validate_only = true;
    assert_eq!(organizations.add_domain(&operator, dry).await.unwrap().domains.len(), 2);
    assert_eq!(organizations.get(token, &registered.organization_id).await.unwrap(), before);

    let request = domain_for(&registered.organization_id, &domain.to_uppercase());
    let added = organizations.add_domain(&operator, request.clone()).await.unwrap();
    assert_eq!(added.domains, [registered.domain.as_str(), &domain], "in lower case, behind the first one");
    assert_ne!(added.etag, before.etag);
    assert_eq!(organizations.add_domain(&operator, request).await.unwrap(), added);
    assert_eq!(organizations.get(token, &registered.organization_id).await.unwrap(), added);

    for (id, taken) in [
        (&neighbor.organization_id, domain.as_str()),
        (&registered.organization_id, &domain),
        (&neighbor.organization_id, &registered.domain),
    ] {
        let refused = organizations.add_domain(&operator, domain_for(id, taken)).await;
        assert_eq!(outcome(&refused), (Code::AlreadyExists, "DOMAIN_TAKEN".to_owned()));
        assert_eq!(refused.unwrap_err().get_details_error_info().unwrap().metadata["domain"], taken);
    }
    let mut stale = domain_for(&registered.organization_id, &fresh_domain());
    stale.etag = before.etag;
    assert_eq!(reason(&organizations.add_domain(&operator, stale).await), "ETAG_MISMATCH");
    let malformed = organizations.add_domain(&operator, domain_for(&registered.organization_id, "no dots")).await;
    assert_eq!(reason(&malformed), "MALFORMED");

    // The organization's people can be called by it, and its journal tells where it came from.
    let mut users = PartnerUserServiceClient::new(world.to_identity().await);
    let mut addition = World::addition(&registered, &[]);
    addition.sign_in_name = format!("ada@{domain}");
    users.add_partner_user(authorized(token, addition)).await.unwrap();
    let mut journal = AuditServiceClient::new(world.to_identity().await);
    let request = ListAuditEntriesRequest { action_prefix: "OrganizationDomain".to_owned(), ..Default::default() };
    let entries = journal.list_audit_entries(authorized(token, request)).await.unwrap().into_inner().entries;
    assert_eq!(entries.len(), 1);
    assert_eq!(
        (entries[0].changes[0].field.as_str(), entries[0].changes[0].after.as_str()),
        ("domain", domain.as_str())
    );
}

#[rstest]
#[tokio::test]
async fn domains_that_arrive_at_the_same_time_all_get_a_place_and_one_domain_gets_one(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let (registered, neighbor) = (world.register().await, world.register().await);
    let operator = world.operator().await;
    let (one, two) = (fresh_domain(), fresh_domain());
    let add = async |id: &str, domain: &str| {
        Organizations::of(world).await.add_domain(&operator, domain_for(id, domain)).await
    };
    let (id, other) = (registered.organization_id.as_str(), neighbor.organization_id.as_str());
    let (first, second) = tokio::join!(add(id, &one), add(id, &two));
    first.unwrap();
    second.unwrap();
    let all = Organizations::of(world).await.get(&operator, id).await.unwrap().domains;
    assert!(all.len() == 3 && all.contains(&one) && all.contains(&two), "{all:?}");

    let contested = fresh_domain();
    let (first, second) = tokio::join!(add(id, &contested), add(other, &contested));
    let mut answers = [reason(&first), reason(&second)];
    answers.sort();
    assert_eq!(answers, ["DOMAIN_TAKEN", "OK"]);
}

#[rstest]
#[tokio::test]
async fn an_organization_has_a_hundred_domains_and_no_more(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let registered = world.register().await;
    let operator = world.operator().await;
    let mut organizations = Organizations::of(world).await;
    for _ in 1..100 {
        organizations.add_domain(&operator, domain_for(&registered.organization_id, &fresh_domain())).await.unwrap();
    }
    let refused = organizations.add_domain(&operator, domain_for(&registered.organization_id, &fresh_domain())).await;
    assert_eq!(outcome(&refused), (Code::FailedPrecondition, "LIMIT_EXCEEDED".to_owned()));
    let info = refused.unwrap_err().get_details_error_info().unwrap();
    let mut limits = LimitsServiceClient::new(world.to_identity().await);
    let limits = limits.get_limits(authorized(&operator, GetLimitsRequest {})).await.unwrap().into_inner().limits;
    let limit = limits.iter().find(|limit| limit.name == info.metadata["limit"]).unwrap();
    assert_eq!(limit.value, 100);
}

#[rstest]
#[tokio::test]
async fn a_domain_is_free_until_somebody_has_it(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let (registered, neighbor) = (world.register().await, world.register().await);
    let token = &registered.session.access_token;
    let mut organizations = Organizations::of(world).await;
    let prefix = neighbor.domain.strip_suffix(&format!(".{SUFFIX}")).unwrap().to_owned();
    for (name, domain, available) in [
        (Name::Domain(neighbor.domain.to_uppercase()), neighbor.domain.as_str(), false),
        (Name::Domain(registered.domain.clone()), &registered.domain, false),
        (Name::DomainPrefix(prefix.clone()), &neighbor.domain, false),
        (Name::DomainPrefix("nobody-yet".to_owned()), &format!("nobody-yet.{SUFFIX}"), true),
        (Name::Domain(format!("mail.{}", neighbor.domain)), &format!("mail.{}", neighbor.domain), true),
    ] {
        let found = organizations.check(token, Some(name)).await.unwrap();
        assert_eq!((found.domain.as_str(), found.available), (domain, available));
    }
    assert_eq!(reason(&organizations.check(token, None).await), "REQUIRED");
    assert_eq!(reason(&organizations.check(token, Some(Name::DomainPrefix("X".to_owned()))).await), "MALFORMED");
}
