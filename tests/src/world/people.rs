//! The people of a world, and what a stranger would do to become one of them.

use std::time::Duration;

use proto::identity::v1 as pb;
use proto::identity::v1::registration_service_client::RegistrationServiceClient;
use proto::identity::v1::session_service_client::SessionServiceClient;
use tonic::metadata::MetadataValue;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;
use uuid::Uuid;

use super::doors::Operator;
use super::{Doors, World};

/// A password that nobody would guess early.
pub const PASSWORD: &str = "plum violin drizzle gravel";

/// How long an operator's token is used again: as often as this, signing in is not counted as guessing.
const OPERATOR_TOKEN_REUSE: Duration = Duration::from_secs(300);

/// An organization that registered itself, with its first global admin signed in.
#[derive(Clone, Debug)]
pub struct Registered {
    /// The organization.
    pub organization_id: String,
    /// Its first domain.
    pub domain: String,
    /// Its first global admin.
    pub admin_user_id: String,
    /// What the admin signs in with.
    pub admin_sign_in_name: String,
    /// The admin's session.
    pub session: pb::Session,
}

/// A request with a token.
pub fn authorized<M>(token: &str, message: M) -> Request<M> {
    let mut request = Request::new(message);
    let token = MetadataValue::try_from(format!("Bearer {token}")).expect("a token is metadata");
    request.metadata_mut().insert("authorization", token);
    request
}

/// A refusal as a caller sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The gRPC code.
    pub code: Code,
    /// ErrorInfo.reason.
    pub reason: String,
}

impl Refused {
    /// Reads a status.
    pub fn of(status: &Status) -> Self {
        let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
        Self { code: status.code(), reason }
    }

    /// The code and reason of a call that must have been refused.
    pub fn by<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, String) {
        let refused = Self::of(&answer.expect_err("the call is refused"));
        (refused.code, refused.reason)
    }
}

impl World {
    /// A valid registration of an organization that nobody else has.
    pub fn registration() -> pb::RegisterOrganizationRequest {
        let unique = Uuid::now_v7().simple().to_string();
        pb::RegisterOrganizationRequest {
            name: "Fabrikam Distribution".to_owned(),
            country: "DE".to_owned(),
            cloud: pb::Cloud::Global.into(),
            domain_prefix: format!("f{}", &unique[8..32]),
            admin_display_name: "Ada Admin".to_owned(),
            admin_name: "ada".to_owned(),
            admin_password: PASSWORD.to_owned(),
            request_id: Uuid::now_v7().to_string(),
            validate_only: false,
            invitation_token: String::new(),
        }
    }

    /// A valid request for a workload.
    pub fn workload(name: &str) -> pb::CreateWorkloadRequest {
        pb::CreateWorkloadRequest {
            display_name: name.to_owned(),
            roles: vec![pb::Role::AdminAgent.into()],
            request_id: Uuid::now_v7().to_string(),
            validate_only: false,
        }
    }
}

impl Doors {
    /// Registers an organization and signs its admin in.
    pub async fn register(&self) -> Registered {
        let request = World::registration();
        let mut client = RegistrationServiceClient::new(self.to_identity().await);
        let made = client.register_organization(request).await.expect("a valid registration").into_inner();
        let organization = made.organization.expect("an organization was made");
        let session = self.sign_in(&made.admin_sign_in_name, PASSWORD).await;
        Registered {
            organization_id: organization.organization_id,
            domain: organization.domains[0].clone(),
            admin_user_id: made.admin_user_id,
            admin_sign_in_name: made.admin_sign_in_name,
            session,
        }
    }

    /// Signs somebody in who can.
    pub async fn sign_in(&self, name: &str, password: &str) -> pb::Session {
        self.try_sign_in(name, password).await.expect("the sign-in succeeds")
    }

    /// Tries to sign somebody in.
    pub async fn try_sign_in(&self, name: &str, password: &str) -> Result<pb::Session, Status> {
        let request = pb::SignInRequest { sign_in_name: name.to_owned(), password: password.to_owned() };
        let answer = SessionServiceClient::new(self.to_identity().await).sign_in(request).await?;
        Ok(answer.into_inner().session.expect("a session begins"))
    }

    /// An access token of the operator, who has replaced the temporary password. It is kept with the world whose it is
    /// and good for five minutes more: how often one name signs in is limited.
    pub async fn operator(&self) -> String {
        let mut operator = self.operator.lock().await;
        if let Operator::New(way_in) = &*operator {
            let name = way_in.sign_in_name.clone();
            let temporary = self.sign_in(&name, way_in.secret.expose()).await;
            let change = pb::ChangePasswordRequest {
                current_password: way_in.secret.expose().clone(),
                new_password: PASSWORD.to_owned(),
            };
            let mut client = SessionServiceClient::new(self.to_identity().await);
            client.change_password(authorized(&temporary.access_token, change)).await.expect("the password is changed");
            *operator = Operator::SignedUp { name, token: None };
        }
        let Operator::SignedUp { name, token } = &mut *operator else {
            unreachable!("the operator has just signed up")
        };
        let now = self.clock.now();
        if let Some((token, time)) = token
            && now.since(*time) < OPERATOR_TOKEN_REUSE
        {
            return token.clone();
        }
        let fresh = self.sign_in(name, PASSWORD).await.access_token;
        *token = Some((fresh.clone(), now));
        fresh
    }
}
