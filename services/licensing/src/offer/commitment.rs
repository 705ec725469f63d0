//! How often what is sold under an offer is billed, and for how long its buyer is bound.
//!
//! Both are chosen with an order and stand with the subscription, for whoever bills it: nothing here is billed.

use std::collections::BTreeSet;

use base::Fault;

/// How often something is billed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BillingCycle {
    /// Every month.
    Monthly,
    /// Every year.
    Annual,
    /// Every three years.
    Triennial,
    /// Once.
    OneTime,
}

/// For how long a buyer is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Term {
    /// A month.
    OneMonth,
    /// A year.
    OneYear,
    /// Three years.
    ThreeYears,
}

impl BillingCycle {
    const ALL: [Self; 4] = [Self::Monthly, Self::Annual, Self::Triennial, Self::OneTime];

    /// As the database writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Monthly => "MONTHLY",
            Self::Annual => "ANNUAL",
            Self::Triennial => "TRIENNIAL",
            Self::OneTime => "ONE_TIME",
        }
    }

    /// Reads what [`BillingCycle::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cycle| cycle.as_str() == text)
    }
}

impl Term {
    const ALL: [Self; 3] = [Self::OneMonth, Self::OneYear, Self::ThreeYears];

    /// As the database writes it: a duration of ISO 8601.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OneMonth => "P1M",
            Self::OneYear => "P1Y",
            Self::ThreeYears => "P3Y",
        }
    }

    /// Reads what [`Term::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|term| term.as_str() == text)
    }
}

/// What a buyer chooses of an offer, or has chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Commitment {
    /// How often it is billed, where the offer says.
    pub billing_cycle: Option<BillingCycle>,
    /// For how long the buyer is bound, where the offer says.
    pub term: Option<Term>,
}

/// What buyers can choose of an offer. Where nothing can be chosen, nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commitments {
    /// How often it can be billed.
    pub billing_cycles: BTreeSet<BillingCycle>,
    /// For how long a buyer can be bound.
    pub terms: BTreeSet<Term>,
}

impl Commitments {
    /// What a buyer gets who wants this. Where there is one choice, it need not be named.
    ///
    /// # Errors
    /// `BILLING_CYCLE_NOT_OFFERED`, `TERM_NOT_OFFERED`.
    pub fn choose(&self, wanted: Commitment) -> Result<Commitment, Fault> {
        let billing_cycle = pick(&self.billing_cycles, wanted.billing_cycle).map_err(|()| {
            let offered = self.cycle_words();
            Fault::precondition(
                "BILLING_CYCLE_NOT_OFFERED",
                format!("name one of the offer's billing cycles: {offered}"),
            )
            .with("billing_cycles", offered)
        })?;
        let term = pick(&self.terms, wanted.term).map_err(|()| {
            let offered = self.term_words();
            Fault::precondition("TERM_NOT_OFFERED", format!("name one of the offer's terms: {offered}"))
                .with("terms", offered)
        })?;
        Ok(Commitment { billing_cycle, term })
    }

    /// The billing cycles, with spaces between them.
    pub fn cycle_words(&self) -> String {
        self.billing_cycles.iter().map(|cycle| cycle.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// The terms, with spaces between them.
    pub fn term_words(&self) -> String {
        self.terms.iter().map(|term| term.as_str()).collect::<Vec<_>>().join(" ")
    }
}

fn pick<T: Copy + Ord>(offered: &BTreeSet<T>, wanted: Option<T>) -> Result<Option<T>, ()> {
    match wanted {
        Some(wanted) if offered.contains(&wanted) => Ok(Some(wanted)),
        None if offered.len() <= 1 => Ok(offered.first().copied()),
        Some(_) | None => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_choice_need_not_be_named_and_nothing_else_can_be() {
        let both = Commitments {
            billing_cycles: BTreeSet::from([BillingCycle::Annual]),
            terms: BTreeSet::from([Term::OneYear, Term::ThreeYears]),
        };
        let chosen = |billing_cycle, term| {
            both.choose(Commitment { billing_cycle, term }).map_err(|fault| fault.reason().to_owned())
        };
        let three = Commitment { billing_cycle: Some(BillingCycle::Annual), term: Some(Term::ThreeYears) };
        assert_eq!(chosen(None, Some(Term::ThreeYears)), Ok(three));
        assert_eq!(chosen(None, None), Err("TERM_NOT_OFFERED".to_owned()));
        assert_eq!(chosen(None, Some(Term::OneMonth)), Err("TERM_NOT_OFFERED".to_owned()));
        assert_eq!(chosen(Some(BillingCycle::Monthly), None), Err("BILLING_CYCLE_NOT_OFFERED".to_owned()));
        let nothing = Commitments::default().choose(Commitment::default()).map_err(|fault| fault.reason().to_owned());
        assert_eq!(nothing, Ok(Commitment::default()));
    }
}
