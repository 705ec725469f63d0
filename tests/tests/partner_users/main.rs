//! Partner users: who adds, changes, resets and removes whom, and what becomes of those (D-02, D-13, D-14, D-25 to D-27,
//! D-64, O-15 to O-18, C3, C18, C22, C23, C25, AS-09 to AS-11, AS-69, AS-71, AS-72).
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test has nothing better to do than fail"
)]

mod adding;
mod grants;
mod passwords;
mod provider;
mod reading;
mod roles;

use proto::identity::v1::partner_user_service_client::PartnerUserServiceClient;
use proto::identity::v1::{
    AddPartnerUserRequest, AddPartnerUserResponse, GetPartnerUserRequest, ListPartnerUsersRequest,
    ListPartnerUsersResponse, PartnerUser, RemovePartnerUserRequest, ResetPartnerUserPasswordRequest,
    ResetPartnerUserPasswordResponse, Role, UpdatePartnerUserRolesRequest,
};
use testkit::database::Kind;
use tests::world::{Registered, World, authorized};
use tonic::{Code, Status};
use tonic_types::StatusExt;
use uuid::Uuid;

/// A partner in a world, and what can be asked about its users.
struct Office {
    world: &'static World,
    registered: Registered,
}

impl Office {
    async fn open(kind: Kind) -> Self {
        let world = World::shared(kind).await;
        Self { world, registered: world.register().await }
    }

    /// The first admin's token.
    fn admin(&self) -> &str {
        &self.registered.session.access_token
    }

    async fn users(&self) -> Users {
        Users::of(self.world).await
    }
}

/// The service, with requests unwrapped.
struct Users(PartnerUserServiceClient<tonic::transport::Channel>);

impl Users {
    async fn of(world: &World) -> Self {
        Self(PartnerUserServiceClient::new(world.to_identity().await))
    }

    async fn add(&mut self, token: &str, request: AddPartnerUserRequest) -> Result<AddPartnerUserResponse, Status> {
        self.0.add_partner_user(authorized(token, request)).await.map(tonic::Response::into_inner)
    }

    async fn get(&mut self, token: &str, user_id: &str) -> Result<PartnerUser, Status> {
        let request = GetPartnerUserRequest { user_id: user_id.to_owned() };
        Ok(self.0.get_partner_user(authorized(token, request)).await?.into_inner().user.unwrap())
    }

    async fn list(
        &mut self,
        token: &str,
        request: ListPartnerUsersRequest,
    ) -> Result<ListPartnerUsersResponse, Status> {
        self.0.list_partner_users(authorized(token, request)).await.map(tonic::Response::into_inner)
    }

    async fn update(&mut self, token: &str, request: UpdatePartnerUserRolesRequest) -> Result<PartnerUser, Status> {
        let answer = self.0.update_partner_user_roles(authorized(token, request)).await?;
        assert!(answer.metadata().get("tandem-propagation").is_none(), "the answer came after the delivery");
        Ok(answer.into_inner().user.unwrap())
    }

    async fn reset(
        &mut self,
        token: &str,
        request: ResetPartnerUserPasswordRequest,
    ) -> Result<ResetPartnerUserPasswordResponse, Status> {
        let answer = self.0.reset_partner_user_password(authorized(token, request)).await?;
        assert!(answer.metadata().get("tandem-propagation").is_none(), "the answer came after the delivery");
        Ok(answer.into_inner())
    }

    async fn remove(&mut self, token: &str, request: RemovePartnerUserRequest) -> Result<PartnerUser, Status> {
        let answer = self.0.remove_partner_user(authorized(token, request)).await?;
        assert!(answer.metadata().get("tandem-propagation").is_none(), "the answer came after the delivery");
        Ok(answer.into_inner().user.unwrap())
    }
}

fn numbers(roles: &[Role]) -> Vec<i32> {
    roles.iter().map(|role| i32::from(*role)).collect()
}

fn roles_of(user_id: &str, roles: &[Role]) -> UpdatePartnerUserRolesRequest {
    UpdatePartnerUserRolesRequest {
        user_id: user_id.to_owned(),
        roles: numbers(roles),
        request_id: Uuid::now_v7().to_string(),
        ..Default::default()
    }
}

fn reset_of(user_id: &str) -> ResetPartnerUserPasswordRequest {
    let request_id = Uuid::now_v7().to_string();
    ResetPartnerUserPasswordRequest { user_id: user_id.to_owned(), request_id, ..Default::default() }
}

fn removal_of(user_id: &str) -> RemovePartnerUserRequest {
    let request_id = Uuid::now_v7().to_string();
    RemovePartnerUserRequest { user_id: user_id.to_owned(), request_id, ..Default::default() }
}

/// The code and reason of a refusal; `OK` for what was allowed.
fn outcome<T>(answer: &Result<T, Status>) -> (Code, String) {
    match answer {
        Ok(_) => (Code::Ok, String::new()),
        Err(status) => (status.code(), status.get_details_error_info().map(|info| info.reason).unwrap_or_default()),
    }
}

/// The same in brief.
fn reason<T>(answer: &Result<T, Status>) -> String {
    match outcome(answer) {
        (Code::Ok, _) => "OK".to_owned(),
        (_, reason) => reason,
    }
}
