//! What can be asked of purchase permissions.

use std::collections::BTreeMap;

use base::{Fault, Id};
use service::{Cx, Fact, Operation, Preparation};
use uuid::Uuid;

use super::{PurchasePermission, store};
use crate::entitlement::ops::viewer;
use crate::organization::Organization;
use crate::policy::{self, Permission, Target};
use crate::{Licensing, partner};

/// Shows in which families a customer may buy by itself.
#[derive(Debug)]
pub struct GetPurchasePermissions {
    pub(super) customer: Id<Organization>,
}

impl Operation for GetPurchasePermissions {
    type Service = Licensing;
    const METHOD: &'static str = "/tandem.licensing.v1.PurchasePermissionService/GetPurchasePermissions";
    const PERMISSION: Permission = Permission::ReadPurchasePermissions;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Customer(self.customer)
    }

    async fn run(&self, cx: &mut Cx<Licensing>, (): &()) -> Result<Vec<PurchasePermission>, Fault> {
        let customer = self.customer;
        let viewer = viewer(cx, customer)?;
        let mut switches = BTreeMap::new();
        for (partner, family) in store::families(&mut cx.tx, customer, viewer).await? {
            let (product_family, permitted, update_time) = (family.clone(), false, None);
            let off = PurchasePermission { customer, partner, product_family, permitted, update_time };
            switches.insert((family, partner), off);
        }
        for turned in store::list(&mut cx.tx, customer, viewer).await? {
            switches.insert((turned.product_family.clone(), turned.partner), turned);
        }
        Ok(switches.into_values().collect())
    }
}

/// Lets a customer buy by itself in one family, or no longer.
#[derive(Debug)]
pub struct SetPurchasePermission {
    pub(super) customer: Id<Organization>,
    pub(super) product_family: String,
    pub(super) permitted: bool,
}

impl Operation for SetPurchasePermission {
    type Service = Licensing;
    const METHOD: &'static str = "/tandem.licensing.v1.PurchasePermissionService/SetPurchasePermission";
    const PERMISSION: Permission = Permission::SetPurchasePermission;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Customer(self.customer)
    }

    async fn gate(&self, _: &Preparation<'_, Licensing>) -> Result<Option<Uuid>, Fault> {
        Ok(Some(self.customer.uuid()))
    }

    async fn run(&self, cx: &mut Cx<Licensing>, (): &()) -> Result<PurchasePermission, Fault> {
        let (partner, now): (Id<Organization>, _) = (cx.organization()?, cx.now());
        if self.permitted {
            // Who lets somebody buy could buy it too, and pays for it.
            policy::authorize(cx, Permission::PlaceOrder, &Target::Customer(self.customer)).await?;
            partner::check_may_begin(partner::store::standing(&mut cx.tx, partner).await?.as_ref())?;
            let families = store::families(&mut cx.tx, self.customer, Some(partner)).await?;
            if !families.iter().any(|(_, family)| *family == self.product_family) {
                let message = "your organization has sold the customer no active subscription in this family";
                return Err(Fault::precondition("NO_SUBSCRIPTION_IN_FAMILY", message)
                    .with("product_family", &self.product_family));
            }
        }
        let wanted = PurchasePermission {
            customer: self.customer,
            partner,
            product_family: self.product_family.clone(),
            permitted: self.permitted,
            update_time: Some(now),
        };
        let present = store::get(&mut cx.tx, self.customer, partner, &self.product_family).await?;
        if present.as_ref().map_or(!self.permitted, |present| present.permitted == self.permitted) {
            // It stands so already, or was never turned on.
            return Ok(present.unwrap_or(PurchasePermission { update_time: None, ..wanted }));
        }
        if store::put(&mut cx.tx, &wanted, now).await? {
            cx.record(turned(&wanted));
            return Ok(wanted);
        }
        // Somebody else turned it the same way meanwhile.
        let present = store::get(&mut cx.tx, self.customer, partner, &self.product_family).await?;
        present.ok_or_else(|| Fault::internal("a purchase permission that was just turned is not there"))
    }
}

/// That a switch was turned.
pub(crate) fn turned(permission: &PurchasePermission) -> Fact {
    let action = if permission.permitted { "PurchasePermissionGranted" } else { "PurchasePermissionRevoked" };
    Fact::new(action)
        .about("customer", permission.customer.uuid())
        .customer(permission.customer.uuid())
        .change("product_family", "", &permission.product_family)
        .change("permitted", !permission.permitted, permission.permitted)
}
