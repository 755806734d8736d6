//! The PROXY protocol, versions 1 and 2: what a load balancer says about the connection it passes on.
//!
//! Takes the header off the front of a connection and not a byte more. Whether it is believed is the
//! connection's matter (`worker`).

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use tokio::{io::AsyncReadExt, net::TcpStream};

/// How a header of version 2 begins.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Longest line of version 1, with its end.
const LINE: usize = 107;

/// Reads the header. None: the balancer speaks for itself, or of a kind of address unknown here.
///
/// # Errors
/// When there is no header, or a malformed one: nothing more may be read from the connection then.
pub async fn read(stream: &mut TcpStream) -> io::Result<Option<SocketAddr>> {
    let mut first = [0; 12];
    stream.read_exact(&mut first).await?;
    if first == SIGNATURE {
        return version2(stream).await;
    }
    if !first.starts_with(b"PROXY ") {
        return Err(malformed());
    }
    let mut line = first.to_vec();
    while !line.ends_with(b"\n") {
        if line.len() >= LINE {
            return Err(malformed());
        }
        // Short, once to a connection, and already in the socket's buffer.
        line.push(stream.read_u8().await?);
    }
    version1(&line).ok_or_else(malformed)
}

/// `PROXY TCP4 source destination port port`, or `PROXY UNKNOWN …`.
fn version1(line: &[u8]) -> Option<Option<SocketAddr>> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix("\r\n")?;
    let mut words = line.split(' ').skip(1);
    let family = words.next()?;
    if family == "UNKNOWN" {
        return Some(None);
    }
    let source: IpAddr = words.next()?.parse().ok()?;
    let destination: IpAddr = words.next()?.parse().ok()?;
    let (port, _): (u16, u16) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let fits = match family {
        "TCP4" => source.is_ipv4() && destination.is_ipv4(),
        "TCP6" => source.is_ipv6() && destination.is_ipv6(),
        _ => false,
    };
    (fits && words.next().is_none()).then(|| Some(SocketAddr::new(source, port)))
}

async fn version2(stream: &mut TcpStream) -> io::Result<Option<SocketAddr>> {
    let (command, family) = (stream.read_u8().await?, stream.read_u8().await?);
    let length = usize::from(stream.read_u16().await?);
    // Behind the addresses may be more that means nothing here.
    if length > 4096 {
        return Err(malformed());
    }
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest).await?;
    match command {
        0x20 => Ok(None),
        0x21 => addresses(family, &rest).ok_or_else(malformed),
        _ => Err(malformed()),
    }
}

/// The source of a version 2 header.
fn addresses(family: u8, bytes: &[u8]) -> Option<Option<SocketAddr>> {
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
    fn a_line_of_version_1_names_the_source() {
        let source = |line: &str| version1(line.as_bytes());
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
    fn addresses_of_version_2_are_read_by_family() {
        let bytes = [10, 1, 2, 3, 10, 0, 0, 1, 0x13, 0x88, 0, 80];
        assert_eq!(addresses(0x11, &bytes), Some(Some("10.1.2.3:5000".parse().unwrap())));
        assert_eq!(addresses(0x11, &bytes[..9]), None);
        assert_eq!(addresses(0x31, &bytes), Some(None), "a local socket's path");
    }
}
