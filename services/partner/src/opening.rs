//! A new organization as part of a decision: identity makes it pending, and confirms it once everything is decided.
//!
//! Only identity keeps the admin's one-time secret; it is shown to the request that began it and to no other.

use std::time::Duration;

use base::{Fault, Secret};
use prost::Message as _;
use proto::identity::v1 as identity;
use serde::{Deserialize, Serialize};
use service::keys::{base64url, from_base64url};
use service::peer::Peer;
use service::{Caller, Cx, Preparation};
use uuid::Uuid;

use crate::organization::{self, NewOrganization, Organization};
use crate::{Partner, clients};

/// The step that every such saga has.
pub const IDENTITY: &str = "identity";

/// What a saga has to remember of the organization that it makes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Opening {
    /// The request for identity, encoded: it names the organization, who makes it and whose the secret is.
    request: String,
}

/// An organization that identity has made.
#[derive(Debug)]
pub struct Opened {
    /// The organization.
    pub organization: Organization,
    /// Its first global admin.
    pub admin: Uuid,
    /// What the admin signs in with.
    pub sign_in_name: String,
}

/// That identity was asked before a dry run. It has a size, so that the caller is found allowed before.
#[derive(Debug, Default)]
pub struct Asked {
    /// It was a dry run.
    pub dry: bool,
}

/// Before a dry run: asks identity what it would refuse. The real call finds out when it is prepared.
///
/// # Errors
/// What identity would refuse, or that it does not answer.
pub async fn ask(preparation: &Preparation<'_, Partner>, new: &NewOrganization) -> Result<Asked, Fault> {
    if preparation.dry {
        let new = organization::wire::write_new(new);
        clients::check_organization(&preparation.host.service.identity, new, preparation.left()).await?;
    }
    Ok(Asked { dry: preparation.dry })
}

impl Opening {
    /// The opening that this call asks for.
    ///
    /// # Errors
    /// When the call carries no request_id, which its wire form demands.
    pub fn new(cx: &Cx<Partner>, origin: Uuid, method: &str, new: &NewOrganization) -> Result<Self, Fault> {
        let principal = cx.principal()?;
        let hash = cx.request_hash().unwrap_or_default();
        let request = identity::PrepareOrganizationRequest {
            origin_id: origin.to_string(),
            organization: Some(organization::wire::write_new(new)),
            maker_organization_id: principal.organization_id.to_string(),
            binding: Some(binding(&principal.id, method, hash)),
        };
        Ok(Self { request: base64url(request.encode_to_vec()) })
    }

    /// Lets identity make it, pending. The answer is for [`opened`].
    ///
    /// # Errors
    /// What identity refuses, or that it does not answer.
    pub async fn prepare(&self, identity: &Peer) -> Result<Vec<u8>, Fault> {
        let broken = || Fault::internal("a saga holds an opening that cannot be read");
        let bytes = from_base64url(&self.request).ok_or_else(broken)?;
        let request = identity::PrepareOrganizationRequest::decode(bytes.as_slice()).map_err(|_| broken())?;
        Ok(clients::prepare_organization(identity, request).await?.encode_to_vec())
    }
}

/// Reads what [`Opening::prepare`] was answered.
///
/// # Errors
/// When the bytes are not such an answer.
pub fn opened(answer: &[u8]) -> Result<Opened, Fault> {
    let broken = || Fault::internal("identity's answer about a new organization cannot be read");
    let answer = identity::PrepareOrganizationResponse::decode(answer).map_err(|_| broken())?;
    Ok(Opened {
        organization: organization::wire::read(answer.version, answer.organization.ok_or_else(broken)?)?,
        admin: answer.admin_user_id.parse().map_err(|_| broken())?,
        sign_in_name: answer.admin_sign_in_name,
    })
}

/// The admin's one-time secret, for the request that began the saga.
///
/// # Errors
/// `CREDENTIALS_ALREADY_DELIVERED`, or that identity does not answer.
pub async fn reveal(
    identity: &Peer,
    origin: Uuid,
    caller: &Caller,
    method: &str,
    request: Option<[u8; 32]>,
    left: Duration,
) -> Result<Secret<String>, Fault> {
    let principal = caller.principal().ok_or_else(|| Fault::internal("a secret is asked for by nobody"))?;
    let binding = binding(&principal.id, method, request.unwrap_or_default());
    clients::reveal_secret(identity, origin, binding, left).await
}

fn binding(principal: &Uuid, method: &str, hash: [u8; 32]) -> identity::SecretBinding {
    identity::SecretBinding {
        principal_id: principal.to_string(),
        method: method.to_owned(),
        request_hash: hash.to_vec(),
    }
}
