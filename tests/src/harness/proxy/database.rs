//! A proxy in front of a PostgreSQL server, as its clients name it.

use std::net::{SocketAddr, ToSocketAddrs as _};

use super::Proxy;

/// Starts an edge to the server of a `postgres://` URL, and answers the URL that leads through it.
///
/// # Panics
/// When the URL names no server, and as [`Proxy::start`].
#[must_use]
pub fn to_database(url: &str) -> (Proxy, String) {
    let server = server(url);
    let address = server.to_socket_addrs().ok().and_then(|mut found| found.find(SocketAddr::is_ipv4));
    let proxy = Proxy::start(address.expect("the server has an address"));
    let through = url.replacen(server, &proxy.address().to_string(), 1);
    (proxy, through)
}

/// The host and port of a URL.
fn server(url: &str) -> &str {
    let (_, rest) = url.split_once("://").expect("a URL has a scheme");
    let authority = rest.split_once('/').map_or(rest, |(authority, _)| authority);
    authority.rsplit_once('@').map_or(authority, |(_, server)| server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_server_of_a_url_is_replaced() {
        let (proxy, through) = to_database("postgres://postgres:p@127.0.0.1:5432/127.0.0.1");
        assert_eq!(through, format!("postgres://postgres:p@{}/127.0.0.1", proxy.address()));
        assert_eq!(server("postgres://localhost:1"), "localhost:1");
    }
}
