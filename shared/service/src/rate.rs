//! Rate limits per principal, per tenant, per source address and per named target (S-01, AS-113).

use std::num::NonZeroU32;
use std::time::Duration;

use base::Fault;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// Calls per second, and how many may come at once.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Refill per minute.
    pub per_minute: u32,
    /// How many may come at once.
    pub burst: u32,
}

/// All rates of a process.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// Of one user or workload.
    pub principal: Rate,
    /// Of one organization.
    pub tenant: Rate,
    /// Of public methods, per source address.
    pub source: Rate,
    /// Of public methods, per source address and name.
    pub source_and_target: Rate,
    /// Of public methods, per name from anywhere.
    pub target: Rate,
    /// Refusals of one principal that are written to the journal.
    pub refusals: Rate,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            principal: Rate { per_minute: 12_000, burst: 1_000 },
            tenant: Rate { per_minute: 60_000, burst: 5_000 },
            source: Rate { per_minute: 1_200, burst: 200 },
            source_and_target: Rate { per_minute: 10, burst: 10 },
            target: Rate { per_minute: 60, burst: 100 },
            refusals: Rate { per_minute: 600, burst: 100 },
        }
    }
}

/// One limiter with a bucket per key.
#[derive(Debug)]
pub(crate) struct Buckets {
    limiter: DefaultKeyedRateLimiter<String>,
    clock: DefaultClock,
    limit: &'static str,
}

impl Buckets {
    pub(crate) fn new(limit: &'static str, rate: Rate) -> Self {
        let at_least_one = |number: u32| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_minute(at_least_one(rate.per_minute)).allow_burst(at_least_one(rate.burst));
        Self { limiter: RateLimiter::keyed(quota), clock: DefaultClock::default(), limit }
    }

    /// Takes one from the key's bucket, or says how long to wait.
    pub(crate) fn take(&self, key: &str) -> Result<(), Fault> {
        self.limiter.check_key(&key.to_owned()).map_err(|not_until| {
            let wait = not_until.wait_time_from(self.clock.now()).max(Duration::from_millis(1));
            Fault::exhausted("RATE_LIMITED", format!("too many calls; try again in {} s", wait.as_secs() + 1))
                .with("limit", self.limit)
                .retry_after(wait)
        })
    }

    /// Forgets keys whose buckets are full again.
    pub(crate) fn sweep(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }
}

/// The limiters of a process.
#[derive(Debug)]
pub(crate) struct Limiters {
    pub(crate) principal: Buckets,
    pub(crate) tenant: Buckets,
    pub(crate) source: Buckets,
    pub(crate) source_and_target: Buckets,
    pub(crate) target: Buckets,
    pub(crate) refusals: Buckets,
}

impl Limiters {
    pub(crate) fn new(rates: Rates) -> Self {
        Self {
            principal: Buckets::new("calls_per_principal", rates.principal),
            tenant: Buckets::new("calls_per_organization", rates.tenant),
            source: Buckets::new("public_calls_per_source", rates.source),
            source_and_target: Buckets::new("public_calls_per_source_and_name", rates.source_and_target),
            target: Buckets::new("public_calls_per_name", rates.target),
            refusals: Buckets::new("journaled_refusals_per_principal", rates.refusals),
        }
    }

    pub(crate) fn sweep(&self) {
        for buckets in
            [&self.principal, &self.tenant, &self.source, &self.source_and_target, &self.target, &self.refusals]
        {
            buckets.sweep();
        }
    }
}
