//! What one run of a process has said: the last lines, and a way to wait for one.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, PipeReader},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

/// Older lines are forgotten.
const LINES_MAX: usize = 2_000;

#[derive(Debug, Default)]
pub(super) struct Output {
    log: Mutex<Log>,
    heard: watch::Sender<Heard>,
}

#[derive(Debug, Default)]
struct Log {
    lines: VecDeque<String>,
    forgotten: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    lines: u64,
    ended: bool,
}

/// Nothing more will be said.
#[derive(Debug)]
pub(super) struct Ended;

impl Output {
    /// Listens from now on, on a thread of its own: what a process says last is heard even when the test's runtime
    /// stands still.
    pub(super) fn of(pipe: PipeReader) -> Arc<Self> {
        let output = Arc::new(Self::default());
        let listener = Arc::clone(&output);
        std::thread::spawn(move || listener.listen(BufReader::new(pipe)));
        output
    }

    /// The last lines.
    pub(super) fn lines(&self) -> Vec<String> {
        self.log().lines.iter().cloned().collect()
    }

    /// Waits for a line that contains `text`; lines already said count.
    pub(super) async fn line(&self, text: &str) -> Result<String, Ended> {
        let mut heard = self.heard.subscribe();
        let mut next = 0;
        loop {
            let now = *heard.borrow_and_update();
            if let Some(line) = self.find(text, next) {
                return Ok(line);
            }
            next = now.lines;
            if now.ended || heard.changed().await.is_err() {
                return Err(Ended);
            }
        }
    }

    /// Waits until nothing more will be said.
    pub(super) async fn ended(&self) {
        // The sender is ours, so this cannot fail.
        let _ = self.heard.subscribe().wait_for(|heard| heard.ended).await;
    }

    fn find(&self, text: &str, from: u64) -> Option<String> {
        let log = self.log();
        let skipped = usize::try_from(from.saturating_sub(log.forgotten)).unwrap_or(usize::MAX);
        log.lines.iter().skip(skipped).find(|line| line.contains(text)).cloned()
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listen(&self, mut pipe: BufReader<PipeReader>) {
        let mut bytes = Vec::new();
        while matches!(pipe.read_until(b'\n', &mut bytes), Ok(1..)) {
            let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            bytes.clear();
            let mut log = self.log();
            log.lines.push_back(line);
            if log.lines.len() > LINES_MAX {
                log.lines.pop_front();
                log.forgotten += 1;
            }
            drop(log);
            self.heard.send_modify(|heard| heard.lines += 1);
        }
        self.heard.send_modify(|heard| heard.ended = true);
    }
}
