//! The contract: generated types, stubs and the descriptor set. No logic.
//!
//! The `.proto` files beside this crate are the documentation; `cargo doc` shows their comments on these types.

#![expect(clippy::all, clippy::allow_attributes, clippy::allow_attributes_without_reason, reason = "generated code")]

/// A request: those that change something can be repeated safely and tried dry (AIP-155, AIP-163).
pub trait Request {
    /// A UUID chosen by the caller; the same id means the same request. Empty: not to be replayed.
    fn request_id(&self) -> &str {
        ""
    }
    /// Whether to run every check and change nothing.
    fn validate_only(&self) -> bool {
        false
    }
}

/// What all services share.
pub mod common {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("tandem.common.v1");
    }
}

/// What the services tell one another beyond their own packages: what partners are and may do, and what whoever was
/// deleted held.
pub mod channel {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("tandem.channel.v1");
    }
}

/// Organizations, users, sessions.
pub mod identity {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("tandem.identity.v1");
    }
}

/// Catalog, subscriptions, seats.
pub mod licensing {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("tandem.licensing.v1");
    }
}

/// Enrollment, partnerships, invitations, customers.
pub mod partner {
    /// Version 1.
    pub mod v1 {
        pub use crate::channel::v1::*;

        tonic::include_proto!("tandem.partner.v1");
    }
}

/// The whole contract with its imports, options and comments: an encoded `FileDescriptorSet`.
pub const CONTRACT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/contract.bin"));

/// What reflection shows: the contract without the internal listeners.
pub const PUBLIC: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/public.bin"));

include!(concat!(env!("OUT_DIR"), "/traits.rs"));
