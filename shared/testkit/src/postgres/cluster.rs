//! The files and the processes of one server: the programs, the account they run under, the folder, the watchdog.

use std::{
    env,
    ffi::OsStr,
    fmt::Write as _,
    fs::{self, DirBuilder, File, OpenOptions},
    io::Write as _,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::{
        fs::{DirBuilderExt as _, chown},
        process::CommandExt as _,
    },
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use uuid::Uuid;

/// What every server is started with; the product refuses to serve on anything less durable.
const SETTINGS: [(&str, &str); 9] = [
    ("listen_addresses", "127.0.0.1"),
    // No socket file: the path of a temporary directory may be longer than a socket's name can be.
    ("unix_socket_directories", ""),
    ("max_connections", "300"),
    ("shared_buffers", "128MB"),
    ("fsync", "on"),
    ("full_page_writes", "on"),
    ("synchronous_commit", "on"),
    ("log_min_messages", "warning"),
    ("log_line_prefix", "%m [%p] %d "),
];

/// Ports below the range from which the system picks by itself: nobody takes the port of a server that is down for
/// the length of a restart.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Arguments: the server's folder, `pg_ctl`, the seconds to linger, and the words that turn a command into one of the
/// server's account.
const WATCHDOG: &str = r#"
folder=$1 pg_ctl=$2 linger=$3
shift 3
exec 8<"$folder/users"
while flock 8 || exit; do
    flock -u 8
    sleep "$linger"
    flock -n 8 && break
done
"$@" "$pg_ctl" stop -D "$folder/data" -m immediate -t 20
rm -rf "$folder"
"#;

/// Argument: the data folder, in which every process of the server works. Ends when none is left.
const KILL_ALL: &str = r#"
data=$1
while :; do
    set --
    for process in /proc/[0-9]*; do
        [ "$process/cwd" -ef "$data" ] && set -- "$@" "${process#/proc/}"
    done
    [ $# -gt 0 ] || exit 0
    kill -9 "$@"
done
"#;

/// The files and the processes of one server.
pub(super) struct Cluster {
    /// Where `initdb`, `pg_ctl` and `postgres` are.
    programs: PathBuf,
    /// Holds `data`, `log` and `users`, the file to lock.
    pub(super) folder: PathBuf,
    pub(super) port: u16,
    account: Option<Account>,
    /// The lock that keeps the server; `None` only while it is being dropped.
    user: Option<File>,
    watchdog: Child,
}

impl Cluster {
    pub(super) fn start(settings: &[(&str, &str)], linger: Duration) -> Self {
        assert!(answer("flock", &["--version"]).is_some(), "the tests need the program `flock` (package util-linux)");
        let programs = find_programs();
        let account = Account::of_server();
        let folder = env::temp_dir().join(format!("tandem-postgres-{}", Uuid::new_v4()));
        DirBuilder::new()
            .mode(0o700)
            .create(&folder)
            .unwrap_or_else(|error| panic!("cannot create {}: {error}", folder.display()));
        let user = File::create(folder.join("users")).expect("a file in a new folder can be created");
        if let Some(Account { uid, gid }) = account {
            chown(&folder, Some(uid), Some(gid)).expect("root can give a folder away");
        }
        user.lock_shared().expect("a new file can be locked");
        // From here on the watchdog cleans up, also when what follows panics.
        let watchdog = command(None, "sh")
            .args(["-c", WATCHDOG, "watchdog"])
            .args([folder.as_os_str(), programs.join("pg_ctl").as_os_str()])
            .arg(linger.as_secs().to_string())
            .args(account.map(Account::as_words).into_iter().flatten())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // An interrupt typed at the terminal ends the tests; the watchdog must survive it to clean up.
            .process_group(0)
            .spawn()
            .expect("`sh` can be started");
        let mut cluster = Self { programs, folder, port: 0, account, user: Some(user), watchdog };
        cluster.initialize(settings);
        cluster.control(&["start"]);
        cluster
    }

    fn initialize(&mut self, settings: &[(&str, &str)]) {
        let options = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"];
        self.run("initdb", options);
        self.port = free_port();
        let mut text = format!("\nport = {}\n", self.port);
        for (name, value) in SETTINGS.iter().chain(settings) {
            writeln!(text, "{name} = '{value}'").expect("a string takes any text");
        }
        let file = OpenOptions::new().append(true).open(self.data().join("postgresql.conf"));
        file.and_then(|mut file| file.write_all(text.as_bytes())).expect("initdb made a settings file");
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Asks `pg_ctl` and waits until it is done, which it is within a minute.
    pub(super) fn control(&self, arguments: &[&str]) {
        let log = self.folder.join("log");
        let log: [&OsStr; 2] = ["--log".as_ref(), log.as_ref()];
        self.run("pg_ctl", arguments.iter().map(OsStr::new).chain(log));
    }

    fn run(&self, program: &str, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) {
        let path = self.programs.join(program);
        let output = command(self.account, &path).args(arguments).arg("-D").arg(self.data()).output();
        let output = output.unwrap_or_else(|error| panic!("cannot run {}: {error}", path.display()));
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            panic!("{program} failed: {}\n{said}\nthe server's log:\n{log}", output.status);
        }
    }

    pub(super) fn kill9(&self) {
        let status = command(self.account, "sh").args(["-c", KILL_ALL, "kill9"]).arg(self.data()).status();
        assert!(status.expect("`sh` can be started").success() && !accepts(self.port), "the server cannot be killed");
        // Where nobody reaps orphans, the dead server keeps its process id and this file would make it look alive.
        fs::remove_file(self.data().join("postmaster.pid")).expect("a killed server leaves its lock file");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.user = None;
        // The watchdog wakes up now. Nothing can be done here about one that fails.
        let _ = self.watchdog.wait();
    }
}

/// The unprivileged account under which the server runs when this process is root, whom PostgreSQL refuses.
#[derive(Clone, Copy)]
struct Account {
    uid: u32,
    gid: u32,
}

impl Account {
    fn of_server() -> Option<Self> {
        let number = |arguments: &[&str]| answer("id", arguments)?.parse::<u32>().ok();
        (number(&["-u"]) == Some(0)).then(|| {
            let (Some(uid), Some(gid)) = (number(&["-u", "postgres"]), number(&["-g", "postgres"])) else {
                panic!("PostgreSQL does not run as root, and there is no user `postgres` to run it: {INSTALL}");
            };
            Self { uid, gid }
        })
    }

    /// What stands before a command to run it as this account.
    fn as_words(self) -> [String; 4] {
        let Self { uid, gid } = self;
        ["setpriv".to_owned(), format!("--reuid={uid}"), format!("--regid={gid}"), "--clear-groups".to_owned()]
    }
}

const INSTALL: &str = "install PostgreSQL, on Debian with `apt-get install postgresql`";

fn find_programs() -> PathBuf {
    let configured = answer("pg_config", &["--bindir"]).map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let packaged = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut packaged: Vec<(u32, PathBuf)> = packaged
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    packaged.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    configured
        .into_iter()
        .chain(env::split_paths(&path))
        .chain(packaged.into_iter().map(|(_, folder)| folder))
        .find(|folder| ["initdb", "pg_ctl", "postgres"].iter().all(|program| folder.join(program).is_file()))
        .unwrap_or_else(|| panic!("the tests need a PostgreSQL server and found none: {INSTALL}"))
}

/// A command that runs as `account`, from a directory that every account may enter.
fn command(account: Option<Account>, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/").stdin(Stdio::null());
    if let Some(Account { uid, gid }) = account {
        command.uid(uid).gid(gid);
    }
    command
}

/// The one line that a program prints, if it exists and succeeds.
pub(super) fn answer(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

pub(super) fn accepts(port: u16) -> bool {
    TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), Duration::from_secs(5)).is_ok()
}

/// Starts looking at a random place, so that servers started at the same time do not meet.
fn free_port() -> u16 {
    let (_, random, _, _) = Uuid::new_v4().as_fields();
    let first = usize::from(random) % PORTS.len();
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    PORTS.cycle().skip(first).take(PORTS.len()).find(free).expect("one of many ports is free")
}
