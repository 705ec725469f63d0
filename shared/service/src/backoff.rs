//! How long to wait before the next attempt: full jitter, so that those who failed together do not come back together.

use std::time::Duration;

/// The longest wait for somebody who is away.
const AWAY_MAX: Duration = Duration::from_secs(30);

/// Before another service is asked again, after so many attempts: up to 50 ms, doubling to 30 s.
pub fn away(attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts.clamp(0, 16)).unwrap_or(16);
    jittered(Duration::from_millis(50).saturating_mul(2_u32.saturating_pow(doublings)).min(AWAY_MAX))
}

/// Before a transaction that the database wants again, at this attempt: up to 10 ms, doubling to 320 ms.
pub(crate) fn busy(attempt: u32) -> Duration {
    jittered(Duration::from_millis(5 << attempt.min(6)))
}

fn jittered(ceiling: Duration) -> Duration {
    ceiling.mul_f64(rand::random::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_doubles_up_to_its_ceiling_and_is_never_longer() {
        for attempts in [-1, 0, 1, 9, 10, 16, 17, i64::MAX] {
            let ceiling = Duration::from_millis(50 << attempts.clamp(0, 16)).min(AWAY_MAX);
            assert!((0..100).all(|_| away(attempts) <= ceiling), "{attempts}");
        }
        assert!((0..100).any(|_| away(i64::MAX) > AWAY_MAX / 2), "it uses its room");
        assert!((0..100).all(|_| busy(99) <= Duration::from_millis(320)));
    }
}
