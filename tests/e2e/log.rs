//! What `serve` writes on standard error: the log of the running program.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpStream},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
};

use crate::rig::TEST_TIMEOUT;

/// The program, and the lines of its standard error.
struct Program {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Program {
    fn serve(settings: &[&str]) -> Program {
        Self::serve_config(CONFIG, settings)
    }

    fn serve_config(config: &str, settings: &[&str]) -> Program {
        let mut child = Command::new(env!("CARGO_BIN_EXE_gatewayctl"))
            .args(["serve", "--proxy-listen", "127.0.0.1:0", "--admin-listen", "off", "--color", "never"])
            .args(settings.iter().flat_map(|setting| ["--set", setting]))
            .env("KONG_DECLARATIVE_CONFIG_STRING", config)
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
            let line =
                self.lines.recv_timeout(TEST_TIMEOUT).unwrap_or_else(|_| panic!("no line with {text}"));
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

fn ask(program: &Program) -> TcpStream {
    let ready = program.line("serving on ");
    if let Some(json) = ready.strip_prefix('{') {
        assert!(json.contains("\"level\":\"INFO\""), "{ready}");
    }
    let port = ready.split("127.0.0.1:").nth(1).and_then(|rest| rest.split(',').next()).unwrap();
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port.parse().unwrap())).unwrap();
    client.write_all(b"GET /x?api_key=hidden HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    client
}

#[test]
fn a_failure_of_an_upstream_is_a_line_that_names_it() {
    let program = Program::serve(&[]);
    let _client = ask(&program);
    let line = program.line("ERROR");
    let request = ["client=127.0.0.1", "method=GET", "host=\"a\"", "path=/x?…"];
    for word in ["127.0.0.1:1", "route=\"r\"", "service=\"s\"", "request_id="].into_iter().chain(request) {
        assert!(line.contains(word), "{word}: {line}");
    }
    assert!(!line.contains("hidden"), "{line}");
}

#[test]
fn a_request_without_a_route_is_logged_with_the_client_and_its_target() {
    // With a route for other paths: the warning about a configuration without any also says "no routes".
    let config = CONFIG.replace("\"/\"", "\"/other\"");
    let program = Program::serve_config(&config, &["log_level=debug"]);
    let _client = ask(&program);
    let line = program.line("no route");
    for word in ["DEBUG", "client=127.0.0.1", "method=GET", "host=\"a\"", "path=/x?…"] {
        assert!(line.contains(word), "{word}: {line}");
    }
}

#[test]
fn a_timeout_of_an_upstream_is_a_line_that_names_its_address() {
    // Connections are complete before they are accepted, and these never are.
    let upstream = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = upstream.local_addr().unwrap();
    let config = format!(
        r#"{{ "_format_version": "3.0", "services": [{{ "name": "s", "url": "http://{address}", "retries": 0,
        "read_timeout": 50, "routes": [{{ "name": "r", "paths": ["/"] }}] }}] }}"#
    );
    let program = Program::serve_config(&config, &[]);
    let _client = ask(&program);
    let line = program.line("ERROR");
    for word in [&format!("the upstream timed out: {address} made no progress"), "read_timeout (50ms)"] {
        assert!(line.contains(word), "{word}: {line}");
    }
}

#[test]
fn the_log_is_json_where_that_is_asked_for() {
    let program = Program::serve(&["log_format=json"]);
    let _client = ask(&program);
    let line: serde_json::Value = serde_json::from_str(&program.line("\"ERROR\"")).unwrap();
    assert_eq!((line["level"].as_str(), line["route"].as_str()), (Some("ERROR"), Some("r")));
    assert!(line["timestamp"].is_string() && line["message"].as_str().unwrap().contains("127.0.0.1:1"));
}
