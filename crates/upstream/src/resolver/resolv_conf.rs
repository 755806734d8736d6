//! `resolv.conf`: name servers, search list, timeouts.

use std::{net::SocketAddr, path::Path, time::Duration};

use hickory_resolver::{
    config::{
        ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
        ServerOrderingStrategy,
    },
    proto::rr::Name,
};
use resolv_conf::{Config, ScopedIp};

/// Port of DNS.
const DNS_PORT: u16 = 53;
/// Maximum time to wait for a response, and number of attempts, as in glibc.
const MAX_TIMEOUT_SECONDS: u32 = 30;
const MAX_ATTEMPTS: u32 = 5;
/// Minimum time to wait for a response.
const MIN_TIMEOUT: Duration = Duration::from_secs(1);

/// How names are looked up by DNS.
#[derive(Debug)]
pub struct ResolvConf {
    servers: Vec<SocketAddr>,
    search: Vec<Name>,
    parsed: Config,
}

impl ResolvConf {
    /// Reads a file. `name_servers`, unless empty, replace those of the file. Without a file, the defaults of
    /// `resolv.conf(5)` apply.
    pub fn read(path: &Path, name_servers: &[SocketAddr]) -> Self {
        let text = std::fs::read(path).unwrap_or_else(|error| {
            if name_servers.is_empty() {
                tracing::warn!("cannot read {}: {error}; its defaults apply", path.display());
            }
            Vec::new()
        });
        Self::parse(&text, name_servers)
    }

    /// Parses the text of a file.
    pub fn parse(text: &[u8], name_servers: &[SocketAddr]) -> Self {
        // Unknown options are common and harmless.
        let (parsed, _) = Config::parse_with_errors(text);
        let servers = match name_servers {
            [] => {
                let of_file = parsed.get_nameservers_or_local();
                of_file.iter().map(|ip: &ScopedIp| SocketAddr::new(ip.into(), DNS_PORT)).collect()
            }
            given => given.to_vec(),
        };
        let search = parsed.get_last_search_or_domain().filter_map(|domain| absolute(domain)).collect();
        ResolvConf { servers, search, parsed }
    }

    /// Returns the absolute names to query for a name, in their order. A name with `ndots` dots is tried as it is first, and
    /// another one with the search list first. A name that ends with a dot is absolute.
    pub fn candidates(&self, name: &str) -> Vec<Name> {
        let Some(as_is) = absolute(name) else { return Vec::new() };
        if name.ends_with('.') {
            return vec![as_is];
        }
        let dots = name.bytes().filter(|byte| *byte == b'.').count();
        let in_domains = self.search.iter().filter_map(|domain| {
            let mut relative = as_is.clone();
            relative.set_fqdn(false);
            // `None` if the name would be too long.
            relative.append_domain(domain).ok()
        });
        let mut names: Vec<Name> = in_domains.collect();
        let position = if dots >= self.parsed.ndots as usize { 0 } else { names.len() };
        names.insert(position, as_is);
        names
    }

    /// Returns the configuration of the DNS client. The time that the file allows for a query is shared by the types that a
    /// lookup queries one after the other, so that a server without responses does not delay a request for as many times.
    pub fn client_config(&self, query_types: u32) -> (ResolverConfig, ResolverOpts) {
        let server = |address: &SocketAddr| {
            let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
            if self.parsed.use_vc {
                connections.remove(0);
            }
            connections.iter_mut().for_each(|connection| connection.port = address.port());
            NameServerConfig::new(address.ip(), true, connections)
        };
        let config = ResolverConfig::from_name_servers(self.servers.iter().map(server).collect());
        let mut options = ResolverOpts::default();
        let seconds = self.parsed.timeout.clamp(1, MAX_TIMEOUT_SECONDS);
        options.timeout = (Duration::from_secs(seconds.into()) / query_types.max(1)).max(MIN_TIMEOUT);
        // The client counts the attempts after the first one.
        options.attempts = self.parsed.attempts.clamp(1, MAX_ATTEMPTS) as usize - 1;
        options.edns0 = self.parsed.edns0;
        if self.parsed.rotate {
            options.server_ordering_strategy = ServerOrderingStrategy::RoundRobin;
        }
        // The resolver has its own cache, and reads the hosts file itself.
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        (config, options)
    }
}

/// Parses a name as an absolute one.
fn absolute(name: &str) -> Option<Name> {
    let mut name = Name::from_str_relaxed(name).ok()?;
    name.set_fqdn(true);
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(text: &str, name: &str) -> String {
        let conf = ResolvConf::parse(text.as_bytes(), &[]);
        conf.candidates(name).iter().map(Name::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_search_list_applies_by_the_number_of_dots() {
        let text = "nameserver 10.0.0.1\nsearch one.test two.test\noptions ndots:2";
        assert_eq!(candidates(text, "a"), "a.one.test. a.two.test. a.");
        assert_eq!(candidates(text, "a.b"), "a.b.one.test. a.b.two.test. a.b.");
        assert_eq!(candidates(text, "a.b.c"), "a.b.c. a.b.c.one.test. a.b.c.two.test.");
        assert_eq!(candidates(text, "a."), "a.");
        assert_eq!(candidates("domain d.test", "_srv_.a"), "_srv_.a. _srv_.a.d.test.");
        assert_eq!(candidates("", "a"), "a.");
        assert_eq!(candidates("", "not..a.name"), "");
        let long = format!("{0}.{0}.{0}", "a".repeat(63));
        assert_eq!(candidates(&format!("search {}.test", "b".repeat(63)), &long), format!("{long}."));
    }

    #[test]
    fn name_servers_of_the_settings_replace_those_of_the_file() {
        let text = b"nameserver 10.0.0.1\nnameserver 10.0.0.2\noptions timeout:3 attempts:4 rotate";
        let servers = |given: &[SocketAddr]| ResolvConf::parse(text, given).servers;
        assert_eq!(
            servers(&[]).iter().map(SocketAddr::to_string).collect::<Vec<_>>(),
            ["10.0.0.1:53", "10.0.0.2:53"]
        );
        let own = ["[::1]:5353".parse().expect("an address")];
        assert_eq!(servers(&own), own);
        let (config, options) = ResolvConf::parse(text, &own).client_config(1);
        assert_eq!((options.timeout, options.attempts), (Duration::from_secs(3), 3));
        let connections = &config.name_servers()[0].connections;
        assert!(connections.len() == 2 && connections.iter().all(|connection| connection.port == 5353));
    }

    #[test]
    fn without_a_file_the_name_server_is_this_machine() {
        let conf = ResolvConf::read(Path::new("/nowhere/resolv.conf"), &[]);
        assert_eq!(conf.servers[0].to_string(), "127.0.0.1:53");
        let (_, options) = conf.client_config(1);
        assert_eq!((options.timeout, options.attempts), (Duration::from_secs(5), 1));
        assert_eq!(conf.client_config(4).1.timeout, Duration::from_millis(1250));
    }

    #[test]
    fn options_outside_the_limits_of_glibc_are_clamped() {
        let (config, options) =
            ResolvConf::parse(b"options timeout:0 attempts:99 use-vc", &[]).client_config(4);
        assert_eq!((options.timeout, options.attempts), (Duration::from_secs(1), 4));
        assert_eq!(config.name_servers()[0].connections.len(), 1, "TCP only");
    }
}
