//! Subscriptions: what was ordered for a customer, by whom, how many seats it brought, and what became of it.
//!
//! Owns orders, what they bring, and how that changes. Promises that an order brings all of its lines or none, that the
//! seats of a subscription are in the customer's pool as its state says at every committed moment, that an add-on is
//! never active without its parent, and that every change stands in the history with its actor and reason. Refuses to
//! know prices and bills.

pub mod change;
pub mod history;
pub mod ops;
pub mod order;
pub mod reseller;
pub mod store;
pub mod sweep;
mod telling;
mod wire;

use std::time::Duration;

use base::{Fault, Id, Timestamp};

use crate::entitlement::{Pool, Shift};
use crate::offer::Offer;
use crate::offer::commitment::Commitment;
use crate::organization::Organization;
use crate::product::Product;

pub use order::{LINES_MAX, Order};
pub use reseller::Reseller;

/// How long a suspended subscription can be reactivated, before it is deleted.
pub const SUSPENSION_LIFE: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// How long a trial lasts.
pub const TRIAL_LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Its id.
    pub id: Id<Subscription>,
    /// The order that brought it.
    pub order: Id<Order>,
    /// For whom.
    pub customer: Id<Organization>,
    /// What.
    pub product: Id<Product>,
    /// Under which offer.
    pub offer: Id<Offer>,
    /// What it adds to, if it is an add-on.
    pub parent: Option<Id<Subscription>>,
    /// What people call it.
    pub friendly_name: String,
    /// Its seats.
    pub quantity: i64,
    /// Whether they can be used.
    pub state: State,
    /// When it ends by itself, if it is a trial.
    pub trial_end: Option<Timestamp>,
    /// How often it is billed, and for how long its buyer is bound.
    pub commitment: Commitment,
    /// The partner of record.
    pub partner: Id<Organization>,
    /// The reseller of record, if there is one.
    pub reseller: Option<Reseller>,
    /// When it was ordered.
    pub create_time: Timestamp,
    /// When it last changed.
    pub update_time: Timestamp,
    /// Guards updates.
    pub version: i64,
}

/// Whether the seats of a subscription can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// They can.
    Active {
        /// Since when.
        time: Timestamp,
    },
    /// They cannot; who has a license keeps it.
    Suspended {
        /// Why.
        reason: Reason,
        /// Since when.
        time: Timestamp,
        /// Until when it can be reactivated. From this moment on it is deleted.
        expire_time: Timestamp,
    },
    /// They are gone, for ever.
    Deleted {
        /// Why.
        reason: Reason,
        /// Since when.
        time: Timestamp,
    },
}

/// Why a subscription was suspended or deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The customer asked for it.
    CustomerRequest,
    /// It was not paid for.
    NonPayment,
    /// It was used for fraud.
    Fraud,
    /// What it adds to was suspended.
    ParentSuspended,
    /// What it adds to was deleted.
    ParentDeleted,
    /// It was a trial.
    TrialEnded,
    /// It was suspended for too long.
    Expired,
}

impl Reason {
    /// As the database writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CustomerRequest => "CUSTOMER_REQUEST",
            Self::NonPayment => "NON_PAYMENT",
            Self::Fraud => "FRAUD",
            Self::ParentSuspended => "PARENT_SUSPENDED",
            Self::ParentDeleted => "PARENT_DELETED",
            Self::TrialEnded => "TRIAL_ENDED",
            Self::Expired => "EXPIRED",
        }
    }

    /// Reads what [`Reason::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let all = [
            Self::CustomerRequest,
            Self::NonPayment,
            Self::Fraud,
            Self::ParentSuspended,
            Self::ParentDeleted,
            Self::TrialEnded,
            Self::Expired,
        ];
        all.into_iter().find(|reason| reason.as_str() == text)
    }
}

impl Subscription {
    /// Whether it is this organization's business: the customer's, the seller's, the reseller of record's.
    pub fn is_seen_by(&self, organization: Id<Organization>) -> bool {
        let reseller = self.reseller.as_ref().map(|reseller| reseller.id);
        organization == self.customer || organization == self.partner || reseller == Some(organization)
    }

    /// When it changes by itself, if nobody changes it before.
    pub fn due_time(&self) -> Option<Timestamp> {
        match self.state {
            State::Active { .. } => self.trial_end,
            State::Suspended { expire_time, .. } => Some(expire_time),
            State::Deleted { .. } => None,
        }
    }

    /// As it is at that moment: a trial that has ended is suspended, and what was suspended for too long is deleted,
    /// whether that was written down already or not.
    #[must_use]
    pub fn as_of(mut self, now: Timestamp) -> Self {
        if let (State::Active { .. }, Some(time)) = (self.state, self.trial_end)
            && time <= now
        {
            self.state = suspended(Reason::TrialEnded, time);
        }
        if let State::Suspended { expire_time, .. } = self.state
            && expire_time <= now
        {
            self.state = State::Deleted { reason: Reason::Expired, time: expire_time };
        }
        self
    }

    /// As it is when what it adds to has become so.
    #[must_use]
    pub fn following(mut self, parent: &Self) -> Self {
        self.state = match (self.state, parent.state) {
            (State::Active { .. }, State::Suspended { time, expire_time, .. }) => {
                State::Suspended { reason: Reason::ParentSuspended, time, expire_time }
            }
            (State::Active { .. } | State::Suspended { .. }, State::Deleted { time, .. }) => {
                State::Deleted { reason: Reason::ParentDeleted, time }
            }
            (unchanged, _) => unchanged,
        };
        self
    }

    /// With another number of seats.
    ///
    /// # Errors
    /// `SUBSCRIPTION_DELETED`, `SUBSCRIPTION_SUSPENDED`, `TRIAL_QUANTITY_FIXED`, `QUANTITY_OUT_OF_RANGE`,
    /// `QUANTITY_BELOW_ASSIGNED`.
    pub fn with_quantity(self, quantity: i64, offer: &Offer, pool: &Pool) -> Result<Self, Fault> {
        self.check_active()?;
        if quantity == self.quantity {
            return Ok(self);
        }
        if self.trial_end.is_some() {
            return Err(Fault::precondition("TRIAL_QUANTITY_FIXED", "the seats of a trial stay as many as they are"));
        }
        offer.check_quantity(quantity, 2002)?;
        self.check_assigned(quantity, pool)?;
        Ok(Self { quantity, ..self })
    }

    /// Licenses keep their seats (C9). What other subscriptions bring counts as well; a license takes a seat of the
    /// product, not of one of them.
    fn check_assigned(&self, quantity: i64, pool: &Pool) -> Result<(), Fault> {
        let least = self.quantity - pool.available();
        if quantity >= least {
            return Ok(());
        }
        let message = format!("{} licenses are assigned: at least {least} of these seats are needed", pool.consumed);
        Err(Fault::precondition("QUANTITY_BELOW_ASSIGNED", message)
            .with("quantity", quantity)
            .with("assigned", pool.consumed)
            .with("minimum", least)
            .with("partner_center_code", 800_090))
    }

    /// With another reseller of record, or none.
    ///
    /// # Errors
    /// `SUBSCRIPTION_DELETED`, `SUBSCRIPTION_SUSPENDED`.
    pub fn with_reseller(self, reseller: Option<Reseller>) -> Result<Self, Fault> {
        self.check_active()?;
        Ok(Self { reseller, ..self })
    }

    /// Only a trial that has not ended is converted.
    ///
    /// # Errors
    /// `SUBSCRIPTION_DELETED`, `SUBSCRIPTION_SUSPENDED`, `NOT_A_TRIAL`.
    pub fn check_trial(&self) -> Result<(), Fault> {
        self.check_active()?;
        if self.trial_end.is_some() {
            return Ok(());
        }
        Err(Fault::precondition("NOT_A_TRIAL", "the subscription is paid for already; change its quantity instead"))
    }

    /// A trial, paid for from now on, under an offer of its product that is no trial.
    ///
    /// # Errors
    /// As [`Subscription::check_trial`], `OFFER_NOT_SUITABLE`, `QUANTITY_BELOW_ASSIGNED`, `BILLING_CYCLE_NOT_OFFERED`,
    /// `TERM_NOT_OFFERED`.
    pub fn converted(self, quantity: i64, commitment: Commitment, offer: &Offer, pool: &Pool) -> Result<Self, Fault> {
        self.check_trial()?;
        if offer.trial || offer.product != self.product {
            let message = "a trial becomes a subscription to the same product: name an offer of it that is no trial";
            return Err(Fault::precondition("OFFER_NOT_SUITABLE", message).with("product_id", self.product));
        }
        self.check_assigned(quantity, pool)?;
        let commitment = offer.commitments.choose(commitment)?;
        Ok(Self { quantity, offer: offer.id, trial_end: None, commitment, ..self })
    }

    /// Whether it is gone for ever.
    pub const fn is_deleted(&self) -> bool {
        matches!(self.state, State::Deleted { .. })
    }

    /// Suspended.
    ///
    /// # Errors
    /// `SUBSCRIPTION_DELETED`, `SUBSCRIPTION_SUSPENDED`.
    pub fn suspended(self, reason: Reason, now: Timestamp) -> Result<Self, Fault> {
        self.check_active()?;
        Ok(Self { state: suspended(reason, now), ..self })
    }

    /// Active again.
    ///
    /// # Errors
    /// `SUBSCRIPTION_DELETED`, `SUBSCRIPTION_ACTIVE`, `TRIAL_ENDED`, `PARENT_NOT_ACTIVE`.
    pub fn reactivated(self, parent: Option<&Self>, now: Timestamp) -> Result<Self, Fault> {
        match self.state {
            State::Deleted { .. } => return Err(deleted()),
            State::Active { .. } => {
                return Err(Fault::precondition("SUBSCRIPTION_ACTIVE", "the subscription is active already"));
            }
            State::Suspended { .. } => {}
        }
        if self.trial_end.is_some_and(|end| end <= now) {
            return Err(Fault::precondition("TRIAL_ENDED", "the trial has ended; order another offer"));
        }
        if let Some(parent) = parent {
            parent.check_takes_add_ons()?;
        }
        Ok(Self { state: State::Active { time: now }, ..self })
    }

    /// Deleted, for ever.
    ///
    /// # Errors
    /// `SUBSCRIPTION_DELETED`.
    pub fn canceled(self, reason: Reason, now: Timestamp) -> Result<Self, Fault> {
        match self.state {
            State::Deleted { .. } => Err(deleted()),
            State::Active { .. } | State::Suspended { .. } => {
                Ok(Self { state: State::Deleted { reason, time: now }, ..self })
            }
        }
    }

    /// What adds to it can only be active while it is.
    ///
    /// # Errors
    /// `PARENT_NOT_ACTIVE`.
    pub fn check_takes_add_ons(&self) -> Result<(), Fault> {
        if matches!(self.state, State::Active { .. }) {
            return Ok(());
        }
        let message = format!("this adds to the subscription {}, which must be active first", self.id);
        Err(Fault::precondition("PARENT_NOT_ACTIVE", message)
            .with("parent_subscription_id", self.id)
            .with("partner_center_code", 27009))
    }

    /// Only an active one can be changed.
    ///
    /// # Errors
    /// `SUBSCRIPTION_DELETED`, `SUBSCRIPTION_SUSPENDED`.
    pub fn check_active(&self) -> Result<(), Fault> {
        match self.state {
            State::Active { .. } => Ok(()),
            State::Suspended { .. } => {
                let message = "the subscription is suspended; reactivate it first";
                Err(Fault::precondition("SUBSCRIPTION_SUSPENDED", message).with("partner_center_code", 2001))
            }
            State::Deleted { .. } => Err(deleted()),
        }
    }

    /// How the seats of its product move when it becomes `after`.
    pub fn shift_to(&self, after: &Self) -> Shift {
        let ((seats, suspended), (new_seats, new_suspended)) = (self.seats(), after.seats());
        Shift { seats: new_seats - seats, suspended: new_suspended - suspended }
    }

    /// The seats that it brings, and those among them that are suspended.
    const fn seats(&self) -> (i64, i64) {
        match self.state {
            State::Active { .. } => (self.quantity, 0),
            State::Suspended { .. } => (self.quantity, self.quantity),
            State::Deleted { .. } => (0, 0),
        }
    }
}

fn suspended(reason: Reason, time: Timestamp) -> State {
    State::Suspended { reason, time, expire_time: time + SUSPENSION_LIFE }
}

fn deleted() -> Fault {
    Fault::precondition("SUBSCRIPTION_DELETED", "the subscription was deleted; order another one")
        .with("partner_center_code", 2011)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn active(quantity: i64) -> Subscription {
        let id = Uuid::from_u128(1);
        Subscription {
            id: Id::from_uuid(id),
            order: Id::from_uuid(id),
            customer: Id::from_uuid(id),
            product: Id::from_uuid(id),
            offer: Id::from_uuid(id),
            parent: None,
            friendly_name: String::new(),
            quantity,
            state: State::Active { time: at(0) },
            trial_end: None,
            commitment: Commitment::default(),
            partner: Id::from_uuid(id),
            reseller: None,
            create_time: at(0),
            update_time: at(0),
            version: 1,
        }
    }

    #[test]
    fn what_is_suspended_can_be_reactivated_strictly_before_it_expires() {
        let suspended = active(3).suspended(Reason::Fraud, at(10)).expect("an active one is suspended");
        let State::Suspended { expire_time, .. } = suspended.state else { panic!("it is suspended") };
        assert_eq!(expire_time, at(10) + SUSPENSION_LIFE);
        let before = Timestamp::from_micros(expire_time.micros() - 1);
        assert!(suspended.clone().as_of(before).reactivated(None, before).is_ok());
        let late = suspended.as_of(expire_time).reactivated(None, expire_time).expect_err("it is too late");
        assert_eq!(late.reason(), "SUBSCRIPTION_DELETED");
    }

    #[test]
    fn a_trial_that_ends_is_suspended_and_then_deleted_and_never_active_again() {
        let trial = Subscription { trial_end: Some(at(100)), ..active(25) };
        assert_eq!(trial.clone().as_of(at(99)), trial);
        let ended = trial.clone().as_of(at(100));
        assert!(matches!(ended.state, State::Suspended { reason: Reason::TrialEnded, time, .. } if time == at(100)));
        assert_eq!(ended.reactivated(None, at(101)).expect_err("it has ended").reason(), "TRIAL_ENDED");
        let gone = trial.as_of(at(100) + SUSPENSION_LIFE);
        assert!(matches!(gone.state, State::Deleted { reason: Reason::Expired, .. }));
    }

    #[test]
    fn add_ons_follow_down_and_never_up() {
        let parent = active(1);
        let down = parent.clone().suspended(Reason::NonPayment, at(5)).expect("an active one is suspended");
        let add_on = active(2).following(&down);
        assert!(matches!(add_on.state, State::Suspended { reason: Reason::ParentSuspended, .. }));
        assert_eq!(add_on.clone().following(&parent), add_on);
        let refused = add_on.clone().reactivated(Some(&down), at(6)).expect_err("the parent is not active");
        assert_eq!(refused.reason(), "PARENT_NOT_ACTIVE");
        assert!(add_on.reactivated(Some(&parent), at(6)).is_ok());
    }

    #[test]
    fn seats_are_in_the_pool_as_the_state_says() {
        let before = active(7);
        let suspended = before.clone().suspended(Reason::Fraud, at(1)).expect("an active one is suspended");
        let deleted = suspended.clone().canceled(Reason::Fraud, at(2)).expect("a suspended one is canceled");
        assert_eq!(before.shift_to(&suspended), Shift { seats: 0, suspended: 7 });
        assert_eq!(suspended.shift_to(&deleted), Shift { seats: -7, suspended: -7 });
        assert_eq!(suspended.shift_to(&before), Shift { seats: 0, suspended: -7 });
        assert_eq!(before.shift_to(&Subscription { quantity: 9, ..before.clone() }), Shift { seats: 2, suspended: 0 });
    }
}
