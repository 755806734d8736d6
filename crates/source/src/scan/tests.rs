//! Differential tests of the fast scanner against libyaml.

use proptest::prelude::*;

use super::differential::matches_libyaml;

const USUAL: &[&str] = &[
    "_format_version: \"3.0\"\nservices:\n- name: s-0\n  url: http://127.0.0.1:19000\n  routes:\n  - name: r-0\n    \
     paths: [\"/a/b\"]\n    strip_path: false\n    hosts: [\"h.test\", other.test]\n",
    "---\n# a comment\n_format_version: '3.0' # another\n\nconsumers:\n  - username: it''s\n    tags: [a, b,]\n\n  - \
     username: 'it''s'\n    custom_id: \"a\\tb\\u00e9\\\\ \\\"c\\\"\"\n",
    "plugins:\n- name: cors\n  config: {origins: [\"*\"], credentials: true, headers: [], \"max_age\":1, more: {}}\n  \
     enabled: yes\n",
    "certificates:\n- cert: |\n    -----BEGIN CERTIFICATE-----\n    MIIB\n\n    -----END CERTIFICATE-----\n  key: |-\n    \
     a\n     b\n\n  id: x\n- cert: >+\n    folded\n    text\n\n      deeper\n    and\n\n\n  key: |2\n      kept\n",
    "a: &x\n  b: 1\n  c: &y [1, *x]\nd: *x\ne:\n  <<: *x\n  f: *y\ng: &z text\nh: &l\n- 1\n- 2\n",
    "a: a text that\n  goes on here\n\n  and there # no more\nb: 'as do\n\n  those in' # quotes\nc: \"and\n  these\"\nd: [x\n  \
     y, z]\n",
    "a:\nb: ~\nc:\n- \n- x\n-\n  - y\n  - - z\n    - w\n- k: v\n  l:\n  - m\n",
    "url: http://a.test:80/x?y=1&z=#frag\ntime: 12:30:45\nnot: a#comment\nalso: -1\nstar: a*b\nregex: ~/a/(?<b>[^/]+)$\n",
    "{\"services\": [{\"name\": \"a\", \"url\": \"http://x\", \"tags\": null, \"n\": -1.5e3}],\n \"routes\": []}",
    "- a\n- b: c\n  d: e\n-   - f\n",
    "text alone\n",
    "'in quotes'",
    "",
    "# nothing\n\n   # at all",
    "name: é ü\n\"ключ\": значение\n? x",
];

#[test]
fn common_texts_yield_libyamls_events() {
    let (rare, usual) = USUAL.split_last().expect("texts");
    usual.iter().for_each(|text| assert!(matches_libyaml(text), "{text}"));
    assert!(
        matches_libyaml(rare.trim_end_matches("? x")) && !matches_libyaml(rare),
        "a key without its value is rare"
    );
}

#[test]
fn rare_or_invalid_texts_are_left_to_libyaml() {
    for text in [
        "a: !!str 1\n",
        "%YAML 1.1\n---\na: 1\n",
        "a: 1\n---\nb: 2\n",
        "a: 1\n...\n",
        "a:\t1\n",
        "a: 1\r\nb: 2\r\n",
        "a: b: c\n",
        "a: [1\n",
        "a: \"x\n",
        "a: 'x'y\n",
        "a: \u{85}\n",
        "a: 1\n b: 2\n",
        "[a]: 1\n",
        "[a: 1]\n",
        "{a}\n",
        "- a\nb: 1\n",
        "a: - b\n",
        "a: &x b: c\n",
        "a: *x y\n",
        "\u{feff}a: 1\n",
    ] {
        assert!(!matches_libyaml(text), "{text:?}");
    }
}

#[test]
fn simple_keys_have_libyamls_length_limit() {
    for length in [1022, 1023, 1024, 1025, 1026] {
        let key = "k".repeat(length);
        for text in [format!("{key}: v\n"), format!("- {key} : v\n"), format!("{{\"{key}\": v}}\n")] {
            matches_libyaml(&text);
        }
    }
    assert!(matches_libyaml(&format!("{}: v\n", "k".repeat(1024))));
}

/// Fragments of nearly valid YAML.
const PIECES: &[&str] = &[
    "a", "b c", "é", "1", "\n", "\n  ", "\n    ", "\n\n", " ", "  ", "- ", "-", ": ", ":", "a: ", "\nb: ",
    "\n- ", "\n  - ", "\n  c: ", "[", "]", "{", "}", ", ", ",", "'", "''", "\"", "\\n", "\\", "\"x\"", "'y'",
    "\"k\": ", "#", " # c\n", "|\n", ">-\n", "|2+\n", "\n   x", "&a ", "*a", "&b\n", "<<: ", "!", "?", "? ",
    "%", "@", "---\n", "...\n", "\t", "\r\n", "~", "\u{2028}",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn pieces_are_read_as_libyaml_reads_them(pieces in prop::collection::vec(prop::sample::select(PIECES), 1..24)) {
        matches_libyaml(&pieces.concat());
    }

    #[test]
    fn damaged_files_are_read_as_libyaml_reads_them(
        which in 0..USUAL.len(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..4, prop::sample::select(PIECES)), 1..6),
    ) {
        let mut text = USUAL[which].to_owned();
        for (place, removed, piece) in damage {
            let boundary = |at: usize| (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
            let start = boundary(place.index(text.len() + 1));
            let end = boundary(start + removed).max(start);
            text.replace_range(start..end, piece);
        }
        matches_libyaml(&text);
    }
}
