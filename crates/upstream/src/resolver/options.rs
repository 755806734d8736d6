//! Options of name resolution: the node settings `dns_*`.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// Type of a DNS query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryType {
    /// Targets with ports, priorities and weights (RFC 2782).
    Srv,
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// The name that another name is an alias of.
    Cname,
}

/// Item of `dns_order`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderItem {
    /// The type that succeeded last for the name.
    Last,
    /// A fixed type.
    Type(QueryType),
}

/// Options of the resolver. The defaults are those of the settings.
#[derive(Clone, Debug)]
pub struct DnsOptions {
    /// Name servers; those of `resolv_conf` if empty (setting `dns_resolver`).
    pub name_servers: Vec<SocketAddr>,
    /// File of fixed names (setting `dns_hostsfile`).
    pub hosts_file: PathBuf,
    /// File of name servers, search list and timeouts.
    pub resolv_conf: PathBuf,
    /// Types in the order in which they are queried (setting `dns_order`).
    pub order: Vec<OrderItem>,
    /// TTL of all records; their own if `None` (setting `dns_valid_ttl`).
    pub valid_ttl: Option<Duration>,
    /// How long addresses are used after their TTL while a refresh is in flight or fails (setting `dns_stale_ttl`).
    pub stale_ttl: Duration,
    /// Maximum number of names in the cache (setting `dns_cache_size`).
    pub cache_size: usize,
    /// TTL of the result that a name does not exist or has no records (setting `dns_not_found_ttl`).
    pub not_found_ttl: Duration,
    /// TTL of failures: no response, or an error of the server (setting `dns_error_ttl`).
    pub error_ttl: Duration,
    /// Whether each request that finds no answer in the cache sends its own queries (setting `dns_no_sync`).
    pub no_sync: bool,
}

impl Default for DnsOptions {
    fn default() -> Self {
        use {OrderItem::*, QueryType::*};
        DnsOptions {
            name_servers: Vec::new(),
            hosts_file: "/etc/hosts".into(),
            resolv_conf: "/etc/resolv.conf".into(),
            order: vec![Last, Type(Srv), Type(A), Type(Aaaa), Type(Cname)],
            valid_ttl: None,
            stale_ttl: Duration::from_secs(3600),
            cache_size: 10_000,
            not_found_ttl: Duration::from_secs(30),
            error_ttl: Duration::from_secs(1),
            no_sync: false,
        }
    }
}

impl DnsOptions {
    /// Returns the types to query for a name of which `last` succeeded last; each once.
    pub(super) fn query_types(&self, last: Option<QueryType>) -> Vec<QueryType> {
        let mut types = Vec::with_capacity(self.order.len());
        for item in &self.order {
            let query_type = match item {
                OrderItem::Last => last,
                OrderItem::Type(query_type) => Some(*query_type),
            };
            types.extend(query_type.filter(|query_type| !types.contains(query_type)));
        }
        types
    }

    /// Returns the types of addresses among them, in their order. The targets of SRV records are resolved with these.
    pub(super) fn address_types(&self) -> Vec<QueryType> {
        let mut types = self.query_types(None);
        types.retain(|query_type| matches!(query_type, QueryType::A | QueryType::Aaaa));
        if types.is_empty() {
            types.push(QueryType::A);
        }
        types
    }
}

#[cfg(test)]
mod tests {
    use super::{OrderItem::*, QueryType::*, *};

    #[test]
    fn the_last_type_is_queried_where_the_order_has_it_and_no_type_twice() {
        let default = DnsOptions::default();
        assert_eq!(default.query_types(None), [Srv, A, Aaaa, Cname]);
        assert_eq!(default.query_types(Some(A)), [A, Srv, Aaaa, Cname]);
        let order = DnsOptions { order: vec![Type(A), Last, Type(A)], ..DnsOptions::default() };
        assert_eq!(order.query_types(Some(Srv)), [A, Srv]);
    }

    #[test]
    fn targets_of_srv_records_are_resolved_with_the_address_types_of_the_order() {
        let types = |order| DnsOptions { order, ..DnsOptions::default() }.address_types();
        assert_eq!(types(vec![Type(Srv), Type(Aaaa), Type(A)]), [Aaaa, A]);
        assert_eq!(types(vec![Last, Type(Srv)]), [A]);
    }
}
