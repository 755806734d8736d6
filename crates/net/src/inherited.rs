//! Listening sockets that another process has opened for this one.

use std::{io, net::SocketAddr};

use socket2::{Socket, Type};

/// What a listening socket is for. Its name goes with it from process to process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Requests.
    Proxy,
    /// Connections and datagrams for the routes of streams.
    Stream,
    /// The admin API.
    Admin,
    /// The status API.
    Status,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 4] = [Role::Proxy, Role::Stream, Role::Admin, Role::Status];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Role::Proxy => "proxy",
            Role::Stream => "stream",
            Role::Admin => "admin",
            Role::Status => "status",
        }
    }
}

/// Sockets received that nobody has taken yet.
#[derive(Debug, Default)]
pub struct Inherited(Vec<(Option<Role>, Socket)>);

impl Inherited {
    /// Adds a socket; without a role it may be for anything.
    pub fn add(&mut self, role: Option<Role>, socket: Socket) {
        self.0.push((role, socket));
    }

    /// Takes all sockets of that kind that are bound to the address. Port 0 is the first port of the host.
    ///
    /// # Errors
    /// When the system refuses to make them non-blocking.
    pub fn take(&mut self, role: Role, address: SocketAddr, kind: Type) -> io::Result<Vec<Socket>> {
        let mut wanted = address;
        let fits = |(given, socket): &mut (Option<Role>, Socket)| {
            let Some(bound) = bound(socket) else { return false };
            if given.is_some_and(|given| given != role) || socket.r#type().ok() != Some(kind) {
                return false;
            }
            if wanted.port() == 0 && bound.ip() == wanted.ip() {
                wanted = bound;
            }
            bound == wanted
        };
        let taken: Vec<Socket> = self.0.extract_if(.., fits).map(|(_, socket)| socket).collect();
        taken.iter().try_for_each(|socket| socket.set_nonblocking(true))?;
        Ok(taken)
    }

    /// Addresses and kinds of the sockets that nobody has taken.
    pub fn bound(&self) -> impl Iterator<Item = (SocketAddr, Type)> + '_ {
        self.0.iter().filter_map(|(_, socket)| Some((bound(socket)?, socket.r#type().ok()?)))
    }

    /// Addresses of the sockets that nobody has taken.
    pub fn left(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.0.iter().filter_map(|(_, socket)| bound(socket))
    }
}

fn bound(socket: &Socket) -> Option<SocketAddr> {
    socket.local_addr().ok()?.as_socket()
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, UdpSocket};

    use super::*;

    #[test]
    fn sockets_are_found_by_role_kind_and_address() {
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
        let mut taken = |role, address, kind| inherited.take(role, address, kind).unwrap().len();
        assert_eq!(taken(Role::Admin, a, Type::STREAM), 0, "another role");
        assert_eq!(taken(Role::Stream, u, Type::STREAM), 0, "another kind");
        assert_eq!(taken(Role::Proxy, any.into(), Type::STREAM), 2, "all of the first port");
        assert_eq!(taken(Role::Admin, b, Type::STREAM), 1, "any role");
        assert_eq!(inherited.left().collect::<Vec<_>>(), [u]);
    }
}
