//! Whole texts through the whole pipeline: what is refused, where, and what the findings give away.

use super::*;
use source::{Finding, Level};

fn loaded(text: &str, options: &Options<'_>) -> Loaded {
    let input = Input::Text { name: "kong.yml".to_owned(), text: text.into() };
    load(&input, options).expect("text at hand")
}

/// The text at every secret's place.
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
fn a_secret_stays_one_where_its_field_is_misspelt() {
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
fn a_plugin_that_the_node_switches_off_is_refused_as_kong_refuses_it() {
    let text = "_format_version: '3.0'\nplugins:\n- name: cors\n- name: key-auth\n";
    let options = Options { plugin_enabled: &|name| name == "cors", ..Options::new(crate::catalog()) };
    let loaded = loaded(text, &options);
    let [error] = errors(&loaded)[..] else { panic!("{:?}", loaded.findings) };
    assert_eq!((error.code, error.path.as_deref()), ("plugin/not-enabled", Some("plugins[2].name")));
    assert_eq!(
        error.tree[0].1,
        "plugin 'key-auth' not enabled; add it to the 'plugins' configuration property"
    );
    assert!(loaded.state.is_none());
}

#[test]
fn what_says_nothing_is_no_configuration() {
    for text in ["services: []\n", "{}\n", "_comment: later\n"] {
        let loaded = loaded(text, &Options::new(crate::catalog()));
        let [error] = errors(&loaded)[..] else { panic!("{text}: {:?}", loaded.findings) };
        assert_eq!(error.path.as_deref(), Some("_format_version"), "{text}");
    }
}

#[test]
fn deck_additions_are_taken_unless_only_kongs_own_are_wanted() {
    let text = "_info: {select_tags: [a]}\nservices: [{name: s, host: h}]\n";
    assert!(loaded(text, &Options::new(crate::catalog())).state.is_some());
    let strict = loaded(text, &Options { kong_strict: true, ..Options::new(crate::catalog()) });
    let paths: Vec<_> = errors(&strict).iter().filter_map(|f| f.path.as_deref()).collect();
    assert_eq!(paths, ["_format_version", "_info"]);
}

#[test]
fn a_wrong_type_comes_with_the_way_to_write_it() {
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
fn what_follows_from_an_error_is_in_kongs_answer_alone() {
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
    let answer = super::answer::fields(&loaded.findings);
    let service = &answer["services"][0];
    for part in ["host", "path", "protocol"] {
        assert!(service[part].is_string(), "{part}: {answer}");
    }
    assert_eq!(service["routes"][0]["pathes"], "unknown field");
    assert!(service["routes"][0]["@entity"][0].as_str().is_some_and(|text| text.contains("must set one of")));
    assert_eq!(answer["plugins"][0]["config"], "unknown field");
    assert!(answer["plugins"][1]["@entity"][0].as_str().is_some_and(|text| text.contains("at least one of")));
}

#[test]
fn a_misspelt_section_is_searched_and_kongs_answer_names_it_alone() {
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
    assert_eq!(super::answer::fields(&loaded.findings), serde_json::json!({ "servcies": "unknown field" }));
}

#[test]
fn what_is_not_served_is_refused_unless_that_is_allowed() {
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
