//! Identity owns organizations, users, roles, passwords and sessions, and signs the tokens that every service verifies.
//!
//! The tour: a request enters at [`api`], is parsed by its room's `wire`, judged by [`policy`], run by its room's
//! `ops`, and stored by its room's `store`. The rooms are [`organization`], [`user`], [`partner_user`], [`customer_user`], [`session`],
//! [`workload`] and [`signing_key`]; [`origin`] holds organizations that partner is about to make, [`access`] what partner
//! says of partners and customers. Identity promises that no secret can be read back, that a token dies here with its
//! session, and that the other services learn of every reduction of authority. It calls [`clients`] to tell them, and to
//! ask how a decision ended that a call hangs on.

pub mod access;
pub mod api;
pub mod clients;
pub mod customer_user;
pub mod operator;
pub mod organization;
pub mod origin;
pub mod partner_user;
pub mod password;
pub mod policy;
pub mod session;
pub mod signing_key;
pub mod start;
pub mod user;
pub mod workload;

use std::sync::{Arc, PoisonError, RwLock};

use base::{Fault, Secret};
pub use base::{country, names};
use db::Migration;
use service::peer::Peer;
use service::token::{Claims, Key, Signer};
use service::{Cx, Host, NamedLimit, Preparation, Service};
use uuid::Uuid;

use crate::access::Unresolved;
use crate::names::Domain;
use crate::password::Hasher;
use crate::policy::{Permission, Target};
use crate::user::Role;

/// The schema: the shared tables, those of who takes part in another's decisions, then identity's own.
pub fn migrations() -> Vec<Migration> {
    let own = Migration { version: 1000, name: "identity", sql: include_str!("../migrations/1000_identity.sql") };
    service::MIGRATIONS.iter().chain(saga::INTENT_MIGRATIONS).copied().chain([own]).collect()
}

/// The state of identity in one process.
#[derive(Debug)]
pub struct Identity {
    /// Hashes the passwords that people choose.
    pub hasher: Hasher,
    /// Below it every organization gets its first domain (C35).
    pub domain_suffix: Domain,
    /// The issuer of access tokens.
    pub issuer: String,
    /// Who makes the decisions that a call may hang on.
    pub partner: Peer,
    signer: RwLock<Option<Arc<Signer>>>,
}

impl Identity {
    /// Identity without a signing key yet; [`signing_key::rotate`] gives it one.
    pub fn new(hasher: Hasher, domain_suffix: Domain, issuer: String, partner: Peer) -> Self {
        Self { hasher, domain_suffix, issuer, partner, signer: RwLock::new(None) }
    }

    pub(crate) fn sign_with(&self, signer: Signer) {
        *self.signer.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(signer));
    }

    pub(crate) fn sign(&self, claims: &Claims) -> Result<Secret<String>, Fault> {
        let signer = self.signer.read().unwrap_or_else(PoisonError::into_inner).clone();
        let signer =
            signer.ok_or_else(|| Fault::unavailable("KEYS_UNAVAILABLE", "no key to sign with was loaded yet"))?;
        signer.sign(claims, &self.issuer)
    }
}

impl Service for Identity {
    const NAME: &'static str = "identity";
    const DOMAIN: &'static str = "tandem.identity";
    const LIMITS: &'static [NamedLimit] = &[
        NamedLimit {
            name: "password_code_points_min",
            value: 12,
            description: "code points of a chosen password, after NFKC",
        },
        NamedLimit {
            name: "password_code_points_max",
            value: 256,
            description: "code points of a chosen password, after NFKC",
        },
        NamedLimit {
            name: "temporary_password_hours",
            value: 72,
            description: "hours a temporary password can be used",
        },
        NamedLimit { name: "access_token_seconds_max", value: 600, description: "seconds an access token lives" },
        NamedLimit { name: "organization_name_max", value: 200, description: "characters of an organization's name" },
        NamedLimit {
            name: "organization_domains_max",
            value: organization::DOMAINS_MAX as i64,
            description: "domains of an organization",
        },
        NamedLimit { name: "domain_max", value: names::DOMAIN_MAX as i64, description: "characters of a domain" },
        NamedLimit {
            name: "sign_in_name_local_part_max",
            value: names::LOCAL_PART_MAX as i64,
            description: "characters of a sign-in name before the @",
        },
        NamedLimit { name: "display_name_max", value: 50, description: "characters of a display, first or last name" },
        NamedLimit {
            name: "selected_users_max",
            value: customer_user::SELECTED_MAX as i64,
            description: "users that a list can be narrowed to",
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
        Ok((!principal.roles.contains(Role::Operator.as_str())).then_some(principal.organization_id))
    }

    async fn authorize(cx: &mut Cx<Self>, permission: Permission, target: &Target) -> Result<(), Fault> {
        policy::authorize(cx, permission, target).await
    }

    async fn resolve(preparation: &Preparation<'_, Self>, unresolved: Vec<Unresolved>) -> Result<(), Fault> {
        access::resolve(preparation, unresolved).await
    }

    async fn fetch_keys(host: &Host<Self>) -> Result<Vec<Key>, Fault> {
        let mut tx = host.db.snapshot().await?;
        let keys = signing_key::store::all(&mut tx).await;
        tx.rollback().await;
        Ok(signing_key::verifying(&keys?))
    }
}
