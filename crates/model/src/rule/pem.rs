//! Rules for certificates and keys in PEM.

use rustls::pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject},
};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::public_key::{KeyError, KeyKind, PublicKey};

/// A chain of certificates.
pub fn certificate(value: &str) -> Result<(), String> {
    let der = first(value).map_err(|e| format!("invalid certificate: {e}"))?;
    let parsed = X509Certificate::from_der(&der);
    parsed.map(drop).map_err(|_| "invalid certificate: it is not an X.509 certificate".to_owned())
}

/// A private or public key.
pub fn key(value: &str) -> Result<(), String> {
    if is_private_key(value) || is_public_key(value) {
        return Ok(());
    }
    if value.contains("ENCRYPTED") {
        return Err("invalid key: it is encrypted".to_owned());
    }
    Err("invalid key: no private or public key in PEM form".to_owned())
}

/// A public key, a private one that has it, or a JWK: what Kong's OpenSSL reads. Whether the key can be used here is
/// for the rule of its entity.
pub fn public_key(value: &str) -> Result<(), String> {
    match PublicKey::parse(value) {
        Err(KeyError::Malformed) => Err("invalid key".to_owned()),
        Ok(_) | Err(KeyError::Unsupported(_)) => Ok(()),
    }
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
        Err(e) => Err(in_words(&e)),
    }
}

/// Why a text is not PEM, without the bytes that the reader quotes.
fn in_words(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "its last line, `-----END …-----`, is missing",
        pem::Error::IllegalSectionStart { .. } => "its first line is not `-----BEGIN CERTIFICATE-----` alone",
        pem::Error::Base64Decode(_) => "what stands between its first and last line is not base64",
        _ => "no certificate in PEM form",
    }
    .to_owned()
}

/// What a field in PEM takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Certificate,
    PrivateKey,
    PublicKey,
}

impl Wanted {
    /// What the rule takes that refused a text with these words.
    fn by(refusal: &str) -> Option<Self> {
        match refusal {
            _ if refusal.starts_with("invalid certificate: ") => Some(Wanted::Certificate),
            _ if refusal.starts_with("invalid key: ") => Some(Wanted::PrivateKey),
            "invalid key" => Some(Wanted::PublicKey),
            _ => None,
        }
    }

    /// Its name in PEM.
    fn label(self) -> &'static str {
        match self {
            Wanted::Certificate => "CERTIFICATE",
            Wanted::PrivateKey => "PRIVATE KEY",
            Wanted::PublicKey => "PUBLIC KEY",
        }
    }
}

/// What to write in place of a certificate or key that a rule refused with these words, from what is usually done to
/// them on the way into a file. Does not repeat the text.
pub fn advice(value: &str, refusal: &str, json: bool) -> Option<String> {
    let wanted = Wanted::by(refusal)?;
    let what = wanted.label();
    // Blocks are YAML's.
    let lines = if json { "as one text, with `\\n` for each line break" } else { "as a block after `|`" };
    let fixed = |text: &str| Some(text.to_owned());
    let bare = value.trim();
    if bare.starts_with(BASE64_OF_PEM) {
        return fixed("it is base64 once more: decode it with `base64 -d`");
    }
    if bare.starts_with("MII") && bare.len() < 100_000 {
        return Some(format!(
            "its first and last line are missing: `-----BEGIN {what}-----`, and the same with `END`"
        ));
    }
    if !value.contains("-----BEGIN ") {
        return match value.len() < 512 && (value.starts_with(['/', '.']) || value.contains(".pem")) {
            true => Some(format!("write the text of the file, not its name, {lines}")),
            false => Some(format!("write all of the file, from `-----BEGIN {what}-----` on, {lines}")),
        };
    }
    if value.contains("\\n") {
        return match json {
            true => fixed("`\\\\n` is no line break: write `\\n`"),
            false => fixed(
                "`\\n` is a line break only in double quotes: use these, or write the lines as a block after `|`",
            ),
        };
    }
    if !bare.contains('\n') {
        return match json {
            true => Some(format!("its line breaks were lost: write it {lines}")),
            false => {
                fixed("its line breaks were lost: write the lines as a block after `|` (`>` joins them)")
            }
        };
    }
    let certificate = value.contains("-----BEGIN CERTIFICATE-----");
    match wanted {
        _ if value.contains("CERTIFICATE REQUEST-----") => {
            fixed("this is a request for a certificate; write the certificate that was issued for it")
        }
        Wanted::Certificate if value.contains("PRIVATE KEY-----") => {
            fixed("this is a private key: it belongs in `key`")
        }
        Wanted::PrivateKey if certificate => fixed("this is a certificate: it belongs in `cert`"),
        Wanted::PublicKey if certificate => fixed(
            "this is a certificate: write its public key, which `openssl x509 -pubkey -noout -in FILE` prints",
        ),
        Wanted::PublicKey if value.contains("ENCRYPTED") => {
            fixed("this is a private key: write the public one, which `openssl pkey -pubout -in FILE` prints")
        }
        _ if value.contains("OPENSSH PRIVATE KEY-----") => {
            fixed("this is OpenSSH's own form: convert the key with `ssh-keygen -p -m PEM -f FILE`")
        }
        _ if value.contains("ENCRYPTED") => fixed("decrypt it with `openssl pkey -in FILE`"),
        _ if !value.contains("-----END ") => {
            Some(format!("add the line `-----END {what}-----`, and see whether more was cut off"))
        }
        _ => fixed("a part of it is missing or changed: copy the whole file again"),
    }
}

/// What base64 makes of the dashes that PEM begins with.
const BASE64_OF_PEM: &str = "LS0tLS1";

fn first(value: &str) -> Result<CertificateDer<'static>, String> {
    chain(value).map(|mut list| list.swap_remove(0))
}

fn private(value: &str) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(value.as_bytes()).map_err(|e| e.to_string())
}

/// Whether a text holds a private key.
pub fn is_private_key(value: &str) -> bool {
    private(value).is_ok()
}

/// Whether a text holds a public key.
pub fn is_public_key(value: &str) -> bool {
    PublicKey::from_public_pem(value).is_ok()
}

/// Whether two keys belong together, as far as that can be found out.
pub fn keys_fit(public: &str, private: &str) -> bool {
    match (PublicKey::parse(public), PublicKey::parse(private)) {
        (Ok(a), Ok(b)) => belong_together(&a, &b),
        _ => true,
    }
}

/// Keys of other kinds are not brought into one form: they are not compared.
fn belong_together(a: &PublicKey, b: &PublicKey) -> bool {
    a.kind == KeyKind::Other || b.kind == KeyKind::Other || (a.kind, &a.bytes) == (b.kind, &b.bytes)
}

/// Whether a key belongs to a certificate, as far as that can be found out.
pub fn key_fits(cert: &str, key: &str) -> bool {
    let Ok(der) = first(cert) else { return true };
    let Ok((_, parsed)) = X509Certificate::from_der(&der) else { return true };
    match (PublicKey::from_spki(parsed.tbs_certificate.subject_pki.raw), PublicKey::parse(key)) {
        (Ok(a), Ok(b)) => belong_together(&a, &b),
        _ => true,
    }
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
