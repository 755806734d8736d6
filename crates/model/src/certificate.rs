//! Certificates, the server names they are shown for, and the authorities that are trusted.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Ref, Set, Timestamp, field};
use source::NodeId;

/// A certificate with its private key, in PEM.
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(extend("x-entity-checks" = [
    {"all_or_none_of": ["cert_alt", "key_alt"]},
    {"custom": "key_fits", "fields": ["cert", "key"]},
    {"custom": "key_alt_fits", "fields": ["cert_alt", "key_alt"]},
    {"custom": "key_types_differ", "fields": ["cert", "cert_alt"]},
]))]
pub struct Certificate {
    /// Id; random if absent.
    #[serde(default)]
    #[schemars(with = "field::Id")]
    pub id: Uuid,
    /// Certificate chain.
    #[schemars(with = "field::CertificatePem")]
    pub cert: String,
    /// Private key.
    #[schemars(with = "field::KeyPem")]
    pub key: String,
    /// A second chain, of another key type.
    #[schemars(with = "Option<field::CertificatePem>")]
    pub cert_alt: Option<String>,
    /// Its key.
    #[schemars(with = "Option<field::KeyPem>")]
    pub key_alt: Option<String>,
    /// Free labels.
    #[schemars(with = "Option<Set<field::Tag>>")]
    pub tags: Option<Set<String>>,
    /// When it was made.
    #[serde(default, deserialize_with = "field::or_default")]
    #[schemars(with = "Option<field::Created>")]
    pub created_at: Timestamp,
    /// When it was last loaded.
    #[serde(default, deserialize_with = "field::ignored")]
    #[schemars(with = "field::Updated")]
    pub updated_at: Timestamp,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Option<NodeId>,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A certificate authority to verify peers with.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(extend("x-entity-checks" = [{"custom": "authority", "fields": ["cert"]}]))]
pub struct CaCertificate {
    /// Id; random if absent.
    #[serde(default)]
    #[schemars(with = "field::Id")]
    pub id: Uuid,
    /// The certificate, one, in PEM.
    #[schemars(with = "field::PlainCertificatePem")]
    pub cert: String,
    /// SHA-256 of the certificate, hex.
    pub cert_digest: Option<String>,
    /// Free labels.
    #[schemars(with = "Option<Set<field::Tag>>")]
    pub tags: Option<Set<String>>,
    /// When it was made.
    #[serde(default, deserialize_with = "field::or_default")]
    #[schemars(with = "Option<field::Created>")]
    pub created_at: Timestamp,
    /// When it was last loaded.
    #[serde(default, deserialize_with = "field::ignored")]
    #[schemars(with = "field::Updated")]
    pub updated_at: Timestamp,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Option<NodeId>,
}

/// A server name and the certificate shown for it.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Sni {
    /// Id; derived from the name if absent.
    #[serde(default)]
    #[schemars(with = "field::Id")]
    pub id: Uuid,
    /// The name, with a wildcard at one end at most.
    #[schemars(with = "field::WildcardServerName")]
    pub name: String,
    /// The certificate.
    #[serde(default)]
    pub certificate: Ref<Certificate>,
    /// Free labels.
    #[schemars(with = "Option<Set<field::Tag>>")]
    pub tags: Option<Set<String>>,
    /// When it was made.
    #[serde(default, deserialize_with = "field::or_default")]
    #[schemars(with = "Option<field::Created>")]
    pub created_at: Timestamp,
    /// When it was last loaded.
    #[serde(default, deserialize_with = "field::ignored")]
    #[schemars(with = "field::Updated")]
    pub updated_at: Timestamp,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Option<NodeId>,
}
