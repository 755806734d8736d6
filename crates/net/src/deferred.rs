//! Clients that come out of a listening socket only once they have said something.
//!
//! Somebody else has to wait for their first words otherwise: two system calls to watch the connection and to stop
//! watching it, one that reads in vain, and one more turn of the event loop for each. The kernel holds a connection
//! back for a second at most; closing the socket cuts off those it still holds.

use socket2::SockRef;

/// Whether clients come out of a listening socket only with their first words, or after a second of silence
/// (`TCP_DEFER_ACCEPT`, tcp(7)), or as soon as they are connected. A hint: only Linux takes it.
pub fn defer_accept(socket: SockRef<'_>, defer: bool) {
    #[cfg(target_os = "linux")]
    #[allow(unsafe_code, reason = "no crate has a safe call for it")]
    {
        use std::os::fd::AsRawFd;
        let seconds = libc::c_int::from(defer);
        let size = size_of_val(&seconds) as libc::socklen_t;
        // SAFETY: the kernel reads as many bytes behind the pointer as the size says, and keeps none of them.
        let _ = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_DEFER_ACCEPT,
                (&raw const seconds).cast(),
                size,
            )
        };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (socket, defer);
}

/// Whether the kernel may hold a connection back at one of these ports, or is still in its handshake.
pub fn is_held_back(ports: &[u16]) -> bool {
    cfg!(target_os = "linux")
        && ["/proc/self/net/tcp", "/proc/self/net/tcp6"].iter().any(|table| {
            match std::fs::File::open(table) {
                Ok(table) => names_one(std::io::BufReader::new(table), ports),
                // No IPv6, or nothing that tells.
                Err(error) => error.kind() != std::io::ErrorKind::NotFound,
            }
        })
}

/// Looks through a table of sockets as proc_net_tcp(5) has it: `sl local_address rem_address st ...`, with
/// addresses as `HEX:PORT` and state 03 for a handshake.
fn names_one(table: impl std::io::BufRead, ports: &[u16]) -> bool {
    const SYN_RECV: &str = "03";
    /// Of a longer table nobody has the patience to read the rest, which may name one.
    const LONGEST: usize = 100_000;
    table.lines().map_while(Result::ok).enumerate().any(|(number, line)| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (local, state) = (fields.next(), fields.nth(1));
        let port = local.and_then(|local| u16::from_str_radix(local.rsplit_once(':')?.1, 16).ok());
        number >= LONGEST || state == Some(SYN_RECV) && port.is_some_and(|port| ports.contains(&port))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_sockets_tells_who_is_held_back() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n   \
                     0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0\n   \
                     1: 0100007F:1F41 0100007F:D431 03 00000000:00000000 01:00000063 00000000     0\n";
        assert!(!names_one(table.as_bytes(), &[8000, 80]), "that one only listens");
        assert!(names_one(table.as_bytes(), &[8000, 8001]));
        assert!(!names_one("sl\n1:\n2: 03 03 03\n".as_bytes(), &[3]));
        assert!(names_one("sl\n".repeat(100_001).as_bytes(), &[8000]), "too long to tell");
    }
}
