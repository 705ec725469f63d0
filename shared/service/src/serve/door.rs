//! Who may come in, and that all of them leave: accepted sockets, the caps on them, and the end of every one.
//!
//! **Invariant:** when [`keep`] returns, no socket that it accepted is open
//! (`stopping_ends_within_its_bound_whatever_the_peers_do`).

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::Fault;
use metrics::{counter, gauge};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::network::network;

/// How many may be inside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) total: usize,
    pub(crate) per_address: usize,
}

/// Binds, and says what port was found.
pub(crate) async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Fault> {
    let taken = |err: io::Error| {
        Fault::unavailable("ADDRESS_UNAVAILABLE", format!("cannot listen on {address}: {}", err.kind())).because(err)
    };
    let listener = TcpListener::bind(address).await.map_err(taken)?;
    let found = listener.local_addr().map_err(taken)?;
    Ok((listener, found))
}

/// Accepts until `closing` resolves, then asks every connection to leave and, after `drain`, ends those that stayed.
pub(crate) async fn keep<C, F>(
    listener: TcpListener,
    limits: Limits,
    closing: impl Future<Output = ()>,
    drain: Duration,
    connection: C,
) where
    C: Fn(TcpStream, SocketAddr, CancellationToken) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let leaving = CancellationToken::new();
    let guests = Arc::new(Guests { limits, inside: Mutex::default() });
    let mut open = JoinSet::new();
    let mut closing = pin!(closing);
    loop {
        tokio::select! {
            biased;
            () = &mut closing => break,
            Some(_ended) = open.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => match Guests::admit(&guests, peer.ip()) {
                    Ok(place) => {
                        let served = connection(stream, peer, leaving.clone());
                        open.spawn(async move {
                            let _place = place;
                            served.await;
                        });
                    }
                    Err(cap) => counter!("connections_refused_total", "cap" => cap).increment(1),
                },
                Err(err) => pause(&err).await,
            },
        }
    }
    drop(listener);
    leaving.cancel();
    let left = timeout(drain, async { while open.join_next().await.is_some() {} }).await;
    if left.is_err() {
        warn!(connections = open.len(), "closing connections that did not end by themselves");
    }
    open.shutdown().await;
}

/// A peer that gave up while waiting is no trouble; anything else (no free descriptor) would come again at once.
async fn pause(err: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(err.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        warn!(error = %err, "a connection could not be accepted");
        sleep(Duration::from_millis(100)).await;
    }
}

struct Guests {
    limits: Limits,
    inside: Mutex<HashMap<IpAddr, usize>>,
}

/// One place inside; given back when dropped.
struct Place {
    guests: Arc<Guests>,
    from: IpAddr,
}

impl Guests {
    fn admit(guests: &Arc<Self>, address: IpAddr) -> Result<Place, &'static str> {
        let from = network(address);
        let mut inside = guests.inside.lock().unwrap_or_else(PoisonError::into_inner);
        if inside.values().sum::<usize>() >= guests.limits.total {
            return Err("total");
        }
        let same = inside.get(&from).copied().unwrap_or_default();
        if guests.limits.per_address != 0 && same >= guests.limits.per_address {
            return Err("address");
        }
        inside.insert(from, same + 1);
        gauge!("connections_open").increment(1);
        Ok(Place { guests: Arc::clone(guests), from })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inside = self.guests.inside.lock().unwrap_or_else(PoisonError::into_inner);
        match inside.get_mut(&self.from) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(inside.remove(&self.from)),
        }
        gauge!("connections_open").decrement(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guests(total: usize, per_address: usize) -> Arc<Guests> {
        Arc::new(Guests { limits: Limits { total, per_address }, inside: Mutex::default() })
    }

    #[test]
    fn one_address_cannot_take_every_place() {
        let guests = guests(3, 2);
        let (first, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let place = Guests::admit(&guests, first).expect("a place");
        let _second = Guests::admit(&guests, first).expect("a place");
        assert_eq!(Guests::admit(&guests, first).err(), Some("address"));
        let _third = Guests::admit(&guests, other).expect("a place");
        assert_eq!(Guests::admit(&guests, other).err(), Some("total"));
        drop(place);
        assert!(Guests::admit(&guests, other).is_ok(), "a place given back is free");
    }

    #[test]
    fn one_network_of_ipv6_is_one_address_and_zero_is_no_limit() {
        let one = guests(9, 1);
        let _place = Guests::admit(&one, "2001:db8::1".parse().expect("an address")).expect("a place");
        assert!(Guests::admit(&one, "2001:db8::2".parse().expect("an address")).is_err());
        assert!(Guests::admit(&one, "2001:db8:0:1::1".parse().expect("an address")).is_ok());

        let unlimited = guests(9, 0);
        let places: Vec<_> = (0..9).map(|_| Guests::admit(&unlimited, IpAddr::from([127, 0, 0, 1]))).collect();
        assert!(places.iter().all(Result::is_ok));
    }
}
