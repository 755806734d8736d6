//! Sets of addresses that lists of networks admit, so that two lists are compared by what they admit and not by how they
//! are written.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};

use plugin::AccessLists;

/// Addresses of both families, as sorted ranges that do not meet, first and last included.
#[derive(Debug, PartialEq)]
pub struct AddressSet {
    v4: Ranges,
    v6: Ranges,
}

type Ranges = Vec<(u128, u128)>;

const LAST_V4: u128 = u32::MAX as u128;
/// Most networks that are listed.
const LISTED: usize = 5;

impl AddressSet {
    /// Returns the addresses that the lists admit; `None` if an entry is no address, such as a vault reference.
    pub fn admitted(lists: AccessLists<'_>) -> Option<Self> {
        let everything = AddressSet { v4: vec![(0, LAST_V4)], v6: vec![(0, u128::MAX)] };
        let allowed = if lists.allow.is_empty() { everything } else { AddressSet::of(lists.allow)? };
        Some(allowed.without(&AddressSet::of(lists.deny)?))
    }

    fn of(entries: &[String]) -> Option<Self> {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for entry in entries {
            match entry.parse::<IpNet>().ok().or_else(|| entry.parse::<IpAddr>().ok().map(IpNet::from))? {
                IpNet::V4(net) => {
                    v4.push((net.network().to_bits().into(), net.broadcast().to_bits().into()));
                }
                IpNet::V6(net) => v6.push((net.network().to_bits(), net.broadcast().to_bits())),
            }
        }
        Some(AddressSet { v4: merged(v4), v6: merged(v6) })
    }

    fn without(&self, other: &AddressSet) -> AddressSet {
        AddressSet { v4: without(&self.v4, &other.v4), v6: without(&self.v6, &other.v6) }
    }

    /// Whether every address is among them.
    pub fn is_all(&self) -> bool {
        self.v4 == [(0, LAST_V4)] && self.v6 == [(0, u128::MAX)]
    }

    /// The networks that it has beyond another, in words; `None` if there is none.
    pub fn beyond(&self, other: &AddressSet) -> Option<String> {
        let more = self.without(other);
        let v4 = |bits: u128| Ipv4Addr::from_bits(u32::try_from(bits).unwrap_or(u32::MAX));
        let v4 = more.v4.iter().flat_map(|&(first, last)| Ipv4Subnets::new(v4(first), v4(last), 0));
        let v6 = more.v6.iter().flat_map(|&(first, last)| {
            Ipv6Subnets::new(Ipv6Addr::from_bits(first), Ipv6Addr::from_bits(last), 0)
        });
        let networks: Vec<String> = v4.map(IpNet::V4).chain(v6.map(IpNet::V6)).map(written).collect();
        let mut text = networks.iter().take(LISTED).cloned().collect::<Vec<_>>().join(", ");
        if networks.len() > LISTED {
            text += &format!(" and {} more networks", networks.len() - LISTED);
        }
        (!networks.is_empty()).then_some(text)
    }
}

/// A network; one address without its length.
fn written(net: IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}

fn merged(mut ranges: Ranges) -> Ranges {
    ranges.sort_unstable();
    let mut merged: Ranges = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match merged.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => merged.push((first, last)),
        }
    }
    merged
}

fn without(ranges: &Ranges, others: &Ranges) -> Ranges {
    let mut left = Vec::new();
    let mut from = 0;
    for &(first, last) in ranges {
        let mut start = Some(first);
        while others.get(from).is_some_and(|&(_, end)| end < first) {
            from += 1;
        }
        for &(begin, end) in others[from..].iter().take_while(|(begin, _)| *begin <= last) {
            if let Some(at) = start.filter(|at| *at < begin) {
                left.push((at, begin - 1));
            }
            start = end.checked_add(1);
        }
        left.extend(start.filter(|at| *at <= last).map(|at| (at, last)));
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(allow: &[&str], deny: &[&str]) -> Option<AddressSet> {
        let owned = |list: &[&str]| list.iter().map(|&entry| entry.to_owned()).collect::<Vec<_>>();
        AddressSet::admitted(AccessLists { allow: &owned(allow), deny: &owned(deny) })
    }

    fn admitted(allow: &[&str], deny: &[&str]) -> AddressSet {
        lists(allow, deny).expect("addresses")
    }

    #[test]
    fn lists_are_compared_by_the_addresses_that_they_admit() {
        let whole = admitted(&["10.0.0.0/8"], &[]);
        assert_eq!(whole, admitted(&["10.128.0.0/9", "10.0.0.0/9", "10.1.1.1"], &[]));
        let half = admitted(&["10.0.0.0/8"], &["10.128.0.0/9"]);
        assert_eq!(half, admitted(&["10.0.0.0/9"], &[]));
        assert_eq!(whole.beyond(&half).as_deref(), Some("10.128.0.0/9"));
        assert_eq!(half.beyond(&whole), None);
        let (all, six) = (admitted(&[], &[]), admitted(&[], &["fd00::/8"]));
        assert_eq!(all.beyond(&six).as_deref(), Some("fd00::/8"));
        assert!(all.is_all() && !six.is_all());
        let hole = admitted(&[], &["10.0.0.1", "10.0.0.3"]);
        assert_eq!(all.beyond(&hole).as_deref(), Some("10.0.0.1, 10.0.0.3"));
        assert_eq!(lists(&["{vault://env/net}"], &[]), None);
    }
}
