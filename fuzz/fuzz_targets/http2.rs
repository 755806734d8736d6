//! Any frames through `bodies::http2`, and any interleaving of requests through `bodies::http2_model`.
#![no_main]
#![allow(dead_code, reason = "each target uses one body")]

#[path = "../../tests/properties/bodies.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (piece, bytes) = bytes.split_first().unwrap_or((&1, bytes));
    bodies::http2(&bodies::frames(bytes), usize::from(*piece));
    bodies::http2_model::run(bytes);
});
