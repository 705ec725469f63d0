//! How a decision ended, for the services that hold an intent of it.

use base::{Fault, Id};
use proto::partner::v1 as pb;
use proto::partner::v1::get_decision_response::Outcome;
use saga::{Flow as _, State};
use service::{Cx, Form, Operation, Wire};
use uuid::Uuid;

use crate::Partner;
use crate::flow::Flow;
use crate::policy::{Permission, Target};

/// Asks for a decision.
#[derive(Debug)]
pub struct GetDecision(Id<Self>);

/// How it ended, and what it brought.
#[derive(Debug)]
pub struct Decision {
    outcome: Outcome,
    accesses: Vec<pb::Access>,
}

impl Wire for GetDecision {
    type Request = pb::GetDecisionRequest;
    type Response = pb::GetDecisionResponse;
    type Reply = Decision;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let id = form.id("decision_id", &request.decision_id);
        form.finish(|| id.map(Self))
    }

    fn present(decision: Decision) -> Self::Response {
        pb::GetDecisionResponse { outcome: decision.outcome.into(), accesses: decision.accesses }
    }
}

impl Operation for GetDecision {
    type Service = Partner;
    const METHOD: &'static str = "/tandem.partner.v1.PartnerInternalService/GetDecision";
    const PERMISSION: Permission = Permission::Peer;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    async fn run(&self, cx: &mut Cx<Partner>, (): &()) -> Result<Decision, Fault> {
        let id: Uuid = self.0.uuid();
        let saga = saga::get(&mut cx.tx, id).await?.ok_or_else(|| Fault::not_found("decision", id))?;
        let outcome = match saga.state {
            State::Preparing => Outcome::Undecided,
            State::Committed | State::Settled => Outcome::Committed,
            State::Aborting | State::Aborted => Outcome::Aborted,
        };
        let accesses = match Flow::read(&saga.flow, &saga.request)? {
            Flow::Acceptance(acceptance) if outcome == Outcome::Committed => acceptance.accesses(cx, id).await?,
            // Nobody holds intents of the others.
            Flow::Acceptance(_) | Flow::Onboarding(_) | Flow::Creation(_) => Vec::new(),
        };
        Ok(Decision { outcome, accesses })
    }
}
