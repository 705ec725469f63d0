//! The table of contents: one line per RPC.

use std::sync::Arc;

use proto::licensing::v1 as pb;
use service::Host;
use tonic::{Request, Response, Status};

use crate::Licensing;
use crate::access::ops::{CancelAccess, CheckAccess, PrepareAccess};
use crate::entitlement::ops::{ListEntitlements, VerifySeats};
use crate::license::ops::{GetUserLicenses, ListLicenseUsers, SummarizeLicenses, UpdateLicenses};
use crate::offer::ops::{GetOffer, ListOffers, UpsertOffer};
use crate::product::ops::{GetProduct, ImportProducts, ListProducts};
use crate::product_rules::ops::SetProductRules;
use crate::projection::ops::{ApplyIdentityFacts, ApplyPartnerFacts};
use crate::purchase_permission::ops::{GetPurchasePermissions, SetPurchasePermission};
use crate::subscription::ops::{
    CancelSubscription, ChangeQuantity, ChangeReseller, ConvertTrial, GetSubscription, ListSubscriptionChanges,
    ListSubscriptions, PlaceOrder, ReactivateSubscription, SuspendSubscription,
};

/// The front of licensing.
#[derive(Clone, Debug)]
pub struct Api(pub Arc<Host<Licensing>>);

type Reply<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl pb::catalog_service_server::CatalogService for Api {
    async fn import_products(&self, request: Request<pb::ImportProductsRequest>) -> Reply<pb::ImportProductsResponse> {
        self.0.run::<ImportProducts>(request).await
    }
    async fn list_products(&self, request: Request<pb::ListProductsRequest>) -> Reply<pb::ListProductsResponse> {
        self.0.run::<ListProducts>(request).await
    }
    async fn get_product(&self, request: Request<pb::GetProductRequest>) -> Reply<pb::GetProductResponse> {
        self.0.run::<GetProduct>(request).await
    }
    async fn set_product_rules(
        &self,
        request: Request<pb::SetProductRulesRequest>,
    ) -> Reply<pb::SetProductRulesResponse> {
        self.0.run::<SetProductRules>(request).await
    }
    async fn upsert_offer(&self, request: Request<pb::UpsertOfferRequest>) -> Reply<pb::UpsertOfferResponse> {
        self.0.run::<UpsertOffer>(request).await
    }
    async fn list_offers(&self, request: Request<pb::ListOffersRequest>) -> Reply<pb::ListOffersResponse> {
        self.0.run::<ListOffers>(request).await
    }
    async fn get_offer(&self, request: Request<pb::GetOfferRequest>) -> Reply<pb::GetOfferResponse> {
        self.0.run::<GetOffer>(request).await
    }
}

#[tonic::async_trait]
impl pb::subscription_service_server::SubscriptionService for Api {
    async fn place_order(&self, request: Request<pb::PlaceOrderRequest>) -> Reply<pb::PlaceOrderResponse> {
        self.0.run::<PlaceOrder>(request).await
    }
    async fn get_subscription(
        &self,
        request: Request<pb::GetSubscriptionRequest>,
    ) -> Reply<pb::GetSubscriptionResponse> {
        self.0.run::<GetSubscription>(request).await
    }
    async fn list_subscriptions(
        &self,
        request: Request<pb::ListSubscriptionsRequest>,
    ) -> Reply<pb::ListSubscriptionsResponse> {
        self.0.run::<ListSubscriptions>(request).await
    }
    async fn change_quantity(&self, request: Request<pb::ChangeQuantityRequest>) -> Reply<pb::ChangeQuantityResponse> {
        self.0.run::<ChangeQuantity>(request).await
    }
    async fn suspend_subscription(
        &self,
        request: Request<pb::SuspendSubscriptionRequest>,
    ) -> Reply<pb::SuspendSubscriptionResponse> {
        self.0.run::<SuspendSubscription>(request).await
    }
    async fn reactivate_subscription(
        &self,
        request: Request<pb::ReactivateSubscriptionRequest>,
    ) -> Reply<pb::ReactivateSubscriptionResponse> {
        self.0.run::<ReactivateSubscription>(request).await
    }
    async fn change_reseller(&self, request: Request<pb::ChangeResellerRequest>) -> Reply<pb::ChangeResellerResponse> {
        self.0.run::<ChangeReseller>(request).await
    }
    async fn convert_trial(&self, request: Request<pb::ConvertTrialRequest>) -> Reply<pb::ConvertTrialResponse> {
        self.0.run::<ConvertTrial>(request).await
    }
    async fn cancel_subscription(
        &self,
        request: Request<pb::CancelSubscriptionRequest>,
    ) -> Reply<pb::CancelSubscriptionResponse> {
        self.0.run::<CancelSubscription>(request).await
    }
    async fn list_subscription_changes(
        &self,
        request: Request<pb::ListSubscriptionChangesRequest>,
    ) -> Reply<pb::ListSubscriptionChangesResponse> {
        self.0.run::<ListSubscriptionChanges>(request).await
    }
}

#[tonic::async_trait]
impl pb::purchase_permission_service_server::PurchasePermissionService for Api {
    async fn get_purchase_permissions(
        &self,
        request: Request<pb::GetPurchasePermissionsRequest>,
    ) -> Reply<pb::GetPurchasePermissionsResponse> {
        self.0.run::<GetPurchasePermissions>(request).await
    }
    async fn set_purchase_permission(
        &self,
        request: Request<pb::SetPurchasePermissionRequest>,
    ) -> Reply<pb::SetPurchasePermissionResponse> {
        self.0.run::<SetPurchasePermission>(request).await
    }
}

#[tonic::async_trait]
impl pb::entitlement_service_server::EntitlementService for Api {
    async fn list_entitlements(
        &self,
        request: Request<pb::ListEntitlementsRequest>,
    ) -> Reply<pb::ListEntitlementsResponse> {
        self.0.run::<ListEntitlements>(request).await
    }
    async fn verify_seats(&self, request: Request<pb::VerifySeatsRequest>) -> Reply<pb::VerifySeatsResponse> {
        self.0.run::<VerifySeats>(request).await
    }
}

#[tonic::async_trait]
impl pb::license_service_server::LicenseService for Api {
    async fn update_licenses(&self, request: Request<pb::UpdateLicensesRequest>) -> Reply<pb::UpdateLicensesResponse> {
        self.0.run::<UpdateLicenses>(request).await
    }
    async fn summarize_licenses(
        &self,
        request: Request<pb::SummarizeLicensesRequest>,
    ) -> Reply<pb::SummarizeLicensesResponse> {
        self.0.run::<SummarizeLicenses>(request).await
    }
    async fn list_license_users(
        &self,
        request: Request<pb::ListLicenseUsersRequest>,
    ) -> Reply<pb::ListLicenseUsersResponse> {
        self.0.run::<ListLicenseUsers>(request).await
    }
    async fn get_user_licenses(
        &self,
        request: Request<pb::GetUserLicensesRequest>,
    ) -> Reply<pb::GetUserLicensesResponse> {
        self.0.run::<GetUserLicenses>(request).await
    }
}

#[tonic::async_trait]
impl pb::licensing_internal_service_server::LicensingInternalService for Api {
    async fn apply_identity_facts(
        &self,
        request: Request<pb::ApplyIdentityFactsRequest>,
    ) -> Reply<pb::ApplyIdentityFactsResponse> {
        self.0.run::<ApplyIdentityFacts>(request).await
    }
    async fn apply_partner_facts(
        &self,
        request: Request<pb::ApplyPartnerFactsRequest>,
    ) -> Reply<pb::ApplyPartnerFactsResponse> {
        self.0.run::<ApplyPartnerFacts>(request).await
    }
    async fn prepare_access(&self, request: Request<pb::PrepareAccessRequest>) -> Reply<pb::PrepareAccessResponse> {
        self.0.run::<PrepareAccess>(request).await
    }
    async fn check_access(&self, request: Request<pb::CheckAccessRequest>) -> Reply<pb::CheckAccessResponse> {
        self.0.run::<CheckAccess>(request).await
    }
    async fn cancel_access(&self, request: Request<pb::CancelAccessRequest>) -> Reply<pb::CancelAccessResponse> {
        self.0.run::<CancelAccess>(request).await
    }
}
