//! The one bash that runs the commands.
//!
//! It reads go-aheads from a pipe, sources the file that holds the next command, and reports on another pipe. Both
//! pipes are moved to high descriptors, so that the commands find nothing on their standard input and write only to
//! the walk's output. The file has as many empty lines before the command as the README has, so that bash's own
//! messages name the README's lines.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use super::Surroundings;
use super::scratch::Scratch;
use super::steps::Step;

/// Long enough for a command that compiles, short enough to end a walk that hangs.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(600);

const DRIVER: &str = r#"
set -euo pipefail
exec 198<&0 199>&1 </dev/null >&2
trap 'echo "exit $?" >&199' EXIT
readonly README_COMMAND=$1
set --
while read -r -u 198; do
  source "$README_COMMAND"
  echo done >&199
done
"#;

pub(super) struct Shell {
    bash: Child,
    go_aheads: ChildStdin,
    reports: Receiver<String>,
    command: PathBuf,
}

impl Shell {
    pub(super) fn start(surroundings: &Surroundings, scratch: &Scratch, output: &File) -> io::Result<Self> {
        let command = scratch.folder("command")?.join("README.md");
        let mut bash = surroundings
            .command("bash")
            .args(["-c", DRIVER, "README.md"])
            .arg(&command)
            .env_remove("BASH_ENV")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(output.try_clone()?)
            .spawn()?;
        let missing = || io::Error::other("bash was started without its pipes");
        let go_aheads = bash.stdin.take().ok_or_else(missing)?;
        let pipe = bash.stdout.take().ok_or_else(missing)?;
        let (report, reports) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                if report.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { bash, go_aheads, reports, command })
    }

    /// Runs one command; what goes wrong ends the shell.
    pub(super) fn run(&mut self, step: &Step) -> Result<(), String> {
        let padded = format!("{}{}", "\n".repeat(step.line.saturating_sub(1)), step.text);
        let told = fs::write(&self.command, padded).and_then(|()| self.go_aheads.write_all(b"go\n"));
        told.map_err(|e| format!("the shell cannot be told: {e}"))?;
        let command = step.text.lines().next().unwrap_or_default();
        match self.reports.recv_timeout(COMMAND_TIMEOUT) {
            Ok(report) if report == "done" => Ok(()),
            Ok(report) => Err(match report.strip_prefix("exit ") {
                Some(code) => format!("exit code {code}: {command}"),
                None => format!("unexpected report {report:?} from the shell: {command}"),
            }),
            Err(RecvTimeoutError::Timeout) => Err(format!("no end after {} s: {command}", COMMAND_TIMEOUT.as_secs())),
            Err(RecvTimeoutError::Disconnected) => Err(format!("the shell disappeared: {command}")),
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // It may have ended by itself; either way nothing of it stays behind.
        let _ = self.bash.kill();
        let _ = self.bash.wait();
    }
}
