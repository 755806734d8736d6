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
    child: Child,
    lines: mpsc::UnboundedReceiver<String>,
}

impl Process {
    /// Serves that file at a free port, with more arguments.
    pub async fn serve(file: &Path, more: &[&str]) -> Process {
        let mut child = Command::new(env!("CARGO_BIN_EXE_gatewayctl"))
            .args(["serve", "--proxy-listen", "127.0.0.1:0", "--admin-listen", "off", "--workers", "2"])
            .args(more)
            .arg(file)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = mpsc::unbounded_channel();
        thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut process = Process { proxy: ([127, 0, 0, 1], 0).into(), child, lines };
        let line = process.says("serving on ").await;
        let address = line.split("serving on ").nth(1).unwrap().split([',', ' ']).next().unwrap();
        process.proxy = address.parse().unwrap();
        process
    }

    /// Waits for a line that holds this.
    pub async fn says(&mut self, text: &str) -> String {
        let mut seen = Vec::new();
        loop {
            match soon(self.lines.recv()).await {
                Some(line) if line.contains(text) => return line,
                Some(line) => seen.push(line),
                None => panic!("ended without saying {text:?}: {seen:#?}"),
            }
        }
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
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

/// A configuration of one service at that address whose answers tell the version.
pub fn config(address: SocketAddr, version: u32) -> String {
    format!(
        "_format_version: \"3.0\"\nservices:\n- name: s\n  url: http://{address}/v{version}\n  \
         routes:\n  - name: r\n    paths: [/]\n"
    )
}
