//! What partner holds of the other services' facts. The owner is the only writer of a fact; the higher version wins.

use base::{Fault, Id};
use proto::identity::v1::{IdentityFact, identity_fact};
use proto::partner::v1 as pb;
use service::{Cx, Operation, Wire, floor};

use crate::Partner;
use crate::policy::{Permission, Target};

/// Takes over facts of identity.
#[derive(Debug)]
pub struct ApplyIdentityFacts(Vec<IdentityFact>);

impl Wire for ApplyIdentityFacts {
    type Request = pb::ApplyIdentityFactsRequest;
    type Response = pb::ApplyIdentityFactsResponse;
    type Reply = ();

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        Ok(Self(request.facts))
    }

    fn present((): ()) -> Self::Response {
        pb::ApplyIdentityFactsResponse {}
    }
}

impl Operation for ApplyIdentityFacts {
    type Service = Partner;
    const METHOD: &'static str = "/tandem.partner.v1.PartnerInternalService/ApplyIdentityFacts";
    const PERMISSION: Permission = Permission::Peer;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    async fn run(&self, cx: &mut Cx<Partner>, (): &()) -> Result<(), Fault> {
        for fact in &self.0 {
            match &fact.fact {
                Some(identity_fact::Fact::PrincipalFloor(told)) => {
                    let principal = Id::<()>::parse(&told.principal_id)
                        .ok_or_else(|| Fault::field("facts", "MALFORMED", "a principal_id is not a UUID"))?;
                    floor::raise(&mut cx.tx, principal.uuid(), told.auth_version).await?;
                }
                Some(_) | None => {}
            }
        }
        Ok(())
    }
}
