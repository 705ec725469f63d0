//! Licensing's RPCs: the catalog, orders and what they bring, licenses.

use proto::licensing::v1 as pb;
use tests::world::{HEADER, World, fresh};

use super::judge::Judge;

pub(super) async fn fixtures(judge: &mut Judge) {
    catalog(judge).await;
    subscriptions(judge).await;
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
