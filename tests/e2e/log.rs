//! What `serve` writes on standard error: the log of the running program.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpStream},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
};

use crate::rig::PATIENCE;

/// The program, and the lines of its standard error.
struct Program {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Program {
    fn serve(settings: &[&str]) -> Program {
        let mut child = Command::new(env!("CARGO_BIN_EXE_gatewayctl"))
            .args(["serve", "--proxy-listen", "127.0.0.1:0", "--admin-listen", "off", "--color", "never"])
            .args(settings.iter().flat_map(|setting| ["--set", setting]))
            .env("KONG_DECLARATIVE_CONFIG_STRING", CONFIG)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || stderr.lines().map_while(Result::ok).all(|line| sender.send(line).is_ok()));
        Program { child, lines }
    }

    /// The next line that holds the text.
    fn line(&self, text: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no line with {text}"));
            if line.contains(text) {
                return line;
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const CONFIG: &str = r#"{ "_format_version": "3.0", "services": [{
    "name": "s", "url": "http://127.0.0.1:1", "retries": 0, "routes": [{ "name": "r", "paths": ["/"] }]
}] }"#;

fn ask(program: &Program) {
    let ready = program.line("serving on ");
    let port = ready.split("127.0.0.1:").nth(1).and_then(|rest| rest.split(',').next()).unwrap();
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port.parse().unwrap())).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
}

#[test]
fn a_failure_of_an_upstream_is_a_line_that_names_it() {
    let program = Program::serve(&[]);
    ask(&program);
    let line = program.line("ERROR");
    for word in ["127.0.0.1:1", "route=\"r\"", "service=\"s\"", "request_id="] {
        assert!(line.contains(word), "{word}: {line}");
    }
}

#[test]
fn the_log_is_json_where_that_is_asked_for() {
    let program = Program::serve(&["log_format=json", "log_level=error"]);
    ask(&program);
    let line: serde_json::Value = serde_json::from_str(&program.line("\"ERROR\"")).unwrap();
    assert_eq!((line["level"].as_str(), line["route"].as_str()), (Some("ERROR"), Some("r")));
    assert!(line["timestamp"].is_string() && line["message"].as_str().unwrap().contains("127.0.0.1:1"));
}
