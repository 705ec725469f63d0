//! What every service serves.

use proto::common::v1::{GetLimitsRequest, ListAuditEntriesRequest};

use super::judge::Judge;

pub(super) async fn fixtures(judge: &mut Judge) {
    judge.rpc("LimitsService/GetLimits", async |side| side.by_reseller(GetLimitsRequest {})).await;

    let about = |customer_id| ListAuditEntriesRequest { customer_id, ..Default::default() };
    // Who has done something about the customer there: the reseller has made users, the provider has ordered and has made
    // the customer.
    let listed = "AuditService/ListAuditEntries";
    judge.rpc_at("identity", listed, async |side| side.by_reseller(about(side.customer_id()))).await;
    judge.rpc_at("licensing", listed, async |side| side.by_provider(about(side.customer_id()))).await;
    judge.rpc_at("partner", listed, async |side| side.by_provider(about(side.customer_id()))).await;
}
