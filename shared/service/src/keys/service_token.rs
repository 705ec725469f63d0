//! How services know each other: a token of 60 seconds with the callee as audience (S-09).

use std::time::Duration;

use base::{Clock, Fault};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ServiceKeys, sure};
use crate::token::jwt;

/// How long a service token lives.
pub const SERVICE_TOKEN_LIFE: Duration = Duration::from_secs(60);

/// The `typ` that keeps a service token from being taken for an access token.
pub(crate) const TYPE: &str = "svc+jwt";

#[derive(Serialize, Deserialize)]
struct Wire {
    iss: String,
    sub: String,
    aud: String,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: String,
}

impl ServiceKeys {
    /// Proof for `audience`, the callee, that this service is calling.
    pub fn issue_service_token(&self, audience: &str, clock: &Clock) -> String {
        let issued = clock.now();
        let wire = Wire {
            iss: self.service.clone(),
            sub: self.service.clone(),
            aud: audience.to_owned(),
            iat: issued.seconds(),
            nbf: issued.seconds(),
            exp: (issued + SERVICE_TOKEN_LIFE).seconds(),
            jti: Uuid::new_v4().to_string(),
        };
        sure(jwt::write(TYPE, &self.service, &wire, &self.signing), "a key that was read can sign")
    }

    /// The service that is calling this one.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`, without saying why.
    pub fn verify_service_token(&self, token: &str, clock: &Clock) -> Result<String, Fault> {
        self.caller(token, clock).ok_or_else(|| {
            Fault::unauthenticated("UNAUTHENTICATED", "the call carries no valid token of a known service")
        })
    }

    fn caller(&self, token: &str, clock: &Clock) -> Option<String> {
        let unverified = jwt::open(token, TYPE)?;
        let key = self.peers.get(unverified.kid())?;
        let wire: Wire = unverified.verify(key, unverified.kid(), &self.service)?;
        let times = jwt::Times { iat: wire.iat, nbf: wire.nbf, exp: wire.exp };
        let valid = wire.sub == wire.iss && !wire.jti.is_empty() && times.admit(clock.now(), SERVICE_TOKEN_LIFE);
        valid.then_some(wire.iss)
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::Ed25519KeyPair;
    use serde_json::{Value, json};

    use super::*;
    use crate::keys::{Material, trusted};
    use crate::token::jwt::forge;

    fn sample(clock: &Clock) -> (Value, Value) {
        let now = clock.now().seconds();
        (
            json!({"typ": "svc+jwt", "alg": "EdDSA", "kid": "partner"}),
            json!({"iss": "partner", "sub": "partner", "aud": "identity", "iat": now, "nbf": now, "exp": now + 60, "jti": "1"}),
        )
    }

    fn world() -> (ServiceKeys, Ed25519KeyPair) {
        let (caller, callee) = (Material::random("partner"), Material::random("identity"));
        let peers = trusted([&caller, &callee].into_iter().map(|m| (m.service.clone(), m.public)));
        (ServiceKeys::assemble(&callee, &peers), Ed25519KeyPair::from_pkcs8(caller.pkcs8.expose()).unwrap())
    }

    #[test]
    fn the_callee_learns_who_calls_and_nobody_else_takes_the_token() {
        let (all, clock) = (ServiceKeys::random(&["identity", "licensing", "partner"]), Clock::new());
        let token = all["partner"].issue_service_token("identity", &clock);
        assert_eq!(all["identity"].verify_service_token(&token, &clock).unwrap(), "partner");
        let fault = all["licensing"].verify_service_token(&token, &clock).unwrap_err();
        assert_eq!(fault.reason(), "UNAUTHENTICATED");
        assert!(
            ServiceKeys::random(&["identity", "partner"])["identity"].verify_service_token(&token, &clock).is_err()
        );
    }

    #[test]
    fn a_service_token_ends_after_a_minute() {
        let (all, clock) = (ServiceKeys::random(&["a", "b"]), Clock::new());
        let token = all["a"].issue_service_token("b", &clock);
        assert!(all["b"].verify_service_token(&token, &clock).is_ok());
        clock.advance(Duration::from_secs(61));
        assert!(all["b"].verify_service_token(&token, &clock).is_err());
    }

    #[test]
    fn whatever_differs_from_the_one_form_is_refused() {
        let ((callee, pair), clock) = (world(), Clock::new());
        let sign = |message: &[u8]| pair.sign(message).as_ref().to_vec();
        let (header, claims) = sample(&clock);
        assert!(callee.verify_service_token(&forge::token(&header, &claims, sign), &clock).is_ok());

        let now = clock.now().seconds();
        let wrong_claims = [
            ("iss", json!("identity")),
            ("sub", json!("identity")),
            ("aud", json!("licensing")),
            ("aud", json!(["identity"])),
            ("exp", json!(now - 1)),
            ("exp", json!((now + 60).to_string())),
            ("exp", json!(now + 120)),
            ("nbf", json!(now + 30)),
            ("iat", json!(now + 30)),
            ("jti", json!("")),
            ("jti", Value::Null),
        ];
        for (claim, value) in wrong_claims {
            let token = forge::token(&header, &forge::with(&claims, claim, value.clone()), sign);
            assert!(callee.verify_service_token(&token, &clock).is_err(), "{claim} {value}");
        }
        for (field, value) in [("typ", json!("at+jwt")), ("alg", json!("none")), ("kid", json!("identity"))] {
            let token = forge::token(&forge::with(&header, field, value.clone()), &claims, sign);
            assert!(callee.verify_service_token(&token, &clock).is_err(), "{field} {value}");
        }
    }
}
