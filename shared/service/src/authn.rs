//! Who is calling (step 2), and how much they may ask (step 3).
//!
//! An access token is good on the public listeners only, a service token on the internal ones only, each verified
//! against keys of its own. It refuses to say what was wrong with a token.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use base::Fault;
use tokio::time::Instant;
use tonic::Request;
use tonic::transport::server::TcpConnectInfo;
use tracing::Instrument as _;

use crate::caller::Caller;
use crate::contract::Method;
use crate::deadline::in_time;
use crate::executor::Host;
use crate::key_store;
use crate::keyset::Rejected;
use crate::operation::Service;
use crate::token::Claims;

impl<S: Service> Host<S> {
    pub(crate) async fn authenticate<T>(
        self: &Arc<Self>,
        request: &Request<T>,
        method: &Method,
        deadline: Instant,
    ) -> Result<Caller, Fault> {
        if method.public {
            return Ok(Caller::Anonymous { source: source(request) });
        }
        let header = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        let token = header.and_then(bearer).ok_or_else(refused)?;
        if method.is_internal() {
            let caller = self.keys.verify_service_token(token, &self.clock)?;
            if !method.internal_callers.contains(&caller) {
                return Err(
                    Fault::denied("CALLER_NOT_ALLOWED", "another service calls this method").with("service", caller)
                );
            }
            return Ok(Caller::Peer(caller));
        }
        let claims = self.verify(token, deadline).await?;
        if claims.must_change_password && !method.before_password_change {
            return Err(Fault::precondition(
                "PASSWORD_CHANGE_REQUIRED",
                "the temporary password must be replaced first: call ChangePassword, then use the token it answers",
            ));
        }
        Ok(Caller::Principal(claims.into()))
    }

    /// Verifies an access token, with a look at the issuer's keys when it names one that is not known here.
    async fn verify(self: &Arc<Self>, token: &str, deadline: Instant) -> Result<Claims, Fault> {
        let now = self.clock.now();
        let unknown = match self.key_set.verify(token, now) {
            Ok(claims) => return Ok(claims),
            Err(Rejected::Invalid) => return Err(refused()),
            Err(Rejected::UnknownKey) => refused(),
        };
        if self.key_set.may_refetch(now) {
            // In a task of its own: a caller who goes away must not drop the transaction that remembers the keys.
            let host = Arc::clone(self);
            let looked = tokio::spawn(async move { host.refresh_keys().await }.in_current_span());
            let looked = in_time(deadline, looked).await?;
            let looked = looked.map_err(|error| Fault::internal("the look at the keys panicked").because(error))?;
            looked.map_err(|fault| keys_unavailable().because(fault))?;
            return self.key_set.verify(token, now).map_err(|_| refused());
        }
        // Without any key nothing is known of the token, good or bad.
        Err(if self.key_set.is_empty() { keys_unavailable() } else { unknown })
    }

    /// Fetches the key set anew and remembers it, so that a restart without identity can still verify tokens.
    ///
    /// # Errors
    /// When identity does not answer, and the keys in use stay in use; or the database, and the new ones are in use all
    /// the same.
    pub async fn refresh_keys(&self) -> Result<(), Fault> {
        let keys = S::fetch_keys(self).await?;
        self.key_set.replace(keys.clone());
        key_store::remember(&self.db, &keys, self.clock.now()).await
    }

    /// Takes the key set that was fetched last into use.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn recall_keys(&self) -> Result<(), Fault> {
        self.key_set.replace(key_store::recall(&self.db).await?);
        Ok(())
    }

    pub(crate) fn limit(&self, caller: &Caller) -> Result<(), Fault> {
        match caller {
            Caller::Anonymous { .. } => self.limiters.source.take(&caller.counted_as()),
            Caller::Principal(principal) => {
                self.limiters.principal.take(&caller.counted_as())?;
                self.limiters.tenant.take(&principal.organization_id.to_string())
            }
            Caller::Peer(_) => Ok(()),
        }
    }
}

fn refused() -> Fault {
    Fault::unauthenticated("UNAUTHENTICATED", "the call carries no valid token")
}

fn keys_unavailable() -> Fault {
    Fault::unavailable("KEYS_UNAVAILABLE", "the keys that verify tokens could not be fetched yet; try again")
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn source<T>(request: &Request<T>) -> IpAddr {
    let address = request.extensions().get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr);
    address.or_else(|| request.remote_addr()).map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip())
}
