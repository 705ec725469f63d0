//! Drafts, links and states: what the partner that invites does with its invitations.

use proto::identity::v1::Role;
use proto::partner::v1 as pb;
use proto::partner::v1::PartnerKind;
use proto::partner::v1::invitation::State;
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{Refused, Registered, World, authorized, dump, token_of};
use tonic::{Code, Status};
use uuid::Uuid;

async fn get(world: &World, partner: &Registered, id: &str) -> Result<pb::GetInvitationResponse, Status> {
    let request = pb::GetInvitationRequest { invitation_id: id.to_owned() };
    let shown = world.invitations().await.get_invitation(authorized(&partner.session.access_token, request)).await;
    shown.map(tonic::Response::into_inner)
}

async fn create(
    world: &World,
    token: &str,
    request: pb::CreateInvitationRequest,
) -> Result<pb::CreateInvitationResponse, Status> {
    world.invitations().await.create_invitation(authorized(token, request)).await.map(tonic::Response::into_inner)
}

#[rstest]
#[tokio::test]
async fn a_draft_can_be_edited_as_long_as_the_link_stays(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::start(kind).await;
    let partner = world.onboard(PartnerKind::Direct).await;
    let token = &partner.session.access_token;
    let created = create(&world, token, World::invitation(None)).await.unwrap();
    let (draft, invitation) = (created.draft.unwrap(), created.invitation.unwrap());
    assert!(draft.body.contains(&draft.link) && invitation.state() == State::Draft);

    let edit = pb::UpdateInvitationTextRequest {
        invitation_id: invitation.invitation_id.clone(),
        subject: "Let us begin".to_owned(),
        body: format!("Dear Carla,\n\nplease open {} today.\n", draft.link),
        ..Default::default()
    };
    let mut invitations = world.invitations().await;
    let without = pb::UpdateInvitationTextRequest { body: "Dear Carla, please call.".to_owned(), ..edit.clone() };
    let other = pb::UpdateInvitationTextRequest { body: edit.body.replace('#', "?"), ..edit.clone() };
    for refused in [without, other] {
        let refused = invitations.update_invitation_text(authorized(token, refused)).await;
        assert_eq!(Refused::by(refused), (Code::FailedPrecondition, "INVITATION_LINK_MISSING".to_owned()));
    }
    let edited = invitations.update_invitation_text(authorized(token, edit.clone())).await.unwrap().into_inner();
    assert_eq!(edited.draft.unwrap().body, edit.body);
    let shown = get(&world, &partner, &invitation.invitation_id).await.unwrap().draft.unwrap();
    assert_eq!((shown.subject, shown.body, &shown.link), (edit.subject, edit.body, &draft.link));
    // The link is nowhere in the database, only what it is looked up by.
    let secret = token_of(&draft.link);
    assert_eq!(dump(&world.partner.db().await).await.tables_with(secret.as_bytes()), Vec::<&str>::new());
    let stale = pb::MarkInvitationSentRequest {
        invitation_id: invitation.invitation_id.clone(),
        etag: invitation.etag,
        ..Default::default()
    };
    let refused = invitations.mark_invitation_sent(authorized(token, stale)).await;
    assert_eq!(Refused::by(refused), (Code::Aborted, "ETAG_MISMATCH".to_owned()));
}

#[rstest]
#[tokio::test]
async fn a_mail_that_is_on_its_way_keeps_its_link_and_a_new_link_keeps_the_state(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let partner = world.onboard(PartnerKind::Reseller).await;
    let tenant = world.stranger().await;
    let access = &partner.session.access_token;
    let (id, token) = world.invite(&partner, World::invitation(None)).await;
    let mut invitations = world.invitations().await;
    let sent = pb::MarkInvitationSentRequest { invitation_id: id.clone(), ..Default::default() };
    for _ in 0..2 {
        let sent = invitations.mark_invitation_sent(authorized(access, sent.clone())).await.unwrap().into_inner();
        assert_eq!(sent.invitation.unwrap().state(), State::Sent);
    }
    assert_eq!(token_of(&get(world, &partner, &id).await.unwrap().draft.unwrap().link), token);
    let rotate = pb::RotateInvitationLinkRequest {
        invitation_id: id.clone(),
        request_id: Uuid::now_v7().to_string(),
        ..Default::default()
    };
    let rotated = invitations.rotate_invitation_link(authorized(access, rotate.clone())).await.unwrap().into_inner();
    let again = invitations.rotate_invitation_link(authorized(access, rotate)).await.unwrap().into_inner();
    assert_eq!(rotated, again, "the same request is the same rotation");
    assert_eq!(rotated.invitation.unwrap().state(), State::Sent);
    let draft = rotated.draft.unwrap();
    assert!(token_of(&draft.link) != token && draft.body.contains(&draft.link) && !draft.body.contains(&token));
    world.accept(&tenant, &token_of(&draft.link)).await;
    for over in [
        Refused::by(invitations.mark_invitation_sent(authorized(access, sent)).await),
        Refused::by(
            invitations
                .cancel_invitation(authorized(
                    access,
                    pb::CancelInvitationRequest { invitation_id: id, ..Default::default() },
                ))
                .await,
        ),
    ] {
        assert_eq!(over, (Code::FailedPrecondition, "INVITATION_NOT_OPEN".to_owned()));
    }
}

#[rstest]
#[tokio::test]
async fn the_provider_sees_a_joint_invitation_without_its_link_and_others_see_nothing(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let provider = world.onboard(PartnerKind::Provider).await;
    let reseller = world.onboard(PartnerKind::Reseller).await;
    world.join(&provider, &reseller).await;
    let stranger = world.onboard(PartnerKind::Provider).await;
    let (joint, _) = world.invite(&reseller, World::invitation(Some(&provider))).await;
    let (single, _) = world.invite(&reseller, World::invitation(None)).await;
    let named = get(world, &provider, &joint).await.unwrap();
    assert!(named.draft.is_none() && named.invitation.unwrap().provider_id == provider.organization_id);
    assert_eq!(Refused::by(get(world, &provider, &single).await).1, "NOT_FOUND");
    assert_eq!(Refused::by(get(world, &stranger, &joint).await).1, "NOT_FOUND");
    // Naming is not managing.
    let cancel = pb::CancelInvitationRequest { invitation_id: joint.clone(), ..Default::default() };
    let refused = world.invitations().await.cancel_invitation(authorized(&provider.session.access_token, cancel)).await;
    assert_eq!(Refused::by(refused).1, "NOT_FOUND");
    // Whoever may not manage them reads them without the link.
    let helpdesk = world.hire(&reseller, &[Role::HelpdeskAgent]).await;
    let helpdesk = Registered { session: helpdesk.session, ..reseller.clone() };
    assert!(get(world, &helpdesk, &joint).await.unwrap().draft.is_none());
    let refused = create(world, &helpdesk.session.access_token, World::invitation(None)).await;
    assert_eq!(Refused::by(refused), (Code::PermissionDenied, "ROLE_NOT_ALLOWED".to_owned()));

    let list = async |partner: &Registered| {
        let request = pb::ListInvitationsRequest { page_size: 1, ..Default::default() };
        let mut ids = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = pb::ListInvitationsRequest { page_token, ..request.clone() };
            let token = &partner.session.access_token;
            let page =
                world.invitations().await.list_invitations(authorized(token, request)).await.unwrap().into_inner();
            ids.extend(page.invitations.into_iter().map(|invitation| invitation.invitation_id));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return ids;
            }
        }
    };
    assert_eq!(list(&reseller).await, [single, joint.clone()], "the newest first");
    assert_eq!(list(&provider).await, [joint]);
    assert_eq!(list(&stranger).await, Vec::<String>::new());
}

#[rstest]
#[tokio::test]
async fn everything_that_is_wrong_with_an_invitation_is_told_at_once(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let partner = world.onboard(PartnerKind::Direct).await;
    let token = &partner.session.access_token;
    let wrong = pb::CreateInvitationRequest {
        provider_id: "nobody".to_owned(),
        recipient_email: "carla".to_owned(),
        customer_id: "nobody".to_owned(),
        life_days: 91,
        ..World::invitation(None)
    };
    let refused = create(world, token, wrong).await.unwrap_err();
    let fields = tonic_types::StatusExt::get_details_bad_request(&refused).unwrap().field_violations;
    let mut fields: Vec<String> = fields.into_iter().map(|violation| violation.field).collect();
    fields.sort();
    assert_eq!(fields, ["customer_id", "life_days", "provider_id", "recipient_email"]);
    let alone = pb::CreateInvitationRequest { provider_delegated_admin: true, ..World::invitation(None) };
    assert_eq!(Refused::by(create(world, token, alone).await), (Code::InvalidArgument, "REQUIRED".to_owned()));
    // Only a reseller invites with a provider.
    let provider = world.onboard(PartnerKind::Provider).await;
    let refused = create(world, token, World::invitation(Some(&provider))).await;
    assert_eq!(Refused::by(refused), (Code::PermissionDenied, "PARTNER_KIND_NOT_ALLOWED".to_owned()));
    let nobody = world.register().await;
    let refused = create(world, &nobody.session.access_token, World::invitation(None)).await;
    assert_eq!(Refused::by(refused), (Code::PermissionDenied, "NOT_A_PARTNER".to_owned()));
}
