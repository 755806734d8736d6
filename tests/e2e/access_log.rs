//! The settings of access logs, with the program and with the APIs.

use std::{fs, path::Path, time::Instant};

use crate::{
    admin::{CONFIG, Node, raw, text},
    metrics::send,
    process::{Process, config},
    records::Log,
    rig::{TEST_TIMEOUT, Upstream, unused_address},
};

/// Waits until a file exists. The file system reports it, but no test depends on how soon.
async fn exists(path: &Path) {
    let deadline = Instant::now() + TEST_TIMEOUT;
    while !path.exists() {
        assert!(Instant::now() < deadline, "no {}", path.display());
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sigusr1_opens_the_log_again_and_the_end_writes_all_lines() {
    let upstream = Upstream::echo().await;
    let folder = tempfile::tempdir().unwrap();
    let (file, log, moved) = (
        folder.path().join("kong.yml"),
        folder.path().join("access.log"),
        folder.path().join("access.log.1"),
    );
    fs::write(&file, config(upstream.address, 1)).unwrap();
    let format = "access_log_format=short '$request_method $request_uri $status'";
    let target = format!("proxy_access_log={} short", log.display());
    let process = Process::serve(&file, &["--set", &target, "--set", format]).await;
    send(process.proxy, "GET /first?token=secret HTTP/1.1\r\n\r\n").await;
    fs::rename(&log, &moved).unwrap();
    process.signal("USR1");
    exists(&log).await;
    send(process.proxy, "GET /second HTTP/1.1\r\n\r\n").await;
    process.signal("TERM");
    assert!(process.ends().await);
    // A line is written when its response has been sent: the first one may be in either file.
    let [moved, log] = [&moved, &log].map(|path| fs::read_to_string(path).unwrap());
    assert_eq!(format!("{moved}{log}"), "GET /first?token=*** 200\nGET /second 200\n");
    assert!(log.ends_with("GET /second 200\n"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_to_the_apis_are_logged_apart() {
    let ((mut admin, admin_path), (mut status, status_path)) = (Log::pipe(), Log::pipe());
    let (admin_path, status_path) = (admin_path.display().to_string(), status_path.display().to_string());
    let flags = [("admin_access_log", &*admin_path), ("status_access_log", &*status_path)];
    let node = Node::start(text(CONFIG), &flags).await.unwrap();
    raw(node.admin(), "GET /services?size=1 HTTP/1.1\r\nUser-Agent: a\"b\r\n\r\n").await;
    raw(node.status_api(), "GET /nowhere HTTP/1.1\r\n\r\n").await;
    let line = admin.line().await;
    assert!(line.starts_with("127.0.0.1 - - ["), "{line}");
    assert!(line.contains("] \"GET /services?size=*** HTTP/1.1\" 200 "), "{line}");
    assert!(line.ends_with(" \"-\" \"a\\x22b\""), "{line}");
    let line = status.line().await;
    assert!(line.contains("] \"GET /nowhere HTTP/1.1\" 404 "), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_written_or_formatted_is_an_error_of_its_setting() {
    for (flags, expected) in [
        (
            &[("proxy_access_log", "/nowhere/access.log")][..],
            "--proxy-access-log: cannot open `/nowhere/access.log`: ",
        ),
        (
            &[("admin_access_log", "/dev/null shrt")],
            "--admin-access-log: there is no format `shrt` (the formats are",
        ),
        (
            &[("proxy_access_log", "/dev/null x"), ("access_log_format", "x '$statsu'")],
            "--access-log-format: there is no variable `$statsu`",
        ),
    ] {
        let error = match Node::start(text(CONFIG), flags).await {
            Ok(_) => panic!("{flags:?}"),
            Err(error) => error.to_string(),
        };
        assert!(error.starts_with(expected), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_drops_lines_and_requests_go_on() {
    if !Path::new("/dev/full").exists() {
        return;
    }
    let config = format!(
        "_format_version: \"3.0\"\nservices: [{{name: s, url: \"http://{}\", routes: [{{name: r, paths: [/]}}]}}]\n",
        unused_address().await
    );
    let node = Node::start(text(&config), &[("proxy_access_log", "/dev/full")]).await.unwrap();
    let proxy = node.running().proxy_addresses()[0];
    for _ in 0..3 {
        assert!(send(proxy, "GET / HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 502 "));
    }
    let dropped = r#"gateway_access_log_lines_dropped_total{log="proxy",reason="write"} 3"#;
    crate::metrics::has_samples(&node, &[dropped]).await;
}
