//! Reading the fields of a request: every violation is gathered, so that the caller learns all of them at once.

use std::ops::RangeInclusive;

use base::{Fault, Id, Timestamp, Violations};

/// Rows per page when nothing is asked for (C17).
pub const PAGE_SIZE_DEFAULT: usize = 50;
/// Rows per page at most (C17).
pub const PAGE_SIZE_MAX: usize = 1_000;

/// A request under inspection.
#[derive(Debug, Default)]
pub struct Form {
    violations: Violations,
}

impl Form {
    /// Notes something wrong.
    pub fn wrong(&mut self, field: impl Into<String>, reason: &'static str, message: impl Into<String>) {
        self.violations.add(field, reason, message);
    }

    /// Notes what is over a limit; the fault names it by its published name (C17).
    pub fn over(
        &mut self,
        limit: &'static str,
        field: impl Into<String>,
        reason: &'static str,
        message: impl Into<String>,
    ) {
        self.violations.add_over(limit, field, reason, message);
    }

    /// Whether there are no more items than a limit allows; more are noted.
    pub fn within(&mut self, field: impl Into<String>, limit: &'static str, count: usize, max: usize) -> bool {
        if count > max {
            self.over(limit, field, "TOO_LONG", format!("has {count} items; {limit} is {max}"));
        }
        count <= max
    }

    /// Keeps a value that was parsed by its noun, or notes what was wrong with it.
    pub fn take<T>(&mut self, field: impl Into<String>, parsed: Result<T, (&'static str, String)>) -> Option<T> {
        self.violations.take(field, parsed)
    }

    /// A required id.
    pub fn id<T>(&mut self, field: impl Into<String>, text: &str) -> Option<Id<T>> {
        if text.is_empty() {
            self.wrong(field, "REQUIRED", "is required");
            return None;
        }
        let id = Id::parse(text);
        if id.is_none() {
            self.wrong(field, "MALFORMED", "an id is a UUID with hyphens");
        }
        id
    }

    /// An id that may be left out.
    pub fn optional_id<T>(&mut self, field: impl Into<String>, text: &str) -> Option<Option<Id<T>>> {
        if text.is_empty() { Some(None) } else { self.id(field, text).map(Some) }
    }

    /// A text for people: trimmed, counted in characters, without control characters.
    pub fn text(&mut self, field: impl Into<String>, text: &str, length: RangeInclusive<usize>) -> Option<String> {
        let field = field.into();
        let text = text.trim();
        let count = text.chars().count();
        if text.is_empty() && *length.start() > 0 {
            self.wrong(field, "REQUIRED", "is required");
            return None;
        }
        if count > *length.end() || count < *length.start() {
            self.wrong(
                field,
                "TOO_LONG",
                format!("has {count} characters; {} to {} are accepted", length.start(), length.end()),
            );
            return None;
        }
        if text.chars().any(char::is_control) {
            self.wrong(field, "MALFORMED", "has control characters");
            return None;
        }
        Some(text.to_owned())
    }

    /// An etag that may be left out: the version that the caller saw. One that we never made matches nothing.
    pub fn etag(&mut self, etag: &str) -> Option<i64> {
        if etag.is_empty() { None } else { Some(etag.parse().unwrap_or(-1)) }
    }

    /// A request that changes one thing as the caller saw it, and asks for nothing else: its id and its etag.
    pub fn id_and_etag<T>(field: &'static str, id: &str, etag: &str) -> Result<(Id<T>, Option<i64>), Fault> {
        let mut form = Self::default();
        let id = form.id(field, id);
        let version = form.etag(etag);
        form.finish(|| Some((id?, version)))
    }

    /// A page size, with 0 meaning the default.
    pub fn page_size(&mut self, size: i32) -> Option<usize> {
        match usize::try_from(size) {
            Ok(0) => Some(PAGE_SIZE_DEFAULT),
            Ok(size) if size <= PAGE_SIZE_MAX => Some(size),
            Ok(size) => {
                let message = format!("{size} is above page_size_max, {PAGE_SIZE_MAX}");
                self.over("page_size_max", "page_size", "OUT_OF_RANGE", message);
                None
            }
            Err(_) => {
                self.wrong("page_size", "OUT_OF_RANGE", "is negative");
                None
            }
        }
    }

    /// Builds the parsed value when nothing was wrong, otherwise tells all that was.
    pub fn finish<T>(self, build: impl FnOnce() -> Option<T>) -> Result<T, Fault> {
        if !self.violations.is_empty() {
            return Err(self.violations.into_fault());
        }
        build().ok_or_else(|| Fault::internal("a request without violations could not be built"))
    }
}

/// The etag of a version.
pub fn etag(version: i64) -> String {
    version.to_string()
}

/// A time as protobuf writes it.
pub fn timestamp(time: Timestamp) -> prost_types::Timestamp {
    let nanos = i32::try_from(time.micros().rem_euclid(1_000_000) * 1_000).unwrap_or(0);
    prost_types::Timestamp { seconds: time.seconds(), nanos }
}

/// A time as protobuf wrote it, cut to microseconds.
pub fn read_timestamp(time: &prost_types::Timestamp) -> Option<Timestamp> {
    let micros = time.seconds.checked_mul(1_000_000)?.checked_add(i64::from(time.nanos) / 1_000)?;
    (0..1_000_000_000).contains(&time.nanos).then_some(Timestamp::from_micros(micros))
}
