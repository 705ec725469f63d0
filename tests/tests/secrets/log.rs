//! What this process tells of itself: the log of every crate in it at trace level, spans with their fields included, and
//! the metrics.

use std::io::{self, Write};
use std::sync::{Mutex, OnceLock};

use service::management::install_metrics;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct ToLog;

impl Write for ToLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Log;

impl MakeWriter<'_> for Log {
    type Writer = ToLog;

    fn make_writer(&self) -> ToLog {
        ToLog
    }
}

/// Begins both, once: all tests of the process write them, and none of them leaks.
pub(super) fn begin() {
    static BEGUN: OnceLock<()> = OnceLock::new();
    BEGUN.get_or_init(|| {
        let lines = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_span_events(FmtSpan::FULL);
        lines.with_ansi(false).with_writer(Log).init();
        install_metrics().unwrap();
    });
}

/// The log up to now.
pub(super) fn read() -> Vec<u8> {
    LOG.lock().unwrap().clone()
}

/// The metrics as they are now, with their labels.
pub(super) fn metrics() -> Vec<u8> {
    install_metrics().unwrap().render().into_bytes()
}
