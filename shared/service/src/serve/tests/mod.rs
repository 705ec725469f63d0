//! A small room with every kind of handler behind a real listener, and clients both polite and raw.

mod replies;
mod secured;
mod wire;

use std::convert::Infallible;
use std::future::{Future, pending};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::body::Body;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::tokio_stream::{StreamExt, once};
use tonic::server::{Grpc, NamedService};
use tonic::service::Routes;
use tonic::transport::server::TcpConnectInfo;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest as Note;
use tonic_prost::ProstCodec;
use tonic_types::{ErrorInfo, StatusExt};
use tower::{Service, service_fn};

use super::*;

pub(super) const SOON: Duration = Duration::from_secs(10);
pub(super) const DOMAIN: &str = "test.example";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Entered,
    Dropped,
}

/// Echoes, refuses, panics or never ends, by the name of the method.
#[derive(Clone)]
struct Room {
    seen: UnboundedSender<Seen>,
    release: Arc<Notify>,
}

struct Held(UnboundedSender<Seen>);

impl Drop for Held {
    fn drop(&mut self) {
        let _nobody_listens = self.0.send(Seen::Dropped);
    }
}

impl NamedService for Room {
    const NAME: &'static str = "test.Room";
}

impl Service<Request<Body>> for Room {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let room = self.clone();
        Box::pin(async move { Ok(room.answer(request).await) })
    }
}

impl Room {
    async fn answer(self, request: Request<Body>) -> Response<Body> {
        let mut grpc = Grpc::new(ProstCodec::<Note, Note>::default()).max_decoding_message_size(1024);
        let method = request.uri().path().trim_start_matches("/test.Room/").to_owned();
        match method.as_str() {
            "Echo" => {
                let echo = |note: tonic::Request<Note>| async { Ok(tonic::Response::new(note.into_inner())) };
                grpc.unary(service_fn(echo), request).await
            }
            "Bloat" => {
                let bloat = |_| async { Ok(tonic::Response::new(Note { service: "x".repeat(100) })) };
                grpc.max_encoding_message_size(10).unary(service_fn(bloat), request).await
            }
            "Whence" => {
                let whence = |note: tonic::Request<Note>| async move {
                    let info = note.extensions().get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr);
                    let certificates = note.peer_certs().map_or(0, |certificates| certificates.len());
                    let service = format!("{} {certificates}", info.expect("a remote address"));
                    Ok(tonic::Response::new(Note { service }))
                };
                grpc.unary(service_fn(whence), request).await
            }
            "Fail" => Status::internal("password=hunter2").into_http(),
            "Refuse" => Status::out_of_range("no such shelf").into_http(),
            "Panic" => std::panic::panic_any(format!("password={}", "hunter2")),
            "PanicLater" => {
                let open = |_: tonic::Request<Note>| async {
                    let notes = once(()).map(|()| -> Result<Note, Status> { std::panic::panic_any("a stream panics") });
                    Ok(tonic::Response::new(notes))
                };
                grpc.server_streaming(service_fn(open), request).await
            }
            "Hold" => {
                let _held = Held(self.seen.clone());
                let _nobody_listens = self.seen.send(Seen::Entered);
                pending().await
            }
            "Wait" => {
                let _nobody_listens = self.seen.send(Seen::Entered);
                self.release.notified().await;
                let echo = |note: tonic::Request<Note>| async { Ok(tonic::Response::new(note.into_inner())) };
                grpc.unary(service_fn(echo), request).await
            }
            _ => Status::unimplemented("").into_http(),
        }
    }
}

/// A listener being served.
pub(super) struct Served {
    pub(super) address: SocketAddr,
    pub(super) seen: UnboundedReceiver<Seen>,
    release: Arc<Notify>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), Fault>>,
}

impl Served {
    pub(super) async fn with(change: impl FnOnce(&mut Transport)) -> Self {
        let mut transport = Transport {
            lame_duck: Duration::from_millis(50),
            drain: Duration::from_millis(200),
            ..Transport::default()
        };
        change(&mut transport);
        let listener = Listener::bind(([127, 0, 0, 1], 0).into(), &transport).await.expect("a free port");
        let address = listener.local_address();
        let (reporter, health) = tonic_health::server::health_reporter();
        let (notes, seen) = unbounded_channel();
        let release = Arc::new(Notify::new());
        let routes = Routes::new(Room { seen: notes, release: Arc::clone(&release) }).add_service(health);
        let health = Health { reporter, services: vec![Room::NAME] };
        health.tell(ServingStatus::Serving).await;
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(listener.serve(routes, DOMAIN, Some(health), async move {
            let _stopped_or_forgotten = stopped.await;
        }));
        Self { address, seen, release, stop, task }
    }

    pub(super) fn stop(self) -> JoinHandle<Result<(), Fault>> {
        self.stop.send(()).expect("it still serves");
        self.task
    }

    pub(super) async fn channel(&self) -> Channel {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).expect("a URI");
        endpoint.connect().await.expect("it listens")
    }
}

/// One unary call of any method with any message.
pub(super) async fn call<M>(channel: &Channel, path: &'static str, message: M) -> Result<String, Status>
where
    M: prost::Message + Send + Sync + 'static,
{
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.map_err(|err| Status::unavailable(err.to_string()))?;
    let codec = ProstCodec::<M, Note>::default();
    let reply = grpc.unary(tonic::Request::new(message), PathAndQuery::from_static(path), codec).await?;
    Ok(reply.into_inner().service)
}

pub(super) async fn echo(channel: &Channel) -> Result<String, Status> {
    call(channel, "/test.Room/Echo", Note { service: "hello".to_owned() }).await
}

/// The code and the ErrorInfo of a refusal.
pub(super) async fn refusal<M>(channel: &Channel, path: &'static str, message: M) -> (Code, ErrorInfo)
where
    M: prost::Message + Send + Sync + 'static,
{
    let status = call(channel, path, message).await.expect_err("it is refused");
    let info = status.get_details_error_info().expect("every error has an ErrorInfo");
    assert_eq!(info.domain, DOMAIN);
    (status.code(), info)
}

pub(super) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(SOON, future).await {
        Ok(done) => done,
        Err(_elapsed) => std::panic::panic_any(format!("not within {SOON:?}: {what}")),
    }
}
