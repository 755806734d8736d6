//! Where services lead: address, and shares of targets where there is an upstream.

use std::collections::BTreeMap;

use serde::Serialize;

use super::side::{Side, service_label};
use model::{Row, Service, State};

/// A service whose requests are sent elsewhere, or otherwise.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DestinationChange {
    /// The service.
    pub service: String,
    /// Before.
    pub before: Destination,
    /// After.
    pub after: Destination,
}

/// Where a service leads.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Destination {
    /// The service's address as a URL.
    pub url: String,
    /// Whether the upstream's certificate is verified; none: as the node does, or clear text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
    /// The targets of its upstream; empty where the host is a name of its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<Share>,
}

/// A target's part of the requests.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Share {
    /// Address.
    pub target: String,
    /// Percent of the requests, while all targets are well.
    pub percent: f64,
}

/// Compares services that both sides have.
pub fn changes(old: &Side<'_>, new: &Side<'_>) -> Vec<DestinationChange> {
    let list = |state: &State| -> BTreeMap<String, Destination> {
        state.services.rows().iter().map(|s| (service_label(s), of(s, state))).collect()
    };
    let (old, new) = (list(old.rows), list(new.rows));
    old.into_iter()
        .filter_map(|(service, before)| {
            let after = new.get(&service)?.clone();
            (before != after).then_some(DestinationChange { service, before, after })
        })
        .collect()
}

fn of(service: &Service, state: &State) -> Destination {
    let protocol = serde_json::to_value(service.protocol).unwrap_or_default();
    let url = format!(
        "{}://{}:{}{}",
        protocol.as_str().unwrap_or_default(),
        service.host,
        service.port,
        service.path.as_deref().unwrap_or_default()
    );
    let mut targets = Vec::new();
    if let Some(upstream) = state.upstreams.by_name(&service.host).map(|ix| &state.upstreams[ix]) {
        let rows = || state.targets.rows().iter().filter(|t| t.upstream.id == upstream.id());
        let all: u64 = rows().map(|t| u64::from(t.weight.unwrap_or_default())).sum();
        targets = rows()
            .map(|t| {
                let percent = if all == 0 {
                    0.0
                } else {
                    f64::from(t.weight.unwrap_or_default()) * 1000.0 / all as f64
                };
                Share { target: t.target.clone(), percent: percent.round() / 10.0 }
            })
            .collect();
        targets.sort_by(|a, b| a.target.cmp(&b.target));
    }
    Destination { url, verified: service.tls_verify, targets }
}
