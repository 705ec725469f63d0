//! Calls to another service's internal listener: a lazy channel, a service token for each call, a deadline.

use std::error::Error as _;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base::{Clock, Fault, Kind};
use tonic::metadata::MetadataValue;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use crate::keys::ServiceKeys;

/// The longest one attempt may take. Retries live in the saga runner and the relay alone.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);

/// How a service proves itself to this one, and this one to it, when they are called over TLS.
#[derive(Clone, Debug)]
pub struct PeerTls {
    /// The authorities of the other services' certificates, PEM.
    pub authority: PathBuf,
    /// This service's certificate chain and private key, PEM, for listeners that ask their clients for one.
    pub identity: Option<(PathBuf, PathBuf)>,
}

impl PeerTls {
    /// Reads the files. They are read at the start only: a service that calls with a renewed certificate is restarted.
    fn config(&self) -> Result<ClientTlsConfig, Fault> {
        let read = |path: &PathBuf| {
            fs::read(path).map_err(|error| {
                let message = format!("{} cannot be read", path.display());
                Fault::precondition("CERTIFICATE_UNREADABLE", message).because(error)
            })
        };
        let config = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(&self.authority)?));
        match &self.identity {
            Some((certificate, key)) => Ok(config.identity(Identity::from_pem(read(certificate)?, read(key)?))),
            None => Ok(config),
        }
    }
}

/// Another service, as this one calls it.
#[derive(Clone, Debug)]
pub struct Peer {
    name: &'static str,
    channel: Channel,
    keys: Arc<ServiceKeys>,
    clock: Clock,
}

impl Peer {
    /// A peer at an address such as `http://127.0.0.1:50061`. Nothing is connected before the first call.
    ///
    /// # Errors
    /// `ADDRESS_MALFORMED`, `TLS_AUTHORITY_MISSING` for an `https` address without one, `CERTIFICATE_UNREADABLE`.
    pub fn new(
        name: &'static str,
        address: &str,
        tls: Option<&PeerTls>,
        keys: Arc<ServiceKeys>,
        clock: Clock,
    ) -> Result<Self, Fault> {
        let malformed = || Fault::invalid("ADDRESS_MALFORMED", format!("the address of {name} is not a URL"));
        let endpoint = Endpoint::from_shared(address.to_owned())
            .map_err(|error| malformed().because(error))?
            .connect_timeout(ATTEMPT_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(Duration::from_secs(10))
            .keep_alive_timeout(Duration::from_secs(5))
            .keep_alive_while_idle(true);
        let endpoint = match (address.starts_with("https:"), tls) {
            (false, _) => endpoint,
            (true, Some(tls)) => endpoint.tls_config(tls.config()?).map_err(|error| malformed().because(error))?,
            (true, None) => {
                let message = format!("{name} is called over TLS: TANDEM_TLS_AUTHORITY has to name its authority");
                return Err(Fault::precondition("TLS_AUTHORITY_MISSING", message));
            }
        };
        Ok(Self { name, channel: endpoint.connect_lazy(), keys, clock })
    }

    /// The channel, for a generated client.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// A request with a fresh service token and what is left of the caller's time
    /// ([`Preparation::left`](crate::Preparation::left)), at most [`ATTEMPT_TIMEOUT`].
    pub fn request<M>(&self, message: M, left: Duration) -> Result<Request<M>, Fault> {
        let mut request = Request::new(message);
        request.set_timeout(left.min(ATTEMPT_TIMEOUT));
        let token = format!("Bearer {}", self.keys.issue_service_token(self.name, &self.clock));
        let token = MetadataValue::try_from(token)
            .map_err(|error| Fault::internal("a service token is not metadata").because(error))?;
        request.metadata_mut().insert("authorization", token);
        Ok(request)
    }

    /// What a call means that the peer refused: its own words, when asking again would be answered alike; otherwise as
    /// [`Peer::fault`].
    pub fn refusal(&self, status: Status) -> Fault {
        let kind = match status.code() {
            Code::InvalidArgument => Kind::Invalid,
            Code::NotFound => Kind::NotFound,
            Code::AlreadyExists => Kind::AlreadyExists,
            Code::FailedPrecondition => Kind::Precondition,
            Code::Aborted => Kind::Aborted,
            _ => return self.fault(status),
        };
        match status.get_details_error_info() {
            Some(info) => Fault::recalled(kind, info.reason, status.message().to_owned()),
            None => self.fault(status),
        }
    }

    /// What a failed call means where the peer has nothing to refuse: it is away, whatever it said.
    pub fn fault(&self, status: Status) -> Fault {
        Fault::unavailable("PEER_UNAVAILABLE", format!("the {} service does not answer; try again", self.name))
            .with("service", self.name)
            .because(status)
    }
}

/// Whether a peer refused what it was sent, and not merely when it came or by whom: it said so in words of its own
/// (§6: every refusal has an ErrorInfo), of which [`Peer::refusal`] passes on some and keeps the others as the cause.
pub(crate) fn is_refusal(fault: &Fault) -> bool {
    let Some(status) = fault.source().and_then(|source| source.downcast_ref::<Status>()) else {
        return fault.kind() != Kind::Unavailable;
    };
    let reason = status.get_details_error_info().map(|info| info.reason);
    match (status.code(), reason.as_deref()) {
        (_, None) | (Code::Unimplemented, Some("METHOD_UNKNOWN")) => false,
        (Code::ResourceExhausted, reason) => reason == Some("MESSAGE_TOO_LARGE"),
        (code, _) => !matches!(
            code,
            Code::Unavailable
                | Code::DeadlineExceeded
                | Code::Cancelled
                | Code::Unauthenticated
                | Code::PermissionDenied
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::status;

    fn peer() -> Peer {
        let keys = ServiceKeys::random(&["here"]).remove("here").expect("the keys that were made");
        Peer::new("there", "http://127.0.0.1:1", None, Arc::new(keys), Clock::new()).expect("an address")
    }

    #[tokio::test]
    async fn what_a_peer_says_of_what_it_was_sent_is_a_refusal_and_what_it_says_of_itself_is_none() {
        let answers = [
            (Fault::invalid("MALFORMED", ""), true),
            (Fault::unimplemented("FACT_UNKNOWN", ""), true),
            (Fault::internal("a statement failed"), true),
            (Fault::exhausted("MESSAGE_TOO_LARGE", ""), true),
            (Fault::exhausted("OVERLOADED", ""), false),
            (Fault::unavailable("DATABASE_UNAVAILABLE", ""), false),
            (Fault::unimplemented("METHOD_UNKNOWN", ""), false),
            (Fault::unauthenticated("UNAUTHENTICATED", ""), false),
            (Fault::denied("CALLER_NOT_ALLOWED", ""), false),
            (Fault::deadline(), false),
        ];
        for (answer, expected) in answers {
            let fault = peer().refusal(status("test.example", &answer));
            assert_eq!(is_refusal(&fault), expected, "{answer}");
        }
        assert!(!is_refusal(&peer().refusal(Status::internal("a proxy says so"))), "an answer without ErrorInfo");
        assert!(is_refusal(&Fault::internal("a fact cannot be decoded")), "what could not even be sent");
    }
}
