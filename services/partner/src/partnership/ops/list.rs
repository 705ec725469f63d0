//! Both sides' lists.

use base::{Fault, Id, Page, Seek};
use service::page_token::{self, Tokens};
use service::{Cx, Operation};

use super::super::store::Entry;
use super::super::{Partnership, State, not_active, store};
use super::unknown;
use crate::organization::Organization;
use crate::policy::{Permission, Target};
use crate::{Partner, customer};

/// Which page of which list.
#[derive(Clone, Debug)]
pub struct Side {
    pub(in crate::partnership) name_prefix: String,
    pub(in crate::partnership) page_size: usize,
    pub(in crate::partnership) page_token: String,
    pub(in crate::partnership) start: Seek,
}

impl Side {
    async fn page(&self, cx: &mut Cx<Partner>) -> Result<(Page<Entry>, Tokens), Fault> {
        let scope = cx.page_scope(&self.name_prefix);
        let seek = page_token::seek(&cx.host().keys, &scope, &self.page_token, self.start.clone())?;
        let own = cx.organization()?;
        let page = store::others(&mut cx.tx, own, &self.name_prefix, &seek, self.page_size).await?;
        let tokens = Tokens::of(&cx.host().keys, &scope, &page);
        Ok((page, tokens))
    }
}

/// Lists a reseller's providers.
#[derive(Debug)]
pub struct ListIndirectProviders(pub(in crate::partnership) Side);

impl Operation for ListIndirectProviders {
    type Service = Partner;
    const METHOD: &'static str = "/tandem.partner.v1.PartnershipService/ListIndirectProviders";
    const PERMISSION: Permission = Permission::ReadProviders;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::OwnOrganization
    }

    async fn run(&self, cx: &mut Cx<Partner>, (): &()) -> Result<(Page<Entry>, Tokens), Fault> {
        self.0.page(cx).await
    }
}

/// Lists a provider's resellers.
#[derive(Debug)]
pub struct ListIndirectResellers(pub(in crate::partnership) Side);

impl Operation for ListIndirectResellers {
    type Service = Partner;
    const METHOD: &'static str = "/tandem.partner.v1.PartnershipService/ListIndirectResellers";
    const PERMISSION: Permission = Permission::ReadResellers;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::OwnOrganization
    }

    async fn run(&self, cx: &mut Cx<Partner>, (): &()) -> Result<(Page<Entry>, Tokens), Fault> {
        self.0.page(cx).await
    }
}

/// Lists the customers whom both sides serve.
#[derive(Debug)]
pub struct ListSharedCustomers {
    pub(in crate::partnership) id: Id<Partnership>,
    pub(in crate::partnership) page_size: usize,
    pub(in crate::partnership) page_token: String,
    pub(in crate::partnership) start: Seek,
}

impl Operation for ListSharedCustomers {
    type Service = Partner;
    const METHOD: &'static str = "/tandem.partner.v1.PartnershipService/ListSharedCustomers";
    const PERMISSION: Permission = Permission::ReadPartnerships;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Partnership(self.id)
    }

    async fn run(&self, cx: &mut Cx<Partner>, (): &()) -> Result<(Page<(Id<Organization>, String)>, Tokens), Fault> {
        let partnership = store::get(&mut cx.tx, self.id).await?.ok_or_else(|| unknown(self.id))?;
        let reseller = partnership.reseller.filter(|_| partnership.state == State::Active).ok_or_else(not_active)?;
        let scope = cx.page_scope(&self.id.to_string());
        let seek = page_token::seek(&cx.host().keys, &scope, &self.page_token, self.start.clone())?;
        let both = (partnership.provider, reseller);
        let page = customer::store::shared(&mut cx.tx, both, &seek, self.page_size).await?;
        let tokens = Tokens::of(&cx.host().keys, &scope, &page);
        Ok((page, tokens))
    }
}
