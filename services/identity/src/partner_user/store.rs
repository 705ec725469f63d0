//! Lists of partner users in SQL; a single user is [`crate::user::store`]'s.

use base::{Fault, Id, Keyset, Page, Seek};
use db::Tx;

use crate::organization::Organization;
use crate::user::{Role, User};

/// One page of the organization's active users by name, all of them or those who hold the role.
pub async fn list(
    tx: &mut Tx,
    organization: Id<Organization>,
    role: Option<Role>,
    seek: &Seek,
    limit: usize,
) -> Result<Page<User>, Fault> {
    let rows: Vec<User> = tx
        .sql(
            "SELECT user_id, organization_id, sign_in_name, sign_in_key, display_name, first_name, last_name,
                 usage_location, state, password_hash, temporary_digest, temporary_expire_time, credential_set_by,
                 credential_set_time, auth_version, version, create_time
             FROM users
             WHERE organization_id = $1 AND state = 'ACTIVE'",
        )
        .bind(organization)
        .when(
            role.map(Role::as_str),
            "AND EXISTS (SELECT 1 FROM user_roles r WHERE r.user_id = users.user_id AND r.role = $?)",
        )
        .page(seek, limit, "sort_key", "user_id")
        .all()
        .await?;
    let mut page = Page::cut(rows, limit, seek, |user| Keyset { key: user.sort_key(), id: user.id.uuid() });
    add_roles(tx, &mut page.rows).await?;
    Ok(page)
}

async fn add_roles(tx: &mut Tx, users: &mut [User]) -> Result<(), Fault> {
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
