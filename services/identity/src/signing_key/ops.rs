//! What can be asked of the keys.

use base::Fault;
use proto::identity::v1 as pb;
use service::keys::base64url;
use service::token::Key;
use service::{Cx, Operation, Wire};

use super::{store, verifying};
use crate::Identity;
use crate::policy::{Permission, Target};

/// Lists every key that a live access token may be signed with, and the next one.
#[derive(Debug)]
pub struct GetJwks;

impl Operation for GetJwks {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.KeyService/GetJwks";
    const PERMISSION: Permission = Permission::Anyone;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<Vec<Key>, Fault> {
        Ok(verifying(&store::all(&mut cx.tx).await?))
    }
}

impl Wire for GetJwks {
    type Request = pb::GetJwksRequest;
    type Response = pb::GetJwksResponse;
    type Reply = Vec<Key>;

    fn parse(_: Self::Request) -> Result<Self, Fault> {
        Ok(Self)
    }

    fn present(keys: Vec<Key>) -> Self::Response {
        let jwk = |key: Key| pb::Jwk {
            kid: key.kid,
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            alg: "EdDSA".to_owned(),
            x: base64url(key.public),
        };
        pb::GetJwksResponse { keys: keys.into_iter().map(jwk).collect() }
    }
}
