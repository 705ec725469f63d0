//! Why a tool could not do what it was asked.

use std::error::Error;
use std::fmt;
use std::iter;

use base::Fault;

/// A sentence for the person at the terminal, with what they can do about it and what caused it.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// With the chain of causes, which an operator may see.
    pub(crate) fn caused(message: impl fmt::Display, cause: Option<&(dyn Error + 'static)>) -> Self {
        let causes = iter::successors(cause, |cause: &&(dyn Error + 'static)| (*cause).source());
        Self(causes.fold(message.to_string(), |text, cause| format!("{text}\n  because: {cause}")))
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let advice = match fault.reason() {
            "DATA_DIRECTORY_IN_USE" => ": stop that process first",
            _ => "",
        };
        Self::caused(format!("{fault}{advice}"), fault.source())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
