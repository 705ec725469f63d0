//! Lists of partner users in SQL; a single user is [`crate::user::store`]'s.

use base::{Fault, Id, Keyset, Page, Seek};
use db::Tx;

use crate::organization::Organization;
use crate::user::{self, Role, User};

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
    user::store::add_roles(tx, &mut page.rows).await?;
    Ok(page)
}
