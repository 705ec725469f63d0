//! Ids that know what they name.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use uuid::Uuid;

/// A UUIDv7 that names a `T`. On the wire it is the hyphenated lower-case string.
///
/// Ids are ids and nothing else: they are never secrets, and their embedded time is never read.
pub struct Id<T> {
    uuid: Uuid,
    noun: PhantomData<fn() -> T>,
}

impl<T> Id<T> {
    /// Wraps a UUID that is known to name a `T`.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self { uuid, noun: PhantomData }
    }

    /// A new id. Operations ask their context instead, which remembers what a dry run would have made.
    pub fn random() -> Self {
        Self::from_uuid(Uuid::now_v7())
    }

    /// Reads the hyphenated form. Everything else (braces, URNs, the nil UUID) is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 36 {
            return None;
        }
        let uuid = Uuid::try_parse(text).ok()?;
        (!uuid.is_nil()).then_some(Self::from_uuid(uuid))
    }

    /// The UUID itself.
    pub const fn uuid(self) -> Uuid {
        self.uuid
    }

    /// The same UUID naming another noun, for ids that are one by definition (a member is a user).
    pub const fn cast<U>(self) -> Id<U> {
        Id::from_uuid(self.uuid)
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Id<T> {}
impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.uuid == other.uuid
    }
}
impl<T> Eq for Id<T> {}
impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.uuid.cmp(&other.uuid)
    }
}
impl<T> Hash for Id<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // One number is hashed faster than sixteen bytes and their count.
        state.write_u128(self.uuid.as_u128());
    }
}
impl<T> fmt::Display for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uuid.fmt(f)
    }
}
impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uuid.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Thing;

    #[test]
    fn only_the_hyphenated_form_of_a_real_uuid_is_an_id() {
        let id = Id::<Thing>::random();
        assert_eq!(Id::parse(&id.to_string()), Some(id));
        assert_eq!(Id::<Thing>::parse("00000000-0000-0000-0000-000000000000"), None);
        assert_eq!(Id::<Thing>::parse(&id.uuid().simple().to_string()), None);
        assert_eq!(Id::<Thing>::parse(&format!("{{{id}}}")), None);
        assert_eq!(Id::<Thing>::parse(""), None);
    }
}
