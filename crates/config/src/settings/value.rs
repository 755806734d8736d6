//! Types of setting values, each parsed from the syntax of `kong.conf`.

use std::{fmt, net::SocketAddr, time::Duration};

use ipnet::IpNet;

use crate::listen::{ListenError, Listeners};

/// Type of a setting's value.
pub trait Setting: Sized {
    /// Description of the accepted text, for the reference page and error messages.
    const FORM: &'static str;
    /// Whether the value must never be printed.
    const SECRET: bool = false;
    /// Whether an empty text is a value (none, no items).
    const EMPTY: bool = false;
    /// Parses a trimmed text.
    ///
    /// # Errors
    /// If the text is invalid. The error never contains a secret.
    fn parse(text: &str) -> Result<Self, BadValue>;
    /// Formats the value so that it parses back equal; empty for an absent value.
    fn show(&self) -> String;
}

/// Parse error of a setting's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadValue {
    /// Reason, phrased to follow the setting's name.
    pub message: String,
    /// Suggested correction, if more specific than [`Setting::FORM`].
    pub help: Option<String>,
}

impl BadValue {
    /// Builds the error for a text that does not match the form.
    pub fn not<T: Setting>(text: &str) -> Self {
        BadValue { message: format!("`{text}` is not {}", T::FORM), help: None }
    }
}

/// Number of bytes: `8k`, `1m`, `2g` or plain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// Text that must never be printed: a key, a document that contains credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Certificate: path of a PEM file, PEM text, or base64 of PEM text. [`crate::input::pem`] converts it to PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pem(pub String);

/// Peer whose forwarding headers are trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustedPeer {
    /// Address or CIDR block.
    Net(IpNet),
    /// Any peer on a Unix socket.
    Unix,
}

/// Mapping of an external port to a listening port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortMap {
    /// External port, as seen by clients.
    pub host: u16,
    /// Listening port.
    pub listen: u16,
}

/// Destination of log lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// Disabled.
    Off,
    /// File, with an optional name of a log format.
    File {
        /// Path; `/dev/stdout` and `/dev/stderr` are supported.
        path: String,
        /// Name of the log format.
        format: Option<String>,
    },
}

/// Number of workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workers {
    /// One per available core.
    Auto,
    /// Fixed number.
    Count(u16),
}

/// Headers that the gateway adds to responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ResponseHeaders {
    pub via: bool,
    pub server: bool,
    pub proxy_latency: bool,
    pub upstream_latency: bool,
    pub response_latency: bool,
    pub admin_latency: bool,
    pub upstream_status: bool,
    pub request_id: bool,
}

/// Headers that the gateway adds to upstream requests, beyond the mandatory ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UpstreamHeaders {
    /// `X-Kong-Request-Id`.
    pub request_id: bool,
}

/// Declares a setting type with a fixed set of keywords.
macro_rules! choices {
    ($($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Returns the keyword.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl Setting for $name {
            const FORM: &'static str = concat!("one of", $(" `", $text, "`"),+);
            fn parse(text: &str) -> Result<Self, BadValue> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(BadValue {
                        message: format!("`{text}` is not {}", Self::FORM),
                        help: crate::nearest(text, [$($text),+]).map(|n| format!("did you mean `{n}`?")),
                    }),
                }
            }
            fn show(&self) -> String {
                self.name().to_owned()
            }
        }
    )+};
}

choices! {
    /// Router flavor: language of route conditions and matching engine.
    RouterFlavor {
        /// Route fields, matched by the `expressions` engine.
        TraditionalCompatible = "traditional_compatible",
        /// Route fields, matched as before 3.0; the only flavor with `path_handling: v1`.
        Traditional = "traditional",
        /// One expression per route.
        Expressions = "expressions",
    }
    /// Precedence among matching routes where Kong 3.9 deviates from its documentation.
    RouteMatch {
        /// Actual behaviour of Kong 3.9.
        Original = "original",
        /// Documented order.
        Strict = "strict",
    }
    /// Content type of error responses if the request accepts none in particular.
    ErrorType {
        /// JSON object.
        Json = "application/json",
        /// XML document.
        Xml = "application/xml",
        /// HTML page.
        Html = "text/html",
        /// Plain text.
        Plain = "text/plain",
    }
    /// Named set of ciphers and protocol versions.
    CipherSuite {
        /// TLS 1.3 only.
        Modern = "modern",
        /// TLS 1.2 and 1.3 with forward secrecy.
        Intermediate = "intermediate",
        /// All; versions before TLS 1.2 are never offered.
        Old = "old",
        /// TLS 1.2 with approved ciphers.
        Fips = "fips",
        /// `ssl_ciphers` and `ssl_protocols`.
        Custom = "custom",
    }
    /// TLS version.
    TlsVersion {
        /// Never offered here.
        V10 = "TLSv1",
        /// Never offered here.
        V11 = "TLSv1.1",
        /// TLS 1.2.
        V12 = "TLSv1.2",
        /// TLS 1.3.
        V13 = "TLSv1.3",
    }
    /// Log level.
    LogLevel {
        /// Everything.
        Debug = "debug",
        /// Normal operation.
        Info = "info",
        /// Significant events.
        Notice = "notice",
        /// Possible problems.
        Warn = "warn",
        /// Errors.
        Error = "error",
        /// Failure of a component.
        Crit = "crit",
        /// Immediate action required.
        Alert = "alert",
        /// System unusable.
        Emerg = "emerg",
    }
    /// Format of a log line.
    LogFormat {
        /// Human-readable: time, level, message.
        Text = "text",
        /// JSON object.
        Json = "json",
    }
    /// Execution policy of Lua code in configurations.
    UntrustedLua {
        /// Unrestricted.
        On = "on",
        /// Disabled.
        Off = "off",
        /// Sandboxed.
        Sandbox = "sandbox",
    }
}

/// Item of the order of DNS record types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsRecord {
    /// The type that succeeded last.
    Last,
    /// Service records.
    Srv,
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Aliases.
    Cname,
}

const DNS_RECORDS: [(&str, DnsRecord); 5] = [
    ("LAST", DnsRecord::Last),
    ("SRV", DnsRecord::Srv),
    ("A", DnsRecord::A),
    ("AAAA", DnsRecord::Aaaa),
    ("CNAME", DnsRecord::Cname),
];

impl Setting for DnsRecord {
    const FORM: &'static str = "one of `LAST` `SRV` `A` `AAAA` `CNAME`";
    fn parse(text: &str) -> Result<Self, BadValue> {
        // As in Kong, in any case.
        let found = DNS_RECORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        found.map(|(_, record)| *record).ok_or_else(|| BadValue::not::<Self>(text))
    }
    fn show(&self) -> String {
        let found = DNS_RECORDS.iter().find(|(_, record)| record == self);
        found.map(|(name, _)| (*name).to_owned()).unwrap_or_default()
    }
}

impl Setting for bool {
    const FORM: &'static str = "`on` or `off`";
    fn parse(text: &str) -> Result<Self, BadValue> {
        match text.to_ascii_lowercase().as_str() {
            "on" | "true" | "yes" => Ok(true),
            "off" | "false" | "no" => Ok(false),
            _ => Err(BadValue::not::<Self>(text)),
        }
    }
    fn show(&self) -> String {
        if *self { "on" } else { "off" }.to_owned()
    }
}

impl Setting for String {
    const FORM: &'static str = "text";
    fn parse(text: &str) -> Result<Self, BadValue> {
        Ok(text.to_owned())
    }
    fn show(&self) -> String {
        self.clone()
    }
}

impl Setting for u32 {
    const FORM: &'static str = "a whole number, 0 or more";
    fn parse(text: &str) -> Result<Self, BadValue> {
        text.parse().map_err(|_| BadValue::not::<Self>(text))
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Setting for f64 {
    const FORM: &'static str = "a number";
    fn parse(text: &str) -> Result<Self, BadValue> {
        text.parse().ok().filter(|n: &f64| n.is_finite()).ok_or_else(|| BadValue::not::<Self>(text))
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Setting for uuid::Uuid {
    const FORM: &'static str = "a UUID";
    fn parse(text: &str) -> Result<Self, BadValue> {
        uuid::Uuid::parse_str(text).map_err(|_| BadValue::not::<Self>(text))
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Setting for Size {
    const FORM: &'static str = "a size such as `8k`, `1m` or a number of bytes";
    fn parse(text: &str) -> Result<Self, BadValue> {
        let (digits, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
            Some(i) => text.split_at(i),
            None => (text, ""),
        };
        let factor = match unit {
            "" => 1,
            "k" | "K" => 1 << 10,
            "m" | "M" => 1 << 20,
            "g" | "G" => 1 << 30,
            _ => return Err(BadValue::not::<Self>(text)),
        };
        let number: Option<u64> = digits.parse().ok();
        number.and_then(|n| n.checked_mul(factor)).map(Size).ok_or_else(|| BadValue::not::<Self>(text))
    }
    fn show(&self) -> String {
        match self.0 {
            0 => "0".to_owned(),
            n if n.is_multiple_of(1 << 30) => format!("{}g", n >> 30),
            n if n.is_multiple_of(1 << 20) => format!("{}m", n >> 20),
            n if n.is_multiple_of(1 << 10) => format!("{}k", n >> 10),
            n => n.to_string(),
        }
    }
}

impl Setting for Duration {
    const FORM: &'static str = "a time such as `60`, `500ms`, `1h 30m`; seconds if it has no unit";
    fn parse(text: &str) -> Result<Self, BadValue> {
        parse_time(text).ok_or_else(|| BadValue::not::<Self>(text))
    }
    fn show(&self) -> String {
        let millis = self.as_millis();
        if millis.is_multiple_of(1000) { self.as_secs().to_string() } else { format!("{millis}ms") }
    }
}

/// Parses a time: a number of seconds (fractions allowed), or parts with units `ms s m h d w M y`, as in `1h 30m`.
pub fn parse_time(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let mut total = Duration::ZERO;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (digits, tail) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let (unit, tail) = tail.split_at(tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len()));
        let number: u64 = digits.parse().ok()?;
        let seconds = match unit {
            "ms" => 0,
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            "w" => 604_800,
            "M" => 2_592_000,
            "y" => 31_536_000,
            _ => return None,
        };
        let part = if unit == "ms" {
            Duration::from_millis(number)
        } else {
            Duration::from_secs(number.checked_mul(seconds)?)
        };
        total = total.checked_add(part)?;
        rest = tail.trim_start();
    }
    Some(total)
}

impl<T: Setting> Setting for Option<T> {
    const FORM: &'static str = T::FORM;
    const SECRET: bool = T::SECRET;
    const EMPTY: bool = true;
    fn parse(text: &str) -> Result<Self, BadValue> {
        if text.is_empty() { Ok(None) } else { T::parse(text).map(Some) }
    }
    fn show(&self) -> String {
        self.as_ref().map(T::show).unwrap_or_default()
    }
}

/// List item of a setting, with its separators.
pub trait Item: Setting {
    /// Description of a list of these items.
    const LIST: &'static str;
    /// Separator when formatted; when parsed, commas always separate.
    const SEPARATOR: &'static str = ",";
    /// Whether blanks separate items too.
    const BLANKS: bool = false;
}

impl<T: Item> Setting for Vec<T> {
    const FORM: &'static str = T::LIST;
    const SECRET: bool = T::SECRET;
    const EMPTY: bool = true;
    fn parse(text: &str) -> Result<Self, BadValue> {
        text.split(|c: char| c == ',' || (T::BLANKS && c.is_whitespace()))
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(T::parse)
            .collect()
    }
    fn show(&self) -> String {
        self.iter().map(T::show).collect::<Vec<_>>().join(T::SEPARATOR)
    }
}

macro_rules! items {
    ($($kind:ty: $list:literal),+ $(,)?) => {$(impl Item for $kind { const LIST: &'static str = $list; })+};
}
items! {
    String: "words separated by commas",
    Pem: "certificates separated by commas: paths, PEM or base64 of PEM",
    Secret: "keys separated by commas: paths, PEM or base64 of PEM",
    TrustedPeer: "addresses and blocks separated by commas",
    PortMap: "`HOST_PORT:LISTEN_PORT` pairs separated by commas",
    SocketAddr: "`ADDRESS` or `ADDRESS:PORT` separated by commas",
}
impl Item for DnsRecord {
    const LIST: &'static str = "`LAST`, `SRV`, `A`, `AAAA`, `CNAME` separated by commas";
}
impl Item for TlsVersion {
    const LIST: &'static str = "`TLSv1.2`, `TLSv1.3` separated by blanks";
    const SEPARATOR: &'static str = " ";
    const BLANKS: bool = true;
}

impl Setting for Pem {
    const FORM: &'static str = "a path, PEM, or base64 of PEM";
    fn parse(text: &str) -> Result<Self, BadValue> {
        Ok(Pem(text.to_owned()))
    }
    fn show(&self) -> String {
        self.0.clone()
    }
}

impl Setting for Secret {
    const FORM: &'static str = "text";
    const SECRET: bool = true;
    fn parse(text: &str) -> Result<Self, BadValue> {
        Ok(Secret(text.to_owned()))
    }
    fn show(&self) -> String {
        if self.0.is_empty() { String::new() } else { "******".to_owned() }
    }
}

impl Setting for TrustedPeer {
    const FORM: &'static str = "an IP address, a block such as `10.0.0.0/8`, or `unix:`";
    fn parse(text: &str) -> Result<Self, BadValue> {
        if text == "unix:" {
            return Ok(TrustedPeer::Unix);
        }
        let net =
            text.parse::<IpNet>().ok().or_else(|| text.parse().ok().map(|ip: std::net::IpAddr| ip.into()));
        net.map(TrustedPeer::Net).ok_or_else(|| BadValue::not::<Self>(text))
    }
    fn show(&self) -> String {
        match self {
            TrustedPeer::Net(net) => net.to_string(),
            TrustedPeer::Unix => "unix:".to_owned(),
        }
    }
}

impl Setting for PortMap {
    const FORM: &'static str = "a pair of ports such as `443:8443`";
    fn parse(text: &str) -> Result<Self, BadValue> {
        let port = |t: &str| t.trim().parse::<u16>().ok().filter(|p| *p != 0);
        text.split_once(':')
            .and_then(|(host, listen)| Some(PortMap { host: port(host)?, listen: port(listen)? }))
            .ok_or_else(|| BadValue::not::<Self>(text))
    }
    fn show(&self) -> String {
        format!("{}:{}", self.host, self.listen)
    }
}

impl Setting for SocketAddr {
    const FORM: &'static str = "an IP address, with or without a port";
    fn parse(text: &str) -> Result<Self, BadValue> {
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        let alone = || bare.parse().ok().map(|ip: std::net::IpAddr| SocketAddr::new(ip, 53));
        text.parse().ok().or_else(alone).ok_or_else(|| BadValue::not::<Self>(text))
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Setting for Listeners {
    const FORM: &'static str = "`ADDRESS:PORT FLAGS` separated by commas, or `off`";
    fn parse(text: &str) -> Result<Self, BadValue> {
        Listeners::parse(text).map_err(|ListenError { message, help }| BadValue { message, help: Some(help) })
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Setting for LogTarget {
    const FORM: &'static str = "a path, with the name of a format after it if need be, or `off`";
    fn parse(text: &str) -> Result<Self, BadValue> {
        if text == "off" {
            return Ok(LogTarget::Off);
        }
        let (path, format) = match text.split_once(char::is_whitespace) {
            Some((path, format)) => (path, Some(format.trim().to_owned())),
            None => (text, None),
        };
        Ok(LogTarget::File { path: path.to_owned(), format })
    }
    fn show(&self) -> String {
        match self {
            LogTarget::Off => "off".to_owned(),
            LogTarget::File { path, format: None } => path.clone(),
            LogTarget::File { path, format: Some(format) } => format!("{path} {format}"),
        }
    }
}

impl Setting for Workers {
    const FORM: &'static str = "`auto` or a number from 1 to 1024";
    fn parse(text: &str) -> Result<Self, BadValue> {
        match text {
            "auto" => Ok(Workers::Auto),
            _ => text
                .parse()
                .ok()
                .filter(|n| (1..=1024).contains(n))
                .map(Workers::Count)
                .ok_or_else(|| BadValue::not::<Self>(text)),
        }
    }
    fn show(&self) -> String {
        match self {
            Workers::Auto => "auto".to_owned(),
            Workers::Count(n) => n.to_string(),
        }
    }
}

/// Returns the flags that a keyword of `headers`, in lower case, controls.
fn switches<'a>(headers: &'a mut ResponseHeaders, name: &str) -> Option<Vec<&'a mut bool>> {
    Some(match name {
        "server_tokens" => vec![&mut headers.via, &mut headers.server],
        "latency_tokens" => vec![
            &mut headers.proxy_latency,
            &mut headers.upstream_latency,
            &mut headers.response_latency,
            &mut headers.admin_latency,
        ],
        "via" => vec![&mut headers.via],
        "server" => vec![&mut headers.server],
        "x-kong-proxy-latency" => vec![&mut headers.proxy_latency],
        "x-kong-upstream-latency" => vec![&mut headers.upstream_latency],
        "x-kong-response-latency" => vec![&mut headers.response_latency],
        "x-kong-admin-latency" => vec![&mut headers.admin_latency],
        "x-kong-upstream-status" => vec![&mut headers.upstream_status],
        "x-kong-request-id" => vec![&mut headers.request_id],
        _ => return None,
    })
}

const HEADER_NAMES: &[&str] = &[
    "server_tokens",
    "latency_tokens",
    "Via",
    "Server",
    "X-Kong-Proxy-Latency",
    "X-Kong-Upstream-Latency",
    "X-Kong-Response-Latency",
    "X-Kong-Admin-Latency",
    "X-Kong-Upstream-Status",
    "X-Kong-Request-Id",
];

impl Setting for ResponseHeaders {
    const FORM: &'static str =
        "`server_tokens`, `latency_tokens` and names of headers, separated by commas, or `off`";
    fn parse(text: &str) -> Result<Self, BadValue> {
        let mut headers = ResponseHeaders::default();
        let mut off = false;
        for (i, name) in Vec::<String>::parse(text)?.iter().enumerate() {
            if name == "off" {
                off |= i == 0;
                continue;
            }
            match switches(&mut headers, &name.to_ascii_lowercase()) {
                Some(on) => on.into_iter().for_each(|s| *s = true),
                None => {
                    let help = match crate::nearest(name, HEADER_NAMES.iter().copied()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("the names are {}", HEADER_NAMES.join(", ")),
                    };
                    let message = format!("`{name}` is not a header that can be switched");
                    return Err(BadValue { message, help: Some(help) });
                }
            }
        }
        Ok(if off { ResponseHeaders::default() } else { headers })
    }
    fn show(&self) -> String {
        let mut names = Vec::new();
        let mut copy = *self;
        for name in HEADER_NAMES {
            let switched = switches(&mut copy, &name.to_ascii_lowercase()).unwrap_or_default();
            if switched.iter().all(|s| **s) {
                switched.into_iter().for_each(|s| *s = false);
                names.push(*name);
            }
        }
        if names.is_empty() { "off".to_owned() } else { names.join(", ") }
    }
}

impl Setting for UpstreamHeaders {
    const FORM: &'static str = "`X-Kong-Request-Id` or `off`";
    fn parse(text: &str) -> Result<Self, BadValue> {
        let names = Vec::<String>::parse(text)?;
        let known = |name: &String| name == "off" || name.eq_ignore_ascii_case("x-kong-request-id");
        if let Some(wrong) = names.iter().find(|n| !known(n)) {
            return Err(BadValue::not::<Self>(wrong));
        }
        Ok(UpstreamHeaders { request_id: names.first().is_some_and(|n| n != "off") })
    }
    fn show(&self) -> String {
        if self.request_id { "X-Kong-Request-Id" } else { "off" }.to_owned()
    }
}
