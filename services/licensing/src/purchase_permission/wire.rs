//! Purchase permissions on the wire.

use base::Fault;
use proto::licensing::v1 as pb;
use service::form::timestamp;
use service::{Form, Wire};

use super::PurchasePermission;
use super::ops::{GetPurchasePermissions, SetPurchasePermission};
use crate::offer::PRODUCT_FAMILY_MAX;

impl Wire for GetPurchasePermissions {
    type Request = pb::GetPurchasePermissionsRequest;
    type Response = pb::GetPurchasePermissionsResponse;
    type Reply = Vec<PurchasePermission>;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let customer = form.id("customer_id", &request.customer_id);
        form.finish(|| Some(Self { customer: customer? }))
    }

    fn present(permissions: Self::Reply) -> Self::Response {
        pb::GetPurchasePermissionsResponse { permissions: permissions.iter().map(present).collect() }
    }
}

impl Wire for SetPurchasePermission {
    type Request = pb::SetPurchasePermissionRequest;
    type Response = pb::SetPurchasePermissionResponse;
    type Reply = PurchasePermission;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let customer = form.id("customer_id", &request.customer_id);
        let product_family = form.text("product_family", &request.product_family, 1..=PRODUCT_FAMILY_MAX);
        let permitted = request.permitted;
        form.finish(|| Some(Self { customer: customer?, product_family: product_family?, permitted }))
    }

    fn present(permission: PurchasePermission) -> Self::Response {
        pb::SetPurchasePermissionResponse { permission: Some(present(&permission)) }
    }
}

fn present(permission: &PurchasePermission) -> pb::PurchasePermission {
    pb::PurchasePermission {
        customer_id: permission.customer.to_string(),
        partner_id: permission.partner.to_string(),
        product_family: permission.product_family.clone(),
        permitted: permission.permitted,
        update_time: permission.update_time.map(timestamp),
    }
}
