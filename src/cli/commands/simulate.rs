//! `gatewayctl simulate FILE METHOD URL`.

use std::{path::PathBuf, sync::Arc};

use clap::ValueEnum;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use super::{
    input::{self, Dialect},
    validate,
};
use crate::{
    cli::{
        Status,
        console::{Console, Failure},
        project::Project,
        render, usage,
    },
    config::Loaded,
    http_codec::HeaderSpelling,
    model::{Consumer, Ix, PluginEntity, Route, Row, Service, State, is_credential_name},
    proxy::{self, SimulatedOutcome, Simulator},
    registry,
    router::{self, Flavor, PriorityMode, RequestInput, Router},
    runtime::{self, Gateway, Snapshot},
    source::{Level, NodeId},
    store::Stores,
    upstream::canonical_target,
};

/// Show what becomes of a request, without sending it
///
/// Prints the route that matches and the attribute at which each of the others does not, the plugins in the order
/// in which they run with their positions in the file, and the request that the upstream would get, or the response
/// of a plugin. Router and plugins are those of `serve`; nothing is sent to an upstream.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    gatewayctl simulate kong.yml GET https://localhost/api/v1/users\n  \
    gatewayctl simulate kong.yml POST http://localhost/api/v1/orders -H 'X-Version: 2' --consumer web-app --format json\n\n\
    Exit status: 0 a route wins, 1 none does or the configuration is not valid, 2 could not run.")]
pub struct Args {
    /// The configuration: a file, a folder, or - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The request's method
    #[arg(value_name = "METHOD")]
    method: String,
    /// The request's URL: https if the client uses TLS; the host is the Host header
    #[arg(value_name = "URL")]
    url: String,
    /// A header, `Name: value`; may be given more than once
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    headers: Vec<String>,
    /// The client's address
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    client_ip: std::net::IpAddr,
    /// The server name that the client sends over TLS (SNI) [default: the URL's host]
    #[arg(long, value_name = "NAME")]
    sni: Option<String>,
    /// The consumer that authentication identifies, by username, custom_id or id; authentication plugins are skipped then
    #[arg(long, value_name = "NAME")]
    consumer: Option<String>,
    #[command(flatten)]
    dialect: Dialect,
    /// The format of the output
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Human,
    /// One JSON document.
    Json,
}

pub fn run(args: Args, console: &Console) -> Result<Status, Failure> {
    let dialect = Project::dialect(std::slice::from_ref(&args.file), args.dialect)?;
    let loaded = input::load_files(vec![args.file.clone()], dialect)?;
    let Some(state) = loaded.state.clone() else {
        validate::report(&loaded, render::Format::Human, Level::Error, console)?;
        return Ok(Status::Findings);
    };
    let flavor = dialect.flavor();
    let node = runtime::Options { flavor, registry: registry().clone(), ..runtime::Options::default() };
    let stores = Stores::default();
    let (snapshot, _) = runtime::compile(state, &node, &stores, None);
    let gateway = Gateway::new(node, stores, snapshot);
    let snapshot = gateway.snapshot();
    let consumer = match &args.consumer {
        None => None,
        Some(name) => Some(consumer(&snapshot.state, name)?),
    };
    let request = SimRequest::new(&args)?;
    let outcome = request.simulate(&gateway, consumer)?;
    let report =
        Simulation { loaded: &loaded, snapshot: &snapshot, flavor, request: &request, consumer, outcome }
            .to_json();
    match args.format {
        Format::Json => console.out(&format!("{report:#}\n"))?,
        Format::Human => console.out(&human(&report))?,
    }
    Ok(if report["route"].is_null() { Status::Findings } else { Status::Clean })
}

fn consumer(state: &State, name: &str) -> Result<Ix<Consumer>, Failure> {
    let is = |c: &Consumer| {
        c.username.as_deref() == Some(name)
            || c.custom_id.as_deref() == Some(name)
            || c.id.to_string() == name
    };
    let found = state.consumers.iter().find(|(_, c)| is(c)).map(|(ix, _)| ix);
    let names = || {
        let rows = state.consumers.iter();
        rows.flat_map(|(_, c)| [c.username.as_deref(), c.custom_id.as_deref()]).flatten()
    };
    found.ok_or_else(|| usage::unknown("--consumer", name, "the configuration has no such consumer", names()))
}

/// The request that is simulated.
struct SimRequest {
    method: String,
    https: bool,
    host: String,
    path: String,
    query: String,
    headers: HeaderMap,
    spelled: Vec<HeaderSpelling>,
    sni: Option<String>,
    client: std::net::IpAddr,
}

impl SimRequest {
    fn new(args: &Args) -> Result<Self, Failure> {
        if http::Method::from_bytes(args.method.as_bytes()).is_err() {
            let turned = if args.method.contains("://") { "; the method comes before the URL" } else { "" };
            return Err(Failure::Other(format!("{:?} is no method{turned}", args.method)));
        }
        let bad = |what: &str| Failure::Other(format!("{what}: write URLs as https://host[:port]/path"));
        let (scheme, rest) = args.url.split_once("://").ok_or_else(|| bad(&args.url))?;
        let https = match scheme {
            "https" => true,
            "http" => false,
            _ => return Err(bad(&args.url)),
        };
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, target) = rest.split_at(at);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (mut headers, mut spelled) = (HeaderMap::new(), Vec::new());
        let mut host = host.to_owned();
        for line in &args.headers {
            let wrong = || Failure::Other(format!("-H {line}: write headers as 'Name: value'"));
            let (name, value) = line.split_once(':').ok_or_else(wrong)?;
            let spelling = HeaderSpelling::new(name.trim()).map_err(|_| wrong())?;
            let name = spelling.name.clone();
            let value = HeaderValue::try_from(value.trim()).map_err(|_| wrong())?;
            if name == http::header::HOST {
                host = value.to_str().map_err(|_| wrong())?.to_owned();
            }
            headers.append(name, value);
            spelled.push(spelling);
        }
        let name = args.sni.clone().unwrap_or_else(|| router::split_port(&host).0.to_owned());
        Ok(SimRequest {
            method: args.method.clone(),
            https,
            path: if path.is_empty() { "/".to_owned() } else { path.to_owned() },
            query: query.to_owned(),
            headers,
            spelled,
            sni: https.then_some(name),
            client: args.client_ip,
            host,
        })
    }

    /// Runs the request through router and plugins.
    fn simulate(
        &self,
        gateway: &Arc<Gateway>,
        consumer: Option<Ix<Consumer>>,
    ) -> Result<SimulatedOutcome, Failure> {
        let wrong = |error: &dyn std::fmt::Display| Failure::Other(format!("{}: {error}", self.path));
        let target = format!("{}{}", self.path, self.query_suffix());
        let mut head = http::Request::builder().method(&*self.method).uri(target);
        if let Some(headers) = head.headers_mut() {
            headers.clone_from(&self.headers);
            let host = HeaderValue::from_str(&self.host).map_err(|error| wrong(&error))?;
            headers.insert(http::header::HOST, host);
        }
        let request = proxy::SimulatedRequest {
            head: head.body(()).map_err(|error| wrong(&error))?,
            spellings: self.spelled.clone(),
            tls: self.https,
            sni: self.sni.as_deref().map(Arc::from),
            client: self.client,
            consumer,
        };
        Ok(Simulator::new(gateway)?.run(request, |name| consumer.is_some() && registry().authenticates(name)))
    }

    /// Returns the query with its question mark. Empty if there is no query.
    fn query_suffix(&self) -> String {
        if self.query.is_empty() { String::new() } else { format!("?{}", self.query) }
    }

    fn line(&self) -> RequestInput<'_> {
        RequestInput {
            method: &self.method,
            https: self.https,
            host: Some(&self.host),
            query: &self.query,
            headers: &self.headers,
            sni: self.sni.as_deref(),
            source: (self.client, 40000),
            destination: (std::net::Ipv4Addr::LOCALHOST.into(), if self.https { 443 } else { 80 }),
        }
    }
}

/// Target, method, headers with the spelling of their names, whether TLS is used, and the address that a plugin chose.
type ForwardedRequest<'a> =
    (&'a str, &'a str, (&'a HeaderMap, &'a [String]), bool, Option<&'a (String, u16)>);

struct Simulation<'a> {
    loaded: &'a Loaded,
    snapshot: &'a Snapshot,
    flavor: Flavor,
    request: &'a SimRequest,
    consumer: Option<Ix<Consumer>>,
    outcome: SimulatedOutcome,
}

impl Simulation<'_> {
    fn to_json(&self) -> Value {
        let state = &self.snapshot.state;
        let path = router::normalize(&self.request.path);
        let found = self.snapshot.router.find(&self.request.line(), &path);
        let winner = found.as_ref().map(|f| f.route);
        let others: Vec<Value> = state
            .routes
            .iter()
            .filter(|(ix, _)| Some(*ix) != winner)
            .map(|(_, route)| {
                json!({ "route": name(route), "at": self.place(route.origin), "lost_at": self.failed_attribute(route) })
            })
            .collect();
        let entry = winner.map(|ix| self.snapshot.route(ix));
        let consumer = match &self.outcome {
            SimulatedOutcome::Forwarded { consumer, .. } => *consumer,
            SimulatedOutcome::Responded { .. } => self.consumer,
        };
        let chain = entry.map_or(&self.snapshot.global, |entry| &entry.chain);
        let plugins: Vec<Value> = chain
            .slots
            .iter()
            .filter_map(|slot| slot.select(consumer))
            .map(|row| {
                let plugin = &state.plugins[row];
                json!({
                    "name": plugin.name, "instance_name": plugin.instance_name, "scope": scope(plugin),
                    "at": self.place(plugin.origin),
                })
            })
            .collect();
        let (forwarded, answered) = match &self.outcome {
            SimulatedOutcome::Responded { plugin, status, body, .. } => {
                let body = String::from_utf8_lossy(body);
                (None, Some(json!({ "status": status.as_u16(), "plugin": plugin, "body": body })))
            }
            SimulatedOutcome::Forwarded { target, method, headers, names, tls, address, .. } => {
                let service = entry.and_then(|entry| entry.service);
                let forwarded = service.map(|service| {
                    let headers = (headers, names.as_slice());
                    let sent = (target.as_str(), method.as_str(), headers, *tls, address.as_ref());
                    self.forwarded(service, sent)
                });
                (forwarded, None)
            }
        };
        json!({
            "request": {
                "method": self.request.method, "host": self.request.host, "path": self.request.path,
                "https": self.request.https, "sni": self.request.sni,
            },
            "route": winner.map(|ix| {
                let route = &state.routes[ix];
                json!({ "name": name(route), "at": self.place(route.origin), "strip_path": route.strip_path })
            }),
            "captures": found.as_ref().map(|f| f.captures.to_vec()).unwrap_or_default(),
            "lost": others,
            "plugins": plugins,
            "consumer": consumer.map(|ix| Row::name(&state.consumers[ix])),
            "upstream": forwarded,
            "answered": answered,
        })
    }

    /// Renders the request that is sent, and its destination.
    fn forwarded(
        &self,
        service: Ix<Service>,
        (target, method, (headers, names), tls, address): ForwardedRequest<'_>,
    ) -> Value {
        let state = &self.snapshot.state;
        let row = &state.services[service];
        let (host, port) = address.map_or((row.host.as_str(), row.port), |(host, port)| (host, *port));
        let scheme = if tls { "https" } else { "http" };
        let upstream = state.upstreams.by_name(host).map(|ix| &state.upstreams[ix]);
        let targets: Vec<Value> = upstream.map_or_else(
            || vec![json!({ "target": format!("{host}:{port}"), "weight": 100 })],
            |upstream| {
                let own = state.targets.rows().iter().filter(|t| t.upstream.id == upstream.id);
                own.map(|t| json!({ "target": canonical_target(&t.target), "weight": t.weight })).collect()
            },
        );
        let mut shown = Map::new();
        for spelled in names {
            let Ok(name) = HeaderName::try_from(spelled) else { continue };
            // Values of fields whose names differ only in case are rendered under the first spelling.
            if shown.keys().any(|known: &String| known.eq_ignore_ascii_case(spelled)) {
                continue;
            }
            let values: Vec<&str> =
                headers.get_all(&name).iter().map(|value| self.shown(&name, value)).collect();
            shown.insert(spelled.clone(), values.join(", ").into());
        }
        json!({
            "service": Row::name(row), "at": self.place(row.origin), "method": method, "path": target,
            "host": headers.get(http::header::HOST).and_then(|host| host.to_str().ok()), "protocol": scheme,
            "url": format!("{scheme}://{host}:{port}{target}"), "headers": shown,
            "upstream": upstream.map(|u| &u.name), "targets": targets,
            "retries": self.snapshot.service(service).retries,
        })
    }

    /// Renders a header's value. A value that is different for each request is described, and a secret from the
    /// configuration is masked.
    fn shown<'v>(&self, name: &HeaderName, value: &'v HeaderValue) -> &'v str {
        let secret = is_credential_name(name.as_str());
        match name.as_str() {
            "x-kong-request-id" => "(new for each request)",
            _ if secret && !self.request.headers.get_all(name).iter().any(|sent| sent == value) => "****",
            _ => value.to_str().unwrap_or("(not text)"),
        }
    }

    fn place(&self, origin: Option<NodeId>) -> Option<String> {
        origin.map(|node| self.loaded.sources.display_position(self.loaded.document.span(node)))
    }

    /// Returns the first attribute that the request does not match: each is tried in a router with a route that has only
    /// this attribute.
    fn failed_attribute(&self, route: &Route) -> &'static str {
        let bare = Route {
            methods: None,
            hosts: None,
            paths: None,
            headers: None,
            snis: None,
            service: None,
            ..route.clone()
        };
        if self.flavor == Flavor::Expressions && route.expression.is_some() {
            return if self.wins(Route { service: None, ..route.clone() }) {
                "priority"
            } else {
                "expression"
            };
        }
        let all = Some(vec!["/".to_owned()]);
        // A route needs a condition; this one matches every path.
        let with_path = Route { paths: serde_json::from_value(json!(all)).ok(), ..bare.clone() };
        let parts = [
            ("protocol", true, with_path.clone()),
            (
                "method",
                route.methods.is_some(),
                Route { methods: route.methods.clone(), ..with_path.clone() },
            ),
            ("host", route.hosts.is_some(), Route { hosts: route.hosts.clone(), ..with_path.clone() }),
            ("path", route.paths.is_some(), Route { paths: route.paths.clone(), ..bare }),
            (
                "header",
                route.headers.is_some(),
                Route { headers: route.headers.clone(), ..with_path.clone() },
            ),
            ("sni", route.snis.is_some(), Route { snis: route.snis.clone(), ..with_path }),
        ];
        let failed = parts.into_iter().find(|(_, given, alone)| *given && !self.wins(alone.clone()));
        failed.map_or("priority", |(attribute, ..)| attribute)
    }

    fn wins(&self, route: Route) -> bool {
        let mut state = State::default();
        state.routes.push(route);
        let (router, _) = Router::build(&state.indexed(), self.flavor, PriorityMode::default());
        router.find(&self.request.line(), &router::normalize(&self.request.path)).is_some()
    }
}

fn name(route: &Route) -> String {
    route.name.clone().unwrap_or_else(|| route.id.to_string())
}

/// Returns the scope of a plugin's row.
fn scope(plugin: &PluginEntity) -> String {
    let parts = [
        (plugin.route.is_some(), "route"),
        (plugin.service.is_some(), "service"),
        (plugin.consumer.is_some(), "consumer"),
    ];
    let named: Vec<&str> = parts.iter().filter(|(given, _)| *given).map(|(_, name)| *name).collect();
    if named.is_empty() { "global".to_owned() } else { named.join(" + ") }
}

fn human(report: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let place = |value: &Value| value["at"].as_str().map(|at| format!("  {at}")).unwrap_or_default();
    let mut out = match &report["route"] {
        Value::Null => "route     none matches: 404\n".to_owned(),
        route => format!("route     {}{}\n", text(&route["name"]), place(route)),
    };
    for lost in report["lost"].as_array().into_iter().flatten() {
        let (route, why) = (text(&lost["route"]), text(&lost["lost_at"]));
        out += &format!("  not     {route}: {why}{}\n", place(lost));
    }
    for plugin in report["plugins"].as_array().into_iter().flatten() {
        let (plugin_name, scope) = (text(&plugin["name"]), text(&plugin["scope"]));
        out += &format!("plugin    {plugin_name} ({scope}){}\n", place(plugin));
    }
    if let Some(consumer) = report["consumer"].as_str() {
        out += &format!("consumer  {consumer}\n");
    }
    let answered = &report["answered"];
    if !answered.is_null() && !report["route"].is_null() {
        let by = answered["plugin"].as_str().map(|plugin| format!(" by {plugin}")).unwrap_or_default();
        let body = text(&answered["body"]);
        // On one line, where it is JSON.
        let body = serde_json::from_str::<Value>(&body).map_or(body, |body| body.to_string());
        out += &format!("answers   {}{by}  {}\n", answered["status"], body.trim_end());
    }
    let forwarded = &report["upstream"];
    if !forwarded.is_null() {
        out += &format!("service   {}{}\n", text(&forwarded["service"]), place(forwarded));
        out += &format!("sends     {} {}\n", text(&forwarded["method"]), text(&forwarded["url"]));
        for (name, value) in forwarded["headers"].as_object().into_iter().flatten() {
            out += &format!("  header  {name}: {}\n", text(value));
        }
        for target in forwarded["targets"].as_array().into_iter().flatten() {
            out += &format!("  target  {} (weight {})\n", text(&target["target"]), target["weight"]);
        }
    }
    out
}
