//! A customer's users by what they hold.

use base::{Fault, Id, Page, Seek};
use service::page_token::{self, Tokens};
use service::{Cx, Operation, reply};

use crate::Licensing;
use crate::license::size;
use crate::license::store::listing::{self, Filter};
use crate::license::store::{self, Holdings};
use crate::organization::Organization;
use crate::policy::{Permission, Target};
use crate::user::User;

/// Lists a customer's users by name.
#[derive(Debug)]
pub struct ListLicenseUsers {
    pub(in crate::license) customer: Id<Organization>,
    pub(in crate::license) filter: Filter,
    pub(in crate::license) page_size: usize,
    pub(in crate::license) page_token: String,
    pub(in crate::license) start: Seek,
}

/// One page of them.
#[derive(Debug)]
pub struct LicenseUsers {
    pub(in crate::license) page: Page<User>,
    pub(in crate::license) holdings: Holdings,
    pub(in crate::license) tokens: Tokens,
}

impl Operation for ListLicenseUsers {
    type Service = Licensing;
    const METHOD: &'static str = "/tandem.licensing.v1.LicenseService/ListLicenseUsers";
    const PERMISSION: Permission = Permission::ReadLicenses;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Customer(self.customer)
    }

    async fn run(&self, cx: &mut Cx<Licensing>, (): &()) -> Result<LicenseUsers, Fault> {
        let scope = cx.page_scope(&format!("{}|{:?}", self.customer, self.filter));
        let seek = page_token::seek(&cx.host().keys, &scope, &self.page_token, self.start.clone())?;
        let rows = listing::users(&mut cx.tx, self.customer, &self.filter, &seek, self.page_size).await?;
        let ids: Vec<Id<User>> = rows.iter().take(self.page_size).map(|user| user.id).collect();
        let holdings = store::held(&mut cx.tx, self.customer, &ids).await?;
        // Of users who hold much, fewer make a page.
        let users = rows.iter().take(self.page_size).map(|user| size::user(user, holdings.held_by(user.id)));
        let fitting = reply::fitting(users);
        let page = Page::cut(rows, fitting, &seek, listing::position);
        let tokens = Tokens::of(&cx.host().keys, &scope, &page);
        Ok(LicenseUsers { page, holdings, tokens })
    }
}
