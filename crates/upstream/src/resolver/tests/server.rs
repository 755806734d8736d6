//! A DNS server on loopback for tests: UDP and TCP at one port, replies by name and type, a log of queries.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use hickory_resolver::proto::{
    op::{Message, ResponseCode},
    rr::{Name, RData, Record, RecordType, rdata},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::{Semaphore, watch},
};

/// Reply to a query.
#[derive(Clone)]
pub enum Reply {
    /// Records: TTL and data.
    Records(Vec<(u32, RData)>),
    /// An error.
    Code(ResponseCode),
    /// No reply.
    Silence,
    /// The reply with a wrong id, then the right one.
    WrongIdFirst(Box<Reply>),
    /// By UDP a truncated reply without records, by TCP the whole one.
    Truncated(Box<Reply>),
    /// The reply once the semaphore has a permit; it keeps the permit.
    Held(Arc<Semaphore>, Box<Reply>),
}

/// A received query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    id: u16,
    /// `TYPE name.`, with `/tcp` after the type if it came by TCP.
    pub query: String,
}

/// The server. Its tasks run on the runtime that starts it.
pub struct DnsServer {
    /// Its address.
    pub address: SocketAddr,
    state: Arc<State>,
}

struct State {
    zone: Mutex<HashMap<(String, RecordType), Reply>>,
    received: Mutex<Vec<Received>>,
    count: watch::Sender<usize>,
}

/// Returns A or AAAA records with a TTL.
pub fn addresses(ttl: u32, ips: &[&str]) -> Reply {
    let record = |ip: &&str| match ip.parse().expect("an address") {
        std::net::IpAddr::V4(ip) => (ttl, RData::A(rdata::A(ip))),
        std::net::IpAddr::V6(ip) => (ttl, RData::AAAA(rdata::AAAA(ip))),
    };
    Reply::Records(ips.iter().map(record).collect())
}

/// Returns SRV records with a TTL: priority, weight, port, target.
pub fn srv(ttl: u32, records: &[(u16, u16, u16, &str)]) -> Reply {
    let record = |&(priority, weight, port, target): &(u16, u16, u16, &str)| {
        (ttl, RData::SRV(rdata::SRV::new(priority, weight, port, name(target))))
    };
    Reply::Records(records.iter().map(record).collect())
}

/// Returns a CNAME record with a TTL.
pub fn cname(ttl: u32, target: &str) -> Reply {
    Reply::Records(vec![(ttl, RData::CNAME(rdata::CNAME(name(target))))])
}

fn name(text: &str) -> Name {
    let mut name = Name::from_str_relaxed(text).expect("a name");
    name.set_fqdn(true);
    name
}

impl DnsServer {
    /// Starts a server that knows no names.
    pub async fn start() -> Self {
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
            // The port may be in use for TCP.
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().expect("bound")).await {
                break (Arc::new(udp), tcp);
            }
        };
        let address = udp.local_addr().expect("bound");
        let (count, _) = watch::channel(0);
        let state = Arc::new(State { zone: Mutex::default(), received: Mutex::default(), count });
        tokio::spawn(serve_udp(udp, Arc::clone(&state)));
        tokio::spawn(serve_tcp(tcp, Arc::clone(&state)));
        DnsServer { address, state }
    }

    /// Sets the reply to queries of a type for a name.
    pub fn set(&self, name: &str, record_type: RecordType, reply: Reply) {
        self.state.zone.lock().expect("lock").insert((name.to_owned(), record_type), reply);
    }

    /// Forgets a name.
    pub fn remove(&self, name: &str) {
        self.state.zone.lock().expect("lock").retain(|(known, _), _| known != name);
    }

    /// Returns the queries so far, without retransmissions.
    pub fn queries(&self) -> Vec<String> {
        self.state.received.lock().expect("lock").iter().map(|received| received.query.clone()).collect()
    }

    /// Waits until that many queries have arrived since the start.
    pub async fn received(&self, count: usize) {
        let mut current = self.state.count.subscribe();
        current.wait_for(|current| *current >= count).await.expect("the server runs");
    }
}

impl State {
    /// Logs a query and returns its reply; that of a name without records of the type if there is none.
    fn receive(&self, query: &Message, tcp: bool) -> Reply {
        let question = &query.queries[0];
        let transport = if tcp { "/tcp" } else { "" };
        let received = Received {
            id: query.metadata.id,
            query: format!("{}{transport} {}", question.query_type(), question.name()),
        };
        let mut all = self.received.lock().expect("lock");
        if !all.contains(&received) {
            all.push(received);
            self.count.send_replace(all.len());
        }
        let name = question.name().to_string();
        let name = name.trim_end_matches('.');
        let zone = self.zone.lock().expect("lock");
        let unknown = || {
            let is_known = zone.keys().any(|(known, _)| known == name);
            Reply::Code(if is_known { ResponseCode::NoError } else { ResponseCode::NXDomain })
        };
        zone.get(&(name.to_owned(), question.query_type())).cloned().unwrap_or_else(unknown)
    }

    /// Returns the messages to send for a query.
    async fn respond(&self, bytes: &[u8], tcp: bool) -> Vec<Vec<u8>> {
        let Ok(query) = Message::from_vec(bytes) else { return Vec::new() };
        let mut response = Message::response(query.metadata.id, query.metadata.op_code);
        response.metadata.recursion_desired = true;
        response.metadata.recursion_available = true;
        response.queries.clone_from(&query.queries);
        let mut messages = Vec::new();
        let mut reply = self.receive(&query, tcp);
        loop {
            reply = match reply {
                Reply::Records(records) => {
                    let owner = query.queries[0].name();
                    let record = |(ttl, data)| Record::from_rdata(owner.clone(), ttl, data);
                    response.add_answers(records.into_iter().map(record));
                    break;
                }
                Reply::Code(code) => {
                    response.metadata.response_code = code;
                    break;
                }
                Reply::Silence => return messages,
                Reply::WrongIdFirst(right) => {
                    let mut wrong = response.clone();
                    wrong.metadata.id = query.metadata.id.wrapping_add(1);
                    wrong.add_answer(Record::from_rdata(
                        query.queries[0].name().clone(),
                        60,
                        RData::A(rdata::A([192, 0, 2, 66].into())),
                    ));
                    messages.push(wrong.to_vec().expect("a message"));
                    *right
                }
                Reply::Truncated(whole) if tcp => *whole,
                Reply::Truncated(_) => {
                    response.metadata.truncation = true;
                    break;
                }
                Reply::Held(semaphore, held) => {
                    semaphore.acquire().await.expect("never closed").forget();
                    *held
                }
            };
        }
        messages.push(response.to_vec().expect("a message"));
        messages
    }
}

async fn serve_udp(socket: Arc<UdpSocket>, state: Arc<State>) {
    let mut buffer = vec![0; 4096];
    while let Ok((len, peer)) = socket.recv_from(&mut buffer).await {
        let (socket, state, query) = (Arc::clone(&socket), Arc::clone(&state), buffer[..len].to_vec());
        tokio::spawn(async move {
            for message in state.respond(&query, false).await {
                // The client may have gone.
                let _ = socket.send_to(&message, peer).await;
            }
        });
    }
}

async fn serve_tcp(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve_connection(stream, Arc::clone(&state)));
    }
}

async fn serve_connection(mut stream: TcpStream, state: Arc<State>) {
    while let Ok(len) = stream.read_u16().await {
        let mut query = vec![0; len.into()];
        if stream.read_exact(&mut query).await.is_err() {
            return;
        }
        for message in state.respond(&query, true).await {
            let len = u16::try_from(message.len()).expect("a DNS message").to_be_bytes();
            if stream.write_all(&[&len[..], &message].concat()).await.is_err() {
                return;
            }
        }
    }
}
