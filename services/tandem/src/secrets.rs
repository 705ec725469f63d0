//! Secrets on their way in and out: files, the terminal, and nothing else.

use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use base::{Fault, Secret};
use nix::sys::termios::{self, LocalFlags, SetArg, Termios};
use service::keys::random_token;

use crate::failure::Failure;

/// The text of a file without the line break at its end.
pub(crate) fn read(path: &Path) -> Result<Secret<String>, Failure> {
    let text = fs::read_to_string(path);
    let text = text.map_err(|error| Failure::new(format!("{} cannot be read: {error}", path.display())))?;
    Ok(Secret::new(without_line_break(text)))
}

/// Writes the secret and a line break, for the owner alone, whole or not at all; what was there before is replaced.
pub(crate) fn write(path: &Path, secret: &Secret<String>) -> Result<(), Fault> {
    let draft = path.with_file_name(format!(".{}.draft", random_token().into_inner()));
    let written = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        writeln!(file, "{}", secret.expose())?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    written().map_err(|error| {
        // It may not have come to be; if it did, it must not stay.
        let _ = fs::remove_file(&draft);
        Fault::precondition("SECRET_FILE_UNWRITABLE", format!("{} cannot be written: {error}", path.display()))
    })
}

/// Asks at the terminal without showing the answer, or takes the first line of standard input when that is no terminal.
pub(crate) fn ask(question: &str) -> Result<Secret<String>, Failure> {
    let broken = |error: io::Error| Failure::new(format!("standard input cannot be read: {error}"));
    let stdin = io::stdin();
    let hidden = match stdin.is_terminal() {
        true => Some(Hidden::hide().map_err(|errno| broken(errno.into()))?),
        false => None,
    };
    if hidden.is_some() {
        // On standard error, because standard output is for the answer of the program.
        write!(io::stderr(), "{question}: ").map_err(broken)?;
    }
    let mut line = String::new();
    stdin.read_line(&mut line).map_err(broken)?;
    Ok(Secret::new(without_line_break(line)))
}

fn without_line_break(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

/// The terminal does not show what is typed as long as this lives.
struct Hidden(Termios);

impl Hidden {
    fn hide() -> nix::Result<Self> {
        let stdin = io::stdin();
        let before = termios::tcgetattr(stdin.as_fd())?;
        let mut hiding = before.clone();
        hiding.local_flags.remove(LocalFlags::ECHO);
        hiding.local_flags.insert(LocalFlags::ECHONL);
        termios::tcsetattr(stdin.as_fd(), SetArg::TCSAFLUSH, &hiding)?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = termios::tcsetattr(io::stdin().as_fd(), SetArg::TCSANOW, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_break_at_the_end_is_not_part_of_a_secret() {
        for (text, secret) in [("word\n", "word"), ("word\r\n", "word"), ("word", "word"), ("word \n\n", "word \n")] {
            assert_eq!(without_line_break(text.to_owned()), secret);
        }
    }
}
