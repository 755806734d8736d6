//! Algorithms, keys and verification of signatures. `jsonwebtoken` verifies what it supports, aws-lc-rs and
//! ed448-goldilocks the rest. Tokens are parsed in `token`, by Kong's rules. Secrets are compared in constant time.

use std::{fmt, sync::OnceLock};

use aws_lc_rs::{
    hmac,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, ParsedPublicKey,
        RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
        RSA_PKCS1_2048_8192_SHA384, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
        RSA_PSS_2048_8192_SHA512, VerificationAlgorithm,
    },
};
use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use ed448_goldilocks::{Signature as Ed448Signature, VerifyingKey as Ed448Key};
use jsonwebtoken::{DecodingKey, crypto::aws_lc::DEFAULT_PROVIDER};

use model::{
    Ix, JwtSecret, State,
    public_key::{KeyError, KeyKind, PublicKey},
};

/// Signature algorithm (RFC 7518 section 3, RFC 8037).
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

/// Names of the algorithms in tokens and credentials.
const ALGORITHM_NAMES: [(Algorithm, &str); 13] = [
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
    /// Looks up an algorithm by its case-sensitive name.
    pub fn from_name(name: &str) -> Option<Self> {
        ALGORITHM_NAMES.iter().find(|(_, n)| *n == name).map(|(algorithm, _)| *algorithm)
    }

    /// Returns the name of the algorithm.
    pub fn name(self) -> &'static str {
        ALGORITHM_NAMES[self as usize].1
    }

    /// Returns whether tokens are verified with a public key rather than a shared secret.
    pub fn has_public_key(self) -> bool {
        self.mac().is_none()
    }

    /// Returns the MAC algorithm; `None` if the algorithm uses public keys.
    fn mac(self) -> Option<hmac::Algorithm> {
        match self {
            Algorithm::Hs256 => Some(hmac::HMAC_SHA256),
            Algorithm::Hs384 => Some(hmac::HMAC_SHA384),
            Algorithm::Hs512 => Some(hmac::HMAC_SHA512),
            _ => None,
        }
    }

    /// Returns the library's name for the algorithm; `None` for ES512, which it lacks.
    fn library_algorithm(self) -> Option<jsonwebtoken::Algorithm> {
        use jsonwebtoken::Algorithm::*;
        Some(match self {
            Algorithm::Hs256 => HS256,
            Algorithm::Hs384 => HS384,
            Algorithm::Hs512 => HS512,
            Algorithm::Rs256 => RS256,
            Algorithm::Rs384 => RS384,
            Algorithm::Rs512 => RS512,
            Algorithm::Ps256 => PS256,
            Algorithm::Ps384 => PS384,
            Algorithm::Ps512 => PS512,
            Algorithm::Es256 => ES256,
            Algorithm::Es384 => ES384,
            Algorithm::Es512 => return None,
            Algorithm::EdDsa => EdDSA,
        })
    }

    /// Returns the verification algorithm for public keys of this kind.
    ///
    /// # Errors
    /// A description of the keys that the algorithm requires.
    fn verification(self, kind: KeyKind) -> Result<&'static dyn VerificationAlgorithm, &'static str> {
        use Algorithm::*;
        const RSA_BITS: &str = "an RSA key of 1024 to 8192 bits";
        const LONGER_RSA_BITS: &str = "an RSA key of 2048 to 8192 bits";
        Ok(match (self, kind) {
            // Kong accepts keys of 1024 bits; aws-lc supports them for these two hashes only.
            (Rs256, KeyKind::Rsa { bits: 1024..=8192 }) => &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
            (Rs512, KeyKind::Rsa { bits: 1024..=8192 }) => &RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
            (Rs384, KeyKind::Rsa { bits: 2048..=8192 }) => &RSA_PKCS1_2048_8192_SHA384,
            (Ps256, KeyKind::Rsa { bits: 2048..=8192 }) => &RSA_PSS_2048_8192_SHA256,
            (Ps384, KeyKind::Rsa { bits: 2048..=8192 }) => &RSA_PSS_2048_8192_SHA384,
            (Ps512, KeyKind::Rsa { bits: 2048..=8192 }) => &RSA_PSS_2048_8192_SHA512,
            (Es256, KeyKind::P256) => &ECDSA_P256_SHA256_FIXED,
            (Es384, KeyKind::P384) => &ECDSA_P384_SHA384_FIXED,
            (Es512, KeyKind::P521) => &ECDSA_P521_SHA512_FIXED,
            (EdDsa, KeyKind::Ed25519) => &ED25519,
            (Rs256 | Rs512, _) => return Err(RSA_BITS),
            (Rs384 | Ps256 | Ps384 | Ps512, _) => return Err(LONGER_RSA_BITS),
            (Es256, _) => return Err("a key on the curve P-256"),
            (Es384, _) => return Err("a key on the curve P-384"),
            (Es512, _) => return Err("a key on the curve P-521"),
            (EdDsa, _) => return Err("an Ed25519 or Ed448 key"),
            (Hs256 | Hs384 | Hs512, _) => return Err("a secret"),
        })
    }
}

/// Reason for which a credential's key cannot be used with its algorithm.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableKey {
    /// There is no secret, or it is not valid base64.
    #[error("no secret that can be used")]
    Secret,
    /// There is no public key.
    #[error("{0} needs `rsa_public_key`")]
    Missing(&'static str),
    /// The public key cannot be parsed.
    #[error("`rsa_public_key`: {0}")]
    Unreadable(#[from] KeyError),
    /// The public key is of another kind than the algorithm requires.
    #[error("{algorithm} needs {needed}; `rsa_public_key` is {}", found.name())]
    Unfit {
        /// Algorithm of the credential.
        algorithm: &'static str,
        /// Keys that the algorithm requires.
        needed: &'static str,
        /// Kind of the configured key.
        found: KeyKind,
    },
    /// The public key is a JWK for another algorithm.
    #[error("`rsa_public_key` is a JWK for another algorithm than {0}")]
    OtherAlgorithm(&'static str),
    /// The parameters of the public key are invalid.
    #[error("`rsa_public_key` is no valid key")]
    Invalid,
}

/// A parsed key.
#[allow(clippy::large_enum_variant)] // always boxed
pub enum Verifier {
    /// A key that `jsonwebtoken` supports. Its verifiers are not `Send`, so each token gets a new one, which costs 0.4 µs
    /// for HS256.
    Library(jsonwebtoken::Algorithm, DecodingKey),
    /// An empty secret, which `jsonwebtoken` rejects.
    EmptySecret(hmac::Key),
    /// A key for ES512, or an RSA key shorter than 2048 bits, which `jsonwebtoken` does not support.
    Public(ParsedPublicKey),
    Ed448(Box<Ed448Key>),
}

impl Verifier {
    /// Returns whether the signature over these bytes is valid.
    pub fn verify(&self, signed: &[u8], signature: &[u8]) -> bool {
        match self {
            Verifier::Library(algorithm, key) => (DEFAULT_PROVIDER.verifier_factory)(algorithm, key)
                .is_ok_and(|verifier| verifier.verify(signed, &signature.to_vec()).is_ok()),
            Verifier::EmptySecret(key) => hmac::verify(key, signed, signature).is_ok(),
            Verifier::Public(key) => key.verify_sig(signed, signature).is_ok(),
            Verifier::Ed448(key) => {
                Ed448Signature::from_slice(signature).is_ok_and(|of| key.verify_raw(&of, signed).is_ok())
            }
        }
    }

    /// Parses the key of a credential. `secret_is_base64` is whether its secret is base64-encoded.
    ///
    /// # Errors
    /// If the credential has no key that its algorithm can use.
    pub fn of(row: &JwtSecret, algorithm: Algorithm, secret_is_base64: bool) -> Result<Self, UnusableKey> {
        let Some(mac) = algorithm.mac() else {
            return Self::public(algorithm, row.rsa_public_key.as_deref());
        };
        let secret = row.secret.as_deref().ok_or(UnusableKey::Secret)?;
        let decoded = if secret_is_base64 { Some(decode(secret).ok_or(UnusableKey::Secret)?) } else { None };
        let secret = decoded.as_deref().unwrap_or(secret.as_bytes());
        Ok(match (algorithm.library_algorithm(), DecodingKey::from_secret(secret)) {
            (Some(algorithm), Ok(key)) => Verifier::Library(algorithm, key),
            _ => Verifier::EmptySecret(hmac::Key::new(mac, secret)),
        })
    }

    /// Parses a public key for an algorithm that uses public keys.
    ///
    /// # Errors
    /// If the text is not a key that the algorithm can use.
    pub fn public(algorithm: Algorithm, text: Option<&str>) -> Result<Self, UnusableKey> {
        let key = PublicKey::parse(text.ok_or(UnusableKey::Missing(algorithm.name()))?)?;
        if key.algorithm.as_deref().is_some_and(|only| only != algorithm.name()) {
            return Err(UnusableKey::OtherAlgorithm(algorithm.name()));
        }
        if (algorithm, key.kind) == (Algorithm::EdDsa, KeyKind::Ed448) {
            let bytes = key.bytes.as_slice().try_into().map_err(|_| UnusableKey::Invalid)?;
            let key = Ed448Key::from_bytes(bytes).map_err(|_| UnusableKey::Invalid)?;
            return Ok(Verifier::Ed448(Box::new(key)));
        }
        let verification = algorithm.verification(key.kind).map_err(|needed| UnusableKey::Unfit {
            algorithm: algorithm.name(),
            needed,
            found: key.kind,
        })?;
        // `jsonwebtoken` checks a key only when it verifies with it.
        let parsed = ParsedPublicKey::new(verification, &key.bytes).map_err(|_| UnusableKey::Invalid)?;
        let decoding_key = match key.kind {
            KeyKind::Rsa { bits: 2048.. } => DecodingKey::from_rsa_der(&key.bytes),
            KeyKind::P256 | KeyKind::P384 => DecodingKey::from_ec_der(&key.bytes),
            KeyKind::Ed25519 => DecodingKey::from_ed_der(&key.bytes),
            _ => return Ok(Verifier::Public(parsed)),
        };
        Ok(match algorithm.library_algorithm() {
            Some(algorithm) => Verifier::Library(algorithm, decoding_key),
            None => Verifier::Public(parsed),
        })
    }
}

/// Decodes a base64 secret like Kong: in either alphabet, up to the first padding character; anything after it is
/// ignored.
fn decode(secret: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    let text = secret.split('=').next().unwrap_or_default().replace('-', "+").replace('_', "/");
    LENIENT.decode(text).ok()
}

/// Parsed keys of all credentials of a configuration. Each key is parsed on first use.
pub struct Keys(Box<[RowKeys]>);

/// Keys of one credential: with its secret used literally, and decoded from base64.
type RowKeys = [OnceLock<Box<Result<Verifier, UnusableKey>>>; 2];

impl Keys {
    /// Creates an empty cache for the credentials of a configuration.
    pub fn new(state: &State) -> Self {
        Keys((0..state.jwt_secrets.len()).map(|_| RowKeys::default()).collect())
    }

    /// Returns the key of a credential of this configuration; `algorithm` is that of the credential.
    ///
    /// # Errors
    /// If the credential has no usable key.
    pub fn verifier(
        &self,
        ix: Ix<JwtSecret>,
        row: &JwtSecret,
        algorithm: Algorithm,
        secret_is_base64: bool,
    ) -> Result<&Verifier, &UnusableKey> {
        let slot = self.0.get(ix.get()).ok_or(&UnusableKey::Secret)?;
        let key = slot[usize::from(secret_is_base64)]
            .get_or_init(|| Box::new(Verifier::of(row, algorithm, secret_is_base64)));
        key.as_ref().as_ref()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keys").field(&self.0.len()).finish()
    }
}
