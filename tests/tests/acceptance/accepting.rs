//! What becomes effective, and for whom.

use proto::partner::v1 as pb;
use proto::partner::v1::PartnerKind;
use rstest::rstest;
use testkit::database::Kind;
use tests::harness::proxy::Mode;
use tests::world::{Refused, Registered, Tenant, World, authorized, dump, soon};
use tonic::Code;
use uuid::Uuid;

/// The partners of a customer as its own global admin sees them, by id.
async fn partners_of(world: &World, tenant: &Tenant) -> Vec<pb::CustomerPartner> {
    let request = pb::ListPartnersOfCustomerRequest::default();
    let mut customers = world.customers().await;
    let listed = customers.list_partners_of_customer(authorized(&tenant.session.access_token, request)).await;
    listed.unwrap().into_inner().partners
}

async fn of(world: &World, tenant: &Tenant, partner: &Registered) -> pb::CustomerPartner {
    let partners = partners_of(world, tenant).await;
    partners.into_iter().find(|each| each.partner_id == partner.organization_id).unwrap()
}

async fn pair(world: &World) -> (Registered, Registered) {
    let provider = world.onboard(PartnerKind::Provider).await;
    let reseller = world.onboard(PartnerKind::Reseller).await;
    world.join(&provider, &reseller).await;
    (provider, reseller)
}

#[rstest]
#[tokio::test]
async fn a_customer_authorizes_reseller_and_provider_at_once(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let (provider, reseller) = pair(world).await;
    let tenant = world.stranger().await;
    let before = partners_of(world, &tenant).await;
    let (_, token) = world.invite(&reseller, World::invitation(Some(&provider))).await;
    assert!(world.customer_ids(&reseller).await.is_empty() && world.customer_ids(&provider).await.is_empty());

    let accepted = world.accept(&tenant, &token).await;
    assert_eq!(accepted.authorized.len(), 2);
    assert_eq!(world.customer_ids(&reseller).await, [tenant.customer_id.as_str()]);
    assert_eq!(world.customer_ids(&provider).await, [tenant.customer_id.as_str()]);
    let (sells, provides) = (of(world, &tenant, &reseller).await, of(world, &tenant, &provider).await);
    assert_eq!((sells.relationship(), provides.relationship()), (PartnerKind::Reseller, PartnerKind::Provider));
    // The reseller manages, the provider orders, and neither does the other's work (C7, D-77).
    assert!(sells.active && sells.delegated_admin && !sells.order_right);
    assert!(provides.active && !provides.delegated_admin && provides.order_right);
    // Whoever served the customer before is untouched.
    let maker = before.into_iter().next().expect("somebody made the customer");
    assert!(partners_of(world, &tenant).await.contains(&maker));
}

#[rstest]
#[tokio::test]
async fn a_customer_whom_the_reseller_serves_already_gets_the_provider_and_no_second_reseller(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let (provider, reseller) = pair(world).await;
    let tenant = world.create_customer(&reseller).await;
    let before = of(world, &tenant, &reseller).await;
    let (_, token) = world.invite(&reseller, World::invitation(Some(&provider))).await;
    world.accept(&tenant, &token).await;
    assert_eq!(of(world, &tenant, &reseller).await, before, "what it had it keeps as it was");
    assert!(of(world, &tenant, &provider).await.order_right);
    assert_eq!(partners_of(world, &tenant).await.len(), 2);
}

#[rstest]
#[tokio::test]
async fn each_party_gets_what_the_invitation_asks_and_no_more(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let (provider, reseller) = pair(world).await;
    for (reseller_admin, provider_admin) in [(false, false), (true, true), (false, true)] {
        let tenant = world.stranger().await;
        let asked = pb::CreateInvitationRequest {
            delegated_admin: Some(reseller_admin),
            provider_delegated_admin: provider_admin,
            ..World::invitation(Some(&provider))
        };
        let (_, token) = world.invite(&reseller, asked).await;
        let preview = pb::PreviewInvitationRequest { token: token.clone() };
        let preview = world.invitations().await.preview_invitation(preview).await.unwrap().into_inner();
        assert_eq!((preview.delegated_admin, preview.provider_delegated_admin), (reseller_admin, provider_admin));
        let admins = preview.consents.iter().filter(|sentence| sentence.contains("as an administrator")).count();
        assert_eq!(admins, usize::from(reseller_admin) + usize::from(provider_admin));
        world.accept(&tenant, &token).await;
        assert_eq!(of(world, &tenant, &reseller).await.delegated_admin, reseller_admin);
        assert_eq!(of(world, &tenant, &provider).await.delegated_admin, provider_admin);
    }
}

#[rstest]
#[tokio::test]
async fn a_reseller_and_a_direct_partner_are_authorized_alone(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    for (partner_kind, orders) in
        [(PartnerKind::Reseller, false), (PartnerKind::Direct, true), (PartnerKind::Provider, true)]
    {
        let partner = world.onboard(partner_kind).await;
        let tenant = world.stranger().await;
        let (id, token) = world.invite(&partner, World::invitation(None)).await;
        let accepted = world.accept(&tenant, &token).await;
        assert_eq!((accepted.invitation_id, accepted.authorized.len()), (id, 1));
        let serving = of(world, &tenant, &partner).await;
        assert_eq!((serving.relationship(), serving.order_right), (partner_kind, orders));
        assert!(serving.delegated_admin, "delegated admin is the default");
    }
}

#[rstest]
#[tokio::test]
async fn accepting_again_answers_the_same_and_changes_nothing(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::start(kind).await;
    let (provider, reseller) = pair(&world).await;
    let tenant = world.stranger().await;
    let (_, token) = world.invite(&reseller, World::invitation(Some(&provider))).await;
    let request = world.consent(&token).await;
    let access = &tenant.session.access_token;
    let accepted = world.try_accept(access, request.clone()).await.unwrap();
    let before = dump(&world.partner.db().await).await;
    assert_eq!(world.try_accept(access, request.clone()).await.unwrap(), accepted, "the same request");
    let again = pb::AcceptInvitationRequest { request_id: Uuid::now_v7().to_string(), ..request };
    assert_eq!(world.try_accept(access, again).await.unwrap(), accepted, "the same customer");
    let changed = before.changed(&dump(&world.partner.db().await).await).join(" ");
    assert!(["", "replays"].contains(&changed.as_str()), "{changed}");
}

#[rstest]
#[tokio::test]
async fn a_dry_acceptance_changes_nothing_and_a_real_one_follows(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::start(kind).await;
    let (provider, reseller) = pair(&world).await;
    let tenant = world.stranger().await;
    let (_, token) = world.invite(&reseller, World::invitation(Some(&provider))).await;
    let request = world.consent(&token).await;
    let dry = pb::AcceptInvitationRequest { validate_only: true, ..request.clone() };
    let all = [&world.partner.db().await, &world.identity.db().await, &world.licensing.db().await];
    let mut before = Vec::new();
    for db in all {
        before.push(dump(db).await);
    }
    world.try_accept(&tenant.session.access_token, dry.clone()).await.unwrap();
    for (db, before) in all.into_iter().zip(&before) {
        assert_eq!(before.changed(&dump(db).await), Vec::<&str>::new());
    }
    let refused = pb::AcceptInvitationRequest { consent: false, ..dry };
    let refused = world.try_accept(&tenant.session.access_token, refused).await;
    assert_eq!(Refused::by(refused).1, "CONSENT_REQUIRED");
    assert_eq!(world.try_accept(&tenant.session.access_token, request).await.unwrap().authorized.len(), 2);
}

#[rstest]
#[tokio::test]
async fn a_dry_acceptance_foretells_what_the_services_would_refuse(
    #[values("identity", "licensing")] refusing: &str,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let reseller = world.onboard(PartnerKind::Reseller).await;
    let tenant = world.stranger().await;
    let (_, token) = world.invite(&reseller, World::invitation(None)).await;
    let request = world.consent(&token).await;
    let dry = pb::AcceptInvitationRequest { validate_only: true, ..request.clone() };
    let edge = &world.edges[if refusing == "identity" { 0 } else { 1 }];
    edge.set(Mode::Cut).await;
    let away = world.try_accept(tenant.token(), dry.clone()).await;
    assert_eq!(Refused::by(away), (Code::Unavailable, "PEER_UNAVAILABLE".to_owned()));
    let unticked = pb::AcceptInvitationRequest { consent: false, ..dry.clone() };
    assert_eq!(Refused::by(world.try_accept(tenant.token(), unticked).await).1, "CONSENT_REQUIRED", "told first");
    edge.set(Mode::Pass).await;
    let back = async {
        while world.try_accept(tenant.token(), dry.clone()).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    soon("the service is back", back).await;

    // What is confirmed there is newer than what partner would allot.
    let newer =
        pb::Access { epoch: 50, active: false, ..World::access(&tenant.customer_id, &reseller.organization_id) };
    let fact = pb::PartnerFact { version: 50, fact: Some(pb::partner_fact::Fact::Access(newer)) };
    match refusing {
        "identity" => world.tell_identity(vec![fact]).await,
        _ => world.apply_partner_facts(vec![fact]).await.unwrap(),
    }
    let foretold = Refused::by(world.try_accept(tenant.token(), dry).await);
    assert_eq!(foretold, (Code::Aborted, "ACCEPTANCE_OVERTAKEN".to_owned()));
    assert_eq!(Refused::by(world.try_accept(tenant.token(), request).await), foretold, "and so it is");
}

#[rstest]
#[tokio::test]
async fn nobody_sees_one_of_the_two_without_the_other(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::start(kind).await;
    let (provider, reseller) = pair(&world).await;
    let maker = world.onboard(PartnerKind::Direct).await;
    let mut seen = 0;
    for round in 0..12 {
        let tenant = world.create_customer(&maker).await;
        let (_, token) = world.invite(&reseller, World::invitation(Some(&provider))).await;
        let request = world.consent(&token).await;
        let accepting = world.try_accept(&tenant.session.access_token, request);
        // Whoever is asked second shows what the first one showed.
        let order = if round % 2 == 0 { [&provider, &reseller] } else { [&reseller, &provider] };
        let looking = async {
            loop {
                let first = world.customer_ids(order[0]).await.contains(&tenant.customer_id);
                let second = world.customer_ids(order[1]).await.contains(&tenant.customer_id);
                assert!(second || !first, "round {round}: a part of an acceptance was seen");
                if first {
                    return 1;
                }
            }
        };
        let (accepted, looks) = tokio::join!(accepting, looking);
        accepted.unwrap();
        seen += looks;
    }
    assert_eq!(seen, 12);
    assert_eq!(world.violations().await, Vec::<String>::new());
}
