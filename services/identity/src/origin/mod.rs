//! Origins: organizations that another service makes, pending until it has decided.
//!
//! Owns what becomes of a request that may be repeated, taken back or late: one origin makes one organization with its
//! first global admin, and a canceled one makes none for ever. Promises that a pending organization is effective for
//! nobody, and that its admin's temporary password is shown to the request that began it and to nothing else, while it
//! is neither used nor replaced nor 24 hours old. Refuses to take back what is confirmed.

pub mod ops;
pub mod store;
mod wire;

use base::{Fault, Id};
use service::keys::ServiceKeys;
use uuid::Uuid;

use crate::organization::Organization;
use crate::user::User;

/// What an origin has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Its organization waits for the decision.
    Pending(Made),
    /// Its organization is effective.
    Confirmed(Made),
    /// It makes nothing, however late it is asked to.
    Canceled,
}

/// What an origin made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// The organization.
    pub organization: Id<Organization>,
    /// Its first global admin.
    pub admin: Id<User>,
}

/// Whose request a secret belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Who began it.
    pub principal: Uuid,
    /// With which method.
    pub method: String,
    /// The journal's hash of its request_id.
    pub request_hash: Vec<u8>,
}

impl Origin {
    /// What it made, for whoever repeats the request.
    ///
    /// # Errors
    /// `ORIGIN_CANCELED`.
    pub fn made(self) -> Result<Made, Fault> {
        match self {
            Self::Pending(made) | Self::Confirmed(made) => Ok(made),
            Self::Canceled => Err(Fault::precondition("ORIGIN_CANCELED", "this origin was canceled and makes nothing")),
        }
    }

    /// What there is to confirm; nothing when that was done.
    ///
    /// # Errors
    /// `ORIGIN_CANCELED`.
    pub fn to_confirm(self) -> Result<Option<Made>, Fault> {
        let made = self.made()?;
        Ok(matches!(self, Self::Pending(_)).then_some(made))
    }

    /// What there is to take back; nothing when that was done.
    ///
    /// # Errors
    /// `ORIGIN_CONFIRMED`.
    pub fn to_cancel(self) -> Result<Option<Made>, Fault> {
        match self {
            Self::Pending(made) => Ok(Some(made)),
            Self::Confirmed(_) => {
                Err(Fault::precondition("ORIGIN_CONFIRMED", "this origin was confirmed and cannot be taken back"))
            }
            Self::Canceled => Ok(None),
        }
    }
}

impl Binding {
    /// What a secret is sealed for. It opens for the same origin and request and for no other.
    fn parts<'b>(&'b self, origin: &'b Uuid) -> [&'b [u8]; 4] {
        [origin.as_bytes(), self.principal.as_bytes(), self.method.as_bytes(), &self.request_hash]
    }

    /// What tells another request from damage, without opening anything.
    pub fn digest(&self, keys: &ServiceKeys, origin: Id<Origin>) -> [u8; 32] {
        keys.mac("origin secret binding", &self.parts(&origin.uuid()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason<T>(answer: Result<T, Fault>) -> String {
        answer.map_or_else(|fault| fault.reason().to_owned(), |_| "OK".to_owned())
    }

    #[test]
    fn what_is_confirmed_stays_and_what_is_canceled_never_comes() {
        let made = Made { organization: Id::random(), admin: Id::random() };
        let [pending, confirmed] = [Origin::Pending(made), Origin::Confirmed(made)];
        assert_eq!((pending.made().unwrap(), confirmed.made().unwrap()), (made, made));
        assert_eq!((pending.to_confirm().unwrap(), confirmed.to_confirm().unwrap()), (Some(made), None));
        assert_eq!((pending.to_cancel().unwrap(), Origin::Canceled.to_cancel().unwrap()), (Some(made), None));
        assert_eq!(reason(confirmed.to_cancel()), "ORIGIN_CONFIRMED");
        assert_eq!(reason(Origin::Canceled.made()), "ORIGIN_CANCELED");
        assert_eq!(reason(Origin::Canceled.to_confirm()), "ORIGIN_CANCELED");
    }

    #[test]
    fn a_binding_is_of_one_origin_and_one_request() {
        let keys = ServiceKeys::random(&["identity"]).remove("identity").unwrap();
        let binding = Binding { principal: Uuid::now_v7(), method: "/a.B/C".to_owned(), request_hash: vec![7; 32] };
        let origin = Id::random();
        let digest = binding.digest(&keys, origin);
        assert_eq!(binding.clone().digest(&keys, origin), digest);
        let others = [
            Binding { principal: Uuid::now_v7(), ..binding.clone() },
            Binding { method: "/a.B/D".to_owned(), ..binding.clone() },
            Binding { request_hash: vec![8; 32], ..binding.clone() },
        ];
        assert!(others.iter().all(|other| other.digest(&keys, origin) != digest));
        assert_ne!(binding.digest(&keys, Id::random()), digest);
    }
}
