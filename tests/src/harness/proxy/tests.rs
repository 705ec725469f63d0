//! The proxy between a client and a server that both speak in whole, known messages.

use std::{io::ErrorKind, net::Ipv4Addr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
    time::Instant,
};

use super::{
    frontend::tests::{message, query, startup},
    *,
};

/// What the fake database answers to a message.
const ANSWER: &[u8] = b"answered";

/// A server that gives back what it gets; the other end hears how each of its connections ended.
async fn echo() -> (SocketAddr, mpsc::UnboundedReceiver<Result<(), ErrorKind>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (ends, ended) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let ends = ends.clone();
            tokio::spawn(async move {
                let (mut source, mut sink) = stream.split();
                let end = tokio::io::copy(&mut source, &mut sink).await;
                let _ = ends.send(end.map(drop).map_err(|error| error.kind()));
            });
        }
    });
    (address, ended)
}

/// A server that reads PostgreSQL messages, tells the other end of each and answers each with [`ANSWER`].
async fn database() -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (seen, sees) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let seen = seen.clone();
            tokio::spawn(async move {
                let mut start = vec![0; startup().len()];
                stream.read_exact(&mut start).await.unwrap();
                while let Ok(kind) = stream.read_u8().await {
                    let length = stream.read_u32().await.unwrap() as usize - 4;
                    let mut body = vec![0; length];
                    stream.read_exact(&mut body).await.unwrap();
                    let _ = stream.write_all(ANSWER).await;
                    let body = String::from_utf8(body).unwrap();
                    let _ = seen.send(format!("{}:{}", char::from(kind), body.trim_end_matches('\0')));
                }
                let _ = seen.send("closed".into());
            });
        }
    });
    (address, sees)
}

struct Client(TcpStream);

impl Client {
    async fn of(proxy: &Proxy) -> Self {
        Self(TcpStream::connect(proxy.address()).await.unwrap())
    }

    /// One that the fake database takes for a client of PostgreSQL.
    async fn of_database(proxy: &Proxy) -> Self {
        let mut client = Self::of(proxy).await;
        client.send(&startup()).await;
        client
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    async fn receive(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).await.unwrap();
        bytes
    }

    async fn ask(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.send(bytes).await;
        self.receive(bytes.len()).await
    }

    async fn run(&mut self, statement: &str) {
        self.send(&query(statement)).await;
        assert_eq!(self.receive(ANSWER.len()).await, ANSWER);
    }

    /// Reads until the connection ends: what came before, and how it ended.
    async fn end(&mut self) -> (Vec<u8>, Result<(), ErrorKind>) {
        let mut bytes = Vec::new();
        let end = self.0.read_to_end(&mut bytes).await;
        (bytes, end.map(drop).map_err(|error| error.kind()))
    }

    /// Whether there is nothing to read, after everything that is under way had its turn many times over.
    async fn hears_nothing(&self) -> bool {
        let (elsewhere, _ended) = echo().await;
        let mut other = Self(TcpStream::connect(elsewhere).await.unwrap());
        for _ in 0..100 {
            other.ask(b"turn").await;
        }
        self.0.try_read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }
}

const RESET: (Vec<u8>, Result<(), ErrorKind>) = (Vec::new(), Err(ErrorKind::ConnectionReset));

#[tokio::test]
async fn bytes_and_half_closes_pass_and_are_counted() {
    let (upstream, mut ended) = echo().await;
    let proxy = Proxy::start(upstream);
    let mut client = Client::of(&proxy).await;
    assert_eq!(client.ask(b"hello").await, b"hello");
    client.send(b" again").await;
    client.0.shutdown().await.unwrap();
    assert_eq!(client.end().await, (b" again".to_vec(), Ok(())), "the answer comes after the half-close");
    assert_eq!(ended.recv().await, Some(Ok(())));
    proxy.idle().await;
    let counters = Counters { connections: 1, live: 0, to_upstream: 11, to_client: 11, triggered: 0 };
    assert_eq!(proxy.counters(), counters);
}

#[tokio::test]
async fn much_more_than_the_buffers_hold_passes_unchanged() {
    let (upstream, _ended) = echo().await;
    let proxy = Proxy::start(upstream);
    let (mut source, mut sink) = Client::of(&proxy).await.0.into_split();
    let bytes: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let sent = bytes.clone();
    let writing = tokio::spawn(async move {
        sink.write_all(&sent).await.unwrap();
        sink.shutdown().await.unwrap();
    });
    let mut received = Vec::new();
    source.read_to_end(&mut received).await.unwrap();
    writing.await.unwrap();
    assert!(received == bytes, "{} of {} bytes came back, or others did", received.len(), bytes.len());
}

#[tokio::test]
async fn a_delay_is_added_in_each_direction() {
    let (upstream, _ended) = echo().await;
    let proxy = Proxy::start(upstream);
    let mut client = Client::of(&proxy).await;
    let (to_upstream, to_client) = (Duration::from_millis(30), Duration::from_millis(50));
    proxy.set(Mode::Delay { to_upstream, to_client }).await;
    let begun = Instant::now();
    client.ask(b"slow").await;
    assert!(begun.elapsed() >= to_upstream + to_client, "it took {:?}", begun.elapsed());

    let to_upstream = Duration::from_secs(3600);
    proxy.set(Mode::Delay { to_upstream, to_client: Duration::ZERO }).await;
    client.send(b"late").await;
    proxy.set(Mode::Pass).await;
    assert_eq!(client.receive(4).await, b"late", "what is under way keeps to the new mode");
}

#[tokio::test]
async fn a_black_hole_swallows_and_answers_nothing_and_the_connections_it_took_from_are_reset() {
    let (upstream, mut ended) = echo().await;
    let proxy = Proxy::start(upstream);
    let (mut speaks, mut silent) = (Client::of(&proxy).await, Client::of(&proxy).await);
    speaks.ask(b"before").await;
    silent.ask(b"before").await;
    let through = proxy.counters();

    proxy.set(Mode::BlackHole).await;
    let mut new = Client::of(&proxy).await;
    // More than a socket buffers, so that the end of the write proves that somebody took it.
    let much = vec![0; 8 * 1024 * 1024];
    speaks.send(&much).await;
    new.send(&much).await;
    assert!(speaks.hears_nothing().await && new.hears_nothing().await);
    assert_eq!(proxy.counters(), Counters { connections: 3, live: 3, ..through }, "nothing was forwarded");

    proxy.set(Mode::Pass).await;
    assert_eq!((speaks.end().await, new.end().await), (RESET, RESET));
    assert_eq!(ended.recv().await, Some(Err(ErrorKind::ConnectionReset)), "the upstream hears of the loss, too");
    assert_eq!(silent.ask(b"after").await, b"after", "a connection that lost nothing lives on");
}

#[tokio::test]
async fn a_cut_reaches_both_sides_and_refuses_newcomers_until_it_is_mended() {
    let (upstream, mut ended) = echo().await;
    let proxy = Proxy::start(upstream);
    let mut client = Client::of(&proxy).await;
    client.ask(b"before").await;

    proxy.set(Mode::Cut).await;
    assert_eq!(proxy.counters().live, 0);
    assert_eq!(client.end().await, RESET);
    assert_eq!(ended.recv().await, Some(Err(ErrorKind::ConnectionReset)));
    let refused = TcpStream::connect(proxy.address()).await.map(drop).map_err(|error| error.kind());
    assert_eq!(refused, Err(ErrorKind::ConnectionRefused));

    proxy.set(Mode::Pass).await;
    assert_eq!(Client::of(&proxy).await.ask(b"after").await, b"after");
}

#[tokio::test]
async fn a_cut_after_some_bytes_delivers_exactly_those() {
    let (upstream, mut ended) = echo().await;
    let proxy = Proxy::start(upstream);
    let mut client = Client::of(&proxy).await;
    client.ask(b"not counted").await;

    proxy.set(Mode::CutAfter { bytes: 5, direction: Direction::ToClient }).await;
    client.send(b"0123456789").await;
    assert_eq!(client.end().await, (b"01234".to_vec(), Ok(())));
    assert_eq!(ended.recv().await, Some(Err(ErrorKind::ConnectionReset)));
    drop(client);
    proxy.idle().await;

    let before = proxy.counters().to_upstream;
    proxy.set(Mode::CutAfter { bytes: 5, direction: Direction::ToUpstream }).await;
    let mut client = Client::of(&proxy).await;
    client.send(b"0123456789").await;
    assert_eq!(client.end().await.1, Err(ErrorKind::ConnectionReset));
    assert_eq!(ended.recv().await, Some(Ok(())), "the upstream sees an orderly end");
    assert_eq!(proxy.counters().to_upstream - before, 5);
}

#[tokio::test]
async fn one_chunk_in_n_resets_its_connection() {
    let (upstream, _ended) = echo().await;
    let proxy = Proxy::start(upstream);
    proxy.set(Mode::ResetOneIn(NonZeroU64::new(4).unwrap())).await;
    let mut reset = 0;
    for _ in 0..20 {
        let mut client = Client::of(&proxy).await;
        client.send(b"x").await;
        reset += u32::from(client.0.read_u8().await.is_err());
    }
    // Two chunks per answered call, so every second call meets the fourth chunk.
    assert_eq!(reset, 10);
}

#[tokio::test]
async fn held_answers_arrive_after_the_release() {
    let (upstream, mut sees) = database().await;
    let proxy = Proxy::start(upstream);
    let mut client = Client::of_database(&proxy).await;
    proxy.set(Mode::HoldAnswers).await;
    client.send(&query("SELECT 1")).await;
    assert_eq!(sees.recv().await.unwrap(), "Q:SELECT 1");
    assert!(client.hears_nothing().await);
    proxy.release();
    assert_eq!(client.receive(ANSWER.len()).await, ANSWER);
    client.run("SELECT 2").await;
}

#[tokio::test]
async fn a_cut_before_the_commit_keeps_it_from_the_server() {
    let (upstream, mut sees) = database().await;
    let proxy = Proxy::start(upstream);
    proxy.on_statement("COMMIT", Action::CutBeforeForward, 1);
    let mut client = Client::of_database(&proxy).await;
    client.run("BEGIN").await;
    client.send(&query("COMMIT")).await;
    assert_eq!(client.end().await, RESET);
    proxy.wait_triggered(1).await;
    assert_eq!((sees.recv().await.unwrap(), sees.recv().await.unwrap()), ("Q:BEGIN".into(), "closed".into()));
}

#[tokio::test]
async fn a_cut_after_the_commit_lets_the_server_have_it_and_the_client_know_nothing() {
    let (upstream, mut sees) = database().await;
    let proxy = Proxy::start(upstream);
    proxy.on_statement("commit", Action::CutAfterForward, 1);
    let mut client = Client::of_database(&proxy).await;
    client.run("BEGIN").await;
    // Byte by byte: the message is known by its frame, not by how it arrives.
    for byte in query("  COMMIT") {
        client.send(&[byte]).await;
        client.0.flush().await.unwrap();
    }
    proxy.wait_triggered(1).await;
    assert_eq!(client.end().await, RESET);
    proxy.idle().await;
    let seen: Vec<_> = std::iter::from_fn(|| sees.try_recv().ok()).collect();
    assert_eq!(seen[..2], ["Q:BEGIN", "Q:  COMMIT"], "an idle proxy means that the server has finished");

    let mut client = Client::of_database(&proxy).await;
    client.run("COMMIT").await;
    assert_eq!(proxy.counters().triggered, 1, "a rule acts as often as it was told to");
}

#[tokio::test]
async fn a_cut_on_the_answer_comes_when_the_server_has_run_the_commit() {
    let (upstream, mut sees) = database().await;
    let proxy = Proxy::start(upstream);
    proxy.on_statement("COMMIT", Action::CutOnAnswer, 2);
    for _ in 0..2 {
        let mut client = Client::of_database(&proxy).await;
        client.run("BEGIN").await;
        client.send(&query("COMMIT")).await;
        assert_eq!(client.end().await, RESET);
        for seen in ["Q:BEGIN", "Q:COMMIT", "closed"] {
            assert_eq!(sees.recv().await.unwrap(), seen);
        }
    }
    proxy.wait_triggered(2).await;
}

#[tokio::test]
async fn the_held_answer_to_a_begin_concerns_its_connection_alone() {
    let (upstream, mut sees) = database().await;
    let proxy = Proxy::start(upstream);
    proxy.on_statement("BEGIN", Action::HoldAnswer, 1);
    let (mut held, mut free) = (Client::of_database(&proxy).await, Client::of_database(&proxy).await);
    held.send(&query("BEGIN ISOLATION LEVEL READ COMMITTED")).await;
    proxy.wait_triggered(1).await;
    assert_eq!(sees.recv().await.unwrap(), "Q:BEGIN ISOLATION LEVEL READ COMMITTED");
    free.run("BEGIN").await;
    assert!(held.hears_nothing().await);
    proxy.release();
    assert_eq!(held.receive(ANSWER.len()).await, ANSWER);
    held.run("BEGIN").await;
}

#[tokio::test]
async fn a_prepared_commit_is_met_when_it_is_executed() {
    let (upstream, mut sees) = database().await;
    let proxy = Proxy::start(upstream);
    proxy.on_statement("COMMIT", Action::CutBeforeForward, 1);
    let mut client = Client::of_database(&proxy).await;
    client.send(&message(b'P', b"s\0COMMIT\0\0\0")).await;
    client.send(&message(b'B', b"\0s\0\0\0\0\0\0\0")).await;
    assert_eq!(client.receive(2 * ANSWER.len()).await, ANSWER.repeat(2));
    client.send(&[message(b'E', b"\0\0\0\0\0"), message(b'S', b"")].concat()).await;
    assert_eq!(client.end().await, RESET);
    let seen = [sees.recv().await.unwrap(), sees.recv().await.unwrap(), sees.recv().await.unwrap()];
    assert_eq!(seen.map(|seen| seen.chars().next().unwrap()), ['P', 'B', 'c']);
}

#[tokio::test]
async fn forgotten_rules_do_not_act() {
    let (upstream, _sees) = database().await;
    let proxy = Proxy::start(upstream);
    proxy.on_statement("COMMIT", Action::CutBeforeForward, usize::MAX);
    proxy.forget_statements();
    Client::of_database(&proxy).await.run("COMMIT").await;
    assert_eq!(proxy.counters().triggered, 0);
}

#[tokio::test]
async fn a_client_of_a_dead_upstream_is_reset() {
    let nobody = ReservedPort::reserve();
    let proxy = Proxy::start(nobody.address());
    assert_eq!(Client::of(&proxy).await.end().await, RESET);
}

#[tokio::test]
async fn dropping_the_proxy_ends_its_connections() {
    let (upstream, mut ended) = echo().await;
    let proxy = Proxy::start(upstream);
    let mut client = Client::of(&proxy).await;
    client.ask(b"before").await;
    drop(proxy);
    assert_eq!(client.end().await.0, b"");
    assert!(ended.recv().await.is_some(), "the upstream hears of it, too");
}
