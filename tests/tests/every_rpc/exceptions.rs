//! The places where naming what belongs to others is not refused, each with its reason. Both sides of the list are held:
//! a place that is not here answers for a foreign id as for an unknown one, and one that is here does what it says.

/// What is the case at such a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// What is named there is everybody's: the call is allowed with what the others use.
    Everybodys,
    /// Whoever is named there is not looked up: the call is allowed, and answers for a foreign id as for one that nobody
    /// has, and for the caller's own.
    NotLookedUp,
    /// The caller's own organization may be named there too. A foreign one is refused as everywhere.
    OwnToo,
}

/// A place with its reason.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exception {
    /// Which place, from its request.
    pub(super) place: &'static str,
    /// What is the case there.
    pub(super) why: Why,
}

const fn exception(place: &'static str, why: Why) -> Exception {
    Exception { place, why }
}

/// All of them.
pub(super) const EXCEPTIONS: &[Exception] = &[
    // An operator sees every organization: none is foreign.
    exception("AddOrganizationDomainRequest.organization_id", Why::Everybodys),
    // The catalog is one for all who read it.
    exception("ConvertTrialRequest.offer_id", Why::Everybodys),
    exception("GetOfferRequest.offer_id", Why::Everybodys),
    exception("GetProductRequest.product_id", Why::Everybodys),
    exception("ListOffersRequest.product_id", Why::Everybodys),
    exception("PlaceOrderRequest.lines.offer_id", Why::Everybodys),
    exception("SetProductRulesRequest.product_id", Why::Everybodys),
    exception("SetProductRulesRequest.rules.dependencies.any_of_service_plan_ids", Why::Everybodys),
    exception("SetProductRulesRequest.rules.dependencies.service_plan_id", Why::Everybodys),
    exception("SetProductRulesRequest.rules.exclusions.other_service_plan_id", Why::Everybodys),
    exception("SetProductRulesRequest.rules.exclusions.service_plan_id", Why::Everybodys),
    exception("UpsertOfferRequest.parent_offer_ids", Why::Everybodys),
    exception("UpsertOfferRequest.product_id", Why::Everybodys),
    // The operator chooses the id of the offer that is made.
    exception("UpsertOfferRequest.offer_id", Why::NotLookedUp),
    // What a partner is called in the vendor's network comes with it; only a taken one is refused.
    exception("OnboardPartnerRequest.mpn_id", Why::NotLookedUp),
    // An invitation is bound to whoever its sender says, whom it need not serve yet. It shows the sender nobody.
    exception("CreateInvitationRequest.customer_id", Why::NotLookedUp),
    // The same for the only reseller who may accept.
    exception("InviteResellerRequest.reseller_id", Why::NotLookedUp),
    // A provider works with the users of its resellers as it does with its own.
    exception("AddPartnerUserRequest.organization_id", Why::OwnToo),
    exception("ListPartnerUsersRequest.organization_id", Why::OwnToo),
];

/// What is the case at a place that is listed.
pub(super) fn why(place: &str) -> Option<Why> {
    EXCEPTIONS.iter().find(|exception| exception.place == place).map(|exception| exception.why)
}
