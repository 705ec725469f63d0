//! The certificates of a listener: read at the start, read again when the files change.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base::Fault;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tracing::{info, warn};

use super::Tls;

const RENEWAL_INTERVAL: Duration = Duration::from_secs(30);

/// What new connections are secured with.
#[derive(Debug)]
pub(super) struct Certificates {
    files: Tls,
    current: watch::Sender<Arc<ServerConfig>>,
}

impl Certificates {
    pub(super) fn load(files: Tls) -> Result<Self, Fault> {
        let (current, _) = watch::channel(Arc::new(read(&files)?));
        Ok(Self { files, current })
    }

    pub(super) fn current(&self) -> watch::Receiver<Arc<ServerConfig>> {
        self.current.subscribe()
    }

    /// Never ends. Half-written or mismatched files are told in the log and tried again.
    pub(super) async fn renew(&self) {
        let mut seen = self.changed_at();
        let mut ticks = interval(RENEWAL_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let now = self.changed_at();
            if now != seen && self.reload() {
                seen = now;
            }
        }
    }

    pub(super) fn reload(&self) -> bool {
        match read(&self.files) {
            Ok(config) => {
                info!("certificates were read again");
                self.current.send_replace(Arc::new(config));
                true
            }
            Err(fault) => {
                warn!(error = %fault, "changed certificates cannot be used; the old ones stay");
                false
            }
        }
    }

    fn changed_at(&self) -> Vec<Option<SystemTime>> {
        let files = [Some(&self.files.certificate), Some(&self.files.key), self.files.client_authority.as_ref()];
        files.into_iter().flatten().map(|file| file.metadata().and_then(|about| about.modified()).ok()).collect()
    }
}

fn read(files: &Tls) -> Result<ServerConfig, Fault> {
    let unusable = |err| {
        let message = format!("{} and its key do not serve TLS together", files.certificate.display());
        Fault::invalid("CERTIFICATE_UNREADABLE", message).because(err)
    };
    let provider: Arc<CryptoProvider> = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?;
    let builder = match &files.client_authority {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(file)? {
                roots.add(certificate).map_err(unusable)?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|err| {
                let message = format!("{} names no authority of client certificates", file.display());
                Fault::invalid("CERTIFICATE_UNREADABLE", message).because(err)
            })?)
        }
    };
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|err| unreadable(&files.key, err))?;
    let mut config = builder.with_single_cert(certificates(&files.certificate)?, key).map_err(unusable)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    read.map_err(|err| unreadable(file, err))
}

fn unreadable(file: &Path, err: pem::Error) -> Fault {
    Fault::invalid("CERTIFICATE_UNREADABLE", format!("{} is not readable as PEM", file.display())).because(err)
}
