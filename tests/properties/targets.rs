//! One function for each fuzz target of `fuzz/`, on the bytes that the fuzzer makes. `seeds.rs` runs each on the seeds in
//! `fuzz/seeds`.

use crate::{bodies, exchange};

/// A fuzz target.
pub struct Target {
    pub name: &'static str,
    /// Folder of its seeds; targets that take the same kind of input share one.
    pub seeds: &'static str,
    pub run: fn(&[u8]),
}

const fn target(name: &'static str, seeds: &'static str, run: fn(&[u8])) -> Target {
    Target { name, seeds, run }
}

pub const TARGETS: &[Target] = &[
    target("answer", "answer", answer),
    target("authority", "authority", authority),
    target("chunks", "chunks", chunks),
    target("dump", "config", bodies::dump),
    target("exchange_client", "exchange", exchange_client),
    target("exchange_upstream", "exchange", exchange::upstream),
    target("fields", "fields", bodies::fields),
    target("head", "request", head),
    target("hpack", "hpack", bodies::hpack),
    target("http2", "http2", http2),
    target("load", "config", bodies::load),
    target("multipart", "multipart", bodies::forms::multipart),
    target("request", "request", bodies::request),
    target("scan", "config", scan),
    target("target", "target", target_and_host),
    target("template", "template", template),
    target("urlencoded", "urlencoded", bodies::forms::urlencoded),
];

/// The size of the pieces in which a message arrives, from its first byte.
fn piece(bytes: &[u8]) -> usize {
    bytes.first().copied().unwrap_or(1).into()
}

pub fn answer(bytes: &[u8]) {
    bodies::answer(bytes, piece(bytes));
}

pub fn authority(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        bodies::forms::authority(text);
    }
}

pub fn chunks(bytes: &[u8]) {
    bodies::chunks(bytes, piece(bytes));
}

pub fn head(bytes: &[u8]) {
    bodies::head(bytes, piece(bytes));
}

pub fn scan(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        bodies::scan(text);
    }
}

pub fn target_and_host(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        bodies::target(text);
    }
}

pub fn template(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        bodies::template(text);
    }
}

pub fn exchange_client(script: &[u8]) {
    let _timers = bodies::RUNTIME.enter();
    exchange::client(script, &bodies::GATEWAY);
}

/// A byte for the size of the pieces, and then frames as `bodies::frames` takes them, or a script.
pub fn http2(bytes: &[u8]) {
    let (piece, bytes) = bytes.split_first().unwrap_or((&1, bytes));
    bodies::http2(&bodies::frames(bytes), usize::from(*piece));
    bodies::http2_model::run(bytes);
}
