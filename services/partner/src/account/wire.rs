//! Accounts on the wire.

use base::Fault;
use base::country::Country;
use base::names::{DisplayName, DomainPrefix, LocalName};
use proto::identity::v1::Cloud as CloudWord;
use proto::partner::v1 as pb;
use service::form::timestamp;
use service::{Form, Wire};

use super::ops::{Newcomer, OnboardPartner, Onboarded};
use super::{Account, MpnId, PHONE_MAX, PartnerKind, State, SupportContact, WEBSITE_MAX};
use crate::email::Email;
use crate::organization::{Cloud, Kind, NewOrganization, Organization};

/// Characters of an organization's name at most.
pub const NAME_MAX: usize = 200;

impl Wire for OnboardPartner {
    type Request = pb::OnboardPartnerRequest;
    type Response = pb::OnboardPartnerResponse;
    type Reply = Onboarded;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let kind = read_kind(&mut form, "kind", request.kind);
        let name = form.text("name", &request.name, 1..=NAME_MAX);
        let country = form.take("country", Country::parse(&request.country));
        let cloud = match CloudWord::try_from(request.cloud) {
            Ok(CloudWord::Unspecified | CloudWord::Global) => Some(Cloud::Global),
            Ok(CloudWord::UsGovernment) => Some(Cloud::UsGovernment),
            Err(_) => {
                form.wrong("cloud", "UNKNOWN_VALUE", format!("{} is not a cloud", request.cloud));
                None
            }
        };
        let prefix = form.take("domain_prefix", DomainPrefix::parse(&request.domain_prefix));
        let mpn_id = form.take("mpn_id", MpnId::parse(&request.mpn_id));
        let admin_display_name = form.take("admin_display_name", DisplayName::parse(&request.admin_display_name));
        let admin_name = form.take("admin_name", LocalName::parse(&request.admin_name));
        let support = support(&mut form, &request.support_contact.unwrap_or_default());
        repeatable(&mut form, &request.request_id, request.validate_only);
        form.finish(|| {
            Some(Self {
                kind: kind?,
                mpn_id: mpn_id?,
                support: support?,
                organization: NewOrganization {
                    kind: Kind::Partner,
                    name: name?,
                    country: country?,
                    cloud: cloud?,
                    prefix: prefix?,
                    admin_display_name: admin_display_name?,
                    admin_name: admin_name?,
                },
            })
        })
    }

    fn present(reply: Onboarded) -> Self::Response {
        let Onboarded::Done(newcomer) = reply else {
            return pb::OnboardPartnerResponse { progress: pb::Progress::InProgress.into(), ..Default::default() };
        };
        let Newcomer { organization, account, admin, sign_in_name, password, .. } = *newcomer;
        pb::OnboardPartnerResponse {
            progress: pb::Progress::Active.into(),
            partner: Some(present(&organization, &account)),
            admin_user_id: admin.to_string(),
            admin_sign_in_name: sign_in_name,
            temporary_password: password.into_inner(),
        }
    }
}

/// Only a repetition completes what goes on after its call, so such a call names itself.
pub(crate) fn repeatable(form: &mut Form, request_id: &str, dry: bool) {
    if request_id.is_empty() && !dry {
        form.wrong("request_id", "REQUIRED", "is required: only a repetition completes an answer that is IN_PROGRESS");
    }
}

fn support(form: &mut Form, contact: &pb::SupportContact) -> Option<SupportContact> {
    let email = form.take("support_contact.email", Email::parse(&contact.email));
    let phone = form.text("support_contact.phone", &contact.phone, 0..=PHONE_MAX);
    let website = form.text("support_contact.website", &contact.website, 0..=WEBSITE_MAX);
    let is_dialed = |phone: &str| phone.chars().all(|c| c.is_ascii_digit() || " +-().".contains(c));
    if phone.as_deref().is_some_and(|phone| !is_dialed(phone)) {
        form.wrong("support_contact.phone", "MALFORMED", "a phone number has digits, spaces and +-(). only");
    }
    if website.as_deref().is_some_and(|website| !website.is_empty() && !website.starts_with("https://")) {
        form.wrong("support_contact.website", "MALFORMED", "a website begins with https://");
    }
    Some(SupportContact { email: email?, phone: phone?, website: website? })
}

/// A kind of partner, which must be given.
fn read_kind(form: &mut Form, field: &str, value: i32) -> Option<PartnerKind> {
    match pb::PartnerKind::try_from(value) {
        Ok(pb::PartnerKind::Reseller) => Some(PartnerKind::Reseller),
        Ok(pb::PartnerKind::Provider) => Some(PartnerKind::Provider),
        Ok(pb::PartnerKind::Direct) => Some(PartnerKind::Direct),
        Ok(pb::PartnerKind::Unspecified) => {
            form.wrong(field, "REQUIRED", "is required");
            None
        }
        Err(_) => {
            form.wrong(field, "UNKNOWN_VALUE", format!("{value} is not a kind of partner"));
            None
        }
    }
}

/// A kind of partner as its readers see it.
pub(crate) fn write_kind(kind: PartnerKind) -> pb::PartnerKind {
    match kind {
        PartnerKind::Reseller => pb::PartnerKind::Reseller,
        PartnerKind::Provider => pb::PartnerKind::Provider,
        PartnerKind::Direct => pb::PartnerKind::Direct,
    }
}

fn present(organization: &Organization, account: &Account) -> pb::PartnerAccount {
    let state = match account.state {
        State::Active => pb::partner_account::State::Active,
        State::Suspended => pb::partner_account::State::Suspended,
    };
    pb::PartnerAccount {
        partner_id: account.partner.to_string(),
        name: organization.name.clone(),
        kind: write_kind(account.kind).into(),
        state: state.into(),
        mpn_id: account.mpn_id.as_str().to_owned(),
        country: organization.country.as_str().to_owned(),
        support_contact: Some(pb::SupportContact {
            email: account.support.email.as_str().to_owned(),
            phone: account.support.phone.clone(),
            website: account.support.website.clone(),
        }),
        create_time: Some(timestamp(account.create_time)),
    }
}

/// What the other services are told of a partner.
pub(super) fn standing(account: &Account) -> pb::PartnerFact {
    let state = match account.state {
        State::Active => pb::partner_standing::State::Active,
        State::Suspended => pb::partner_standing::State::Suspended,
    };
    let standing = pb::PartnerStanding {
        partner_id: account.partner.to_string(),
        kind: write_kind(account.kind).into(),
        state: state.into(),
        mpn_id: account.mpn_id.as_str().to_owned(),
    };
    pb::PartnerFact { version: account.version, fact: Some(pb::partner_fact::Fact::Partner(standing)) }
}
