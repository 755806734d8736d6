//! Encoder for header blocks of responses.

use std::collections::VecDeque;

use http::{HeaderName, HeaderValue, StatusCode, header};

use super::{ENTRY_OVERHEAD, MAX_TABLE_SIZE, encode_int, huffman, static_table};

/// Number of hash slots. More than the entries of typical responses, and small enough for each connection.
const SLOT_COUNT: usize = 64;

/// Encoding context of one connection: the dynamic table (section 2.3.2).
///
/// A field is added to the table when it is encoded the second time, so that values that differ with each response do not
/// evict those that repeat.
#[derive(Debug)]
pub struct Encoder {
    /// Newest first.
    entries: VecDeque<Entry>,
    size: usize,
    max_size: usize,
    /// Smallest maximum since the last block, if the maximum has changed.
    min_size_since_block: Option<usize>,
    /// Number of insertions so far.
    insert_count: u32,
    /// By hash: the field that was encoded last.
    last_hashes: [u32; SLOT_COUNT],
    /// By hash: `insert_count` at the insertion of an entry.
    insert_numbers: [u32; SLOT_COUNT],
}

#[derive(Debug)]
struct Entry {
    name: HeaderName,
    value: Box<[u8]>,
    size: usize,
}

impl Default for Encoder {
    fn default() -> Self {
        Encoder {
            entries: VecDeque::new(),
            size: 0,
            max_size: MAX_TABLE_SIZE,
            min_size_since_block: None,
            insert_count: 0,
            last_hashes: [0; SLOT_COUNT],
            insert_numbers: [0; SLOT_COUNT],
        }
    }
}

impl Encoder {
    /// Applies the peer's SETTINGS_HEADER_TABLE_SIZE.
    pub fn set_max_table_size(&mut self, max_size: usize) {
        let max_size = max_size.min(MAX_TABLE_SIZE);
        if max_size == self.max_size {
            return;
        }
        self.max_size = max_size;
        self.min_size_since_block = Some(self.min_size_since_block.unwrap_or(MAX_TABLE_SIZE).min(max_size));
        self.evict(max_size);
    }

    /// Starts a block: writes the size updates that are pending (section 4.2).
    pub fn start_block(&mut self, out: &mut Vec<u8>) {
        if let Some(min_size) = self.min_size_since_block.take() {
            encode_int(out, 0x20, 5, min_size);
            if min_size < self.max_size {
                encode_int(out, 0x20, 5, self.max_size);
            }
        }
    }

    /// Encodes `:status`.
    pub fn status(&mut self, status: StatusCode, out: &mut Vec<u8>) {
        match static_table::status_index(status.as_u16()) {
            Some(index) => out.push(0x80 | index),
            None => {
                encode_int(out, 0, 4, 8);
                encode_string(status.as_str().as_bytes(), out);
            }
        }
    }

    /// Encodes a header field.
    pub fn header(&mut self, name: &HeaderName, value: &HeaderValue, out: &mut Vec<u8>) {
        let bytes = value.as_bytes();
        if value.is_sensitive() {
            return encode_literal(NEVER_INDEXED, 4, name, bytes, out);
        }
        let hash = hash_field(name.as_str().as_bytes(), bytes);
        let slot = hash as usize % SLOT_COUNT;
        // The newest entry has the number `insert_count`, and the index 0.
        let index = self.insert_count.wrapping_sub(self.insert_numbers[slot]) as usize;
        if let Some(entry) = self.entries.get(index)
            && entry.name == *name
            && *entry.value == *bytes
        {
            return encode_int(out, 0x80, 7, static_table::COUNT + 1 + index);
        }
        let size = name.as_str().len() + bytes.len() + ENTRY_OVERHEAD;
        let is_repeated = self.last_hashes[slot] == hash;
        self.last_hashes[slot] = hash;
        // Cookies are not indexed: an attacker could probe for their values by the length of a block (section 7.1).
        if !is_repeated || size > self.max_size / 4 || *name == header::SET_COOKIE {
            return encode_literal(WITHOUT_INDEXING, 4, name, bytes, out);
        }
        encode_literal(WITH_INDEXING, 6, name, bytes, out);
        self.evict(self.max_size - size);
        self.size += size;
        self.insert_count = self.insert_count.wrapping_add(1);
        self.insert_numbers[slot] = self.insert_count;
        self.entries.push_front(Entry { name: name.clone(), value: bytes.into(), size });
    }

    /// Evicts the oldest entries until the table has at most that size (section 4.3).
    fn evict(&mut self, max_size: usize) {
        while self.size > max_size {
            let Some(entry) = self.entries.pop_back() else { return };
            self.size -= entry.size;
        }
    }
}

/// Bit patterns of literal fields (section 6.2).
const WITH_INDEXING: u8 = 0x40;
const WITHOUT_INDEXING: u8 = 0;
const NEVER_INDEXED: u8 = 0x10;

/// Encodes a literal field.
fn encode_literal(pattern: u8, prefix_bits: u32, name: &HeaderName, value: &[u8], out: &mut Vec<u8>) {
    match static_table::name_index(name) {
        Some(index) => encode_int(out, pattern, prefix_bits, index),
        None => {
            out.push(pattern);
            encode_string(name.as_str().as_bytes(), out);
        }
    }
    encode_string(value, out);
}

/// Encodes a string literal (section 5.2), with Huffman coding if that is shorter.
fn encode_string(text: &[u8], out: &mut Vec<u8>) {
    let length = huffman::encoded_len(text);
    if length < text.len() {
        encode_int(out, 0x80, 7, length);
        huffman::encode(text, out);
    } else {
        encode_int(out, 0, 7, text.len());
        out.extend_from_slice(text);
    }
}

/// Hashes a field. On a collision one of the two fields is written as a literal; the table compares values.
fn hash_field(name: &[u8], value: &[u8]) -> u32 {
    const MIX: u128 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = (name.len() as u64) << 32 | value.len() as u64;
    // Fold both halves of the product, so that each bit of a word affects all bits of the hash.
    let mut add = |word: [u8; 8]| {
        let product = u128::from(hash.rotate_left(5) ^ u64::from_le_bytes(word)) * MIX;
        hash = product as u64 ^ (product >> 64) as u64;
    };
    for text in [name, value] {
        let (words, remainder) = text.as_chunks::<8>();
        words.iter().for_each(|word| add(*word));
        let mut last = [0; 8];
        last[..remainder.len()].copy_from_slice(remainder);
        add(last);
    }
    // Never 0, which marks an empty slot.
    hash as u32 | 1 << 31
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Decoder, Field},
        *,
    };

    /// Encoder and decoder of one connection.
    #[derive(Default)]
    struct Codec {
        encoder: Encoder,
        decoder: Decoder,
    }

    impl Codec {
        /// Encodes and decodes headers, and returns the length of the block.
        fn send(&mut self, headers: &[(&str, &str)]) -> usize {
            let mut out = Vec::new();
            self.encoder.start_block(&mut out);
            for (name, value) in headers {
                let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
                self.encoder.header(&name, &HeaderValue::from_str(value).expect("a value"), &mut out);
            }
            let mut got = Vec::new();
            self.decoder.decode(&out, |field, _| got.push(field)).expect("a block");
            let sent: Vec<Field> = headers
                .iter()
                .map(|(name, value)| {
                    let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
                    Field::Header(name, HeaderValue::from_str(value).expect("a value"))
                })
                .collect();
            assert_eq!(got, sent);
            out.len()
        }
    }

    #[test]
    fn a_repeated_field_takes_one_byte() {
        let mut codec = Codec::default();
        let headers = [("server", "nginx"), ("x-served-by", "one"), ("content-type", "text/html")];
        assert!(codec.send(&headers) > 20);
        codec.send(&headers);
        assert_eq!(codec.send(&headers), headers.len());
        codec.send(&[("x-other", "1")]);
        codec.send(&[("x-other", "1")]);
        assert_eq!(codec.send(&headers), headers.len());
    }

    #[test]
    fn fields_that_differ_each_time_are_not_indexed() {
        let mut codec = Codec::default();
        for at in 0..1000 {
            codec.send(&[("x-id", &format!("{at:032x}")), ("server", "nginx")]);
        }
        assert!(codec.encoder.entries.len() < 5, "{}", codec.encoder.entries.len());
    }

    #[test]
    fn both_tables_stay_equal_under_eviction() {
        let mut codec = Codec::default();
        for round in 0..2000_u32 {
            let value = format!("value-{}", round.wrapping_mul(2_654_435_761) % 300);
            let name = format!("name-{}", round % 7);
            codec.send(&[(&name, &value), (&name, &value), ("set-cookie", &value)]);
        }
        assert!(
            codec.encoder.size <= MAX_TABLE_SIZE
                && codec.encoder.entries.len() == codec.decoder.entry_count()
        );
    }

    #[test]
    fn size_updates_are_sent() {
        let mut codec = Codec::default();
        let headers = [("server", "nginx"), ("x-served-by", "one")];
        codec.send(&headers);
        codec.send(&headers);
        codec.encoder.set_max_table_size(0);
        codec.encoder.set_max_table_size(100_000);
        assert!(codec.send(&headers) > 2, "the table was emptied");
        assert_eq!(codec.encoder.max_size, MAX_TABLE_SIZE);
        codec.encoder.set_max_table_size(0);
        assert!(codec.send(&headers) > 2);
        codec.send(&headers);
        assert_eq!(codec.encoder.entries.len(), 0);
    }

    #[test]
    fn statuses_are_indexed_or_literal() {
        let mut out = Vec::new();
        Encoder::default().status(StatusCode::OK, &mut out);
        assert_eq!(out, [0x88]);
        out.clear();
        Encoder::default().status(StatusCode::FOUND, &mut out);
        assert_eq!(out, [0x08, 0x82, 0x64, 0x02]);
    }
}
