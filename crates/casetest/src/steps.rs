//! The steps of a case, one after another, against a running engine.

#![allow(clippy::result_large_err, reason = "a step that fails ends its case")]

use std::{
    cell::RefCell,
    future::Future,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use indexmap::IndexMap;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokio::task::spawn_local;

use super::{
    Failure, assertions,
    case::{Expect, Mock, Received, Send, Step},
    client::{self, Response},
    compare::{Mismatch, compare},
    engine::Engine,
    generators,
    interpolate::{Names, fill, plain},
    mock::Server,
    raw_http,
    read::LoadedCase,
    sink::Sink,
};
use config::Input;
use source::to_yaml;
use store::Clock;

/// A case under way.
pub struct CaseRunner<'a> {
    /// The case.
    pub case: &'a LoadedCase,
    /// The gateway.
    pub engine: &'a Engine,
    /// Its clock.
    pub clock: &'a Clock,
    /// The upstreams.
    pub mocks: &'a IndexMap<String, Rc<Server>>,
    /// The sinks.
    pub sinks: &'a IndexMap<String, Sink>,
    /// What names stand for.
    pub names: RefCell<Names>,
}

/// How often something that is to come true is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// What a step came to: what differs, and the answer it is about.
type Outcome = Result<(), (Vec<Mismatch>, Option<Response>)>;

fn wrong(
    what: impl Into<String>,
    expected: impl Into<String>,
    seen: impl Into<String>,
) -> (Vec<Mismatch>, Option<Response>) {
    (vec![Mismatch::new(what, expected, seen)], None)
}

fn typed<T: DeserializeOwned>(value: Value) -> Result<T, (Vec<Mismatch>, Option<Response>)> {
    serde_json::from_value(value)
        .map_err(|error| wrong("the step", "something that can be done", error.to_string()))
}

/// A configuration as the engine takes it: a text as it is, anything else as YAML.
pub fn input(config: &Value, name: &str) -> Input {
    let text = match config {
        Value::String(text) => text.clone(),
        other => to_yaml(other),
    };
    Input::Text { name: name.to_owned(), text: text.into_bytes() }
}

fn seconds(wait: f64) -> Duration {
    Duration::try_from_secs_f64(wait).unwrap_or_default()
}

impl CaseRunner<'_> {
    /// Does all steps, up to the first that fails.
    ///
    /// # Errors
    /// With that step and all that is wrong with it.
    pub async fn run(&self) -> Result<(), Box<Failure>> {
        let raw = self.case.raw.get("steps").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for (number, raw) in raw.iter().enumerate() {
            let raw = match raw.get("make") {
                // What is made may use what was made just before: names are filled in one by one.
                Some(_) => raw.clone(),
                None => fill(raw, &self.names.borrow()),
            };
            if let Err((mismatches, answer)) = self.step(&raw).await {
                return Err(Box::new(Failure {
                    step: Some(number + 1),
                    line: self.case.steps.get(number).copied().unwrap_or(self.case.line),
                    action: describe(&raw),
                    mismatches,
                    answer: answer.as_ref().map(render_response),
                }));
            }
        }
        Ok(())
    }

    async fn step(&self, raw: &Value) -> Outcome {
        let step: Step = typed(raw.clone())?;
        if let Some(wait) = step.wait {
            self.wait(seconds(wait)).await;
        } else if let Some(period) = step.align {
            self.align(period, step.room.unwrap_or(period * 0.9));
        } else if let Some(made) = &step.make {
            self.make(made)?;
        } else if let Some(config) = &step.reload {
            self.reload(config, step.refused.as_ref()).await?;
        } else if let Some(changes) = step.upstream {
            self.change(changes)?;
        } else if let Some(counts) = &step.saw {
            let mut found = Vec::new();
            for (name, want) in counts {
                let seen = self.mocks.get(name).map(|mock| mock.count().into());
                compare(want, seen.as_ref(), &format!("requests seen by {name}"), &mut found);
            }
            fail_if(found, None)?;
        } else if let Some(received) = &step.received {
            self.received(received).await?;
        } else {
            self.request(raw, &step).await?;
        }
        Ok(())
    }

    async fn wait(&self, wait: Duration) {
        let idle = !self.case.case.steps.iter().any(|step| step.background);
        if idle && self.engine.can_use_virtual_time() {
            self.clock.advance(wait);
        } else {
            tokio::time::sleep(wait).await;
        }
    }

    /// Goes to the start of the next period, which only the clock knows of.
    fn align(&self, period: f64, room: f64) {
        let left = period - self.clock.now().as_secs_f64() % period;
        if left < room {
            self.clock.advance(seconds(left + 0.03));
        }
    }

    fn make(&self, made: &IndexMap<String, IndexMap<String, Value>>) -> Outcome {
        for (name, one) in made {
            for (kind, settings) in one {
                let settings = fill(settings, &self.names.borrow());
                let value = generators::make(kind, &settings, self.clock.now())
                    .map_err(|reason| wrong(name.as_str(), format!("a {kind}"), reason))?;
                self.names.borrow_mut().insert(name.clone(), value.into());
            }
        }
        Ok(())
    }

    async fn reload(&self, config: &Value, refused: Option<&Value>) -> Outcome {
        let outcome = self.engine.reload(input(config, "kong.yml")).await;
        let mut found = Vec::new();
        match (outcome, refused) {
            (Ok(()), None) => {}
            (Ok(()), Some(_)) => return Err(wrong("the configuration", "refused", "accepted")),
            (Err(reason), None) => return Err(wrong("the configuration", "accepted", reason)),
            (Err(reason), Some(want)) => compare(want, Some(&reason.into()), "the refusal", &mut found),
        }
        fail_if(found, None)
    }

    fn change(&self, changes: IndexMap<String, Option<Mock>>) -> Outcome {
        for (name, behaviour) in changes {
            let Some(mock) = self.mocks.get(&name) else {
                return Err(wrong("the step", "an upstream of the case", name));
            };
            mock.set(behaviour.unwrap_or_default());
        }
        Ok(())
    }

    /// What a sink received, or an upstream saw.
    fn entries(&self, name: &str) -> Vec<Value> {
        match self.sinks.get(name) {
            Some(sink) => sink.entries(),
            None => self.mocks.get(name).map(|mock| mock.seen()).unwrap_or_default(),
        }
    }

    async fn received(&self, want: &Received) -> Outcome {
        let until = Instant::now() + seconds(want.within.unwrap_or(5.0));
        loop {
            let found = assertions::entries(want, &self.entries(&want.sink));
            if found.is_empty() {
                return Ok(());
            }
            if Instant::now() > until {
                return fail_if(found, None);
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    async fn request(&self, raw: &Value, step: &Step) -> Outcome {
        let (template, spec) = match (&step.admin, &step.send) {
            (Some(spec), _) => (&raw["admin"], spec),
            (None, Some(spec)) => (&raw["send"], spec),
            (None, None) => return Ok(()),
        };
        let address = match (step.admin.is_some(), spec.scheme) {
            (true, _) => self.engine.admin(),
            (_, Some(super::case::Scheme::Https)) => self.engine.https(),
            _ => self.engine.http(),
        };
        if step.background {
            let spec = spec.clone();
            spawn_local(async move { drop(client::send(address, &spec).await) });
            return Ok(());
        }
        if let Some(spread) = &step.spread {
            return spread_over(address, template, step.times.unwrap_or(100), spread).await;
        }
        let want = step.expect.clone().unwrap_or_default();
        let mut last: Option<Response> = None;
        for number in 0..step.times.unwrap_or(1) {
            let spec = match step.times {
                Some(_) => numbered(template, number)?,
                None => spec.clone(),
            };
            let answer =
                self.until_fits(address, &spec, &want, step.within).await.map_err(|mut failed| {
                    if step.times.is_some() {
                        failed
                            .0
                            .iter_mut()
                            .for_each(|m| m.what = format!("request {}: {}", number + 1, m.what));
                    }
                    failed
                })?;
            let Some(answer) = answer else { return Ok(()) };
            if let (Some(name), Some(last)) = (&want.different, &last)
                && raw_http::get(&answer.fields, name) == raw_http::get(&last.fields, name)
            {
                let seen = raw_http::get(&answer.fields, name).join(", ");
                return Err(wrong(format!("header {name}"), "another value than before", seen));
            }
            last = Some(answer);
        }
        if let Some(answer) = last {
            self.save(&step.save, &answer)?;
        }
        Ok(())
    }

    /// Sends until the response is as expected, but at least once. `None` if the connection was closed, and the case
    /// allows it.
    async fn until_fits(
        &self,
        address: SocketAddr,
        spec: &Send,
        want: &Expect,
        within: Option<f64>,
    ) -> Result<Option<Response>, (Vec<Mismatch>, Option<Response>)> {
        let until = Instant::now() + seconds(within.unwrap_or(0.0));
        loop {
            let failed = match client::send(address, spec).await {
                Ok(answer) => {
                    let found = assertions::response(want, &answer);
                    if found.is_empty() {
                        return Ok(Some(answer));
                    }
                    (found, Some(answer))
                }
                Err(error) if want.closed && client::is_closed(&error) => return Ok(None),
                Err(error) => wrong("the request", "an answer", error.to_string()),
            };
            if Instant::now() >= until {
                return Err(failed);
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    fn save(&self, save: &IndexMap<String, String>, answer: &Response) -> Outcome {
        for (name, place) in save {
            let (kind, key) = place.split_once(':').unwrap_or((place, ""));
            let body = || String::from_utf8_lossy(&answer.body).into_owned();
            let value = match kind {
                "header" => raw_http::by_name(&answer.fields).get(&key.to_ascii_lowercase()).cloned(),
                "json" => serde_json::from_slice::<Value>(&answer.body).ok().and_then(|value| {
                    key.split('.').try_fold(value, |value, key| match value {
                        Value::Array(mut items) => {
                            let index = key.parse::<usize>().ok().filter(|i| *i < items.len())?;
                            Some(items.swap_remove(index))
                        }
                        mut other => other.get_mut(key).map(Value::take),
                    })
                }),
                "match" => fancy_regex::Regex::new(key).ok().and_then(|regex| {
                    let text = body();
                    let found = regex.captures(&text).ok()??;
                    Some(found.get(1)?.as_str().into())
                }),
                "cookie" => {
                    let cookies = raw_http::get(&answer.fields, "set-cookie");
                    let pairs: Vec<&str> = cookies.iter().filter_map(|c| c.split(';').next()).collect();
                    Some(pairs.join("; ").into())
                }
                _ => return Err(wrong("the step", "header:, json:, match: or cookie:", place.as_str())),
            };
            let value = value.ok_or_else(|| {
                (vec![Mismatch::new(place.as_str(), "something to save", "nothing")], Some(answer.clone()))
            })?;
            self.names.borrow_mut().insert(name.clone(), value);
        }
        Ok(())
    }
}

fn fail_if(found: Vec<Mismatch>, answer: Option<Response>) -> Outcome {
    if found.is_empty() { Ok(()) } else { Err((found, answer)) }
}

fn numbered(template: &Value, number: usize) -> Result<Send, (Vec<Mismatch>, Option<Response>)> {
    typed(fill(template, &Names::from([("n".to_owned(), json!(number))])))
}

/// Sends many requests and counts where they land.
async fn spread_over(
    address: SocketAddr,
    template: &Value,
    times: usize,
    spread: &IndexMap<String, Value>,
) -> Outcome {
    let mut tally: Map<String, Value> = Map::new();
    for number in 0..times {
        let answer = client::send(address, &numbered(template, number)?).await;
        let answer =
            answer.map_err(|e| wrong(format!("request {}", number + 1), "an answer", e.to_string()))?;
        let echo = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
        let place =
            echo.get("upstream").and_then(Value::as_str).map_or(answer.status.to_string(), str::to_owned);
        let count = tally.get(&place).and_then(Value::as_u64).unwrap_or(0);
        tally.insert(place, (count + 1).into());
    }
    let mut found = Vec::new();
    for (place, want) in spread {
        let want = match want.as_array().map(Vec::as_slice) {
            Some([least, most]) => json!({ "gte": least, "lte": most }),
            _ => want.clone(),
        };
        let what = format!("share of {place} in {}", Value::Object(tally.clone()));
        compare(&want, Some(tally.get(place).unwrap_or(&json!(0))), &what, &mut found);
    }
    fail_if(found, None)
}

/// A step in a few words.
fn describe(raw: &Value) -> String {
    if let Some(about) = raw.get("about") {
        return plain(about);
    }
    for kind in ["send", "admin"] {
        let Some(spec) = raw.get(kind) else { continue };
        let text = |name: &str, default: &str| spec.get(name).map_or_else(|| default.to_owned(), plain);
        if let Some(raw) = spec.get("raw") {
            return format!("{kind} {:?}", plain(raw).lines().next().unwrap_or_default());
        }
        let host = spec.get("host").map(|h| format!(" to {}", plain(h))).unwrap_or_default();
        return format!("{kind} {} {}{host}", text("method", "GET"), text("path", "/"));
    }
    match raw.as_object().and_then(|map| map.iter().next()) {
        Some((kind, value)) if value.is_object() => kind.clone(),
        Some((kind, value)) => format!("{kind} {}", plain(value)),
        None => "step".to_owned(),
    }
}

/// An answer as it came, its body shortened.
fn render_response(answer: &Response) -> String {
    const MAX_SHOWN_CHARS: usize = 1000;
    let mut out = format!("{} {} {}\n", answer.version, answer.status, answer.reason);
    for (name, value) in &answer.fields {
        out += &format!("{name}: {value}\n");
    }
    let body = String::from_utf8_lossy(&answer.body);
    out.push('\n');
    out.extend(body.chars().take(MAX_SHOWN_CHARS));
    if body.chars().nth(MAX_SHOWN_CHARS).is_some() {
        out += &format!(" … ({} bytes)", answer.body.len());
    }
    out.trim_end().to_owned()
}

/// Waits for a future, on the runtime's thread, with the tasks of its mocks.
pub fn block_on_local<T>(
    runtime: &tokio::runtime::Runtime,
    local: &tokio::task::LocalSet,
    future: impl Future<Output = T>,
) -> T {
    local.block_on(runtime, future)
}
