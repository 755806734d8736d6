//! Values that a case computes while it runs: tokens, signatures, dates.

use std::time::{Duration, SystemTime};

use aws_lc_rs::{
    digest, hmac,
    rand::SystemRandom,
    rsa::KeyPair as RsaKeyPair,
    signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, RsaEncoding},
};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use indexmap::IndexMap;
use rustls::pki_types::{PrivateKeyDer, pem::PemObject};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use super::{interpolate::plain, raw_http::json_text};

/// A value of that kind; `now` is the time since 1970.
///
/// # Errors
/// When there is no such kind or its settings make no sense, in words.
pub fn make(kind: &str, settings: &Value, now: Duration) -> Result<String, String> {
    match kind {
        "jwt" => jwt(&read(settings)?, now),
        "hmac" => signature_header(&read(settings)?),
        "hmac_sha256_base64" => {
            let Mac { key, key_base64, data } = read(settings)?;
            let key = hmac::Key::new(hmac::HMAC_SHA256, &secret(key, key_base64)?);
            Ok(BASE64_STANDARD.encode(hmac::sign(&key, data.as_bytes())))
        }
        "sha256" => Ok(BASE64_STANDARD.encode(digest::digest(&digest::SHA256, plain(settings).as_bytes()))),
        "date" => Ok(httpdate::fmt_http_date(
            SystemTime::UNIX_EPOCH + Duration::from_secs_f64(from_now(settings, now)),
        )),
        "now" => Ok((from_now(settings, now) as i64).to_string()),
        other => Err(format!("there is no kind of value {other:?}")),
    }
}

fn read<T: DeserializeOwned>(settings: &Value) -> Result<T, String> {
    serde_json::from_value(settings.clone()).map_err(|error| error.to_string())
}

/// So many seconds from now, since 1970.
fn from_now(settings: &Value, now: Duration) -> f64 {
    (now.as_secs_f64() + plain(settings).parse::<f64>().unwrap_or(0.0)).max(0.0)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mac {
    key: Option<String>,
    key_base64: Option<String>,
    data: String,
}

fn secret(key: Option<String>, base64: Option<String>) -> Result<Vec<u8>, String> {
    match base64 {
        Some(text) => BASE64_STANDARD.decode(text).map_err(|error| format!("key_base64: {error}")),
        None => Ok(key.unwrap_or_default().into_bytes()),
    }
}

/// A JSON Web Token (RFC 7519). Claims like `"+60"` are that many seconds from now.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Jwt {
    #[serde(default = "hs256")]
    alg: String,
    /// Secret, or private key in PEM.
    #[serde(default)]
    key: String,
    /// Whether the secret is in base64.
    #[serde(default)]
    key_base64: bool,
    #[serde(default)]
    header: Map<String, Value>,
    #[serde(default)]
    claims: Map<String, Value>,
}

fn hs256() -> String {
    "HS256".to_owned()
}

fn jwt(token: &Jwt, now: Duration) -> Result<String, String> {
    let mut header = json!({ "typ": "JWT", "alg": token.alg });
    for (name, value) in &token.header {
        header[name] = value.clone();
    }
    let claims: Map<String, Value> = token
        .claims
        .iter()
        .map(|(name, value)| {
            let relative =
                value.as_str().filter(|s| s.starts_with(['+', '-'])).and_then(|s| s.parse::<i64>().ok());
            (name.clone(), relative.map_or_else(|| value.clone(), |by| (now.as_secs() as i64 + by).into()))
        })
        .collect();
    let alg = plain(&header["alg"]);
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(json_text(value));
    let signing = format!("{}.{}", part(&header), part(&claims.into()));
    let signature = match alg.as_str() {
        "none" => Vec::new(),
        "HS256" => mac(hmac::HMAC_SHA256, token, &signing)?,
        "HS384" => mac(hmac::HMAC_SHA384, token, &signing)?,
        "HS512" => mac(hmac::HMAC_SHA512, token, &signing)?,
        _ => signed(&alg, &token.key, signing.as_bytes())?,
    };
    Ok(format!("{signing}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
}

fn mac(algorithm: hmac::Algorithm, token: &Jwt, text: &str) -> Result<Vec<u8>, String> {
    let base64 = token.key_base64.then(|| token.key.clone());
    let key = hmac::Key::new(algorithm, &secret(Some(token.key.clone()), base64)?);
    Ok(hmac::sign(&key, text.as_bytes()).as_ref().to_vec())
}

/// A signature by a private key in PEM (RFC 7518, 3.1; RFC 8037).
fn signed(alg: &str, pem: &str, text: &[u8]) -> Result<Vec<u8>, String> {
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|error| format!("key: {error}"))?;
    let bad = |error: &dyn std::fmt::Display| format!("key for {alg}: {error}");
    let random = SystemRandom::new();
    let elliptic = |algorithm: &'static EcdsaSigningAlgorithm| -> Result<Vec<u8>, String> {
        let pair = match &key {
            PrivateKeyDer::Pkcs8(der) => EcdsaKeyPair::from_pkcs8(algorithm, der.secret_pkcs8_der()),
            other => EcdsaKeyPair::from_private_key_der(algorithm, other.secret_der()),
        };
        let signature = pair.map_err(|e| bad(&e))?.sign(&random, text).map_err(|e| bad(&e))?;
        Ok(signature.as_ref().to_vec())
    };
    let rsa = |padding: &'static dyn RsaEncoding| -> Result<Vec<u8>, String> {
        let pair = match &key {
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            other => RsaKeyPair::from_der(other.secret_der()),
        };
        let pair = pair.map_err(|e| bad(&e))?;
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(padding, &random, text, &mut signature).map_err(|e| bad(&e))?;
        Ok(signature)
    };
    match alg {
        "RS256" => rsa(&signature::RSA_PKCS1_SHA256),
        "RS384" => rsa(&signature::RSA_PKCS1_SHA384),
        "RS512" => rsa(&signature::RSA_PKCS1_SHA512),
        "PS256" => rsa(&signature::RSA_PSS_SHA256),
        "PS384" => rsa(&signature::RSA_PSS_SHA384),
        "PS512" => rsa(&signature::RSA_PSS_SHA512),
        "ES256" => elliptic(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
        "ES384" => elliptic(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
        "ES512" => elliptic(&signature::ECDSA_P521_SHA512_FIXED_SIGNING),
        "EdDSA" => {
            let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(key.secret_der()).map_err(|e| bad(&e))?;
            Ok(pair.sign(text).as_ref().to_vec())
        }
        _ => Err(format!("cannot sign with {alg}")),
    }
}

/// The value of an `Authorization` header as hmac-auth wants it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    username: String,
    secret: String,
    #[serde(default = "hmac_sha256")]
    algorithm: String,
    /// Which headers are signed, in order.
    headers: Vec<String>,
    /// Their values.
    #[serde(default)]
    values: IndexMap<String, Value>,
    #[serde(default)]
    request_line: String,
    #[serde(default)]
    request_target: String,
}

fn hmac_sha256() -> String {
    "hmac-sha256".to_owned()
}

fn signature_header(s: &Signature) -> Result<String, String> {
    let mut lines = Vec::new();
    for header in &s.headers {
        lines.push(match header.as_str() {
            "request-line" => s.request_line.clone(),
            "@request-target" => format!("{header}: {}", s.request_target),
            _ => {
                let value = s.values.get(header).ok_or_else(|| format!("`values` has no {header:?}"))?;
                format!("{header}: {}", plain(value))
            }
        });
    }
    let algorithm = match s.algorithm.as_str() {
        "hmac-sha1" => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        "hmac-sha224" => hmac::HMAC_SHA224,
        "hmac-sha256" => hmac::HMAC_SHA256,
        "hmac-sha384" => hmac::HMAC_SHA384,
        "hmac-sha512" => hmac::HMAC_SHA512,
        other => return Err(format!("cannot sign with {other}")),
    };
    let key = hmac::Key::new(algorithm, s.secret.as_bytes());
    let signature = BASE64_STANDARD.encode(hmac::sign(&key, lines.join("\n").as_bytes()));
    let (username, algorithm, headers) = (&s.username, &s.algorithm, s.headers.join(" "));
    Ok(format!(
        "hmac username=\"{username}\", algorithm=\"{algorithm}\", headers=\"{headers}\", signature=\"{signature}\""
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_carries_times_from_now() {
        let token = make(
            "jwt",
            &json!({ "key": "k", "claims": { "exp": "+60", "iss": "a" } }),
            Duration::from_secs(40),
        );
        let token = token.expect("a token");
        let claims = token.split('.').nth(1).expect("three parts");
        let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).expect("base64");
        assert_eq!(String::from_utf8_lossy(&claims), r#"{"exp": 100, "iss": "a"}"#);
    }

    #[test]
    fn dates_and_numbers_count_from_the_clock() {
        let now = Duration::from_secs(784_111_777);
        assert_eq!(make("date", &json!(0), now).as_deref(), Ok("Sun, 06 Nov 1994 08:49:37 GMT"));
        assert_eq!(make("now", &json!(-7), now).as_deref(), Ok("784111770"));
        assert!(make("moon", &json!(0), now).is_err());
    }

    #[test]
    fn a_digest_is_in_base64() {
        let empty = make("sha256", &json!(""), Duration::ZERO);
        assert_eq!(empty.as_deref(), Ok("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="));
    }
}
