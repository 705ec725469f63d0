//! Who is calling.

use std::collections::BTreeSet;
use std::net::IpAddr;

use base::Timestamp;
use uuid::Uuid;

use crate::token::{Claims, OnBehalfOf, PrincipalKind};

/// The one who calls, as far as it was proven.
#[derive(Clone, Debug)]
pub enum Caller {
    /// Nobody in particular: a public method.
    Anonymous {
        /// Where the call comes from.
        source: IpAddr,
    },
    /// A user or workload with a valid access token.
    Principal(Principal),
    /// Another service with a valid service token.
    Peer(String),
}

/// A user or workload, as its token describes it.
#[derive(Clone, Debug)]
pub struct Principal {
    /// The user or workload.
    pub id: Uuid,
    /// Which of the two.
    pub kind: PrincipalKind,
    /// Its organization.
    pub organization_id: Uuid,
    /// That organization's kind, in the words of the contract without prefix, such as `PARTNER`.
    pub organization_kind: String,
    /// That organization's cloud, such as `GLOBAL`.
    pub cloud: String,
    /// What it may do, in the words of the contract without prefix, such as `GLOBAL_ADMIN`.
    pub roles: BTreeSet<String>,
    /// Compared with the principal's floor.
    pub auth_version: i64,
    /// When it proved who it is.
    pub auth_time: Timestamp,
    /// The session of a user.
    pub session_id: Option<Uuid>,
    /// It has yet to replace a temporary password.
    pub must_change_password: bool,
    /// The user for whom a workload acts.
    pub on_behalf_of: Option<OnBehalfOf>,
}

impl From<Claims> for Principal {
    fn from(claims: Claims) -> Self {
        Self {
            id: claims.subject,
            kind: claims.kind,
            organization_id: claims.organization,
            organization_kind: claims.organization_kind,
            cloud: claims.cloud,
            roles: claims.roles.into_iter().collect(),
            auth_version: claims.auth_version,
            auth_time: claims.auth_time,
            session_id: claims.session,
            must_change_password: claims.must_change_password,
            on_behalf_of: claims.on_behalf_of,
        }
    }
}

impl Caller {
    /// `user`, `workload`, `service` or `anonymous`, as the journal writes it.
    pub fn kind_word(&self) -> &'static str {
        match self {
            Self::Anonymous { .. } => "anonymous",
            Self::Principal(principal) if principal.kind == PrincipalKind::Workload => "workload",
            Self::Principal(_) => "user",
            Self::Peer(_) => "service",
        }
    }

    /// The principal, when there is one.
    pub fn principal(&self) -> Option<&Principal> {
        match self {
            Self::Principal(principal) => Some(principal),
            Self::Anonymous { .. } | Self::Peer(_) => None,
        }
    }
}
