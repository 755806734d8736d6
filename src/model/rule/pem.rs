//! Rules for certificates and keys in PEM.

use rustls::pki_types::{CertificateDer, PrivateKeyDer, SubjectPublicKeyInfoDer, pem::PemObject};
use x509_parser::prelude::{FromDer, X509Certificate};

/// A chain of certificates.
pub fn certificate(value: &str) -> Result<(), String> {
    let der = first(value).map_err(|e| format!("invalid certificate: {e}"))?;
    X509Certificate::from_der(&der).map(drop).map_err(|e| format!("invalid certificate: {e}"))
}

/// A private or public key.
pub fn key(value: &str) -> Result<(), String> {
    if private(value).is_ok() || public(value).is_some() {
        return Ok(());
    }
    Err("invalid key: no private or public key in PEM form".to_owned())
}

/// A public key, or a private one that it can be taken from.
pub fn public_key(value: &str) -> Result<(), String> {
    key(value).map_err(|_| "invalid key".to_owned())
}

/// The certificates of a text.
///
/// # Errors
/// When there is none, or the text is broken.
pub fn chain(value: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(value.as_bytes()).collect();
    match found {
        Ok(list) if list.is_empty() => Err("no certificate in PEM form".to_owned()),
        Ok(list) => Ok(list),
        Err(e) => Err(e.to_string()),
    }
}

fn first(value: &str) -> Result<CertificateDer<'static>, String> {
    chain(value).map(|mut list| list.swap_remove(0))
}

fn private(value: &str) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(value.as_bytes()).map_err(|e| e.to_string())
}

/// The public key (SubjectPublicKeyInfo) that stands in a text by itself.
fn public(value: &str) -> Option<Vec<u8>> {
    let spki = SubjectPublicKeyInfoDer::from_pem_slice(value.as_bytes()).ok()?;
    Some(spki.as_ref().to_vec())
}

/// Whether a text holds a private key.
pub fn is_private_key(value: &str) -> bool {
    private(value).is_ok()
}

/// Whether a text holds a public key.
pub fn is_public_key(value: &str) -> bool {
    public(value).is_some()
}

/// The public key that belongs to the key in a text; none when the key is of a kind that the TLS library
/// does not use.
fn public_of(value: &str) -> Option<Vec<u8>> {
    if let Some(spki) = public(value) {
        return Some(spki);
    }
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&private(value).ok()?).ok()?;
    key.public_key().map(|spki| spki.as_ref().to_vec())
}

/// Whether two keys belong together, as far as that can be told.
pub fn keys_fit(public: &str, private: &str) -> bool {
    match (public_of(public), public_of(private)) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    }
}

/// Whether a key belongs to a certificate, as far as that can be told.
pub fn key_fits(cert: &str, key: &str) -> bool {
    let Ok(der) = first(cert) else { return true };
    let Ok((_, parsed)) = X509Certificate::from_der(&der) else { return true };
    public_of(key).is_none_or(|spki| spki == parsed.tbs_certificate.subject_pki.raw)
}

/// Whether the keys of two certificates are of one kind, such as RSA.
pub fn same_key_type(one: &str, other: &str) -> bool {
    let kind = |text: &str| {
        let der = first(text).ok()?;
        let (_, parsed) = X509Certificate::from_der(&der).ok()?;
        Some(parsed.tbs_certificate.subject_pki.algorithm.algorithm.to_id_string())
    };
    matches!((kind(one), kind(other)), (Some(a), Some(b)) if a == b)
}

/// What is wrong with the certificate of an authority; `now` in seconds since 1970.
///
/// # Errors
/// In the format's words, when there is not exactly one, it has expired, or it is not one of an authority.
pub fn authority(cert: &str, now: i64) -> Result<(), &'static str> {
    let Ok(list) = chain(cert) else { return Ok(()) };
    if list.len() != 1 {
        return Err("please submit only one certificate at a time");
    }
    let Ok((_, parsed)) = X509Certificate::from_der(&list[0]) else { return Ok(()) };
    if parsed.validity().not_after.timestamp() < now {
        return Err("certificate expired, \"Not After\" time is in the past");
    }
    if !parsed.is_ca() {
        return Err(
            "certificate does not appear to be a CA because it is missing the \"CA\" basic constraint",
        );
    }
    Ok(())
}

/// SHA-256 of the first certificate of a text, lower-case hex.
pub fn digest(cert: &str) -> Option<String> {
    let der = first(cert).ok()?;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &der);
    Some(digest.as_ref().iter().map(|b| format!("{b:02x}")).collect())
}
