//! `readme README.md [SCRIPT]`: walks the README; see `tests::readme`. SCRIPT is the script that runs the walk.

use std::fs::File;
use std::io::{self, Write, stderr, stdout};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tests::readme::{DEFAULT_PORTS, Walk, grpcurl_if_missing};

fn main() -> io::Result<ExitCode> {
    let words: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    match words.as_slice() {
        [readme] => walk(readme, None),
        [readme, script] => walk(readme, Some(script.clone())),
        _ => {
            writeln!(stderr(), "Usage: readme README.md [SCRIPT]")?;
            Ok(ExitCode::from(2))
        }
    }
}

fn walk(readme: &Path, script: Option<PathBuf>) -> io::Result<ExitCode> {
    let output = File::from(stderr().as_fd().try_clone_to_owned()?);
    let walked = grpcurl_if_missing()
        .and_then(|lent| Walk { readme: readme.to_owned(), script, lent, ports: DEFAULT_PORTS.to_vec(), output }.run());
    match walked {
        Ok(passed) => {
            writeln!(stdout(), "{passed}")?;
            Ok(ExitCode::SUCCESS)
        }
        Err(failure) => {
            let line = failure.line.map(|line| format!("{line}:")).unwrap_or_default();
            writeln!(stderr(), "{}:{line} {}", readme.display(), failure.what)?;
            Ok(ExitCode::FAILURE)
        }
    }
}
