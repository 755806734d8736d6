//! HTTP/2 conformance: what RFC 9113 and RFC 7541 require of a server, one case for each requirement, over clear text
//! (prior knowledge) and TLS (ALPN `h2`), against the server over sockets.
//!
//! The cases cover those of the public suite h2spec (`generic`, `http2`, `hpack`), restated from the RFCs, and some
//! requirements that are not in it. A case lists the frames that a client sends after its preface and SETTINGS, and one
//! outcome. Where an RFC allows several outcomes, the case states the one that this server has chosen:
//!
//! - A stream error may be treated as a connection error (RFC 9113 section 5.4). That is done for a PRIORITY frame of a
//!   wrong length and for a RST_STREAM or WINDOW_UPDATE frame of a wrong length, which no correct client sends, and for
//!   frames on a stream that the client itself has reset, because the server keeps no state of such streams.
//! - A stream identifier that is lower than the last one is answered with STREAM_CLOSED, not with PROTOCOL_ERROR (section
//!   5.1.1): the server does not remember which lower identifiers were used, and for used ones section 5.1 requires
//!   STREAM_CLOSED. Either way the connection is closed.
//! - A stream that depends on itself is no error: RFC 9113 has removed the priority scheme of RFC 7540 and with it that
//!   rule.

mod connection;
mod flow_control;
mod frame_types;
mod hpack;
mod messages;
mod streams;

use std::{net::Ipv4Addr, time::Duration};

use gatewayctl::{proxy::Listener, runtime::Options};
use serde_json::json;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

use crate::{frames::*, rig::*, tls};

const PROTOCOL_ERROR: u32 = 1;
const FLOW_CONTROL_ERROR: u32 = 3;
const STREAM_CLOSED: u32 = 5;
const FRAME_SIZE_ERROR: u32 = 6;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;
const COMPRESSION_ERROR: u32 = 9;

const PADDED: u8 = 8;
const PRIORITY_FLAG: u8 = 0x20;
const MAX_FRAME_SIZE: usize = 16 * 1024;
const MAX_WINDOW_SIZE: u32 = 0x7fff_ffff;

/// Request to the upstream that responds: `:method POST`, the rest as in [`GET`].
const POST: &[u8] = &[0x83, 0x86, 0x84, 0x01, 1, b'a'];
/// Request to the upstream that never responds, so that its stream stays open: `:path /held`.
const GET_HELD: &[u8] = &[0x82, 0x86, 0x04, 5, b'/', b'h', b'e', b'l', b'd', 0x01, 1, b'a'];

/// A field without indexing and Huffman code (RFC 7541 section 6.2.2).
fn field(name: &str, value: &str) -> Vec<u8> {
    [&[0, name.len() as u8], name.as_bytes(), &[value.len() as u8], value.as_bytes()].concat()
}

fn settings(name: u16, value: u32) -> Vec<u8> {
    frame(SETTINGS, 0, 0, &[&name.to_be_bytes()[..], &value.to_be_bytes()].concat())
}

fn window_update(stream: u32, increment: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &increment.to_be_bytes())
}

fn rst_stream(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes())
}

/// A request without a body.
fn request(stream: u32, block: &[u8]) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, block)
}

/// The head of a request whose body follows.
fn upload(stream: u32, block: &[u8]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, block)
}

/// One step of a client.
enum Step {
    Send(Vec<u8>),
    /// Reads frames up to the END_STREAM of a response.
    ReadResponse(u32),
    /// Reads frames up to the RST_STREAM of a stream.
    ReadReset(u32),
}

use Step::{ReadReset, ReadResponse, Send as SendFrames};

/// What a case expects after its steps.
#[derive(Clone, Copy, Debug)]
enum Outcome {
    /// A response with status 200 on that stream.
    Response(u32),
    /// A response with status 400 on that stream, in place of RST_STREAM (RFC 9113 section 8.1.1).
    BadRequest(u32),
    /// The frames are accepted or ignored: a PING is acknowledged with its payload, without RST_STREAM or GOAWAY.
    Continues,
    /// RST_STREAM on that stream with that code; the connection continues.
    StreamError(u32, u32),
    /// GOAWAY with that code; the server closes the connection.
    ConnectionError(u32),
}

use Outcome::{BadRequest, ConnectionError, Continues, Response, StreamError};

struct Case {
    /// Number of the RFC and section.
    section: &'static str,
    name: &'static str,
    steps: Vec<Step>,
    outcome: Outcome,
}

/// A case of one step or of several.
fn case(section: &'static str, name: &'static str, steps: impl Steps, outcome: Outcome) -> Case {
    Case { section, name, steps: steps.into_steps(), outcome }
}

trait Steps {
    fn into_steps(self) -> Vec<Step>;
}

impl Steps for Vec<u8> {
    fn into_steps(self) -> Vec<Step> {
        vec![Step::Send(self)]
    }
}

impl<const N: usize> Steps for [Vec<u8>; N] {
    fn into_steps(self) -> Vec<Step> {
        self.concat().into_steps()
    }
}

impl<const N: usize> Steps for [Step; N] {
    fn into_steps(self) -> Vec<Step> {
        self.into()
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

type Connection = Client<Box<dyn Stream>>;

#[derive(Clone, Copy, Debug)]
enum Transport {
    ClearText,
    Tls,
}

/// A gateway with an upstream that responds, and one that does not.
struct Server {
    transport: Transport,
    rig: Rig,
    _upstreams: [Upstream; 2],
}

impl Server {
    /// Starts one server for each transport.
    async fn start_all() -> Vec<Server> {
        let mut servers = Vec::new();
        for transport in [Transport::ClearText, Transport::Tls] {
            let responding = Upstream::echo().await;
            let silent = Upstream::script(|stream, _| async move {
                std::future::pending::<()>().await;
                drop(stream);
            })
            .await;
            let mut config = one_service(responding.address);
            let address = silent.address;
            config["services"].as_array_mut().unwrap().push(json!({
                "id": uuid(3), "name": "held", "host": address.ip().to_string(), "port": address.port(),
            }));
            config["routes"].as_array_mut().unwrap().push(json!({
                "id": uuid(4), "name": "held", "service": { "id": uuid(3) }, "paths": ["/held"],
            }));
            let listener = Listener {
                tls: matches!(transport, Transport::Tls),
                http2: true,
                ..Listener::plain((Ipv4Addr::LOCALHOST, 0).into())
            };
            let rig = Rig::with(config, Options::default(), &[listener]);
            servers.push(Server { transport, rig, _upstreams: [responding, silent] });
        }
        servers
    }

    /// Connects without a byte of HTTP/2.
    async fn connect_raw(&self) -> Box<dyn Stream> {
        match self.transport {
            Transport::ClearText => Box::new(self.rig.connect().await),
            Transport::Tls => Box::new(tls::connect(&self.rig, "a.test", b"h2").await),
        }
    }

    /// Connects and sends the preface and these settings.
    async fn connect(&self, settings: &[(u16, u32)]) -> Connection {
        Client::handshake(self.connect_raw().await, settings).await
    }

    /// Runs a case on a new connection.
    ///
    /// # Errors
    /// If the outcome is another one: what came instead.
    async fn run(&self, case: &Case) -> Result<(), String> {
        let mut connection = self.connect(&[]).await;
        for step in &case.steps {
            match step {
                Step::Send(bytes) => connection.send(bytes).await,
                Step::ReadResponse(stream) => {
                    drop(read_until(&mut connection, |frame| frame.stream == *stream && frame.ends()).await?)
                }
                Step::ReadReset(stream) => {
                    let is_reset = |frame: &Frame| frame.stream == *stream && frame.kind == RST_STREAM;
                    drop(read_until(&mut connection, is_reset).await?);
                }
            }
        }
        match case.outcome {
            Response(stream) | BadRequest(stream) => {
                let head = read_until(&mut connection, |frame| frame.stream == stream).await?;
                // `:status 200` and `:status 400` of the static table.
                let status = if matches!(case.outcome, Response(_)) { 0x88 } else { 0x8c };
                if (head.kind, head.payload.first()) != (HEADERS, Some(&status)) {
                    return Err(describe(&head));
                }
                if !head.ends() {
                    let is_end = |frame: &Frame| frame.stream == stream && frame.ends();
                    read_until(&mut connection, is_end).await?;
                }
            }
            Continues => ping(&mut connection).await?,
            StreamError(stream, code) => {
                let reset = read_until(&mut connection, |frame| frame.stream == stream).await?;
                if (reset.kind, code) != (RST_STREAM, reset.code_or_zero()) {
                    return Err(describe(&reset));
                }
                ping(&mut connection).await?;
            }
            ConnectionError(code) => {
                while let Some(frame) = next(&mut connection).await? {
                    if frame.kind == RST_STREAM {
                        return Err(describe(&frame));
                    }
                }
                if connection.goaway != Some(code) {
                    return Err(format!("closed with GOAWAY {:?}", connection.goaway));
                }
            }
        }
        Ok(())
    }
}

impl Frame {
    /// The error code of a RST_STREAM frame; 0 for another frame.
    fn code_or_zero(&self) -> u32 {
        if self.kind == RST_STREAM { self.code() } else { 0 }
    }
}

fn describe(frame: &Frame) -> String {
    let Frame { kind, flags, stream, payload } = frame;
    format!(
        "frame of type {kind} with flags {flags:#x} on stream {stream}: {:02x?}",
        &payload[..payload.len().min(32)]
    )
}

/// The next frame; `None` when the connection is closed.
async fn next(connection: &mut Connection) -> Result<Option<Frame>, String> {
    timeout(Duration::from_secs(10), connection.frame())
        .await
        .map_err(|_| "no frame and no end of the connection".into())
}

/// Reads up to a frame that matches. RST_STREAM frames that do not match, GOAWAY and the end are errors.
async fn read_until(connection: &mut Connection, matches: impl Fn(&Frame) -> bool) -> Result<Frame, String> {
    loop {
        match next(connection).await? {
            None => return Err("closed without GOAWAY".to_owned()),
            Some(frame) if matches(&frame) => return Ok(frame),
            Some(frame) if matches!(frame.kind, RST_STREAM | GOAWAY) => return Err(describe(&frame)),
            Some(_) => {}
        }
    }
}

/// Sends a PING and reads up to its acknowledgement: the server has handled all earlier frames then.
async fn ping(connection: &mut Connection) -> Result<(), String> {
    connection.send(&frame(PING, 0, 0, b"conforms")).await;
    let is_ack = |frame: &Frame| frame.kind == PING && frame.flags & ACK != 0 && frame.payload == b"conforms";
    read_until(connection, is_ack).await.map(drop)
}

/// Runs all cases over both transports and lists those that fail.
async fn run_all(cases: Vec<Case>) {
    let mut failed = Vec::new();
    for server in Server::start_all().await {
        for case in &cases {
            if let Err(why) = server.run(case).await {
                let Case { section, name, outcome, .. } = case;
                failed.push(format!(
                    "{section} {name} ({:?}): expected {outcome:?}, got {why}",
                    server.transport
                ));
            }
        }
    }
    assert!(failed.is_empty(), "{} cases failed:\n{}", failed.len(), failed.join("\n"));
}
