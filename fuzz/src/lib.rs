//! The functions of all targets. `tests/properties` runs them too, on inputs that proptest makes and on `fuzz/seeds`.
#![allow(dead_code, reason = "some are for tests/properties alone")]

#[path = "../../tests/properties/bodies.rs"]
mod bodies;
#[path = "../../tests/properties/exchange.rs"]
mod exchange;
#[path = "../../tests/properties/targets.rs"]
pub mod targets;

use gatewayctl::http_codec::http2::hpack::{Decoder, Field};

pub use bodies::{
    dump, fields,
    forms::{multipart, urlencoded},
    load, request,
};
pub use exchange::upstream as exchange_upstream;
pub use targets::{answer, authority, chunks, exchange_client, head, http2, scan, target_and_host as target, template};

/// `bodies::hpack`, and a comparison with another decoder, which only this workspace depends on.
pub fn hpack(bytes: &[u8]) {
    bodies::hpack(bytes);
    matches_another_decoder(bytes);
}

/// Blocks as `bodies::hpack` takes them are read as another decoder reads them.
fn matches_another_decoder(mut bytes: &[u8]) {
    let (mut ours, mut theirs) = (Decoder::default(), loona_hpack::Decoder::new());
    theirs.set_max_allowed_table_size(4096);
    while let Some((&length, rest)) = bytes.split_first() {
        let (block, rest) = rest.split_at(usize::from(length).min(rest.len()));
        bytes = rest;
        // The other decoder accepts table sizes beyond the limit, and panics at some.
        let has_size_update = block.iter().any(|byte| byte & 0xe0 == 0x20);
        let mut fields = Vec::new();
        if ours.decode(block, |field, size| fields.push((field, size))).is_err() {
            assert!(has_size_update || theirs.decode(block).is_err(), "{block:x?} is refused");
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

#[cfg(test)]
mod tests {
    #[test]
    fn another_decoder_reads_the_seeds_as_ours_does() {
        for seed in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/seeds/hpack")).expect("the seeds") {
            super::hpack(&std::fs::read(seed.expect("an entry").path()).expect("a seed"));
        }
    }
}
