//! Certificates, the server names they are shown for, and the authorities that are trusted.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Ref, Set, Timestamp, table::row};
use crate::source::NodeId;

/// A certificate with its private key, in PEM.
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// Id; random if absent.
    pub id: Uuid,
    /// Certificate chain.
    pub cert: String,
    /// Private key.
    pub key: String,
    /// A second chain, of another key type.
    pub cert_alt: Option<String>,
    /// Its key.
    pub key_alt: Option<String>,
    /// Free labels.
    pub tags: Option<Set<String>>,
    /// When it was made.
    #[serde(default)]
    pub created_at: Timestamp,
    /// When it was last loaded.
    #[serde(default)]
    pub updated_at: Timestamp,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Option<NodeId>,
}
row!(Certificate, "certificates", -);

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A certificate authority to verify peers with.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaCertificate {
    /// Id; random if absent.
    pub id: Uuid,
    /// The certificate, one, in PEM.
    pub cert: String,
    /// SHA-256 of the certificate, hex.
    pub cert_digest: Option<String>,
    /// Free labels.
    pub tags: Option<Set<String>>,
    /// When it was made.
    #[serde(default)]
    pub created_at: Timestamp,
    /// When it was last loaded.
    #[serde(default)]
    pub updated_at: Timestamp,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Option<NodeId>,
}
row!(CaCertificate, "ca_certificates", -);

/// A server name and the certificate shown for it.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sni {
    /// Id; derived from the name if absent.
    pub id: Uuid,
    /// The name, with a wildcard at one end at most.
    pub name: String,
    /// The certificate.
    pub certificate: Ref<Certificate>,
    /// Free labels.
    pub tags: Option<Set<String>>,
    /// When it was made.
    #[serde(default)]
    pub created_at: Timestamp,
    /// When it was last loaded.
    #[serde(default)]
    pub updated_at: Timestamp,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Option<NodeId>,
}
row!(Sni, "snis", name);
