//! Types of setting values, each parsed from the syntax of `kong.conf`.

mod headers;
mod plain;

use std::{fmt, net::SocketAddr};

use ipnet::IpNet;

pub use self::{
    headers::{ResponseHeaders, UpstreamHeaders},
    plain::parse_time,
};
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

/// Format of access logs that a [`LogTarget`] can name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLogFormat {
    /// Name.
    pub name: String,
    /// How values are escaped.
    pub escape: LogEscape,
    /// Text with variables.
    pub text: String,
}

/// Number of workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workers {
    /// One per available core.
    Auto,
    /// Fixed number.
    Count(u16),
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
    /// Product that `Server` and `Via` name.
    ProductToken {
        /// This program and its version.
        Gatewayctl = "gatewayctl",
        /// Kong and the version that the gateway is compatible with.
        Kong = "kong",
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
    /// How access logs contain the query of a request.
    QueryLogging {
        /// Names of arguments without their values.
        Names = "names",
        /// All of it.
        Full = "full",
        /// Nothing.
        Off = "off",
    }
    /// How values are escaped in access logs.
    LogEscape {
        /// `\xXX`.
        Default = "default",
        /// As in JSON.
        Json = "json",
        /// Not at all, control characters apart.
        None = "none",
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

impl Setting for AccessLogFormat {
    const FORM: &'static str = "a name and text with variables in quotes: `short '$remote_addr $status'`";
    fn parse(text: &str) -> Result<Self, BadValue> {
        let parts = || {
            let (name, mut rest) = text.split_once(char::is_whitespace)?;
            rest = rest.trim_start();
            let mut escape = LogEscape::Default;
            if let Some(after) = rest.strip_prefix("escape=") {
                let (word, after) = after.split_once(char::is_whitespace)?;
                (escape, rest) = (LogEscape::parse(word).ok()?, after);
            }
            Some(AccessLogFormat { name: name.to_owned(), escape, text: quoted(rest)? })
        };
        parts().ok_or_else(|| BadValue::not::<Self>(text))
    }
    fn show(&self) -> String {
        let AccessLogFormat { name, escape, text } = self;
        let escape = match escape {
            LogEscape::Default => String::new(),
            other => format!("escape={} ", other.name()),
        };
        let text = text.replace('\\', "\\\\").replace('\'', "\\'");
        format!("{name} {escape}'{text}'")
    }
}

/// Joins the strings in single or double quotes that a text consists of. A backslash precedes a quote or a backslash.
fn quoted(text: &str) -> Option<String> {
    let mut joined = String::new();
    let mut chars = text.trim().chars();
    let mut strings = 0;
    while let Some(quote) = chars.find(|c| !c.is_whitespace()) {
        if !matches!(quote, '\'' | '"') {
            return None;
        }
        loop {
            match chars.next()? {
                c if c == quote => break,
                '\\' => match chars.next()? {
                    c @ ('\'' | '"' | '\\') => joined.push(c),
                    c => joined.extend(['\\', c]),
                },
                c => joined.push(c),
            }
        }
        strings += 1;
    }
    (strings > 0).then_some(joined)
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
