//! The hosts file: addresses by name, which precede DNS.

use std::net::IpAddr;

use ahash::AHashMap;

/// Addresses by name in lower case.
#[derive(Debug, Default)]
pub struct HostsFile(AHashMap<Box<str>, Vec<IpAddr>>);

impl HostsFile {
    /// Parses a hosts file (`hosts(5)`). Lines that do not begin with an address are ignored.
    pub fn parse(text: &str) -> Self {
        let mut hosts: AHashMap<Box<str>, Vec<IpAddr>> = AHashMap::new();
        for line in text.lines() {
            let mut words = line.split('#').next().unwrap_or_default().split_ascii_whitespace();
            let Some(ip) = words.next().and_then(|word| word.parse().ok()) else { continue };
            for name in words {
                let ips = hosts.entry(name.to_ascii_lowercase().into()).or_default();
                if !ips.contains(&ip) {
                    ips.push(ip);
                }
            }
        }
        // As in Kong, IPv6 addresses are used only if there are no IPv4 addresses.
        for ips in hosts.values_mut().filter(|ips| ips.iter().any(IpAddr::is_ipv4)) {
            ips.retain(IpAddr::is_ipv4);
        }
        HostsFile(hosts)
    }

    /// Returns the addresses of a name in lower case, with or without a dot at its end.
    pub fn find(&self, name: &str) -> Option<&[IpAddr]> {
        self.0.get(name.strip_suffix('.').unwrap_or(name)).map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_the_addresses_of_all_its_lines_and_ipv4_precedes_ipv6() {
        let hosts = HostsFile::parse(
            "# comment\n127.0.0.1\tlocalhost lo # first\r\n::1 localhost ip6-localhost\n\
             10.0.0.1 App.Test app\n10.0.0.2 app.test\n10.0.0.1 app.test\nnot-an-address x.test\nfe80::1%eth0 scoped\n\n",
        );
        let find = |name: &str| {
            hosts.find(name).map(|ips| ips.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(find("localhost").as_deref(), Some("127.0.0.1"));
        assert_eq!(find("ip6-localhost").as_deref(), Some("::1"));
        assert_eq!(find("app.test").as_deref(), Some("10.0.0.1 10.0.0.2"));
        assert_eq!(find("app.test.").as_deref(), Some("10.0.0.1 10.0.0.2"));
        assert_eq!(find("app").as_deref(), Some("10.0.0.1"));
        for name in ["x.test", "scoped", "first", "10.0.0.1"] {
            assert_eq!(find(name), None, "{name}");
        }
    }
}
