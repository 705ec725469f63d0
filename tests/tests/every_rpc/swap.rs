//! Something else in one place of a request, and how the RPC answers to that.

use std::collections::BTreeSet;

use tests::world::{Refused, fresh};
use tonic::Code;
use uuid::Uuid;

use super::answers::as_done;
use super::contract::is_repeatable;
use super::exceptions::{Why, why};
use super::place::Place;
use super::trial::{Answer, Trial, Verdict};

/// A place of a request, and what is named there in its stead.
pub(super) struct Swap<'t> {
    trial: &'t Trial<'t>,
    place: &'t Place,
    foreign: String,
    unknown: String,
    /// The caller's own organization, where one is named that is not.
    own: Option<&'t str>,
}

impl<'t> Swap<'t> {
    /// What the request names at the place, swapped for what the stranger's names there. None where it names nothing.
    pub(super) fn new(trial: &'t Trial<'_>, place: &'t Place, verdict: &mut Verdict) -> Option<Self> {
        let mine = place.read(&trial.mine.request)?;
        let foreign = place.read(&trial.theirs).unwrap_or_default();
        verdict.demand(foreign != mine && !foreign.is_empty(), || format!("{place} names nothing foreign"));
        let own = trial.mine.organization_id.as_deref().filter(|own| place.names_organization() && *own != mine);
        Some(Self { trial, place, foreign, unknown: unlike(&mine), own })
    }

    /// Names it. Answers which tables may have changed.
    pub(super) async fn judge(&self, plain: &[u8], verdict: &mut Verdict) -> BTreeSet<&'static str> {
        match why(&self.place.to_string()) {
            Some(Why::Everybodys) => self.is_everybodys(verdict).await,
            Some(Why::NotLookedUp) => self.is_not_looked_up(verdict).await,
            Some(Why::OwnToo) => return self.is_hidden(plain, None, verdict).await,
            None => return self.is_hidden(plain, self.own, verdict).await,
        }
        BTreeSet::new()
    }

    /// What belongs to others answers as what does not exist, and so does the caller's own organization where another
    /// one is meant, or with a refusal of its own.
    async fn is_hidden(&self, plain: &[u8], own: Option<&str>, verdict: &mut Verdict) -> BTreeSet<&'static str> {
        let (place, mut allowed) = (self.place, BTreeSet::new());
        let (unknown, foreign) = (self.make(&self.unknown).await, self.make(&self.foreign).await);
        let as_unknown = self.told(&unknown, &self.unknown);
        verdict.demand(self.told(&foreign, &self.foreign) == as_unknown, || {
            format!("{place} is foreign: {}, is unknown: {as_unknown}", self.told(&foreign, &self.foreign))
        });
        let plain = self.told(&Ok(plain.to_vec()), &self.unknown);
        verdict.demand(plain != as_unknown, || format!("{place} makes no difference: {plain}"));
        if is_repeatable(self.trial.rpc) {
            let dry = self.look(&self.foreign).await;
            let dry = as_done(&self.told(&dry, &self.foreign));
            verdict.demand(dry == as_unknown, || format!("{place} is foreign in a dry run: {dry}"));
        }
        let mut answers = vec![unknown, foreign];
        if let Some(own) = own {
            let answer = self.make(own).await;
            verdict.demand(answer.is_err() || self.told(&answer, own) == as_unknown, || {
                format!("{place} is the caller's own organization: {}", self.told(&answer, own))
            });
            answers.push(answer);
        }
        for answer in answers {
            self.check_refusal(&answer, verdict);
            let reads = self.trial.rpc.method.reads;
            match answer {
                _ if reads => {}
                Ok(_) => allowed.extend(["principal_floors", "replays"]),
                Err(_) => allowed.extend(["journal"]),
            }
        }
        allowed
    }

    /// What belongs to others is allowed, and what does not exist is told apart.
    async fn is_everybodys(&self, verdict: &mut Verdict) {
        let (unknown, foreign) = (self.look(&self.unknown).await, self.look(&self.foreign).await);
        verdict.demand(foreign.is_ok(), || {
            format!("{} is everybody's, and refused: {}", self.place, self.told(&foreign, &self.foreign))
        });
        verdict.demand(self.told(&foreign, &self.foreign) != self.told(&unknown, &self.unknown), || {
            format!("{} is excepted, and hidden all the same", self.place)
        });
        self.check_refusal(&unknown, verdict);
    }

    /// Whatever is named is allowed, and nothing is told about it.
    async fn is_not_looked_up(&self, verdict: &mut Verdict) {
        let unknown = self.look(&self.unknown).await;
        for id in [Some(self.foreign.as_str()), self.own].into_iter().flatten() {
            // The caller's own organization stands elsewhere in the answer, too.
            let as_unknown = self.told(&unknown, &self.unknown).replace(id, "ID");
            let answer = self.look(id).await;
            verdict.demand(answer.is_ok() && self.told(&answer, id) == as_unknown, || {
                format!("{} is {id}: {}, is unknown: {as_unknown}", self.place, self.told(&answer, id))
            });
        }
    }

    fn check_refusal(&self, answer: &Answer, verdict: &mut Verdict) {
        let Err(status) = answer else { return };
        let Refused { code, reason } = Refused::of(status);
        let is_broken = [Code::Internal, Code::Unknown, Code::Unavailable].contains(&code);
        verdict.demand(!is_broken && self.trial.judge.reasons.contains(&reason), || {
            format!("{} is refused without a documented reason: {status:?}", self.place)
        });
    }

    async fn make(&self, id: &str) -> Answer {
        let request = self.place.written(&self.trial.mine.request, id);
        self.trial.send(self.trial.body(&request, false)).await
    }

    async fn look(&self, id: &str) -> Answer {
        self.trial.look(&self.place.written(&self.trial.mine.request, id)).await
    }

    fn told(&self, answer: &Answer, id: &str) -> String {
        self.trial.told(answer, id)
    }
}

/// What nobody is called, in the form of what somebody is called.
fn unlike(id: &str) -> String {
    match Uuid::parse_str(id) {
        Ok(_) => fresh(),
        Err(_) => format!("{:0width$}", Uuid::now_v7().as_u128() % 10_u128.pow(18), width = id.len()),
    }
}
