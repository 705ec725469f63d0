//! Hostile and half-dead peers, and the end of a listener that has them (traps 2 and 3).

use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic_health::pb::health_check_response::ServingStatus as Told;
use tonic_health::pb::health_client::HealthClient;

use super::*;

const PREFACE_AND_SETTINGS: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

/// A peer that speaks just enough HTTP/2 to be let in, and acknowledges nothing.
async fn raw(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.write_all(PREFACE_AND_SETTINGS).await.expect("it reads");
    stream
}

/// The type and payload of the next frame, or nothing when the connection is closed.
async fn frame(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.ok()?;
    let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
    stream.read_exact(&mut payload).await.ok()?;
    Some((head[3], payload))
}

async fn closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    // A reset is as closed as an end.
    let _read = soon("the connection is closed", stream.read_to_end(&mut rest)).await;
}

#[tokio::test]
async fn a_silent_connection_is_closed_after_the_first_byte_deadline() {
    let served = Served::with(|transport| transport.first_byte_deadline = Duration::from_millis(200)).await;
    let mut silent = TcpStream::connect(served.address).await.expect("it listens");
    let mut slow = TcpStream::connect(served.address).await.expect("it listens");
    slow.write_all(b"PRI * HT").await.expect("it reads");
    closed(&mut silent).await;
    closed(&mut slow).await;
}

#[tokio::test]
async fn a_peer_that_does_not_speak_http_2_is_closed_at_once() {
    let served = Served::with(|transport| transport.first_byte_deadline = 100 * SOON).await;
    let mut old = TcpStream::connect(served.address).await.expect("it listens");
    // As long as the preface, and followed by what would be good HTTP/2.
    old.write_all(b"GET / HTTP/1.1\r\nA: bc\r\n\0\0\0\x04\0\0\0\0\0").await.expect("it reads");
    closed(&mut old).await;
}

#[tokio::test]
async fn the_settings_tell_how_many_streams_and_how_large_headers_may_be() {
    let served = Served::with(|_| {}).await;
    let mut stream = raw(served.address).await;
    let (kind, payload) = soon("the settings", frame(&mut stream)).await.expect("a frame");
    assert_eq!(kind, SETTINGS);
    let told: Vec<(u16, u32)> = payload
        .chunks_exact(6)
        .map(|s| (u16::from_be_bytes([s[0], s[1]]), u32::from_be_bytes([s[2], s[3], s[4], s[5]])))
        .collect();
    assert!(told.contains(&(3, 100)), "SETTINGS_MAX_CONCURRENT_STREAMS in {told:?}");
    assert!(told.contains(&(6, 16 * 1024)), "SETTINGS_MAX_HEADER_LIST_SIZE in {told:?}");
}

#[tokio::test]
async fn an_old_connection_is_asked_to_go() {
    let served = Served::with(|transport| transport.connection_age = Duration::from_millis(100)).await;
    let mut stream = raw(served.address).await;
    let asked = async {
        while let Some((kind, _)) = frame(&mut stream).await {
            if kind == GOAWAY {
                return true;
            }
        }
        false
    };
    assert!(soon("GOAWAY", asked).await);
}

#[tokio::test]
async fn a_peer_that_answers_no_ping_is_closed() {
    let served = Served::with(|transport| {
        transport.keepalive_interval = Duration::from_millis(50);
        transport.keepalive_timeout = Duration::from_millis(50);
    })
    .await;
    closed(&mut raw(served.address).await).await;
}

#[tokio::test]
async fn connections_beyond_the_caps_are_closed_as_they_come() {
    for change in [|t: &mut Transport| t.connections_max = 1, |t: &mut Transport| t.connections_per_address_max = 1] {
        let served = Served::with(|transport| {
            transport.first_byte_deadline = 100 * SOON;
            change(transport);
        })
        .await;
        let mut first = raw(served.address).await;
        assert!(soon("the first is let in", frame(&mut first)).await.is_some());
        let mut second = TcpStream::connect(served.address).await.expect("it listens");
        closed(&mut second).await;
        drop(first);
    }
}

#[tokio::test]
async fn plain_text_is_refused_where_others_can_reach_it() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let address = address.parse().expect("an address");
        let refused = Listener::bind(address, &Transport::default()).await.expect_err("it is refused");
        assert_eq!(refused.reason(), "PLAIN_TEXT_ONLY_ON_LOOPBACK");
    }
}

#[tokio::test]
async fn a_handler_learns_who_is_calling() {
    let served = Served::with(|_| {}).await;
    let whence = call(&served.channel().await, "/test.Room/Whence", Note::default()).await.expect("an answer");
    assert!(whence.starts_with("127.0.0.1:") && whence.ends_with(" 0"), "{whence}");
}

#[tokio::test]
async fn not_serving_is_told_before_the_door_closes() {
    let served = Served::with(|transport| transport.lame_duck = Duration::from_secs(1)).await;
    let channel = served.channel().await;
    let mut watch = HealthClient::new(channel).watch(Note::default()).await.expect("a watch").into_inner();
    let told = watch.message().await.expect("a first word").expect("a first word");
    assert_eq!(told.status(), Told::Serving);
    let address = served.address;
    let task = served.stop();
    let told = soon("NOT_SERVING", watch.message()).await.expect("a second word").expect("a second word");
    assert_eq!(told.status(), Told::NotServing);

    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("a URI");
    let late = endpoint.connect().await.expect("a lame duck still listens");
    echo(&late).await.expect("a lame duck still answers");
    drop((watch, late));
    soon("the end", task).await.expect("no panic").expect("a clean end");
    assert!(TcpStream::connect(address).await.is_err(), "the door is closed");
}

#[tokio::test]
async fn stopping_ends_within_its_bound_whatever_the_peers_do() {
    let mut served = Served::with(|_| {}).await;
    let mut silent = TcpStream::connect(served.address).await.expect("it listens");
    let mut idle = raw(served.address).await;
    let channel = served.channel().await;
    let mut watch = HealthClient::new(channel.clone()).watch(Note::default()).await.expect("a watch").into_inner();
    watch.message().await.expect("a first word");
    let call = tokio::spawn(async move { call(&channel, "/test.Room/Hold", Note::default()).await });
    assert_eq!(soon("the call is under way", served.seen.recv()).await, Some(Seen::Entered));

    let Served { mut seen, stop, task, .. } = served;
    let asked = Instant::now();
    stop.send(()).expect("it still serves");
    soon("the end", task).await.expect("no panic").expect("a clean end");
    // 50 ms of lame duck, 200 ms of drain, and a second for a machine that is busy elsewhere.
    assert!(asked.elapsed() < Duration::from_millis(1250), "{:?}", asked.elapsed());

    closed(&mut silent).await;
    closed(&mut idle).await;
    assert!(soon("the call fails", call).await.expect("no panic").is_err());
    assert_eq!(soon("its handler is dropped", seen.recv()).await, Some(Seen::Dropped));
    let rest = async { while let Ok(Some(_)) = watch.message().await {} };
    soon("the watch ends", rest).await;
}

#[tokio::test]
async fn a_silent_connection_does_not_delay_the_end() {
    let served = Served::with(|transport| {
        transport.first_byte_deadline = 100 * SOON;
        transport.drain = 100 * SOON;
    })
    .await;
    let mut silent = TcpStream::connect(served.address).await.expect("it listens");
    soon("the end", served.stop()).await.expect("no panic").expect("a clean end");
    closed(&mut silent).await;
}

#[tokio::test]
async fn a_call_under_way_finishes_while_the_listener_drains() {
    let served = Served::with(|transport| transport.drain = 100 * SOON).await;
    let address = served.address;
    let channel = served.channel().await;
    let Served { mut seen, release, stop, task, .. } = served;
    let call = tokio::spawn(async move { call(&channel, "/test.Room/Wait", Note::default()).await });
    assert_eq!(soon("the call is under way", seen.recv()).await, Some(Seen::Entered));
    stop.send(()).expect("it still serves");
    let door = async { while TcpStream::connect(address).await.is_ok() {} };
    soon("the door is closed", door).await;
    release.notify_one();
    soon("the answer", call).await.expect("no panic").expect("the call finished");
    soon("the end", task).await.expect("no panic").expect("a clean end");
}
