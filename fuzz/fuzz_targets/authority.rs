//! `gatewayctl_fuzz::authority` on any bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gatewayctl_fuzz::authority(bytes));
