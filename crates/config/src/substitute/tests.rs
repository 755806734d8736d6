use super::*;
use source::Level;

fn env(name: &str) -> Option<String> {
    let value = match name {
        "DECK_HOST" => "example.com",
        "DECK_PORT" => "8443",
        "DECK_ON" => "True",
        "DECK_RATIO" => "0.25",
        "DECK_PEM" => "one\ntwo",
        "DECK_SECRET" => "hunter2-and-more",
        "DECK_EMPTY" => "",
        _ => return None,
    };
    Some(value.to_owned())
}

fn fill(text: &str) -> (Option<String>, Findings) {
    let mut findings = Findings::default();
    let rendered = Rendered::new(text, FileId(0), Env::Values(&env), &mut findings);
    (rendered.map(|f| f.text), findings)
}

#[track_caller]
fn rendered(text: &str) -> String {
    let (rendered, findings) = fill(text);
    assert!(findings.0.is_empty(), "{:#?}", findings.0);
    rendered.unwrap_or_else(|| text.to_owned())
}

#[track_caller]
fn failed(text: &str) -> Finding {
    let (_, mut findings) = fill(text);
    assert_eq!(findings.0.len(), 1, "{:#?}", findings.0);
    findings.0.remove(0)
}

/// Parses a text with templates; returns the sources, the document, its root, the findings, and the substitution.
fn read(text: &str) -> (SourceMap, Document, Option<NodeId>, Findings, Option<Rendered>) {
    let mut sources = SourceMap::default();
    sources.add("first.yml", "x");
    let file = sources.add("kong.yml", text);
    let mut doc = Document::new(Span::start_of(file));
    let mut findings = Findings::default();
    let limits = Limits::default();
    let env = Env::Values(&env);
    let (root, rendered) =
        parse_rendered(&sources, file, Format::Yaml, env, &mut doc, &limits, &mut findings);
    (sources, doc, root, findings, rendered)
}

#[test]
fn a_text_without_templates_is_unchanged() {
    assert_eq!(fill("a: ${HOST} {{ x }}").0, None);
}

#[test]
fn templates_are_substituted_anywhere() {
    assert_eq!(rendered("host: ${{ env \"DECK_HOST\" }}\n"), "host: example.com\n");
    assert_eq!(
        rendered("a: \"x-${{env `DECK_HOST`}}-y\"${{ env \"DECK_EMPTY\" }}"),
        "a: \"x-example.com-y\""
    );
    assert_eq!(rendered("${{ \"DECK_HOST\" | env }}"), "example.com");
    assert_eq!(rendered("${{ \"}}\" }}${{ \"a\\\"b\" }}"), "}}a\"b");
    assert_eq!(rendered("é${{/* nothing */}}é"), "éé");
}

#[test]
fn functions_convert_values() {
    assert_eq!(rendered("${{ env \"DECK_PORT\" | toInt }}"), "8443");
    assert_eq!(rendered("${{ toInt (env \"DECK_PORT\") }}"), "8443");
    assert_eq!(rendered("${{ env \"DECK_ON\" | toBool }}"), "true");
    assert_eq!(rendered("${{ env \"DECK_RATIO\" | toFloat }}"), "0.25");
    assert_eq!(rendered("c: |\n  ${{ env \"DECK_PEM\" | indent 2 }}\n"), "c: |\n  one\n  two\n");
    assert_eq!(rendered("${{ indent 1 (env \"DECK_PEM\") }}"), "one\n two");
}

#[test]
fn trim_markers_remove_white_space() {
    assert_eq!(rendered("a: \n  ${{- env \"DECK_HOST\" -}}  \n b"), "a:example.comb");
}

#[test]
fn only_whole_comment_lines_are_skipped() {
    let text = "  # ${{ env \"NOPE\" }}\na: ${{ env \"DECK_HOST\" }}\n# ${{";
    assert_eq!(rendered(text), "  # ${{ env \"NOPE\" }}\na: example.com\n# ${{");
    assert_eq!(failed("a: 1 # ${{ env \"DECK_NONE\" }}").code, ENV);
}

#[test]
fn an_unset_variable_is_an_error_at_its_place() {
    let finding = failed("a: b\nc: ${{ env \"DECK_NONE\" }}\n");
    assert_eq!((finding.code, finding.level), (ENV, Level::Error));
    assert!(finding.message.contains("`DECK_NONE` is not set"), "{}", finding.message);
    let span = finding.span().expect("a place");
    assert_eq!((span.start, span.end), (12, 15), "the word `env`");
}

#[test]
fn only_variables_with_decks_prefix_are_allowed() {
    let finding = failed("${{ env \"HOME\" }}");
    assert_eq!((finding.code, finding.help.as_deref()), (ENV, Some("name it `DECK_HOME`")));
}

#[test]
fn an_invalid_template_reports_location_and_reason() {
    for (text, why) in [
        ("${{ }}", "empty"),
        ("${{ env \"DECK_HOST\"\nb: 1", "not closed by `}}`"),
        ("${{ env \"DECK_HOST }}\n", "not closed by `\"`"),
        ("${{ envv \"DECK_HOST\" }}", "`envv` is not a function"),
        ("${{ if true }}", "`if` is not a function"),
        ("${{ env DECK_HOST }}", "`DECK_HOST` is not a value"),
        ("${{ env }}", "takes 1 value, not 0"),
        ("${{ env \"DECK_HOST\" | indent }}", "takes 2 values, not 1"),
        ("${{ (env \"DECK_HOST\" }}", "parenthesis"),
        ("${{ env \"DECK_HOST\" | }}", "missing"),
        ("${{ env \"DECK_HOST\" ) }}", "`)` is not expected"),
        ("${{ \"a\" | \"b\" }}", "piped into a function"),
        ("${{ env \"DECK_HOST\" ; }}", "`;` has no meaning"),
    ] {
        let finding = failed(text);
        assert_eq!(finding.code, TEMPLATE, "{text}");
        assert!(finding.message.contains(why), "{text}: {}", finding.message);
    }
}

#[test]
fn an_unconvertible_value_is_not_repeated() {
    for (text, form) in [("toInt", "a whole number"), ("toBool", "`true`"), ("toFloat", "a number")] {
        let finding = failed(&format!("${{{{ env \"DECK_SECRET\" | {text} }}}}"));
        assert!(finding.message.contains("`DECK_SECRET` is not") && finding.message.contains(form));
        assert!(!finding.message.contains("hunter2"));
    }
}

#[test]
fn mocked_values_need_no_environment() {
    let text = "${{ env \"DECK_A\" }} ${{ env \"DECK_B\" | toInt }} ${{ env \"DECK_C\" | toBool }}";
    let mut findings = Findings::default();
    let rendered = Rendered::new(text, FileId(0), Env::Mock, &mut findings).expect("templates");
    assert_eq!((rendered.text(), findings.0.len()), ("DECK_A 42 false", 0));
}

#[test]
fn spans_are_those_of_the_original_file() {
    let text = "a: ${{ env \"DECK_PEM\" | indent 3 }}\nb: [\"x${{ env \"DECK_HOST\" }}y\", z]\nc: 1\n";
    let (sources, doc, root, findings, rendered) = read(text);
    assert!(findings.0.is_empty(), "{:#?}", findings.0);
    let root = root.expect("reads");
    let snippet = |node| sources.snippet(doc.span(node));
    let get = |key| doc.get(root, key).expect(key);
    assert_eq!(snippet(get("a")), "${{ env \"DECK_PEM\" | indent 3 }}");
    let items = doc.items(get("b"));
    assert_eq!(doc.str(items[0]), Some("xexample.comy"));
    assert_eq!(snippet(items[0]), "\"x${{ env \"DECK_HOST\" }}y\"");
    assert_eq!(snippet(items[1]), "z");
    assert_eq!(snippet(get("c")), "1");
    assert_eq!(sources.display_position(doc.span(get("c"))), "kong.yml:3:4");
    let rendered = rendered.expect("templates");
    assert!(rendered.covers(doc.span(items[0])) && !rendered.covers(doc.span(items[1])));
}

#[test]
fn findings_about_values_do_not_show_them() {
    let text = "a: 1\nport: ${{ env \"DECK_SECRET\" }}\n";
    let (_, doc, root, _, rendered) = read(text);
    let span = doc.span(doc.get(root.expect("reads"), "port").expect("port"));
    let mut findings = Findings::from(vec![
        Finding::error("x/y", "expected a number, found `hunter2-and-more`").at(span, "`hunter2-and-more`"),
        Finding::error("x/y", "hunter2-and-more").at(Span { start: 0, end: 1, ..span }, ""),
    ]);
    rendered.expect("templates").mask(&mut findings);
    assert_eq!(findings.0[0].message, "expected a number, found `${{ env \"DECK_SECRET\" }}`");
    assert!(!findings.0[0].labels[0].text.contains("hunter2"));
    assert_eq!(findings.0[1].message, "hunter2-and-more", "another place");
}

#[test]
fn invalid_yaml_after_substitution_is_reported_without_the_value() {
    let (sources, _, root, findings, _) = read("a: 1\nb: \"${{ env \"DECK_SECRET\" }}\nc: 2\n");
    assert_eq!(root, None);
    let finding = &findings.0[0];
    assert!(
        sources.display_position(finding.span().expect("a place")).starts_with("kong.yml:"),
        "{finding:?}"
    );
    assert!(!format!("{finding:?}").contains("hunter2"), "{finding:?}");
}

#[test]
fn consequences_of_a_missing_value_are_not_reported() {
    let text = "port: ${{ env \"DECK_NONE\" | toInt }}\n";
    let (_, doc, root, mut findings, rendered) = read(text);
    let node = doc.get(root.expect("reads"), "port").expect("port");
    assert_eq!(doc.to_json(node), 42);
    findings.push(Finding::error("x/y", "too small").at(doc.span(node), ""));
    rendered.expect("templates").mask(&mut findings);
    assert_eq!(findings.0.iter().map(|f| f.code).collect::<Vec<_>>(), [ENV]);
}
