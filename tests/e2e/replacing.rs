//! The ways in which tools replace files: after each the running program serves the new file, and only that.
#![cfg(unix)]

use std::{
    fs,
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    process::{Process, config},
    reload::version,
    rig::*,
};

/// A folder with configurations, and the program that serves one of them.
struct Site {
    upstream: Upstream,
    folder: tempfile::TempDir,
    process: Option<Process>,
    version: u32,
}

impl Site {
    async fn new() -> Site {
        let upstream = Upstream::echo().await;
        Site { upstream, folder: tempfile::tempdir().unwrap(), process: None, version: 0 }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The next version's text.
    fn next(&mut self) -> String {
        self.version += 1;
        config(self.upstream.address, self.version)
    }

    /// Writes the next version into a new file, with the folders around it.
    fn write(&mut self, name: &str) {
        let (path, text) = (self.at(name), self.next());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    async fn serve(&mut self, name: &str) {
        let process = Process::serve(&self.at(name), &[]).await;
        self.process = Some(process);
        self.serves("at the start").await;
    }

    /// Runs a shell command in the folder.
    fn run(&self, command: &str) {
        let shell =
            Command::new("sh").args(["-ec", command]).current_dir(self.folder.path()).output().unwrap();
        assert!(shell.status.success(), "{command}: {}", String::from_utf8_lossy(&shell.stderr));
    }

    /// Points a link elsewhere in one step.
    fn flip(&self, target: &str, link: &str) {
        symlink(target, self.at("next")).unwrap();
        fs::rename(self.at("next"), self.at(link)).unwrap();
    }

    /// Waits until the program has loaded, which must not fail, and asks for the version it serves.
    async fn reloads(&mut self, how: &str) {
        let process = self.process.as_mut().unwrap();
        let line = process.says_one_of(&["reloaded in", "what ran before goes on"]).await;
        assert!(line.contains("reloaded in"), "{how}: {line}");
        self.serves(how).await;
    }

    async fn serves(&mut self, how: &str) {
        assert_eq!(version(self.process.as_ref().unwrap()).await, self.version, "{how}");
    }
}

/// The versions differ in one digit, so that a tool can edit one into the next.
fn edit(version: u32) -> String {
    format!("s,/v{},/v{},", version - 1, version)
}

#[tokio::test(flavor = "multi_thread")]
async fn editors_and_copying_tools() {
    let mut site = Site::new().await;
    site.write("kong.yml");
    site.serve("kong.yml").await;

    let text = site.next();
    fs::rename(site.at("kong.yml"), site.at("kong.yml~")).unwrap();
    fs::write(site.at("kong.yml"), text).unwrap();
    fs::remove_file(site.at("kong.yml~")).unwrap();
    site.reloads("vim: the old file is renamed, a new one is written").await;

    let text = site.next();
    symlink("user@host.1:1", site.at(".#kong.yml")).unwrap();
    fs::write(site.at("#kong.yml#"), "half").unwrap();
    fs::copy(site.at("kong.yml"), site.at("kong.yml~")).unwrap();
    fs::write(site.at("kong.yml"), text).unwrap();
    fs::remove_file(site.at(".#kong.yml")).unwrap();
    site.reloads("emacs: a lock, a backup, and a write in place").await;

    site.version += 1;
    site.run(&format!("sed -i.bak '{}' kong.yml", edit(site.version)));
    site.reloads("sed -i").await;

    site.write("copy");
    site.run("cp copy kong.yml");
    site.reloads("cp over the file").await;

    let text = site.next();
    fs::write(site.at(".kong.yml.a1b2c3"), text).unwrap();
    fs::rename(site.at(".kong.yml.a1b2c3"), site.at("kong.yml")).unwrap();
    site.reloads("rsync: a hidden file is renamed into place").await;

    let text = site.next();
    fs::remove_file(site.at("kong.yml")).unwrap();
    fs::write(site.at("kong.yml"), text).unwrap();
    site.reloads("tar: the file is removed and made again").await;

    site.write("other");
    site.run("ln -f other kong.yml");
    site.reloads("a hard link over the file").await;

    let text = site.next();
    fs::create_dir(site.at("elsewhere")).unwrap();
    site.run("ln other elsewhere/other");
    fs::write(site.at("elsewhere/other"), text).unwrap();
    site.reloads("a write through the hard link").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_is_written_in_two_halves_is_never_served_by_half() {
    let mut site = Site::new().await;
    site.write("kong.yml");
    site.serve("kong.yml").await;
    for turn in 0..20 {
        // Each half alone is a configuration that would be served.
        let half = config(site.upstream.address, 1000 + turn);
        let text = site.next();
        let mut writer = fs::File::create(site.at("kong.yml")).unwrap();
        writer.write_all(half.as_bytes()).unwrap();
        assert!(version(site.process.as_ref().unwrap()).await < 1000);
        writer.set_len(0).unwrap();
        std::io::Seek::rewind(&mut writer).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
        drop(writer);
        site.reloads("closed").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn links_and_folders_on_the_way_to_the_file() {
    let mut site = Site::new().await;
    site.write("releases/1/conf/kong.yml");
    symlink("releases/1", site.at("current")).unwrap();
    site.serve("current/conf/kong.yml").await;
    for turn in 2..4 {
        site.write(&format!("releases/{turn}/conf/kong.yml"));
        site.flip(&format!("releases/{turn}"), "current");
        site.reloads("a link in the middle of the path is flipped").await;
        site.write(&format!("new{turn}/kong.yml"));
        site.run(&format!("mv current/conf old{turn}; mv new{turn} current/conf"));
        site.reloads("a folder is replaced").await;
        site.write("current/conf/kong.yml");
        site.reloads("a write in the folder that is there now").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_map_as_kubernetes_mounts_and_flips_it() {
    for served in ["etc/kong.yml", "etc"] {
        let mut site = Site::new().await;
        site.write("etc/..2026_01/kong.yml");
        symlink("..2026_01", site.at("etc/..data")).unwrap();
        symlink("..data/kong.yml", site.at("etc/kong.yml")).unwrap();
        site.serve(served).await;
        for turn in 2..4 {
            site.write(&format!("etc/..2026_0{turn}/kong.yml"));
            site.flip(&format!("..2026_0{turn}"), "etc/..data");
            fs::remove_dir_all(site.at(&format!("etc/..2026_0{}", turn - 1))).unwrap();
            site.reloads(served).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn git_switches_and_git_sync_flips_its_worktrees() {
    const GIT: &str = "git -c user.name=a -c user.email=a@localhost";
    let mut site = Site::new().await;
    site.write("repo/gateway/kong.yml");
    site.run(&format!("cd repo; git init -q; git add .; {GIT} commit -qm one; git branch one"));
    site.write("repo/gateway/kong.yml");
    site.run(&format!("cd repo; {GIT} commit -qam two"));
    site.run("git -C repo checkout -q one");
    site.version = 1;
    site.serve("repo/gateway/kong.yml").await;
    site.run("git -C repo checkout -q -");
    site.version = 2;
    site.reloads("git checkout").await;

    // git-sync makes a worktree for each commit and renames a link over the former one.
    site.run(
        "git -C repo worktree add -q --detach ../root/.worktrees/1 one; ln -s .worktrees/1 root/current",
    );
    site.version = 1;
    site.process = None;
    site.serve("root/current/gateway").await;
    site.run("git -C repo worktree add -q --detach ../root/.worktrees/2 HEAD");
    site.flip(".worktrees/2", "root/current");
    fs::remove_dir_all(site.at("root/.worktrees/1")).unwrap();
    site.version = 2;
    site.reloads("git-sync").await;
}

/// A route at that path, to an upstream that answers with the version.
fn part(upstream: SocketAddr, name: &str, version: u32) -> String {
    format!(
        "_format_version: \"3.0\"\nservices:\n- name: {name}\n  url: http://{upstream}/v{version}\n  \
         routes:\n  - name: {name}\n    paths: [/{name}]\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_files_with_subfolders() {
    let mut site = Site::new().await;
    let (upstream, root) = (site.upstream.address, site.at("conf"));
    let write = |name: &str, text: String| {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("teams/a/kong.yml", part(upstream, "a", 1));
    site.write("conf/x/y/kong.yml");
    site.serve("conf").await;
    site.write("conf/x/y/kong.yml");
    site.reloads("a write two folders down").await;
    write("teams/b/kong.yml", part(upstream, "b", 1));
    site.reloads("a folder that was not there").await;
    write("teams/b/deep/kong.yml", part(upstream, "c", 1));
    site.reloads("a folder in that one").await;
    site.write("conf/x/y/kong.yml");
    site.run("mv conf conf.old; mkdir conf; cp -r conf.old/x conf/x");
    site.reloads("the whole folder is made again").await;
    assert!(!Path::new(&site.at("conf/teams")).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_goes_away_is_reported_once_and_what_ran_goes_on() {
    let mut site = Site::new().await;
    site.write("kong.yml");
    site.serve("kong.yml").await;
    fs::rename(site.at("kong.yml"), site.at("away")).unwrap();
    let process = site.process.as_mut().unwrap();
    process.says("kong.yml: no such file or folder; what ran before goes on").await;
    fs::write(site.at("unrelated.yml"), "x").unwrap();
    fs::rename(site.at("unrelated.yml"), site.at("kong.yml.tmp")).unwrap();
    site.serves("the last good configuration stays").await;
    site.write("kong.yml");
    site.reloads("the next line is of the file that came back").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_wrong_is_reported_once_however_often_it_is_written() {
    let mut site = Site::new().await;
    site.write("kong.yml");
    site.serve("kong.yml").await;
    fs::write(site.at("kong.yml"), "services: [").unwrap();
    site.process.as_mut().unwrap().says("what ran before goes on").await;
    fs::write(site.at("part"), "services: [").unwrap();
    fs::rename(site.at("part"), site.at("kong.yml")).unwrap();
    site.serves("the last good configuration stays").await;
    site.write("part");
    fs::rename(site.at("part"), site.at("kong.yml")).unwrap();
    site.reloads("the next line is of the good file").await;
}
