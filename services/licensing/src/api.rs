//! The table of contents: one line per RPC.

use std::sync::Arc;

use proto::licensing::v1 as pb;
use service::Host;
use tonic::{Request, Response, Status};

use crate::Licensing;
use crate::access::ops::{CancelAccess, PrepareAccess};
use crate::projection::ops::{ApplyIdentityFacts, ApplyPartnerFacts};

/// The front of licensing.
#[derive(Clone, Debug)]
pub struct Api(pub Arc<Host<Licensing>>);

type Reply<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl pb::licensing_internal_service_server::LicensingInternalService for Api {
    async fn apply_identity_facts(
        &self,
        request: Request<pb::ApplyIdentityFactsRequest>,
    ) -> Reply<pb::ApplyIdentityFactsResponse> {
        self.0.run::<ApplyIdentityFacts>(request).await
    }
    async fn apply_partner_facts(
        &self,
        request: Request<pb::ApplyPartnerFactsRequest>,
    ) -> Reply<pb::ApplyPartnerFactsResponse> {
        self.0.run::<ApplyPartnerFacts>(request).await
    }
    async fn prepare_access(&self, request: Request<pb::PrepareAccessRequest>) -> Reply<pb::PrepareAccessResponse> {
        self.0.run::<PrepareAccess>(request).await
    }
    async fn cancel_access(&self, request: Request<pb::CancelAccessRequest>) -> Reply<pb::CancelAccessResponse> {
        self.0.run::<CancelAccess>(request).await
    }
}
