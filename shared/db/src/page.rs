//! The end of a statement that reads one page.

use base::{Keyset, Seek};

/// The keyset condition, order and limit, given how many parameters are bound before it.
pub(crate) fn suffix<'s>(seek: &'s Seek, key: &str, id: &str, bound: usize) -> (String, Option<&'s Keyset>) {
    let (first, second, third) = (bound + 1, bound + 2, bound + 3);
    match seek {
        Seek::First => (format!("ORDER BY {key}, {id} LIMIT ${first}"), None),
        Seek::Last => (format!("ORDER BY {key} DESC, {id} DESC LIMIT ${first}"), None),
        Seek::After(keyset) => {
            (format!("AND ({key}, {id}) > (${first}, ${second}) ORDER BY {key}, {id} LIMIT ${third}"), Some(keyset))
        }
        Seek::Before(keyset) => (
            format!("AND ({key}, {id}) < (${first}, ${second}) ORDER BY {key} DESC, {id} DESC LIMIT ${third}"),
            Some(keyset),
        ),
    }
}
