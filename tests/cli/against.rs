//! `diff --against`: a file against a running gateway, here a stand-in that answers as a Kong with a database does:
//! collections page by page, defaults and times written out, references by id.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

use super::{Run, run, run_with};

const TOKEN: &str = "kong-admin-token: letmein";
const ORDERS: &str = "5f1d7e76-2b3b-4a0e-9a6c-0d3c6a1f2b10";
const POOL: &str = "0e1d2c3b-4a59-4687-8796-a5b4c3d2e1f0";

/// What the admin API answers to a path.
fn answer(target: &str) -> (u16, Value) {
    let page = |data: Value, next: Option<&str>| (200, json!({ "data": data, "next": next }));
    let service = |id: &str, name: &str, retries: u32| {
        json!({
            "id": id, "name": name, "retries": retries, "protocol": "http", "host": format!("{name}.internal"),
            "port": 80, "path": null, "connect_timeout": 60000, "write_timeout": 60000, "read_timeout": 60000,
            "tags": null, "client_certificate": null, "tls_verify": null, "tls_verify_depth": null,
            "ca_certificates": null, "enabled": true, "created_at": 1700000000, "updated_at": 1700000001,
        })
    };
    match target {
        "/services?size=1000" => {
            page(json!([service(ORDERS, "orders", 5)]), Some("/services?offset=WyJh&size=1000"))
        }
        "/services?offset=WyJh&size=1000" => {
            page(json!([service("6f1d7e76-2b3b-4a0e-9a6c-0d3c6a1f2b11", "users", 5)]), None)
        }
        "/routes?size=1000" => page(
            json!([{
                "id": "7f1d7e76-2b3b-4a0e-9a6c-0d3c6a1f2b12", "name": "orders", "service": { "id": ORDERS },
                "paths": ["/orders"], "protocols": ["http", "https"], "methods": null, "hosts": null, "headers": null,
                "strip_path": true, "preserve_host": false, "regex_priority": 0, "path_handling": "v0",
                "https_redirect_status_code": 426, "request_buffering": true, "response_buffering": true,
                "snis": null, "sources": null, "destinations": null, "tags": null,
                "created_at": 1700000000, "updated_at": 1700000001,
            }]),
            None,
        ),
        "/upstreams?size=1000" => {
            page(json!([{ "id": POOL, "name": "pool", "created_at": 1700000000 }]), None)
        }
        path if path == format!("/upstreams/{POOL}/targets?size=1000") => page(
            json!([{
                "id": "8f1d7e76-2b3b-4a0e-9a6c-0d3c6a1f2b13", "upstream": { "id": POOL }, "target": "10.0.0.1:80",
                "weight": 100, "tags": null, "created_at": 1700000000.123, "updated_at": 1700000000.123,
            }]),
            None,
        ),
        "/plugins?size=1000" => page(
            json!([{
                "id": "9f1d7e76-2b3b-4a0e-9a6c-0d3c6a1f2b14", "name": "key-auth", "service": { "id": ORDERS },
                "route": null, "consumer": null, "consumer_group": null, "instance_name": null, "enabled": true,
                "protocols": ["grpc", "grpcs", "http", "https"], "tags": null, "ordering": null,
                "config": { "key_names": ["apikey"], "hide_credentials": false },
                "created_at": 1700000000, "updated_at": 1700000001,
            }]),
            None,
        ),
        "/config" => (405, json!({ "message": "Method not allowed" })),
        path if path.ends_with("?size=1000") => page(json!([]), None),
        _ => (404, json!({ "message": "Not found" })),
    }
}

fn serve(mut connection: TcpStream, broken: bool) {
    let mut lines = BufReader::new(connection.try_clone().unwrap()).lines();
    let first = lines.next().and_then(Result::ok).unwrap_or_default();
    let head: Vec<String> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let allowed = head.iter().any(|line| line.to_ascii_lowercase() == TOKEN);
    let target = first.split(' ').nth(1).unwrap_or_default();
    let (status, body) = match allowed {
        false => (401, json!({ "message": "Invalid RBAC credentials" })),
        true if broken && target.starts_with("/routes") => {
            (500, json!({ "message": "An unexpected error occurred" }))
        }
        true => answer(target),
    };
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
        body.len()
    );
    let _ = write!(connection, "{head}Connection: close\r\n\r\n{body}");
}

/// The address of a gateway; it ends with the test's process.
fn gateway(broken: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        listener.incoming().flatten().for_each(|connection| serve(connection, broken))
    });
    address
}

const FILE: &str = "_format_version: '3.0'
services:
- {name: orders, url: 'http://orders.internal', retries: 5, routes: [{name: orders, paths: [/orders]}], plugins: [{name: key-auth}]}
- {name: users, url: 'http://users.internal'}
upstreams:
- {name: pool, targets: [{target: '10.0.0.1:80'}]}
";

fn diff(file: &str, gateway: &str, more: &[&str]) -> Run {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("kong.yml"), file).unwrap();
    run(place.path(), &[&["diff", "kong.yml", "--against", gateway], more].concat(), b"")
}

#[test]
fn what_a_gateway_serves_is_no_difference() {
    let gateway = gateway(false);
    let ran = diff(FILE, &gateway, &["--header", TOKEN, "--exit-code"]);
    assert_eq!((ran.status, ran.out.as_str()), (0, "No changes.\n"), "{ran}");
}

#[test]
fn the_token_may_come_from_the_environment() {
    let gateway = gateway(false);
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("kong.yml"), FILE).unwrap();
    let arguments = ["diff", "kong.yml", "--against", &gateway];
    let with = |token: &str, more: &[&str]| {
        run_with(place.path(), &[&arguments[..], more].concat(), &[("KONG_ADMIN_TOKEN", token)], b"")
    };
    assert_eq!(with("letmein", &[]).status, 0);
    let ran = with("letmein", &["--header", "Kong-Admin-Token: other"]);
    assert!(ran.status == 2 && ran.err.contains("401"), "the flag counts: {ran}");
    let ran = with("sha256:00", &[]);
    assert!(ran.status == 2 && ran.err.contains("401"), "a digest is no token: {ran}");
}

#[test]
fn diff_reports_changes_from_the_gateway_to_the_file() {
    let gateway = gateway(false);
    let file = FILE
        .replace("retries: 5", "retries: 2")
        .replace("- {name: users, url: 'http://users.internal'}\n", "");
    let ran = diff(&file, &gateway, &["--header", TOKEN, "--exit-code"]);
    assert_eq!(ran.status, 1, "{ran}");
    assert_eq!(
        ran.out,
        "~ service orders\n    retries: 5 -> 2\n- service users\n\n0 created, 1 updated, 1 deleted\n",
        "{ran}"
    );
    let ran = diff(&file, &gateway, &["--header", TOKEN, "--non-zero-exit-code", "--format", "json"]);
    assert_eq!(ran.status, 2, "{ran}");
    let report: Value =
        serde_json::from_str(&ran.out).expect("the report is printed whatever the exit status");
    assert_eq!(report["summary"], json!({ "creating": 0, "updating": 1, "deleting": 1, "total": 2 }));
    let updating = &report["changes"]["updating"][0];
    assert_eq!((&updating["name"], &updating["kind"]), (&json!("orders"), &json!("service")));
    assert_eq!(
        (&updating["body"]["old"]["retries"], &updating["body"]["new"]["retries"]),
        (&json!(5), &json!(2))
    );
    let mut keys: Vec<&str> = report.as_object().expect("a document").keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["changes", "errors", "summary", "warnings"]);
}

#[test]
fn a_gateway_that_refuses_or_fails_cannot_be_compared_with() {
    let healthy = gateway(false);
    let ran = diff(FILE, &healthy, &["--exit-code"]);
    assert!(ran.status == 2 && ran.err.contains("401"), "{ran}");
    let broken = gateway(true);
    let ran = diff(FILE, &broken, &["--header", TOKEN, "--exit-code"]);
    assert!(ran.status == 2 && ran.err.contains("/routes") && ran.err.contains("500"), "{ran}");
}

/// A gateway that serves a file, and the address of its admin API. Dropped, it ends.
struct Serving {
    child: Child,
    admin: String,
}

impl Serving {
    fn of(file: &Path) -> Serving {
        let mut child = Command::new(env!("CARGO_BIN_EXE_gatewayctl"))
            .args([
                "serve",
                "--proxy-listen",
                "127.0.0.1:0",
                "--admin-listen",
                "127.0.0.1:0",
                "--workers",
                "1",
            ])
            .arg(file)
            .env("S3CRET", "s3cret from the vault")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut addresses = lines.filter_map(|line| {
            Some(line.split("admin API on ").nth(1)?.split([',', ' ']).next()?.to_owned())
        });
        let admin = addresses.next().expect("the address of the admin API");
        Serving { child, admin }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.child.kill().and_then(|()| self.child.wait()).expect("the gateway ends");
    }
}

/// Credentials with every text that may be left out left out, and some that are not.
const CREDENTIALS: &str = "_format_version: '3.0'
vaults: [{name: env, prefix: vault, config: {}}]
consumers:
- username: foo
  jwt_secrets:
  - key: issuer
    algorithm: RS256
    rsa_public_key: |
      -----BEGIN PUBLIC KEY-----
      MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAp9SldrlprwIutJcA1QMc
      emYx4Ffjt7GqDbbXBn4QuVQUJRlw1a6CEuh8/M6v8U6GTRayuCRTpYCMlMjFoLeJ
      IoFQLGfti4QUjju+EwOXS0jQbKSAjmukgCq25fCvao2Zky7jtgsSbAVD+ZDjBZLs
      PnBviamjnEvI4CKfWrvOWQj1FcNxRN0E3mFHMFlYutL0DRLPh9f9pkCipgTKMXC6
      C1vg4Iqw5ZWL7Xw40P9yiJELbb0VcFmIk4FWeu5UGOMwveCQu0VHsgdkpRiw2fFr
      Umpn/6xioghXoNn+4EymVHUNOK6LyqpYB4BMJNSpSsOv8RkoTl9zIAkipxKmlpbJ
      SQIDAQAB
      -----END PUBLIC KEY-----
  - {}
  hmacauth_credentials: [{username: foo}]
  keyauth_credentials: [{}, {key: s3cret-key}]
- custom_id: bar
  basicauth_credentials: [{username: bar, password: s3cret}]
  oauth2_credentials:
  - {name: app, client_id: cid, client_secret: s3cret, hash_secret: true, redirect_uris: ['http://x.test']}
  - {name: other}
plugins:
- {name: rate-limiting, config: {minute: 5, policy: local, redis: {username: '{vault://vault/s3cret}'}}}
";

#[test]
fn a_file_differs_neither_from_itself_nor_from_a_gateway_that_runs_it() {
    let place = tempfile::tempdir().unwrap();
    let kinds = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/cases/diff.in/kinds.yml");
    std::fs::copy(kinds, place.path().join("kinds.yml")).unwrap();
    std::fs::write(place.path().join("credentials.yml"), CREDENTIALS).unwrap();
    for file in ["kinds.yml", "credentials.yml"] {
        let ran = run(place.path(), &["diff", file, file, "--exit-code", "--impact"], b"");
        assert!(ran.status == 0 && ran.out.starts_with("No changes.\n\nNo sampled request changes"), "{ran}");
        let gateway = Serving::of(&place.path().join(file));
        let ran = against(place.path(), file, &gateway, &[]);
        assert_eq!((ran.status, ran.out.as_str()), (0, "No changes.\n"), "{ran}");
        let ran = against(place.path(), file, &gateway, &["--impact"]);
        assert!(ran.out.starts_with("No changes.\n\nNo sampled request changes"), "{ran}");
    }
}

#[test]
fn a_changed_password_is_a_change_of_what_a_gateway_runs() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("old.yml"), CREDENTIALS).unwrap();
    std::fs::write(place.path().join("new.yml"), CREDENTIALS.replace(": s3cret", ": s3cret2")).unwrap();
    let gateway = Serving::of(&place.path().join("old.yml"));
    let ran = against(place.path(), "new.yml", &gateway, &[]);
    assert_eq!(ran.status, 1, "{ran}");
    assert_eq!(
        ran.out,
        "~ basic-auth bar
    password: \"[masked]\" -> \"[masked]\"
- key-auth for consumer foo
+ key-auth for consumer foo
~ oauth2-cred cid
    client_secret: \"[masked]\" -> \"[masked]\"

1 created, 2 updated, 1 deleted
"
    );
}

fn against(place: &Path, file: &str, gateway: &Serving, more: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatewayctl"));
    command.args(["diff", file, "--against", &gateway.admin, "--exit-code"]).args(more);
    let ended = command.current_dir(place).env("S3CRET", "s3cret from the vault").output().unwrap();
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let (out, err) = (text(ended.stdout), text(ended.stderr));
    assert!(!out.contains("s3cret") && !err.contains("s3cret"), "{out}{err}");
    Run { status: ended.status.code().expect("an exit status"), out, err }
}
