//! The one error. Its kind says what the caller should do next, its reason is a stable word.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

/// How long whoever met `CONTENTION` is told to wait.
const CONTENTION_WAIT: Duration = Duration::from_millis(200);

/// What the caller should do next; each kind is one gRPC code, except [`Kind::Busy`], which never leaves the executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Correct the request.
    Invalid,
    /// Ask for something else: this does not exist, or not for this caller.
    NotFound,
    /// It is there already.
    AlreadyExists,
    /// Change the state of the world first.
    Precondition,
    /// Ask somebody who may.
    Denied,
    /// Sign in.
    Unauthenticated,
    /// Read again and decide anew.
    Aborted,
    /// Slow down, or ask for less.
    Exhausted,
    /// Try again later.
    Unavailable,
    /// The deadline passed first.
    Deadline,
    /// Never here.
    Unimplemented,
    /// The database asked for another attempt of the whole unit of work.
    Busy,
    /// Nothing the caller can do: a broken invariant, told in the log under an id.
    Internal,
}

/// One thing wrong with a request, addressed by field path (AIP-193 `BadRequest`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The proto path of the field, such as `users[3].email`.
    pub field: String,
    /// What is wrong and what would be right.
    pub message: String,
    /// A stable word for what is wrong.
    pub reason: &'static str,
}

/// A refusal or failure. `Display` is for the caller; the source is for the log and never for the caller (S-26).
#[derive(Debug)]
pub struct Fault(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    reason: Cow<'static, str>,
    message: Cow<'static, str>,
    metadata: Vec<(&'static str, String)>,
    violations: Vec<Violation>,
    violations_omitted: usize,
    resource: Option<(&'static str, String)>,
    retry_after: Option<Duration>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Fault {
    fn new(kind: Kind, reason: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            reason: reason.into(),
            message: message.into(),
            metadata: Vec::new(),
            violations: Vec::new(),
            violations_omitted: 0,
            resource: None,
            retry_after: None,
            source: None,
        }))
    }

    /// A request that can never be right, whatever the state of the world.
    pub fn invalid(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Invalid, reason, message)
    }

    /// One field that is wrong.
    pub fn field(field: impl Into<String>, reason: &'static str, message: impl Into<String>) -> Self {
        let mut violations = Violations::default();
        violations.add(field, reason, message);
        violations.into_fault()
    }

    /// A noun that does not exist, or not for this caller: the two are told apart nowhere (D-01, C30).
    pub fn not_found(noun: &'static str, id: impl fmt::Display) -> Self {
        let mut fault = Self::new(Kind::NotFound, "NOT_FOUND", format!("no {noun} {id} is visible to you"));
        fault.0.resource = Some((noun, id.to_string()));
        fault
    }

    /// Something by that name exists.
    pub fn already_exists(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::AlreadyExists, reason, message)
    }

    /// The world is not in the state that this needs.
    pub fn precondition(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Precondition, reason, message)
    }

    /// Visible, but not allowed; the reason names the missing link.
    pub fn denied(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Denied, reason, message)
    }

    /// No valid proof of who is calling. The message never says what was wrong with it.
    pub fn unauthenticated(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Unauthenticated, reason, message)
    }

    /// Somebody else was faster; read again.
    pub fn aborted(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Aborted, reason, message)
    }

    /// Others were in the way each time it was tried: `CONTENTION`. The caller repeats it a moment later.
    pub fn contention(message: impl Into<Cow<'static, str>>) -> Self {
        Self::aborted("CONTENTION", message).retry_after(CONTENTION_WAIT)
    }

    /// Too much, too fast, or nothing left.
    pub fn exhausted(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Exhausted, reason, message)
    }

    /// A peer or the database does not answer.
    pub fn unavailable(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Unavailable, reason, message)
    }

    /// The deadline of the call passed; whatever it began is rolled back.
    pub fn deadline() -> Self {
        Self::new(Kind::Deadline, "DEADLINE_EXCEEDED", "the deadline of the call passed before it was done")
    }

    /// Not offered here.
    pub fn unimplemented(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Unimplemented, reason, message)
    }

    /// The database wants the whole unit of work again.
    pub fn busy(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Busy, "BUSY", message)
    }

    /// A broken invariant. The sentence goes to the log; the caller gets an id.
    pub fn internal(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Internal, "INTERNAL", message)
    }

    /// A fault that was written down, or that a peer answered, with the words it had.
    pub fn recalled(kind: Kind, reason: String, message: String) -> Self {
        Self::new(kind, reason, message)
    }

    /// Adds one documented key to the ErrorInfo metadata. A repeated key keeps its first value.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        if !self.0.metadata.iter().any(|(k, _)| *k == key) {
            self.0.metadata.push((key, value.to_string()));
        }
        self
    }

    /// Says how long to wait before the next attempt.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// Keeps the cause for the log.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The same refusal for another caller, or for another attempt. Its cause was logged with the first one.
    #[must_use]
    pub fn repeated(&self) -> Self {
        let Inner { kind, reason, message, metadata, violations, violations_omitted, resource, retry_after, source: _ } =
            &*self.0;
        Self(Box::new(Inner {
            kind: *kind,
            reason: reason.clone(),
            message: message.clone(),
            metadata: metadata.clone(),
            violations: violations.clone(),
            violations_omitted: *violations_omitted,
            resource: resource.clone(),
            retry_after: *retry_after,
            source: None,
        }))
    }

    /// What the caller should do next.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The stable word.
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// The sentence for the caller.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The documented keys and values beside the reason.
    pub fn metadata(&self) -> &[(&'static str, String)] {
        &self.0.metadata
    }

    /// What is wrong with the request, field by field.
    pub fn violations(&self) -> &[Violation] {
        &self.0.violations
    }

    /// How many more there are.
    pub fn violations_omitted(&self) -> usize {
        self.0.violations_omitted
    }

    /// The noun and id that were not found.
    pub fn resource(&self) -> Option<(&'static str, &str)> {
        self.0.resource.as_ref().map(|(noun, id)| (*noun, id.as_str()))
    }

    /// How long to wait before the next attempt.
    pub fn wait(&self) -> Option<Duration> {
        self.0.retry_after
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.reason, self.0.message)
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

/// The most violations of one request that are kept; the others are counted. A request may be wrong a million times before
/// anybody has asked who sends it.
pub const VIOLATIONS_MAX: usize = 50;

/// Everything that is wrong with one request, gathered so that the caller learns all of it at once.
#[derive(Debug, Default)]
pub struct Violations {
    first: Vec<Violation>,
    omitted: usize,
    /// They have not all the same reason.
    mixed: bool,
    limit: Option<&'static str>,
}

impl Violations {
    /// Adds one.
    pub fn add(&mut self, field: impl Into<String>, reason: &'static str, message: impl Into<String>) {
        self.mixed |= self.first.first().is_some_and(|first| first.reason != reason);
        if self.first.len() < VIOLATIONS_MAX {
            self.first.push(Violation { field: field.into(), message: message.into(), reason });
        } else {
            self.omitted += 1;
        }
    }

    /// Adds one that is over a limit. The fault names the first such limit by its published name (C17).
    pub fn add_over(
        &mut self,
        limit: &'static str,
        field: impl Into<String>,
        reason: &'static str,
        message: impl Into<String>,
    ) {
        self.limit.get_or_insert(limit);
        self.add(field, reason, message);
    }

    /// Keeps the value of a parse that went well, notes what was wrong with one that did not.
    pub fn take<T>(&mut self, field: impl Into<String>, parsed: Result<T, (&'static str, String)>) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err((reason, message)) => {
                self.add(field, reason, message);
                None
            }
        }
    }

    /// Whether nothing was wrong.
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// The fault that names all of them. With exactly one kind of trouble its reason is the fault's reason.
    pub fn into_fault(self) -> Fault {
        let reason = self.first.first().filter(|_| !self.mixed).map_or("INVALID_ARGUMENT", |first| first.reason);
        let text =
            self.first.iter().take(5).map(|v| format!("{}: {}", v.field, v.message)).collect::<Vec<_>>().join("; ");
        let mut fault = Fault::new(Kind::Invalid, reason, text);
        fault.0.violations = self.first;
        fault.0.violations_omitted = self.omitted;
        match self.limit {
            Some(limit) => fault.with("limit", limit),
            None => fault,
        }
    }

    /// The parsed value when nothing was wrong, otherwise all that was.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, Fault> {
        match value {
            Some(value) if self.is_empty() => Ok(value),
            _ => Err(self.into_fault()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_million_violations_the_first_are_kept_and_all_are_counted() {
        let mut violations = Violations::default();
        for index in 0..1_000_000 {
            violations.add(
                format!("ids[{index}]"),
                if index == 999_999 { "MALFORMED" } else { "REQUIRED" },
                "is wrong",
            );
        }
        let fault = violations.into_fault();
        assert_eq!(
            (fault.violations().len(), fault.violations_omitted()),
            (VIOLATIONS_MAX, 1_000_000 - VIOLATIONS_MAX)
        );
        assert_eq!((fault.violations()[0].field.as_str(), fault.reason()), ("ids[0]", "INVALID_ARGUMENT"));
    }

    #[test]
    fn all_violations_arrive_together_and_a_single_reason_becomes_the_fault_s() {
        let mut violations = Violations::default();
        violations.add("a", "REQUIRED", "is required");
        violations.add("b", "REQUIRED", "is required");
        let fault = violations.into_fault();
        assert_eq!((fault.reason(), fault.violations().len()), ("REQUIRED", 2));

        let mut mixed = Violations::default();
        mixed.add("a", "REQUIRED", "is required");
        mixed.add("b", "TOO_LONG", "is too long");
        assert_eq!(mixed.into_fault().reason(), "INVALID_ARGUMENT");
    }

    #[test]
    fn who_was_in_others_way_is_told_how_long_to_wait() {
        let fault = Fault::contention("repeat the request");
        assert_eq!((fault.kind(), fault.reason(), fault.wait()), (Kind::Aborted, "CONTENTION", Some(CONTENTION_WAIT)));
    }

    #[test]
    fn what_the_caller_reads_never_repeats_the_source() {
        let fault = Fault::unavailable("DATABASE_UNAVAILABLE", "try again").because("password=hunter2");
        assert!(!fault.to_string().contains("hunter2"));
    }
}
