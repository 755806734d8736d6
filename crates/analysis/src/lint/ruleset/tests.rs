//! Rules as users write them, on a gateway file.

use super::*;
use crate::lint::Levels;
use source::{Document, Findings, Format, Limits, SourceMap, Span, parse};

const FILE: &str = "_format_version: '3.0'\nservices:\n- name: Bad_Name\n  host: a.test\n  retries: 3\n- name: good-name\n  host: b.test\n  tags: [b, a]\n";

/// `line:path message` of each finding.
fn found(rules: &str) -> Vec<String> {
    let ruleset = read("rules.yml", rules, &|_| Err("none".to_owned())).unwrap_or_else(|e| panic!("{e}"));
    let mut sources = SourceMap::default();
    let file = sources.add("conf/kong.yml", FILE);
    let mut document = Document::new(Span::start_of(file));
    let mut findings = Findings::default();
    let root =
        parse(&sources, file, Format::Yaml, &mut document, &Limits::default(), &mut findings).expect("reads");
    check(&ruleset, &Levels::default(), &sources, &document, root, &[], &mut findings);
    let rendered = findings.iter().map(|f| {
        let line = sources.position(f.span().expect("a place")).line;
        format!("{line}:{} {} {}", f.path.as_deref().unwrap_or_default(), f.level.as_str(), f.message)
    });
    rendered.collect()
}

fn rule(body: &str) -> Vec<String> {
    found(&format!("rules:\n  r:\n    given: $.services[*]\n{body}"))
}

#[test]
fn functions_report_the_exact_place() {
    assert_eq!(
        rule(
            "    severity: error\n    then: {field: name, function: casing, functionOptions: {type: kebab}}\n"
        ),
        ["3:services[1].name error \"Bad_Name\" must be kebab case"]
    );
    assert_eq!(
        rule("    then: {field: tags, function: truthy}\n"),
        ["3:services[1].tags warning must be truthy"]
    );
    assert_eq!(
        rule("    then: {field: retries, function: undefined}\n    severity: hint\n"),
        ["5:services[1].retries note must be undefined"]
    );
    assert_eq!(
        rule("    then: {field: host, function: pattern, functionOptions: {match: '^a'}}\n"),
        ["7:services[2].host warning \"b.test\" must match \"^a\""]
    );
    assert_eq!(rule("    then: {field: tags, function: alphabetical}\n").len(), 1);
    assert_eq!(rule("    then: {function: xor, functionOptions: {properties: [retries, tags]}}\n"), [""; 0]);
    assert_eq!(
        rule(
            "    then: {field: '@key', function: enumeration, functionOptions: {values: [name, host, tags]}}\n"
        ),
        ["5:services[1].retries warning \"retries\" must be one of name, host, tags"]
    );
    assert_eq!(
        rule(
            "    then: {function: schema, functionOptions: {schema: {properties: {retries: {maximum: 2}}}}}\n"
        ),
        ["5:services[1].retries warning the value is greater than the maximum of 2"]
    );
}

#[test]
fn messages_are_templates() {
    assert_eq!(
        rule(
            "    description: names\n    message: '{{description}}: {{property}} of {{path}}: {{error}}'\n    then: {field: name, function: length, functionOptions: {max: 8}}\n"
        ),
        ["6:services[2].name warning names: name of services[2].name: must not be longer than 8"]
    );
}

#[test]
fn aliases_overrides_and_extended_files_work() {
    let base = "aliases: {Service: '$.services[*]'}\nrules:\n  r: {given: '#Service.name', then: {function: casing, functionOptions: {type: kebab}}}\n";
    let top = "extends: base.yml\nrules: {r: error}\noverrides:\n- {files: ['**/*.json'], rules: {r: off}}\n";
    let ruleset = read("x/top.yml", top, &|name| match name {
        "x/base.yml" => Ok(base.to_owned()),
        other => Err(format!("no {other}")),
    })
    .unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(ruleset.rules[0].level, Some(Level::Error));
    assert!(found(&format!("{base}overrides:\n- {{files: ['*.yml'], rules: {{r: off}}}}\n")).is_empty());
    assert_eq!(
        found(&format!("{base}overrides:\n- {{files: ['*.yml#/services/1'], rules: {{r: off}}}}\n")).len(),
        1
    );
}

#[test]
fn a_fault_of_a_ruleset_has_a_place() {
    let fault =
        |text: &str| read("r.yml", text, &|_| Err("none".to_owned())).expect_err("a fault").to_string();
    let text = "rules:\n  r:\n    given: $.x\n    then:\n      function: patern\n";
    assert!(
        fault(text).starts_with("r.yml:5:17: there is no function \"patern\"; did you mean pattern?"),
        "{}",
        fault(text)
    );
    assert!(fault("rules:\n  r:\n    given: $.[\n    then: {function: truthy}\n").starts_with("r.yml:3:12:"));
    assert!(fault("rulez: {}\n").contains("did you mean rules?"));
    assert!(fault("extends: spectral:oas\n").contains("not gateway files"));
}

#[test]
fn options_are_taken_as_the_linter_of_deck_takes_them() {
    let values = |options: &str| {
        rule(&format!("    then: {{field: retries, function: enumeration, functionOptions: {options}}}\n"))
    };
    assert_eq!(values("{values: '3, 4'}"), [""; 0]);
    assert_eq!(values("{values: [3]}"), [""; 0]);
    assert_eq!(values("{values: '4,5'}"), ["5:services[1].retries warning 3 must be one of 4, 5"]);
    let retries = |rest: &str| rule(&format!("    then: {{field: retries, {rest}}}\n")).len();
    assert_eq!(retries("function: pattern, functionOptions: {match: '^[1-3]$'}"), 0);
    assert_eq!(
        retries("function: pattern, functionOptions: {match: '^[4-9]$'}"),
        1,
        "numbers match as written"
    );
    assert_eq!(retries("function: length, functionOptions: {max: '2'}"), 1, "a number in quotes");
    assert_eq!(retries("function: blank"), 0);
    let xor = |names: &str| {
        rule(&format!("    then: {{function: xor, functionOptions: {{properties: {names}}}}}\n")).len()
    };
    assert_eq!(xor("'retries, tags'"), 0);
    assert_eq!(xor("'host, name'"), 2);
}

#[test]
fn casings_are_known_by_their_usual_names() {
    let casing = |options: &str| {
        rule(&format!("    then: {{field: name, function: casing, functionOptions: {options}}}\n")).len()
    };
    for kebab in ["{type: kebab}", "{type: kebab-case}", "{type: kebabCase}"] {
        assert_eq!(casing(kebab), 1, "{kebab}: good-name alone");
    }
    assert_eq!(casing("{type: pascal, separator: {char: _}}"), 1);
    assert_eq!(casing("{type: PascalCase, separator.char: _}"), 1, "decK's linter writes it flat");
    assert!(std::panic::catch_unwind(|| casing("{type: sponge}")).is_err());
}
