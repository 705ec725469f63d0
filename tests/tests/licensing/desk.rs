//! What can be done to subscriptions, with requests unwrapped.

use proto::licensing::v1::subscription_service_client::SubscriptionServiceClient;
use proto::licensing::v1::{
    CancelSubscriptionRequest, CancelSubscriptionResponse, ChangeQuantityRequest, ChangeResellerRequest,
    ConvertTrialRequest, ListSubscriptionChangesRequest, ListSubscriptionChangesResponse, PlaceOrderRequest,
    ReactivateSubscriptionRequest, StateReason, Subscription, SubscriptionChange, SuspendSubscriptionRequest,
    UpsertOfferRequest,
};
use tests::world::{World, authorized, fresh};
use tonic::Status;
use tonic::transport::Channel;

use super::trade::{Shop, Trade, line};

/// Where subscriptions are changed.
#[derive(Clone)]
pub(crate) struct Desk(SubscriptionServiceClient<Channel>);

impl Desk {
    pub(crate) async fn of(world: &World) -> Self {
        Self(SubscriptionServiceClient::new(world.to_licensing().await))
    }

    pub(crate) async fn resize(&mut self, token: &str, request: ChangeQuantityRequest) -> Result<Subscription, Status> {
        Ok(self.0.change_quantity(authorized(token, request)).await?.into_inner().subscription.unwrap())
    }

    pub(crate) async fn suspend(
        &mut self,
        token: &str,
        request: SuspendSubscriptionRequest,
    ) -> Result<Subscription, Status> {
        Ok(self.0.suspend_subscription(authorized(token, request)).await?.into_inner().subscription.unwrap())
    }

    pub(crate) async fn reactivate(
        &mut self,
        token: &str,
        request: ReactivateSubscriptionRequest,
    ) -> Result<Subscription, Status> {
        Ok(self.0.reactivate_subscription(authorized(token, request)).await?.into_inner().subscription.unwrap())
    }

    pub(crate) async fn cancel(
        &mut self,
        token: &str,
        request: CancelSubscriptionRequest,
    ) -> Result<Subscription, Status> {
        Ok(self.canceled(token, request).await?.subscription.unwrap())
    }

    /// With how many licenses are gone.
    pub(crate) async fn canceled(
        &mut self,
        token: &str,
        request: CancelSubscriptionRequest,
    ) -> Result<CancelSubscriptionResponse, Status> {
        self.0.cancel_subscription(authorized(token, request)).await.map(tonic::Response::into_inner)
    }

    pub(crate) async fn name(&mut self, token: &str, request: ChangeResellerRequest) -> Result<Subscription, Status> {
        Ok(self.0.change_reseller(authorized(token, request)).await?.into_inner().subscription.unwrap())
    }

    pub(crate) async fn convert(&mut self, token: &str, request: ConvertTrialRequest) -> Result<Subscription, Status> {
        Ok(self.0.convert_trial(authorized(token, request)).await?.into_inner().subscription.unwrap())
    }

    pub(crate) async fn page(
        &mut self,
        token: &str,
        request: ListSubscriptionChangesRequest,
    ) -> Result<ListSubscriptionChangesResponse, Status> {
        self.0.list_subscription_changes(authorized(token, request)).await.map(tonic::Response::into_inner)
    }

    /// Newest first.
    pub(crate) async fn history(&mut self, token: &str, subscription_id: &str) -> Vec<SubscriptionChange> {
        let request =
            ListSubscriptionChangesRequest { subscription_id: subscription_id.to_owned(), ..Default::default() };
        self.page(token, request).await.unwrap().changes
    }
}

/// Another number of seats.
pub(crate) fn resized(id: &str, quantity: i32) -> ChangeQuantityRequest {
    ChangeQuantityRequest {
        subscription_id: id.to_owned(),
        quantity,
        etag: String::new(),
        request_id: fresh(),
        validate_only: false,
    }
}

/// The customer has not paid.
pub(crate) fn unpaid(id: &str) -> SuspendSubscriptionRequest {
    SuspendSubscriptionRequest {
        subscription_id: id.to_owned(),
        reason: StateReason::NonPayment.into(),
        etag: String::new(),
        request_id: fresh(),
        validate_only: false,
    }
}

/// It is to be active again.
pub(crate) fn paid(id: &str) -> ReactivateSubscriptionRequest {
    ReactivateSubscriptionRequest {
        subscription_id: id.to_owned(),
        etag: String::new(),
        request_id: fresh(),
        validate_only: false,
    }
}

/// The customer does not want it any more.
pub(crate) fn unwanted(id: &str) -> CancelSubscriptionRequest {
    CancelSubscriptionRequest {
        subscription_id: id.to_owned(),
        reason: StateReason::CustomerRequest.into(),
        etag: String::new(),
        request_id: fresh(),
        validate_only: false,
    }
}

/// A subscription of so many seats, which the trade's provider orders.
pub(crate) async fn bought(world: &World, trade: &Trade, quantity: i32) -> Subscription {
    let placed = Shop::of(world).await.order(trade.seller(), trade.order(quantity)).await.unwrap();
    placed.subscriptions.into_iter().next().unwrap()
}

/// Another reseller of record, or nobody.
pub(crate) fn served_by(id: &str, reseller_mpn_id: &str) -> ChangeResellerRequest {
    ChangeResellerRequest {
        subscription_id: id.to_owned(),
        reseller_mpn_id: reseller_mpn_id.to_owned(),
        etag: String::new(),
        request_id: fresh(),
        validate_only: false,
    }
}

/// The trial is paid for under an offer.
pub(crate) fn converted(id: &str, offer_id: &str, quantity: i32) -> ConvertTrialRequest {
    ConvertTrialRequest {
        subscription_id: id.to_owned(),
        offer_id: offer_id.to_owned(),
        quantity,
        request_id: fresh(),
        ..Default::default()
    }
}

/// A trial of 25 seats of the trade's product, which its provider orders.
pub(crate) async fn tried(world: &World, trade: &Trade) -> Subscription {
    let trial = UpsertOfferRequest {
        trial: true,
        minimum_quantity: 25,
        maximum_quantity: 25,
        ..World::offer_of(&trade.product)
    };
    let order = PlaceOrderRequest { lines: vec![line(&world.offer(trial).await, 25)], ..trade.order(1) };
    Shop::of(world).await.order(trade.seller(), order).await.unwrap().subscriptions.remove(0)
}
