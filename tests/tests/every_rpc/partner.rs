//! Partner's RPCs: onboarding, partnerships, invitations, customers.

use proto::partner::v1 as pb;
use proto::partner::v1::PartnerKind::Reseller;
use tests::world::{World, authorized, fresh};

use super::judge::Judge;
use super::stage::{Side, anybody, by};

pub(super) async fn fixtures(judge: &mut Judge) {
    judge
        .rpc("PartnerReviewService/OnboardPartner", async |side| side.by_operator(World::onboarding(Reseller)).await)
        .await;
    reseller_invitations(judge).await;
    partnerships(judge).await;
    drafts(judge).await;
    invitations(judge).await;
    answers(judge).await;
    customers(judge).await;
    customers_own(judge).await;
}

async fn reseller_invitations(judge: &mut Judge) {
    judge
        .rpc("PartnershipService/InviteReseller", async |side| {
            side.by_provider(pb::InviteResellerRequest {
                recipient_email: "rita@reseller.example".to_owned(),
                reseller_id: side.newcomer.organization_id.clone(),
                ..Default::default()
            })
        })
        .await;
    judge
        .rpc("PartnershipService/PreviewPartnership", async |side| {
            let (_, token) = side.reseller_invitation().await;
            anybody(pb::PreviewPartnershipRequest { token })
        })
        .await;
    judge
        .rpc("PartnershipService/DeclinePartnership", async |side| {
            let (_, token) = side.reseller_invitation().await;
            side.by_newcomer(pb::DeclinePartnershipRequest { token, ..Default::default() })
        })
        .await;
    judge
        .rpc("PartnershipService/CancelPartnershipInvitation", async |side| {
            let (partnership_id, _) = side.reseller_invitation().await;
            side.by_provider(pb::CancelPartnershipInvitationRequest { partnership_id, ..Default::default() })
        })
        .await;
    judge
        .rpc("PartnershipService/AcceptPartnership", async |side| {
            let reseller = side.world.onboard(Reseller).await;
            let (_, token) = side.reseller_invitation().await;
            let preview = pb::PreviewPartnershipRequest { token: token.clone() };
            let seen = side.world.partnerships().await.preview_partnership(preview).await.unwrap().into_inner();
            let consent_hash = seen.consent_hash;
            by(&reseller, pb::AcceptPartnershipRequest { token, consent: true, consent_hash, ..Default::default() })
        })
        .await;
}

async fn partnerships(judge: &mut Judge) {
    judge
        .rpc("PartnershipService/GetPartnership", async |side| {
            side.by_reseller(pb::GetPartnershipRequest { partnership_id: side.partnership_id.clone() })
        })
        .await;
    judge
        .rpc("PartnershipService/ListIndirectProviders", async |side| {
            side.by_reseller(pb::ListIndirectProvidersRequest::default())
        })
        .await;
    judge
        .rpc("PartnershipService/ListIndirectResellers", async |side| {
            side.by_provider(pb::ListIndirectResellersRequest::default())
        })
        .await;
    judge
        .rpc("PartnershipService/ListSharedCustomers", async |side| {
            let partnership_id = side.partnership_id.clone();
            side.by_provider(pb::ListSharedCustomersRequest { partnership_id, ..Default::default() })
        })
        .await;
    judge
        .rpc("PartnershipService/RevokeProviderAdminAccess", async |side| {
            let (reseller, partnership_id) = side.joined().await;
            by(&reseller, pb::RevokeProviderAdminAccessRequest { partnership_id, ..Default::default() })
        })
        .await;
    judge
        .rpc("PartnershipService/RemovePartnership", async |side| {
            let (_, partnership_id) = side.joined().await;
            side.by_provider(pb::RemovePartnershipRequest {
                partnership_id,
                attestation_accepted: true,
                request_id: fresh(),
                ..Default::default()
            })
        })
        .await;
}

async fn drafts(judge: &mut Judge) {
    judge
        .rpc("InvitationService/CreateInvitation", async |side| {
            let customer_id = side.customer_id();
            side.by_reseller(pb::CreateInvitationRequest { customer_id, ..World::invitation(Some(&side.provider)) })
        })
        .await;
    judge
        .rpc("InvitationService/UpdateInvitationText", async |side| {
            let (invitation_id, _) = side.invitation().await;
            let draft = draft(side, &invitation_id).await;
            side.by_reseller(pb::UpdateInvitationTextRequest {
                invitation_id,
                subject: "Shall we?".to_owned(),
                body: format!("As we said: {}", draft.link),
                ..Default::default()
            })
        })
        .await;
    judge
        .rpc("InvitationService/MarkInvitationSent", async |side| {
            let (invitation_id, _) = side.invitation().await;
            side.by_reseller(pb::MarkInvitationSentRequest { invitation_id, ..Default::default() })
        })
        .await;
    judge
        .rpc("InvitationService/RotateInvitationLink", async |side| {
            let (invitation_id, _) = side.invitation().await;
            side.by_reseller(pb::RotateInvitationLinkRequest { invitation_id, ..Default::default() })
        })
        .await;
    judge
        .rpc("InvitationService/CancelInvitation", async |side| {
            let (invitation_id, _) = side.invitation().await;
            side.by_reseller(pb::CancelInvitationRequest { invitation_id, ..Default::default() })
        })
        .await;
}

/// The mail of an invitation.
async fn draft(side: &Side, invitation_id: &str) -> pb::Draft {
    let request = pb::GetInvitationRequest { invitation_id: invitation_id.to_owned() };
    let shown = side.world.invitations().await.get_invitation(authorized(side.reseller.token(), request)).await;
    shown.unwrap().into_inner().draft.unwrap()
}

async fn invitations(judge: &mut Judge) {
    judge
        .rpc("InvitationService/GetInvitation", async |side| {
            let (invitation_id, _) = side.invitation().await;
            side.by_reseller(pb::GetInvitationRequest { invitation_id })
        })
        .await;
    judge
        .rpc("InvitationService/WatchInvitation", async |side| {
            let (invitation_id, _) = side.invitation().await;
            side.by_reseller(pb::WatchInvitationRequest { invitation_id })
        })
        .await;
    judge
        .rpc("InvitationService/ListInvitations", async |side| side.by_reseller(pb::ListInvitationsRequest::default()))
        .await;
    judge
        .rpc("InvitationService/PreviewInvitation", async |side| {
            let (_, token) = side.invitation().await;
            anybody(pb::PreviewInvitationRequest { token })
        })
        .await;
}

async fn answers(judge: &mut Judge) {
    judge
        .rpc("InvitationService/DeclineInvitation", async |side| {
            let (_, token) = side.invitation().await;
            side.by_outsider(pb::DeclineInvitationRequest { token, ..Default::default() })
        })
        .await;
    judge
        .rpc("InvitationService/AcceptInvitation", async |side| {
            let (_, token) = side.invitation().await;
            side.by_outsider(side.world.consent(&token).await)
        })
        .await;
}

async fn customers(judge: &mut Judge) {
    judge
        .rpc("CustomerService/CreateCustomer", async |side| {
            let reseller_id = side.reseller.organization_id.clone();
            side.by_provider(pb::CreateCustomerRequest { reseller_id, ..World::new_customer() })
        })
        .await;
    judge
        .rpc("CustomerService/ListCustomers", async |side| side.by_reseller(pb::ListCustomersRequest::default()))
        .await;
    judge
        .rpc("CustomerService/GetCustomer", async |side| {
            side.by_reseller(pb::GetCustomerRequest { customer_id: side.customer_id() })
        })
        .await;
    judge
        .rpc("CustomerService/RemoveCustomer", async |side| {
            let made = side.world.try_create_customer(side.reseller.token(), World::new_customer()).await.unwrap();
            side.by_reseller(pb::RemoveCustomerRequest {
                customer_id: made.customer.unwrap().customer_id,
                attestation_accepted: true,
                request_id: fresh(),
                ..Default::default()
            })
        })
        .await;
}

async fn customers_own(judge: &mut Judge) {
    judge
        .rpc("CustomerService/ListPartnersOfCustomer", async |side| {
            side.by_customer(pb::ListPartnersOfCustomerRequest::default())
        })
        .await;
    judge
        .rpc("CustomerService/RevokeDelegatedAdmin", async |side| {
            let partner_id = side.outsiders_partner.organization_id.clone();
            side.by_outsider(pb::RevokeDelegatedAdminRequest { partner_id, ..Default::default() })
        })
        .await;
}
