//! Customers on the wire.

use base::country::Country;
use base::names::{DOMAIN_MAX, DisplayName, DomainPrefix, LocalName, sort_key};
use base::{Fault, Page, Seek};
use proto::partner::v1 as pb;
use service::form::{etag, timestamp};
use service::page_token::Tokens;
use service::{Form, Wire};

use super::Source;
use super::ops::{
    CreateCustomer, Created, GetCustomer, ListCustomers, ListPartnersOfCustomer, NewCustomer, RemoveCustomer, Removed,
    RevokeDelegatedAdmin, Seen,
};
use super::store::{Filter, Served, Serving};
use crate::account::wire::{NAME_MAX, repeatable, write_kind};
use crate::subscription;

impl Wire for CreateCustomer {
    type Request = pb::CreateCustomerRequest;
    type Response = pb::CreateCustomerResponse;
    type Reply = Created;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let name = form.text("name", &request.name, 1..=NAME_MAX);
        let country = match request.country.as_str() {
            "" => Some(None),
            country => form.take("country", Country::parse(country)).map(Some),
        };
        let prefix = form.take("domain_prefix", DomainPrefix::parse(&request.domain_prefix));
        let admin_display_name = form.take("admin_display_name", DisplayName::parse(&request.admin_display_name));
        let admin_name = form.take("admin_name", LocalName::parse(&request.admin_name));
        let reseller = form.optional_id("reseller_id", &request.reseller_id);
        repeatable(&mut form, &request.request_id, request.validate_only);
        form.finish(|| {
            Some(Self {
                name: name?,
                country: country?,
                prefix: prefix?,
                admin_display_name: admin_display_name?,
                admin_name: admin_name?,
                reseller: reseller?,
            })
        })
    }

    fn present(reply: Created) -> Self::Response {
        let Created::Done(new) = reply else {
            return pb::CreateCustomerResponse { progress: pb::Progress::InProgress.into(), ..Default::default() };
        };
        let NewCustomer { customer, admin, sign_in_name, password, .. } = *new;
        pb::CreateCustomerResponse {
            progress: pb::Progress::Active.into(),
            customer: Some(present(&customer)),
            admin_user_id: admin.to_string(),
            admin_sign_in_name: sign_in_name,
            temporary_password: password.into_inner(),
        }
    }
}

impl Wire for ListCustomers {
    type Request = pb::ListCustomersRequest;
    type Response = pb::ListCustomersResponse;
    type Reply = (Page<Served>, Tokens);

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let page_size = form.page_size(request.page_size);
        let start = seek(&mut form, request.seek);
        let name_prefix = form.text("name_prefix", &request.name_prefix, 0..=NAME_MAX).map(|name| sort_key(&name));
        let domain_prefix = form.text("domain_prefix", &request.domain_prefix, 0..=DOMAIN_MAX);
        form.finish(|| {
            Some(Self {
                filter: Filter { name_prefix: name_prefix?, domain_prefix: domain_prefix?.to_ascii_lowercase() },
                page_size: page_size?,
                page_token: request.page_token,
                start: start?,
            })
        })
    }

    fn present((page, tokens): Self::Reply) -> Self::Response {
        pb::ListCustomersResponse {
            customers: page.rows.iter().map(present).collect(),
            next_page_token: tokens.next,
            previous_page_token: tokens.previous,
        }
    }
}

impl Wire for GetCustomer {
    type Request = pb::GetCustomerRequest;
    type Response = pb::GetCustomerResponse;
    type Reply = Seen;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let id = form.id("customer_id", &request.customer_id);
        form.finish(|| Some(Self { id: id? }))
    }

    fn present(seen: Seen) -> Self::Response {
        match seen {
            Seen::Served { customer, delegated_admin, colleagues, portfolio } => pb::GetCustomerResponse {
                customer: Some(present(&customer)),
                delegated_admin,
                partners: colleagues.iter().map(present_partner).collect(),
                subscriptions: portfolio.first.iter().map(subscription::wire::present).collect(),
                active_subscriptions: subscription::wire::count(portfolio.active),
                suspended_subscriptions: subscription::wire::count(portfolio.suspended),
            },
            Seen::Named(organization) => pb::GetCustomerResponse {
                customer: Some(pb::Customer {
                    customer_id: organization.id.to_string(),
                    name: organization.name,
                    ..pb::Customer::default()
                }),
                ..pb::GetCustomerResponse::default()
            },
        }
    }
}

impl Wire for RemoveCustomer {
    type Request = pb::RemoveCustomerRequest;
    type Response = pb::RemoveCustomerResponse;
    type Reply = Removed;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let id = form.id("customer_id", &request.customer_id);
        let version = form.etag(&request.etag);
        repeatable(&mut form, &request.request_id, request.validate_only);
        form.finish(|| Some(Self { id: id?, is_attested: request.attestation_accepted, version }))
    }

    fn present(removed: Removed) -> Self::Response {
        let state = match removed.is_everywhere {
            true => pb::remove_customer_response::State::Done,
            false => pb::remove_customer_response::State::InProgress,
        };
        pb::RemoveCustomerResponse {
            state: state.into(),
            customer_id: removed.customer.to_string(),
            remaining_delegated_admin: removed.remaining_delegated_admin,
        }
    }
}

impl Wire for ListPartnersOfCustomer {
    type Request = pb::ListPartnersOfCustomerRequest;
    type Response = pb::ListPartnersOfCustomerResponse;
    type Reply = (Page<Serving>, Tokens);

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let page_size = form.page_size(request.page_size);
        let start = seek(&mut form, request.seek);
        form.finish(|| Some(Self { page_size: page_size?, page_token: request.page_token, start: start? }))
    }

    fn present((page, tokens): Self::Reply) -> Self::Response {
        pb::ListPartnersOfCustomerResponse {
            partners: page.rows.iter().map(present_partner).collect(),
            next_page_token: tokens.next,
            previous_page_token: tokens.previous,
        }
    }
}

impl Wire for RevokeDelegatedAdmin {
    type Request = pb::RevokeDelegatedAdminRequest;
    type Response = pb::RevokeDelegatedAdminResponse;
    type Reply = Serving;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let (partner, version) = Form::id_and_etag("partner_id", &request.partner_id, &request.etag)?;
        Ok(Self { partner, version })
    }

    fn present(partner: Serving) -> Self::Response {
        pb::RevokeDelegatedAdminResponse { partner: Some(present_partner(&partner)) }
    }
}

/// Where a list begins.
pub(crate) fn seek(form: &mut Form, value: i32) -> Option<Seek> {
    match pb::Seek::try_from(value) {
        Ok(pb::Seek::Last) => Some(Seek::Last),
        Ok(pb::Seek::Unspecified | pb::Seek::First) => Some(Seek::First),
        Err(_) => {
            form.wrong("seek", "UNKNOWN_VALUE", "is not a seek");
            None
        }
    }
}

fn present(served: &Served) -> pb::Customer {
    let relationship = &served.relationship;
    let source = match relationship.source {
        Source::Creation => pb::RelationshipSource::Creation,
        Source::Invitation => pb::RelationshipSource::Invitation,
    };
    pb::Customer {
        customer_id: relationship.customer.to_string(),
        name: served.name.clone(),
        country: served.country.clone(),
        domain: served.domain.clone(),
        relationship: write_kind(relationship.kind).into(),
        source: source.into(),
        since: Some(timestamp(relationship.since)),
        etag: etag(relationship.version),
    }
}

fn present_partner(serving: &Serving) -> pb::CustomerPartner {
    let relationship = &serving.relationship;
    pb::CustomerPartner {
        partner_id: relationship.partner.to_string(),
        name: serving.name.clone(),
        relationship: write_kind(relationship.kind).into(),
        active: relationship.is_active(),
        delegated_admin: serving.delegated_admin.is_granted,
        order_right: relationship.orders(),
        since: Some(timestamp(relationship.since)),
        etag: etag(serving.delegated_admin.version),
    }
}
