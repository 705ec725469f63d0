//! Partnerships: a provider and a reseller who serve customers together (D-61 to D-66).
//!
//! Owns the provider's invitation and what comes of it: one ACTIVE partnership for each pair, and the provider's
//! administrator access to the reseller's organization. Promises that both lists change at once. Refuses to give either
//! side the other's customers: what a partner may do at a customer is the customer's own decision.

pub mod ops;
pub mod store;
pub mod wire;

use base::{Fault, Id, Timestamp};
use service::keys::ServiceKeys;

use crate::link::{self, Purpose};
use crate::organization::Organization;

/// Invitations of one provider that are open at once, at most.
pub const OPEN_MAX: i64 = 5_000;

/// How a provider and a reseller stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The provider has invited.
    Invited,
    /// They are partners.
    Active,
    /// The reseller declined.
    Declined,
    /// The provider took the invitation back.
    Canceled,
    /// One side ended it.
    Removed,
}

/// A provider and a reseller.
#[derive(Clone, Debug)]
pub struct Partnership {
    /// Its id.
    pub id: Id<Partnership>,
    /// The provider.
    pub provider: Id<Organization>,
    /// The reseller; of an invitation, the only one who may accept.
    pub reseller: Option<Id<Organization>>,
    /// How they stand to each other.
    pub state: State,
    /// The provider's administrators may manage the reseller's users.
    pub provider_admin_access: bool,
    /// Where the mail goes.
    pub recipient_email: String,
    /// When the link dies.
    pub expire_time: Timestamp,
    /// When it became ACTIVE.
    pub accept_time: Option<Timestamp>,
    /// Guards changes.
    pub version: i64,
    /// When the provider began it.
    pub create_time: Timestamp,
}

impl Partnership {
    /// Whether the organization sees it: the provider always, the reseller once it has accepted.
    pub fn is_seen_by(&self, organization: Id<Organization>) -> bool {
        self.provider == organization || self.has_begun() && self.reseller == Some(organization)
    }

    /// Whether it was accepted. From then on the reseller is the one who did.
    fn has_begun(&self) -> bool {
        matches!(self.state, State::Active | State::Removed)
    }

    /// Whether its link can still be used at that time.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.state == State::Invited && now < self.expire_time
    }

    /// Whether the link may be looked at, and answered by whoever it is for.
    ///
    /// # Errors
    /// `INVITATION_EXPIRED`, `INVITATION_CANCELED`, `INVITATION_DECLINED`, `INVITATION_ALREADY_USED`.
    pub fn check_link(&self, now: Timestamp) -> Result<(), Fault> {
        let refuse = |reason, message| Err(Fault::precondition(reason, message));
        match self.state {
            State::Invited if now < self.expire_time => Ok(()),
            State::Invited => refuse("INVITATION_EXPIRED", "the link was not used in time; ask for a new one"),
            State::Canceled => refuse("INVITATION_CANCELED", "the provider took the invitation back"),
            State::Declined => refuse("INVITATION_DECLINED", "the invitation was declined"),
            State::Active | State::Removed => refuse("INVITATION_ALREADY_USED", "the invitation was accepted already"),
        }
    }

    /// Whether that reseller may answer it, in its own cloud and country.
    ///
    /// # Errors
    /// `WRONG_RECIPIENT`, `NOT_FOUND`, `REGION_MISMATCH`.
    pub fn check_recipient(&self, provider: &Organization, reseller: &Organization) -> Result<(), Fault> {
        if !self.has_begun() && self.reseller.is_some_and(|named| named != reseller.id) {
            return Err(Fault::precondition("WRONG_RECIPIENT", "the invitation names another reseller"));
        }
        if provider.cloud != reseller.cloud {
            return Err(unknown_link());
        }
        if provider.country != reseller.country {
            let message = format!("the provider is in {}, your organization in {}", provider.country, reseller.country);
            return Err(Fault::precondition("REGION_MISMATCH", message));
        }
        Ok(())
    }

    /// What whoever accepts has to have seen.
    pub fn consent_hash(&self, keys: &ServiceKeys, provider: &Organization) -> String {
        let id = self.id.uuid();
        link::consent_hash(keys, Purpose::Partnership, &[id.as_bytes(), provider.name.as_bytes()])
    }
}

/// What accepting gives the provider, in sentences.
pub fn consents(provider: &str) -> Vec<String> {
    vec![
        format!("{provider} may place orders for customers who authorize both of you."),
        format!("{provider} gets administrator access to your own organization until you withdraw it."),
    ]
}

/// The refusal for a link that nobody knows.
pub fn unknown_link() -> Fault {
    Fault::not_found("invitation", "by this link")
}

/// The refusal where two are no partners.
pub fn not_active() -> Fault {
    Fault::precondition("PARTNERSHIP_NOT_ACTIVE", "the provider and the reseller have no active partnership")
}

impl State {
    /// As the database writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invited => "INVITED",
            Self::Active => "ACTIVE",
            Self::Declined => "DECLINED",
            Self::Canceled => "CANCELED",
            Self::Removed => "REMOVED",
        }
    }

    /// Reads what [`State::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let all = [Self::Invited, Self::Active, Self::Declined, Self::Canceled, Self::Removed];
        all.into_iter().find(|state| state.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use base::country::Country;

    use super::*;
    use crate::organization::{Cloud, Kind};

    fn partnership(state: State, reseller: Option<Id<Organization>>) -> Partnership {
        Partnership {
            id: Id::random(),
            provider: Id::random(),
            reseller,
            state,
            provider_admin_access: false,
            recipient_email: String::new(),
            expire_time: Timestamp::from_micros(10),
            accept_time: None,
            version: 1,
            create_time: Timestamp::from_micros(0),
        }
    }

    fn organization(country: &str, cloud: Cloud) -> Organization {
        Organization {
            id: Id::random(),
            kind: Kind::Partner,
            name: "Fabrikam".to_owned(),
            country: Country::parse(country).unwrap(),
            cloud,
            domains: Vec::new(),
            version: 1,
        }
    }

    #[test]
    fn a_link_is_live_until_its_time_or_its_answer() {
        let reason = |state, now| {
            let checked = partnership(state, None).check_link(Timestamp::from_micros(now));
            checked.map_or_else(|fault| fault.reason().to_owned(), |()| "LIVE".to_owned())
        };
        assert_eq!(reason(State::Invited, 9), "LIVE");
        assert_eq!(reason(State::Invited, 10), "INVITATION_EXPIRED");
        assert_eq!(reason(State::Canceled, 9), "INVITATION_CANCELED");
        assert_eq!(reason(State::Declined, 9), "INVITATION_DECLINED");
        assert_eq!(reason(State::Active, 9), "INVITATION_ALREADY_USED");
        assert_eq!(reason(State::Removed, 9), "INVITATION_ALREADY_USED");
    }

    #[test]
    fn a_recipient_is_the_one_who_is_named_in_the_same_cloud_and_country() {
        let (provider, reseller) = (organization("DE", Cloud::Global), organization("DE", Cloud::Global));
        let reason = |named, reseller: &Organization| {
            let checked = partnership(State::Invited, named).check_recipient(&provider, reseller);
            checked.map_or_else(|fault| fault.reason().to_owned(), |()| "FINE".to_owned())
        };
        assert_eq!(reason(None, &reseller), "FINE");
        assert_eq!(reason(Some(reseller.id), &reseller), "FINE");
        assert_eq!(reason(Some(Id::random()), &reseller), "WRONG_RECIPIENT");
        let used = partnership(State::Active, Some(Id::random())).check_recipient(&provider, &reseller);
        assert!(used.is_ok(), "whoever accepted it was not named by it: the link says that it was used");
        assert_eq!(reason(None, &organization("FR", Cloud::Global)), "REGION_MISMATCH");
        assert_eq!(reason(None, &organization("DE", Cloud::UsGovernment)), "NOT_FOUND");
    }

    #[test]
    fn an_invitation_is_seen_by_the_provider_and_not_yet_by_the_one_it_names() {
        let reseller = Id::random();
        let invited = partnership(State::Invited, Some(reseller));
        assert!(invited.is_seen_by(invited.provider) && !invited.is_seen_by(reseller));
        assert!(partnership(State::Active, Some(reseller)).is_seen_by(reseller));
        assert!(!partnership(State::Active, Some(reseller)).is_seen_by(Id::random()));
    }
}
