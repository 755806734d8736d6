//! The program as a process: what it prints is what tests wait for.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use tokio::{sync::mpsc, task::spawn_blocking};

use crate::rig::soon;

/// `gatewayctl serve`. Dropped, it is killed.
pub struct Process {
    pub proxy: SocketAddr,
    /// Where the admin API is, if it is anywhere.
    pub admin: Option<SocketAddr>,
    child: Child,
    lines: mpsc::UnboundedReceiver<String>,
}

impl Process {
    /// Serves that file at a free port, with more arguments.
    pub async fn serve(file: &Path, more: &[&str]) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatewayctl"));
        command
            .args(["serve", "--proxy-listen", "127.0.0.1:0", "--admin-listen", "off"])
            .args(more)
            .arg(file);
        Process::run(&mut command).await
    }

    /// Runs a command that serves.
    pub async fn run(command: &mut Command) -> Process {
        let command = command.args(["--workers", "2"]).stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = mpsc::unbounded_channel();
        thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut process = Process { proxy: ([127, 0, 0, 1], 0).into(), admin: None, child, lines };
        let line = process.says("serving on ").await;
        let address = |after: &str| line.split(after).nth(1)?.split([',', ' ']).next()?.parse().ok();
        process.proxy = address("serving on ").unwrap();
        process.admin = address("admin API on ");
        process
    }

    /// Waits for a line that holds this.
    pub async fn says(&mut self, text: &str) -> String {
        self.says_one_of(&[text]).await
    }

    /// Waits for the first line that holds one of these.
    pub async fn says_one_of(&mut self, texts: &[&str]) -> String {
        let mut seen = Vec::new();
        loop {
            match soon(self.lines.recv()).await {
                Some(line) if texts.iter().any(|text| line.contains(text)) => return line,
                Some(line) => seen.push(line),
                None => panic!("ended without saying {texts:?}: {seen:#?}"),
            }
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        signal(self.id(), name);
    }

    /// Waits until nothing more can be said; whether the end was a clean one.
    pub async fn ends(mut self) -> bool {
        while soon(self.lines.recv()).await.is_some() {}
        soon(spawn_blocking(move || self.child.wait().unwrap().success())).await.unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a process a signal by its name.
pub fn signal(process: u32, name: &str) {
    assert!(Command::new("kill").args(["-s", name, &process.to_string()]).status().unwrap().success());
}

/// Returns a configuration of one service at that address. Its upstream path has the version, which responses echo.
pub fn config(address: SocketAddr, version: u32) -> String {
    format!(
        "_format_version: \"3.0\"\nservices:\n- name: s\n  url: http://{address}/v{version}\n  \
         routes:\n  - name: r\n    paths: [/]\n"
    )
}
