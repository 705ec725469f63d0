//! Whether a customer that registers itself could accept, for identity.

use base::{Fault, Secret};
use service::{Cx, Operation};

use super::super::store;
use super::{party, unknown};
use crate::Partner;
use crate::link;
use crate::organization::Organization;
use crate::partnership::unknown_link;
use crate::policy::{Permission, Target};

/// Looks at a link in the name of a customer that does not exist yet.
#[derive(Debug)]
pub struct CheckInvitationLink {
    pub(in crate::invitation) token: Secret<String>,
}

impl Operation for CheckInvitationLink {
    type Service = Partner;
    const METHOD: &'static str = "/tandem.partner.v1.PartnerInternalService/CheckInvitationLink";
    const PERMISSION: Permission = Permission::Peer;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    /// The partner that invites: the customer has to be in its country and cloud.
    async fn run(&self, cx: &mut Cx<Partner>, (): &()) -> Result<Organization, Fault> {
        let found = store::by_link(&mut cx.tx, link::digest(self.token.expose())).await?;
        let (id, rotation) = found.ok_or_else(unknown_link)?;
        let invitation = store::get(&mut cx.tx, id).await?.ok_or_else(|| unknown(id))?;
        invitation.check_link(rotation, cx.now())?;
        invitation.check_newcomer()?;
        party(cx, invitation.partner).await
    }
}
