//! The three services as processes of their own on PostgreSQL, set up as the handbook says, word for word.

use std::fs;
use std::process::Command;

use nix::sys::signal::Signal;
use proto::common::v1::GetLimitsRequest;
use proto::common::v1::limits_service_client::LimitsServiceClient;
use proto::identity::v1::session_service_client::SessionServiceClient;
use proto::identity::v1::{ChangePasswordRequest, SignInRequest};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use testkit::database::{Database, Kind};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

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
        self.start_over("http", number, line)
    }

    /// The same, with the services calling each other over this scheme.
    fn start_over(&self, scheme: &str, number: usize, line: &str) -> Server {
        let mut shell = self.shell(&format!("exec env {line}"));
        let [public, internal, management] = &self.ports[number];
        shell
            .env("TANDEM_LISTEN", public.address().to_string())
            .env("TANDEM_INTERNAL_LISTEN", internal.address().to_string());
        shell.env("TANDEM_MANAGEMENT_LISTEN", management.address().to_string()).env("TANDEM_LAME_DUCK_SECONDS", "0");
        for (service, [_, internal, _]) in SERVICES.iter().zip(&self.ports) {
            let address = internal.url().replace("http:", &format!("{scheme}:"));
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

#[test]
fn three_processes_call_each_other_over_tls_with_certificates_on_both_sides() {
    let site = Site::new();
    said(&mut site.shell(&block("tandem keys init")));
    let secret = fs::read_to_string(site.folder.join("operator-secret")).expect("the secret is there");
    let authority = Authority::new();
    site.folder.file("authority.pem", &authority.pem());
    let (certificate, key) = authority.issue(&["localhost", "127.0.0.1"]);
    site.folder.file("certificate.pem", &certificate);
    site.folder.file("key.pem", &key);

    let lines = block("TANDEM_DATABASE_URL=");
    let tls = "TANDEM_TLS_CERTIFICATE=certificate.pem TANDEM_TLS_KEY=key.pem TANDEM_TLS_AUTHORITY=authority.pem \
               TANDEM_TLS_CLIENT_AUTHORITY=authority.pem";
    let lines: Vec<String> = lines.lines().map(|line| format!("{tls} {line}")).collect();
    let servers = [0, 1, 2].map(|number| site.start_over("https", number, &lines[number]));

    let secure = |number: usize| {
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(authority.pem()))
            .identity(Identity::from_pem(&certificate, &key));
        let address = site.ports[number][0].url().replace("http:", "https:");
        let endpoint = Endpoint::from_shared(address).expect("an address").tls_config(tls).expect("certificates");
        async move { endpoint.connect().await }
    };
    block_on(async {
        let mut sessions = SessionServiceClient::new(secure(0).await.expect("identity listens over TLS"));
        let sign_in = SignInRequest {
            sign_in_name: "operator@platform.tandem.example".to_owned(),
            password: secret.trim_end().to_owned(),
        };
        let temporary = sessions.sign_in(sign_in).await.expect("the secret is good").into_inner().session;
        let change =
            ChangePasswordRequest { current_password: secret.trim_end().to_owned(), new_password: PASSWORD.to_owned() };
        let temporary = temporary.expect("a session begins").access_token;
        let changed = sessions.change_password(authorized(&temporary, change)).await.expect("the password is changed");
        // The floor went from identity to the others before the answer came.
        assert!(changed.metadata().get("tandem-propagation").is_none(), "the facts were delivered over TLS");
        let token = changed.into_inner().session.expect("a session begins").access_token;
        for number in [1, 2] {
            // The key set came from identity to the others.
            let mut limits = LimitsServiceClient::new(secure(number).await.expect("the service listens over TLS"));
            limits.get_limits(authorized(&token, GetLimitsRequest {})).await.expect("the token is good everywhere");
        }
    });
    for server in servers {
        let (status, output) = server.stop(Signal::SIGTERM);
        assert_eq!(status.code(), Some(0), "{output}");
    }
}

/// An authority of this test's own.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for these names, and its key.
    fn issue(&self, names: &[&str]) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let params = CertificateParams::new(names).expect("names");
        (params.signed_by(&key, &self.0).expect("a certificate").pem(), key.serialize_pem())
    }
}
