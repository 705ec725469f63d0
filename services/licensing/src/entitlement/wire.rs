//! Entitlements on the wire.

use base::{Fault, Seek};
use proto::licensing::v1 as pb;
use proto::licensing::v1::product_rules::LicenseGroup as Group;
use service::{Form, Wire};

use super::ops::{ListEntitlements, Listed, Plans, Verified, VerifySeats};
use super::{Capability, Drift, Entitlement, Pool, Source};
use crate::product::wire::present_plans;
use crate::product_rules::LicenseGroup;
use crate::product_rules::wire::{write_authority, write_group, write_target};

impl Wire for ListEntitlements {
    type Request = pb::ListEntitlementsRequest;
    type Response = pb::ListEntitlementsResponse;
    type Reply = Listed;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let customer = form.id("customer_id", &request.customer_id);
        let page_size = form.page_size(request.page_size);
        let start = match pb::list_entitlements_request::Seek::try_from(request.seek) {
            Ok(pb::list_entitlements_request::Seek::Last) => Some(Seek::Last),
            Ok(_) => Some(Seek::First),
            Err(_) => {
                form.wrong("seek", "UNKNOWN_VALUE", "is not a seek");
                None
            }
        };
        let group = group(&mut form, &request.license_groups);
        form.finish(|| {
            let page_token = request.page_token;
            Some(Self { customer: customer?, group: group?, page_size: page_size?, page_token, start: start? })
        })
    }

    fn present(listed: Listed) -> Self::Response {
        pb::ListEntitlementsResponse {
            entitlements: listed.page.rows.iter().map(|entitlement| detail(entitlement, &listed.plans)).collect(),
            orderable_by_partner_ids: listed.orderers.iter().map(ToString::to_string).collect(),
            next_page_token: listed.tokens.next,
            previous_page_token: listed.tokens.previous,
        }
    }
}

/// The one group that is asked for, or none for all of them. Without a word it is the first one.
fn group(form: &mut Form, words: &[i32]) -> Option<Option<LicenseGroup>> {
    let mut groups = Vec::with_capacity(words.len());
    for (at, word) in words.iter().enumerate() {
        match Group::try_from(*word) {
            Ok(Group::First) => groups.push(LicenseGroup::First),
            Ok(Group::Second) => groups.push(LicenseGroup::Second),
            Ok(Group::Unspecified) | Err(_) => {
                form.wrong(format!("license_groups[{at}]"), "UNKNOWN_VALUE", "is not a license group");
            }
        }
    }
    let all = groups.contains(&LicenseGroup::First) && groups.contains(&LicenseGroup::Second);
    Some((!all).then(|| groups.first().copied().unwrap_or_default()))
}

impl Wire for VerifySeats {
    type Request = pb::VerifySeatsRequest;
    type Response = pb::VerifySeatsResponse;
    type Reply = Verified;

    fn parse(pb::VerifySeatsRequest {}: Self::Request) -> Result<Self, Fault> {
        Ok(Self)
    }

    fn present(verified: Verified) -> Self::Response {
        let counters =
            |pool: &Pool| pb::SeatCounters { seats: pool.seats, suspended: pool.suspended, consumed: pool.consumed };
        let drift = |drift: &Drift| pb::SeatDrift {
            customer_id: drift.customer.to_string(),
            product_id: drift.told.product.to_string(),
            told: Some(counters(&drift.told)),
            counted: Some(counters(&drift.counted)),
        };
        pb::VerifySeatsResponse {
            pools: verified.pools,
            drifts: verified.drifts.iter().map(drift).collect(),
            more: verified.more,
        }
    }
}

/// An entitlement with the service plans of its product.
pub(super) fn detail(entitlement: &Entitlement, plans: &Plans) -> pb::EntitlementDetail {
    pb::EntitlementDetail {
        entitlement: Some(present(entitlement)),
        service_plans: plans.get(&entitlement.pool.product).map(present_plans).unwrap_or_default(),
    }
}

/// An entitlement as its readers see it.
pub(crate) fn present(entitlement: &Entitlement) -> pb::Entitlement {
    let source = |source: &Source| pb::SeatSource {
        subscription_id: source.subscription.to_string(),
        offer_id: source.offer.to_string(),
        partner_id: source.partner.to_string(),
        quantity: source.quantity,
        suspended: source.suspended,
        orderable: source.orderable,
    };
    let capability = match entitlement.pool.capability() {
        Capability::Enabled => pb::entitlement::Capability::Enabled,
        Capability::Warning => pb::entitlement::Capability::Warning,
        Capability::Suspended => pb::entitlement::Capability::Suspended,
    };
    pb::Entitlement {
        product_id: entitlement.pool.product.to_string(),
        product_name: entitlement.name.clone(),
        part_number: entitlement.part_number.clone(),
        capability: capability.into(),
        total: entitlement.pool.total(),
        consumed: entitlement.pool.consumed,
        available: entitlement.pool.available(),
        buy_more: entitlement.pool.available() == 0,
        sources: entitlement.sources.iter().map(source).collect(),
        more_sources: entitlement.more_sources,
        active: entitlement.pool.active(),
        warning: entitlement.pool.warning(),
        suspended: entitlement.pool.suspended,
        target_type: write_target(entitlement.rules.target_type).into(),
        license_group: write_group(entitlement.rules.group).into(),
        assignment_authority: write_authority(entitlement.rules.authority).into(),
    }
}
