//! Paths against Kong's own answers.

use std::borrow::Cow;

use super::*;

fn normal(path: &str) -> String {
    String::from_utf8(normalize(path).into_owned()).unwrap()
}

#[test]
fn paths_are_compared_in_normal_form() {
    for (path, expected) in [
        ("/", "/"),
        ("", ""),
        ("*", "*"),
        ("/a", "/a"),
        ("/a/", "/a/"),
        ("//a", "/a"),
        ("/a///b//", "/a/b/"),
        ("///", "/"),
        ("/a/.", "/a/"),
        ("/a/..", "/"),
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/a//../b", "/b"),
        ("/a/b/../../c", "/c"),
        ("/..", "/"),
        ("/a/...", "/a/..."),
        ("/a/..b", "/a/..b"),
        ("/a/.b/b.", "/a/.b/b."),
        ("/%2e%2E/a", "/a"),
        ("/a/.%2e/b", "/b"),
        ("/%61%7e", "/a~"),
        ("/a%2fb", "/a%2Fb"),
        ("/a%25b%zz%2", "/a%25b%zz%2"),
        ("/%e4%bd%a0 ", "/你 "),
    ] {
        assert_eq!(normal(path), expected, "{path}");
    }
    assert_eq!(&*normalize("/%FF"), b"/\xff");
}

#[test]
fn a_path_in_normal_form_is_borrowed() {
    assert!(matches!(normalize("/a/b.c/.d"), Cow::Borrowed(_)));
}

#[test]
fn climbing_above_the_root_and_broken_escapes_are_not_acceptable() {
    for path in
        ["/..", "/../../a", "/a/../../b", "/%2e%2e/a", "/a%zz", "/a%", "/a%2", "/a%00b", "/a%2f../../.."]
    {
        assert!(!is_valid_path(path), "{path}");
    }
    for path in ["/", "/a/..", "/a/../b", "/a%20", "/...", "/a/%2e./b", "/%25"] {
        assert!(is_valid_path(path), "{path}");
    }
}

#[test]
fn characters_not_allowed_in_a_path_are_escaped() {
    assert_eq!(escape_for_upstream(b"/a b\xff\"{}|\\^`<>"), "/a%20b%FF%22%7B%7D%7C%5C%5E%60%3C%3E");
    assert!(matches!(escape_for_upstream(b"/a%2F!#$&'()*+,:;=?@[]-_.~"), Cow::Borrowed(_)));
}

#[test]
fn dot_segments_left_over_by_stripping_are_dropped() {
    let path = |request: &'static str, matched| {
        String::from_utf8(
            upstream_path("/s", request.as_bytes(), matched, true, PathHandling::V0).into_owned(),
        )
        .unwrap()
    };
    assert_eq!(path("/r..", 2), "/s");
    assert_eq!(path("/r./x", 2), "/s/x");
    assert_eq!(path("/r../x", 2), "/s/x");
    assert_eq!(path("/r.x", 2), "/s/.x");
}

#[test]
fn upstream_paths_equal_those_of_kong() {
    let file: serde_json::Value =
        serde_json::from_str(include_str!("../../../../tests/fixtures/kong/upstream-path-cases.json"))
            .unwrap();
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 108);
    for case in cases {
        let text = |key: &str| case[key].as_str();
        let request = normalize(text("request_path").unwrap());
        let matched = match text("route_path") {
            None => 0,
            Some(path) => match path.strip_prefix('~') {
                None => path.len(),
                Some(regex) => {
                    let regex = regex::bytes::Regex::new(&format!("^{regex}")).unwrap();
                    regex.find(&request).unwrap().len()
                }
            },
        };
        let strip = case["strip_path"].as_bool().unwrap();
        for (handling, key) in
            [(PathHandling::V0, "upstream_path_v0"), (PathHandling::V1, "upstream_path_v1")]
        {
            let path = upstream_path(text("service_path").unwrap(), &request, matched, strip, handling);
            assert_eq!(std::str::from_utf8(&path).unwrap(), text(key).unwrap(), "{case}");
        }
        let prefix = (strip && matched > 0).then(|| std::str::from_utf8(&request[..matched]).unwrap());
        assert_eq!(prefix, text("stripped_prefix"), "{case}");
    }
}
