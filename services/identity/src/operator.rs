//! The vendor's own staff: the first operator, and a new secret for an operator who lost theirs.
//!
//! Nobody can call this over the network: whoever starts the program or holds the database may.

use std::collections::BTreeSet;

use base::{Fault, Id, Secret};
use db::Tx;
use service::Host;
use service::keys::temporary_secret;

use crate::Identity;
use crate::country::Country;
use crate::names::{DomainPrefix, LocalName, SignInName};
use crate::organization::{self, Cloud, Kind, Organization, State};
use crate::password::temporary_digest;
use crate::user::{self, Credential, Role, User};

/// An operator's way in, shown once.
#[derive(Debug)]
pub struct WayIn {
    /// What the operator signs in with.
    pub sign_in_name: String,
    /// The temporary password.
    pub secret: Secret<String>,
}

/// Makes the platform organization and its first operator, unless they are there.
pub async fn ensure_first(host: &Host<Identity>) -> Result<Option<WayIn>, Fault> {
    let mut tx = host.db.write().await?;
    if organization::store::platform(&mut tx).await?.is_some() {
        tx.rollback().await;
        return Ok(None);
    }
    let malformed = |(_, message): (&'static str, String)| Fault::internal(message);
    let domain = DomainPrefix::parse("platform").and_then(|prefix| prefix.under(&host.service.domain_suffix));
    let domain = domain.map_err(malformed)?;
    let sign_in_name = SignInName::compose(&LocalName::parse("operator").map_err(malformed)?, &domain);
    let now = host.clock.now();
    let platform = Organization {
        id: Id::random(),
        kind: Kind::Platform,
        name: "Platform".to_owned(),
        country: Country::parse("US").map_err(malformed)?,
        cloud: Cloud::Global,
        state: State::Active,
        domains: vec![domain],
        create_time: now,
        version: 1,
    };
    let (secret, credential) = new_secret(host);
    let operator = User {
        id: Id::random(),
        organization: platform.id,
        sign_in_name: sign_in_name.text().to_owned(),
        sign_in_key: sign_in_name.key().to_owned(),
        display_name: "First operator".to_owned(),
        state: user::State::Active,
        roles: BTreeSet::from([Role::Operator]),
        credential,
        credential_set_by: None,
        credential_set_time: now,
        auth_version: 1,
        version: 1,
        create_time: now,
    };
    let made =
        organization::store::insert(&mut tx, &platform).await? && user::store::insert(&mut tx, &operator).await?;
    if !made {
        tx.rollback().await;
        return Err(Fault::already_exists("DOMAIN_TAKEN", "the platform's domain belongs to another organization"));
    }
    tx.commit().await?;
    Ok(Some(WayIn { sign_in_name: operator.sign_in_name, secret }))
}

/// Gives the first operator a new temporary password. The old one and every session are void at once here.
pub async fn reset(host: &Host<Identity>) -> Result<WayIn, Fault> {
    let mut tx = host.db.write().await?;
    let way_in = reset_in(host, &mut tx).await?;
    tx.commit().await?;
    Ok(way_in)
}

async fn reset_in(host: &Host<Identity>, tx: &mut Tx) -> Result<WayIn, Fault> {
    let none = || Fault::precondition("NO_OPERATOR", "there is no operator yet: start the service once");
    let platform = organization::store::platform(tx).await?.ok_or_else(none)?;
    let id = user::store::any_with_role(tx, platform, Role::Operator).await?.ok_or_else(none)?;
    let operator = user::store::get(tx, id).await?.ok_or_else(none)?;
    let (secret, credential) = new_secret(host);
    if !user::store::set_credential(tx, &operator, &credential, None, host.clock.now()).await? {
        return Err(Fault::aborted("CONTENTION", "the operator was changed meanwhile; try again"));
    }
    crate::session::store::end_all(tx, id).await?;
    service::floor::raise(tx, id.uuid(), operator.auth_version + 1).await?;
    Ok(WayIn { sign_in_name: operator.sign_in_name, secret })
}

fn new_secret(host: &Host<Identity>) -> (Secret<String>, Credential) {
    let secret = temporary_secret();
    let digest = temporary_digest(&host.keys, secret.expose());
    (secret, Credential::temporary(digest, host.clock.now()))
}
