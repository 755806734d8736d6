//! Server names → certificates.

use std::sync::{Arc, OnceLock};

use ahash::AHashMap;
use rustls::sign::CertifiedKey;

use super::{Options, compile::Problem};
use crate::{
    model::{Certificate, Ix, State},
    net::tls::certified_key,
};

/// The certificates of a configuration, found by server name.
#[derive(Debug, Default)]
pub struct Certificates {
    exact: AHashMap<Box<str>, Arc<CertifiedKey>>,
    /// `*.a.test`, filed as `.a.test`.
    leading: AHashMap<Box<str>, Arc<CertifiedKey>>,
    /// `a.*`, filed as `a.`.
    trailing: AHashMap<Box<str>, Arc<CertifiedKey>>,
    /// For names that are not known: `*`.
    any: Option<Arc<CertifiedKey>>,
    /// Where no name is asked for, or none fits.
    default: Option<Arc<CertifiedKey>>,
}

impl Certificates {
    pub(super) fn new(state: &State, options: &Options, problems: &mut Vec<Problem>) -> Self {
        let mut made: AHashMap<Ix<Certificate>, Arc<CertifiedKey>> = AHashMap::new();
        for (ix, row) in state.certificates.iter() {
            match certified_key(&row.cert, &row.key) {
                Ok(key) => drop(made.insert(ix, Arc::new(key))),
                Err(error) => problems.push(Problem::new(row, "/cert", error.to_string())),
            }
        }
        let mut names = Certificates { default: default(options), ..Certificates::default() };
        for sni in state.snis.rows() {
            let Some(key) = state.certificates.find(sni.certificate).and_then(|ix| made.get(&ix)) else {
                continue;
            };
            let name = sni.name.trim_end_matches('.').to_ascii_lowercase();
            let key = Arc::clone(key);
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
    /// hands names over in lower case.
    pub fn find(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        name.and_then(|name| self.named(name)).or(self.default.as_ref()).cloned()
    }

    fn named(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        let exact = || self.exact.get(name);
        let leading = || name.find('.').and_then(|dot| self.leading.get(&name[dot..]));
        let trailing = || name.rfind('.').and_then(|dot| self.trailing.get(&name[..=dot]));
        exact().or_else(leading).or_else(trailing).or(self.any.as_ref())
    }
}

/// The node's own certificate, or one made here: signed by itself, once to a process.
fn default(options: &Options) -> Option<Arc<CertifiedKey>> {
    if let Some((cert, key)) = &options.certificate {
        return certified_key(cert, key).ok().map(Arc::new);
    }
    static MADE: OnceLock<Option<Arc<CertifiedKey>>> = OnceLock::new();
    MADE.get_or_init(|| {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).ok()?;
        certified_key(&made.cert.pem(), &made.signing_key.serialize_pem()).ok().map(Arc::new)
    })
    .clone()
}
