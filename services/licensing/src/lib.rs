//! Licensing owns products, subscriptions, seats and license assignments.
//!
//! The tour: a request enters at [`api`], is judged by [`policy`], run by its room's `ops` and stored by its room's
//! `store`. What it needs of the other services it holds as projections, which [`projection`] writes. It calls
//! [`clients`] for the key set that verifies access tokens, and nobody to answer a read.

pub mod api;
pub mod clients;
pub mod policy;
pub mod product;
pub mod projection;
pub mod start;

use base::Fault;
use db::Migration;
use service::peer::Peer;
use service::token::Key;
use service::{Cx, Host, NamedLimit, Service};
use uuid::Uuid;

use crate::policy::{Permission, Target};

/// The schema: the shared tables, then licensing's own.
pub fn migrations() -> Vec<Migration> {
    service::MIGRATIONS.to_vec()
}

/// The state of licensing in one process.
#[derive(Debug)]
pub struct Licensing {
    /// Where the key set comes from.
    pub identity: Peer,
}

impl Service for Licensing {
    const NAME: &'static str = "licensing";
    const DOMAIN: &'static str = "tandem.licensing";
    const LIMITS: &'static [NamedLimit] = &[];
    const READ_JOURNAL: Permission = Permission::ReadJournal;
    const READ_LIMITS: Permission = Permission::SignedIn;
    type Permission = Permission;
    type Target = Target;
    type Unresolved = std::convert::Infallible;

    fn own_organization() -> Target {
        Target::OwnOrganization
    }

    fn journal_scope(cx: &Cx<Self>) -> Result<Option<Uuid>, Fault> {
        let principal = cx.principal()?;
        Ok((!principal.roles.contains("OPERATOR")).then_some(principal.organization_id))
    }

    async fn authorize(cx: &mut Cx<Self>, permission: Permission, _: &Target) -> Result<(), Fault> {
        policy::authorize(cx, permission)
    }

    async fn resolve(_: &service::Preparation<'_, Self>, _: Vec<Self::Unresolved>) -> Result<(), Fault> {
        Ok(())
    }

    async fn fetch_keys(host: &Host<Self>) -> Result<Vec<Key>, Fault> {
        clients::fetch_keys(&host.service.identity).await
    }
}
