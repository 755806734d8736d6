//! Server names → certificates.

use std::sync::{Arc, OnceLock};

use ahash::AHashMap;
use rustls::{SignatureScheme, sign::CertifiedKey};
use smallvec::SmallVec;

use super::{Options, compile::Problem, digest};
use model::{Certificate, Ix, State};
use net::tls::{TlsError, certified_key};
use store::Carry;

/// The certificates of a configuration, found by server name.
#[derive(Debug, Default)]
pub struct Certificates {
    exact: AHashMap<Box<str>, Shown>,
    /// `*.a.test`, filed as `.a.test`.
    leading: AHashMap<Box<str>, Shown>,
    /// `a.*`, filed as `a.`.
    trailing: AHashMap<Box<str>, Shown>,
    /// For names that are not known: `*`.
    any: Option<Shown>,
    /// Where no name is asked for, or none fits; if it is empty, one that is made here.
    default: Shown,
}

/// Certificates for the same names with keys of different kinds, the preferred one first.
type Shown = SmallVec<[Arc<CertifiedKey>; 1]>;

impl Certificates {
    /// Keys that a configuration before already had are not read again.
    pub(super) fn new(state: &State, options: &Options, carry: &Carry, problems: &mut Vec<Problem>) -> Self {
        let mut made: AHashMap<Ix<Certificate>, Shown> = AHashMap::new();
        for (ix, row) in state.certificates.iter() {
            let shown = made.entry(ix).or_default();
            match carried(carry, &row.cert, &row.key) {
                Ok(key) => shown.push(key),
                Err(error) => problems.push(refused(row, ["/cert", "/key"], &error)),
            }
            if let (Some(cert), Some(key)) = (&row.cert_alt, &row.key_alt) {
                match carried(carry, cert, key) {
                    Ok(key) => shown.push(key),
                    Err(error) => problems.push(refused(row, ["/cert_alt", "/key_alt"], &error)),
                }
            }
        }
        let mut names = Certificates { default: own(options), ..Certificates::default() };
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

    /// The certificate for a server name: the name itself, `*.rest`, `first.*`, `*`, the default. rustls
    /// hands names over in lower case. Of several the one whose key signs as the client can check.
    pub fn find(&self, name: Option<&str>, schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let shown = name.and_then(|name| self.named(name)).unwrap_or(&self.default);
        let fits = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(schemes).is_some();
        shown.iter().find(fits).or(shown.first()).cloned().or_else(made_here)
    }

    /// The certificate shown where no name is asked for.
    pub fn fallback(&self) -> Option<Arc<CertifiedKey>> {
        self.default.first().cloned().or_else(made_here)
    }

    fn named(&self, name: &str) -> Option<&Shown> {
        let exact = || self.exact.get(name);
        let leading = || name.find('.').and_then(|dot| self.leading.get(&name[dot..]));
        let trailing = || name.rfind('.').and_then(|dot| self.trailing.get(&name[..=dot]));
        exact().or_else(leading).or_else(trailing).or(self.any.as_ref())
    }
}

/// A certificate that cannot be shown, at the field that is at fault.
fn refused(row: &Certificate, [cert, key]: [&str; 2], error: &TlsError) -> Problem {
    Problem::new(row, if error.is_about_key() { key } else { cert }, error.to_string())
}

fn carried(carry: &Carry, cert: &str, key: &str) -> Result<Arc<CertifiedKey>, TlsError> {
    carry.try_get_or(&digest([cert, key]), || certified_key(cert, key))
}

/// The node's own certificates.
fn own(options: &Options) -> Shown {
    // The settings were checked when they were read.
    let made = options.certificates.iter().filter_map(|(cert, key)| certified_key(cert, key).ok());
    made.map(Arc::new).collect()
}

/// A certificate signed by itself, once to a process, when it is first needed: randomness takes its time.
fn made_here() -> Option<Arc<CertifiedKey>> {
    static MADE: OnceLock<Option<Arc<CertifiedKey>>> = OnceLock::new();
    let make = || {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).ok()?;
        certified_key(&made.cert.pem(), &made.signing_key.serialize_pem()).ok().map(Arc::new)
    };
    MADE.get_or_init(make).clone()
}
