//! Until when a call is worth anybody's while: the class of its method, or the caller's own wish when that is
//! shorter. It passes on what is left and refuses a wish that it cannot read, which tonic would ignore.

use std::time::Duration;

use base::Fault;
use tokio::time::Instant;
use tonic::Request;

use crate::contract::Method;

/// How long a stream may be asked for.
const STREAM_MAX: Duration = Duration::from_secs(3600);

/// What one hop takes from what is left: an answer is worth nothing when it arrives after its deadline.
const HOP: Duration = Duration::from_millis(10);

/// When the answer of this call is due.
///
/// # Errors
/// `TIMEOUT_MALFORMED`.
pub(crate) fn deadline<T>(request: &Request<T>, method: &Method) -> Result<Instant, Fault> {
    let class = method.deadline.unwrap_or(STREAM_MAX);
    let asked = match request.metadata().get("grpc-timeout") {
        None => class,
        Some(value) => value.to_str().ok().and_then(grpc_timeout).ok_or_else(|| {
            Fault::invalid("TIMEOUT_MALFORMED", "grpc-timeout is 1 to 8 digits and one of H, M, S, m, u, n")
        })?,
    };
    Ok(Instant::now() + asked.min(class))
}

/// When an answer has to be on its way.
pub(crate) fn answer_by(deadline: Instant) -> Instant {
    deadline.checked_sub(HOP).unwrap_or(deadline)
}

/// What a call to another service may take.
pub(crate) fn left(deadline: Instant) -> Duration {
    answer_by(deadline).saturating_duration_since(Instant::now())
}

/// Refuses what would begin too late.
pub(crate) fn check(deadline: Instant) -> Result<(), Fault> {
    if Instant::now() >= deadline { Err(Fault::deadline()) } else { Ok(()) }
}

/// The future's answer, when it comes in time.
pub(crate) async fn in_time<F: Future>(deadline: Instant, future: F) -> Result<F::Output, Fault> {
    tokio::time::timeout_at(deadline, future).await.map_err(|_| Fault::deadline())
}

/// The gRPC wire format of a timeout.
fn grpc_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_grpc_writes_them() {
        assert_eq!(grpc_timeout("100m"), Some(Duration::from_millis(100)));
        assert_eq!(grpc_timeout("1H"), Some(Duration::from_secs(3600)));
        assert_eq!(grpc_timeout("5"), None);
        assert_eq!(grpc_timeout("123456789S"), None);
        assert_eq!(grpc_timeout("-1S"), None);
        assert_eq!(grpc_timeout(""), None);
    }
}
