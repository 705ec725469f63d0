//! Passwords, sessions and workloads at identity, and the people whom partners make.

use proto::identity::v1 as identity;
use proto::identity::v1::customer_user_service_client::CustomerUserServiceClient;
use proto::identity::v1::partner_user_service_client::PartnerUserServiceClient;
use proto::identity::v1::registration_service_client::RegistrationServiceClient;
use proto::identity::v1::session_service_client::SessionServiceClient;
use proto::identity::v1::workload_service_client::WorkloadServiceClient;
use proto::partner::v1 as pb;
use tests::world::{Registered, Tenant, World, authorized, fresh};
use tonic::transport::Channel;

use super::walk::Walk;

/// Somebody registers, signs in and changes the password, with every mistake that one can make.
pub(super) async fn register(walk: &mut Walk<'_>) -> identity::Session {
    let chosen = walk.canaries.password("a chosen password");
    let request = identity::RegisterOrganizationRequest { admin_password: chosen.clone(), ..World::registration() };
    let mut registrations = RegistrationServiceClient::new(walk.world.to_identity().await);
    let made = registrations.register_organization(request.clone()).await.unwrap().into_inner();
    let poor = walk.canaries.password("a password that is too long");
    let poor = identity::RegisterOrganizationRequest { admin_password: poor.repeat(10), ..request };
    walk.refused("PASSWORD_TOO_LONG", registrations.register_organization(poor).await);
    let nowhere = identity::RegisterOrganizationRequest { country: "??".to_owned(), ..World::registration() };
    let nowhere = identity::RegisterOrganizationRequest { admin_password: chosen.clone(), ..nowhere };
    walk.refused("MALFORMED", registrations.register_organization(nowhere).await);

    let name = made.admin_sign_in_name;
    let wrong = walk.canaries.password("a wrong password");
    walk.refused("SIGN_IN_FAILED", walk.world.try_sign_in(&name, &wrong).await);
    walk.refused("SIGN_IN_FAILED", walk.world.try_sign_in("nobody@nowhere.example", &wrong).await);
    let first = walk.world.sign_in(&name, &chosen).await;
    walk.session("who registered", &first);
    let next = walk.canaries.password("the next password");
    let change = |current: &str, new: &str| {
        let request =
            identity::ChangePasswordRequest { current_password: current.to_owned(), new_password: new.to_owned() };
        authorized(&first.access_token, request)
    };
    let mut sessions = SessionServiceClient::new(walk.world.to_identity().await);
    walk.refused("SIGN_IN_FAILED", sessions.change_password(change(&wrong, &next)).await);
    walk.refused("PASSWORD_UNCHANGED", sessions.change_password(change(&chosen, &chosen)).await);
    walk.refused("PASSWORD_TOO_LONG", sessions.change_password(change(&chosen, &next.repeat(10))).await);
    let second = sessions.change_password(change(&chosen, &next)).await.unwrap().into_inner().session.unwrap();
    walk.session("who changed the password", &second);
    let refresh = identity::RefreshSessionRequest { refresh_token: second.refresh_token };
    let third = sessions.refresh_session(refresh).await.unwrap().into_inner().session.unwrap();
    walk.session("who came back", &third);
    let unknown = walk.wrong_token("a refresh token of nobody");
    let unknown = identity::RefreshSessionRequest { refresh_token: unknown };
    walk.refused("REFRESH_TOKEN_INVALID", sessions.refresh_session(unknown).await);
    third
}

/// A refresh token that comes twice ends its session.
pub(super) async fn leave(walk: &mut Walk<'_>, session: &identity::Session) {
    let mut sessions = SessionServiceClient::new(walk.world.to_identity().await);
    let refresh = identity::RefreshSessionRequest { refresh_token: session.refresh_token.clone() };
    let last = sessions.refresh_session(refresh.clone()).await.unwrap().into_inner().session.unwrap();
    walk.session("who leaves", &last);
    walk.refused("REFRESH_TOKEN_INVALID", sessions.refresh_session(refresh).await);
}

/// A program and its secrets.
pub(super) async fn workload(walk: &mut Walk<'_>, session: &identity::Session) {
    let token = &session.access_token;
    let mut workloads = WorkloadServiceClient::new(walk.world.to_identity().await);
    let create = World::workload("canary cage");
    let made = workloads.create_workload(authorized(token, create.clone())).await.unwrap().into_inner();
    walk.canaries.add("a workload's secret", &made.client_secret);
    let again = workloads.create_workload(authorized(token, create.clone())).await.unwrap().into_inner();
    assert!(again == made, "it is shown again");
    let workload_id = made.workload.unwrap().workload_id;
    let issue = |secret: &str| identity::IssueTokenRequest {
        workload_id: workload_id.clone(),
        client_secret: secret.to_owned(),
        on_behalf_of_user_id: String::new(),
    };
    let wrong = walk.wrong_token("a workload's wrong secret");
    walk.refused("SIGN_IN_FAILED", workloads.issue_token(issue(&wrong)).await);
    let issued = workloads.issue_token(issue(&made.client_secret)).await.unwrap().into_inner();
    walk.canaries.add_token("a workload's token", &issued.access_token);
    walk.refused("CREDENTIALS_ALREADY_DELIVERED", workloads.create_workload(authorized(token, create)).await);
    let rotate = identity::RotateWorkloadSecretRequest {
        workload_id: workload_id.clone(),
        request_id: fresh(),
        ..Default::default()
    };
    let rotated = workloads.rotate_workload_secret(authorized(token, rotate)).await.unwrap().into_inner();
    walk.canaries.add("a workload's next secret", &rotated.client_secret);
    walk.refused("SIGN_IN_FAILED", workloads.issue_token(issue(&made.client_secret)).await);
}

/// Somebody whom a partner adds, whose password is reset; the last one is never used.
pub(super) async fn colleague(walk: &mut Walk<'_>, partner: &Registered) {
    let mut users = PartnerUserServiceClient::new(walk.world.to_identity().await);
    let add = World::addition(partner, &[identity::Role::SalesAgent]);
    let added = users.add_partner_user(authorized(partner.token(), add.clone())).await.unwrap().into_inner();
    let user = added.user.unwrap();
    walk.first_use("a colleague", &user.sign_in_name, &added.temporary_password).await;
    walk.refused(
        "CREDENTIALS_ALREADY_DELIVERED",
        users.add_partner_user(authorized(partner.token(), add.clone())).await,
    );
    let again = identity::AddPartnerUserRequest { request_id: fresh(), ..add };
    walk.refused("USER_PRINCIPAL_NAME_TAKEN", users.add_partner_user(authorized(partner.token(), again)).await);
    let first = reset(&mut users, partner, &user.user_id).await;
    walk.canaries.add("a reset password that was reset", &first);
    let second = reset(&mut users, partner, &user.user_id).await;
    walk.canaries.add("a reset password", &second);
    walk.refused("SIGN_IN_FAILED", walk.world.try_sign_in(&user.sign_in_name, &first).await);
}

async fn reset(users: &mut PartnerUserServiceClient<Channel>, partner: &Registered, user_id: &str) -> String {
    let request = identity::ResetPartnerUserPasswordRequest {
        user_id: user_id.to_owned(),
        request_id: fresh(),
        ..Default::default()
    };
    let reset = users.reset_partner_user_password(authorized(partner.token(), request)).await;
    reset.unwrap().into_inner().temporary_password
}

/// A customer that a partner makes, whose first admin signs in.
pub(super) async fn customer(walk: &mut Walk<'_>, partner: &Registered) -> Tenant {
    let request = World::new_customer();
    let made = walk.world.try_create_customer(partner.token(), request.clone()).await.unwrap();
    let again = walk.world.try_create_customer(partner.token(), request.clone()).await.unwrap();
    assert_eq!(again, made, "it is shown again");
    let session = walk.first_use("a customer's admin", &made.admin_sign_in_name, &made.temporary_password).await;
    walk.refused(
        "CREDENTIALS_ALREADY_DELIVERED",
        walk.world.try_create_customer(partner.token(), request.clone()).await,
    );
    let taken = pb::CreateCustomerRequest { request_id: fresh(), ..request };
    walk.refused("DOMAIN_TAKEN", walk.world.try_create_customer(partner.token(), taken).await);
    let customer = made.customer.unwrap();
    Tenant {
        customer_id: customer.customer_id,
        domain: customer.domain,
        admin_user_id: made.admin_user_id,
        admin_sign_in_name: made.admin_sign_in_name,
        session,
    }
}

/// Users of a customer: one who signs in, and one who never does.
pub(super) async fn users(walk: &mut Walk<'_>, partner: &Registered, tenant: &Tenant) {
    let mut users = CustomerUserServiceClient::new(walk.world.to_identity().await);
    for is_used in [true, false] {
        let request = identity::CreateUserRequest {
            customer_id: tenant.customer_id.clone(),
            user: Some(identity::NewUser {
                display_name: "Uma User".to_owned(),
                sign_in_name: format!("u{}@{}", fresh().replace('-', ""), tenant.domain),
                ..Default::default()
            }),
            request_id: fresh(),
            validate_only: false,
        };
        let made = users.create_user(authorized(partner.token(), request.clone())).await.unwrap().into_inner();
        let again = users.create_user(authorized(partner.token(), request.clone())).await.unwrap().into_inner();
        assert!(again == made, "it is shown again");
        if !is_used {
            walk.canaries.add("the unused password of a customer's user", &made.temporary_password);
            continue;
        }
        let name = made.user.unwrap().sign_in_name;
        walk.first_use("a customer's user", &name, &made.temporary_password).await;
        walk.refused("CREDENTIALS_ALREADY_DELIVERED", users.create_user(authorized(partner.token(), request)).await);
    }
}
