//! Tests of the parsers: types, anchors, merge keys, spans, warnings, invalid texts, limits.

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::*;

struct Read {
    sources: SourceMap,
    doc: Document,
    root: Option<NodeId>,
    findings: Findings,
}

impl Read {
    fn with(text: &str, format: Format, limits: &Limits) -> Self {
        let mut sources = SourceMap::default();
        let file = sources.add("kong", text);
        let mut doc = Document::new(Span::start_of(file));
        let mut findings = Findings::default();
        let root = parse(&sources, file, format, &mut doc, limits, &mut findings);
        Read { sources, doc, root, findings }
    }

    fn yaml(text: &str) -> Self {
        Self::with(text, Format::Yaml, &Limits::default())
    }

    fn json(text: &str) -> Self {
        Self::with(text, Format::Json, &Limits::default())
    }

    /// Returns the value of a text that parses without findings.
    fn value(self) -> Json {
        assert!(self.findings.0.is_empty(), "{:?}", self.findings.0);
        self.doc.to_json(self.root.expect("a root"))
    }

    /// Formats each finding as `line:column code: message`.
    fn rendered(&self) -> Vec<String> {
        let line = |f: &Finding| {
            let Position { line, column } = self.sources.position(f.span().expect("a place"));
            format!("{line}:{column} {}: {}", f.code, f.message)
        };
        self.findings.iter().map(line).collect()
    }

    /// Returns the source text of the value at a path, by its span.
    fn text(&self, path: &[NodePathStep<'_>]) -> &str {
        let node = self.doc.resolve_path(self.root.expect("a root"), path).expect("a node");
        self.sources.snippet(self.doc.span(node))
    }
}

#[test]
fn an_unquoted_scalar_has_the_type_that_kong_gives_it() {
    for line in include_str!("typing.txt").lines().filter(|line| !line.starts_with('#')) {
        let (text, want) = line.split_once('\t').expect("two columns");
        let got = match scalar::resolve_plain(text) {
            Err(scalar::InvalidScalar) => "unreadable".to_owned(),
            Ok(None) => "text".to_owned(),
            Ok(Some(Value::Null)) => "null".to_owned(),
            Ok(Some(Value::Bool(b))) => b.to_string(),
            Ok(Some(Value::Int(i))) => (i as f64).to_string(),
            Ok(Some(Value::Float(f))) => (f + 0.0).to_string(),
            Ok(Some(other)) => panic!("{text}: {other:?}"),
        };
        let want = want.parse::<f64>().map_or(want.to_owned(), |f| (f + 0.0).to_string());
        assert_eq!(got, want, "{text}");
    }
}

#[test]
fn quotes_and_tags_override_plain_resolution() {
    let read = Read::yaml(
        "a: '010'\nb: \"yes\"\nc: !!str 1\nd: !!int '7'\ne: !!float 3\nf: !!bool y\ng: !!null x\ni: |-\n  1\n",
    );
    assert_eq!(
        read.value(),
        json!({"a": "010", "b": "yes", "c": "1", "d": 7, "e": 3.0, "f": true, "g": null, "i": "1"})
    );
    let own = Read::yaml("- ! 7\n- !own 8\n");
    assert_eq!(
        own.rendered(),
        ["2:3 source/unknown-tag: what follows the `!` is a YAML tag and no part of the value"],
        "the tag changes nothing, and is not what was meant"
    );
    assert_eq!(
        Read::yaml("a: !!int x\n").rendered(),
        ["1:4 source/yaml-syntax: `x` is not a value for `!!int`"]
    );
    assert_eq!(
        Read::yaml("- 017_\n").rendered(),
        ["1:3 source/yaml-syntax: `017_` is a number that ends in `_`"]
    );
}

#[test]
fn an_alias_shares_a_list_and_copies_a_scalar() {
    let read = Read::yaml("a: &l [1]\nb: *l\nc: &s x\nd: *s\n");
    let get = |key| read.doc.get(read.root.unwrap(), key).unwrap();
    assert_eq!(get("a"), get("b"));
    assert_ne!(get("c"), get("d"));
    assert_eq!(read.text(&[NodePathStep::Key("d")]), "*s");
    assert_eq!(
        Read::yaml("a: *missing\n").rendered(),
        ["1:4 source/yaml-syntax: there is no anchor `&missing` before this alias"]
    );
    assert_eq!(
        Read::yaml("&a [*a]\n").rendered(),
        ["1:5 source/yaml-syntax: `*a` stands inside the value it refers to"]
    );
    // An anchor name may be redefined, even inside its first node.
    assert_eq!(Read::yaml("- &a [&a 1]\n- *a\n").value(), json!([[1], 1]));
}

#[test]
fn merge_keys_add_entries_that_the_map_does_not_set() {
    let base = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\n";
    let merged = |text: &str| {
        let mut value = Read::yaml(&format!("{base}z:\n{text}")).value();
        value["z"].take()
    };
    assert_eq!(merged("  <<: *x\n  b: 9\n"), json!({"b": 9, "a": 1}));
    assert_eq!(merged("  b: 9\n  '<<': *x\n"), json!({"b": 9, "a": 1}));
    assert_eq!(merged("  <<: [*x, *y]\n"), json!({"a": 1, "b": 1, "c": 2}));
    assert_eq!(merged("  <<: *y\n  <<: *x\n"), json!({"b": 2, "c": 2, "a": 1}));
    assert_eq!(merged("  <<: {d: 1}\n  !!merge e: {f: 2}\n"), json!({"d": 1, "f": 2}));
    assert_eq!(
        Read::yaml("a: 1\n<<: 2\n").rendered(),
        ["2:5 source/yaml-syntax: `<<` merges a map or a list of maps"]
    );
    assert_eq!(
        Read::yaml("<<: [{a: 1}, x]\n").rendered(),
        ["1:14 source/yaml-syntax: `<<` merges a map or a list of maps"]
    );
}

#[test]
fn the_last_duplicate_key_wins_and_both_are_reported() {
    for read in [Read::yaml("a: 1\nb: 2\n\"a\": 3\n"), Read::json("{\"a\": 1,\n\"b\": 2,\n\"a\": 3}")] {
        assert_eq!(read.doc.to_json(read.root.unwrap()), json!({"a": 3, "b": 2}));
        assert_eq!(
            read.rendered(),
            ["3:1 source/duplicate-key: `a` is given twice, and the last one counts"]
        );
        assert_eq!(read.findings.0[0].level, Level::Warning);
        assert_eq!(read.sources.position(read.findings.0[0].labels[1].span).line, 1);
    }
    // Keys are compared as values: a number differs from its digits in quotes.
    assert_eq!(Read::yaml("1: a\n'1': b\ntrue: c\n'true': d\n").rendered(), [""; 0]);
    assert_eq!(
        Read::yaml("1: a\n1.0: b\n").rendered(),
        ["2:1 source/duplicate-key: `1` is given twice, and the last one counts"]
    );
    let many: String = (0..60).map(|i| format!("k{}: {i}\n", i % 50)).collect();
    assert_eq!(Read::yaml(&many).rendered().len(), 10);
}

#[test]
fn only_the_first_document_counts_but_all_are_checked() {
    let read = Read::yaml("a: 1\n---\nb: 2\nb: 3\n---\nc: 4\n");
    assert_eq!(read.rendered(), ["2:1 source/more-documents: only the first document of a file is read"]);
    assert_eq!(read.doc.to_json(read.root.unwrap()), json!({"a": 1}));
    assert!(Read::yaml("a: 1\n---\nb: [\n").root.is_none());
}

#[test]
fn line_ends_byte_order_marks_and_empty_files_are_accepted() {
    assert_eq!(Read::yaml("\u{feff}a: 1\r\nb: |\r\n  x\r\n  y\r\n").value(), json!({"a": 1, "b": "x\ny\n"}));
    assert_eq!(Read::json("\u{feff} [1]\r\n").value(), json!([1]));
    for text in ["", "\n", "# nothing\n", "---\n"] {
        assert_eq!(Read::yaml(text).value(), Json::Null);
    }
    assert_eq!(Read::yaml("a: |\n  x").value(), json!({"a": "x"}));
}

#[test]
fn every_key_and_value_has_its_span() {
    let text =
        "é: {x: [1, \"2\"], y: }\nlist:\n  - a: plain words\n    b: 'q'\n\n  - |\n    block\n\n\nnext: ~\n";
    let read = Read::yaml(text);
    use NodePathStep::{Index, Key};
    assert_eq!(read.text(&[Key("é")]), "{x: [1, \"2\"], y: }");
    assert_eq!(read.text(&[Key("é"), Key("x"), Index(1)]), "\"2\"");
    assert_eq!(read.text(&[Key("é"), Key("y")]), "");
    assert_eq!(read.text(&[Key("list"), Index(0)]), "a: plain words\n    b: 'q'");
    assert_eq!(read.text(&[Key("list"), Index(0), Key("a")]), "plain words");
    assert_eq!(read.text(&[Key("list"), Index(1)]), "|\n    block");
    assert_eq!(read.text(&[]), text.trim_end());
    let key = read.doc.entry(read.root.unwrap(), "next").unwrap().key;
    assert_eq!(read.sources.display_position(read.doc.span(key)), "kong:10:1");
    let marked = Read::yaml("\u{feff}a: bc\n");
    assert_eq!(marked.text(&[Key("a")]), "bc");
    let json = Read::json("{\"a\": [1, {\"b\": -2.5e3}]}");
    assert_eq!(json.text(&[Key("a"), Index(1)]), "{\"b\": -2.5e3}");
    assert_eq!(json.text(&[Key("a"), Index(1), Key("b")]), "-2.5e3");
}

#[test]
fn invalid_yaml_is_reported_where_it_must_be_fixed() {
    let cases = [
        ("a:\n\tb: 1\n", "2:1 a tab is used for indentation"),
        ("paths: [/a, /b\nhosts: [x]\n", "1:8 this `[` is never closed"),
        ("a: [1,\n", "1:4 this `[` is never closed"),
        ("a: \"x\nb: 2\n", "1:4 this `\"` is never closed"),
        ("{\"a\": \"x\" \"b\": 2}", "1:11 expected `,` or `}` here"),
        ("a: [1, 2]]\n", "1:10 this `]` closes nothing"),
        ("a: b: c\n", "1:5 a second `: ` on this line"),
        ("- name: x\n  host: y\n   port: 1\n", "3:4 this key is indented too deep"),
        ("- name: a\n  url http://x\n  tags: []\n", "2:3 this line is neither `key: value` nor a list item"),
        ("a:1\nb: 2\n", "1:1 this line is neither `key: value` nor a list item"),
        ("services:\n- name: a\n routes: 1\n", "3:2 this line fits no level above it"),
        ("a: 1\n- b\n", "2:1 a list item stands where a key is expected"),
        ("- a\nb: 1\n", "2:1 a list item is expected here"),
        ("a: - b\n", "1:4 a list cannot start on the line of its key"),
        ("a: 'it's'\n", "1:8 text follows the closing quote"),
        ("a: \"\\d\"\n", "1:5 there is no such escape"),
        ("a: @b\n", "1:4 a value cannot start with `@`"),
        ("a: *\n", "1:4 `*` starts an alias, but no name follows"),
        ("a: \u{1}\n", "1:4 the control character U+0001 is not allowed"),
        ("\u{feff}a: b: c\n", "1:6 a second `: ` on this line"),
        ("a: {b: - c}\n", "1:8 `- ` cannot start a list item between `[ ]` or `{ }`"),
        ("a: [- b]\n", "1:5 `- ` cannot start a list item between `[ ]` or `{ }`"),
        ("a: |x\n  b\n", "1:5 after `|` or `>` the line has to end"),
        ("a: |0\n  b\n", "1:5 a text cannot be indented by 0"),
        ("a: \"\\xZZ\"\n", "1:7 hexadecimal digits are missing after the backslash"),
        ("a: \"\\UFFFFFFFF\"\n", "1:7 there is no character with that number"),
        ("a: !b!c d\n", "1:4 this tag is not known"),
        ("a: !<b c\n", "1:7 this is no tag"),
        ("%FOO\n---\na: 1\n", "1:5 this is no directive"),
        ("%YAML 1.1\n%YAML 1.1\n---\na: 1\n", "2:1 this directive is given twice"),
        ("a: 'b\n---\nc'\n", "1:4 this `'` is never closed"),
        ("[a]\nb\n", "2:1 the file goes on after its end"),
        ("{a: 1}\nb: 2\n", "2:1 the file goes on after its end"),
    ];
    let mut wrong = Vec::new();
    for (text, want) in cases {
        let read = Read::yaml(text);
        assert!(read.root.is_none(), "{text:?}");
        let rendered = read.rendered();
        if rendered != [want.replacen(' ', " source/yaml-syntax: ", 1)] || read.findings.0[0].help.is_none() {
            wrong.push(format!("{text:?}: {rendered:?}, not {want:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_syntax_error_is_in_the_admin_api_error_tree() {
    for (text, reason) in [
        ("services: [", "1:11: did not find expected node content"),
        ("a: 1\nb: \"x\" y\n", "2:4: did not find expected key"),
        ("a:\n  b: *c\n", "2:6: there is no anchor `&c` before this alias"),
        ("a: \u{1}\n", "0:0: control characters are not allowed"),
    ] {
        let text = &Read::yaml(text).findings.0[0].kong_errors;
        let whole = format!("failed parsing declarative configuration: {reason}");
        assert_eq!(text[..], [(vec![ErrorPathSegment::Key("error".to_owned())], whole)]);
    }
}

#[test]
fn json_extensions_of_lua_cjson_are_accepted() {
    let numbers = Read::json("[+1, 01, 0x1F, -.5, 1., 1e3, 9007199254740993, 1.0, -0x1.8p1]").value();
    assert_eq!(numbers, json!([1, 1, 31, -0.5, 1.0, 1000.0, 9_007_199_254_740_992_i64, 1.0, -3]));
    assert_eq!(Read::json(r#"["\ud83d\ude00\u00e9\/\n", "raw	tab"]"#).value(), json!(["😀é/\n", "raw\ttab"]));
    for (text, want) in [
        ("{\"a\": [1, 2}", "1:12 expected `,` or `]`"),
        ("{\"a\": 1,}", "1:8 a comma stands before the closing bracket"),
        ("{\"a\": [1,\n", "1:7 this `[` is never closed"),
        ("{a: 1}", "1:2 a key needs double quotes"),
        ("{\"a\" 1}", "1:6 a `:` is missing between this key and its value"),
        ("[\"a]", "1:2 this string is never closed"),
        ("[.5]", "1:2 expected a value"),
        ("[\"\\ud800\"]", "1:3 `\\u` stands for no character here"),
        ("[\"\\é\"]", "1:3 there is no such escape"),
        ("[] x", "1:4 something follows the end of the document"),
        ("", "1:1 the text ends where a value is expected"),
    ] {
        assert_eq!(Read::json(text).rendered(), [want.replacen(' ', " source/json-syntax: ", 1)], "{text:?}");
    }
}

#[test]
fn deep_nesting_is_an_error_without_stack_overflow() {
    let deep = 10_000;
    let lines: String = (0..deep).map(|i| format!("{}a:\n", " ".repeat(i))).take(2_000).collect();
    for (text, format) in [
        ("[".repeat(deep), Format::Yaml),
        ("{a: ".repeat(deep), Format::Yaml),
        ("- ".repeat(deep), Format::Yaml),
        (lines, Format::Yaml),
        ("[".repeat(deep), Format::Json),
        ("{\"a\":".repeat(deep), Format::Json),
    ] {
        let read = Read::with(&text, format, &Limits::default());
        assert_eq!(read.findings.0[0].code, "source/too-deep", "{}", &text[..20]);
    }
    // Each alias adds a level, so a flat text can be deep as well.
    let chain: String = (1..deep).map(|i| format!("- &a{i} [*a{}]\n", i - 1)).collect();
    let limits = Limits { alias_nodes: u64::MAX, ..Limits::default() };
    let read = Read::with(&format!("- &a0 x\n{chain}"), Format::Yaml, &limits);
    assert_eq!(read.findings.0[0].code, "source/too-deep");
}

#[test]
fn the_maximum_depth_passes_every_traversal() {
    let depth = 512;
    let limits = Limits { depth: usize::MAX, ..Limits::default() };
    for format in [Format::Yaml, Format::Json] {
        let read = Read::with(&format!("{}{}", "[".repeat(depth), "]".repeat(depth)), format, &limits);
        let value = read.doc.to_json(read.root.expect("a root"));
        assert_eq!(from_node::<Json>(&read.doc, read.root.unwrap()).unwrap(), value);
        assert!(to_yaml(&value).contains("[]"));
        assert!(Read::with(&"[".repeat(depth + 1), format, &limits).root.is_none());
    }
}

#[test]
fn traversal_of_a_cyclic_document_terminates() {
    let mut read = Read::yaml("- []\n");
    let root = read.root.unwrap();
    read.doc.set(root, Value::Seq([root].into()));
    read.doc.to_json(root);
    assert!(from_node::<Json>(&read.doc, root).is_err());
    assert_eq!(read.doc.path_of(root, NodeId(0)), None);
}

#[test]
fn alias_expansion_is_bounded() {
    let level = |i: usize| format!("a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 9].join(", "));
    let bomb: String = "a0: &a0 [x]\n".to_owned() + &(1..12).map(level).collect::<String>();
    assert_eq!(Read::yaml(&bomb).findings.0[0].code, "source/too-large");
    let map: String = (0..2_000).map(|i| format!("k{i}: 1, ")).collect();
    let merges =
        format!("m: &m {{{map}}}\n") + &(0..2_000).map(|i| format!("n{i}: {{<<: *m}}\n")).collect::<String>();
    assert_eq!(Read::yaml(&merges).findings.0[0].code, "source/too-large");
}

#[test]
fn a_path_leads_from_the_root_to_a_node() {
    let read = Read::yaml("a:\n- x\n- b: {1: y}\n");
    let root = read.root.unwrap();
    let node = read
        .doc
        .resolve_path(root, &[NodePathStep::Key("a"), NodePathStep::Index(1), NodePathStep::Key("b")])
        .unwrap();
    let leaf = read.doc.entries(node)[0].value;
    assert_eq!(read.doc.path_of(root, leaf).unwrap(), ["a", "1", "b", "1"]);
    assert_eq!(read.doc.path_of(root, root).unwrap(), [""; 0]);
    assert_eq!(read.doc.path_of(node, root), None);
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Settings {
    name: String,
    #[serde(default)]
    port: Option<u16>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    weight: f64,
    #[serde(default)]
    mode: Mode,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Off,
    Local,
    Redis {
        host: String,
    },
}

#[test]
fn a_type_is_deserialized_with_the_rules_of_lua_tables() {
    let read = |text| {
        let read = Read::yaml(text);
        from_node::<Settings>(&read.doc, read.root.unwrap())
            .map_err(|e| format!("{} {e}", read.sources.display_position(read.doc.span(e.node))))
    };
    let settings = read("name: a\nport: 80.0\ntags: {}\nweight: 3\nmode: {redis: {host: h}}\n").unwrap();
    assert_eq!(
        settings,
        Settings {
            name: "a".into(),
            port: Some(80),
            tags: vec![],
            weight: 3.0,
            mode: Mode::Redis { host: "h".into() }
        }
    );
    assert_eq!(read("name: a\nport: ~\nmode: local\n").unwrap().mode, Mode::Local);
    for (text, want) in [
        ("name: 010\n", "kong:1:7 invalid type: integer `8`, expected a string"),
        ("name: a\nport: 70000\n", "kong:2:7 invalid value: integer `70000`, expected u16"),
        ("name: a\nport: 1.5\n", "kong:2:7 invalid type: floating point `1.5`, expected u16"),
        ("name: a\ntags: [x, yes]\n", "kong:2:11 invalid type: boolean `true`, expected a string"),
        (
            "name: a\nnope: 1\n",
            "kong:2:1 unknown field `nope`, expected one of `name`, `port`, `tags`, `weight`, `mode`",
        ),
        ("name: a\nmode: fast\n", "kong:2:7 unknown variant `fast`, expected one of `off`, `local`, `redis`"),
        ("port: 1\n", "kong:1:1 missing field `name`"),
        ("name: a\nmode: redis\n", "kong:2:7 a value is missing for this variant"),
    ] {
        assert_eq!(read(text).unwrap_err(), want);
    }
}

proptest! {
    #[test]
    fn parsing_never_panics_on_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut sources = SourceMap::default();
        let mut findings = Findings::default();
        let Some(file) = sources.add_bytes("any", bytes, &mut findings) else {
            prop_assert!(findings.has_errors());
            return Ok(());
        };
        let text = sources.get(file).text().to_owned();
        check(&text)?;
    }

    #[test]
    fn parsing_never_panics_on_yaml_like_text(text in "[-a:?,\\[\\]{}#&*!|>'\"%@~<0-9é \n\r\t\\\\\u{feff}]{0,60}") {
        check(&text)?;
    }
}

/// A text either parses or has an error, and every span lies within it.
fn check(text: &str) -> Result<(), TestCaseError> {
    for format in [Format::Yaml, Format::Json, Format::Auto] {
        let read = Read::with(text, format, &Limits::default());
        prop_assert_eq!(read.root.is_none(), read.findings.has_errors(), "{:?}", read.findings.0);
        for label in read.findings.iter().flat_map(|f| &f.labels) {
            prop_assert!(
                text.get(label.span.start as usize..label.span.end as usize).is_some(),
                "{:?}",
                label
            );
        }
        if let Some(root) = read.root {
            let value = read.doc.to_json(root);
            // A non-string key is an error here, but must not panic.
            let _ = from_node::<Json>(&read.doc, root);
            to_yaml(&value);
        }
    }
    Ok(())
}
