//! What the contract has that is served to everybody, and what of it the fixtures have not covered.

use std::collections::{BTreeMap, BTreeSet};

pub(super) use tests::tidy::contract::Rpc;
use tests::tidy::contract::{Described, SESSIONS};

use super::exceptions::Exception;
use super::place::Place;

/// The services, in the order in which a world lists them.
pub(super) const SERVICES: [&str; 3] = ["identity", "licensing", "partner"];

/// The RPCs of the public listeners.
pub(super) fn served(contract: &Described) -> Vec<Rpc> {
    contract.rpcs.iter().filter(|rpc| !rpc.method.is_internal()).cloned().collect()
}

/// `InvitationService/CreateInvitation`: what an RPC is called in the lists.
pub(super) fn name(rpc: &Rpc) -> String {
    format!("{}/{}", rpc.descriptor.parent_service().name(), rpc.descriptor.name())
}

/// The services that serve it: its own, or all of them.
pub(super) fn homes(rpc: &Rpc) -> Vec<&'static str> {
    let package = rpc.descriptor.parent_service().package_name().to_owned();
    let own = SERVICES.into_iter().find(|service| package == format!("tandem.{service}.v1"));
    own.map_or_else(|| SERVICES.to_vec(), |own| vec![own])
}

/// Whether it can be repeated and tried dry: a change that is no session of the caller's.
pub(super) fn is_repeatable(rpc: &Rpc) -> bool {
    !rpc.method.reads && !SESSIONS.contains(&rpc.descriptor.name())
}

/// What was judged.
#[derive(Clone, Debug, Default)]
pub(super) struct Covered {
    /// The RPCs, each with the service at which it was called.
    pub(super) rpcs: BTreeSet<(String, String)>,
    /// The places at which something else was named.
    pub(super) places: BTreeSet<String>,
}

/// What of the contract is neither covered nor excepted, and which exceptions are about nothing.
pub(super) fn gaps(rpcs: &[Rpc], covered: &Covered, exceptions: &[Exception]) -> Vec<String> {
    let mut gaps = Vec::new();
    let mut listed: BTreeMap<&str, usize> = exceptions.iter().map(|exception| (exception.place, 0)).collect();
    for rpc in rpcs {
        for service in homes(rpc) {
            if !covered.rpcs.contains(&(service.to_owned(), name(rpc))) {
                gaps.push(format!("{} has no fixture at {service}", name(rpc)));
            }
        }
        for place in Place::all(&rpc.descriptor.input()).iter().map(ToString::to_string) {
            let is_covered = covered.places.contains(&place);
            if let Some(found) = listed.get_mut(place.as_str()) {
                *found += 1;
            } else if !is_covered {
                gaps.push(format!("{place} is named by no fixture"));
                continue;
            }
            if !is_covered {
                gaps.push(format!("{place} is excepted, and no fixture names it"));
            }
        }
    }
    let stale = listed.into_iter().filter(|(_, found)| *found == 0);
    gaps.extend(stale.map(|(place, _)| format!("{place} is excepted and does not exist")));
    gaps
}
