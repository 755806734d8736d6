//! Invariants, on inputs made at random and on valid files broken at random. The bodies are in `bodies.rs`.
#![allow(clippy::unwrap_used)]

mod bodies;
mod differences;
mod exchange;
mod impacts;
mod mutations;
mod seeds;
mod targets;

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

/// What a client says as [`bodies::frames`] takes it: mostly requests, one after another, and what belongs to the last
/// few of them.
fn talk() -> impl Strategy<Value = Vec<u8>> {
    let act = (0u8..12, 0u8..3, 0u8..4, vec(any::<u8>(), 3..20));
    vec(act, 0..60).prop_map(|acts| {
        let (mut out, mut last) = (vec![4, 0, 0, 0], 1_u8);
        for (what, back, some, noise) in acts {
            let stream = last.saturating_sub(2 * back);
            let (kind, flags, stream, payload) = match what {
                0..3 => (1, 5, last + 2, &b"\x82\x86\x41\x01a\x04\x05/long"[..]),
                3 if some == 0 => {
                    (1, 4, last + 2, &b"\x83\x86\x41\x01a\x04\x05/echo\x00\x06expect\x0c100-continue"[..])
                }
                3 => (1, 4, last + 2, &b"\x83\x86\x41\x01a\x04\x05/echo"[..]),
                4 => (0, some & 1, stream, &b"some data"[..]),
                5 => (0, some & 1, stream, &[b'.'; 255][..]),
                6 | 7 => (8, 0, stream, &[0, some, 0, 1][..]),
                8 => (8, 0, 0, &[0, some, 0, 1][..]),
                9 => (4, 0, 0, &[0, 4, 0, some & 1, 0, 0][..]),
                10 => (3, 0, stream, &[0, 0, 0, 8][..]),
                _ => (noise[0] % 11, noise[1], noise[2] % 8, &noise[3..]),
            };
            if what < 4 {
                last += 2;
            }
            out.extend_from_slice(&[kind, flags, stream, payload.len() as u8]);
            out.extend_from_slice(payload);
        }
        out
    })
}

/// A script for [`bodies::http2_model::run`]: three bytes an action, those that move bytes more often than the others.
fn interleaving() -> impl Strategy<Value = Vec<u8>> {
    let what = prop_oneof![
        2 => 0u8..16,
        2 => 2u8..5,
        1 => 10u8..13,
        3 => 13u8..16,
    ];
    vec((what, any::<u8>(), any::<u8>()), 0..400)
        .prop_map(|acts| acts.into_iter().flat_map(|(what, a, b)| [what, a, b]).collect())
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
    fn arguments_are_read_as_by_another_parser(
        text in r"(a|b|%61|%3d|%ff|%|%4|é|\+|=|&|;){0,24}",
        bytes in vec(any::<u8>(), 0..60),
    ) {
        bodies::forms::urlencoded(text.as_bytes());
        bodies::forms::urlencoded(&bytes);
    }

    #[test]
    fn parts_of_a_form_are_read_again_as_written(
        text in r#"(\r\n){0,1}(--b(\r\n|\n| \r\n|--\r\n|--|c)|Content-Disposition: form-data(; (name|filename)=(a|"a b"|"\\"))?(\r\n|\n)|X:y\r\n|\r\n|\n|text|--){0,16}"#,
        content_type in r#"multipart/form-data(; ?(boundary|charset|boundary\*)=(b|"b c"|b,c|"|'b'|)){0,3}"#,
        bytes in vec(any::<u8>(), 0..60),
    ) {
        bodies::forms::multipart(text.as_bytes());
        bodies::forms::multipart(content_type.as_bytes());
        bodies::forms::multipart(&bytes);
    }

    #[test]
    fn an_authority_is_host_and_port(text in r"(a|\.test|\[|\]|:|::1|80|2001:db8::|@|é){0,8}", ip in any::<[u16; 8]>()) {
        bodies::forms::authority(&text);
        bodies::forms::authority(&std::net::Ipv6Addr::from(ip).to_string());
    }

    #[test]
    fn a_field_that_must_go_is_in_no_body(
        text in r#"\{?("(pass(\\u0077|w)ord|a|\\\\|x\\"|é)"|:|,|\{|\}|\[|\]|[-+]?[0-9]{1,3}|0x1|1e400|true|nan|null| |[\x01]){0,24}\}?"#,
        form in r"(pass(%77|w)ord|a|=|&|\+|%|%zz){0,12}",
        parts in r#"(--b(--)?(\r?\n| )|Content-Disposition: form-data; (file)?name="?(password|a)"?|\r\n|\n|; name=|:|x){0,16}"#,
    ) {
        for body in [text, form, parts] {
            bodies::fields(body.as_bytes());
        }
    }

    #[test]
    fn members_that_must_go_are_in_no_object(
        members in vec((r#"(pass(\\u0077|w)ord|a|b\\n)"#, r#"(1|-0\.5e3|"\\"x"|\[1, \{"password": 2\}\]|false)"#), 0..6),
        blank in "[ \t\n]?",
    ) {
        let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\"{blank}:{value}")).collect();
        bodies::fields(format!("{blank}{{{blank}{}}}{blank}", members.join(&format!("{blank},"))).as_bytes());
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
    fn heads_say_what_another_parser_reads(
        text in r"\r?\n?(GET|P-_|GET) /[a-z%é<>]{0,12} HTTP/1\.[01]\r?\n((Host|Content-Length|X)(: ?|)[a-z0-9, \t\x00é]{0,12}\r?\n){0,5}\r?\n[ -~]{0,9}",
    ) {
        bodies::request(text.as_bytes());
    }

    #[test]
    fn header_blocks_come_back_as_they_were_read(bytes in vec(any::<u8>(), 0..200)) {
        bodies::hpack(&bytes);
    }

    #[test]
    fn whatever_frames_come_a_connection_keeps_the_rules(talk in talk(), piece in 1usize..300) {
        bodies::http2(&bodies::frames(&talk), piece);
    }

    #[test]
    fn http2_bodies_arrive_in_any_interleaving(script in interleaving()) {
        bodies::http2_model::run(&script);
    }

    #[test]
    fn any_bytes_leave_a_connection_in_order(bytes in vec(any::<u8>(), 0..300), piece in 1usize..40) {
        bodies::http2(&bytes, piece);
        bodies::http2(&bodies::frames(&bytes), piece);
    }

    #[test]
    fn broken_files_are_scanned_as_libyaml_reads_them(text in broken()) {
        bodies::scan(&String::from_utf8_lossy(&text));
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
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_upstream_gets_whole_requests_whatever_crosses_them(script in vec(any::<u8>(), 0..400)) {
        exchange::upstream(&script);
    }

    #[test]
    fn a_client_gets_its_responses_in_order_however_its_requests_arrive(script in vec(any::<u8>(), 0..200)) {
        let _timers = bodies::RUNTIME.enter();
        exchange::client(&script, &bodies::GATEWAY);
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
        // The pipe is dropped immediately, which ends the input.
        let _ = child.stdin.take().unwrap().write_all(&text);
        let ended = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&ended.stderr);
        prop_assert!(matches!(ended.status.code(), Some(0 | 1)), "{:?}: {stderr}", ended.status);
    }
}

#[test]
fn exchanges_that_failed_once_hold() {
    exchange::upstream(&[
        1, 1, 0, 0, 73, 126, 0, 58, 0, 0, 56, 0, 100, 41, 56, 0, 112, 0, 0, 0, 0, 0, 132, 153, 17, 1, 0, 0,
        88, 0, 0, 0, 0, 0, 0, 0, 136, 0, 8, 0, 8, 0, 68, 6, 109, 1, 0, 0, 8, 134, 188, 34, 1, 40, 24, 0, 88,
        0, 8, 0, 100, 84, 176, 1, 228, 121,
    ]);
}
