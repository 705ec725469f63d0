//! What can be asked of partnerships.

mod answer;
mod list;

use std::time::Duration;

use base::{Fault, Id, Timestamp};
use proto::partner::v1 as pb;
use service::{Cx, Fact, Operation, Progress};
use uuid::Uuid;

pub use answer::{AcceptPartnership, DeclinePartnership, PreviewPartnership, Previewed};
pub use list::{ListIndirectProviders, ListIndirectResellers, ListSharedCustomers, Side};

use super::{OPEN_MAX, Partnership, State, not_active, store};
use crate::customer::access::{self, Change};
use crate::customer::{changed_meanwhile, check_attestation};
use crate::email::Email;
use crate::link::{self, Purpose};
use crate::organization::{self, Cloud, Organization};
use crate::policy::{Permission, Target};
use crate::{Partner, account, clients, invitation};

/// A partnership with the names of its two sides.
#[derive(Clone, Debug)]
pub struct Named {
    pub(super) partnership: Partnership,
    pub(super) provider_name: String,
    pub(super) reseller_name: String,
    pub(super) now: Timestamp,
}

/// The mail that invites.
#[derive(Clone, Debug)]
pub struct Draft {
    pub(crate) subject: String,
    pub(crate) body: String,
    pub(crate) link: String,
}

/// A partnership and the mail, for those who may send it.
#[derive(Clone, Debug)]
pub struct WithDraft {
    pub(super) named: Named,
    pub(super) draft: Option<Draft>,
}

async fn name_of(cx: &mut Cx<Partner>, id: Id<Organization>) -> Result<String, Fault> {
    Ok(organization::store::get(&mut cx.tx, id).await?.map(|found| found.name).unwrap_or_default())
}

/// The names of the two sides. A reseller who has not accepted stays without: the provider may not even know it.
pub(super) async fn named(cx: &mut Cx<Partner>, partnership: Partnership) -> Result<Named, Fault> {
    let reseller_name = match partnership.reseller.filter(|_| partnership.has_begun()) {
        Some(reseller) => name_of(cx, reseller).await?,
        None => String::new(),
    };
    let provider_name = name_of(cx, partnership.provider).await?;
    Ok(Named { partnership, provider_name, reseller_name, now: cx.now() })
}

fn draft(cx: &Cx<Partner>, partnership: &Partnership, provider: &str) -> Draft {
    let token = link::token(&cx.host().keys, Purpose::Partnership, partnership.id.uuid(), 1);
    let link = cx.service().links.link(Purpose::Partnership, &token);
    Draft {
        subject: format!("{provider} asks to be your indirect provider"),
        body: format!(
            "{provider} would like to work with you as your indirect provider. To authorize {provider}, open this link \
             and sign in:\n\n{link}\n\nThe link ties your account to {provider}'s account."
        ),
        link,
    }
}

/// The partnership as it is now, as its provider or reseller sees it.
async fn reread(cx: &mut Cx<Partner>, id: Id<Partnership>) -> Result<Named, Fault> {
    let partnership = store::get(&mut cx.tx, id).await?.ok_or_else(|| unknown(id))?;
    named(cx, partnership).await
}

fn unknown(id: Id<Partnership>) -> Fault {
    Fault::not_found("partnership", id)
}

/// The partnership, held for a change, if it is as the caller saw it. Policy has seen to it that the caller takes part.
async fn to_change(cx: &mut Cx<Partner>, id: Id<Partnership>, version: Option<i64>) -> Result<Partnership, Fault> {
    let partnership = store::lock(&mut cx.tx, id).await?.ok_or_else(|| unknown(id))?;
    match version {
        Some(version) if version != partnership.version => Err(changed_meanwhile("partnership")),
        _ => Ok(partnership),
    }
}

/// Tells the other services how the two stand to each other now.
async fn tell(
    cx: &mut Cx<Partner>,
    provider: Id<Organization>,
    reseller: Id<Organization>,
    epoch: i64,
    (active, provider_admin_access): (bool, bool),
) {
    let standing = pb::PartnershipStanding {
        provider_id: provider.to_string(),
        reseller_id: reseller.to_string(),
        active,
        provider_admin_access,
    };
    let fact = pb::PartnerFact { version: epoch, fact: Some(pb::partner_fact::Fact::Partnership(standing)) };
    for service in clients::PEERS {
        cx.tell(service, provider.uuid(), epoch, &fact);
    }
}

/// Begins a partnership.
#[derive(Debug)]
pub struct InviteReseller {
    pub(super) recipient_email: Email,
    pub(super) reseller: Option<Id<Organization>>,
    pub(super) life: Duration,
}

impl Operation for InviteReseller {
    type Service = Partner;
    const METHOD: &'static str = "/tandem.partner.v1.PartnershipService/InviteReseller";
    const PERMISSION: Permission = Permission::InviteReseller;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::OwnOrganization
    }

    async fn run(&self, cx: &mut Cx<Partner>, (): &()) -> Result<WithDraft, Fault> {
        let own: Id<Organization> = cx.organization()?;
        let gone = || Fault::internal(format!("the account of {own} is gone"));
        account::store::get(&mut cx.tx, own).await?.ok_or_else(gone)?.check_active()?;
        let provider = organization::store::get(&mut cx.tx, own).await?.ok_or_else(gone)?;
        if provider.cloud == Cloud::UsGovernment {
            return Err(not_in_cloud());
        }
        if let Some(reseller) = self.reseller
            && store::active(&mut cx.tx, own, reseller).await?.is_some()
        {
            return Err(exists());
        }
        let now = cx.now();
        if store::count_open(&mut cx.tx, own, now).await? >= OPEN_MAX {
            return Err(Fault::precondition("LIMIT_EXCEEDED", "too many invitations of resellers are open")
                .with("limit", "open_partnership_invitations_max"));
        }
        let partnership = Partnership {
            id: cx.new_id(),
            provider: own,
            reseller: self.reseller,
            state: State::Invited,
            provider_admin_access: false,
            recipient_email: self.recipient_email.as_str().to_owned(),
            expire_time: now + self.life,
            accept_time: None,
            version: 1,
            create_time: now,
        };
        let draft = draft(cx, &partnership, &provider.name);
        let token = link::token(&cx.host().keys, Purpose::Partnership, partnership.id.uuid(), 1);
        cx.made(draft.link.clone());
        cx.made(draft.body.clone());
        store::insert(&mut cx.tx, &partnership, link::digest(token.expose())).await?;
        cx.seal_reply(partnership.id.uuid());
        cx.record(
            Fact::new("ResellerInvited")
                .about("partnership", partnership.id.uuid())
                .change("state", "", State::Invited.as_str())
                .personal(partnership.id.uuid(), "recipient_email", "", &partnership.recipient_email),
        );
        Ok(WithDraft { named: named(cx, partnership).await?, draft: Some(draft) })
    }
}

fn exists() -> Fault {
    Fault::already_exists("PARTNERSHIP_EXISTS", "the two are partners already")
}

/// The refusal for what the government's cloud does not have.
pub(crate) fn not_in_cloud() -> Fault {
    Fault::precondition("NOT_AVAILABLE_IN_CLOUD", "the government's cloud has no indirect model and no invitations")
}

/// Takes an invitation back.
#[derive(Debug)]
pub struct CancelPartnershipInvitation {
    pub(super) id: Id<Partnership>,
    pub(super) version: Option<i64>,
}

impl Operation for CancelPartnershipInvitation {
    type Service = Partner;
    const METHOD: &'static str = "/tandem.partner.v1.PartnershipService/CancelPartnershipInvitation";
    const PERMISSION: Permission = Permission::InviteReseller;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Partnership(self.id)
    }

    async fn run(&self, cx: &mut Cx<Partner>, (): &()) -> Result<Named, Fault> {
        let partnership = to_change(cx, self.id, self.version).await?;
        if partnership.state != State::Invited {
            let message = format!("the partnership is {} already", partnership.state.as_str());
            return Err(
                Fault::precondition("PARTNERSHIP_NOT_INVITED", message).with("state", partnership.state.as_str())
            );
        }
        let now = cx.now();
        if !store::end(&mut cx.tx, &partnership, State::Canceled, None, now).await? {
            return Err(changed_meanwhile("partnership"));
        }
        cx.erase_sealed_replies(self.id.uuid()).await?;
        cx.record(Fact::new("ResellerInvitationCanceled").about("partnership", self.id.uuid()).change(
            "state",
            State::Invited.as_str(),
            State::Canceled.as_str(),
        ));
        reread(cx, self.id).await
    }
}

/// Shows one partnership.
#[derive(Debug)]
pub struct GetPartnership {
    pub(super) id: Id<Partnership>,
}

impl Operation for GetPartnership {
    type Service = Partner;
    const METHOD: &'static str = "/tandem.partner.v1.PartnershipService/GetPartnership";
    const PERMISSION: Permission = Permission::ReadPartnerships;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Partnership(self.id)
    }

    async fn run(&self, cx: &mut Cx<Partner>, (): &()) -> Result<WithDraft, Fault> {
        let named = reread(cx, self.id).await?;
        let partnership = &named.partnership;
        let own: Id<Organization> = cx.organization()?;
        let may_send = partnership.provider == own && crate::policy::may(cx, Permission::InviteReseller)?;
        let is_shown = may_send && partnership.is_open(cx.now());
        let draft = is_shown.then(|| draft(cx, partnership, &named.provider_name));
        Ok(WithDraft { named, draft })
    }
}

/// Withdraws the provider's access to the reseller's organization.
#[derive(Debug)]
pub struct RevokeProviderAdminAccess {
    pub(super) id: Id<Partnership>,
    pub(super) version: Option<i64>,
}

impl Operation for RevokeProviderAdminAccess {
    type Service = Partner;
    const METHOD: &'static str = "/tandem.partner.v1.PartnershipService/RevokeProviderAdminAccess";
    const PERMISSION: Permission = Permission::RevokeProviderAdminAccess;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Partnership(self.id)
    }

    async fn run(&self, cx: &mut Cx<Partner>, (): &()) -> Result<Named, Fault> {
        let partnership = to_change(cx, self.id, self.version).await?;
        let reseller = active_reseller(&partnership)?;
        if !partnership.provider_admin_access {
            return named(cx, partnership).await;
        }
        let now = cx.now();
        if !store::revoke_access(&mut cx.tx, &partnership, now).await? {
            return Err(changed_meanwhile("partnership"));
        }
        let (first, second) = (partnership.provider.uuid(), reseller.uuid());
        let epoch = access::next_epoch(&mut cx.tx, first, second, Change::Takes).await?;
        tell(cx, partnership.provider, reseller, epoch, (true, false)).await;
        cx.answer_after_delivery();
        cx.record(Fact::new("ProviderAdminAccessRevoked").about("partnership", self.id.uuid()).change(
            "provider_admin_access",
            true,
            false,
        ));
        reread(cx, self.id).await
    }
}

fn active_reseller(partnership: &Partnership) -> Result<Id<Organization>, Fault> {
    partnership.reseller.filter(|_| partnership.state == State::Active).ok_or_else(not_active)
}

/// Ends a partnership.
#[derive(Debug)]
pub struct RemovePartnership {
    pub(super) id: Id<Partnership>,
    pub(super) is_attested: bool,
    pub(super) version: Option<i64>,
}

/// How far the end of a partnership has come.
#[derive(Debug)]
pub struct Removed {
    pub(super) named: Named,
    pub(super) is_everywhere: bool,
}

impl Operation for RemovePartnership {
    type Service = Partner;
    const METHOD: &'static str = "/tandem.partner.v1.PartnershipService/RemovePartnership";
    const PERMISSION: Permission = Permission::RemovePartnership;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Partnership(self.id)
    }

    async fn run(&self, cx: &mut Cx<Partner>, (): &()) -> Result<Removed, Fault> {
        let partnership = to_change(cx, self.id, self.version).await?;
        check_attestation(self.is_attested)?;
        let reseller = active_reseller(&partnership)?;
        let (now, by) = (cx.now(), cx.principal()?.id);
        if !store::end(&mut cx.tx, &partnership, State::Removed, Some(by), now).await? {
            return Err(changed_meanwhile("partnership"));
        }
        invitation::ops::invalidate_joint(cx, partnership.provider, reseller).await?;
        let removal: Id<Self> = cx.new_id();
        cx.deliver_as(removal.uuid());
        let (first, second) = (partnership.provider.uuid(), reseller.uuid());
        let epoch = access::next_epoch(&mut cx.tx, first, second, Change::Takes).await?;
        tell(cx, partnership.provider, reseller, epoch, (false, false)).await;
        cx.continue_with(removal.uuid());
        cx.record(
            Fact::new("PartnershipRemoved")
                .about("partnership", self.id.uuid())
                .change("state", State::Active.as_str(), State::Removed.as_str())
                .change("attestation_accepted", "", true),
        );
        Ok(Removed { named: reread(cx, self.id).await?, is_everywhere: false })
    }

    async fn resume(&self, cx: &mut Cx<Partner>, removal: Uuid) -> Result<Progress<Removed>, Fault> {
        let is_everywhere = cx.is_delivered(removal).await?;
        let named = reread(cx, self.id).await?;
        Ok(Progress::of(is_everywhere, Removed { named, is_everywhere }))
    }
}
