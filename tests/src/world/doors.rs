//! The public doors of the three services, wherever they run: what people of any world need to know of it.

use std::net::SocketAddr;

use base::{Clock, Timestamp};
use identity::operator::WayIn;
use tokio::sync::Mutex;
use tonic::transport::Channel;

use super::connect;

/// Where the services listen, what time it is there, and who operates them.
#[derive(Debug)]
pub struct Doors {
    /// Moves for all three at once.
    pub clock: Clock,
    public: [SocketAddr; 3],
    pub(super) operator: Mutex<Operator>,
}

#[derive(Debug)]
pub(super) enum Operator {
    New(WayIn),
    SignedUp {
        name: String,
        /// The last token, and the world's time when it was issued.
        token: Option<(String, Timestamp)>,
    },
}

impl Doors {
    /// The doors at these addresses (identity, licensing, partner), with a first operator who has not signed in yet.
    pub fn new(public: [SocketAddr; 3], clock: Clock, operator: WayIn) -> Self {
        Self { clock, public, operator: Mutex::new(Operator::New(operator)) }
    }

    /// A channel to identity's public listener.
    pub async fn to_identity(&self) -> Channel {
        connect(self.public[0]).await
    }

    /// A channel to licensing's public listener.
    pub async fn to_licensing(&self) -> Channel {
        connect(self.public[1]).await
    }

    /// A channel to partner's public listener.
    pub async fn to_partner(&self) -> Channel {
        connect(self.public[2]).await
    }
}
