//! Sessions and refresh tokens in SQL.

use base::{Fault, Id, Timestamp};
use db::{Record, Row, Tx};

use super::Session;
use crate::organization::Organization;
use crate::user::{Role, User};

impl Record for Session {
    fn read(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            id: row.get("session_id")?,
            user: row.get("user_id")?,
            auth_time: row.get("auth_time")?,
            must_change_password: row.get("must_change_password")?,
            open: row.get::<String>("state")? == "OPEN",
            expire_time: row.get("expire_time")?,
        })
    }
}

/// The session, held as it is.
pub async fn get(tx: &mut Tx, id: Id<Session>) -> Result<Option<Session>, Fault> {
    tx.sql(
        "SELECT session_id, user_id, auth_time, must_change_password, state, expire_time
         FROM sessions
         WHERE session_id = $1",
    )
    .bind(id)
    .for_share()
    .optional()
    .await
}

/// Writes a new session.
pub async fn insert(tx: &mut Tx, session: &Session) -> Result<(), Fault> {
    tx.sql(
        "INSERT INTO sessions (session_id, user_id, auth_time, must_change_password, state, expire_time, create_time)
         VALUES ($1, $2, $3, $4, 'OPEN', $5, $3)",
    )
    .bind(session.id)
    .bind(session.user)
    .bind(session.auth_time)
    .bind(session.must_change_password)
    .bind(session.expire_time)
    .execute()
    .await
    .map(drop)
}

/// Whether an active user of the organization who holds the role has a session that goes on.
pub async fn any_open_with_role(
    tx: &mut Tx,
    organization: Id<Organization>,
    role: Role,
    now: Timestamp,
) -> Result<bool, Fault> {
    let session: Option<Id<Session>> = tx
        .sql(
            "SELECT s.session_id FROM sessions s
             JOIN users u ON u.user_id = s.user_id
             JOIN user_roles r ON r.user_id = u.user_id
             WHERE u.organization_id = $1 AND u.state = 'ACTIVE' AND r.role = $2 AND s.state = 'OPEN'
                 AND s.expire_time > $3
             LIMIT 1",
        )
        .bind(organization)
        .bind(role.as_str())
        .bind(now)
        .optional()
        .await?;
    Ok(session.is_some())
}

/// Ends one session. False when it was over.
pub async fn end(tx: &mut Tx, id: Id<Session>) -> Result<bool, Fault> {
    let ended = tx
        .sql("UPDATE sessions SET state = 'ENDED' WHERE session_id = $1 AND state = 'OPEN'")
        .bind(id)
        .execute()
        .await?;
    Ok(ended == 1)
}

/// Ends all of a user's sessions.
pub async fn end_all(tx: &mut Tx, user: Id<User>) -> Result<u64, Fault> {
    tx.sql("UPDATE sessions SET state = 'ENDED' WHERE user_id = $1 AND state = 'OPEN'").bind(user).execute().await
}

/// Writes the session's current refresh token.
pub async fn insert_token(tx: &mut Tx, digest: &[u8; 32], session: Id<Session>, now: Timestamp) -> Result<(), Fault> {
    tx.sql("INSERT INTO refresh_tokens (token_digest, session_id, state, create_time) VALUES ($1, $2, 'CURRENT', $3)")
        .bind(digest)
        .bind(session)
        .bind(now)
        .execute()
        .await
        .map(drop)
}

/// The session of a refresh token, and whether the token is the current one.
pub async fn token(tx: &mut Tx, digest: &[u8; 32]) -> Result<Option<(Id<Session>, bool)>, Fault> {
    let found: Option<(Id<Session>, String)> = tx
        .sql("SELECT session_id, state FROM refresh_tokens WHERE token_digest = $1")
        .bind(digest)
        .for_update()
        .optional()
        .await?;
    Ok(found.map(|(session, state)| (session, state == "CURRENT")))
}

/// Marks the current token used. False when somebody was faster.
pub async fn use_token(tx: &mut Tx, digest: &[u8; 32]) -> Result<bool, Fault> {
    let used = tx
        .sql("UPDATE refresh_tokens SET state = 'USED' WHERE token_digest = $1 AND state = 'CURRENT'")
        .bind(digest)
        .execute()
        .await?;
    Ok(used == 1)
}

/// Deletes sessions that ended by themselves before the time, with their tokens.
pub async fn sweep(tx: &mut Tx, before: Timestamp) -> Result<(), Fault> {
    tx.sql(
        "DELETE FROM refresh_tokens
         WHERE session_id IN (SELECT session_id FROM sessions WHERE expire_time < $1)",
    )
    .bind(before)
    .execute()
    .await?;
    tx.sql("DELETE FROM sessions WHERE expire_time < $1").bind(before).execute().await.map(drop)
}
