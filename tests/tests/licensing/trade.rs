//! A provider, a reseller and the customer whom they serve together, and what can be asked for them.

use proto::identity::v1::Role;
use proto::licensing::v1::entitlement_service_client::EntitlementServiceClient;
use proto::licensing::v1::license_service_client::LicenseServiceClient;
use proto::licensing::v1::subscription_service_client::SubscriptionServiceClient;
use proto::licensing::v1::{
    Entitlement, GetSubscriptionRequest, GetUserLicensesRequest, LicenseResult, LicenseToAssign,
    ListEntitlementsRequest, ListEntitlementsResponse, ListLicenseUsersRequest, ListLicenseUsersResponse,
    ListSubscriptionsRequest, OrderLine, PlaceOrderRequest, PlaceOrderResponse, Subscription, SummarizeLicensesRequest,
    SummarizeLicensesResponse, UpdateLicensesRequest, UserLicense, license_result, update_licenses_request::Mode,
};
use proto::partner::v1::PartnerKind;
use tests::world::{Grant, Registered, World, authorized, fresh};
use tonic::Status;
use tonic::transport::Channel;

/// Partners who work together, and their customer.
pub(crate) struct Trade {
    pub(crate) provider: Registered,
    pub(crate) provider_mpn_id: String,
    pub(crate) reseller: Registered,
    pub(crate) reseller_mpn_id: String,
    pub(crate) customer: String,
    pub(crate) product: String,
    /// 1 to 1,000 seats, everywhere.
    pub(crate) offer: String,
}

impl Trade {
    pub(crate) async fn begin(world: &World) -> Self {
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
    pub(crate) fn seller(&self) -> &str {
        &self.provider.session.access_token
    }

    /// The reseller's global admin.
    pub(crate) fn helper(&self) -> &str {
        &self.reseller.session.access_token
    }

    /// A valid order of some seats.
    pub(crate) fn order(&self, quantity: i32) -> PlaceOrderRequest {
        PlaceOrderRequest {
            customer_id: self.customer.clone(),
            lines: vec![line(&self.offer, quantity)],
            reseller_mpn_id: String::new(),
            request_id: fresh(),
            validate_only: false,
            base_subscription_id: String::new(),
        }
    }

    /// Seats of a further product.
    pub(crate) async fn more(&self, world: &World, quantity: i32) -> String {
        let product = world.product("Harbor Shield").await;
        let offer = world.offer(World::offer_of(&product)).await;
        let order = PlaceOrderRequest { lines: vec![line(&offer, quantity)], ..self.order(quantity) };
        Shop::of(world).await.order(self.seller(), order).await.unwrap();
        product
    }
}

/// An order line.
pub(crate) fn line(offer_id: &str, quantity: i32) -> OrderLine {
    OrderLine { offer_id: offer_id.to_owned(), quantity, ..Default::default() }
}

/// A partner's person with these roles.
pub(crate) async fn person(world: &World, partner: &Registered, roles: &[Role]) -> String {
    world.hire(partner, roles).await.session.access_token
}

/// Orders, subscriptions and entitlements, with requests unwrapped.
#[derive(Clone)]
pub(crate) struct Shop(SubscriptionServiceClient<Channel>, EntitlementServiceClient<Channel>);

impl Shop {
    pub(crate) async fn of(world: &World) -> Self {
        let channel = world.to_licensing().await;
        Self(SubscriptionServiceClient::new(channel.clone()), EntitlementServiceClient::new(channel))
    }

    pub(crate) async fn order(
        &mut self,
        token: &str,
        request: PlaceOrderRequest,
    ) -> Result<PlaceOrderResponse, Status> {
        self.0.place_order(authorized(token, request)).await.map(tonic::Response::into_inner)
    }

    pub(crate) async fn get(&mut self, token: &str, subscription_id: &str) -> Result<Subscription, Status> {
        let request = GetSubscriptionRequest { subscription_id: subscription_id.to_owned() };
        Ok(self.0.get_subscription(authorized(token, request)).await?.into_inner().subscription.unwrap())
    }

    pub(crate) async fn list(&mut self, token: &str, customer_id: &str) -> Result<Vec<Subscription>, Status> {
        let request = ListSubscriptionsRequest { customer_id: customer_id.to_owned(), ..Default::default() };
        Ok(self.0.list_subscriptions(authorized(token, request)).await?.into_inner().subscriptions)
    }

    pub(crate) async fn page(
        &mut self,
        token: &str,
        request: ListSubscriptionsRequest,
    ) -> (Vec<Subscription>, String, String) {
        let page = self.0.list_subscriptions(authorized(token, request)).await.unwrap().into_inner();
        (page.subscriptions, page.next_page_token, page.previous_page_token)
    }

    pub(crate) async fn entitlements(
        &mut self,
        token: &str,
        customer_id: &str,
    ) -> Result<ListEntitlementsResponse, Status> {
        let request = ListEntitlementsRequest { customer_id: customer_id.to_owned(), ..Default::default() };
        self.1.list_entitlements(authorized(token, request)).await.map(tonic::Response::into_inner)
    }

    /// What the customer owns of one product.
    pub(crate) async fn entitlement(&mut self, token: &str, customer_id: &str, product_id: &str) -> Entitlement {
        let all = self.entitlements(token, customer_id).await.unwrap().entitlements;
        let mut found = all.into_iter().filter_map(|detail| detail.entitlement);
        found.find(|entitlement| entitlement.product_id == product_id).unwrap()
    }
}

/// Licenses, with requests unwrapped.
#[derive(Clone)]
pub(crate) struct Licenses(LicenseServiceClient<Channel>);

impl Licenses {
    pub(crate) async fn of(world: &World) -> Self {
        Self(LicenseServiceClient::new(world.to_licensing().await))
    }

    pub(crate) async fn update(
        &mut self,
        token: &str,
        request: UpdateLicensesRequest,
    ) -> Result<Vec<LicenseResult>, Status> {
        Ok(self.0.update_licenses(authorized(token, request)).await?.into_inner().results)
    }

    pub(crate) async fn summarize(
        &mut self,
        token: &str,
        request: SummarizeLicensesRequest,
    ) -> Result<SummarizeLicensesResponse, Status> {
        self.0.summarize_licenses(authorized(token, request)).await.map(tonic::Response::into_inner)
    }

    pub(crate) async fn list(
        &mut self,
        token: &str,
        request: ListLicenseUsersRequest,
    ) -> Result<ListLicenseUsersResponse, Status> {
        self.0.list_license_users(authorized(token, request)).await.map(tonic::Response::into_inner)
    }

    pub(crate) async fn get(
        &mut self,
        token: &str,
        customer_id: &str,
        user_id: &str,
    ) -> Result<Vec<UserLicense>, Status> {
        let request = GetUserLicensesRequest { customer_id: customer_id.to_owned(), user_id: user_id.to_owned() };
        Ok(self.0.get_user_licenses(authorized(token, request)).await?.into_inner().licenses)
    }
}

/// A change of licenses.
pub(crate) fn change(customer_id: &str, users: &[String], gives: &[&str], takes: &[&str]) -> UpdateLicensesRequest {
    UpdateLicensesRequest {
        customer_id: customer_id.to_owned(),
        user_ids: users.to_vec(),
        assign: gives.iter().map(|id| give(id, &[])).collect(),
        revoke_product_ids: takes.iter().map(|id| (*id).to_owned()).collect(),
        request_id: fresh(),
        validate_only: false,
        mode: Mode::PerUser.into(),
    }
}

/// A product to give without some of its service plans.
pub(crate) fn give(product_id: &str, excluded: &[&str]) -> LicenseToAssign {
    let excluded_service_plan_ids = excluded.iter().map(|plan| (*plan).to_owned()).collect();
    LicenseToAssign { product_id: product_id.to_owned(), excluded_service_plan_ids }
}

/// What a dry run foretells, as the real call would tell it.
pub(crate) fn foretold(mut results: Vec<LicenseResult>) -> Vec<LicenseResult> {
    for result in &mut results {
        let outcome = match result.outcome() {
            license_result::Outcome::WouldChange => license_result::Outcome::Changed,
            license_result::Outcome::WouldFail => license_result::Outcome::Failed,
            license_result::Outcome::Unchanged => license_result::Outcome::Unchanged,
            // A dry run does nothing: whatever else it says is no foretelling.
            _ => license_result::Outcome::Unspecified,
        };
        result.outcome = outcome.into();
    }
    results
}

/// What became of each position, in a word: `CHANGED`, `UNCHANGED`, or the reasons.
pub(crate) fn words(results: &[LicenseResult]) -> Vec<String> {
    let word = |result: &LicenseResult| match result.outcome() {
        license_result::Outcome::Changed => "CHANGED".to_owned(),
        license_result::Outcome::Unchanged => "UNCHANGED".to_owned(),
        license_result::Outcome::WouldChange => "WOULD_CHANGE".to_owned(),
        license_result::Outcome::Failed | license_result::Outcome::WouldFail | license_result::Outcome::Unspecified => {
            result.errors.iter().map(|error| error.reason.clone()).collect::<Vec<_>>().join(" ")
        }
    };
    results.iter().map(word).collect()
}
