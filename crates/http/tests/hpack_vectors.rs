//! Header blocks that other encoders have written (`tests/fixtures/hpack`), and the same fields through our encoder.
//! `HPACK_VECTORS=<folder>` names a folder with more of them.
#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods, reason = "a test reads its own switch")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use http_codec::http2::hpack::{Decoder, Encoder, Field};
use serde_json::Value;

/// What an entry counts in addition to its name and value (RFC 7541 section 4.1).
const ENTRY_OVERHEAD: usize = 32;

/// Returns the vector files of each encoder. A file is a sequence of blocks with one dynamic table.
fn vector_files() -> Vec<PathBuf> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/hpack");
    let folder = std::env::var_os("HPACK_VECTORS").map_or(fixtures, PathBuf::from);
    let list = |folder: &Path| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = list(&folder).filter(|path| path.is_dir()).flat_map(|path| list(&path)).collect();
    files.sort();
    assert!(files.len() >= 20, "{} files in {}", files.len(), folder.display());
    files
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// The fields of a block, as the file lists them.
fn fields(block: &Value) -> Vec<(&str, &str)> {
    let fields = block["headers"].as_array().unwrap().iter().flat_map(|field| field.as_object().unwrap());
    fields.map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect()
}

/// Whether a decoded field is the listed one. The decoder is for requests: `:status` is malformed there.
fn is_same(field: &Field, name: &str, value: &str) -> bool {
    match field {
        Field::Method(method) => (name, value) == (":method", method.as_str()),
        Field::Scheme(scheme) => (name, value) == (":scheme", scheme.as_str()),
        Field::Authority(authority) => (name, value) == (":authority", authority.as_str()),
        Field::Path(path) => (name, value) == (":path", path.as_str()),
        Field::Header(n, v) => (name, value.as_bytes()) == (n.as_str(), v.as_bytes()),
        Field::Malformed => name == ":status",
    }
}

#[test]
fn blocks_of_other_encoders_are_decoded() {
    for file in vector_files() {
        let vectors: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        let mut decoder = Decoder::default();
        for (at, block) in vectors["cases"].as_array().unwrap().iter().enumerate() {
            let context = format!("block {at} of {}", file.display());
            let (expected, mut decoded) = (fields(block), Vec::new());
            let result = decoder
                .decode(&bytes(block["wire"].as_str().unwrap()), |field, size| decoded.push((field, size)));
            assert_eq!((result, decoded.len()), (Ok(()), expected.len()), "{context}");
            for ((field, size), (name, value)) in decoded.iter().zip(expected) {
                assert!(is_same(field, name, value), "{context}: {field:?} is not {name}: {value}");
                assert_eq!(*size, name.len() + value.len() + ENTRY_OVERHEAD, "{context}: {name}: {value}");
            }
        }
    }
}

#[test]
fn fields_of_other_encoders_pass_through_our_encoder() {
    for file in vector_files() {
        let vectors: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
        for (at, block) in vectors["cases"].as_array().unwrap().iter().enumerate() {
            if let Some(size) = block["header_table_size"].as_u64() {
                encoder.set_max_table_size(usize::try_from(size).unwrap());
            }
            let headers: Vec<(http::HeaderName, http::HeaderValue)> = fields(block)
                .into_iter()
                .filter(|(name, _)| !name.starts_with(':'))
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .collect();
            let mut out = Vec::new();
            encoder.start_block(&mut out);
            headers.iter().for_each(|(name, value)| encoder.header(name, value, &mut out));
            let mut decoded = Vec::new();
            let result = decoder.decode(&out, |field, _| decoded.push(field));
            let expected: Vec<_> =
                headers.into_iter().map(|(name, value)| Field::Header(name, value)).collect();
            assert_eq!((result, decoded), (Ok(()), expected), "block {at} of {}", file.display());
        }
    }
}
