//! Reading header blocks.

use std::collections::VecDeque;

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method,
    uri::{Authority, PathAndQuery, Scheme},
};

use super::{Broken, OVERHEAD, TABLE, huffman, table, take_int};

/// A field of a request, parsed once however often the table gives it.
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
    /// A header.
    Header(HeaderName, HeaderValue),
    /// No field that a request may have.
    Malformed,
}

/// What a field is about.
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
    /// A header.
    Header(HeaderName),
    /// Nothing that a request may have.
    Malformed,
}

/// The table of the side that reads, and how to read.
#[derive(Debug)]
pub struct Decoder {
    /// The newest first.
    entries: VecDeque<Entry>,
    size: usize,
    most: usize,
    text: Vec<u8>,
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
        Decoder { entries: VecDeque::new(), size: 0, most: TABLE, text: Vec::new() }
    }
}

impl Decoder {
    /// Reads a whole block. Each field is given with what it counts for a list's size.
    ///
    /// # Errors
    /// When it cannot be read to its end.
    pub fn decode(&mut self, mut block: &[u8], mut each: impl FnMut(Field, usize)) -> Result<(), Broken> {
        let mut begun = false;
        while let Some(&first) = block.first() {
            if first & 0x80 != 0 {
                let index = take_int(&mut block, 7)?;
                let (field, size) = self.field(index)?;
                each(field, size);
            } else if first & 0xe0 == 0x20 {
                // Only before the first field.
                let most = take_int(&mut block, 5)?;
                if begun || most > TABLE {
                    return Err(Broken);
                }
                self.most = most;
                self.shrink(most);
                continue;
            } else {
                let kept = first & 0x40 != 0;
                let index = take_int(&mut block, if kept { 6 } else { 4 })?;
                let (name, name_length) = match index {
                    0 => self.take_name(&mut block)?,
                    index => self.name(index)?,
                };
                let value = self.take_text(&mut block)?;
                let size = name_length + value.len() + OVERHEAD;
                let field = table::make(&name, value);
                if kept {
                    self.insert(Entry { name, field: field.clone(), name_length, size });
                }
                each(field, size);
            }
            begun = true;
        }
        Ok(())
    }

    fn field(&self, index: usize) -> Result<(Field, usize), Broken> {
        if index > table::COUNT {
            let entry = self.entries.get(index - table::COUNT - 1).ok_or(Broken)?;
            return Ok((entry.field.clone(), entry.size));
        }
        let (field, size) = table::field(index).ok_or(Broken)?;
        Ok((field, size + OVERHEAD))
    }

    fn name(&self, index: usize) -> Result<(Name, usize), Broken> {
        if index > table::COUNT {
            let entry = self.entries.get(index - table::COUNT - 1).ok_or(Broken)?;
            return Ok((entry.name.clone(), entry.name_length));
        }
        table::name(index).ok_or(Broken)
    }

    fn take_name(&mut self, block: &mut &[u8]) -> Result<(Name, usize), Broken> {
        let text = self.take_text(block)?;
        let name = match &text[..] {
            b":method" => Name::Method,
            b":scheme" => Name::Scheme,
            b":authority" => Name::Authority,
            b":path" => Name::Path,
            // In lower case, without a colon.
            other => HeaderName::from_lowercase(other).map_or(Name::Malformed, Name::Header),
        };
        Ok((name, text.len()))
    }

    fn take_text(&mut self, block: &mut &[u8]) -> Result<Bytes, Broken> {
        let coded = block.first().is_some_and(|first| first & 0x80 != 0);
        let length = take_int(block, 7)?;
        let (text, rest) = block.split_at_checked(length).ok_or(Broken)?;
        *block = rest;
        if !coded {
            return Ok(Bytes::copy_from_slice(text));
        }
        self.text.clear();
        huffman::decode(text, &mut self.text)?;
        let text = Bytes::copy_from_slice(&self.text);
        self.text.shrink_to(1024);
        Ok(text)
    }

    fn insert(&mut self, entry: Entry) {
        let Some(room) = self.most.checked_sub(entry.size) else {
            // Too large for an empty table: it empties it.
            self.shrink(0);
            return;
        };
        self.shrink(room);
        self.size += entry.size;
        self.entries.push_front(entry);
    }

    /// How many entries the table has.
    #[cfg(test)]
    pub(super) fn entry_count(&self) -> usize {
        self.entries.len()
    }

    fn shrink(&mut self, most: usize) {
        while self.size > most {
            let Some(entry) = self.entries.pop_back() else { return };
            self.size -= entry.size;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<Field>, Broken> {
        let mut fields = Vec::new();
        decoder.decode(block, |field, _| fields.push(field)).map(|()| fields)
    }

    fn header(name: &'static str, value: &'static str) -> Field {
        Field::Header(HeaderName::from_static(name), HeaderValue::from_static(value))
    }

    /// Appendix C.4: three requests on one connection, their texts in Huffman's code.
    #[test]
    fn the_examples_of_the_standard_are_read() {
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
    fn the_table_keeps_to_its_size() {
        let mut decoder = Decoder::default();
        // 0x3f 0x21: 64 bytes.
        let mut block = vec![0x3f, 0x21];
        for value in [b'1', b'2'] {
            block.extend([0x40, 1, b'a', 1, value]);
        }
        assert_eq!(decoded(&mut decoder, &block), Ok(vec![header("a", "1"), header("a", "2")]));
        assert_eq!((decoder.entries.len(), decoder.size), (1, 34));
        assert_eq!(decoded(&mut decoder, &[0xbe]), Ok(vec![header("a", "2")]));
        assert_eq!(decoded(&mut decoder, &[0xbf]), Err(Broken), "it has left");
        let mut large = vec![0x40, 1, b'a', 40];
        large.extend([b'x'; 40]);
        assert!(decoded(&mut decoder, &large).is_ok());
        assert_eq!((decoder.entries.len(), decoder.size), (0, 0), "what does not fit empties it");
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        for block in [
            &[0x80][..],                  // index 0
            &[0xbe],                      // an empty table
            &[0x40, 1, b'a'],             // no value
            &[0x40, 5, b'a', 0],          // a name that is longer than the block
            &[0x3f, 0xe2, 0x1f],          // a table of 4097 bytes
            &[0x82, 0x20],                // a size after a field
            &[0x00, 0x82, 0xff, 0xff, 0], // a code that does not end
        ] {
            assert_eq!(decoded(&mut Decoder::default(), block), Err(Broken), "{block:?}");
        }
    }

    #[test]
    fn fields_that_no_request_has_are_told_and_the_rest_is_read() {
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
    fn whatever_a_block_is_it_is_read_or_refused() {
        let (mut random, mut read) = (0x9e37_79b9_7f4a_7c15_u64, 0);
        for _ in 0..2000 {
            let mut decoder = Decoder::default();
            for _ in 0..10 {
                let mut block: Vec<u8> = (0..8)
                    .flat_map(|_| {
                        random ^= random << 13;
                        random ^= random >> 7;
                        random ^= random << 17;
                        // Small lengths and indexes, or anything.
                        (random & 0x83_83_03_c7_83_c3_03_c7 | random & random >> 9).to_le_bytes()
                    })
                    .collect();
                block.truncate(random as usize % 40);
                read += usize::from(decoded(&mut decoder, &block).is_ok());
                assert!(
                    decoder.size <= decoder.most
                        && decoder.entries.iter().map(|e| e.size).sum::<usize>() == decoder.size
                );
            }
        }
        assert!(read > 100, "{read}");
    }
}
