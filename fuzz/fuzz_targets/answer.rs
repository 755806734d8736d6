//! Any bytes through `bodies::answer`.
#![no_main]
#![allow(dead_code, reason = "each target uses one body")]

#[path = "../../tests/properties/bodies.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let piece = bytes.first().copied().unwrap_or(1).into();
    bodies::answer(bytes, piece);
});
