//! What a case says: the types that the reader checks a case file with and `schemas/test.schema.json` is made of.
//!
//! Texts may hold `${name}` (see `interpolate`), so a part of a case is read into its type when its turn comes, after
//! its names were filled in. Expected values are left as they are written: `compare` knows what they mean.

use std::path::PathBuf;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// A test of a gateway's configuration: the configuration, the upstreams it points at, and what requests come to.
///
/// A file holds one case, or several as documents of one YAML stream.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Case {
    /// What is true if it passes; the file's name and the case's number if absent.
    pub name: Option<String>,
    /// A sentence more, where the name does not say it all.
    pub about: Option<String>,
    /// Where the expected values come from.
    pub source: Option<String>,
    /// Which gateway was seen to pass it.
    pub verified: Option<String>,
    /// Services that must answer at their usual port on loopback (`redis`, `postgres`, `consul`); the case is
    /// skipped where one does not.
    pub needs: Vec<String>,
    /// Settings of the gateway by the names of environment variables (`KONG_TRUSTED_IPS`), and variables that the
    /// configuration refers to.
    pub env: IndexMap<String, Value>,
    /// Texts to use as `${name}`.
    pub values: IndexMap<String, String>,
    /// Mock upstreams by name, each a server of its own; one called `main` that echoes requests if absent.
    pub upstreams: Option<IndexMap<String, Option<Mock>>>,
    /// What collects the entries that log plugins send, by name.
    pub sinks: IndexMap<String, SinkKind>,
    /// The declarative configuration: a map, or the text of one.
    pub config: Option<Value>,
    /// The file to take the configuration from instead, relative to the case file.
    pub config_file: Option<PathBuf>,
    /// Instead of steps: the configuration must not be accepted, and the reason fits this value.
    pub refused: Option<Value>,
    /// What is done and expected, in order.
    pub steps: Vec<Step>,
}

/// A mock upstream. Without any setting it answers 200 with the request as JSON.
///
/// `/status/418`, `/delay/2`, `/bytes/100` and `/response-headers?X-A=1` do what they say on every mock.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Mock {
    /// Hosts of the configuration that lead here, whatever they resolve to: `users.internal`, `10.0.0.1:8080`;
    /// `"*"` is every host that no other mock has.
    pub hosts: Vec<String>,
    /// Nothing listens.
    pub dead: bool,
    /// Accepts connections and closes them.
    pub reset: bool,
    /// That many requests are not answered: the connection is closed.
    pub fail_first: Option<usize>,
    /// Seconds before the answer.
    pub delay: Option<f64>,
    /// Status of the answer; 200 if absent.
    pub status: Option<u16>,
    /// Reason phrase of the answer.
    pub reason: Option<String>,
    /// Headers of the answer: a value or several.
    pub headers: Option<IndexMap<String, Value>>,
    /// Body of the answer as text.
    pub body: Option<Value>,
    /// Body of the answer as JSON.
    pub json: Option<Value>,
    /// Body of the answer in base64.
    pub base64: Option<String>,
    /// Whether the body is sent in chunks.
    pub chunked: bool,
    /// Whether the answer has no `Content-Type` unless `headers` names one.
    pub no_content_type: bool,
    /// Whether the connection is closed after the answer.
    pub truncate: bool,
    /// Instead of an answer: exactly these bytes (Latin-1), then the end of the connection.
    pub raw: Option<String>,
    /// Other behaviour by exact path.
    pub routes: IndexMap<String, Mock>,
    /// Uses HTTPS. The echo has the server name and the common name of the client certificate as `tls`.
    pub tls: Option<MockTls>,
}

/// The TLS side of a mock.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MockTls {
    /// Certificate in PEM.
    pub cert: String,
    /// Its key in PEM.
    pub key: String,
    /// Authority in PEM whose certificates clients must show.
    #[serde(default)]
    pub client_ca: Option<String>,
    /// Whether clients without a certificate are turned away; true if absent.
    #[serde(default)]
    pub required: Option<bool>,
}

/// What collects log entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SinkKind {
    /// An HTTP server: entries are requests.
    Http,
    /// A TCP server: entries are lines.
    Tcp,
    /// A UDP socket: entries are lines.
    Udp,
    /// A file: entries are lines; `${name}` is its path.
    File,
}

/// A step. It does exactly one thing: the field that says what is one of `send`, `admin`, `wait`, `align`, `reload`,
/// `upstream`, `saw`, `received` and `generators`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Step {
    /// What the step is for.
    pub about: Option<String>,
    /// A request to the gateway, on a connection of its own.
    pub send: Option<Send>,
    /// A request to the admin API.
    pub admin: Option<Send>,
    /// What its answer must be; of maps and lists of headers only what is named counts.
    pub expect: Option<Expect>,
    /// How often the request is sent; `${n}` is its number, from 0.
    pub times: Option<usize>,
    /// Try again for so many seconds until the answer is as expected.
    pub within: Option<f64>,
    /// Names for later steps: `header:X-Id`, `json:path.to.0.value`, `match:regex with (a group)`, `cookie:`.
    pub save: IndexMap<String, String>,
    /// Whether the request is under way during the next steps; its answer is not looked at.
    pub background: bool,
    /// How many of the `times` requests land where, by upstream or else by status: `[least, most]` or a test.
    pub spread: Option<IndexMap<String, Value>>,
    /// Seconds to let pass. The gateway's clock is set on instead of waiting where nothing but the clock matters.
    pub wait: Option<f64>,
    /// Go to the start of the next clock period of so many seconds, if less than `room` seconds of this one are
    /// left.
    pub align: Option<f64>,
    /// Seconds that must be left of the period; nine tenths of it if absent.
    pub room: Option<f64>,
    /// Another configuration while the gateway runs.
    pub reload: Option<Value>,
    /// With `reload`: it must not be accepted, and the reason fits this value.
    pub refused: Option<Value>,
    /// New behaviour of mock upstreams.
    pub upstream: Option<IndexMap<String, Option<Mock>>>,
    /// How many requests mock upstreams have seen.
    pub saw: Option<IndexMap<String, Value>>,
    /// What a sink, or a mock upstream, has received.
    pub received: Option<Received>,
    /// Names for later steps, computed: `{token: {jwt: {alg: HS256, key: secret, claims: {iss: k, exp: "+60"}}}}`;
    /// kinds are `jwt`, `hmac`, `date`, `now`, `sha256`, `hmac_sha256_base64`.
    pub make: Option<IndexMap<String, IndexMap<String, Value>>>,
}

/// A request.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Send {
    /// GET if absent.
    pub method: Option<String>,
    /// Path and query as sent; / if absent.
    pub path: Option<String>,
    /// The `Host` header; the gateway's address if absent.
    pub host: Option<String>,
    /// Headers: a value or several; null leaves one out that would be sent otherwise.
    pub headers: IndexMap<String, Value>,
    /// `https` sends over TLS.
    pub scheme: Option<Scheme>,
    /// The server name asked for over TLS; `host` if absent.
    pub sni: Option<String>,
    /// A certificate to show over TLS, in PEM.
    pub client_cert: Option<String>,
    /// Its key, in PEM.
    pub client_key: Option<String>,
    /// `HTTP/1.1` if absent.
    pub version: Option<String>,
    /// A text as the body.
    pub body: Option<String>,
    /// JSON as the body, with its content type.
    pub json: Option<Value>,
    /// A form as the body, with its content type.
    pub form: Option<IndexMap<String, Value>>,
    /// Bytes in base64 as the body.
    pub base64: Option<String>,
    /// A body of so many bytes.
    pub size: Option<usize>,
    /// Whether the body is sent in chunks.
    pub chunked: bool,
    /// Instead of all that: exactly these bytes (Latin-1).
    pub raw: Option<String>,
    /// With `raw`: the sending half of the connection is closed after them.
    pub half_close: bool,
    /// With `raw`: reads on after the answer until the gateway closes.
    pub rest: bool,
    /// A message to send once a WebSocket is open.
    pub websocket: Option<String>,
    /// Seconds the answer may take; 10 if absent.
    pub timeout: Option<f64>,
}

/// How a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Scheme {
    Http,
    Https,
}

/// What an answer must be. Every value may be a test instead: `{match: regex}`, `{contains: text}`, `{absent: true}`,
/// `{present: true}`, `{one_of: [..]}`, `{gte: n}`, `{lte: n}`, `{not: x}`, `{length: n}`, `{count: n}`, `{type: string}`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// The status.
    pub status: Option<Value>,
    /// Headers by name: a value, or a list where there are several; null: it must be absent.
    pub headers: IndexMap<String, Value>,
    /// The body as text.
    pub body: Option<Value>,
    /// The body as JSON; of its maps only the keys named count.
    pub json: Option<Value>,
    /// What the mock upstream saw, from its echo: `upstream`, `method`, `uri`, `path`, `query`, `http_version`,
    /// `headers`, `body`, `json`, `form`, `tls`.
    pub echo: Option<IndexMap<String, Value>>,
    /// The certificate that the gateway showed: its `subject`.
    pub cert: Option<Value>,
    /// What came after the answer, with `rest` of `send`.
    pub rest: Option<Value>,
    /// Statuses of interim answers.
    pub interim: Option<Value>,
    /// The reason phrase.
    pub reason: Option<Value>,
    /// `HTTP/1.1` or `HTTP/1.0`.
    pub version: Option<Value>,
    /// Trailers by name.
    pub trailers: Option<Value>,
    /// The message that came back over the WebSocket.
    pub websocket: Option<Value>,
    /// The connection may end without a whole answer.
    pub closed: bool,
    /// A header that must differ from one of `times` requests to the next.
    pub different: Option<String>,
}

/// What must have been received.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Received {
    /// The sink, or mock upstream, by name.
    pub sink: String,
    /// For each of these there is an entry that fits. Entries of HTTP are `{method, uri, headers, body, json}`, of
    /// others lines, in which `{json: ..}` reads JSON.
    pub some: Vec<Value>,
    /// No entry fits any of these.
    pub none: Vec<Value>,
    /// How many entries there are.
    pub count: Option<Value>,
    /// How many seconds they may take; 5 if absent.
    pub within: Option<f64>,
}

impl Step {
    /// The field that says what the step does.
    ///
    /// # Errors
    /// When there is none, or more than one: the text says so.
    pub fn kind(&self) -> Result<&'static str, String> {
        let named = [
            ("send", self.send.is_some()),
            ("admin", self.admin.is_some()),
            ("wait", self.wait.is_some()),
            ("align", self.align.is_some()),
            ("reload", self.reload.is_some()),
            ("upstream", self.upstream.is_some()),
            ("saw", self.saw.is_some()),
            ("received", self.received.is_some()),
            ("make", self.make.is_some()),
        ];
        let given: Vec<&str> = named.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
        match given.as_slice() {
            [one] => Ok(one),
            [] => Err("a step says what it does by one of send, admin, wait, align, reload, upstream, saw, \
                       received, make"
                .to_owned()),
            more => Err(format!("a step does one thing, not {}", more.join(" and "))),
        }
    }
}
