//! Pages by keyset: a normalized sort key, then the id, in both directions (D-31).

use uuid::Uuid;

/// The position of a row in a list: its normalized key, compared byte-wise, then its id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Keyset {
    /// The normalized key, compared byte-wise on both databases.
    pub key: String,
    /// The row's id, which breaks ties.
    pub id: Uuid,
}

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seek {
    /// The first page.
    First,
    /// The last page.
    Last,
    /// The page that follows this row.
    After(Keyset),
    /// The page that ends before this row.
    Before(Keyset),
}

impl Seek {
    /// Whether rows are read from the end towards the beginning.
    pub const fn is_backward(&self) -> bool {
        matches!(self, Self::Last | Self::Before(_))
    }
}

/// One page of rows in list order, with what is needed to go on in both directions.
#[derive(Clone, Debug)]
pub struct Page<R> {
    /// The rows in list order.
    pub rows: Vec<R>,
    /// Where the next page begins, when there is one.
    pub next: Option<Seek>,
    /// Where the previous page ends, when there is one.
    pub previous: Option<Seek>,
}

impl<R> Page<R> {
    /// Makes a page of rows read with `limit + 1` in the seek's own direction.
    ///
    /// The surplus row only says that there is more that way. The other way there is more whenever the seek started
    /// from a row, because that row exists or existed.
    pub fn cut(mut rows: Vec<R>, limit: usize, seek: &Seek, position: impl Fn(&R) -> Keyset) -> Self {
        let more = rows.len() > limit;
        rows.truncate(limit);
        if seek.is_backward() {
            rows.reverse();
        }
        let (before, after) = match seek {
            Seek::First => (false, more),
            Seek::Last => (more, false),
            Seek::After(_) => (true, more),
            Seek::Before(_) => (more, true),
        };
        let next = rows.last().filter(|_| after).map(|row| Seek::After(position(row)));
        let previous = rows.first().filter(|_| before).map(|row| Seek::Before(position(row)));
        Self { rows, next, previous }
    }

    /// The same page with each row turned into something else.
    pub fn map<T>(self, turn: impl FnMut(R) -> T) -> Page<T> {
        Page { rows: self.rows.into_iter().map(turn).collect(), next: self.next, previous: self.previous }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(n: &u8) -> Keyset {
        Keyset { key: n.to_string(), id: Uuid::nil() }
    }

    #[test]
    fn a_surplus_row_is_only_a_sign_that_there_is_more() {
        let page = Page::cut(vec![1, 2, 3], 2, &Seek::First, at);
        assert_eq!(page.rows, [1, 2]);
        assert_eq!((page.next, page.previous), (Some(Seek::After(at(&2))), None));
    }

    #[test]
    fn rows_read_backward_come_out_in_list_order() {
        let page = Page::cut(vec![9, 8, 7], 2, &Seek::Last, at);
        assert_eq!(page.rows, [8, 9]);
        assert_eq!((page.next, page.previous), (None, Some(Seek::Before(at(&8)))));
    }

    #[test]
    fn an_empty_list_has_no_neighbors() {
        let page = Page::cut(Vec::<u8>::new(), 2, &Seek::First, at);
        assert!(page.rows.is_empty() && page.next.is_none() && page.previous.is_none());
    }
}
