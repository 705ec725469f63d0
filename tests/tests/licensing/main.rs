//! Licensing: what it is told, the catalog, orders, seats and licenses.
#![expect(clippy::unwrap_used, reason = "a test has nothing better to do than fail")]

mod facts;
