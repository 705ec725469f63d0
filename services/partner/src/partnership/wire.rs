//! Partnerships on the wire.

use std::time::Duration;

use base::names::sort_key;
use base::{Fault, Id, Page, Secret};
use proto::partner::v1 as pb;
use service::form::{etag, timestamp};
use service::page_token::Tokens;
use service::{Form, Wire};

use super::State;
use super::ops::{
    AcceptPartnership, CancelPartnershipInvitation, DeclinePartnership, Draft, GetPartnership, InviteReseller,
    ListIndirectProviders, ListIndirectResellers, ListSharedCustomers, Named, PreviewPartnership, Previewed,
    RemovePartnership, Removed, RevokeProviderAdminAccess, Side, WithDraft,
};
use super::store::Entry;
use crate::account::wire::{NAME_MAX, repeatable};
use crate::customer::wire::seek;
use crate::email::Email;
use crate::link::{LIFE_DAYS_DEFAULT, LIFE_DAYS_MAX};
use crate::organization::Organization;

impl Wire for InviteReseller {
    type Request = pb::InviteResellerRequest;
    type Response = pb::InviteResellerResponse;
    type Reply = WithDraft;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let recipient_email = form.take("recipient_email", Email::parse(&request.recipient_email));
        let reseller = form.optional_id("reseller_id", &request.reseller_id);
        let life = life(&mut form, request.life_days);
        form.finish(|| Some(Self { recipient_email: recipient_email?, reseller: reseller?, life: life? }))
    }

    fn present(reply: WithDraft) -> Self::Response {
        pb::InviteResellerResponse { partnership: Some(present(&reply.named)), draft: reply.draft.map(present_draft) }
    }
}

impl Wire for PreviewPartnership {
    type Request = pb::PreviewPartnershipRequest;
    type Response = pb::PreviewPartnershipResponse;
    type Reply = Previewed;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let token = token(&mut form, request.token);
        form.finish(|| Some(Self { token: token? }))
    }

    fn present(previewed: Previewed) -> Self::Response {
        pb::PreviewPartnershipResponse {
            provider_name: previewed.provider.name,
            provider_country: previewed.provider.country.as_str().to_owned(),
            consents: previewed.consents,
            consent_hash: previewed.consent_hash,
            expire_time: Some(timestamp(previewed.partnership.expire_time)),
        }
    }
}

impl Wire for AcceptPartnership {
    type Request = pb::AcceptPartnershipRequest;
    type Response = pb::AcceptPartnershipResponse;
    type Reply = Named;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let token = token(&mut form, request.token);
        let consent_hash = request.consent_hash;
        form.finish(|| Some(Self { token: token?, consent: request.consent, consent_hash }))
    }

    fn present(named: Named) -> Self::Response {
        pb::AcceptPartnershipResponse { partnership: Some(present(&named)) }
    }
}

impl Wire for DeclinePartnership {
    type Request = pb::DeclinePartnershipRequest;
    type Response = pb::DeclinePartnershipResponse;
    type Reply = Named;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let token = token(&mut form, request.token);
        form.finish(|| Some(Self { token: token? }))
    }

    fn present(named: Named) -> Self::Response {
        pb::DeclinePartnershipResponse { partnership: Some(present(&named)) }
    }
}

impl Wire for CancelPartnershipInvitation {
    type Request = pb::CancelPartnershipInvitationRequest;
    type Response = pb::CancelPartnershipInvitationResponse;
    type Reply = Named;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let (id, version) = Form::id_and_etag("partnership_id", &request.partnership_id, &request.etag)?;
        Ok(Self { id, version })
    }

    fn present(named: Named) -> Self::Response {
        pb::CancelPartnershipInvitationResponse { partnership: Some(present(&named)) }
    }
}

impl Wire for GetPartnership {
    type Request = pb::GetPartnershipRequest;
    type Response = pb::GetPartnershipResponse;
    type Reply = WithDraft;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let id = form.id("partnership_id", &request.partnership_id);
        form.finish(|| Some(Self { id: id? }))
    }

    fn present(reply: WithDraft) -> Self::Response {
        pb::GetPartnershipResponse { partnership: Some(present(&reply.named)), draft: reply.draft.map(present_draft) }
    }
}

impl Wire for ListIndirectProviders {
    type Request = pb::ListIndirectProvidersRequest;
    type Response = pb::ListIndirectProvidersResponse;
    type Reply = (Page<Entry>, Tokens);

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        side(request.page_size, request.page_token, request.seek, &request.name_prefix).map(Self)
    }

    fn present((page, tokens): Self::Reply) -> Self::Response {
        pb::ListIndirectProvidersResponse {
            entries: page.rows.iter().map(present_entry).collect(),
            next_page_token: tokens.next,
            previous_page_token: tokens.previous,
        }
    }
}

impl Wire for ListIndirectResellers {
    type Request = pb::ListIndirectResellersRequest;
    type Response = pb::ListIndirectResellersResponse;
    type Reply = (Page<Entry>, Tokens);

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        side(request.page_size, request.page_token, request.seek, &request.name_prefix).map(Self)
    }

    fn present((page, tokens): Self::Reply) -> Self::Response {
        pb::ListIndirectResellersResponse {
            entries: page.rows.iter().map(present_entry).collect(),
            next_page_token: tokens.next,
            previous_page_token: tokens.previous,
        }
    }
}

fn side(page_size: i32, page_token: String, start: i32, name_prefix: &str) -> Result<Side, Fault> {
    let mut form = Form::default();
    let page_size = form.page_size(page_size);
    let start = seek(&mut form, start);
    let name_prefix = form.text("name_prefix", name_prefix, 0..=NAME_MAX).map(|name| sort_key(&name));
    form.finish(|| Some(Side { name_prefix: name_prefix?, page_size: page_size?, page_token, start: start? }))
}

impl Wire for ListSharedCustomers {
    type Request = pb::ListSharedCustomersRequest;
    type Response = pb::ListSharedCustomersResponse;
    type Reply = (Page<(Id<Organization>, String)>, Tokens);

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let id = form.id("partnership_id", &request.partnership_id);
        let page_size = form.page_size(request.page_size);
        let start = seek(&mut form, request.seek);
        form.finish(|| Some(Self { id: id?, page_size: page_size?, page_token: request.page_token, start: start? }))
    }

    fn present((page, tokens): Self::Reply) -> Self::Response {
        let customer = |(id, name): &(Id<Organization>, String)| pb::SharedCustomer {
            customer_id: id.to_string(),
            name: name.clone(),
        };
        pb::ListSharedCustomersResponse {
            customers: page.rows.iter().map(customer).collect(),
            next_page_token: tokens.next,
            previous_page_token: tokens.previous,
        }
    }
}

impl Wire for RevokeProviderAdminAccess {
    type Request = pb::RevokeProviderAdminAccessRequest;
    type Response = pb::RevokeProviderAdminAccessResponse;
    type Reply = Named;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let (id, version) = Form::id_and_etag("partnership_id", &request.partnership_id, &request.etag)?;
        Ok(Self { id, version })
    }

    fn present(named: Named) -> Self::Response {
        pb::RevokeProviderAdminAccessResponse { partnership: Some(present(&named)) }
    }
}

impl Wire for RemovePartnership {
    type Request = pb::RemovePartnershipRequest;
    type Response = pb::RemovePartnershipResponse;
    type Reply = Removed;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let id = form.id("partnership_id", &request.partnership_id);
        let version = form.etag(&request.etag);
        repeatable(&mut form, &request.request_id, request.validate_only);
        form.finish(|| Some(Self { id: id?, is_attested: request.attestation_accepted, version }))
    }

    fn present(removed: Removed) -> Self::Response {
        let state = match removed.is_everywhere {
            true => pb::remove_partnership_response::State::Done,
            false => pb::remove_partnership_response::State::InProgress,
        };
        pb::RemovePartnershipResponse { state: state.into(), partnership: Some(present(&removed.named)) }
    }
}

/// How long a link lives, with 0 meaning the default (C6).
pub(crate) fn life(form: &mut Form, days: i32) -> Option<Duration> {
    let days = if days == 0 { LIFE_DAYS_DEFAULT } else { days };
    if !(1..=LIFE_DAYS_MAX).contains(&days) {
        let message = format!("{days} is not within 1 to {LIFE_DAYS_MAX}, link_life_days_max");
        form.over("link_life_days_max", "life_days", "OUT_OF_RANGE", message);
        return None;
    }
    u64::try_from(days).ok().map(|days| Duration::from_secs(days * 24 * 3600))
}

/// A link's token. Whatever else it may be, it is one that nobody knows.
pub(crate) fn token(form: &mut Form, token: String) -> Option<Secret<String>> {
    if token.is_empty() {
        form.wrong("token", "REQUIRED", "is required: the part of the link behind the #");
        return None;
    }
    Some(Secret::new(token))
}

/// The mail.
pub(crate) fn present_draft(draft: Draft) -> pb::Draft {
    pb::Draft { subject: draft.subject, body: draft.body, link: draft.link }
}

fn present(named: &Named) -> pb::Partnership {
    let Named { partnership, provider_name, reseller_name, now } = named;
    let state = match partnership.state {
        State::Invited if *now >= partnership.expire_time => pb::partnership::State::Expired,
        State::Invited => pb::partnership::State::Invited,
        State::Active => pb::partnership::State::Active,
        State::Declined => pb::partnership::State::Declined,
        State::Canceled => pb::partnership::State::Canceled,
        State::Removed => pb::partnership::State::Removed,
    };
    pb::Partnership {
        partnership_id: partnership.id.to_string(),
        provider_id: partnership.provider.to_string(),
        provider_name: provider_name.clone(),
        reseller_id: partnership.reseller.map(|id| id.to_string()).unwrap_or_default(),
        reseller_name: reseller_name.clone(),
        state: state.into(),
        provider_admin_access: partnership.provider_admin_access,
        create_time: Some(timestamp(partnership.create_time)),
        accept_time: partnership.accept_time.map(timestamp),
        expire_time: Some(timestamp(partnership.expire_time)),
        etag: etag(partnership.version),
    }
}

fn present_entry(entry: &Entry) -> pb::PartnershipEntry {
    pb::PartnershipEntry {
        partnership_id: entry.id.to_string(),
        partner_id: entry.partner.to_string(),
        name: entry.name.clone(),
        mpn_id: entry.mpn_id.clone(),
        country: entry.country.clone(),
        provider_admin_access: entry.provider_admin_access,
        accept_time: entry.accept_time.map(timestamp),
    }
}
