//! Resellers of record: whom a seller can name as the one who serves a customer with what it sells (C20).

use base::{Fault, Id};
use service::Cx;

use crate::Licensing;
use crate::organization::Organization;
use crate::partner::{self, PartnerKind, Standing};

/// A reseller of record, as it was when it was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reseller {
    /// The reseller.
    pub id: Id<Organization>,
    /// Its id in the vendor's partner network.
    pub mpn_id: String,
}

/// The reseller of record that a seller names, held as it is.
///
/// # Errors
/// `MPN_ID_IS_OWN`, `RESELLER_NOT_PARTNERED`, `RESELLER_SUSPENDED`.
pub(crate) async fn named(cx: &mut Cx<Licensing>, seller: Id<Organization>, mpn_id: &str) -> Result<Reseller, Fault> {
    let standing = partner::store::standing(&mut cx.tx, seller).await?;
    if standing.is_some_and(|standing| standing.mpn_id == mpn_id) {
        let message = "this is your own organization's MPN id; name the reseller, or nobody";
        return Err(Fault::precondition("MPN_ID_IS_OWN", message).with("partner_center_code", 2072));
    }
    check(partner::store::reseller(&mut cx.tx, seller, mpn_id).await?)
}

/// Whether this one can be the reseller of record. One with whom the seller does not work answers like
/// nobody.
///
/// # Errors
/// `RESELLER_NOT_PARTNERED`, `RESELLER_SUSPENDED`.
fn check(found: Option<(Standing, bool)>) -> Result<Reseller, Fault> {
    match found {
        Some((standing, true)) if standing.kind == PartnerKind::Reseller => {
            if standing.suspended {
                return Err(Fault::precondition("RESELLER_SUSPENDED", "the reseller of record is suspended")
                    .with("partner_center_code", 800039));
            }
            Ok(Reseller { id: standing.partner, mpn_id: standing.mpn_id })
        }
        _ => {
            let message = "no reseller with this MPN id has an active partnership with the partner who sells";
            Err(Fault::precondition("RESELLER_NOT_PARTNERED", message).with("partner_center_code", 800016))
        }
    }
}
