//! Any script through `exchange::client`.
#![no_main]
#![allow(dead_code, reason = "each target uses one body")]

#[path = "../../tests/properties/bodies.rs"]
mod bodies;
#[path = "../../tests/properties/exchange.rs"]
mod exchange;

libfuzzer_sys::fuzz_target!(|script: &[u8]| {
    let _timers = bodies::RUNTIME.enter();
    exchange::client(script, &bodies::GATEWAY);
});
