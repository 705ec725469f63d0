//! What a newcomer reads when the all-in-one has started: where it listens, who can sign in, and what to type next.

use std::borrow::Cow;
use std::env;
use std::path::{Path, PathBuf};

use service::process::Addresses;

use crate::migrate::Service;

/// Where the first operator's secret is.
pub(crate) enum Secret {
    /// Here, for the terminal.
    Shown(base::Secret<String>),
    /// In a file.
    InFile(PathBuf),
    /// Handed over at an earlier start.
    HandedOver,
}

pub(crate) struct Banner<'a> {
    pub(crate) data: &'a Path,
    pub(crate) addresses: [Addresses; 3],
    pub(crate) operator: String,
    pub(crate) secret: Secret,
}

impl Banner<'_> {
    pub(crate) fn text(&self) -> String {
        let [identity, ..] = &self.addresses;
        let identity = identity.public;
        let data = quoted(&self.data.display().to_string()).into_owned();
        // As it was typed, or as cargo types it: what is printed can be pasted.
        let program = env::args().next().unwrap_or_else(|| "tandem".to_owned());
        let program = quoted(&program);
        let operator = &self.operator;
        let (secret, password, password_file) = match &self.secret {
            Secret::Shown(secret) => {
                (format!("{}, good once", secret.expose()), secret.expose().clone(), String::new())
            }
            Secret::InFile(path) => {
                let path = path.display().to_string();
                let file = quoted(&path);
                (format!("in {path}, good once"), format!("'\"$(cat {file})\"'"), format!(" --password-file {file}"))
            }
            Secret::HandedOver => {
                let again =
                    format!("chosen at an earlier start; for a new one: {program} operator reset --data-dir {data}");
                (again, "PASSWORD".to_owned(), String::new())
            }
        };
        let listeners: String = Service::ALL.into_iter().zip(&self.addresses).map(listener).collect();
        format!(
            "
Tandem keeps everything in {data} and listens on

{listeners}
  operator   {operator}
  secret     {secret}

Look around:

  grpcurl -plaintext {identity} list
  grpcurl -plaintext -d '{{\"sign_in_name\": \"{operator}\", \"password\": \"{password}\"}}' {identity} tandem.identity.v1.SessionService/SignIn
  {program} token --identity http://{identity} --user {operator}{password_file}

"
        )
    }
}

fn listener((service, addresses): (Service, &Addresses)) -> String {
    let Addresses { public, internal, management } = addresses;
    let metrics = management.map(|address| format!("   http://{address}/metrics")).unwrap_or_default();
    format!("  {:<10} {public}   internal {internal}{metrics}\n", service.name())
}

/// The word as a shell reads it back.
fn quoted(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%:,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_shell_reads_a_quoted_word_back() {
        for word in ["data/operator-secret", "my data", "it's $HOME", "", "a\"b`c\\d", "ä"] {
            let script = format!("printf %s {}", quoted(word));
            let said = Command::new("sh").args(["-c", &script]).output().expect("there is a shell").stdout;
            assert_eq!(String::from_utf8_lossy(&said), word);
        }
    }
}
