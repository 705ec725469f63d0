//! Partner owns enrollment, partnerships, invitations, customer relationships and delegated admin.
//!
//! The tour: a request enters at [`api`], is parsed by its room's `wire`, judged by [`policy`], run by its room's `ops`
//! and stored by its room's `store`. The rooms are [`account`], [`partnership`], [`customer`] and [`invitation`];
//! [`organization`] is a copy of identity's and [`subscription`] one of licensing's, which [`projection`] writes. What goes on across the services after a call
//! is a saga, listed in [`flow`]. Partner promises that what a customer authorizes becomes effective in one decision or
//! not at all, and answers how it ended to those who hold an intent of it ([`decision`]). It calls [`clients`] to prepare
//! decisions and to tell facts, and nobody to answer a read.
//!
//! **Lock order.** Whoever holds several rows takes them in this order, so that nobody waits in a circle: the saga, the
//! partnership, the relationship, delegated admin, the invitations by id, and the epochs of pairs last of all. Accounts
//! are held FOR SHARE at any time; whoever changes one holds nothing else. What has to be known later than its turn is
//! looked at without being held.

pub mod account;
pub mod api;
pub mod clients;
pub mod customer;
pub mod decision;
pub mod email;
pub mod flow;
pub mod invitation;
pub mod link;
pub mod opening;
pub mod organization;
pub mod partnership;
pub mod policy;
pub mod projection;
pub mod start;
pub mod subscription;

use base::Fault;
use db::Migration;
use service::peer::Peer;
use service::token::Key;
use service::{Cx, Host, NamedLimit, Preparation, Service};
use uuid::Uuid;

use crate::link::LinkBase;
use crate::policy::{Permission, Target};
use crate::projection::Unresolved;

/// The schema: the shared tables, then partner's own.
pub fn migrations() -> Vec<Migration> {
    let own = Migration { version: 1000, name: "partner", sql: include_str!("../migrations/1000_partner.sql") };
    service::MIGRATIONS.iter().chain(saga::MIGRATIONS).copied().chain([own]).collect()
}

/// The state of partner in one process.
#[derive(Debug)]
pub struct Partner {
    /// Makes organizations, takes part in decisions, and publishes the key set.
    pub identity: Peer,
    /// Takes part in decisions.
    pub licensing: Peer,
    /// What every link begins with.
    pub links: LinkBase,
}

impl Service for Partner {
    const NAME: &'static str = "partner";
    const DOMAIN: &'static str = "tandem.partner";
    const LIMITS: &'static [NamedLimit] = &[
        NamedLimit {
            name: "organization_name_max",
            value: account::wire::NAME_MAX as i64,
            description: "characters of an organization's name",
        },
        NamedLimit {
            name: "link_life_days_max",
            value: link::LIFE_DAYS_MAX as i64,
            description: "days the link of an invitation lives",
        },
        NamedLimit {
            name: "open_invitations_max",
            value: invitation::OPEN_MAX,
            description: "open invitations of customers by one partner",
        },
        NamedLimit {
            name: "open_partnership_invitations_max",
            value: partnership::OPEN_MAX,
            description: "open invitations of resellers by one provider",
        },
        NamedLimit {
            name: "invitation_subject_max",
            value: invitation::SUBJECT_MAX as i64,
            description: "characters of a mail's subject",
        },
        NamedLimit {
            name: "invitation_body_max",
            value: invitation::BODY_MAX as i64,
            description: "characters of a mail's text",
        },
        NamedLimit {
            name: "email_max",
            value: email::EMAIL_MAX as i64,
            description: "characters of an e-mail address",
        },
    ];
    const READ_JOURNAL: Permission = Permission::ReadJournal;
    const READ_LIMITS: Permission = Permission::SignedIn;
    type Permission = Permission;
    type Target = Target;
    type Unresolved = Unresolved;

    fn own_organization() -> Target {
        Target::OwnOrganization
    }

    fn journal_scope(cx: &Cx<Self>) -> Result<Option<Uuid>, Fault> {
        let principal = cx.principal()?;
        Ok((!principal.roles.contains("OPERATOR")).then_some(principal.organization_id))
    }

    async fn authorize(cx: &mut Cx<Self>, permission: Permission, target: &Target) -> Result<(), Fault> {
        policy::authorize(cx, permission, target).await
    }

    async fn resolve(preparation: &Preparation<'_, Self>, unresolved: Vec<Unresolved>) -> Result<(), Fault> {
        projection::resolve(preparation, unresolved).await
    }

    async fn fetch_keys(host: &Host<Self>) -> Result<Vec<Key>, Fault> {
        clients::fetch_keys(&host.service.identity).await
    }
}
