//! The links of partnerships, from the draft to the answer.

use proto::partner::v1 as pb;
use tests::world::{Registered, World, authorized, fresh, token_of};
use tonic::Status;

use super::walk::Walk;

async fn draft(walk: &mut Walk<'_>, what: &str, provider: &Registered) -> (String, String) {
    let request = pb::InviteResellerRequest {
        recipient_email: "rita@reseller.example".to_owned(),
        request_id: fresh(),
        ..Default::default()
    };
    let mut partnerships = walk.world.partnerships().await;
    let invited = partnerships.invite_reseller(authorized(provider.token(), request.clone())).await.unwrap();
    let invited = invited.into_inner();
    let again = partnerships.invite_reseller(authorized(provider.token(), request)).await.unwrap();
    assert!(again.into_inner() == invited, "it is shown again");
    let token = token_of(&invited.draft.unwrap().link);
    walk.canaries.add(what, &token);
    (invited.partnership.unwrap().partnership_id, token)
}

async fn preview(world: &World, token: &str) -> Result<pb::PreviewPartnershipResponse, Status> {
    let request = pb::PreviewPartnershipRequest { token: token.to_owned() };
    world.partnerships().await.preview_partnership(request).await.map(tonic::Response::into_inner)
}

async fn accept(
    world: &World,
    reseller: &Registered,
    token: &str,
    consent_hash: &str,
) -> Result<pb::AcceptPartnershipResponse, Status> {
    let request = pb::AcceptPartnershipRequest {
        token: token.to_owned(),
        consent: true,
        consent_hash: consent_hash.to_owned(),
        request_id: fresh(),
        validate_only: false,
    };
    let accepted = world.partnerships().await.accept_partnership(authorized(reseller.token(), request)).await;
    accepted.map(tonic::Response::into_inner)
}

async fn decline(world: &World, reseller: &Registered, token: &str) -> Result<pb::DeclinePartnershipResponse, Status> {
    let request = pb::DeclinePartnershipRequest { token: token.to_owned(), ..Default::default() };
    let declined = world.partnerships().await.decline_partnership(authorized(reseller.token(), request)).await;
    declined.map(tonic::Response::into_inner)
}

/// One invitation of a reseller is accepted, one declined, one taken back, and one stays open.
pub(super) async fn join(walk: &mut Walk<'_>, provider: &Registered, reseller: &Registered) {
    let world = walk.world;
    let (id, token) = draft(walk, "a partnership's link", provider).await;
    let get = pb::GetPartnershipRequest { partnership_id: id };
    let shown = world.partnerships().await.get_partnership(authorized(provider.token(), get)).await.unwrap();
    assert_eq!(token_of(&shown.into_inner().draft.unwrap().link), token);
    let unknown = walk.wrong_token("a partnership's link that nobody made");
    walk.refused("NOT_FOUND", preview(world, &unknown).await);
    walk.refused("NOT_FOUND", accept(world, reseller, &unknown, "unseen").await);
    walk.refused("NOT_FOUND", decline(world, reseller, &unknown).await);
    walk.refused("CONSENT_OUTDATED", accept(world, reseller, &token, "unseen").await);
    let seen = preview(world, &token).await.unwrap();
    accept(world, reseller, &token, &seen.consent_hash).await.unwrap();
    walk.refused("INVITATION_ALREADY_USED", preview(world, &token).await);

    let (_, declined) = draft(walk, "the link of a declined partnership", provider).await;
    decline(world, reseller, &declined).await.unwrap();
    walk.refused("INVITATION_DECLINED", preview(world, &declined).await);
    let (id, canceled) = draft(walk, "the link of a canceled partnership", provider).await;
    let cancel = pb::CancelPartnershipInvitationRequest { partnership_id: id, ..Default::default() };
    let canceling = authorized(provider.token(), cancel);
    world.partnerships().await.cancel_partnership_invitation(canceling).await.unwrap();
    walk.refused("INVITATION_CANCELED", accept(world, reseller, &canceled, "unseen").await);
    let (_, open) = draft(walk, "the link of an open partnership", provider).await;
    preview(world, &open).await.unwrap();
}
