//! Who is calling.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use base::{Fault, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::network::network;
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

#[derive(Serialize, Deserialize)]
enum Written {
    Principal(Principal),
    Peer(String),
    Anonymous(IpAddr),
}

/// A user or workload, as its token describes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
    #[serde(with = "micros")]
    pub auth_time: Timestamp,
    /// From when its token does not hold any more.
    #[serde(with = "micros", default = "long_ago")]
    pub token_expire_time: Timestamp,
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
            token_expire_time: claims.expires_at,
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

    /// Who it is to a rate limit: nobody gets more by having many addresses of one network.
    pub(crate) fn counted_as(&self) -> String {
        match self {
            Self::Anonymous { source } => network(*source).to_string(),
            Self::Principal(principal) => principal.id.to_string(),
            Self::Peer(service) => service.clone(),
        }
    }

    /// Writes the caller down, for work that goes on in their name after the call.
    ///
    /// # Errors
    /// Never for what this crate makes.
    pub fn write_down(&self) -> Result<String, Fault> {
        let written = match self {
            Self::Principal(principal) => Written::Principal(principal.clone()),
            Self::Peer(service) => Written::Peer(service.clone()),
            Self::Anonymous { source } => Written::Anonymous(*source),
        };
        serde_json::to_string(&written)
            .map_err(|error| Fault::internal("a caller cannot be written down").because(error))
    }

    /// Reads what [`Caller::write_down`] wrote; what cannot be read is nobody in particular.
    pub fn recall(text: &str) -> Self {
        match serde_json::from_str(text) {
            Ok(Written::Principal(principal)) => Self::Principal(principal),
            Ok(Written::Peer(service)) => Self::Peer(service),
            Ok(Written::Anonymous(source)) => Self::Anonymous { source },
            Err(_) => Self::Anonymous { source: IpAddr::V4(Ipv4Addr::UNSPECIFIED) },
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

/// Of one who was written down before tokens were asked how long they hold.
fn long_ago() -> Timestamp {
    Timestamp::from_micros(0)
}

mod micros {
    use base::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(time.micros())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp::from_micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_of_ipv6_is_one_caller_to_a_rate_limit() {
        let counted = |address: &str| Caller::Anonymous { source: address.parse().expect("an address") }.counted_as();
        assert_eq!(counted("2001:db8::1"), counted("2001:db8::ffff:ffff:ffff:ffff"));
        assert_ne!(counted("2001:db8::1"), counted("2001:db8:0:1::1"));
        assert_ne!(counted("192.0.2.1"), counted("192.0.2.2"));
        assert_eq!(counted("192.0.2.1"), counted("::ffff:192.0.2.1"));
    }
}
