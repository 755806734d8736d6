//! Any script through `exchange::upstream`.
#![no_main]
#![allow(dead_code, reason = "each target uses one body")]

#[path = "../../tests/properties/bodies.rs"]
mod bodies;
#[path = "../../tests/properties/exchange.rs"]
mod exchange;

libfuzzer_sys::fuzz_target!(|script: &[u8]| exchange::upstream(script));
