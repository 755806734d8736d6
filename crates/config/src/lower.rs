//! Lowering of validated nodes to typed rows, including plugin settings.

use std::sync::Arc;

use uuid::Uuid;

use super::{
    resolve::{Resolved, path_of, path_text},
    route_conditions,
    validator::EntityRef,
};
use model::{
    DEFAULT_WORKSPACE, EmptyRecord, KINDS, PluginConfig, PluginEntity, PluginRow, Row, Rows, Set, State,
    Table, Workspace,
};
use plugin::{ConfigPath, Diagnostics, PluginDescriptor, PluginType, Registry, UNSUPPORTED_SUFFIX};
use router::Flavor;
use source::{Document, ErrorPathSegment, Finding, Findings, Level, NodeId, Span, Value, from_node};

/// Inputs of lowering.
pub struct RowInputs<'d> {
    /// The document.
    pub doc: &'d mut Document,
    /// The entities in it.
    pub found: &'d [EntityRef],
    /// Their ids and references.
    pub resolved: &'d Resolved,
    /// Load time, as a Unix time in seconds.
    pub now: f64,
    /// Router flavor.
    pub flavor: Flavor,
    /// Whether unsupported settings are warnings instead of errors.
    pub allow_unsupported: bool,
    /// The plugin registry.
    pub registry: &'d Registry,
}

/// Lowers all entities that passed validation. Failures are reported and skipped.
pub fn lower_entities(mut inputs: RowInputs<'_>, findings: &mut Findings) -> State {
    let mut state = State::default();
    let mut counts = [0; KINDS.len()];
    inputs.found.iter().for_each(|found| counts[found.kind] += 1);
    for (table, count) in state.tables_mut().into_iter().zip(counts) {
        table.reserve(count);
    }
    for i in (0..inputs.found.len()).filter(|&i| inputs.found[i].clean) {
        let kind = inputs.found[i].kind;
        match KINDS[kind].key {
            "plugins" => inputs.plugin(i, &mut state.plugins, findings),
            _ => inputs.row(i, state.tables_mut()[kind], findings),
        }
    }
    route_conditions::check(inputs.doc, inputs.found, &state, inputs.flavor, findings);
    if state.workspaces.by_name("default").is_none() {
        state.workspaces.push(Workspace {
            id: DEFAULT_WORKSPACE,
            name: "default".to_owned(),
            comment: None,
            created_at: inputs.now as i64,
            updated_at: inputs.now as i64,
            meta: EmptyRecord {},
            config: EmptyRecord {},
            origin: None,
        });
    }
    state.indexed()
}

impl RowInputs<'_> {
    fn row(&mut self, i: usize, table: &mut dyn Rows, findings: &mut Findings) {
        let mut complete = |row: &mut dyn Row| {
            row.assign(self.resolved.ids[i], Some(self.found[i].node), self.now);
            for &(field, id) in self.resolved.links(i) {
                row.link(field, id);
            }
            normalize(row);
        };
        if let Err(error) = table.push_node(self.doc, self.found[i].data, &mut complete) {
            self.unreadable(i, error.node, &error.message, findings);
        }
    }

    fn plugin(&mut self, i: usize, table: &mut Table<PluginEntity>, findings: &mut Findings) {
        let data = self.found[i].data;
        let Some(plugin_type) = self
            .doc
            .get(data, "name")
            .and_then(|n| self.doc.str(n))
            .and_then(|name| self.registry.plugin_type(name))
        else {
            return;
        };
        let settings = self.settings(data);
        let config = match plugin_type.parse(self.doc, settings) {
            Ok(config) => config,
            Err(error) => return self.unreadable(i, error.node, &error.message, findings),
        };
        if self.check(i, plugin_type, config.as_ref(), settings, findings) {
            return;
        }
        match from_node::<PluginRow>(self.doc, data) {
            Ok(row) => {
                let mut plugin = plugin_of(row, plugin_type.descriptor(), config);
                plugin.assign(self.resolved.ids[i], Some(self.found[i].node), self.now);
                for &(field, id) in self.resolved.links(i) {
                    plugin.link(field, id);
                }
                table.push(plugin);
            }
            Err(error) => self.unreadable(i, error.node, &error.message, findings),
        }
    }

    /// Returns the node of a plugin's settings; an empty map if there is none.
    fn settings(&mut self, data: NodeId) -> NodeId {
        match self.doc.get(data, "config") {
            Some(node) => node,
            None => {
                let span = self.doc.span(data);
                self.doc.add(Value::Map(Box::default()), span)
            }
        }
    }

    /// Runs a plugin's own validation of its settings; returns whether they are rejected.
    fn check(
        &self,
        i: usize,
        plugin_type: &dyn PluginType,
        config: &dyn PluginConfig,
        settings: NodeId,
        findings: &mut Findings,
    ) -> bool {
        let mut checks = Diagnostics::default();
        plugin_type.validate(config, &mut checks);
        let name = &plugin_type.descriptor().name;
        let mut refused = false;
        for (mut level, code, place, message) in checks.entries {
            let unsupported = code.ends_with(UNSUPPORTED_SUFFIX);
            if unsupported && self.allow_unsupported {
                level = Level::Warning;
            }
            refused |= level == Level::Error;
            let mut tree = path_of(self.found, i);
            let owner = path_text(&tree);
            let (span, path) = match &place {
                ConfigPath::Plugin => {
                    tree.push(ErrorPathSegment::Entity);
                    (self.span_of_entity(i), owner)
                }
                ConfigPath::Field(pointer) => {
                    tree.push(ErrorPathSegment::Key("config".to_owned()));
                    let (node, segments) = self.resolve_pointer(settings, pointer);
                    tree.extend(segments);
                    let span = if node == settings { self.span_of_settings(i) } else { self.doc.span(node) };
                    let path = path_text(&tree);
                    (span, path)
                }
            };
            let mut finding = Finding::new(level, code, format!("{name}: {message}")).at(span, "").path(path);
            if level == Level::Error {
                finding = finding.kong_error(tree, message);
                finding.help = unsupported.then(|| "`--allow-unsupported` runs without it".to_owned());
            }
            findings.push(finding);
        }
        refused
    }

    /// Resolves a JSON pointer as far as nodes exist; the returned segments cover the whole pointer.
    fn resolve_pointer(&self, settings: NodeId, pointer: &str) -> (NodeId, Vec<ErrorPathSegment>) {
        let (mut node, mut lost) = (settings, false);
        let mut segments = Vec::new();
        for part in pointer.split('/').skip(1) {
            let part = part.replace("~1", "/").replace("~0", "~");
            let item = part.parse::<usize>().ok();
            let next = match (self.doc.value(node), item) {
                (Value::Seq(items), Some(n)) => items.get(n).copied(),
                _ => self.doc.get(node, &part),
            };
            segments.push(match (self.doc.value(node), item) {
                (Value::Seq(_), Some(n)) if !lost => ErrorPathSegment::Index(n + 1),
                _ => ErrorPathSegment::Key(part),
            });
            match next {
                Some(next) if !lost => node = next,
                _ => lost = true,
            }
        }
        (node, segments)
    }

    fn span_of_settings(&self, i: usize) -> Span {
        match self.doc.entry(self.found[i].node, "config") {
            Some(entry) => self.doc.span(entry.key),
            None => self.span_of_entity(i),
        }
    }

    fn span_of_entity(&self, i: usize) -> Span {
        let node = self.found[i].node;
        let first = self.doc.get(node, "name").or_else(|| self.doc.entries(node).first().map(|e| e.key));
        self.doc.span(first.unwrap_or(node))
    }

    /// Reports a value that passed the schema but does not fit the type. This is a gap in the schema.
    fn unreadable(&self, i: usize, node: NodeId, reason: &str, findings: &mut Findings) {
        let path = path_of(self.found, i);
        let finding = Finding::error("config/unreadable", format!("this value cannot be used: {reason}"))
            .at(self.doc.span(node), "")
            .path(path_text(&path))
            .kong_error(path, reason);
        findings.push(finding);
    }
}

/// Adjusts a default that depends on another field.
fn normalize(row: &mut dyn Row) {
    let row: &mut dyn std::any::Any = row;
    if let Some(route) = row.downcast_mut::<model::Route>() {
        use model::Protocol::{Grpc, Grpcs};
        let grpc = route.protocols.first().is_some_and(|p| matches!(p, Grpc | Grpcs));
        if grpc {
            route.strip_path = false;
        }
    }
}

fn plugin_of(row: PluginRow, entry: &PluginDescriptor, config: Arc<dyn PluginConfig>) -> PluginEntity {
    PluginEntity {
        id: Uuid::nil(),
        name: row.name,
        instance_name: row.instance_name,
        service: row.service,
        route: row.route,
        consumer: row.consumer,
        config,
        protocols: row.protocols.unwrap_or_else(|| Set(entry.default_protocols.as_ref().into())),
        enabled: row.enabled,
        tags: row.tags,
        created_at: row.created_at,
        updated_at: row.updated_at,
        origin: None,
    }
}
