//! TLS: who is let in, what a handler learns, and new certificates without a restart.

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::net::TcpStream;
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use super::*;

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority"))
    }

    fn certificate(&self) -> Certificate {
        Certificate::from_pem(self.0.pem())
    }

    /// The PEM of a certificate and of its key.
    fn issue(&self) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(["localhost".to_owned()]).expect("parameters");
        (params.signed_by(&key, &self.0).expect("a certificate").pem(), key.serialize_pem())
    }
}

/// A folder of its own for each test, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("serve-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&path).expect("a folder");
        Self(path)
    }

    fn holding(&self, authority: &Authority) -> Tls {
        let (certificate, key) = authority.issue();
        let files = Tls {
            certificate: self.0.join("server.pem"),
            key: self.0.join("server.key"),
            client_authority: Some(self.0.join("clients.pem")),
        };
        fs::write(&files.certificate, certificate).expect("it is written");
        fs::write(&files.key, key).expect("it is written");
        fs::write(self.0.join("clients.pem"), authority.0.pem()).expect("it is written");
        files
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _left_for_the_system = fs::remove_dir_all(&self.0);
    }
}

async fn secured(served: &Served, config: ClientTlsConfig) -> Result<String, Status> {
    let endpoint = Endpoint::from_shared(format!("https://{}", served.address)).expect("a URI");
    let endpoint = endpoint.tls_config(config.domain_name("localhost")).expect("a configuration");
    let channel = endpoint.connect().await.map_err(|err| Status::unavailable(err.to_string()))?;
    call(&channel, "/test.Room/Whence", Note::default()).await
}

#[tokio::test]
async fn a_client_with_a_certificate_is_let_in_and_known_by_address() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let served = Served::with(|transport| transport.tls = Some(folder.holding(&authority))).await;
    let trusting = ClientTlsConfig::new().ca_certificate(authority.certificate());
    let (certificate, key) = authority.issue();
    let known = trusting.clone().identity(Identity::from_pem(certificate, key));
    let whence = soon("an answer", secured(&served, known)).await.expect("it is let in");
    assert!(whence.starts_with("127.0.0.1:") && whence.ends_with(" 1"), "{whence}");
    assert!(soon("a refusal", secured(&served, trusting)).await.is_err(), "without a certificate it is not");
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_closed() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let served = Served::with(|transport| {
        transport.tls = Some(folder.holding(&authority));
        transport.first_byte_deadline = Duration::from_millis(200);
    })
    .await;
    let mut half_open = TcpStream::connect(served.address).await.expect("it listens");
    tokio::io::AsyncWriteExt::write_all(&mut half_open, &[22, 3, 1]).await.expect("it reads");
    let mut rest = Vec::new();
    let _ended = soon("it is closed", tokio::io::AsyncReadExt::read_to_end(&mut half_open, &mut rest)).await;
}

#[test]
fn changed_certificates_are_used_and_broken_ones_are_not() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let files = folder.holding(&authority);
    let certificates = Certificates::load(files.clone()).expect("they are good");
    let mut current = certificates.current();
    assert!(certificates.reload() && current.has_changed().expect("it is held"));
    current.mark_unchanged();
    let (unmatched, _) = authority.issue();
    fs::write(&files.certificate, unmatched).expect("it is written");
    assert!(!certificates.reload() && !current.has_changed().expect("it is held"));
    fs::write(&files.certificate, "nothing").expect("it is written");
    let refused = Certificates::load(files).expect_err("they are broken");
    assert_eq!(refused.reason(), "CERTIFICATE_UNREADABLE");
}
