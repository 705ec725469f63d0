//! Calls to another service's internal listener: a lazy channel, a service token for each call, a deadline.

use std::sync::Arc;
use std::time::Duration;

use base::{Clock, Fault};
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::keys::ServiceKeys;

/// The longest one attempt may take. Retries live in the saga runner and the relay alone.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);

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
    pub fn new(name: &'static str, address: &str, keys: Arc<ServiceKeys>, clock: Clock) -> Result<Self, Fault> {
        let endpoint = Endpoint::from_shared(address.to_owned())
            .map_err(|error| {
                Fault::invalid("ADDRESS_MALFORMED", format!("the address of {name} is not a URL")).because(error)
            })?
            .connect_timeout(ATTEMPT_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(Duration::from_secs(10))
            .keep_alive_timeout(Duration::from_secs(5))
            .keep_alive_while_idle(true);
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

    /// What a failed call means here: the peer is away, whatever it said.
    pub fn fault(&self, status: Status) -> Fault {
        Fault::unavailable("PEER_UNAVAILABLE", format!("the {} service does not answer; try again", self.name))
            .with("service", self.name)
            .because(status)
    }
}
