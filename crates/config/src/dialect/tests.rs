use super::*;
use serde_json::{Value as Json, json};
use source::{Format, Limits, SourceMap, Span, parse};

struct Applied {
    sources: SourceMap,
    doc: Document,
    findings: Findings,
    dialect: Dialect,
}

fn apply_to(text: &str) -> Applied {
    let mut sources = SourceMap::default();
    let file = sources.add("kong.yml", text);
    let mut doc = Document::new(Span::start_of(file));
    let mut findings = Findings::default();
    let root =
        parse(&sources, file, Format::Yaml, &mut doc, &Limits::default(), &mut findings).expect("reads");
    doc.set_root(root);
    let dialect = apply(&mut doc, &mut findings);
    Applied { sources, doc, findings, dialect }
}

impl Applied {
    fn json(&self) -> Json {
        let mut json = self.doc.to_json(self.doc.root());
        json.as_object_mut().map(|map| map.remove("_format_version"));
        json
    }

    /// Codes and lines of the findings.
    fn found(&self) -> Vec<(&'static str, usize)> {
        let line = |f: &Finding| f.span().map_or(0, |s| self.sources.position(s).line);
        self.findings.iter().map(|f| (f.code, line(f))).collect()
    }

    fn help(&self) -> &str {
        self.findings.0[0].help.as_deref().unwrap_or_default()
    }
}

const V: &str = "_format_version: '3.0'\n";

#[track_caller]
fn clean(text: &str) -> Applied {
    let applied = apply_to(&format!("{V}{text}"));
    assert!(applied.findings.0.is_empty(), "{:#?}", applied.findings.0);
    applied
}

#[test]
fn a_file_without_extensions_is_unchanged() {
    let text = "services:\n- name: a\n  host: h\n  routes: [{paths: [/a], snis: [x]}]\nplugins: [{name: cors, config: {_config: x}}]\n";
    let applied = clean(text);
    let expected = json!({
        "services": [{"name": "a", "host": "h", "routes": [{"paths": ["/a"], "snis": ["x"]}]}],
        "plugins": [{"name": "cors", "config": {"_config": "x"}}],
    });
    assert_eq!(applied.json(), expected);
}

#[test]
fn a_document_that_is_not_a_map_is_unchanged() {
    assert_eq!(apply_to("[1]").findings.0.len(), 0);
    assert_eq!(apply_to("").findings.0.len(), 0);
}

#[test]
fn a_missing_version_is_filled_in_with_a_warning() {
    let applied = apply_to("services: [{name: s, host: h}]\n");
    assert_eq!(applied.found(), [(NO_VERSION, 1)]);
    let version = applied.doc.get(applied.doc.root(), "_format_version").expect("filled in");
    assert_eq!(applied.doc.str(version), Some("3.0"));
    let null = apply_to("_format_version: null\n");
    assert!(null.findings.0.is_empty(), "left to schema validation");
    for nothing in ["services: []\n", "{}", "_comment: a note\n"] {
        let applied = apply_to(nothing);
        assert!(
            applied.doc.get(applied.doc.root(), "_format_version").is_none(),
            "{nothing}: refused as Kong does"
        );
    }
}

#[test]
fn select_tags_go_to_every_entity_once() {
    let applied = clean(
        "_info: {select_tags: [t, u, t]}\n\
         services:\n- {name: a, tags: [own, t], routes: [{name: r, plugins: [{name: cors}]}]}\n- &b {name: b, tags: null}\n- *b\n\
         consumers: [{username: c, keyauth_credentials: [{key: k}]}]\nparameters: [{key: p, value: v}]\n",
    );
    let json = applied.json();
    assert_eq!(json["services"][0]["tags"], json!(["own", "t", "u"]));
    assert_eq!(json["services"][0]["routes"][0]["plugins"][0]["tags"], json!(["t", "u"]));
    assert_eq!(json["services"][1]["tags"], json!(["t", "u"]));
    assert_eq!(json["consumers"][0]["keyauth_credentials"][0]["tags"], json!(["t", "u"]));
    assert_eq!(json["parameters"][0], json!({"key": "p", "value": "v"}));
    assert_eq!(json.get("_info"), None);
    assert_eq!(applied.dialect.select_tags, ["t", "u"]);
}

#[test]
fn tags_that_aliases_share_are_not_changed_under_others() {
    let applied = clean("_ignore: [&x [own]]\n_info: {select_tags: [t]}\nservices: [{name: a, tags: *x}]\n");
    assert_eq!(applied.json()["_ignore"], json!([["own"]]));
    assert_eq!(applied.json()["services"][0]["tags"], json!(["own", "t"]));
}

#[test]
fn defaults_fill_absent_fields_at_every_depth() {
    let applied = clean(
        "_info:\n  defaults:\n    service: {retries: 1, port: 81}\n    route: {protocols: [https]}\n\
         \x20   upstream: {healthchecks: {active: {timeout: 2, concurrency: 5}}, slots: 100}\n    target: {weight: 7}\n\
         services: [{name: a, port: 80, retries: null, routes: [{name: r}, {name: s, protocols: [http]}]}]\n\
         upstreams: [{name: u, healthchecks: {active: {timeout: 9}}, targets: [{target: t}]}]\n",
    );
    let json = applied.json();
    assert_eq!(json["services"][0]["port"], 80);
    assert_eq!(json["services"][0]["retries"], 1);
    assert_eq!(json["services"][0]["routes"][0]["protocols"], json!(["https"]));
    assert_eq!(json["services"][0]["routes"][1]["protocols"], json!(["http"]));
    assert_eq!(json["upstreams"][0]["healthchecks"], json!({"active": {"timeout": 9, "concurrency": 5}}));
    assert_eq!(json["upstreams"][0]["slots"], 100);
    assert_eq!(json["upstreams"][0]["targets"][0]["weight"], 7);
}

#[test]
fn invalid_info_is_an_error_at_its_location() {
    let applied = apply_to(&format!(
        "{V}_info:\n  select_tag: [a]\n  defaults:\n    services: {{}}\n    route: {{name: x}}\n    plugin: {{}}\n  default_lookup_tags: {{}}\n"
    ));
    assert_eq!(applied.found(), [(INFO, 3), (INFO, 5), (INFO, 6), (INFO, 7), (INFO, 8)]);
    assert_eq!(applied.help(), "did you mean `select_tags`?");
    assert_eq!(applied.findings.0[4].level, Level::Note);
    for text in
        ["_info: 3\n", "_info: {select_tags: x}\n", "_info: {select_tags: [1]}\n", "_info: {defaults: []}\n"]
    {
        assert_eq!(apply_to(&format!("{V}{text}")).found(), [(INFO, 2)], "{text}");
    }
    let skip = apply_to(&format!("{V}_info: {{skip_hash_for_basic_auth: true}}\n"));
    assert_eq!(skip.findings.0[0].level, Level::Warning);
    assert!(skip.help().contains("_transform: false"));
}

#[test]
fn shared_plugin_settings_are_merged_and_own_values_win() {
    let applied = clean(
        "_plugin_configs:\n  base: {minute: 5, redis: {host: a, port: 1}, list: [1]}\n\
         plugins:\n- {name: p, _config: base, config: {minute: 6, redis: {port: 2}, list: [2]}}\n- {name: q, _config: base}\n",
    );
    let expected = json!([
        {"name": "p", "config": {"minute": 6, "redis": {"port": 2, "host": "a"}, "list": [2]}},
        {"name": "q", "config": {"minute": 5, "redis": {"host": "a", "port": 1}, "list": [1]}},
    ]);
    assert_eq!(applied.json(), json!({ "plugins": expected }));
}

#[test]
fn unknown_shared_settings_suggest_the_nearest() {
    let applied = apply_to(&format!(
        "{V}_plugin_configs: {{standard: {{}}}}\nservices:\n- {{name: a, plugins: [{{name: p, _config: standrad}}]}}\n"
    ));
    assert_eq!(applied.found(), [(PLUGIN_CONFIG, 4)]);
    assert_eq!(applied.help(), "did you mean `standard`?");
    assert_eq!(applied.findings.0[0].path.as_deref(), Some("services[1].plugins[1]._config"));
}

#[test]
fn references_by_objects_with_names_become_names() {
    let applied = clean(
        "routes:\n- {name: r, service: {name: s}}\n- {name: t, service: {id: i, name: s}}\n- {name: u, service: {id: i}}\n\
         plugins: [{name: p, consumer: {username: c}, route: {}, service: s}]\nkeys: [{kid: k, set: {name: ks}}]\n",
    );
    let json = applied.json();
    assert_eq!(json["routes"][0]["service"], "s");
    assert_eq!(json["routes"][1]["service"], json!({"id": "i"}));
    assert_eq!(json["routes"][2]["service"], json!({"id": "i"}));
    assert_eq!(json["plugins"][0], json!({"name": "p", "consumer": "c", "route": {}, "service": "s"}));
    assert_eq!(json["keys"][0]["set"], "ks");
    let node = applied.doc.resolve_path(
        applied.doc.root(),
        &[
            source::NodePathStep::Key("routes"),
            source::NodePathStep::Index(0),
            source::NodePathStep::Key("service"),
        ],
    );
    let span = applied.doc.span(node.expect("there"));
    assert_eq!(applied.sources.snippet(span), "s", "the place of the name");
}

#[test]
fn decks_destination_is_a_note() {
    let applied = apply_to(&format!("{V}_workspace: team\n_konnect: {{control_plane_name: cp}}\n"));
    assert_eq!(applied.found(), [(DESTINATION, 2), (DESTINATION, 3)]);
    assert!(applied.findings.iter().all(|f| f.level == Level::Note));
    assert_eq!(applied.dialect.workspace.as_deref(), Some("team"));
    assert_eq!(applied.dialect.control_plane.as_deref(), Some("cp"));
    assert_eq!(applied.json(), json!({}));
    clean("_workspace: default\n");
    assert_eq!(apply_to(&format!("{V}_workspace: 3\n")).findings.0[0].level, Level::Error);
}

#[test]
fn enterprise_features_are_removed_with_a_warning() {
    let applied = apply_to(&format!(
        "{V}rbac_roles: [{{name: r}}]\nlicenses: []\nplugins:\n- {{name: p, ordering: {{before: {{access: [q]}}}}, condition: null}}\n\
         consumers:\n- {{username: c, mtls_auth_credentials: [{{id: x}}]}}\n"
    ));
    assert_eq!(applied.found(), [(ENTERPRISE, 2), (ENTERPRISE, 5), (ENTERPRISE, 7)]);
    assert!(applied.findings.iter().all(|f| f.level == Level::Warning));
    assert_eq!(applied.json(), json!({"plugins": [{"name": "p"}], "consumers": [{"username": "c"}]}));
}

#[test]
fn consumer_groups_retain_members_and_plugins() {
    let applied = apply_to(&format!(
        "{V}consumer_groups:\n- name: gold\n  consumers: [{{username: a}}]\n  plugins: [{{name: p}}]\n- name: silver\n\
         consumers:\n- {{username: a, groups: [{{name: gold}}]}}\n- {{username: b, groups: [{{name: silver}}]}}\n\
         services:\n- name: s\n  plugins:\n  - {{name: q, consumer_group: gold}}\n  - {{name: r, consumer_group: null}}\n"
    ));
    assert_eq!(applied.found(), [(CONSUMER_GROUP, 5), (CONSUMER_GROUP, 2), (CONSUMER_GROUP, 13)]);
    let groups = &applied.dialect.consumer_groups;
    assert_eq!((groups[0].members.as_slice(), groups[0].plugins.len()), (&["a".to_owned()][..], 2));
    assert_eq!(groups[1].members, ["b"]);
    let expected = json!({
        "consumers": [{"username": "a"}, {"username": "b"}],
        "services": [{"name": "s", "plugins": [{"name": "r"}]}],
    });
    assert_eq!(applied.json(), expected);
}

#[test]
fn a_consumer_group_that_is_not_in_the_file_is_an_error() {
    let applied = apply_to(&format!(
        "{V}consumer_groups: [{{name: gold}}]\nconsumers:\n- {{username: a, groups: [{{name: glod}}]}}\nplugins:\n- {{name: p, consumer_group: x}}\n"
    ));
    let errors: Vec<_> = applied
        .findings
        .iter()
        .filter(|f| f.level == Level::Error)
        .map(|f| (f.code, f.help.as_deref()))
        .collect();
    assert_eq!(errors, [(UNKNOWN_GROUP, Some("did you mean `gold`?")), (UNKNOWN_GROUP, None)]);
}

#[test]
fn partials_are_inlined_into_plugins() {
    let applied = apply_to(&format!(
        "{V}partials:\n- {{name: my-redis, type: redis-ce, config: {{host: h, port: 1}}}}\nplugins:\n\
         - {{name: p, config: {{minute: 1}}, partials: [{{name: my-redis}}]}}\n\
         - {{name: q, partials: [{{name: my-redis, path: config.storage.redis}}]}}\n- {{name: r, partials: [{{name: mine}}]}}\n"
    ));
    assert_eq!(applied.found(), [(PARTIAL, 7)]);
    let expected = json!([
        {"name": "p", "config": {"minute": 1, "redis": {"host": "h", "port": 1}}},
        {"name": "q", "config": {"storage": {"redis": {"host": "h", "port": 1}}}},
        {"name": "r"},
    ]);
    assert_eq!(applied.json()["plugins"], expected);
}
