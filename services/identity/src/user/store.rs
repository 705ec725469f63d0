//! Users in SQL.

use std::collections::BTreeSet;

use base::{Fault, Id, Timestamp};
use db::{Record, Row, Tx};

use super::{Credential, Role, State, User};
use crate::country::Country;
use crate::organization::Organization;

impl Record for User {
    /// Without roles.
    fn read(row: &Row) -> Result<Self, Fault> {
        let hash: Option<String> = row.get("password_hash")?;
        let digest: Option<Vec<u8>> = row.get("temporary_digest")?;
        let expire_time: Option<Timestamp> = row.get("temporary_expire_time")?;
        let credential = match (hash, digest, expire_time) {
            (Some(password_hash), None, None) => Credential::Chosen { password_hash },
            (None, Some(digest), Some(expire_time)) => Credential::Temporary { digest, expire_time },
            _ => return Err(Fault::internal("a user's row holds no credential, or two")),
        };
        Ok(Self {
            id: row.get("user_id")?,
            organization: row.get("organization_id")?,
            sign_in_name: row.get("sign_in_name")?,
            sign_in_key: row.get("sign_in_key")?,
            display_name: row.get("display_name")?,
            first_name: row.get("first_name")?,
            last_name: row.get("last_name")?,
            usage_location: row
                .get::<Option<String>>("usage_location")?
                .map(|code| Country::parse(&code))
                .transpose()
                .map_err(|_| Fault::internal("a user's row holds an unknown country"))?,
            state: State::parse(&row.get::<String>("state")?)
                .ok_or_else(|| Fault::internal("a user's row holds an unknown state"))?,
            roles: BTreeSet::new(),
            credential,
            credential_set_by: row.get("credential_set_by")?,
            credential_set_time: row.get("credential_set_time")?,
            auth_version: row.get("auth_version")?,
            version: row.get("version")?,
            create_time: row.get("create_time")?,
        })
    }
}

/// The user with roles, held as they are.
pub async fn get(tx: &mut Tx, id: Id<User>) -> Result<Option<User>, Fault> {
    let user = tx
        .sql(
            "SELECT user_id, organization_id, sign_in_name, sign_in_key, display_name, first_name, last_name,
                 usage_location, state, password_hash, temporary_digest, temporary_expire_time, credential_set_by,
                 credential_set_time, auth_version, version, create_time
             FROM users
             WHERE user_id = $1",
        )
        .bind(id)
        .for_share()
        .optional()
        .await?;
    with_roles(tx, user).await
}

/// The user with roles, held for a change.
pub async fn lock(tx: &mut Tx, id: Id<User>) -> Result<Option<User>, Fault> {
    let user = tx
        .sql(
            "SELECT user_id, organization_id, sign_in_name, sign_in_key, display_name, first_name, last_name,
                 usage_location, state, password_hash, temporary_digest, temporary_expire_time, credential_set_by,
                 credential_set_time, auth_version, version, create_time
             FROM users
             WHERE user_id = $1",
        )
        .bind(id)
        .for_update()
        .optional()
        .await?;
    with_roles(tx, user).await
}

/// The living user of that normalized sign-in name, with roles, unless their organization is still pending.
pub async fn by_sign_in_key(tx: &mut Tx, key: &str) -> Result<Option<User>, Fault> {
    let user = tx
        .sql(
            "SELECT user_id, organization_id, sign_in_name, sign_in_key, display_name, first_name, last_name,
                 usage_location, state, password_hash, temporary_digest, temporary_expire_time, credential_set_by,
                 credential_set_time, auth_version, version, create_time
             FROM users
             WHERE sign_in_key = $1 AND state = 'ACTIVE'
                 AND EXISTS (
                     SELECT 1 FROM organizations o
                     WHERE o.organization_id = users.organization_id AND o.state <> 'PENDING')",
        )
        .bind(key)
        .for_share()
        .optional()
        .await?;
    with_roles(tx, user).await
}

/// Those of the users who are a customer's, without roles.
pub async fn of_customer(tx: &mut Tx, customer: Id<Organization>, ids: &[Id<User>]) -> Result<Vec<User>, Fault> {
    tx.sql_for(
        "SELECT u.user_id, u.organization_id, u.sign_in_name, u.sign_in_key, u.display_name, u.first_name, u.last_name,
             u.usage_location, u.state, u.password_hash, u.temporary_digest, u.temporary_expire_time,
             u.credential_set_by, u.credential_set_time, u.auth_version, u.version, u.create_time
         FROM users u
         JOIN organizations o ON o.organization_id = u.organization_id
         WHERE u.organization_id = $1 AND o.kind = 'CUSTOMER' AND o.state <> 'PENDING'
             AND u.user_id IN (SELECT unhex(value) FROM json_each($2))",
        "SELECT u.user_id, u.organization_id, u.sign_in_name, u.sign_in_key, u.display_name, u.first_name, u.last_name,
             u.usage_location, u.state, u.password_hash, u.temporary_digest, u.temporary_expire_time,
             u.credential_set_by, u.credential_set_time, u.auth_version, u.version, u.create_time
         FROM users u
         JOIN organizations o ON o.organization_id = u.organization_id
         WHERE u.organization_id = $1 AND o.kind = 'CUSTOMER' AND o.state <> 'PENDING'
             AND u.user_id = ANY($2)",
    )
    .bind(customer)
    .bind(ids)
    .all()
    .await
}

async fn with_roles(tx: &mut Tx, user: Option<User>) -> Result<Option<User>, Fault> {
    let Some(mut user) = user else { return Ok(None) };
    let roles: Vec<String> =
        tx.sql("SELECT role FROM user_roles WHERE user_id = $1 ORDER BY role").bind(user.id).all().await?;
    user.roles = roles.iter().filter_map(|role| Role::parse(role)).collect();
    Ok(Some(user))
}

/// Adds the roles of users that were read without.
pub async fn add_roles(tx: &mut Tx, users: &mut [User]) -> Result<(), Fault> {
    let ids: Vec<Id<User>> = users.iter().map(|user| user.id).collect();
    let roles: Vec<(Id<User>, String)> = tx
        .sql_for(
            "SELECT user_id, role FROM user_roles
             WHERE user_id IN (SELECT unhex(value) FROM json_each($1))",
            "SELECT user_id, role FROM user_roles WHERE user_id = ANY($1)",
        )
        .bind(&ids)
        .all()
        .await?;
    for (id, role) in roles {
        if let Some(user) = users.iter_mut().find(|user| user.id == id) {
            user.roles.extend(Role::parse(&role));
        }
    }
    Ok(())
}

/// Writes a new user. False when the sign-in name is taken.
pub async fn insert(tx: &mut Tx, user: &User) -> Result<bool, Fault> {
    let (hash, digest, expire_time) = columns(&user.credential);
    let inserted = tx
        .sql(
            "INSERT INTO users
                 (user_id, organization_id, sign_in_name, sign_in_key, display_name, first_name, last_name,
                  usage_location, sort_key, state, password_hash, temporary_digest, temporary_expire_time,
                  credential_set_by, credential_set_time, auth_version, version, create_time, update_time)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $18)
             ON CONFLICT DO NOTHING",
        )
        .bind(user.id)
        .bind(user.organization)
        .bind(&user.sign_in_name)
        .bind(&user.sign_in_key)
        .bind(&user.display_name)
        .bind(&user.first_name)
        .bind(&user.last_name)
        .bind(user.usage_location.as_ref().map(Country::as_str))
        .bind(user.sort_key())
        .bind(user.state.as_str())
        .bind(hash)
        .bind(digest)
        .bind(expire_time)
        .bind(user.credential_set_by)
        .bind(user.credential_set_time)
        .bind(user.auth_version)
        .bind(user.version)
        .bind(user.create_time)
        .execute()
        .await?;
    if inserted == 0 {
        return Ok(false);
    }
    insert_roles(tx, user.id, &user.roles).await?;
    Ok(true)
}

async fn insert_roles(tx: &mut Tx, id: Id<User>, roles: &BTreeSet<Role>) -> Result<(), Fault> {
    for role in roles {
        tx.sql("INSERT INTO user_roles (user_id, role) VALUES ($1, $2)").bind(id).bind(role.as_str()).execute().await?;
    }
    Ok(())
}

/// Replaces the roles and raises auth_version, unless somebody was faster.
pub async fn set_roles(tx: &mut Tx, user: &User, roles: &BTreeSet<Role>, now: Timestamp) -> Result<bool, Fault> {
    let updated = tx
        .sql(
            "UPDATE users SET auth_version = auth_version + 1, version = version + 1, update_time = $3
             WHERE user_id = $1 AND version = $2 AND state = 'ACTIVE'",
        )
        .bind(user.id)
        .bind(user.version)
        .bind(now)
        .execute()
        .await?;
    if updated == 0 {
        return Ok(false);
    }
    tx.sql("DELETE FROM user_roles WHERE user_id = $1").bind(user.id).execute().await?;
    insert_roles(tx, user.id, roles).await?;
    Ok(true)
}

/// Deletes the user, which frees the sign-in name and raises auth_version, unless somebody was faster.
pub async fn delete(tx: &mut Tx, user: &User, now: Timestamp) -> Result<bool, Fault> {
    let deleted = tx
        .sql(
            "UPDATE users
             SET state = 'DELETED', auth_version = auth_version + 1, version = version + 1, update_time = $3
             WHERE user_id = $1 AND version = $2 AND state = 'ACTIVE'",
        )
        .bind(user.id)
        .bind(user.version)
        .bind(now)
        .execute()
        .await?;
    Ok(deleted == 1)
}

/// Replaces the credential and raises auth_version, unless somebody was faster. Who has set it is kept when it was an
/// organization, for its user.
pub async fn set_credential(
    tx: &mut Tx,
    user: &User,
    credential: &Credential,
    set_by: Option<Id<Organization>>,
    now: Timestamp,
) -> Result<bool, Fault> {
    let (hash, digest, expire_time) = columns(credential);
    let updated = tx
        .sql(
            "UPDATE users
             SET password_hash = $3, temporary_digest = $4, temporary_expire_time = $5,
                 credential_set_by = COALESCE($6, credential_set_by),
                 credential_set_time = COALESCE($7, credential_set_time),
                 auth_version = auth_version + 1, version = version + 1, update_time = $8
             WHERE user_id = $1 AND version = $2 AND state = 'ACTIVE'",
        )
        .bind(user.id)
        .bind(user.version)
        .bind(hash)
        .bind(digest)
        .bind(expire_time)
        .bind(set_by)
        .bind(set_by.map(|_| now))
        .bind(now)
        .execute()
        .await?;
    Ok(updated == 1)
}

fn columns(credential: &Credential) -> (Option<String>, Option<Vec<u8>>, Option<Timestamp>) {
    match credential {
        Credential::Chosen { password_hash } => (Some(password_hash.clone()), None, None),
        Credential::Temporary { digest, expire_time } => (None, Some(digest.clone()), Some(*expire_time)),
    }
}

/// An active user of the organization who holds the role, if there is one.
pub async fn any_with_role(tx: &mut Tx, organization: Id<Organization>, role: Role) -> Result<Option<Id<User>>, Fault> {
    tx.sql(
        "SELECT u.user_id FROM users u
         JOIN user_roles r ON r.user_id = u.user_id
         WHERE u.organization_id = $1 AND u.state = 'ACTIVE' AND r.role = $2
         ORDER BY u.create_time, u.user_id
         LIMIT 1",
    )
    .bind(organization)
    .bind(role.as_str())
    .optional()
    .await
}

/// Whether another active user of the same organization holds the role. Hold the organization's row before asking.
pub async fn another_with_role(tx: &mut Tx, user: &User, role: Role) -> Result<bool, Fault> {
    let another: Option<Id<User>> = tx
        .sql(
            "SELECT u.user_id FROM users u
             JOIN user_roles r ON r.user_id = u.user_id
             WHERE u.organization_id = $1 AND u.state = 'ACTIVE' AND r.role = $2 AND u.user_id <> $3
             LIMIT 1",
        )
        .bind(user.organization)
        .bind(role.as_str())
        .bind(user.id)
        .optional()
        .await?;
    Ok(another.is_some())
}

/// Raises auth_version and answers the new one.
pub async fn raise_auth_version(tx: &mut Tx, id: Id<User>, now: Timestamp) -> Result<i64, Fault> {
    tx.sql(
        "UPDATE users SET auth_version = auth_version + 1, version = version + 1, update_time = $2
         WHERE user_id = $1
         RETURNING auth_version",
    )
    .bind(id)
    .bind(now)
    .one()
    .await
}

/// Deletes a user of a pending organization, who never was.
pub async fn remove_pending(tx: &mut Tx, id: Id<User>) -> Result<(), Fault> {
    tx.sql("DELETE FROM user_roles WHERE user_id = $1").bind(id).execute().await?;
    tx.sql("DELETE FROM users WHERE user_id = $1").bind(id).execute().await.map(drop)
}
