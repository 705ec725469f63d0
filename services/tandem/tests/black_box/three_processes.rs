//! The three services as processes of their own on PostgreSQL, set up as the handbook says, word for word.

use std::fs;
use std::process::Command;

use nix::sys::signal::Signal;
use proto::common::v1::GetLimitsRequest;
use proto::common::v1::limits_service_client::LimitsServiceClient;
use testkit::database::{Database, Kind};

use crate::program::{
    Folder, PASSWORD, Port, Server, authorized, block_on, command, get_me, handbook, program, programs, said,
};

const SERVICES: [&str; 3] = ["identity", "licensing", "partner"];

/// One installation: a folder, three databases, and the ports of three services.
struct Site {
    folder: Folder,
    databases: [Database; 3],
    ports: [[Port; 3]; 3],
}

impl Site {
    fn new() -> Self {
        let empty = || block_on(Database::empty(Kind::Postgres));
        Self {
            folder: Folder::new(),
            databases: [empty(), empty(), empty()],
            ports: [(); 3].map(|()| [(); 3].map(|()| Port::reserve())),
        }
    }

    /// A shell in the folder that knows the programs, and the databases by the names that the handbook gives them.
    fn shell(&self, script: &str) -> Command {
        let mut shell = command("bash");
        let path = format!("{}:{}", programs().display(), std::env::var("PATH").expect("there is a PATH"));
        shell.args(["-euo", "pipefail", "-c", script]).current_dir(self.folder.path()).env("PATH", path);
        for (service, database) in SERVICES.iter().zip(&self.databases) {
            shell.env(format!("{}_DATABASE", service.to_uppercase()), &database.settings().url);
        }
        shell
    }

    /// Starts a service by the handbook's line, on ports of this test.
    fn start(&self, number: usize, line: &str) -> Server {
        let mut shell = self.shell(&format!("exec env {line}"));
        let [public, internal, management] = &self.ports[number];
        shell
            .env("TANDEM_LISTEN", public.address().to_string())
            .env("TANDEM_INTERNAL_LISTEN", internal.address().to_string());
        shell.env("TANDEM_MANAGEMENT_LISTEN", management.address().to_string()).env("TANDEM_LAME_DUCK_SECONDS", "0");
        for (service, [_, internal, _]) in SERVICES.iter().zip(&self.ports) {
            let address = internal.url();
            shell.env(format!("TANDEM_{}_ADDRESS", service.to_uppercase()), address);
        }
        Server::start(&mut shell)
    }
}

/// The `text` block of the handbook that begins with these words.
fn block(beginning: &str) -> String {
    let handbook = handbook();
    let blocks = handbook.split("```text\n").skip(1).filter_map(|rest| rest.split_once("```").map(|(block, _)| block));
    let found: Vec<_> = blocks.filter(|block| block.starts_with(beginning)).collect();
    assert_eq!(found.len(), 1, "the handbook has one block that begins with `{beginning}`");
    found[0].to_owned()
}

#[test]
fn three_processes_are_set_up_as_the_handbook_says() {
    for service in SERVICES {
        program(service);
    }
    let site = Site::new();
    said(&mut site.shell(&block("tandem keys init")));
    let secret = fs::read_to_string(site.folder.join("operator-secret")).expect("the secret is there");

    let lines = block("TANDEM_DATABASE_URL=");
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines.len(), 3, "one line for each service");
    // In another order than they are written: none of them needs the others to start.
    let servers = [2, 1, 0].map(|number| site.start(number, lines[number]));

    let [identity, licensing, partner] = site.ports.each_ref().map(|[public, ..]| public.url());
    site.folder.file("operator-password", PASSWORD);
    let token = said(&mut site.shell(&format!(
        "{} --identity {identity}",
        block("tandem token --user operator@platform.tandem.example --password-file operator-secret").trim_end()
    )));
    assert_eq!(get_me(&identity, &token).sign_in_name, "operator@platform.tandem.example");
    for service in [licensing, partner] {
        let limits = block_on(async {
            let mut client = LimitsServiceClient::connect(service).await.expect("the service listens");
            client.get_limits(authorized(&token, GetLimitsRequest {})).await
        });
        assert!(!limits.expect("the token is good everywhere").into_inner().limits.is_empty());
    }

    for server in servers {
        let (status, output) = server.stop(Signal::SIGTERM);
        assert_eq!(status.code(), Some(0), "{output}");
        for hidden in [secret.trim_end(), PASSWORD, token.trim_end()] {
            assert!(!output.contains(hidden), "a server said a secret");
        }
    }
}
