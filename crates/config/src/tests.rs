//! End-to-end tests of loading: which texts are rejected, where, and what findings must not reveal.

use super::*;
use source::{Finding, Level};

fn loaded(text: &str, options: &Options<'_>) -> Loaded {
    let input = Input::Text { name: "kong.yml".to_owned(), text: text.into() };
    load(&input, options).expect("text at hand")
}

/// Returns the text of every secret span.
fn secrets(text: &str) -> Vec<String> {
    let loaded = loaded(text, &Options::new(crate::catalog()));
    let shown = |span: &Span| text[span.start as usize..span.end as usize].to_owned();
    loaded.secrets.iter().map(shown).collect()
}

fn errors(loaded: &Loaded) -> Vec<&Finding> {
    loaded.findings.iter().filter(|f| f.level == Level::Error).collect()
}

const CREDENTIALS: &str = "_format_version: '3.0'\nconsumers:\n- username: ann\n";

#[test]
fn a_secret_in_a_misspelt_field_is_masked() {
    for (kind, field) in [
        ("keyauth_credentials", "kee"),
        ("keyauth_credentials", "my-own"),
        ("basicauth_credentials", "pasword"),
    ] {
        let text = format!("{CREDENTIALS}  {kind}:\n  - {field}: s3cret\n    username: u\n");
        assert!(secrets(&text).contains(&"s3cret".to_owned()), "{kind}.{field}: {:?}", secrets(&text));
    }
    let text = format!("{CREDENTIALS}  basicauth_credentials:\n  - {{usernam: bob, password: p}}\n");
    assert!(!secrets(&text).contains(&"bob".to_owned()), "the nearest field is no secret");
}

#[test]
fn a_disabled_plugin_is_rejected_with_kongs_error() {
    let text = "_format_version: '3.0'\nplugins:\n- name: cors\n- name: key-auth\n";
    let options = Options { plugin_enabled: &|name| name == "cors", ..Options::new(crate::catalog()) };
    let loaded = loaded(text, &options);
    let [error] = errors(&loaded)[..] else { panic!("{:?}", loaded.findings) };
    assert_eq!((error.code, error.path.as_deref()), ("plugin/not-enabled", Some("plugins[2].name")));
    assert_eq!(
        error.kong_errors[0].1,
        "plugin 'key-auth' not enabled; add it to the 'plugins' configuration property"
    );
    assert!(loaded.state.is_none());
}

#[test]
fn an_empty_document_is_rejected() {
    for text in ["services: []\n", "{}\n", "_comment: later\n"] {
        let loaded = loaded(text, &Options::new(crate::catalog()));
        let [error] = errors(&loaded)[..] else { panic!("{text}: {:?}", loaded.findings) };
        assert_eq!(error.path.as_deref(), Some("_format_version"), "{text}");
    }
}

#[test]
fn deck_extensions_are_accepted_unless_kong_strict() {
    let text = "_info: {select_tags: [a]}\nservices: [{name: s, host: h}]\n";
    assert!(loaded(text, &Options::new(crate::catalog())).state.is_some());
    let strict = loaded(text, &Options { kong_strict: true, ..Options::new(crate::catalog()) });
    let paths: Vec<_> = errors(&strict).iter().filter_map(|f| f.path.as_deref()).collect();
    assert_eq!(paths, ["_format_version", "_info"]);
}

#[test]
fn a_wrong_type_has_a_suggestion() {
    for (field, help) in [
        ("port: '80'", "write it without quotes"),
        ("enabled: 'true'", "write `true`, without quotes"),
        ("name: 12", "put it in quotes"),
        ("tags: a", "write it as a list of one item: [ … ]"),
        ("routes: {name: r}", "begin each item with `- `"),
    ] {
        let text = format!("_format_version: '3.0'\nservices:\n- host: h.test\n  {field}\n");
        let loaded = loaded(&text, &Options::new(crate::catalog()));
        let [error] = errors(&loaded)[..] else { panic!("{field}: {:?}", loaded.findings) };
        assert_eq!((error.code, error.help.as_deref()), ("config/wrong-type", Some(help)), "{field}");
    }
    let loaded = loaded("_format_version: '3.0'\nservices: [{name: s}]\n", &Options::new(crate::catalog()));
    assert!(
        errors(&loaded)[0].help.as_deref().is_some_and(|help| help.contains("url:")),
        "{:?}",
        loaded.findings
    );
}

#[test]
fn consequences_of_an_error_appear_only_in_kongs_error_tree() {
    let text = "_format_version: '3.0'\nservices:\n- {name: a, url: 'a:80', routes: [{name: r, pathes: [/x]}]}\n\
                plugins:\n- config: {minute: 5}\n- {name: rate-limiting, config: {minutes: 5}}\n";
    let loaded = loaded(text, &Options::new(crate::catalog()));
    let messages: Vec<_> = errors(&loaded).iter().map(|f| f.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "`url` has no scheme",
            "unknown field `pathes` in `routes`",
            "`name` is missing",
            "unknown field `minutes` in `config`",
        ]
    );
    let kong_errors = super::kong_errors::fields(&loaded.findings);
    let service = &kong_errors["services"][0];
    for part in ["host", "path", "protocol"] {
        assert!(service[part].is_string(), "{part}: {kong_errors}");
    }
    assert_eq!(service["routes"][0]["pathes"], "unknown field");
    assert!(service["routes"][0]["@entity"][0].as_str().is_some_and(|text| text.contains("must set one of")));
    assert_eq!(kong_errors["plugins"][0]["config"], "unknown field");
    assert!(
        kong_errors["plugins"][1]["@entity"][0].as_str().is_some_and(|text| text.contains("at least one of"))
    );
}

#[test]
fn a_misspelt_section_is_validated_outside_kongs_error_tree() {
    let text = "_format_version: '3.0'\nservcies:\n- {name: a, host: a.test, port: 70000}\n\
                services: []\nroutes:\n- {name: r, paths: [/], service: a}\n";
    let both = loaded(text, &Options::new(crate::catalog()));
    assert_eq!(errors(&both).len(), 2, "the section is there under its name: {:?}", both.findings);
    let loaded = loaded(&text.replace("services: []\n", ""), &Options::new(crate::catalog()));
    let found: Vec<_> =
        errors(&loaded).iter().map(|f| (f.code, f.path.clone().unwrap_or_default())).collect();
    let wanted = [
        ("config/unknown-field", "servcies".to_owned()),
        ("config/out-of-range", "servcies[1].port".to_owned()),
    ];
    assert_eq!(found.iter().map(|(code, path)| (*code, path.clone())).collect::<Vec<_>>(), wanted);
    assert_eq!(
        super::kong_errors::fields(&loaded.findings),
        serde_json::json!({ "servcies": "unknown field" })
    );
}

#[test]
fn unsupported_settings_are_rejected_unless_allowed() {
    let text = "_format_version: '3.0'\nplugins:\n- name: rate-limiting\n  \
                config: {minute: 5, policy: redis, redis: {host: redis.test}}\n";
    let allowed = loaded(text, &Options::new(crate::catalog()));
    assert!(allowed.state.is_some());
    assert_eq!(allowed.findings.0[0].code, "plugin/redis-not-yet");
    let refused = loaded(text, &Options { allow_unsupported: false, ..Options::new(crate::catalog()) });
    assert!(refused.state.is_none());
    let [error] = errors(&refused)[..] else { panic!("{:?}", refused.findings) };
    assert_eq!(error.code, "plugin/redis-not-yet");
    assert!(error.help.as_deref().is_some_and(|help| help.contains("--allow-unsupported")));
}

/// Returns messages and helps of a file's errors, separated by `|`.
fn complaints(text: &str) -> Vec<String> {
    let loaded = loaded(text, &Options::new(crate::catalog()));
    let one = |f: &&Finding| format!("{} | {}", f.message, f.help.as_deref().unwrap_or("-"));
    errors(&loaded).iter().map(one).collect()
}

#[track_caller]
fn complain(text: &str, wanted: &[&str]) {
    assert_eq!(complaints(&format!("_format_version: '3.0'\n{text}")), wanted, "{text}");
}

#[test]
fn a_field_alias_is_reported_once() {
    for (text, wanted) in [
        (
            "services: [{name: a, proxy_pass: 'http://a'}]",
            "unknown field `proxy_pass` in `services` | it is called `url` here",
        ),
        ("routes: [{location: /a}]", "unknown field `location` in `routes` | it is called `paths` here"),
        (
            "routes: [{server_name: a.test}]",
            "unknown field `server_name` in `routes` | it is called `hosts` here",
        ),
        (
            "consumers: [{username: a, keyauth_credentials: [{keys: [k]}]}]",
            "unknown field `keys` in `keyauth_credentials` | it is called `key` here",
        ),
        (
            "consumers: [{username: a, keyauth_credentials: [], key_auth: [{key: k}]}]",
            "unknown field `key_auth` in `consumers` | it is called `keyauth_credentials` here, and that is given already",
        ),
        (
            "consumers: [{username: a, basicauth_credentials: [{username: u, pass: p}]}]",
            "unknown field `pass` in `basicauth_credentials` | it is called `password` here",
        ),
        (
            "upstreams: [{name: u, healthchecks: {active: {path: /h}}}]",
            "unknown field `path` in `active` | it is called `http_path` here",
        ),
        (
            "upstreams: [{name: u, healthchecks: {active: {interval: 5}}}]",
            "unknown field `interval` in `active` | `interval` belongs under `healthy:` or `unhealthy:`",
        ),
        (
            "plugins: [{name: rate-limiting, config.minute: 5}]",
            "unknown field `config.minute` in `plugins` | write `config: {minute: 5}`",
        ),
        (
            "_plugin_config: {}\nservices: [{host: a}]",
            "unknown field `_plugin_config` | did you mean `_plugin_configs`?",
        ),
        (
            "plugins: [{name: redirect, config: {url: 'https://a.test'}}]",
            "unknown field `url` in `config` | it is called `location` here",
        ),
    ] {
        complain(text, &[wanted]);
    }
    let both = complaints("_format_version: '3.0'\ncertificates: [{certificate: a, private_key: b}]");
    assert_eq!(
        both,
        [
            "unknown field `certificate` in `certificates` | it is called `cert` here",
            "unknown field `private_key` in `certificates` | it is called `key` here",
        ]
    );
}

#[test]
fn a_version_alias_is_reported_once() {
    for name in ["version", "format_version", "Version"] {
        let text = format!("{name}: '3.0'\nservices: [{{name: a, host: h}}]\n");
        let loaded = loaded(&text, &Options::new(crate::catalog()));
        let found: Vec<_> = loaded.findings.iter().map(|f| f.help.clone().unwrap_or_default()).collect();
        assert_eq!(found, ["it is called `_format_version` here"], "{name}");
    }
    for (version, help) in
        [("'3'", "write `_format_version: \"3.0\"`"), ("'3.0,'", "write `_format_version: \"3.0\"`")]
    {
        let text = format!("_format_version: {version}\nservices: []\n");
        assert!(complaints(&text)[0].ends_with(help), "{version}: {:?}", complaints(&text));
    }
}

#[test]
fn a_text_in_place_of_an_entity_has_a_suggestion() {
    for (text, help) in [
        ("services: ['name:orders']", "write `name: orders`: a space belongs after the `:`"),
        ("services: ['name = a']", "write `name: a`: a space belongs after the `:`"),
        ("upstreams: [{name: u, targets: ['10.0.0.4:80']}]", "write `- target: 10.0.0.4:80`"),
        ("consumers: [{username: a, acls: [admins]}]", "write `- group: admins`"),
        ("consumers: [{username: a, keyauth_credentials: [s3cret]}]", "write `- key: …`"),
        ("plugins: [key-auth]", "write `- name: key-auth`"),
        ("routes: [{protocols: [tcp], destinations: ['10.0.0.1:80']}]", "write `{ip: 10.0.0.1, port: 80}`"),
        (
            "plugins: [{name: rate-limiting, config: {minute: 5, redis: 'redis:6379'}}]",
            "write `host: redis` and `port: 6379` below it",
        ),
    ] {
        let found = complaints(&format!("_format_version: '3.0'\n{text}\n"));
        assert!(matches!(&found[..], [one] if one.ends_with(&format!(" | {help}"))), "{text}: {found:?}");
    }
}

#[test]
fn a_dangling_reference_names_the_identifying_field() {
    complain(
        "snis: [{name: a.test, certificate: mine}]",
        &[
            "there is no certificate `mine` | certificates have no name: give one an `id`, and write that id here",
        ],
    );
    complain(
        "snis: [{name: a.test, certificate: {name: mine}}]",
        &[
            "`certificate` needs an `id` | certificates have no name: give one an `id`, and write that id here",
        ],
    );
    complain("plugins: [{name: cors, service: ''}]", &["`service` must not be empty | -"]);
}

#[test]
fn a_time_to_live_is_a_number_of_seconds() {
    let with =
        |ttl: &str| complaints(&format!("{CREDENTIALS}  keyauth_credentials: [{{key: k, ttl: {ttl}}}]\n"));
    assert_eq!(
        with("3600s"),
        ["`ttl` must be a number, found a text | write `3600`: it is a number of seconds"]
    );
    assert_eq!(with("never"), ["`ttl` must be a number, found a text | -"]);
    assert_eq!(with("[1]"), ["`ttl` must be a number, found a list | -"]);
    assert_eq!(with("-5"), ["`ttl` must be at least 0 | -"]);
    for fine in ["0", "3600", "null"] {
        assert_eq!(with(fine), [""; 0], "{fine}");
    }
}

#[test]
fn deck_extensions_of_the_wrong_type_are_never_dropped() {
    let partial = "partials: [{name: r, config: {host: h}}]\n";
    let plugin = "plugins:\n- {name: rate-limiting, config: {minute: 5, policy: redis}, partials: ";
    complain(
        &format!("{partial}{plugin}[r]}}\n"),
        &["items of `plugins[1].partials` must be maps, found a text | write `- name: r`"],
    );
    for (text, wanted) in [
        ("partials: {a: b}", "`partials` takes a list | begin each item with `- `"),
        ("partials: [my-redis]", "items of `partials` must be maps, found a text | write `- name: my-redis`"),
        ("partials: [{config: {}}]", "a partial needs a `name`, by which plugins use it | -"),
        ("_plugin_configs: [a]", "`_plugin_configs` takes a map | -"),
        ("_plugin_configs: {a: b}", "`_plugin_configs.a` takes a map | -"),
        ("_konnect: {control_plane: a}", "unknown field `control_plane` in `_konnect` | -"),
        ("consumer_groups: gold", "`consumer_groups` takes a list | begin each item with `- `"),
        (
            "consumer_groups: [gold]",
            "items of `consumer_groups` must be maps, found a text | write `- name: gold`",
        ),
        ("consumer_groups: [{name: g, foo: b}]", "unknown field `foo` in `consumer_groups[1]` | -"),
        (
            "consumer_groups: [{name: g, consumers: [ann]}]",
            "items of `consumer_groups[1].consumers` must be maps, found a text | write `- username: ann`",
        ),
        (
            "consumer_groups: [{name: g, plugins: [{name: rate-limiting, config: {minuet: 5}}]}]",
            "unknown field `minuet` in `config` | did you mean `minute`?",
        ),
        (
            "consumer_groups: [{name: g}]\nconsumers: [{username: a, groups: [g]}]",
            "items of `consumers[1].groups` must be maps, found a text | write `- name: g`",
        ),
        (
            "consumers: [{username: a, groups: g}]",
            "`consumers[1].groups` takes a list | begin each item with `- `",
        ),
    ] {
        complain(&format!("services: [{{name: s, host: h}}]\n{text}\n"), &[wanted]);
    }
}

#[test]
fn files_of_other_programs_are_reported_once() {
    for (text, name) in [
        ("http: {routers: {a: {rule: x}}}", "a configuration of Traefik"),
        ("routes: [{uri: /a, upstream: {nodes: {a: 1}}}]", "a configuration of APISIX"),
        ("image: {tag: a}\ndblessConfig: {config: x}", "a file of values for Kong's Helm chart"),
        ("{\"data\":[{\"name\":\"a\"}],\"next\":null}", "an answer of Kong's Admin API"),
    ] {
        let loaded = loaded(text, &Options::new(crate::catalog()));
        let messages: Vec<_> = loaded.findings.iter().map(|f| f.message.clone()).collect();
        assert_eq!(messages, [format!("this is {name}, not a configuration of the gateway")], "{text}");
    }
}

#[test]
fn an_address_in_foreign_syntax_has_a_suggestion() {
    for (text, help) in [
        ("routes: [{paths: ['^/a$']}]", "write `~/a$`"),
        ("routes: [{paths: ['~ /a']}]", "write `~/a`"),
        ("routes: [{paths: ['~*/a']}]", "write `~/a`"),
        ("routes: [{paths: ['*']}]", "write `/`"),
        ("routes: [{hosts: ['http://a.test/x']}]", "write `a.test`"),
        ("routes: [{hosts: ['Host(`a.test`)']}]", "write `a.test`"),
        ("upstreams: [{name: u, targets: [{target: 'http://10.0.0.1:80'}]}]", "write `10.0.0.1:80`"),
        ("plugins: [{name: request-size-limiting, config: {size_unit: MB}}]", "write `megabytes`"),
    ] {
        let found = complaints(&format!("_format_version: '3.0'\n{text}\n"));
        assert!(matches!(&found[..], [one] if one.contains(&format!(" | {help}"))), "{text}: {found:?}");
    }
}
