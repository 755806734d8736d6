//! Decoder for header blocks of requests.

use std::collections::VecDeque;

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method,
    uri::{Authority, PathAndQuery, Scheme},
};

use super::{DecoderError, ENTRY_OVERHEAD, MAX_TABLE_SIZE, decode_int, huffman, static_table};

/// Field of a request. The dynamic table stores fields in this form, so that each is parsed only once.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    /// `:method`
    Method(Method),
    /// `:scheme`
    Scheme(Scheme),
    /// `:authority`
    Authority(Authority),
    /// `:path`
    Path(PathAndQuery),
    /// A header field.
    Header(HeaderName, HeaderValue),
    /// A field that is not valid in a request.
    Malformed,
}

/// Name of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// `:method`
    Method,
    /// `:scheme`
    Scheme,
    /// `:authority`
    Authority,
    /// `:path`
    Path,
    /// A header field.
    Header(HeaderName),
    /// A name that is not valid in a request.
    Malformed,
}

/// Decoding context of one connection: the dynamic table (section 2.3.2).
#[derive(Debug)]
pub struct Decoder {
    /// Newest first.
    entries: VecDeque<Entry>,
    size: usize,
    max_size: usize,
    /// Scratch buffer for Huffman-decoded strings.
    scratch: Vec<u8>,
}

#[derive(Debug)]
struct Entry {
    name: Name,
    field: Field,
    name_length: usize,
    size: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Decoder { entries: VecDeque::new(), size: 0, max_size: MAX_TABLE_SIZE, scratch: Vec::new() }
    }
}

impl Decoder {
    /// Decodes a complete block. `on_field` receives each field with the size that it counts towards
    /// SETTINGS_MAX_HEADER_LIST_SIZE.
    ///
    /// # Errors
    /// Returns an error if the block is malformed.
    pub fn decode(
        &mut self,
        mut block: &[u8],
        mut on_field: impl FnMut(Field, usize),
    ) -> Result<(), DecoderError> {
        let mut has_fields = false;
        while let Some(&first) = block.first() {
            if first & 0x80 != 0 {
                // Indexed field (section 6.1).
                let index = decode_int(&mut block, 7)?;
                let (field, size) = self.field(index)?;
                on_field(field, size);
            } else if first & 0xe0 == 0x20 {
                // Dynamic table size update (section 6.3), allowed only before the first field.
                let max_size = decode_int(&mut block, 5)?;
                if has_fields || max_size > MAX_TABLE_SIZE {
                    return Err(DecoderError);
                }
                self.max_size = max_size;
                self.evict(max_size);
                continue;
            } else {
                // Literal field (section 6.2).
                let is_indexed = first & 0x40 != 0;
                let index = decode_int(&mut block, if is_indexed { 6 } else { 4 })?;
                let (name, name_length) = match index {
                    0 => self.decode_name(&mut block)?,
                    index => self.name(index)?,
                };
                let value = self.decode_string(&mut block)?;
                let size = name_length + value.len() + ENTRY_OVERHEAD;
                let field = static_table::parse_field(&name, value);
                if is_indexed {
                    self.insert(Entry { name, field: field.clone(), name_length, size });
                }
                on_field(field, size);
            }
            has_fields = true;
        }
        Ok(())
    }

    fn field(&self, index: usize) -> Result<(Field, usize), DecoderError> {
        if index > static_table::COUNT {
            let entry = self.entries.get(index - static_table::COUNT - 1).ok_or(DecoderError)?;
            return Ok((entry.field.clone(), entry.size));
        }
        let (field, size) = static_table::field(index).ok_or(DecoderError)?;
        Ok((field, size + ENTRY_OVERHEAD))
    }

    fn name(&self, index: usize) -> Result<(Name, usize), DecoderError> {
        if index > static_table::COUNT {
            let entry = self.entries.get(index - static_table::COUNT - 1).ok_or(DecoderError)?;
            return Ok((entry.name.clone(), entry.name_length));
        }
        static_table::name(index).ok_or(DecoderError)
    }

    fn decode_name(&mut self, block: &mut &[u8]) -> Result<(Name, usize), DecoderError> {
        let text = self.decode_string(block)?;
        let name = match &text[..] {
            b":method" => Name::Method,
            b":scheme" => Name::Scheme,
            b":authority" => Name::Authority,
            b":path" => Name::Path,
            // Rejects upper case and unknown pseudo-headers.
            other => HeaderName::from_lowercase(other).map_or(Name::Malformed, Name::Header),
        };
        Ok((name, text.len()))
    }

    /// Decodes a string literal (section 5.2).
    fn decode_string(&mut self, block: &mut &[u8]) -> Result<Bytes, DecoderError> {
        let is_huffman = block.first().is_some_and(|first| first & 0x80 != 0);
        let length = decode_int(block, 7)?;
        let (text, rest) = block.split_at_checked(length).ok_or(DecoderError)?;
        *block = rest;
        if !is_huffman {
            return Ok(Bytes::copy_from_slice(text));
        }
        self.scratch.clear();
        huffman::decode(text, &mut self.scratch)?;
        let text = Bytes::copy_from_slice(&self.scratch);
        // An idle connection must not hold the memory of one long value.
        self.scratch.shrink_to(1024);
        Ok(text)
    }

    fn insert(&mut self, entry: Entry) {
        let Some(capacity) = self.max_size.checked_sub(entry.size) else {
            // An entry larger than the table empties it (section 4.4).
            self.evict(0);
            return;
        };
        self.evict(capacity);
        self.size += entry.size;
        self.entries.push_front(entry);
    }

    /// Returns the number of entries in the dynamic table.
    #[cfg(test)]
    pub(super) fn entry_count(&self) -> usize {
        self.entries.len()
    }

    /// Evicts the oldest entries until the table has at most that size (section 4.3).
    fn evict(&mut self, max_size: usize) {
        while self.size > max_size {
            let Some(entry) = self.entries.pop_back() else { return };
            self.size -= entry.size;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<Field>, DecoderError> {
        let mut fields = Vec::new();
        decoder.decode(block, |field, _| fields.push(field)).map(|()| fields)
    }

    fn header(name: &'static str, value: &'static str) -> Field {
        Field::Header(HeaderName::from_static(name), HeaderValue::from_static(value))
    }

    /// Appendix C.4: three requests on one connection, with Huffman coding.
    #[test]
    fn the_examples_of_the_rfc_are_decoded() {
        let mut decoder = Decoder::default();
        let authority = Field::Authority(Authority::from_static("www.example.com"));
        let common = |path: &'static str, scheme| {
            let path = Field::Path(PathAndQuery::from_static(path));
            vec![Field::Method(Method::GET), Field::Scheme(scheme), path, authority.clone()]
        };
        let first = [
            0x82, 0x86, 0x84, 0x41, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4,
            0xff,
        ];
        assert_eq!(decoded(&mut decoder, &first), Ok(common("/", Scheme::HTTP)));
        let second = [0x82, 0x86, 0x84, 0xbe, 0x58, 0x86, 0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf];
        let mut expected = common("/", Scheme::HTTP);
        expected.push(header("cache-control", "no-cache"));
        assert_eq!(decoded(&mut decoder, &second), Ok(expected));
        let third = [
            0x82, 0x87, 0x85, 0xbf, 0x40, 0x88, 0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xa9, 0x7d, 0x7f, 0x89, 0x25,
            0xa8, 0x49, 0xe9, 0x5b, 0xb8, 0xe8, 0xb4, 0xbf,
        ];
        let mut expected = common("/index.html", Scheme::HTTPS);
        expected.push(header("custom-key", "custom-value"));
        assert_eq!(decoded(&mut decoder, &third), Ok(expected));
        assert_eq!((decoder.size, decoder.entries.len()), (164, 3));
    }

    #[test]
    fn the_dynamic_table_is_limited_to_its_size() {
        let mut decoder = Decoder::default();
        // 0x3f 0x21: a size update to 64 bytes.
        let mut block = vec![0x3f, 0x21];
        for value in [b'1', b'2'] {
            block.extend([0x40, 1, b'a', 1, value]);
        }
        assert_eq!(decoded(&mut decoder, &block), Ok(vec![header("a", "1"), header("a", "2")]));
        assert_eq!((decoder.entries.len(), decoder.size), (1, 34));
        assert_eq!(decoded(&mut decoder, &[0xbe]), Ok(vec![header("a", "2")]));
        assert_eq!(decoded(&mut decoder, &[0xbf]), Err(DecoderError), "evicted");
        let mut large = vec![0x40, 1, b'a', 40];
        large.extend([b'x'; 40]);
        assert!(decoded(&mut decoder, &large).is_ok());
        assert_eq!(
            (decoder.entries.len(), decoder.size),
            (0, 0),
            "an entry that is too large empties the table"
        );
    }

    #[test]
    fn malformed_blocks_are_rejected() {
        for block in [
            &[0x80][..],                  // index 0
            &[0xbe],                      // an empty table
            &[0x40, 1, b'a'],             // no value
            &[0x40, 5, b'a', 0],          // a name longer than the block
            &[0x3f, 0xe2, 0x1f],          // a size update to 4097 bytes
            &[0x82, 0x20],                // a size update after a field
            &[0x00, 0x82, 0xff, 0xff, 0], // an incomplete Huffman code
        ] {
            assert_eq!(decoded(&mut Decoder::default(), block), Err(DecoderError), "{block:?}");
        }
    }

    #[test]
    fn decoding_continues_after_malformed_fields() {
        let mut block = vec![0x88, 0x81];
        block.extend([0x00, 1, b'A', 1, b'1']);
        block.extend([0x00, 1, b'a', 1, b'\n']);
        block.extend([0x00, 2, b':', b'x', 1, b'1']);
        block.extend([0x44, 0]);
        block.extend([0x10, 1, b'a', 1, b'1']);
        let mut expected = vec![Field::Malformed; 6];
        expected.push(header("a", "1"));
        assert_eq!(decoded(&mut Decoder::default(), &block), Ok(expected));
    }

    #[test]
    fn random_blocks_keep_the_table_size_consistent() {
        let (mut random, mut decoded_count) = (0x9e37_79b9_7f4a_7c15_u64, 0);
        for _ in 0..2000 {
            let mut decoder = Decoder::default();
            for _ in 0..10 {
                let mut block: Vec<u8> = (0..8)
                    .flat_map(|_| {
                        random ^= random << 13;
                        random ^= random >> 7;
                        random ^= random << 17;
                        // Small lengths and indexes, or any byte.
                        (random & 0x83_83_03_c7_83_c3_03_c7 | random & random >> 9).to_le_bytes()
                    })
                    .collect();
                block.truncate(random as usize % 40);
                decoded_count += usize::from(decoded(&mut decoder, &block).is_ok());
                assert!(
                    decoder.size <= decoder.max_size
                        && decoder.entries.iter().map(|e| e.size).sum::<usize>() == decoder.size
                );
            }
        }
        assert!(decoded_count > 100, "{decoded_count}");
    }
}
