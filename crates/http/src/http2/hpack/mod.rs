//! HPACK, the compression of headers in HTTP/2 (RFC 7541).

mod decoder;
mod encoder;
mod huffman;
mod table;

pub use decoder::{Decoder, Field};
pub use encoder::Encoder;

/// The bytes that a table may hold unless agreed otherwise. Neither side is ever allowed more here.
const TABLE: usize = 4096;
/// What an entry counts beyond its name and value.
const OVERHEAD: usize = 32;

/// A header block that cannot be read: the tables of both sides differ from here on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// Takes an integer whose first byte leaves `bits` for it (section 5.1).
fn take_int(bytes: &mut &[u8], bits: u32) -> Result<usize, Broken> {
    let (&first, mut rest) = bytes.split_first().ok_or(Broken)?;
    let most = (1 << bits) - 1;
    let mut value = usize::from(first) & most;
    if value == most {
        // Four more bytes reach beyond anything that is allowed.
        for shift in [0, 7, 14, 21, 28] {
            let (&byte, left) = rest.split_first().ok_or(Broken)?;
            rest = left;
            if shift == 28 {
                return Err(Broken);
            }
            value += usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
    }
    *bytes = rest;
    Ok(value)
}

/// Writes an integer after a first byte that begins with `mark` and leaves `bits` for it.
fn put_int(out: &mut Vec<u8>, mark: u8, bits: u32, value: usize) {
    let most = (1 << bits) - 1;
    if value < most {
        out.push(mark | value as u8);
        return;
    }
    out.push(mark | most as u8);
    let mut left = value - most;
    while left >= 0x80 {
        out.push(left as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_come_back_as_they_were_written() {
        for bits in 4..=7 {
            for value in [0, 1, 14, 15, 16, 30, 31, 126, 127, 128, 1337, 65_535, 1_000_000] {
                let mut out = Vec::new();
                put_int(&mut out, 0, bits, value);
                let mut bytes = &out[..];
                assert_eq!(take_int(&mut bytes, bits), Ok(value), "{bits} bits");
                assert!(bytes.is_empty());
                assert_eq!(take_int(&mut &out[..out.len() - 1], bits), Err(Broken), "cut short");
            }
        }
        // Appendix C.1.
        let mut out = Vec::new();
        put_int(&mut out, 0, 5, 1337);
        assert_eq!(out, [31, 154, 10]);
    }

    #[test]
    fn integers_have_an_end() {
        assert_eq!(take_int(&mut &[0x7f, 0x80, 0x80, 0x80, 0x80, 0x80, 0][..], 7), Err(Broken));
        assert_eq!(take_int(&mut &[0x7f, 0xff, 0xff, 0xff, 0xff, 0x01][..], 7), Err(Broken));
    }
}
