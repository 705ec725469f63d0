//! The programs as a stranger has them: started, listened to, asked to stop.

use std::collections::HashMap;
use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use proto::identity::v1::session_service_client::SessionServiceClient;
use proto::identity::v1::{GetMeRequest, GetMeResponse};
use tokio::net::TcpSocket;
use tonic::Request;
use tonic::metadata::MetadataValue;
use uuid::Uuid;

/// What every program says when it serves.
pub(crate) const READY: &str = "tandem is ready";
/// Nobody's password.
pub(crate) const PASSWORD: &str = "plum violin drizzle gravel";
/// A program that was asked to stop has gone by then.
pub(crate) const STOP_LIMIT: Duration = Duration::from_secs(20);
/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder of one test, gone with it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let path = env::temp_dir().join(format!("tandem-test-{}", Uuid::now_v7().simple()));
        fs::create_dir(&path).expect("a temporary folder can be made");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A file with that text.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.join(name);
        fs::write(&path, text).expect("a file can be written");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is still open is the temporary folder's business.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The folder with all programs of the workspace.
pub(crate) fn programs() -> PathBuf {
    let tandem = Path::new(env!("CARGO_BIN_EXE_tandem"));
    tandem.parent().expect("a program is in a folder").to_owned()
}

/// A program of the workspace.
pub(crate) fn program(name: &str) -> PathBuf {
    let path = programs().join(name);
    assert!(path.is_file(), "{} is missing: run `cargo build --workspace`", path.display());
    path
}

/// A program as a terminal without any setting would start it.
pub(crate) fn command(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TANDEM_")) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// `tandem` with these arguments.
pub(crate) fn tandem<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = command(env!("CARGO_BIN_EXE_tandem"));
    command.args(arguments);
    command
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a test's paths are text")
}

/// What a finished program said on standard output; it must have gone well.
pub(crate) fn said(command: &mut Command) -> String {
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{command:?} ended with {}: {}", output.status, complaint(&output));
    String::from_utf8(output.stdout).expect("it speaks UTF-8")
}

/// What a program said on standard error; it must have failed with that code and nothing on standard output.
pub(crate) fn refused(command: &mut Command, code: i32) -> String {
    let output = command.output().expect("the program starts");
    assert_eq!(output.status.code(), Some(code), "{command:?}: {}", complaint(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{command:?}");
    complaint(&output)
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A program that serves. Dropping it kills it.
pub(crate) struct Server {
    child: Child,
    heard: Arc<Heard>,
}

#[derive(Default)]
struct Heard {
    words: Mutex<Words>,
    more: Condvar,
}

#[derive(Default)]
struct Words {
    text: String,
    ended: bool,
}

impl Server {
    /// Starts it and waits until it says that it serves.
    pub(crate) fn start(command: &mut Command) -> Self {
        let server = Self::launch(command);
        server.wait_for(READY);
        server
    }

    /// The all-in-one on free ports.
    pub(crate) fn all_in_one(data: &Path) -> Self {
        Self::start(&mut tandem(["serve", "--ports", "free", "--data-dir", text(data)]))
    }

    /// Starts it. One pipe takes both of its outputs, in the order in which the lines come.
    pub(crate) fn launch(command: &mut Command) -> Self {
        let (reader, writer) = std::io::pipe().expect("a pipe can be made");
        command.stdout(writer.try_clone().expect("a pipe can be shared")).stderr(writer);
        Self::listening(command, reader)
    }

    /// Starts it and listens to `reader` alone.
    pub(crate) fn listening(command: &mut Command, reader: impl Read + Send + 'static) -> Self {
        let child = command.spawn().expect("the program starts");
        // The command keeps a copy of what it gives to the child.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let heard = Arc::new(Heard::default());
        let listener = Arc::clone(&heard);
        thread::spawn(move || listener.listen(reader));
        Self { child, heard }
    }

    /// All that it said so far.
    pub(crate) fn output(&self) -> String {
        self.heard.words.lock().expect("nobody panics while listening").text.clone()
    }

    /// Waits until it has said this.
    pub(crate) fn wait_for(&self, text: &str) {
        let words = self.heard.wait(PATIENCE, |words| words.text.contains(text) || words.ended);
        assert!(words.contains(text), "it did not say `{text}` but:\n{words}");
    }

    /// What the banner says behind a word, as far as the line goes.
    pub(crate) fn banner(&self, word: &str) -> String {
        let output = self.output();
        let line = output.lines().find_map(|line| line.trim_start().strip_prefix(word)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("the banner has no line `{word}`:\n{output}")).trim().to_owned()
    }

    /// The public address of a service, from the banner.
    pub(crate) fn address(&self, service: &str) -> SocketAddr {
        let line = self.banner(service);
        line.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("no address in `{line}`"))
    }

    /// Where identity is, from the banner.
    pub(crate) fn identity(&self) -> String {
        format!("http://{}", self.address("identity"))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to stop, waits until it has gone, and answers how, with all that it said.
    pub(crate) fn stop(mut self, signal: Signal) -> (ExitStatus, String) {
        self.signal(signal);
        let output = self.heard.wait(STOP_LIMIT, |words| words.ended);
        let ended = self.heard.words.lock().expect("nobody panics while listening").ended;
        assert!(ended, "it did not stop within {STOP_LIMIT:?}:\n{output}");
        (self.child.wait().expect("a child can be waited for"), output)
    }

    /// A child that was not waited for keeps its id even when dead, so the signal cannot reach a stranger.
    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("process ids are small");
        kill(Pid::from_raw(pid), signal).expect("a child can be signaled");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both do nothing when it has gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Heard {
    fn listen(&self, reader: impl Read) {
        let mut reader = BufReader::new(reader);
        let mut line = Vec::new();
        // Reading from a terminal ends with an error when nobody has it open any more.
        while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
            self.words.lock().expect("nobody panics here").text.push_str(&String::from_utf8_lossy(&line));
            self.more.notify_all();
            line.clear();
        }
        self.words.lock().expect("nobody panics here").ended = true;
        self.more.notify_all();
    }

    /// Waits for the condition or the limit, and answers what was said.
    fn wait(&self, limit: Duration, condition: impl Fn(&Words) -> bool) -> String {
        let words = self.words.lock().expect("nobody panics while listening");
        let waited = self.more.wait_timeout_while(words, limit, |words| !condition(words));
        waited.expect("nobody panics while listening").0.text.clone()
    }
}

/// A loopback port that stays ours: a socket that is bound and never listens. A listener may still take it, because
/// it sets `SO_REUSEADDR`; nobody is given it who asks for any port.
pub(crate) struct Port(TcpSocket);

impl Port {
    pub(crate) fn reserve() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket can be made");
        socket.set_reuseaddr(true).expect("a socket can be shared");
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port is free");
        Self(socket)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("a bound socket has an address")
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address())
    }
}

/// Asks identity who a token belongs to.
pub(crate) fn get_me(identity: &str, token: &str) -> GetMeResponse {
    block_on(async {
        let mut client = SessionServiceClient::connect(identity.to_owned()).await.expect("identity listens");
        client.get_me(authorized(token, GetMeRequest {})).await.expect("the token is good").into_inner()
    })
}

/// A request with a token.
pub(crate) fn authorized<M>(token: &str, message: M) -> Request<M> {
    let mut request = Request::new(message);
    let token = MetadataValue::try_from(format!("Bearer {}", token.trim_end())).expect("a token is metadata");
    request.metadata_mut().insert("authorization", token);
    request
}

pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime starts").block_on(future)
}

/// The rows of a Markdown table whose first cell begins with a code span, by that span.
pub(crate) fn table(markdown: &str, prefix: &str) -> HashMap<String, String> {
    let rows = markdown.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("| `")?.split_once('`')?;
        name.starts_with(prefix).then(|| (name.to_owned(), rest.to_owned()))
    });
    rows.collect()
}

/// The handbook for operators.
pub(crate) fn handbook() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/README.md");
    fs::read_to_string(path).expect("the handbook is there")
}
