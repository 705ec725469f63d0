//! Signing in from a shell.

use std::env;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use base::Secret;
use clap::Args;

use crate::clients::Identity;
use crate::failure::Failure;
use crate::secrets;

/// Unlike a flag, it is not shown to the other users of the machine.
const PASSWORD: &str = "TANDEM_PASSWORD";

#[derive(Args)]
pub(crate) struct Arguments {
    /// What the user signs in with, such as `ada@fabrikam.tandem.example`
    #[arg(long)]
    user: String,
    /// Public address of identity
    #[arg(long, default_value = "http://127.0.0.1:50051")]
    identity: String,
    /// The authority of identity's certificate, PEM: for an https address
    #[arg(long)]
    tls_authority: Option<PathBuf>,
    /// File with the password; without it the variable TANDEM_PASSWORD is taken, or else it is asked for
    #[arg(long)]
    password_file: Option<PathBuf>,
    /// File with the new password, which replaces a temporary one; without it the new one is asked for at a terminal
    #[arg(long)]
    new_password_file: Option<PathBuf>,
}

impl Arguments {
    pub(crate) async fn run(self) -> Result<String, Failure> {
        let password = self.password()?;
        let new_password = self.new_password_file.as_deref().map(secrets::read).transpose()?;
        let mut identity = Identity::connect(&self.identity, self.tls_authority.as_deref()).await?;
        let mut session = identity.sign_in(&self.user, &password).await?;
        if session.must_change_password {
            let new_password = new_password.map_or_else(choose, Ok)?;
            session = identity.change_password(&session, &password, &new_password).await?;
        }
        Ok(format!("{}\n", session.access_token))
    }

    fn password(&self) -> Result<Secret<String>, Failure> {
        if let Some(path) = &self.password_file {
            return secrets::read(path);
        }
        match env::var(PASSWORD) {
            Ok(password) => Ok(Secret::new(password)),
            Err(env::VarError::NotPresent) => secrets::ask(&format!("Password of {}", self.user)),
            Err(env::VarError::NotUnicode(_)) => Err(Failure::new(format!("{PASSWORD} is not text"))),
        }
    }
}

/// Asks twice for a new password, because nobody sees what is typed.
fn choose() -> Result<Secret<String>, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::new(
            "PASSWORD_CHANGE_REQUIRED: the password is temporary: write one of 12 to 256 characters to a file and name \
             it with --new-password-file",
        ));
    }
    let chosen = secrets::ask("The password is temporary. New password")?;
    let again = secrets::ask("The new password once more")?;
    if chosen.expose() == again.expose() {
        return Ok(chosen);
    }
    Err(Failure::new("the new password was not typed twice in the same way; nothing was changed"))
}
