//! Frame headers and the writers of frames (RFC 9113 sections 4 and 6).
#![allow(missing_docs, reason = "types, flags, settings and error codes have the names of RFC 9113")]

/// Connection preface of a client (section 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Length of a frame header.
pub const FRAME_HEADER_BYTES: usize = 9;
/// Maximum payload that is accepted and sent: the initial value of SETTINGS_MAX_FRAME_SIZE.
pub const MAX_FRAME_SIZE: usize = 16 * 1024;
/// Maximum flow-control window (section 6.9.1).
pub const MAX_WINDOW_SIZE: i64 = (1 << 31) - 1;

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
pub const PRIORITY_FLAG: u8 = 32;

/// Identifiers of settings (section 6.5.2).
pub mod setting {
    pub const HEADER_TABLE_SIZE: u16 = 1;
    pub const ENABLE_PUSH: u16 = 2;
    pub const MAX_CONCURRENT_STREAMS: u16 = 3;
    pub const INITIAL_WINDOW_SIZE: u16 = 4;
    pub const MAX_FRAME_SIZE: u16 = 5;
    pub const MAX_HEADER_LIST_SIZE: u16 = 6;
}

/// Error code of a RST_STREAM or GOAWAY frame (section 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Reason {
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

/// Header of a frame (section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    pub length: usize,
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
}

impl FrameHeader {
    /// Parses a header; `None` if it is not complete.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let &[a, b, c, kind, flags, e, f, g, h] = bytes.first_chunk::<FRAME_HEADER_BYTES>()?;
        Some(FrameHeader {
            length: u32::from_be_bytes([0, a, b, c]) as usize,
            kind,
            flags,
            stream: u32::from_be_bytes([e & 0x7f, f, g, h]),
        })
    }

    /// Returns whether a flag is set.
    pub fn has_flag(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Strips the padding and the priority fields; `None` if the payload is too short for them.
    pub fn strip_padding<'a>(&self, payload: &'a [u8]) -> Option<&'a [u8]> {
        let mut content = payload;
        if self.has_flag(PADDED) {
            let (&padding, padded) = payload.split_first()?;
            content = &padded[..padded.len().checked_sub(usize::from(padding))?];
        }
        if self.kind == HEADERS && self.has_flag(PRIORITY_FLAG) {
            content = content.get(5..)?;
        }
        Some(content)
    }
}

/// Writes a frame header.
pub fn write_header(out: &mut Vec<u8>, length: usize, kind: u8, flags: u8, stream: u32) {
    let [_, a, b, c] = (length as u32).to_be_bytes();
    let [e, f, g, h] = stream.to_be_bytes();
    out.extend_from_slice(&[a, b, c, kind, flags, e, f, g, h]);
}

/// Writes a frame whose payload is a sequence of 32-bit integers.
pub fn write_u32_frame<const N: usize>(out: &mut Vec<u8>, kind: u8, stream: u32, numbers: [u32; N]) {
    write_header(out, 4 * N, kind, 0, stream);
    for number in numbers {
        out.extend_from_slice(&number.to_be_bytes());
    }
}

/// Writes a PING frame.
pub fn write_ping(out: &mut Vec<u8>, flags: u8, payload: [u8; 8]) {
    write_header(out, payload.len(), PING, flags, 0);
    out.extend_from_slice(&payload);
}

/// Writes a SETTINGS frame.
pub fn write_settings(out: &mut Vec<u8>, settings: &[(u16, u32)]) {
    write_header(out, 6 * settings.len(), SETTINGS, 0, 0);
    for (name, value) in settings {
        out.extend_from_slice(&name.to_be_bytes());
        out.extend_from_slice(&value.to_be_bytes());
    }
}

/// Frames the field block that follows `start`, where space for one frame header was reserved: as a HEADERS frame, and
/// CONTINUATION frames if it is longer than `max_frame_size`.
pub fn finish_header_block(out: &mut Vec<u8>, start: usize, flags: u8, stream: u32, max_frame_size: usize) {
    let length = out.len() - start - FRAME_HEADER_BYTES;
    let mut header = Vec::with_capacity(FRAME_HEADER_BYTES);
    if length <= max_frame_size {
        write_header(&mut header, length, HEADERS, flags | END_HEADERS, stream);
        out[start..start + FRAME_HEADER_BYTES].copy_from_slice(&header);
        return;
    }
    let block = out.split_off(start + FRAME_HEADER_BYTES);
    out.truncate(start);
    let last = block.len().div_ceil(max_frame_size) - 1;
    for (index, fragment) in block.chunks(max_frame_size).enumerate() {
        let end_flag = if index == last { END_HEADERS } else { 0 };
        match index {
            0 => write_header(out, fragment.len(), HEADERS, flags | end_flag, stream),
            _ => write_header(out, fragment.len(), CONTINUATION, end_flag, stream),
        }
        out.extend_from_slice(fragment);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_headers_round_trip() {
        let mut out = Vec::new();
        write_header(&mut out, 0x01_02_03, DATA, END_STREAM | PADDED, 0x7fff_fffe);
        assert_eq!(FrameHeader::parse(&out[..8]), None);
        let head = FrameHeader::parse(&out).expect("a head");
        assert_eq!(head, FrameHeader { length: 0x01_02_03, kind: DATA, flags: 9, stream: 0x7fff_fffe });
        out[5] |= 0x80;
        assert_eq!(FrameHeader::parse(&out), Some(head), "the reserved bit is ignored");
    }

    #[test]
    fn padding_longer_than_the_payload_is_rejected() {
        let head = |kind, flags| FrameHeader { length: 0, kind, flags, stream: 1 };
        let padded = head(DATA, PADDED);
        assert_eq!(padded.strip_padding(&[2, 7, 0, 0]), Some(&[7][..]));
        assert_eq!(padded.strip_padding(&[3, 0, 0, 0]), Some(&[][..]));
        assert_eq!(padded.strip_padding(&[4, 0, 0, 0]), None);
        assert_eq!(padded.strip_padding(&[]), None);
        let both = head(HEADERS, PADDED | PRIORITY_FLAG);
        assert_eq!(both.strip_padding(&[1, 0, 0, 0, 0, 0, 9, 0]), Some(&[9][..]));
        assert_eq!(both.strip_padding(&[1, 0, 0, 0, 0, 0]), None);
        assert_eq!(head(DATA, PRIORITY_FLAG).strip_padding(&[1]), Some(&[1][..]));
    }

    #[test]
    fn a_long_field_block_is_split_into_several_frames() {
        for (length, frames) in [(1, 1), (10, 1), (11, 2), (20, 2), (21, 3)] {
            let mut out = vec![0xee];
            out.resize(1 + FRAME_HEADER_BYTES, 0);
            out.extend((0..length).map(|at| at as u8));
            finish_header_block(&mut out, 1, END_STREAM, 5, 10);
            let (mut at, mut block, mut seen) = (1, Vec::new(), 0);
            while let Some(head) = FrameHeader::parse(&out[at..]) {
                let first = seen == 0;
                seen += 1;
                assert_eq!(
                    (head.kind, head.has_flag(END_STREAM)),
                    if first { (HEADERS, true) } else { (CONTINUATION, false) }
                );
                assert_eq!(head.has_flag(END_HEADERS), seen == frames);
                block.extend_from_slice(&out[at + FRAME_HEADER_BYTES..at + FRAME_HEADER_BYTES + head.length]);
                at += FRAME_HEADER_BYTES + head.length;
            }
            assert_eq!((seen, at), (frames, out.len()));
            assert!(block.iter().enumerate().all(|(at, &byte)| at as u8 == byte) && block.len() == length);
        }
    }
}
