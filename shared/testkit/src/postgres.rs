//! A private, throw-away PostgreSQL server.
//!
//! This room owns a server from the search for its programs to the removal of its last file. It promises a real one
//! that never loses a committed write (`fsync` and its friends are on), listens on the loopback address only and
//! disappears with its users, however they end: every process that uses a server holds a shared lock on a file of it,
//! and a watchdog that waits for the exclusive lock stops the server and removes its folder. It refuses to skip: where
//! PostgreSQL is missing, the test fails and says what to install. What is inside the server is not its business;
//! callers create and drop their own databases through [`Server::admin_url`].
#![expect(clippy::expect_used, clippy::panic, reason = "a test without its server has nothing better to do than fail")]

mod cluster;

use std::{
    env,
    fs::{self, File, OpenOptions},
    io::Read as _,
    path::Path,
    sync::OnceLock,
    time::Duration,
};

use cluster::{Cluster, accepts, answer};

/// The environment variable that holds the admin URL of a server kept by somebody else, usually by `tests/run`.
pub const URL_VARIABLE: &str = "TANDEM_TEST_POSTGRES";

/// How long the shared server outlives its last user, so that the next test process finds it running.
const LINGER: Duration = Duration::from_secs(10);

/// The server that all test processes of one run share.
///
/// It is the one that [`URL_VARIABLE`] names; without that variable the first process that asks starts one and the
/// others of the same user find it. The first call blocks until the server accepts connections.
pub fn server() -> &'static Server {
    static SHARED: OnceLock<Server> = OnceLock::new();
    SHARED.get_or_init(|| match env::var(URL_VARIABLE) {
        Ok(admin_url) => Server { admin_url, hold: Hold::Foreign },
        Err(_) => {
            let uid = answer("id", &["-u"]).expect("`id -u` names this user");
            share(&env::temp_dir().join(format!("tandem-postgres-shared-{uid}")), LINGER)
        }
    })
}

/// A running PostgreSQL server whose superuser is `postgres`, without a password.
pub struct Server {
    admin_url: String,
    hold: Hold,
}

/// What keeps a server alive.
enum Hold {
    /// Somebody else.
    Foreign,
    /// The lock of this process, besides those of others; the server was started by one of them.
    Joined { _user: File },
    /// The server was started here.
    Own(Cluster),
}

impl Server {
    /// Starts a server that nobody else uses, with `settings` (name, value) on top of the usual ones. Dropping it stops
    /// it and removes its files.
    pub fn start(settings: &[(&str, &str)]) -> Self {
        Self::own(Cluster::start(settings, Duration::ZERO))
    }

    fn own(cluster: Cluster) -> Self {
        Self { admin_url: admin_url(cluster.port), hold: Hold::Own(cluster) }
    }

    /// The URL of the database `postgres`, for its superuser.
    pub fn admin_url(&self) -> &str {
        &self.admin_url
    }

    /// Kills every process of the server at once, as a power cut would. [`Self::restart`] recovers it.
    pub fn kill9(&mut self) {
        self.cluster().kill9();
    }

    /// Shuts the server down in good order and cuts its connections. [`Self::restart`] brings it back.
    pub fn stop(&mut self) {
        self.cluster().control(&["stop", "-m", "fast"]);
    }

    /// Starts the server again at the same URL, after shutting it down when it still runs.
    pub fn restart(&mut self) {
        self.cluster().control(&["restart", "-m", "fast"]);
    }

    fn cluster(&mut self) -> &Cluster {
        match &self.hold {
            Hold::Own(cluster) => cluster,
            Hold::Foreign | Hold::Joined { .. } => panic!("others use this server; start a private one to disturb it"),
        }
    }
}

/// Joins the server that the file `pointer` names, or starts one and writes it there.
fn share(pointer: &Path, linger: Duration) -> Server {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(pointer);
    let file = file.as_mut().unwrap_or_else(|error| panic!("cannot open {}: {error}", pointer.display()));
    // Held until this function ends. Whoever has it does no more than start a server, which is bounded.
    file.lock().expect("the pointer to the shared server can be locked");
    let mut text = String::new();
    file.read_to_string(&mut text).expect("the pointer to the shared server is text");
    if let Some(server) = join(&text) {
        return server;
    }
    let cluster = Cluster::start(&[], linger);
    fs::write(pointer, format!("{}\n{}\n", cluster.port, cluster.folder.display())).expect("the pointer is writable");
    Server::own(cluster)
}

/// The server that `text` points to, if it lives. Its watchdog holds the exclusive lock only when it is about to end
/// it, and cannot get it any more once this process has its own.
fn join(text: &str) -> Option<Server> {
    let (port, folder) = text.trim_end().split_once('\n')?;
    let port = port.parse().ok()?;
    let user = File::open(Path::new(folder).join("users")).ok()?;
    user.try_lock_shared().ok()?;
    accepts(port).then(|| Server { admin_url: admin_url(port), hold: Hold::Joined { _user: user } })
}

fn admin_url(port: u16) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/postgres")
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write as _,
        net::{Ipv4Addr, TcpStream},
        path::PathBuf,
    };

    use uuid::Uuid;

    use super::*;

    /// Whether a PostgreSQL server answers there: asked for TLS, one without it says N.
    fn answers(server: &Server) -> bool {
        let Hold::Own(Cluster { port, .. }) = server.hold else { panic!("the test started the server") };
        let ask = || -> std::io::Result<bool> {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
            stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47])?;
            let mut answer = [0];
            stream.read_exact(&mut answer)?;
            Ok(answer == *b"N")
        };
        ask().unwrap_or(false)
    }

    fn folder(server: &Server) -> PathBuf {
        let Hold::Own(cluster) = &server.hold else { panic!("the test started the server") };
        cluster.folder.clone()
    }

    #[test]
    fn a_killed_or_stopped_server_answers_again_after_a_restart() {
        let mut server = Server::start(&[]);
        assert!(answers(&server));
        server.kill9();
        assert!(!answers(&server));
        server.restart();
        assert!(answers(&server));
        server.stop();
        assert!(!answers(&server));
        server.restart();
        assert!(answers(&server));
    }

    #[test]
    fn a_dropped_server_leaves_nothing_behind() {
        let server = Server::start(&[("max_connections", "10")]);
        let folder = folder(&server);
        assert!(folder.join("data").is_dir());
        drop(server);
        assert!(!folder.exists());
    }

    #[test]
    fn the_next_process_finds_the_shared_server_until_its_last_user_is_gone() {
        let pointer = env::temp_dir().join(format!("tandem-postgres-test-{}", Uuid::new_v4()));
        let first = share(&pointer, Duration::ZERO);
        let second = share(&pointer, Duration::ZERO);
        assert_eq!(first.admin_url(), second.admin_url());
        assert!(matches!(second.hold, Hold::Joined { .. }));
        drop(second);
        let url = first.admin_url().to_owned();
        drop(first);
        let third = share(&pointer, Duration::ZERO);
        assert!(matches!(third.hold, Hold::Own(_)) && answers(&third), "{url} is gone, so a new one is started");
        fs::remove_file(pointer).expect("the pointer is a file");
    }
}
