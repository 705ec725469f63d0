//! Customer users: who makes and sees whom, and what becomes of those (D-10, D-13, D-14, D-16, O-01, C1, C8, C19, C22, C24,
//! C30, C32, AS-01 to AS-04, AS-06, AS-08, AS-09, AS-19, AS-96, AS-97, AS-101, AS-110).
#![expect(clippy::unwrap_used, reason = "a test has nothing better to do than fail")]

mod access;
mod creating;
mod deleting;
mod listing;
mod reduction;
mod resolution;
mod telling;

use proto::identity::v1::customer_user_service_client::CustomerUserServiceClient;
use proto::identity::v1::{
    CreateUserRequest, CreateUserResponse, DeleteUserRequest, DeleteUserResponse, GetUserRequest, ListUsersRequest,
    ListUsersResponse, User,
};
use testkit::database::Kind;
use tests::world::{Customer, Refused, Registered, World, authorized};
use tonic::transport::Channel;
use tonic::{Code, Status};

/// A partner in a world with a customer that it serves with delegated admin.
struct Desk {
    world: &'static World,
    partner: Registered,
    customer: Customer,
}

impl Desk {
    async fn open(kind: Kind) -> Self {
        let world = World::shared(kind).await;
        let partner = world.register().await;
        let customer = world.served_by(&partner.organization_id).await;
        Self { world, partner, customer }
    }

    /// The token of the partner's first admin.
    fn admin(&self) -> &str {
        &self.partner.session.access_token
    }

    async fn users(&self) -> Users {
        Users::of(self.world).await
    }
}

/// The service, with requests unwrapped.
struct Users(CustomerUserServiceClient<Channel>);

impl Users {
    async fn of(world: &World) -> Self {
        Self(CustomerUserServiceClient::new(world.to_identity().await))
    }

    async fn create(&mut self, token: &str, request: CreateUserRequest) -> Result<CreateUserResponse, Status> {
        self.0.create_user(authorized(token, request)).await.map(tonic::Response::into_inner)
    }

    async fn get(&mut self, token: &str, customer_id: &str, user_id: &str) -> Result<User, Status> {
        let request = GetUserRequest { customer_id: customer_id.to_owned(), user_id: user_id.to_owned() };
        Ok(self.0.get_user(authorized(token, request)).await?.into_inner().user.unwrap())
    }

    async fn delete(&mut self, token: &str, request: DeleteUserRequest) -> Result<DeleteUserResponse, Status> {
        self.0.delete_user(authorized(token, request)).await.map(tonic::Response::into_inner)
    }

    async fn list(&mut self, token: &str, request: ListUsersRequest) -> Result<ListUsersResponse, Status> {
        self.0.list_users(authorized(token, request)).await.map(tonic::Response::into_inner)
    }
}

/// All users of a customer.
fn all_of(customer: &Customer) -> ListUsersRequest {
    ListUsersRequest { customer_id: customer.customer_id.clone(), ..Default::default() }
}

/// The code and reason of a refusal; `OK` for what was allowed.
fn outcome<T>(answer: &Result<T, Status>) -> (Code, String) {
    match answer {
        Ok(_) => (Code::Ok, "OK".to_owned()),
        Err(status) => (status.code(), Refused::of(status).reason),
    }
}

fn reason<T>(answer: &Result<T, Status>) -> String {
    outcome(answer).1
}
