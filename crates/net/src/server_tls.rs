//! TLS settings towards clients: versions, cipher suites, session resumption. Certificates are selected by the resolver
//! that the caller passes.

use std::{sync::Arc, time::Duration};

use rustls::{
    CipherSuite, ProtocolVersion, ServerConfig, ServerConnection, SupportedProtocolVersion,
    crypto::{CryptoProvider, aws_lc_rs, aws_lc_rs::Ticketer},
    server::{ResolvesServerCert, ServerSessionMemoryCache},
    version::{TLS12, TLS13},
};

use super::sessions::ExpiringSessions;

/// Returns the ALPN protocols of HTTP listeners. As nginx, includes `http/1.0` and `http/0.9`: the handshake of a client
/// that offers only those would fail otherwise.
pub fn alpn(http2: bool) -> &'static [&'static [u8]] {
    const PROTOCOLS: &[&[u8]] = &[b"h2", b"http/1.1", b"http/1.0", b"http/0.9"];
    if http2 { PROTOCOLS } else { &PROTOCOLS[1..] }
}

/// TLS settings of listeners: `ssl_cipher_suite`, `ssl_ciphers`, `ssl_protocols`, `ssl_prefer_server_ciphers`,
/// `ssl_session_*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTls {
    /// Whether TLS 1.2 is offered.
    pub tls12: bool,
    /// Whether TLS 1.3 is offered.
    pub tls13: bool,
    /// TLS 1.2 suites by OpenSSL's names; `None` enables all. TLS 1.3 suites are always enabled.
    pub suites: Option<Vec<String>>,
    /// Whether the server's order of suites takes precedence over the client's.
    pub server_order: bool,
    /// Whether sessions are resumed by tickets; otherwise by the session cache.
    pub tickets: bool,
    /// Maximum number of sessions in the cache.
    pub sessions: usize,
    /// How long a session can be resumed.
    pub session_timeout: Duration,
}

impl Default for ServerTls {
    fn default() -> Self {
        ServerTls {
            tls12: true,
            tls13: true,
            suites: None,
            server_order: false,
            tickets: true,
            sessions: 40_000,
            session_timeout: Duration::from_secs(24 * 60 * 60),
        }
    }
}

impl ServerTls {
    /// Builds the configuration for rustls. Must be built once and shared by all workers, so that a session of one can be
    /// resumed on another.
    ///
    /// # Errors
    /// Returns an error if no version with a suite is enabled.
    pub fn build_config(
        &self,
        certificates: Arc<dyn ResolvesServerCert>,
        alpn: &[&[u8]],
    ) -> Result<ServerConfig, rustls::Error> {
        let mut provider = aws_lc_rs::default_provider();
        if let Some(names) = &self.suites {
            provider.cipher_suites = select_suites(&provider, names);
        }
        let mut versions: Vec<&'static SupportedProtocolVersion> = Vec::new();
        versions.extend(self.tls13.then_some(&TLS13));
        let has_tls12_suite =
            provider.cipher_suites.iter().any(|suite| suite.version().version == TLS12.version);
        versions.extend((self.tls12 && has_tls12_suite).then_some(&TLS12));
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&versions)?
            .with_no_client_auth()
            .with_cert_resolver(certificates);
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        config.ignore_client_order = self.server_order;
        let sessions = ServerSessionMemoryCache::new(self.sessions);
        config.session_storage = Arc::new(ExpiringSessions::new(sessions, self.session_timeout));
        if self.tickets {
            config.ticketer = Arc::new(ExpiringSessions::new(Ticketer::new()?, self.session_timeout));
        }
        Ok(config)
    }
}

impl ServerTls {
    /// Returns the names in `suites` that enable nothing: they are unknown, or TLS 1.2 suites that rustls does not have.
    /// Exclusions (`!aNULL`) and names of TLS 1.3 suites, which are always enabled, are not among them.
    pub fn unsupported_suites(&self) -> Vec<&str> {
        let names = self.suites.iter().flatten().map(String::as_str);
        names
            .filter(|name| !name.is_empty() && !name.starts_with(['!', '-']) && !name.starts_with("TLS_"))
            .filter(|name| suite_by_name(name).is_none())
            .collect()
    }

    /// Returns whether TLS 1.2 is enabled and the list of suites leaves none for it.
    pub fn lacks_tls12_suites(&self) -> bool {
        let has_suite = |names: &Vec<String>| names.iter().any(|name| suite_by_name(name).is_some());
        self.tls12 && !self.suites.as_ref().is_none_or(has_suite)
    }
}

/// Returns the TLS 1.3 suites, and the named TLS 1.2 suites in the order named.
fn select_suites(provider: &CryptoProvider, names: &[String]) -> Vec<rustls::SupportedCipherSuite> {
    let all = &provider.cipher_suites;
    let tls13 = all.iter().filter(|suite| suite.version().version == TLS13.version);
    let tls12 = names.iter().filter_map(|name| {
        let suite = suite_by_name(name)?;
        all.iter().find(|supported| supported.suite() == suite)
    });
    tls13.chain(tls12).copied().collect()
}

/// TLS 1.2 suites by OpenSSL's names. Suites without forward secrecy and CBC suites are not supported.
const TLS12_SUITES: [(&str, CipherSuite); 6] = [
    ("ECDHE-ECDSA-AES128-GCM-SHA256", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-RSA-AES128-GCM-SHA256", CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-ECDSA-AES256-GCM-SHA384", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-RSA-AES256-GCM-SHA384", CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ("ECDHE-RSA-CHACHA20-POLY1305", CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
];

/// TLS 1.3 suites by OpenSSL's names.
const TLS13_SUITES: [(&str, CipherSuite); 3] = [
    ("TLS_AES_128_GCM_SHA256", CipherSuite::TLS13_AES_128_GCM_SHA256),
    ("TLS_AES_256_GCM_SHA384", CipherSuite::TLS13_AES_256_GCM_SHA384),
    ("TLS_CHACHA20_POLY1305_SHA256", CipherSuite::TLS13_CHACHA20_POLY1305_SHA256),
];

/// Returns the TLS 1.2 suite of an OpenSSL name.
fn suite_by_name(name: &str) -> Option<CipherSuite> {
    TLS12_SUITES.iter().find(|(known, _)| *known == name).map(|(_, suite)| *suite)
}

/// Returns the version and the suite of a client's session by OpenSSL's names, as nginx logs them.
pub fn session_parameters(session: &ServerConnection) -> Option<(&'static str, &'static str)> {
    let version = match session.protocol_version()? {
        ProtocolVersion::TLSv1_3 => "TLSv1.3",
        _ => "TLSv1.2",
    };
    let suite = session.negotiated_cipher_suite()?.suite();
    let known = TLS13_SUITES.iter().chain(&TLS12_SUITES).find(|(_, known)| *known == suite);
    Some((version, known.map_or("unknown", |(name, _)| *name)))
}

#[cfg(test)]
mod tests {
    use rustls::server::{ClientHello, ResolvesServerCert};

    use super::*;

    #[derive(Debug)]
    struct NoCertificate;

    impl ResolvesServerCert for NoCertificate {
        fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<rustls::sign::CertifiedKey>> {
            None
        }
    }

    #[test]
    fn suites_are_selected_by_openssl_names() {
        let names = ["AES128-SHA", "ECDHE-RSA-AES256-GCM-SHA384"].map(String::from);
        let selected = select_suites(&aws_lc_rs::default_provider(), &names);
        let tls12: Vec<_> = selected.iter().filter(|s| s.version().version == TLS12.version).collect();
        assert_eq!(tls12.len(), 1);
        assert_eq!(tls12[0].suite(), CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384);
    }

    #[test]
    fn a_version_without_a_suite_is_disabled_and_no_version_is_an_error() {
        let no_tls12_suite = ServerTls { suites: Some(vec!["AES128-SHA".into()]), ..ServerTls::default() };
        assert!(no_tls12_suite.build_config(Arc::new(NoCertificate), &[]).is_ok());
        let no_version = ServerTls { tls13: false, ..no_tls12_suite };
        assert!(no_version.build_config(Arc::new(NoCertificate), &[]).is_err());
    }
}
