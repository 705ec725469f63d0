//! What an access token may look like, and what attackers send instead.

use std::thread;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::Ed25519KeyPair;
use base::{Clock, Secret};
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::keys::ServiceKeys;
use crate::token::jwt::forge;
use crate::token::{OnBehalfOf, PrincipalKind, Signer};

pub(crate) const ISSUER: &str = "https://identity.test";

/// 2027-01-15T08:00:00Z.
const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

pub(crate) fn claims_at(now: Timestamp) -> Claims {
    Claims {
        subject: Uuid::now_v7(),
        kind: PrincipalKind::User,
        organization: Uuid::now_v7(),
        organization_kind: "PARTNER".into(),
        cloud: "GLOBAL".into(),
        roles: vec!["ADMIN_AGENT".into(), "GLOBAL_ADMIN".into()],
        auth_version: 7,
        auth_time: now - Duration::from_secs(60),
        session: Some(Uuid::now_v7()),
        must_change_password: false,
        on_behalf_of: None,
        issued_at: now,
        expires_at: now + ACCESS_TOKEN_LIFE,
        token_id: Uuid::now_v7(),
    }
}

/// A key set with one key, and all that an insider would need to make tokens of any form with it.
struct Scene {
    set: KeySet,
    signer: Signer,
    pair: Ed25519KeyPair,
    header: Value,
    claims: Value,
}

impl Scene {
    fn new() -> Self {
        let (signer, pkcs8, _) = Signer::generate();
        let set = KeySet::new(ISSUER.into());
        set.replace(vec![signer.key().clone()]);
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.expose()).unwrap();
        let token = signer.sign(&claims_at(NOW), ISSUER).map(Secret::into_inner).unwrap();
        let part = |n: usize| crate::keys::from_base64url(token.split('.').nth(n).unwrap()).unwrap();
        let [header, claims] = [0, 1].map(|n| serde_json::from_slice(&part(n)).unwrap());
        Self { set, signer, pair, header, claims }
    }

    /// What the set says to a properly signed token with this header and these claims.
    fn say(&self, header: &Value, claims: &Value) -> Result<Claims, Rejected> {
        self.set.verify(&forge::token(header, claims, |message| self.pair.sign(message).as_ref().to_vec()), NOW)
    }

    fn say_with_header(&self, name: &str, value: Value) -> Result<Claims, Rejected> {
        self.say(&forge::with(&self.header, name, value), &self.claims)
    }

    fn say_with_claim(&self, name: &str, value: Value) -> Result<Claims, Rejected> {
        self.say(&self.header, &forge::with(&self.claims, name, value))
    }
}

#[test]
fn what_was_signed_is_what_is_read() {
    let scene = Scene::new();
    let mut claims = claims_at(NOW);
    let sign = |claims: &Claims| scene.signer.sign(claims, ISSUER).unwrap().into_inner();
    assert_eq!(scene.set.clone().verify(&sign(&claims), NOW), Ok(claims.clone()));
    claims.kind = PrincipalKind::Workload;
    claims.session = None;
    claims.must_change_password = true;
    claims.on_behalf_of = Some(OnBehalfOf { user: Uuid::now_v7(), auth_version: 3 });
    assert_eq!(scene.set.verify(&sign(&claims), NOW), Ok(claims));
}

#[test]
fn times_lose_their_fraction_on_the_wire() {
    let scene = Scene::new();
    let late = NOW + Duration::from_micros(999_999);
    let token = scene.signer.sign(&claims_at(late), ISSUER).unwrap().into_inner();
    let read = scene.set.verify(&token, late).unwrap();
    assert_eq!((read.issued_at, read.expires_at), (NOW, NOW + ACCESS_TOKEN_LIFE));
}

#[test]
fn no_signature_and_the_public_key_as_a_shared_secret_are_refused() {
    let scene = Scene::new();
    let unsigned = forge::with(&scene.header, "alg", json!("none"));
    assert_eq!(scene.set.verify(&forge::token(&unsigned, &scene.claims, |_| Vec::new()), NOW), Err(Rejected::Invalid));
    for alg in ["HS256", "EdDSA"] {
        let header = forge::with(&scene.header, "alg", json!(alg));
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &scene.signer.key().public);
        let token = forge::token(&header, &scene.claims, |message| hmac::sign(&secret, message).as_ref().to_vec());
        assert_eq!(scene.set.verify(&token, NOW), Err(Rejected::Invalid), "{alg}");
    }
}

#[test]
fn a_token_of_another_key_or_with_changed_claims_is_refused() {
    let (scene, other) = (Scene::new(), Scene::new());
    let token = forge::token(&scene.header, &scene.claims, |message| other.pair.sign(message).as_ref().to_vec());
    assert_eq!(scene.set.verify(&token, NOW), Err(Rejected::Invalid));
    let real = scene.signer.sign(&claims_at(NOW), ISSUER).unwrap().into_inner();
    let parts: Vec<&str> = real.split('.').collect();
    let raised = forge::token(&scene.header, &forge::with(&scene.claims, "ver", json!(99)), |_| Vec::new());
    let spliced = format!("{}{}", raised, parts[2]);
    assert_eq!(scene.set.verify(&spliced, NOW), Err(Rejected::Invalid));
}

#[test]
fn a_header_says_type_algorithm_and_key_and_nothing_else() {
    let scene = Scene::new();
    assert!(scene.say(&scene.header, &scene.claims).is_ok());
    let wrong = [
        ("typ", json!("JWT")),
        ("typ", json!("svc+jwt")),
        ("typ", Value::Null),
        ("alg", json!("ES256")),
        ("alg", Value::Null),
        ("kid", Value::Null),
        ("jku", json!("https://evil.test/keys")),
        ("x5u", json!("https://evil.test/cert")),
        ("jwk", json!({"kty": "OKP", "crv": "Ed25519", "x": "AA"})),
        ("x5c", json!(["AA"])),
        ("crit", json!(["exp"])),
        ("b64", json!(false)),
    ];
    for (name, value) in wrong {
        assert_eq!(scene.say_with_header(name, value.clone()), Err(Rejected::Invalid), "{name} {value}");
    }
}

#[test]
fn every_claim_is_required_in_its_own_form() {
    let scene = Scene::new();
    let seconds = NOW.seconds();
    for name in ["iss", "aud", "sub", "iat", "nbf", "exp", "jti", "auth_time", "knd", "org", "roles", "ver", "mcp"] {
        assert_eq!(scene.say_with_claim(name, Value::Null), Err(Rejected::Invalid), "without {name}");
    }
    let wrong = [
        ("exp", json!((seconds + 600).to_string())),
        ("exp", json!(600.5 + seconds as f64)),
        ("nbf", json!(seconds.to_string())),
        ("iat", json!(seconds.to_string())),
        ("auth_time", json!(i64::MAX)),
        ("iss", json!("https://evil.test")),
        ("iss", json!([ISSUER])),
        ("aud", json!("elsewhere")),
        ("aud", json!(["tandem", "elsewhere"])),
        ("sub", json!("somebody")),
        ("jti", json!("")),
        ("knd", json!("service")),
        ("sid", json!("nothing")),
        ("obo", json!({"sub": "nobody", "ver": 1})),
    ];
    for (name, value) in wrong {
        assert_eq!(scene.say_with_claim(name, value.clone()), Err(Rejected::Invalid), "{name} {value}");
    }
    assert!(scene.say_with_claim("later", json!("a claim of a newer issuer")).is_ok());
}

#[test]
fn a_token_holds_from_its_beginning_until_its_end() {
    let scene = Scene::new();
    let token = scene.signer.sign(&claims_at(NOW), ISSUER).unwrap().into_inner();
    let micro = Duration::from_micros(1);
    let end = NOW + ACCESS_TOKEN_LIFE;
    assert!(scene.set.verify(&token, end - micro).is_ok());
    assert_eq!(scene.set.verify(&token, end), Err(Rejected::Invalid));
    assert!(scene.set.verify(&token, NOW - Duration::from_secs(5)).is_ok(), "clocks differ a little");
    assert_eq!(scene.set.verify(&token, NOW - Duration::from_secs(5) - micro), Err(Rejected::Invalid));
    assert_eq!(scene.say_with_claim("nbf", json!(NOW.seconds() + 6)), Err(Rejected::Invalid));
}

#[test]
fn a_token_made_to_live_too_long_is_refused() {
    let scene = Scene::new();
    let seconds = NOW.seconds();
    assert!(scene.say_with_claim("exp", json!(seconds + 605)).is_ok());
    for exp in [seconds + 606, i64::MAX] {
        assert_eq!(scene.say_with_claim("exp", json!(exp)), Err(Rejected::Invalid), "{exp}");
    }
    for iat in [i64::MIN, 0, seconds - 6, seconds + 6] {
        assert_eq!(scene.say_with_claim("iat", json!(iat)), Err(Rejected::Invalid), "{iat}");
    }
}

#[test]
fn an_oversized_or_misshapen_token_is_refused_before_its_key_is_looked_for() {
    let scene = Scene::new();
    let unknown = forge::with(&scene.header, "kid", json!("unknown"));
    let sized = |bytes: usize| {
        let claims = forge::with(&scene.claims, "pad", json!("x".repeat(bytes)));
        scene.set.verify(&forge::token(&unknown, &claims, |_| vec![0; 64]), NOW)
    };
    assert_eq!(sized(1_000), Err(Rejected::UnknownKey));
    assert_eq!(sized(8_192), Err(Rejected::Invalid));
    for token in ["", ".", "..", "a.b", "a.b.c", "a.b.c.d", "\u{1f511}.\u{1f511}.\u{1f511}"] {
        assert_eq!(scene.set.verify(token, NOW), Err(Rejected::Invalid), "{token}");
    }
}

#[test]
fn neither_kind_of_token_is_taken_for_the_other() {
    let (services, clock) = (ServiceKeys::random(&["identity", "tandem"]), Clock::new());
    let scene = Scene::new();
    let service_token = services["identity"].issue_service_token("tandem", &clock);
    assert_eq!(services["tandem"].verify_service_token(&service_token, &clock).unwrap(), "identity");
    assert_eq!(scene.set.verify(&service_token, clock.now()), Err(Rejected::Invalid));

    // Signed with the right key for the right audience, and still not of the right type.
    assert_eq!(scene.say_with_header("typ", json!("svc+jwt")), Err(Rejected::Invalid));
    let access_token = scene.signer.sign(&claims_at(clock.now()), ISSUER).unwrap().into_inner();
    assert!(scene.set.verify(&access_token, clock.now()).is_ok());
    assert!(services["tandem"].verify_service_token(&access_token, &clock).is_err());
}

#[test]
fn keys_can_be_rotated_and_withdrawn() {
    let scene = Scene::new();
    let (next, _, _) = Signer::generate();
    let old_token = scene.signer.sign(&claims_at(NOW), ISSUER).unwrap().into_inner();
    let new_token = next.sign(&claims_at(NOW), ISSUER).unwrap().into_inner();
    assert_eq!(scene.set.verify(&new_token, NOW), Err(Rejected::UnknownKey));
    scene.set.clone().replace(vec![scene.signer.key().clone(), next.key().clone()]);
    assert!(scene.set.verify(&old_token, NOW).is_ok() && scene.set.verify(&new_token, NOW).is_ok());
    scene.set.replace(vec![next.key().clone()]);
    assert_eq!(scene.set.verify(&old_token, NOW), Err(Rejected::UnknownKey));
    assert!(scene.set.verify(&new_token, NOW).is_ok());
}

#[test]
fn a_flood_of_unknown_keys_causes_one_look_at_the_issuer() {
    let scene = Scene::new();
    let fetches = |now: Timestamp| {
        thread::scope(|scope| {
            let flood = |worker: usize| {
                let scene = &scene;
                move || {
                    let refetches = |n: &usize| {
                        let header = forge::with(&scene.header, "kid", json!(format!("{worker}-{n}")));
                        let answer = scene.set.verify(&forge::token(&header, &scene.claims, |_| vec![0; 64]), NOW);
                        answer == Err(Rejected::UnknownKey) && scene.set.may_refetch(now)
                    };
                    (0..2_500).filter(refetches).count()
                }
            };
            let workers = [0, 1, 2, 3].map(|worker| scope.spawn(flood(worker)));
            workers.into_iter().map(|worker| worker.join().unwrap()).sum::<usize>()
        })
    };
    assert_eq!(fetches(NOW), 1);
    assert_eq!(fetches(NOW + Duration::from_micros(29_999_999)), 0);
    assert_eq!(fetches(NOW + REFETCH_INTERVAL), 1);
}

#[test]
fn a_clock_that_was_set_back_does_not_stop_refetching() {
    let set = KeySet::new(ISSUER.into());
    assert!(set.may_refetch(NOW));
    assert!(set.may_refetch(NOW - Duration::from_secs(3600)));
}
