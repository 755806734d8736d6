//! A running gateway's configuration, read from its admin API: ours, or a real Kong's with or without a
//! database.

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri, header};
use serde_json::{Map, Value, json};

use super::{commands::input::environment, console::Failure};
use crate::{
    client::{self, ClientOptions, Limits},
    model::{KINDS, KindInfo},
    net::tls::{ClientTls, TrustRoots},
};

/// How a running gateway is reached.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Access {
    /// Header sent to the admin API, such as `Kong-Admin-Token: …`; may be given several times. The variable
    /// KONG_ADMIN_TOKEN is sent as that header where neither it nor `Authorization` is given
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// Authorities in PEM that the admin API's certificate is verified with, instead of the system's
    #[arg(long, value_name = "FILE")]
    ca_cert: Option<PathBuf>,
    /// Certificate in PEM shown to an admin API that asks for one
    #[arg(long, value_name = "FILE", requires = "client_key")]
    client_cert: Option<PathBuf>,
    /// Its key in PEM
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    client_key: Option<PathBuf>,
    /// Do not verify the admin API's certificate
    #[arg(long)]
    tls_skip_verify: bool,
}

impl Access {
    /// Whether it says anything.
    pub fn is_given(&self) -> bool {
        !self.headers.is_empty()
            || self.ca_cert.is_some()
            || self.client_cert.is_some()
            || self.tls_skip_verify
    }
}

/// Limits of a request.
const LIMITS: Limits = Limits {
    head_timeout: Duration::from_secs(30),
    total_timeout: Duration::from_secs(30),
    max_response_bytes: 256 << 20,
};

/// The kinds that have a list in the admin API, each with its path. Services come first, because every gateway has them:
/// an error about the gateway names their path.
fn collections() -> Vec<(&'static str, &'static KindInfo)> {
    let listed = |kind: &'static KindInfo| {
        let admin = kind.admin.filter(|admin| admin.top && kind.comparison.is_some())?;
        Some((admin.path, kind))
    };
    let mut collections: Vec<_> = KINDS.iter().filter_map(listed).collect();
    collections.sort_by_key(|(_, kind)| kind.key != "services");
    collections
}

/// The whole configuration, as a declarative file.
///
/// # Errors
/// When the gateway cannot be reached, or answers otherwise than an admin API.
pub fn configuration(base: &str, access: &Access) -> Result<Vec<u8>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let client = AdminApi::new(base, access)?;
    runtime.block_on(async {
        match client.get("/config").await? {
            (StatusCode::OK, body) => {
                let answer: Value = serde_json::from_slice(&body).map_err(|_| client.odd("/config"))?;
                let text = answer["config"].as_str().ok_or_else(|| client.odd("/config"))?;
                Ok(text.as_bytes().to_vec())
            }
            (status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN), body) => {
                let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
                let why = answer["message"].as_str().map_or_else(String::new, |why| format!(": {why}"));
                Err(client.failed("/config", format!("answered {status}{why}")))
            }
            // A gateway with a database has no file to show.
            _ => client.entities().await,
        }
    })
}

/// The header that tokens are shown in.
const TOKEN: HeaderName = HeaderName::from_static("kong-admin-token");

/// The token of this process's environment. Of a hashed one, as servers are given it, nothing can be shown.
fn token() -> Option<String> {
    environment("KONG_ADMIN_TOKEN").filter(|token| !token.is_empty() && !token.starts_with("sha256:"))
}

/// The admin API of a gateway.
struct AdminApi {
    /// The address as the user gave it, for messages.
    base: String,
    /// Scheme, host and port.
    origin: String,
    headers: HeaderMap,
    client: client::Client,
}

impl AdminApi {
    fn new(base: &str, access: &Access) -> Result<Self, Failure> {
        let failure = |text: String| Failure::Other(text);
        let base = if base.contains("://") { base.to_owned() } else { format!("http://{base}") };
        let uri: Uri = base.parse().map_err(|e| failure(format!("--against {base}: {e}")))?;
        let (scheme, default_port) = match uri.scheme_str() {
            Some("http") => ("http", 8001),
            Some("https") => ("https", 8444),
            _ => {
                return Err(failure(format!(
                    "--against {base}: the address begins with http:// or https://"
                )));
            }
        };
        let host = uri.host().filter(|h| !h.is_empty());
        let host = host.ok_or_else(|| failure(format!("--against {base}: there is no host")))?;
        let origin = format!("{scheme}://{host}:{}", uri.port_u16().unwrap_or(default_port));
        let tls = if scheme == "https" { Some(Arc::new(Self::tls(access)?)) } else { None };
        let options = ClientOptions { tls, connect_timeout: LIMITS.head_timeout, ..ClientOptions::default() };
        let base = base.trim_end_matches('/').to_owned();
        Ok(AdminApi { base, origin, headers: Self::headers(access)?, client: client::Client::new(options) })
    }

    /// Headers of all requests.
    fn headers(access: &Access) -> Result<HeaderMap, Failure> {
        let mut headers =
            HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("application/json"))]);
        for header in &access.headers {
            let malformed = || Failure::Other("--header takes `Name: value`".to_owned());
            let (name, value) = header.split_once(':').ok_or_else(malformed)?;
            let name: HeaderName = name.trim().parse().map_err(|_| malformed())?;
            let mut value: HeaderValue = value.trim().parse().map_err(|_| malformed())?;
            value.set_sensitive(true);
            headers.append(name, value);
        }
        if let Some(token) = token()
            && !headers.contains_key(&TOKEN)
            && !headers.contains_key(header::AUTHORIZATION)
        {
            let malformed = |_| Failure::Other("KONG_ADMIN_TOKEN is no value of a header".to_owned());
            let mut value: HeaderValue = token.parse().map_err(malformed)?;
            value.set_sensitive(true);
            headers.insert(TOKEN, value);
        }
        Ok(headers)
    }

    fn tls(access: &Access) -> Result<ClientTls, Failure> {
        let read = |path: &PathBuf| {
            let failed = |error| Failure::File { path: path.display().to_string(), error };
            std::fs::read_to_string(path).map_err(failed)
        };
        let authorities = match &access.ca_cert {
            Some(path) => read(path)?,
            None => crate::net::system_authorities().unwrap_or_default(),
        };
        // As deep as rustls allows.
        let trusted = TrustRoots { authorities: &[&authorities], max_depth: usize::MAX };
        let client = match (&access.client_cert, &access.client_key) {
            (Some(cert), Some(key)) => Some((read(cert)?, read(key)?)),
            _ => None,
        };
        let client = client.as_ref().map(|(cert, key)| (cert.as_str(), key.as_str()));
        ClientTls::new((!access.tls_skip_verify).then_some(trusted), client)
            .map_err(|error| Failure::Other(format!("--ca-cert or --client-cert: {error}")))
    }

    fn failed(&self, path: &str, reason: impl std::fmt::Display) -> Failure {
        Failure::Other(format!("{}{path}: {reason}", self.base))
    }

    fn odd(&self, path: &str) -> Failure {
        self.failed(path, "the answer is not that of an admin API")
    }

    async fn get(&self, path: &str) -> Result<(StatusCode, Bytes), Failure> {
        let mut request = Request::get(format!("{}{path}", self.origin))
            .body(())
            .map_err(|error| self.failed(path, error))?;
        *request.headers_mut() = self.headers.clone();
        let response = async {
            let response = self.client.send_within(request, LIMITS).await?;
            let status = response.status();
            Ok((status, response.into_body().bytes().await?))
        };
        response.await.map_err(|error: client::Error| match error {
            client::Error::Timeout(_) => self.failed(path, "no response within 30 seconds"),
            error if error.is_unsent() => self.failed("", error),
            error => self.failed(path, error),
        })
    }

    /// All rows of a collection, page by page.
    async fn rows(&self, path: &str) -> Result<Vec<Value>, Failure> {
        let mut rows = Vec::new();
        let mut next = format!("{path}?size=1000");
        loop {
            let (status, body) = self.get(&next).await?;
            match status {
                StatusCode::OK => {}
                // The plugin that keeps them is not enabled there.
                StatusCode::NOT_FOUND => return Ok(rows),
                _ => return Err(self.failed(&next, format!("answered {status}"))),
            }
            let mut page: Value = serde_json::from_slice(&body).map_err(|_| self.odd(&next))?;
            let Some(items) = page["data"].as_array_mut() else { return Err(self.odd(&next)) };
            rows.append(items);
            match page["next"].as_str() {
                Some(path) if path.starts_with('/') && *path != *next => path.clone_into(&mut next),
                _ => return Ok(rows),
            }
        }
    }

    /// A file put together from all collections.
    async fn entities(&self) -> Result<Vec<u8>, Failure> {
        let mut file = json!({ "_format_version": "3.0", "_transform": false });
        let mut any = false;
        for (path, kind) in collections() {
            let mut rows = self.rows(&format!("/{path}")).await?;
            if kind.key == "upstreams" {
                let mut targets = Vec::new();
                for id in rows.iter().filter_map(|row| row["id"].as_str()) {
                    targets.append(&mut self.rows(&format!("/upstreams/{id}/targets")).await?);
                }
                targets.iter_mut().filter_map(Value::as_object_mut).for_each(as_written);
                file["targets"] = targets.into();
            }
            any |= !rows.is_empty();
            rows.iter_mut().filter_map(Value::as_object_mut).for_each(as_written);
            file[kind.key] = rows.into();
        }
        if !any {
            let (status, _) = self.get("/services").await?;
            if status != StatusCode::OK {
                return Err(self.failed("/services", format!("answered {status}")));
            }
        }
        // In lines, so that a finding can show its place.
        serde_json::to_vec_pretty(&file).map_err(|e| self.failed("", e))
    }
}

/// A row as a file writes it: references by id, without what the API adds.
fn as_written(row: &mut Map<String, Value>) {
    for field in ["snis", "ordering", "consumer_group", "ws_id", "partials"] {
        let derived = field == "snis" && row.contains_key("cert");
        if derived || field != "snis" && row.get(field).is_some_and(Value::is_null) {
            row.remove(field);
        }
    }
    for field in KINDS.iter().flat_map(|kind| kind.foreign).map(|foreign| foreign.field) {
        if let Some(id) = row.get(field).and_then(|v| v.get("id")).cloned() {
            row.insert(field.to_owned(), id);
        }
    }
}
