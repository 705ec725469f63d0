//! A walk through everything that takes or makes a secret, each with what is refused on the way.

use std::fmt;

use proto::identity::v1 as identity;
use proto::identity::v1::session_service_client::SessionServiceClient;
use proto::partner::v1 as pb;
use service::keys::random_token;
use tests::world::{Refused, Registered, World, authorized};
use tonic::Status;

use super::canaries::Canaries;

/// What was met so far.
pub(super) struct Walk<'w> {
    pub(super) world: &'w World,
    pub(super) canaries: Canaries,
    /// Everything that refused callers saw.
    pub(super) errors: Vec<u8>,
}

impl<'w> Walk<'w> {
    pub(super) fn begin(world: &'w World) -> Self {
        Self { world, canaries: Canaries::default(), errors: Vec::new() }
    }

    /// A call that has to be refused for that reason, and what its caller sees.
    pub(super) fn refused<T: fmt::Debug>(&mut self, reason: &str, answer: Result<T, Status>) {
        let status = answer.expect_err(reason);
        assert_eq!(Refused::of(&status).reason, reason, "{status:?}");
        self.errors.extend(visible(&status));
    }

    /// A token that leads nowhere, as long as those that do.
    pub(super) fn wrong_token(&mut self, what: &str) -> String {
        let token = random_token().into_inner();
        self.canaries.add(what, &token);
        token
    }

    /// A session's tokens.
    pub(super) fn session(&mut self, of: &str, session: &identity::Session) {
        self.canaries.add_token(&format!("the access token of {of}"), &session.access_token);
        // Who has to replace a password first gets no other token.
        if !session.refresh_token.is_empty() {
            self.canaries.add_token(&format!("the refresh token of {of}"), &session.refresh_token);
        }
    }

    /// A way in that was shown once, and its first use: it is replaced by a password that nobody else knows.
    pub(super) async fn first_use(&mut self, of: &str, name: &str, temporary: &str) -> identity::Session {
        self.canaries.add(&format!("the one-time password of {of}"), temporary);
        let session = self.world.sign_in(name, temporary).await;
        self.session(&format!("{of}, once"), &session);
        let chosen = self.canaries.password(&format!("the chosen password of {of}"));
        let change = identity::ChangePasswordRequest { current_password: temporary.to_owned(), new_password: chosen };
        let mut sessions = SessionServiceClient::new(self.world.to_identity().await);
        let changed = sessions.change_password(authorized(&session.access_token, change)).await;
        let session = changed.unwrap().into_inner().session.unwrap();
        self.session(of, &session);
        self.refused("SIGN_IN_FAILED", self.world.try_sign_in(name, temporary).await);
        session
    }

    /// A partner that an operator takes in.
    pub(super) async fn onboard(&mut self, kind: pb::PartnerKind) -> Registered {
        let (operator, request) = (self.world.operator().await, World::onboarding(kind));
        let of = format!("the admin of a {}", kind.as_str_name());
        let made = self.world.try_onboard(&operator, request.clone()).await.unwrap();
        assert_eq!(self.world.try_onboard(&operator, request.clone()).await.unwrap(), made, "it is shown again");
        let session = self.first_use(&of, &made.admin_sign_in_name, &made.temporary_password).await;
        self.refused("CREDENTIALS_ALREADY_DELIVERED", self.world.try_onboard(&operator, request).await);
        Registered {
            organization_id: made.partner.unwrap().partner_id,
            domain: made.admin_sign_in_name.split_once('@').unwrap().1.to_owned(),
            admin_user_id: made.admin_user_id,
            admin_sign_in_name: made.admin_sign_in_name,
            session,
        }
    }
}

/// What a caller sees of an error.
pub(super) fn visible(status: &Status) -> Vec<u8> {
    [status.message().as_bytes(), status.details(), format!("{status:?}").as_bytes()].concat()
}
