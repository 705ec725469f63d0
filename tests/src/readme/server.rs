//! `cargo run` in the background: started, awaited, stopped.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::Surroundings;

/// What the service says when it can be called.
const READY: &str = "tandem is ready";
/// A connection that is over keeps its own end of a port for a minute, and any port may have been somebody's end.
const PORT_TIMEOUT: Duration = Duration::from_secs(90);
/// It may have to be compiled first.
const READY_TIMEOUT: Duration = Duration::from_secs(600);
/// Longer than the service allows itself.
const STOP_TIMEOUT: Duration = Duration::from_secs(25);
const STOP_POLL: Duration = Duration::from_millis(20);
const LAST_LINES: usize = 60;

/// Complains of the first port that somebody else listens on.
pub(super) fn check_ports(ports: &[u16]) -> Result<(), String> {
    let deadline = Instant::now() + PORT_TIMEOUT;
    for &port in ports {
        while TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err_and(|error| error.kind() == ErrorKind::AddrInUse) {
            let listened_at = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
            if listened_at || Instant::now() >= deadline {
                return Err(format!("port {port} is busy, and `cargo run` needs it: stop what listens there"));
            }
            thread::sleep(Duration::from_millis(500));
        }
    }
    Ok(())
}

pub(super) struct Server {
    process: Child,
    ready: Receiver<()>,
    last_lines: Arc<Mutex<VecDeque<String>>>,
}

impl Server {
    pub(super) fn start(surroundings: &Surroundings) -> Result<Self, String> {
        let mut process = surroundings
            .command("cargo")
            .arg("run")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| format!("cargo cannot be started: {e}"))?;
        let last_lines = Arc::new(Mutex::new(VecDeque::new()));
        let (announce, ready) = mpsc::channel();
        if let Some(out) = process.stdout.take() {
            follow(out, announce.clone(), Arc::clone(&last_lines));
        }
        if let Some(err) = process.stderr.take() {
            follow(err, announce, Arc::clone(&last_lines));
        }
        Ok(Self { process, ready, last_lines })
    }

    pub(super) fn wait_until_ready(&mut self) -> Result<(), String> {
        match self.ready.recv_timeout(READY_TIMEOUT) {
            Ok(()) => Ok(()),
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("`cargo run` did not say `{READY}` within {} s", READY_TIMEOUT.as_secs()))
            }
            Err(RecvTimeoutError::Disconnected) => Err(format!("`cargo run` ended before it said `{READY}`")),
        }
    }

    /// Asks it to stop, and kills it when it does not. That it ended unasked, or had to be killed, is an error.
    pub(super) fn stop(&mut self) -> Result<(), String> {
        if let Some(status) = self.ended()? {
            return Err(format!("ended by itself: {status}"));
        }
        let asked = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        asked.map_err(|e| format!("cannot be asked to stop: {e}"))?;
        let deadline = Instant::now() + STOP_TIMEOUT;
        while self.ended()?.is_none() {
            if Instant::now() >= deadline {
                return Err(format!("did not stop within {} s of SIGTERM and was killed", STOP_TIMEOUT.as_secs()));
            }
            thread::sleep(STOP_POLL);
        }
        Ok(())
    }

    pub(super) fn last_lines(&self) -> String {
        let lines = self.last_lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(|line| format!("  {line}\n")).collect()
    }

    fn ended(&mut self) -> Result<Option<ExitStatus>, String> {
        self.process.try_wait().map_err(|e| format!("cannot be watched: {e}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has usually ended by now; either way nothing of it stays behind.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Reads a stream to its end, so that the process never waits for a reader.
fn follow(stream: impl Read + Send + 'static, announce: Sender<()>, last_lines: Arc<Mutex<VecDeque<String>>>) {
    thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            let ready = line.contains(READY);
            let mut lines = last_lines.lock().unwrap_or_else(PoisonError::into_inner);
            if lines.len() == LAST_LINES {
                lines.pop_front();
            }
            lines.push_back(line);
            drop(lines);
            if ready {
                // Nobody waits any more when it is said twice.
                let _ = announce.send(());
            }
        }
    });
}
