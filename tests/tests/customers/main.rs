//! Customers: how a partner gets one, what it sees of it, how that ends, and what the customer has to say (D-01, D-13, D-70,
//! D-77, D-78, D-80 to D-83, O-54 to O-57, C2, C19 to C22, C30, C32, AS-94, AS-96, AS-100 to AS-102, AS-110).
#![expect(clippy::unwrap_used, reason = "a test has nothing better to do than fail")]

mod away;
mod clouds;
mod creating;
mod delegated;
mod dry;
mod foreign;
mod journal;
mod listing;
mod named;
mod partners;
mod races;
mod refusals;
mod removing;
mod roles;
mod secrets;
mod showing;
mod subscriptions;

use db::Db;
use proto::partner::v1 as pb;
use proto::partner::v1::customer_service_client::CustomerServiceClient;
use testkit::database::Kind;
use tests::world::{Registered, Tenant, World, authorized, id};
use tonic::transport::Channel;
use tonic::{Response, Status};
use uuid::Uuid;

/// The service, with requests unwrapped.
struct Calls(CustomerServiceClient<Channel>);

async fn calls(world: &World) -> Calls {
    Calls(world.customers().await)
}

impl Calls {
    async fn create(
        &mut self,
        token: &str,
        request: pb::CreateCustomerRequest,
    ) -> Result<pb::CreateCustomerResponse, Status> {
        self.0.create_customer(authorized(token, request)).await.map(Response::into_inner)
    }

    async fn list(
        &mut self,
        token: &str,
        request: pb::ListCustomersRequest,
    ) -> Result<pb::ListCustomersResponse, Status> {
        self.0.list_customers(authorized(token, request)).await.map(Response::into_inner)
    }

    async fn get(&mut self, token: &str, customer_id: &str) -> Result<pb::GetCustomerResponse, Status> {
        let request = pb::GetCustomerRequest { customer_id: customer_id.to_owned() };
        self.0.get_customer(authorized(token, request)).await.map(Response::into_inner)
    }

    async fn remove(
        &mut self,
        token: &str,
        request: pb::RemoveCustomerRequest,
    ) -> Result<pb::RemoveCustomerResponse, Status> {
        self.0.remove_customer(authorized(token, request)).await.map(Response::into_inner)
    }

    async fn partners(
        &mut self,
        token: &str,
        request: pb::ListPartnersOfCustomerRequest,
    ) -> Result<pb::ListPartnersOfCustomerResponse, Status> {
        self.0.list_partners_of_customer(authorized(token, request)).await.map(Response::into_inner)
    }

    async fn revoke(
        &mut self,
        token: &str,
        request: pb::RevokeDelegatedAdminRequest,
    ) -> Result<pb::CustomerPartner, Status> {
        let answer = self.0.revoke_delegated_admin(authorized(token, request)).await?;
        Ok(answer.into_inner().partner.unwrap())
    }

    /// The partners of a customer, as its first admin sees them.
    async fn partners_of(&mut self, tenant: &Tenant) -> Vec<pb::CustomerPartner> {
        self.partners(tenant.token(), Default::default()).await.unwrap().partners
    }

    /// One of them.
    async fn partner_of(&mut self, tenant: &Tenant, partner: &Registered) -> Option<pb::CustomerPartner> {
        let partners = self.partners_of(tenant).await;
        partners.into_iter().find(|found| found.partner_id == partner.organization_id)
    }
}

fn request_id() -> String {
    Uuid::now_v7().to_string()
}

fn removing(customer_id: &str) -> pb::RemoveCustomerRequest {
    pb::RemoveCustomerRequest {
        customer_id: customer_id.to_owned(),
        attestation_accepted: true,
        request_id: request_id(),
        ..Default::default()
    }
}

fn revoking(partner_id: &str) -> pb::RevokeDelegatedAdminRequest {
    pb::RevokeDelegatedAdminRequest {
        partner_id: partner_id.to_owned(),
        request_id: request_id(),
        ..Default::default()
    }
}

/// A valid customer of a provider, whom this reseller serves too.
fn shared_with(reseller: &Registered) -> pb::CreateCustomerRequest {
    pb::CreateCustomerRequest { reseller_id: reseller.organization_id.clone(), ..World::new_customer() }
}

/// A reseller and a customer that it has made.
async fn served(kind: Kind) -> (&'static World, Registered, Tenant) {
    let world = World::shared(kind).await;
    let reseller = world.onboard(pb::PartnerKind::Reseller).await;
    let tenant = world.create_customer(&reseller).await;
    (world, reseller, tenant)
}

/// The customer of an answer that says ACTIVE, with its first admin signed in.
async fn settle_in(world: &World, made: pb::CreateCustomerResponse) -> Tenant {
    let customer = made.customer.unwrap();
    Tenant {
        session: world.replace_password(&made.admin_sign_in_name, &made.temporary_password).await,
        customer_id: customer.customer_id,
        domain: customer.domain,
        admin_user_id: made.admin_user_id,
        admin_sign_in_name: made.admin_sign_in_name,
    }
}

/// What a participant knows of a partner at a customer: active, delegated admin.
async fn known(db: &Db, customer_id: &str, partner_id: &str) -> Option<(bool, bool)> {
    let mut tx = db.snapshot().await.unwrap();
    let found = tx
        .sql("SELECT active, delegated_admin FROM accesses WHERE customer_id = $1 AND partner_id = $2")
        .bind(id(customer_id))
        .bind(id(partner_id))
        .optional()
        .await
        .unwrap();
    tx.rollback().await;
    found
}

/// What identity and licensing know of a partner at a customer.
async fn known_by_all(world: &World, customer_id: &str, partner_id: &str) -> [Option<(bool, bool)>; 2] {
    [
        known(&world.identity.db().await, customer_id, partner_id).await,
        known(&world.licensing.db().await, customer_id, partner_id).await,
    ]
}

/// Suspends or reinstates a partner, for which there is no RPC yet.
async fn set_account(world: &World, partner: &Registered, state: &str) {
    let mut tx = world.partner.db().await.write().await.unwrap();
    let set = tx.sql("UPDATE accounts SET state = $2 WHERE partner_id = $1");
    assert_eq!(set.bind(id(&partner.organization_id)).bind(state).execute().await.unwrap(), 1);
    tx.commit().await.unwrap();
}
