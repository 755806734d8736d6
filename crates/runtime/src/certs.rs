//! Certificate selection by server name.

use std::sync::{Arc, OnceLock};

use ahash::AHashMap;
use rustls::{SignatureScheme, sign::CertifiedKey};
use smallvec::SmallVec;

use super::{Options, compile::CompileError, digest};
use model::{Certificate, Ix, State};
use net::tls::{TlsError, parse_certified_key};
use store::SharedResources;

/// The certificates of a configuration, by server name.
#[derive(Debug, Default)]
pub struct Certificates {
    exact: AHashMap<Box<str>, CertSet>,
    /// `*.a.test`, with key `.a.test`.
    leading: AHashMap<Box<str>, CertSet>,
    /// `a.*`, with key `a.`.
    trailing: AHashMap<Box<str>, CertSet>,
    /// For names without a match: `*`.
    any: Option<CertSet>,
    /// For clients without SNI, or without a match; if empty, the self-signed fallback is used.
    default: CertSet,
}

/// Certificates for the same names with different key types, in order of preference.
type CertSet = SmallVec<[Arc<CertifiedKey>; 1]>;

impl Certificates {
    /// Compiles the certificates. Keys that the previous configuration contains are not parsed again.
    pub(super) fn new(
        state: &State,
        options: &Options,
        carry: &SharedResources,
        errors: &mut Vec<CompileError>,
    ) -> Self {
        let mut made: AHashMap<Ix<Certificate>, CertSet> = AHashMap::new();
        for (ix, row) in state.certificates.iter() {
            let set = made.entry(ix).or_default();
            match parse_or_reuse(carry, &row.cert, &row.key) {
                Ok(key) => set.push(key),
                Err(error) => errors.push(certificate_error(row, ["/cert", "/key"], &error)),
            }
            if let (Some(cert), Some(key)) = (&row.cert_alt, &row.key_alt) {
                match parse_or_reuse(carry, cert, key) {
                    Ok(key) => set.push(key),
                    Err(error) => errors.push(certificate_error(row, ["/cert_alt", "/key_alt"], &error)),
                }
            }
        }
        let mut names = Certificates { default: default_certificates(options), ..Certificates::default() };
        for sni in state.snis.rows() {
            let Some(key) = state.certificates.find(sni.certificate).and_then(|ix| made.get(&ix)) else {
                continue;
            };
            let name = sni.name.trim_end_matches('.').to_ascii_lowercase();
            let key = key.clone();
            if name == "*" {
                names.any = Some(key);
            } else if let Some(rest) = name.strip_prefix('*') {
                names.leading.insert(rest.into(), key);
            } else if let Some(rest) = name.strip_suffix('*') {
                names.trailing.insert(rest.into(), key);
            } else {
                names.exact.insert(name.into(), key);
            }
        }
        names
    }

    /// Selects the certificate for a server name: the name itself, `*.rest`, `first.*`, `*`, the default. rustls passes
    /// names in lower case. Of several, the first one that supports a signature scheme of the client is selected.
    pub fn find(&self, name: Option<&str>, schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let set = name.and_then(|name| self.named(name)).unwrap_or(&self.default);
        let fits = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(schemes).is_some();
        set.iter().find(fits).or(set.first()).cloned().or_else(self_signed_fallback)
    }

    /// Returns the certificate for clients without SNI.
    pub fn fallback(&self) -> Option<Arc<CertifiedKey>> {
        self.default.first().cloned().or_else(self_signed_fallback)
    }

    fn named(&self, name: &str) -> Option<&CertSet> {
        let exact = || self.exact.get(name);
        let leading = || name.find('.').and_then(|dot| self.leading.get(&name[dot..]));
        let trailing = || name.rfind('.').and_then(|dot| self.trailing.get(&name[..=dot]));
        exact().or_else(leading).or_else(trailing).or(self.any.as_ref())
    }
}

/// Creates the error of an unusable certificate, at the field that caused it.
fn certificate_error(row: &Certificate, [cert, key]: [&str; 2], error: &TlsError) -> CompileError {
    CompileError::new(row, if error.is_about_key() { key } else { cert }, error.to_string())
}

fn parse_or_reuse(carry: &SharedResources, cert: &str, key: &str) -> Result<Arc<CertifiedKey>, TlsError> {
    carry.try_get_or_create(&digest([cert, key]), || parse_certified_key(cert, key))
}

/// Parses the certificates of the node's settings.
fn default_certificates(options: &Options) -> CertSet {
    // The settings were validated when they were loaded.
    let made = options.certificates.iter().filter_map(|(cert, key)| parse_certified_key(cert, key).ok());
    made.map(Arc::new).collect()
}

/// Returns the self-signed certificate of this process, generated on first use, since generation takes time.
fn self_signed_fallback() -> Option<Arc<CertifiedKey>> {
    static MADE: OnceLock<Option<Arc<CertifiedKey>>> = OnceLock::new();
    let make = || {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).ok()?;
        parse_certified_key(&made.cert.pem(), &made.signing_key.serialize_pem()).ok().map(Arc::new)
    };
    MADE.get_or_init(make).clone()
}
