//! A real Prometheus scrapes a gateway and answers the queries of dashboards.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::{io::AsyncWriteExt, task::spawn_blocking};

use crate::{
    admin::{Node, raw, text},
    metrics::send,
    rig::{TEST_TIMEOUT, Upstream, read_message, unused_address},
};

/// A program of Debian's package, from the system or from where `scripts/prometheus.sh` has unpacked it.
#[allow(clippy::disallowed_methods, reason = "programs are found in PATH")]
fn program(name: &str) -> Option<PathBuf> {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/prometheus/usr/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain([unpacked])
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    if found.is_none() {
        // Standard error itself is not captured by the test runner.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: `{name}` is neither in PATH nor in target/prometheus; scripts/prometheus.sh installs it"
        );
    }
    found
}

/// Prometheus. Dropped, it is killed.
struct Prometheus {
    child: Child,
    promtool: PathBuf,
    url: String,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    /// Scrapes that address twice a second.
    async fn start(target: &str) -> Option<Prometheus> {
        let (prometheus, promtool) = program("prometheus").zip(program("promtool"))?;
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("prometheus.yml");
        let scrape = format!(
            "global: {{scrape_interval: 500ms}}\nscrape_configs:\n- job_name: gateway\n  static_configs: [{{targets: ['{target}']}}]\n"
        );
        std::fs::write(&config, scrape).unwrap();
        let address = unused_address().await;
        let child = Command::new(prometheus)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Some(Prometheus { child, promtool, url: format!("http://{address}"), _folder: folder })
    }

    /// The result of a query: labels and values; `None` while Prometheus starts.
    async fn query(&self, query: &str) -> Option<Vec<(Value, f64)>> {
        let mut command = Command::new(&self.promtool);
        command.args(["query", "-o", "json", "instant", &self.url, query]);
        let output = spawn_blocking(move || command.output().unwrap()).await.unwrap();
        if !output.status.success() {
            return None;
        }
        let result: Value = serde_json::from_slice(&output.stdout).unwrap();
        let samples = result.as_array().unwrap().iter();
        Some(
            samples
                .map(|one| (one["metric"].clone(), one["value"][1].as_str().unwrap().parse().unwrap()))
                .collect(),
        )
    }

    /// Waits until the result fits.
    async fn until(&self, query: &str, fits: impl Fn(&[(Value, f64)]) -> bool) {
        let deadline = Instant::now() + TEST_TIMEOUT;
        loop {
            let result = self.query(query).await;
            if result.as_deref().is_some_and(&fits) {
                return;
            }
            assert!(Instant::now() < deadline, "{query}: {result:?}");
            // Prometheus has no event for a scrape.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The value of the sample with that label.
fn value(result: &[(Value, f64)], label: &str, wanted: &str) -> Option<f64> {
    result.iter().find(|(labels, _)| labels[label] == wanted).map(|(_, value)| *value)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queries_of_a_dashboard_have_results() {
    let upstream = Upstream::script(|mut stream, _| async move {
        while let Some((head, _)) = read_message(&mut stream).await {
            let status = if head.contains("/fail") { "500 Error" } else { "200 OK" };
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            if stream.write_all(answer.as_bytes()).await.is_err() {
                break;
            }
        }
    })
    .await;
    let config = format!(
        r#"
_format_version: "3.0"
services:
- name: orders
  url: http://{0}
  routes: [{{name: orders, paths: [/orders]}}]
- name: users
  url: http://{0}
  routes: [{{name: users, paths: [/users]}}]
  plugins: [{{name: rate-limiting, config: {{hour: 1, policy: local, limit_by: ip}}}}]
"#,
        upstream.address
    );
    let node = Node::start(text(&config), &[]).await.unwrap();
    let proxy = node.running().proxy_addresses()[0];
    let traffic = || async {
        for path in ["/orders/1", "/orders/fail", "/orders/2", "/orders/fail", "/users/1", "/users/2"] {
            send(proxy, &format!("GET {path} HTTP/1.1\r\n\r\n")).await;
        }
    };
    traffic().await;
    let Some(prometheus) = Prometheus::start(&node.status_api().to_string()).await else { return };
    // A rate needs an increase between two scrapes.
    prometheus.until("sum(gateway_requests_total)", |result| result.iter().any(|(_, sum)| *sum == 6.0)).await;
    traffic().await;
    prometheus
        .until("sum(gateway_requests_total)", |result| result.iter().any(|(_, sum)| *sum == 12.0))
        .await;
    // Requests per second by service.
    prometheus
        .until("sum(rate(gateway_requests_total[5m])) by (service)", |result| {
            ["orders", "users"]
                .iter()
                .all(|service| value(result, "service", service).is_some_and(|rate| rate > 0.0))
        })
        .await;
    // Error rate by service.
    prometheus
        .until(
            "sum(rate(gateway_requests_total{status=~\"5..\"}[5m])) by (service) / \
             sum(rate(gateway_requests_total[5m])) by (service)",
            |result| value(result, "service", "orders").is_some_and(|share| (0.4..0.6).contains(&share)),
        )
        .await;
    // 99th percentile of the duration by service.
    prometheus
        .until(
            "histogram_quantile(0.99, sum(rate(gateway_request_duration_ms_bucket[5m])) by (le, service))",
            |result| value(result, "service", "orders").is_some_and(|ms| ms > 0.0 && ms <= 30_000.0),
        )
        .await;
    // Requests refused by rate limits.
    prometheus
        .until("sum(rate(gateway_rate_limit_hits_total[5m])) by (limiter_type)", |result| {
            value(result, "limiter_type", "ip").is_some_and(|rate| rate > 0.0)
        })
        .await;
    // Health of the upstreams by status.
    prometheus
        .until("sum(rate(gateway_upstream_status_total[5m])) by (service, status)", |result| {
            value(result, "status", "500").is_some_and(|rate| rate > 0.0)
        })
        .await;
    prometheus.until("up{job=\"gateway\"}", |result| result.iter().any(|(_, up)| *up == 1.0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promtool_accepts_the_metrics() {
    let Some(promtool) = program("promtool") else { return };
    let node = Node::of(crate::admin::CONFIG).await;
    send(node.running().proxy_addresses()[0], "GET /nowhere HTTP/1.1\r\n\r\n").await;
    let metrics = raw(node.status_api(), "GET /metrics HTTP/1.1\r\n\r\n").await;
    let (_, metrics) = metrics.split_once("\r\n\r\n").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("metrics");
    std::fs::write(&file, metrics).unwrap();
    let output = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(std::fs::File::open(&file).unwrap())
        .output()
        .unwrap();
    // It checks names, too: the unit of this one is in the name that dashboards use.
    let problems = String::from_utf8_lossy(&output.stderr).into_owned();
    let unexpected = problems.lines().filter(|line| !line.starts_with("gateway_request_duration_ms "));
    assert_eq!(unexpected.collect::<Vec<_>>(), [""; 0], "{metrics}");
}
