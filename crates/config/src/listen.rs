//! Parser of listener lists such as `proxy_listen`: addresses with flags, or `off`.
//!
//! Sockets are opened by the server. The effect of each flag is documented at the field of [`Listener`].

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use super::nearest;
use http_codec::authority;

/// Listener list; empty means `off`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listeners(pub Vec<Listener>);

/// Host part of a listener.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// IP address; `0.0.0.0` and `::` bind all local addresses.
    Ip(IpAddr),
    /// Host name, resolved when the socket is opened.
    Name(String),
}

/// One listener address with its flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The address or name.
    pub host: Host,
    /// Port; 0 lets the kernel choose.
    pub port: u16,
    /// TLS.
    pub ssl: bool,
    /// HTTP/2: by ALPN with `ssl`, else with prior knowledge (h2c) next to HTTP/1.1.
    pub http2: bool,
    /// UDP instead of TCP; only in `stream_listen`.
    pub udp: bool,
    /// Expect a PROXY protocol header on each connection.
    pub proxy_protocol: bool,
    /// One socket per worker. Always done where the kernel supports it; the flag has no effect.
    pub reuseport: bool,
    /// `TCP_DEFER_ACCEPT`: accept only once data has arrived. Always set on HTTP listeners on Linux.
    pub deferred: bool,
    /// Separate `bind()` for this address. Always done; the flag has no effect.
    pub bind: bool,
    /// Accept queue length; the system limit if absent.
    pub backlog: Option<u32>,
    /// `IPV6_V6ONLY` for `[::]`; set if absent.
    pub ipv6only: Option<bool>,
    /// TCP keep-alive on accepted connections; the system default if absent.
    pub so_keepalive: Option<KeepAlive>,
}

/// `so_keepalive=on`, `off` or `idle:interval:count`, each part optional.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepAlive {
    /// Enabled with the system's parameters.
    On,
    /// Disabled.
    Off,
    /// Enabled with these parameters; `None` is the system's default.
    Times {
        /// `TCP_KEEPIDLE`: idle time before the first probe.
        idle: Option<Duration>,
        /// `TCP_KEEPINTVL`: time between probes.
        interval: Option<Duration>,
        /// `TCP_KEEPCNT`: unacknowledged probes before the connection is dropped.
        count: Option<u32>,
    },
}

/// Parse error of a listener list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ListenError {
    /// The reason.
    pub message: String,
    /// Suggested correction.
    pub help: String,
}

const FORM: &str = "write ADDRESS:PORT with flags after it, separated by commas, such as \
                    `0.0.0.0:8000 reuseport, [::]:8443 http2 ssl`, or `off`";

const FLAGS: &[&str] = &[
    "ssl",
    "http2",
    "udp",
    "proxy_protocol",
    "reuseport",
    "deferred",
    "bind",
    "backlog=",
    "ipv6only=",
    "so_keepalive=",
];

impl Listeners {
    /// Parses a list. `off` as its first entry means no listeners.
    ///
    /// # Errors
    /// If an entry is not an address with a port and known flags, if an address is repeated, or if the list is
    /// empty.
    pub fn parse(text: &str) -> Result<Self, ListenError> {
        let entries: Vec<&str> = text.split(',').map(str::trim).filter(|e| !e.is_empty()).collect();
        match entries.first() {
            None => Err(error("no address to listen on".to_owned(), FORM)),
            Some(&"off") => Ok(Listeners::default()),
            Some(_) => {
                let mut list: Vec<Listener> = Vec::with_capacity(entries.len());
                for entry in entries {
                    let listener = Listener::parse(entry)?;
                    let same = |l: &Listener| {
                        l.port != 0
                            && l.host == listener.host
                            && l.port == listener.port
                            && l.udp == listener.udp
                    };
                    if list.iter().any(same) {
                        let message = format!("`{}` is listed twice", listener.address());
                        return Err(error(message, "keep one entry for each address, with all of its flags"));
                    }
                    list.push(listener);
                }
                Ok(Listeners(list))
            }
        }
    }

    /// Returns whether there are no listeners.
    pub fn is_off(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether any listener uses TLS.
    pub fn any_ssl(&self) -> bool {
        self.0.iter().any(|l| l.ssl)
    }
}

impl Listener {
    /// Creates a listener without flags.
    pub fn plain(host: Host, port: u16) -> Self {
        Listener {
            host,
            port,
            ssl: false,
            http2: false,
            udp: false,
            proxy_protocol: false,
            reuseport: false,
            deferred: false,
            bind: false,
            backlog: None,
            ipv6only: None,
            so_keepalive: None,
        }
    }

    /// Formats `host:port`, with brackets around an IPv6 address.
    pub fn address(&self) -> String {
        match &self.host {
            Host::Ip(ip) => SocketAddr::new(*ip, self.port).to_string(),
            Host::Name(name) => format!("{name}:{}", self.port),
        }
    }

    fn parse(entry: &str) -> Result<Self, ListenError> {
        let mut words = entry.split_whitespace();
        let address = words.next().unwrap_or_default();
        let (host, port) = parse_address(address)?;
        let mut listener = Listener::plain(host, port);
        for word in words {
            listener.flag(word).ok_or_else(|| unknown_flag(address, word))?;
        }
        Ok(listener)
    }

    fn flag(&mut self, word: &str) -> Option<()> {
        match word.split_once('=') {
            None => match word {
                "ssl" => self.ssl = true,
                "http2" => self.http2 = true,
                "udp" => self.udp = true,
                "proxy_protocol" => self.proxy_protocol = true,
                "reuseport" => self.reuseport = true,
                "deferred" => self.deferred = true,
                "bind" => self.bind = true,
                _ => return None,
            },
            Some(("backlog", n)) => self.backlog = Some(n.parse().ok()?),
            Some(("ipv6only", v)) => self.ipv6only = Some(on_off(v)?),
            Some(("so_keepalive", v)) => self.so_keepalive = Some(KeepAlive::parse(v)?),
            Some(_) => return None,
        }
        Some(())
    }
}

impl KeepAlive {
    fn parse(text: &str) -> Option<Self> {
        if let Some(on) = on_off(text) {
            return Some(if on { KeepAlive::On } else { KeepAlive::Off });
        }
        let mut parts = text.split(':');
        let (idle, interval, count) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let time = |t: &str| {
            if t.is_empty() { Some(None) } else { super::settings::parse_time(t).map(Some) }
        };
        let count = if count.is_empty() { None } else { Some(count.parse().ok()?) };
        Some(KeepAlive::Times { idle: time(idle)?, interval: time(interval)?, count })
    }
}

fn parse_address(text: &str) -> Result<(Host, u16), ListenError> {
    let malformed = |why: &str| error(format!("`{text}` is not an address to listen on: {why}"), FORM);
    if text.starts_with("unix:") {
        return Err(malformed("Unix sockets cannot be listened on"));
    }
    let (host, port) = authority::split(text);
    let port = port.ok_or_else(|| malformed("the port is missing"))?;
    let host = if host.starts_with('[') {
        let ip = authority::without_brackets(host).parse::<Ipv6Addr>();
        Host::Ip(ip.map_err(|_| malformed("no IPv6 address between the brackets"))?.into())
    } else if host.contains(':') {
        return Err(malformed("an IPv6 address stands in brackets"));
    } else {
        let is_name =
            !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
        match host.parse::<IpAddr>() {
            Ok(ip) => Host::Ip(ip),
            Err(_) if is_name && !host.bytes().all(|b| b.is_ascii_digit() || b == b'.') => {
                Host::Name(host.to_owned())
            }
            Err(_) => return Err(malformed("the part before the port is neither an address nor a name")),
        }
    };
    let port = port.parse().map_err(|_| malformed("a port is a number from 0 to 65535"))?;
    Ok((host, port))
}

fn unknown_flag(address: &str, word: &str) -> ListenError {
    let name = word.split_inclusive('=').next().unwrap_or(word);
    if FLAGS.contains(&name) {
        let help = match name {
            "backlog=" => "write `backlog=` and a whole number",
            "ipv6only=" => "write `ipv6only=on` or `ipv6only=off`",
            _ => "write `so_keepalive=on`, `so_keepalive=off` or `so_keepalive=IDLE:INTERVAL:COUNT`",
        };
        return error(format!("`{word}` after `{address}` has no usable value"), help);
    }
    let message = format!("`{word}` after `{address}` is not a listener flag");
    match nearest(word, FLAGS.iter().copied()) {
        Some(known) => error(message, &format!("did you mean `{known}`?")),
        None => error(message, &format!("the flags are {}", FLAGS.join(", "))),
    }
}

fn error(message: String, help: &str) -> ListenError {
    ListenError { message, help: help.to_owned() }
}

fn on_off(text: &str) -> Option<bool> {
    match text {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

impl fmt::Display for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_off() {
            return f.write_str("off");
        }
        for (i, listener) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            listener.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address())?;
        let flags = [
            (self.http2, "http2"),
            (self.ssl, "ssl"),
            (self.udp, "udp"),
            (self.proxy_protocol, "proxy_protocol"),
            (self.deferred, "deferred"),
            (self.bind, "bind"),
            (self.reuseport, "reuseport"),
        ];
        for (_, name) in flags.iter().filter(|(set, _)| *set) {
            write!(f, " {name}")?;
        }
        if let Some(n) = self.backlog {
            write!(f, " backlog={n}")?;
        }
        if let Some(only) = self.ipv6only {
            write!(f, " ipv6only={}", if only { "on" } else { "off" })?;
        }
        match self.so_keepalive {
            None => Ok(()),
            Some(KeepAlive::On) => f.write_str(" so_keepalive=on"),
            Some(KeepAlive::Off) => f.write_str(" so_keepalive=off"),
            Some(KeepAlive::Times { idle, interval, count }) => {
                let seconds = |d: Option<Duration>| d.map_or(String::new(), |d| format!("{}s", d.as_secs()));
                let count = count.map_or(String::new(), |c| c.to_string());
                write!(f, " so_keepalive={}:{}:{count}", seconds(idle), seconds(interval))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Listener {
        let list = Listeners::parse(text).expect("reads");
        assert_eq!(list.0.len(), 1, "{text}");
        list.0[0].clone()
    }

    fn refused(text: &str) -> ListenError {
        Listeners::parse(text).expect_err(text)
    }

    #[test]
    fn kongs_default_parses_with_all_flags() {
        let text = "0.0.0.0:8000 reuseport backlog=16384, 0.0.0.0:8443 http2 ssl reuseport backlog=16384";
        let list = Listeners::parse(text).expect("reads");
        assert_eq!(list.0.len(), 2);
        assert!(list.any_ssl());
        let (plain, tls) = (&list.0[0], &list.0[1]);
        assert!(plain.reuseport && !plain.ssl && !plain.http2);
        assert_eq!((plain.port, plain.backlog), (8000, Some(16384)));
        assert!(tls.ssl && tls.http2 && tls.reuseport);
        assert_eq!(tls.address(), "0.0.0.0:8443");
    }

    #[test]
    fn off_means_no_listeners() {
        assert!(Listeners::parse(" off ").expect("reads").is_off());
        assert!(Listeners::parse("off, 0.0.0.0:1").expect("reads").is_off());
        assert_eq!(Listeners::default().to_string(), "off");
    }

    #[test]
    fn ipv6_is_bracketed_and_host_names_are_retained() {
        assert_eq!(one("[::1]:80").host, Host::Ip("::1".parse().expect("ip")));
        assert_eq!(one("[::]:8000 ipv6only=off").ipv6only, Some(false));
        assert_eq!(one("localhost:9000").host, Host::Name("localhost".into()));
        assert!(refused("::1:80").message.contains("brackets"));
        assert!(refused("[::1]").message.contains("port is missing"));
    }

    #[test]
    fn so_keepalive_accepts_a_switch_or_three_parts() {
        assert_eq!(one("a:1 so_keepalive=on").so_keepalive, Some(KeepAlive::On));
        let times =
            KeepAlive::Times { idle: Some(Duration::from_secs(1800)), interval: None, count: Some(10) };
        assert_eq!(one("a:1 so_keepalive=30m::10").so_keepalive, Some(times));
        assert!(refused("a:1 so_keepalive=1:2").message.contains("no usable value"));
    }

    #[test]
    fn an_unknown_flag_suggests_the_nearest() {
        let error = refused("0.0.0.0:8000 htp2");
        assert!(error.message.contains("`htp2`"), "{error}");
        assert!(error.help.contains("`http2`"), "{}", error.help);
        assert!(refused("0.0.0.0:8000 backlog=x").help.contains("whole number"));
    }

    #[test]
    fn invalid_listeners_are_rejected_with_a_reason() {
        for (text, why) in [
            ("", "no address"),
            (" , ", "no address"),
            ("8000", "port is missing"),
            ("0.0.0.0:70000", "0 to 65535"),
            ("0.0.0.0:", "0 to 65535"),
            ("300.0.0.1:80", "neither"),
            ("unix:/tmp/x", "Unix sockets"),
            ("a:1, a:1 ssl", "twice"),
        ] {
            assert!(refused(text).message.contains(why), "{text}: {}", refused(text).message);
        }
        assert_eq!(Listeners::parse("a:0, a:0").expect("port 0 may repeat").0.len(), 2);
    }

    #[test]
    fn display_round_trips() {
        for text in [
            "off",
            "0.0.0.0:8000, [::]:8443 http2 ssl reuseport backlog=5 ipv6only=on so_keepalive=60s::3",
            "h:1 udp, h:1 proxy_protocol deferred bind so_keepalive=off",
        ] {
            let list = Listeners::parse(text).expect("reads");
            assert_eq!(Listeners::parse(&list.to_string()).expect("reads"), list, "{text}");
        }
    }
}
