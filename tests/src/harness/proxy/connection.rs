//! One connection through the proxy: two lanes, one per direction, in one task.
//!
//! Because both lanes run in one task, a cut that a lane decides on takes effect before the other lane can move a byte.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicBool, Ordering},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{
    Action, Control, Direction, Mode, Shared,
    frontend::{Frontend, Piece},
    reaches,
};

const READ_BYTES: usize = 16 * 1024;
/// What a lane keeps back before it stops reading and lets TCP push back.
const QUEUE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How a connection ended.
enum End {
    /// Both sides have closed, and each has heard of the other's close.
    Finished,
    /// Both sides get a reset.
    Reset,
    /// The side the bytes travel toward sees an orderly end after what was forwarded; the other gets a reset.
    Cut { toward: Direction },
}

/// What the lane to the client does with what the upstream sends.
#[derive(Clone, Copy)]
enum Answers {
    Flow,
    /// Kept back until everything was let go this many times.
    HeldUntil(u64),
    /// The next bytes cut the connection instead of passing.
    Swallowed,
}

/// What the two lanes of a connection tell each other.
struct Pair {
    answers: watch::Sender<Answers>,
    /// Bytes were swallowed; the streams cannot be mended.
    lost: AtomicBool,
}

pub(super) async fn run(mut client: TcpStream, shared: &Shared) {
    // Small messages must not wait for one another: the proxy adds no delay of its own.
    let _ = client.set_nodelay(true);
    let Some(mut upstream) = unless_cut(shared, connect(&mut client, shared)).await.flatten() else {
        return reset(client);
    };
    let _ = upstream.set_nodelay(true);
    match unless_cut(shared, relay(&mut client, &mut upstream, shared)).await.unwrap_or(End::Reset) {
        End::Finished => {}
        End::Reset => {
            reset(client);
            reset(upstream);
        }
        End::Cut { toward: Direction::ToUpstream } => {
            reset(client);
            close(upstream, shared).await;
        }
        End::Cut { toward: Direction::ToClient } => {
            reset(upstream);
            close(client, shared).await;
        }
    }
}

async fn unless_cut<T>(shared: &Shared, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = reaches(&shared.control, |control| control.mode == Mode::Cut) => None,
        done = work => Some(done),
    }
}

/// Connects to the upstream; in a black hole, not before it has gone, and not at all when it has swallowed something.
async fn connect(client: &mut TcpStream, shared: &Shared) -> Option<TcpStream> {
    let mut swallowed = [0; READ_BYTES];
    tokio::select! {
        biased;
        () = reaches(&shared.control, |control| control.mode != Mode::BlackHole) => {}
        _ = client.read(&mut swallowed) => {
            drain(client, &shared.control).await;
            return None;
        }
    }
    TcpStream::connect(shared.upstream).await.ok()
}

/// Swallows until the black hole has gone.
async fn drain(source: &mut (impl AsyncRead + Unpin), control: &watch::Sender<Control>) {
    let swallow_for_ever = async {
        swallow(source).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        () = reaches(control, |control| control.mode != Mode::BlackHole) => {}
        () = swallow_for_ever => {}
    }
}

/// Reads and forgets until the source ends.
async fn swallow(source: &mut (impl AsyncRead + Unpin)) {
    let _ = tokio::io::copy(source, &mut tokio::io::sink()).await;
}

/// Closes with a reset instead of an orderly end.
fn reset(stream: TcpStream) {
    let _ = stream.set_zero_linger();
    drop(stream);
}

/// Closes in good order: what was written arrives, and the other side's close is awaited.
async fn close(mut stream: TcpStream, shared: &Shared) {
    let _ = stream.shutdown().await;
    unless_cut(shared, swallow(&mut stream)).await;
}

async fn relay(client: &mut TcpStream, upstream: &mut TcpStream, shared: &Shared) -> End {
    let (client_read, client_write) = client.split();
    let (upstream_read, upstream_write) = upstream.split();
    let pair = Pair { answers: watch::Sender::new(Answers::Flow), lost: AtomicBool::new(false) };
    let asking = Lane::new(Direction::ToUpstream, shared, &pair);
    let answering = Lane::new(Direction::ToClient, shared, &pair);
    match tokio::try_join!(asking.run(client_read, upstream_write), answering.run(upstream_read, client_write)) {
        Ok(_) => End::Finished,
        Err(end) => end,
    }
}

/// What waits to be forwarded; without a piece it is the end of the stream.
struct Parcel {
    arrived: Instant,
    piece: Option<Piece>,
}

struct Lane<'a> {
    direction: Direction,
    shared: &'a Shared,
    pair: &'a Pair,
    frontend: Frontend,
    queue: VecDeque<Parcel>,
    queued_bytes: usize,
    ended: bool,
    /// The mode that `forwarded_bytes` counts for.
    epoch: u64,
    forwarded_bytes: u64,
}

impl<'a> Lane<'a> {
    fn new(direction: Direction, shared: &'a Shared, pair: &'a Pair) -> Self {
        Self {
            direction,
            shared,
            pair,
            frontend: Frontend::new(),
            queue: VecDeque::new(),
            queued_bytes: 0,
            ended: false,
            epoch: 0,
            forwarded_bytes: 0,
        }
    }

    async fn run(mut self, mut source: ReadHalf<'_>, mut sink: WriteHalf<'_>) -> Result<(), End> {
        let mut control = self.shared.control.subscribe();
        let mut answers = self.pair.answers.subscribe();
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let (asked, answering) = (*control.borrow_and_update(), *answers.borrow_and_update());
            self.enter(asked)?;
            let opens = self.opens(asked, answering);
            tokio::select! {
                biased;
                _ = control.changed() => {}
                _ = answers.changed() => {}
                () = sleep_until(opens.unwrap_or_else(Instant::now)), if opens.is_some() => {
                    let parcel = self.queue.pop_front();
                    let Some(piece) = parcel.and_then(|parcel| parcel.piece) else {
                        return sink.shutdown().await.map_err(|_| End::Reset);
                    };
                    self.queued_bytes -= piece.bytes.len();
                    self.forward(piece, asked, &mut sink).await?;
                }
                read = source.read(&mut buffer), if !self.ended && self.queued_bytes < QUEUE_BYTES_MAX => {
                    let count = read.map_err(|_| End::Reset)?;
                    self.take(&buffer[..count], answering)?;
                }
            }
        }
    }

    /// Takes note of the mode.
    fn enter(&mut self, asked: Control) -> Result<(), End> {
        if self.epoch != asked.epoch {
            self.epoch = asked.epoch;
            self.forwarded_bytes = 0;
        }
        if asked.mode != Mode::BlackHole {
            return if self.pair.lost.load(Ordering::Relaxed) { Err(End::Reset) } else { Ok(()) };
        }
        if !self.queue.is_empty() {
            self.queue.clear();
            self.queued_bytes = 0;
            self.pair.lost.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// When the first parcel may go on; nothing while there is none or it is kept back.
    fn opens(&self, asked: Control, answers: Answers) -> Option<Instant> {
        let first = self.queue.front()?;
        let answering = self.direction == Direction::ToClient;
        let held = matches!(answers, Answers::HeldUntil(releases) if asked.releases < releases);
        if answering && held {
            return None;
        }
        match (asked.mode, self.direction) {
            (Mode::BlackHole | Mode::Cut, _) | (Mode::HoldAnswers, Direction::ToClient) => None,
            (Mode::Delay { to_upstream, .. }, Direction::ToUpstream) => Some(first.arrived + to_upstream),
            (Mode::Delay { to_client, .. }, Direction::ToClient) => Some(first.arrived + to_client),
            _ => Some(first.arrived),
        }
    }

    /// Takes what was read; no bytes are the end of the stream.
    fn take(&mut self, bytes: &[u8], answers: Answers) -> Result<(), End> {
        self.ended = bytes.is_empty();
        if self.shared.control.borrow().mode == Mode::BlackHole {
            self.pair.lost.store(true, Ordering::Relaxed);
            return Ok(());
        }
        let answering = self.direction == Direction::ToClient;
        if answering && matches!(answers, Answers::Swallowed) {
            self.shared.trigger();
            return Err(End::Cut { toward: Direction::ToUpstream });
        }
        let pieces = match self.direction {
            Direction::ToUpstream if self.ended => self.frontend.finish(),
            Direction::ToUpstream => self.frontend.push(bytes),
            Direction::ToClient => vec![Piece { bytes: bytes.to_vec(), statements: Vec::new() }],
        };
        let arrived = Instant::now();
        for piece in pieces.into_iter().filter(|piece| !piece.bytes.is_empty()) {
            self.queued_bytes += piece.bytes.len();
            self.queue.push_back(Parcel { arrived, piece: Some(piece) });
        }
        if self.ended {
            self.queue.push_back(Parcel { arrived, piece: None });
        }
        Ok(())
    }

    async fn forward(&mut self, piece: Piece, asked: Control, sink: &mut WriteHalf<'_>) -> Result<(), End> {
        let cut = End::Cut { toward: self.direction };
        let action = self.shared.claim(&piece.statements);
        // Before the statement goes out: its answer must not find the lane open.
        match action {
            Some(Action::CutBeforeForward) => {
                self.shared.trigger();
                return Err(cut);
            }
            Some(Action::CutOnAnswer) => {
                self.pair.answers.send_replace(Answers::Swallowed);
            }
            Some(Action::HoldAnswer) => {
                let releases = self.shared.control.borrow().releases;
                self.pair.answers.send_replace(Answers::HeldUntil(releases + 1));
            }
            Some(Action::CutAfterForward) | None => {}
        }
        self.write(&piece.bytes, asked.mode, sink).await?;
        match action {
            Some(Action::CutAfterForward) => {
                self.shared.trigger();
                Err(cut)
            }
            Some(Action::HoldAnswer) => {
                self.shared.trigger();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn write(&mut self, bytes: &[u8], mode: Mode, sink: &mut WriteHalf<'_>) -> Result<(), End> {
        if let Mode::ResetOneIn(chunks) = mode
            && (self.shared.chunks.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(chunks.get())
        {
            return Err(End::Reset);
        }
        let allowed = match mode {
            Mode::CutAfter { bytes: limit, direction } if direction == self.direction => {
                usize::try_from(limit.saturating_sub(self.forwarded_bytes)).unwrap_or(usize::MAX)
            }
            _ => usize::MAX,
        };
        let bytes = &bytes[..bytes.len().min(allowed)];
        sink.write_all(bytes).await.map_err(|_| End::Reset)?;
        self.forwarded_bytes += bytes.len() as u64;
        let total = match self.direction {
            Direction::ToUpstream => &self.shared.to_upstream,
            Direction::ToClient => &self.shared.to_client,
        };
        total.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if bytes.len() == allowed {
            return Err(End::Cut { toward: self.direction });
        }
        Ok(())
    }
}
