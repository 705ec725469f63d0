//! Seats that many want at once, at two replicas of licensing on PostgreSQL which are killed in turn (R-13, R-14, R-17,
//! AS-114).
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a sweep fails where something is missing, and tells what it met"
)]

mod asking;
mod filling;
mod racing;
mod repeating;
mod resizing;
mod stage;
mod watching;
