//! Huffman code of HPACK (RFC 7541 appendix B). The code is canonical: code words follow from their lengths.

use super::DecoderError;

/// Length in bits of each symbol's code word: the 256 bytes, and EOS, which is never sent.
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7,
    7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21,
    23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24,
    21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];
const MIN_CODE_BITS: usize = 5;
const MAX_CODE_BITS: usize = 30;
/// End-of-string symbol.
const EOS: u16 = 256;
/// Code words of up to this length are decoded by one table lookup. Nearly all characters of headers have such code words.
const LOOKUP_BITS: u32 = 8;

/// Tables for encoding and decoding.
struct CodeTables {
    /// Code word of each symbol.
    codes: [u32; 257],
    /// By length: the first code word.
    first: [u32; MAX_CODE_BITS + 1],
    /// By length: the end of its code words, left-aligned in 32 bits.
    limit: [u64; MAX_CODE_BITS + 1],
    /// By length: the index of its first symbol in `symbols`.
    start: [u16; MAX_CODE_BITS + 1],
    /// Symbols in the order of their code words.
    symbols: [u16; 257],
    /// By the next [`LOOKUP_BITS`] bits: a byte and the length of its code word, which is 0 if it is longer.
    lookup: [(u8, u8); 1 << LOOKUP_BITS],
}

static TABLES: CodeTables = build_tables();

const fn build_tables() -> CodeTables {
    let mut tables = CodeTables {
        codes: [0; 257],
        first: [0; MAX_CODE_BITS + 1],
        limit: [0; MAX_CODE_BITS + 1],
        start: [0; MAX_CODE_BITS + 1],
        symbols: [0; 257],
        lookup: [(0, 0); 1 << LOOKUP_BITS],
    };
    let (mut next, mut count, mut length) = (0_u32, 0, MIN_CODE_BITS);
    while length <= MAX_CODE_BITS {
        next <<= 1;
        tables.first[length] = next;
        tables.start[length] = count as u16;
        let mut symbol = 0;
        while symbol < LENGTHS.len() {
            if LENGTHS[symbol] as usize == length {
                tables.codes[symbol] = next;
                tables.symbols[count] = symbol as u16;
                if length <= LOOKUP_BITS as usize {
                    let free = LOOKUP_BITS as usize - length;
                    let mut at = (next as usize) << free;
                    while at < (next as usize + 1) << free {
                        tables.lookup[at] = (symbol as u8, length as u8);
                        at += 1;
                    }
                }
                next += 1;
                count += 1;
            }
            symbol += 1;
        }
        tables.limit[length] = (next as u64) << (32 - length);
        length += 1;
    }
    tables
}

/// Decodes a string, and appends it.
///
/// # Errors
/// Returns an error for EOS, and for padding that is longer than 7 bits or is not a prefix of EOS (section 5.2).
pub fn decode(mut input: &[u8], out: &mut Vec<u8>) -> Result<(), DecoderError> {
    out.reserve(input.len() * 8 / MIN_CODE_BITS);
    // `bits` has the next `count` bits of the input at its top, followed by ones.
    let (mut bits, mut count) = (u64::MAX, 0_u32);
    loop {
        while count <= 56 {
            let Some((&byte, rest)) = input.split_first() else { break };
            input = rest;
            bits = bits & !(0xff << (56 - count)) | u64::from(byte) << (56 - count);
            count += 8;
        }
        let (symbol, length) = match TABLES.lookup[(bits >> (64 - LOOKUP_BITS)) as usize] {
            (byte, length) if length > 0 => (byte, u32::from(length)),
            _ => {
                let top = bits >> 32;
                let length = (LOOKUP_BITS as usize + 1..=MAX_CODE_BITS)
                    .find(|&length| top < TABLES.limit[length])
                    .ok_or(DecoderError)?;
                let offset = (top >> (32 - length)) as u32 - TABLES.first[length];
                match TABLES.symbols[usize::from(TABLES.start[length]) + offset as usize] {
                    // Fewer than 8 bits remain: they are padding, extended by ones to EOS.
                    EOS if count < 8 => return Ok(()),
                    EOS => return Err(DecoderError),
                    symbol => (symbol as u8, length as u32),
                }
            }
        };
        if length > count {
            // The remaining bits are no complete code word, so they must be padding.
            let is_padding = bits == u64::MAX && count < 8;
            return if is_padding { Ok(()) } else { Err(DecoderError) };
        }
        out.push(symbol);
        bits = bits << length | ((1 << length) - 1);
        count -= length;
    }
}

/// Returns the length of an encoded string.
pub fn encoded_len(text: &[u8]) -> usize {
    let bits: usize = text.iter().map(|&byte| usize::from(LENGTHS[usize::from(byte)])).sum();
    bits.div_ceil(8)
}

/// Encodes a string, and appends it.
pub fn encode(text: &[u8], out: &mut Vec<u8>) {
    let (mut bits, mut count) = (0_u64, 0);
    for &byte in text {
        let length = LENGTHS[usize::from(byte)];
        bits = bits << length | u64::from(TABLES.codes[usize::from(byte)]);
        count += length;
        if count >= 32 {
            count -= 32;
            out.extend_from_slice(&((bits >> count) as u32).to_be_bytes());
        }
    }
    while count >= 8 {
        count -= 8;
        out.push((bits >> count) as u8);
    }
    if count > 0 {
        let padding = 8 - count;
        out.push((bits << padding) as u8 | ((1 << padding) - 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(code: &[u8]) -> Result<Vec<u8>, DecoderError> {
        let mut out = Vec::new();
        decode(code, &mut out).map(|()| out)
    }

    #[test]
    fn strings_round_trip() {
        let all: Vec<u8> = (0..=255).collect();
        let mut texts: Vec<Vec<u8>> = vec![vec![], all.clone(), all.into_iter().rev().collect()];
        texts.extend((0..=255).flat_map(|byte| [vec![byte], vec![byte; 9], vec![b'e', byte]]));
        for text in texts {
            let mut code = Vec::new();
            encode(&text, &mut code);
            assert_eq!(code.len(), encoded_len(&text));
            assert_eq!(decoded(&code), Ok(text));
        }
    }

    #[test]
    fn code_words_are_those_of_the_rfc() {
        // Appendix C.4.1 and C.6.1.
        let mut code = Vec::new();
        encode(b"www.example.com", &mut code);
        assert_eq!(code, [0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff]);
        assert_eq!(decoded(&[0x64, 0x02]), Ok(b"302".to_vec()));
        assert_eq!(TABLES.codes[usize::from(EOS)], (1 << 30) - 1);
    }

    #[test]
    fn padding_is_less_than_a_byte_of_ones() {
        assert_eq!(decoded(&[0b0001_1111]), Ok(b"a".to_vec()));
        assert_eq!(decoded(&[0b0001_1110]), Err(DecoderError));
        assert_eq!(decoded(&[0b0001_1111, 0xff]), Err(DecoderError));
        assert_eq!(decoded(&[0xff; 4]), Err(DecoderError), "EOS");
        assert_eq!(decoded(&[0xff; 8]), Err(DecoderError));
        assert_eq!(decoded(&[0xff]), Err(DecoderError));
    }
}
