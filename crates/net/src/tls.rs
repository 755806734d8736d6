//! TLS towards upstreams and towards clients: certificates read, settings made.

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

use model::public_key::{KeyError, KeyKind, PublicKey};

/// Why TLS settings cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The authorities are of no use.
    #[error("authorities that nothing can be verified with: {0}")]
    Authorities(#[from] rustls::client::VerifierBuilderError),
    /// A PEM text has no certificate or is not PEM.
    #[error("not a certificate in PEM")]
    Certificate,
    /// A PEM text has no private key or is not PEM.
    #[error("not a private key in PEM")]
    Key,
    /// A PEM text has the public half of a key.
    #[error("this is a public key; the private one is needed")]
    PublicKey,
    /// A key that TLS cannot be spoken with here.
    #[error(
        "{0} cannot be used for TLS: it takes an RSA key of 2048 to 8192 bits, a key on P-256, P-384 or P-521, or \
             an Ed25519 key"
    )]
    UnfitKey(String),
    /// rustls refuses them.
    #[error("{}", in_words(.0))]
    Rustls(#[from] rustls::Error),
}

impl TlsError {
    /// Whether the key is at fault, rather than the certificate or both.
    pub fn is_about_key(&self) -> bool {
        matches!(self, TlsError::Key | TlsError::PublicKey | TlsError::UnfitKey(_))
    }
}

/// An error of rustls, without its names for things where these would be printed.
fn in_words(error: &rustls::Error) -> String {
    use rustls::{CertificateError, Error};
    match error {
        // The library passes this one on without its type.
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

/// The one provider of cryptography.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The certificates of a PEM text, in order.
///
/// # Errors
/// When there is none, or one is malformed.
pub fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| TlsError::Certificate)?;
    if chain.is_empty() { Err(TlsError::Certificate) } else { Ok(chain) }
}

/// A certificate chain with its key, ready to sign.
///
/// # Errors
/// When either is malformed or they do not belong together.
pub fn certified_key(cert: &str, key: &str) -> Result<CertifiedKey, TlsError> {
    let chain = certificates(cert)?;
    let private = private_key(key)?;
    Ok(CertifiedKey::from_der(chain, private, &aws_lc_rs::default_provider())?)
}

/// The private key of a PEM text, of a kind that TLS is spoken with here.
fn private_key(pem: &str) -> Result<PrivateKeyDer<'static>, TlsError> {
    let private = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| {
        let public = PublicKey::from_public_pem(pem) != Err(KeyError::Malformed);
        if public { TlsError::PublicKey } else { TlsError::Key }
    })?;
    fits_tls(PublicKey::from_private_pem(pem))?;
    Ok(private)
}

/// Checks that peers can be verified with an authority's certificate.
///
/// # Errors
/// When it cannot be read, or its key is of another kind than the library verifies with.
pub fn check_authority(pem: &str) -> Result<(), TlsError> {
    for certificate in certificates(pem)? {
        let (_, parsed) = X509Certificate::from_der(&certificate).map_err(|_| TlsError::Certificate)?;
        fits_tls(PublicKey::from_spki(parsed.tbs_certificate.subject_pki.raw))?;
        RootCertStore::empty().add(certificate)?;
    }
    Ok(())
}

fn fits_tls(key: Result<PublicKey, KeyError>) -> Result<(), TlsError> {
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

/// Whom certificates are verified with.
#[derive(Clone, Copy, Debug)]
pub struct Trusted<'a> {
    /// Authorities in PEM.
    pub authorities: &'a [&'a str],
    /// How many certificates may stand between a server's own and an authority.
    pub depth: usize,
}

/// How TLS is spoken to an upstream.
#[derive(Debug)]
pub struct ClientTls {
    /// rustls' settings.
    pub config: Arc<ClientConfig>,
    /// The same, asking for HTTP/2.
    pub http2: Arc<ClientConfig>,
    /// Equal for equal settings, across reloads.
    pub identity: String,
}

/// TLS to one server name.
#[derive(Clone, Debug)]
pub struct TlsTarget {
    /// How.
    pub profile: Arc<ClientTls>,
    /// Name asked for, and checked if certificates are.
    pub name: ServerName<'static>,
    /// What connections are pooled by: settings and name.
    pub pool: Arc<str>,
}

impl ClientTls {
    /// Settings with these trusted authorities (none: certificates are not verified) and, if given, a
    /// certificate to show.
    ///
    /// # Errors
    /// When a PEM text is malformed.
    pub fn new(trusted: Option<Trusted<'_>>, client: Option<(&str, &str)>) -> Result<Self, TlsError> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
        let algorithms = provider().signature_verification_algorithms;
        let judge = |trusted| Arc::new(Judge { trusted, algorithms });
        let builder = match trusted {
            Some(Trusted { authorities, depth }) => {
                let mut roots = RootCertStore::empty();
                for text in authorities {
                    // Of a system's bundle some may be older than any rule.
                    roots.add_parsable_certificates(certificates(text)?);
                }
                if roots.is_empty() {
                    // Nobody is trusted, which the builder below takes for a mistake.
                    builder.with_root_certificates(roots)
                } else {
                    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider());
                    let judge = judge(Some((verifier.build()?, depth)));
                    builder.dangerous().with_custom_certificate_verifier(judge)
                }
            }
            None => builder.dangerous().with_custom_certificate_verifier(judge(None)),
        };
        let config = match client {
            Some((cert, key)) => builder.with_client_auth_cert(certificates(cert)?, private_key(key)?)?,
            None => builder.with_no_client_auth(),
        };
        let named = trusted.map(|trusted| (trusted.authorities, trusted.depth));
        // Two seeds make 128 bits: settings that differ do not meet in one pool by chance.
        let half = |seed| ahash::RandomState::with_seeds(seed, 1, 2, 3).hash_one((named, client));
        let identity = format!("{:016x}{:016x}", half(11), half(12));
        let mut http2 = config.clone();
        http2.alpn_protocols = vec![b"h2".to_vec()];
        Ok(ClientTls { config: Arc::new(config), http2: Arc::new(http2), identity })
    }
}

impl TlsTarget {
    /// TLS to that name.
    pub fn new(profile: Arc<ClientTls>, host: &str) -> Option<Self> {
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).ok()?;
        let pool = format!("{}|{host}", profile.identity).into();
        Some(TlsTarget { profile, name, pool })
    }
}

/// Judges who answers: by authorities, or, as is Kong's default towards upstreams (`tls_verify` off), not at all.
#[derive(Debug)]
struct Judge {
    /// What an authority vouches for, over so many other certificates at most.
    trusted: Option<(Arc<WebPkiServerVerifier>, usize)>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match &self.trusted {
            // They come in order, each vouching for the one before: what is too far away is not looked at.
            Some((verifier, depth)) => {
                let others = &others[..others.len().min(*depth)];
                verifier.verify_server_cert(own, others, name, ocsp, now)
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

    fn file(name: &str) -> String {
        let path = format!("{}/../../tests/fixtures/keys/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).expect("a fixture")
    }

    #[test]
    fn keys_and_authorities_that_tls_cannot_use_are_refused_when_they_are_read() {
        let (short, fine) = (file("rsa1024-ca.pem"), file("p256-ca.pem"));
        let expected = "an RSA key of 1024 bits cannot be used for TLS: it takes an RSA key of 2048 to 8192 bits, a key on \
                        P-256, P-384 or P-521, or an Ed25519 key";
        for key in ["rsa1024.pkcs1.pem", "rsa1024.pkcs8.pem"] {
            let key = file(key);
            assert_eq!(certified_key(&short, &key).map(drop).unwrap_err().to_string(), expected);
            let client = ClientTls::new(None, Some((&short, &key)));
            assert_eq!(client.map(drop).unwrap_err().to_string(), expected);
        }
        assert_eq!(check_authority(&short).unwrap_err().to_string(), expected);
        for key in ["p256.sec1.pem", "p256.pkcs8.pem"] {
            assert!(certified_key(&fine, &file(key)).is_ok());
        }
        assert!(check_authority(&fine).is_ok());
        assert!(check_authority("no PEM").is_err());
        assert!(matches!(certified_key(&fine, &file("p256.spki.pem")), Err(TlsError::PublicKey)));
    }
}
