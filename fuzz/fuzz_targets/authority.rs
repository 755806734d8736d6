//! Any text through `bodies::forms::authority`.
#![no_main]
#![allow(dead_code, reason = "each target uses one body")]

#[path = "../../tests/properties/bodies.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|text: &str| bodies::forms::authority(text));
