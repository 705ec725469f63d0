//! The text of a statement while it grows: the one place where fragments are joined and parameters numbered.
//!
//! It knows no connection, so that a test can write every text that a request can make and prepare it on both databases.

use std::borrow::Cow;

use base::{Fault, Seek};

/// A text and how many parameters are bound to it.
#[derive(Clone, Debug)]
pub struct Text {
    text: Cow<'static, str>,
    bound: usize,
}

impl Text {
    /// A text to which nothing is bound yet.
    pub fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self { text: text.into(), bound: 0 }
    }

    /// Counts one more parameter.
    pub fn bind(&mut self) {
        self.bound += 1;
    }

    /// Joins a fragment without a parameter of its own.
    pub fn join(&mut self, fragment: &str) {
        self.text = Cow::Owned(format!("{} {fragment}", self.text));
    }

    /// Joins a fragment in which `$?` is one more parameter.
    pub fn join_bound(&mut self, fragment: &str) {
        self.bind();
        self.join(&fragment.replace("$?", &format!("${}", self.bound)));
    }

    /// Joins the keyset condition, the order and the limit of one page: with a keyset three more parameters (key, id,
    /// limit), otherwise the limit alone.
    pub fn page(&mut self, seek: &Seek, key: &str, id: &str) {
        let (first, second, third) = (self.bound + 1, self.bound + 2, self.bound + 3);
        let (end, parameters) = match seek {
            Seek::First => (format!("ORDER BY {key}, {id} LIMIT ${first}"), 1),
            Seek::Last => (format!("ORDER BY {key} DESC, {id} DESC LIMIT ${first}"), 1),
            Seek::After(_) => {
                (format!("AND ({key}, {id}) > (${first}, ${second}) ORDER BY {key}, {id} LIMIT ${third}"), 3)
            }
            Seek::Before(_) => {
                (format!("AND ({key}, {id}) < (${first}, ${second}) ORDER BY {key} DESC, {id} DESC LIMIT ${third}"), 3)
            }
        };
        self.join(&end);
        self.bound += parameters;
    }

    /// The text so far.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The finished text.
    pub fn into_inner(self) -> Cow<'static, str> {
        self.text
    }

    /// Every `$n` must be bound: on SQLite an unbound one would silently be NULL.
    ///
    /// # Errors
    /// When more or fewer parameters are bound than the text has.
    pub fn check(&self) -> Result<(), Fault> {
        let wanted = highest_placeholder(&self.text);
        if wanted == self.bound {
            return Ok(());
        }
        Err(Fault::internal(format!("{} values for {wanted} parameters: {}", self.bound, self.text)))
    }
}

/// The largest `n` of all `$n` in the text. Our texts have no string literals with a dollar sign.
fn highest_placeholder(text: &str) -> usize {
    text.split('$')
        .skip(1)
        .filter_map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok())
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_counted_by_their_highest_number() {
        assert_eq!(highest_placeholder("SELECT $1 WHERE $2 = $1 AND x = $10"), 10);
        assert_eq!(highest_placeholder("SELECT 1"), 0);
    }

    #[test]
    fn fragments_take_the_next_number() {
        let mut text = Text::new("SELECT id FROM t WHERE a = $1");
        text.bind();
        text.join_bound("AND b = $?");
        text.join("AND c");
        text.page(&Seek::First, "k", "id");
        assert_eq!(text.as_str(), "SELECT id FROM t WHERE a = $1 AND b = $2 AND c ORDER BY k, id LIMIT $3");
        assert!(text.check().is_ok());
    }

    #[test]
    fn a_parameter_too_many_or_too_few_is_noticed() {
        let mut text = Text::new("SELECT id FROM t WHERE a = $1");
        assert!(text.check().is_err());
        text.bind();
        assert!(text.check().is_ok());
        text.bind();
        assert!(text.check().is_err());
    }
}
