//! Running cases side by side, each on a thread of its own with its own gateway.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::PathBuf,
    sync::{
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use indexmap::IndexMap;
use serde_json::{Value, json};
use tokio::task::LocalSet;

use super::{
    Failure, Ran, Verdict,
    case::Mock,
    compare::{Mismatch, compare},
    engine::{Engine, StartError},
    interpolate::{Names, fill, plain},
    mock,
    read::LoadedCase,
    sink::{Place, Sink},
    steps::{self, CaseRunner},
};
use config::{Catalog, Input};
use store::Clock;
use upstream::HostOverrides;

/// How cases are run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The format, and the plugins.
    pub catalog: &'static Catalog,
    /// How many at a time; at least one.
    pub jobs: usize,
    /// Whether no case is started after one has failed.
    pub fail_fast: bool,
}

/// Runs the cases and reports each when it ends, in that order. Cases that were not started are not reported.
pub fn run(cases: &[LoadedCase], plan: Plan, mut report: impl FnMut(Ran)) {
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (sender, ended) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..plan.jobs.clamp(1, cases.len().max(1)) {
            let (next, stop, sender) = (&next, &stop, sender.clone());
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(index) else { break };
                    let begun = Instant::now();
                    let verdict = run_if_possible(case, plan.catalog);
                    if plan.fail_fast && matches!(verdict, Verdict::Failed(_)) {
                        stop.store(true, Ordering::Relaxed);
                    }
                    if sender.send(Ran { index, verdict, took: begun.elapsed() }).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        ended.iter().for_each(&mut report);
    });
}

/// Runs one case.
fn run_if_possible(case: &LoadedCase, catalog: &'static Catalog) -> Verdict {
    let missing: Vec<&str> = case.case.needs.iter().map(String::as_str).filter(|s| !is_there(s)).collect();
    if !missing.is_empty() {
        return Verdict::Skipped(format!("needs {}", missing.join(", ")));
    }
    match run_case(case, catalog) {
        Ok(()) => Verdict::Passed,
        Err(failure) => Verdict::Failed(failure),
    }
}

/// Whether a service answers at its usual port.
fn is_there(service: &str) -> bool {
    let port = match service {
        "redis" => 6379,
        "postgres" => 5432,
        "consul" => 8500,
        _ => return false,
    };
    TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), Duration::from_millis(300))
        .is_ok()
}

/// A folder that is gone when the case is over.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The mock of a case that names a file and no mocks: it has every host.
fn everything() -> Mock {
    Mock { hosts: vec!["*".to_owned()], ..Mock::default() }
}

fn run_case(case: &LoadedCase, catalog: &'static Catalog) -> Result<(), Box<Failure>> {
    let before = |expected: &str, seen: String| {
        let mismatches = vec![Mismatch::new("the gateway", expected, seen)];
        Box::new(Failure {
            step: None,
            line: case.line,
            action: "start".to_owned(),
            mismatches,
            answer: None,
        })
    };
    let broken = |error: &dyn std::fmt::Display| before("ready", error.to_string());
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| broken(&e))?;
    let local = LocalSet::new();
    let id = uuid::Uuid::new_v4().simple().to_string();
    let folder = std::env::temp_dir().join(format!("gatewayctl-test-{id}"));
    let _folder = (!case.case.sinks.is_empty()).then(|| Folder(folder.clone()));
    if _folder.is_some() {
        std::fs::create_dir_all(&folder).map_err(|e| broken(&e))?;
    }

    let mut names = Names::new();
    names.extend(case.case.values.iter().map(|(name, text)| (name.clone(), text.clone().into())));
    let mocks: IndexMap<String, Option<Mock>> = match case.raw.get("upstreams").filter(|u| !u.is_null()) {
        Some(raw) => serde_json::from_value(fill(raw, &names)).map_err(|e| broken(&e))?,
        None => IndexMap::from([("main".to_owned(), case.case.config_file.is_some().then(everything))]),
    };
    let (mocks, sinks) = steps::block_on_local(&runtime, &local, async {
        let mocks = mock::start_all(mocks).await?;
        let mut sinks = IndexMap::new();
        for (name, kind) in &case.case.sinks {
            sinks.insert(name.clone(), Sink::start(name, *kind, &folder).await?);
        }
        Ok::<_, std::io::Error>((mocks, sinks))
    })
    .map_err(|e| broken(&e))?;

    let mut port = |name: &str, scheme: &str, address: SocketAddr| {
        names.insert(name.to_owned(), format!("{scheme}://{address}").into());
        names.insert(format!("{name}.port"), address.port().into());
        names.insert(format!("{name}.address"), address.to_string().into());
    };
    for (name, server) in &mocks {
        port(name, if server.is_tls() { "https" } else { "http" }, server.address);
    }
    let mut files = Vec::new();
    for (name, sink) in &sinks {
        match sink.place() {
            Place::Port(number) => port(name, "http", (Ipv4Addr::LOCALHOST, *number).into()),
            Place::File(path) => files.push((name.clone(), Value::from(path.to_string_lossy().into_owned()))),
        }
    }
    names.extend(files);
    names.insert("host".to_owned(), "127.0.0.1".into());
    names.insert("run".to_owned(), id[..8].into());

    let input = match &case.case.config_file {
        Some(file) => Input::Paths(vec![case.folder.join(file)]),
        None => steps::input(&fill(&case.raw["config"], &names), "kong.yml"),
    };
    let env = fill(&json!(case.case.env), &names);
    let variables =
        env.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), plain(value))).collect();
    let mut hosts = case.case.config_file.is_some().then(HostOverrides::default);
    for server in mocks.values() {
        for host in server.hosts() {
            let hosts = hosts.get_or_insert_default();
            if host == "*" {
                hosts.fallback = Some(server.address);
            } else {
                hosts.by_host.insert(host.to_ascii_lowercase(), server.address);
            }
        }
    }
    let clock = Clock::offset();
    let engine = match (Engine::start(catalog, input, variables, hosts, clock.clone()), &case.case.refused) {
        (Ok(engine), None) => engine,
        (Ok(engine), Some(_)) => {
            engine.stop();
            return Err(before("to refuse the configuration", "it serves".to_owned()));
        }
        (Err(StartError::Refused(reason)), Some(want)) => {
            let mut mismatches = Vec::new();
            compare(&fill(want, &names), Some(&reason.into()), "the refusal", &mut mismatches);
            let action = "start".to_owned();
            let failure = Failure { step: None, line: case.line, action, mismatches, answer: None };
            return if failure.mismatches.is_empty() { Ok(()) } else { Err(Box::new(failure)) };
        }
        (Err(StartError::Refused(reason) | StartError::Broken(reason)), _) => {
            return Err(before("ready", reason));
        }
    };
    let mut port = |name: &str, address: SocketAddr| {
        names.insert(format!("{name}.port"), address.port().into());
        names.insert(format!("{name}.address"), address.to_string().into());
    };
    port("proxy", engine.http());
    port("proxy_tls", engine.https());
    port("admin", engine.admin());
    let outcome = {
        let stage = CaseRunner {
            case,
            engine: &engine,
            clock: &clock,
            mocks: &mocks,
            sinks: &sinks,
            names: names.into(),
        };
        steps::block_on_local(&runtime, &local, stage.run())
    };
    engine.stop();
    outcome
}
