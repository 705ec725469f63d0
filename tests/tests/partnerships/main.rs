//! Partnerships: how a provider and a reseller come together, what each of them sees of it, and how it ends (D-61 to D-66,
//! D-82, C6, C20, C25, C33, C34, AS-80 to AS-82, AS-106).
#![expect(clippy::unwrap_used, reason = "a test has nothing better to do than fail")]

mod accepting;
mod away;
mod dry;
mod ending;
mod foreign;
mod inviting;
mod journal;
mod links;
mod listing;
mod races;
mod removal;
mod roles;
mod shared;

use proto::partner::v1 as pb;
use proto::partner::v1::PartnerKind::{Provider, Reseller};
use proto::partner::v1::partnership_service_client::PartnershipServiceClient;
use testkit::database::Kind;
use tests::world::{Registered, World, authorized, id, token_of};
use tonic::transport::Channel;
use tonic::{Response, Status};
use uuid::Uuid;

/// A provider and a reseller of one country.
struct Pair<'w> {
    world: &'w World,
    provider: Registered,
    reseller: Registered,
}

impl<'w> Pair<'w> {
    async fn of(world: &'w World) -> Self {
        Self { world, provider: world.onboard(Provider).await, reseller: world.onboard(Reseller).await }
    }

    /// Lets the provider invite whoever gets the link. Answers the partnership's id and the link's token.
    async fn invite(&self) -> (String, String) {
        self.invite_as(invitation()).await
    }

    async fn invite_as(&self, request: pb::InviteResellerRequest) -> (String, String) {
        let invited = calls(self.world).await.invite(self.provider.token(), request).await.unwrap();
        (invited.partnership.unwrap().partnership_id, token_of(&invited.draft.unwrap().link))
    }

    /// Makes the two partners. Answers the partnership's id.
    async fn join(&self) -> String {
        self.world.join(&self.provider, &self.reseller).await
    }

    /// The partnership as the provider sees it.
    async fn seen_by_provider(&self, partnership_id: &str) -> pb::Partnership {
        calls(self.world).await.get(self.provider.token(), partnership_id).await.unwrap().partnership.unwrap()
    }
}

async fn pair(kind: Kind) -> Pair<'static> {
    Pair::of(World::shared(kind).await).await
}

/// The service, with requests unwrapped.
struct Calls(PartnershipServiceClient<Channel>);

async fn calls(world: &World) -> Calls {
    Calls(world.partnerships().await)
}

impl Calls {
    async fn invite(
        &mut self,
        token: &str,
        request: pb::InviteResellerRequest,
    ) -> Result<pb::InviteResellerResponse, Status> {
        self.0.invite_reseller(authorized(token, request)).await.map(Response::into_inner)
    }

    async fn preview(&mut self, link: &str) -> Result<pb::PreviewPartnershipResponse, Status> {
        let request = pb::PreviewPartnershipRequest { token: link.to_owned() };
        self.0.preview_partnership(request).await.map(Response::into_inner)
    }

    async fn accept(&mut self, token: &str, request: pb::AcceptPartnershipRequest) -> Result<pb::Partnership, Status> {
        let answer = self.0.accept_partnership(authorized(token, request)).await?;
        Ok(answer.into_inner().partnership.unwrap())
    }

    async fn decline(
        &mut self,
        token: &str,
        request: pb::DeclinePartnershipRequest,
    ) -> Result<pb::Partnership, Status> {
        let answer = self.0.decline_partnership(authorized(token, request)).await?;
        Ok(answer.into_inner().partnership.unwrap())
    }

    async fn cancel(
        &mut self,
        token: &str,
        request: pb::CancelPartnershipInvitationRequest,
    ) -> Result<pb::Partnership, Status> {
        let answer = self.0.cancel_partnership_invitation(authorized(token, request)).await?;
        Ok(answer.into_inner().partnership.unwrap())
    }

    async fn get(&mut self, token: &str, partnership_id: &str) -> Result<pb::GetPartnershipResponse, Status> {
        let request = pb::GetPartnershipRequest { partnership_id: partnership_id.to_owned() };
        self.0.get_partnership(authorized(token, request)).await.map(Response::into_inner)
    }

    async fn providers(
        &mut self,
        token: &str,
        request: pb::ListIndirectProvidersRequest,
    ) -> Result<pb::ListIndirectProvidersResponse, Status> {
        self.0.list_indirect_providers(authorized(token, request)).await.map(Response::into_inner)
    }

    async fn resellers(
        &mut self,
        token: &str,
        request: pb::ListIndirectResellersRequest,
    ) -> Result<pb::ListIndirectResellersResponse, Status> {
        self.0.list_indirect_resellers(authorized(token, request)).await.map(Response::into_inner)
    }

    async fn shared(
        &mut self,
        token: &str,
        request: pb::ListSharedCustomersRequest,
    ) -> Result<pb::ListSharedCustomersResponse, Status> {
        self.0.list_shared_customers(authorized(token, request)).await.map(Response::into_inner)
    }

    async fn revoke(
        &mut self,
        token: &str,
        request: pb::RevokeProviderAdminAccessRequest,
    ) -> Result<pb::Partnership, Status> {
        let answer = self.0.revoke_provider_admin_access(authorized(token, request)).await?;
        Ok(answer.into_inner().partnership.unwrap())
    }

    async fn remove(
        &mut self,
        token: &str,
        request: pb::RemovePartnershipRequest,
    ) -> Result<pb::RemovePartnershipResponse, Status> {
        self.0.remove_partnership(authorized(token, request)).await.map(Response::into_inner)
    }

    /// The entries of a reseller's list.
    async fn providers_of(&mut self, reseller: &Registered) -> Vec<pb::PartnershipEntry> {
        self.providers(reseller.token(), Default::default()).await.unwrap().entries
    }

    /// The entries of a provider's list.
    async fn resellers_of(&mut self, provider: &Registered) -> Vec<pb::PartnershipEntry> {
        self.resellers(provider.token(), Default::default()).await.unwrap().entries
    }

    /// What accepting takes for whoever looked at the link.
    async fn consent(&mut self, link: &str) -> pb::AcceptPartnershipRequest {
        acceptance(link, &self.preview(link).await.unwrap().consent_hash)
    }
}

fn request_id() -> String {
    Uuid::now_v7().to_string()
}

fn invitation() -> pb::InviteResellerRequest {
    pb::InviteResellerRequest {
        recipient_email: "rita@reseller.example".to_owned(),
        request_id: request_id(),
        ..Default::default()
    }
}

fn acceptance(link: &str, consent_hash: &str) -> pb::AcceptPartnershipRequest {
    pb::AcceptPartnershipRequest {
        token: link.to_owned(),
        consent: true,
        consent_hash: consent_hash.to_owned(),
        request_id: request_id(),
        validate_only: false,
    }
}

fn declining(link: &str) -> pb::DeclinePartnershipRequest {
    pb::DeclinePartnershipRequest { token: link.to_owned(), request_id: request_id(), validate_only: false }
}

fn canceling(partnership_id: &str) -> pb::CancelPartnershipInvitationRequest {
    pb::CancelPartnershipInvitationRequest {
        partnership_id: partnership_id.to_owned(),
        request_id: request_id(),
        ..Default::default()
    }
}

fn revoking(partnership_id: &str) -> pb::RevokeProviderAdminAccessRequest {
    pb::RevokeProviderAdminAccessRequest {
        partnership_id: partnership_id.to_owned(),
        request_id: request_id(),
        ..Default::default()
    }
}

fn removing(partnership_id: &str) -> pb::RemovePartnershipRequest {
    pb::RemovePartnershipRequest {
        partnership_id: partnership_id.to_owned(),
        attestation_accepted: true,
        request_id: request_id(),
        ..Default::default()
    }
}

fn sharing(partnership_id: &str) -> pb::ListSharedCustomersRequest {
    pb::ListSharedCustomersRequest { partnership_id: partnership_id.to_owned(), ..Default::default() }
}

/// Suspends or reinstates a partner, for which there is no RPC yet.
async fn set_account(world: &World, partner: &Registered, state: &str) {
    let statement = "UPDATE accounts SET state = $2 WHERE partner_id = $1";
    set(world, statement, &partner.organization_id, state).await;
}

/// Moves an organization to another cloud, as partner knows it: no reseller and no provider is taken in there.
async fn set_cloud(world: &World, partner: &Registered, cloud: &str) {
    let statement = "UPDATE organizations SET cloud = $2 WHERE organization_id = $1";
    set(world, statement, &partner.organization_id, cloud).await;
}

async fn set(world: &World, statement: &'static str, row: &str, value: &str) {
    let mut tx = world.partner.db().await.write().await.unwrap();
    assert_eq!(tx.sql(statement).bind(id(row)).bind(value).execute().await.unwrap(), 1);
    tx.commit().await.unwrap();
}
