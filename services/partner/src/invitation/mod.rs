//! Invitations: a partner asks a customer to authorize it, and its provider at the same time (D-72 to D-77).
//!
//! Owns who asks for what, the mail's text, the link, and where it all stands. Promises that what an invitation asks
//! becomes effective in one decision or not at all, that it is accepted at most once, and that the parties and the scope
//! never change. Refuses to send anything (C16), and to keep a link where it could be read back.

pub mod ops;
pub mod saga;
pub mod store;
pub mod wire;

use base::{Fault, Id, Timestamp};
use service::keys::ServiceKeys;
use uuid::Uuid;

use crate::account::PartnerKind;
use crate::link::{self, Purpose};
use crate::organization::{Kind, Organization};

/// Open invitations of one partner at most.
pub const OPEN_MAX: i64 = 5_000;
/// Characters of a subject at most.
pub const SUBJECT_MAX: usize = 200;
/// Characters of a mail's text at most, with the link in it.
pub const BODY_MAX: usize = 10_000;

/// Where an invitation stands. That it has expired is not written down: its time says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The mail is being written; the link is live.
    Draft,
    /// The mail was sent; the link is live.
    Sent,
    /// The customer accepted.
    Accepted,
    /// The customer declined.
    Declined,
    /// The partner took it back.
    Canceled,
    /// What it rested on is gone (C33).
    Invalidated,
}

/// What a partner asks of a customer.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// Its id.
    pub id: Id<Invitation>,
    /// The partner that invites.
    pub partner: Id<Organization>,
    /// The provider of a joint one.
    pub provider: Option<Id<Organization>>,
    /// The only customer who may accept.
    pub customer: Option<Id<Organization>>,
    /// Where the mail goes.
    pub recipient_email: String,
    /// Only a customer that owns this domain may accept; empty: any.
    pub required_domain: String,
    /// The partner that invites gets delegated admin.
    pub delegated_admin: bool,
    /// The provider gets delegated admin too (C7).
    pub provider_delegated_admin: bool,
    /// Where it stands.
    pub state: State,
    /// The mail's subject.
    pub subject: String,
    /// The mail's text, with a placeholder where the link stands.
    pub body: String,
    /// Which link is the present one.
    pub rotation: i64,
    /// The acceptance that runs, or was the last one.
    pub acceptance: Option<Uuid>,
    /// It runs.
    pub is_accepting: bool,
    /// Whose acceptance it is.
    pub accepting_customer: Option<Id<Organization>>,
    /// When the link dies.
    pub expire_time: Timestamp,
    /// When it was accepted.
    pub accept_time: Option<Timestamp>,
    /// By whom.
    pub accepted_by: Option<AcceptedBy>,
    /// Guards changes.
    pub version: i64,
    /// When it was made.
    pub create_time: Timestamp,
}

/// Who accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptedBy {
    /// The customer's global admin.
    pub user: Uuid,
    /// The partner that made this user or last reset their password, and when: it could have signed in as them.
    pub credential_set: Option<(Uuid, Timestamp)>,
}

/// Who gets what, if the customer accepts.
#[derive(Clone, Debug)]
pub struct Party {
    /// The partner.
    pub partner: Id<Organization>,
    /// As what it will serve the customer.
    pub kind: PartnerKind,
    /// It gets delegated admin.
    pub delegated_admin: bool,
}

impl Invitation {
    /// Whether it can still be answered and changed at that time.
    pub fn is_open(&self, now: Timestamp) -> bool {
        matches!(self.state, State::Draft | State::Sent) && now < self.expire_time
    }

    /// The word for where it stands at that time.
    pub fn word(&self, now: Timestamp) -> &'static str {
        match self.state {
            State::Draft | State::Sent if !self.is_open(now) => "EXPIRED",
            state => state.as_str(),
        }
    }

    /// Whether somebody who saw that version, or whichever, may change it.
    ///
    /// # Errors
    /// `ETAG_MISMATCH`, `INVITATION_NOT_OPEN`.
    pub fn check_change(&self, version: Option<i64>, now: Timestamp) -> Result<(), Fault> {
        if version.is_some_and(|version| version != self.version) {
            return Err(crate::customer::changed_meanwhile("invitation"));
        }
        if self.is_open(now) {
            return Ok(());
        }
        let word = self.word(now);
        Err(Fault::precondition("INVITATION_NOT_OPEN", format!("the invitation is {word}")).with("state", word))
    }

    /// Whether that rotation of the link is the present one.
    ///
    /// # Errors
    /// `INVITATION_CANCELED`.
    pub fn check_rotation(&self, rotation: i64) -> Result<(), Fault> {
        if rotation == self.rotation {
            return Ok(());
        }
        Err(Fault::precondition("INVITATION_CANCELED", "the link was replaced by a newer one"))
    }

    /// Refuses what must not happen while an acceptance runs (C33).
    ///
    /// # Errors
    /// `ACCEPTANCE_IN_PROGRESS`.
    pub fn check_idle(&self) -> Result<(), Fault> {
        if self.is_accepting {
            return Err(in_progress());
        }
        Ok(())
    }

    /// Whether a link of that rotation may be looked at and answered. A joint one whose partnership was removed says so.
    ///
    /// # Errors
    /// `INVITATION_CANCELED`, `INVITATION_DECLINED`, `INVITATION_ALREADY_USED`, `INVITATION_EXPIRED`,
    /// `PARTNERSHIP_NOT_ACTIVE`, `INVITATION_INVALIDATED`.
    pub fn check_link(&self, rotation: i64, now: Timestamp) -> Result<(), Fault> {
        let refuse = |reason, message| Err(Fault::precondition(reason, message));
        self.check_rotation(rotation)?;
        match self.state {
            State::Draft | State::Sent if now < self.expire_time => Ok(()),
            State::Draft | State::Sent => {
                refuse("INVITATION_EXPIRED", "the link was not used in time; ask for a new one")
            }
            State::Accepted => refuse("INVITATION_ALREADY_USED", "the invitation was accepted already"),
            State::Declined => refuse("INVITATION_DECLINED", "the invitation was declined"),
            State::Canceled => refuse("INVITATION_CANCELED", "the partner took the invitation back"),
            State::Invalidated if self.provider.is_some() => Err(crate::partnership::not_active()),
            State::Invalidated => refuse("INVITATION_INVALIDATED", "what the invitation rested on is gone"),
        }
    }

    /// Whether that organization is the customer it is for.
    ///
    /// # Errors
    /// `TENANT_IS_CSP_PARTNER`, `NOT_FOUND`, `WRONG_TENANT`, `REGION_MISMATCH`.
    pub fn check_customer(&self, partner: &Organization, customer: &Organization) -> Result<(), Fault> {
        if customer.kind != Kind::Customer {
            let message = "a partner's own organization is nobody's customer";
            return Err(Fault::precondition("TENANT_IS_CSP_PARTNER", message));
        }
        if partner.cloud != customer.cloud {
            return Err(crate::partnership::unknown_link());
        }
        let owns = |domain: &str| customer.domains.iter().any(|owned| owned == domain);
        let is_meant = self.customer.is_none_or(|meant| meant == customer.id);
        if !is_meant || !self.required_domain.is_empty() && !owns(&self.required_domain) {
            return Err(Fault::precondition("WRONG_TENANT", "the invitation is for another customer"));
        }
        if partner.country != customer.country {
            let message = format!("the partner is in {}, your organization in {}", partner.country, customer.country);
            return Err(Fault::precondition("REGION_MISMATCH", message));
        }
        Ok(())
    }

    /// Whether a customer that does not exist yet could be the one it is for: it owns no domain but its own new one.
    ///
    /// # Errors
    /// `WRONG_TENANT`.
    pub fn check_newcomer(&self) -> Result<(), Fault> {
        if self.customer.is_none() && self.required_domain.is_empty() {
            return Ok(());
        }
        Err(Fault::precondition("WRONG_TENANT", "the invitation is for a customer that exists already"))
    }

    /// What whoever accepts has to have seen: the parties by id and name, and what each would get (S-12).
    pub fn consent_hash(
        &self,
        keys: &ServiceKeys,
        (partner, kind): (&Organization, PartnerKind),
        provider: Option<&Organization>,
    ) -> String {
        let provider_id = self.provider.map(|id| id.uuid().as_bytes().to_vec()).unwrap_or_default();
        let scope = [u8::from(self.delegated_admin), u8::from(self.provider_delegated_admin)];
        link::consent_hash(
            keys,
            Purpose::Invitation,
            &[
                self.id.uuid().as_bytes(),
                self.partner.uuid().as_bytes(),
                partner.name.as_bytes(),
                kind.as_str().as_bytes(),
                &provider_id,
                provider.map_or("", |provider| &provider.name).as_bytes(),
                &scope,
            ],
        )
    }

    /// Who gets what. `kind` is what the partner that invites is.
    pub fn parties(&self, kind: PartnerKind) -> Vec<Party> {
        let inviter = Party { partner: self.partner, kind, delegated_admin: self.delegated_admin };
        let provider = self.provider.map(|partner| Party {
            partner,
            kind: PartnerKind::Provider,
            delegated_admin: self.provider_delegated_admin,
        });
        std::iter::once(inviter).chain(provider).collect()
    }
}

/// The refusal while an acceptance runs.
pub fn in_progress() -> Fault {
    Fault::aborted("ACCEPTANCE_IN_PROGRESS", "an acceptance is running; wait for its end")
}

/// What accepting would give to whom, in sentences. `kind` is what the partner that invites is.
pub fn consents(invitation: &Invitation, (partner, kind): (&str, PartnerKind), provider: Option<&str>) -> Vec<String> {
    let admin = |name: &str| format!("{name} may manage your users and licenses as an administrator.");
    let mut sentences = vec![match kind {
        PartnerKind::Reseller => format!("{partner} becomes your reseller."),
        PartnerKind::Provider => format!("{partner} becomes your provider and may place orders for you."),
        PartnerKind::Direct => format!("{partner} becomes your partner and may place orders for you."),
    }];
    if invitation.delegated_admin {
        sentences.push(admin(partner));
    }
    if let Some(provider) = provider {
        sentences.push(format!("{provider} becomes your provider and may place orders for you."));
        if invitation.provider_delegated_admin {
            sentences.push(admin(provider));
        }
    }
    sentences
}

impl State {
    /// As the database writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "DRAFT",
            Self::Sent => "SENT",
            Self::Accepted => "ACCEPTED",
            Self::Declined => "DECLINED",
            Self::Canceled => "CANCELED",
            Self::Invalidated => "INVALIDATED",
        }
    }

    /// Reads what [`State::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let all = [Self::Draft, Self::Sent, Self::Accepted, Self::Declined, Self::Canceled, Self::Invalidated];
        all.into_iter().find(|state| state.as_str() == text)
    }
}

#[cfg(test)]
mod tests;
