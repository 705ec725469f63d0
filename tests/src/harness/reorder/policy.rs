//! What may happen to a call, and who decides it.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};

/// The environment variable that repeats a run by its seed.
pub const SEED_VARIABLE: &str = "TANDEM_TEST_SEED";

/// Which of two answers the caller gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// That to the first copy.
    First,
    /// That to the second copy.
    Second,
}

/// What happens to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It passes.
    Pass,
    /// It is delivered, answered, delivered again and answered again.
    Twice(Answer),
    /// Two copies are under way together; the caller gets whichever answer comes first.
    AtOnce,
    /// It is kept back until this many calls that came later have been answered.
    Hold(u32),
    /// It is answered, and delivered once more after this many calls that came later have been answered.
    Repeat(u32),
}

/// The probabilities of a random plan. What is left of 1 is the probability of [`Fate::Pass`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Odds {
    /// Of [`Fate::Twice`], each answer as likely.
    pub twice: f64,
    /// Of [`Fate::AtOnce`].
    pub at_once: f64,
    /// Of [`Fate::Hold`].
    pub hold: f64,
    /// Of [`Fate::Repeat`].
    pub repeat: f64,
    /// The most calls that overtake a held one; at least 1.
    pub depth: u32,
    /// The most calls that come before the repetition of a repeated one; at least 1.
    pub lateness: u32,
}

/// Who decides.
#[derive(Clone, Debug, PartialEq)]
pub enum Plan {
    /// The seed: the fate of the n-th call of a method follows from the seed, the method and n alone, whatever else is
    /// under way.
    Random {
        /// Printed at the start.
        seed: u64,
        /// How often what happens.
        odds: Odds,
    },
    /// A list. A call takes the first line left whose text its path ends with (an empty text fits all); without one it
    /// passes.
    Script(Vec<(String, Fate)>),
}

/// What is done to the calls of one edge.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Who decides.
    pub plan: Plan,
    /// How long a held call waits to be overtaken before it goes on by itself. Its caller waits with it.
    pub patience: Duration,
    /// The same for a repetition, for which nobody waits.
    pub late: Duration,
}

impl Policy {
    /// Every fourth call is delivered twice or repeated late, every eighth is held, each for 250 ms at the most.
    #[must_use]
    pub fn random(seed: u64) -> Self {
        let odds = Odds { twice: 0.1, at_once: 0.05, hold: 0.125, repeat: 0.1, depth: 4, lateness: 4 };
        let patience = Duration::from_millis(250);
        Self { plan: Plan::Random { seed, odds }, patience, late: patience }
    }

    /// Each call meets the next line for its method. Whatever waits does so for 30 s at the most.
    #[must_use]
    pub fn scripted<'a>(lines: impl IntoIterator<Item = (&'a str, Fate)>) -> Self {
        let lines = lines.into_iter().map(|(method, fate)| (method.to_owned(), fate)).collect();
        let patience = Duration::from_secs(30);
        Self { plan: Plan::Script(lines), patience, late: patience }
    }
}

/// The seed that [`SEED_VARIABLE`] gives, or a fresh one.
///
/// # Panics
/// When the variable holds something else.
#[must_use]
pub fn seed() -> u64 {
    match std::env::var(SEED_VARIABLE) {
        Ok(seed) => seed.parse().unwrap_or_else(|_| panic!("{SEED_VARIABLE} is a whole number")),
        Err(_) => rand::random(),
    }
}

/// Deals the fates out.
#[derive(Debug)]
pub(super) struct Dealer {
    plan: Plan,
    /// Calls so far, by method.
    calls: HashMap<String, u64>,
}

impl Dealer {
    pub(super) fn new(plan: Plan) -> Self {
        Self { plan, calls: HashMap::new() }
    }

    pub(super) fn next(&mut self, path: &str) -> Fate {
        match &mut self.plan {
            Plan::Script(lines) => {
                let line = lines.iter().position(|(method, _)| path.ends_with(method.as_str()));
                line.map_or(Fate::Pass, |line| lines.remove(line).1)
            }
            Plan::Random { seed, odds } => {
                let call = self.calls.entry(path.to_owned()).or_default();
                *call += 1;
                let mut hasher = DefaultHasher::new();
                (*seed, path, *call).hash(&mut hasher);
                odds.draw(&mut StdRng::seed_from_u64(hasher.finish()))
            }
        }
    }
}

impl Odds {
    fn draw(&self, random: &mut StdRng) -> Fate {
        let overtakers = random.random_range(1..=self.depth.max(1));
        let others = random.random_range(1..=self.lateness.max(1));
        let answer = if random.random() { Answer::First } else { Answer::Second };
        let mut point: f64 = random.random();
        let fates = [
            (self.twice, Fate::Twice(answer)),
            (self.at_once, Fate::AtOnce),
            (self.hold, Fate::Hold(overtakers)),
            (self.repeat, Fate::Repeat(others)),
        ];
        for (share, fate) in fates {
            if point < share {
                return fate;
            }
            point -= share;
        }
        Fate::Pass
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fates(seed: u64, path: &str, count: usize) -> Vec<Fate> {
        let mut dealer = Dealer::new(Policy::random(seed).plan);
        (0..count).map(|_| dealer.next(path)).collect()
    }

    #[test]
    fn the_same_seed_deals_the_same_fates() {
        assert_eq!(fates(7, "/a/B", 200), fates(7, "/a/B", 200));
        assert_ne!(fates(7, "/a/B", 200), fates(8, "/a/B", 200));
        assert_ne!(fates(7, "/a/B", 200), fates(7, "/a/C", 200));
    }

    #[test]
    fn the_fates_of_a_method_do_not_depend_on_other_methods() {
        let mut dealer = Dealer::new(Policy::random(7).plan);
        let mixed: Vec<_> = (0..200)
            .map(|_| {
                dealer.next("/other/Method");
                dealer.next("/a/B")
            })
            .collect();
        assert_eq!(mixed, fates(7, "/a/B", 200));
    }

    #[test]
    fn every_fate_is_dealt_about_as_often_as_the_odds_say() {
        let dealt = fates(1, "/a/B", 10_000);
        let share = |fits: fn(&Fate) -> bool| dealt.iter().filter(|fate| fits(fate)).count();
        for (count, expected) in [
            (share(|fate| matches!(fate, Fate::Twice(Answer::First))), 500),
            (share(|fate| matches!(fate, Fate::Twice(Answer::Second))), 500),
            (share(|fate| matches!(fate, Fate::AtOnce)), 500),
            (share(|fate| matches!(fate, Fate::Hold(1..=4))), 1_250),
            (share(|fate| matches!(fate, Fate::Repeat(1..=4))), 1_000),
            (share(|fate| matches!(fate, Fate::Pass)), 6_250),
        ] {
            assert!(count.abs_diff(expected) < 150, "{count} instead of {expected}");
        }
    }

    #[test]
    fn a_script_is_read_by_method_and_then_everything_passes() {
        let script = [("Cancel", Fate::Hold(2)), ("Prepare", Fate::AtOnce), ("", Fate::Repeat(1))];
        let mut dealer = Dealer::new(Policy::scripted(script).plan);
        let paths = ["/s.S/Prepare", "/s.S/Prepare", "/s.S/Cancel", "/s.S/Cancel"];
        let dealt = paths.map(|path| dealer.next(path));
        assert_eq!(dealt, [Fate::AtOnce, Fate::Repeat(1), Fate::Hold(2), Fate::Pass]);
    }
}
