//! Project Wycheproof's vectors for JSON Web Signatures (`tests/fixtures/jws`, Apache-2.0).

use serde_json::Value as Json;

use super::super::{
    claims::{ClaimValue, Claims},
    token::BASE64URL,
    verify::{Algorithm, Verifier},
};
use model::JwtSecret;

/// Returns whether a token in compact form is accepted. The payloads of the vectors are not JSON objects, so that the
/// token is parsed here.
fn verifies(verifier: &Verifier, algorithm: Algorithm, token: &str) -> bool {
    use base64::Engine;
    let Some((signed, signature)) = token.rsplit_once('.') else { return false };
    let Some((header, payload)) = signed.split_once('.') else { return false };
    let (Ok(header), Ok(_), Ok(signature)) =
        (BASE64URL.decode(header), BASE64URL.decode(payload), BASE64URL.decode(signature))
    else {
        return false;
    };
    let Ok(members) = Claims::read(&header, "iss") else { return false };
    let named = matches!(&members.alg, ClaimValue::Text(alg) if Algorithm::from_name(alg) == Some(algorithm));
    named && members.crit == ClaimValue::Absent && verifier.verify(signed.as_bytes(), &signature)
}

#[test]
fn wycheproof_vectors_are_classified_correctly() {
    let path =
        format!("{}/../../tests/fixtures/jws/json_web_signature_test.json", env!("CARGO_MANIFEST_DIR"));
    let file: Json = serde_json::from_str(&std::fs::read_to_string(path).expect("a fixture")).expect("JSON");
    let mut counts = [0, 0];
    for group in file["testGroups"].as_array().expect("groups") {
        let mut jwk = group.get("public").unwrap_or(&group["private"]).clone();
        // Not an algorithm of RFC 7518.
        if jwk["alg"] == "ES521" {
            jwk["alg"] = "ES512".into();
        }
        let algorithm = jwk["alg"].as_str().or(match jwk["kty"].as_str() {
            Some("RSA") => Some("RS256"),
            _ => Some("ES256"),
        });
        let algorithm = Algorithm::from_name(algorithm.expect("an algorithm")).expect("a known one");
        let verifier = match algorithm.has_public_key() {
            true => Verifier::public(algorithm, Some(&jwk.to_string())),
            false => {
                let row = serde_json::from_value::<JwtSecret>(serde_json::json!({"secret": jwk["k"]}));
                Verifier::of(&row.expect("a credential"), algorithm, true)
            }
        };
        for test in group["tests"].as_array().expect("tests") {
            let accepted = verifier
                .as_ref()
                .is_ok_and(|verifier| verifies(verifier, algorithm, test["jws"].as_str().expect("a token")));
            counts[usize::from(accepted)] += 1;
            let expected = match test["comment"].as_str() {
                // RFC 7520 figure 20 is a token of PS384; the key of the vector is for PS256.
                Some("Figure20") => false,
                // Other characters are not skipped (RFC 7515 section 2).
                Some("InvalidCharacterInsertedInHeader" | "InvalidCharacterInsertedInPayload") => false,
                // The padding was lost in these vectors: they are the same token as the valid first one.
                Some("invalidBase64Padding" | "invalidBase64PaddingInPayload") => true,
                _ => test["result"] == "valid",
            };
            assert_eq!(accepted, expected, "{} {}", test["tcId"], test["comment"]);
        }
    }
    assert_eq!(counts, [357, 44]);
}
