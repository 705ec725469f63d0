//! LimitsService: what this service accepts, published by the code that enforces it (C17).

use std::marker::PhantomData;
use std::sync::Arc;

use base::Fault;
use proto::common::v1 as pb;
use tonic::{Request, Response, Status};

use crate::cx::Cx;
use crate::executor::Host;
use crate::form::{PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX};
use crate::operation::{NamedLimit, Operation, Service, Wire};

/// The limits that every service has.
const LIMITS: [NamedLimit; 3] = [
    NamedLimit { name: "page_size_max", value: PAGE_SIZE_MAX as i64, description: "rows per page of any list" },
    NamedLimit {
        name: "page_size_default",
        value: PAGE_SIZE_DEFAULT as i64,
        description: "rows per page when none is asked for",
    },
    NamedLimit { name: "audit_window_days_max", value: 90, description: "how many days back the journal answers" },
];

/// The service's front.
#[derive(Debug)]
pub struct LimitsApi<S: Service>(pub Arc<Host<S>>);

#[tonic::async_trait]
impl<S: Service> pb::limits_service_server::LimitsService for LimitsApi<S> {
    async fn get_limits(
        &self,
        request: Request<pb::GetLimitsRequest>,
    ) -> Result<Response<pb::GetLimitsResponse>, Status> {
        self.0.run::<GetLimits<S>>(request).await
    }
}

/// Lists the limits of each method and the named limits of the service.
#[derive(Debug)]
pub struct GetLimits<S>(PhantomData<fn() -> S>);

impl<S: Service> Wire for GetLimits<S> {
    type Request = pb::GetLimitsRequest;
    type Response = pb::GetLimitsResponse;
    type Reply = pb::GetLimitsResponse;

    fn parse(_: Self::Request) -> Result<Self, Fault> {
        Ok(Self(PhantomData))
    }

    fn present(reply: Self::Reply) -> Self::Response {
        reply
    }
}

impl<S: Service> Operation for GetLimits<S> {
    type Service = S;
    const METHOD: &'static str = "/tandem.common.v1.LimitsService/GetLimits";
    const PERMISSION: S::Permission = S::READ_LIMITS;
    type Prepared = ();

    fn target(&self) -> S::Target {
        S::own_organization()
    }

    async fn run(&self, cx: &mut Cx<S>, (): &()) -> Result<pb::GetLimitsResponse, Fault> {
        let package = format!("/{}.", S::DOMAIN);
        let served = |path: &str| path.starts_with(&package) || path.starts_with("/tandem.common.");
        let methods = cx.host().contract.methods().filter(|method| served(&method.path) && !method.is_internal());
        let methods = methods
            .map(|method| pb::MethodLimits {
                method: method.path.trim_start_matches('/').to_owned(),
                deadline: method.deadline.and_then(|deadline| prost_types::Duration::try_from(deadline).ok()),
                request_bytes_max: i64::try_from(method.request_bytes_max).unwrap_or(i64::MAX),
                public: method.public,
            })
            .collect();
        let mut limits: Vec<pb::NamedLimit> = LIMITS
            .iter()
            .chain(S::LIMITS)
            .map(|limit| pb::NamedLimit {
                name: limit.name.to_owned(),
                value: limit.value,
                description: limit.description.to_owned(),
            })
            .collect();
        limits.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(pb::GetLimitsResponse { methods, limits })
    }
}
