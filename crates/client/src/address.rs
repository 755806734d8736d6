//! Which addresses a client may connect to.
//!
//! A URL that comes from outside (a token, a request, a document of another server) could name a server that only the
//! gateway reaches: a loopback service, a host of the private network, the metadata service of a cloud (server-side
//! request forgery). The policy is applied to the address that is dialled, after name resolution. A name that resolves to
//! another address later (DNS rebinding) and the various notations of an address are therefore covered as well.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Which addresses a client may connect to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AddressPolicy {
    /// All: the URL comes from the configuration.
    #[default]
    Any,
    /// Only public addresses, see [`is_public`]: the URL comes from outside.
    Public,
}

impl AddressPolicy {
    /// Returns whether the policy permits an address.
    pub fn permits(self, address: IpAddr) -> bool {
        self == AddressPolicy::Any || is_public(address)
    }
}

/// Prefixes of IPv4 that are not public, from IANA's special-purpose address registry, and two addresses of clouds.
const SPECIAL_V4: &[(Ipv4Addr, u32)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8), // this network; Linux connects 0.0.0.0 to loopback
    (Ipv4Addr::new(10, 0, 0, 0), 8), // private use
    (Ipv4Addr::new(100, 64, 0, 0), 10), // shared by carriers; metadata of Alibaba Cloud (100.100.100.200)
    (Ipv4Addr::new(127, 0, 0, 0), 8), // loopback
    (Ipv4Addr::new(168, 63, 129, 16), 32), // metadata of Azure, in a public prefix
    (Ipv4Addr::new(169, 254, 0, 0), 16), // link-local; metadata of most clouds (169.254.169.254)
    (Ipv4Addr::new(172, 16, 0, 0), 12), // private use
    (Ipv4Addr::new(192, 0, 0, 0), 24), // protocol assignments; metadata of Oracle Cloud (192.0.0.192)
    (Ipv4Addr::new(192, 0, 2, 0), 24), // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24), // 6to4 relays, deprecated
    (Ipv4Addr::new(192, 168, 0, 0), 16), // private use
    (Ipv4Addr::new(198, 18, 0, 0), 15), // benchmarks
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24), // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4), // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4), // reserved, and broadcast
];

/// Prefix of global unicast addresses. All of IPv6 outside it is loopback, link-local, unique local (with the metadata
/// service of AWS), multicast, reserved, or embeds an IPv4 address.
const GLOBAL_UNICAST: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Prefixes of global unicast that are not public.
const SPECIAL_V6: &[(Ipv6Addr, u32)] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments: Teredo, benchmarks, ORCHID
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4, deprecated; embeds an IPv4 address
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];

/// Well-known prefix of NAT64 (RFC 6052): a gateway translates it to the IPv4 address in the last 32 bits. A prefix that
/// an operator has chosen for NAT64 cannot be recognised.
const NAT64: (Ipv6Addr, u32) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// Returns whether an address is reachable over the internet, so that connecting to it reaches no server that only the
/// gateway's network has. Returns `false` for loopback, private, link-local, shared, multicast, reserved and
/// documentation addresses and for metadata services, also where an IPv6 address embeds one of them.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !SPECIAL_V4.iter().any(|prefix| contains_v4(*prefix, v4)),
        IpAddr::V6(v6) => match embedded_v4(v6) {
            Some(v4) => is_public(v4.into()),
            None => {
                contains_v6(GLOBAL_UNICAST, v6) && !SPECIAL_V6.iter().any(|prefix| contains_v6(*prefix, v6))
            }
        },
    }
}

/// Returns the IPv4 address that packets to an IPv6 address are sent to.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let translated = || contains_v6(NAT64, address).then(|| Ipv4Addr::from(u128::from(address) as u32));
    address.to_ipv4_mapped().or_else(translated)
}

fn contains_v4((network, length): (Ipv4Addr, u32), address: Ipv4Addr) -> bool {
    (u32::from(network) ^ u32::from(address)) >> (32 - length) == 0
}

fn contains_v6((network, length): (Ipv6Addr, u32), address: Ipv6Addr) -> bool {
    (u128::from(network) ^ u128::from(address)) >> (128 - length) == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn addresses_of_the_own_network_are_not_public() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0:127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::8.8.8.8",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:808:808::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(address(text)), "{text}");
            assert!(AddressPolicy::Any.permits(address(text)), "{text}");
            assert!(!AddressPolicy::Public.permits(address(text)), "{text}");
        }
    }

    #[test]
    fn addresses_of_the_internet_are_public() {
        for text in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.15",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2a00::1",
            "3ffe:ffff::1",
        ] {
            assert!(is_public(address(text)), "{text}");
        }
    }

    proptest! {
        /// The standard library classifies a part of the special addresses: none of them is public.
        #[test]
        fn no_address_that_the_standard_library_knows_as_special_is_public(bits: u32) {
            let v4 = Ipv4Addr::from(bits);
            let special = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast()
                || v4.is_unspecified() || v4.is_broadcast() || v4.is_documentation();
            prop_assert!(!(special && is_public(v4.into())), "{v4}");
            for embedding in [v4.to_ipv6_mapped(), Ipv6Addr::from(u128::from(NAT64.0) | u128::from(bits))] {
                prop_assert_eq!(is_public(embedding.into()), is_public(v4.into()), "{}", embedding);
            }
            prop_assert!(!is_public(Ipv6Addr::from(u128::from(bits)).into()), "compatible {}", v4);
        }

        #[test]
        fn public_addresses_of_ipv6_are_global_unicast(bits: u128) {
            let v6 = Ipv6Addr::from(bits);
            let special = v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_multicast() || v6.is_loopback();
            prop_assert!(!(special && is_public(v6.into())), "{v6}");
        }
    }
}
