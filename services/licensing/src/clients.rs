//! The only file that calls a peer.

use base::Fault;
use proto::identity::v1::GetJwksRequest;
use proto::identity::v1::key_service_client::KeyServiceClient;
use service::keys::from_base64url;
use service::peer::{ATTEMPT_TIMEOUT, Peer};
use service::token::Key;

/// The key set that verifies access tokens.
pub async fn fetch_keys(identity: &Peer) -> Result<Vec<Key>, Fault> {
    let request = identity.request(GetJwksRequest {}, ATTEMPT_TIMEOUT)?;
    let answer = KeyServiceClient::new(identity.channel()).get_jwks(request).await;
    let keys = answer.map_err(|status| identity.fault(status))?.into_inner().keys;
    let key = |jwk: proto::identity::v1::Jwk| {
        let public = from_base64url(&jwk.x).and_then(|bytes| bytes.try_into().ok());
        public.map(|public| Key { kid: jwk.kid, public })
    };
    let keys: Option<Vec<Key>> = keys.into_iter().map(key).collect();
    keys.ok_or_else(|| Fault::internal("identity published a key that cannot be read"))
}
