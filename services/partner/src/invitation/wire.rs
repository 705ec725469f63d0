//! Invitations on the wire.

use base::{Fault, Id, Page};
use proto::partner::v1 as pb;
use service::form::{etag, timestamp};
use service::page_token::Tokens;
use service::{Form, Wire};

use super::ops::{
    AcceptInvitation, Accepted, Authorized, CancelInvitation, CheckInvitationLink, CreateInvitation, DeclineInvitation,
    GetInvitation, ListInvitations, MarkInvitationSent, Named, PreviewInvitation, Previewed, Progressed,
    RotateInvitationLink, Shown, UpdateInvitationText, WatchInvitation, WithDraft,
};
use super::{AcceptedBy, BODY_MAX, Invitation, SUBJECT_MAX, State};
use crate::account::wire::{repeatable, write_kind};
use crate::customer::wire::seek;
use crate::email::Email;
use crate::organization::Organization;
use crate::organization::wire::write_cloud;
use crate::partnership::wire::{life, present_draft, token};

impl Wire for CreateInvitation {
    type Request = pb::CreateInvitationRequest;
    type Response = pb::CreateInvitationResponse;
    type Reply = WithDraft;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let provider = form.optional_id("provider_id", &request.provider_id);
        let recipient_email = form.take("recipient_email", Email::parse(&request.recipient_email));
        let customer = form.optional_id("customer_id", &request.customer_id);
        let life = life(&mut form, request.life_days);
        if request.provider_delegated_admin && request.provider_id.is_empty() {
            form.wrong(
                "provider_delegated_admin",
                "REQUIRED",
                "asks for a provider_id: there is no provider to get it",
            );
        }
        form.finish(|| {
            Some(Self {
                provider: provider?,
                recipient_email: recipient_email?,
                customer: customer?,
                require_domain: request.require_recipient_domain,
                delegated_admin: request.delegated_admin.unwrap_or(true),
                provider_delegated_admin: request.provider_delegated_admin,
                life: life?,
            })
        })
    }

    fn present(reply: WithDraft) -> Self::Response {
        pb::CreateInvitationResponse {
            invitation: Some(present(&reply.named)),
            draft: Some(present_draft(reply.draft)),
        }
    }
}

impl Wire for UpdateInvitationText {
    type Request = pb::UpdateInvitationTextRequest;
    type Response = pb::UpdateInvitationTextResponse;
    type Reply = WithDraft;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let id = form.id("invitation_id", &request.invitation_id);
        let subject = form.text("subject", &request.subject, 1..=SUBJECT_MAX);
        let body = body(&mut form, request.body);
        let version = form.etag(&request.etag);
        form.finish(|| Some(Self { id: id?, subject: subject?, body: body?, version }))
    }

    fn present(reply: WithDraft) -> Self::Response {
        pb::UpdateInvitationTextResponse {
            invitation: Some(present(&reply.named)),
            draft: Some(present_draft(reply.draft)),
        }
    }
}

/// A mail's text: the one text that has more than one line.
fn body(form: &mut Form, body: String) -> Option<String> {
    let count = body.chars().count();
    if count == 0 {
        form.wrong("body", "REQUIRED", "is required");
        return None;
    }
    if count > BODY_MAX {
        let message = format!("has {count} characters; invitation_body_max is {BODY_MAX}");
        form.over("invitation_body_max", "body", "TOO_LONG", message);
        return None;
    }
    if body.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        form.wrong("body", "MALFORMED", "has control characters");
        return None;
    }
    Some(body)
}

impl Wire for MarkInvitationSent {
    type Request = pb::MarkInvitationSentRequest;
    type Response = pb::MarkInvitationSentResponse;
    type Reply = Named;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let (id, version) = Form::id_and_etag("invitation_id", &request.invitation_id, &request.etag)?;
        Ok(Self { id, version })
    }

    fn present(named: Named) -> Self::Response {
        pb::MarkInvitationSentResponse { invitation: Some(present(&named)) }
    }
}

impl Wire for RotateInvitationLink {
    type Request = pb::RotateInvitationLinkRequest;
    type Response = pb::RotateInvitationLinkResponse;
    type Reply = WithDraft;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let id = form.id("invitation_id", &request.invitation_id);
        let life = life(&mut form, request.life_days);
        let version = form.etag(&request.etag);
        form.finish(|| Some(Self { id: id?, life: life?, version }))
    }

    fn present(reply: WithDraft) -> Self::Response {
        pb::RotateInvitationLinkResponse {
            invitation: Some(present(&reply.named)),
            draft: Some(present_draft(reply.draft)),
        }
    }
}

impl Wire for CancelInvitation {
    type Request = pb::CancelInvitationRequest;
    type Response = pb::CancelInvitationResponse;
    type Reply = Named;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let (id, version) = Form::id_and_etag("invitation_id", &request.invitation_id, &request.etag)?;
        Ok(Self { id, version })
    }

    fn present(named: Named) -> Self::Response {
        pb::CancelInvitationResponse { invitation: Some(present(&named)) }
    }
}

impl Wire for GetInvitation {
    type Request = pb::GetInvitationRequest;
    type Response = pb::GetInvitationResponse;
    type Reply = Shown;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let id = form.id("invitation_id", &request.invitation_id);
        form.finish(|| Some(Self { id: id? }))
    }

    fn present(shown: Shown) -> Self::Response {
        pb::GetInvitationResponse {
            invitation: Some(present(&shown.named)),
            draft: shown.draft.map(present_draft),
            acceptance: shown.acceptance.map(present_acceptance),
        }
    }
}

impl Wire for WatchInvitation {
    type Request = pb::WatchInvitationRequest;
    type Response = pb::WatchInvitationResponse;
    type Reply = Shown;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let id = form.id("invitation_id", &request.invitation_id);
        form.finish(|| Some(Self { id: id? }))
    }

    fn present(shown: Shown) -> Self::Response {
        pb::WatchInvitationResponse {
            invitation: Some(present(&shown.named)),
            acceptance: shown.acceptance.map(present_acceptance),
        }
    }
}

impl Wire for ListInvitations {
    type Request = pb::ListInvitationsRequest;
    type Response = pb::ListInvitationsResponse;
    type Reply = (Page<Named>, Tokens);

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let page_size = form.page_size(request.page_size);
        let start = seek(&mut form, request.seek);
        form.finish(|| Some(Self { page_size: page_size?, page_token: request.page_token, start: start? }))
    }

    fn present((page, tokens): Self::Reply) -> Self::Response {
        pb::ListInvitationsResponse {
            invitations: page.rows.iter().map(present).collect(),
            next_page_token: tokens.next,
            previous_page_token: tokens.previous,
        }
    }
}

impl Wire for PreviewInvitation {
    type Request = pb::PreviewInvitationRequest;
    type Response = pb::PreviewInvitationResponse;
    type Reply = Previewed;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let token = token(&mut form, request.token);
        form.finish(|| Some(Self { token: token? }))
    }

    fn present(previewed: Previewed) -> Self::Response {
        pb::PreviewInvitationResponse {
            country: previewed.partner.country.as_str().to_owned(),
            partner_name: previewed.partner.name,
            provider_name: previewed.provider.map(|provider| provider.name).unwrap_or_default(),
            delegated_admin: previewed.invitation.delegated_admin,
            provider_delegated_admin: previewed.invitation.provider_delegated_admin,
            consents: previewed.consents,
            consent_hash: previewed.consent_hash,
            expire_time: Some(timestamp(previewed.invitation.expire_time)),
        }
    }
}

impl Wire for CheckInvitationLink {
    type Request = pb::CheckInvitationLinkRequest;
    type Response = pb::CheckInvitationLinkResponse;
    type Reply = Organization;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let token = token(&mut form, request.token);
        form.finish(|| Some(Self { token: token? }))
    }

    fn present(partner: Organization) -> Self::Response {
        pb::CheckInvitationLinkResponse {
            country: partner.country.as_str().to_owned(),
            cloud: write_cloud(partner.cloud).into(),
        }
    }
}

impl Wire for AcceptInvitation {
    type Request = pb::AcceptInvitationRequest;
    type Response = pb::AcceptInvitationResponse;
    type Reply = Accepted;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let token = token(&mut form, request.token);
        repeatable(&mut form, &request.request_id, request.validate_only);
        let consent_hash = request.consent_hash;
        form.finish(|| Some(Self { token: token?, consent: request.consent, consent_hash }))
    }

    fn present(accepted: Accepted) -> Self::Response {
        let progress = match accepted.authorized {
            Some(_) => pb::Progress::Active,
            None => pb::Progress::InProgress,
        };
        pb::AcceptInvitationResponse {
            progress: progress.into(),
            invitation_id: accepted.invitation.to_string(),
            authorized: accepted.authorized.unwrap_or_default().into_iter().map(present_authorized).collect(),
        }
    }
}

impl Wire for DeclineInvitation {
    type Request = pb::DeclineInvitationRequest;
    type Response = pb::DeclineInvitationResponse;
    type Reply = Id<Invitation>;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let token = token(&mut form, request.token);
        form.finish(|| Some(Self { token: token? }))
    }

    fn present(id: Id<Invitation>) -> Self::Response {
        pb::DeclineInvitationResponse { invitation_id: id.to_string() }
    }
}

fn present_authorized(authorized: Authorized) -> pb::Authorized {
    pb::Authorized {
        partner_id: authorized.partner.to_string(),
        name: authorized.name,
        relationship: write_kind(authorized.kind).into(),
        delegated_admin: authorized.delegated_admin,
        order_right: authorized.order_right,
    }
}

fn present(named: &Named) -> pb::Invitation {
    let invitation = &named.invitation;
    let state = match invitation.state {
        State::Draft | State::Sent if !invitation.is_accepting && !invitation.is_open(named.now) => {
            pb::invitation::State::Expired
        }
        State::Draft => pb::invitation::State::Draft,
        State::Sent => pb::invitation::State::Sent,
        State::Accepted => pb::invitation::State::Accepted,
        State::Declined => pb::invitation::State::Declined,
        State::Canceled => pb::invitation::State::Canceled,
        State::Invalidated => pb::invitation::State::Invalidated,
    };
    let id = |id: Option<Id<_>>| id.map(|id| id.to_string()).unwrap_or_default();
    let accepted = invitation.accepting_customer.filter(|_| invitation.state == State::Accepted);
    pb::Invitation {
        invitation_id: invitation.id.to_string(),
        partner_id: invitation.partner.to_string(),
        partner_name: named.partner_name.clone(),
        provider_id: id(invitation.provider),
        provider_name: named.provider_name.clone(),
        customer_id: id(invitation.customer),
        accepted_customer_id: id(accepted),
        state: state.into(),
        delegated_admin: invitation.delegated_admin,
        provider_delegated_admin: invitation.provider_delegated_admin,
        required_domain: invitation.required_domain.clone(),
        create_time: Some(timestamp(invitation.create_time)),
        expire_time: Some(timestamp(invitation.expire_time)),
        accept_time: invitation.accept_time.map(timestamp),
        etag: etag(invitation.version),
        accepted_by: invitation.accepted_by.map(present_accepted_by),
    }
}

fn present_accepted_by(by: AcceptedBy) -> pb::AcceptedBy {
    pb::AcceptedBy {
        user_id: by.user.to_string(),
        credential_set_by_id: by.credential_set.map(|(by, _)| by.to_string()).unwrap_or_default(),
        credential_set_time: by.credential_set.map(|(_, time)| timestamp(time)),
    }
}

fn present_acceptance(progress: Progressed) -> pb::Acceptance {
    let state = match progress.state {
        saga::State::Preparing => pb::acceptance::State::Preparing,
        saga::State::Committed | saga::State::Settled => pb::acceptance::State::Committed,
        saga::State::Aborting | saga::State::Aborted => pb::acceptance::State::Aborted,
    };
    let step = |step: saga::Done| pb::AcceptanceStep {
        service: step.step,
        kind: match step.kind.as_str() {
            "CANCELED" => pb::acceptance_step::Kind::Canceled.into(),
            _ => pb::acceptance_step::Kind::Prepared.into(),
        },
        time: Some(timestamp(step.time)),
    };
    pb::Acceptance {
        state: state.into(),
        steps: progress.steps.into_iter().map(step).collect(),
        refusal_reason: progress.refusal,
        delivered: progress.is_delivered,
    }
}
