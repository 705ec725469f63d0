//! The vendor's own staff: the first operator, and a new secret for an operator who lost theirs.
//!
//! Nobody can call this over the network: whoever starts the program or holds the database may.

use std::collections::BTreeSet;
use std::sync::Arc;

use base::{Fault, Secret};
use db::Tx;
use service::{Cx, Fact, Host, Work};

use crate::Identity;
use crate::country::Country;
use crate::names::{DomainPrefix, LocalName, SignInName};
use crate::organization::{self, Cloud, Kind, Organization, State};
use crate::session;
use crate::user::{self, Role, User};

/// An operator's way in, shown once.
#[derive(Debug)]
pub struct WayIn {
    /// What the operator signs in with.
    pub sign_in_name: String,
    /// The temporary password.
    pub secret: Secret<String>,
}

/// Makes the platform organization and its first operator, unless they are there.
///
/// # Errors
/// `DOMAIN_TAKEN` when another organization has the platform's domain.
pub async fn ensure_first(host: &Arc<Host<Identity>>) -> Result<Option<WayIn>, Fault> {
    host.transact(&EnsureFirst).await
}

/// Gives the first operator a new temporary password. The old one and every session are void at once here, and the
/// other services are told.
///
/// # Errors
/// `NO_OPERATOR` when there is none yet.
pub async fn reset(host: &Arc<Host<Identity>>) -> Result<WayIn, Fault> {
    host.transact(&Reset).await
}

/// What the first operator signs in with, when there is one.
///
/// # Errors
/// When the database does not answer.
pub async fn sign_in_name(host: &Host<Identity>) -> Result<Option<String>, Fault> {
    let mut tx = host.db.snapshot().await?;
    let operator = first(&mut tx).await;
    tx.rollback().await;
    Ok(operator?.map(|operator| operator.sign_in_name))
}

async fn first(tx: &mut Tx) -> Result<Option<User>, Fault> {
    let Some(platform) = organization::store::platform(tx).await? else { return Ok(None) };
    let Some(id) = user::store::any_with_role(tx, platform, Role::Operator).await? else { return Ok(None) };
    user::store::get(tx, id).await
}

struct EnsureFirst;

impl Work for EnsureFirst {
    type Service = Identity;
    type Done = Option<WayIn>;

    async fn run(&self, cx: &mut Cx<Identity>) -> Result<Option<WayIn>, Fault> {
        if organization::store::platform(&mut cx.tx).await?.is_some() {
            return Ok(None);
        }
        let malformed = |(_, message): (&'static str, String)| Fault::internal(message);
        let domain = DomainPrefix::parse("platform").and_then(|prefix| prefix.under(&cx.service().domain_suffix));
        let domain = domain.map_err(malformed)?;
        let sign_in_name = SignInName::compose(&LocalName::parse("operator").map_err(malformed)?, &domain);
        let now = cx.now();
        let platform = Organization {
            id: cx.new_id(),
            kind: Kind::Platform,
            name: "Platform".to_owned(),
            country: Country::parse("US").map_err(malformed)?,
            cloud: Cloud::Global,
            state: State::Active,
            domains: vec![domain],
            create_time: now,
            version: 1,
        };
        let (secret, credential) = user::new_password(cx);
        let operator = User {
            id: cx.new_id(),
            organization: platform.id,
            sign_in_name: sign_in_name.text().to_owned(),
            sign_in_key: sign_in_name.key().to_owned(),
            display_name: "First operator".to_owned(),
            first_name: String::new(),
            last_name: String::new(),
            usage_location: None,
            state: user::State::Active,
            roles: BTreeSet::from([Role::Operator]),
            credential,
            credential_set_by: None,
            credential_set_time: now,
            auth_version: 1,
            version: 1,
            create_time: now,
        };
        let made = organization::store::insert(&mut cx.tx, &platform).await?
            && user::store::insert(&mut cx.tx, &operator).await?;
        if !made {
            return Err(Fault::already_exists("DOMAIN_TAKEN", "the platform's domain belongs to another organization"));
        }
        organization::tell(cx, &platform);
        let organization = platform.id.uuid();
        cx.record(Fact::new("PlatformMade").about("organization", organization).organization(organization));
        cx.record(
            Fact::new("UserCreated")
                .about("user", operator.id.uuid())
                .organization(organization)
                .change("roles", "", Role::Operator.as_str())
                .personal(operator.id.uuid(), "sign_in_name", "", &operator.sign_in_name),
        );
        Ok(Some(WayIn { sign_in_name: operator.sign_in_name, secret }))
    }
}

struct Reset;

impl Work for Reset {
    type Service = Identity;
    type Done = WayIn;

    async fn run(&self, cx: &mut Cx<Identity>) -> Result<WayIn, Fault> {
        let none = || Fault::precondition("NO_OPERATOR", "there is no operator: ask for the first one");
        let operator = first(&mut cx.tx).await?.ok_or_else(none)?;
        let id = operator.id.uuid();
        let (secret, credential) = user::new_password(cx);
        let now = cx.now();
        if !user::store::set_credential(&mut cx.tx, &operator, &credential, None, now).await? {
            return Err(Fault::busy("the operator was changed meanwhile"));
        }
        session::store::end_all(&mut cx.tx, operator.id).await?;
        session::raise_floor(cx, id, operator.auth_version + 1).await?;
        cx.record(Fact::new("PasswordReset").about("user", id).organization(operator.organization.uuid()));
        Ok(WayIn { sign_in_name: operator.sign_in_name, secret })
    }
}
