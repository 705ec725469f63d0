//! The table of contents: one line per RPC.

use std::sync::Arc;

use proto::partner::v1 as pb;
use service::Host;
use service::watch::Watching;
use tonic::{Request, Response, Status};

use crate::Partner;
use crate::account::ops::OnboardPartner;
use crate::customer::ops::{
    CreateCustomer, GetCustomer, ListCustomers, ListPartnersOfCustomer, RemoveCustomer, RevokeDelegatedAdmin,
};
use crate::decision::GetDecision;
use crate::invitation::ops::{
    AcceptInvitation, CancelInvitation, CheckInvitationLink, CreateInvitation, DeclineInvitation, GetInvitation,
    ListInvitations, MarkInvitationSent, PreviewInvitation, RotateInvitationLink, UpdateInvitationText,
    WatchInvitation,
};
use crate::partnership::ops::{
    AcceptPartnership, CancelPartnershipInvitation, DeclinePartnership, GetPartnership, InviteReseller,
    ListIndirectProviders, ListIndirectResellers, ListSharedCustomers, PreviewPartnership, RemovePartnership,
    RevokeProviderAdminAccess,
};
use crate::projection::{ApplyIdentityFacts, ApplyLicensingFacts};

/// The front of partner.
#[derive(Clone, Debug)]
pub struct Api(pub Arc<Host<Partner>>);

type Reply<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl pb::partner_review_service_server::PartnerReviewService for Api {
    async fn onboard_partner(&self, request: Request<pb::OnboardPartnerRequest>) -> Reply<pb::OnboardPartnerResponse> {
        self.0.run::<OnboardPartner>(request).await
    }
}

#[tonic::async_trait]
impl pb::partnership_service_server::PartnershipService for Api {
    async fn invite_reseller(&self, request: Request<pb::InviteResellerRequest>) -> Reply<pb::InviteResellerResponse> {
        self.0.run::<InviteReseller>(request).await
    }
    async fn preview_partnership(
        &self,
        request: Request<pb::PreviewPartnershipRequest>,
    ) -> Reply<pb::PreviewPartnershipResponse> {
        self.0.run::<PreviewPartnership>(request).await
    }
    async fn accept_partnership(
        &self,
        request: Request<pb::AcceptPartnershipRequest>,
    ) -> Reply<pb::AcceptPartnershipResponse> {
        self.0.run::<AcceptPartnership>(request).await
    }
    async fn decline_partnership(
        &self,
        request: Request<pb::DeclinePartnershipRequest>,
    ) -> Reply<pb::DeclinePartnershipResponse> {
        self.0.run::<DeclinePartnership>(request).await
    }
    async fn cancel_partnership_invitation(
        &self,
        request: Request<pb::CancelPartnershipInvitationRequest>,
    ) -> Reply<pb::CancelPartnershipInvitationResponse> {
        self.0.run::<CancelPartnershipInvitation>(request).await
    }
    async fn get_partnership(&self, request: Request<pb::GetPartnershipRequest>) -> Reply<pb::GetPartnershipResponse> {
        self.0.run::<GetPartnership>(request).await
    }
    async fn list_indirect_providers(
        &self,
        request: Request<pb::ListIndirectProvidersRequest>,
    ) -> Reply<pb::ListIndirectProvidersResponse> {
        self.0.run::<ListIndirectProviders>(request).await
    }
    async fn list_indirect_resellers(
        &self,
        request: Request<pb::ListIndirectResellersRequest>,
    ) -> Reply<pb::ListIndirectResellersResponse> {
        self.0.run::<ListIndirectResellers>(request).await
    }
    async fn list_shared_customers(
        &self,
        request: Request<pb::ListSharedCustomersRequest>,
    ) -> Reply<pb::ListSharedCustomersResponse> {
        self.0.run::<ListSharedCustomers>(request).await
    }
    async fn revoke_provider_admin_access(
        &self,
        request: Request<pb::RevokeProviderAdminAccessRequest>,
    ) -> Reply<pb::RevokeProviderAdminAccessResponse> {
        self.0.run::<RevokeProviderAdminAccess>(request).await
    }
    async fn remove_partnership(
        &self,
        request: Request<pb::RemovePartnershipRequest>,
    ) -> Reply<pb::RemovePartnershipResponse> {
        self.0.run::<RemovePartnership>(request).await
    }
}

#[tonic::async_trait]
impl pb::invitation_service_server::InvitationService for Api {
    async fn create_invitation(
        &self,
        request: Request<pb::CreateInvitationRequest>,
    ) -> Reply<pb::CreateInvitationResponse> {
        self.0.run::<CreateInvitation>(request).await
    }
    async fn update_invitation_text(
        &self,
        request: Request<pb::UpdateInvitationTextRequest>,
    ) -> Reply<pb::UpdateInvitationTextResponse> {
        self.0.run::<UpdateInvitationText>(request).await
    }
    async fn mark_invitation_sent(
        &self,
        request: Request<pb::MarkInvitationSentRequest>,
    ) -> Reply<pb::MarkInvitationSentResponse> {
        self.0.run::<MarkInvitationSent>(request).await
    }
    async fn rotate_invitation_link(
        &self,
        request: Request<pb::RotateInvitationLinkRequest>,
    ) -> Reply<pb::RotateInvitationLinkResponse> {
        self.0.run::<RotateInvitationLink>(request).await
    }
    async fn cancel_invitation(
        &self,
        request: Request<pb::CancelInvitationRequest>,
    ) -> Reply<pb::CancelInvitationResponse> {
        self.0.run::<CancelInvitation>(request).await
    }
    async fn get_invitation(&self, request: Request<pb::GetInvitationRequest>) -> Reply<pb::GetInvitationResponse> {
        self.0.run::<GetInvitation>(request).await
    }
    async fn list_invitations(
        &self,
        request: Request<pb::ListInvitationsRequest>,
    ) -> Reply<pb::ListInvitationsResponse> {
        self.0.run::<ListInvitations>(request).await
    }
    async fn preview_invitation(
        &self,
        request: Request<pb::PreviewInvitationRequest>,
    ) -> Reply<pb::PreviewInvitationResponse> {
        self.0.run::<PreviewInvitation>(request).await
    }
    async fn accept_invitation(
        &self,
        request: Request<pb::AcceptInvitationRequest>,
    ) -> Reply<pb::AcceptInvitationResponse> {
        self.0.run::<AcceptInvitation>(request).await
    }
    async fn decline_invitation(
        &self,
        request: Request<pb::DeclineInvitationRequest>,
    ) -> Reply<pb::DeclineInvitationResponse> {
        self.0.run::<DeclineInvitation>(request).await
    }
    type WatchInvitationStream = Watching<pb::WatchInvitationResponse>;
    async fn watch_invitation(
        &self,
        request: Request<pb::WatchInvitationRequest>,
    ) -> Reply<Self::WatchInvitationStream> {
        self.0.watch::<WatchInvitation>(request).await
    }
}

#[tonic::async_trait]
impl pb::customer_service_server::CustomerService for Api {
    async fn create_customer(&self, request: Request<pb::CreateCustomerRequest>) -> Reply<pb::CreateCustomerResponse> {
        self.0.run::<CreateCustomer>(request).await
    }
    async fn list_customers(&self, request: Request<pb::ListCustomersRequest>) -> Reply<pb::ListCustomersResponse> {
        self.0.run::<ListCustomers>(request).await
    }
    async fn get_customer(&self, request: Request<pb::GetCustomerRequest>) -> Reply<pb::GetCustomerResponse> {
        self.0.run::<GetCustomer>(request).await
    }
    async fn remove_customer(&self, request: Request<pb::RemoveCustomerRequest>) -> Reply<pb::RemoveCustomerResponse> {
        self.0.run::<RemoveCustomer>(request).await
    }
    async fn list_partners_of_customer(
        &self,
        request: Request<pb::ListPartnersOfCustomerRequest>,
    ) -> Reply<pb::ListPartnersOfCustomerResponse> {
        self.0.run::<ListPartnersOfCustomer>(request).await
    }
    async fn revoke_delegated_admin(
        &self,
        request: Request<pb::RevokeDelegatedAdminRequest>,
    ) -> Reply<pb::RevokeDelegatedAdminResponse> {
        self.0.run::<RevokeDelegatedAdmin>(request).await
    }
}

#[tonic::async_trait]
impl pb::partner_internal_service_server::PartnerInternalService for Api {
    async fn apply_identity_facts(
        &self,
        request: Request<pb::ApplyIdentityFactsRequest>,
    ) -> Reply<pb::ApplyIdentityFactsResponse> {
        self.0.run::<ApplyIdentityFacts>(request).await
    }
    async fn apply_licensing_facts(
        &self,
        request: Request<pb::ApplyLicensingFactsRequest>,
    ) -> Reply<pb::ApplyLicensingFactsResponse> {
        self.0.run::<ApplyLicensingFacts>(request).await
    }
    async fn get_decision(&self, request: Request<pb::GetDecisionRequest>) -> Reply<pb::GetDecisionResponse> {
        self.0.run::<GetDecision>(request).await
    }
    async fn check_invitation_link(
        &self,
        request: Request<pb::CheckInvitationLinkRequest>,
    ) -> Reply<pb::CheckInvitationLinkResponse> {
        self.0.run::<CheckInvitationLink>(request).await
    }
}
