//! The configuration of one service process: flags and environment, all errors at once, shown with secrets masked.
//!
//! The table for operators is in `deploy/README.md`; a test keeps the two alike.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use crate::peer::PeerTls;
use crate::process::Addresses;
use crate::rate::Rates;
use crate::serve::{Tls, Transport};
use crate::telemetry::LogFormat;

/// Flags and environment as they were given.
#[derive(Args, Clone, Debug, Default)]
pub struct ProcessArgs {
    /// `sqlite:PATH` or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`
    #[arg(long, env = "TANDEM_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// Sessions in the database pool
    #[arg(long, env = "TANDEM_DATABASE_SESSIONS")]
    pub database_sessions: Option<String>,
    /// Address of the public gRPC listener
    #[arg(long, env = "TANDEM_LISTEN")]
    pub listen: Option<String>,
    /// Address of the internal gRPC listener
    #[arg(long, env = "TANDEM_INTERNAL_LISTEN")]
    pub internal_listen: Option<String>,
    /// Address of the HTTP management listener, or `none`
    #[arg(long, env = "TANDEM_MANAGEMENT_LISTEN")]
    pub management_listen: Option<String>,
    /// Folder with this service's key and the bundle, made by `tandem keys init`
    #[arg(long, env = "TANDEM_KEYS_DIR")]
    pub keys_dir: Option<String>,
    /// Internal address of identity
    #[arg(long, env = "TANDEM_IDENTITY_ADDRESS")]
    pub identity_address: Option<String>,
    /// Internal address of licensing
    #[arg(long, env = "TANDEM_LICENSING_ADDRESS")]
    pub licensing_address: Option<String>,
    /// Internal address of partner
    #[arg(long, env = "TANDEM_PARTNER_ADDRESS")]
    pub partner_address: Option<String>,
    /// Issuer of access tokens, the same for all three services
    #[arg(long, env = "TANDEM_ISSUER")]
    pub issuer: Option<String>,
    /// Units of work under way at once
    #[arg(long, env = "TANDEM_CONCURRENCY")]
    pub concurrency: Option<String>,
    /// Certificate chain of the listeners, PEM
    #[arg(long, env = "TANDEM_TLS_CERTIFICATE")]
    pub tls_certificate: Option<String>,
    /// Private key of the listeners, PEM
    #[arg(long, env = "TANDEM_TLS_KEY")]
    pub tls_key: Option<String>,
    /// Authorities of client certificates, PEM: when given, clients must have one
    #[arg(long, env = "TANDEM_TLS_CLIENT_AUTHORITY")]
    pub tls_client_authority: Option<String>,
    /// Authorities of the other services' certificates, PEM, for `https` addresses
    #[arg(long, env = "TANDEM_TLS_AUTHORITY")]
    pub tls_authority: Option<String>,
    /// Seconds between NOT_SERVING and the first GOAWAY
    #[arg(long, env = "TANDEM_LAME_DUCK_SECONDS")]
    pub lame_duck_seconds: Option<String>,
    /// Seconds that open calls may take after that
    #[arg(long, env = "TANDEM_DRAIN_SECONDS")]
    pub drain_seconds: Option<String>,
    /// What to log, such as `info` or `info,service=debug`
    #[arg(long, env = "TANDEM_LOG")]
    pub log: Option<String>,
    /// `auto`, `human` or `json`
    #[arg(long, env = "TANDEM_LOG_FORMAT")]
    pub log_format: Option<String>,
}

/// The configuration of one service process.
#[derive(Clone)]
pub struct ProcessConfig {
    /// Where its rows are.
    pub database: db::Settings,
    /// Where it listens.
    pub addresses: Addresses,
    /// Where its keys are.
    pub keys_dir: PathBuf,
    /// Where the other services' internal listeners are.
    pub peers: Peers,
    /// The issuer of access tokens.
    pub issuer: String,
    /// Units of work under way at once.
    pub concurrency: usize,
    /// The limits of its listeners.
    pub transport: Transport,
    /// How fast callers may call.
    pub rates: Rates,
    /// What to log.
    pub log: String,
    /// How to log.
    pub log_format: LogFormat,
}

/// The internal addresses of all three services, as URLs.
#[derive(Clone, Debug)]
pub struct Peers {
    /// Of identity.
    pub identity: String,
    /// Of licensing.
    pub licensing: String,
    /// Of partner.
    pub partner: String,
    /// How they are called where an address is `https`.
    pub tls: Option<PeerTls>,
}

impl Default for Peers {
    fn default() -> Self {
        let local = |port: u16| format!("http://127.0.0.1:{port}");
        Self { identity: local(50061), licensing: local(50062), partner: local(50063), tls: None }
    }
}

/// Everything that is wrong with a configuration, one line each.
#[derive(Debug, Default)]
pub struct ConfigErrors(Vec<String>);

impl ConfigErrors {
    /// Notes one.
    pub fn add(&mut self, name: &str, message: impl fmt::Display) {
        self.0.push(format!("{name}: {message}"));
    }

    /// The value, or its default, or nothing and a note.
    pub fn read<T: FromStr>(&mut self, name: &str, text: Option<&str>, default: T) -> T
    where
        T::Err: fmt::Display,
    {
        match text.map(T::from_str) {
            None => default,
            Some(Ok(value)) => value,
            Some(Err(error)) => {
                self.add(name, error);
                default
            }
        }
    }

    /// The value when nothing was wrong.
    ///
    /// # Errors
    /// All of the notes.
    pub fn finish<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the configuration has {} error(s):", self.0.len())?;
        self.0.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

impl std::error::Error for ConfigErrors {}

impl ProcessArgs {
    /// Reads the configuration of a service whose default ports are 50050 + n, 50060 + n and 9089 + n.
    pub fn read(&self, service: u16, errors: &mut ConfigErrors) -> ProcessConfig {
        let local = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let database_url = self.database_url.clone().unwrap_or_else(|| {
            errors
                .add("TANDEM_DATABASE_URL", "is required: sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE");
            String::new()
        });
        let keys_dir = self.keys_dir.clone().unwrap_or_else(|| {
            errors.add("TANDEM_KEYS_DIR", "is required: make the folder with `tandem keys init`");
            String::new()
        });
        let mut database = db::Settings::new(database_url);
        database.sessions = errors.read("TANDEM_DATABASE_SESSIONS", self.database_sessions.as_deref(), 10);
        let management = match self.management_listen.as_deref() {
            Some("none") => None,
            text => Some(errors.read("TANDEM_MANAGEMENT_LISTEN", text, local(9089 + service))),
        };
        let addresses = Addresses {
            public: errors.read("TANDEM_LISTEN", self.listen.as_deref(), local(50050 + service)),
            internal: errors.read("TANDEM_INTERNAL_LISTEN", self.internal_listen.as_deref(), local(50060 + service)),
            management,
        };
        let known = Peers::default();
        let peers = Peers {
            identity: self.identity_address.clone().unwrap_or(known.identity),
            licensing: self.licensing_address.clone().unwrap_or(known.licensing),
            partner: self.partner_address.clone().unwrap_or(known.partner),
            tls: self.tls_authority.as_ref().map(|authority| PeerTls {
                authority: authority.into(),
                identity: self.tls_certificate.as_ref().zip(self.tls_key.as_ref()).map(|(c, k)| (c.into(), k.into())),
            }),
        };
        let defaults = Transport::default();
        let tls = match (&self.tls_certificate, &self.tls_key) {
            (Some(certificate), Some(key)) => Some(Tls {
                certificate: certificate.into(),
                key: key.into(),
                client_authority: self.tls_client_authority.as_ref().map(Into::into),
            }),
            (None, None) => None,
            _ => {
                errors.add("TANDEM_TLS_CERTIFICATE", "and TANDEM_TLS_KEY belong together");
                None
            }
        };
        let seconds = |errors: &mut ConfigErrors, name: &str, text: Option<&str>, default: Duration| {
            Duration::from_secs(errors.read(name, text, default.as_secs()))
        };
        let transport = Transport {
            lame_duck: seconds(
                errors,
                "TANDEM_LAME_DUCK_SECONDS",
                self.lame_duck_seconds.as_deref(),
                defaults.lame_duck,
            ),
            drain: seconds(errors, "TANDEM_DRAIN_SECONDS", self.drain_seconds.as_deref(), defaults.drain),
            tls,
            ..defaults
        };
        let log_format = match self.log_format.as_deref() {
            None | Some("auto") => LogFormat::Auto,
            Some("human") => LogFormat::Human,
            Some("json") => LogFormat::Json,
            Some(_) => {
                errors.add("TANDEM_LOG_FORMAT", "is auto, human or json");
                LogFormat::Auto
            }
        };
        ProcessConfig {
            database,
            addresses,
            keys_dir: keys_dir.into(),
            peers,
            issuer: self.issuer.clone().unwrap_or_else(|| "tandem".to_owned()),
            concurrency: errors.read("TANDEM_CONCURRENCY", self.concurrency.as_deref(), 256),
            transport,
            rates: Rates::default(),
            log: self.log.clone().unwrap_or_else(|| "info".to_owned()),
            log_format,
        }
    }
}

impl fmt::Debug for ProcessConfig {
    /// With the password of the database masked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessConfig")
            .field("database_url", &masked(&self.database.url))
            .field("database_sessions", &self.database.sessions)
            .field("addresses", &self.addresses)
            .field("keys_dir", &self.keys_dir)
            .field("peers", &self.peers)
            .field("issuer", &self.issuer)
            .field("concurrency", &self.concurrency)
            .field("tls", &self.transport.tls)
            .field("lame_duck", &self.transport.lame_duck)
            .field("drain", &self.transport.drain)
            .field("log", &self.log)
            .finish_non_exhaustive()
    }
}

/// A database URL without what stands between `//` and `@`, nor behind `?`: either may hold a password.
fn masked(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    // An @ behind a ? leaves open where the password ends.
    if rest.split_once('?').is_some_and(|(_, options)| options.contains('@')) {
        return format!("{scheme}://***");
    }
    let (user, rest) = rest.rsplit_once('@').map_or(("", rest), |(_, rest)| ("***@", rest));
    let (place, options) = rest.split_once('?').map_or((rest, ""), |(place, _)| (place, "?***"));
    format!("{scheme}://{user}{place}{options}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_errors_arrive_together() {
        let args = ProcessArgs {
            listen: Some("nowhere".to_owned()),
            concurrency: Some("many".to_owned()),
            tls_key: Some("key.pem".to_owned()),
            ..ProcessArgs::default()
        };
        let mut errors = ConfigErrors::default();
        args.read(1, &mut errors);
        let text = errors.finish(()).unwrap_err().to_string();
        for name in
            ["TANDEM_DATABASE_URL", "TANDEM_KEYS_DIR", "TANDEM_LISTEN", "TANDEM_CONCURRENCY", "TANDEM_TLS_CERTIFICATE"]
        {
            assert!(text.contains(name), "{name} is missing in {text}");
        }
    }

    #[test]
    fn the_database_password_is_masked() {
        assert_eq!(masked("postgres://tandem:hunter2@db:5432/identity"), "postgres://***@db:5432/identity");
        assert_eq!(masked("postgres://db/identity?password=hunter2"), "postgres://db/identity?***");
        assert_eq!(masked("postgres://db/identity?password=hunter@2"), "postgres://***");
        assert_eq!(masked("postgres://u:hunter?2@db/identity"), "postgres://***");
        assert_eq!(masked("sqlite:data/identity.db"), "sqlite:data/identity.db");
    }
}
