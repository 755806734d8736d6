//! Removal of features that only Kong Enterprise and Konnect have, each with a finding.
//!
//! Consumer groups are retained as [`ConsumerGroup`], although no other module uses them yet.

use super::{
    CONSUMER_GROUP, ENTERPRISE, UNKNOWN_GROUP, items_of, known_fields, not_named, unknown, wrong_type,
};
use crate::node_edit::{get, is_null, remove_key};
use source::{Document, Finding, Findings, Level, NodeId, Value};

/// Top-level keys, and the effect of removing them.
pub(crate) const TOP_LEVEL: &[(&str, &str)] = &[
    ("rbac_roles", "roles of Kong's own administrators"),
    ("licenses", "licences"),
    ("service_packages", "Konnect's catalogue of services"),
    ("custom_entities", "entities of Enterprise plugins"),
    ("custom_plugins", "plugins that Konnect streams to its gateways"),
    ("cloned_plugins", "plugins under a second name"),
    ("degraphql_routes", "entities of an Enterprise plugin"),
    ("graphql_ratelimiting_cost_decorations", "entities of an Enterprise plugin"),
    ("graphql_ratelimiting_advanced_costs", "entities of an Enterprise plugin"),
    ("keyauth_enc_credentials", "credentials of an Enterprise plugin"),
    ("mtls_auth_credentials", "credentials of an Enterprise plugin"),
    ("ai_models", "Konnect's catalogue of models"),
    ("plugins_partials", "links between plugins and partials"),
    ("consumer_group_plugins", "plugins of consumer groups"),
    ("consumer_group_consumers", "members of consumer groups"),
];

/// Plugins that only Kong Enterprise and Konnect have.
pub(crate) const PLUGINS: &[&str] = &[
    "ace",
    "ai-aws-guardrails",
    "ai-azure-content-safety",
    "ai-llm-as-judge",
    "ai-mcp-proxy",
    "ai-prompt-compressor",
    "ai-proxy-advanced",
    "ai-rag-injector",
    "ai-rate-limiting-advanced",
    "ai-sanitizer",
    "ai-semantic-cache",
    "ai-semantic-prompt-guard",
    "ai-semantic-response-guard",
    "app-dynamics",
    "application-registration",
    "canary",
    "confluent",
    "confluent-consume",
    "datakit",
    "degraphql",
    "exit-transformer",
    "forward-proxy",
    "graphql-proxy-cache-advanced",
    "graphql-rate-limiting-advanced",
    "header-cert-auth",
    "injection-protection",
    "jq",
    "json-threat-protection",
    "jwe-decrypt",
    "jwt-signer",
    "kafka-consume",
    "kafka-log",
    "kafka-upstream",
    "key-auth-enc",
    "konnect-application-auth",
    "ldap-auth-advanced",
    "mocking",
    "mtls-auth",
    "oas-validation",
    "oauth2-introspection",
    "opa",
    "openid-connect",
    "proxy-cache-advanced",
    "rate-limiting-advanced",
    "request-callout",
    "request-transformer-advanced",
    "request-validator",
    "response-transformer-advanced",
    "route-by-header",
    "route-transformer-advanced",
    "saml",
    "service-protection",
    "solace-consume",
    "solace-log",
    "solace-upstream",
    "statsd-advanced",
    "tls-handshake-modifier",
    "tls-metadata-headers",
    "upstream-oauth",
    "upstream-timeout",
    "vault-auth",
    "websocket-size-limit",
    "websocket-validator",
    "xml-threat-protection",
];

/// Consumer credentials of Enterprise-only plugins.
pub(crate) const OF_CONSUMERS: &[&str] = &["mtls_auth_credentials", "keyauth_enc_credentials"];

/// Plugin fields, and the effect of removing them.
pub(crate) const OF_PLUGINS: &[(&str, &str)] = &[
    ("ordering", "it runs where its priority puts it"),
    ("condition", "it runs for every request it is scoped to"),
];

/// Consumer group declared in a file.
#[derive(Clone, Debug)]
pub struct ConsumerGroup {
    /// Its node.
    pub node: NodeId,
    /// Position in its list, from 1.
    pub index: usize,
    /// Plugins nested in it.
    pub own_plugins: Vec<NodeId>,
    /// Its name.
    pub name: Option<String>,
    /// Its id.
    pub id: Option<String>,
    /// Members by username, custom id or id as written, collected from both the group and the consumers.
    pub members: Vec<String>,
    /// Plugins scoped to it, wherever they are written. They are removed from all other lists.
    pub plugins: Vec<NodeId>,
}

impl ConsumerGroup {
    fn is_called(&self, name_or_id: &str) -> bool {
        self.name.as_deref() == Some(name_or_id) || self.id.as_deref() == Some(name_or_id)
    }
}

/// Removes top-level keys; an empty list has no effect and is removed without a finding.
pub(super) fn top_level(doc: &mut Document, root: NodeId, findings: &mut Findings) {
    for (key, what) in TOP_LEVEL {
        let Some(entry) = remove_key(doc, root, key) else { continue };
        if is_empty(doc, entry.value) {
            continue;
        }
        let message = format!("`{key}` is left out: {what} exist only in Kong Enterprise and Konnect");
        findings.push(Finding::warning(ENTERPRISE, message).at(doc.span(entry.key), "left out").path(*key));
    }
}

fn is_empty(doc: &Document, node: NodeId) -> bool {
    match doc.value(node) {
        Value::Null => true,
        Value::Seq(items) => items.is_empty(),
        Value::Map(entries) => entries.is_empty(),
        _ => false,
    }
}

/// Fields of a consumer group.
const OF_GROUPS: &[&str] =
    &["name", "id", "tags", "consumers", "plugins", "created_at", "updated_at", "_comment"];

/// Removes the consumer groups from the document.
pub(super) fn consumer_groups(
    doc: &mut Document,
    root: NodeId,
    findings: &mut Findings,
) -> Vec<ConsumerGroup> {
    let Some(entry) = remove_key(doc, root, "consumer_groups") else { return Vec::new() };
    let mut groups = Vec::new();
    for (i, node) in
        items_of(doc, CONSUMER_GROUP, "consumer_groups", entry.value, findings).into_iter().enumerate()
    {
        let path = format!("consumer_groups[{}]", i + 1);
        if !matches!(doc.value(node), Value::Map(_)) {
            findings.push(not_named(doc, CONSUMER_GROUP, "consumer_groups", "name", node));
            // Keep it under its name, so that references to it cause no further errors.
            if let Some(name) = doc.str(node).map(str::to_owned) {
                let (id, members, plugins, own_plugins) = (None, Vec::new(), Vec::new(), Vec::new());
                groups.push(ConsumerGroup {
                    node,
                    index: i + 1,
                    name: Some(name),
                    id,
                    members,
                    plugins,
                    own_plugins,
                });
            }
            continue;
        }
        known_fields(doc, CONSUMER_GROUP, &path, node, OF_GROUPS, findings);
        let text = |key| get(doc, node, key).and_then(|n| doc.str(n)).map(str::to_owned);
        let (name, id) = (text("name"), text("id"));
        if name.is_none() && id.is_none() {
            let finding = Finding::error(CONSUMER_GROUP, "a consumer group needs a `name`");
            findings.push(finding.at(doc.span(node), "").path(path.clone()));
        }
        let mut list = |key: &str| match get(doc, node, key) {
            Some(list) => items_of(doc, CONSUMER_GROUP, &format!("{path}.{key}"), list, findings),
            None => Vec::new(),
        };
        let (consumers, plugins) = (list("consumers"), list("plugins"));
        let mut members = Vec::new();
        for member in consumers {
            let key = ["username", "id", "custom_id"].iter().find_map(|key| get(doc, member, key));
            match key {
                Some(key) => members.extend(doc.str(key).map(str::to_owned)),
                None => {
                    let path = format!("{path}.consumers");
                    findings.push(not_named(doc, CONSUMER_GROUP, &path, "username", member));
                    members.extend(doc.str(member).map(str::to_owned));
                }
            }
        }
        for &plugin in plugins.iter().filter(|&&plugin| !matches!(doc.value(plugin), Value::Map(_))) {
            findings.push(not_named(doc, CONSUMER_GROUP, &format!("{path}.plugins"), "name", plugin));
        }
        let own_plugins = plugins.clone();
        let group = ConsumerGroup { node, index: i + 1, name, id, members, plugins, own_plugins };
        if !group.plugins.is_empty() {
            let name = group.name.as_deref().unwrap_or("without a name");
            let which = match group.plugins.len() {
                1 => format!("the plugin of the consumer group `{name}` is"),
                n => format!("{n} plugins of the consumer group `{name}` are"),
            };
            let message = format!("{which} left out: only Kong Enterprise applies plugins to groups");
            let place = doc.entry(node, "plugins").map_or(doc.span(node), |e| doc.span(e.key));
            let finding = Finding::warning(CONSUMER_GROUP, message).at(place, "left out");
            findings.push(finding.path(format!("{path}.plugins")).help(INSTEAD));
        }
        groups.push(group);
    }
    if !groups.is_empty() {
        let message = "consumer groups exist only in Kong Enterprise; they have no effect here";
        let finding = Finding::new(Level::Note, CONSUMER_GROUP, message).at(doc.span(entry.key), "");
        findings.push(finding.path("consumer_groups"));
    }
    groups
}

const INSTEAD: &str = "scope the plugin to each consumer, or distinguish consumers by the groups of `acls`";

/// Removes `groups` (or `consumer_groups`) from a consumer and adds it to their members.
pub(super) fn groups_of(
    doc: &mut Document,
    consumer: NodeId,
    groups: &mut [ConsumerGroup],
    path: &dyn Fn() -> String,
    findings: &mut Findings,
) {
    let key = ["username", "id", "custom_id"].iter().find_map(|key| get(doc, consumer, key));
    let member = key.and_then(|n| doc.str(n)).map(str::to_owned);
    for field in ["groups", "consumer_groups"] {
        let Some(entry) = remove_key(doc, consumer, field) else { continue };
        let own = || format!("{}.{field}", path());
        if is_null(doc, entry.value) {
            continue;
        }
        for item in items_of(doc, CONSUMER_GROUP, &own(), entry.value, findings) {
            let named =
                ["name", "id"].iter().find_map(|key| get(doc, item, key)).filter(|&n| doc.str(n).is_some());
            if named.is_none() {
                findings.push(not_named(doc, CONSUMER_GROUP, &own(), "name", item));
            }
            let node = named.unwrap_or(item);
            let Some(name) = doc.str(node) else { continue };
            match groups.iter_mut().find(|group| group.is_called(name)) {
                Some(group) => group.members.extend(member.clone().filter(|m| !group.members.contains(m))),
                None => {
                    let finding = unknown_group(name, groups).at(doc.span(node), "not in this file");
                    findings.push(finding.path(format!("{}.{field}", path())));
                }
            }
        }
    }
    for field in OF_CONSUMERS {
        if let Some(entry) = remove_key(doc, consumer, field).filter(|e| !is_empty(doc, e.value)) {
            let message = format!("`{field}` is left out: its plugin exists only in Kong Enterprise");
            let finding = Finding::warning(ENTERPRISE, message).at(doc.span(entry.key), "left out");
            findings.push(finding.path(format!("{}.{field}", path())));
        }
    }
}

fn unknown_group(name: &str, groups: &[ConsumerGroup]) -> Finding {
    let names = groups.iter().filter_map(|g| g.name.as_deref());
    unknown(UNKNOWN_GROUP, format!("there is no consumer group `{name}` in `consumer_groups`"), name, names)
}

/// Removes Enterprise fields from a plugin. Returns whether the plugin itself must be removed because it is scoped
/// to a consumer group.
pub(super) fn plugin(
    doc: &mut Document,
    plugin: NodeId,
    groups: &mut [ConsumerGroup],
    path: &dyn Fn() -> String,
    findings: &mut Findings,
) -> bool {
    for (field, means) in OF_PLUGINS {
        if let Some(entry) = remove_key(doc, plugin, field).filter(|e| !is_empty(doc, e.value)) {
            let message = format!("`{field}` of a plugin exists only in Kong Enterprise: here {means}");
            let finding = Finding::warning(ENTERPRISE, message).at(doc.span(entry.key), "left out");
            findings.push(finding.path(format!("{}.{field}", path())));
        }
    }
    let Some(entry) = remove_key(doc, plugin, "consumer_group").filter(|e| !is_null(doc, e.value)) else {
        return false;
    };
    let node = ["name", "id"].iter().find_map(|key| get(doc, entry.value, key)).unwrap_or(entry.value);
    let Some(name) = doc.str(node).map(str::to_owned) else {
        let path = format!("{}.consumer_group", path());
        findings.push(wrong_type(doc, CONSUMER_GROUP, &path, "the name of a consumer group", entry.value));
        return true;
    };
    let finding = match groups.iter_mut().find(|group| group.is_called(&name)) {
        Some(group) => {
            group.plugins.push(plugin);
            let message = "the plugin is left out: only Kong Enterprise applies plugins to consumer groups";
            Finding::warning(CONSUMER_GROUP, message).help(INSTEAD).at(doc.span(entry.key), "left out")
        }
        None => unknown_group(&name, groups).at(doc.span(node), "not in this file"),
    };
    findings.push(finding.path(format!("{}.consumer_group", path())));
    true
}
