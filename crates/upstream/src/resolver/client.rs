//! The DNS client: one query for one type of record.

use std::{net::IpAddr, time::Duration};

use super::{
    options::{DnsOptions, QueryType},
    resolv_conf::ResolvConf,
};
use hickory_resolver::{
    TokioResolver,
    config::{ResolverConfig, ResolverOpts},
    lookup::Lookup,
    net::{DnsError, NetError, runtime::TokioRuntimeProvider},
    proto::rr::{Name, RData, RecordType, rdata::SRV},
};

/// Records of a response.
#[derive(Debug)]
pub struct Records {
    /// Their data.
    pub data: RecordData,
    /// Their lowest TTL, including that of aliases on the way.
    pub ttl: Duration,
}

/// Data of the records of a response; at least one.
#[derive(Debug)]
pub enum RecordData {
    /// Addresses.
    Ips(Vec<IpAddr>),
    /// SRV records.
    Srv(Vec<SRV>),
    /// Name that the name is an alias of.
    Cname(Name),
}

/// Why a query has no records.
#[derive(Debug)]
pub enum QueryError {
    /// The name does not exist (NXDOMAIN), or has no records of the type.
    NotFound,
    /// The name server has responded with an error.
    Server(String),
    /// There was no response.
    NoResponse(String),
}

/// DNS client. It limits attempts and the time for each, switches to TCP for long responses, and follows aliases.
pub struct Client {
    config: (ResolverConfig, ResolverOpts),
    /// Merges equal queries; `None` if each lookup must send its own.
    shared: Option<TokioResolver>,
}

impl Client {
    /// Creates a client.
    ///
    /// # Errors
    /// Returns the reason why the configuration is unusable.
    pub fn new(conf: &ResolvConf, options: &DnsOptions) -> Result<Self, String> {
        let types = options.query_types(None).len();
        let config = conf.client_config(u32::try_from(types).unwrap_or(1));
        let shared = if options.no_sync { None } else { Some(build(&config)?) };
        Ok(Client { config, shared })
    }

    /// Queries the records of a type of an absolute name.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn query(&self, name: &Name, query_type: QueryType) -> Result<Records, QueryError> {
        let client = match &self.shared {
            Some(client) => client.clone(),
            None => build(&self.config).map_err(QueryError::NoResponse)?,
        };
        let found = client.lookup(name.clone(), record_type(query_type)).await.map_err(query_error)?;
        let ttl = found.answers().iter().map(|record| record.ttl).min().unwrap_or(0);
        let data = record_data(&found, query_type).ok_or(QueryError::NotFound)?;
        Ok(Records { data, ttl: Duration::from_secs(ttl.into()) })
    }
}

fn build((config, options): &(ResolverConfig, ResolverOpts)) -> Result<TokioResolver, String> {
    TokioResolver::builder_with_config(config.clone(), TokioRuntimeProvider::default())
        .with_options(options.clone())
        .build()
        .map_err(|error| error.to_string())
}

fn record_type(query_type: QueryType) -> RecordType {
    match query_type {
        QueryType::Srv => RecordType::SRV,
        QueryType::A => RecordType::A,
        QueryType::Aaaa => RecordType::AAAA,
        QueryType::Cname => RecordType::CNAME,
    }
}

/// Extracts the records of the type from a response.
fn record_data(found: &Lookup, query_type: QueryType) -> Option<RecordData> {
    let mut answers = found.answers().iter().map(|record| &record.data);
    let data = match query_type {
        QueryType::A | QueryType::Aaaa => {
            let ips = answers.filter_map(|data| match data {
                RData::A(ip) if query_type == QueryType::A => Some(IpAddr::V4(**ip)),
                RData::AAAA(ip) if query_type == QueryType::Aaaa => Some(IpAddr::V6(**ip)),
                _ => None,
            });
            RecordData::Ips(ips.collect())
        }
        QueryType::Srv => {
            let records = answers.filter_map(|data| match data {
                RData::SRV(srv) => Some(srv.clone()),
                _ => None,
            });
            RecordData::Srv(records.collect())
        }
        QueryType::Cname => answers.find_map(|data| match data {
            RData::CNAME(target) => Some(RecordData::Cname(target.0.clone())),
            _ => None,
        })?,
    };
    let is_empty = match &data {
        RecordData::Ips(ips) => ips.is_empty(),
        RecordData::Srv(records) => records.is_empty(),
        RecordData::Cname(_) => false,
    };
    (!is_empty).then_some(data)
}

fn query_error(error: NetError) -> QueryError {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(_)) => QueryError::NotFound,
        NetError::Dns(DnsError::ResponseCode(code)) => QueryError::Server(code.to_str().to_owned()),
        NetError::Timeout => QueryError::NoResponse("no response in time".to_owned()),
        other => QueryError::NoResponse(other.to_string()),
    }
}
