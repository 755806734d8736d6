//! Results of lookups, as they are cached.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use super::options::{DnsOptions, QueryType};
use crate::balance::weighted_sequence;

/// Maximum number of addresses of a name; more are ignored.
pub const MAX_ADDRESSES: usize = 1024;
/// Maximum length of the sequence that expresses the weights of SRV records.
const MAX_SEQUENCE_LEN: u64 = 1000;
/// Minimum TTL of a record: one with TTL 0 must not cause a query for each request.
const MIN_TTL: Duration = Duration::from_secs(1);
/// Maximum TTL of a record: bounds the effect of one that was published with too long a TTL.
const MAX_TTL: Duration = Duration::from_secs(3600);
/// Stands for "never" where durations are added to a time.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 86_400);

/// Address of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// Port of an SRV record.
    pub port: Option<u16>,
    /// Weight of an SRV record, 1 for other records.
    pub weight: u16,
}

impl Address {
    /// Returns the socket address, with `port` if no SRV record gave one.
    pub fn with_port(self, port: u16) -> SocketAddr {
        SocketAddr::new(self.ip, self.port.unwrap_or(port))
    }
}

/// Addresses of a name, at least one, and the order in which they are used.
#[derive(Debug)]
pub struct Addresses {
    list: Box<[Address]>,
    /// Indexes in proportion to the weights; empty if the weights are equal.
    sequence: Box<[u16]>,
}

impl Addresses {
    /// Creates the addresses; `None` if there are none. They are sorted: name servers rotate them, which must not disturb the
    /// rotation here.
    pub fn new(mut list: Vec<Address>) -> Option<Self> {
        list.truncate(MAX_ADDRESSES);
        list.sort_unstable();
        list.dedup();
        let first = list.first()?.weight;
        let sequence = if list.iter().all(|address| address.weight == first) {
            Box::default()
        } else {
            let weights: Vec<u32> = list.iter().map(|address| address.weight.into()).collect();
            weighted_sequence(&weights, MAX_SEQUENCE_LEN)
        };
        Some(Addresses { list: list.into(), sequence })
    }

    /// Returns the address at a position of the rotation.
    pub fn at(&self, position: usize) -> Address {
        let index = match self.sequence.len() {
            0 => position % self.list.len(),
            len => usize::from(self.sequence[position % len]),
        };
        self.list[index]
    }
}

/// Records that a lookup has found.
#[derive(Debug)]
pub struct Found {
    /// The addresses.
    pub addresses: Addresses,
    /// Lowest TTL of the records; `None` for the hosts file, whose names never expire.
    pub ttl: Option<Duration>,
    /// The type that was successful, unless the hosts file has the name.
    pub query_type: Option<QueryType>,
}

/// Why a lookup has no addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookupError {
    /// The name does not exist, or has no records of the types in `dns_order`.
    NotFound(Arc<str>),
    /// No response, or an error of the name server.
    Failed(Arc<str>),
}

impl LookupError {
    /// Returns the reason.
    pub fn reason(&self) -> &Arc<str> {
        match self {
            LookupError::NotFound(reason) | LookupError::Failed(reason) => reason,
        }
    }
}

/// Result of a lookup with its lifetime.
#[derive(Debug)]
pub struct Answer {
    /// The addresses, or why there are none.
    pub result: Result<Arc<Addresses>, LookupError>,
    /// Until when the answer is fresh.
    pub expires_at: Instant,
    /// Until when addresses are used if a refresh fails.
    pub usable_until: Instant,
    /// The type that succeeded last for the name.
    pub last_type: Option<QueryType>,
}

impl Answer {
    /// Creates the answer of a lookup that has ended at `now`, given the previous answer for the name.
    pub fn new(
        outcome: Result<Found, LookupError>,
        previous: Option<&Answer>,
        options: &DnsOptions,
        now: Instant,
    ) -> Self {
        let after = |start: Instant, duration: Duration| start + duration.min(FOREVER);
        let last_type = previous.and_then(|previous| previous.last_type);
        match outcome {
            Ok(Found { addresses, ttl: None, .. }) => {
                let expires_at = after(now, FOREVER);
                Answer { result: Ok(Arc::new(addresses)), expires_at, usable_until: expires_at, last_type }
            }
            Ok(Found { addresses, ttl: Some(ttl), query_type }) => {
                let expires_at = after(now, options.valid_ttl.unwrap_or(ttl.clamp(MIN_TTL, MAX_TTL)));
                let usable_until = after(expires_at, options.stale_ttl);
                Answer { result: Ok(Arc::new(addresses)), expires_at, usable_until, last_type: query_type }
            }
            Err(error) => {
                let ttl = match error {
                    LookupError::NotFound(_) => options.not_found_ttl,
                    LookupError::Failed(_) => options.error_ttl,
                };
                let expires_at = after(now, ttl);
                let retained = previous.filter(|_| matches!(error, LookupError::Failed(_)));
                match retained.and_then(|previous| Some((previous, previous.stale(now)?))) {
                    Some((previous, addresses)) => Answer {
                        result: Ok(Arc::clone(addresses)),
                        expires_at: expires_at.min(previous.usable_until),
                        usable_until: previous.usable_until,
                        last_type,
                    },
                    None => Answer { result: Err(error), expires_at, usable_until: expires_at, last_type },
                }
            }
        }
    }

    /// Returns whether the answer is used without a lookup.
    pub fn is_fresh(&self, now: Instant) -> bool {
        now < self.expires_at
    }

    /// Returns the addresses if they can be used at least while a lookup is in flight.
    pub fn stale(&self, now: Instant) -> Option<&Arc<Addresses>> {
        self.result.as_ref().ok().filter(|_| now < self.usable_until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str, weight: u16) -> Address {
        Address { ip: text.parse().expect("an address"), port: None, weight }
    }

    fn found(ttl: u64) -> Result<Found, LookupError> {
        let addresses = Addresses::new(vec![address("10.0.0.1", 1)]).expect("an address");
        Ok(Found { addresses, ttl: Some(Duration::from_secs(ttl)), query_type: Some(QueryType::A) })
    }

    #[test]
    fn addresses_rotate_in_proportion_to_their_weights() {
        let equal =
            Addresses::new(vec![address("10.0.0.2", 1), address("10.0.0.1", 1), address("10.0.0.2", 1)]);
        let equal = equal.expect("addresses");
        let rotation: Vec<_> = (0..4).map(|position| equal.at(position).ip.to_string()).collect();
        assert_eq!(rotation, ["10.0.0.1", "10.0.0.2", "10.0.0.1", "10.0.0.2"]);
        let weighted =
            Addresses::new(vec![address("10.0.0.1", 10), address("10.0.0.2", 30)]).expect("addresses");
        let share = (0..400).filter(|&position| weighted.at(position).ip.to_string() == "10.0.0.2").count();
        assert_eq!(share, 300);
        assert!(Addresses::new(Vec::new()).is_none());
    }

    #[test]
    fn ttls_are_limited_unless_the_settings_have_one() {
        let now = Instant::now();
        let lifetime = |ttl, options: &DnsOptions| {
            (Answer::new(found(ttl), None, options, now).expires_at - now).as_secs()
        };
        let default = DnsOptions::default();
        assert_eq!([0, 60, u64::from(u32::MAX)].map(|ttl| lifetime(ttl, &default)), [1, 60, 3600]);
        let own = DnsOptions { valid_ttl: Some(Duration::from_secs(7200)), ..DnsOptions::default() };
        assert_eq!(lifetime(60, &own), 7200);
        let endless = DnsOptions { valid_ttl: Some(Duration::MAX), stale_ttl: Duration::MAX, ..own };
        assert!(lifetime(60, &endless) > 7200, "no overflow");
    }

    #[test]
    fn a_failed_refresh_retains_addresses_until_their_limit_and_a_missing_name_drops_them() {
        let (now, options) = (Instant::now(), DnsOptions::default());
        let second = Duration::from_secs(1);
        let first = Answer::new(found(60), None, &options, now);
        let failed = || Err(LookupError::Failed("no response".into()));
        let late = first.expires_at + second;
        let retained = Answer::new(failed(), Some(&first), &options, late);
        assert!(retained.result.is_ok() && retained.is_fresh(late) && !retained.is_fresh(late + second));
        assert_eq!((retained.usable_until, retained.last_type), (first.usable_until, Some(QueryType::A)));
        let too_late = Answer::new(failed(), Some(&retained), &options, first.usable_until);
        assert!(too_late.result.is_err());
        let gone = Err(LookupError::NotFound("no such name".into()));
        let gone = Answer::new(gone, Some(&first), &options, late);
        assert!(gone.result.is_err() && gone.expires_at == late + 30 * second);
        assert_eq!(gone.last_type, Some(QueryType::A), "remembered for the next lookup");
    }
}
