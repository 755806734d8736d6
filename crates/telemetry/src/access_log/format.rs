//! Formats of log lines: text with variables, as in nginx's `log_format`, and a JSON object.

use super::{
    Escape, QueryLogging, json,
    variable::{Unknown, Variable},
};
use crate::record::Record;

/// A format of log lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    layout: Layout,
    query: QueryLogging,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Layout {
    /// Text and variables.
    Parts(Escape, Box<[Part]>),
    /// One JSON object with all fields.
    Json,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    Variable(Variable),
}

/// Why a format is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// There is no such variable.
    #[error("there is no variable `${0}`")]
    Variable(String),
    /// A `$` without a name after it.
    #[error("a name must follow `$`")]
    Name,
    /// A `${` without `}`.
    #[error("`${{` is not closed with `}}`")]
    Unclosed,
}

/// nginx's predefined format.
const COMBINED: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#;
/// The format of Kong's proxy.
const KONG: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" kong_request_id: "$kong_request_id""#;
/// The format of Kong's streams.
const BASIC: &str = "$remote_addr [$time_local] $protocol $status $bytes_sent $bytes_received $session_time";

impl Format {
    /// Names of the predefined formats.
    pub const PREDEFINED: [&'static str; 4] = ["combined", "kong_log_format", "basic", "json"];

    /// Returns a predefined format: nginx's `combined`, Kong's `kong_log_format` and `basic`, or `json`.
    pub fn predefined(name: &str) -> Option<Format> {
        let text = match name {
            "combined" => COMBINED,
            "kong_log_format" => KONG,
            "basic" => BASIC,
            "json" => return Some(Format { layout: Layout::Json, query: QueryLogging::default() }),
            _ => return None,
        };
        Format::parse(text, Escape::Default).ok()
    }

    /// Parses text with variables: `$name` or `${name}`.
    ///
    /// # Errors
    /// If a variable is not known.
    pub fn parse(text: &str, escape: Escape) -> Result<Format, FormatError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            if at > 0 {
                parts.push(Part::Text(rest[..at].into()));
            }
            rest = &rest[at + 1..];
            let name;
            if let Some(braced) = rest.strip_prefix('{') {
                (name, rest) = braced.split_once('}').ok_or(FormatError::Unclosed)?;
            } else {
                let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
                (name, rest) = rest.split_at(end);
            }
            if name.is_empty() {
                return Err(FormatError::Name);
            }
            let variable = Variable::parse(name).map_err(|Unknown| FormatError::Variable(name.to_owned()))?;
            parts.push(Part::Variable(variable));
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.into()));
        }
        Ok(Format { layout: Layout::Parts(escape, parts.into()), query: QueryLogging::default() })
    }

    /// Sets how queries are logged.
    #[must_use]
    pub fn with_query(self, query: QueryLogging) -> Self {
        Format { query, ..self }
    }

    /// Whether the format contains header fields of the response, which have to be retained for it.
    pub fn uses_response_headers(&self) -> bool {
        match &self.layout {
            Layout::Parts(_, parts) => {
                parts.iter().any(|part| matches!(part, Part::Variable(Variable::ResponseHeader(_))))
            }
            Layout::Json => false,
        }
    }

    /// Appends the line of a record, with the newline.
    pub fn write(&self, record: &Record<'_>, line: &mut Vec<u8>) {
        match &self.layout {
            Layout::Json => json::write(record, self.query, line),
            Layout::Parts(escape, parts) => {
                for part in parts {
                    match part {
                        Part::Text(text) => line.extend_from_slice(text.as_bytes()),
                        Part::Variable(variable) => variable.write(record, *escape, self.query, line),
                    }
                }
            }
        }
        line.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{record, with},
        *,
    };

    fn line(format: &str, escape: Escape) -> String {
        let mut line = Vec::new();
        Format::parse(format, escape).expect("a format").write(&record(), &mut line);
        String::from_utf8(line).expect("text")
    }

    #[test]
    fn predefined_formats_are_those_of_nginx_and_kong() {
        let line = |name: &str| {
            let mut line = Vec::new();
            Format::predefined(name).expect("a format").write(&record(), &mut line);
            String::from_utf8(line).expect("text")
        };
        let combined = "192.0.2.7 - alice [01/Dec/2026:14:26:23 +0000] \"GET /a%20b?key=*** HTTP/1.1\" 200 5 \
            \"https://a.test/?q=***\" \"curl \\x22x\\x22\"";
        assert_eq!(line("combined"), format!("{combined}\n"));
        let id = "000000000000000000000000000000ff";
        assert_eq!(line("kong_log_format"), format!("{combined} kong_request_id: \"{id}\"\n"));
        assert_eq!(line("basic"), "192.0.2.7 [01/Dec/2026:14:26:23 +0000] HTTP/1.1 200 125 80 0.012\n");
        assert!(Format::PREDEFINED.iter().all(|name| Format::predefined(name).is_some()));
        assert_eq!(Format::predefined("other"), None);
    }

    #[test]
    fn variables_are_replaced() {
        for (format, expected) in [
            ("$request_method|$uri|$args|${query_string}|", "GET|/a%20b|key=***|key=***|"),
            ("$request_uri $server_protocol $scheme $host", "/a%20b?key=*** HTTP/1.1 https a.test"),
            ("$status $bytes_sent $request_length $request_time", "200 125 80 0.012"),
            ("$time_iso8601 $msec", "2026-12-01T14:26:23+00:00 1796135183.250"),
            ("$connection $connection_requests $pipe", "9 2 ."),
            ("$remote_port $realip_remote_addr $server_addr:$server_port", "1234 10.0.0.1 10.0.0.2:8443"),
            ("$ssl_protocol $ssl_cipher $ssl_server_name", "TLSv1.3 TLS_AES_128_GCM_SHA256 a.test"),
            ("$upstream_addr|$upstream_status", "10.1.0.1:80, 10.1.0.2:80|-, 200"),
            ("$upstream_connect_time|$upstream_response_time", "0.001, 0.000|-, 0.007"),
            ("$http_x_one $http_none $sent_http_content_type", "1 - text/plain"),
            ("$http_authorization $http_cookie $http_apikey $http_x_api_key", "*** *** *** ***"),
            ("$gateway_route $gateway_service $gateway_consumer", "r s alice"),
            ("$gateway_source $gateway_ended_by $gateway_error $gateway_limited_by", "upstream complete - -"),
            ("", ""),
        ] {
            assert_eq!(line(format, Escape::Default), format!("{expected}\n"), "{format}");
        }
        assert_eq!(
            line("{\"a\":\"$http_user_agent\",\"b\":\"$http_none\"}", Escape::Json),
            "{\"a\":\"curl \\\"x\\\"\",\"b\":\"\"}\n"
        );
    }

    #[test]
    fn a_refused_request_has_no_request_line() {
        let refused = with(|record| record.request = None);
        let mut line = Vec::new();
        Format::parse("\"$request\" $request_method $args", Escape::Default)
            .unwrap()
            .write(&refused, &mut line);
        assert_eq!(line, b"\"-\" - -\n");
    }

    #[test]
    fn queries_are_logged_as_set() {
        for (query, text, expected) in [
            (QueryLogging::Names, "a=1&b&apikey=x%26y&=z&&c=", "/a%20b?a=***&***&apikey=***&=***&&c=***"),
            (QueryLogging::Full, "a=1&b", "/a%20b?a=1&b"),
            (QueryLogging::Off, "a=1&b", "/a%20b"),
        ] {
            let record = with(|record| record.request.as_mut().unwrap().query = Some(text));
            let mut line = Vec::new();
            let format = Format::parse("$request_uri", Escape::Default).unwrap().with_query(query);
            format.write(&record, &mut line);
            assert_eq!(String::from_utf8(line).unwrap(), format!("{expected}\n"));
        }
    }

    #[test]
    fn an_invalid_format_is_explained() {
        let error = |text| Format::parse(text, Escape::Default).unwrap_err().to_string();
        assert_eq!(error("$statsu"), "there is no variable `$statsu`");
        assert_eq!(error("a $ b"), "a name must follow `$`");
        assert_eq!(error("${status"), "`${` is not closed with `}`");
    }
}
