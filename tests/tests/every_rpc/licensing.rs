//! Licensing's RPCs: the catalog, orders and what they bring, licenses.

use std::cell::Cell;

use proto::licensing::v1 as pb;
use proto::licensing::v1::catalog_service_client::CatalogServiceClient;
use proto::licensing::v1::purchase_permission_service_client::PurchasePermissionServiceClient;
use tests::world::{HEADER, World, authorized, fresh};

use super::judge::Judge;
use super::stage::Side;

pub(super) async fn fixtures(judge: &mut Judge) {
    catalog(judge).await;
    rules(judge).await;
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
            side.by_provider(pb::ListOffersRequest {
                product_id: side.product_id.clone(),
                customer_id: side.customer_id(),
                ..Default::default()
            })
        })
        .await;
    judge
        .rpc("CatalogService/GetOffer", async |side| {
            side.by_provider(pb::GetOfferRequest { offer_id: side.offer_id.clone() })
        })
        .await;
}

/// Both sides' products have all four plans, so that a rule about the one's product may name the plans of the other's.
async fn rules(judge: &mut Judge) {
    let (products, plans, others) = ([fresh(), fresh()], [fresh(), fresh()], [fresh(), fresh()]);
    let turn = Cell::new(0);
    judge
        .rpc("CatalogService/SetProductRules", async |side| {
            let at = turn.replace(1 - turn.get());
            for product in &products {
                let plans: Vec<&str> = plans.iter().chain(&others).map(String::as_str).collect();
                import(side, product, &plans).await;
            }
            let dependency = pb::ServicePlanDependency {
                service_plan_id: plans[at].clone(),
                any_of_service_plan_ids: vec![others[at].clone()],
            };
            let exclusion = pb::ServicePlanExclusion {
                service_plan_id: plans[at].clone(),
                other_service_plan_id: others[at].clone(),
            };
            let rules =
                pb::ProductRules { dependencies: vec![dependency], exclusions: vec![exclusion], ..Default::default() };
            side.by_operator(pb::SetProductRulesRequest {
                product_id: products[at].clone(),
                rules: Some(rules),
                ..Default::default()
            })
            .await
        })
        .await;
}

/// Makes a product of these plans known.
async fn import(side: &Side, product: &str, plans: &[&str]) {
    let rows: String = plans.iter().map(|plan| format!("Harbor Suite,SUITE,{product},PLAN,{plan},Plan\n")).collect();
    let content = format!("{HEADER}{rows}").into_bytes();
    let request = pb::ImportProductsRequest { content, request_id: fresh(), validate_only: false };
    let operator = side.world.operator().await;
    let mut catalog = CatalogServiceClient::new(side.world.to_licensing().await);
    catalog.import_products(authorized(&operator, request)).await.unwrap();
}

/// A product of which the customer has seats, and one of its two plans.
async fn suite(side: &Side) -> (String, String) {
    let (product, plan) = (fresh(), fresh());
    import(side, &product, &[&plan, &fresh()]).await;
    let offer_id = side.world.offer(World::offer_of(&product)).await;
    let lines = vec![pb::OrderLine { offer_id, quantity: 25, ..Default::default() }];
    side.ordered(pb::PlaceOrderRequest { lines, ..side.order() }).await;
    (product, plan)
}

async fn subscriptions(judge: &mut Judge) {
    judge.rpc("SubscriptionService/PlaceOrder", async |side| side.by_provider(side.order())).await;
    judge.rpc("SubscriptionService/PlaceOrder", async |side| side.by_provider(side.add_on().await)).await;
    judge
        .rpc("SubscriptionService/PlaceOrder", async |side| {
            let mut order = side.order();
            order.lines[0].reseller_mpn_id = std::mem::take(&mut order.reseller_mpn_id);
            side.by_provider(order)
        })
        .await;
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
        .rpc("SubscriptionService/ChangeReseller", async |side| {
            let alone = pb::PlaceOrderRequest { reseller_mpn_id: String::new(), ..side.order() };
            let (subscription_id, reseller_mpn_id) = (side.ordered(alone).await, side.reseller_mpn_id.clone());
            side.by_provider(pb::ChangeResellerRequest { subscription_id, reseller_mpn_id, ..Default::default() })
        })
        .await;
    // Both sides try the same product, so that each could pay under the other's offer.
    let (tried, plan) = (fresh(), fresh());
    judge
        .rpc("SubscriptionService/ConvertTrial", async |side| {
            import(side, &tried, &[&plan]).await;
            let (subscription_id, offer_id) = side.trial(&tried).await;
            side.by_provider(pb::ConvertTrialRequest { subscription_id, offer_id, quantity: 30, ..Default::default() })
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
        .rpc("LicenseService/UpdateLicenses", async |side| {
            let (product_id, plan) = suite(side).await;
            let excluded_service_plan_ids = vec![plan];
            side.by_reseller(pb::UpdateLicensesRequest {
                assign: vec![pb::LicenseToAssign { product_id, excluded_service_plan_ids }],
                ..side.giving(&side.user().await)
            })
        })
        .await;
    judge
        .rpc("LicenseService/ListLicenseUsers", async |side| {
            side.licensed_user().await;
            side.by_reseller(pb::ListLicenseUsersRequest {
                customer_id: side.customer_id(),
                selector: pb::list_license_users_request::Selector::Has.into(),
                product_id: side.product_id.clone(),
                ..Default::default()
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
