//! Requests from an access log: lines of nginx and Kong (common and combined format), and lines of JSON as
//! the file-log and http-log plugins write them.

use std::io::{self, BufRead};

use serde_json::Value;

use super::SampleRequest;

/// Recorded requests.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// The requests, in order.
    pub requests: Vec<SampleRequest>,
    /// Lines that hold none.
    pub unreadable: usize,
}

/// A log that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The system's reason.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Log {
    /// Reads a log line by line. Lines of the common format do not name the host: they get `host`, if given.
    ///
    /// # Errors
    /// When reading fails. Lines that are no requests are counted.
    pub fn read(mut from: impl BufRead, host: Option<&str>) -> Result<Self, LogError> {
        let mut log = Log::default();
        let mut line = Vec::new();
        loop {
            line.clear();
            if from.read_until(b'\n', &mut line)? == 0 {
                return Ok(log);
            }
            let text = String::from_utf8_lossy(&line);
            let text = text.trim();
            if text.is_empty() {
                continue;
            }
            let read = if text.starts_with('{') { json(text) } else { common(text) };
            match read {
                Some(mut request) => {
                    request.host = request.host.or_else(|| host.map(str::to_owned));
                    log.requests.push(request);
                }
                None => log.unreadable += 1,
            }
        }
    }
}

/// `… "GET /path?query HTTP/1.1" 200 …`
fn common(line: &str) -> Option<SampleRequest> {
    let quoted = line.split('"').nth(1)?;
    let mut words = quoted.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    if !version.starts_with("HTTP/") || method.is_empty() {
        return None;
    }
    Some(request(method, target, None))
}

/// A line of JSON with a `request` as Kong's log plugins write it.
fn json(line: &str) -> Option<SampleRequest> {
    let value: Value = serde_json::from_str(line).ok()?;
    let asked = value.get("request")?;
    let headers = asked.get("headers").and_then(Value::as_object);
    let text = |v: &Value| match v {
        Value::Array(items) => items.first().and_then(Value::as_str).map(str::to_owned),
        other => other.as_str().map(str::to_owned),
    };
    let host = headers.and_then(|h| h.get("host")).and_then(text);
    let mut probe = request(asked.get("method")?.as_str()?, asked.get("uri")?.as_str()?, host);
    probe.https = asked.get("url").and_then(Value::as_str).is_some_and(|url| url.starts_with("https://"))
        || asked.get("tls").is_some_and(Value::is_object);
    for (name, value) in headers.into_iter().flatten().filter(|(name, _)| *name != "host") {
        // What identifies people is nothing that routes look at, and must not be printed.
        if !matches!(name.as_str(), "authorization" | "cookie" | "apikey" | "proxy-authorization") {
            probe.headers.extend(text(value).map(|value| (name.clone(), value)));
        }
    }
    Some(probe)
}

fn request(method: &str, target: &str, host: Option<String>) -> SampleRequest {
    let mut probe = SampleRequest { method: method.to_owned(), host, ..SampleRequest::default() };
    let rest = match target.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('/') => {
            probe.https = scheme.eq_ignore_ascii_case("https");
            let end = rest.find('/').unwrap_or(rest.len());
            probe.host = Some(rest[..end].to_owned());
            &rest[end..]
        }
        _ => target,
    };
    // Queries hold secrets, and only expressions look at them.
    rest.split(['?', '#']).next().unwrap_or("/").clone_into(&mut probe.path);
    if probe.path.is_empty() {
        "/".clone_into(&mut probe.path);
    }
    probe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_both_kinds_are_requests() {
        let text = "127.0.0.1 - - [25/Nov/2026:04:00:00 +0000] \"GET /a?key=s3cret HTTP/1.1\" 200 12 \"-\" \"curl\"\n\
            {\"request\":{\"method\":\"POST\",\"uri\":\"/b\",\"url\":\"https://h:8443/b\",\"headers\":{\"host\":\"h\",\"x-v\":\"2\",\"apikey\":\"s3cret\"}}}\n\
            nonsense\n\n";
        let log = Log::read(text.as_bytes(), Some("api.test")).expect("a log");
        assert_eq!(log.unreadable, 1);
        assert_eq!(log.requests[0].to_string(), "GET http://api.test/a");
        assert_eq!(log.requests[1].to_string(), "POST https://h/b x-v: 2");
    }
}
