//! The access token of a session, signed with the key that is active now.

use base::{Fault, Secret, Timestamp};
use service::Cx;
use service::token::{ACCESS_TOKEN_LIFE, Claims, PrincipalKind};

use super::Session;
use crate::Identity;
use crate::organization::Organization;
use crate::user::User;

/// Signs an access token for the session.
pub(super) fn sign(
    cx: &mut Cx<Identity>,
    session: &Session,
    user: &User,
    organization: &Organization,
) -> Result<(Secret<String>, Timestamp), Fault> {
    let now = cx.now();
    let expires_at = session.expire_time.min(now + ACCESS_TOKEN_LIFE);
    let claims = Claims {
        subject: user.id.uuid(),
        kind: PrincipalKind::User,
        organization: organization.id.uuid(),
        organization_kind: organization.kind.as_str().to_owned(),
        cloud: organization.cloud.as_str().to_owned(),
        roles: user.roles.iter().map(|role| role.as_str().to_owned()).collect(),
        auth_version: user.auth_version,
        auth_time: session.auth_time,
        session: Some(session.id.uuid()),
        must_change_password: session.must_change_password,
        on_behalf_of: None,
        issued_at: now,
        expires_at,
        token_id: cx.new_id::<Claims>().uuid(),
    };
    Ok((cx.service().sign(&claims)?, expires_at))
}
