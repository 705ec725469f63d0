//! The channel: partners who were taken in, their partnerships, customers and invitations, all over RPCs.

use std::time::Duration;

use proto::identity::v1 as identity;
use proto::identity::v1::customer_user_service_client::CustomerUserServiceClient;
use proto::partner::v1 as pb;
use proto::partner::v1::customer_service_client::CustomerServiceClient;
use proto::partner::v1::invitation_service_client::InvitationServiceClient;
use proto::partner::v1::partner_review_service_client::PartnerReviewServiceClient;
use proto::partner::v1::partnership_service_client::PartnershipServiceClient;
use tonic::Status;
use tonic::transport::Channel;
use uuid::Uuid;

use super::{Doors, Registered, World, authorized, soon};

/// A customer, with its first global admin signed in.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// The customer.
    pub customer_id: String,
    /// Its first domain.
    pub domain: String,
    /// Its first global admin.
    pub admin_user_id: String,
    /// What the admin signs in with.
    pub admin_sign_in_name: String,
    /// The admin's session.
    pub session: identity::Session,
}

fn unique_prefix(letter: char) -> String {
    format!("{letter}{}", &Uuid::now_v7().simple().to_string()[8..32])
}

/// An MPN id that nobody else has.
fn unique_mpn_id() -> String {
    format!("{:020}", Uuid::now_v7().as_u128() % 100_000_000_000_000_000_000)
}

/// The token at the end of a link.
pub fn token_of(link: &str) -> String {
    link.split_once('#').expect("a link has a token behind the number sign").1.to_owned()
}

impl World {
    /// A valid onboarding of a partner that nobody else is.
    pub fn onboarding(kind: pb::PartnerKind) -> pb::OnboardPartnerRequest {
        pb::OnboardPartnerRequest {
            kind: kind.into(),
            name: format!("Partner {}", Uuid::now_v7().simple()),
            country: "DE".to_owned(),
            cloud: identity::Cloud::Global.into(),
            domain_prefix: unique_prefix('p'),
            mpn_id: unique_mpn_id(),
            admin_display_name: "Paula Partner".to_owned(),
            admin_name: "paula".to_owned(),
            support_contact: Some(pb::SupportContact {
                email: "help@fabrikam.example".to_owned(),
                ..Default::default()
            }),
            request_id: Uuid::now_v7().to_string(),
            validate_only: false,
        }
    }

    /// A valid customer that nobody else has.
    pub fn new_customer() -> pb::CreateCustomerRequest {
        pb::CreateCustomerRequest {
            name: format!("Customer {}", Uuid::now_v7().simple()),
            domain_prefix: unique_prefix('c'),
            admin_display_name: "Carla Customer".to_owned(),
            admin_name: "carla".to_owned(),
            request_id: Uuid::now_v7().to_string(),
            ..Default::default()
        }
    }

    /// A valid invitation, joint when there is a provider.
    pub fn invitation(provider: Option<&Registered>) -> pb::CreateInvitationRequest {
        pb::CreateInvitationRequest {
            provider_id: provider.map(|provider| provider.organization_id.clone()).unwrap_or_default(),
            recipient_email: "carla@customer.example".to_owned(),
            request_id: Uuid::now_v7().to_string(),
            ..Default::default()
        }
    }
}

impl Doors {
    /// A client of partner's invitations.
    pub async fn invitations(&self) -> InvitationServiceClient<Channel> {
        InvitationServiceClient::new(self.to_partner().await)
    }

    /// A client of partner's customers.
    pub async fn customers(&self) -> CustomerServiceClient<Channel> {
        CustomerServiceClient::new(self.to_partner().await)
    }

    /// A client of partner's partnerships.
    pub async fn partnerships(&self) -> PartnershipServiceClient<Channel> {
        PartnershipServiceClient::new(self.to_partner().await)
    }

    /// A client of partner's reviews.
    pub async fn reviews(&self) -> PartnerReviewServiceClient<Channel> {
        PartnerReviewServiceClient::new(self.to_partner().await)
    }

    /// Onboards until it is effective everywhere.
    pub async fn try_onboard(
        &self,
        token: &str,
        request: pb::OnboardPartnerRequest,
    ) -> Result<pb::OnboardPartnerResponse, Status> {
        loop {
            let answer = self.reviews().await.onboard_partner(authorized(token, request.clone())).await?.into_inner();
            if answer.progress() != pb::Progress::InProgress || request.validate_only {
                return Ok(answer);
            }
        }
    }

    /// Lets the operator take a partner in, whose first admin replaces the temporary password.
    pub async fn onboard(&self, kind: pb::PartnerKind) -> Registered {
        self.onboard_as(World::onboarding(kind)).await
    }

    /// The same with what is asked for.
    pub async fn onboard_as(&self, request: pb::OnboardPartnerRequest) -> Registered {
        let operator = self.operator().await;
        let made = self.try_onboard(&operator, request).await.expect("a valid onboarding");
        let partner = made.partner.expect("a partner was taken in");
        let session = self.replace_password(&made.admin_sign_in_name, &made.temporary_password).await;
        Registered {
            organization_id: partner.partner_id,
            domain: made.admin_sign_in_name.split_once('@').expect("a sign-in name").1.to_owned(),
            admin_user_id: made.admin_user_id,
            admin_sign_in_name: made.admin_sign_in_name,
            session,
        }
    }

    /// Lets a provider invite a reseller who accepts. Answers the partnership's id.
    pub async fn join(&self, provider: &Registered, reseller: &Registered) -> String {
        let mut partnerships = self.partnerships().await;
        let invite = pb::InviteResellerRequest {
            recipient_email: "rita@reseller.example".to_owned(),
            request_id: Uuid::now_v7().to_string(),
            ..Default::default()
        };
        let invited = partnerships.invite_reseller(authorized(&provider.session.access_token, invite)).await;
        let token = token_of(&invited.expect("a provider invites").into_inner().draft.expect("a draft").link);
        let preview = pb::PreviewPartnershipRequest { token: token.clone() };
        let preview = partnerships.preview_partnership(preview).await.expect("a live link").into_inner();
        let accept = pb::AcceptPartnershipRequest {
            token,
            consent: true,
            consent_hash: preview.consent_hash,
            request_id: Uuid::now_v7().to_string(),
            validate_only: false,
        };
        let accepted = partnerships.accept_partnership(authorized(&reseller.session.access_token, accept)).await;
        accepted.expect("a reseller accepts").into_inner().partnership.expect("a partnership").partnership_id
    }

    /// Makes a customer until it is effective everywhere.
    pub async fn try_create_customer(
        &self,
        token: &str,
        request: pb::CreateCustomerRequest,
    ) -> Result<pb::CreateCustomerResponse, Status> {
        loop {
            let answer = self.customers().await.create_customer(authorized(token, request.clone())).await?.into_inner();
            if answer.progress() != pb::Progress::InProgress || request.validate_only {
                return Ok(answer);
            }
        }
    }

    /// Lets a partner make a customer, whose first admin replaces the temporary password.
    pub async fn create_customer(&self, partner: &Registered) -> Tenant {
        let made = self.try_create_customer(&partner.session.access_token, World::new_customer()).await;
        let made = made.expect("a valid customer");
        let customer = made.customer.expect("a customer was made");
        let session = self.replace_password(&made.admin_sign_in_name, &made.temporary_password).await;
        Tenant {
            customer_id: customer.customer_id,
            domain: customer.domain,
            admin_user_id: made.admin_user_id,
            admin_sign_in_name: made.admin_sign_in_name,
            session,
        }
    }

    /// A customer whom nobody serves that the test knows: some other partner made it.
    pub async fn stranger(&self) -> Tenant {
        let maker = self.onboard(pb::PartnerKind::Direct).await;
        self.create_customer(&maker).await
    }

    /// Lets a partner invite; answers the invitation's id and its link's token.
    pub async fn invite(&self, partner: &Registered, request: pb::CreateInvitationRequest) -> (String, String) {
        let created = self.invitations().await;
        let created = { created }.create_invitation(authorized(&partner.session.access_token, request)).await;
        let created = created.expect("a partner invites").into_inner();
        let token = token_of(&created.draft.expect("a draft").link);
        (created.invitation.expect("an invitation").invitation_id, token)
    }

    /// What accepting this link takes, as whoever looked at it would send it.
    pub async fn consent(&self, token: &str) -> pb::AcceptInvitationRequest {
        let preview = pb::PreviewInvitationRequest { token: token.to_owned() };
        let preview = self.invitations().await.preview_invitation(preview).await.expect("a live link").into_inner();
        pb::AcceptInvitationRequest {
            token: token.to_owned(),
            consent: true,
            consent_hash: preview.consent_hash,
            request_id: Uuid::now_v7().to_string(),
            validate_only: false,
        }
    }

    /// Accepts until it is effective everywhere.
    pub async fn try_accept(
        &self,
        token: &str,
        request: pb::AcceptInvitationRequest,
    ) -> Result<pb::AcceptInvitationResponse, Status> {
        loop {
            let answer = self.invitations().await.accept_invitation(authorized(token, request.clone())).await?;
            let answer = answer.into_inner();
            if answer.progress() != pb::Progress::InProgress || request.validate_only {
                return Ok(answer);
            }
        }
    }

    /// Waits until an acceptance was refused, as the bearer of a partner's token sees it, and answers the reason.
    pub async fn until_refused(&self, token: &str, invitation_id: &str) -> String {
        let request = pb::GetInvitationRequest { invitation_id: invitation_id.to_owned() };
        let refused = async {
            loop {
                let shown = self.invitations().await.get_invitation(authorized(token, request.clone())).await;
                let acceptance = shown.expect("a partner sees its invitation").into_inner().acceptance;
                if let Some(acceptance) = acceptance.filter(|it| it.state() == pb::acceptance::State::Aborted) {
                    return acceptance.refusal_reason;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        soon("the refusal of an acceptance", refused).await
    }

    /// Lets a customer look at a link and accept it.
    pub async fn accept(&self, tenant: &Tenant, token: &str) -> pb::AcceptInvitationResponse {
        let request = self.consent(token).await;
        self.try_accept(&tenant.session.access_token, request).await.expect("the customer accepts")
    }

    /// The ids of the customers in a partner's list.
    pub async fn customer_ids(&self, partner: &Registered) -> Vec<String> {
        let request = pb::ListCustomersRequest { page_size: 1_000, ..Default::default() };
        let listed = self.customers().await.list_customers(authorized(&partner.session.access_token, request)).await;
        let customers = listed.expect("a partner lists its customers").into_inner().customers;
        customers.into_iter().map(|customer| customer.customer_id).collect()
    }

    /// Lets a partner add a user to its customer, who replaces the temporary password. Answers their session.
    pub async fn customer_user(
        &self,
        partner: &Registered,
        tenant: &Tenant,
        roles: &[identity::Role],
    ) -> identity::Session {
        let request = identity::CreateUserRequest {
            customer_id: tenant.customer_id.clone(),
            user: Some(identity::NewUser {
                display_name: "Uma User".to_owned(),
                sign_in_name: format!("u{}@{}", Uuid::now_v7().simple(), tenant.domain),
                usage_location: "DE".to_owned(),
                roles: roles.iter().map(|role| i32::from(*role)).collect(),
                ..Default::default()
            }),
            request_id: Uuid::now_v7().to_string(),
            validate_only: false,
        };
        let mut users = CustomerUserServiceClient::new(self.to_identity().await);
        let made = users.create_user(authorized(&partner.session.access_token, request)).await;
        let made = made.expect("a partner adds a user").into_inner();
        self.replace_password(&made.user.expect("a user").sign_in_name, &made.temporary_password).await
    }
}
