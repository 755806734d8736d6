//! Parsing of public keys: PEM of a public key (`PUBLIC KEY`, `RSA PUBLIC KEY`), PEM of a private key, which contains the
//! public one, or a JWK (RFC 7517). Validation of files and verification of signatures share this parser, so that every
//! accepted key is usable.

use base64::{
    Engine,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use rustls::pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer, pem::PemObject};
use x509_parser::{
    asn1_rs::{BitString, Integer, OctetString, Oid, Sequence},
    prelude::{FromDer, Pem},
};

/// A public key in canonical form, so that equal keys compare equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// Key type.
    pub kind: KeyKind,
    /// RSA: DER of `RSAPublicKey` (RFC 8017). Curves: the encoded point. Other kinds: DER of the
    /// `SubjectPublicKeyInfo`.
    pub bytes: Vec<u8>,
    /// The only permitted algorithm, if it is a JWK with `alg`.
    pub algorithm: Option<String>,
}

/// A key type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum KeyKind {
    Rsa {
        bits: usize,
    },
    P256,
    P384,
    P521,
    Ed25519,
    Ed448,
    /// An unsupported type.
    Other,
}

impl KeyKind {
    /// Formats the type for messages.
    pub fn name(self) -> String {
        match self {
            KeyKind::Rsa { bits } => format!("an RSA key of {bits} bits"),
            KeyKind::P256 => "a key on the curve P-256".to_owned(),
            KeyKind::P384 => "a key on the curve P-384".to_owned(),
            KeyKind::P521 => "a key on the curve P-521".to_owned(),
            KeyKind::Ed25519 => "an Ed25519 key".to_owned(),
            KeyKind::Ed448 => "an Ed448 key".to_owned(),
            KeyKind::Other => "a key of another kind".to_owned(),
        }
    }
}

/// Error of parsing a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text contains no key.
    #[error("no key in PEM or JWK form")]
    Malformed,
    /// The format of the key is not supported.
    #[error("{0}")]
    Unsupported(&'static str),
}

const RSA_ENCRYPTION: &str = "1.2.840.113549.1.1.1";
const EC_PUBLIC_KEY: &str = "1.2.840.10045.2.1";
const SECP256R1: &str = "1.2.840.10045.3.1.7";
const SECP384R1: &str = "1.3.132.0.34";
const SECP521R1: &str = "1.3.132.0.35";
const ED25519: &str = "1.3.101.112";
const ED448: &str = "1.3.101.113";

/// DER tags.
const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;

const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl PublicKey {
    /// Parses a key in any of the formats.
    ///
    /// # Errors
    /// When the text contains none.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        if text.trim_start().starts_with('{') {
            return Self::from_jwk(text);
        }
        match Self::from_public_pem(text) {
            Err(KeyError::Malformed) => Self::from_private_pem(text),
            read => read,
        }
    }

    /// Parses the PEM of a public key.
    ///
    /// # Errors
    /// When the text contains none.
    pub fn from_public_pem(text: &str) -> Result<Self, KeyError> {
        if let Ok(spki) = SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes()) {
            return Self::from_spki(&spki);
        }
        let pem = Pem::iter_from_buffer(text.as_bytes()).flatten().find(|pem| pem.label == "RSA PUBLIC KEY");
        Self::from_pkcs1(&pem.ok_or(KeyError::Malformed)?.contents)
    }

    /// Parses the PEM of a private key and returns its public key.
    ///
    /// # Errors
    /// When the text contains none, or the public key cannot be derived.
    pub fn from_private_pem(text: &str) -> Result<Self, KeyError> {
        let private = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| KeyError::Malformed)?;
        Self::of_private(&private).ok_or(KeyError::Malformed)?
    }

    /// `None` if the private key is malformed.
    fn of_private(private: &PrivateKeyDer<'_>) -> Option<Result<Self, KeyError>> {
        match private {
            PrivateKeyDer::Pkcs1(der) => return Self::from_private_pkcs1(der.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(der) => {
                let (_, key) = Sequence::from_der(der.secret_pkcs8_der()).ok()?;
                let (rest, _version) = Integer::from_der(&key.content).ok()?;
                let (rest, algorithm) = Sequence::from_der(rest).ok()?;
                let (_, oid) = Oid::from_der(&algorithm.content).ok()?;
                let (_, private) = OctetString::from_der(rest).ok()?;
                match &*oid.to_id_string() {
                    RSA_ENCRYPTION => return Self::from_private_pkcs1(private.as_ref()),
                    ED448 => {
                        // RFC 8410 section 7: the seed is an OCTET STRING of its own.
                        let (_, seed) = OctetString::from_der(private.as_ref()).ok()?;
                        let seed: [u8; 57] = seed.as_ref().try_into().ok()?;
                        let public = ed448_goldilocks::SigningKey::from(&seed.into()).verifying_key();
                        return Some(Ok(Self::new(KeyKind::Ed448, public.to_bytes().to_vec())));
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        let signer = rustls::crypto::aws_lc_rs::sign::any_supported_type(private);
        let public = signer.ok().and_then(|signer| signer.public_key().map(|spki| spki.as_ref().to_vec()));
        Some(match public {
            Some(spki) => Self::from_spki(&spki),
            None => Err(KeyError::Unsupported(
                "the public half of this private key is not computed here: write the public key (openssl pkey -in \
                 key.pem -pubout)",
            )),
        })
    }

    /// Parses a DER `SubjectPublicKeyInfo` (RFC 5280).
    ///
    /// # Errors
    /// When it is malformed.
    pub fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        let parse = || {
            let (rest, spki) = Sequence::from_der(der).ok()?;
            let (key, algorithm) = Sequence::from_der(&spki.content).ok()?;
            let (parameters, oid) = Oid::from_der(&algorithm.content).ok()?;
            let (after, bits) = BitString::from_der(key).ok()?;
            let curve = Oid::from_der(parameters).ok().map(|(_, curve)| curve.to_id_string());
            let whole = rest.is_empty() && after.is_empty() && bits.unused_bits == 0;
            whole.then(|| (oid.to_id_string(), curve, bits.data.to_vec()))
        };
        let (algorithm, curve, bytes) = parse().ok_or(KeyError::Malformed)?;
        let kind = match (&*algorithm, curve.as_deref()) {
            (RSA_ENCRYPTION, _) => return Self::from_pkcs1(&bytes),
            (EC_PUBLIC_KEY, Some(SECP256R1)) => KeyKind::P256,
            (EC_PUBLIC_KEY, Some(SECP384R1)) => KeyKind::P384,
            (EC_PUBLIC_KEY, Some(SECP521R1)) => KeyKind::P521,
            (ED25519, _) => KeyKind::Ed25519,
            (ED448, _) => KeyKind::Ed448,
            _ => return Ok(Self::new(KeyKind::Other, der.to_vec())),
        };
        Ok(Self::new(kind, bytes))
    }

    fn new(kind: KeyKind, bytes: Vec<u8>) -> Self {
        PublicKey { kind, bytes, algorithm: None }
    }

    /// Parses a DER `RSAPublicKey`.
    fn from_pkcs1(der: &[u8]) -> Result<Self, KeyError> {
        let (_, key) = Sequence::from_der(der).map_err(|_| KeyError::Malformed)?;
        Self::from_integers(&key.content).ok_or(KeyError::Malformed)
    }

    /// Parses a DER `RSAPrivateKey`: modulus and exponent follow the version.
    fn from_private_pkcs1(der: &[u8]) -> Option<Result<Self, KeyError>> {
        let (_, key) = Sequence::from_der(der).ok()?;
        let (rest, _version) = Integer::from_der(&key.content).ok()?;
        Self::from_integers(rest).map(Ok)
    }

    /// Creates an RSA key from modulus and exponent, the first two of these DER integers.
    fn from_integers(der: &[u8]) -> Option<Self> {
        let (rest, modulus) = Integer::from_der(der).ok()?;
        let (_, exponent) = Integer::from_der(rest).ok()?;
        Self::rsa(modulus.as_ref(), exponent.as_ref())
    }

    /// Creates an RSA key from big-endian numbers.
    fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let significant = |number: &'_ [u8]| {
            let zeros = number.iter().take_while(|byte| **byte == 0).count();
            number[zeros..].to_vec()
        };
        let (modulus, exponent) = (significant(modulus), significant(exponent));
        let first = *modulus.first().filter(|_| !exponent.is_empty())?;
        let bits = 8 * modulus.len() - first.leading_zeros() as usize;
        let integer = |number: Vec<u8>| {
            let sign = if number[0] & 0x80 == 0 { &[][..] } else { &[0] };
            element(INTEGER, &[sign, &number].concat())
        };
        let bytes = element(SEQUENCE, &[integer(modulus), integer(exponent)].concat());
        Some(Self::new(KeyKind::Rsa { bits }, bytes))
    }

    /// Parses a JWK, public or private.
    fn from_jwk(text: &str) -> Result<Self, KeyError> {
        let Ok(serde_json::Value::Object(jwk)) = serde_json::from_str(text) else {
            return Err(KeyError::Malformed);
        };
        let text = |name: &str| jwk.get(name).and_then(|value| value.as_str());
        let number = |name: &str| text(name).and_then(|text| BASE64URL.decode(text).ok());
        if text("use").is_some_and(|used| used != "sig") {
            return Err(KeyError::Unsupported("the JWK's `use` is not `sig`"));
        }
        if let Some(operations) = jwk.get("key_ops").and_then(|value| value.as_array())
            && !operations.iter().any(|operation| operation == "verify" || operation == "sign")
        {
            return Err(KeyError::Unsupported("the JWK's `key_ops` has no `verify`"));
        }
        let read = || {
            let key = match (text("kty")?, text("crv")) {
                ("RSA", _) => Self::rsa(&number("n")?, &number("e")?)?,
                ("EC", Some(curve)) => {
                    let (kind, size) = match curve {
                        "P-256" => (KeyKind::P256, 32),
                        "P-384" => (KeyKind::P384, 48),
                        "P-521" => (KeyKind::P521, 66),
                        _ => return Some(Self::new(KeyKind::Other, Vec::new())),
                    };
                    let (x, y) = (padded(number("x")?, size)?, padded(number("y")?, size)?);
                    Self::new(kind, [vec![4], x, y].concat())
                }
                ("OKP", Some("Ed25519")) => {
                    Self::new(KeyKind::Ed25519, number("x").filter(|x| x.len() == 32)?)
                }
                ("OKP", Some("Ed448")) => Self::new(KeyKind::Ed448, number("x").filter(|x| x.len() == 57)?),
                ("OKP", Some(_)) => Self::new(KeyKind::Other, number("x")?),
                _ => return None,
            };
            Some(PublicKey { algorithm: text("alg").map(str::to_owned), ..key })
        };
        read().ok_or(KeyError::Malformed)
    }
}

/// Pads a number with leading zeros to that many bytes; `None` if it is longer.
fn padded(number: Vec<u8>, size: usize) -> Option<Vec<u8>> {
    let missing = size.checked_sub(number.len())?;
    Some([vec![0; missing], number].concat())
}

/// Encodes a DER element.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    if content.len() < 0x80 {
        out.push(content.len() as u8);
    } else {
        let length = content.len().to_be_bytes();
        let zeros = length.iter().take_while(|byte| **byte == 0).count();
        out.push(0x80 | (length.len() - zeros) as u8);
        out.extend_from_slice(&length[zeros..]);
    }
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;

    use super::*;

    /// Reads a test file. The files were generated with OpenSSL 3: the same key in each format.
    fn file(name: &str) -> String {
        let path = format!("{}/../../tests/fixtures/keys/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).expect("a fixture")
    }

    #[test]
    fn a_key_is_equal_in_all_formats() {
        for (kind, forms) in [
            (
                KeyKind::Rsa { bits: 1024 },
                &["rsa1024.spki.pem", "rsa1024.pkcs1-public.pem", "rsa1024.pkcs1.pem", "rsa1024.pkcs8.pem"][..],
            ),
            (KeyKind::Rsa { bits: 2048 }, &["rsa2048.spki.pem", "rsa2048.pkcs1.pem"]),
            (KeyKind::P256, &["p256.spki.pem", "p256.sec1.pem", "p256.pkcs8.pem"]),
            (KeyKind::Ed25519, &["ed25519.spki.pem", "ed25519.pkcs8.pem"]),
        ] {
            let read = |form: &&str| PublicKey::parse(&file(form)).expect("a key");
            let first = read(&forms[0]);
            assert_eq!(first.kind, kind);
            for form in forms {
                assert_eq!(read(form), first, "{form}");
                let untidy = format!("text before\r\n{}", file(form).replace('\n', "\r\n"));
                assert_eq!(PublicKey::parse(&untidy), Ok(first.clone()), "{form}");
            }
        }
    }

    #[test]
    fn the_public_key_of_a_private_ed448_key_is_computed() {
        // Generated with OpenSSL 3.
        let private = "-----BEGIN PRIVATE KEY-----\n\
                       MEcCAQAwBQYDK2VxBDsEOYflWTCUvQOgiaeZfSK7uCGw9kDIMTKdThXn6HGeqzZD\n\
                       vTF75AzLAR5rxKswP3CA1uAvG3pao25SdQ==\n-----END PRIVATE KEY-----\n";
        let public = "-----BEGIN PUBLIC KEY-----\n\
                      MEMwBQYDK2VxAzoAWMlS8X8hRVqcG2Eq3SAVd8y5jr1ygPS8r3qWniryxUsXPQsb\n\
                      9dY4gXvIF150V2/rBmOzbtJIZxsA\n-----END PUBLIC KEY-----\n";
        let public = PublicKey::parse(public).expect("a key");
        assert_eq!(public.kind, KeyKind::Ed448);
        assert_eq!(PublicKey::parse(private), Ok(public));
    }

    #[test]
    fn jwks_are_keys() {
        let key = PublicKey::parse(&file("p256.spki.pem")).unwrap();
        let (x, y) = key.bytes[1..].split_at(32);
        let encode = |bytes| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let jwk = |extra: &str| {
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{}","y":"{}"{extra}}}"#, encode(x), encode(y))
        };
        assert_eq!(PublicKey::parse(&jwk("")), Ok(key.clone()));
        assert_eq!(PublicKey::parse(&jwk(r#","d":"AA","use":"sig","key_ops":["verify"]"#)), Ok(key.clone()));
        let named = PublicKey { algorithm: Some("ES256".to_owned()), ..key.clone() };
        assert_eq!(PublicKey::parse(&jwk(r#","alg":"ES256""#)), Ok(named));
        for extra in [r#","use":"enc""#, r#","key_ops":["encrypt"]"#] {
            assert!(matches!(PublicKey::parse(&jwk(extra)), Err(KeyError::Unsupported(_))), "{extra}");
        }
        let ed = PublicKey::parse(&file("ed25519.spki.pem")).unwrap();
        assert_eq!(
            PublicKey::parse(&format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#, encode(&ed.bytes))),
            Ok(ed)
        );
        // RFC 7517 appendix A.1.
        let rsa = r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB"}"#;
        assert_eq!(PublicKey::parse(rsa).map(|key| key.kind), Ok(KeyKind::Rsa { bits: 2048 }));
    }

    #[test]
    fn texts_without_a_key_are_rejected() {
        for text in [
            "",
            "text",
            "{",
            "{}",
            r#"{"kty":"oct","k":"AA"}"#,
            r#"{"kty":"RSA","n":"AA","e":"AQAB"}"#,
            r#"{"kty":"EC","crv":"P-256","x":"AA"}"#,
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
            "-----BEGIN RSA PUBLIC KEY-----\nAAAA\n-----END RSA PUBLIC KEY-----\n",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        ] {
            assert_eq!(PublicKey::parse(text), Err(KeyError::Malformed), "{text}");
        }
    }
}
