//! Parsing, look-up and verification of tokens. Attacks and algorithms have modules of their own.

mod algorithms;
mod attacks;
mod ed448;
mod vectors;

use aws_lc_rs::hmac;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as URL};
use http::StatusCode;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{super::shared::fixture::*, *};
use plugin::{
    Exchange, LocalReplyBody, ShortCircuit,
    testing::{PluginHarness, request},
};

/// Time of the harness's clock, in seconds since 1970.
const NOW: i64 = 1_700_000_000;

/// Builds a token from any header, payload and signature.
fn assemble(header: &str, payload: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let signed = format!("{}.{}", URL.encode(header), URL.encode(payload));
    let signature = sign(signed.as_bytes());
    format!("{signed}.{}", URL.encode(signature))
}

fn mac(algorithm: hmac::Algorithm, secret: &str) -> impl FnOnce(&[u8]) -> Vec<u8> {
    move |signed| hmac::sign(&hmac::Key::new(algorithm, secret.as_bytes()), signed).as_ref().to_vec()
}

fn hs256(claims: &Json) -> String {
    hs256_by("topsecret", r#"{"alg":"HS256"}"#, claims)
}

fn hs256_by(secret: &str, header: &str, claims: &Json) -> String {
    assemble(header, &claims.to_string(), mac(hmac::HMAC_SHA256, secret))
}

fn fixture() -> Fixture {
    Fixture::default()
        .consumer("bob", Some("cust-1"))
        .jwt("bob", "iss1", "HS256", "topsecret")
        .consumer("anon", None)
}

fn harness(config: Json) -> PluginHarness {
    PluginHarness::new::<Plugin>(config, fixture().build()).expect("builds")
}

fn bearing(token: &str) -> Exchange {
    request("GET", "/", &[("authorization", &format!("Bearer {token}"))], "")
}

fn passes(harness: &PluginHarness, mut exchange: Exchange) -> Exchange {
    harness.access(&mut exchange).expect("passes");
    exchange
}

/// Returns the message and the challenge of a rejection.
fn refused(harness: &PluginHarness, mut exchange: Exchange) -> (String, String) {
    let reply = harness.reply(&mut exchange);
    assert!(matches!(reply.body, LocalReplyBody::Json(_)), "JSON whatever the client accepts");
    let challenge = reply.headers["www-authenticate"].to_str().expect("text").to_owned();
    let (status, message) = status_and_message(&reply);
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    (message, challenge)
}

fn error(harness: &PluginHarness, token: &str) -> String {
    let (message, challenge) = refused(harness, bearing(token));
    assert_eq!(challenge, "Bearer error=\"invalid_token\"");
    message
}

#[test]
fn identity_headers_are_set_and_the_token_is_forwarded() {
    let harness = harness(json!({}));
    let token = hs256(&json!({"iss": "iss1", "role": "x", "deep": {"a": [1, {"b": null}]}}));
    let mut exchange = bearing(&token);
    for name in ["x-consumer-id", "x-consumer-username", "x-anonymous-consumer", "x-consumer-groups"] {
        exchange.request.headers.insert(name, HeaderValue::from_static("evil"));
    }
    let seen = passes(&harness, exchange);
    assert_eq!(sent(&seen, "x-consumer-id"), Some("00000000-0000-0000-0000-000000000001"));
    assert_eq!(sent(&seen, "x-consumer-username"), Some("bob"));
    assert_eq!(sent(&seen, "x-consumer-custom-id"), Some("cust-1"));
    assert_eq!(sent(&seen, "x-credential-identifier"), Some("iss1"));
    assert_eq!(sent(&seen, "x-anonymous-consumer"), None);
    assert_eq!(sent(&seen, "x-consumer-groups"), None);
    assert_eq!(sent(&seen, "authorization"), Some(format!("Bearer {token}").as_str()));
    assert_eq!(seen.credential.expect("recognised").id, Uuid::from_u128(2));
}

#[test]
fn the_bearer_scheme_is_required_in_one_of_two_spellings() {
    let harness = harness(json!({}));
    let token = hs256(&json!({"iss": "iss1"}));
    for before in ["Bearer ", "bearer ", "Bearer  \t ", "Digest x, Bearer "] {
        passes(&harness, request("GET", "/", &[("authorization", &format!("{before}{token}"))], ""));
    }
    for before in ["", "BEARER ", "Bearer", "Token ", "earer "] {
        let exchange = request("GET", "/", &[("authorization", &format!("{before}{token}"))], "");
        assert_eq!(
            refused(&harness, exchange),
            ("Unauthorized".to_owned(), "Bearer".to_owned()),
            "{before:?}"
        );
    }
}

#[test]
fn a_token_is_found_in_the_query_a_cookie_or_a_custom_header() {
    let token = hs256(&json!({"iss": "iss1"}));
    let query = |q: &str| request("GET", &format!("/?{q}"), &[], "");
    let cookie = |c: &str| request("GET", "/", &[("cookie", c)], "");
    let by_default = harness(json!({}));
    passes(&by_default, query(&format!("x=1&jwt={token}")));
    passes(&by_default, query(&format!("jwt={token}&jwt={token}&jwt=")));
    assert_eq!(refused(&by_default, query("jwt=")).0, "Unauthorized");
    assert_eq!(refused(&by_default, query("jwt")).0, "Unrecognizable token");
    assert_eq!(refused(&by_default, query(&format!("jwt&jwt={token}"))).0, "Multiple tokens provided");
    assert_eq!(refused(&by_default, cookie(&format!("jwt={token}"))).0, "Unauthorized");

    let own = harness(
        json!({"cookie_names": ["silly", "crumble"], "header_names": ["X-Token"], "uri_param_names": []}),
    );
    passes(&own, cookie(&format!("a=b; CRUMBLE = {token}; x=1")));
    passes(&own, cookie(&format!("silly={token}")));
    passes(&own, request("GET", "/", &[("x-token", &format!("Bearer {token}"))], ""));
    assert_eq!(refused(&own, query(&format!("jwt={token}"))).0, "Unauthorized");
    assert_eq!(refused(&own, bearing(&token)).0, "Unauthorized");
    let none =
        json!({"cookie_names": null, "header_names": null, "uri_param_names": null, "key_claim_name": null});
    assert_eq!(refused(&harness(none), bearing(&token)).0, "Unauthorized");
}

#[test]
fn identical_tokens_are_accepted_and_different_ones_rejected() {
    let harness = harness(json!({}));
    let (one, two) = (hs256(&json!({"iss": "iss1"})), hs256(&json!({"iss": "iss1", "x": 1})));
    let with = |query: &str, header: &str| {
        request("GET", &format!("/?jwt={query}"), &[("authorization", &format!("Bearer {header}"))], "")
    };
    passes(&harness, with(&one, &one));
    let (message, challenge) = refused(&harness, with(&one, &two));
    assert_eq!(message, "Multiple tokens provided");
    assert_eq!(challenge, "Bearer error=\"invalid_token\"");
}

#[test]
fn the_credential_is_identified_by_a_claim_or_else_by_the_header() {
    let by_default = harness(json!({}));
    passes(
        &by_default,
        bearing(&hs256_by("topsecret", r#"{"alg":"HS256","iss":"iss1"}"#, &json!({"sub": "x"}))),
    );
    passes(
        &by_default,
        bearing(&hs256_by("topsecret", r#"{"alg":"HS256","iss":"iss1"}"#, &json!({"iss": false}))),
    );
    for (claims, message) in [
        (json!({"sub": "x"}), "No mandatory 'iss' in claims"),
        (json!({"iss": ""}), "Invalid 'iss' in claims"),
        (json!({"iss": "unknown"}), "No credentials found for given 'iss'"),
        (json!({"iss": 1}), "No credentials found for given 'iss'"),
        (json!({"iss": null}), "No credentials found for given 'iss'"),
        (json!({"iss": ["iss1"]}), "No credentials found for given 'iss'"),
    ] {
        assert_eq!(error(&by_default, &hs256(&claims)), message);
    }
    let own = harness(json!({"key_claim_name": "kid"}));
    passes(&own, bearing(&hs256(&json!({"kid": "iss1"}))));
    passes(&own, bearing(&hs256(&json!({"kid": "iss\u{31}"}))));
    assert_eq!(error(&own, &hs256(&json!({"iss": "iss1"}))), "No mandatory 'kid' in claims");
    let alg = harness(json!({"key_claim_name": "alg"}));
    assert_eq!(
        error(&alg, &hs256(&json!({}))),
        "No credentials found for given 'alg'",
        "a claim of two uses"
    );
}

#[test]
fn malformed_tokens_have_distinct_messages() {
    let harness = harness(json!({}));
    let hs = |header: &str, payload: &str| assemble(header, payload, mac(hmac::HMAC_SHA256, "topsecret"));
    for (token, message) in [
        ("x".to_owned(), "Bad token; invalid JSON"),
        ("a.b".to_owned(), "Bad token; invalid JSON"),
        ("..".to_owned(), "Bad token; invalid JSON"),
        (hs("{", "{}"), "Bad token; invalid JSON"),
        (hs(r#"{"alg":"HS256"}"#, r#"{"iss":"iss1"} x"#), "Bad token; invalid JSON"),
        (hs(r#"{"alg":"HS256"}"#, r#"["iss","iss1"]"#), "Bad token; invalid JSON"),
        (hs(r#"{"alg":"HS256"}"#, "null"), "Bad token; invalid JSON"),
        (hs("{}", r#"{"iss":"iss1"}"#), "Bad token; invalid alg"),
        (hs(r#"{"alg":256}"#, r#"{"iss":"iss1"}"#), "Bad token; invalid alg"),
        (hs256(&json!({"iss": "iss1"})) + ".x", "Bad token; invalid signature"),
        (hs256(&json!({"iss": "iss1"})) + "!", "Bad token; invalid signature"),
    ] {
        assert_eq!(error(&harness, &token), message, "{token}");
    }
    let padded = hs256(&json!({"iss": "iss1"})) + "=";
    passes(&harness, bearing(&padded));
}

// Claims of time.

#[test]
fn time_claims_are_verified_only_if_configured() {
    let past = json!({"iss": "iss1", "exp": NOW - 60, "nbf": NOW + 60});
    passes(&harness(json!({})), bearing(&hs256(&past)));
    for (verify, claims, expected) in [
        (json!(["exp"]), json!({"exp": NOW}), Some(json!({"exp": "token expired"}))),
        (json!(["exp"]), json!({"exp": NOW + 1}), None),
        (json!(["exp"]), json!({"exp": 1_700_000_000.5}), None),
        (json!(["exp"]), json!({}), Some(json!({"exp": "must be a number"}))),
        (json!(["exp"]), json!({"exp": "tomorrow"}), Some(json!({"exp": "must be a number"}))),
        (json!(["exp"]), json!({"exp": "1800000000"}), Some(json!({"exp": "must be a number"}))),
        (json!(["exp"]), json!({"exp": -1}), Some(json!({"exp": "token expired"}))),
        (json!(["exp"]), json!({"exp": 1e300}), None),
        (json!(["nbf"]), json!({"nbf": NOW + 1}), Some(json!({"nbf": "token not valid yet"}))),
        (json!(["nbf"]), json!({"nbf": NOW}), None),
        (json!(["nbf"]), json!({"nbf": true}), Some(json!({"nbf": "must be a number"}))),
        (
            json!(["exp", "nbf"]),
            json!({"exp": NOW - 60, "nbf": NOW + 60}),
            Some(json!({"exp": "token expired", "nbf": "token not valid yet"})),
        ),
        (json!(["exp", "nbf"]), json!({"exp": NOW + 60, "nbf": NOW - 60}), None),
    ] {
        let harness = harness(json!({"claims_to_verify": verify}));
        let mut claims = claims;
        claims["iss"] = "iss1".into();
        let token = hs256(&claims);
        match expected {
            None => drop(passes(&harness, bearing(&token))),
            Some(errors) => assert_eq!(error(&harness, &token), errors.to_string(), "{claims}"),
        }
    }
}

#[test]
fn validity_depends_on_the_clock() {
    let harness = harness(json!({"claims_to_verify": ["exp"]}));
    let token = hs256(&json!({"iss": "iss1", "exp": NOW + 10}));
    passes(&harness, bearing(&token));
    harness.stores.clock.advance(std::time::Duration::from_secs(10));
    assert_eq!(error(&harness, &token), r#"{"exp":"token expired"}"#);
}

#[test]
fn maximum_expiration_limits_the_lifetime_of_a_token() {
    let harness = harness(json!({"claims_to_verify": ["exp"], "maximum_expiration": 300}));
    passes(&harness, bearing(&hs256(&json!({"iss": "iss1", "exp": NOW + 300}))));
    let over = r#"{"exp":"exceeds maximum allowed expiration"}"#;
    assert_eq!(error(&harness, &hs256(&json!({"iss": "iss1", "exp": NOW + 301}))), over);
    assert_eq!(
        error(&harness, &hs256(&json!({"iss": "iss1", "exp": NOW - 1}))),
        r#"{"exp":"token expired"}"#
    );
    let unverified =
        PluginHarness::new::<Plugin>(json!({"maximum_expiration": 300}), fixture().build()).expect("builds");
    assert_eq!(error(&unverified, &hs256(&json!({"iss": "iss1"}))), over, "a token must have exp then");
}

// Requests that pass without a token.

#[test]
fn both_challenges_have_the_realm() {
    let harness = harness(json!({"realm": "place"}));
    assert_eq!(refused(&harness, request("GET", "/", &[], "")).1, "Bearer realm=\"place\"");
    assert_eq!(refused(&harness, bearing("x")).1, "Bearer realm=\"place\" error=\"invalid_token\"");
}

#[test]
fn preflight_requests_pass_only_if_configured() {
    let options = || request("OPTIONS", "/", &[], "");
    assert_eq!(refused(&harness(json!({})), options()).0, "Unauthorized");
    passes(&harness(json!({"run_on_preflight": false})), options());
}

#[test]
fn the_anonymous_consumer_replaces_any_rejection() {
    let harness = harness(json!({"anonymous": "anon"}));
    for exchange in [request("GET", "/", &[], ""), bearing("x"), bearing(&hs256(&json!({"iss": "unknown"})))]
    {
        let seen = passes(&harness, exchange);
        assert_eq!(sent(&seen, "x-consumer-username"), Some("anon"));
        assert_eq!(sent(&seen, "x-anonymous-consumer"), Some("true"));
    }
    let mut earlier = request("GET", "/", &[], "");
    earlier.credential = Some(Credential { id: Uuid::nil(), identifier: None });
    assert_eq!(passes(&harness, earlier).consumer, None, "an earlier plugin's success stands");
    let missing =
        PluginHarness::new::<Plugin>(json!({"anonymous": "unknown"}), fixture().build()).expect("builds");
    assert!(matches!(missing.access(&mut bearing("x")), Err(ShortCircuit::Fail(_))));
}

/// `cargo test --release --lib jwt -- --ignored --nocapture`
#[test]
#[ignore = "prints how long a request takes"]
#[allow(clippy::disallowed_macros)] // printing is all it does
fn print_the_cost_of_a_request() {
    let harness = harness(json!({"claims_to_verify": ["exp"]}));
    let mut exchange =
        bearing(&hs256(&json!({"iss": "iss1", "exp": NOW + 60, "role": "x", "deep": {"a": [1, 2]}})));
    let plugin = {
        let stores = harness.stores.clone();
        let row = model::PluginEntity {
            id: Uuid::nil(),
            name: "jwt".to_owned(),
            instance_name: None,
            service: None,
            route: None,
            consumer: None,
            config: Arc::new(Config::default()),
            protocols: Set::default(),
            enabled: true,
            tags: None,
            created_at: 0,
            updated_at: 0,
            origin: None,
        };
        let mut with = BuildContext::new(&row, &harness.state, &stores);
        <Plugin as plugin::Plugin>::build(Config::default(), &mut with).expect("builds")
    };
    let begin = std::time::Instant::now();
    let rounds = 100_000_u32;
    for _ in 0..rounds {
        plugin.access(Ctx { exchange: &mut exchange, state: &harness.state }).expect("passes");
    }
    eprintln!("{:?} a request with HS256", begin.elapsed() / rounds);
}
