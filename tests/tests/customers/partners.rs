//! A customer looks at its own partners (C19, C32, O-56).

use proto::partner::v1 as pb;
use proto::partner::v1::PartnerKind::{Direct, Provider, Reseller};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{PASSWORD, World, id, outcome, reason};
use tonic::Code;

use super::{calls, removing, revoking, served};

#[rstest]
#[tokio::test]
async fn a_customer_s_partners_are_walked_in_both_directions_from_both_ends(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let tenant = world.stranger().await;
    for (name, what) in [("zoe", Reseller), ("Zoe", Direct), ("Über", Reseller), ("alpha", Direct)] {
        let request = pb::OnboardPartnerRequest { name: name.to_owned(), ..World::onboarding(what) };
        let partner = world.onboard_as(request).await;
        let (_, link) = world.invite(&partner, World::invitation(None)).await;
        world.accept(&tenant, &link).await;
    }
    let mut calls = calls(world).await;
    let token = tenant.token();
    let whole = calls.partners_of(&tenant).await;
    assert_eq!(whole.len(), 5, "and the one who made it");
    assert!(whole.is_sorted_by_key(|partner| (partner.name.to_lowercase(), partner.partner_id.clone())));
    let page = |page_token: &str, seek: pb::Seek| pb::ListPartnersOfCustomerRequest {
        page_size: 2,
        page_token: page_token.to_owned(),
        seek: seek.into(),
    };
    let mut forward = Vec::new();
    let mut answer = calls.partners(token, page("", pb::Seek::First)).await.unwrap();
    assert!(answer.previous_page_token.is_empty());
    let second = answer.next_page_token.clone();
    loop {
        forward.extend(answer.partners);
        if answer.next_page_token.is_empty() {
            break;
        }
        answer = calls.partners(token, page(&answer.next_page_token, pb::Seek::First)).await.unwrap();
    }
    assert_eq!(forward, whole);
    let mut backward = Vec::new();
    let mut answer = calls.partners(token, page("", pb::Seek::Last)).await.unwrap();
    assert!(answer.next_page_token.is_empty());
    loop {
        backward.splice(0..0, answer.partners);
        if answer.previous_page_token.is_empty() {
            break;
        }
        answer = calls.partners(token, page(&answer.previous_page_token, pb::Seek::First)).await.unwrap();
    }
    assert_eq!(backward, whole);
    let stranger = world.stranger().await;
    assert_eq!(reason(&calls.partners(stranger.token(), page(&second, pb::Seek::First)).await), "PAGE_TOKEN_INVALID");
}

#[rstest]
#[tokio::test]
async fn who_accepts_a_partner_leaves_the_others_as_they_are(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let (world, first, tenant) = served(kind).await;
    let mut calls = calls(world).await;
    let before = calls.partner_of(&tenant, &first).await.unwrap();
    let second = world.onboard(Reseller).await;
    let (_, link) = world.invite(&second, World::invitation(None)).await;
    world.accept(&tenant, &link).await;
    assert_eq!(calls.partner_of(&tenant, &first).await.unwrap(), before);
    assert_eq!(world.customer_ids(&first).await, [tenant.customer_id.as_str()]);
    calls.remove(second.token(), removing(&tenant.customer_id)).await.unwrap();
    assert_eq!(calls.partner_of(&tenant, &first).await.unwrap(), before);
}

#[rstest]
#[tokio::test]
async fn only_the_customer_s_global_admin_sees_its_partners_or_takes_anything_from_them(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let (world, reseller, tenant) = served(kind).await;
    let mut tx = world.identity.db().await.write().await.unwrap();
    let change = tx.sql("UPDATE user_roles SET role = 'PASSWORD_ADMIN' WHERE user_id = $1");
    assert_eq!(change.bind(id(&tenant.admin_user_id)).execute().await.unwrap(), 1);
    tx.commit().await.unwrap();
    let token = world.sign_in(&tenant.admin_sign_in_name, PASSWORD).await.access_token;
    let mut calls = calls(world).await;
    let required = (Code::PermissionDenied, "GLOBAL_ADMIN_REQUIRED".to_owned());
    assert_eq!(outcome(&calls.partners(&token, Default::default()).await), required);
    assert_eq!(outcome(&calls.revoke(&token, revoking(&reseller.organization_id)).await), required);
    let shown = calls.get(reseller.token(), &tenant.customer_id).await.unwrap();
    assert!(shown.delegated_admin);
    let provider = world.onboard(Provider).await;
    let kind = (Code::PermissionDenied, "ORGANIZATION_KIND_NOT_ALLOWED".to_owned());
    for token in [reseller.token(), provider.token(), &world.operator().await] {
        assert_eq!(outcome(&calls.partners(token, Default::default()).await), kind);
        assert_eq!(outcome(&calls.revoke(token, revoking(&reseller.organization_id)).await), kind);
    }
}
