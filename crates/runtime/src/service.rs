//! Compiled services, and TLS settings towards upstreams.

use std::{sync::Arc, time::Duration};

use ahash::AHashMap;
use http::HeaderValue;
use uuid::Uuid;

use super::{Options, compile::CompileError, digest};
use model::{Certificate, Ref, Service, ServiceProtocol, State};
use net::tls::{ClientTls, TlsError, TlsTarget, TrustRoots, check_ca_certificate};
use store::SharedResources;
use upstream::{Destination, host_header};

/// A compiled service.
#[derive(Debug)]
pub struct ServiceEntry {
    /// Destination of requests.
    pub destination: Destination,
    /// Host header: the service's host and port. The target of a balanced destination takes precedence.
    pub host: HeaderValue,
    /// TLS settings; `None` without TLS.
    pub tls: Option<Arc<ClientTls>>,
    /// TLS parameters for the service's host, precomputed for all requests.
    pub tls_target: Option<TlsTarget>,
    /// Path that is prepended to the request's.
    pub path: Box<str>,
    /// Number of retries.
    pub retries: u32,
    /// Time limit to connect.
    pub connect_timeout: Duration,
    /// Time limit between two writes.
    pub write_timeout: Duration,
    /// Time limit between two reads.
    pub read_timeout: Duration,
    /// Whether the protocol is gRPC.
    pub grpc: bool,
}

impl ServiceEntry {
    pub(super) fn new(service: &Service, destination: Destination, tls: Option<Arc<ClientTls>>) -> Self {
        let default_port = if uses_tls(service) { 443 } else { 80 };
        let port = match destination {
            Destination::Balanced(_) => default_port,
            _ => service.port,
        };
        let millis = |value: Option<u32>| Duration::from_millis(u64::from(value.unwrap_or(60_000)));
        ServiceEntry {
            host: host_header(&service.host, port, default_port),
            tls_target: tls.clone().and_then(|tls| TlsTarget::new(tls, &service.host)),
            tls,
            path: service.path.as_deref().unwrap_or("/").into(),
            retries: service.retries.unwrap_or(5),
            connect_timeout: millis(service.connect_timeout),
            write_timeout: millis(service.write_timeout),
            read_timeout: millis(service.read_timeout),
            grpc: matches!(service.protocol, ServiceProtocol::Grpc | ServiceProtocol::Grpcs),
            destination,
        }
    }
}

fn uses_tls(service: &Service) -> bool {
    matches!(service.protocol, ServiceProtocol::Https | ServiceProtocol::Grpcs | ServiceProtocol::Tls)
}

/// Cache of TLS settings: services with equal settings share them, and they are reused across reloads.
#[derive(Debug)]
pub struct TlsProfiles<'c> {
    carry: &'c SharedResources,
    made: AHashMap<(Option<(Vec<Uuid>, u32)>, Option<Uuid>), Arc<ClientTls>>,
}

impl<'c> TlsProfiles<'c> {
    pub fn new(carry: &'c SharedResources) -> Self {
        TlsProfiles { carry, made: AHashMap::new() }
    }

    /// Returns the TLS settings of a service. `None` if it does not use TLS, or they are not valid.
    pub fn of(
        &mut self,
        service: &Service,
        state: &State,
        options: &Options,
        errors: &mut Vec<CompileError>,
    ) -> Option<Arc<ClientTls>> {
        let made = uses_tls(service).then(|| self.get(service, state, options))?;
        made.map_err(|error| errors.push(CompileError::new(service, "/tls_verify", error.to_string()))).ok()
    }

    fn get(
        &mut self,
        service: &Service,
        state: &State,
        options: &Options,
    ) -> Result<Arc<ClientTls>, TlsError> {
        let upstream = state.upstreams.by_name(&service.host).map(|ix| &state.upstreams[ix]);
        let certificate: Option<Ref<Certificate>> =
            service.client_certificate.or_else(|| upstream.and_then(|u| u.client_certificate));
        let verify = service.tls_verify.unwrap_or(options.verify_upstreams);
        let depth = service.tls_verify_depth.unwrap_or(options.verify_depth);
        let authorities = verify.then(|| (service.ca_certificates.clone().unwrap_or_default(), depth));
        let key = (authorities, certificate.map(|r| r.id));
        if let Some(made) = self.made.get(&key) {
            return Ok(Arc::clone(made));
        }
        let own: Option<Vec<&str>> = key.0.as_ref().map(|(ids, _)| {
            let rows = ids.iter().filter_map(|id| state.ca_certificates.by_id(*id));
            rows.map(|ix| state.ca_certificates[ix].cert.as_str()).collect()
        });
        let is_own = own.as_ref().is_some_and(|own| !own.is_empty());
        let trusted: Option<Vec<&str>> = own.map(|own| match own.is_empty() {
            true => options.trusted_authorities.as_deref().into_iter().collect(),
            false => own,
        });
        let trusted =
            trusted.as_deref().map(|authorities| TrustRoots { authorities, max_depth: depth as usize });
        let row = certificate.and_then(|r| state.certificates.find(r)).map(|ix| &state.certificates[ix]);
        let shown = row
            .map(|c| (c.cert.as_str(), c.key.as_str()))
            .or_else(|| options.client_certificate.as_ref().map(|(cert, key)| (cert.as_str(), key.as_str())));
        let verified = trusted.map_or_else(String::new, |trusted| trusted.max_depth.to_string());
        let authorities = trusted.iter().flat_map(|trusted| trusted.authorities).copied();
        let (cert, private) = shown.unwrap_or_default();
        let content = digest([&*verified, cert, private].into_iter().chain(authorities));
        let made = self.carry.try_get_or_create(&content, || {
            // The node's bundle may contain old certificates that fail the check; those of a configuration must pass.
            if let Some(trusted) = trusted.filter(|_| is_own) {
                trusted.authorities.iter().try_for_each(|authority| check_ca_certificate(authority))?;
            }
            ClientTls::new(trusted, shown)
        })?;
        self.made.insert(key, Arc::clone(&made));
        Ok(made)
    }
}
