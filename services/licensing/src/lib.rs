//! Licensing owns products, subscriptions, seats and license assignments.
//!
//! The tour: a request enters at [`api`], is judged by [`policy`], run by its room's `ops` and stored by its room's
//! `store`. Its own rooms are [`product`], [`product_rules`], [`offer`], [`subscription`],
//! [`entitlement`] and [`license`]. What it needs of the other services it holds as copies, in the rooms [`organization`], [`user`],
//! [`partner`] and [`access`], which [`projection`] fills. It calls [`clients`] for the key set that verifies access
//! tokens, for the first sight of what it was not told yet, for decisions that are on their way, to tell identity what
//! somebody held who was deleted, and to tell partner of subscriptions.

pub mod access;
pub mod api;
pub mod clients;
pub mod entitlement;
pub mod license;
pub mod offer;
pub mod organization;
pub mod partner;
pub mod policy;
pub mod product;
pub mod product_rules;
pub mod projection;
pub mod purchase_permission;
pub mod start;
pub mod subscription;
pub mod user;

use base::Fault;
use db::Migration;
use service::peer::Peer;
use service::token::Key;
use service::{Cx, Host, NamedLimit, Preparation, Service, reply};
use uuid::Uuid;

use crate::policy::{Permission, Target};
use crate::projection::Unresolved;

/// The schema: the shared tables, then licensing's own.
pub fn migrations() -> Vec<Migration> {
    let own = Migration { version: 1000, name: "licensing", sql: include_str!("../migrations/1000_licensing.sql") };
    service::MIGRATIONS.iter().chain(saga::INTENT_MIGRATIONS).copied().chain([own]).collect()
}

/// The state of licensing in one process.
#[derive(Debug)]
pub struct Licensing {
    /// Where the key set comes from, and the first sight of organizations and users.
    pub identity: Peer,
    /// Who makes decisions.
    pub partner: Peer,
}

impl Service for Licensing {
    const NAME: &'static str = "licensing";
    const DOMAIN: &'static str = "tandem.licensing";
    const LIMITS: &'static [NamedLimit] = &[
        NamedLimit { name: "quantity_max", value: offer::QUANTITY_MAX, description: "seats of one order line" },
        NamedLimit {
            name: "license_users_max",
            value: license::USERS_MAX as i64,
            description: "users of one change of licenses",
        },
        NamedLimit {
            name: "license_products_max",
            value: license::PRODUCTS_MAX as i64,
            description: "products of one change of licenses, to give and to take",
        },
        NamedLimit {
            name: "license_pairs_max",
            value: license::PAIRS_MAX as i64,
            description: "pairs of a user and a product in one change of licenses",
        },
        NamedLimit {
            name: "license_selection_max",
            value: license::SELECTION_MAX as i64,
            description: "users of one summary of licenses",
        },
        NamedLimit {
            name: "license_reply_bytes_max",
            value: reply::BYTES_MAX as i64,
            description: "bytes of an answer; of what does not fit, details are left out or the next page tells",
        },
        NamedLimit {
            name: "entitlement_sources_max",
            value: entitlement::SOURCES_MAX as i64,
            description: "subscriptions that are told of one entitlement",
        },
        NamedLimit {
            name: "product_dependencies_max",
            value: product_rules::DEPENDENCIES_MAX as i64,
            description: "service plans of a product that need another one",
        },
        NamedLimit {
            name: "dependency_service_plans_max",
            value: product_rules::ALTERNATIVES_MAX as i64,
            description: "service plans of which one is needed",
        },
        NamedLimit {
            name: "product_exclusions_max",
            value: product_rules::EXCLUSIONS_MAX as i64,
            description: "pairs of service plans of a product that exclude each other",
        },
        NamedLimit {
            name: "product_locations_max",
            value: product_rules::LOCATIONS_MAX as i64,
            description: "locations in which a product can be used, or cannot",
        },
        NamedLimit {
            name: "order_lines_max",
            value: subscription::LINES_MAX as i64,
            description: "lines of one order",
        },
        NamedLimit {
            name: "offer_countries_max",
            value: offer::COUNTRIES_MAX as i64,
            description: "countries of an offer that is not sold everywhere",
        },
        NamedLimit {
            name: "offer_parents_max",
            value: offer::PARENTS_MAX as i64,
            description: "offers that one add-on adds to",
        },
        NamedLimit {
            name: "offer_limit_max",
            value: offer::LIMIT_MAX,
            description: "subscriptions of a customer that the limit of an offer can allow",
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
        policy::authorize(cx, permission, target).await?;
        subscription::sweep::check_settled(cx, target).await
    }

    async fn resolve(preparation: &Preparation<'_, Self>, unresolved: Vec<Unresolved>) -> Result<(), Fault> {
        projection::ops::resolve(preparation, unresolved).await
    }

    async fn fetch_keys(host: &Host<Self>) -> Result<Vec<Key>, Fault> {
        clients::fetch_keys(&host.service.identity).await
    }
}
