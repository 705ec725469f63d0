//! Looking at invitations, and at how an acceptance goes.

use base::{Fault, Id, Page, Seek};
use saga::Done;
use service::page_token::{self, Tokens};
use service::{Cx, Operation, Watch};

use super::super::{Invitation, store};
use super::{Named, draft, reread};
use crate::Partner;
use crate::organization::Organization;
use crate::partnership::ops::Draft;
use crate::policy::{self, Permission, Target};

/// How an acceptance goes.
#[derive(Clone, Debug)]
pub struct Progressed {
    pub(in crate::invitation) state: saga::State,
    pub(in crate::invitation) steps: Vec<Done>,
    pub(in crate::invitation) refusal: String,
    pub(in crate::invitation) is_delivered: bool,
}

/// An invitation as those see it who may.
#[derive(Clone, Debug)]
pub struct Shown {
    pub(in crate::invitation) named: Named,
    pub(in crate::invitation) draft: Option<Draft>,
    pub(in crate::invitation) acceptance: Option<Progressed>,
}

async fn show(cx: &mut Cx<Partner>, id: Id<Invitation>) -> Result<Shown, Fault> {
    let named = reread(cx, id).await?;
    let own: Id<Organization> = cx.organization()?;
    let is_inviter = named.invitation.partner == own && policy::may(cx, Permission::ManageInvitations)?;
    let is_shown = is_inviter && named.invitation.is_open(cx.now());
    let draft = is_shown.then(|| draft(cx, &named.invitation));
    let acceptance = match named.invitation.acceptance {
        Some(acceptance) => progress(cx, acceptance).await?,
        None => None,
    };
    Ok(Shown { named, draft, acceptance })
}

async fn progress(cx: &mut Cx<Partner>, acceptance: uuid::Uuid) -> Result<Option<Progressed>, Fault> {
    let Some(saga) = saga::get(&mut cx.tx, acceptance).await? else { return Ok(None) };
    let steps = saga::steps(&mut cx.tx, acceptance).await?;
    let is_decided = matches!(saga.state, saga::State::Committed | saga::State::Settled);
    let is_delivered = is_decided && cx.is_delivered(acceptance).await?;
    let refusal = saga.refusal().map(|refusal| refusal.reason().to_owned()).unwrap_or_default();
    Ok(Some(Progressed { state: saga.state, steps, refusal, is_delivered }))
}

/// Shows one invitation.
#[derive(Debug)]
pub struct GetInvitation {
    pub(in crate::invitation) id: Id<Invitation>,
}

impl Operation for GetInvitation {
    type Service = Partner;
    const METHOD: &'static str = "/tandem.partner.v1.InvitationService/GetInvitation";
    const PERMISSION: Permission = Permission::ReadInvitations;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::NamingInvitation(self.id)
    }

    async fn run(&self, cx: &mut Cx<Partner>, (): &()) -> Result<Shown, Fault> {
        show(cx, self.id).await
    }
}

/// Shows one invitation after every change.
#[derive(Debug)]
pub struct WatchInvitation {
    pub(in crate::invitation) id: Id<Invitation>,
}

impl Operation for WatchInvitation {
    type Service = Partner;
    const METHOD: &'static str = "/tandem.partner.v1.InvitationService/WatchInvitation";
    const PERMISSION: Permission = Permission::ReadInvitations;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::NamingInvitation(self.id)
    }

    async fn run(&self, cx: &mut Cx<Partner>, (): &()) -> Result<Shown, Fault> {
        show(cx, self.id).await
    }
}

impl Watch for WatchInvitation {
    /// Nothing follows when the invitation is over, and its acceptance has arrived everywhere.
    fn is_last(shown: &Shown) -> bool {
        let is_open = shown.named.invitation.is_accepting || shown.named.invitation.is_open(shown.named.now);
        let arrives = shown.acceptance.as_ref().is_some_and(|acceptance| {
            matches!(acceptance.state, saga::State::Committed | saga::State::Settled) && !acceptance.is_delivered
        });
        !is_open && !arrives
    }
}

/// Lists invitations, the newest first.
#[derive(Debug)]
pub struct ListInvitations {
    pub(in crate::invitation) page_size: usize,
    pub(in crate::invitation) page_token: String,
    pub(in crate::invitation) start: Seek,
}

impl Operation for ListInvitations {
    type Service = Partner;
    const METHOD: &'static str = "/tandem.partner.v1.InvitationService/ListInvitations";
    const PERMISSION: Permission = Permission::ReadInvitations;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::OwnOrganization
    }

    async fn run(&self, cx: &mut Cx<Partner>, (): &()) -> Result<(Page<Named>, Tokens), Fault> {
        let scope = cx.page_scope("");
        let seek = page_token::seek(&cx.host().keys, &scope, &self.page_token, self.start.clone())?;
        let own = cx.organization()?;
        let page = store::list(&mut cx.tx, own, &seek, self.page_size).await?;
        let tokens = Tokens::of(&cx.host().keys, &scope, &page);
        let now = cx.now();
        let rows = page.rows.into_iter().map(|entry| Named::of(entry, now)).collect();
        Ok((Page { rows, next: page.next, previous: page.previous }, tokens))
    }
}
