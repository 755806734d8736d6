//! Reloads of a changed file, by every trigger.
#![cfg(unix)]

use std::{
    fs,
    os::unix::fs::symlink,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::Value;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{
    process::{Process, config},
    rig::*,
};

/// What the upstream is asked for when the client asks for `/x`.
async fn asked(stream: &mut TcpStream) -> u32 {
    stream.write_all(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let (head, body) = read_message(stream).await.expect("an answer");
    assert_eq!(status(&head), 200, "{head}");
    body.strip_prefix("GET /v").and_then(|rest| rest.split('/').next()).unwrap().parse().unwrap()
}

pub async fn version(process: &Process) -> u32 {
    asked(&mut TcpStream::connect(process.proxy).await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_requests_during_fifty_reloads_all_succeed() {
    let upstream = Upstream::echo().await;
    let folder = tempfile::tempdir().unwrap();
    let (file, part) = (folder.path().join("kong.yml"), folder.path().join("part"));
    fs::write(&file, config(upstream.address, 0)).unwrap();
    let mut process = Process::serve(&file, &[]).await;
    let done = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (proxy, done) = (process.proxy, Arc::clone(&done));
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(proxy).await.unwrap();
                let (mut last, mut count) = (0, 0);
                while count < 2500 || !done.load(Ordering::SeqCst) {
                    let version = asked(&mut stream).await;
                    assert!(version >= last, "the configuration never goes back");
                    (last, count) = (version, count + 1);
                }
            })
        })
        .collect();
    for turn in 1..=50 {
        fs::write(&part, config(upstream.address, turn)).unwrap();
        fs::rename(&part, &file).unwrap();
        process.says("reloaded in").await;
        assert_eq!(version(&process).await, turn, "what is said to serve does");
    }
    done.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_a_rename_a_flipped_link_and_a_hangup_all_reload() {
    let upstream = Upstream::echo().await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (name, version) in [("..v1", 1), ("..v2", 2)] {
        fs::create_dir(at(name)).unwrap();
        fs::write(at(name).join("kong.yml"), config(upstream.address, version)).unwrap();
    }
    symlink("..v1", at("..data")).unwrap();
    symlink("..data/kong.yml", at("kong.yml")).unwrap();
    let mut process = Process::serve(&at("kong.yml"), &[]).await;
    assert_eq!(version(&process).await, 1);

    symlink("..v2", at("..tmp")).unwrap();
    fs::rename(at("..tmp"), at("..data")).unwrap();
    process.says("reloaded in").await;
    assert_eq!(version(&process).await, 2, "a flipped link");

    fs::write(at("part"), config(upstream.address, 3)).unwrap();
    fs::rename(at("part"), at("kong.yml")).unwrap();
    process.says("reloaded in").await;
    assert_eq!(version(&process).await, 3, "a rename over the link");

    fs::write(at("kong.yml"), config(upstream.address, 4)).unwrap();
    process.says("reloaded in").await;
    assert_eq!(version(&process).await, 4, "a write in place");

    process.signal("HUP");
    process.says("reloaded in").await;
    assert_eq!(version(&process).await, 4, "a hangup");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_is_reported_and_the_last_good_one_goes_on() {
    let upstream = Upstream::echo().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kong.yml");
    fs::write(&file, config(upstream.address, 1)).unwrap();
    let mut process = Process::serve(&file, &["--no-watch"]).await;
    for bad in ["services: [", "_format_version: \"3.0\"\nservices:\n- nam: s\n"] {
        fs::write(&file, bad).unwrap();
        process.signal("HUP");
        process.says("what ran before goes on").await;
        assert_eq!(version(&process).await, 1);
    }
    fs::write(&file, config(upstream.address, 2)).unwrap();
    process.signal("HUP");
    process.says("reloaded in").await;
    assert_eq!(version(&process).await, 2, "a good one is taken again");
}

#[tokio::test(flavor = "multi_thread")]
async fn status_reports_the_active_configuration_and_the_last_error() {
    let upstream = Upstream::echo().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kong.yml");
    fs::write(&file, config(upstream.address, 1)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatewayctl"));
    command.arg("serve").arg(&file).args(["--proxy-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    let mut process = Process::run(&mut command).await;
    let admin = process.admin.unwrap();
    let status = async || {
        let mut stream = TcpStream::connect(admin).await.unwrap();
        stream.write_all(b"GET /status HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        serde_json::from_str::<Value>(&read_message(&mut stream).await.unwrap().1).unwrap()
    };
    let first = status().await;
    assert_eq!(first["configuration"]["generation"], 1, "{first}");
    assert_eq!(first["configuration"]["last_error"], Value::Null);
    assert!(first["configuration"]["age"].as_u64().is_some(), "{first}");

    fs::write(&file, "_format_version: \"3.0\"\nservices:\n- nam: s\n").unwrap();
    process.says("what ran before goes on").await;
    let broken = status().await;
    for field in ["generation", "applied_at"] {
        assert_eq!(broken["configuration"][field], first["configuration"][field], "{field} is of what runs");
    }
    assert_eq!(broken["configuration_hash"], first["configuration_hash"]);
    let error = &broken["configuration"]["last_error"];
    assert_eq!(error["message"], "the configuration is not valid");
    let findings = error["findings"].as_array().unwrap();
    let unknown = findings.iter().find(|finding| finding["code"] == "config/unknown-field").expect("nam");
    assert_eq!(unknown["place"]["line"], 3, "{unknown}");

    fs::write(&file, config(upstream.address, 2)).unwrap();
    process.says("reloaded in").await;
    let repaired = status().await;
    assert_eq!(repaired["configuration"]["generation"], 2, "{repaired}");
    assert_eq!(repaired["configuration"]["last_error"], Value::Null);
    assert_ne!(repaired["configuration_hash"], first["configuration_hash"]);
}
