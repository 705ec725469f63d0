//! tests

pub mod grpcurl;
pub mod harness;
pub mod readme;
pub mod world;
