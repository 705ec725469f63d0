//! The table of contents: one line per RPC.

use std::sync::Arc;

use proto::partner::v1 as pb;
use service::Host;
use tonic::{Request, Response, Status};

use crate::Partner;
use crate::projection::ApplyIdentityFacts;

/// The front of partner.
#[derive(Clone, Debug)]
pub struct Api(pub Arc<Host<Partner>>);

type Reply<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl pb::partner_internal_service_server::PartnerInternalService for Api {
    async fn apply_identity_facts(
        &self,
        request: Request<pb::ApplyIdentityFactsRequest>,
    ) -> Reply<pb::ApplyIdentityFactsResponse> {
        self.0.run::<ApplyIdentityFacts>(request).await
    }
    async fn get_decision(&self, _: Request<pb::GetDecisionRequest>) -> Reply<pb::GetDecisionResponse> {
        Err(Status::unimplemented("not yet"))
    }
}
