//! What partner tells and asks about accesses.

use base::{Fault, Id, Timestamp};
use saga::intent::{self, Intent};
use service::{Cx, Operation};
use uuid::Uuid;

use super::{Access, Pair, Told, store};
use crate::organization::Organization;
use crate::policy::{Permission, Target};
use crate::user::User;
use crate::{Identity, user};

/// Takes over facts of partner.
#[derive(Debug)]
pub struct ApplyPartnerFacts(pub(super) Vec<Told>);

impl Operation for ApplyPartnerFacts {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.IdentityInternalService/ApplyPartnerFacts";
    const PERMISSION: Permission = Permission::Peer;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<(), Fault> {
        let now = cx.now();
        for told in &self.0 {
            match told {
                Told::Access(access, decision) => apply(cx, access, *decision).await?,
                Told::Partner(standing) => store::put_partner(&mut cx.tx, standing, now).await?,
                Told::Partnership(standing) => store::put_partnership(&mut cx.tx, standing, now).await?,
            }
        }
        Ok(())
    }
}

/// Writes an access down. The decision that brought it about, if one did, has no intent left afterwards.
pub(super) async fn apply(cx: &mut Cx<Identity>, access: &Access, decision: Option<Uuid>) -> Result<(), Fault> {
    let now = cx.now();
    store::put(&mut cx.tx, access, now).await?;
    match decision {
        Some(decision) => {
            let intent = Intent { about: access.pair.about(), epoch: access.epoch };
            intent::settle(&mut cx.tx, decision, &[intent], now).await
        }
        None => Ok(()),
    }
}

/// Writes the intents of a decision that is about to be made, and tells whose hands the way in of the user who asks for it
/// went through.
#[derive(Debug)]
pub struct PrepareAccess {
    pub(super) decision: Uuid,
    pub(super) intents: Vec<Intent>,
    pub(super) user: Option<Id<User>>,
}

/// Who made a user or last reset their password, and when.
#[derive(Debug)]
pub struct CredentialSet {
    pub(super) by: Id<Organization>,
    pub(super) time: Timestamp,
}

impl Operation for PrepareAccess {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.IdentityInternalService/PrepareAccess";
    const PERMISSION: Permission = Permission::Peer;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<Option<CredentialSet>, Fault> {
        check(cx, &self.intents).await?;
        let now = cx.now();
        intent::prepare(&mut cx.tx, self.decision, &self.intents, now).await?;
        let Some(user) = self.user else { return Ok(None) };
        let user = user::store::get(&mut cx.tx, user).await?;
        Ok(user.and_then(|user| Some(CredentialSet { by: user.credential_set_by?, time: user.credential_set_time })))
    }
}

/// Refuses intents that what is confirmed has overtaken.
async fn check(cx: &mut Cx<Identity>, intents: &[Intent]) -> Result<(), Fault> {
    for intent in intents {
        let confirmed = store::get(&mut cx.tx, Pair::of(intent)).await?;
        intent.check(confirmed.map(|access| access.epoch))?;
    }
    Ok(())
}

/// Tells what [`PrepareAccess`] would refuse.
#[derive(Debug)]
pub struct CheckAccess(pub(super) Vec<Intent>);

impl Operation for CheckAccess {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.IdentityInternalService/CheckAccess";
    const PERMISSION: Permission = Permission::Peer;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<(), Fault> {
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
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.IdentityInternalService/CancelAccess";
    const PERMISSION: Permission = Permission::Peer;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<(), Fault> {
        let now = cx.now();
        intent::cancel(&mut cx.tx, self.decision, &self.intents, now).await
    }
}
