//! Sessions: a user's proof, kept alive by refresh tokens that are good once.
//!
//! An access token names its session and the user's auth_version; identity refuses it as soon as either is over, the
//! other services refuse it below the user's floor. Presenting a used refresh token ends the session (RFC 9700).

pub mod ops;
pub mod store;
mod token;
mod wire;

pub(crate) use ops::{raise_floor, tell_floor};
pub(crate) use wire::{role, role_number, roles};

use std::time::Duration;

use base::{Id, Secret, Timestamp};
use service::keys::sha256;
use service::token::ACCESS_TOKEN_LIFE;

use crate::user::User;

/// How long a session can be refreshed.
pub const SESSION_LIFE: Duration = Duration::from_secs(12 * 3600);

/// A user's session.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its id.
    pub id: Id<Session>,
    /// Whose it is.
    pub user: Id<User>,
    /// When the user proved who they are. Refreshing keeps it.
    pub auth_time: Timestamp,
    /// It was opened with a temporary password and is good for replacing it.
    pub must_change_password: bool,
    /// Whether it goes on.
    pub open: bool,
    /// When it ends by itself.
    pub expire_time: Timestamp,
}

/// A session with fresh tokens.
#[derive(Debug)]
pub struct Opened {
    pub(super) session: Session,
    pub(super) access_token: Secret<String>,
    pub(super) access_token_expire_time: Timestamp,
    pub(super) refresh_token: Option<Secret<String>>,
}

impl Session {
    /// A session that begins now, because the user has just proved who they are.
    pub fn begin(id: Id<Self>, user: &User, now: Timestamp) -> Self {
        let must_change_password = user.must_change_password();
        let life = if must_change_password { ACCESS_TOKEN_LIFE } else { SESSION_LIFE };
        Self { id, user: user.id, auth_time: now, must_change_password, open: true, expire_time: now + life }
    }

    /// Whether it goes on at that time.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.open && now < self.expire_time
    }
}

/// What the database keeps of a refresh token.
pub(crate) fn digest(token: &str) -> [u8; 32] {
    sha256(token.as_bytes())
}
