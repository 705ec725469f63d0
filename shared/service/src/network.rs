//! Whom an address belongs to, for whatever is counted per caller that nobody has signed in as.

use std::net::{IpAddr, Ipv6Addr};

/// The network of an address: whoever has one IPv6 address has the 2^64 around it.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address => address,
    }
}
