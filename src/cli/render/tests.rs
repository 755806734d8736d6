//! Every format renders the same findings, as the programs that read it require.

use super::*;
use crate::source::{Edit, Finding, Level, SourceMap};

fn masks() -> &'static SecretFields {
    crate::catalog().expect("the schemas compile").secrets()
}

/// A file with an umlaut before the place, a second place, and a fix.
fn findings() -> (SourceMap, Findings) {
    let mut sources = SourceMap::default();
    let text = "a: ü\ntags: [x, 'x']\n";
    let file = sources.add("a dir/kong.yml", text);
    let at = |needle: &str| {
        let start = text.find(needle).expect("there") as u32;
        Span { file, start, end: start + needle.len() as u32 }
    };
    let mut findings = Findings::default();
    findings.push(Finding::error("config/unknown-field", "100% of\n<it>").at(at("ü"), "").path("a"));
    findings.push(
        Finding::new(Level::Note, "lint/duplicate-item", "\"x\" is listed twice")
            .at(at("'x'"), "")
            .at(at("x"), "first here")
            .help("take one out")
            .fix(vec![Edit::Remove { span: at("'x'") }]),
    );
    findings.push(Finding::warning("config/no-format-version", "no version"));
    (sources, findings)
}

fn shown(format: Format) -> String {
    let (sources, findings) = findings();
    render(
        Report {
            findings: &findings,
            sources: &sources,
            secrets: &[],
            masks: masks(),
            fails_from: Level::Error,
        },
        format,
        false,
    )
}

#[test]
fn sarif_has_what_its_schema_demands() {
    let sarif: serde_json::Value = serde_json::from_str(&shown(Format::Sarif)).expect("JSON");
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    assert_eq!(run["tool"]["driver"]["name"], "gatewayctl");
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    let results = run["results"].as_array().expect("results");
    assert_eq!(results.len(), 3);
    for result in results {
        let rule = &rules[result["ruleIndex"].as_u64().expect("an index") as usize];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(!rule["help"]["text"].as_str().expect("help").is_empty());
        assert!(["none", "note", "warning", "error"].contains(&result["level"].as_str().expect("a level")));
        assert!(!result["message"]["text"].as_str().expect("a message").is_empty());
        for location in result["locations"].as_array().into_iter().flatten() {
            let place = &location["physicalLocation"];
            assert_eq!(place["artifactLocation"]["uri"], "a%20dir/kong.yml");
            for field in ["startLine", "startColumn", "endLine", "endColumn"] {
                assert!(place["region"][field].as_u64().expect(field) >= 1);
            }
        }
    }
    let umlaut = &results[0]["locations"][0]["physicalLocation"]["region"];
    assert_eq!(
        (&umlaut["startColumn"], &umlaut["endColumn"]),
        (&4.into(), &5.into()),
        "columns are characters"
    );
    let change = &results[1]["fixes"][0]["artifactChanges"][0]["replacements"][0];
    assert_eq!(change["deletedRegion"]["startColumn"], 9, "the comma goes too");
    assert_eq!(change["insertedContent"]["text"], "");
    assert_eq!(results[1]["relatedLocations"][0]["message"]["text"], "first here");
}

#[test]
fn reports_omit_fixes_that_contain_a_secret() {
    let (sources, findings) = findings();
    let secret = findings.0[1].span().expect("a place");
    let text = render(
        Report {
            findings: &findings,
            sources: &sources,
            secrets: &[secret],
            masks: masks(),
            fails_from: Level::Error,
        },
        Format::Sarif,
        false,
    );
    assert!(!text.contains("\"fixes\""), "{text}");
}

#[test]
fn github_annotations_are_one_line_each() {
    let text = shown(Format::Github);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "::error file=a dir/kong.yml,line=1,endLine=1,col=4,endColumn=5,title=config/unknown-field::100%25 of%0A<it>"
    );
    assert!(lines[1].starts_with("::notice ") && lines[1].ends_with("%0Atake one out"), "{}", lines[1]);
    assert_eq!(lines[2], "::warning title=config/no-format-version::no version");
}

#[test]
fn gitlab_issues_have_a_place_and_a_fingerprint_of_their_own() {
    let issues: Vec<serde_json::Value> = serde_json::from_str(&shown(Format::Gitlab)).expect("a list");
    let prints: std::collections::BTreeSet<&str> =
        issues.iter().map(|i| i["fingerprint"].as_str().expect("a fingerprint")).collect();
    assert_eq!(prints.len(), 3);
    assert_eq!(issues[1]["location"]["lines"]["begin"], 2);
    assert_eq!(issues[1]["severity"], "info");
    assert_eq!(issues[2]["location"]["path"], "a dir/kong.yml");
}

/// The elements of a JUnit report, with the attributes that each may have in the schema of Jenkins.
const JUNIT: [(&str, &[&str]); 6] = [
    ("testsuites", &["name", "tests", "failures", "errors", "time"]),
    ("testsuite", &["name", "tests", "failures", "errors", "skipped", "time"]),
    ("testcase", &["classname", "name", "file", "line", "time"]),
    ("failure", &["type", "message"]),
    ("skipped", &["message"]),
    ("system-out", &[]),
];

#[test]
fn junit_has_the_elements_and_attributes_of_its_schema() {
    let (sources, findings) = findings();
    let tags = regex::Regex::new("<([a-z-]+)([^>]*)>").expect("a pattern");
    let attribute = regex::Regex::new("([a-z]+)=\"[^\"]*\"").expect("a pattern");
    for fails_from in [Level::Note, Level::Warning, Level::Error] {
        let report =
            Report { findings: &findings, sources: &sources, secrets: &[], masks: masks(), fails_from };
        let text = render(report, Format::Junit, false);
        for tag in tags.captures_iter(&text) {
            let (_, known) = JUNIT.iter().find(|(name, _)| *name == &tag[1]).expect(&tag[0]);
            for name in attribute.captures_iter(&tag[2]) {
                assert!(known.contains(&&name[1]), "{}", &tag[0]);
            }
        }
    }
}

#[test]
fn junit_fails_what_fails_the_run() {
    let (sources, findings) = findings();
    for (fails_from, failures) in [(Level::Error, 1), (Level::Warning, 2), (Level::Note, 3)] {
        let report =
            Report { findings: &findings, sources: &sources, secrets: &[], masks: masks(), fails_from };
        let text = render(report, Format::Junit, false);
        let head =
            format!("<testsuites name=\"gatewayctl\" tests=\"3\" failures=\"{failures}\" errors=\"0\"");
        assert!(text.contains(&head), "{text}");
        assert_eq!(text.matches("<failure").count(), failures, "{text}");
        assert_eq!(text.matches("<system-out").count(), 3 - failures, "{text}");
    }
}

#[test]
fn junit_escapes_and_shows_a_clean_file() {
    let text = shown(Format::Junit);
    assert!(text.contains("message=\"100% of&#10;&lt;it&gt;\""), "{text}");
    assert_eq!(text.matches("<testcase").count(), text.matches("</testcase>").count());
    let sources = findings().0;
    let none = Findings::default();
    let report =
        Report { findings: &none, sources: &sources, secrets: &[], masks: masks(), fails_from: Level::Error };
    let clean = render(report, Format::Junit, false);
    assert!(clean.contains("name=\"no findings\" time=\"0.000\"/>"), "{clean}");
}
