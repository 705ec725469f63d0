//! tests

pub mod fleet;
pub mod grpcurl;
pub mod harness;
pub mod readme;
pub mod shelf;
pub mod tidy;
pub mod world;
