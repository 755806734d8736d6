//! HTTP/2 frames written and read by hand.

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

use gatewayctl::proxy::Listener;

use crate::rig::*;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;
pub const ACK: u8 = 1;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// `:method GET`, `:scheme http`, `:path /` and `:authority a`, by HPACK's static table.
pub const GET: &[u8] = &[0x82, 0x86, 0x84, 0x01, 1, b'a'];

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

pub fn get(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, GET)
}

/// A connection whose frames are written and read by hand.
pub struct Client<S = TcpStream> {
    pub stream: S,
    /// The code of a GOAWAY that has come.
    pub goaway: Option<u32>,
}

pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    pub fn ends(&self) -> bool {
        matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0
    }

    /// The error code of GOAWAY or RST_STREAM.
    pub fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

impl Client {
    /// Connects with these settings, without waiting for an answer.
    pub async fn new(rig: &Rig, settings: &[(u16, u32)]) -> Client {
        Client::handshake(rig.connect().await, settings).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Sends the preface and these settings, without waiting for an answer.
    pub async fn handshake(stream: S, settings: &[(u16, u32)]) -> Self {
        let mut client = Client { stream, goaway: None };
        let mut payload = Vec::new();
        for (name, value) in settings {
            payload.extend(name.to_be_bytes());
            payload.extend(value.to_be_bytes());
        }
        client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        client.send(&frame(SETTINGS, 0, 0, &payload)).await;
        // The connection's own window is never in the way.
        client.send(&frame(WINDOW_UPDATE, 0, 0, &0x7fff_0000u32.to_be_bytes())).await;
        client
    }

    /// A connection that has been cut takes nothing more; the test reads why.
    pub async fn send(&mut self, bytes: &[u8]) {
        let _ = soon(self.stream.write_all(bytes)).await;
    }

    /// The next frame; none when the connection has ended. Pings are answered, as every client does.
    pub async fn frame(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        soon(self.stream.read_exact(&mut head)).await.ok()?;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        soon(self.stream.read_exact(&mut payload)).await.ok()?;
        let stream = u32::from_be_bytes(head[5..].try_into().unwrap());
        let next = Frame { kind: head[3], flags: head[4], stream, payload };
        if next.kind == GOAWAY {
            self.goaway = Some(next.code());
        }
        if next.kind == PING && next.flags & ACK == 0 {
            self.send(&frame(PING, ACK, 0, &next.payload)).await;
        }
        Some(next)
    }

    /// Reads up to a frame that fits.
    pub async fn until(&mut self, fits: impl Fn(&Frame) -> bool) -> Frame {
        loop {
            let next = self.frame().await.expect("the connection ended too early");
            if fits(&next) {
                return next;
            }
        }
    }

    /// Reads until the connection ends; how it was explained.
    pub async fn end(&mut self) -> Option<u32> {
        while self.frame().await.is_some() {}
        self.goaway
    }
}

pub fn clear() -> Listener {
    Listener { http2: true, ..plain() }
}
