//! Offers on the wire.

use std::collections::BTreeSet;

use base::country::Country;
use base::{Fault, Id, Seek};
use proto::licensing::v1 as pb;
use service::form::{etag, timestamp};
use service::{Form, Wire, reply};

use super::commitment::{BillingCycle, Commitments, Term};
use super::ops::{GetOffer, ListOffers, Listed, UpsertOffer};
use super::store::Filter;
use super::{COUNTRIES_MAX, LIMIT_MAX, Limit, Offer, PARENTS_MAX, PRODUCT_FAMILY_MAX, QUANTITY_MAX};
use crate::product::wire::NAME_MAX;
use base::names::sort_key;

/// Bytes of the reasons for which an offer cannot be ordered, at most: fewer than ten words.
const REFUSALS: usize = 512;

impl Wire for UpsertOffer {
    type Request = pb::UpsertOfferRequest;
    type Response = pb::UpsertOfferResponse;
    type Reply = Offer;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let id = form.id("offer_id", &request.offer_id);
        let product = form.id("product_id", &request.product_id);
        let name = form.text("name", &request.name, 1..=NAME_MAX);
        let countries = countries(&mut form, &request.countries);
        let (minimum, maximum) = (i64::from(request.minimum_quantity), i64::from(request.maximum_quantity));
        if minimum < 1 {
            form.wrong("minimum_quantity", "OUT_OF_RANGE", "an order line has at least one seat");
        }
        let message = format!("lies between minimum_quantity and quantity_max, {QUANTITY_MAX}");
        if maximum > QUANTITY_MAX {
            form.over("quantity_max", "maximum_quantity", "OUT_OF_RANGE", message);
        } else if maximum < minimum {
            form.wrong("maximum_quantity", "OUT_OF_RANGE", message);
        }
        if request.trial && minimum != maximum {
            form.wrong("maximum_quantity", "OUT_OF_RANGE", "the seats of a trial are fixed: both bounds are the same");
        }
        let limit = limit(&mut form, &request);
        let parents = parents(&mut form, &request);
        let commitments = commitments(&mut form, &request);
        let product_family = form.text("product_family", &request.product_family, 0..=PRODUCT_FAMILY_MAX);
        let version = form.etag(&request.etag);
        form.finish(|| {
            Some(Self {
                id: id?,
                product: product?,
                name: name?,
                countries,
                minimum_quantity: minimum,
                maximum_quantity: maximum,
                available: request.available,
                trial: request.trial,
                limit: limit?,
                parents,
                commitments,
                product_family: product_family?,
                version,
            })
        })
    }

    fn present(offer: Offer) -> Self::Response {
        pb::UpsertOfferResponse { offer: Some(present(&offer)) }
    }
}

fn countries(form: &mut Form, codes: &[String]) -> BTreeSet<String> {
    if !form.within("countries", "offer_countries_max", codes.len(), COUNTRIES_MAX) {
        return BTreeSet::new();
    }
    let read = |(at, code): (usize, &String)| {
        form.take(format!("countries[{at}]"), Country::parse(code).map(|country| country.as_str().to_owned()))
    };
    codes.iter().enumerate().filter_map(read).collect()
}

fn commitments(form: &mut Form, request: &pb::UpsertOfferRequest) -> Commitments {
    let mut commitments = Commitments::default();
    for (at, number) in request.billing_cycles.iter().enumerate() {
        commitments.billing_cycles.extend(billing_cycle(form, &format!("billing_cycles[{at}]"), *number).flatten());
    }
    for (at, number) in request.terms.iter().enumerate() {
        commitments.terms.extend(term(form, &format!("terms[{at}]"), *number).flatten());
    }
    commitments
}

/// How often something is billed; nothing where nothing is said.
pub(crate) fn billing_cycle(form: &mut Form, field: &str, number: i32) -> Option<Option<BillingCycle>> {
    match pb::BillingCycle::try_from(number) {
        Ok(pb::BillingCycle::Unspecified) => Some(None),
        Ok(pb::BillingCycle::Monthly) => Some(Some(BillingCycle::Monthly)),
        Ok(pb::BillingCycle::Annual) => Some(Some(BillingCycle::Annual)),
        Ok(pb::BillingCycle::Triennial) => Some(Some(BillingCycle::Triennial)),
        Ok(pb::BillingCycle::OneTime) => Some(Some(BillingCycle::OneTime)),
        Err(_) => {
            form.wrong(field, "UNKNOWN_VALUE", "is not a billing cycle");
            None
        }
    }
}

/// For how long somebody is bound; nothing where nothing is said.
pub(crate) fn term(form: &mut Form, field: &str, number: i32) -> Option<Option<Term>> {
    match pb::Term::try_from(number) {
        Ok(pb::Term::Unspecified) => Some(None),
        Ok(pb::Term::OneMonth) => Some(Some(Term::OneMonth)),
        Ok(pb::Term::OneYear) => Some(Some(Term::OneYear)),
        Ok(pb::Term::ThreeYears) => Some(Some(Term::ThreeYears)),
        Err(_) => {
            form.wrong(field, "UNKNOWN_VALUE", "is not a term");
            None
        }
    }
}

/// As [`billing_cycle`] reads it.
pub(crate) const fn present_billing_cycle(cycle: BillingCycle) -> pb::BillingCycle {
    match cycle {
        BillingCycle::Monthly => pb::BillingCycle::Monthly,
        BillingCycle::Annual => pb::BillingCycle::Annual,
        BillingCycle::Triennial => pb::BillingCycle::Triennial,
        BillingCycle::OneTime => pb::BillingCycle::OneTime,
    }
}

/// As [`term`] reads it.
pub(crate) const fn present_term(term: Term) -> pb::Term {
    match term {
        Term::OneMonth => pb::Term::OneMonth,
        Term::OneYear => pb::Term::OneYear,
        Term::ThreeYears => pb::Term::ThreeYears,
    }
}

/// A trial has its own limit, so that none is given with it.
fn limit(form: &mut Form, request: &pb::UpsertOfferRequest) -> Option<Option<Limit>> {
    let count = i64::from(request.limit);
    let limit = match pb::LimitUnit::try_from(request.limit_unit) {
        Ok(pb::LimitUnit::Unspecified) => {
            if count != 0 {
                form.wrong("limit", "OUT_OF_RANGE", "is 0 when there is no limit");
            }
            return Some(None);
        }
        Ok(pb::LimitUnit::Concurrent) => Limit::Concurrent(count),
        Ok(pb::LimitUnit::Lifetime) => Limit::Lifetime(count),
        Err(_) => {
            form.wrong("limit_unit", "UNKNOWN_VALUE", "is not a unit of limits");
            return None;
        }
    };
    if request.trial {
        form.wrong("limit_unit", "UNKNOWN_VALUE", "is left out for a trial, which a customer can have once");
    }
    let message = format!("lies between 1 and offer_limit_max, {LIMIT_MAX}");
    if count > LIMIT_MAX {
        form.over("offer_limit_max", "limit", "OUT_OF_RANGE", message);
    } else if count < 1 {
        form.wrong("limit", "OUT_OF_RANGE", message);
    }
    Some(Some(limit))
}

fn parents(form: &mut Form, request: &pb::UpsertOfferRequest) -> BTreeSet<Id<Offer>> {
    let ids = &request.parent_offer_ids;
    if !form.within("parent_offer_ids", "offer_parents_max", ids.len(), PARENTS_MAX) {
        return BTreeSet::new();
    }
    let itself = Id::parse(&request.offer_id);
    let mut parents = BTreeSet::new();
    for (at, id) in ids.iter().enumerate() {
        let parent = form.id::<Offer>(format!("parent_offer_ids[{at}]"), id);
        if parent.is_some() && parent == itself {
            form.wrong(format!("parent_offer_ids[{at}]"), "MALFORMED", "an offer does not add to itself");
        }
        parents.extend(parent);
    }
    parents
}

impl Wire for ListOffers {
    type Request = pb::ListOffersRequest;
    type Response = pb::ListOffersResponse;
    type Reply = Listed;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let page_size = form.page_size(request.page_size);
        let start = match pb::list_offers_request::Seek::try_from(request.seek) {
            Ok(pb::list_offers_request::Seek::Last) => Some(Seek::Last),
            Ok(_) => Some(Seek::First),
            Err(_) => {
                form.wrong("seek", "UNKNOWN_VALUE", "is not a seek");
                None
            }
        };
        let name_prefix = form.text("name_prefix", &request.name_prefix, 0..=NAME_MAX).map(|name| sort_key(&name));
        let product = form.optional_id("product_id", &request.product_id);
        let country = match request.country.as_str() {
            "" => Some(None),
            code => form.take("country", Country::parse(code).map(|country| country.as_str().to_owned())).map(Some),
        };
        let product_family = form.text("product_family", &request.product_family, 0..=PRODUCT_FAMILY_MAX);
        let customer = form.optional_id("customer_id", &request.customer_id);
        let billing_cycle = billing_cycle(&mut form, "billing_cycle", request.billing_cycle);
        let term = term(&mut form, "term", request.term);
        form.finish(|| {
            Some(Self {
                customer: customer?,
                filter: Filter {
                    name_prefix: name_prefix?,
                    product: product?,
                    country: country?,
                    available_only: request.available_only,
                    trial: request.trial,
                    product_family: product_family.filter(|family| !family.is_empty()),
                    billing_cycle: billing_cycle?,
                    term: term?,
                },
                page_size: page_size?,
                page_token: request.page_token,
                start: start?,
            })
        })
    }

    fn present(Listed { page, tokens, prospect }: Listed) -> Self::Response {
        let judged = |offer: &Offer| {
            let refusals = prospect.as_ref().map(|prospect| prospect.refusals(offer));
            pb::Offer {
                purchasable: refusals.as_ref().map(Vec::is_empty),
                refusal_reasons: refusals.unwrap_or_default(),
                ..present(offer)
            }
        };
        pb::ListOffersResponse {
            offers: page.rows.iter().map(judged).collect(),
            next_page_token: tokens.next,
            previous_page_token: tokens.previous,
        }
    }
}

impl Wire for GetOffer {
    type Request = pb::GetOfferRequest;
    type Response = pb::GetOfferResponse;
    type Reply = Offer;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let id = form.id("offer_id", &request.offer_id);
        form.finish(|| Some(Self { id: id? }))
    }

    fn present(offer: Offer) -> Self::Response {
        pb::GetOfferResponse { offer: Some(present(&offer)) }
    }
}

/// Bytes of an offer in a list, at most.
pub(super) fn bytes(offer: &Offer) -> usize {
    reply::bytes(&present(offer)) + REFUSALS
}

fn present(offer: &Offer) -> pb::Offer {
    // Bounds are checked where they are set: 1 to QUANTITY_MAX.
    let quantity = |quantity| i32::try_from(quantity).unwrap_or(i32::MAX);
    pb::Offer {
        offer_id: offer.id.to_string(),
        product_id: offer.product.to_string(),
        name: offer.name.clone(),
        countries: offer.countries.iter().cloned().collect(),
        minimum_quantity: quantity(offer.minimum_quantity),
        maximum_quantity: quantity(offer.maximum_quantity),
        available: offer.available,
        create_time: Some(timestamp(offer.create_time)),
        update_time: Some(timestamp(offer.update_time)),
        etag: etag(offer.version),
        trial: offer.trial,
        limit_unit: match offer.limit {
            None => pb::LimitUnit::Unspecified,
            Some(Limit::Concurrent(_)) => pb::LimitUnit::Concurrent,
            Some(Limit::Lifetime(_)) => pb::LimitUnit::Lifetime,
        }
        .into(),
        limit: offer.limit.map_or(0, |limit| quantity(limit.count())),
        parent_offer_ids: offer.parents.iter().map(ToString::to_string).collect(),
        product_family: offer.product_family.clone(),
        billing_cycles: offer
            .commitments
            .billing_cycles
            .iter()
            .map(|cycle| present_billing_cycle(*cycle).into())
            .collect(),
        terms: offer.commitments.terms.iter().map(|term| present_term(*term).into()).collect(),
        purchasable: None,
        refusal_reasons: Vec::new(),
    }
}
