//! Rules for host names and addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressKind {
    /// A host name.
    Name,
    /// IPv4.
    V4(Ipv4Addr),
    /// IPv6.
    V6(Ipv6Addr),
}

/// A host and perhaps a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address<'a> {
    /// The host as written, without brackets and port.
    pub host: &'a str,
    /// What it is.
    pub kind: AddressKind,
    /// The port, if one was written.
    pub port: Option<u16>,
}

/// Takes `host`, `host:port`, `1.2.3.4:80`, `::1` or `[::1]:80` apart. Two colons or more make it IPv6, digits
/// and dots alone IPv4.
///
/// # Errors
/// In the format's words: `invalid hostname: …`, `invalid ipv4 address: …`, `invalid ipv6 address: …` or
/// `invalid port number`.
pub fn parse_address(text: &str) -> Result<Address<'_>, String> {
    let colons = text.bytes().filter(|&b| b == b':').count();
    if colons > 1 {
        return v6(text);
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
            (host, Some(port))
        }
        _ => (text, None),
    };
    let digits = text.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b':');
    if digits && !text.is_empty() && host.contains('.') {
        let Ok(address) = lenient_v4(host).ok_or(()) else {
            return Err(format!("invalid ipv4 address: {text}"));
        };
        return Ok(Address { host, kind: AddressKind::V4(address), port: parse_port(port)? });
    }
    let port = parse_port(port)?;
    let segments_end_well = || {
        let mut rest = host.split('.').peekable();
        while let Some(segment) = rest.next() {
            if segment.ends_with('-') || segment.is_empty() && rest.peek().is_some() {
                return false;
            }
        }
        true
    };
    let characters = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    if host.is_empty() || !host.bytes().all(characters) || !segments_end_well() {
        return Err(format!("invalid hostname: {text}"));
    }
    Ok(Address { host, kind: AddressKind::Name, port })
}

/// Four numbers up to 255; leading zeros are fine.
fn lenient_v4(text: &str) -> Option<Ipv4Addr> {
    let mut bytes = [0; 4];
    let mut parts = text.split('.');
    for byte in &mut bytes {
        let part = parts.next().filter(|p| !p.is_empty() && p.len() <= 3)?;
        *byte = part.parse().ok()?;
    }
    parts.next().is_none().then(|| bytes.into())
}

fn v6(text: &str) -> Result<Address<'_>, String> {
    let bad = || format!("invalid ipv6 address: {text}");
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or_else(bad)?;
            match rest {
                "" => (host, None),
                _ => (host, Some(rest.strip_prefix(':').ok_or_else(bad)?)),
            }
        }
        None => (text, None),
    };
    let address = host.parse().map_err(|_| bad())?;
    Ok(Address { host, kind: AddressKind::V6(address), port: parse_port(port)? })
}

fn parse_port(port: Option<&str>) -> Result<Option<u16>, String> {
    port.map(|p| p.parse().map_err(|_| "invalid port number".to_owned())).transpose()
}

/// A host without port.
pub fn host(value: &str) -> Result<(), String> {
    match parse_address(value) {
        Ok(Address { port: None, .. }) => Ok(()),
        Ok(_) => Err("must not have a port".to_owned()),
        Err(e) if e == "invalid port number" => Err("must not have a port".to_owned()),
        Err(_) => Err(format!("invalid value: {value}")),
    }
}

/// A host with or without port.
pub fn host_with_port(value: &str) -> Result<(), String> {
    parse_address(value).map(drop)
}

/// A route's host: as above, with one wildcard in the leftmost or rightmost label.
pub fn route_host(value: &str) -> Result<(), String> {
    let Some(at) = value.find('*') else { return host_with_port(value) };
    if value[at + 1..].contains('*') {
        return Err("invalid wildcard: must have at most one wildcard".to_owned());
    }
    if !(value.starts_with("*.") || value.ends_with(".*")) {
        return Err("invalid wildcard: must be placed at leftmost or rightmost label".to_owned());
    }
    host_with_port(&value.replace('*', "abc"))
}

/// The name of a TLS server.
pub fn sni(value: &str) -> Result<(), String> {
    match parse_address(value) {
        Ok(Address { kind: AddressKind::V4(_) | AddressKind::V6(_), .. }) => {
            Err("must not be an IP".to_owned())
        }
        Ok(Address { port: Some(_), .. }) => Err("must not have a port".to_owned()),
        Ok(_) => Ok(()),
        Err(e) if e == "invalid port number" => Err("must not have a port".to_owned()),
        Err(_) => Err(format!("invalid value: {value}")),
    }
}

/// The name of a TLS server, with one wildcard as first or last character.
pub fn wildcard_sni(value: &str) -> Result<(), String> {
    let Some(at) = value.find('*') else { return sni(value) };
    if at != 0 && at != value.len() - 1 {
        return Err("wildcard must be leftmost or rightmost character".to_owned());
    }
    if value[at + 1..].contains('*') {
        return Err("only one wildcard must be specified".to_owned());
    }
    sni(&value.replace('*', "wildcard")).map_err(|e| match e.as_str() {
        "must not be an IP" | "must not have a port" => e,
        _ => format!("invalid value: {value}"),
    })
}

/// An upstream's name: a host name without port.
pub fn upstream_name(value: &str) -> Result<(), String> {
    let complaint = match parse_address(value) {
        Err(_) => "must be a valid hostname",
        Ok(Address { kind: AddressKind::V4(_) | AddressKind::V6(_), .. }) => "no ip addresses allowed",
        Ok(Address { port: Some(_), .. }) => "no port allowed",
        Ok(_) => return Ok(()),
    };
    Err(format!("Invalid name ('{value}'); {complaint}"))
}

/// A target's address.
pub fn target(value: &str) -> Result<(), String> {
    parse_address(value)
        .map(drop)
        .map_err(|_| format!("Invalid target ('{value}'); not a valid hostname or ip address"))
}

/// An address.
pub fn ip(value: &str) -> Result<(), String> {
    if is_ip(value) { Ok(()) } else { Err(format!("not an ip address: {value}")) }
}

/// An address or network.
pub fn ip_or_cidr(value: &str) -> Result<(), String> {
    if is_ip_or_cidr(value) { Ok(()) } else { Err(format!("invalid ip or cidr range: '{value}'")) }
}

/// Whether the text is an address.
pub fn is_ip(value: &str) -> bool {
    value.parse::<IpAddr>().is_ok()
}

/// Whether the text is an address, or a network with a decimal prefix length.
pub fn is_ip_or_cidr(value: &str) -> bool {
    is_ip(value) || value.parse::<ipnet::IpNet>().is_ok()
}
