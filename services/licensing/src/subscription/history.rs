//! The history of a subscription: what happened to it, why, and who did it.

use base::{Id, Timestamp};
use service::Caller;
use uuid::Uuid;

use super::{Reason, State, Subscription};
use crate::organization::Organization;

/// What happened to a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It was ordered.
    Ordered,
    /// It got more seats, or fewer.
    QuantityChanged,
    /// It was suspended.
    Suspended,
    /// It became active again.
    Reactivated,
    /// It was a trial, and is paid for now.
    Converted,
    /// It got another reseller of record, or has none any more.
    ResellerChanged,
    /// It was deleted.
    Deleted,
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::Ordered,
        Self::QuantityChanged,
        Self::Suspended,
        Self::Reactivated,
        Self::Converted,
        Self::ResellerChanged,
        Self::Deleted,
    ];

    /// As the database writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ordered => "ORDERED",
            Self::QuantityChanged => "QUANTITY_CHANGED",
            Self::Suspended => "SUSPENDED",
            Self::Reactivated => "REACTIVATED",
            Self::Converted => "CONVERTED",
            Self::ResellerChanged => "RESELLER_CHANGED",
            Self::Deleted => "DELETED",
        }
    }

    /// Reads what [`Kind::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The fact in the past tense, for the journal.
    pub const fn fact(self) -> &'static str {
        match self {
            Self::Ordered => "SubscriptionOrdered",
            Self::QuantityChanged => "SubscriptionQuantityChanged",
            Self::Suspended => "SubscriptionSuspended",
            Self::Reactivated => "SubscriptionReactivated",
            Self::Converted => "SubscriptionConverted",
            Self::ResellerChanged => "SubscriptionResellerChanged",
            Self::Deleted => "SubscriptionDeleted",
        }
    }

    /// What happened to a subscription that was so and has become so; nothing, when it is the same.
    pub fn between(before: &Subscription, after: &Subscription) -> Option<Self> {
        match (before.state, after.state) {
            (State::Active { .. } | State::Suspended { .. }, State::Deleted { .. }) => Some(Self::Deleted),
            (State::Active { .. }, State::Suspended { .. }) => Some(Self::Suspended),
            (State::Suspended { .. }, State::Active { .. }) => Some(Self::Reactivated),
            // Under the same offer too, when that is no trial any more.
            _ if before.offer != after.offer || before.trial_end != after.trial_end => Some(Self::Converted),
            _ if before.reseller != after.reseller => Some(Self::ResellerChanged),
            _ => (before.quantity != after.quantity).then_some(Self::QuantityChanged),
        }
    }
}

/// One line of the history.
#[derive(Clone, Debug)]
pub struct Change {
    /// Its id.
    pub id: Id<Change>,
    /// Whose history it stands in.
    pub subscription: Id<Subscription>,
    /// The version that it brought about: rises from line to line.
    pub version: i64,
    /// What happened.
    pub kind: Kind,
    /// Why, for what has a reason.
    pub reason: Option<Reason>,
    /// The seats before.
    pub quantity_before: i64,
    /// The seats after.
    pub quantity_after: i64,
    /// Who did it.
    pub actor: Actor,
    /// When.
    pub create_time: Timestamp,
}

/// Who did it.
#[derive(Clone, Debug)]
pub struct Actor {
    /// A user or a workload; nobody when licensing did it by itself.
    pub id: Option<Uuid>,
    /// `user`, `workload` or `service`, as the journal writes it.
    pub kind: String,
    /// The actor's organization.
    pub organization: Option<Id<Organization>>,
}

impl Actor {
    /// The one who calls.
    pub fn of(caller: &Caller) -> Self {
        let principal = caller.principal();
        Self {
            id: principal.map(|principal| principal.id),
            kind: caller.kind_word().to_owned(),
            organization: principal.map(|principal| Id::from_uuid(principal.organization_id)),
        }
    }
}
