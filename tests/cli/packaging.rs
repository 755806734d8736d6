//! What packages, images and a first `make` are made of: that the files are there, and the scripts do what they say.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use regex::Regex;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// What the first group of a pattern matches in a file.
fn found(path: &str, pattern: &str) -> Vec<String> {
    Regex::new(pattern).unwrap().captures_iter(&text(path)).map(|found| found[1].to_owned()).collect()
}

#[test]
fn toolchain_manifest_and_image_name_one_version_of_rust() {
    let toolchain = found("rust-toolchain.toml", r#"channel = "(.+)""#).remove(0);
    assert_eq!(found("Dockerfile", r"(?m)^ARG RUST=(.+)$"), [toolchain.as_str()]);
    let minimum = found("Cargo.toml", r#"rust-version = "(.+)""#).remove(0);
    assert!(toolchain == minimum || toolchain.starts_with(&format!("{minimum}.")), "{minimum}");
}

#[test]
fn the_changelog_of_the_debian_package_is_of_this_version() {
    let newest = text("packaging/changelog");
    let version = format!("gatewayctl ({}-1) ", env!("CARGO_PKG_VERSION"));
    assert!(newest.starts_with(&version), "{newest}");
}

#[test]
fn both_packages_hold_the_same_files_and_each_is_there() {
    let folder = |path: &str| path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
    let deb = found("Cargo.toml", r#"(?m)^    \["([^"]+)", "[^"]+", "\d+"\],$"#);
    let rpm = found("Cargo.toml", r#"(?m)^    \{ source = "([^"]+)", "#);
    assert!(deb.len() > 9 && rpm.len() > 9, "{deb:?} {rpm:?}");
    for source in deb.iter().chain(&rpm).filter(|source| !source.starts_with("target/")) {
        let there = match source.strip_suffix("*.1") {
            Some(pages) => fs::read_dir(root().join(pages)).unwrap().count() > 0,
            None => root().join(source).is_file(),
        };
        assert!(there, "{source}");
    }
    // Licence and readme have their place in one format each.
    let installed = |sources: &[String]| {
        let mut sources = sources.to_vec();
        sources.retain(|source| !folder(source).is_empty());
        sources.sort();
        sources
    };
    assert_eq!(installed(&deb), installed(&rpm));
    for script in found("Cargo.toml", r#"_script = "([^"]+)""#) {
        assert!(root().join(&script).is_file(), "{script}");
    }
}

/// `bash -e`, which runs each step, goes on after a command that is negated, whatever it returns.
#[test]
fn no_step_of_a_workflow_relies_on_a_negated_command() {
    for workflow in ["ci.yml", "release.yml"] {
        let negated = found(&format!(".github/workflows/{workflow}"), r"(?m)^\s+(?:- run: )?(! .*)$");
        assert!(negated.is_empty(), "{workflow}: {negated:?}");
    }
}

/// A folder with programs of which nothing but these is found: the machine's own, and stand-ins.
#[cfg(unix)]
struct Programs(tempfile::TempDir);

#[cfg(unix)]
impl Programs {
    fn new(names: &[&str]) -> Self {
        let programs = Programs(tempfile::tempdir().unwrap());
        for name in names {
            let path = std::env::split_paths(env!("PATH")).map(|folder| folder.join(name));
            let path = path.into_iter().find(|path| path.exists()).unwrap_or_else(|| panic!("{name}"));
            std::os::unix::fs::symlink(path, programs.at(name)).unwrap();
        }
        programs
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Adds one that runs these lines.
    fn add(&self, name: &str, lines: &str) -> &Self {
        use std::os::unix::fs::PermissionsExt;
        fs::write(self.at(name), format!("#!/bin/sh\n{lines}\n")).unwrap();
        fs::set_permissions(self.at(name), fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    fn run(&self, shell: &str, script: &str, arguments: &[&str]) -> Output {
        let mut run = Command::new(self.at(shell));
        run.arg(root().join(script)).args(arguments).env_clear();
        run.env("PATH", self.0.path()).env("HOME", self.0.path()).output().unwrap()
    }
}

#[cfg(unix)]
#[test]
fn setup_says_what_is_missing_where_it_can_install_nothing() {
    let said = |programs: &Programs, arguments: &[&str]| {
        let ran = programs.run("bash", "scripts/setup.sh", arguments);
        assert_eq!(ran.status.code(), Some(2));
        String::from_utf8(ran.stderr).unwrap()
    };
    let programs = Programs::new(&["bash", "dirname", "env", "head", "sed", "sort"]);
    programs.add("id", "echo 1000");
    assert!(said(&programs, &[]).starts_with("setup: a C compiler (cc, "));
    // A package manager without the right to use it, and one that fails.
    programs.add("apt-get", "exit 100");
    let refused = said(&programs, &[]);
    assert!(refused.starts_with("setup: apt-get needs root, and there is no sudo\nsetup: a C "), "{refused}");
    programs.add("id", "echo 0");
    assert!(said(&programs, &[]).starts_with("setup: a C compiler (cc, "));
    programs.add("cc", "");
    assert!(said(&programs, &["jq"]).starts_with("setup: jq is missing"));
    assert!(said(&programs, &[]).starts_with("setup: Rust 1."));
    programs.add("cargo", "").add("rustc", "echo 'rustc 1.63.0 (4b91a6ea7 2022-08-08)'");
    assert!(said(&programs, &[]).contains("this is 1.63.0"));
    programs.add("rustc", "echo 'rustc 1.1000.0 (4b91a6ea7 2032-08-08)'").add("jq", "");
    assert!(programs.run("bash", "scripts/setup.sh", &["jq"]).status.success());
}

#[cfg(unix)]
#[test]
fn an_archive_has_the_program_in_a_folder_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    // Any file will do: the program of a test is large.
    let program = root().join("Cargo.toml");
    let mut archive = Command::new(root().join("scripts/archive.sh"));
    archive.current_dir(root());
    let ran = archive.arg(program).arg("x86_64-unknown-linux-musl").arg(folder.path()).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let name = "gatewayctl-x86_64-unknown-linux-musl";
    let list = Command::new("tar").arg("-tzf").arg(folder.path().join(format!("{name}.tar.gz"))).output();
    let list = String::from_utf8(list.unwrap().stdout).unwrap();
    for file in ["gatewayctl", "LICENSE", "man/gatewayctl.1", "completions/gatewayctl.bash"] {
        assert!(list.lines().any(|line| line == format!("{name}/{file}")), "{file}: {list}");
    }
}

/// Neither a configuration that the administrator has removed nor a unit that cannot be stopped may leave a package
/// half installed.
#[cfg(unix)]
#[test]
fn the_scripts_of_the_packages_end_well_without_the_file_and_with_a_stubborn_unit() {
    let programs = Programs::new(&["sh"]);
    programs.add("systemd-sysusers", "").add("systemctl", "[ \"$1\" = daemon-reload ]");
    // Fails for the file that is not there.
    programs.add("chown", "[ -e \"$2\" ]");
    fs::create_dir(programs.at("systemd")).unwrap();
    for (script, arguments) in [
        ("deb/postinst", &["configure", ""][..]),
        ("deb/postinst", &["configure", "0.0.1"]),
        ("deb/prerm", &["remove"]),
        ("deb/prerm", &["upgrade", "0.0.2"]),
        ("deb/postrm", &["remove"]),
        ("deb/postrm", &["purge"]),
        ("rpm/post-install.sh", &["2"]),
        ("rpm/pre-uninstall.sh", &["0"]),
        ("rpm/pre-uninstall.sh", &["1"]),
    ] {
        // As on a machine that runs systemd, whatever this one does.
        let script = format!("packaging/{script}");
        let lines = text(&script)
            .replace("/run/systemd/system", &programs.at("systemd").display().to_string())
            .replace("/etc/gatewayctl", &programs.at("absent").display().to_string());
        programs.add("script", &lines);
        let ran = programs.run("sh", &programs.at("script").display().to_string(), arguments);
        assert!(ran.status.success(), "{script} {arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    }
}

#[test]
fn the_chart_gives_settings_as_they_were_written() {
    let values = r#"settings={"a":1000000,"b":0.5,"c":false,"d":true,"e":"off","f":-1}"#;
    let chart = root().join("packaging/helm/gatewayctl");
    let mut template = Command::new("helm");
    template.args(["template", "gateway"]).arg(chart).args(["--set-json", values]);
    // Not every machine has helm; those of CI do.
    let Ok(rendered) = template.output() else { return };
    assert!(rendered.status.success(), "{}", String::from_utf8_lossy(&rendered.stderr));
    let rendered = String::from_utf8(rendered.stdout).unwrap();
    for (name, value) in
        [("A", "1000000"), ("B", "0.5"), ("C", "off"), ("D", "on"), ("E", "off"), ("F", "-1")]
    {
        let setting = Regex::new(&format!(r#"name: KONG_{name}\n\s+value: "{value}"\n"#)).unwrap();
        assert!(setting.is_match(&rendered), "{name}: {rendered}");
    }
}
