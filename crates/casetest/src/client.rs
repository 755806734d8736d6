//! Requests exactly as a case writes them, each on a connection of its own, and their answers.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader, split},
    net::TcpStream,
    time::timeout,
};

use super::{
    case::{Scheme, Send},
    interpolate::plain,
    raw_http::{self, AnyStream, Fields},
};
use http_codec::authority;
use net::tls::ClientTls;

/// An answer.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// Status.
    pub status: u16,
    /// Reason phrase.
    pub reason: String,
    /// Version, as `HTTP/1.1`.
    pub version: String,
    /// Headers in order.
    pub fields: Fields,
    /// Body.
    pub body: Vec<u8>,
    /// Trailers.
    pub trailers: Fields,
    /// Statuses of interim answers.
    pub interim: Vec<u16>,
    /// What came after the answer, if that was read.
    pub rest: Option<Vec<u8>>,
    /// The certificate shown, in DER.
    pub certificate: Option<Vec<u8>>,
    /// The message that came back over a WebSocket.
    pub websocket: Option<String>,
}

/// Sends a request to that address.
///
/// # Errors
/// `UnexpectedEof`, `ConnectionReset` and the like where the connection ends without a whole answer; `TimedOut`;
/// `InvalidData` where what comes is no answer.
pub async fn send(address: SocketAddr, spec: &Send) -> io::Result<Response> {
    let limit = Duration::try_from_secs_f64(spec.timeout.unwrap_or(10.0)).unwrap_or(Duration::MAX);
    match timeout(limit, exchange(address, spec)).await {
        Ok(outcome) => outcome,
        Err(_) => {
            let message = format!("no whole answer after {} s", limit.as_secs_f64());
            Err(io::Error::new(io::ErrorKind::TimedOut, message))
        }
    }
}

/// Whether an error means that no whole answer came.
pub fn is_closed(error: &io::Error) -> bool {
    use io::ErrorKind as E;
    matches!(
        error.kind(),
        E::UnexpectedEof
            | E::TimedOut
            | E::ConnectionReset
            | E::ConnectionAborted
            | E::BrokenPipe
            | E::ConnectionRefused
    )
}

async fn exchange(address: SocketAddr, spec: &Send) -> io::Result<Response> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut certificate = None;
    let stream: AnyStream = if spec.scheme == Some(Scheme::Https) {
        let (stream, shown) = over_tls(stream, address, spec).await?;
        certificate = shown;
        Box::new(stream)
    } else {
        Box::new(stream)
    };
    let (method, bytes) = match &spec.raw {
        Some(raw) => (raw.split(' ').next().unwrap_or_default().to_owned(), raw_http::to_latin1(raw)),
        None => (spec.method.clone().unwrap_or_else(|| "GET".to_owned()), request(address, spec)?),
    };
    let (reader, mut writer) = split(stream);
    let mut reader = BufReader::new(reader);
    // A gateway may answer, and close, before it has read all: writing never holds up the answer.
    let write = async {
        let written = async {
            writer.write_all(&bytes).await?;
            writer.flush().await?;
            if spec.half_close { writer.shutdown().await } else { Ok(()) }
        };
        let _ = written.await;
        std::future::pending::<()>().await
    };
    let mut answer = tokio::select! {
        answer = read_answer(&mut reader, &method) => answer?,
        () = write => return Err(raw_http::cut("nothing was sent")),
    };
    answer.certificate = certificate;
    if spec.rest {
        let mut rest = Vec::new();
        // A connection that is cut has said what it had to say.
        let _ = reader.read_to_end(&mut rest).await;
        answer.rest = Some(rest);
    }
    if let Some(message) = spec.websocket.as_ref().filter(|_| answer.status == 101) {
        // A final text frame with an empty mask (RFC 6455, 5.2); messages of a case are short.
        let mut frame = vec![0x81, 0x80 | (message.len().min(125) as u8), 0, 0, 0, 0];
        frame.extend(message.bytes().take(125));
        writer.write_all(&frame).await?;
        writer.flush().await?;
        let mut head = [0; 2];
        reader.read_exact(&mut head).await?;
        let data = raw_http::exactly(&mut reader, usize::from(head[1] & 127)).await?;
        answer.websocket = Some(String::from_utf8_lossy(&data).into_owned());
    }
    Ok(answer)
}

type Tls = tokio_rustls::client::TlsStream<TcpStream>;

async fn over_tls(stream: TcpStream, address: SocketAddr, spec: &Send) -> io::Result<(Tls, Option<Vec<u8>>)> {
    let client = spec.client_cert.as_deref().zip(spec.client_key.as_deref());
    let profile = ClientTls::new(None, client).map_err(io::Error::other)?;
    let host = spec.sni.as_deref().or(spec.host.as_deref());
    let name = host.map(|host| authority::split_address(host).0.to_owned());
    let name = match name {
        Some(name) => ServerName::try_from(name).map_err(io::Error::other)?,
        None => ServerName::IpAddress(address.ip().into()),
    };
    let connector = tokio_rustls::TlsConnector::from(Arc::clone(&profile.config));
    let stream = connector.connect(name, stream).await?;
    let shown = stream.get_ref().1.peer_certificates().and_then(|c| c.first()).map(|c| c.to_vec());
    Ok((stream, shown))
}

/// A request's bytes.
fn request(address: SocketAddr, spec: &Send) -> io::Result<Vec<u8>> {
    let method = spec.method.as_deref().unwrap_or("GET");
    let mut own: Vec<(&str, String)> = Vec::new();
    let mut body = spec.body.clone().unwrap_or_default().into_bytes();
    if let Some(json) = &spec.json {
        body = raw_http::json_text(json).into_bytes();
        own.push(("Content-Type", "application/json".to_owned()));
    }
    if let Some(form) = &spec.form {
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form {
            match value {
                Value::Array(all) => all.iter().for_each(|v| {
                    pairs.append_pair(name, &plain(v));
                }),
                one => {
                    pairs.append_pair(name, &plain(one));
                }
            }
        }
        body = pairs.finish().into_bytes();
        own.push(("Content-Type", "application/x-www-form-urlencoded".to_owned()));
    }
    if let Some(text) = &spec.base64 {
        body = BASE64_STANDARD
            .decode(text)
            .map_err(|e| raw_http::malformed(format!("base64 of the body: {e}")))?;
    }
    if let Some(size) = spec.size {
        body = vec![b'x'; size];
    }
    own.insert(0, ("Host", spec.host.clone().unwrap_or_else(|| address.to_string())));
    let has_body = !body.is_empty() || matches!(method, "POST" | "PUT" | "PATCH");
    let mut last: Vec<(&str, String)> = Vec::new();
    if spec.chunked {
        last.push(("Transfer-Encoding", "chunked".to_owned()));
        let whole = std::mem::take(&mut body);
        if !whole.is_empty() {
            body.extend_from_slice(format!("{:x}\r\n", whole.len()).as_bytes());
            body.extend_from_slice(&whole);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"0\r\n\r\n");
    } else if has_body {
        last.push(("Content-Length", body.len().to_string()));
    }
    last.push(("Connection", "close".to_owned()));

    let version = spec.version.as_deref().unwrap_or("HTTP/1.1");
    let mut head =
        raw_http::to_latin1(&format!("{method} {} {version}\r\n", spec.path.as_deref().unwrap_or("/")));
    let mut add = |name: &str, value: &str| head.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    let given = |name: &str| spec.headers.keys().any(|k| k.eq_ignore_ascii_case(name));
    own.iter().filter(|(name, _)| !given(name)).for_each(|(name, value)| add(name, value));
    for (name, value) in &spec.headers {
        match value {
            Value::Null => {}
            Value::Array(all) => all.iter().for_each(|v| add(name, &plain(v))),
            one => add(name, &plain(one)),
        }
    }
    // How the body is framed is said even beside a header of the same name: that is what some cases are about.
    for (name, value) in &last {
        if *name == "Transfer-Encoding" || !given(name) {
            add(name, value);
        }
    }
    head.extend_from_slice(b"\r\n");
    head.extend_from_slice(&body);
    Ok(head)
}

async fn read_answer<R>(reader: &mut R, method: &str) -> io::Result<Response>
where
    R: tokio::io::AsyncBufRead + Unpin,
{
    let mut answer = Response::default();
    loop {
        let line = raw_http::line(reader).await.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                raw_http::cut("the gateway closed the connection without an answer")
            }
            _ => error,
        })?;
        let mut parts = line.splitn(3, ' ');
        answer.version = parts.next().unwrap_or_default().to_owned();
        let status = parts.next().and_then(|s| s.parse().ok());
        answer.status = status.ok_or_else(|| raw_http::malformed(format!("no status line: {line:?}")))?;
        answer.reason = parts.next().unwrap_or_default().to_owned();
        answer.fields = raw_http::fields(reader).await?;
        if answer.status >= 200 || answer.status == 101 {
            break;
        }
        answer.interim.push(answer.status);
    }
    if method == "HEAD" || matches!(answer.status, 101 | 204 | 304) {
        return Ok(answer);
    }
    if raw_http::is_chunked(&answer.fields) {
        answer.body = raw_http::chunks(reader).await?;
        answer.trailers = raw_http::fields(reader).await?;
    } else if let Some(length) = raw_http::get(&answer.fields, "content-length").first() {
        let length = length.parse().map_err(|_| raw_http::malformed(format!("no length: {length:?}")))?;
        answer.body = raw_http::exactly(reader, length).await?;
    } else {
        reader.read_to_end(&mut answer.body).await?;
    }
    Ok(answer)
}
