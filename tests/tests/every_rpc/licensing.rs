//! Licensing's RPCs: the catalog, orders and what they bring, licenses.

use proto::licensing::v1 as pb;
use proto::licensing::v1::purchase_permission_service_client::PurchasePermissionServiceClient;
use tests::world::{HEADER, World, authorized, fresh};

use super::judge::Judge;

pub(super) async fn fixtures(judge: &mut Judge) {
    catalog(judge).await;
    subscriptions(judge).await;
    changes(judge).await;
    purchases(judge).await;
    licenses(judge).await;
}

async fn catalog(judge: &mut Judge) {
    judge
        .rpc("CatalogService/ImportProducts", async |side| {
            let (product, plan) = (fresh(), fresh());
            let content = format!("{HEADER}Harbor Chat,CHAT,{product},PLAN,{plan},Plan of Harbor Chat\n").into_bytes();
            side.by_operator(pb::ImportProductsRequest { content, ..Default::default() }).await
        })
        .await;
    judge.rpc("CatalogService/ListProducts", async |side| side.by_provider(pb::ListProductsRequest::default())).await;
    judge
        .rpc("CatalogService/GetProduct", async |side| {
            side.by_provider(pb::GetProductRequest { product_id: side.product_id.clone() })
        })
        .await;
    judge
        .rpc("CatalogService/UpsertOffer", async |side| side.by_operator(World::offer_of(&side.product_id)).await)
        .await;
    judge
        .rpc("CatalogService/UpsertOffer", async |side| {
            let parent_offer_ids = vec![side.offer_id.clone()];
            side.by_operator(pb::UpsertOfferRequest { parent_offer_ids, ..World::offer_of(&side.product_id) }).await
        })
        .await;
    judge
        .rpc("CatalogService/ListOffers", async |side| {
            side.by_provider(pb::ListOffersRequest { product_id: side.product_id.clone(), ..Default::default() })
        })
        .await;
    judge
        .rpc("CatalogService/GetOffer", async |side| {
            side.by_provider(pb::GetOfferRequest { offer_id: side.offer_id.clone() })
        })
        .await;
}

async fn subscriptions(judge: &mut Judge) {
    judge.rpc("SubscriptionService/PlaceOrder", async |side| side.by_provider(side.order())).await;
    judge.rpc("SubscriptionService/PlaceOrder", async |side| side.by_provider(side.add_on().await)).await;
    judge
        .rpc("SubscriptionService/GetSubscription", async |side| {
            side.by_provider(pb::GetSubscriptionRequest { subscription_id: side.subscription_id.clone() })
        })
        .await;
    judge
        .rpc("SubscriptionService/ListSubscriptions", async |side| {
            let (customer_id, product_id) = (side.customer_id(), side.product_id.clone());
            side.by_provider(pb::ListSubscriptionsRequest { customer_id, product_id, ..Default::default() })
        })
        .await;
    judge
        .rpc("EntitlementService/ListEntitlements", async |side| {
            side.by_reseller(pb::ListEntitlementsRequest { customer_id: side.customer_id(), ..Default::default() })
        })
        .await;
}

async fn changes(judge: &mut Judge) {
    let reason = || pb::StateReason::CustomerRequest.into();
    judge
        .rpc("SubscriptionService/ChangeQuantity", async |side| {
            let subscription_id = side.subscription().await;
            side.by_provider(pb::ChangeQuantityRequest { subscription_id, quantity: 30, ..Default::default() })
        })
        .await;
    judge
        .rpc("SubscriptionService/SuspendSubscription", async |side| {
            let (subscription_id, reason) = (side.subscription().await, reason());
            side.by_provider(pb::SuspendSubscriptionRequest { subscription_id, reason, ..Default::default() })
        })
        .await;
    judge
        .rpc("SubscriptionService/ReactivateSubscription", async |side| {
            let subscription_id = side.suspended().await;
            side.by_provider(pb::ReactivateSubscriptionRequest { subscription_id, ..Default::default() })
        })
        .await;
    judge
        .rpc("SubscriptionService/CancelSubscription", async |side| {
            let (subscription_id, reason) = (side.subscription().await, reason());
            side.by_provider(pb::CancelSubscriptionRequest { subscription_id, reason, ..Default::default() })
        })
        .await;
    judge
        .rpc("SubscriptionService/ListSubscriptionChanges", async |side| {
            let subscription_id = side.subscription_id.clone();
            side.by_provider(pb::ListSubscriptionChangesRequest { subscription_id, ..Default::default() })
        })
        .await;
    judge.rpc("EntitlementService/VerifySeats", async |side| side.by_operator(pb::VerifySeatsRequest {}).await).await;
}

async fn purchases(judge: &mut Judge) {
    judge
        .rpc("PurchasePermissionService/SetPurchasePermission", async |side| {
            let (agent, _) = side.agent_with_family().await;
            side.by_provider(side.permission()).with(agent)
        })
        .await;
    judge
        .rpc("PurchasePermissionService/GetPurchasePermissions", async |side| {
            side.by_provider(pb::GetPurchasePermissionsRequest { customer_id: side.customer_id() })
        })
        .await;
    judge
        .rpc("SubscriptionService/PlaceOrder", async |side| {
            let (agent, purchase) = side.agent_with_family().await;
            let mut permissions = PurchasePermissionServiceClient::new(side.world.to_licensing().await);
            permissions.set_purchase_permission(authorized(&agent, side.permission())).await.unwrap();
            side.by_customer(purchase)
        })
        .await;
}

async fn licenses(judge: &mut Judge) {
    judge.rpc("LicenseService/UpdateLicenses", async |side| side.by_reseller(side.giving(&side.user().await))).await;
    judge
        .rpc("LicenseService/UpdateLicenses", async |side| {
            let user_id = side.licensed_user().await;
            side.by_reseller(pb::UpdateLicensesRequest {
                assign: Vec::new(),
                revoke_product_ids: vec![side.product_id.clone()],
                ..side.giving(&user_id)
            })
        })
        .await;
    judge
        .rpc("LicenseService/SummarizeLicenses", async |side| {
            let (customer_id, user_ids) = (side.customer_id(), vec![side.licensed_user().await]);
            side.by_reseller(pb::SummarizeLicensesRequest { customer_id, user_ids, ..Default::default() })
        })
        .await;
    judge
        .rpc("LicenseService/GetUserLicenses", async |side| {
            let (customer_id, user_id) = (side.customer_id(), side.licensed_user().await);
            side.by_reseller(pb::GetUserLicensesRequest { customer_id, user_id })
        })
        .await;
}
