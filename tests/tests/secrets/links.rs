//! The links of invitations, from the draft to the answer.

use proto::identity::v1 as identity;
use proto::identity::v1::registration_service_client::RegistrationServiceClient;
use proto::partner::v1 as pb;
use tests::world::{Registered, Tenant, World, authorized, fresh, token_of};
use tonic::Status;

use super::walk::Walk;

/// What a link's bearer can do with it.
struct Bearer<'w> {
    world: &'w World,
    access: String,
}

impl Bearer<'_> {
    async fn preview(&self, token: &str) -> Result<pb::PreviewInvitationResponse, Status> {
        let request = pb::PreviewInvitationRequest { token: token.to_owned() };
        self.world.invitations().await.preview_invitation(request).await.map(tonic::Response::into_inner)
    }

    async fn accept(&self, request: pb::AcceptInvitationRequest) -> Result<pb::AcceptInvitationResponse, Status> {
        self.world.try_accept(&self.access, request).await
    }

    async fn decline(&self, token: &str) -> Result<pb::DeclineInvitationResponse, Status> {
        let request = pb::DeclineInvitationRequest { token: token.to_owned(), ..Default::default() };
        let declined = self.world.invitations().await.decline_invitation(authorized(&self.access, request)).await;
        declined.map(tonic::Response::into_inner)
    }

    async fn register(&self, token: &str) -> Result<identity::RegisterOrganizationResponse, Status> {
        let request =
            identity::RegisterOrganizationRequest { invitation_token: token.to_owned(), ..World::registration() };
        let mut registrations = RegistrationServiceClient::new(self.world.to_identity().await);
        registrations.register_organization(request).await.map(tonic::Response::into_inner)
    }
}

fn blind(token: &str) -> pb::AcceptInvitationRequest {
    pb::AcceptInvitationRequest {
        token: token.to_owned(),
        consent: true,
        consent_hash: "unseen".to_owned(),
        request_id: fresh(),
        validate_only: false,
    }
}

/// A joint invitation is written, edited, sent, given another link, looked at and accepted, and the wrong links of all
/// that. The customer whom the link brings in is answered.
pub(super) async fn invite(
    walk: &mut Walk<'_>,
    reseller: &Registered,
    provider: &Registered,
    other: &Tenant,
) -> String {
    let world = walk.world;
    let mut invitations = world.invitations().await;
    let create = World::invitation(Some(provider));
    let created = invitations.create_invitation(authorized(reseller.token(), create.clone())).await.unwrap();
    let created = created.into_inner();
    let again = invitations.create_invitation(authorized(reseller.token(), create.clone())).await.unwrap();
    assert!(again.into_inner() == created, "it is shown again");
    let first = created.draft.unwrap();
    let former = token_of(&first.link);
    walk.canaries.add("an invitation's first link", &former);
    let id = created.invitation.unwrap().invitation_id;

    let edit = |subject: &str, body: String| {
        let request = pb::UpdateInvitationTextRequest {
            invitation_id: id.clone(),
            subject: subject.to_owned(),
            body,
            request_id: fresh(),
            ..Default::default()
        };
        authorized(reseller.token(), request)
    };
    let body = format!("Dear Carla, please open {} today.", first.link);
    let edited = invitations.update_invitation_text(edit("Let us begin", body.clone())).await.unwrap().into_inner();
    assert_eq!(edited.draft.unwrap().body, body);
    walk.refused("INVITATION_LINK_MISSING", invitations.update_invitation_text(edit("No", former.clone())).await);
    walk.refused("MALFORMED", invitations.update_invitation_text(edit(&former, body.clone())).await);
    let twice = format!("{body} And again: {former}");
    walk.refused("MALFORMED", invitations.update_invitation_text(edit("Twice", twice)).await);
    let sent = pb::MarkInvitationSentRequest { invitation_id: id.clone(), ..Default::default() };
    invitations.mark_invitation_sent(authorized(reseller.token(), sent)).await.unwrap();
    let rotate =
        pb::RotateInvitationLinkRequest { invitation_id: id.clone(), request_id: fresh(), ..Default::default() };
    let rotated = invitations.rotate_invitation_link(authorized(reseller.token(), rotate)).await.unwrap();
    let present = token_of(&rotated.into_inner().draft.unwrap().link);
    walk.canaries.add("an invitation's present link", &present);
    walk.refused(
        "CREDENTIALS_ALREADY_DELIVERED",
        invitations.create_invitation(authorized(reseller.token(), create)).await,
    );
    let get = pb::GetInvitationRequest { invitation_id: id };
    let shown = invitations.get_invitation(authorized(reseller.token(), get)).await.unwrap().into_inner();
    assert_eq!(token_of(&shown.draft.unwrap().link), present);

    let bearer = Bearer { world, access: other.session.access_token.clone() };
    let unknown = walk.wrong_token("an invitation's link that nobody made");
    for (reason, link) in
        [("NOT_FOUND", &unknown), ("NOT_FOUND", &unknown.repeat(100)), ("INVITATION_CANCELED", &former)]
    {
        walk.refused(reason, bearer.preview(link).await);
        walk.refused(reason, bearer.accept(blind(link)).await);
        walk.refused(reason, bearer.decline(link).await);
        walk.refused(reason, bearer.register(link).await);
    }
    let made = bearer.register(&present).await.unwrap();
    let session = world.sign_in(&made.admin_sign_in_name, tests::world::PASSWORD).await;
    walk.session("an invited admin", &session);
    let guest = Bearer { world, access: session.access_token };
    let request = world.consent(&present).await;
    let unseen = pb::AcceptInvitationRequest { consent_hash: "unseen".to_owned(), ..request.clone() };
    walk.refused("CONSENT_OUTDATED", guest.accept(unseen).await);
    let silent = pb::AcceptInvitationRequest { consent: false, ..request.clone() };
    walk.refused("CONSENT_REQUIRED", guest.accept(silent).await);
    guest.accept(request).await.unwrap();
    walk.refused("INVITATION_ALREADY_USED", bearer.preview(&present).await);
    walk.refused("INVITATION_ALREADY_USED", bearer.accept(blind(&present)).await);
    made.organization.unwrap().organization_id
}

/// Invitations that end otherwise: one is declined, one taken back, and one stays open.
pub(super) async fn end(walk: &mut Walk<'_>, reseller: &Registered, other: &Tenant) {
    let world = walk.world;
    let bearer = Bearer { world, access: other.session.access_token.clone() };
    let (_, declined) = world.invite(reseller, World::invitation(None)).await;
    walk.canaries.add("the link of a declined invitation", &declined);
    bearer.decline(&declined).await.unwrap();
    walk.refused("INVITATION_DECLINED", bearer.preview(&declined).await);
    walk.refused("INVITATION_DECLINED", bearer.decline(&declined).await);
    let (id, canceled) = world.invite(reseller, World::invitation(None)).await;
    walk.canaries.add("the link of a canceled invitation", &canceled);
    let cancel = pb::CancelInvitationRequest { invitation_id: id, ..Default::default() };
    world.invitations().await.cancel_invitation(authorized(reseller.token(), cancel)).await.unwrap();
    walk.refused("INVITATION_CANCELED", bearer.accept(blind(&canceled)).await);
    let (_, open) = world.invite(reseller, World::invitation(None)).await;
    walk.canaries.add("the link of an open invitation", &open);
    bearer.preview(&open).await.unwrap();
}
