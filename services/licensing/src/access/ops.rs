//! What partner asks before and instead of a decision.

use base::{Fault, Id};
use saga::intent::{self, Intent};
use service::{Cx, Operation};
use uuid::Uuid;

use super::store;
use crate::Licensing;
use crate::policy::{Permission, Target};

/// Writes the intents of a decision that is about to be made.
///
/// **Invariant:** what is told of a decision converges in every order and number
/// (`every_order_of_prepare_cancel_and_settle_converges`).
#[derive(Debug)]
pub struct PrepareAccess {
    pub(super) decision: Uuid,
    pub(super) intents: Vec<Intent>,
}

impl Operation for PrepareAccess {
    type Service = Licensing;
    const METHOD: &'static str = "/tandem.licensing.v1.LicensingInternalService/PrepareAccess";
    const PERMISSION: Permission = Permission::Peer;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    async fn run(&self, cx: &mut Cx<Licensing>, (): &()) -> Result<(), Fault> {
        check(cx, &self.intents).await?;
        let now = cx.now();
        intent::prepare(&mut cx.tx, self.decision, &self.intents, now).await
    }
}

/// Refuses intents that what is confirmed has overtaken.
async fn check(cx: &mut Cx<Licensing>, intents: &[Intent]) -> Result<(), Fault> {
    for intent in intents {
        let (customer, partner) = intent.about;
        let confirmed = store::get(&mut cx.tx, Id::from_uuid(customer), Id::from_uuid(partner)).await?;
        intent.check(confirmed.map(|access| access.epoch))?;
    }
    Ok(())
}

/// Tells what [`PrepareAccess`] would refuse.
#[derive(Debug)]
pub struct CheckAccess(pub(super) Vec<Intent>);

impl Operation for CheckAccess {
    type Service = Licensing;
    const METHOD: &'static str = "/tandem.licensing.v1.LicensingInternalService/CheckAccess";
    const PERMISSION: Permission = Permission::Peer;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    async fn run(&self, cx: &mut Cx<Licensing>, (): &()) -> Result<(), Fault> {
        check(cx, &self.0).await
    }
}

/// Takes the intents of a decision back.
#[derive(Debug)]
pub struct CancelAccess {
    pub(super) decision: Uuid,
    pub(super) intents: Vec<Intent>,
}

impl Operation for CancelAccess {
    type Service = Licensing;
    const METHOD: &'static str = "/tandem.licensing.v1.LicensingInternalService/CancelAccess";
    const PERMISSION: Permission = Permission::Peer;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    async fn run(&self, cx: &mut Cx<Licensing>, (): &()) -> Result<(), Fault> {
        let now = cx.now();
        intent::cancel(&mut cx.tx, self.decision, &self.intents, now).await
    }
}
