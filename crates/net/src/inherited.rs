//! Listening sockets inherited from another process: systemd socket activation, or the previous process of an upgrade.

use std::{io, net::SocketAddr};

use socket2::{Socket, Type};

/// Purpose of a listening socket. Its name is passed along with the socket from process to process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// HTTP requests to proxy.
    Proxy,
    /// TCP connections and UDP datagrams to proxy.
    Stream,
    /// The admin API.
    Admin,
    /// The status API.
    Status,
}

impl Role {
    /// All roles.
    pub const ALL: [Role; 4] = [Role::Proxy, Role::Stream, Role::Admin, Role::Status];

    /// Returns the name that is passed between processes.
    pub fn name(self) -> &'static str {
        match self {
            Role::Proxy => "proxy",
            Role::Stream => "stream",
            Role::Admin => "admin",
            Role::Status => "status",
        }
    }
}

/// Inherited sockets that no listener has claimed yet.
#[derive(Debug, Default)]
pub struct Inherited(Vec<(Option<Role>, Socket)>);

impl Inherited {
    /// Adds a socket. Without a role, any listener can claim it.
    pub fn add(&mut self, role: Option<Role>, socket: Socket) {
        self.0.push((role, socket));
    }

    /// Claims all sockets of a type that are bound to an address. Port 0 matches the first port bound at the IP address.
    ///
    /// # Errors
    /// Returns an error if the sockets cannot be made non-blocking.
    pub fn claim(&mut self, role: Role, address: SocketAddr, kind: Type) -> io::Result<Vec<Socket>> {
        let mut wanted = address;
        let matches = |(socket_role, socket): &mut (Option<Role>, Socket)| {
            let Some(bound) = bound_address(socket) else { return false };
            if socket_role.is_some_and(|socket_role| socket_role != role)
                || socket.r#type().ok() != Some(kind)
            {
                return false;
            }
            if wanted.port() == 0 && bound.ip() == wanted.ip() {
                wanted = bound;
            }
            bound == wanted
        };
        let claimed: Vec<Socket> = self.0.extract_if(.., matches).map(|(_, socket)| socket).collect();
        claimed.iter().try_for_each(|socket| socket.set_nonblocking(true))?;
        Ok(claimed)
    }

    /// Returns the addresses and types of the unclaimed sockets.
    pub fn unclaimed(&self) -> impl Iterator<Item = (SocketAddr, Type)> + '_ {
        self.0.iter().filter_map(|(_, socket)| Some((bound_address(socket)?, socket.r#type().ok()?)))
    }

    /// Returns the addresses of the unclaimed sockets.
    pub fn unclaimed_addresses(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.0.iter().filter_map(|(_, socket)| bound_address(socket))
    }
}

fn bound_address(socket: &Socket) -> Option<SocketAddr> {
    socket.local_addr().ok()?.as_socket()
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, UdpSocket};

    use super::*;

    #[test]
    fn sockets_are_claimed_by_role_type_and_address() {
        let any = (Ipv4Addr::LOCALHOST, 0);
        let (first, second) = (TcpListener::bind(any).unwrap(), TcpListener::bind(any).unwrap());
        let udp = UdpSocket::bind(any).unwrap();
        let [a, b, u] = [first.local_addr(), second.local_addr(), udp.local_addr()].map(Result::unwrap);
        let mut inherited = Inherited::default();
        for twice in [first.try_clone().unwrap(), first] {
            inherited.add(Some(Role::Proxy), twice.into());
        }
        inherited.add(None, second.into());
        inherited.add(None, udp.into());
        let mut claim_count = |role, address, kind| inherited.claim(role, address, kind).unwrap().len();
        assert_eq!(claim_count(Role::Admin, a, Type::STREAM), 0, "another role");
        assert_eq!(claim_count(Role::Stream, u, Type::STREAM), 0, "another type");
        assert_eq!(claim_count(Role::Proxy, any.into(), Type::STREAM), 2, "all of the first port");
        assert_eq!(claim_count(Role::Admin, b, Type::STREAM), 1, "any role");
        assert_eq!(inherited.unclaimed_addresses().collect::<Vec<_>>(), [u]);
    }
}
