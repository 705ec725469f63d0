//! What licensing does when identity has deleted a user: forward only, and once.

use base::Fault;
use proto::channel::v1 as channel;
use proto::channel::v1::licensing_fact::Fact as Told;
use service::form::timestamp;
use service::{Cx, Fact};

use super::store::{self, License};
use crate::user::User;
use crate::{Licensing, clients, entitlement, organization, user};

/// Takes a deletion over. Whoever gives licenses holds the customer, then looks at the users: a deletion comes before or
/// after it, also where the pool is made meanwhile. The user's row is the tombstone: nobody gives them a license any more.
///
/// **Invariant:** the seats come back once, however often it is told
/// (`a_deletion_that_is_told_again_frees_nothing_twice`).
pub(crate) async fn take_over_deletion(cx: &mut Cx<Licensing>, told: &User) -> Result<(), Fault> {
    organization::store::hold_customer(&mut cx.tx, told.customer).await?;
    entitlement::store::lock_all(&mut cx.tx, told.customer).await?;
    if !user::store::put(&mut cx.tx, told).await? {
        return Ok(());
    }
    let held = store::release::release(&mut cx.tx, told.customer, told.id).await?;
    if !held.is_empty() {
        let products: Vec<String> = held.iter().map(|license| license.product.to_string()).collect();
        cx.record(
            Fact::new("LicensesReleased")
                .about("user", told.id.uuid())
                .organization(told.customer.uuid())
                .customer(told.customer.uuid())
                .change("licenses", products.join(" "), ""),
        );
    }
    cx.tell(clients::IDENTITY, told.id.uuid(), told.version, &fact(told, &held));
    Ok(())
}

/// What identity is told of it, for the list of deleted users.
fn fact(user: &User, held: &[License]) -> channel::LicensingFact {
    let license = |license: &License| channel::ReleasedLicense {
        product_id: license.product.to_string(),
        product_name: license.name.clone(),
        excluded_service_plan_ids: license.excluded.iter().map(ToString::to_string).collect(),
        assign_time: Some(timestamp(license.assign_time)),
    };
    let mut licenses: Vec<channel::ReleasedLicense> = held.iter().map(license).collect();
    licenses.sort_by(|a, b| a.product_id.cmp(&b.product_id));
    let released = channel::ReleasedLicenses { user_id: user.id.to_string(), licenses };
    channel::LicensingFact { version: user.version, fact: Some(Told::ReleasedLicenses(released)) }
}
