use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    hmac,
    rand::SystemRandom,
    rsa,
    signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair},
};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as URL},
};
use http::StatusCode;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{super::shared::fixture::*, *};
use crate::plugin::{
    Exchange, ReplyBody, Stop,
    testing::{Bench, request},
};

/// When the benches' clock stands.
const NOW: i64 = 1_700_000_000;

/// A token of any header, payload and signature.
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

fn bench(config: Json) -> Bench {
    Bench::new::<Plugin>(config, fixture().done()).expect("builds")
}

fn bearing(token: &str) -> Exchange {
    request("GET", "/", &[("authorization", &format!("Bearer {token}"))], "")
}

fn passes(bench: &Bench, mut exchange: Exchange) -> Exchange {
    bench.access(&mut exchange).expect("passes");
    exchange
}

/// The message, and the challenge, of a refusal.
fn refused(bench: &Bench, mut exchange: Exchange) -> (String, String) {
    let reply = bench.reply(&mut exchange);
    assert!(matches!(reply.body, ReplyBody::Json(_)), "JSON whatever the client accepts");
    let challenge = reply.headers["www-authenticate"].to_str().expect("text").to_owned();
    let (status, message) = said(&reply);
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    (message, challenge)
}

fn flaw(bench: &Bench, token: &str) -> String {
    let (message, challenge) = refused(bench, bearing(token));
    assert_eq!(challenge, "Bearer error=\"invalid_token\"");
    message
}

#[test]
fn the_upstream_learns_who_asks_and_gets_the_token_as_it_came() {
    let bench = bench(json!({}));
    let token = hs256(&json!({"iss": "iss1", "role": "x", "deep": {"a": [1, {"b": null}]}}));
    let mut exchange = bearing(&token);
    for name in ["x-consumer-id", "x-consumer-username", "x-anonymous-consumer", "x-consumer-groups"] {
        exchange.request.headers.insert(name, HeaderValue::from_static("evil"));
    }
    let seen = passes(&bench, exchange);
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
fn the_bearer_scheme_is_needed_in_one_of_two_spellings() {
    let bench = bench(json!({}));
    let token = hs256(&json!({"iss": "iss1"}));
    for before in ["Bearer ", "bearer ", "Bearer  \t ", "Digest x, Bearer "] {
        passes(&bench, request("GET", "/", &[("authorization", &format!("{before}{token}"))], ""));
    }
    for before in ["", "BEARER ", "Bearer", "Token ", "earer "] {
        let exchange = request("GET", "/", &[("authorization", &format!("{before}{token}"))], "");
        assert_eq!(refused(&bench, exchange), ("Unauthorized".to_owned(), "Bearer".to_owned()), "{before:?}");
    }
}

#[test]
fn a_token_may_be_in_the_query_a_cookie_or_a_header_of_ones_own() {
    let token = hs256(&json!({"iss": "iss1"}));
    let query = |q: &str| request("GET", &format!("/?{q}"), &[], "");
    let cookie = |c: &str| request("GET", "/", &[("cookie", c)], "");
    let by_default = bench(json!({}));
    passes(&by_default, query(&format!("x=1&jwt={token}")));
    passes(&by_default, query(&format!("jwt={token}&jwt={token}&jwt=")));
    assert_eq!(refused(&by_default, query("jwt=")).0, "Unauthorized");
    assert_eq!(refused(&by_default, query("jwt")).0, "Unrecognizable token");
    assert_eq!(refused(&by_default, query(&format!("jwt&jwt={token}"))).0, "Multiple tokens provided");
    assert_eq!(refused(&by_default, cookie(&format!("jwt={token}"))).0, "Unauthorized");

    let own = bench(
        json!({"cookie_names": ["silly", "crumble"], "header_names": ["X-Token"], "uri_param_names": []}),
    );
    passes(&own, cookie(&format!("a=b; CRUMBLE = {token}; x=1")));
    passes(&own, cookie(&format!("silly={token}")));
    passes(&own, request("GET", "/", &[("x-token", &format!("Bearer {token}"))], ""));
    assert_eq!(refused(&own, query(&format!("jwt={token}"))).0, "Unauthorized");
    assert_eq!(refused(&own, bearing(&token)).0, "Unauthorized");
    let none =
        json!({"cookie_names": null, "header_names": null, "uri_param_names": null, "key_claim_name": null});
    assert_eq!(refused(&bench(none), bearing(&token)).0, "Unauthorized");
}

#[test]
fn one_token_in_two_places_is_fine_and_two_tokens_are_not() {
    let bench = bench(json!({}));
    let (one, two) = (hs256(&json!({"iss": "iss1"})), hs256(&json!({"iss": "iss1", "x": 1})));
    let with = |query: &str, header: &str| {
        request("GET", &format!("/?jwt={query}"), &[("authorization", &format!("Bearer {header}"))], "")
    };
    passes(&bench, with(&one, &one));
    let (message, challenge) = refused(&bench, with(&one, &two));
    assert_eq!(message, "Multiple tokens provided");
    assert_eq!(challenge, "Bearer error=\"invalid_token\"");
}

#[test]
fn the_credential_is_named_by_a_claim_or_else_by_the_header() {
    let by_default = bench(json!({}));
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
        (json!({"iss": "nobody"}), "No credentials found for given 'iss'"),
        (json!({"iss": 1}), "No credentials found for given 'iss'"),
        (json!({"iss": null}), "No credentials found for given 'iss'"),
        (json!({"iss": ["iss1"]}), "No credentials found for given 'iss'"),
    ] {
        assert_eq!(flaw(&by_default, &hs256(&claims)), message);
    }
    let own = bench(json!({"key_claim_name": "kid"}));
    passes(&own, bearing(&hs256(&json!({"kid": "iss1"}))));
    passes(&own, bearing(&hs256(&json!({"kid": "iss\u{31}"}))));
    assert_eq!(flaw(&own, &hs256(&json!({"iss": "iss1"}))), "No mandatory 'kid' in claims");
    let alg = bench(json!({"key_claim_name": "alg"}));
    assert_eq!(flaw(&alg, &hs256(&json!({}))), "No credentials found for given 'alg'", "a claim of two uses");
}

#[test]
fn malformed_tokens_are_told_apart() {
    let bench = bench(json!({}));
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
        assert_eq!(flaw(&bench, &token), message, "{token}");
    }
    let padded = hs256(&json!({"iss": "iss1"})) + "=";
    passes(&bench, bearing(&padded));
}

// The attacks that any checker of tokens must stand.

#[test]
fn attack_no_algorithm_at_all() {
    let bench = bench(json!({}));
    for alg in ["none", "None", "NONE", "nOnE", "", "hs256", "HS256 ", "HS1"] {
        let header = json!({"alg": alg}).to_string();
        let unsigned = assemble(&header, r#"{"iss":"iss1"}"#, |_| Vec::new());
        assert_eq!(flaw(&bench, &unsigned), "Bad token; invalid alg", "{alg:?}");
    }
    let stripped = assemble(r#"{"alg":"HS256"}"#, r#"{"iss":"iss1"}"#, |_| Vec::new());
    assert_eq!(flaw(&bench, &stripped), "Invalid signature");
}

#[test]
fn attack_a_public_key_taken_for_a_secret() {
    let (_, pem) = es256();
    let state = fixture().jwt("bob", "public", "ES256", &pem).done();
    let bench = Bench::new::<Plugin>(json!({}), state).expect("builds");
    let token = hs256_by(&pem, r#"{"alg":"HS256"}"#, &json!({"iss": "public"}));
    assert_eq!(flaw(&bench, &token), "Invalid algorithm");
}

#[test]
fn attack_another_algorithm_than_the_credentials() {
    let bench = bench(json!({}));
    let token = assemble(r#"{"alg":"HS512"}"#, r#"{"iss":"iss1"}"#, mac(hmac::HMAC_SHA512, "topsecret"));
    assert_eq!(flaw(&bench, &token), "Invalid algorithm");
}

#[test]
fn attack_keys_and_extensions_that_the_token_brings_itself() {
    let bench = bench(json!({}));
    let own = r#"{"alg":"HS256","jwk":{"kty":"oct","k":"b3Ro"},"jku":"http://evil","kid":"../../x' OR 1","x5u":"u"}"#;
    assert_eq!(flaw(&bench, &hs256_by("oth", own, &json!({"iss": "iss1"}))), "Invalid signature");
    passes(&bench, bearing(&hs256_by("topsecret", own, &json!({"iss": "iss1"}))));
    let crit = r#"{"alg":"HS256","crit":["b64"],"b64":false}"#;
    assert_eq!(
        flaw(&bench, &hs256_by("topsecret", crit, &json!({"iss": "iss1"}))),
        "Bad token; invalid crit"
    );
    let by_kid = Bench::new::<Plugin>(json!({"key_claim_name": "kid"}), fixture().done()).expect("builds");
    let injected = hs256_by("", r#"{"alg":"HS256","kid":"/dev/null"}"#, &json!({}));
    assert_eq!(flaw(&by_kid, &injected), "No credentials found for given 'kid'");
}

#[test]
fn attack_members_that_stand_twice() {
    let bench = bench(json!({"claims_to_verify": ["exp"]}));
    for payload in [
        r#"{"iss":"nobody","iss":"iss1","exp":1800000000}"#,
        r#"{"iss":"iss1","exp":1,"exp":1800000000}"#,
        r#"{"iss":"iss1","\u0065xp":1,"exp":1800000000}"#,
    ] {
        let token = assemble(r#"{"alg":"HS256"}"#, payload, mac(hmac::HMAC_SHA256, "topsecret"));
        assert_eq!(flaw(&bench, &token), "Bad token; invalid JSON", "{payload}");
    }
    let token =
        assemble(r#"{"alg":"none","alg":"HS256"}"#, r#"{"iss":"iss1"}"#, mac(hmac::HMAC_SHA256, "topsecret"));
    assert_eq!(flaw(&bench, &token), "Bad token; invalid JSON");
}

#[test]
fn attack_huge_and_deep_payloads() {
    let bench = bench(json!({}));
    passes(&bench, bearing(&hs256(&json!({"iss": "iss1", "blob": "x".repeat(200_000)}))));
    let deep = format!(r#"{{"iss":"iss1","d":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let token = assemble(r#"{"alg":"HS256"}"#, &deep, mac(hmac::HMAC_SHA256, "topsecret"));
    let mut exchange = bearing(&token);
    let _ = bench.access(&mut exchange);
    let deep = format!(r#"{{"iss":"iss1","exp":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let token = assemble(r#"{"alg":"HS256"}"#, &deep, mac(hmac::HMAC_SHA256, "topsecret"));
    let _ = bench.access(&mut bearing(&token));
}

#[test]
fn attack_a_changed_payload_header_or_signature() {
    let bench = bench(json!({}));
    let token = hs256(&json!({"iss": "iss1", "role": "user"}));
    let (header, rest) = token.split_once('.').expect("three parts");
    let (payload, signature) = rest.split_once('.').expect("three parts");
    let admin = URL.encode(r#"{"iss":"iss1","role":"admin"}"#);
    let header_with_typ = URL.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    for token in [
        format!("{header}.{admin}.{signature}"),
        format!("{header_with_typ}.{payload}.{signature}"),
        format!("{header}.{payload}.{}", &signature[..40]),
        format!("{header}.{payload}.{}", signature.replacen(|_| true, "_", 1)),
        hs256_by("other", r#"{"alg":"HS256"}"#, &json!({"iss": "iss1"})),
    ] {
        assert_eq!(flaw(&bench, &token), "Invalid signature", "{token}");
    }
}

// Claims of time.

#[test]
fn times_are_checked_only_if_asked_for() {
    let past = json!({"iss": "iss1", "exp": NOW - 60, "nbf": NOW + 60});
    passes(&bench(json!({})), bearing(&hs256(&past)));
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
        let bench = bench(json!({"claims_to_verify": verify}));
        let mut claims = claims;
        claims["iss"] = "iss1".into();
        let token = hs256(&claims);
        match expected {
            None => drop(passes(&bench, bearing(&token))),
            Some(flaws) => assert_eq!(flaw(&bench, &token), flaws.to_string(), "{claims}"),
        }
    }
}

#[test]
fn the_clock_decides_not_the_token() {
    let bench = bench(json!({"claims_to_verify": ["exp"]}));
    let token = hs256(&json!({"iss": "iss1", "exp": NOW + 10}));
    passes(&bench, bearing(&token));
    bench.stores.clock.advance(std::time::Duration::from_secs(10));
    assert_eq!(flaw(&bench, &token), r#"{"exp":"token expired"}"#);
}

#[test]
fn maximum_expiration_bounds_how_long_a_token_lives() {
    let bench = bench(json!({"claims_to_verify": ["exp"], "maximum_expiration": 300}));
    passes(&bench, bearing(&hs256(&json!({"iss": "iss1", "exp": NOW + 300}))));
    let over = r#"{"exp":"exceeds maximum allowed expiration"}"#;
    assert_eq!(flaw(&bench, &hs256(&json!({"iss": "iss1", "exp": NOW + 301}))), over);
    assert_eq!(flaw(&bench, &hs256(&json!({"iss": "iss1", "exp": NOW - 1}))), r#"{"exp":"token expired"}"#);
    let unverified =
        Bench::new::<Plugin>(json!({"maximum_expiration": 300}), fixture().done()).expect("builds");
    assert_eq!(flaw(&unverified, &hs256(&json!({"iss": "iss1"}))), over, "a token must have exp then");
}

// Who passes without a token.

#[test]
fn realm_is_named_in_both_challenges() {
    let bench = bench(json!({"realm": "place"}));
    assert_eq!(refused(&bench, request("GET", "/", &[], "")).1, "Bearer realm=\"place\"");
    assert_eq!(refused(&bench, bearing("x")).1, "Bearer realm=\"place\" error=\"invalid_token\"");
}

#[test]
fn preflight_requests_pass_only_if_asked_for() {
    let options = || request("OPTIONS", "/", &[], "");
    assert_eq!(refused(&bench(json!({})), options()).0, "Unauthorized");
    passes(&bench(json!({"run_on_preflight": false})), options());
}

#[test]
fn the_anonymous_consumer_stands_in_for_any_refusal() {
    let bench = bench(json!({"anonymous": "anon"}));
    for exchange in [request("GET", "/", &[], ""), bearing("x"), bearing(&hs256(&json!({"iss": "nobody"})))] {
        let seen = passes(&bench, exchange);
        assert_eq!(sent(&seen, "x-consumer-username"), Some("anon"));
        assert_eq!(sent(&seen, "x-anonymous-consumer"), Some("true"));
    }
    let mut earlier = request("GET", "/", &[], "");
    earlier.credential = Some(Credential { id: Uuid::nil(), identifier: None });
    assert_eq!(passes(&bench, earlier).consumer, None, "an earlier plugin's success stands");
    let missing = Bench::new::<Plugin>(json!({"anonymous": "nobody"}), fixture().done()).expect("builds");
    assert!(matches!(missing.access(&mut bearing("x")), Err(Stop::Fault(_))));
}

// Algorithms.

fn pem(der: &[u8]) -> String {
    let lines: Vec<String> = BASE64_STANDARD
        .encode(der)
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}

fn spki(key: &impl AsDer<PublicKeyX509Der<'static>>) -> String {
    pem(key.as_der().expect("DER").as_ref())
}

fn ecdsa(algorithm: &'static signature::EcdsaSigningAlgorithm) -> (EcdsaKeyPair, String) {
    let pair = EcdsaKeyPair::generate(algorithm).expect("a key");
    let pem = spki(pair.public_key());
    (pair, pem)
}

fn es256() -> (EcdsaKeyPair, String) {
    ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING)
}

/// Checks that a token of that algorithm passes, and that one with a flipped bit does not.
fn check(algorithm: &str, material: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) {
    let state = fixture().jwt("bob", "key", algorithm, material).done();
    let bench = Bench::new::<Plugin>(json!({}), state).expect("builds");
    let header = json!({"alg": algorithm}).to_string();
    let token = assemble(&header, r#"{"iss":"key"}"#, sign);
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    passes(&bench, bearing(&token));
    let mut raw = URL.decode(signature).expect("base64url");
    raw[10] ^= 1;
    assert_eq!(flaw(&bench, &format!("{signed}.{}", URL.encode(raw))), "Invalid signature", "{algorithm}");
}

#[test]
fn all_hmac_algorithms_are_known() {
    for (name, algorithm) in
        [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)]
    {
        check(name, "s3cret", mac(algorithm, "s3cret"));
    }
}

#[test]
fn all_rsa_algorithms_are_known() {
    let pair = RsaKeyPair::generate(rsa::KeySize::Rsa2048).expect("a key");
    let pem = spki(pair.public_key());
    let paddings: [(&str, &'static dyn signature::RsaEncoding); 6] = [
        ("RS256", &signature::RSA_PKCS1_SHA256),
        ("RS384", &signature::RSA_PKCS1_SHA384),
        ("RS512", &signature::RSA_PKCS1_SHA512),
        ("PS256", &signature::RSA_PSS_SHA256),
        ("PS384", &signature::RSA_PSS_SHA384),
        ("PS512", &signature::RSA_PSS_SHA512),
    ];
    for (name, padding) in paddings {
        check(name, &pem, |signed| {
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(padding, &SystemRandom::new(), signed, &mut signature).expect("signs");
            signature
        });
    }
}

#[test]
fn all_elliptic_algorithms_are_known() {
    for (name, algorithm) in [
        ("ES256", &signature::ECDSA_P256_SHA256_FIXED_SIGNING),
        ("ES384", &signature::ECDSA_P384_SHA384_FIXED_SIGNING),
        ("ES512", &signature::ECDSA_P521_SHA512_FIXED_SIGNING),
    ] {
        let (pair, pem) = ecdsa(algorithm);
        check(name, &pem, |signed| pair.sign(&SystemRandom::new(), signed).expect("signs").as_ref().to_vec());
    }
}

#[test]
fn eddsa_is_known_with_ed25519() {
    let pair = Ed25519KeyPair::generate().expect("a key");
    check("EdDSA", &spki(pair.public_key()), |signed| pair.sign(signed).as_ref().to_vec());
}

#[test]
fn eddsa_is_known_with_ed448() {
    // Made with OpenSSL 3.
    let der = BASE64_STANDARD
        .decode(
            "MEMwBQYDK2VxAzoAWMlS8X8hRVqcG2Eq3SAVd8y5jr1ygPS8r3qWniryxUsXPQsb9dY4gXvIF150V2/rBmOzbtJIZxsA",
        )
        .expect("base64");
    let signature = "ERXKnzoDPOG0yuKljYmMveeNrWLMef523Kh8xnDlopYp-8CPolhHzm3-qLxMfsTj8CqP6eK1jSaAsG4dOP8Y7C2giO9zLcaq\
                     H0JCTjtXghXatsK9dO_YcEY4ZLncN3SqfX5hvyUL2LaRxV20t7V0_QAA";
    let state = Fixture::default().consumer("amy", None).jwt("amy", "iss1", "EdDSA", &pem(&der)).done();
    let bench = Bench::new::<Plugin>(json!({}), state).expect("builds");
    passes(&bench, bearing(&format!("eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJpc3MxIn0.{signature}")));
    let other = format!("eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJpc3MxIiB9.{signature}");
    assert_eq!(flaw(&bench, &other), "Invalid signature");
}

#[test]
fn rfc_7515_appendix_a_1_passes() {
    let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt\
                 cGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let state = fixture().jwt("bob", "joe", "HS256", secret).done();
    let bench = Bench::new::<Plugin>(json!({"secret_is_base64": true}), state).expect("builds");
    passes(&bench, bearing(token));
}

#[test]
fn secret_is_base64_decodes_secrets_of_hmac_only() {
    let (pair, pem) = es256();
    let state = fixture()
        .jwt("bob", "encoded", "HS256", "dG9wc2VjcmV0")
        .jwt("bob", "standard", "HS256", "+/+/")
        .jwt("bob", "public", "ES256", &pem)
        .done();
    let bench = Bench::new::<Plugin>(json!({"secret_is_base64": true}), state).expect("builds");
    passes(&bench, bearing(&hs256(&json!({"iss": "encoded"}))));
    let literally = hs256_by("dG9wc2VjcmV0", r#"{"alg":"HS256"}"#, &json!({"iss": "encoded"}));
    assert_eq!(flaw(&bench, &literally), "Invalid signature");
    assert_eq!(flaw(&bench, &hs256(&json!({"iss": "standard"}))), "Invalid key/secret");
    let token = assemble(r#"{"alg":"ES256"}"#, r#"{"iss":"public"}"#, |signed| {
        pair.sign(&SystemRandom::new(), signed).expect("signs").as_ref().to_vec()
    });
    passes(&bench, bearing(&token));
}

#[test]
fn a_key_that_does_not_fit_its_algorithm_accepts_nothing() {
    let (pair, pem) = es256();
    for (algorithm, material) in
        [("RS256", pem.as_str()), ("ES384", &pem), ("ES256", "no PEM"), ("EdDSA", &pem)]
    {
        let state = fixture().jwt("bob", "key", algorithm, material).done();
        let bench = Bench::new::<Plugin>(json!({}), state).expect("builds");
        let token = assemble(&json!({"alg": algorithm}).to_string(), r#"{"iss":"key"}"#, |signed| {
            pair.sign(&SystemRandom::new(), signed).expect("signs").as_ref().to_vec()
        });
        assert_eq!(flaw(&bench, &token), "Invalid key/secret", "{algorithm}");
    }
}
