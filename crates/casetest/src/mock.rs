//! Mock upstreams: servers that behave as a case says and remember what they saw.

use std::{
    cell::RefCell,
    io,
    net::{Ipv4Addr, SocketAddr},
    rc::Rc,
    sync::Arc,
    time::{Duration, SystemTime},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use indexmap::IndexMap;
use rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier};
use serde_json::{Map, Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::spawn_local,
};
use tokio_rustls::TlsAcceptor;

use super::{
    case::{Mock, MockTls},
    interpolate::plain,
    raw_http::{self, AnyStream, Fields},
};
use http_codec::urlencoded;
use net::tls::{crypto_provider, parse_certificates, parse_certified_key};

/// A running mock.
pub struct Server {
    /// Its name in the case.
    pub name: String,
    /// Where it listens; of a dead one, where nothing does.
    pub address: SocketAddr,
    behaviour: RefCell<Mock>,
    seen: RefCell<Vec<Value>>,
}

impl Server {
    /// Starts one. Must be called within a `LocalSet`, which ends it.
    ///
    /// # Errors
    /// When there is no port, or its certificate is none.
    pub async fn start(name: &str, behaviour: Mock) -> io::Result<Rc<Server>> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let dead = behaviour.dead;
        let tls = behaviour.tls.as_ref().map(acceptor).transpose().map_err(io::Error::other)?;
        let server = Rc::new(Server {
            name: name.to_owned(),
            address,
            behaviour: RefCell::new(behaviour),
            seen: RefCell::default(),
        });
        if !dead {
            spawn_local(Rc::clone(&server).accept(listener, tls));
        }
        Ok(server)
    }

    /// Whether it is a server of HTTPS.
    pub fn is_tls(&self) -> bool {
        self.behaviour.borrow().tls.is_some()
    }

    /// The hosts of the configuration that lead here.
    pub fn hosts(&self) -> Vec<String> {
        self.behaviour.borrow().hosts.clone()
    }

    /// Behaves like that from now on.
    pub fn set(&self, behaviour: Mock) {
        let mut held = self.behaviour.borrow_mut();
        // What was made of these at the start stays.
        let (hosts, tls) = (std::mem::take(&mut held.hosts), held.tls.take());
        *held = Mock { hosts, tls, ..behaviour };
    }

    /// The requests seen, in the order they came.
    pub fn seen(&self) -> Vec<Value> {
        self.seen.borrow().clone()
    }

    /// How many requests were seen.
    pub fn count(&self) -> usize {
        self.seen.borrow().len()
    }

    fn behaviour(&self) -> Mock {
        self.behaviour.borrow().clone()
    }

    async fn accept(self: Rc<Self>, listener: TcpListener, tls: Option<TlsAcceptor>) {
        while let Ok((stream, _)) = listener.accept().await {
            let (server, tls) = (Rc::clone(&self), tls.clone());
            spawn_local(async move {
                // A connection that breaks is what many cases are about.
                let _ = server.connection(stream, tls).await;
            });
        }
    }

    async fn connection(&self, stream: TcpStream, tls: Option<TlsAcceptor>) -> io::Result<()> {
        let _ = stream.set_nodelay(true);
        let tls = match tls {
            Some(tls) => Some(tls),
            // A host that a case mocks may be an HTTPS one: then this is the TLS it finds.
            None => match stream.peek(&mut [0]).await? {
                1 if self.behaviour.borrow().hosts.is_empty() => None,
                1 if begins_tls(&stream).await? => Some(acceptor_of_its_own()?),
                _ => None,
            },
        };
        let Some(tls) = tls else { return self.serve(Box::new(stream), None).await };
        let stream = tls.accept(stream).await?;
        let (_, session) = stream.get_ref();
        let name = session.peer_certificates().and_then(|chain| common_name(chain.first()?));
        let facts = json!({ "sni": session.server_name(), "client_cn": name });
        self.serve(Box::new(stream), Some(facts)).await
    }

    async fn serve(&self, stream: AnyStream, tls: Option<Value>) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        loop {
            if self.behaviour.borrow().reset {
                return stream.shutdown().await;
            }
            let request = Request::read(&mut stream).await?;
            // As it is now, not as it was when the connection came.
            let behaviour = self.behaviour();
            let echo = request.echo(&self.name, tls.as_ref());
            self.seen.borrow_mut().push(echo.clone());
            let upgrade = |name| raw_http::get(&request.fields, name).first().map(|v| v.to_ascii_lowercase());
            if upgrade("connection").is_some_and(|v| v.contains("upgrade"))
                && upgrade("upgrade").is_some_and(|v| v == "websocket")
            {
                return websocket(&request, &mut stream).await;
            }
            let how = behaviour.routes.get(request.path()).unwrap_or(&behaviour);
            if let Some(raw) = &how.raw {
                pause(how.delay).await;
                stream.write_all(&raw_http::to_latin1(raw)).await?;
                return stream.shutdown().await;
            }
            if behaviour.fail_first.is_some_and(|n| self.count() <= n) {
                return stream.shutdown().await;
            }
            let path = request.path();
            let delay = path.strip_prefix("/delay/").and_then(|s| s.parse().ok()).or(how.delay);
            pause(delay).await;
            stream.write_all(&answer(how, &request, echo)).await?;
            stream.flush().await?;
            let closing =
                upgrade("connection").is_some_and(|v| v == "close") || request.version == "HTTP/1.0";
            if how.truncate || closing {
                return stream.shutdown().await;
            }
        }
    }
}

async fn pause(seconds: Option<f64>) {
    if let Some(wait) = seconds.and_then(|s| Duration::try_from_secs_f64(s).ok()) {
        tokio::time::sleep(wait).await;
    }
}

/// Whether what a client sent first begins a TLS handshake.
async fn begins_tls(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    Ok(stream.peek(&mut first).await? == 1 && first[0] == 0x16)
}

/// A request as it came.
struct Request {
    method: String,
    uri: String,
    version: String,
    fields: Fields,
    body: Vec<u8>,
}

impl Request {
    async fn read(stream: &mut BufReader<AnyStream>) -> io::Result<Request> {
        let line = raw_http::line(stream).await?;
        let mut parts = line.splitn(3, ' ').map(str::to_owned);
        let (Some(method), Some(uri), Some(version)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(raw_http::malformed(format!("no request line: {line:?}")));
        };
        let fields = raw_http::fields(stream).await?;
        let body = if raw_http::is_chunked(&fields) {
            let body = raw_http::chunks(stream).await?;
            raw_http::fields(stream).await?;
            body
        } else if let Some(length) = raw_http::get(&fields, "content-length").first() {
            let length = length.parse().map_err(|_| raw_http::malformed("no length"))?;
            raw_http::exactly(stream, length).await?
        } else {
            Vec::new()
        };
        Ok(Request { method, uri, version, fields, body })
    }

    fn path(&self) -> &str {
        self.uri.split('?').next().unwrap_or_default()
    }

    fn query(&self) -> &str {
        self.uri.split_once('?').map_or("", |(_, query)| query)
    }

    /// The request as JSON.
    fn echo(&self, upstream: &str, tls: Option<&Value>) -> Value {
        let mut query = Map::new();
        for argument in urlencoded::arguments(&raw_http::to_latin1(self.query())) {
            let value = argument.value_text().unwrap_or_default();
            raw_http::add(&mut query, argument.name_text().into_owned(), value.into_owned());
        }
        let body = String::from_utf8_lossy(&self.body);
        let mut echo = json!({
            "upstream": upstream, "method": self.method, "uri": self.uri, "path": self.path(), "query": query,
            "http_version": self.version, "headers": raw_http::by_name(&self.fields), "body": body,
        });
        let kind = raw_http::get(&self.fields, "content-type").first().copied().unwrap_or_default();
        if kind.contains("json") {
            if let Ok(value) = serde_json::from_slice::<Value>(&self.body) {
                echo["json"] = value;
            }
        } else if kind.contains("x-www-form-urlencoded") {
            echo["form"] = urlencoded::arguments(body.as_bytes())
                .map(|argument| {
                    let value = argument.value_text().unwrap_or_default();
                    (argument.name_text().into_owned(), Value::from(value))
                })
                .collect::<Map<_, _>>()
                .into();
        }
        if let Some(tls) = tls {
            echo["tls"] = tls.clone();
        }
        echo
    }
}

/// The bytes of an answer.
fn answer(how: &Mock, request: &Request, echo: Value) -> Vec<u8> {
    let path = request.path();
    let status = path.strip_prefix("/status/").and_then(|s| s.parse().ok()).or(how.status).unwrap_or(200);
    let mut fields = Fields::new();
    for (name, value) in how.headers.iter().flatten() {
        match value {
            Value::Array(all) => fields.extend(all.iter().map(|v| (name.clone(), plain(v)))),
            one => fields.push((name.clone(), plain(one))),
        }
    }
    if path == "/response-headers" {
        fields.extend(urlencoded::arguments(request.query().as_bytes()).map(|argument| {
            let value = argument.value_text().unwrap_or_default();
            (argument.name_text().into_owned(), value.into_owned())
        }));
    }
    let size = path.strip_prefix("/bytes/").and_then(|n| n.parse().ok());
    let mut body = match (&how.body, &how.json, &how.base64, size) {
        (Some(body), ..) => plain(body).into_bytes(),
        (_, Some(json), ..) => raw_http::json_text(json).into_bytes(),
        (_, _, Some(text), _) => BASE64_STANDARD.decode(text).unwrap_or_default(),
        (.., Some(size)) => vec![b'x'; size],
        _ => raw_http::json_text(&echo).into_bytes(),
    };
    if raw_http::get(&fields, "content-type").is_empty() && !how.no_content_type {
        fields.push(("Content-Type".to_owned(), "application/json".to_owned()));
    }
    if raw_http::get(&fields, "date").is_empty() {
        fields.push(("Date".to_owned(), httpdate::fmt_http_date(SystemTime::now())));
    }
    let has_length = status >= 200 && !matches!(status, 204 | 304);
    if how.chunked {
        fields.push(("Transfer-Encoding".to_owned(), "chunked".to_owned()));
        body = raw_http::in_chunks(&body);
    } else if has_length {
        fields.push(("Content-Length".to_owned(), body.len().to_string()));
    }
    let reason = how.reason.as_deref().unwrap_or("Mock");
    let mut head = format!("HTTP/1.1 {status} {reason}\r\n");
    for (name, value) in &fields {
        head += &format!("{name}: {value}\r\n");
    }
    head += "\r\n";
    let mut out = raw_http::to_latin1(&head);
    if has_length && request.method != "HEAD" {
        out.extend_from_slice(&body);
    }
    out
}

/// Opens a WebSocket and sends every frame back, unmasked, until the client closes.
async fn websocket(request: &Request, stream: &mut BufReader<AnyStream>) -> io::Result<()> {
    let key =
        raw_http::get(&request.fields, "sec-websocket-key").first().copied().unwrap_or_default().to_owned();
    // RFC 6455, 1.3: the hash of the key and this text proves that the handshake was understood.
    let proof = aws_lc_rs::digest::digest(
        &aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY,
        format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11").as_bytes(),
    );
    let accept = BASE64_STANDARD.encode(proof);
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.flush().await?;
    loop {
        let mut head = [0; 2];
        stream.read_exact(&mut head).await?;
        let mut mask = [0; 4];
        stream.read_exact(&mut mask).await?;
        let mut data = vec![0; usize::from(head[1] & 127)];
        stream.read_exact(&mut data).await?;
        data.iter_mut().enumerate().for_each(|(i, byte)| *byte ^= mask[i % 4]);
        let mut frame = vec![head[0], head[1] & 127];
        frame.extend_from_slice(&data);
        stream.write_all(&frame).await?;
        stream.flush().await?;
        if head[0] & 15 == 8 {
            return stream.shutdown().await;
        }
    }
}

fn acceptor(tls: &MockTls) -> Result<TlsAcceptor, String> {
    let tls_error = |error: &dyn std::fmt::Display| format!("tls of a mock: {error}");
    let key = parse_certified_key(&tls.cert, &tls.key).map_err(|e| tls_error(&e))?;
    let builder = ServerConfig::builder_with_provider(crypto_provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|e| tls_error(&e))?;
    let builder = match &tls.client_ca {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(parse_certificates(authority).map_err(|e| tls_error(&e))?);
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), crypto_provider());
            let verifier =
                if tls.required == Some(false) { verifier.allow_unauthenticated() } else { verifier };
            builder.with_client_cert_verifier(verifier.build().map_err(|e| tls_error(&e))?)
        }
    };
    let config = builder.with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(key)));
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// TLS with a certificate made on the spot.
fn acceptor_of_its_own() -> io::Result<TlsAcceptor> {
    let made = rcgen::generate_simple_self_signed(vec!["mock".to_owned()]).map_err(io::Error::other)?;
    let tls = MockTls { cert: made.cert.pem(), key: made.signing_key.serialize_pem(), ..MockTls::default() };
    acceptor(&tls).map_err(io::Error::other)
}

fn common_name(certificate: &[u8]) -> Option<String> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let name = certificate.subject().iter_common_name().next()?.as_str().ok()?;
    Some(name.to_owned())
}

/// Starts all mocks of a case.
///
/// # Errors
/// See [`Server::start`].
pub async fn start_all(mocks: IndexMap<String, Option<Mock>>) -> io::Result<IndexMap<String, Rc<Server>>> {
    let mut servers = IndexMap::new();
    for (name, mock) in mocks {
        let server = Server::start(&name, mock.unwrap_or_default()).await?;
        servers.insert(name, server);
    }
    Ok(servers)
}
