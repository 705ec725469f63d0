//! A server that keeps the order in which calls reach it, behind a disturbed channel or a disturbing proxy.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::{net::TcpListener, sync::Notify};
use tonic::{
    Code, Status,
    transport::{Channel, Endpoint, Server, server::TcpIncoming},
};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_client::HealthClient,
    health_server::{Health, HealthServer},
};

use super::*;

/// The names that the server was asked for, in order.
#[derive(Clone, Default)]
struct Log {
    names: Arc<Mutex<Vec<String>>>,
    gate: Arc<Notify>,
}

impl Log {
    fn names(&self) -> Vec<String> {
        self.names.lock().unwrap().clone()
    }
}

/// Answers a name with the number of times it was asked for; `missing` with NOT_FOUND; `gate` when the gate is opened.
#[tonic::async_trait]
impl Health for Log {
    async fn check(
        &self,
        request: tonic::Request<HealthCheckRequest>,
    ) -> Result<tonic::Response<HealthCheckResponse>, Status> {
        let note = request.metadata().get("note").cloned();
        let name = request.into_inner().service;
        let status = {
            let mut names = self.names.lock().unwrap();
            names.push(name.clone());
            names.iter().filter(|other| **other == name).count()
        };
        match name.as_str() {
            "missing" => return Err(Status::not_found("nobody of that name")),
            "gate" => self.gate.notified().await,
            _ => {}
        }
        let mut response = tonic::Response::new(HealthCheckResponse { status: i32::try_from(status).unwrap() });
        if let Some(note) = note {
            response.metadata_mut().insert("note", note);
        }
        Ok(response)
    }

    type WatchStream = tonic::codegen::tokio_stream::Empty<Result<HealthCheckResponse, Status>>;

    async fn watch(&self, _: tonic::Request<HealthCheckRequest>) -> Result<tonic::Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("calls only"))
    }
}

async fn server() -> (SocketAddr, Log) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let log = Log::default();
    let service = HealthServer::new(log.clone());
    tokio::spawn(Server::builder().add_service(service).serve_with_incoming(TcpIncoming::from(listener)));
    (address, log)
}

fn channel(address: SocketAddr) -> Channel {
    Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy()
}

/// A client of the server whose calls meet the lines of a script.
async fn scripted(fates: impl IntoIterator<Item = Fate>) -> (HealthClient<Disturbed<Channel>>, Chaos, Log) {
    let (address, log) = server().await;
    let chaos = Chaos::new(Policy::scripted(fates.into_iter().map(|fate| ("", fate))));
    (HealthClient::new(chaos.layer(channel(address))), chaos, log)
}

/// The same by way of a proxy.
async fn proxied(fates: impl IntoIterator<Item = Fate>) -> (HealthClient<Channel>, GrpcProxy, Log) {
    let (address, log) = server().await;
    let proxy = GrpcProxy::start(address, Policy::scripted(fates.into_iter().map(|fate| ("", fate))));
    (HealthClient::new(channel(proxy.address())), proxy, log)
}

/// How many times the server had been asked for the name, this time included.
async fn ask<T>(client: &HealthClient<T>, name: &str) -> Result<i32, Status>
where
    T: tonic::client::GrpcService<Body> + Clone,
    T::ResponseBody: HttpBody<Data = Bytes> + Send + 'static,
    <T::ResponseBody as HttpBody>::Error: Into<StdError> + Send,
    T::Error: Into<StdError>,
{
    let request = HealthCheckRequest { service: name.into() };
    Ok(client.clone().check(request).await?.into_inner().status)
}

#[tokio::test]
async fn a_doubled_call_reaches_the_server_twice_and_answers_once() {
    let (client, chaos, log) = scripted([Fate::Twice(Answer::First), Fate::Twice(Answer::Second)]).await;
    assert_eq!(ask(&client, "a").await.unwrap(), 1);
    assert_eq!(ask(&client, "b").await.unwrap(), 2);
    assert_eq!(ask(&client, "c").await.unwrap(), 1, "what is beyond the script passes");
    assert_eq!(log.names(), ["a", "a", "b", "b", "c"]);
    assert_eq!(chaos.tally(), Tally { calls: 3, twice: 2, ..Tally::default() });
}

#[tokio::test]
async fn two_copies_are_under_way_together() {
    let (client, chaos, log) = scripted([Fate::AtOnce]).await;
    let caller = tokio::spawn(async move { ask(&client, "gate").await });
    // Neither copy is answered before the gate opens, so a second one that waited for the first would never come.
    while log.names().len() < 2 {
        tokio::task::yield_now().await;
    }
    log.gate.notify_one();
    caller.await.unwrap().unwrap();
    log.gate.notify_one();
    chaos.settle().await;
    assert_eq!(log.names(), ["gate", "gate"]);
}

#[tokio::test]
async fn a_held_call_is_overtaken_by_as_many_as_it_was_told() {
    let (client, chaos, log) = scripted([Fate::Hold(2)]).await;
    let (a, b, c) = tokio::join!(ask(&client, "a"), ask(&client, "b"), ask(&client, "c"));
    assert!([a, b, c].into_iter().all(|status| status.unwrap() == 1));
    let names = log.names();
    assert_eq!(names[2], "a", "{names:?}");
    assert_eq!(chaos.tally(), Tally { calls: 3, overtaken: 1, ..Tally::default() });
}

#[tokio::test]
async fn a_held_call_that_nobody_overtakes_goes_on_by_itself() {
    let (address, log) = server().await;
    let patience = Duration::from_millis(20);
    let chaos = Chaos::new(Policy { patience, ..Policy::scripted([("Check", Fate::Hold(1))]) });
    ask(&HealthClient::new(chaos.layer(channel(address))), "a").await.unwrap();
    assert_eq!(log.names(), ["a"]);
    assert_eq!(chaos.tally(), Tally { calls: 1, impatient: 1, ..Tally::default() });
}

#[tokio::test]
async fn a_call_repeated_late_comes_again_after_the_others() {
    let (client, chaos, log) = scripted([Fate::Repeat(2)]).await;
    for name in ["a", "b", "c"] {
        ask(&client, name).await.unwrap();
    }
    // The patience is far longer than the test, so that this proves that two answers let the copy go.
    while chaos.tally().repeated == 0 {
        tokio::task::yield_now().await;
    }
    chaos.settle().await;
    assert_eq!(log.names(), ["a", "b", "c", "a"]);
}

#[tokio::test]
async fn settling_lets_everything_go_that_still_waits() {
    let (client, chaos, log) = scripted([Fate::Repeat(9), Fate::Hold(9)]).await;
    ask(&client, "a").await.unwrap();
    let held = tokio::spawn(async move { ask(&client, "b").await });
    chaos.arrived(2).await;
    timeout(Duration::from_secs(10), chaos.settle()).await.expect("settling does not wait for patience to end");
    held.await.unwrap().unwrap();
    let mut names = log.names();
    names.sort();
    assert_eq!(names, ["a", "a", "b"]);
}

#[tokio::test]
async fn a_held_call_arrives_though_its_caller_has_given_up() {
    let (client, proxy, log) = proxied([Fate::Hold(1)]).await;
    let impatient = tokio::spawn({
        let client = client.clone();
        async move { ask(&client, "prepare").await }
    });
    proxy.chaos().arrived(1).await;
    impatient.abort();
    ask(&client, "cancel").await.unwrap();
    proxy.chaos().settle().await;
    assert_eq!(log.names(), ["cancel", "prepare"]);
}

#[tokio::test]
async fn the_proxy_delivers_twice_and_answers_once() {
    let (client, proxy, log) = proxied([Fate::Twice(Answer::Second)]).await;
    assert_eq!(ask(&client, "a").await.unwrap(), 2);
    assert_eq!(log.names(), ["a", "a"]);
    assert_eq!(proxy.chaos().tally().twice, 1);
}

#[tokio::test]
async fn the_proxy_reorders_calls_of_one_connection() {
    let (client, proxy, log) = proxied([Fate::Hold(1)]).await;
    let first = tokio::spawn({
        let client = client.clone();
        async move { ask(&client, "a").await }
    });
    proxy.chaos().arrived(1).await;
    ask(&client, "b").await.unwrap();
    first.await.unwrap().unwrap();
    assert_eq!(log.names(), ["b", "a"]);
}

#[tokio::test]
async fn headers_and_refusals_pass_through_the_proxy() {
    let (client, _proxy, _log) = proxied([Fate::Twice(Answer::First), Fate::Twice(Answer::Second)]).await;
    let mut request = tonic::Request::new(HealthCheckRequest { service: "a".into() });
    request.metadata_mut().insert("note", "kept".parse().unwrap());
    let response = client.clone().check(request).await.unwrap();
    assert_eq!(response.metadata().get("note").unwrap(), "kept");

    let refusal = ask(&client, "missing").await.unwrap_err();
    assert_eq!((refusal.code(), refusal.message()), (Code::NotFound, "nobody of that name"));
}

#[tokio::test]
async fn an_upstream_that_is_away_is_unavailable() {
    let nobody = crate::harness::port::ReservedPort::reserve();
    let proxy = GrpcProxy::start(nobody.address(), Policy::scripted([]));
    let refusal = ask(&HealthClient::new(channel(proxy.address())), "a").await.unwrap_err();
    assert_eq!(refusal.code(), Code::Unavailable);
}

#[tokio::test]
async fn answers_to_earlier_calls_do_not_count() {
    let (client, chaos, log) = scripted([Fate::Pass, Fate::Hold(1)]).await;
    let ask_apart = |name: &'static str| {
        let client = client.clone();
        tokio::spawn(async move { ask(&client, name).await })
    };
    let gate = ask_apart("gate");
    chaos.arrived(1).await;
    let held = ask_apart("held");
    chaos.arrived(2).await;
    log.gate.notify_one();
    gate.await.unwrap().unwrap();
    for name in ["later", "latest"] {
        ask(&client, name).await.unwrap();
    }
    held.await.unwrap().unwrap();
    let names = log.names();
    let position = |name: &str| names.iter().position(|other| other == name);
    assert!(position("held") > position("later"), "{names:?}");
}

#[tokio::test]
async fn a_random_policy_meets_every_fate_and_loses_no_call() {
    let (address, log) = server().await;
    let patience = Duration::from_secs(30);
    let chaos = Chaos::new(Policy { patience, late: patience, ..Policy::random(seed()) });
    let client = HealthClient::new(chaos.layer(channel(address)));
    let names: Vec<String> = (0..400).map(|number| format!("call {number}")).collect();
    let mut calls = tokio::task::JoinSet::new();
    for name in names.clone() {
        let client = client.clone();
        calls.spawn(async move { ask(&client, &name).await.unwrap() });
    }
    chaos.arrived(400).await;
    // Others have to overtake the last ones, and are held in turn now and then.
    let mut overtakers = tokio::task::JoinSet::new();
    while !calls.is_empty() {
        let client = client.clone();
        overtakers.spawn(async move { ask(&client, "overtaker").await.unwrap() });
        tokio::task::yield_now().await;
        while let Some(call) = calls.try_join_next() {
            call.unwrap();
        }
    }
    chaos.settle().await;
    overtakers.join_all().await;
    let tally = chaos.tally();
    let met = [tally.twice, tally.at_once, tally.overtaken, tally.repeated];
    assert!(met.iter().all(|count| *count > 0), "{tally:?}");
    let delivered = log.names();
    assert!(names.iter().all(|name| delivered.contains(name)));
    let copies = tally.calls + tally.twice + tally.at_once + tally.repeated;
    assert!(delivered.len() as u64 >= copies, "{} of {tally:?}", delivered.len());
}
