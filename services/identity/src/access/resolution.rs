//! Asking partner how a decision ended, when a call cannot be judged before that is known.

use std::collections::BTreeSet;

use base::{Fault, Kind};
use saga::intent;
use service::{Cx, Preparation, Work};
use uuid::Uuid;

use super::Unresolved;
use super::ops::apply;
use super::wire::{Outcome, read_outcome};
use crate::{Identity, clients};

/// Asks for each decision and writes down what was answered. Undecided counts as not granted, and so does a decision
/// that partner has never heard of.
///
/// # Errors
/// `PEER_UNAVAILABLE`: who cannot be asked has allowed nothing.
pub(crate) async fn resolve(preparation: &Preparation<'_, Identity>, unresolved: Vec<Unresolved>) -> Result<(), Fault> {
    let decisions: BTreeSet<Unresolved> = unresolved.into_iter().collect();
    for Unresolved::Decision(decision) in decisions {
        let partner = &preparation.host.service.partner;
        let outcome = match clients::get_decision(partner, decision, preparation.left()).await {
            Ok(answer) => read_outcome(&answer)?,
            Err(fault) if fault.kind() == Kind::NotFound => Outcome::Undecided,
            Err(fault) => return Err(fault),
        };
        if !matches!(outcome, Outcome::Undecided) {
            preparation.host.transact(&WriteDown { decision, outcome }).await?;
        }
    }
    Ok(())
}

struct WriteDown {
    decision: Uuid,
    outcome: Outcome,
}

impl Work for WriteDown {
    type Service = Identity;
    type Done = ();

    async fn run(&self, cx: &mut Cx<Identity>) -> Result<(), Fault> {
        match &self.outcome {
            Outcome::Undecided => Ok(()),
            Outcome::Aborted => {
                let now = cx.now();
                intent::cancel(&mut cx.tx, self.decision, &[], now).await
            }
            Outcome::Committed(accesses) => {
                for access in accesses {
                    apply(cx, access, Some(self.decision)).await?;
                }
                Ok(())
            }
        }
    }
}
