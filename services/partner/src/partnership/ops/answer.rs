//! The reseller's answer to a provider's invitation.

use base::{Fault, Id, Secret};
use service::{Caller, Cx, Fact, Operation};

use super::super::{Partnership, State, consents, store, unknown_link};
use super::{Named, exists, not_in_cloud, reread, tell};
use crate::customer::access::{self, Change};
use crate::customer::changed_meanwhile;
use crate::link;
use crate::organization::{self, Cloud, Organization};
use crate::policy::{Permission, Target};
use crate::projection::own_organization;
use crate::{Partner, account};

/// Shows who asks for what, to the bearer of the link.
#[derive(Debug)]
pub struct PreviewPartnership {
    pub(in crate::partnership) token: Secret<String>,
}

/// Who asks for what.
#[derive(Debug)]
pub struct Previewed {
    pub(in crate::partnership) provider: Organization,
    pub(in crate::partnership) consents: Vec<String>,
    pub(in crate::partnership) consent_hash: String,
    pub(in crate::partnership) partnership: Partnership,
}

async fn find(cx: &mut Cx<Partner>, token: &Secret<String>) -> Result<(Partnership, Organization), Fault> {
    let found = store::by_link(&mut cx.tx, link::digest(token.expose())).await?;
    let partnership = found.ok_or_else(unknown_link)?;
    let provider = organization::store::get(&mut cx.tx, partnership.provider).await?;
    let provider = provider.ok_or_else(|| Fault::internal("a provider is unknown to its own invitation"))?;
    Ok((partnership, provider))
}

impl Operation for PreviewPartnership {
    type Service = Partner;
    const METHOD: &'static str = "/tandem.partner.v1.PartnershipService/PreviewPartnership";
    const PERMISSION: Permission = Permission::Anyone;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    fn named_target(&self, _: &Caller) -> Option<String> {
        Some(link::name(self.token.expose()))
    }

    async fn run(&self, cx: &mut Cx<Partner>, (): &()) -> Result<Previewed, Fault> {
        let (partnership, provider) = find(cx, &self.token).await?;
        partnership.check_link(cx.now())?;
        let consent_hash = partnership.consent_hash(&cx.host().keys, &provider);
        Ok(Previewed { consents: consents(&provider.name), consent_hash, partnership, provider })
    }
}

/// The invitation that this reseller may answer, held for the answer.
async fn to_answer(cx: &mut Cx<Partner>, token: &Secret<String>) -> Result<(Partnership, Organization), Fault> {
    let (partnership, provider) = find(cx, token).await?;
    let reseller = own_organization(cx).await?;
    if reseller.cloud == Cloud::UsGovernment {
        return Err(not_in_cloud());
    }
    partnership.check_recipient(&provider, &reseller)?;
    Ok((partnership, provider))
}

/// Authorizes the provider.
#[derive(Debug)]
pub struct AcceptPartnership {
    pub(in crate::partnership) token: Secret<String>,
    pub(in crate::partnership) consent: bool,
    pub(in crate::partnership) consent_hash: String,
}

impl Operation for AcceptPartnership {
    type Service = Partner;
    const METHOD: &'static str = "/tandem.partner.v1.PartnershipService/AcceptPartnership";
    const PERMISSION: Permission = Permission::AnswerPartnership;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::OwnOrganization
    }

    async fn run(&self, cx: &mut Cx<Partner>, (): &()) -> Result<Named, Fault> {
        let (partnership, provider) = to_answer(cx, &self.token).await?;
        let own: Id<Organization> = cx.organization()?;
        if partnership.state == State::Active && partnership.reseller == Some(own) {
            return reread(cx, partnership.id).await;
        }
        partnership.check_link(cx.now())?;
        if !self.consent {
            return Err(Fault::precondition("CONSENT_REQUIRED", "tick the box: accepting authorizes the provider"));
        }
        if self.consent_hash != partnership.consent_hash(&cx.host().keys, &provider) {
            let message = "what you saw is not what you would accept now; look at the preview again";
            return Err(Fault::precondition("CONSENT_OUTDATED", message));
        }
        for party in [partnership.provider, own] {
            let account = account::store::get(&mut cx.tx, party).await?;
            account.ok_or_else(|| Fault::internal(format!("the account of {party} is gone")))?.check_active()?;
        }
        // The pair's counter is held from here on, so that two invitations of one pair are accepted one after the other.
        // It is the last thing that anybody holds: the partnership that may be there already is looked at and left alone.
        let epoch = access::next_epoch(&mut cx.tx, provider.id.uuid(), own.uuid(), Change::Gives).await?;
        if store::are_partners(&mut cx.tx, provider.id, own).await? {
            return Err(exists());
        }
        let now = cx.now();
        if !store::accept(&mut cx.tx, &partnership, own, now).await? {
            return Err(changed_meanwhile("partnership"));
        }
        tell(cx, provider.id, own, epoch, (true, true)).await;
        cx.erase_sealed_replies(partnership.id.uuid()).await?;
        cx.record(
            Fact::new("PartnershipAccepted")
                .about("partnership", partnership.id.uuid())
                .change("state", State::Invited.as_str(), State::Active.as_str())
                .change("provider_admin_access", false, true),
        );
        reread(cx, partnership.id).await
    }
}

/// Declines the link for good.
#[derive(Debug)]
pub struct DeclinePartnership {
    pub(in crate::partnership) token: Secret<String>,
}

impl Operation for DeclinePartnership {
    type Service = Partner;
    const METHOD: &'static str = "/tandem.partner.v1.PartnershipService/DeclinePartnership";
    const PERMISSION: Permission = Permission::AnswerPartnership;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::OwnOrganization
    }

    async fn run(&self, cx: &mut Cx<Partner>, (): &()) -> Result<Named, Fault> {
        let (partnership, _) = to_answer(cx, &self.token).await?;
        partnership.check_link(cx.now())?;
        let now = cx.now();
        if !store::end(&mut cx.tx, &partnership, State::Declined, None, now).await? {
            return Err(changed_meanwhile("partnership"));
        }
        cx.erase_sealed_replies(partnership.id.uuid()).await?;
        cx.record(Fact::new("PartnershipDeclined").about("partnership", partnership.id.uuid()).change(
            "state",
            State::Invited.as_str(),
            State::Declined.as_str(),
        ));
        reread(cx, partnership.id).await
    }
}
