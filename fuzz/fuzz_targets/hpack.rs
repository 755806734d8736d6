//! Any bytes through `bodies::hpack`, and beside another decoder.
#![no_main]
#![allow(dead_code, reason = "each target uses one body")]

#[path = "../../tests/properties/bodies.rs"]
mod bodies;

use gatewayctl::http_codec::http2::hpack::{Decoder, Field};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    bodies::hpack(bytes);
    beside(bytes);
});

/// Blocks as `bodies::hpack` takes them are read as another decoder reads them.
fn beside(mut bytes: &[u8]) {
    let (mut ours, mut theirs) = (Decoder::default(), loona_hpack::Decoder::new());
    theirs.set_max_allowed_table_size(4096);
    while let Some((&length, rest)) = bytes.split_first() {
        let (block, rest) = rest.split_at(usize::from(length).min(rest.len()));
        bytes = rest;
        // Of sizes that other one takes more than is allowed, and panics at some.
        let sized = block.iter().any(|byte| byte & 0xe0 == 0x20);
        let mut fields = Vec::new();
        if ours.decode(block, |field, size| fields.push((field, size))).is_err() {
            assert!(sized || theirs.decode(block).is_err(), "{block:x?} is refused");
            return;
        }
        let read = match theirs.decode(block) {
            Err(loona_hpack::decoder::DecoderError::SizeUpdateAtEnd) => return,
            read => read.expect("a block that we read"),
        };
        assert_eq!(fields.len(), read.len());
        for ((field, size), (name, value)) in fields.iter().zip(read) {
            assert_eq!(*size, name.len() + value.len() + 32);
            let (our_name, our_value) = match field {
                Field::Method(method) => (":method", method.as_str().as_bytes()),
                Field::Scheme(scheme) => (":scheme", scheme.as_str().as_bytes()),
                Field::Authority(authority) => (":authority", authority.as_str().as_bytes()),
                Field::Path(path) => (":path", path.as_str().as_bytes()),
                Field::Header(name, value) => (name.as_str(), value.as_bytes()),
                Field::Malformed => continue,
            };
            assert_eq!((our_name.as_bytes(), our_value), (&name[..], &value[..]));
        }
    }
}
