//! HPACK, the header compression of HTTP/2 (RFC 7541). Section numbers in this module are those of the RFC.

mod decoder;
mod encoder;
mod huffman;
mod static_table;

pub use decoder::{Decoder, Field};
pub use encoder::Encoder;

/// Maximum size of a dynamic table: the initial value of SETTINGS_HEADER_TABLE_SIZE, which the gateway never raises.
const MAX_TABLE_SIZE: usize = 4096;
/// What an entry counts in addition to its name and value (section 4.1).
const ENTRY_OVERHEAD: usize = 32;

/// Decoding error. The dynamic tables of the two sides may differ after it, so the connection must be closed
/// (COMPRESSION_ERROR).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecoderError;

/// Decodes an integer with a prefix of `prefix_bits` (section 5.1).
fn decode_int(bytes: &mut &[u8], prefix_bits: u32) -> Result<usize, DecoderError> {
    let (&first, mut rest) = bytes.split_first().ok_or(DecoderError)?;
    let max_prefix = (1 << prefix_bits) - 1;
    let mut value = usize::from(first) & max_prefix;
    if value == max_prefix {
        // Four bytes suffice: every valid length and index is below 2^28.
        for shift in [0, 7, 14, 21, 28] {
            let (&byte, remaining) = rest.split_first().ok_or(DecoderError)?;
            rest = remaining;
            if shift == 28 {
                return Err(DecoderError);
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

/// Encodes an integer with a prefix of `prefix_bits`. `pattern` has the bits above the prefix.
fn encode_int(out: &mut Vec<u8>, pattern: u8, prefix_bits: u32, value: usize) {
    let max_prefix = (1 << prefix_bits) - 1;
    if value < max_prefix {
        out.push(pattern | value as u8);
        return;
    }
    out.push(pattern | max_prefix as u8);
    let mut remaining = value - max_prefix;
    while remaining >= 0x80 {
        out.push(remaining as u8 | 0x80);
        remaining >>= 7;
    }
    out.push(remaining as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_round_trip() {
        for bits in 4..=7 {
            for value in [0, 1, 14, 15, 16, 30, 31, 126, 127, 128, 1337, 65_535, 1_000_000] {
                let mut out = Vec::new();
                encode_int(&mut out, 0, bits, value);
                let mut bytes = &out[..];
                assert_eq!(decode_int(&mut bytes, bits), Ok(value), "{bits} bits");
                assert!(bytes.is_empty());
                assert_eq!(decode_int(&mut &out[..out.len() - 1], bits), Err(DecoderError), "cut short");
            }
        }
        // Appendix C.1.
        let mut out = Vec::new();
        encode_int(&mut out, 0, 5, 1337);
        assert_eq!(out, [31, 154, 10]);
    }

    #[test]
    fn integers_that_are_too_long_are_rejected() {
        assert_eq!(decode_int(&mut &[0x7f, 0x80, 0x80, 0x80, 0x80, 0x80, 0][..], 7), Err(DecoderError));
        assert_eq!(decode_int(&mut &[0x7f, 0xff, 0xff, 0xff, 0xff, 0x01][..], 7), Err(DecoderError));
    }
}
