//! How large an answer about licenses becomes, and what is left out of one that would be too large.
//!
//! What became of each user, and who holds what, always has its place: the limits of the requests see to that. Details share
//! what is left, in the order of the answer; from the first on for which it does not suffice, all are left out. A list that
//! comes in pages leaves nothing out: its page ends where the space does.

use prost::Message;
use proto::licensing::v1 as pb;

use super::{Held, REPLY_BYTES_MAX};
use crate::user::User;

/// Bytes of what an answer says beside its parts, at most: the selected users of a summary, tokens, partners.
const BESIDE: usize = 768 * 1024;

/// Bytes of its parts, at most.
const SPACE: usize = REPLY_BYTES_MAX - BESIDE;

/// Bytes before each part: its field's number and its length.
const HEAD: usize = 5;

/// Bytes of an id: its field's number, its length and the id.
const ID: usize = 38;

/// Bytes of a listed user, at most, beside what they hold and the letters of their names.
const USER: usize = ID + 16;

/// Bytes of a listed user, at most.
pub(super) fn user(user: &User, held: Option<&Held>) -> usize {
    let licenses = held.into_iter().flat_map(|held| held.0.values()).map(|excluded| HEAD + ID * (1 + excluded.len()));
    HEAD + USER + user.display_name.len() + user.sign_in_name.len() + licenses.sum::<usize>()
}

/// How many parts of so many bytes a page holds, from the first on: one at least, so that every page leads on.
pub(super) fn fitting(parts: impl Iterator<Item = usize>) -> usize {
    let sums = parts.scan(0, |sum, bytes| {
        *sum += bytes;
        Some(*sum)
    });
    sums.take_while(|sum| *sum <= SPACE).count().max(1)
}

/// The parts of an answer, whole as long as there is space for their details, and then in short.
pub(super) fn fit<M: Message>(parts: Vec<M>, short: impl Fn(&M) -> M) -> Vec<M> {
    // Nearly always: nothing has to be made short to see that nothing has to be left out.
    if parts.iter().map(|part| HEAD + part.encoded_len()).sum::<usize>() <= SPACE {
        return parts;
    }
    let shorts: usize = parts.iter().map(|part| HEAD + short(part).encoded_len()).sum();
    let mut left = SPACE.saturating_sub(shorts);
    let mut fits = true;
    let fitted = parts.into_iter().map(|whole| {
        let brief = short(&whole);
        let more = whole.encoded_len().saturating_sub(brief.encoded_len());
        fits = fits && more <= left;
        if fits {
            left -= more;
            whole
        } else {
            brief
        }
    });
    fitted.collect()
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
        assert!(size <= REPLY_BYTES_MAX && size > REPLY_BYTES_MAX / 2, "{size}");
    }

    #[test]
    fn a_page_ends_where_the_space_does_and_holds_one_at_least() {
        assert_eq!(fitting([1_000; 50].into_iter()), 50);
        assert_eq!(fitting([1_000_000; 50].into_iter()), 3);
        assert_eq!(fitting([REPLY_BYTES_MAX; 50].into_iter()), 1);
    }

    #[test]
    fn what_says_nothing_more_in_full_has_nothing_left_out() {
        let unchanged = pb::LicenseResult { user_id: "u".repeat(36), outcome: 2, ..Default::default() };
        assert_eq!(short_result(&unchanged), unchanged);
    }
}
