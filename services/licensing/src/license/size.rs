//! How large the parts of an answer about licenses are, in full and in short.

use proto::licensing::v1 as pb;

use service::reply::{HEAD, ID};

use super::Held;
use crate::user::User;

/// Bytes of a listed user, at most, beside what they hold and the letters of their names.
const USER: usize = ID + 16;

/// Bytes of a listed user, at most.
pub(super) fn user(user: &User, held: Option<&Held>) -> usize {
    let licenses = held.into_iter().flat_map(|held| held.0.values()).map(|excluded| HEAD + ID * (1 + excluded.len()));
    HEAD + USER + user.display_name.len() + user.sign_in_name.len() + licenses.sum::<usize>()
}

/// What became of a user, with the first thing that stood in the way.
pub(super) fn short_result(result: &pb::LicenseResult) -> pb::LicenseResult {
    let error = |error: &pb::LicenseError| pb::LicenseError {
        reason: error.reason.clone(),
        product_id: error.product_id.clone(),
        total: error.total,
        partner_center_code: error.partner_center_code.clone(),
        ..Default::default()
    };
    let short = pb::LicenseResult {
        user_id: result.user_id.clone(),
        outcome: result.outcome,
        errors: result.errors.first().map(error).into_iter().collect(),
        ..Default::default()
    };
    pb::LicenseResult { details_left_out: short != *result, ..short }
}

/// What the customer owns of a product, and who of the selected users holds it.
pub(super) fn short_summary(summary: &pb::LicenseSummary) -> pb::LicenseSummary {
    let entitlement = summary.entitlement.clone();
    let short = pb::LicenseSummary {
        entitlement: entitlement.map(|entitlement| pb::Entitlement { sources: Vec::new(), ..entitlement }),
        holding: summary.holding,
        assigned_user_ids: summary.assigned_user_ids.clone(),
        ..Default::default()
    };
    pb::LicenseSummary { details_left_out: short != *summary, ..short }
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use service::reply::{BYTES_MAX, fit};

    use super::*;

    fn failed(plans: usize) -> pb::LicenseResult {
        let error = |reason: &str| pb::LicenseError {
            reason: reason.to_owned(),
            product_id: "p".repeat(36),
            other_service_plan_ids: vec!["s".repeat(36); plans],
            ..Default::default()
        };
        let errors = vec![error("DEPENDENCY_NOT_MET"), error("NO_SEATS_AVAILABLE")];
        pb::LicenseResult { user_id: "u".repeat(36), outcome: 3, errors, ..Default::default() }
    }

    #[test]
    fn what_fits_is_whole_and_what_comes_after_it_is_short_and_says_so() {
        let few = vec![failed(20); 10];
        assert_eq!(fit(few.clone(), short_result), few);
        let many = vec![failed(20); 10_000];
        let fitted = fit(many.clone(), short_result);
        let whole = fitted.iter().take_while(|result| !result.details_left_out).count();
        assert!((1_000..9_999).contains(&whole), "{whole}");
        assert_eq!(fitted[..whole], many[..whole]);
        for short in &fitted[whole..] {
            assert!(short.details_left_out && short.errors.len() == 1 && short.outcome == 3);
            assert_eq!(short.errors[0].reason, "DEPENDENCY_NOT_MET");
        }
        let size = pb::UpdateLicensesResponse { results: fitted }.encoded_len();
        assert!(size <= BYTES_MAX && size > BYTES_MAX / 2, "{size}");
    }

    #[test]
    fn what_says_nothing_more_in_full_has_nothing_left_out() {
        let unchanged = pb::LicenseResult { user_id: "u".repeat(36), outcome: 2, ..Default::default() };
        assert_eq!(short_result(&unchanged), unchanged);
    }
}
