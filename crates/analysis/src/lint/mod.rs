//! Advice on a valid configuration: what is accepted but likely not meant. One file a lint, and the one
//! table of them. A lint reads the data, points into the text, and knows nothing of other lints.

mod allow;
mod authentication;
mod autofix;
mod certificates;
mod context;
mod levels;
pub mod ruleset;
mod settings;

mod acl_group_without_members;
mod acl_without_authentication;
mod anonymous_consumer_missing;
mod anonymous_unrestricted;
mod auth_bypass;
mod authentication_for_consumer;
mod authentication_without_credentials;
mod ca_certificate_missing;
mod certificate_expired;
mod certificate_expires_soon;
mod certificate_unused;
mod consumer_plugin_without_authentication;
mod consumer_without_credential;
mod contradicting_timeouts;
mod cors_any_origin_with_credentials;
mod cors_without_options;
mod disabled_plugin;
mod disabled_service;
mod duplicate_item;
mod duplicate_plugin;
mod duplicate_route;
mod health_check_without_effect;
mod health_check_without_recovery;
mod host_with_port;
mod https_redirect_unused;
mod https_upstream_by_address;
mod https_without_redirect;
mod ip_restriction_allows_all;
mod jwt_private_key;
mod jwt_without_expiry;
mod key_in_query;
mod missing_name;
mod missing_tags;
mod options_without_authentication;
mod overlapping_regexes;
mod path_never_matches;
mod path_with_trailing_slash;
mod placeholder_secret;
mod plain_http_upstream;
mod plugin_never_fires;
mod plugin_overridden;
mod port_ignored;
mod port_of_other_protocol;
mod rate_limit_by_nobody; // words: allowed (named after the code of its lint)
mod rate_limit_looser_than_parent;
mod regex_defeats_index;
mod regex_path_without_end;
mod regex_without_tilde;
mod reused_secret;
mod route_match_calculation;
mod route_without_auth;
mod shadowed_route;
mod sni_not_in_certificate;
mod terminated;
mod timeout_in_seconds;
mod tls_verify_off;
mod unused_credential;
mod unused_service;
mod unused_upstream;
mod upstream_without_targets;
mod upstream_without_weight;
mod url_part_ignored;
mod value_cut_by_comment;
mod weak_secret;

use authentication::{protected, recognised, recognises};
pub use autofix::autofix;
pub use context::LintContext;
use context::{called, conditions, credential_rows, credentials, is_reference, scope};
pub use levels::{LevelError, Levels};
pub use settings::{Settings, SettingsError};

use source::{Edit, Finding, Findings, Level, SourceMap, Span};

/// For how many findings a lint looks for a name that is near: each is compared with all of them.
const SUGGESTIONS: usize = 64;

/// One lint.
pub struct Lint {
    /// Stable code: `lint/duplicate-route`.
    pub code: &'static str,
    /// Default level of its findings. `None` if the lint is off by default.
    pub level: Option<Level>,
    /// What the lint finds, in one line.
    pub summary: &'static str,
    /// Why that is a problem, and what to do.
    pub explanation: &'static str,
    /// A file it finds something in.
    pub bad: &'static str,
    /// The same, mended.
    pub good: &'static str,
    run: fn(&LintContext<'_>, &mut Report<'_>),
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

static LINTS: &[&Lint] = &[
    &acl_group_without_members::LINT,
    &acl_without_authentication::LINT,
    &anonymous_consumer_missing::LINT,
    &anonymous_unrestricted::LINT,
    &auth_bypass::LINT,
    &authentication_for_consumer::LINT,
    &authentication_without_credentials::LINT,
    &ca_certificate_missing::LINT,
    &certificate_expired::LINT,
    &certificate_expires_soon::LINT,
    &certificate_unused::LINT,
    &consumer_plugin_without_authentication::LINT,
    &consumer_without_credential::LINT,
    &contradicting_timeouts::LINT,
    &cors_any_origin_with_credentials::LINT,
    &cors_without_options::LINT,
    &disabled_plugin::LINT,
    &disabled_service::LINT,
    &duplicate_item::LINT,
    &duplicate_plugin::LINT,
    &duplicate_route::LINT,
    &health_check_without_effect::LINT,
    &health_check_without_recovery::LINT,
    &host_with_port::LINT,
    &https_redirect_unused::LINT,
    &https_upstream_by_address::LINT,
    &https_without_redirect::LINT,
    &ip_restriction_allows_all::LINT,
    &jwt_private_key::LINT,
    &jwt_without_expiry::LINT,
    &key_in_query::LINT,
    &missing_name::LINT,
    &missing_tags::LINT,
    &options_without_authentication::LINT,
    &overlapping_regexes::LINT,
    &path_never_matches::LINT,
    &path_with_trailing_slash::LINT,
    &placeholder_secret::LINT,
    &plain_http_upstream::LINT,
    &plugin_never_fires::LINT,
    &plugin_overridden::LINT,
    &port_ignored::LINT,
    &port_of_other_protocol::LINT,
    &rate_limit_by_nobody::LINT, // words: allowed (as above)
    &rate_limit_looser_than_parent::LINT,
    &regex_defeats_index::LINT,
    &regex_path_without_end::LINT,
    &regex_without_tilde::LINT,
    &reused_secret::LINT,
    &route_match_calculation::LINT,
    &route_without_auth::LINT,
    &shadowed_route::LINT,
    &sni_not_in_certificate::LINT,
    &terminated::LINT,
    &timeout_in_seconds::LINT,
    &tls_verify_off::LINT,
    &unused_credential::LINT,
    &unused_service::LINT,
    &unused_upstream::LINT,
    &upstream_without_targets::LINT,
    &upstream_without_weight::LINT,
    &url_part_ignored::LINT,
    &value_cut_by_comment::LINT,
    &weak_secret::LINT,
];

/// All lints, by code.
pub fn lints() -> &'static [&'static Lint] {
    LINTS
}

/// Runs the lints that are switched on; findings that a comment in the file allows are left out.
pub fn lint(context: &LintContext<'_>, levels: &Levels, findings: &mut Findings) {
    for lint in LINTS {
        let Some(level) = levels.of(lint.code, lint.level) else { continue };
        let sources = context.sources;
        (lint.run)(context, &mut Report { code: lint.code, level, sources, findings, retained: false });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use config;

    fn codes(text: &str) -> Vec<&'static str> {
        let input = config::Input::Text { name: "kong.yml".to_owned(), text: text.as_bytes().to_vec() };
        let options = config::Options { kong_strict: true, ..config::Options::new(crate::catalog()) };
        let loaded = config::load(&input, &options).expect("the text is read");
        let context = LintContext::of(&loaded, options.flavor);
        let context = context.unwrap_or_else(|| panic!("not valid: {text}\n{:?}", loaded.findings));
        let mut findings = Findings::default();
        let mut levels = Levels::default();
        for lint in LINTS.iter().filter(|l| l.level.is_none()) {
            levels.set(lint.code, "info").expect("a lint of the table");
        }
        lint(&context, &levels, &mut findings);
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
