//! HPACK (RFC 7541) in requests.

use super::*;

/// `user-agent` in Huffman code, without the length (appendix B).
const HUFFMAN_NAME: &[u8] = &[0xb5, 0x05, 0xb1, 0x61, 0xcc, 0x5a, 0x93];
/// `agent` in Huffman code.
const HUFFMAN_VALUE: &[u8] = &[0x1c, 0xc5, 0xa9, 0x3f];

/// A literal field: its pattern with the index of its name, or 0 and the name, then the value.
fn literal(first: &[u8], name: Option<&[u8]>, value: &[u8], is_huffman: bool) -> Vec<u8> {
    let length = |text: &[u8]| text.len() as u8 | if is_huffman { 0x80 } else { 0 };
    let mut out = first.to_vec();
    for text in name.into_iter().chain([value]) {
        out.push(length(text));
        out.extend_from_slice(text);
    }
    out
}

#[tokio::test]
async fn representations() {
    let with = |field: Vec<u8>| request(1, &[GET, &field].concat());
    let mut cases = vec![case("7541 6.1", "an indexed field", with(vec![0x90]), Response(1))];
    // The pattern of a new name, and the index of `user-agent` (58) behind the pattern.
    for (section, name, new, indexed) in [
        ("7541 6.2.1", "with incremental indexing", &[0x40], &[0x7a][..]),
        ("7541 6.2.2", "without indexing", &[0x00], &[0x0f, 43]),
        ("7541 6.2.3", "never indexed", &[0x10], &[0x1f, 43]),
    ] {
        cases.extend([
            case(section, name, with(literal(indexed, None, b"agent", false)), Response(1)),
            case(section, name, with(literal(indexed, None, HUFFMAN_VALUE, true)), Response(1)),
            case(section, name, with(literal(new, Some(b"user-agent"), b"agent", false)), Response(1)),
            case(section, name, with(literal(new, Some(HUFFMAN_NAME), HUFFMAN_VALUE, true)), Response(1)),
        ]);
    }
    // The second request refers to the field that the first one has put into the dynamic table.
    let first = [GET, &literal(&[0x7a], None, b"agent", false)].concat();
    let second = [GET, &[0xbe]].concat();
    cases.extend([
        case(
            "7541 2.3.2",
            "a field of the dynamic table",
            [request(1, &first), request(3, &second)],
            Response(3),
        ),
        case("7541 6.3", "a table size update", request(1, &[&[0x20], GET].concat()), Response(1)),
        case(
            "7541 6.3",
            "several table size updates",
            request(1, &[&[0x20, 0x3f, 0xe1, 0x1f], GET].concat()),
            Response(1),
        ),
        case(
            "7541 6.3",
            "a block of one table size update",
            [upload(1, POST), request(1, &[0x20])],
            Response(1),
        ),
        // The block of a request that is refused changes the dynamic table all the same.
        case(
            "9113 4.3",
            "the block of a malformed request changes the table",
            [
                SendFrames(request(1, &[&first[..], &field("connection", "close")].concat())),
                ReadReset(1),
                SendFrames(request(3, &second)),
            ],
            Response(3),
        ),
    ]);
    run_all(cases).await;
}

#[tokio::test]
async fn decoding_errors() {
    let with = |field: &[u8]| request(1, &[GET, field].concat());
    let error = ConnectionError(COMPRESSION_ERROR);
    // A field evicted by a table size update to 0.
    let evicted = [&[0x7a, 1, b'a', 0x88][..]].concat();
    run_all(vec![
        case("7541 2.3.3", "an indexed field beyond both tables", with(&[0xff, 0x00]), error),
        case("7541 2.3.3", "the index of a name beyond both tables", with(&[0x7f, 0x00, 1, b'a']), error),
        case("7541 4.2", "a table size update after a field", with(&[0x20]), error),
        case(
            "7541 4.3",
            "a field that is not in the table any more",
            [request(1, &[GET, &evicted[..3]].concat()), request(3, &[&[0x20][..], GET, &[0xbe]].concat())],
            error,
        ),
        case(
            "7541 5.1",
            "an integer that does not end",
            with(&[0xff, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]),
            error,
        ),
        case("7541 5.1", "an integer that is cut short", with(&[0xff, 0x80]), error),
        case("7541 5.2", "a string longer than the block", with(&[0x00, 1, b'a', 5, b'b']), error),
        // `a` has the code 00011: 3 bits of padding, then 8 more.
        case(
            "7541 5.2",
            "Huffman padding longer than 7 bits",
            with(&literal(&[0x0f, 43], None, &[0x1f, 0xff], true)),
            error,
        ),
        case("7541 5.2", "Huffman padding of zeros", with(&literal(&[0x0f, 43], None, &[0x18], true)), error),
        case(
            "7541 5.2",
            "the EOS symbol",
            with(&literal(&[0x0f, 43], None, &[0xff, 0xff, 0xff, 0xfc], true)),
            error,
        ),
        case("7541 6.1", "index 0", with(&[0x80]), error),
        case(
            "7541 6.3",
            "a table size update beyond SETTINGS_HEADER_TABLE_SIZE",
            request(1, &[&[0x3f, 0xe2, 0x1f], GET].concat()),
            error,
        ),
    ])
    .await;
}

/// RFC 7541 section 4.2: the next block after a change of SETTINGS_HEADER_TABLE_SIZE begins with the smallest size in
/// between and the final one.
#[tokio::test]
async fn a_smaller_header_table_is_acknowledged_in_the_next_block() {
    for server in Server::start_all().await {
        let mut connection = server.connect(&[]).await;
        connection.send(&request(1, GET)).await;
        read_until(&mut connection, |frame| frame.stream == 1 && frame.ends()).await.unwrap();
        let sizes = [&settings(1, 0)[9..], &settings(1, 100)[9..]].concat();
        connection.send(&[frame(SETTINGS, 0, 0, &sizes), request(3, GET)].concat()).await;
        let head = read_until(&mut connection, |frame| frame.stream == 3).await.unwrap();
        // Sizes 0 and 100, then `:status 200`.
        assert_eq!(head.payload[..4], [0x20, 0x3f, 69, 0x88], "{:?}", server.transport);
    }
}
