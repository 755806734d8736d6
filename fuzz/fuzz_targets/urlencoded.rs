//! `gatewayctl_fuzz::urlencoded` on any bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gatewayctl_fuzz::urlencoded(bytes));
