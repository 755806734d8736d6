//! Invariants, on inputs made at random and on valid files broken at random. The bodies are in `bodies.rs`.
#![allow(clippy::unwrap_used)]

mod bodies;
mod mutations;

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
    sync::LazyLock,
};

use proptest::{collection::vec, prelude::*, sample::Index};

/// Valid files: the examples, and the good ones of all codes.
static VALID: LazyLock<Vec<String>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut files = vec![std::fs::read_to_string(root.join("kong.yml")).unwrap()];
    let mut plugins: Vec<_> =
        std::fs::read_dir(root.join("plugins")).unwrap().map(|e| e.unwrap().path()).collect();
    plugins.sort();
    files.extend(plugins.iter().map(|path| std::fs::read_to_string(path).unwrap()));
    let codes = gatewayctl::config::codes::CODES.iter().map(|c| c.good);
    let lints = gatewayctl::lint::lints().iter().map(|l| l.good);
    files.extend(codes.chain(lints).filter(|good| !good.is_empty()).map(str::to_owned));
    files
});

/// Pieces of text that mean something to a reader of YAML, of templates, or to a field.
const PIECES: &[&str] = &[
    "\n",
    "  ",
    "- ",
    ": ",
    "[",
    "]",
    "{",
    "}",
    "&a ",
    "*a",
    "<<: ",
    "!!int ",
    "|\n",
    ">-\n",
    "\"",
    "'",
    "#",
    "null",
    "~",
    "true",
    "-1",
    "1e400",
    "99999999999999999999",
    "é",
    "\u{feff}",
    "\u{0}",
    "\t",
    "%",
    "---\n",
    "...\n",
    "? ",
    "${{ env \"DECK_X\" }}",
    "{vault://env/x}",
    "$(",
    "~/(a",
    "/../",
    "*.*",
    "id: ",
    "name: ",
    "tags: ",
    "config: ",
];

/// One way to break a text.
#[derive(Clone, Debug)]
enum Break {
    /// Put a piece in.
    Insert(Index, &'static str),
    /// Leave some characters out.
    Remove(Index, usize),
    /// Write a line twice.
    Repeat(Index),
    /// Move a line elsewhere.
    Move(Index, Index),
    /// Change one byte.
    Byte(Index, u8),
}

fn breaks() -> impl Strategy<Value = Vec<Break>> {
    let one = prop_oneof![
        (any::<Index>(), 0..PIECES.len()).prop_map(|(at, piece)| Break::Insert(at, PIECES[piece])),
        (any::<Index>(), 1usize..20).prop_map(|(at, count)| Break::Remove(at, count)),
        any::<Index>().prop_map(Break::Repeat),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Break::Move(from, to)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Break::Byte(at, byte)),
    ];
    vec(one, 1..6)
}

/// A valid file, broken.
fn broken() -> impl Strategy<Value = Vec<u8>> {
    (any::<Index>(), breaks()).prop_map(|(file, breaks)| {
        let mut text = VALID[file.index(VALID.len())].clone().into_bytes();
        for each in breaks {
            apply(&mut text, &each);
        }
        text
    })
}

fn apply(text: &mut Vec<u8>, how: &Break) {
    if text.is_empty() {
        return;
    }
    let lines = || text.split_inclusive(|&b| b == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
    match how {
        Break::Insert(at, piece) => {
            let at = at.index(text.len());
            text.splice(at..at, piece.bytes());
        }
        Break::Remove(at, count) => {
            let at = at.index(text.len());
            text.drain(at..text.len().min(at + count));
        }
        Break::Repeat(at) => {
            let mut lines = lines();
            let line = lines[at.index(lines.len())].clone();
            lines.insert(at.index(lines.len()), line);
            *text = lines.concat();
        }
        Break::Move(from, to) => {
            let mut lines = lines();
            let line = lines.remove(from.index(lines.len()));
            lines.insert(to.index(lines.len() + 1), line);
            *text = lines.concat();
        }
        Break::Byte(at, byte) => {
            let at = at.index(text.len());
            text[at] = *byte;
        }
    }
}

#[test]
fn valid_files_load_and_survive_a_dump() {
    for file in VALID.iter() {
        bodies::load(file.as_bytes());
        bodies::dump(file.as_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn loading_bytes_never_panics(bytes in vec(any::<u8>(), 0..400)) {
        bodies::load(&bytes);
    }

    #[test]
    fn loading_a_broken_file_never_panics(text in broken()) {
        bodies::load(&text);
    }

    #[test]
    fn what_loads_survives_a_dump(text in broken()) {
        bodies::dump(&text);
    }

    #[test]
    fn templates_never_panic(text in r#"([a-z_.()\[\]"'+*/%<>=~^# 0-9-]|and |or |not |headers|query_params|tostring\(|string\.rep\(|é){0,30}"#) {
        bodies::template(&text);
    }

    #[test]
    fn heads_are_judged_alike_in_pieces(
        text in r"(GET|POST|P\x00) [/a-z%é<>]{0,12}( HTTP/1\.[019])?\r?\n((Host|host |Content-Length|Transfer-Encoding|:x|X)[: ]{0,2}[a-z0-9,chunked]{0,12}\r?\n){0,5}(\r?\n)?[ -~]{0,9}",
        piece in 1usize..40,
    ) {
        bodies::head(text.as_bytes(), piece);
    }

    #[test]
    fn heads_of_any_bytes_are_judged_alike_in_pieces(bytes in vec(any::<u8>(), 0..300), piece in 1usize..40) {
        bodies::head(&bytes, piece);
    }

    #[test]
    fn chunked_bodies_end_alike_in_pieces(text in r"([0-9a-f]{1,2}(;[a-z]{0,3})?\r\n[ -~]{0,20}\r\n){0,4}(0\r\n)?([A-Z]: x\r\n)?(\r\n)?[ -~]{0,9}", piece in 1usize..20) {
        bodies::chunks(text.as_bytes(), piece);
    }

    #[test]
    fn any_bytes_end_alike_in_pieces(bytes in vec(any::<u8>(), 0..100), piece in 1usize..20) {
        bodies::chunks(&bytes, piece);
    }

    #[test]
    fn answers_are_read_alike_in_pieces(text in r"(HTTP/1.1 103 x\r\n\r\n)?HTTP/1.[01] (200|204|304|500) ?[A-Z]{0,2}\r\n((Content-Length: [0-9]{1,2}|Transfer-Encoding: (chunked|gzip)|Connection: (close|keep-alive)|[A-Z]: x)\r\n){0,3}\r\n([0-9a-f]\r\n[ -~]{0,15}\r\n){0,3}(0\r\n)?([A-Z]: x\r\n)?(\r\n)?", piece in 1usize..20) {
        bodies::answer(text.as_bytes(), piece);
    }

    #[test]
    fn answers_of_any_bytes_are_read_alike_in_pieces(bytes in vec(any::<u8>(), 0..200), piece in 1usize..20) {
        let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        answer.extend_from_slice(&bytes);
        bodies::answer(&answer, piece);
        bodies::answer(&bytes, piece);
    }

    #[test]
    fn targets_never_panic(text in r"/?([a-zé/.%;?<>#\\ \x00-]|%2[eEfF]|%[0-9a-fA-F]{2}|//|/\.\.?/|:[0-9]{1,6}|\[::1\]){0,20}") {
        bodies::target(&text);
    }
}

proptest! {
    // Each case is a run of the program.
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_program_judges_any_broken_file(text in broken()) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_gatewayctl"))
            .args(["lint", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Dropped at once, which ends the input.
        let _ = child.stdin.take().unwrap().write_all(&text);
        let ended = child.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&ended.stderr);
        prop_assert!(matches!(ended.status.code(), Some(0 | 1)), "{:?}: {told}", ended.status);
    }
}
