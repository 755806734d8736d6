//! PROXY protocol, versions 1 and 2: the source address that a load balancer sends ahead of a connection.
//!
//! Reads exactly the header. Whether it is trusted is decided in `worker`.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use tokio::{io::AsyncReadExt, net::TcpStream};

/// Signature of version 2.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Maximum length of a version 1 line, with CRLF.
const MAX_V1_LINE_BYTES: usize = 107;

/// Reads the header; `None` if it contains no source address (a health check, or an unknown family).
///
/// # Errors
/// If there is no valid header; the connection must be closed then.
pub async fn read(stream: &mut TcpStream) -> io::Result<Option<SocketAddr>> {
    let mut first = [0; 12];
    stream.read_exact(&mut first).await?;
    if first == SIGNATURE {
        return read_v2(stream).await;
    }
    if !first.starts_with(b"PROXY ") {
        return Err(malformed());
    }
    let mut line = first.to_vec();
    while !line.ends_with(b"\n") {
        if line.len() >= MAX_V1_LINE_BYTES {
            return Err(malformed());
        }
        // Short, once per connection, and already in the socket's buffer.
        line.push(stream.read_u8().await?);
    }
    parse_v1(&line).ok_or_else(malformed)
}

/// `PROXY TCP4 source destination port port`, or `PROXY UNKNOWN …`.
fn parse_v1(line: &[u8]) -> Option<Option<SocketAddr>> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix("\r\n")?;
    let mut fields = line.split(' ').skip(1);
    let family = fields.next()?;
    if family == "UNKNOWN" {
        return Some(None);
    }
    let source: IpAddr = fields.next()?.parse().ok()?;
    let destination: IpAddr = fields.next()?.parse().ok()?;
    let (port, _): (u16, u16) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let is_consistent = match family {
        "TCP4" => source.is_ipv4() && destination.is_ipv4(),
        "TCP6" => source.is_ipv6() && destination.is_ipv6(),
        _ => false,
    };
    (is_consistent && fields.next().is_none()).then(|| Some(SocketAddr::new(source, port)))
}

async fn read_v2(stream: &mut TcpStream) -> io::Result<Option<SocketAddr>> {
    let (command, family) = (stream.read_u8().await?, stream.read_u8().await?);
    let length = usize::from(stream.read_u16().await?);
    // Type-length-value extensions may follow the addresses; they are ignored.
    if length > 4096 {
        return Err(malformed());
    }
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await?;
    match command {
        0x20 => Ok(None),
        0x21 => parse_v2_source(family, &payload).ok_or_else(malformed),
        _ => Err(malformed()),
    }
}

/// The source address of a version 2 header.
fn parse_v2_source(family: u8, bytes: &[u8]) -> Option<Option<SocketAddr>> {
    let port = |at: usize| bytes.get(at..at + 2).map(|b| u16::from_be_bytes([b[0], b[1]]));
    Some(match family {
        0x11 => {
            let source: [u8; 4] = bytes.get(..4)?.try_into().ok()?;
            Some(SocketAddr::new(Ipv4Addr::from(source).into(), port(8)?))
        }
        0x21 => {
            let source: [u8; 16] = bytes.get(..16)?.try_into().ok()?;
            Some(SocketAddr::new(Ipv6Addr::from(source).into(), port(32)?))
        }
        _ => None,
    })
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "no PROXY protocol header")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_1_line_names_the_source() {
        let source = |line: &str| parse_v1(line.as_bytes());
        assert_eq!(
            source("PROXY TCP4 10.1.2.3 10.0.0.1 5000 80\r\n"),
            Some(Some("10.1.2.3:5000".parse().unwrap()))
        );
        assert_eq!(source("PROXY TCP6 ::1 ::2 5000 80\r\n"), Some(Some("[::1]:5000".parse().unwrap())));
        assert_eq!(source("PROXY UNKNOWN\r\n"), Some(None));
        for bad in [
            "PROXY TCP4 ::1 ::2 1 2\r\n",
            "PROXY TCP4 10.1.2.3 10.0.0.1 5000\r\n",
            "PROXY TCP4 10.1.2.3 10.0.0.1 5000 80 90\r\n",
            "PROXY TCP4 10.1.2.3 10.0.0.1 5000 80\n",
            "PROXY UDP4 10.1.2.3 10.0.0.1 5000 80\r\n",
            "PROXY TCP4 10.1.2.3 10.0.0.1 70000 80\r\n",
        ] {
            assert_eq!(source(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn version_2_sources_are_parsed_by_family() {
        let bytes = [10, 1, 2, 3, 10, 0, 0, 1, 0x13, 0x88, 0, 80];
        assert_eq!(parse_v2_source(0x11, &bytes), Some(Some("10.1.2.3:5000".parse().unwrap())));
        assert_eq!(parse_v2_source(0x11, &bytes[..9]), None);
        assert_eq!(parse_v2_source(0x31, &bytes), Some(None), "a local socket's path");
    }
}
