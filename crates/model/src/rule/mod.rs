//! Rules for texts that JSON Schema has no keyword for, by the name that `x-rule` calls them.
//!
//! A rule checks a text and returns the error message of the format. The schema keywords that
//! `config::validator` understands beside the standard ones are listed there.

mod host;
mod pair;
mod path;
pub mod pem;
pub mod regex;
mod text;

pub use host::{Address, AddressKind, is_ip, is_ip_or_cidr, parse_address};
pub use path::normalize;
pub use regex::{check_regex, compile_regex};

/// Says what is wrong with a text.
pub type Rule = fn(&str) -> Result<(), String>;

/// All rules by name.
pub const RULES: &[(&str, Rule)] = &[
    ("name", text::name),
    ("tag", text::tag),
    ("header_name", text::header_name),
    ("route_header_name", text::route_header_name),
    ("cookie_name", text::cookie_name),
    ("version", text::version),
    ("regex", text::regex),
    ("cors_origin", text::cors_origin),
    ("header_pair", pair::header_pair),
    ("header_rename", pair::header_rename),
    ("pair_with_value", pair::pair_with_value),
    ("host", host::host),
    ("host_with_port", host::host_with_port),
    ("route_host", host::route_host),
    ("sni", host::sni),
    ("wildcard_sni", host::wildcard_sni),
    ("upstream_name", host::upstream_name),
    ("target", host::target),
    ("ip", host::ip),
    ("ip_or_cidr", host::ip_or_cidr),
    ("path", path::path),
    ("route_path", path::route_path),
    ("url", path::url),
    ("redirect_uri", path::redirect_uri),
    ("certificate", pem::certificate),
    ("key", pem::key),
    ("public_key", pem::public_key),
];

/// The rule of that name.
pub fn rule(name: &str) -> Option<Rule> {
    RULES.iter().find(|(n, _)| *n == name).map(|(_, rule)| *rule)
}

#[cfg(test)]
mod tests;
