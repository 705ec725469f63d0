//! A customer authorizes reseller and provider at once: everything becomes effective together, or nothing.
#![expect(clippy::unwrap_used, reason = "a test fails where something is missing")]

mod accepting;
mod disturbed;
mod faults;
mod kills;
mod managing;
mod progress;
mod races;
mod record;
mod refusing;
mod registering;
