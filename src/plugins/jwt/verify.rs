//! Signatures: the algorithms, and keys made ready for them. Every comparison is aws-lc's and takes the same
//! time whatever it finds.

use std::{fmt, sync::OnceLock};

use aws_lc_rs::{
    hmac,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, ParsedPublicKey,
        RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
        RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, VerificationAlgorithm,
    },
};
use base64::Engine;

use super::{ed448, token::BASE64URL};
use crate::model::{Ix, JwtSecret, State};

/// How a token is signed (RFC 7518 section 3, RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Hs256,
    Hs384,
    Hs512,
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    Es512,
    EdDsa,
}

/// Names as tokens and credentials write them.
const NAMES: [(Algorithm, &str); 13] = [
    (Algorithm::Hs256, "HS256"),
    (Algorithm::Hs384, "HS384"),
    (Algorithm::Hs512, "HS512"),
    (Algorithm::Rs256, "RS256"),
    (Algorithm::Rs384, "RS384"),
    (Algorithm::Rs512, "RS512"),
    (Algorithm::Ps256, "PS256"),
    (Algorithm::Ps384, "PS384"),
    (Algorithm::Ps512, "PS512"),
    (Algorithm::Es256, "ES256"),
    (Algorithm::Es384, "ES384"),
    (Algorithm::Es512, "ES512"),
    (Algorithm::EdDsa, "EdDSA"),
];

impl Algorithm {
    /// The algorithm of that name; letters in another case are another name.
    pub fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, n)| *n == name).map(|(algorithm, _)| *algorithm)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        NAMES[self as usize].1
    }

    /// How it checks; for EdDSA, with an Ed25519 key.
    fn check(self) -> Check {
        match self {
            Algorithm::Hs256 => Check::Mac(hmac::HMAC_SHA256),
            Algorithm::Hs384 => Check::Mac(hmac::HMAC_SHA384),
            Algorithm::Hs512 => Check::Mac(hmac::HMAC_SHA512),
            Algorithm::Rs256 => Check::Public(&RSA_PKCS1_2048_8192_SHA256),
            Algorithm::Rs384 => Check::Public(&RSA_PKCS1_2048_8192_SHA384),
            Algorithm::Rs512 => Check::Public(&RSA_PKCS1_2048_8192_SHA512),
            Algorithm::Ps256 => Check::Public(&RSA_PSS_2048_8192_SHA256),
            Algorithm::Ps384 => Check::Public(&RSA_PSS_2048_8192_SHA384),
            Algorithm::Ps512 => Check::Public(&RSA_PSS_2048_8192_SHA512),
            Algorithm::Es256 => Check::Public(&ECDSA_P256_SHA256_FIXED),
            Algorithm::Es384 => Check::Public(&ECDSA_P384_SHA384_FIXED),
            Algorithm::Es512 => Check::Public(&ECDSA_P521_SHA512_FIXED),
            Algorithm::EdDsa => Check::Public(&ED25519),
        }
    }
}

enum Check {
    Mac(hmac::Algorithm),
    Public(&'static dyn VerificationAlgorithm),
}

/// A credential without a key that its algorithm can use.
#[derive(Clone, Copy, Debug)]
pub struct Unusable;

/// A key made ready.
#[allow(clippy::large_enum_variant)] // only ever held in a box of its own
pub enum Verifier {
    Mac(hmac::Key),
    Public(ParsedPublicKey),
    Ed448(Box<ed448::PublicKey>),
}

impl Verifier {
    /// Whether the signature over these bytes is right.
    pub fn accepts(&self, signed: &[u8], signature: &[u8]) -> bool {
        match self {
            Verifier::Mac(key) => hmac::verify(key, signed, signature).is_ok(),
            Verifier::Public(key) => key.verify_sig(signed, signature).is_ok(),
            Verifier::Ed448(key) => key.accepts(signed, signature),
        }
    }

    fn of(row: &JwtSecret, algorithm: Algorithm, base64: bool) -> Result<Self, Unusable> {
        match algorithm.check() {
            Check::Mac(mac) => {
                let secret = row.secret.as_deref().ok_or(Unusable)?;
                let decoded =
                    if base64 { Some(BASE64URL.decode(secret).map_err(|_| Unusable)?) } else { None };
                Ok(Verifier::Mac(hmac::Key::new(mac, decoded.as_deref().unwrap_or(secret.as_bytes()))))
            }
            Check::Public(public) => {
                let pem = row.rsa_public_key.as_deref().ok_or(Unusable)?;
                let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).map_err(|_| Unusable)?;
                if let (Algorithm::EdDsa, Some(key)) = (algorithm, ed448::PublicKey::from_spki(&pem.contents))
                {
                    return Ok(Verifier::Ed448(Box::new(key)));
                }
                ParsedPublicKey::new(public, &pem.contents).map(Verifier::Public).map_err(|_| Unusable)
            }
        }
    }
}

/// The keys of all credentials of one configuration, each made ready when it is first needed.
pub struct Keys(Box<[PerRow]>);

/// With the secret as it is written, and taken as base64.
type PerRow = [OnceLock<Box<Result<Verifier, Unusable>>>; 2];

impl Keys {
    /// Room for the keys of a configuration.
    pub fn of(state: &State) -> Self {
        Keys((0..state.jwt_secrets.len()).map(|_| PerRow::default()).collect())
    }

    /// The key of a row of that configuration. `algorithm` is the row's own.
    ///
    /// # Errors
    /// When the row has none that can be used.
    pub fn of_row(
        &self,
        ix: Ix<JwtSecret>,
        row: &JwtSecret,
        algorithm: Algorithm,
        base64: bool,
    ) -> Result<&Verifier, Unusable> {
        let slot = self.0.get(ix.get()).ok_or(Unusable)?;
        let made = slot[usize::from(base64)].get_or_init(|| Box::new(Verifier::of(row, algorithm, base64)));
        made.as_ref().as_ref().map_err(|unusable| *unusable)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keys").field(&self.0.len()).finish()
    }
}
