//! What a process says about itself while it runs: log lines, the place of a panic, the trace a call belongs to.
//!
//! It promises that a panic is logged without the values in it (S-26) and that a trace id survives the hop between
//! the services. Metrics are `management`'s; what is logged is decided where it happens.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::io::{self, IsTerminal};
use std::panic;
use std::sync::OnceLock;

use base::Fault;
use http::{HeaderMap, HeaderValue};
use tracing::error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use uuid::Uuid;

/// How log lines look. They go to standard error, one event each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For a human on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For a human.
    Human,
    /// For a machine.
    Json,
}

/// Starts the log and the panic hook; a second call in the same process changes nothing. An empty filter means `info`.
///
/// # Errors
/// `LOG_FILTER_INVALID` when the filter is not a list of `target=level`.
pub fn init(format: LogFormat, filter: &str) -> Result<(), Fault> {
    static STARTED: OnceLock<()> = OnceLock::new();
    let filter = EnvFilter::try_new(if filter.is_empty() { "info" } else { filter }).map_err(|err| {
        Fault::invalid("LOG_FILTER_INVALID", "the log filter is a list such as info,service=debug").because(err)
    })?;
    STARTED.get_or_init(|| {
        let terminal = io::stderr().is_terminal();
        let human = format == LogFormat::Human || (format == LogFormat::Auto && terminal);
        let registry = tracing_subscriber::registry().with(filter);
        let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
        // A program that embeds this one may have its own log already; then that one stays.
        let _started = if human {
            registry.with(lines.with_ansi(terminal)).try_init()
        } else {
            registry.with(lines.json().flatten_event(true)).try_init()
        };
        watch_panics();
    });
    Ok(())
}

thread_local! {
    static PLACE: Cell<Option<String>> = const { Cell::new(None) };
}

/// Replaces the default hook, which prints what the panic says: a formatted payload may hold a secret, so only a
/// literal one is logged, and the place.
fn watch_panics() {
    panic::set_hook(Box::new(|panicked| {
        let place = panicked.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        error!(panic.place = %place, panic.message = literal(panicked.payload()), "a thread panicked");
        PLACE.set(Some(place));
    }));
}

/// Where this thread panicked last, told once.
pub(crate) fn panic_place() -> Option<String> {
    PLACE.take()
}

/// The message of a panic, if it was written in the source and not composed from values.
pub(crate) fn literal(payload: &(dyn Any + Send)) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or("(composed from values, not logged)")
}

/// The trace that a call belongs to (W3C Trace Context, version 00).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    trace: u128,
    parent: u64,
    sampled: bool,
}

impl TraceParent {
    /// The header's name, in requests to this process and from it.
    pub const HEADER: &'static str = "traceparent";

    /// What the caller says, or a new trace when it says nothing that can be read.
    pub fn of(headers: &HeaderMap) -> Self {
        let told = headers.get(Self::HEADER).and_then(|value| value.to_str().ok());
        told.and_then(Self::parse).unwrap_or_else(Self::new)
    }

    /// The same trace, one hop further: what an outgoing call carries.
    #[must_use]
    pub fn next(self) -> Self {
        Self { parent: fresh_parent(), ..self }
    }

    /// The header's value.
    pub fn header(self) -> Option<HeaderValue> {
        HeaderValue::try_from(self.to_string()).ok()
    }

    /// The id that all log lines of one trace share.
    pub fn trace_id(self) -> String {
        format!("{:032x}", self.trace)
    }

    fn new() -> Self {
        Self { trace: Uuid::new_v4().as_u128(), parent: fresh_parent(), sampled: true }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let lower_hex = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let shaped = [(version, 2), (trace, 32), (parent, 16), (flags, 2)]
            .iter()
            .all(|(part, length)| part.len() == *length && lower_hex(part));
        // A later version may add parts at the end; version 00 has exactly four.
        if !shaped || version == "ff" || (version == "00" && parts.next().is_some()) {
            return None;
        }
        let trace = u128::from_str_radix(trace, 16).ok().filter(|id| *id != 0)?;
        let parent = u64::from_str_radix(parent, 16).ok().filter(|id| *id != 0)?;
        let sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
        Some(Self { trace, parent, sampled })
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.parent, u8::from(self.sampled))
    }
}

fn fresh_parent() -> u64 {
    // The lower half of a version 4 id: 62 random bits below the variant bits, never zero.
    Uuid::new_v4().as_u64_pair().1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_keeps_its_id_over_a_hop() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let mut headers = HeaderMap::new();
        headers.insert(TraceParent::HEADER, HeaderValue::from_static(text));
        let trace = TraceParent::of(&headers);
        assert_eq!(trace.to_string(), text);
        assert_eq!(trace.next().trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_ne!(trace.next().to_string(), text);
    }

    #[test]
    fn an_unreadable_trace_is_replaced_by_a_new_one() {
        for text in [
            "",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceParent::parse(text), None, "{text}");
        }
        assert_ne!(TraceParent::of(&HeaderMap::new()).trace_id(), "0".repeat(32));
    }

    #[test]
    fn a_panic_composed_from_values_is_not_repeated() {
        let composed =
            panic::catch_unwind(|| panic::panic_any(format!("password {}", "hunter2"))).expect_err("it panics");
        assert!(!literal(composed.as_ref()).contains("hunter2"));
        let written = panic::catch_unwind(|| panic::panic_any("a sentence")).expect_err("it panics");
        assert_eq!(literal(written.as_ref()), "a sentence");
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_refused() {
        let refused = init(LogFormat::Json, "info,=[").expect_err("the filter is not one");
        assert_eq!(refused.reason(), "LOG_FILTER_INVALID");
    }
}
