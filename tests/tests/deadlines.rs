//! Deadlines: the caller's is kept, and travels to whoever is asked on the way.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails where something is missing")]

use std::sync::atomic::Ordering;
use std::time::Duration;

use base::Clock;
use proto::identity::v1 as pb;
use proto::identity::v1::key_service_client::KeyServiceClient;
use proto::identity::v1::key_service_server::{KeyService, KeyServiceServer};
use proto::identity::v1::workload_service_client::WorkloadServiceClient;
use proto::identity::v1::{GetJwksRequest, GetJwksResponse};
use rstest::rstest;
use service::keys::ServiceKeys;
use service::peer::{ATTEMPT_TIMEOUT, Peer};
use testkit::database::{Database, Kind};
use tests::harness::port::ReservedPort;
use tests::shelf;
use tests::world::{Refused, World, authorized, soon};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Code, Request, Response, Status};

/// A peer that notes the deadline of each call.
struct Notebook(mpsc::UnboundedSender<Option<String>>);

#[tonic::async_trait]
impl KeyService for Notebook {
    async fn get_jwks(&self, request: Request<GetJwksRequest>) -> Result<Response<GetJwksResponse>, Status> {
        let timeout = request.metadata().get("grpc-timeout").map(|value| value.to_str().unwrap().to_owned());
        self.0.send(timeout).unwrap();
        Ok(Response::new(GetJwksResponse { keys: Vec::new() }))
    }
}

/// A peer that is served, how it is called, and the deadlines that reach it.
struct Noted {
    peer: Peer,
    timeouts: mpsc::UnboundedReceiver<Option<String>>,
    _port: ReservedPort,
    _serving: JoinSet<Result<(), tonic::transport::Error>>,
}

impl Noted {
    fn start() -> Self {
        let port = ReservedPort::reserve();
        let (notes, timeouts) = mpsc::unbounded_channel();
        let listener = TcpListenerStream::new(port.listen().unwrap());
        let server = Server::builder().add_service(KeyServiceServer::new(Notebook(notes)));
        let serving = JoinSet::from_iter([server.serve_with_incoming(listener)]);
        let keys = ServiceKeys::random(&["shelves"]).remove("shelves").unwrap();
        let peer =
            Peer::new("licensing", &format!("http://{}", port.address()), None, keys.into(), Clock::new()).unwrap();
        Self { peer, timeouts, _port: port, _serving: serving }
    }

    async fn timeout(&mut self) -> Duration {
        let text = self.timeouts.recv().await.unwrap().expect("the call has a deadline");
        let (digits, unit) = text.split_at(text.len() - 1);
        let number = digits.parse().unwrap();
        match unit {
            "S" => Duration::from_secs(number),
            "m" => Duration::from_millis(number),
            "u" => Duration::from_micros(number),
            "n" => Duration::from_nanos(number),
            _ => panic!("{text}"),
        }
    }
}

#[tokio::test]
async fn a_peer_is_told_what_is_left_and_never_more_than_one_attempt() {
    let mut noted = Noted::start();
    let mut client = KeyServiceClient::new(noted.peer.channel());
    let short = Duration::from_millis(1_500);
    for (left, told) in [(Duration::MAX, ATTEMPT_TIMEOUT), (short, short)] {
        let request = noted.peer.request(GetJwksRequest::default(), left).unwrap();
        client.get_jwks(request).await.unwrap();
        assert_eq!(noted.timeout().await, told);
    }
}

#[tokio::test]
async fn what_is_left_of_a_call_is_what_the_next_service_gets() {
    let mut noted = Noted::start();
    let database = Database::migrated(Kind::Sqlite, &shelf::migrations()).await;
    let db = database.open().await;
    let (host, book) = (shelf::host(db.clone(), 1, Some(noted.peer.clone())), shelf::build(&db).await);
    let mut request = shelf::request(book);
    request.set_timeout(Duration::from_millis(1_000));
    shelf::add(&host, request).await.unwrap();
    let told = noted.timeout().await;
    // One hop costs ten milliseconds, so that our own answer is in time.
    assert!(told > Duration::ZERO && told <= Duration::from_millis(990), "{told:?}");
}

#[rstest]
#[tokio::test]
async fn no_work_begins_in_the_database_after_the_deadline(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let database = Database::migrated(kind, &shelf::migrations()).await;
    let db = database.open().await;
    let (host, book) = (shelf::host(db.clone(), 1, None), shelf::build(&db).await);
    // The first call cannot be prepared before its deadline has passed.
    host.service.may_prepare.forget_permits(usize::MAX);
    let mut request = shelf::request(book);
    request.set_timeout(Duration::from_millis(50));
    let late = shelf::add(&host, request).await;
    assert_eq!(Refused::by(late), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED".to_owned()));
    host.service.may_prepare.add_permits(2);
    // There is one permit, so this call begins when the first has ended.
    assert_eq!(soon("the next call", shelf::add(&host, shelf::request(book))).await.unwrap(), 1);
    assert_eq!(host.service.ran.load(Ordering::Relaxed), 1);
}

#[rstest]
#[case("5x")]
#[case("5")]
#[case("-1S")]
#[case("123456789S")]
#[case("")]
#[tokio::test]
async fn a_deadline_that_cannot_be_read_is_refused(#[case] timeout: &str) {
    let world = World::shared(Kind::Sqlite).await;
    let registered = world.register().await;
    let mut request = authorized(&registered.session.access_token, pb::ListWorkloadsRequest::default());
    request.metadata_mut().insert("grpc-timeout", timeout.parse().unwrap());
    let mut client = WorkloadServiceClient::new(world.to_identity().await);
    let refused = Refused::by(client.list_workloads(request).await);
    assert_eq!((refused.0, refused.1.as_str()), (Code::InvalidArgument, "TIMEOUT_MALFORMED"));
}
