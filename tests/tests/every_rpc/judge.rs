//! Judges one RPC after the other by its fixtures, and gathers everything that is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use prost::Message;
use prost_reflect::DynamicMessage;
use service::rate::{Rate, Rates};
use testkit::database::Kind;
use tests::tidy::contract::Described;
use tests::world::{Dump, World, connect};
use tonic::transport::Channel;

use super::contract::{Covered, Rpc, SERVICES, gaps, homes, name, served};
use super::exceptions::EXCEPTIONS;
use super::stage::{Asked, Side};
use super::trial::Trial;

/// What the three databases hold.
pub(super) type Held = BTreeMap<&'static str, Dump>;

/// The judge of one world.
pub(super) struct Judge {
    /// Where the RPCs are called.
    pub(super) world: Arc<World>,
    /// Every reason that the contract documents.
    pub(super) reasons: BTreeSet<String>,
    channels: [Channel; 3],
    rpcs: Vec<Rpc>,
    /// Whose requests are made.
    here: Side,
    /// Whose things are foreign.
    there: Side,
    covered: Covered,
    findings: Vec<String>,
}

impl Judge {
    /// A judge with a world of its own.
    pub(super) async fn start(kind: Kind) -> Self {
        let much = Rate { per_minute: 6_000_000, burst: 100_000 };
        let rates = Rates {
            principal: much,
            tenant: much,
            source: much,
            source_and_target: much,
            target: much,
            refusals: much,
        };
        let world = Arc::new(World::with_rates(kind, rates).await);
        let contract = Described::decode(proto::CONTRACT);
        let [first, second, third] = world.addresses.each_ref().map(|addresses| addresses.public);
        Self {
            here: Side::build(Arc::clone(&world)).await,
            there: Side::build(Arc::clone(&world)).await,
            channels: [connect(first).await, connect(second).await, connect(third).await],
            world,
            reasons: contract.reasons().into_values().flatten().collect(),
            rpcs: served(&contract),
            covered: Covered::default(),
            findings: Vec::new(),
        }
    }

    /// Judges an RPC by a request that is made on either side. An RPC may have several fixtures.
    pub(super) async fn rpc<M: Message>(&mut self, called: &str, make: impl AsyncFn(&Side) -> Asked<M>) {
        let found = self.rpcs.iter().find(|rpc| name(rpc) == called).cloned();
        let rpc = found.unwrap_or_else(|| panic!("the contract has no {called} that is served to everybody"));
        for service in homes(&rpc) {
            self.rpc_at(service, called, &make).await;
        }
    }

    /// The same at one of the services that serve it.
    pub(super) async fn rpc_at<M: Message>(
        &mut self,
        service: &str,
        called: &str,
        make: impl AsyncFn(&Side) -> Asked<M>,
    ) {
        let found = self.rpcs.iter().find(|rpc| name(rpc) == called && homes(rpc).contains(&service)).cloned();
        let rpc = found.unwrap_or_else(|| panic!("{service} has no {called}"));
        let shape = rpc.descriptor.input();
        let read = |bytes: Vec<u8>| DynamicMessage::decode(shape.clone(), bytes.as_slice()).unwrap();
        let (mine, theirs) = (make(&self.here).await, make(&self.there).await);
        let at = SERVICES.iter().position(|known| *known == service).unwrap();
        let trial = Trial {
            judge: self,
            service: SERVICES[at],
            channel: &self.channels[at],
            rpc: &rpc,
            mine: Asked {
                token: mine.token,
                organization_id: mine.organization_id,
                request: read(mine.request.encode_to_vec()),
            },
            theirs: read(theirs.request.encode_to_vec()),
        };
        let verdict = trial.run().await;
        self.covered.rpcs.insert((service.to_owned(), called.to_owned()));
        self.covered.places.extend(verdict.places);
        let wrong = verdict.findings.into_iter();
        self.findings.extend(wrong.map(|finding| format!("{service} {called}: {finding}")));
    }

    /// Everything that was wrong, and what was not judged.
    pub(super) async fn findings(self) -> Vec<String> {
        let mut findings = self.findings;
        findings.extend(self.world.violations().await);
        findings.extend(gaps(&self.rpcs, &self.covered, EXCEPTIONS));
        findings
    }
}
