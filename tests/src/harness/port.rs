//! Loopback ports that nobody else can take.
//!
//! Owns the reservation: a socket that is bound and never listens. Whoever sets `SO_REUSEADDR` (every Rust listener
//! does) may listen on the address beside it; the kernel hands it to nobody who asks for just any port. Without it, a
//! port that was found free is free for everyone until the service under test has started, and again whenever it is
//! down.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    os::fd::AsRawFd,
};

use nix::sys::socket::{Shutdown, shutdown};
use tokio::net::{TcpListener, TcpSocket};

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

/// A loopback port that stays ours as long as this value lives, whether or not somebody listens on it.
#[derive(Debug)]
pub struct ReservedPort {
    address: SocketAddr,
    _socket: TcpSocket,
}

impl ReservedPort {
    /// Takes a port that nobody uses.
    ///
    /// # Panics
    /// When the machine has none left.
    #[must_use]
    pub fn reserve() -> Self {
        let socket = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a loopback port is free");
        let address = socket.local_addr().expect("a bound socket has an address");
        Self { address, _socket: socket }
    }

    /// The address to listen on and to connect to. Connecting is refused while nobody listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Listens on the port, in this process.
    ///
    /// # Errors
    /// When somebody listens already.
    pub fn listen(&self) -> io::Result<TcpListener> {
        bind(self.address)?.listen(BACKLOG)
    }
}

/// Stops listening. When this returns, connecting is refused.
///
/// Dropping the listener alone does not do that: a child that is just being started holds a copy of it for a moment.
pub fn close(listener: TcpListener) {
    let _ = shutdown(listener.as_raw_fd(), Shutdown::Both);
    drop(listener);
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn a_reserved_port_refuses_connections_until_somebody_listens() {
        let port = ReservedPort::reserve();
        let refused = TcpStream::connect(port.address()).await;
        assert_eq!(refused.map(drop).map_err(|error| error.kind()), Err(io::ErrorKind::ConnectionRefused));

        let listener = TcpListener::bind(port.address()).await.expect("the port is ours to listen on");
        TcpStream::connect(port.address()).await.expect("somebody listens");
        close(listener);

        let refused = TcpStream::connect(port.address()).await;
        assert_eq!(refused.map(drop).map_err(|error| error.kind()), Err(io::ErrorKind::ConnectionRefused));
        port.listen().expect("the port is still ours");
    }

    #[test]
    fn nobody_else_is_given_a_reserved_port() {
        let ports: Vec<_> = (0..200).map(|_| ReservedPort::reserve()).collect();
        let distinct: HashSet<_> = ports.iter().map(ReservedPort::address).collect();
        assert_eq!(distinct.len(), ports.len());
    }
}
