//! The only file of the demo that calls a service: the public listeners, as anybody would call them.

use std::net::SocketAddr;

use base::Secret;
use proto::identity::v1 as identity;
use proto::identity::v1::customer_user_service_client::CustomerUserServiceClient;
use proto::identity::v1::session_service_client::SessionServiceClient;
use proto::licensing::v1 as licensing;
use proto::licensing::v1::catalog_service_client::CatalogServiceClient;
use proto::licensing::v1::license_service_client::LicenseServiceClient;
use proto::licensing::v1::subscription_service_client::SubscriptionServiceClient;
use proto::partner::v1 as partner;
use proto::partner::v1::customer_service_client::CustomerServiceClient;
use proto::partner::v1::invitation_service_client::InvitationServiceClient;
use proto::partner::v1::partner_review_service_client::PartnerReviewServiceClient;
use proto::partner::v1::partnership_service_client::PartnershipServiceClient;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};
use tonic_types::StatusExt as _;

use crate::failure::Failure;

/// The three services, connected.
#[derive(Clone)]
pub(super) struct Services {
    identity: Channel,
    licensing: Channel,
    partner: Channel,
}

/// Somebody who is signed in.
#[derive(Clone)]
pub(super) struct Caller {
    services: Services,
    token: String,
}

/// A refusal: its reason and its sentence.
pub(super) struct Refusal {
    pub(super) reason: String,
    pub(super) message: String,
}

impl Refusal {
    fn of(status: &Status) -> Self {
        let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
        Self { reason, message: status.message().to_owned() }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::new(format!("{}: {}", refusal.reason, refusal.message))
    }
}

type Answer<T> = Result<T, Refusal>;

fn read<T>(answer: Result<Response<T>, Status>) -> Answer<T> {
    answer.map(Response::into_inner).map_err(|status| Refusal::of(&status))
}

impl Services {
    /// Connects to identity, licensing and partner.
    pub(super) async fn connect(addresses: [SocketAddr; 3]) -> Result<Self, Failure> {
        let [identity, licensing, partner] = addresses;
        Ok(Self {
            identity: connect(identity).await?,
            licensing: connect(licensing).await?,
            partner: connect(partner).await?,
        })
    }

    /// Signs in with a temporary password, which is replaced.
    pub(super) async fn sign_up(
        &self,
        name: &str,
        temporary: &Secret<String>,
        chosen: &str,
    ) -> Result<Caller, Failure> {
        let mut sessions = SessionServiceClient::new(self.identity.clone());
        let request = identity::SignInRequest { sign_in_name: name.to_owned(), password: temporary.expose().clone() };
        let session = read(sessions.sign_in(request).await)?.session.ok_or_else(no_session)?;
        let first = Caller { services: self.clone(), token: session.access_token };
        let request = identity::ChangePasswordRequest {
            current_password: temporary.expose().clone(),
            new_password: chosen.to_owned(),
        };
        let session = read(sessions.change_password(first.ask(request)?).await)?.session.ok_or_else(no_session)?;
        Ok(Caller { token: session.access_token, ..first })
    }

    pub(super) async fn preview_partnership(&self, token: &str) -> Answer<partner::PreviewPartnershipResponse> {
        let request = partner::PreviewPartnershipRequest { token: token.to_owned() };
        read(PartnershipServiceClient::new(self.partner.clone()).preview_partnership(request).await)
    }

    pub(super) async fn preview_invitation(&self, token: &str) -> Answer<partner::PreviewInvitationResponse> {
        let request = partner::PreviewInvitationRequest { token: token.to_owned() };
        read(InvitationServiceClient::new(self.partner.clone()).preview_invitation(request).await)
    }
}

async fn connect(address: SocketAddr) -> Result<Channel, Failure> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"));
    let endpoint = endpoint.map_err(|error| Failure::new(format!("{address} is no address: {error}")))?;
    endpoint.connect().await.map_err(|error| Failure::new(format!("{address} does not answer: {error}")))
}

fn no_session() -> Refusal {
    Refusal { reason: "INTERNAL".to_owned(), message: "identity answered without a session".to_owned() }
}

impl Caller {
    fn ask<M>(&self, message: M) -> Answer<Request<M>> {
        let mut request = Request::new(message);
        let token = MetadataValue::try_from(format!("Bearer {}", self.token));
        let token = token.map_err(|_| Refusal {
            reason: "INTERNAL".to_owned(),
            message: "the access token is not one".to_owned(),
        })?;
        request.metadata_mut().insert("authorization", token);
        Ok(request)
    }

    fn catalog(&self) -> CatalogServiceClient<Channel> {
        CatalogServiceClient::new(self.services.licensing.clone()).max_encoding_message_size(4 << 20)
    }

    fn customers(&self) -> CustomerServiceClient<Channel> {
        CustomerServiceClient::new(self.services.partner.clone())
    }

    fn invitations(&self) -> InvitationServiceClient<Channel> {
        InvitationServiceClient::new(self.services.partner.clone())
    }

    fn licenses(&self) -> LicenseServiceClient<Channel> {
        LicenseServiceClient::new(self.services.licensing.clone())
    }

    pub(super) async fn import(
        &self,
        request: licensing::ImportProductsRequest,
    ) -> Answer<licensing::ImportProductsResponse> {
        read(self.catalog().import_products(self.ask(request)?).await)
    }

    pub(super) async fn products(&self, page_size: i32) -> Answer<Vec<licensing::Product>> {
        let request = licensing::ListProductsRequest { page_size, ..Default::default() };
        Ok(read(self.catalog().list_products(self.ask(request)?).await)?.products)
    }

    pub(super) async fn offer(&self, request: licensing::UpsertOfferRequest) -> Answer<()> {
        read(self.catalog().upsert_offer(self.ask(request)?).await).map(drop)
    }

    /// Repeats the request until it is effective everywhere.
    pub(super) async fn onboard(
        &self,
        request: partner::OnboardPartnerRequest,
    ) -> Answer<partner::OnboardPartnerResponse> {
        let mut reviews = PartnerReviewServiceClient::new(self.services.partner.clone());
        loop {
            let answer = read(reviews.onboard_partner(self.ask(request.clone())?).await)?;
            if answer.progress() == partner::Progress::Active {
                return Ok(answer);
            }
        }
    }

    pub(super) async fn invite_reseller(
        &self,
        request: partner::InviteResellerRequest,
    ) -> Answer<partner::InviteResellerResponse> {
        let mut partnerships = PartnershipServiceClient::new(self.services.partner.clone());
        read(partnerships.invite_reseller(self.ask(request)?).await)
    }

    pub(super) async fn accept_partnership(&self, request: partner::AcceptPartnershipRequest) -> Answer<()> {
        let mut partnerships = PartnershipServiceClient::new(self.services.partner.clone());
        read(partnerships.accept_partnership(self.ask(request)?).await).map(drop)
    }

    /// Repeats the request until it is effective everywhere.
    pub(super) async fn create_customer(
        &self,
        request: partner::CreateCustomerRequest,
    ) -> Answer<partner::CreateCustomerResponse> {
        loop {
            let answer = read(self.customers().create_customer(self.ask(request.clone())?).await)?;
            if answer.progress() == partner::Progress::Active {
                return Ok(answer);
            }
        }
    }

    pub(super) async fn customer_names(&self) -> Answer<Vec<String>> {
        let request = partner::ListCustomersRequest::default();
        let customers = read(self.customers().list_customers(self.ask(request)?).await)?.customers;
        Ok(customers.into_iter().map(|customer| customer.name).collect())
    }

    pub(super) async fn partners(&self) -> Answer<Vec<partner::CustomerPartner>> {
        let request = partner::ListPartnersOfCustomerRequest::default();
        Ok(read(self.customers().list_partners_of_customer(self.ask(request)?).await)?.partners)
    }

    pub(super) async fn remove_customer(
        &self,
        request: partner::RemoveCustomerRequest,
    ) -> Answer<partner::RemoveCustomerResponse> {
        loop {
            let answer = read(self.customers().remove_customer(self.ask(request.clone())?).await)?;
            if answer.state() == partner::remove_customer_response::State::Done {
                return Ok(answer);
            }
        }
    }

    pub(super) async fn invite(
        &self,
        request: partner::CreateInvitationRequest,
    ) -> Answer<partner::CreateInvitationResponse> {
        read(self.invitations().create_invitation(self.ask(request)?).await)
    }

    pub(super) async fn sent(&self, invitation_id: &str) -> Answer<()> {
        let request =
            partner::MarkInvitationSentRequest { invitation_id: invitation_id.to_owned(), ..Default::default() };
        read(self.invitations().mark_invitation_sent(self.ask(request)?).await).map(drop)
    }

    pub(super) async fn invitation(&self, invitation_id: &str) -> Answer<partner::GetInvitationResponse> {
        let request = partner::GetInvitationRequest { invitation_id: invitation_id.to_owned() };
        read(self.invitations().get_invitation(self.ask(request)?).await)
    }

    /// Repeats the request until it is effective everywhere.
    pub(super) async fn accept(
        &self,
        request: partner::AcceptInvitationRequest,
    ) -> Answer<partner::AcceptInvitationResponse> {
        loop {
            let answer = read(self.invitations().accept_invitation(self.ask(request.clone())?).await)?;
            if answer.progress() == partner::Progress::Active {
                return Ok(answer);
            }
        }
    }

    pub(super) async fn order(&self, request: licensing::PlaceOrderRequest) -> Answer<licensing::PlaceOrderResponse> {
        let mut subscriptions = SubscriptionServiceClient::new(self.services.licensing.clone());
        read(subscriptions.place_order(self.ask(request)?).await)
    }

    pub(super) async fn create_user(
        &self,
        request: identity::CreateUserRequest,
    ) -> Answer<identity::CreateUserResponse> {
        let mut users = CustomerUserServiceClient::new(self.services.identity.clone());
        read(users.create_user(self.ask(request)?).await)
    }

    pub(super) async fn license(
        &self,
        request: licensing::UpdateLicensesRequest,
    ) -> Answer<licensing::UpdateLicensesResponse> {
        read(self.licenses().update_licenses(self.ask(request)?).await)
    }

    pub(super) async fn summarize(
        &self,
        request: licensing::SummarizeLicensesRequest,
    ) -> Answer<licensing::SummarizeLicensesResponse> {
        read(self.licenses().summarize_licenses(self.ask(request)?).await)
    }
}
