//! TLS certificates and keys, and the TLS settings towards upstreams.

use std::sync::Arc;

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    sign::CertifiedKey,
};
use x509_parser::prelude::{FromDer, X509Certificate};

use http_codec::authority;
use model::public_key::{KeyError, KeyKind, PublicKey};

/// Error in TLS settings.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// No verifier can be built from the CA certificates.
    #[error("authorities that nothing can be verified with: {0}")]
    Authorities(#[from] rustls::client::VerifierBuilderError),
    /// The text is not PEM, or has no certificate.
    #[error("not a certificate in PEM")]
    Certificate,
    /// The text is not PEM, or has no private key.
    #[error("not a private key in PEM")]
    Key,
    /// The text has a public key instead of a private one.
    #[error("this is a public key; the private one is needed")]
    PublicKey,
    /// The key is of a type or size that the TLS library does not support.
    #[error(
        "{0} cannot be used for TLS: it takes an RSA key of 2048 to 8192 bits, a key on P-256, P-384 or P-521, or \
             an Ed25519 key"
    )]
    UnfitKey(String),
    /// rustls rejects the settings.
    #[error("{}", describe(.0))]
    Rustls(#[from] rustls::Error),
}

impl TlsError {
    /// Returns whether the error is in the key, and not in the certificate or in both.
    pub fn is_about_key(&self) -> bool {
        matches!(self, TlsError::Key | TlsError::PublicKey | TlsError::UnfitKey(_))
    }
}

/// Describes an error of rustls. Replaces messages that consist of names of rustls' types.
fn describe(error: &rustls::Error) -> String {
    use rustls::{CertificateError, Error};
    match error {
        // rustls exposes this error of webpki only by its debug text.
        Error::InvalidCertificate(CertificateError::Other(other))
            if format!("{other:?}").contains("UnsupportedCertVersion") =>
        {
            "this is an X.509 certificate of version 1, and TLS takes version 3: issue it again, with extensions \
             (`openssl x509 -req … -extfile FILE`)"
                .to_owned()
        }
        Error::InvalidCertificate(CertificateError::BadEncoding) => "this is not an X.509 certificate".to_owned(),
        other => other.to_string(),
    }
}

/// Returns the cryptography provider of all TLS connections.
pub fn crypto_provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Parses the certificates of a PEM text, in order.
///
/// # Errors
/// Returns an error if there is no certificate, or one is malformed.
pub fn parse_certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| TlsError::Certificate)?;
    if chain.is_empty() { Err(TlsError::Certificate) } else { Ok(chain) }
}

/// Parses a certificate chain and its private key.
///
/// # Errors
/// Returns an error if either is malformed, or the key does not match the certificate.
pub fn parse_certified_key(cert: &str, key: &str) -> Result<CertifiedKey, TlsError> {
    let chain = parse_certificates(cert)?;
    let private = private_key(key)?;
    Ok(CertifiedKey::from_der(chain, private, &aws_lc_rs::default_provider())?)
}

/// Parses a private key of a supported type.
fn private_key(pem: &str) -> Result<PrivateKeyDer<'static>, TlsError> {
    let private = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| {
        let is_public = PublicKey::from_public_pem(pem) != Err(KeyError::Malformed);
        if is_public { TlsError::PublicKey } else { TlsError::Key }
    })?;
    check_key_type(PublicKey::from_private_pem(pem))?;
    Ok(private)
}

/// Checks that peers can be verified with a CA certificate.
///
/// # Errors
/// Returns an error if it is malformed, or its key is of an unsupported type.
pub fn check_ca_certificate(pem: &str) -> Result<(), TlsError> {
    for certificate in parse_certificates(pem)? {
        let (_, parsed) = X509Certificate::from_der(&certificate).map_err(|_| TlsError::Certificate)?;
        check_key_type(PublicKey::from_spki(parsed.tbs_certificate.subject_pki.raw))?;
        RootCertStore::empty().add(certificate)?;
    }
    Ok(())
}

fn check_key_type(key: Result<PublicKey, KeyError>) -> Result<(), TlsError> {
    let kind = key.map_or(KeyKind::Other, |key| key.kind);
    match kind {
        KeyKind::Rsa { bits: 2048..=8192 }
        | KeyKind::P256
        | KeyKind::P384
        | KeyKind::P521
        | KeyKind::Ed25519 => Ok(()),
        _ => Err(TlsError::UnfitKey(kind.name())),
    }
}

/// Trust anchors for the verification of upstream certificates.
#[derive(Clone, Copy, Debug)]
pub struct TrustRoots<'a> {
    /// CA certificates in PEM.
    pub authorities: &'a [&'a str],
    /// Maximum number of intermediate certificates.
    pub max_depth: usize,
}

/// TLS settings towards upstreams.
#[derive(Debug)]
pub struct ClientTls {
    /// Configuration for rustls.
    pub config: Arc<ClientConfig>,
    /// The same configuration with `h2` in ALPN.
    pub http2: Arc<ClientConfig>,
    /// Hash of the settings, stable across reloads.
    pub identity: String,
}

/// TLS settings and the server name of an upstream.
#[derive(Clone, Debug)]
pub struct TlsTarget {
    /// TLS settings.
    pub profile: Arc<ClientTls>,
    /// Name for SNI and for the verification of the certificate.
    pub name: ServerName<'static>,
    /// Key of pooled connections: the settings and the name.
    pub pool: Arc<str>,
}

impl ClientTls {
    /// Builds settings. Without trust anchors certificates are not verified. `client` is the certificate and the key for
    /// client authentication.
    ///
    /// # Errors
    /// Returns an error if a PEM text is malformed.
    pub fn new(trusted: Option<TrustRoots<'_>>, client: Option<(&str, &str)>) -> Result<Self, TlsError> {
        let builder = ClientConfig::builder_with_provider(crypto_provider())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
        let algorithms = crypto_provider().signature_verification_algorithms;
        let custom_verifier = |trusted| Arc::new(UpstreamCertVerifier { trusted, algorithms });
        let builder = match trusted {
            Some(TrustRoots { authorities, max_depth: depth }) => {
                let mut roots = RootCertStore::empty();
                for text in authorities {
                    // Skip invalid certificates: the CA bundle of a system may have some that predate today's rules.
                    roots.add_parsable_certificates(parse_certificates(text)?);
                }
                if roots.is_empty() {
                    // No CA is trusted: every handshake fails. The verifier's builder would return an error instead.
                    builder.with_root_certificates(roots)
                } else {
                    let webpki =
                        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), crypto_provider());
                    let verifier = custom_verifier(Some((webpki.build()?, depth)));
                    builder.dangerous().with_custom_certificate_verifier(verifier)
                }
            }
            None => builder.dangerous().with_custom_certificate_verifier(custom_verifier(None)),
        };
        let config = match client {
            Some((cert, key)) => {
                builder.with_client_auth_cert(parse_certificates(cert)?, private_key(key)?)?
            }
            None => builder.with_no_client_auth(),
        };
        let anchors = trusted.map(|trusted| (trusted.authorities, trusted.max_depth));
        // Two seeds yield 128 bits, so that different settings do not share pooled connections by a collision.
        let hash = |seed| ahash::RandomState::with_seeds(seed, 1, 2, 3).hash_one((anchors, client));
        let identity = format!("{:016x}{:016x}", hash(11), hash(12));
        let mut http2 = config.clone();
        http2.alpn_protocols = vec![b"h2".to_vec()];
        Ok(ClientTls { config: Arc::new(config), http2: Arc::new(http2), identity })
    }
}

impl TlsTarget {
    /// Combines settings with a host; `None` if the host is not a valid server name.
    pub fn new(profile: Arc<ClientTls>, host: &str) -> Option<Self> {
        let name = ServerName::try_from(authority::without_brackets(host).to_owned()).ok()?;
        let pool = format!("{}|{host}", profile.identity).into();
        Some(TlsTarget { profile, name, pool })
    }
}

/// Verifier of upstream certificates with a maximum depth. Without trust anchors it accepts all certificates, which is
/// Kong's default towards upstreams (`tls_verify` off).
#[derive(Debug)]
struct UpstreamCertVerifier {
    /// Verifier, and the maximum number of intermediate certificates.
    trusted: Option<(Arc<WebPkiServerVerifier>, usize)>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for UpstreamCertVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match &self.trusted {
            // Each certificate certifies the one before it, so truncating the list limits the depth.
            Some((verifier, depth)) => {
                let intermediates = &intermediates[..intermediates.len().min(*depth)];
                verifier.verify_server_cert(end_entity, intermediates, name, ocsp, now)
            }
            None => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture(name: &str) -> String {
        let path = format!("{}/../../tests/fixtures/keys/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).expect("a fixture")
    }

    #[test]
    fn unsupported_keys_and_ca_certificates_are_rejected_when_parsed() {
        let (short, supported) = (fixture("rsa1024-ca.pem"), fixture("p256-ca.pem"));
        let expected = "an RSA key of 1024 bits cannot be used for TLS: it takes an RSA key of 2048 to 8192 bits, a key on \
                        P-256, P-384 or P-521, or an Ed25519 key";
        for key in ["rsa1024.pkcs1.pem", "rsa1024.pkcs8.pem"] {
            let key = fixture(key);
            assert_eq!(parse_certified_key(&short, &key).map(drop).unwrap_err().to_string(), expected);
            let client = ClientTls::new(None, Some((&short, &key)));
            assert_eq!(client.map(drop).unwrap_err().to_string(), expected);
        }
        assert_eq!(check_ca_certificate(&short).unwrap_err().to_string(), expected);
        for key in ["p256.sec1.pem", "p256.pkcs8.pem"] {
            assert!(parse_certified_key(&supported, &fixture(key)).is_ok());
        }
        assert!(check_ca_certificate(&supported).is_ok());
        assert!(check_ca_certificate("no PEM").is_err());
        assert!(matches!(
            parse_certified_key(&supported, &fixture("p256.spki.pem")),
            Err(TlsError::PublicKey)
        ));
    }
}
