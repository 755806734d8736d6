//! No output shows a secret, whatever is wrong with the file and whatever form findings are printed in; and no output
//! hides what is none.

use std::path::Path;

use super::run;

const FORMATS: [&str; 6] = ["human", "json", "sarif", "github", "gitlab", "junit"];

/// Files that are wrong beside each of their secrets, which begin with `s3cret`; what begins with `visible` is none.
const BAD: &[(&str, &[u8])] = &[
    ("value.yml", b"_format_version: '3.0'\nconsumers:\n- username: visible\n  keyauth_credentials:\n  - key: %s3cret\n"),
    ("flow.yml", b"_format_version: '3.0'\nconsumers:\n- username: u\n  basicauth_credentials:\n  - {password: s3cret, username: \"visible\"\n"),
    ("quotes.yml", b"plugins:\n- name: visible\n  config: {redis: {password: 's3cret, ]', host: visible}\n"),
    ("block.yml", b"certificates:\n- cert: visible\n  key: |\n    s3cret\n    s3cret\n  tags: [visible\n"),
    ("lines.yml", b"consumers:\n- username: visible\n  basicauth_credentials:\n  - password: s3cret\n      s3cret\n    username: %\n"),
    ("misspelt.yml", b"consumers:\n- username: visible\n  hmacauth_credentials:\n  - secert: s3cret\n    username: @\n"),
    ("tab.yml", b"consumers:\n- username: visible\n  jwt_secrets:\n  - secret: s3cret\n\talgorithm: HS256\n"),
    ("bytes.yml", b"consumers:\n- username: visible\xff\n  jwt_secrets: [{secret: s3cret\xff}]\n"),
    ("comma.json", br#"{"consumers": [{"username": "visible", "jwt_secrets": [{"secret": "s3cret", "key": 1,,}]}]}"#),
    ("list.yml", b"- password: s3cret\n  name: visible\n"),
    ("typed.yml", b"_format_version: '3.0'\nplugins:\n- name: rate-limiting\n  config:\n    minute: visible\n    redis:\n    - password: s3cret\n"),
    ("unknown.yml", b"_format_version: '3.0'\nplugins:\n- name: no-such-plugin\n  config: {redis: {password: s3cret}, a: visible}\n"),
    ("twice.yml", b"_format_version: '3.0'\nconsumers:\n- username: visible\n  keyauth_credentials:\n  - key: s3cret-1\n    key: s3cret-2\n"),
    ("anchor.yml", b"_format_version: '3.0'\n_x: &pw s3cret\nplugins:\n- name: rate-limiting\n  config:\n    minute: visible\n    redis: {password: *pw}\n"),
    ("header.yml", b"_format_version: '3.0'\nplugins:\n- name: request-transformer\n  config:\n    add:\n      headerz: 1\n      headers: ['Authorization:Bearer s3cret', 'X-Foo:visible', \"x-api-key: s3cret\", Cookie:s3cret]\n"),
    ("url.yml", b"_format_version: '3.0'\nservices:\n- {name: s, url: 'http://visible:s3cret@h.test/', hots: 1}\n"),
    ("names.yml", b"_format_version: '3.0'\nplugins:\n- name: cors\n  config: {credentials: 'visible', max_age: visible}\n- name: key-auth\n  config: {hide_credentials: visible, key_names: visible}\n"),
];

#[test]
fn excerpts_show_no_secret_and_hide_nothing_else() {
    let place = tempfile::tempdir().unwrap();
    for (name, text) in BAD {
        let visible = String::from_utf8_lossy(text).matches("visible").count();
        std::fs::write(place.path().join(name), text).unwrap();
        for command in ["validate", "lint"] {
            for format in FORMATS {
                let ran = run(place.path(), &[command, "--format", format, name], b"");
                assert_ne!(ran.status, 2, "{name}\n{ran}");
                assert!(!ran.to_string().contains("s3cret"), "{command} {name} as {format}\n{ran}");
            }
        }
        // All of it is shown: each line is beside a finding, or the finding is about all.
        let ran = run(place.path(), &["validate", name], b"");
        let least = if *name == "names.yml" { visible } else { usize::from(name.ends_with(".json")) };
        assert!(ran.out.matches("visible").count() >= least, "{name}\n{ran}");
        let ran = run(place.path(), &["diff", name, name], b"");
        assert!(!ran.to_string().contains("s3cret"), "diff {name}\n{ran}");
    }
}

#[test]
fn a_swapped_certificate_and_key_are_one_finding_without_the_key() {
    let made = rcgen::generate_simple_self_signed(["swapped.test".to_owned()]).unwrap();
    let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let indented = |pem: &str| pem.trim().replace('\n', "\n    ");
    let text = format!(
        "_format_version: '3.0'\ncertificates:\n- key: |\n    {}\n  cert: |\n    {}\n",
        indented(&cert),
        indented(&key)
    );
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("kong.yml"), text).unwrap();
    let body = key.lines().nth(1).unwrap();
    for format in FORMATS {
        let ran = run(place.path(), &["validate", "--format", format, "kong.yml"], b"");
        assert!(!ran.to_string().contains(body), "{ran}");
        assert!(ran.out.contains("are swapped"), "{ran}");
    }
    let ran = run(place.path(), &["validate", "kong.yml"], b"");
    assert!(ran.err.contains("(1 error)"), "{ran}");
}

#[test]
fn differences_show_no_credential() {
    let file = |header: &str, user: &str| {
        format!(
            "_format_version: '3.0'\nservices:\n- name: s\n  host: {user}.test\n  routes:\n  - paths: [/]\n    headers: {{authorization: ['{header}']}}\nplugins:\n- name: request-transformer\n  config: {{add: {{headers: ['Authorization:{header}', 'X-Foo:visible-{user}']}}}}\n"
        )
    };
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("a.yml"), file("Bearer s3cret-1", "a")).unwrap();
    std::fs::write(place.path().join("b.yml"), file("Bearer s3cret-2", "b")).unwrap();
    for format in ["human", "json", "markdown"] {
        for more in [&[][..], &["--whole"], &["--impact"]] {
            let arguments = [&["diff", "a.yml", "b.yml", "--format", format], more].concat();
            let ran = run(place.path(), &arguments, b"");
            assert!(!ran.to_string().contains("s3cret"), "{ran}");
            assert!(ran.out.contains("visible-b"), "{ran}");
        }
    }
    std::fs::write(
        place.path().join("vault.yml"),
        "_format_version: '3.0'\nplugins:\n- name: rate-limiting\n  config: {minute: 1, redis: {host: h.test, username: '{vault://env/home}'}}\n",
    )
    .unwrap();
    std::fs::write(place.path().join("none.yml"), "_format_version: '3.0'\n").unwrap();
    let ran = run(place.path(), &["diff", "none.yml", "vault.yml", "--whole"], b"");
    assert!(ran.out.contains("{vault://env/home}"), "{ran}");
}

#[test]
fn findings_are_bounded_in_every_format_and_the_rest_is_counted() {
    let place = tempfile::tempdir().unwrap();
    let mut text = "_format_version: '3.0'\n".to_owned();
    (0..20_000).for_each(|i| text += &format!("unknown{i}: 1\n"));
    std::fs::write(place.path().join("kong.yml"), text).unwrap();
    let long = format!("{{\"_format_version\": \"3.0\", \"{}\": 1}}", "k".repeat(2_000_000));
    std::fs::write(place.path().join("long.json"), long).unwrap();
    for format in FORMATS {
        let ran = run(place.path(), &["validate", "--format", format, "kong.yml"], b"");
        assert_eq!(ran.status, 1);
        assert!(
            ran.out.contains("19800 more errors"),
            "{format}: {}",
            &ran.out[ran.out.len().saturating_sub(500)..]
        );
        assert!(ran.out.len() < 300_000, "{format}: {} bytes", ran.out.len());
        let ran = run(place.path(), &["validate", "--format", format, "long.json"], b"");
        assert!(ran.out.len() < 20_000, "{format}: {} bytes", ran.out.len());
    }
    let ran = run(place.path(), &["validate", "kong.yml"], b"");
    assert!(ran.err.contains("(20000 errors)"), "{}", ran.err);
}

#[test]
fn fixes_of_more_findings_than_are_listed_are_all_made() {
    let place = tempfile::tempdir().unwrap();
    let mut text = "_format_version: '3.0'\nservices:\n".to_owned();
    (0..2000).for_each(|i| text += &format!("- {{name: s{i}, url: 'https://h.test', tags: [a, a]}}\n"));
    let path = place.path().join("kong.yml");
    std::fs::write(&path, text).unwrap();
    run(place.path(), &["lint", "--fix", "--only", "duplicate-item", "kong.yml"], b"");
    assert!(!std::fs::read_to_string(&path).unwrap().contains("a, a"));
    assert!(Path::new(&path).exists());
}
