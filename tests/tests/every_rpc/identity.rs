//! Identity's RPCs: registration, organizations, users of partners and of customers, sessions, workloads, keys.

use proto::identity::v1 as pb;
use proto::identity::v1::check_domain_availability_request::Name;
use tests::world::{PASSWORD, World, fresh};

use super::judge::Judge;
use super::stage::anybody;

pub(super) async fn fixtures(judge: &mut Judge) {
    organizations(judge).await;
    customer_users(judge).await;
    deletions(judge).await;
    partner_users(judge).await;
    sessions(judge).await;
    workloads(judge).await;
}

async fn organizations(judge: &mut Judge) {
    judge.rpc("RegistrationService/RegisterOrganization", async |_| anybody(World::registration())).await;
    judge
        .rpc("RegistrationService/RegisterOrganization", async |side| {
            let (_, invitation_token) = side.invitation().await;
            anybody(pb::RegisterOrganizationRequest { invitation_token, ..World::registration() })
        })
        .await;
    judge
        .rpc("OrganizationService/GetOrganization", async |side| {
            side.by_reseller(pb::GetOrganizationRequest { organization_id: side.reseller.organization_id.clone() })
        })
        .await;
    judge
        .rpc("OrganizationService/ListOrganizations", async |side| {
            side.by_operator(pb::ListOrganizationsRequest::default()).await
        })
        .await;
    judge
        .rpc("OrganizationService/UpdateOrganization", async |side| {
            side.by_reseller(pb::UpdateOrganizationRequest {
                organization_id: side.reseller.organization_id.clone(),
                name: "Adatum Cloud".to_owned(),
                ..Default::default()
            })
        })
        .await;
    judge
        .rpc("OrganizationService/AddOrganizationDomain", async |side| {
            side.by_operator(pb::AddOrganizationDomainRequest {
                organization_id: side.reseller.organization_id.clone(),
                domain: format!("d{}.example", fresh()),
                ..Default::default()
            })
            .await
        })
        .await;
    judge
        .rpc("OrganizationService/CheckDomainAvailability", async |side| {
            let name = Some(Name::Domain(side.customer.domain.clone()));
            side.by_reseller(pb::CheckDomainAvailabilityRequest { name })
        })
        .await;
}

async fn customer_users(judge: &mut Judge) {
    judge.rpc("CustomerUserService/CreateUser", async |side| side.by_reseller(side.new_user())).await;
    judge
        .rpc("CustomerUserService/GetUser", async |side| {
            let (customer_id, user_id) = (side.customer_id(), side.user_id.clone());
            side.by_reseller(pb::GetUserRequest { customer_id, user_id })
        })
        .await;
    judge
        .rpc("CustomerUserService/ListUsers", async |side| {
            let (customer_id, user_ids) = (side.customer_id(), vec![side.user_id.clone()]);
            side.by_reseller(pb::ListUsersRequest { customer_id, user_ids, ..Default::default() })
        })
        .await;
}

async fn deletions(judge: &mut Judge) {
    judge
        .rpc("CustomerUserService/DeleteUser", async |side| {
            let (customer_id, user_id) = (side.customer_id(), side.licensed_user().await);
            side.by_reseller(pb::DeleteUserRequest { customer_id, user_id, ..Default::default() })
        })
        .await;
}

async fn partner_users(judge: &mut Judge) {
    judge
        .rpc("PartnerUserService/AddPartnerUser", async |side| {
            side.by_provider(pb::AddPartnerUserRequest {
                organization_id: side.reseller.organization_id.clone(),
                ..World::addition(&side.reseller, &[pb::Role::HelpdeskAgent])
            })
        })
        .await;
    judge
        .rpc("PartnerUserService/ListPartnerUsers", async |side| {
            let organization_id = side.reseller.organization_id.clone();
            side.by_provider(pb::ListPartnerUsersRequest { organization_id, ..Default::default() })
        })
        .await;
    judge
        .rpc("PartnerUserService/GetPartnerUser", async |side| {
            side.by_reseller(pb::GetPartnerUserRequest { user_id: side.colleague().await })
        })
        .await;
    judge
        .rpc("PartnerUserService/UpdatePartnerUserRoles", async |side| {
            side.by_reseller(pb::UpdatePartnerUserRolesRequest {
                user_id: side.colleague().await,
                roles: vec![pb::Role::AdminAgent.into()],
                ..Default::default()
            })
        })
        .await;
    judge
        .rpc("PartnerUserService/ResetPartnerUserPassword", async |side| {
            let user_id = side.colleague().await;
            side.by_reseller(pb::ResetPartnerUserPasswordRequest { user_id, ..Default::default() })
        })
        .await;
    judge
        .rpc("PartnerUserService/RemovePartnerUser", async |side| {
            let user_id = side.colleague().await;
            side.by_reseller(pb::RemovePartnerUserRequest { user_id, ..Default::default() })
        })
        .await;
}

async fn sessions(judge: &mut Judge) {
    judge.rpc("KeyService/GetJwks", async |_| anybody(pb::GetJwksRequest {})).await;
    judge
        .rpc("SessionService/SignIn", async |side| {
            let (sign_in_name, password) = (side.reseller.admin_sign_in_name.clone(), PASSWORD.to_owned());
            anybody(pb::SignInRequest { sign_in_name, password })
        })
        .await;
    judge
        .rpc("SessionService/RefreshSession", async |side| {
            let session = side.world.sign_in(&side.reseller.admin_sign_in_name, PASSWORD).await;
            anybody(pb::RefreshSessionRequest { refresh_token: session.refresh_token })
        })
        .await;
    judge.rpc("SessionService/GetMe", async |side| side.by_reseller(pb::GetMeRequest {})).await;
    judge
        .rpc("SessionService/ChangePassword", async |side| {
            let person = side.world.hire(&side.reseller, &[pb::Role::SalesAgent]).await;
            let (current_password, new_password) = (PASSWORD.to_owned(), format!("{PASSWORD} again"));
            let asked = side.by_reseller(pb::ChangePasswordRequest { current_password, new_password });
            asked.with(person.session.access_token)
        })
        .await;
    judge
        .rpc("SessionService/SignOut", async |side| {
            let session = side.world.sign_in(&side.reseller.admin_sign_in_name, PASSWORD).await;
            side.by_reseller(pb::SignOutRequest { all_sessions: false }).with(session.access_token)
        })
        .await;
}

async fn workloads(judge: &mut Judge) {
    judge.rpc("WorkloadService/CreateWorkload", async |side| side.by_reseller(World::workload(&fresh()))).await;
    judge
        .rpc("WorkloadService/ListWorkloads", async |side| side.by_reseller(pb::ListWorkloadsRequest::default()))
        .await;
    judge
        .rpc("WorkloadService/RotateWorkloadSecret", async |side| {
            let (workload_id, _) = side.workload().await;
            side.by_reseller(pb::RotateWorkloadSecretRequest { workload_id, ..Default::default() })
        })
        .await;
    judge
        .rpc("WorkloadService/DeleteWorkload", async |side| {
            let (workload_id, _) = side.workload().await;
            side.by_reseller(pb::DeleteWorkloadRequest { workload_id, ..Default::default() })
        })
        .await;
    judge
        .rpc("WorkloadService/IssueToken", async |side| {
            let (workload_id, client_secret) = side.workload().await;
            let on_behalf_of_user_id = side.reseller.admin_user_id.clone();
            anybody(pb::IssueTokenRequest { workload_id, client_secret, on_behalf_of_user_id })
        })
        .await;
}
