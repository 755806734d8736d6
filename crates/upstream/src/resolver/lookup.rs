//! One lookup of a name: hosts file, then queries by type and search list.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use futures_util::{StreamExt as _, stream};
use hickory_resolver::proto::rr::{Name, rdata::SRV};

use super::{
    answer::{Address, Addresses, Answer, Found, LookupError, MAX_ADDRESSES},
    client::{Client, QueryError, RecordData, Records},
    hosts::HostsFile,
    options::{DnsOptions, QueryType},
    resolv_conf::ResolvConf,
};

/// Maximum number of aliases that are followed by queries for CNAME.
const MAX_ALIASES: usize = 8;
/// Maximum number of targets of SRV records that are resolved at a time.
const MAX_CONCURRENT_TARGETS: usize = 16;

/// Everything that a lookup reads.
pub struct Sources {
    hosts: HostsFile,
    conf: ResolvConf,
    client: Result<Client, String>,
}

impl Sources {
    /// Reads the hosts file and `resolv.conf`.
    pub fn read(options: &DnsOptions) -> Self {
        let path = &options.hosts_file;
        let hosts = std::fs::read_to_string(path).unwrap_or_else(|error| {
            tracing::warn!("cannot read the hosts file {}: {error}", path.display());
            String::new()
        });
        let conf = ResolvConf::read(&options.resolv_conf, &options.name_servers);
        let client = Client::new(&conf, options);
        Sources { hosts: HostsFile::parse(&hosts), conf, client }
    }

    /// Looks a name up, which must be in lower case. `previous` is the expired answer for it.
    ///
    /// # Errors
    /// See [`LookupError`].
    pub async fn look_up(
        &self,
        name: &str,
        options: &DnsOptions,
        previous: Option<&Answer>,
    ) -> Result<Found, LookupError> {
        if let Some(found) = self.hosts.find(name).and_then(fixed) {
            return Ok(found);
        }
        // RFC 6761 section 6.3: queries for localhost must not be sent to a name server.
        let relative = name.strip_suffix('.').unwrap_or(name);
        if relative == "localhost" || relative.ends_with(".localhost") {
            let loopback = fixed(&[IpAddr::from([127, 0, 0, 1])]);
            return loopback.ok_or_else(|| LookupError::NotFound("no address".into()));
        }
        let client = self.client.as_ref().map_err(|reason| LookupError::Failed(reason.as_str().into()))?;
        let queries = Queries { client, address_types: options.address_types() };
        let last_type = previous.and_then(|previous| previous.last_type);
        let mut failure = None;
        for query_type in options.query_types(last_type) {
            for candidate in self.conf.candidates(name) {
                match queries.resolve(&candidate, query_type).await {
                    Ok((addresses, ttl)) => {
                        return Ok(Found { addresses, ttl: Some(ttl), query_type: Some(query_type) });
                    }
                    Err(QueryError::NotFound) => {}
                    Err(QueryError::Server(reason)) => failure = Some(reason),
                    Err(QueryError::NoResponse(reason)) => {
                        failure = Some(reason);
                        // The other names would take as long.
                        break;
                    }
                }
            }
            // A name that had records of this type must not fall back to another type because a server fails.
            let has_addresses = previous.is_some_and(|previous| previous.result.is_ok());
            if failure.is_some() && has_addresses && last_type == Some(query_type) {
                break;
            }
        }
        Err(match failure {
            Some(reason) => LookupError::Failed(reason.into()),
            None => LookupError::NotFound("no such name, or it has no address".into()),
        })
    }
}

/// Returns addresses that never expire.
fn fixed(ips: &[IpAddr]) -> Option<Found> {
    let addresses = ips.iter().map(|&ip| Address { ip, port: None, weight: 1 }).collect();
    Some(Found { addresses: Addresses::new(addresses)?, ttl: None, query_type: None })
}

/// Queries of a lookup.
struct Queries<'a> {
    client: &'a Client,
    /// Types of the targets of SRV records and of aliases, in their order.
    address_types: Vec<QueryType>,
}

impl Queries<'_> {
    /// Queries one type of an absolute name, and resolves the names in the response to addresses.
    async fn resolve(&self, name: &Name, query_type: QueryType) -> Result<(Addresses, Duration), QueryError> {
        let Records { data, ttl } = self.client.query(name, query_type).await?;
        let (list, ttl) = match data {
            RecordData::Ips(ips) => (plain(&ips).collect(), ttl),
            RecordData::Srv(records) => self.targets(&records, ttl).await?,
            RecordData::Cname(target) => {
                let (ips, target_ttl) = self.alias(target, ttl).await?;
                (plain(&ips).collect(), target_ttl)
            }
        };
        Addresses::new(list).map(|addresses| (addresses, ttl)).ok_or(QueryError::NotFound)
    }

    /// Resolves the targets of the SRV records with the highest priority.
    async fn targets(&self, records: &[SRV], ttl: Duration) -> Result<(Vec<Address>, Duration), QueryError> {
        // The lowest number is the highest priority (RFC 2782).
        let priority = records.iter().map(|srv| srv.priority).min();
        let mut used = records.to_vec();
        used.retain(|srv| Some(srv.priority) == priority);
        used.truncate(MAX_ADDRESSES);
        let results = stream::iter(used)
            .map(|srv| async move {
                let ips = self.ips(&srv.target).await;
                (srv, ips)
            })
            .buffered(MAX_CONCURRENT_TARGETS);
        let mut results = std::pin::pin!(results);
        let (mut list, mut ttl, mut failure) = (Vec::new(), ttl, QueryError::NotFound);
        while let Some((srv, result)) = results.next().await {
            match result {
                Ok((ips, target_ttl)) => {
                    ttl = ttl.min(target_ttl);
                    // Port 0 stands for the port of the service or target.
                    let port = Some(srv.port).filter(|port| *port != 0);
                    list.extend(ips.into_iter().map(|ip| Address { ip, port, weight: srv.weight.max(1) }));
                }
                Err(QueryError::NotFound) => {}
                Err(error) => failure = error,
            }
        }
        if list.is_empty() { Err(failure) } else { Ok((list, ttl)) }
    }

    /// Follows aliases until a name has addresses.
    async fn alias(&self, target: Name, ttl: Duration) -> Result<(Vec<IpAddr>, Duration), QueryError> {
        let (mut target, mut ttl) = (target, ttl);
        let mut seen = BTreeSet::new();
        while seen.len() < MAX_ALIASES && seen.insert(target.clone()) {
            match self.ips(&target).await {
                Ok((ips, target_ttl)) => return Ok((ips, ttl.min(target_ttl))),
                Err(QueryError::NotFound) => {}
                Err(error) => return Err(error),
            }
            match self.client.query(&target, QueryType::Cname).await? {
                Records { data: RecordData::Cname(next), ttl: next_ttl } => {
                    (target, ttl) = (next, ttl.min(next_ttl));
                }
                _ => break,
            }
        }
        Err(QueryError::NotFound)
    }

    /// Queries the addresses of an absolute name: those of the first type that has some.
    async fn ips(&self, name: &Name) -> Result<(Vec<IpAddr>, Duration), QueryError> {
        let mut failure = QueryError::NotFound;
        for query_type in &self.address_types {
            match self.client.query(name, *query_type).await {
                Ok(Records { data: RecordData::Ips(ips), ttl }) => return Ok((ips, ttl)),
                Ok(_) | Err(QueryError::NotFound) => {}
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

fn plain(ips: &[IpAddr]) -> impl Iterator<Item = Address> {
    ips.iter().map(|&ip| Address { ip, port: None, weight: 1 })
}
