//! Any bytes through `bodies::forms::urlencoded`.
#![no_main]
#![allow(dead_code, reason = "each target uses one body")]

#[path = "../../tests/properties/bodies.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::forms::urlencoded(bytes));
