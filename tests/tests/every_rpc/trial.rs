//! One RPC and one request: tried dry, with something else in each place where it names something, for real, and again.

use std::collections::BTreeSet;

use prost::Message as _;
use prost_reflect::{DynamicMessage, Value};
use tests::world::{Refused, changed, fresh, soon};
use tonic::Status;
use tonic::transport::Channel;

use super::answers::{dry_differences, is_under_way, read, told};
use super::call::call;
use super::contract::{Rpc, is_repeatable};
use super::judge::{Held, Judge};
use super::place::Place;
use super::stage::Asked;
use super::swap::Swap;

/// What every call leaves behind beside its effect: its entry, its saved reply, and the floor of a caller who had none.
const BOOKKEEPING: [&str; 3] = ["journal", "principal_floors", "replays"];
/// What changes by itself: keys take turns, whoever calls.
const ROTATING: [&str; 2] = ["signing_keys", "verification_keys"];

/// Whose id stands in no answer.
const NOBODY: &str = "nobody";

/// The bytes of an answer, or a refusal.
pub(super) type Answer = Result<Vec<u8>, Status>;

/// A request to an RPC, and what the same request of a stranger names.
pub(super) struct Trial<'j> {
    pub(super) judge: &'j Judge,
    pub(super) service: &'static str,
    pub(super) channel: &'j Channel,
    pub(super) rpc: &'j Rpc,
    pub(super) mine: Asked<DynamicMessage>,
    pub(super) theirs: DynamicMessage,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Verdict {
    /// What is wrong.
    pub(super) findings: Vec<String>,
    /// Where something else was named.
    pub(super) places: BTreeSet<String>,
}

impl Verdict {
    fn note(&mut self, finding: impl Into<String>) {
        self.findings.push(finding.into());
    }

    /// Notes what does not hold.
    pub(super) fn demand(&mut self, holds: bool, finding: impl FnOnce() -> String) {
        if !holds {
            self.findings.push(finding());
        }
    }
}

impl Trial<'_> {
    /// Judges.
    pub(super) async fn run(&self) -> Verdict {
        let mut verdict = Verdict::default();
        let before = self.rest().await;
        let plain = self.unswapped().await;
        let Ok(plain) = plain else {
            verdict.note(format!("a valid request is refused: {}", self.told(&plain, NOBODY)));
            return verdict;
        };
        if !self.rpc.method.reads {
            let after = self.rest().await;
            verdict.demand(differing(&before, &after).is_empty(), || {
                format!("a dry run changes {:?}", differing(&before, &after))
            });
        }
        let allowed = self.swap(&plain, &mut verdict).await;
        let after = self.rest().await;
        self.check_unchanged(&before, &after, &allowed, &mut verdict);
        if !self.rpc.method.reads {
            self.make(&plain, after, &mut verdict).await;
        }
        verdict
    }

    /// The answer to the request as it is, which changes nothing: to a read, or to a dry run. A change of the caller's
    /// session cannot be tried.
    async fn unswapped(&self) -> Answer {
        match self.rpc.method.reads || is_repeatable(self.rpc) {
            true => self.look(&self.mine.request).await,
            false => Ok(Vec::new()),
        }
    }

    /// Names something else in each place in turn. Answers which tables may have changed since.
    async fn swap(&self, plain: &[u8], verdict: &mut Verdict) -> BTreeSet<&'static str> {
        let mut allowed = BTreeSet::new();
        for place in Place::all(&self.rpc.descriptor.input()) {
            if let Some(swap) = Swap::new(self, &place, verdict) {
                verdict.places.insert(place.to_string());
                allowed.extend(swap.judge(plain, verdict).await);
            }
        }
        allowed
    }

    fn check_unchanged(&self, before: &Held, after: &Held, allowed: &BTreeSet<&str>, verdict: &mut Verdict) {
        let is_allowed = |table: &String| allowed.iter().any(|name| *table == format!("{}.{name}", self.service));
        let changed: Vec<String> = differing(before, after).into_iter().filter(|table| !is_allowed(table)).collect();
        verdict.demand(changed.is_empty(), || format!("naming something else changes {changed:?}"));
        let known: BTreeSet<&String> = before[self.service].rows("journal").iter().collect();
        let mut entries = after[self.service].rows("journal").iter().filter(|row| !known.contains(row));
        verdict.demand(entries.all(|row| row.contains("FAILED")), || {
            "naming something else is journaled as a success".to_owned()
        });
    }

    /// Makes the call for real, and again.
    async fn make(&self, plain: &[u8], before: Held, verdict: &mut Verdict) {
        let request_id = fresh();
        let body = self.body_of(&self.mine.request, &request_id, false);
        let answer = match soon("the call is over", self.make_until_over(&body)).await {
            Ok(answer) => answer,
            Err(status) => return verdict.note(format!("a valid request is refused: {status:?}")),
        };
        let made = self.rest().await;
        let changed = differing(&before, &made);
        if !is_repeatable(self.rpc) {
            return verdict.demand(!changed.is_empty(), || "a change leaves no trace".to_owned());
        }
        let is_effect = |table: &String| !BOOKKEEPING.iter().any(|name| table.ends_with(&format!(".{name}")));
        verdict.demand(changed.iter().any(is_effect), || format!("nothing is changed but {changed:?}"));
        let shape = self.rpc.descriptor.output();
        verdict.findings.extend(dry_differences(&read(&shape, plain), &read(&shape, &answer)));

        let again = self.send(body).await;
        verdict.demand(again.as_ref().ok() == Some(&answer), || {
            format!("repeated, it answers {}, not {}", self.told(&again, NOBODY), self.told(&Ok(answer), NOBODY))
        });
        let after = self.rest().await;
        verdict.demand(differing(&made, &after).is_empty(), || {
            format!("repeated, it changes {:?}", differing(&made, &after))
        });
        self.reuse(&request_id, verdict).await;
    }

    /// A stranger's request under the same request_id. Where the saved reply holds a secret, what it names is judged first.
    async fn reuse(&self, request_id: &str, verdict: &mut Verdict) {
        // Without a token a request_id names a request together with its body.
        if self.rpc.method.public {
            return;
        }
        let answer = self.send(self.body_of(&self.theirs, request_id, false)).await;
        let refused = answer.as_ref().map_or_else(|status| Refused::of(status).reason, |_| String::new());
        verdict.demand(["REQUEST_ID_REUSED", "NOT_FOUND"].contains(&refused.as_str()), || {
            format!("its request_id means another request, too: {}", self.told(&answer, NOBODY))
        });
    }

    async fn make_until_over(&self, body: &[u8]) -> Answer {
        loop {
            let answer = self.send(body.to_vec()).await?;
            if !is_under_way(&read(&self.rpc.descriptor.output(), &answer)) {
                return Ok(answer);
            }
        }
    }

    /// What the databases hold when nothing is under way any more.
    async fn rest(&self) -> Held {
        let is_open = |row: &String| ["PREPARING", "COMMITTED", "ABORTING"].iter().any(|state| row.contains(state));
        soon("nothing is under way", async {
            loop {
                let held = self.judge.world.at_rest().await;
                if !held.values().any(|dump| dump.rows("sagas").iter().any(is_open)) {
                    return held;
                }
            }
        })
        .await
    }

    /// Asks without changing anything.
    pub(super) async fn look(&self, request: &DynamicMessage) -> Answer {
        self.send(self.body(request, true)).await
    }

    pub(super) async fn send(&self, body: Vec<u8>) -> Answer {
        call(self.channel, self.rpc, self.mine.token.as_deref(), body).await
    }

    /// The request under a fresh request_id.
    pub(super) fn body(&self, request: &DynamicMessage, dry: bool) -> Vec<u8> {
        self.body_of(request, &fresh(), dry)
    }

    fn body_of(&self, request: &DynamicMessage, request_id: &str, dry: bool) -> Vec<u8> {
        let mut request = request.clone();
        if is_repeatable(self.rpc) {
            request.set_field_by_name("request_id", Value::String(request_id.to_owned()));
            request.set_field_by_name("validate_only", Value::Bool(dry));
        }
        request.encode_to_vec()
    }

    pub(super) fn told(&self, answer: &Answer, id: &str) -> String {
        told(&self.rpc.descriptor.output(), answer, id)
    }
}

/// The tables that differ, each with its service.
fn differing(before: &Held, after: &Held) -> Vec<String> {
    let rotates = |table: &String| ROTATING.iter().any(|name| table.ends_with(&format!(".{name}")));
    changed(before, after).into_iter().filter(|table| !rotates(table)).collect()
}
