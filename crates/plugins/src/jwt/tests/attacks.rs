//! Known attacks on JSON Web Token verification.

use super::{algorithms::es256, *};

#[test]
fn attack_algorithm_none() {
    let harness = harness(json!({}));
    for alg in ["none", "None", "NONE", "nOnE", "", "hs256", "HS256 ", "HS1"] {
        let header = json!({"alg": alg}).to_string();
        let unsigned = assemble(&header, r#"{"iss":"iss1"}"#, |_| Vec::new());
        assert_eq!(error(&harness, &unsigned), "Bad token; invalid alg", "{alg:?}");
    }
    let stripped = assemble(r#"{"alg":"HS256"}"#, r#"{"iss":"iss1"}"#, |_| Vec::new());
    assert_eq!(error(&harness, &stripped), "Invalid signature");
}

#[test]
fn attack_algorithm_confusion() {
    let (_, pem) = es256();
    let state = fixture().jwt("bob", "public", "ES256", &pem).build();
    let harness = PluginHarness::new::<Plugin>(json!({}), state).expect("builds");
    let token = hs256_by(&pem, r#"{"alg":"HS256"}"#, &json!({"iss": "public"}));
    assert_eq!(error(&harness, &token), "Invalid algorithm");
}

#[test]
fn attack_an_algorithm_other_than_the_credentials() {
    let harness = harness(json!({}));
    let token = assemble(r#"{"alg":"HS512"}"#, r#"{"iss":"iss1"}"#, mac(hmac::HMAC_SHA512, "topsecret"));
    assert_eq!(error(&harness, &token), "Invalid algorithm");
}

#[test]
fn attack_keys_and_extensions_in_the_token_header() {
    let harness = harness(json!({}));
    let own = r#"{"alg":"HS256","jwk":{"kty":"oct","k":"b3Ro"},"jku":"http://evil","kid":"../../x' OR 1","x5u":"u"}"#;
    assert_eq!(error(&harness, &hs256_by("oth", own, &json!({"iss": "iss1"}))), "Invalid signature");
    passes(&harness, bearing(&hs256_by("topsecret", own, &json!({"iss": "iss1"}))));
    let crit = r#"{"alg":"HS256","crit":["b64"],"b64":false}"#;
    assert_eq!(
        error(&harness, &hs256_by("topsecret", crit, &json!({"iss": "iss1"}))),
        "Bad token; invalid crit"
    );
    let by_kid =
        PluginHarness::new::<Plugin>(json!({"key_claim_name": "kid"}), fixture().build()).expect("builds");
    let injected = hs256_by("", r#"{"alg":"HS256","kid":"/dev/null"}"#, &json!({}));
    assert_eq!(error(&by_kid, &injected), "No credentials found for given 'kid'");
}

#[test]
fn attack_duplicate_members() {
    let harness = harness(json!({"claims_to_verify": ["exp"]}));
    for payload in [
        r#"{"iss":"unknown","iss":"iss1","exp":1800000000}"#,
        r#"{"iss":"iss1","exp":1,"exp":1800000000}"#,
        r#"{"iss":"iss1","\u0065xp":1,"exp":1800000000}"#,
    ] {
        let token = assemble(r#"{"alg":"HS256"}"#, payload, mac(hmac::HMAC_SHA256, "topsecret"));
        assert_eq!(error(&harness, &token), "Bad token; invalid JSON", "{payload}");
    }
    let token =
        assemble(r#"{"alg":"none","alg":"HS256"}"#, r#"{"iss":"iss1"}"#, mac(hmac::HMAC_SHA256, "topsecret"));
    assert_eq!(error(&harness, &token), "Bad token; invalid JSON");
}

#[test]
fn attack_huge_and_deep_payloads() {
    let harness = harness(json!({}));
    passes(&harness, bearing(&hs256(&json!({"iss": "iss1", "blob": "x".repeat(200_000)}))));
    let deep = format!(r#"{{"iss":"iss1","d":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let token = assemble(r#"{"alg":"HS256"}"#, &deep, mac(hmac::HMAC_SHA256, "topsecret"));
    let mut exchange = bearing(&token);
    let _ = harness.access(&mut exchange);
    let deep = format!(r#"{{"iss":"iss1","exp":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let token = assemble(r#"{"alg":"HS256"}"#, &deep, mac(hmac::HMAC_SHA256, "topsecret"));
    let _ = harness.access(&mut bearing(&token));
}

#[test]
fn attack_a_modified_payload_header_or_signature() {
    let harness = harness(json!({}));
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
        assert_eq!(error(&harness, &token), "Invalid signature", "{token}");
    }
}
