//! Frames as they lie in a connection (RFC 9113, sections 4 and 6).
#![allow(missing_docs, reason = "types, flags, settings and errors have the names of RFC 9113")]

/// What every client's connection begins with.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes of a frame's head.
pub const HEAD: usize = 9;
/// Longest payload that is taken, and given.
pub const LONGEST: usize = 16 * 1024;
/// Largest window there is.
pub const WINDOW: i64 = (1 << 31) - 1;

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
pub const PADDED: u8 = 8;
pub const WITH_PRIORITY: u8 = 32;

/// Names of settings.
pub mod setting {
    pub const HEADER_TABLE_SIZE: u16 = 1;
    pub const ENABLE_PUSH: u16 = 2;
    pub const MAX_CONCURRENT_STREAMS: u16 = 3;
    pub const INITIAL_WINDOW_SIZE: u16 = 4;
    pub const MAX_FRAME_SIZE: u16 = 5;
    pub const MAX_HEADER_LIST_SIZE: u16 = 6;
}

/// Why a stream or a connection ends (section 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Code {
    NoError = 0,
    Protocol = 1,
    Internal = 2,
    FlowControl = 3,
    StreamClosed = 5,
    FrameSize = 6,
    RefusedStream = 7,
    Cancel = 8,
    Compression = 9,
    EnhanceYourCalm = 11,
}

/// A frame's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub length: usize,
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
}

impl Head {
    /// Reads one; none if it is not all there.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let &[a, b, c, kind, flags, e, f, g, h] = bytes.first_chunk::<HEAD>()?;
        Some(Head {
            length: u32::from_be_bytes([0, a, b, c]) as usize,
            kind,
            flags,
            stream: u32::from_be_bytes([e & 0x7f, f, g, h]),
        })
    }

    /// Whether a flag is set.
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Takes the padding off, and a priority: what is left.
    pub fn unpadded<'a>(&self, payload: &'a [u8]) -> Option<&'a [u8]> {
        let mut rest = payload;
        if self.has(PADDED) {
            let (&padding, inner) = payload.split_first()?;
            rest = &inner[..inner.len().checked_sub(usize::from(padding))?];
        }
        if self.kind == HEADERS && self.has(WITH_PRIORITY) {
            rest = rest.get(5..)?;
        }
        Some(rest)
    }
}

/// Writes a head.
pub fn put(out: &mut Vec<u8>, length: usize, kind: u8, flags: u8, stream: u32) {
    let [_, a, b, c] = (length as u32).to_be_bytes();
    let [e, f, g, h] = stream.to_be_bytes();
    out.extend_from_slice(&[a, b, c, kind, flags, e, f, g, h]);
}

/// Writes a frame with a few numbers.
pub fn put_numbers<const N: usize>(out: &mut Vec<u8>, kind: u8, stream: u32, numbers: [u32; N]) {
    put(out, 4 * N, kind, 0, stream);
    for number in numbers {
        out.extend_from_slice(&number.to_be_bytes());
    }
}

/// Writes a PING.
pub fn put_ping(out: &mut Vec<u8>, flags: u8, payload: [u8; 8]) {
    put(out, payload.len(), PING, flags, 0);
    out.extend_from_slice(&payload);
}

/// Writes settings.
pub fn put_settings(out: &mut Vec<u8>, settings: &[(u16, u32)]) {
    put(out, 6 * settings.len(), SETTINGS, 0, 0);
    for (name, value) in settings {
        out.extend_from_slice(&name.to_be_bytes());
        out.extend_from_slice(&value.to_be_bytes());
    }
}

/// Turns what was written from `start` on, behind room for a head, into a header block: one frame, or as many
/// as it takes.
pub fn close_block(out: &mut Vec<u8>, start: usize, flags: u8, stream: u32, longest: usize) {
    let length = out.len() - start - HEAD;
    let mut head = Vec::with_capacity(HEAD);
    if length <= longest {
        put(&mut head, length, HEADERS, flags | END_HEADERS, stream);
        out[start..start + HEAD].copy_from_slice(&head);
        return;
    }
    let block = out.split_off(start + HEAD);
    out.truncate(start);
    let last = block.len().div_ceil(longest) - 1;
    for (nth, piece) in block.chunks(longest).enumerate() {
        let end = if nth == last { END_HEADERS } else { 0 };
        match nth {
            0 => put(out, piece.len(), HEADERS, flags | end, stream),
            _ => put(out, piece.len(), CONTINUATION, end, stream),
        }
        out.extend_from_slice(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_come_back_as_they_were_written() {
        let mut out = Vec::new();
        put(&mut out, 0x01_02_03, DATA, END_STREAM | PADDED, 0x7fff_fffe);
        assert_eq!(Head::read(&out[..8]), None);
        let head = Head::read(&out).expect("a head");
        assert_eq!(head, Head { length: 0x01_02_03, kind: DATA, flags: 9, stream: 0x7fff_fffe });
        out[5] |= 0x80;
        assert_eq!(Head::read(&out), Some(head), "the reserved bit says nothing");
    }

    #[test]
    fn padding_is_never_longer_than_the_payload() {
        let head = |kind, flags| Head { length: 0, kind, flags, stream: 1 };
        let padded = head(DATA, PADDED);
        assert_eq!(padded.unpadded(&[2, 7, 0, 0]), Some(&[7][..]));
        assert_eq!(padded.unpadded(&[3, 0, 0, 0]), Some(&[][..]));
        assert_eq!(padded.unpadded(&[4, 0, 0, 0]), None);
        assert_eq!(padded.unpadded(&[]), None);
        let both = head(HEADERS, PADDED | WITH_PRIORITY);
        assert_eq!(both.unpadded(&[1, 0, 0, 0, 0, 0, 9, 0]), Some(&[9][..]));
        assert_eq!(both.unpadded(&[1, 0, 0, 0, 0, 0]), None);
        assert_eq!(head(DATA, WITH_PRIORITY).unpadded(&[1]), Some(&[1][..]));
    }

    #[test]
    fn a_long_header_block_takes_several_frames() {
        for (length, frames) in [(1, 1), (10, 1), (11, 2), (20, 2), (21, 3)] {
            let mut out = vec![0xee];
            out.resize(1 + HEAD, 0);
            out.extend((0..length).map(|at| at as u8));
            close_block(&mut out, 1, END_STREAM, 5, 10);
            let (mut at, mut block, mut seen) = (1, Vec::new(), 0);
            while let Some(head) = Head::read(&out[at..]) {
                let first = seen == 0;
                seen += 1;
                assert_eq!(
                    (head.kind, head.has(END_STREAM)),
                    if first { (HEADERS, true) } else { (CONTINUATION, false) }
                );
                assert_eq!(head.has(END_HEADERS), seen == frames);
                block.extend_from_slice(&out[at + HEAD..at + HEAD + head.length]);
                at += HEAD + head.length;
            }
            assert_eq!((seen, at), (frames, out.len()));
            assert!(block.iter().enumerate().all(|(at, &byte)| at as u8 == byte) && block.len() == length);
        }
    }
}
