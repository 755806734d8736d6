//! All algorithms, and keys of another kind than the algorithm requires.

use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    rand::SystemRandom,
    rsa,
    signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair},
};
use base64::prelude::BASE64_STANDARD;

use super::*;

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

pub fn es256() -> (EcdsaKeyPair, String) {
    ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING)
}

/// Checks that a token of that algorithm passes, and that one with a flipped bit does not.
fn check(algorithm: &str, material: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) {
    let state = fixture().jwt("bob", "key", algorithm, material).build();
    let harness = PluginHarness::new::<Plugin>(json!({}), state).expect("builds");
    let header = json!({"alg": algorithm}).to_string();
    let token = assemble(&header, r#"{"iss":"key"}"#, sign);
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    passes(&harness, bearing(&token));
    let mut raw = URL.decode(signature).expect("base64url");
    raw[10] ^= 1;
    assert_eq!(error(&harness, &format!("{signed}.{}", URL.encode(raw))), "Invalid signature", "{algorithm}");
}

#[test]
fn all_hmac_algorithms_are_supported() {
    for (name, algorithm) in
        [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)]
    {
        check(name, "s3cret", mac(algorithm, "s3cret"));
    }
}

#[test]
fn all_rsa_algorithms_are_supported() {
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
fn all_ecdsa_algorithms_are_supported() {
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
fn eddsa_is_supported_with_ed25519() {
    let pair = Ed25519KeyPair::generate().expect("a key");
    check("EdDSA", &spki(pair.public_key()), |signed| pair.sign(signed).as_ref().to_vec());
}

#[test]
fn eddsa_is_supported_with_ed448() {
    // Made with OpenSSL 3.
    let der = BASE64_STANDARD
        .decode(
            "MEMwBQYDK2VxAzoAWMlS8X8hRVqcG2Eq3SAVd8y5jr1ygPS8r3qWniryxUsXPQsb9dY4gXvIF150V2/rBmOzbtJIZxsA",
        )
        .expect("base64");
    let signature = "ERXKnzoDPOG0yuKljYmMveeNrWLMef523Kh8xnDlopYp-8CPolhHzm3-qLxMfsTj8CqP6eK1jSaAsG4dOP8Y7C2giO9zLcaq\
                     H0JCTjtXghXatsK9dO_YcEY4ZLncN3SqfX5hvyUL2LaRxV20t7V0_QAA";
    let state = Fixture::default().consumer("amy", None).jwt("amy", "iss1", "EdDSA", &pem(&der)).build();
    let harness = PluginHarness::new::<Plugin>(json!({}), state).expect("builds");
    passes(&harness, bearing(&format!("eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJpc3MxIn0.{signature}")));
    let other = format!("eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJpc3MxIiB9.{signature}");
    assert_eq!(error(&harness, &other), "Invalid signature");
}

#[test]
fn rfc_7515_appendix_a_1_passes() {
    let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt\
                 cGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let state = fixture().jwt("bob", "joe", "HS256", secret).build();
    let harness = PluginHarness::new::<Plugin>(json!({"secret_is_base64": true}), state).expect("builds");
    passes(&harness, bearing(token));
}

#[test]
fn secret_is_base64_decodes_secrets_of_hmac_only() {
    let (pair, pem) = es256();
    let state = fixture()
        .jwt("bob", "encoded", "HS256", "dG9wc2VjcmV0")
        .jwt("bob", "invalid", "HS256", "dG9w c2VjcmV0")
        .jwt("bob", "public", "ES256", &pem)
        .build();
    let harness = PluginHarness::new::<Plugin>(json!({"secret_is_base64": true}), state).expect("builds");
    passes(&harness, bearing(&hs256(&json!({"iss": "encoded"}))));
    let literally = hs256_by("dG9wc2VjcmV0", r#"{"alg":"HS256"}"#, &json!({"iss": "encoded"}));
    assert_eq!(error(&harness, &literally), "Invalid signature");
    assert_eq!(error(&harness, &hs256(&json!({"iss": "invalid"}))), "Invalid key/secret");
    let token = assemble(r#"{"alg":"ES256"}"#, r#"{"iss":"public"}"#, |signed| {
        pair.sign(&SystemRandom::new(), signed).expect("signs").as_ref().to_vec()
    });
    passes(&harness, bearing(&token));
}

#[test]
fn a_key_of_another_algorithm_verifies_nothing() {
    let (pair, pem) = es256();
    for (algorithm, material) in
        [("RS256", pem.as_str()), ("ES384", &pem), ("ES256", "no PEM"), ("EdDSA", &pem)]
    {
        let state = fixture().jwt("bob", "key", algorithm, material).build();
        let harness = PluginHarness::new::<Plugin>(json!({}), state).expect("builds");
        let token = assemble(&json!({"alg": algorithm}).to_string(), r#"{"iss":"key"}"#, |signed| {
            pair.sign(&SystemRandom::new(), signed).expect("signs").as_ref().to_vec()
        });
        assert_eq!(error(&harness, &token), "Invalid key/secret", "{algorithm}");
    }
}

#[test]
fn base64_secrets_are_decoded_as_by_nginx() {
    for (written, secret) in [
        ("+/+/", Some(&b"\xfb\xff\xbf"[..])),
        ("-_-_", Some(b"\xfb\xff\xbf")),
        ("YQ==", Some(b"a")),
        ("YQ", Some(b"a")),
        ("YR", Some(b"a")),
        ("YQ=ignored!", Some(b"a")),
        ("YWI=", Some(b"ab")),
        // `jsonwebtoken` has no empty secrets.
        ("=", Some(b"")),
        ("Y", None),
        ("YQ\n", None),
        ("Y!==", None),
    ] {
        let state = fixture().jwt("bob", "key", "HS256", written).build();
        let harness = PluginHarness::new::<Plugin>(json!({"secret_is_base64": true}), state).expect("builds");
        let token = assemble(r#"{"alg":"HS256"}"#, r#"{"iss":"key"}"#, |signed| {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.unwrap_or_default()), signed)
                .as_ref()
                .to_vec()
        });
        match secret {
            Some(_) => drop(passes(&harness, bearing(&token))),
            None => assert_eq!(error(&harness, &token), "Invalid key/secret", "{written}"),
        }
    }
}

/// Algorithms that take the key, and the signatures of the tokens of [`check`].
const RSA_1024: [(&str, &str); 2] = [
    (
        "RS256",
        "aCJeL7EDZyHzqLhwGV-El8lMqIcAzxAGDH0rLF0irHaJt0VJCjawMnstwOMVrg85Vnq9gMPSfkRX_McJQ2qCFt6J9cMo95Y16YSkINFVBhYTTyeDdlRAfYwBS9BcnffVB0ME_ipBfCfgVz03UpeYDWzGSFC-d7eJmr-JkzkeSDY",
    ),
    (
        "RS512",
        "wB_q-UrqYEda1fj0Ivew1YlbHWJUsoCorM5jXFehi1GtFPun4bC5QP5iCD56rnUTX6nHoPyrqLCkUXcVlR484l4oQATygI_IHKxBhmtDG9iTOhz1o8-bX68ekRzbxeP_2CIkCHppapH8ro3RcVQKYiYVctpEZ0Y_K5RsgI4PFeg",
    ),
];

/// A key in one of the supported formats, generated with OpenSSL 3.
fn file(name: &str) -> String {
    let path = format!("{}/../../tests/fixtures/keys/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).expect("a fixture")
}

#[test]
fn all_key_formats_of_kong_are_supported() {
    let der = |name: &str| pem_contents(&file(name));
    let rsa = RsaKeyPair::from_der(&der("rsa2048.pkcs1.pem")).expect("a key");
    let p256 = EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, &der("p256.pkcs8.pem"))
        .expect("a key");
    let ed = Ed25519KeyPair::from_pkcs8(&der("ed25519.pkcs8.pem")).expect("a key");
    for form in ["rsa2048.spki.pem", "rsa2048.pkcs1.pem"] {
        check("RS256", &file(form), |signed| {
            let mut signature = vec![0; rsa.public_modulus_len()];
            rsa.sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), signed, &mut signature)
                .expect("signs");
            signature
        });
    }
    for form in ["p256.spki.pem", "p256.sec1.pem", "p256.pkcs8.pem"] {
        check("ES256", &file(form), |signed| {
            p256.sign(&SystemRandom::new(), signed).expect("signs").as_ref().to_vec()
        });
    }
    for form in ["ed25519.spki.pem", "ed25519.pkcs8.pem"] {
        check("EdDSA", &file(form), |signed| ed.sign(signed).as_ref().to_vec());
    }
    // OpenSSL signed these with the key of 1024 bits.
    for (algorithm, signature) in RSA_1024 {
        for form in ["rsa1024.spki.pem", "rsa1024.pkcs1-public.pem", "rsa1024.pkcs1.pem", "rsa1024.pkcs8.pem"]
        {
            check(algorithm, &file(form), |_| URL.decode(signature).expect("base64url"));
        }
    }
}

fn pem_contents(text: &str) -> Vec<u8> {
    x509_parser::pem::parse_x509_pem(text.as_bytes()).expect("PEM").1.contents
}

#[test]
fn an_unusable_key_is_rejected_when_the_file_is_loaded() {
    let (_, p256) = es256();
    for (algorithm, text, expected) in [
        (
            "RS256",
            p256.clone(),
            "RS256 needs an RSA key of 1024 to 8192 bits; `rsa_public_key` is a key on the curve P-256",
        ),
        (
            "RS384",
            file("rsa1024.spki.pem"),
            "RS384 needs an RSA key of 2048 to 8192 bits; `rsa_public_key` is an RSA key of 1024 bits",
        ),
        ("ES384", p256, "ES384 needs a key on the curve P-384; `rsa_public_key` is a key on the curve P-256"),
        ("ES256", "no PEM".to_owned(), "`rsa_public_key`: no key in PEM or JWK form"),
        (
            "ES256",
            r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AQ"}"#.to_owned(),
            "`rsa_public_key` is no valid key",
        ),
        (
            "ES256",
            r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AQ","alg":"ES512"}"#.to_owned(),
            "`rsa_public_key` is a JWK for another algorithm than ES256",
        ),
    ] {
        assert_eq!(unusable_key(algorithm, Some(&text)).as_deref(), Some(expected));
    }
    assert_eq!(unusable_key("ES256", None).as_deref(), Some("ES256 needs `rsa_public_key`"));
    assert_eq!(unusable_key("HS256", None), None);
    assert_eq!(unusable_key("RS256", Some(&file("rsa1024.spki.pem"))), None);
}
