//! A strict HTTP/2 client: it keeps to the rules, and panics when the gateway does not.

use std::collections::{BTreeMap, VecDeque};

use gatewayctl::http_codec::http2::hpack;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

const MAX_WINDOW: i64 = 0x7fff_ffff;
/// What one connection may have received and not consumed.
pub const MAX_GRANTED: i64 = 16 * 1024 * 1024;
/// Streams that may be open.
const MAX_STREAMS: usize = 128;
/// The byte of a request's or a response's body at an offset.
fn byte(number: u32, offset: usize) -> u8 {
    (number as usize * 31 + offset * 7 + (offset >> 8) * 13) as u8
}

pub fn bytes(number: u32, from: usize, count: usize) -> Vec<u8> {
    (from..from + count).map(|offset| byte(number, offset)).collect()
}

/// A stream as the client sees it.
pub struct Stream {
    pub length: usize,
    sent: usize,
    response: usize,
    received: usize,
    /// What it may send, all that it ever could, and what it lets the gateway send.
    send_window: i64,
    receive_window: i64,
    /// Whether its request and the response have ended, and whether it was reset.
    request_ended: bool,
    has_head: bool,
    response_ended: bool,
    pub is_reset: bool,
    reset_by_client: bool,
}

impl Stream {
    pub fn is_open(&self) -> bool {
        !(self.is_reset || self.request_ended && self.response_ended)
    }

    pub fn sends(&self) -> bool {
        !self.is_reset && !self.request_ended
    }
}

/// The client, and what it knows of the gateway.
pub struct Client {
    pub streams: BTreeMap<u32, Stream>,
    next: u32,
    pub send_window: i64,
    initial_send_window: i64,
    pub receive_window: i64,
    initial_receive_window: i64,
    /// Changes of the initial window that the gateway has not acknowledged, and the streams that they concern.
    changes: VecDeque<(i64, u32)>,
    resets: u32,
    decoder: hpack::Decoder,
}

pub fn put(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let [.., a, b, c] = payload.len().to_be_bytes();
    out.extend_from_slice(&[a, b, c, kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

impl Client {
    /// A client that has sent its preface and empty settings.
    pub fn new() -> Self {
        Client {
            streams: BTreeMap::new(),
            next: 1,
            send_window: 65_535,
            initial_send_window: 65_535,
            receive_window: 65_535,
            initial_receive_window: 65_535,
            changes: VecDeque::from([(0, 0)]),
            resets: 0,
            decoder: hpack::Decoder::default(),
        }
    }

    pub fn open(&self) -> usize {
        self.streams.values().filter(|stream| stream.is_open()).count()
    }

    /// The stream that a byte of the script names: one of the last few.
    pub fn pick(&mut self, which: u8) -> Option<(u32, &mut Stream)> {
        let back = usize::from(which) % 16;
        let index = self.streams.len().checked_sub(1)?.saturating_sub(back);
        self.streams.iter_mut().nth(index).map(|(&id, stream)| (id, stream))
    }

    /// Sends a request: its stream, and the length of the response that the client expects.
    pub fn begin(&mut self, out: &mut Vec<u8>, a: u8, b: u8) -> Option<(u32, usize)> {
        if self.open() >= MAX_STREAMS {
            return None;
        }
        let id = self.next;
        self.next += 2;
        // From nothing to more than four windows.
        let length = [0, 1, 10, 5_000, 70_000, 300_000][usize::from(a) % 6];
        let response = [0, 1, 100, 20_000, 70_000, 200_000][usize::from(b) % 6];
        let mut block = vec![0x83, 0x86, 0x01, 1, b'a', 0x04];
        let path = format!("/{id}");
        block.push(path.len() as u8);
        block.extend_from_slice(path.as_bytes());
        if a & 0x40 != 0 {
            let length = length.to_string();
            block.extend_from_slice(&[0x0f, 0x0d, length.len() as u8]);
            block.extend_from_slice(length.as_bytes());
        }
        // Another task consumes its body.
        if a & 0x80 != 0 {
            block.extend_from_slice(b"\x00\x08detached\x011");
        }
        if b & 0x80 != 0 {
            block.extend_from_slice(b"\x00\x06expect\x0c100-continue");
        }
        let ends = length == 0 && b & 0x40 != 0;
        put(out, HEADERS, END_HEADERS | u8::from(ends), id, &block);
        let stream = Stream {
            length,
            sent: 0,
            response,
            received: 0,
            send_window: self.initial_send_window,
            receive_window: self.initial_receive_window,
            request_ended: ends,
            has_head: false,
            response_ended: false,
            is_reset: false,
            reset_by_client: false,
        };
        self.streams.insert(id, stream);
        Some((id, response))
    }

    pub fn send(&mut self, out: &mut Vec<u8>, which: u8, much: usize) {
        let window = self.send_window;
        let Some((id, stream)) = self.pick(which) else { return };
        if !stream.sends() {
            return;
        }
        let allowed = window.min(stream.send_window).max(0) as usize;
        let count = much.min(stream.length - stream.sent).min(allowed).min(16 * 1024);
        let ends = stream.sent + count == stream.length;
        if count == 0 && !ends {
            return;
        }
        put(out, DATA, u8::from(ends), id, &bytes(id, stream.sent, count));
        stream.sent += count;
        stream.send_window -= count as i64;
        stream.request_ended = ends;
        self.send_window -= count as i64;
    }

    pub fn credit(&mut self, out: &mut Vec<u8>, which: Option<u8>, increment: u32) {
        let window = match which {
            None => (0, &mut self.receive_window),
            Some(which) => match self.pick(which) {
                Some((id, stream)) if !stream.is_reset => (id, &mut stream.receive_window),
                _ => return,
            },
        };
        if *window.1 + i64::from(increment) <= MAX_WINDOW {
            *window.1 += i64::from(increment);
            put(out, WINDOW_UPDATE, 0, window.0, &increment.to_be_bytes());
        }
    }

    /// Makes room for what is to come on a stream.
    pub fn refill(&mut self, out: &mut Vec<u8>, which: u8) {
        if self.pick(which).is_some_and(|(_, stream)| stream.is_open() && stream.receive_window < 100_000) {
            self.credit(out, Some(which), 100_000);
        }
    }

    pub fn reset(&mut self, out: &mut Vec<u8>, which: u8) {
        // More may be a flood.
        if self.resets == 50 {
            return;
        }
        let Some((id, stream)) = self.pick(which) else { return };
        if stream.is_open() {
            stream.is_reset = true;
            stream.reset_by_client = true;
            put(out, RST_STREAM, 0, id, &8_u32.to_be_bytes());
            self.resets += 1;
        }
    }

    pub fn initial_window(&mut self, out: &mut Vec<u8>, window: u32) {
        put(out, SETTINGS, 0, 0, &[&[0, 4][..], &window.to_be_bytes()].concat());
        let more = i64::from(window) - self.initial_receive_window;
        self.initial_receive_window = window.into();
        self.changes.push_back((more, self.next));
    }

    /// Takes in what the gateway has sent, frame by frame. Whether it ended the connection.
    pub fn receive(&mut self, from: &mut Vec<u8>) -> Option<u32> {
        let mut at = 0;
        while let Some(&[a, b, c, kind, flags, e, f, g, h]) = from[at..].first_chunk() {
            let (length, id) = (u32::from_be_bytes([0, a, b, c]) as usize, u32::from_be_bytes([e, f, g, h]));
            let Some(payload) = from.get(at + 9..at + 9 + length) else { break };
            let payload = payload.to_vec();
            at += 9 + length;
            let number = || u32::from_be_bytes(payload[..4].try_into().expect("a number"));
            match (kind, id) {
                (GOAWAY, 0) => return Some(u32::from_be_bytes(payload[4..8].try_into().expect("a code"))),
                (PING, 0) => {}
                (SETTINGS, 0) => self.settings(flags, &payload),
                (WINDOW_UPDATE, 0) => {
                    assert_ne!(number(), 0);
                    self.send_window += i64::from(number());
                    assert!(self.send_window <= MAX_WINDOW, "the connection's window overflows");
                }
                _ => self.receive_on_stream(kind, flags, id, &payload),
            }
        }
        from.drain(..at);
        let granted: i64 =
            self.streams.values().filter(|stream| stream.sends()).map(|stream| stream.send_window).sum();
        assert!(granted <= MAX_GRANTED, "{granted} bytes are granted together");
        None
    }

    fn settings(&mut self, flags: u8, payload: &[u8]) {
        if flags & ACK != 0 {
            let (more, end) = self.changes.pop_front().expect("settings are acknowledged once");
            self.streams.range_mut(..end).for_each(|(_, stream)| stream.receive_window += more);
            return;
        }
        for setting in payload.chunks(6) {
            if setting[..2] == [0, 4] {
                let window = u32::from_be_bytes(setting[2..].try_into().expect("a value"));
                let more = i64::from(window) - self.initial_send_window;
                self.initial_send_window = window.into();
                self.streams.values_mut().for_each(|stream| stream.send_window += more);
            }
        }
    }

    fn receive_on_stream(&mut self, kind: u8, flags: u8, id: u32, payload: &[u8]) {
        let stream = self.streams.get_mut(&id).expect("a stream that the client began");
        let ends = flags & END_STREAM != 0;
        // The gateway may not know yet that the client has reset a stream.
        let counts = !stream.reset_by_client;
        match kind {
            HEADERS => {
                assert_ne!(flags & END_HEADERS, 0);
                let mut fields = 0;
                self.decoder.decode(payload, |_, _| fields += 1).expect("a block that can be read");
                // An interim response has but a status.
                if fields > 1 {
                    assert!(!stream.has_head || !counts, "one head on stream {id}");
                    stream.has_head = true;
                }
            }
            DATA => {
                self.receive_window -= payload.len() as i64;
                stream.receive_window -= payload.len() as i64;
                assert!(self.receive_window >= 0, "more than the connection's window");
                assert!(
                    stream.receive_window >= 0 || payload.is_empty(),
                    "more than the window of stream {id}"
                );
                assert_eq!(payload, bytes(id, stream.received, payload.len()), "response on stream {id}");
                stream.received += payload.len();
            }
            RST_STREAM => {
                let code = payload[3];
                assert!(code == 0 && stream.response_ended || !counts, "stream {id} is reset with {code}");
                stream.is_reset = true;
            }
            WINDOW_UPDATE => {
                let increment = u32::from_be_bytes(payload.try_into().expect("a number"));
                assert_ne!(increment, 0);
                stream.send_window += i64::from(increment);
                assert!(
                    stream.send_window <= 1024 * 1024,
                    "the window of stream {id}: {}",
                    stream.send_window
                );
            }
            _ => panic!("a frame of kind {kind} on stream {id}"),
        }
        if ends {
            assert!(!stream.response_ended, "stream {id} ends once");
            stream.response_ended = true;
            assert!(
                !counts || stream.received == stream.response,
                "the response on stream {id} is cut short"
            );
        }
    }
}
