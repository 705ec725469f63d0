//! Who asks: the same request, now here and now there, until it is answered.

use std::net::SocketAddr;

use prost::Message;
use proto::licensing::v1::{
    LicenseResult, LicenseToAssign, UpdateLicensesRequest, UpdateLicensesResponse, license_result,
};
use tests::harness::bytes::Bytes;
use tests::world::{Refused, authorized, fresh};
use tonic::Status;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};

/// Changes licenses.
pub(crate) const UPDATE_LICENSES: &str = "/tandem.licensing.v1.LicenseService/UpdateLicenses";
/// Changes the number of seats.
pub(crate) const CHANGE_QUANTITY: &str = "/tandem.licensing.v1.SubscriptionService/ChangeQuantity";

/// What passes when the same request is sent again. A broken connection has no reason; what a service answers has one.
const PASSING: [&str; 7] = [
    "",
    "OUTCOME_UNKNOWN",
    "DATABASE_UNAVAILABLE",
    "REQUEST_IN_PROGRESS",
    "PEER_UNAVAILABLE",
    "KEYS_UNAVAILABLE",
    "OVERLOADED",
];

/// One of many who ask.
pub(crate) struct Asking {
    replicas: [Channel; 2],
    turn: usize,
    /// Calls that were answered with nothing, or with what passes.
    pub(crate) repeated: u64,
}

impl Asking {
    pub(crate) fn at(replicas: [SocketAddr; 2], turn: usize) -> Self {
        let replicas =
            replicas.map(|address| Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy());
        Self { replicas, turn, repeated: 0 }
    }

    /// Sends the same bytes until they are answered, or refused for good. The answer is as it stood on the wire.
    pub(crate) async fn ask(&mut self, method: &'static str, token: &str, request: &[u8]) -> Result<Vec<u8>, Status> {
        loop {
            self.turn += 1;
            match self.once(method, token, request).await {
                Err(status) if PASSING.contains(&Refused::of(&status).reason.as_str()) => self.repeated += 1,
                outcome => return outcome,
            }
        }
    }

    async fn once(&self, method: &'static str, token: &str, request: &[u8]) -> Result<Vec<u8>, Status> {
        let mut client = Grpc::new(self.replicas[self.turn % 2].clone());
        client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let path = http::uri::PathAndQuery::from_static(method);
        client.unary(authorized(token, request.to_vec()), path, Bytes).await.map(tonic::Response::into_inner)
    }

    /// Changes licenses; only seats may be missing.
    pub(crate) async fn update(&mut self, token: &str, request: &UpdateLicensesRequest) -> UpdateLicensesResponse {
        let answer = self.ask(UPDATE_LICENSES, token, &request.encode_to_vec()).await.unwrap();
        UpdateLicensesResponse::decode(answer.as_slice()).unwrap()
    }
}

/// Gives the product to these users, or takes it from them.
pub(crate) fn change(customer: &str, product: &str, users: &[String], give: bool) -> UpdateLicensesRequest {
    let given = LicenseToAssign { product_id: product.to_owned(), ..Default::default() };
    UpdateLicensesRequest {
        customer_id: customer.to_owned(),
        user_ids: users.to_vec(),
        assign: give.then_some(given).into_iter().collect(),
        revoke_product_ids: (!give).then(|| product.to_owned()).into_iter().collect(),
        request_id: fresh(),
        ..Default::default()
    }
}

/// What became of each position, in a word, and by how much it moved the user's licenses.
pub(crate) fn told(answer: &UpdateLicensesResponse) -> Vec<(&str, &'static str, i64)> {
    let tell = |result: &LicenseResult| match result.outcome() {
        license_result::Outcome::Changed if result.assigned_product_ids.is_empty() => ("TAKEN", -1),
        license_result::Outcome::Changed => ("GIVEN", 1),
        license_result::Outcome::Unchanged => ("UNCHANGED", 0),
        _ => {
            assert!(result.errors.len() == 1 && result.errors[0].reason == "NO_SEATS_AVAILABLE", "{result:?}");
            ("NO_SEATS_AVAILABLE", 0)
        }
    };
    let results = answer.results.iter();
    results.map(|result| (result.user_id.as_str(), tell(result))).map(|(user, (word, by))| (user, word, by)).collect()
}
