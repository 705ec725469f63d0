//! What tests of every crate stand on: both databases, fresh, and nothing that knows a service.

pub mod database;
pub mod postgres;
