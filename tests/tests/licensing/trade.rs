//! A provider, a reseller and the customer whom they serve together, and what can be asked for them.

use proto::identity::v1::Role;
use proto::licensing::v1::entitlement_service_client::EntitlementServiceClient;
use proto::licensing::v1::subscription_service_client::SubscriptionServiceClient;
use proto::licensing::v1::{
    Entitlement, GetSubscriptionRequest, ListEntitlementsRequest, ListEntitlementsResponse, ListSubscriptionsRequest,
    OrderLine, PlaceOrderRequest, PlaceOrderResponse, Subscription,
};
use proto::partner::v1::PartnerKind;
use tests::world::{Grant, Registered, World, authorized, fresh};
use tonic::Status;
use tonic::transport::Channel;

/// Partners who work together, and their customer.
pub struct Trade {
    pub provider: Registered,
    pub provider_mpn_id: String,
    pub reseller: Registered,
    pub reseller_mpn_id: String,
    pub customer: String,
    pub product: String,
    /// 1 to 1,000 seats, everywhere.
    pub offer: String,
}

impl Trade {
    pub async fn begin(world: &World) -> Self {
        let (provider, reseller) = (world.register().await, world.register().await);
        let provider_mpn_id = world.told_partner(&provider.organization_id, PartnerKind::Provider).await;
        let reseller_mpn_id = world.told_partner(&reseller.organization_id, PartnerKind::Reseller).await;
        world.told_partnership(&provider.organization_id, &reseller.organization_id, true, 1).await;
        let customer = world.told_customer("DE").await;
        world.told_access(&customer, &provider.organization_id, Grant::PROVIDER).await;
        world.told_access(&customer, &reseller.organization_id, Grant::RESELLER).await;
        let product = world.product("Harbor Mail").await;
        let offer = world.offer(World::offer_of(&product)).await;
        Self { provider, provider_mpn_id, reseller, reseller_mpn_id, customer, product, offer }
    }

    /// The provider's global admin.
    pub fn seller(&self) -> &str {
        &self.provider.session.access_token
    }

    /// The reseller's global admin.
    pub fn helper(&self) -> &str {
        &self.reseller.session.access_token
    }

    /// A valid order of some seats.
    pub fn order(&self, quantity: i32) -> PlaceOrderRequest {
        PlaceOrderRequest {
            customer_id: self.customer.clone(),
            lines: vec![line(&self.offer, quantity)],
            reseller_mpn_id: String::new(),
            request_id: fresh(),
            validate_only: false,
        }
    }

    /// Seats of a further product.
    pub async fn more(&self, world: &World, quantity: i32) -> String {
        let product = world.product("Harbor Shield").await;
        let offer = world.offer(World::offer_of(&product)).await;
        let order = PlaceOrderRequest { lines: vec![line(&offer, quantity)], ..self.order(quantity) };
        Shop::of(world).await.order(self.seller(), order).await.expect("the provider may order");
        product
    }
}

/// An order line.
pub fn line(offer_id: &str, quantity: i32) -> OrderLine {
    OrderLine { offer_id: offer_id.to_owned(), quantity, friendly_name: String::new() }
}

/// A partner's person with these roles.
pub async fn person(world: &World, partner: &Registered, roles: &[Role]) -> String {
    world.hire(partner, roles).await.session.access_token
}

/// Orders, subscriptions and entitlements, with requests unwrapped.
pub struct Shop(SubscriptionServiceClient<Channel>, EntitlementServiceClient<Channel>);

impl Shop {
    pub async fn of(world: &World) -> Self {
        let channel = world.to_licensing().await;
        Self(SubscriptionServiceClient::new(channel.clone()), EntitlementServiceClient::new(channel))
    }

    pub async fn order(&mut self, token: &str, request: PlaceOrderRequest) -> Result<PlaceOrderResponse, Status> {
        self.0.place_order(authorized(token, request)).await.map(tonic::Response::into_inner)
    }

    pub async fn get(&mut self, token: &str, subscription_id: &str) -> Result<Subscription, Status> {
        let request = GetSubscriptionRequest { subscription_id: subscription_id.to_owned() };
        Ok(self.0.get_subscription(authorized(token, request)).await?.into_inner().subscription.unwrap())
    }

    pub async fn list(&mut self, token: &str, customer_id: &str) -> Result<Vec<Subscription>, Status> {
        let request = ListSubscriptionsRequest { customer_id: customer_id.to_owned(), ..Default::default() };
        Ok(self.0.list_subscriptions(authorized(token, request)).await?.into_inner().subscriptions)
    }

    pub async fn page(
        &mut self,
        token: &str,
        request: ListSubscriptionsRequest,
    ) -> (Vec<Subscription>, String, String) {
        let page = self.0.list_subscriptions(authorized(token, request)).await.unwrap().into_inner();
        (page.subscriptions, page.next_page_token, page.previous_page_token)
    }

    pub async fn entitlements(&mut self, token: &str, customer_id: &str) -> Result<ListEntitlementsResponse, Status> {
        let request = ListEntitlementsRequest { customer_id: customer_id.to_owned(), ..Default::default() };
        self.1.list_entitlements(authorized(token, request)).await.map(tonic::Response::into_inner)
    }

    /// What the customer owns of one product.
    pub async fn entitlement(&mut self, token: &str, customer_id: &str, product_id: &str) -> Entitlement {
        let all = self.entitlements(token, customer_id).await.unwrap().entitlements;
        let mut found = all.into_iter().filter_map(|detail| detail.entitlement);
        found.find(|entitlement| entitlement.product_id == product_id).unwrap()
    }
}
