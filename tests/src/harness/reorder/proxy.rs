//! The same disturbance between two processes: a gRPC server that forwards every unary call of any method.

use std::net::SocketAddr;

use http::Response;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    net::TcpListener,
    task::{JoinHandle, JoinSet},
};
use tonic::{
    Status,
    body::Body,
    codegen::StdError,
    transport::{Channel, Endpoint},
};
use tower::{Layer as _, util::MapResult};

use super::{Chaos, Disturbed, Policy};
use crate::harness::port::ReservedPort;

/// A loopback address that leads to a gRPC server by way of [`Chaos`]. Headers, bytes and trailers stay as they are; an
/// upstream that cannot be reached is UNAVAILABLE. Dropping it cuts its callers off.
#[derive(Debug)]
pub struct GrpcProxy {
    address: SocketAddr,
    chaos: Chaos,
    accepting: JoinHandle<()>,
}

impl GrpcProxy {
    /// Starts the proxy on a port of its own. The upstream speaks HTTP/2 in plain text and need not listen yet.
    ///
    /// # Panics
    /// Outside a tokio runtime, or when no port is free.
    #[must_use]
    pub fn start(upstream: SocketAddr, policy: Policy) -> Self {
        let port = ReservedPort::reserve();
        let address = port.address();
        let listener = port.listen().expect("a reserved port can be listened on");
        let upstream = Endpoint::from_shared(format!("http://{upstream}")).expect("an address makes a URL");
        let chaos = Chaos::new(policy);
        let accepting = tokio::spawn(accept(listener, chaos.layer(upstream.connect_lazy())));
        Self { address, chaos, accepting }
    }

    /// Where callers connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What happens to the calls.
    #[must_use]
    pub fn chaos(&self) -> &Chaos {
        &self.chaos
    }
}

impl Drop for GrpcProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Accepts and owns the connections: when this task goes, they go.
async fn accept(listener: TcpListener, upstream: Disturbed<Channel>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                let _ = stream.set_nodelay(true);
                let service = TowerToHyperService::new(MapResult::new(upstream.clone(), answer));
                connections.spawn(async move {
                    let server = auto::Builder::new(TokioExecutor::new()).http2_only();
                    // A connection that breaks is the caller's to notice.
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// A call that got no answer is answered as a broken connection would be by the caller's own channel.
fn answer(outcome: Result<Response<Body>, StdError>) -> Result<Response<Body>, StdError> {
    Ok(outcome.unwrap_or_else(|error| Status::unavailable(error.to_string()).into_http()))
}
