//! Writing header blocks.

use std::collections::VecDeque;

use http::{HeaderName, HeaderValue, StatusCode, header};

use super::{OVERHEAD, TABLE, huffman, put_int, table};

/// Places for what was seen and what is in the table, by hash.
const PLACES: usize = 64;

/// The table of the side that writes, and how to write.
///
/// A field enters the table when it comes a second time: most values that differ with every answer never do.
#[derive(Debug)]
pub struct Encoder {
    /// The newest first.
    entries: VecDeque<Entry>,
    size: usize,
    most: usize,
    /// The smallest size since the last block, if the size has changed.
    least: Option<usize>,
    /// Entries ever made.
    made: u32,
    /// By hash: which field was seen last, and the number of the entry made of one.
    seen: [u32; PLACES],
    place: [u32; PLACES],
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
            most: TABLE,
            least: None,
            made: 0,
            seen: [0; PLACES],
            place: [0; PLACES],
        }
    }
}

impl Encoder {
    /// Takes in what the other side's table may hold.
    pub fn resize(&mut self, most: usize) {
        let most = most.min(TABLE);
        if most == self.most {
            return;
        }
        self.most = most;
        self.least = Some(self.least.unwrap_or(TABLE).min(most));
        self.shrink(most);
    }

    /// Begins a block.
    pub fn begin(&mut self, out: &mut Vec<u8>) {
        if let Some(least) = self.least.take() {
            put_int(out, 0x20, 5, least);
            if least < self.most {
                put_int(out, 0x20, 5, self.most);
            }
        }
    }

    /// Writes `:status`.
    pub fn status(&mut self, status: StatusCode, out: &mut Vec<u8>) {
        match table::status(status.as_u16()) {
            Some(index) => out.push(0x80 | index),
            None => {
                put_int(out, 0, 4, 8);
                put_text(status.as_str().as_bytes(), out);
            }
        }
    }

    /// Writes a header.
    pub fn header(&mut self, name: &HeaderName, value: &HeaderValue, out: &mut Vec<u8>) {
        let bytes = value.as_bytes();
        if value.is_sensitive() {
            return put_header(0x10, 4, name, bytes, out);
        }
        let hash = hash(name.as_str().as_bytes(), bytes);
        let at = hash as usize % PLACES;
        // The table's newest entry is the last one made.
        let age = self.made.wrapping_sub(self.place[at]) as usize;
        if let Some(entry) = self.entries.get(age)
            && entry.name == *name
            && *entry.value == *bytes
        {
            return put_int(out, 0x80, 7, table::COUNT + 1 + age);
        }
        let size = name.as_str().len() + bytes.len() + OVERHEAD;
        let comes_again = self.seen[at] == hash;
        self.seen[at] = hash;
        // What is guessed at must not show in lengths.
        if !comes_again || size > self.most / 4 || *name == header::SET_COOKIE {
            return put_header(0, 4, name, bytes, out);
        }
        put_header(0x40, 6, name, bytes, out);
        self.shrink(self.most - size);
        self.size += size;
        self.made = self.made.wrapping_add(1);
        self.place[at] = self.made;
        self.entries.push_front(Entry { name: name.clone(), value: bytes.into(), size });
    }

    fn shrink(&mut self, most: usize) {
        while self.size > most {
            let Some(entry) = self.entries.pop_back() else { return };
            self.size -= entry.size;
        }
    }
}

fn put_header(mark: u8, bits: u32, name: &HeaderName, value: &[u8], out: &mut Vec<u8>) {
    match table::index_of(name) {
        Some(index) => put_int(out, mark, bits, index),
        None => {
            out.push(mark);
            put_text(name.as_str().as_bytes(), out);
        }
    }
    put_text(value, out);
}

/// A text, in Huffman's code where that is shorter.
fn put_text(text: &[u8], out: &mut Vec<u8>) {
    let length = huffman::length(text);
    if length < text.len() {
        put_int(out, 0x80, 7, length);
        huffman::encode(text, out);
    } else {
        put_int(out, 0, 7, text.len());
        out.extend_from_slice(text);
    }
}

/// A quick hash; where two fields have the same, one of them is written in full.
fn hash(name: &[u8], value: &[u8]) -> u32 {
    const MIX: u128 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = (name.len() as u64) << 32 | value.len() as u64;
    // Both halves of the product, so that every bit of a word counts everywhere.
    let mut add = |word: [u8; 8]| {
        let product = u128::from(hash.rotate_left(5) ^ u64::from_le_bytes(word)) * MIX;
        hash = product as u64 ^ (product >> 64) as u64;
    };
    for text in [name, value] {
        let (words, rest) = text.as_chunks::<8>();
        words.iter().for_each(|word| add(*word));
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        add(last);
    }
    // Zero stands for nothing seen.
    hash as u32 | 1 << 31
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Decoder, Field},
        *,
    };

    /// Both ends of a connection.
    #[derive(Default)]
    struct Ends {
        encoder: Encoder,
        decoder: Decoder,
    }

    impl Ends {
        /// Sends headers; how many bytes that took.
        fn send(&mut self, headers: &[(&str, &str)]) -> usize {
            let mut out = Vec::new();
            self.encoder.begin(&mut out);
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
    fn what_comes_again_takes_a_byte() {
        let mut ends = Ends::default();
        let headers = [("server", "nginx"), ("x-served-by", "one"), ("content-type", "text/html")];
        assert!(ends.send(&headers) > 20);
        ends.send(&headers);
        assert_eq!(ends.send(&headers), headers.len());
        ends.send(&[("x-other", "1")]);
        ends.send(&[("x-other", "1")]);
        assert_eq!(ends.send(&headers), headers.len());
    }

    #[test]
    fn what_differs_each_time_leaves_the_table_alone() {
        let mut ends = Ends::default();
        for at in 0..1000 {
            ends.send(&[("x-id", &format!("{at:032x}")), ("server", "nginx")]);
        }
        assert!(ends.encoder.entries.len() < 5, "{}", ends.encoder.entries.len());
    }

    #[test]
    fn both_tables_stay_the_same_however_many_fields_come_and_go() {
        let mut ends = Ends::default();
        for round in 0..2000_u32 {
            let value = format!("value-{}", round.wrapping_mul(2_654_435_761) % 300);
            let name = format!("name-{}", round % 7);
            ends.send(&[(&name, &value), (&name, &value), ("set-cookie", &value)]);
        }
        assert!(ends.encoder.size <= TABLE && ends.encoder.entries.len() == ends.decoder.entry_count());
    }

    #[test]
    fn a_smaller_table_is_agreed_on() {
        let mut ends = Ends::default();
        let headers = [("server", "nginx"), ("x-served-by", "one")];
        ends.send(&headers);
        ends.send(&headers);
        ends.encoder.resize(0);
        ends.encoder.resize(100_000);
        assert!(ends.send(&headers) > 2, "the table was emptied");
        assert_eq!(ends.encoder.most, TABLE);
        ends.encoder.resize(0);
        assert!(ends.send(&headers) > 2);
        ends.send(&headers);
        assert_eq!(ends.encoder.entries.len(), 0);
    }

    #[test]
    fn statuses_have_an_index_or_a_name() {
        let mut out = Vec::new();
        Encoder::default().status(StatusCode::OK, &mut out);
        assert_eq!(out, [0x88]);
        out.clear();
        Encoder::default().status(StatusCode::FOUND, &mut out);
        assert_eq!(out, [0x08, 0x82, 0x64, 0x02]);
    }
}
