//! Taking partners in that are in the program already: who may, what becomes of it, and the way in that is shown once
//! (D-13, D-51, C22, C23).
#![expect(clippy::unwrap_used, reason = "a test has nothing better to do than fail")]

mod away;
mod dry;
mod onboarding;
mod secrets;

use db::Db;
use proto::partner::v1::{OnboardPartnerRequest, OnboardPartnerResponse};
use tests::world::{World, authorized};
use tonic::Status;
use uuid::Uuid;

/// One call, whatever it answers.
async fn onboard(
    world: &World,
    token: &str,
    request: &OnboardPartnerRequest,
) -> Result<OnboardPartnerResponse, Status> {
    let answer = world.reviews().await.onboard_partner(authorized(token, request.clone())).await;
    answer.map(tonic::Response::into_inner)
}

/// The same request, asked anew.
fn anew(request: &OnboardPartnerRequest) -> OnboardPartnerRequest {
    OnboardPartnerRequest { request_id: Uuid::now_v7().to_string(), ..request.clone() }
}

/// How many rows of partner's have this text in this column.
async fn count(db: &Db, statement: &'static str, text: &str) -> i64 {
    let mut tx = db.snapshot().await.unwrap();
    let count = tx.sql(statement).bind(text).one().await.unwrap();
    tx.rollback().await;
    count
}

/// How many partners have this MPN id.
async fn partners_with(world: &World, mpn_id: &str) -> i64 {
    count(&world.partner.db().await, "SELECT COUNT(*) FROM accounts WHERE mpn_id = $1", mpn_id).await
}
