//! What plugs the program into other tools: the GitHub Action's scripts, the hooks for pre-commit, units and charts.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use fancy_regex::Regex;
use gatewayctl::source::{Document, Findings, Format, Limits, SourceMap, Span, parse};
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn yaml(path: &Path) -> Value {
    let (mut sources, mut findings) = (SourceMap::default(), Findings::default());
    let file = sources.add(path.display().to_string(), fs::read_to_string(path).unwrap());
    let mut doc = Document::new(Span::start_of(file));
    let read = parse(&sources, file, Format::Yaml, &mut doc, &Limits::default(), &mut findings);
    assert!(findings.iter().next().is_none(), "{}: {findings:?}", path.display());
    doc.to_json(read.unwrap())
}

#[test]
fn hooks_take_gateway_files_alone() {
    let hooks = yaml(&root().join(".pre-commit-hooks.yaml"));
    let is_taken = |hook: &Value, path: &str| {
        let matches = |key: &str| Regex::new(hook[key].as_str().unwrap()).unwrap().is_match(path).unwrap();
        matches("files") && !matches("exclude")
    };
    for hook in hooks.as_array().unwrap() {
        for path in ["kong.yml", "a/kong.yaml", "kong.json", "b/kong.prod.yml", "kong.eu-west_1.yaml"] {
            assert!(is_taken(hook, path), "{path}");
        }
        for path in [
            "kong-values.yaml",
            "kong.values.yaml",
            "values.yaml",
            "schemas/kong.schema.json",
            "kong.schema.json",
            "kong-ingress.yaml",
            "charts/kong/kong.yml",
            "chart/templates/kong.yaml",
            "kong.yml.orig",
            "hongkong.yml",
        ] {
            assert!(!is_taken(hook, path), "{path}");
        }
    }
}

#[test]
fn manifests_and_units_are_well_formed() {
    let base = root().join("packaging/kustomize/base");
    let kustomization = yaml(&base.join("kustomization.yaml"));
    for resource in kustomization["resources"].as_array().unwrap() {
        let manifest = yaml(&base.join(resource.as_str().unwrap()));
        let selector = &manifest["spec"]["selector"];
        let labels = selector.get("matchLabels").unwrap_or(selector);
        assert_eq!(labels["app.kubernetes.io/name"], "gatewayctl", "{resource}");
    }
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(kustomization["images"][0]["newTag"], version);
    let chart = root().join("packaging/helm/gatewayctl");
    assert_eq!(yaml(&chart.join("Chart.yaml"))["appVersion"], version);
    yaml(&chart.join("values.yaml"));
    for workflow in fs::read_dir(root().join(".github/workflows")).unwrap() {
        yaml(&workflow.unwrap().path());
    }
}

#[test]
fn the_inputs_of_the_action_are_documented_and_used() {
    let text = fs::read_to_string(root().join("action.yml")).unwrap();
    let docs = fs::read_to_string(root().join("docs/ci.md")).unwrap();
    for input in yaml(&root().join("action.yml"))["inputs"].as_object().unwrap().keys() {
        assert!(docs.contains(&format!("`{input}`")), "docs/ci.md: {input}");
        assert!(text.contains(&format!("inputs.{input} ")), "action.yml: {input}");
    }
}

#[test]
fn the_configuration_of_the_packages_validates() {
    for file in ["packaging/etc/kong.yml", "packaging/kustomize/base/kong.yml"] {
        let run =
            Command::new(env!("CARGO_BIN_EXE_gatewayctl")).arg("validate").arg(root().join(file)).output();
        assert!(run.unwrap().status.success(), "{file}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn systemd_takes_the_units() {
    let Ok(version) = Command::new("systemd-analyze").arg("--version").output() else { return };
    assert!(version.status.success());
    let folder = tempfile::tempdir().unwrap();
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no"]);
    for unit in ["gatewayctl.service", "gatewayctl.socket"] {
        let text = fs::read_to_string(root().join("packaging/systemd").join(unit)).unwrap();
        // The program is not installed here.
        let text = text.replace("/usr/bin/gatewayctl", env!("CARGO_BIN_EXE_gatewayctl"));
        fs::write(folder.path().join(unit), text).unwrap();
        verify.arg(folder.path().join(unit));
    }
    let verified = verify.output().unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}

/// A repository with a base and a change, and a `gh` that writes down how it was called.
#[cfg(unix)]
struct Pull {
    folder: tempfile::TempDir,
    base: String,
}

#[cfg(unix)]
impl Pull {
    fn new(before: &[(&str, &str)], after: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pull = Pull { folder, base: String::new() };
        fs::create_dir_all(pull.at("bin")).unwrap();
        fs::create_dir_all(pull.at("work")).unwrap();
        pull.shell("git init -q . && git config user.name a && git config user.email a@localhost");
        pull.write(before);
        pull.shell("git add -A && git commit -qm base --allow-empty && git clone -q --bare . ../origin");
        pull.shell(
            "git remote add origin ../origin && git -C ../origin config uploadpack.allowAnySHA1InWant true",
        );
        let base = pull.shell("git rev-parse HEAD");
        pull.shell("git rm -rq --ignore-unmatch .");
        pull.write(after);
        pull.shell("git add -A && git commit -qm change --allow-empty");
        let base = String::from_utf8(base.stdout).unwrap().trim().to_owned();
        Pull { base, ..pull }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = self.at("work").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    fn shell(&self, command: &str) -> Output {
        let ran = Command::new("sh").args(["-ec", command]).current_dir(self.at("work")).output().unwrap();
        assert!(ran.status.success(), "{command}: {}", String::from_utf8_lossy(&ran.stderr));
        ran
    }

    /// Runs a script of the action. The comments that the service has are of this form; a comment that is written goes
    /// to the file `comment`, how to `call`.
    fn run(&self, script: &str, files: &str, comments: &str, more: &[(&str, &str)]) -> Output {
        use std::os::unix::fs::PermissionsExt;
        let gh = "#!/usr/bin/env bash\n\
            if [ \"$2\" = graphql ]; then for jq; do :; done; jq -r \"$jq\" \"$COMMENTS\"; exit; fi\n\
            echo \"$*\" > \"$CALL\"; for body; do :; done; cp \"${body#body=@}\" \"$COMMENT\"\n";
        fs::write(self.at("bin/gh"), gh).unwrap();
        fs::set_permissions(self.at("bin/gh"), fs::Permissions::from_mode(0o755)).unwrap();
        let binary = Path::new(env!("CARGO_BIN_EXE_gatewayctl")).parent().unwrap();
        let path = format!("{}:{}:{}", self.at("bin").display(), binary.display(), env!("PATH"));
        fs::write(self.at("comments"), comments).unwrap();
        let mut environment = BTreeMap::from([
            ("PATH", path),
            ("FILES", files.to_owned()),
            ("BASE", self.base.clone()),
            ("NUMBER", "7".to_owned()),
            ("REPOSITORY", "an/owner".to_owned()),
        ]);
        for name in ["STRICT", "KONG_STRICT"] {
            environment.insert(name, "false".to_owned());
        }
        environment.insert("LINT", "true".to_owned());
        environment.insert("RULESET", String::new());
        environment.insert("SARIF", String::new());
        for (name, value) in more {
            environment.insert(name, (*value).to_owned());
        }
        for (name, file) in [
            ("GITHUB_OUTPUT", "output"),
            ("GITHUB_STEP_SUMMARY", "summary"),
            ("COMMENTS", "comments"),
            ("COMMENT", "comment"),
            ("CALL", "call"),
        ] {
            environment.insert(name, self.at(file).display().to_string());
        }
        Command::new("bash")
            .arg(root().join("scripts/action").join(script))
            .current_dir(self.at("work"))
            .envs(environment)
            .output()
            .unwrap()
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap_or_default()
    }
}

#[cfg(unix)]
const NO_COMMENTS: &str = r#"{"data":{"repository":{"pullRequest":{"comments":{"nodes":[]}}}}}"#;

/// A configuration with a route at that path. It has a warning: no format version.
#[cfg(unix)]
fn route(path: &str) -> String {
    format!("services:\n- name: s\n  url: http://s.internal\n  routes:\n  - name: r\n    paths: [{path}]\n")
}

#[cfg(unix)]
#[test]
fn the_action_comments_on_each_file_that_a_pattern_matches() {
    let (old, new) = (route("/old"), route("/new"));
    let before =
        [("a/kong.yml", &*old), ("b/c/kong.yml", &old), ("same/kong.yml", &old), ("gone/kong.yml", &old)];
    let after =
        [("a/kong.yml", &*new), ("b/c/kong.yml", &new), ("same/kong.yml", &old), ("d/kong.yml", &new)];
    let pull = Pull::new(&before, &after);
    let ran = pull.run("impact.sh", "**/kong.yml", NO_COMMENTS, &[]);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let comment = pull.text("comment");
    assert!(comment.starts_with("<!-- gatewayctl impact: "), "{comment}");
    for file in ["a/kong.yml", "b/c/kong.yml", "d/kong.yml", "gone/kong.yml"] {
        assert_eq!(comment.matches(&format!("\n## `{file}`\n")).count(), 1, "{comment}");
    }
    assert!(!comment.contains("same/kong.yml"), "{comment}");
    assert!(comment.contains("/old"), "the warnings hide nothing: {comment}");
    assert_eq!(pull.text("output"), "differs=true\n");
    assert!(pull.text("call").starts_with("api --silent -X POST repos/an/owner/issues/7/comments "));
}

#[cfg(unix)]
#[test]
fn the_action_updates_its_own_comment_and_never_another_one() {
    let (old, new) = (route("/old"), route("/new"));
    let pull = Pull::new(&[("kong.yml", &old)], &[("kong.yml", &new)]);
    pull.run("impact.sh", "kong.yml", NO_COMMENTS, &[]);
    let marker = pull.text("comment").lines().next().unwrap().to_owned();
    let comments = |nodes: Value| {
        serde_json::json!({"data": {"repository": {"pullRequest": {"comments": {"nodes": nodes}}}}})
            .to_string()
    };
    let others = [
        serde_json::json!({"databaseId": 1, "viewerDidAuthor": false, "body": format!("{marker}\nquoted")}),
        serde_json::json!({"databaseId": 2, "viewerDidAuthor": true, "body": "a comment of another action"}),
        serde_json::json!({"databaseId": 3, "viewerDidAuthor": true, "body": format!("> {marker}")}),
    ];
    pull.run("impact.sh", "kong.yml", &comments(others.to_vec().into()), &[]);
    assert!(pull.text("call").contains("-X POST "), "{}", pull.text("call"));
    let own = serde_json::json!({"databaseId": 4, "viewerDidAuthor": true, "body": format!("{marker}\nold")});
    let all: Vec<Value> = others.into_iter().chain([own]).collect();
    pull.run("impact.sh", "kong.yml", &comments(all.clone().into()), &[]);
    assert!(
        pull.text("call").contains("-X PATCH repos/an/owner/issues/comments/4 "),
        "{}",
        pull.text("call")
    );

    pull.write(&[("kong.yml", &old)]);
    pull.run("impact.sh", "kong.yml", &comments(all.into()), &[]);
    assert!(
        pull.text("comment").ends_with("The change does nothing to traffic.\n"),
        "{}",
        pull.text("comment")
    );
    fs::remove_file(pull.at("call")).unwrap();
    pull.run("impact.sh", "kong.yml", NO_COMMENTS, &[]);
    assert_eq!(pull.text("call"), "", "no comment where there is nothing to say");
}

#[cfg(unix)]
#[test]
fn the_action_annotates_each_finding_once_and_fails_as_it_is_asked_to() {
    let text = route("/a");
    let pull = Pull::new(&[], &[("a/kong.yml", &*text), ("b/kong.yml", &text)]);
    let sarif = pull.at("out.sarif").display().to_string();
    let ran = pull.run("check.sh", "a/kong.yml\n  b/*.yml", NO_COMMENTS, &[("SARIF", &sarif)]);
    let out = String::from_utf8(ran.stdout).unwrap();
    assert!(ran.status.success(), "{out}");
    for file in ["a/kong.yml", "b/kong.yml"] {
        let found = format!("::warning file={file},");
        assert_eq!(
            out.lines().filter(|l| l.starts_with(&found) && l.contains("format-version")).count(),
            1,
            "{out}"
        );
    }
    let sarif: Value = serde_json::from_str(&pull.text("out.sarif")).unwrap();
    assert_eq!(sarif["runs"].as_array().map(Vec::len), Some(1));
    assert!(sarif["runs"][0]["results"].as_array().unwrap().len() >= 2, "{sarif}");
    let strict = pull.run("check.sh", "*/kong.yml", NO_COMMENTS, &[("STRICT", "true")]);
    assert_eq!(strict.status.code(), Some(1));
    let absent = pull.run("check.sh", "none/*.yml", NO_COMMENTS, &[]);
    assert_eq!(absent.status.code(), Some(2), "a pattern that matches nothing is a mistake");
}
