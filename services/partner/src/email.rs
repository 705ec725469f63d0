//! E-mail addresses: where mails go, and the domain that they claim.

use base::names::Domain;

/// Characters of an address at most (RFC 5321, 4.5.3.1.3).
pub const EMAIL_MAX: usize = 254;
/// Characters before the `@` at most (RFC 5321, 4.5.3.1.1).
const LOCAL_PART_MAX: usize = 64;

/// An address such as `ada@fabrikam.example`. It proves nothing: whoever types it may own the mailbox or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    text: String,
    domain: Domain,
}

impl Email {
    /// Reads a dot-atom, an `@` and a domain (RFC 5322, 3.4.1). Quoted local parts and address literals are refused:
    /// no customer is known to use them.
    ///
    /// # Errors
    /// `REQUIRED`, `TOO_LONG` or `MALFORMED`.
    pub fn parse(text: &str) -> Result<Self, (&'static str, String)> {
        let text = text.trim();
        if text.is_empty() {
            return Err(("REQUIRED", "is required".to_owned()));
        }
        if text.chars().count() > EMAIL_MAX {
            return Err(("TOO_LONG", format!("has more than {EMAIL_MAX} characters")));
        }
        let malformed = |message: &str| ("MALFORMED", message.to_owned());
        let Some((local, domain)) = text.rsplit_once('@') else {
            return Err(malformed("an e-mail address has an @"));
        };
        let is_atom = |atom: &str| {
            !atom.is_empty()
                && atom.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte))
        };
        if local.len() > LOCAL_PART_MAX || !local.split('.').all(is_atom) {
            return Err(malformed("has characters before the @ that are not accepted"));
        }
        Ok(Self { text: text.to_owned(), domain: Domain::parse(domain)? })
    }

    /// The address as given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The domain in lower case.
    pub fn domain(&self) -> &str {
        self.domain.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_name_an_at_and_a_domain() {
        let email = Email::parse(" Ada.L+x@Fabrikam.Example ").unwrap();
        assert_eq!((email.as_str(), email.domain()), ("Ada.L+x@Fabrikam.Example", "fabrikam.example"));
        for text in [
            "ada",
            "@fabrikam.example",
            "ada@localhost",
            "a da@x.example",
            "a..b@x.example",
            "\"a\"@x.example",
            "a@b\n.example",
        ] {
            assert_eq!(Email::parse(text).unwrap_err().0, "MALFORMED", "{text}");
        }
        for text in ["", "ada@"] {
            assert_eq!(Email::parse(text).unwrap_err().0, "REQUIRED", "{text}");
        }
        assert_eq!(Email::parse(&format!("{}@x.example", "a".repeat(250))).unwrap_err().0, "TOO_LONG");
    }
}
