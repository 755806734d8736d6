//! How TLS is spoken to clients: versions, cipher suites, resumption. Which certificate is shown is not
//! decided here.

use std::{sync::Arc, time::Duration};

use rustls::{
    CipherSuite, ServerConfig, SupportedProtocolVersion,
    crypto::{CryptoProvider, aws_lc_rs, aws_lc_rs::Ticketer},
    server::{ResolvesServerCert, ServerSessionMemoryCache},
    version::{TLS12, TLS13},
};

use super::sessions::Timed;

/// What HTTP listeners offer in ALPN. `http/1.0` and `http/0.9` are no protocols of their own: nginx lists them for
/// clients that offer nothing else, whose handshake would fail without.
pub fn alpn(http2: bool) -> &'static [&'static [u8]] {
    const OFFERED: &[&[u8]] = &[b"h2", b"http/1.1", b"http/1.0", b"http/0.9"];
    if http2 { OFFERED } else { &OFFERED[1..] }
}

/// Settings `ssl_cipher_suite`, `ssl_ciphers`, `ssl_protocols`, `ssl_prefer_server_ciphers`,
/// `ssl_session_*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTls {
    /// Whether TLS 1.2 is offered.
    pub tls12: bool,
    /// Whether TLS 1.3 is offered.
    pub tls13: bool,
    /// Suites of TLS 1.2 by OpenSSL's names; none: all there are. TLS 1.3 has its own, always on.
    pub suites: Option<Vec<String>>,
    /// Whether our order of suites goes before the client's.
    pub server_order: bool,
    /// Whether sessions are resumed by tickets; otherwise by an entry in the node's memory.
    pub tickets: bool,
    /// Sessions remembered.
    pub sessions: usize,
    /// How long one may be resumed.
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
    /// rustls' settings. To be made once and shared, so that a session begun on one thread is resumed on
    /// another.
    ///
    /// # Errors
    /// When no version or no suite of a version is left.
    pub fn config(
        &self,
        certificates: Arc<dyn ResolvesServerCert>,
        alpn: &[&[u8]],
    ) -> Result<ServerConfig, rustls::Error> {
        let mut provider = aws_lc_rs::default_provider();
        if let Some(wanted) = &self.suites {
            provider.cipher_suites = suites(&provider, wanted);
        }
        let mut versions: Vec<&'static SupportedProtocolVersion> = Vec::new();
        versions.extend(self.tls13.then_some(&TLS13));
        let any12 = provider.cipher_suites.iter().any(|suite| suite.version().version == TLS12.version);
        versions.extend((self.tls12 && any12).then_some(&TLS12));
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&versions)?
            .with_no_client_auth()
            .with_cert_resolver(certificates);
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        config.ignore_client_order = self.server_order;
        let sessions = ServerSessionMemoryCache::new(self.sessions);
        config.session_storage = Arc::new(Timed::new(sessions, self.session_timeout));
        if self.tickets {
            config.ticketer = Arc::new(Timed::new(Ticketer::new()?, self.session_timeout));
        }
        Ok(config)
    }
}

/// The suites of TLS 1.3, and of those of TLS 1.2 the ones named, in the order named.
fn suites(provider: &CryptoProvider, wanted: &[String]) -> Vec<rustls::SupportedCipherSuite> {
    let all = &provider.cipher_suites;
    let newer = all.iter().filter(|suite| suite.version().version == TLS13.version);
    let named = wanted.iter().filter_map(|name| {
        let suite = suite(name)?;
        all.iter().find(|has| has.suite() == suite)
    });
    newer.chain(named).copied().collect()
}

/// OpenSSL's name for a suite of TLS 1.2. What is not here is not offered: no forward secrecy, or CBC.
fn suite(name: &str) -> Option<CipherSuite> {
    use CipherSuite::*;
    Some(match name {
        "ECDHE-ECDSA-AES128-GCM-SHA256" => TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        "ECDHE-RSA-AES128-GCM-SHA256" => TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        "ECDHE-ECDSA-AES256-GCM-SHA384" => TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        "ECDHE-RSA-AES256-GCM-SHA384" => TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        "ECDHE-ECDSA-CHACHA20-POLY1305" => TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        "ECDHE-RSA-CHACHA20-POLY1305" => TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use rustls::server::{ClientHello, ResolvesServerCert};

    use super::*;

    #[derive(Debug)]
    struct Nobody;

    impl ResolvesServerCert for Nobody {
        fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<rustls::sign::CertifiedKey>> {
            None
        }
    }

    #[test]
    fn suites_are_chosen_by_openssl_s_names() {
        let wanted = ["AES128-SHA", "ECDHE-RSA-AES256-GCM-SHA384"].map(String::from);
        let chosen = suites(&aws_lc_rs::default_provider(), &wanted);
        let old: Vec<_> = chosen.iter().filter(|s| s.version().version == TLS12.version).collect();
        assert_eq!(old.len(), 1);
        assert_eq!(old[0].suite(), CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384);
    }

    #[test]
    fn a_version_without_a_suite_is_not_offered_and_no_version_is_an_error() {
        let none = ServerTls { suites: Some(vec!["AES128-SHA".into()]), ..ServerTls::default() };
        assert!(none.config(Arc::new(Nobody), &[]).is_ok());
        let only12 = ServerTls { tls13: false, ..none };
        assert!(only12.config(Arc::new(Nobody), &[]).is_err());
    }
}
