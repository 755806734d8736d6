//! HPACK's Huffman code (RFC 7541, appendix B). It is canonical: the codes follow from their lengths.

use super::Broken;

/// Bits of each byte's code, and of the code for the end, which never appears.
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
const SHORTEST: usize = 5;
const LONGEST: usize = 30;
const END: u16 = 256;
/// Codes of so many bits are looked up at once; almost all of what headers consist of has them.
const QUICK: u32 = 8;

/// What reading and writing look things up in.
struct Code {
    /// Each byte's code.
    codes: [u32; 257],
    /// Of each length the first code, the end of its codes as the first bits of 32, and where its symbols begin.
    first: [u32; LONGEST + 1],
    limit: [u64; LONGEST + 1],
    start: [u16; LONGEST + 1],
    /// Symbols by code.
    symbols: [u16; 257],
    /// By the next [`QUICK`] bits: a byte and the length of its code, or zero.
    quick: [(u8, u8); 1 << QUICK],
}

static CODE: Code = code();

const fn code() -> Code {
    let mut made = Code {
        codes: [0; 257],
        first: [0; LONGEST + 1],
        limit: [0; LONGEST + 1],
        start: [0; LONGEST + 1],
        symbols: [0; 257],
        quick: [(0, 0); 1 << QUICK],
    };
    let (mut next, mut count, mut length) = (0_u32, 0, SHORTEST);
    while length <= LONGEST {
        next <<= 1;
        made.first[length] = next;
        made.start[length] = count as u16;
        let mut symbol = 0;
        while symbol < LENGTHS.len() {
            if LENGTHS[symbol] as usize == length {
                made.codes[symbol] = next;
                made.symbols[count] = symbol as u16;
                if length <= QUICK as usize {
                    let free = QUICK as usize - length;
                    let mut at = (next as usize) << free;
                    while at < (next as usize + 1) << free {
                        made.quick[at] = (symbol as u8, length as u8);
                        at += 1;
                    }
                }
                next += 1;
                count += 1;
            }
            symbol += 1;
        }
        made.limit[length] = (next as u64) << (32 - length);
        length += 1;
    }
    made
}

/// Appends what the code stands for.
///
/// # Errors
/// When it is no code, or what fills its last byte is not the beginning of the code for the end.
pub fn decode(mut code: &[u8], out: &mut Vec<u8>) -> Result<(), Broken> {
    out.reserve(code.len() * 8 / SHORTEST);
    // The next bits, from the top; below them there are ones.
    let (mut bits, mut count) = (u64::MAX, 0_u32);
    loop {
        while count <= 56 {
            let Some((&byte, rest)) = code.split_first() else { break };
            code = rest;
            bits = bits & !(0xff << (56 - count)) | u64::from(byte) << (56 - count);
            count += 8;
        }
        let (symbol, length) = match CODE.quick[(bits >> (64 - QUICK)) as usize] {
            (byte, length) if length > 0 => (byte, u32::from(length)),
            _ => {
                let top = bits >> 32;
                let length =
                    (QUICK as usize + 1..=LONGEST).find(|&length| top < CODE.limit[length]).ok_or(Broken)?;
                let nth = (top >> (32 - length)) as u32 - CODE.first[length];
                match CODE.symbols[usize::from(CODE.start[length]) + nth as usize] {
                    // The ones at the end begin it.
                    END if count < 8 => return Ok(()),
                    END => return Err(Broken),
                    symbol => (symbol as u8, length as u32),
                }
            }
        };
        if length > count {
            // Not a symbol: what is left only fills the byte.
            let fills = bits == u64::MAX && count < 8;
            return if fills { Ok(()) } else { Err(Broken) };
        }
        out.push(symbol);
        bits = bits << length | ((1 << length) - 1);
        count -= length;
    }
}

/// The bytes that a text's code takes.
pub fn length(text: &[u8]) -> usize {
    let bits: usize = text.iter().map(|&byte| usize::from(LENGTHS[usize::from(byte)])).sum();
    bits.div_ceil(8)
}

/// Appends a text's code.
pub fn encode(text: &[u8], out: &mut Vec<u8>) {
    let (mut bits, mut count) = (0_u64, 0);
    for &byte in text {
        let length = LENGTHS[usize::from(byte)];
        bits = bits << length | u64::from(CODE.codes[usize::from(byte)]);
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
        let free = 8 - count;
        out.push((bits << free) as u8 | ((1 << free) - 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(code: &[u8]) -> Result<Vec<u8>, Broken> {
        let mut out = Vec::new();
        decode(code, &mut out).map(|()| out)
    }

    #[test]
    fn texts_come_back_as_they_were_written() {
        let all: Vec<u8> = (0..=255).collect();
        let mut texts: Vec<Vec<u8>> = vec![vec![], all.clone(), all.into_iter().rev().collect()];
        texts.extend((0..=255).flat_map(|byte| [vec![byte], vec![byte; 9], vec![b'e', byte]]));
        for text in texts {
            let mut code = Vec::new();
            encode(&text, &mut code);
            assert_eq!(code.len(), length(&text));
            assert_eq!(decoded(&code), Ok(text));
        }
    }

    #[test]
    fn the_codes_are_those_of_the_standard() {
        // Appendix C.4.1 and C.6.1.
        let mut code = Vec::new();
        encode(b"www.example.com", &mut code);
        assert_eq!(code, [0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff]);
        assert_eq!(decoded(&[0x64, 0x02]), Ok(b"302".to_vec()));
        assert_eq!(CODE.codes[usize::from(END)], (1 << 30) - 1);
    }

    #[test]
    fn what_fills_the_last_byte_is_less_than_a_byte_of_ones() {
        assert_eq!(decoded(&[0b0001_1111]), Ok(b"a".to_vec()));
        assert_eq!(decoded(&[0b0001_1110]), Err(Broken));
        assert_eq!(decoded(&[0b0001_1111, 0xff]), Err(Broken));
        assert_eq!(decoded(&[0xff; 4]), Err(Broken), "the code for the end");
        assert_eq!(decoded(&[0xff; 8]), Err(Broken));
        assert_eq!(decoded(&[0xff]), Err(Broken));
    }
}
