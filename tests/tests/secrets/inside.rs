//! What never leaves the services: the keys that they hold, and what they tell one another.

use identity::signing_key::store::all;
use proto::identity::v1 as pb;
use proto::licensing::v1::PlaceOrderRequest;
use proto::licensing::v1::subscription_service_client::SubscriptionServiceClient;
use service::keys::ServiceKeys;
use service::seal;
use tests::world::{Doors, Registered, World, authorized, connect, fresh};

use super::walk::Walk;

/// What the services derive keys for.
const LABELS: [&str; 9] = [
    "replay",
    "page-token",
    "journal request",
    "temporary password",
    "password pepper",
    "origin secret binding",
    "invitation link",
    "invitation consent",
    "partnership link",
];

/// In PKCS#8, what stands before the 32 bytes of an Ed25519 key.
const SEED_MARK: [u8; 4] = [0x04, 0x22, 0x04, 0x20];

/// The keys that the services derive, and the one that signs access tokens.
pub(super) async fn keys(walk: &mut Walk<'_>) {
    let world = walk.world;
    let hosts: [&ServiceKeys; 3] = [world.identity.keys(), world.licensing.keys(), world.partner.keys()];
    for keys in hosts {
        for label in LABELS {
            walk.canaries.add_bytes(&format!("{}'s key `{label}`", keys.service()), &keys.derive(label));
        }
        // Every token of this service for another begins like this one.
        let token = keys.issue_service_token("identity", &world.clock);
        let beginning = token.split('.').next().unwrap();
        walk.canaries.add(&format!("a token of {} for another service", keys.service()), beginning);
    }
    let mut tx = world.identity.db().await.snapshot().await.unwrap();
    let signing = all(&mut tx).await.unwrap();
    tx.rollback().await;
    assert!(!signing.is_empty(), "identity signs access tokens");
    for key in signing {
        let binding = [key.kid.as_bytes()];
        let pkcs8 = seal::open(world.identity.keys(), "access token signing key", &binding, &key.sealed_key).unwrap();
        let seed = pkcs8.windows(4).position(|bytes| bytes == SEED_MARK).unwrap() + SEED_MARK.len();
        walk.canaries.add_bytes("the key that signs access tokens", &pkcs8[seed..seed + 32]);
    }
}

/// The operator's way in is replaced from inside the process. Answers a token of the next session.
pub(super) async fn operator(walk: &mut Walk<'_>) -> String {
    let world = walk.world;
    let way_in = identity::operator::reset(world.identity.host()).await.unwrap();
    walk.canaries.add("the operator's one-time password", way_in.secret.expose());
    let public = world.addresses.each_ref().map(|addresses| addresses.public);
    let token = Doors::new(public, world.clock.clone(), way_in).operator().await;
    walk.canaries.add_token("the operator's token", &token);
    token
}

/// A secret that is asked for by another request than its own, and tokens that are none where they are shown.
pub(super) async fn calls(walk: &mut Walk<'_>, partner: &Registered) {
    let world = walk.world;
    let preparation = World::preparation();
    let (origin_id, binding) = (preparation.origin_id.clone(), preparation.binding.clone().unwrap());
    let customer = world.customer_of(preparation).await;
    walk.canaries.add("a secret between the services", &customer.temporary_password);
    let binding = pb::SecretBinding { request_hash: vec![8; 32], ..binding };
    let reveal = pb::RevealSecretRequest { origin_id, binding: Some(binding) };
    let mut identity = world.inside_identity().await;
    walk.refused("NOT_FOUND", identity.reveal_secret(world.as_partner(reveal.clone())).await);
    walk.refused("UNAUTHENTICATED", identity.reveal_secret(authorized(partner.token(), reveal)).await);

    let (claims, _) = partner.token().rsplit_once('.').unwrap();
    let forged = format!("{claims}.{}", walk.wrong_token("a forged signature"));
    for address in world.addresses.each_ref().map(|addresses| addresses.public) {
        let mut audit = proto::common::v1::audit_service_client::AuditServiceClient::new(connect(address).await);
        walk.refused("UNAUTHENTICATED", audit.list_audit_entries(authorized(&forged, Default::default())).await);
    }
    // Licensing makes no secret: whoever calls it shows one.
    let order = PlaceOrderRequest { customer_id: fresh(), request_id: fresh(), ..Default::default() };
    let mut subscriptions = SubscriptionServiceClient::new(world.to_licensing().await);
    walk.refused("REQUIRED", subscriptions.place_order(authorized(partner.token(), order)).await);
    world.product("Canary Mail").await;
}
