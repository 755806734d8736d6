//! What lints want to know of a certificate.

use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Facts about the first certificate of a chain.
pub struct Facts {
    /// Names it is made out to, lower case.
    pub names: Vec<String>,
    /// Seconds since 1970 at which it ends.
    pub until: i64,
    date: String,
}

impl Facts {
    /// Parses a chain in PEM. `None` if it is malformed, or a reference to a vault.
    pub fn of(pem: &str) -> Option<Facts> {
        let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).ok()?;
        let (_, certificate) = X509Certificate::from_der(&pem.contents).ok()?;
        let mut names: Vec<String> = Vec::new();
        if let Ok(Some(san)) = certificate.subject_alternative_name() {
            names.extend(san.value.general_names.iter().filter_map(|name| match name {
                GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
                _ => None,
            }));
        }
        if names.is_empty() {
            let common = certificate.subject().iter_common_name().filter_map(|n| n.as_str().ok());
            names.extend(common.map(str::to_ascii_lowercase));
        }
        let end = certificate.validity().not_after;
        let date = end.to_datetime();
        let date = format!("{}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day());
        Some(Facts { names, until: end.timestamp(), date })
    }

    /// Whether it is made out to that name, which may have a wildcard itself.
    pub fn covers(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        self.names.iter().any(|own| {
            let under = own.strip_prefix("*.").zip(name.split_once('.'));
            *own == name || under.is_some_and(|(domain, (_, rest))| domain == rest)
        })
    }

    /// Returns the first name of the certificate.
    pub fn whose(&self) -> &str {
        self.names.first().map_or("no name", String::as_str)
    }

    /// The day on which it ends.
    pub fn until_date(&self) -> &str {
        &self.date
    }
}
