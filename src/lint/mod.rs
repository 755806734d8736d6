//! Advice on a valid configuration: what is accepted but likely not meant. One file a lint, and the one
//! table of them. A lint reads the data, points into the text, and knows nothing of other lints.

mod allow;
mod authentication;
mod certificates;
mod levels;
mod mend;
pub mod ruleset;
mod settings;
mod subject;

use authentication::{protected, recognised, recognises};
pub use levels::{LevelError, Levels};
pub use mend::mend;
pub use settings::{Settings, SettingsError};
pub use subject::Subject;
use subject::{CREDENTIALS, called, conditions, is_reference, scope};

use crate::source::{Edit, Finding, Findings, Level, SourceMap, Span};

/// For how many findings a lint looks for a name that is near: each is compared with all of them.
const SUGGESTIONS: usize = 64;

/// One lint.
pub struct Lint {
    /// Stable code: `lint/duplicate-route`.
    pub code: &'static str,
    /// How bad a finding of it is; none if it has to be asked for.
    pub level: Option<Level>,
    /// What it finds, in one line.
    pub summary: &'static str,
    /// Why that is a problem, and what to do.
    pub story: &'static str,
    /// A file it finds something in.
    pub bad: &'static str,
    /// The same, mended.
    pub good: &'static str,
    run: fn(&Subject<'_>, &mut Report<'_>),
}

/// Collects the findings of a lint, without those that a comment in the file allows.
struct Report<'a> {
    code: &'static str,
    level: Level,
    sources: &'a SourceMap,
    findings: &'a mut Findings,
    /// Whether the last finding was retained.
    retained: bool,
}

impl Report<'_> {
    /// A finding at a place, if it is known.
    fn at(&mut self, span: Option<Span>, message: String, help: &str) {
        self.with(span, message, help, None);
    }

    /// A finding at a place, with another place that explains it.
    fn with(&mut self, span: Option<Span>, message: String, help: &str, other: Option<(Span, String)>) {
        let mut finding = Finding::new(self.level, self.code, message).help(help);
        if let Some(span) = span {
            finding = finding.at(span, "");
        }
        if let Some((span, text)) = other {
            finding = finding.at(span, text);
        }
        let before = self.findings.0.len();
        if !allow::allowed(&finding, self.sources) {
            self.findings.push(finding);
        }
        self.retained = self.findings.0.len() > before;
    }

    /// Mends what the last finding was about.
    fn fix(&mut self, edits: Vec<Edit>) {
        if let Some(last) = self.findings.0.last_mut().filter(|_| self.retained) {
            last.fix = edits;
        }
    }
}

macro_rules! lints {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*
        static LINTS: &[&Lint] = &[$(&$name::LINT),*];
    };
}

lints! {
    acl_group_without_members,
    acl_without_authentication,
    anonymous_consumer_missing,
    anonymous_unrestricted,
    auth_bypass,
    authentication_for_consumer,
    authentication_without_credentials,
    ca_certificate_missing,
    certificate_expired,
    certificate_expires_soon,
    certificate_unused,
    consumer_plugin_without_authentication,
    consumer_without_credential,
    contradicting_timeouts,
    cors_any_origin_with_credentials,
    cors_without_options,
    disabled_plugin,
    disabled_service,
    duplicate_item,
    duplicate_plugin,
    duplicate_route,
    health_check_without_effect,
    health_check_without_recovery,
    host_with_port,
    https_redirect_unused,
    https_upstream_by_address,
    https_without_redirect,
    ip_restriction_allows_all,
    jwt_private_key,
    jwt_without_expiry,
    key_in_query,
    missing_name,
    missing_tags,
    options_without_authentication,
    overlapping_regexes,
    path_never_matches,
    path_with_trailing_slash,
    placeholder_secret,
    plain_http_upstream,
    plugin_never_fires,
    plugin_overridden,
    port_ignored,
    port_of_other_protocol,
    rate_limit_by_nobody,
    rate_limit_looser_than_parent,
    regex_defeats_index,
    regex_path_without_end,
    regex_without_tilde,
    reused_secret,
    route_match_calculation,
    route_without_auth,
    shadowed_route,
    sni_not_in_certificate,
    terminated,
    timeout_in_seconds,
    tls_verify_off,
    unused_credential,
    unused_service,
    unused_upstream,
    upstream_without_targets,
    upstream_without_weight,
    url_part_ignored,
    value_cut_by_comment,
    weak_secret,
}

/// All lints, by code.
pub fn lints() -> &'static [&'static Lint] {
    LINTS
}

/// Runs the lints that are switched on; findings that a comment in the file allows are left out.
pub fn lint(subject: &Subject<'_>, levels: &Levels, findings: &mut Findings) {
    for lint in LINTS {
        let Some(level) = levels.of(lint.code, lint.level) else { continue };
        let sources = subject.sources;
        (lint.run)(subject, &mut Report { code: lint.code, level, sources, findings, retained: false });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn codes(text: &str) -> Vec<&'static str> {
        let input = config::Input::Text { name: "kong.yml".to_owned(), text: text.as_bytes().to_vec() };
        let options = config::Options { kong_strict: true, ..config::Options::new(crate::catalog()) };
        let loaded = config::load(&input, &options).expect("the text is read");
        let subject = Subject::of(&loaded, options.flavor);
        let subject = subject.unwrap_or_else(|| panic!("not valid: {text}\n{:?}", loaded.findings));
        let mut findings = Findings::default();
        let mut levels = Levels::default();
        for lint in LINTS.iter().filter(|l| l.level.is_none()) {
            levels.set(lint.code, "info").expect("a lint of the table");
        }
        lint(&subject, &levels, &mut findings);
        assert!(findings.iter().all(|f| f.span().is_some()), "a finding points at a place: {findings:?}");
        findings.iter().map(|f| f.code).collect()
    }

    #[test]
    fn every_lint_finds_its_bad_example_and_leaves_its_good_one() {
        // What it finds depends on the day; its own test has a clock.
        let by_day = certificate_expires_soon::LINT.code;
        for lint in LINTS.iter().filter(|lint| lint.code != by_day) {
            assert!(codes(lint.bad).contains(&lint.code), "{}: the bad example is not found", lint.code);
            assert!(!codes(lint.good).contains(&lint.code), "{}: the good example is found", lint.code);
        }
    }

    /// A file of one service with these routes, and more below.
    fn routes(routes: &str, more: &str) -> Vec<&'static str> {
        codes(&format!(
            "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n{routes}{more}"
        ))
    }

    #[test]
    fn a_route_is_shadowed_only_if_all_its_requests_go_elsewhere() {
        let shadowed = |text: &str| routes(text, "").contains(&"lint/shadowed-route");
        for alive in [
            r"  - {name: one, paths: ['~/orders/1$'], regex_priority: 1}\n  - {name: all, paths: ['~/orders/\d+$']}\n",
            "  - {name: one, hosts: [any.b.test], paths: [/x]}\n  - {name: all, hosts: ['*.b.test'], paths: [/x]}\n",
            "  - {name: one, headers: {x-v: [a]}, methods: [GET], paths: [/x]}\n  - {name: all, headers: {x-v: [a, b]}, paths: [/x]}\n",
        ] {
            assert!(!shadowed(&alive.replace("\\n", "\n")), "{alive}");
        }
        assert!(shadowed(
            "  - {name: all, paths: ['~/o/'], regex_priority: 1}\n  - {name: one, paths: ['~/o/[0-9]+$']}\n"
        ));
    }

    #[test]
    fn authentication_that_lets_requests_through_is_no_protection() {
        const CLOSED: &str = "  - {name: closed, paths: [/x], plugins: [{name: key-auth}]}\n";
        const GUEST: &str = "consumers:\n- {username: guest}\n";
        let reported = |open: &str, more: &str| {
            routes(&format!("{CLOSED}  - {{name: open, paths: [/y], {open}}}\n"), more)
                .contains(&"lint/route-without-auth")
        };
        assert!(reported("plugins: [{name: key-auth, config: {anonymous: guest}}]", GUEST));
        assert!(reported(
            "methods: [OPTIONS], plugins: [{name: key-auth, config: {run_on_preflight: false}}]",
            ""
        ));
        assert!(!reported("plugins: [{name: key-auth, config: {run_on_preflight: false}}]", ""));
        let stopped = "consumers:\n- {username: guest, plugins: [{name: request-termination}]}\n";
        assert!(!reported("plugins: [{name: key-auth, config: {anonymous: guest}}]", stopped));
        let acl =
            "plugins: [{name: key-auth, config: {anonymous: guest}}, {name: acl, config: {allow: [staff]}}]";
        assert!(!reported(acl, GUEST), "the guest is in no group");
        let member = "consumers:\n- {username: guest, acls: [{group: staff}]}\n";
        assert!(reported(acl, member));
        // Under a consumer it never sees a request without credentials.
        let only = "consumers:\n- {username: u, plugins: [{name: key-auth}]}\n";
        let found = routes("  - {name: r, paths: [/]}\n", only);
        assert!(found.contains(&"lint/authentication-for-consumer"), "{found:?}");
        let limited = "consumers:\n- {username: u, plugins: [{name: key-auth}, {name: rate-limiting, config: {minute: 5}}]}\n";
        let found = routes("  - {name: r, paths: [/]}\n", limited);
        assert!(found.contains(&"lint/consumer-plugin-without-authentication"), "{found:?}");
    }

    #[test]
    fn a_port_that_a_service_has_by_default_is_that_of_http() {
        let found = |service: &str| {
            codes(&format!("_format_version: '3.0'\nservices:\n- {{name: a, {service}}}\n"))
                .contains(&"lint/port-of-other-protocol")
        };
        assert!(found("protocol: https, host: a.test"));
        assert!(found("url: 'http://a.test:443'"));
        assert!(!found("url: 'https://a.test'"));
        assert!(!found("url: 'http://a.test:8443'"));
    }

    #[test]
    fn parameters_in_paths_are_taken_literally() {
        for path in ["/users/{id}", "/users/:id", "/v1/{a}/b"] {
            let found = routes(&format!("  - {{name: r, paths: ['{path}']}}\n"), "");
            assert!(found.contains(&"lint/regex-without-tilde"), "{path}: {found:?}");
        }
    }

    #[test]
    fn codes_are_sorted_and_unique() {
        assert!(LINTS.windows(2).all(|pair| pair[0].code < pair[1].code));
    }
}
