//! The people whom a partner adds, and the way in that each of them takes.

use proto::identity::v1 as pb;
use proto::identity::v1::partner_user_service_client::PartnerUserServiceClient;
use proto::identity::v1::session_service_client::SessionServiceClient;
use uuid::Uuid;

use super::{Doors, PASSWORD, Registered, World, authorized};

/// A partner user who is signed in with a password of their own, [`PASSWORD`].
#[derive(Clone, Debug)]
pub struct Person {
    /// Their id.
    pub user_id: String,
    /// What they sign in with.
    pub sign_in_name: String,
    /// Their session.
    pub session: pb::Session,
}

impl World {
    /// A valid addition of a user with these roles, whom the organization does not have yet.
    pub fn addition(registered: &Registered, roles: &[pb::Role]) -> pb::AddPartnerUserRequest {
        pb::AddPartnerUserRequest {
            display_name: "Sam Staff".to_owned(),
            sign_in_name: format!("u{}@{}", Uuid::now_v7().simple(), registered.domain),
            roles: roles.iter().map(|role| i32::from(*role)).collect(),
            request_id: Uuid::now_v7().to_string(),
            ..Default::default()
        }
    }
}

impl Doors {
    /// Lets the organization's first admin add a user with these roles, who replaces the temporary password.
    pub async fn hire(&self, registered: &Registered, roles: &[pb::Role]) -> Person {
        let token = &registered.session.access_token;
        let mut users = PartnerUserServiceClient::new(self.to_identity().await);
        let added = users.add_partner_user(authorized(token, World::addition(registered, roles))).await;
        let added = added.expect("a global admin adds anybody").into_inner();
        let user = added.user.expect("a user was added");
        let session = self.replace_password(&user.sign_in_name, &added.temporary_password).await;
        Person { user_id: user.user_id, sign_in_name: user.sign_in_name, session }
    }

    /// Signs in with a temporary password and replaces it by [`PASSWORD`].
    pub async fn replace_password(&self, sign_in_name: &str, temporary: &str) -> pb::Session {
        let session = self.sign_in(sign_in_name, temporary).await;
        let change =
            pb::ChangePasswordRequest { current_password: temporary.to_owned(), new_password: PASSWORD.to_owned() };
        let mut sessions = SessionServiceClient::new(self.to_identity().await);
        let changed = sessions.change_password(authorized(&session.access_token, change)).await;
        changed.expect("the temporary password is replaced").into_inner().session.expect("a session begins")
    }
}
