//! The fault harness: it breaks the network and the processes on purpose, and says when it has.
//!
//! Owns five instruments. [`proxy`] sits on one TCP edge and delays, loses, cuts or holds what passes; it can act on
//! the very message that carries a `COMMIT`. [`process`] runs a service as a process of its own, so that a kill is a
//! real one. [`reorder`] repeats, overtakes and delays whole calls, which TCP cannot do. [`cluster`] puts a proxy on
//! every edge of a fleet of processes. [`bytes`] is how a message stands on the wire.
//!
//! Promises that a test never has to sleep: everything that happens here can be awaited. Refuses to know what the
//! services mean: it sees bytes, statements, calls and processes.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a harness that cannot do its work has to fail the test it serves"
)]

pub mod bytes;
pub mod cluster;
pub mod port;
pub mod process;
pub mod proxy;
pub mod reorder;
