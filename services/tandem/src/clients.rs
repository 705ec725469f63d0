//! The only file that calls a service: identity's public listener, as anybody would call it.

use std::error::Error as _;
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use base::Secret;
use proto::identity::v1::session_service_client::SessionServiceClient;
use proto::identity::v1::{ChangePasswordRequest, Session, SignInRequest};
use tonic::metadata::MetadataValue;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Uri};
use tonic::{Request, Status};
use tonic_types::StatusExt as _;

use crate::failure::Failure;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Identity, connected.
pub(crate) struct Identity(SessionServiceClient<Channel>);

impl Identity {
    /// Connects to a URL such as `http://127.0.0.1:50051`. Beyond this machine it must be `https`, with the authority
    /// that issued identity's certificate in a PEM file: a password goes over the line.
    pub(crate) async fn connect(url: &str, authority: Option<&Path>) -> Result<Self, Failure> {
        let malformed = || Failure::new(format!("{url} is not a URL such as http://127.0.0.1:50051"));
        let uri: Uri = url.parse().map_err(|_| malformed())?;
        let host = uri.host().ok_or_else(malformed)?;
        let secured = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if is_this_machine(host) => false,
            Some("http") => {
                return Err(Failure::new(format!("{url} is plain text and on another machine: use an https URL")));
            }
            _ => return Err(malformed()),
        };
        let mut endpoint = Endpoint::from(uri).connect_timeout(CONNECT_TIMEOUT).timeout(CALL_TIMEOUT);
        if secured {
            let path = authority.ok_or_else(|| {
                Failure::new("an https URL needs --tls-authority with the authority of identity's certificate")
            })?;
            let unusable = |error: String| Failure::new(format!("{} cannot be used: {error}", path.display()));
            let pem = fs::read(path).map_err(|error| unusable(error.to_string()))?;
            let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem));
            endpoint = endpoint.tls_config(tls).map_err(|error| unusable(error.to_string()))?;
        }
        let channel = endpoint.connect().await;
        let channel =
            channel.map_err(|error| Failure::caused(format!("identity does not answer at {url}"), error.source()))?;
        Ok(Self(SessionServiceClient::new(channel)))
    }

    /// Begins a session.
    pub(crate) async fn sign_in(&mut self, name: &str, password: &Secret<String>) -> Result<Session, Failure> {
        let request = SignInRequest { sign_in_name: name.to_owned(), password: password.expose().clone() };
        let answer = self.0.sign_in(request).await.map_err(|status| refused(&status))?;
        answer.into_inner().session.ok_or_else(no_session)
    }

    /// Replaces the password of the session's user, which begins another session.
    pub(crate) async fn change_password(
        &mut self,
        session: &Session,
        current: &Secret<String>,
        new: &Secret<String>,
    ) -> Result<Session, Failure> {
        let mut request = Request::new(ChangePasswordRequest {
            current_password: current.expose().clone(),
            new_password: new.expose().clone(),
        });
        let token = MetadataValue::try_from(format!("Bearer {}", session.access_token));
        let token = token.map_err(|_| Failure::new("the access token is not one"))?;
        request.metadata_mut().insert("authorization", token);
        let answer = self.0.change_password(request).await.map_err(|status| refused(&status))?;
        answer.into_inner().session.ok_or_else(no_session)
    }
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

fn refused(status: &Status) -> Failure {
    match status.get_details_error_info() {
        Some(info) => Failure::new(format!("{}: {}", info.reason, status.message())),
        None => Failure::caused(format!("{:?}: {}", status.code(), status.message()), status.source()),
    }
}

fn no_session() -> Failure {
    Failure::new("identity answered without a session")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_this_machine() {
        for host in ["localhost", "127.0.0.1", "127.8.8.8", "[::1]", "[::ffff:127.0.0.1]"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["example.com", "10.0.0.1", "[fe80::1]", "127.0.0.1.example.com", "localhost.example.com"] {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
