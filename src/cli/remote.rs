//! A running gateway's configuration, read from its admin API: ours, or a real Kong's with or without a
//! database.

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};

use super::{commands::input::environment, console::Failure};
use crate::model::{KINDS, KindInfo};
use crate::net::tls::{ClientTls, TlsTarget, TrustRoots};

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

/// Maximum time from a request to the end of its response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum size of a response.
const MAX_RESPONSE_BYTES: usize = 256 << 20;

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
    let client = Client::new(base, access)?;
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

struct Client {
    base: String,
    host: String,
    port: u16,
    tls: Option<TlsTarget>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Client {
    fn new(base: &str, access: &Access) -> Result<Self, Failure> {
        let say = |text: String| Failure::Other(text);
        let base = if base.contains("://") { base.to_owned() } else { format!("http://{base}") };
        let uri: Uri = base.parse().map_err(|e| say(format!("--against {base}: {e}")))?;
        let encrypted = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(say(format!("--against {base}: the address begins with http:// or https://"))),
        };
        let host = uri.host().filter(|h| !h.is_empty());
        let host = host.ok_or_else(|| say(format!("--against {base}: there is no host")))?.to_owned();
        let port = uri.port_u16().unwrap_or(if encrypted { 8444 } else { 8001 });
        let tls = if encrypted { Some(Self::tls(&host, access)?) } else { None };
        let mut headers = Vec::new();
        for header in &access.headers {
            let malformed = || say("--header takes `Name: value`".to_owned());
            let (name, value) = header.split_once(':').ok_or_else(malformed)?;
            let mut value: HeaderValue = value.trim().parse().map_err(|_| malformed())?;
            value.set_sensitive(true);
            headers.push((name.trim().parse().map_err(|_| malformed())?, value));
        }
        let named = |name: &HeaderName| headers.iter().any(|(given, _)| given == name);
        if let Some(token) = token()
            && !named(&TOKEN)
            && !named(&header::AUTHORIZATION)
        {
            let malformed = |_| say("KONG_ADMIN_TOKEN is no value of a header".to_owned());
            let mut value: HeaderValue = token.parse().map_err(malformed)?;
            value.set_sensitive(true);
            headers.push((TOKEN, value));
        }
        Ok(Client { base: base.trim_end_matches('/').to_owned(), host, port, tls, headers })
    }

    fn tls(host: &str, access: &Access) -> Result<TlsTarget, Failure> {
        const SYSTEM: [&str; 3] =
            ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
        let read = |path: &PathBuf| {
            let failed = |error| Failure::File { path: path.display().to_string(), error };
            std::fs::read_to_string(path).map_err(failed)
        };
        let text = match &access.ca_cert {
            Some(path) => read(path)?,
            None => SYSTEM.iter().find_map(|path| std::fs::read_to_string(path).ok()).unwrap_or_default(),
        };
        // As deep as rustls allows.
        let trusted = TrustRoots { authorities: &[&text], max_depth: usize::MAX };
        let client = match (&access.client_cert, &access.client_key) {
            (Some(cert), Some(key)) => Some((read(cert)?, read(key)?)),
            _ => None,
        };
        let client = client.as_ref().map(|(cert, key)| (cert.as_str(), key.as_str()));
        let profile = ClientTls::new((!access.tls_skip_verify).then_some(trusted), client)
            .map_err(|error| Failure::Other(format!("--ca-cert or --client-cert: {error}")))?;
        TlsTarget::new(profile.into(), host)
            .ok_or_else(|| Failure::Other(format!("{host} is no name that a certificate can be for")))
    }

    fn failed(&self, path: &str, reason: impl std::fmt::Display) -> Failure {
        Failure::Other(format!("{}{path}: {reason}", self.base))
    }

    fn odd(&self, path: &str) -> Failure {
        self.failed(path, "the answer is not that of an admin API")
    }

    async fn get(&self, path: &str) -> Result<(StatusCode, Bytes), Failure> {
        let response = async {
            let stream = TcpStream::connect((self.host.trim_matches(['[', ']']), self.port))
                .await
                .map_err(|e| self.failed("", format!("cannot connect: {e}")))?;
            match &self.tls {
                None => self.exchange(stream, path).await,
                Some(TlsTarget { profile, name, .. }) => {
                    let stream = profile.connect(name.clone(), stream, false).await;
                    self.exchange(stream.map_err(|e| self.failed("", e))?, path).await
                }
            }
        };
        timeout(RESPONSE_TIMEOUT, response)
            .await
            .map_err(|_| self.failed(path, "no response within 30 seconds"))?
    }

    async fn exchange<S>(&self, stream: S, path: &str) -> Result<(StatusCode, Bytes), Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|e| self.failed(path, e))?;
        // How it ends is seen by the request.
        tokio::spawn(connection);
        let mut request = Request::get(path)
            .header(header::HOST, format!("{}:{}", self.host, self.port))
            .header(header::ACCEPT, "application/json");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Empty::<Bytes>::new()).map_err(|e| self.failed(path, e))?;
        let answer = sender.send_request(request).await.map_err(|e| self.failed(path, e))?;
        let (head, body) = answer.into_parts();
        let body =
            Limited::new(body, MAX_RESPONSE_BYTES).collect().await.map_err(|e| self.failed(path, e))?;
        Ok((head.status, body.to_bytes()))
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
