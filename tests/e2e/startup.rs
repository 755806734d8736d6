//! What `serve` says and refuses when it starts, and what `--check` does in its place.
#![cfg(unix)]

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Command, Output, Stdio},
};

use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{
    process::{Process, config, signal},
    reload::version,
    rig::*,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_gatewayctl");

/// `gatewayctl serve` with those arguments, at a free port and without an admin API unless they say otherwise.
fn serve(arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--color", "never"]).args(arguments).stdin(Stdio::null());
    for (flag, value) in [("--proxy-listen", "127.0.0.1:0"), ("--admin-listen", "off")] {
        if !arguments.contains(&flag) {
            command.args([flag, value]);
        }
    }
    command
}

/// A folder with a file of that content.
fn folder_with(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kong.yml");
    fs::write(&file, text).unwrap();
    let name = file.to_str().unwrap().to_owned();
    (folder, name)
}

/// All lines of a program that is ended as soon as it says that requests are accepted. The log is written by a thread of
/// its own: its lines may come after that one.
fn lines_of_start(command: &mut Command) -> Vec<String> {
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = Vec::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok) {
        if line.contains("serving on ") {
            signal(child.id(), "TERM");
        }
        lines.push(line);
    }
    let _ = child.wait();
    assert_eq!(count(&lines, "serving on "), 1, "{lines:#?}");
    lines
}

/// How many of the lines hold the text.
fn count(lines: &[String], text: &str) -> usize {
    lines.iter().filter(|line| line.contains(text)).count()
}

fn printed(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

const UNSUPPORTED: &str = r#"
_format_version: "3.0"
services:
- {name: s, url: "http://127.0.0.1:1", routes: [{name: r, paths: [/]}]}
plugins:
- {name: rate-limiting, config: {minute: 1, policy: redis, redis: {host: h.test}}}
"#;

#[test]
fn each_warning_is_one_line_of_the_log() {
    let (_folder, file) = folder_with(UNSUPPORTED);
    let conf = Path::new(&file).with_file_name("kong.conf");
    fs::write(&conf, "\nuntrusted_lua_sandbox_requires = a\nproxy_listn = off\ndatabase = postgres\n")
        .unwrap();
    let arguments = [
        &file,
        "--mock-upstreams",
        "--allow-unsupported",
        "--conf",
        conf.to_str().unwrap(),
        "--proxy-listen",
        "127.0.0.1:0, 127.0.0.1:0 http2 ssl",
        "--admin-listen",
        "0.0.0.0:0",
        "--set",
        "status_listen=0.0.0.0:0",
        "--set",
        "body_buffer_connection_size=1g",
    ];
    let conf = conf.display();
    let wanted = [
        "the admin API listens on 0.0.0.0:0 without authentication".to_owned(),
        "the status API listens on 0.0.0.0:0 and there is no admin_token".to_owned(),
        "--mock-upstreams: upstreams whose host does not resolve are replaced by a built-in echo".to_owned(),
        "uses a self-signed certificate made at this start".to_owned(),
        "--allow-unsupported: accepted without effect: ".to_owned(),
        format!("{conf}:2: untrusted_lua_sandbox_requires: has no effect yet: "),
        format!("{conf}:3: proxy_listn: is not a setting (did you mean `proxy_listen`?)"),
        format!("{conf}:4: database: has no effect: there is no database"),
        "KONG_PG_HOST: has no effect: there is no database".to_owned(),
        "KONG_PROXY_LISTN: is not a setting (did you mean `KONG_PROXY_LISTEN`?)".to_owned(),
        "--set body_buffer_connection_size: `1g` is more than `body_buffer_total_size` allows in sum, `256m`"
            .to_owned(),
    ];
    for format in ["text", "json"] {
        let mut command = serve(&arguments);
        command.args(["--set", &format!("log_format={format}")]);
        command.env("KONG_PG_HOST", "x").env("KONG_PROXY_LISTN", "off");
        let lines = lines_of_start(&mut command);
        let warnings: Vec<String> = match format {
            "text" => lines.iter().filter(|line| line.contains(" WARN ")).cloned().collect(),
            _ => {
                let events =
                    lines.iter().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
                let warnings = events.filter(|event| event["level"] == "WARN");
                warnings.map(|event| event["message"].as_str().unwrap().to_owned()).collect()
            }
        };
        for text in &wanted {
            assert_eq!(count(&warnings, text), 1, "{format}: {text}: {lines:#?}");
        }
        assert_eq!(count(&warnings, "answered 404"), 0, "there is a route");
    }
}

#[test]
fn a_configuration_without_routes_is_warned_of() {
    let (_folder, file) = folder_with("_format_version: \"3.0\"\n");
    let lines = lines_of_start(&mut serve(&[&file]));
    assert_eq!(
        count(&lines, "WARN the configuration has no routes: every request is answered 404"),
        1,
        "{lines:#?}"
    );
    let lines = lines_of_start(&mut serve(&[]));
    assert_eq!(count(&lines, "no configuration was given: every request is answered 404"), 1, "{lines:#?}");
    let (_folder, file) = folder_with(UNSUPPORTED);
    let lines = lines_of_start(&mut serve(&[&file, "--allow-unsupported"]));
    assert_eq!(count(&lines, "answered 404"), 0, "{lines:#?}");
}

#[test]
fn the_line_of_readiness_names_every_listener_and_what_is_served() {
    let (_folder, file) = folder_with(&config(([127, 0, 0, 1], 1).into(), 1));
    let arguments = [
        &file,
        "--proxy-listen",
        "127.0.0.1:0, 127.0.0.1:0 http2 ssl",
        "--stream-listen",
        "127.0.0.1:0, 127.0.0.1:0 ssl, 127.0.0.1:0 udp",
        "--admin-listen",
        "127.0.0.1:0",
        "--set",
        "status_listen=127.0.0.1:0",
    ];
    let lines = lines_of_start(&mut serve(&arguments));
    let line = lines.iter().find(|line| line.contains("serving on ")).unwrap();
    // Ports, the hash and the time differ from run to run.
    let mut plain = String::new();
    for word in line.split(' ') {
        let (word, comma) = word.strip_suffix(',').map_or((word, ""), |word| (word, ","));
        plain += match word {
            word if word.parse::<SocketAddr>().is_ok() => "ADDRESS",
            word if word.len() == 32 && word.bytes().all(|b| b.is_ascii_hexdigit()) => "HASH",
            word => word,
        };
        plain += &format!("{comma} ");
    }
    let (plain, time) = plain.trim_end().split_once("ready after ").unwrap();
    assert_eq!(
        plain,
        "serving on ADDRESS, ADDRESS ssl http2, streams on ADDRESS, ADDRESS ssl, ADDRESS udp, \
         admin API on ADDRESS, status API on ADDRESS, generation 1, hash HASH, "
    );
    assert!(time.ends_with(" ms: 1 service, 1 route"), "{line}");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_open_files_is_raised_and_a_low_one_is_named() {
    let (_folder, file) = folder_with(UNSUPPORTED);
    let arguments = format!(
        "exec {PROGRAM} serve --color never --allow-unsupported --proxy-listen 127.0.0.1:0 --admin-listen off {file}"
    );
    let mut command = Command::new("sh");
    let lines =
        lines_of_start(command.args(["-c", &format!("ulimit -n 256; {arguments}")]).stdin(Stdio::null()));
    assert_eq!(count(&lines, "at most 256 files and sockets may be open at a time"), 1, "{lines:#?}");

    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -Sn 300; {arguments} \"$@\""), "sh"]);
    let process = Process::run(&mut command).await;
    let limits = fs::read_to_string(format!("/proc/{}/limits", process.id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let figures: Vec<&str> = line.split_whitespace().skip(3).take(2).collect();
    assert_eq!(figures[0], figures[1], "the soft limit is the hard one: {line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_another_process_serves_is_refused_unless_shared_on_purpose() {
    let upstream = Upstream::echo().await;
    let (_folder, file) = folder_with(&config(upstream.address, 1));
    let first = Process::serve(file.as_ref(), &["--stream-listen", "127.0.0.1:0 udp"]).await;
    let address = first.proxy.to_string();
    for (origin, command) in [
        ("--proxy-listen: ", serve(&[&file, "--proxy-listen", &address])),
        ("--admin-listen: ", serve(&[&file, "--admin-listen", &address])),
        ("--set status_listen: ", serve(&[&file, "--set", &format!("status_listen={address}")])),
    ] {
        let output = { command }.output().unwrap();
        let text = printed(&output);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(&format!("error: {origin}address {address} is already in use")), "{text}");
    }
    let wide =
        serve(&[&file, "--proxy-listen", &format!("0.0.0.0:{}", first.proxy.port())]).output().unwrap();
    assert_eq!(wide.status.code(), Some(2), "{}", printed(&wide));

    let mut command = serve(&[&file, "--proxy-listen", &address, "--set", "listen_shared=on"]);
    let second = Process::run(&mut command).await;
    assert_eq!(second.proxy, first.proxy);
    drop(first);
    assert_eq!(version(&second).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_directly_after_the_end_takes_the_same_address() {
    let upstream = Upstream::echo().await;
    let (_folder, file) = folder_with(&config(upstream.address, 1));
    let first = Process::serve(file.as_ref(), &[]).await;
    let address = first.proxy;
    // The gateway closes the connection, so that its end of it is in TIME_WAIT.
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    assert!(read_message(&mut client).await.is_some());
    first.signal("TERM");
    assert!(first.ends().await);
    let second = Process::run(&mut serve(&[&file, "--proxy-listen", &address.to_string()])).await;
    assert_eq!(version(&second).await, 1);
}

#[test]
fn a_check_opens_no_socket_and_writes_nothing() {
    let (folder, file) = folder_with(&config(([127, 0, 0, 1], 1).into(), 1));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = serve(&["--check", &file, "--proxy-listen", &address]);
    let output = command.current_dir(folder.path()).output().unwrap();
    let text = printed(&output);
    assert_eq!(
        (output.status.code(), text.as_str()),
        (Some(0), "configuration is valid: 1 service, 1 route\n")
    );
    let names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(names, ["kong.yml"]);
}

#[test]
fn a_check_fails_where_a_start_would() {
    let (_folder, file) = folder_with(&config(([127, 0, 0, 1], 1).into(), 1));
    for (more, text) in [
        (
            &["--set", "ssl_cert=/nowhere/a", "--set", "ssl_cert_key=/nowhere/b"][..],
            "--set ssl_cert: /nowhere/a: ",
        ),
        (&["--set", "admin_token=short"], "--set admin_token: the value is not a text of at least 16"),
        (
            &["--set", "error_template_json=/nowhere/a"],
            "--set error_template_json: cannot read `/nowhere/a`: no such",
        ),
    ] {
        let arguments = [&["--check", &file, "--proxy-listen", "127.0.0.1:0 ssl"], more].concat();
        let output = serve(&arguments).output().unwrap();
        let printed = printed(&output);
        assert_eq!(output.status.code(), Some(2), "{printed}");
        assert!(printed.contains(text), "{text}: {printed}");
    }
    let (_folder, wrong) = folder_with("_format_version: \"3.0\"\nservices:\n- nam: s\n");
    let output = serve(&["--check", &wrong]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", printed(&output));
    assert!(printed(&output).ends_with("configuration is not valid (2 errors)\n"), "{}", printed(&output));
}

#[test]
fn check_reports_the_warnings_of_a_start() {
    let (_folder, file) = folder_with("_format_version: \"3.0\"\n");
    let output =
        serve(&["--check", &file, "--set", "untrusted_lua_sandbox_requires=a", "--set", "listen_shared=on"])
            .output()
            .unwrap();
    let text = printed(&output);
    assert!(text.contains("warning: --set untrusted_lua_sandbox_requires: has no effect yet: "), "{text}");
    assert!(text.contains("warning: the configuration has no routes"), "{text}");
    assert!(output.status.success() && text.ends_with("configuration is valid\n"), "{text}");
}

#[test]
fn cipher_suites_that_are_not_supported_are_warned_of() {
    let (_folder, file) = folder_with(
        "_format_version: \"3.0\"\nservices: [{name: s, url: http://127.0.0.1:1, routes: [{name: r, paths: [/]}]}]\n",
    );
    let check = |ciphers: &str| {
        let ciphers = format!("ssl_ciphers={ciphers}");
        let set = ["--check", "--set", "ssl_cipher_suite=custom", "--set", &ciphers, &file];
        let output = serve(&set).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let some = check("ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA:HIGH:!aNULL:TLS_AES_128_GCM_SHA256");
    assert!(some.contains("never negotiated: AES128-SHA, HIGH\n"), "{some}");
    let none = check("AES128-SHA");
    assert!(none.contains("never negotiated: AES128-SHA; clients without TLS 1.3 are refused"), "{none}");
    let all = check("ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384");
    assert!(!all.contains("ssl_ciphers"), "{all}");
}
