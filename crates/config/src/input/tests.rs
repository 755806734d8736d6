use super::*;
use source::Level;

fn options(kong_strict: bool) -> ReadOptions<'static> {
    ReadOptions {
        kong_strict,
        secrets: crate::catalog().secrets(),
        env: Env::Values(&|name| (name == "DECK_HOST").then(|| "h".to_owned())),
        limits: Limits::default(),
    }
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        std::fs::write(path, text).expect("written");
    }
    folder
}

fn open_paths(paths: &[PathBuf], kong_strict: bool) -> Result<Opened, ReadError> {
    open(&Input::Paths(paths.to_vec()), &options(kong_strict))
}

fn json(opened: &Opened) -> serde_json::Value {
    opened.document.to_json(opened.root.expect("a root"))
}

fn codes(opened: &Opened) -> Vec<&'static str> {
    opened.findings.iter().map(|f| f.code).collect()
}

#[test]
fn the_files_of_a_folder_are_read_in_order_at_every_depth() {
    let folder = folder(&[
        ("b.yml", "services: [{name: b, host: h}]\n"),
        ("a.yaml", "_format_version: '3.0'\nservices: [{name: a, host: h}]\n"),
        ("c/d.json", "{\"services\": [{\"name\": \"d\", \"host\": \"h\"}]}"),
        ("notes.txt", "not: read"),
        (".hidden.yml", "nor: this"),
        ("..data/x.yml", "nor: that"),
    ]);
    let opened = open_paths(&[folder.path().to_owned()], false).expect("reads");
    assert!(opened.findings.0.is_empty(), "{:?}", opened.findings);
    let names: Vec<_> =
        json(&opened)["services"].as_array().expect("a list").iter().map(|s| s["name"].clone()).collect();
    assert_eq!(names, ["a", "b", "d"]);
}

#[test]
fn a_linked_file_is_read_and_a_linked_folder_is_not() {
    let folder = folder(&[("..data/kong.yml", "_format_version: '3.0'\n"), ("real/a.yml", "services: []\n")]);
    std::os::unix::fs::symlink("..data/kong.yml", folder.path().join("kong.yml")).expect("a link");
    std::os::unix::fs::symlink("real", folder.path().join("again")).expect("a link");
    let opened = open_paths(&[folder.path().to_owned()], false).expect("reads");
    assert_eq!(opened.sources.iter().count(), 2);
}

#[test]
fn an_unreadable_file_reports_path_and_reason() {
    let folder = folder(&[("x.txt", "")]);
    let missing = folder.path().join("missing.yml");
    let error = open_paths(std::slice::from_ref(&missing), false).expect_err("missing");
    assert_eq!(error.path(), missing.display().to_string());
    assert!(error.reason().contains("no such file"), "{}", error.reason());
    let error = open_paths(&[folder.path().to_owned()], false).expect_err("empty");
    assert!(error.to_string().contains("holds no file"), "{error}");
    assert!(matches!(open_paths(&[], false), Err(ReadError::Nothing)));
}

#[test]
fn standard_input_is_read_once() {
    let mut sources = SourceMap::default();
    let mut findings = Findings::default();
    let mut read_from = |paths: &[&str]| {
        let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
        read(&paths, false, &mut &b"a: 1\n"[..], &mut sources, &mut findings).map(|files| files.len())
    };
    assert_eq!(read_from(&["-"]).expect("reads"), 1);
    assert!(matches!(read_from(&["-", "-"]), Err(ReadError::StdinTwice)));
}

#[test]
fn kong_accepts_one_file_of_a_known_type() {
    let text = "_format_version: '3.0'\nservices: [{name: s, host: '${{ env \"DECK_HOST\" }}'}]\n";
    let folder = folder(&[("kong.conf", text), ("a.yml", text)]);
    let strict = |names: &[&str]| {
        let paths: Vec<PathBuf> = names.iter().map(|n| folder.path().join(n)).collect();
        open_paths(&paths, true)
    };
    assert_eq!(codes(&strict(&["kong.conf"]).expect("reads")), [UNKNOWN_TYPE]);
    assert_eq!(codes(&strict(&["a.yml", "a.yml"]).expect("reads"))[0], UNKNOWN_TYPE);
    assert!(strict(&[""]).is_err(), "a folder");
    let one = strict(&["a.yml"]).expect("reads");
    assert_eq!(json(&one)["services"][0]["host"], "${{ env \"DECK_HOST\" }}");
    let loose = open_paths(&[folder.path().join("kong.conf")], false).expect("reads");
    assert!(loose.findings.0.is_empty());
    assert_eq!(json(&loose)["services"][0]["host"], "h");
}

#[test]
fn in_memory_text_is_json_or_yaml() {
    let text = |text: &str| Input::Text { name: "POST /config".to_owned(), text: text.as_bytes().to_vec() };
    let opened = open(&text("{\"_format_version\": \"3.0\"}"), &options(true)).expect("reads");
    assert_eq!(json(&opened)["_format_version"], "3.0");
    let opened = open(&text("_format_version: '1.1'\n"), &options(true)).expect("reads");
    assert_eq!(json(&opened)["_format_version"], "3.0");
    assert_eq!(codes(&opened), [version::OLD_FORMAT]);
    assert_eq!(open(&text("a: ["), &options(true)).expect("reads").root, None);
    let empty = open(&text(""), &options(false)).expect("reads");
    assert_eq!(json(&empty), serde_json::Value::Null);
}

#[test]
fn an_invalid_file_yields_no_document_but_all_findings() {
    let folder = folder(&[("a.yml", "a: [\n"), ("b.yml", "b: ]\n"), ("c.yml", "c: 1\n")]);
    let opened = open_paths(&[folder.path().to_owned()], false).expect("reads");
    assert_eq!(opened.root, None);
    assert_eq!(opened.findings.count(Level::Error), 2);
}

#[test]
fn pem_comes_from_a_file_from_itself_or_from_base64() {
    let text = "-----BEGIN X-----\nYQ==\n-----END X-----\n";
    let folder = folder(&[("x.pem", text)]);
    let path = folder.path().join("x.pem").display().to_string();
    use base64::Engine;
    let packed = base64::engine::general_purpose::STANDARD.encode(text);
    for source in [path.as_str(), text, packed.as_str()] {
        assert_eq!(pem(source).expect("reads"), text.as_bytes());
    }
    let error = pem("c2VjcmV0LXRleHQ=").expect_err("no pem").to_string();
    assert!(!error.contains("c2Vj"), "{error}");
    assert!(pem("/no/such/file").expect_err("missing").to_string().contains("/no/such/file"));
}
