//! Customer users: the people of a customer, who use its licenses and whom its partners manage.
//!
//! Promises that the service which assigns licenses is told of every one of them.

pub mod ops;
mod wire;
