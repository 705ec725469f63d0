//! The table of contents: one line per RPC.

use std::sync::Arc;

use proto::identity::v1 as pb;
use service::Host;
use tonic::{Request, Response, Status};

use crate::Identity;
use crate::access::ops::{ApplyPartnerFacts, CancelAccess, CheckAccess, PrepareAccess};
use crate::customer_user::ops::{ApplyLicensingFacts, CreateUser, DeleteUser, GetUser, ListUsers, LookUpUsers};
use crate::organization::ops::{
    AddOrganizationDomain, CheckDomainAvailability, GetOrganization, ListOrganizations, LookUpOrganization,
    RegisterOrganization, UpdateOrganization,
};
use crate::origin::ops::{
    CancelOrganization, CheckOrganization, ConfirmOrganization, PrepareOrganization, RevealSecret,
};
use crate::partner_user::ops::{
    AddPartnerUser, GetPartnerUser, ListPartnerUsers, RemovePartnerUser, ResetPartnerUserPassword,
    UpdatePartnerUserRoles,
};
use crate::session::ops::{ChangePassword, GetMe, RefreshSession, SignIn, SignOut};
use crate::signing_key::ops::GetJwks;
use crate::workload::ops::{CreateWorkload, DeleteWorkload, IssueToken, ListWorkloads, RotateWorkloadSecret};

/// The front of identity.
#[derive(Clone, Debug)]
pub struct Api(pub Arc<Host<Identity>>);

type Reply<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl pb::registration_service_server::RegistrationService for Api {
    async fn register_organization(
        &self,
        request: Request<pb::RegisterOrganizationRequest>,
    ) -> Reply<pb::RegisterOrganizationResponse> {
        self.0.run::<RegisterOrganization>(request).await
    }
}

#[tonic::async_trait]
impl pb::organization_service_server::OrganizationService for Api {
    async fn get_organization(
        &self,
        request: Request<pb::GetOrganizationRequest>,
    ) -> Reply<pb::GetOrganizationResponse> {
        self.0.run::<GetOrganization>(request).await
    }
    async fn list_organizations(
        &self,
        request: Request<pb::ListOrganizationsRequest>,
    ) -> Reply<pb::ListOrganizationsResponse> {
        self.0.run::<ListOrganizations>(request).await
    }
    async fn update_organization(
        &self,
        request: Request<pb::UpdateOrganizationRequest>,
    ) -> Reply<pb::UpdateOrganizationResponse> {
        self.0.run::<UpdateOrganization>(request).await
    }
    async fn add_organization_domain(
        &self,
        request: Request<pb::AddOrganizationDomainRequest>,
    ) -> Reply<pb::AddOrganizationDomainResponse> {
        self.0.run::<AddOrganizationDomain>(request).await
    }
    async fn check_domain_availability(
        &self,
        request: Request<pb::CheckDomainAvailabilityRequest>,
    ) -> Reply<pb::CheckDomainAvailabilityResponse> {
        self.0.run::<CheckDomainAvailability>(request).await
    }
}

#[tonic::async_trait]
impl pb::partner_user_service_server::PartnerUserService for Api {
    async fn add_partner_user(&self, request: Request<pb::AddPartnerUserRequest>) -> Reply<pb::AddPartnerUserResponse> {
        self.0.run::<AddPartnerUser>(request).await
    }
    async fn get_partner_user(&self, request: Request<pb::GetPartnerUserRequest>) -> Reply<pb::GetPartnerUserResponse> {
        self.0.run::<GetPartnerUser>(request).await
    }
    async fn list_partner_users(
        &self,
        request: Request<pb::ListPartnerUsersRequest>,
    ) -> Reply<pb::ListPartnerUsersResponse> {
        self.0.run::<ListPartnerUsers>(request).await
    }
    async fn update_partner_user_roles(
        &self,
        request: Request<pb::UpdatePartnerUserRolesRequest>,
    ) -> Reply<pb::UpdatePartnerUserRolesResponse> {
        self.0.run::<UpdatePartnerUserRoles>(request).await
    }
    async fn reset_partner_user_password(
        &self,
        request: Request<pb::ResetPartnerUserPasswordRequest>,
    ) -> Reply<pb::ResetPartnerUserPasswordResponse> {
        self.0.run::<ResetPartnerUserPassword>(request).await
    }
    async fn remove_partner_user(
        &self,
        request: Request<pb::RemovePartnerUserRequest>,
    ) -> Reply<pb::RemovePartnerUserResponse> {
        self.0.run::<RemovePartnerUser>(request).await
    }
}

#[tonic::async_trait]
impl pb::customer_user_service_server::CustomerUserService for Api {
    async fn create_user(&self, request: Request<pb::CreateUserRequest>) -> Reply<pb::CreateUserResponse> {
        self.0.run::<CreateUser>(request).await
    }
    async fn get_user(&self, request: Request<pb::GetUserRequest>) -> Reply<pb::GetUserResponse> {
        self.0.run::<GetUser>(request).await
    }
    async fn list_users(&self, request: Request<pb::ListUsersRequest>) -> Reply<pb::ListUsersResponse> {
        self.0.run::<ListUsers>(request).await
    }
    async fn delete_user(&self, request: Request<pb::DeleteUserRequest>) -> Reply<pb::DeleteUserResponse> {
        self.0.run::<DeleteUser>(request).await
    }
}

#[tonic::async_trait]
impl pb::session_service_server::SessionService for Api {
    async fn sign_in(&self, request: Request<pb::SignInRequest>) -> Reply<pb::SignInResponse> {
        self.0.run::<SignIn>(request).await
    }
    async fn change_password(&self, request: Request<pb::ChangePasswordRequest>) -> Reply<pb::ChangePasswordResponse> {
        self.0.run::<ChangePassword>(request).await
    }
    async fn refresh_session(&self, request: Request<pb::RefreshSessionRequest>) -> Reply<pb::RefreshSessionResponse> {
        self.0.run::<RefreshSession>(request).await
    }
    async fn sign_out(&self, request: Request<pb::SignOutRequest>) -> Reply<pb::SignOutResponse> {
        self.0.run::<SignOut>(request).await
    }
    async fn get_me(&self, request: Request<pb::GetMeRequest>) -> Reply<pb::GetMeResponse> {
        self.0.run::<GetMe>(request).await
    }
}

#[tonic::async_trait]
impl pb::workload_service_server::WorkloadService for Api {
    async fn create_workload(&self, request: Request<pb::CreateWorkloadRequest>) -> Reply<pb::CreateWorkloadResponse> {
        self.0.run::<CreateWorkload>(request).await
    }
    async fn list_workloads(&self, request: Request<pb::ListWorkloadsRequest>) -> Reply<pb::ListWorkloadsResponse> {
        self.0.run::<ListWorkloads>(request).await
    }
    async fn rotate_workload_secret(
        &self,
        request: Request<pb::RotateWorkloadSecretRequest>,
    ) -> Reply<pb::RotateWorkloadSecretResponse> {
        self.0.run::<RotateWorkloadSecret>(request).await
    }
    async fn delete_workload(&self, request: Request<pb::DeleteWorkloadRequest>) -> Reply<pb::DeleteWorkloadResponse> {
        self.0.run::<DeleteWorkload>(request).await
    }
    async fn issue_token(&self, request: Request<pb::IssueTokenRequest>) -> Reply<pb::IssueTokenResponse> {
        self.0.run::<IssueToken>(request).await
    }
}

#[tonic::async_trait]
impl pb::key_service_server::KeyService for Api {
    async fn get_jwks(&self, request: Request<pb::GetJwksRequest>) -> Reply<pb::GetJwksResponse> {
        self.0.run::<GetJwks>(request).await
    }
}

#[tonic::async_trait]
impl pb::identity_internal_service_server::IdentityInternalService for Api {
    async fn apply_partner_facts(
        &self,
        request: Request<pb::ApplyPartnerFactsRequest>,
    ) -> Reply<pb::ApplyPartnerFactsResponse> {
        self.0.run::<ApplyPartnerFacts>(request).await
    }
    async fn apply_licensing_facts(
        &self,
        request: Request<pb::ApplyLicensingFactsRequest>,
    ) -> Reply<pb::ApplyLicensingFactsResponse> {
        self.0.run::<ApplyLicensingFacts>(request).await
    }
    async fn prepare_access(&self, request: Request<pb::PrepareAccessRequest>) -> Reply<pb::PrepareAccessResponse> {
        self.0.run::<PrepareAccess>(request).await
    }
    async fn check_access(&self, request: Request<pb::CheckAccessRequest>) -> Reply<pb::CheckAccessResponse> {
        self.0.run::<CheckAccess>(request).await
    }
    async fn cancel_access(&self, request: Request<pb::CancelAccessRequest>) -> Reply<pb::CancelAccessResponse> {
        self.0.run::<CancelAccess>(request).await
    }
    async fn prepare_organization(
        &self,
        request: Request<pb::PrepareOrganizationRequest>,
    ) -> Reply<pb::PrepareOrganizationResponse> {
        self.0.run::<PrepareOrganization>(request).await
    }
    async fn confirm_organization(
        &self,
        request: Request<pb::ConfirmOrganizationRequest>,
    ) -> Reply<pb::ConfirmOrganizationResponse> {
        self.0.run::<ConfirmOrganization>(request).await
    }
    async fn cancel_organization(
        &self,
        request: Request<pb::CancelOrganizationRequest>,
    ) -> Reply<pb::CancelOrganizationResponse> {
        self.0.run::<CancelOrganization>(request).await
    }
    async fn check_organization(
        &self,
        request: Request<pb::CheckOrganizationRequest>,
    ) -> Reply<pb::CheckOrganizationResponse> {
        self.0.run::<CheckOrganization>(request).await
    }
    async fn reveal_secret(&self, request: Request<pb::RevealSecretRequest>) -> Reply<pb::RevealSecretResponse> {
        self.0.run::<RevealSecret>(request).await
    }
    async fn look_up_organization(
        &self,
        request: Request<pb::LookUpOrganizationRequest>,
    ) -> Reply<pb::LookUpOrganizationResponse> {
        self.0.run::<LookUpOrganization>(request).await
    }
    async fn look_up_users(&self, request: Request<pb::LookUpUsersRequest>) -> Reply<pb::LookUpUsersResponse> {
        self.0.run::<LookUpUsers>(request).await
    }
}
