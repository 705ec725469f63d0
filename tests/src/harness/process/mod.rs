//! A service as a process of its own.
//!
//! Owns the child from its first line to its end. Promises that a started process has said that it is ready, that a
//! kill and a stop have happened when the call returns, that the process does not outlive its owner, and that a failing
//! test shows what it said. Refuses to leave anything to chance: what does not come in time ends the test with the
//! process's own words.

mod output;
#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use nix::{
    sys::{
        signal::{Signal, kill},
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::Pid,
};
use tokio::{
    process::{Child, Command},
    time::timeout,
};

use self::output::Output;

/// The line by which every service says that it serves.
pub const READY: &str = "tandem is ready";

/// How long a killed process may take to go.
const KILL_LIMIT: Duration = Duration::from_secs(10);
/// How many runs' words are kept.
const RUNS_KEPT: usize = 3;
/// Settings of the surroundings that must not reach a process under test.
const SETTINGS: &str = "TANDEM_";

/// How to start a process.
#[derive(Clone, Debug)]
pub struct Launch {
    /// What to call it in messages.
    pub name: String,
    /// The program.
    pub binary: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables beside the inherited ones, of which those named `TANDEM_…` are taken away.
    pub env: Vec<(String, String)>,
    /// Part of the line by which it says that it is ready.
    pub ready: String,
    /// How long it may take to say so.
    pub ready_within: Duration,
}

impl Launch {
    /// A program without arguments that says [`READY`] within 30 s.
    #[must_use]
    pub fn of(binary: impl Into<PathBuf>) -> Self {
        let binary = binary.into();
        let name = binary.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Self {
            name,
            binary,
            args: Vec::new(),
            env: Vec::new(),
            ready: READY.into(),
            ready_within: Duration::from_secs(30),
        }
    }
}

/// A process under test. Dropping it kills it; dropping it in a panic prints what it said.
#[derive(Debug)]
pub struct Process {
    launch: Launch,
    child: Child,
    /// The words of the last runs, the present one last.
    runs: Vec<Arc<Output>>,
}

impl Process {
    /// Starts a process and waits until it says that it is ready.
    ///
    /// # Panics
    /// When it cannot be started, ends, or does not get ready in time; the message holds what it said.
    pub async fn start(launch: Launch) -> Self {
        let (child, output) = spawn(&launch);
        let process = Self { launch, child, runs: vec![output] };
        process.ready().await;
        process
    }

    /// The process id.
    ///
    /// # Panics
    /// When the process has ended and was waited for.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id().unwrap_or_else(|| panic!("{} does not run", self.launch.name))
    }

    /// Whether the process lives, be it stopped.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// What the process and its last runs have said, standard output and standard error in the order in which they
    /// came.
    #[must_use]
    pub fn output(&self) -> String {
        let lines: Vec<_> = self.runs.iter().flat_map(|run| run.lines()).collect();
        lines.join("\n")
    }

    /// Waits until the present run says a line that contains `text`, and returns it.
    ///
    /// # Panics
    /// When that does not happen within `limit`.
    pub async fn line(&self, text: &str, limit: Duration) -> String {
        match timeout(limit, self.run().line(text)).await {
            Ok(Ok(line)) => line,
            Ok(Err(output::Ended)) => self.fail(&format!("ended without saying '{text}'")),
            Err(_) => self.fail(&format!("did not say '{text}' within {limit:?}")),
        }
    }

    /// Kills without warning (SIGKILL). The process is gone when this returns.
    pub async fn kill9(&mut self) -> ExitStatus {
        self.signal(Signal::SIGKILL);
        self.wait(KILL_LIMIT).await
    }

    /// Stops the process in its tracks (SIGSTOP), all threads of it, when this returns.
    pub fn stop(&self) {
        self.signal(Signal::SIGSTOP);
        // WNOWAIT leaves the end of the process, should it come instead, to `wait`.
        let stopped_or_gone = WaitPidFlag::WSTOPPED | WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        waitid(Id::Pid(self.raw_pid()), stopped_or_gone).expect("a child can be waited for");
    }

    /// Lets a stopped process go on (SIGCONT).
    pub fn cont(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Asks the process to end (SIGTERM); [`Process::wait`] says how it did.
    pub fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Waits for the end of the process and of its words.
    ///
    /// # Panics
    /// When it does not come within `limit`.
    pub async fn wait(&mut self, limit: Duration) -> ExitStatus {
        match timeout(limit, self.child.wait()).await {
            Ok(status) => {
                // A process that it has started in turn may still hold the pipe.
                let _ = timeout(limit, self.run().ended()).await;
                status.expect("a child can be waited for")
            }
            Err(_) => self.fail(&format!("did not end within {limit:?}")),
        }
    }

    /// Starts the process again in the same way, after killing it if it lives, and waits until it is ready.
    pub async fn restart(&mut self) {
        if self.is_running() {
            self.kill9().await;
        }
        let (child, output) = spawn(&self.launch);
        self.child = child;
        self.runs.push(output);
        let surplus = self.runs.len().saturating_sub(RUNS_KEPT);
        self.runs.drain(..surplus);
        self.ready().await;
    }

    async fn ready(&self) {
        self.line(&self.launch.ready, self.launch.ready_within).await;
    }

    fn run(&self) -> &Output {
        self.runs.last().expect("a process has been started")
    }

    fn raw_pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.pid()).expect("process ids are small"))
    }

    /// A child that was not waited for keeps its id even when dead, so the signal cannot reach a stranger.
    fn signal(&self, signal: Signal) {
        kill(self.raw_pid(), signal).expect("a child can be signaled");
    }

    fn fail(&self, what: &str) -> ! {
        panic!("{} {what}; it said:\n{}", self.launch.name, self.output())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let pid = self.child.id();
        if std::thread::panicking() {
            #[expect(clippy::print_stderr, reason = "the test's captured output is where a reader looks")]
            {
                eprintln!("--- {} ({pid:?}) said:\n{}\n---", self.launch.name, self.output());
            }
        }
        if pid.is_some() {
            self.signal(Signal::SIGKILL);
            // Nobody may find its ports and files in use after this; the child itself is reaped when the field is
            // dropped.
            let _ = waitid(Id::Pid(self.raw_pid()), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT);
        }
    }
}

fn spawn(launch: &Launch) -> (Child, Arc<Output>) {
    // One pipe for both keeps the order in which the lines came.
    let (reader, writer) = std::io::pipe().expect("a pipe can be made");
    let stderr = writer.try_clone().expect("a pipe can be shared");
    let mut command = Command::new(&launch.binary);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with(SETTINGS) {
            command.env_remove(name);
        }
    }
    command.args(&launch.args).envs(launch.env.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(writer).stderr(stderr);
    let child = command.spawn().unwrap_or_else(|error| panic!("{} does not start: {error}", launch.binary.display()));
    (child, Output::of(reader))
}

/// A program of this workspace, built for the profile that the running test was built for.
///
/// # Panics
/// When it has not been built.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a running program has a path");
    let mut folder = test.parent().unwrap_or(Path::new("."));
    if folder.ends_with("deps") {
        folder = folder.parent().unwrap_or(folder);
    }
    let binary = folder.join(name);
    assert!(binary.is_file(), "{} is missing: run `cargo build --workspace --bins`", binary.display());
    binary
}
