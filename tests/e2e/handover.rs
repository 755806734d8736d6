//! One process in another's place, and a service manager's sockets.
#![cfg(unix)]

use std::{
    fs,
    net::SocketAddr,
    os::unix::{
        fs::{PermissionsExt, symlink},
        net::UnixDatagram,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use command_fds::{CommandFdExt, FdMapping};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};

use crate::{
    process::{Process, config, signal},
    rig::*,
};

/// A folder with a configuration, and a link to the program that can be made to lead elsewhere.
struct Place {
    folder: TempDir,
    file: PathBuf,
    program: PathBuf,
}

impl Place {
    fn new(upstream: SocketAddr) -> Place {
        let folder = tempfile::tempdir().unwrap();
        let (file, program) = (folder.path().join("kong.yml"), folder.path().join("gatewayctl"));
        fs::write(&file, config(upstream, 1)).unwrap();
        let place = Place { folder, file, program };
        place.install(env!("CARGO_BIN_EXE_gatewayctl").as_ref());
        place
    }

    /// Puts another program in the place of the one that runs.
    fn install(&self, program: &Path) {
        let part = self.folder.path().join("part");
        symlink(program, &part).unwrap();
        fs::rename(part, &self.program).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("serve").arg(&self.file).args(["--proxy-listen", "127.0.0.1:0", "--no-watch"]);
        command.args(["--admin-listen", "127.0.0.1:0", "--drain", "15"]);
        command
    }
}

/// A process that took over. Dropped, it is killed.
struct Successor(u32);

impl Drop for Successor {
    fn drop(&mut self) {
        // It may have left already.
        let _ = Command::new("kill").args(["-s", "KILL", &self.0.to_string()]).stderr(Stdio::null()).status();
    }
}

/// Waits until another process serves.
async fn succeeded(process: &mut Process) -> Successor {
    let line = process.says(" serves now").await;
    let words: Vec<&str> = line.split(' ').collect();
    let at = words.iter().position(|word| *word == "serves").unwrap();
    Successor(words[at - 1].parse().unwrap())
}

/// One request on a connection; whether that stays open.
async fn ask(stream: &mut TcpStream, more: &str) -> (String, bool) {
    stream
        .write_all(format!("GET /x HTTP/1.1\r\nHost: a\r\n{more}\r\n").as_bytes())
        .await
        .expect("a request");
    let (head, body) = read_message(stream).await.expect("an answer");
    assert_eq!(status(&head), 200, "{head}");
    (body, field(&head, "connection") != Some("close"))
}

async fn ask_once(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    ask(&mut stream, "Connection: close\r\n").await.0
}

/// Requests without a pause, on new connections and on persistent ones, until `done` is set.
fn load(address: SocketAddr, done: &Arc<AtomicBool>, count: &Arc<AtomicUsize>) -> Vec<JoinHandle<()>> {
    (0..6)
        .map(|number| {
            let (done, count) = (Arc::clone(done), Arc::clone(count));
            tokio::spawn(async move {
                let mut kept = None;
                while !done.load(Ordering::SeqCst) {
                    if number < 4 {
                        ask_once(address).await;
                    } else {
                        let mut stream = match kept.take() {
                            Some(stream) => stream,
                            None => TcpStream::connect(address).await.expect("a connection"),
                        };
                        kept = ask(&mut stream, "").await.1.then_some(stream);
                    }
                    count.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect()
}

async fn node(admin: SocketAddr) -> serde_json::Value {
    let mut stream = TcpStream::connect(admin).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    serde_json::from_str(&read_message(&mut stream).await.unwrap().1).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_while_one_process_after_another_takes_over() {
    let upstream = Upstream::echo().await;
    let place = Place::new(upstream.address);
    let mut process = Process::run(&mut place.command()).await;
    let (address, admin) = (process.proxy, process.admin.unwrap());
    let (done, count) = (Arc::default(), Arc::default());
    let clients = load(address, &done, &count);
    let mut serving = process.id();
    // Kept, so that none is left over should the test fail.
    let mut successors = Vec::new();
    for _ in 0..3 {
        let before = count.load(Ordering::SeqCst);
        signal(serving, "USR2");
        let successor = succeeded(&mut process).await;
        assert_ne!(successor.0, serving);
        serving = successor.0;
        // The admin address leads to it as well, after a last connection perhaps.
        soon(async { while node(admin).await["pids"]["master"] != serving {} }).await;
        successors.push(successor);
        while count.load(Ordering::SeqCst) < before + 500 {
            tokio::task::yield_now().await;
        }
    }
    done.store(true, Ordering::SeqCst);
    for client in clients {
        soon(client).await.expect("no request fails");
    }
    // The first process has exited without closing a connection in use.
    signal(serving, "TERM");
    assert!(process.ends().await, "a clean end");
}

/// The sockets that a process holds, by the kernel's numbers.
#[cfg(target_os = "linux")]
fn sockets(process: u32) -> std::collections::BTreeSet<PathBuf> {
    let open = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let targets = open.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("socket:")).collect()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn every_listening_socket_goes_along() {
    let upstream = Upstream::echo().await;
    let place = Place::new(upstream.address);
    let mut command = place.command();
    command.args(["--stream-listen", "127.0.0.1:0, 127.0.0.1:0 udp", "--set", "status_listen=127.0.0.1:0"]);
    let mut process = Process::run(&mut command).await;
    let held = sockets(process.id());
    process.signal("USR2");
    let successor = succeeded(&mut process).await;
    // Two workers with a socket each for requests, TCP and UDP; one each for the admin and the status API.
    assert_eq!(held.intersection(&sockets(successor.0)).count(), 2 * 3 + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_does_not_get_ready_changes_nothing() {
    let upstream = Upstream::echo().await;
    let place = Place::new(upstream.address);
    let mut process = Process::run(&mut place.command()).await;
    let at = |name: &str| place.folder.path().join(name);

    place.install(&at("nowhere"));
    process.signal("USR2");
    process.says("no hand-over: cannot start").await;
    ask_once(process.proxy).await;

    fs::write(at("broken"), "#!/bin/sh\nexit 3\n").unwrap();
    fs::set_permissions(at("broken"), fs::Permissions::from_mode(0o755)).unwrap();
    place.install(&at("broken"));
    process.signal("USR2");
    process.says("ended before it was ready: exit status: 3").await;
    ask_once(process.proxy).await;

    place.install(env!("CARGO_BIN_EXE_gatewayctl").as_ref());
    fs::write(&place.file, "_format_version: \"3.0\"\nservices:\n- nam: s\n").unwrap();
    process.signal("USR2");
    process.says("config/unknown-field").await;
    process.says("no hand-over: the new process ended before it was ready: exit status: 1").await;
    ask_once(process.proxy).await;

    fs::write(&place.file, config(upstream.address, 2)).unwrap();
    process.signal("USR2");
    let _successor = succeeded(&mut process).await;
    // The old one may accept a last connection.
    soon(async { while !ask_once(process.proxy).await.starts_with("GET /v2/") {} }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_is_in_no_file_goes_along() {
    let upstream = Upstream::echo().await;
    let place = Place::new(upstream.address);
    let mut process = Process::run(&mut place.command()).await;
    let mut admin = TcpStream::connect(process.admin.unwrap()).await.unwrap();
    assert_eq!(status(&post(&mut admin, &config(upstream.address, 7)).await), 201);
    process.signal("USR2");
    let _successor = succeeded(&mut process).await;
    assert!(ask_once(process.proxy).await.starts_with("GET /v7/"), "what was posted, not what the file says");
}

/// Posts a configuration; the head of the answer.
async fn post(admin: &mut TcpStream, config: &str) -> String {
    let head = "POST /config HTTP/1.1\r\nHost: a\r\nContent-Type: text/yaml\r\nContent-Length: ";
    admin.write_all(format!("{head}{}\r\n\r\n{config}", config.len()).as_bytes()).await.unwrap();
    read_message(admin).await.expect("an answer").0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_has_handed_over_takes_no_configuration() {
    let (upstream, arrived, release) = Upstream::held().await;
    let place = Place::new(upstream.address);
    let mut process = Process::run(&mut place.command()).await;
    let mut admin = TcpStream::connect(process.admin.unwrap()).await.unwrap();
    assert_eq!(status(&post(&mut admin, &config(upstream.address, 7)).await), 201);
    // Keeps the process alive.
    let mut busy = TcpStream::connect(process.proxy).await.unwrap();
    busy.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    soon(arrived).await.unwrap();
    process.signal("USR2");
    let _successor = succeeded(&mut process).await;
    process.says("no new requests").await;
    let answer = post(&mut admin, &config(upstream.address, 8)).await;
    assert_eq!(status(&answer), 503, "it would be lost: {answer}");
    assert_eq!(field(&answer, "connection"), Some("close"), "the next connection leads to the other process");
    release.send(()).unwrap();
    let mut answer = String::new();
    soon(busy.read_to_string(&mut answer)).await.unwrap();
    assert_eq!(status(&answer), 200, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn gateway_serves_sockets_of_a_service_manager_and_notifies_it_of_its_state() {
    let upstream = Upstream::echo().await;
    let place = Place::new(upstream.address);
    let manager = UnixDatagram::bind(place.folder.path().join("notify")).unwrap();
    manager.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    let notification = || {
        let mut text = [0; 256];
        let length = manager.recv(&mut text).expect("a notification");
        String::from_utf8_lossy(&text[..length]).into_owned()
    };
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    // A client that connects before the process starts is served as well.
    let mut early = TcpStream::connect(address).await.unwrap();
    let mut command = Command::new(&place.program);
    command.arg("serve").arg(&place.file).args(["--proxy-listen", &address.to_string()]);
    command.args(["--admin-listen", "off"]).env("NOTIFY_SOCKET", place.folder.path().join("notify"));
    command.env("LISTEN_FDS", "1").env("LISTEN_FDNAMES", "gatewayctl.socket");
    command.fd_mappings(vec![FdMapping { parent_fd: socket.into(), child_fd: 3 }]).unwrap();
    let mut process = Process::run(&mut command).await;
    drop(command);
    assert_eq!(process.proxy, address);
    ask(&mut early, "").await;
    assert_eq!(notification(), "READY=1\n");

    process.signal("HUP");
    let reloading = notification();
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert_eq!(notification(), "READY=1\n");

    process.signal("USR2");
    let successor = succeeded(&mut process).await;
    let (one, other) = (notification(), notification());
    assert!([&one, &other].contains(&&"READY=1\n".to_owned()), "the new one: {one:?}, {other:?}");
    assert!([&one, &other].contains(&&format!("MAINPID={}\n", successor.0)), "{one:?}, {other:?}");
    ask_once(address).await;

    signal(successor.0, "TERM");
    assert_eq!(notification(), "STOPPING=1\n");
}
