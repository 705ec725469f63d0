//! The README, walked: every command in it is run as a stranger would type it, so that it cannot become untrue.
//!
//! Owns the meaning of a README's fences. ```` ```sh ```` is run, ```` ```text ```` is only read, and any other mark
//! is refused, so that nothing that looks like a command escapes. All `sh` blocks run in one bash with
//! `set -euo pipefail` in the README's folder, one command at a time, and the first that fails ends the walk with its
//! line. Two lines are special. `cargo run` goes to the background until the walk ends, and the walk waits for its
//! readiness. `tests/run` is only looked at: it is what runs the walk. Refused is all else that would make the walk
//! differ from a reader's terminal; only the data directory is a fresh one, given by `TANDEM_DATA_DIR`.

mod fences;
mod scratch;
mod server;
mod shell;
mod steps;
#[cfg(test)]
mod tests;

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use self::scratch::Scratch;
use self::server::Server;
use self::shell::Shell;
use self::steps::{Kind, Step};

/// The ports of `cargo run`: the services, their internal listeners, and management.
pub const DEFAULT_PORTS: [u16; 9] = [50051, 50052, 50053, 50061, 50062, 50063, 9090, 9091, 9092];

/// One walk over one README.
pub struct Walk {
    /// What to walk; the commands run in its folder.
    pub readme: PathBuf,
    /// The script that runs this walk, when that is known: a line `tests/run` must mean this file.
    pub script: Option<PathBuf>,
    /// Programs that the commands find before those on `PATH`: the name, and where the program is.
    pub lent: Vec<(String, PathBuf)>,
    /// Ports that must be free before `cargo run`.
    pub ports: Vec<u16>,
    /// Where the commands and their output are shown.
    pub output: File,
}

/// A walk that came to its end.
#[derive(Debug, PartialEq)]
pub struct Passed {
    /// How many commands ran, the special ones included.
    pub commands: usize,
    /// How many `sh` blocks held them.
    pub blocks: usize,
}

impl fmt::Display for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "README: {} commands in {} blocks passed", self.commands, self.blocks)
    }
}

/// Why and where a walk ended early.
#[derive(Debug, PartialEq)]
pub struct Failure {
    /// The line in the README, unless it is about the walk as a whole.
    pub line: Option<usize>,
    /// What went wrong.
    pub what: String,
}

impl Failure {
    fn at(line: usize, what: impl Into<String>) -> Self {
        Self { line: Some(line), what: what.into() }
    }

    fn whole(what: impl Into<String>) -> Self {
        Self { line: None, what: what.into() }
    }
}

/// `grpcurl` from beside this program, for a machine that has no other.
pub fn grpcurl_if_missing() -> Result<Vec<(String, PathBuf)>, Failure> {
    let path = env::var_os("PATH").unwrap_or_default();
    if env::split_paths(&path).any(|folder| folder.join("grpcurl").is_file()) {
        return Ok(Vec::new());
    }
    let program = env::current_exe().map_err(|e| Failure::whole(format!("this program cannot be found: {e}")))?;
    let stand_in = program.with_file_name("grpcurl");
    if !stand_in.is_file() {
        let hint = "there is no grpcurl on PATH and none beside this program: `cargo build -p tests --bins` makes one";
        return Err(Failure::whole(hint));
    }
    Ok(vec![("grpcurl".to_owned(), stand_in)])
}

impl Walk {
    /// Reads the README, runs its commands, and stops what it started.
    pub fn run(&self) -> Result<Passed, Failure> {
        let readme = self.readme.canonicalize().map_err(|e| Failure::whole(format!("cannot be found: {e}")))?;
        let text = fs::read_to_string(&readme).map_err(|e| Failure::whole(format!("cannot be read: {e}")))?;
        let blocks = fences::shell_blocks(&text)?;
        let mut steps = Vec::new();
        for block in &blocks {
            steps.extend(steps::steps(block)?);
        }
        if steps.is_empty() {
            return Err(Failure::whole("holds no command: there is nothing to walk"));
        }

        let folder = readme.parent().unwrap_or(Path::new("/"));
        let failed = |e: io::Error| Failure::whole(format!("the walk cannot be prepared: {e}"));
        let scratch = Scratch::new().map_err(failed)?;
        let surroundings = Surroundings::prepare(folder, &scratch, &self.lent).map_err(failed)?;
        let mut shell = Shell::start(&surroundings, &scratch, &self.output).map_err(failed)?;
        let mut server = None;
        let walked = steps.iter().try_for_each(|step| {
            self.echo(step)
                .map_err(|e| e.to_string())
                .and_then(|()| self.take(step, &surroundings, &mut shell, &mut server))
                .map_err(|what| Failure::at(step.line, what))
        });
        let stopped = self.stop(server, walked.is_err());
        walked.and(stopped)?;
        Ok(Passed { commands: steps.len(), blocks: blocks.len() })
    }

    fn take(
        &self,
        step: &Step,
        surroundings: &Surroundings,
        shell: &mut Shell,
        server: &mut Option<Server>,
    ) -> Result<(), String> {
        match step.kind {
            Kind::Shell => shell.run(step),
            Kind::TestCommand => self.check_test_command(&surroundings.folder),
            Kind::Serve if server.is_some() => Err("`cargo run` is running already".to_owned()),
            Kind::Serve => {
                server::check_ports(&self.ports)?;
                server.insert(Server::start(surroundings)?).wait_until_ready()
            }
        }
    }

    fn echo(&self, step: &Step) -> io::Result<()> {
        let name = self.readme.file_name().unwrap_or_default().to_string_lossy();
        let lines = step.text.lines().enumerate();
        let echoed: Vec<String> = lines.map(|(n, line)| format!("{name}:{}$ {line}\n", step.line + n)).collect();
        (&self.output).write_all(echoed.concat().as_bytes())
    }

    fn stop(&self, server: Option<Server>, show_output: bool) -> Result<(), Failure> {
        let Some(mut server) = server else { return Ok(()) };
        let stopped = server.stop();
        if show_output || stopped.is_err() {
            // The walk has failed already: that this cannot be shown too must not hide it.
            let _ = writeln!(&self.output, "the last lines of `cargo run`:\n{}", server.last_lines());
        }
        stopped.map_err(|what| Failure::whole(format!("`cargo run` {what}")))
    }

    fn check_test_command(&self, folder: &Path) -> Result<(), String> {
        let file = folder.join("tests/run");
        let metadata = fs::metadata(&file).map_err(|e| format!("tests/run: {e}"))?;
        if !metadata.is_file() || metadata.permissions().mode() & 0o111 == 0 {
            return Err("tests/run is not an executable file".to_owned());
        }
        match &self.script {
            Some(script) if script.canonicalize().ok() != file.canonicalize().ok() => {
                Err(format!("tests/run is not the script that runs this walk, {}", script.display()))
            }
            _ => Ok(()),
        }
    }
}

/// What every command of the walk sees around it.
struct Surroundings {
    folder: PathBuf,
    path: OsString,
    data: PathBuf,
}

impl Surroundings {
    fn prepare(folder: &Path, scratch: &Scratch, lent: &[(String, PathBuf)]) -> io::Result<Self> {
        let (data, tools) = (scratch.folder("data")?, scratch.folder("tools")?);
        for (name, program) in lent {
            symlink(program.canonicalize()?, tools.join(name))?;
        }
        let path = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths(std::iter::once(tools).chain(env::split_paths(&path))).map_err(io::Error::other)?;
        Ok(Self { folder: folder.to_owned(), path, data })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        // A stranger's terminal configures nothing.
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TANDEM_")) {
            command.env_remove(name);
        }
        command.current_dir(&self.folder).env("PATH", &self.path).env("TANDEM_DATA_DIR", &self.data);
        command
    }
}
