//! What operators and their machines ask over plain HTTP: `/metrics`, `/live`, `/ready`, and nothing else.
//!
//! It owns the process's metrics recorder and promises the same end as the gRPC listeners (trap 2). It tells nothing
//! secret and changes nothing; it belongs on a port that the outside does not reach (S-31).

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use base::Fault;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::serve::door::{self, Limits};

const HEAD_DEADLINE: Duration = Duration::from_secs(5);
const HEAD_BYTES_MAX: usize = 16 * 1024;
const CONNECTIONS_MAX: usize = 64;

/// Seconds; the deadline classes end at 5 and 30.
const DURATION_BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0, 30.0];

/// Starts counting, once per process; every call gives the same recorder's handle.
///
/// # Errors
/// When another recorder was installed first.
pub fn install_metrics() -> Result<PrometheusHandle, Fault> {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = HANDLE.get() {
        return Ok(handle.clone());
    }
    let taken = |err| Fault::internal("the metrics recorder cannot be installed").because(err);
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &DURATION_BUCKETS)
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(taken)?;
    describe_counter!("rpc_requests_total", "Calls that ended, by service, method and code");
    describe_histogram!("rpc_duration_seconds", Unit::Seconds, "From the first header to the last trailer of a call");
    describe_gauge!("connections_open", "Connections inside the caps");
    describe_counter!("connections_refused_total", "Connections closed as they came, by the cap that was reached");
    Ok(HANDLE.get_or_init(|| handle).clone())
}

/// The management listener of a process, bound.
#[derive(Debug)]
pub struct Management {
    listener: TcpListener,
    address: SocketAddr,
}

impl Management {
    /// Takes the address. Port 0 is any free one.
    ///
    /// # Errors
    /// `ADDRESS_UNAVAILABLE`.
    pub async fn bind(address: SocketAddr) -> Result<Self, Fault> {
        let (listener, address) = door::bind(address).await?;
        Ok(Self { listener, address })
    }

    /// The address it was given, with the port that was found.
    pub fn local_address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` resolves and for at most `drain` more. Ready is what `ready` says last.
    pub async fn serve(
        self,
        metrics: PrometheusHandle,
        ready: watch::Receiver<bool>,
        drain: Duration,
        stop: impl Future<Output = ()>,
    ) {
        let limits = Limits { total: CONNECTIONS_MAX, per_address: 0 };
        door::keep(self.listener, limits, stop, drain, move |stream, _peer, leaving| {
            converse(stream, leaving, metrics.clone(), ready.clone())
        })
        .await;
    }
}

async fn converse(
    stream: TcpStream,
    leaving: CancellationToken,
    metrics: PrometheusHandle,
    ready: watch::Receiver<bool>,
) {
    let service = service_fn(|request: Request<Incoming>| {
        let answered = answer(request.method(), request.uri().path(), &metrics, *ready.borrow());
        async move { Ok::<_, Infallible>(answered) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_DEADLINE).max_buf_size(HEAD_BYTES_MAX);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = leaving.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(err) = ended {
        debug!(error = %err, "a management connection ended badly");
    }
}

fn answer(method: &Method, path: &str, metrics: &PrometheusHandle, ready: bool) -> Response<Full<Bytes>> {
    let (status, content_type, text) = match path {
        _ if method != Method::GET && method != Method::HEAD => {
            (StatusCode::METHOD_NOT_ALLOWED, "text/plain", "only GET is answered here\n".to_owned())
        }
        "/metrics" => {
            metrics.run_upkeep();
            (StatusCode::OK, "text/plain; version=0.0.4", metrics.render())
        }
        "/live" => (StatusCode::OK, "text/plain", "live\n".to_owned()),
        "/ready" if ready => (StatusCode::OK, "text/plain", "ready\n".to_owned()),
        "/ready" => (StatusCode::SERVICE_UNAVAILABLE, "text/plain", "not ready\n".to_owned()),
        _ => (StatusCode::NOT_FOUND, "text/plain", "there are /metrics, /live and /ready\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    response.headers_mut().insert(ALLOW, http::HeaderValue::from_static("GET, HEAD"));
    response
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;
    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    async fn get(address: SocketAddr, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut text = String::new();
        stream.read_to_string(&mut text).await.expect("it answers");
        let code = text.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status line");
        (code, text)
    }

    #[tokio::test]
    async fn ready_follows_the_watch_and_live_does_not() {
        let metrics = PrometheusBuilder::new().build_recorder();
        let (ready, watched) = watch::channel(false);
        let management = Management::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
        let address = management.local_address();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(management.serve(metrics.handle(), watched, Duration::from_millis(100), async {
            let _stopped = stopped.await;
        }));
        assert_eq!((get(address, "/ready").await.0, get(address, "/live").await.0), (503, 200));
        ready.send_replace(true);
        assert_eq!(get(address, "/ready").await.0, 200);
        ready.send_replace(false);
        assert_eq!(get(address, "/ready").await.0, 503);
        assert_eq!(get(address, "/other").await.0, 404);

        let _silent = TcpStream::connect(address).await.expect("it listens");
        stop.send(()).expect("it still runs");
        timeout(SOON, served).await.expect("it stops though a connection is silent").expect("it did not panic");
    }

    #[tokio::test]
    async fn metrics_are_text_for_prometheus() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, || metrics::counter!("things_total").increment(3));
        let response = answer(&Method::GET, "/metrics", &handle, true);
        let body = http_body_util::BodyExt::collect(response.into_body()).await.expect("a body").to_bytes();
        assert!(String::from_utf8_lossy(&body).contains("things_total 3"));
        assert_eq!(answer(&Method::POST, "/metrics", &handle, true).status(), StatusCode::METHOD_NOT_ALLOWED);
    }

    #[test]
    fn metrics_are_installed_once_and_every_caller_gets_them() {
        assert!(install_metrics().is_ok());
        assert!(install_metrics().is_ok());
    }
}
