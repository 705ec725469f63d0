//! The sagas of partner: what goes on across the services after a call, by the room that knows what it means.

use base::Fault;
use saga::Answers;
use serde::Serialize;
use service::{Cx, Fact, Host};
use uuid::Uuid;

use crate::account::saga::{self as onboarding, Onboarding};
use crate::customer::saga::{self as creation, Creation};
use crate::invitation::saga::{self as acceptance, Acceptance};
use crate::opening::{self, Opening};
use crate::{Partner, clients};

/// One saga.
#[derive(Debug)]
pub enum Flow {
    /// A partner is taken in.
    Onboarding(Onboarding),
    /// A customer is made.
    Creation(Creation),
    /// A customer authorizes partners.
    Acceptance(Acceptance),
}

/// Begins a saga in the transaction of the call that wants it.
///
/// # Errors
/// When the database does not take it.
pub(crate) async fn begin(
    cx: &mut Cx<Partner>,
    id: Uuid,
    flow: &str,
    request: &(impl Serialize + Sync),
) -> Result<(), Fault> {
    let request = serde_json::to_vec(request)
        .map_err(|error| Fault::internal("a saga's request cannot be written").because(error))?;
    saga::begin(cx, id, flow, &request).await
}

/// The fact that a saga came to nothing, once for all who wait for it or repeat the request.
pub(crate) fn refused(action: &'static str, refusal: &Fault) -> Fact {
    Fact::new(action).change("refusal", "", refusal.reason())
}

impl Flow {
    /// The organization that it makes at identity, if it makes one.
    fn opening(&self) -> Option<&Opening> {
        match self {
            Self::Onboarding(onboarding) => Some(&onboarding.opening),
            Self::Creation(creation) => Some(&creation.opening),
            Self::Acceptance(_) => None,
        }
    }
}

impl saga::Flow for Flow {
    type Service = Partner;

    fn read(flow: &str, request: &[u8]) -> Result<Self, Fault> {
        let broken = |error| Fault::internal("a saga's request cannot be read").because(error);
        match flow {
            onboarding::FLOW => serde_json::from_slice(request).map(Self::Onboarding).map_err(broken),
            creation::FLOW => serde_json::from_slice(request).map(Self::Creation).map_err(broken),
            acceptance::FLOW => serde_json::from_slice(request).map(Self::Acceptance).map_err(broken),
            unknown => Err(Fault::internal(format!("this version does not know the flow {unknown}"))),
        }
    }

    fn prepare_steps(&self) -> &'static [&'static str] {
        match self {
            Self::Onboarding(_) | Self::Creation(_) => &[opening::IDENTITY],
            Self::Acceptance(_) => acceptance::STEPS,
        }
    }

    async fn prepare(&self, host: &Host<Partner>, saga: Uuid, step: &'static str) -> Result<Vec<u8>, Fault> {
        match (self, self.opening()) {
            (Self::Acceptance(acceptance), _) => acceptance.prepare(host, saga, step).await,
            (_, Some(opening)) => opening.prepare(&host.service.identity).await,
            (_, None) => Err(Fault::internal("this flow has nothing to prepare")),
        }
    }

    async fn cancel(&self, host: &Host<Partner>, saga: Uuid, step: &'static str) -> Result<(), Fault> {
        match self {
            Self::Acceptance(acceptance) => acceptance.cancel(&host.service, saga, step).await,
            Self::Onboarding(_) | Self::Creation(_) => clients::cancel_organization(&host.service.identity, saga).await,
        }
    }

    async fn decide(&self, cx: &mut Cx<Partner>, saga: Uuid, answers: &Answers) -> Result<(), Fault> {
        match self {
            Self::Onboarding(onboarding) => onboarding.decide(cx, saga, answers).await,
            Self::Creation(creation) => creation.decide(cx, saga, answers).await,
            Self::Acceptance(acceptance) => acceptance.decide(cx, saga, answers).await,
        }
    }

    async fn abandon(&self, cx: &mut Cx<Partner>, saga: Uuid, refusal: &Fault) -> Result<(), Fault> {
        match self {
            // Nothing was written here before the decision.
            Self::Onboarding(_) => cx.record(refused("PartnerOnboardingAborted", refusal)),
            Self::Creation(_) => cx.record(refused("CustomerCreationAborted", refusal)),
            Self::Acceptance(acceptance) => acceptance.abandon(cx, saga, refusal).await?,
        }
        Ok(())
    }

    fn stands_in_its_way(&self) -> bool {
        // The domain and the sign-in name of a pending organization are taken until it is taken back. Intents are of one
        // decision, and an invitation is let go at once.
        self.opening().is_some()
    }

    fn settle_steps(&self) -> &'static [&'static str] {
        match self {
            Self::Onboarding(_) | Self::Creation(_) => &[opening::IDENTITY],
            Self::Acceptance(_) => &[],
        }
    }

    async fn settle(&self, host: &Host<Partner>, saga: Uuid, _: &'static str) -> Result<Vec<u8>, Fault> {
        clients::confirm_organization(&host.service.identity, saga).await?;
        Ok(Vec::new())
    }
}
