//! Deferred accept: the kernel queues a connection only once the client has sent data (`TCP_DEFER_ACCEPT`, tcp(7)).
//!
//! This saves the worker a `read` that returns EAGAIN, the registration with epoll and its removal, and one more
//! iteration of the event loop per connection. The kernel defers a connection for at most one second. Closing the
//! listening socket resets connections that are still deferred, so a shutdown must wait for them.

use socket2::SockRef;

/// Enables or disables deferred accept on a listening socket. Best effort: only Linux supports it.
pub fn defer_accept(socket: SockRef<'_>, defer: bool) {
    #[cfg(target_os = "linux")]
    #[allow(unsafe_code, reason = "no dependency has a safe function for it")]
    {
        use std::os::fd::AsRawFd;
        let seconds = libc::c_int::from(defer);
        let size = size_of_val(&seconds) as libc::socklen_t;
        // SAFETY: the kernel only reads `size` bytes at the pointer, during the call.
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

/// Returns whether one of these local ports may have a deferred connection, or one in its handshake. `true` if the kernel
/// does not report it.
pub fn has_pending_handshakes(ports: &[u16]) -> bool {
    cfg!(target_os = "linux")
        && ["/proc/self/net/tcp", "/proc/self/net/tcp6"].iter().any(|table| {
            match std::fs::File::open(table) {
                Ok(table) => has_syn_recv_entry(std::io::BufReader::new(table), ports),
                // The table is absent without IPv6. Any other error leaves it unknown.
                Err(error) => error.kind() != std::io::ErrorKind::NotFound,
            }
        })
}

/// Searches a socket table (proc_net_tcp(5)) for a connection in state SYN_RECV, which deferred ones are in too. The
/// columns are `sl local_address rem_address st ...`, with addresses as `HEX:PORT`.
fn has_syn_recv_entry(table: impl std::io::BufRead, ports: &[u16]) -> bool {
    const SYN_RECV: &str = "03";
    /// Reading more lines would take too long. The remainder may have an entry, so the result is `true`.
    const MAX_LINES: usize = 100_000;
    table.lines().map_while(Result::ok).enumerate().any(|(number, line)| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (local, state) = (fields.next(), fields.nth(1));
        let port = local.and_then(|local| u16::from_str_radix(local.rsplit_once(':')?.1, 16).ok());
        number >= MAX_LINES || state == Some(SYN_RECV) && port.is_some_and(|port| ports.contains(&port))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_in_syn_recv_are_found_by_port() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n   \
                     0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0\n   \
                     1: 0100007F:1F41 0100007F:D431 03 00000000:00000000 01:00000063 00000000     0\n";
        assert!(!has_syn_recv_entry(table.as_bytes(), &[8000, 80]), "8000 only listens");
        assert!(has_syn_recv_entry(table.as_bytes(), &[8000, 8001]));
        assert!(!has_syn_recv_entry("sl\n1:\n2: 03 03 03\n".as_bytes(), &[3]));
        assert!(has_syn_recv_entry("sl\n".repeat(100_001).as_bytes(), &[8000]), "too long to read");
    }
}
