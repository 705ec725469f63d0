//! One world with two complete channels that know nothing of each other: what belongs to one is foreign to the other.

use std::sync::Arc;

use proto::identity::v1 as identity;
use proto::identity::v1::customer_user_service_client::CustomerUserServiceClient;
use proto::identity::v1::partner_user_service_client::PartnerUserServiceClient;
use proto::identity::v1::workload_service_client::WorkloadServiceClient;
use proto::licensing::v1 as licensing;
use proto::licensing::v1::catalog_service_client::CatalogServiceClient;
use proto::licensing::v1::license_service_client::LicenseServiceClient;
use proto::licensing::v1::subscription_service_client::SubscriptionServiceClient;
use proto::partner::v1 as partner;
use proto::partner::v1::PartnerKind::{Direct, Provider, Reseller};
use tests::world::{Registered, Tenant, World, authorized, fresh, token_of};

/// A family of products in which customers can be let to buy by themselves.
const FAMILY: &str = "harbor";

/// A request with whoever makes it.
#[derive(Clone, Debug)]
pub(super) struct Asked<M> {
    /// The caller's token. None: a stranger.
    pub(super) token: Option<String>,
    /// The caller's organization, when it takes part in the channel.
    pub(super) organization_id: Option<String>,
    /// What is asked.
    pub(super) request: M,
}

impl<M> Asked<M> {
    /// The same with another token of that organization.
    pub(super) fn with(self, token: String) -> Self {
        Self { token: Some(token), ..self }
    }
}

/// A request that needs no token.
pub(super) fn anybody<M>(request: M) -> Asked<M> {
    Asked { token: None, organization_id: None, request }
}

/// A channel: a provider and a reseller who are partners, and a customer whom both serve with delegated admin.
pub(super) struct Side {
    /// Where it is.
    pub(super) world: Arc<World>,
    /// The provider.
    pub(super) provider: Registered,
    /// The reseller.
    pub(super) reseller: Registered,
    /// The reseller's id in the vendor's network.
    pub(super) reseller_mpn_id: String,
    /// The partnership of the two.
    pub(super) partnership_id: String,
    /// The customer.
    pub(super) customer: Tenant,
    /// One of its users.
    pub(super) user_id: String,
    /// A product of which it has seats.
    pub(super) product_id: String,
    /// The offer under which they were ordered.
    pub(super) offer_id: String,
    /// The subscription that brought them.
    pub(super) subscription_id: String,
    /// A reseller who is nobody's partner.
    pub(super) newcomer: Registered,
    /// A customer whom neither of the two serves.
    pub(super) outsider: Tenant,
    /// Who serves that one, with delegated admin.
    pub(super) outsiders_partner: Registered,
}

impl Side {
    /// Builds a channel.
    pub(super) async fn build(world: Arc<World>) -> Self {
        let (provider, onboarding) = (world.onboard(Provider).await, World::onboarding(Reseller));
        let reseller_mpn_id = onboarding.mpn_id.clone();
        let reseller = world.onboard_as(onboarding).await;
        let partnership_id = world.join(&provider, &reseller).await;
        let shared =
            partner::CreateCustomerRequest { reseller_id: reseller.organization_id.clone(), ..World::new_customer() };
        let made = world.try_create_customer(provider.token(), shared).await.unwrap();
        let session = world.replace_password(&made.admin_sign_in_name, &made.temporary_password).await;
        let found = made.customer.unwrap();
        let customer = Tenant {
            customer_id: found.customer_id,
            domain: found.domain,
            admin_user_id: made.admin_user_id,
            admin_sign_in_name: made.admin_sign_in_name,
            session,
        };
        let product_id = world.product("Harbor Mail").await;
        let offer_id = world.offer(World::offer_of(&product_id)).await;
        let outsiders_partner = world.onboard(Direct).await;
        let outsider = world.create_customer(&outsiders_partner).await;
        let newcomer = world.onboard(Reseller).await;
        let mut side = Self {
            world,
            provider,
            reseller,
            reseller_mpn_id,
            partnership_id,
            customer,
            user_id: String::new(),
            product_id,
            offer_id,
            subscription_id: String::new(),
            newcomer,
            outsider,
            outsiders_partner,
        };
        side.user_id = side.user().await;
        // What partner and identity told of the above has arrived at licensing.
        side.world.at_rest().await;
        side.subscription_id = side.subscription().await;
        side
    }

    /// As the provider's first admin.
    pub(super) fn by_provider<M>(&self, request: M) -> Asked<M> {
        by(&self.provider, request)
    }

    /// As the reseller's first admin.
    pub(super) fn by_reseller<M>(&self, request: M) -> Asked<M> {
        by(&self.reseller, request)
    }

    /// As the first admin of the reseller who is nobody's partner.
    pub(super) fn by_newcomer<M>(&self, request: M) -> Asked<M> {
        by(&self.newcomer, request)
    }

    /// As the customer's first admin.
    pub(super) fn by_customer<M>(&self, request: M) -> Asked<M> {
        by_tenant(&self.customer, request)
    }

    /// As the first admin of the customer whom the channel does not serve.
    pub(super) fn by_outsider<M>(&self, request: M) -> Asked<M> {
        by_tenant(&self.outsider, request)
    }

    /// As the operator.
    pub(super) async fn by_operator<M>(&self, request: M) -> Asked<M> {
        Asked { token: Some(self.world.operator().await), organization_id: None, request }
    }

    /// The customer's id.
    pub(super) fn customer_id(&self) -> String {
        self.customer.customer_id.clone()
    }

    /// A further user of the customer.
    pub(super) async fn user(&self) -> String {
        let mut users = CustomerUserServiceClient::new(self.world.to_identity().await);
        let made = users.create_user(authorized(self.reseller.token(), self.new_user())).await;
        made.unwrap().into_inner().user.unwrap().user_id
    }

    /// A valid request for a user of the customer.
    pub(super) fn new_user(&self) -> identity::CreateUserRequest {
        identity::CreateUserRequest {
            customer_id: self.customer_id(),
            user: Some(identity::NewUser {
                display_name: "Uma User".to_owned(),
                first_name: "Uma".to_owned(),
                last_name: "User".to_owned(),
                sign_in_name: format!("u{}@{}", fresh(), self.customer.domain),
                usage_location: "DE".to_owned(),
                roles: Vec::new(),
            }),
            request_id: fresh(),
            validate_only: false,
        }
    }

    /// A further user of the customer who has a license.
    pub(super) async fn licensed_user(&self) -> String {
        let user_id = self.user().await;
        let mut licenses = LicenseServiceClient::new(self.world.to_licensing().await);
        let given = licenses.update_licenses(authorized(self.reseller.token(), self.giving(&user_id))).await;
        assert!(given.unwrap().into_inner().results[0].errors.is_empty());
        user_id
    }

    /// A valid request that gives a user of the customer a license.
    pub(super) fn giving(&self, user_id: &str) -> licensing::UpdateLicensesRequest {
        licensing::UpdateLicensesRequest {
            customer_id: self.customer_id(),
            user_ids: vec![user_id.to_owned()],
            assign: vec![licensing::LicenseToAssign { product_id: self.product_id.clone(), ..Default::default() }],
            request_id: fresh(),
            ..Default::default()
        }
    }

    /// A valid order for the customer.
    pub(super) fn order(&self) -> licensing::PlaceOrderRequest {
        licensing::PlaceOrderRequest {
            customer_id: self.customer_id(),
            lines: vec![licensing::OrderLine { offer_id: self.offer_id.clone(), quantity: 25, ..Default::default() }],
            reseller_mpn_id: self.reseller_mpn_id.clone(),
            request_id: fresh(),
            ..Default::default()
        }
    }

    /// A further subscription of the customer, which the provider orders.
    pub(super) async fn subscription(&self) -> String {
        self.ordered(self.order()).await
    }

    /// What an order of one line by the provider brings.
    pub(super) async fn ordered(&self, order: licensing::PlaceOrderRequest) -> String {
        let mut subscriptions = SubscriptionServiceClient::new(self.world.to_licensing().await);
        let ordered = subscriptions.place_order(authorized(self.provider.token(), order)).await;
        ordered.unwrap().into_inner().subscriptions.remove(0).subscription_id
    }

    /// A trial of a product, and an offer under which it can be paid for.
    pub(super) async fn trial(&self, product_id: &str) -> (String, String) {
        let trial = licensing::UpsertOfferRequest {
            trial: true,
            minimum_quantity: 25,
            maximum_quantity: 25,
            ..World::offer_of(product_id)
        };
        let (offer_id, paid) = (self.world.offer(trial).await, self.world.offer(World::offer_of(product_id)).await);
        let lines = vec![licensing::OrderLine { offer_id, quantity: 25, ..Default::default() }];
        (self.ordered(licensing::PlaceOrderRequest { lines, ..self.order() }).await, paid)
    }

    /// A further subscription, suspended.
    pub(super) async fn suspended(&self) -> String {
        let subscription_id = self.subscription().await;
        let request = licensing::SuspendSubscriptionRequest {
            subscription_id: subscription_id.clone(),
            reason: licensing::StateReason::NonPayment.into(),
            request_id: fresh(),
            ..Default::default()
        };
        let mut subscriptions = SubscriptionServiceClient::new(self.world.to_licensing().await);
        subscriptions.suspend_subscription(authorized(self.provider.token(), request)).await.unwrap();
        subscription_id
    }

    /// An order of an add-on for the channel's subscription. Its offer adds to every offer that there is.
    pub(super) async fn add_on(&self) -> licensing::PlaceOrderRequest {
        let operator = self.world.operator().await;
        let mut catalog = CatalogServiceClient::new(self.world.to_licensing().await);
        let all = catalog.list_offers(authorized(&operator, licensing::ListOffersRequest::default())).await.unwrap();
        let parents = all.into_inner().offers.into_iter().filter(|offer| offer.parent_offer_ids.is_empty());
        let parent_offer_ids = parents.map(|offer| offer.offer_id).collect();
        let offer = licensing::UpsertOfferRequest { parent_offer_ids, ..World::offer_of(&self.product_id) };
        let line = licensing::OrderLine {
            offer_id: self.world.offer(offer).await,
            quantity: 1,
            parent_subscription_id: self.subscription_id.clone(),
            ..Default::default()
        };
        licensing::PlaceOrderRequest { lines: vec![line], ..self.order() }
    }

    /// An admin agent of the provider, who has sold the customer something in a family of products. The same family on
    /// either side: it is the offers' word.
    pub(super) async fn agent_with_family(&self) -> (String, licensing::PlaceOrderRequest) {
        let offer =
            licensing::UpsertOfferRequest { product_family: FAMILY.to_owned(), ..World::offer_of(&self.product_id) };
        let line = licensing::OrderLine { offer_id: self.world.offer(offer).await, quantity: 1, ..Default::default() };
        let order = licensing::PlaceOrderRequest { lines: vec![line], ..self.order() };
        let base_subscription_id = self.ordered(order.clone()).await;
        let agent = self.world.hire(&self.provider, &[identity::Role::AdminAgent]).await;
        let purchase = licensing::PlaceOrderRequest { base_subscription_id, reseller_mpn_id: String::new(), ..order };
        (agent.session.access_token, purchase)
    }

    /// A valid request that lets the customer buy in that family by itself.
    pub(super) fn permission(&self) -> licensing::SetPurchasePermissionRequest {
        licensing::SetPurchasePermissionRequest {
            customer_id: self.customer_id(),
            product_family: FAMILY.to_owned(),
            permitted: true,
            request_id: fresh(),
            ..Default::default()
        }
    }

    /// A further user of the reseller.
    pub(super) async fn colleague(&self) -> String {
        let mut users = PartnerUserServiceClient::new(self.world.to_identity().await);
        let addition = World::addition(&self.reseller, &[identity::Role::SalesAgent]);
        let added = users.add_partner_user(authorized(self.reseller.token(), addition)).await;
        added.unwrap().into_inner().user.unwrap().user_id
    }

    /// A further workload of the reseller: its id and its secret.
    pub(super) async fn workload(&self) -> (String, String) {
        let mut workloads = WorkloadServiceClient::new(self.world.to_identity().await);
        let made = workloads.create_workload(authorized(self.reseller.token(), World::workload(&fresh()))).await;
        let made = made.unwrap().into_inner();
        (made.workload.unwrap().workload_id, made.client_secret)
    }

    /// A further reseller who is the provider's partner, and their partnership.
    pub(super) async fn joined(&self) -> (Registered, String) {
        let reseller = self.world.onboard(Reseller).await;
        let partnership_id = self.world.join(&self.provider, &reseller).await;
        (reseller, partnership_id)
    }

    /// A further invitation of resellers by the provider: its id and its link's token.
    pub(super) async fn reseller_invitation(&self) -> (String, String) {
        let request = partner::InviteResellerRequest {
            recipient_email: "rita@reseller.example".to_owned(),
            request_id: fresh(),
            ..Default::default()
        };
        let mut partnerships = self.world.partnerships().await;
        let invited = partnerships.invite_reseller(authorized(self.provider.token(), request)).await;
        let invited = invited.unwrap().into_inner();
        (invited.partnership.unwrap().partnership_id, token_of(&invited.draft.unwrap().link))
    }

    /// A further joint invitation of the reseller: its id and its link's token.
    pub(super) async fn invitation(&self) -> (String, String) {
        self.world.invite(&self.reseller, World::invitation(Some(&self.provider))).await
    }
}

/// As an organization's first admin.
pub(super) fn by<M>(registered: &Registered, request: M) -> Asked<M> {
    let (token, organization) = (registered.token().to_owned(), registered.organization_id.clone());
    Asked { token: Some(token), organization_id: Some(organization), request }
}

fn by_tenant<M>(tenant: &Tenant, request: M) -> Asked<M> {
    let (token, organization) = (tenant.token().to_owned(), tenant.customer_id.clone());
    Asked { token: Some(token), organization_id: Some(organization), request }
}
