//! Compiled schemas of all entity kinds: the kind's own schema, its nested entities, and the variants that depend
//! on content (a plugin's settings by its name, a route's fields by its protocols).

use ahash::AHashMap;
use serde_json::{Value as Json, json};

use super::{
    BUNDLED,
    dialect::enterprise,
    rules,
    validator::{
        self, CompileError, CompiledSchema, Defect, FindCheck, RecordSchema, SchemaError, SchemaKind,
        SchemaResolver, StringSchema, entity_checks,
    },
};
use model::{KINDS, KindInfo};
use plugin::Registry;
use router::Flavor;
use source::{Document, NodeId, Value};

/// Compiled schemas for one router flavor.
#[derive(Clone, Copy)]
pub struct SchemaSet {
    common: &'static CommonSchemas,
    /// Routes by protocol family: http, tcp, grpc.
    routes: &'static [RecordSchema; 3],
    flavor: Flavor,
}

/// The schemas that do not depend on the router flavor.
struct CommonSchemas {
    file: RecordSchema,
    kinds: Vec<RecordSchema>,
    plugins: AHashMap<String, RecordSchema>,
}

/// Compiles the schemas of all router flavors. They are leaked, because loaded documents refer to them.
///
/// # Errors
/// If a schema of an entity or of a plugin does not compile.
pub(super) fn compile(registry: &Registry) -> Result<[SchemaSet; 3], CompileError> {
    let find_check = |name: &str| rules::find(name).or_else(|| registry.rule(name));
    let compiler = EntityCompiler { find_check: &find_check };
    let kinds = KINDS.iter().map(|kind| compiler.record(kind, (kind.schema)().to_value()));
    let plugin = |entry: &plugin::PluginDescriptor| {
        Ok::<_, CompileError>((entry.name.to_string(), compiler.plugin(entry)?))
    };
    let common = CommonSchemas {
        file: file_record(),
        kinds: kinds.collect::<Result<_, _>>()?,
        plugins: registry.descriptors().map(plugin).collect::<Result<_, _>>()?,
    };
    let routes = |flavor| Ok::<_, CompileError>((compiler.routes(flavor)?, flavor));
    let routes =
        [routes(Flavor::TraditionalCompatible)?, routes(Flavor::Traditional)?, routes(Flavor::Expressions)?];
    let common: &'static CommonSchemas = Box::leak(Box::new(common));
    Ok(routes.map(|(routes, flavor)| SchemaSet { common, routes: Box::leak(Box::new(routes)), flavor }))
}

impl SchemaSet {
    /// Returns the schema of the document.
    pub fn file(&self) -> &'static RecordSchema {
        &self.common.file
    }

    /// Returns whether a plugin of that name exists.
    pub fn has_plugin(&self, name: &str) -> bool {
        self.common.plugins.contains_key(name)
    }

    /// Returns the router flavor of these schemas.
    pub fn flavor(&self) -> Flavor {
        self.flavor
    }
}

struct EntityCompiler<'r> {
    find_check: FindCheck<'r>,
}

impl EntityCompiler<'_> {
    /// Compiles the schema of a kind and adds the fields common to all entities.
    fn record(&self, kind: &'static KindInfo, schema: Json) -> Result<RecordSchema, CompileError> {
        let compiled = validator::compile(&schema, self.find_check).map_err(|error| error.of(kind.key))?;
        let SchemaKind::Record(mut record) = compiled.kind else {
            return Err(CompileError::from(Defect::NotARecord).of(kind.key));
        };
        add_comments(&mut record);
        let mut children: Vec<_> =
            kind.children().iter().filter_map(|c| Some((KindInfo::number(c.kind)?, c))).collect();
        children.sort_by_key(|(number, _)| *number);
        for (number, child) in children {
            record.set(child.kind, CompiledSchema::of(SchemaKind::Children(number, child.field)));
        }
        Ok(*record)
    }

    /// Compiles the schemas of routes by protocol family.
    fn routes(&self, flavor: Flavor) -> Result<[RecordSchema; 3], CompileError> {
        let kind = kind("routes")?;
        let schema = (kind.schema)().to_value();
        let route = |family| self.record(kind, route_schema(schema.clone(), family, flavor));
        Ok([route(RouteKind::Http)?, route(RouteKind::Tcp)?, route(RouteKind::Grpc)?])
    }

    /// Compiles the schema of a plugin: common fields, its settings, its protocols, and the scopes it must not have.
    fn plugin(&self, entry: &plugin::PluginDescriptor) -> Result<RecordSchema, CompileError> {
        let mut schema = (kind("plugins")?.schema)().to_value();
        let protocols = json!(entry.protocols);
        let settings = (entry.schema)().to_value();
        if let Some(fields) = schema.get_mut("properties").and_then(Json::as_object_mut) {
            let item = json!({ "type": "string", "enum": protocols });
            let default = entry.default_protocols.as_ref();
            fields.insert(
                "protocols".to_owned(),
                json!({ "type": "array", "x-set": true, "items": item, "default": default }),
            );
            let pins = [
                ("consumer", entry.scopes.consumer),
                ("service", entry.scopes.service),
                ("route", entry.scopes.route),
            ];
            for (scope, _) in pins.iter().filter(|(_, allowed)| !allowed) {
                fields.insert((*scope).to_owned(), json!({ "x-must-be": null }));
            }
        }
        let of_plugin = |error: CompileError| error.of(format!("plugin {}", entry.name));
        let mut record = self.record(kind("plugins")?, schema)?;
        record.set("config", validator::compile(&settings, self.find_check).map_err(of_plugin)?);
        let checks = settings.get("x-plugin-checks");
        record.checks =
            entity_checks::compile("x-plugin-checks", checks, &record, self.find_check).map_err(of_plugin)?;
        Ok(record)
    }
}

fn kind(key: &str) -> Result<&'static KindInfo, CompileError> {
    KindInfo::of(key).ok_or_else(|| Defect::UnknownKind(key.to_owned()).into())
}

fn add_comments(record: &mut RecordSchema) {
    record.set("_comment", CompiledSchema::text());
    let any = validator::ListSchema {
        set: false,
        item: CompiledSchema::of(SchemaKind::Any),
        min: None,
        max: None,
        length: None,
        exclusive: Vec::new(),
        contains: None,
    };
    record.set("_ignore", CompiledSchema::of(SchemaKind::List(Box::new(any))));
}

fn file_record() -> RecordSchema {
    let mut record = RecordSchema::default();
    let versions = ["1.1", "2.1", "3.0"].map(Into::into).to_vec();
    let text = StringSchema { min: 1, one_of: Some(versions), ..StringSchema::default() };
    let mut version = CompiledSchema::of(SchemaKind::Text(Box::new(text)));
    version.required = true;
    record.set("_format_version", version);
    let mut transform = CompiledSchema::of(SchemaKind::Bool);
    transform.default = Some(Json::Bool(true));
    record.set("_transform", transform);
    add_comments(&mut record);
    for (number, kind) in KINDS.iter().enumerate() {
        record.set(kind.key, CompiledSchema::of(SchemaKind::Children(number, "")));
    }
    record
}

/// Protocol family that determines a route's constraints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RouteKind {
    Http,
    Tcp,
    Grpc,
}

fn route_schema(mut schema: Json, kind_of_route: RouteKind, flavor: Flavor) -> Json {
    let expressions = flavor == Flavor::Expressions;
    let Some(fields) = schema.get_mut("properties").and_then(Json::as_object_mut) else { return schema };
    if !expressions {
        fields.shift_remove("expression");
        fields.shift_remove("priority");
    }
    if flavor == Flavor::Traditional
        && let Some(snis) = fields.get_mut("snis")
    {
        snis["items"]["x-rule"] = json!("sni");
    }
    let (forbidden, protocols): (&[&str], _) = match kind_of_route {
        RouteKind::Http if expressions => (&[], ""),
        RouteKind::Http => (&["sources", "destinations"], "'http' or 'https'"),
        RouteKind::Tcp => {
            (&["methods", "hosts", "paths", "headers"], "'tcp', 'tls', 'tls_passthrough' or 'udp'")
        }
        RouteKind::Grpc if expressions => (&["methods"], "'grpc' or 'grpcs'"),
        RouteKind::Grpc => (&["methods", "sources", "destinations"], "'grpc' or 'grpcs'"),
    };
    let err = |field: &str| format!("cannot set '{field}' when 'protocols' is {protocols}");
    for field in forbidden {
        fields.insert((*field).to_owned(), json!({ "x-must-be": null, "x-err": err(field) }));
    }
    if kind_of_route == RouteKind::Grpc {
        let strip =
            json!({ "type": "boolean", "default": false, "x-must-not-be": true, "x-err": err("strip_path") });
        fields.insert("strip_path".to_owned(), strip);
    }
    let with = |fields: &[&str]| {
        let mut all = fields.to_vec();
        all.extend(expressions.then_some("expression"));
        json!(all)
    };
    let must = |protocols: &str| format!("must set one of %s when 'protocols' is {protocols}");
    let more = match kind_of_route {
        RouteKind::Http => vec![json!({
            "if": "protocols", "if_contains": "https",
            "then_at_least_one_of": with(&["methods", "hosts", "headers", "paths", "snis"]), "err": must("'https'"),
            "else": {
                "if_contains": "http",
                "then_at_least_one_of": with(&["methods", "hosts", "headers", "paths"]), "err": must("'http'"),
            },
        })],
        RouteKind::Tcp => vec![
            json!({
                "if": "protocols", "each_in": ["tcp", "tls", "udp"],
                "then_at_least_one_of": with(&["sources", "destinations", "snis"]),
                "err": must("'tcp', 'tls' or 'udp'"),
            }),
            json!({
                "if": "protocols", "each_in": ["tls_passthrough"], "then_at_least_one_of": with(&["snis"]),
                "err": "must set snis when 'protocols' is 'tls_passthrough'",
            }),
        ],
        RouteKind::Grpc => vec![json!({
            "if": "protocols", "if_contains": "grpcs",
            "then_at_least_one_of": with(&["hosts", "headers", "paths", "snis"]), "err": must("'grpcs'"),
            "else": {
                "if_contains": "grpc",
                "then_at_least_one_of": with(&["hosts", "headers", "paths"]), "err": must("'grpc'"),
            },
        })],
    };
    if let Some(checks) = schema.get_mut("x-entity-checks").and_then(Json::as_array_mut) {
        checks.extend(more);
    }
    schema
}

impl SchemaResolver for SchemaSet {
    fn choose(
        &self,
        kind: usize,
        doc: &Document,
        node: NodeId,
    ) -> Result<&'static RecordSchema, SchemaError> {
        let CommonSchemas { kinds, plugins, .. } = self.common;
        let text = |field| doc.get(node, field).and_then(|n| doc.str(n));
        match KINDS[kind].key {
            "routes" => self.route(doc, node),
            "plugins" => match text("name") {
                Some(name) if !name.is_empty() => match plugins.get(name) {
                    Some(record) => Ok(record),
                    None => Err(unknown_plugin(name)),
                },
                _ => Ok(&kinds[kind]),
            },
            "vaults" => match text("name") {
                Some(name) if name != "env" && !name.is_empty() => Err(SchemaError {
                    field: "name",
                    code: "config/not-allowed",
                    text: format!("vault '{name}' is not installed"),
                    message: format!("there is no vault type `{name}` in the open-source gateway"),
                    help: Some("the one type there is: `env`".to_owned()),
                    unknown: None,
                }),
                _ => Ok(&kinds[kind]),
            },
            _ => Ok(&kinds[kind]),
        }
    }

    fn kind(&self, kind: usize) -> Option<&'static RecordSchema> {
        self.common.kinds.get(kind)
    }
}

impl SchemaSet {
    /// Selects the schema by the first of the route's protocols.
    fn route(&self, doc: &Document, node: NodeId) -> Result<&'static RecordSchema, SchemaError> {
        let [http, tcp, grpc] = self.routes;
        let Some(protocols) = doc.get(node, "protocols") else { return Ok(http) };
        let first = match doc.value(protocols) {
            Value::Null => return Ok(http),
            Value::Str(s) => Some(&**s),
            Value::Seq(items) => items.first().and_then(|&n| doc.str(n)),
            _ => None,
        };
        match first {
            Some("http" | "https") => Ok(http),
            Some("tcp" | "tls" | "udp" | "tls_passthrough") => Ok(tcp),
            Some("grpc" | "grpcs") => Ok(grpc),
            other => Err(SchemaError {
                field: "protocols",
                code: "config/not-allowed",
                text: format!("unknown type: {}", other.unwrap_or("nil")),
                message: match other {
                    Some(name) => format!("there is no protocol `{name}`"),
                    None => "`protocols` must not be empty".to_owned(),
                },
                help: None,
                unknown: other.map(|name| (name.to_owned(), PROTOCOLS)),
            }),
        }
    }
}

/// All protocols of routes.
const PROTOCOLS: &[&str] = &["grpc", "grpcs", "http", "https", "tcp", "tls", "tls_passthrough", "udp"];

/// Schemas without those of plugins that the node's settings disable.
pub struct EnabledSchemas<'a> {
    /// The schemas of all plugins.
    pub schemas: SchemaSet,
    /// Returns whether a plugin is enabled.
    pub plugin: &'a (dyn Fn(&str) -> bool + Sync),
}

impl SchemaResolver for EnabledSchemas<'_> {
    fn choose(
        &self,
        kind: usize,
        doc: &Document,
        node: NodeId,
    ) -> Result<&'static RecordSchema, SchemaError> {
        let record = self.schemas.choose(kind, doc, node)?;
        if KINDS[kind].key != "plugins" {
            return Ok(record);
        }
        match doc.get(node, "name").and_then(|n| doc.str(n)) {
            Some(name) if !name.is_empty() && !(self.plugin)(name) => Err(SchemaError {
                field: "name",
                code: "plugin/not-enabled",
                text: not_enabled(name),
                message: format!("the plugin `{name}` is switched off on this node"),
                help: Some(format!("add `{name}` to the node's setting `plugins` (KONG_PLUGINS)")),
                unknown: None,
            }),
            _ => Ok(record),
        }
    }

    fn kind(&self, kind: usize) -> Option<&'static RecordSchema> {
        self.schemas.kind(kind)
    }
}

fn not_enabled(name: &str) -> String {
    format!("plugin '{name}' not enabled; add it to the 'plugins' configuration property")
}

fn unknown_plugin(name: &str) -> SchemaError {
    let text = not_enabled(name);
    if BUNDLED.contains(&name) {
        return SchemaError {
            field: "name",
            code: "plugin/not-yet",
            text,
            message: format!("the plugin `{name}` is part of Kong but not built into this gateway yet"),
            help: Some("remove the entry until it is".to_owned()),
            unknown: None,
        };
    }
    if enterprise::PLUGINS.contains(&name) {
        let open = name.strip_suffix("-advanced").filter(|open| BUNDLED.contains(open));
        return SchemaError {
            field: "name",
            code: "plugin/enterprise",
            text,
            message: format!("the plugin `{name}` exists only in Kong Enterprise"),
            help: Some(match open {
                Some(open) => format!("the open-source one is `{open}`"),
                None => "remove the entry".to_owned(),
            }),
            unknown: None,
        };
    }
    SchemaError {
        field: "name",
        code: "plugin/unknown",
        text,
        message: format!("there is no plugin `{name}`"),
        help: Some(
            "custom plugins (KONG_PLUGINS) are written in Lua, which this gateway does not run".to_owned(),
        ),
        unknown: Some((name.to_owned(), BUNDLED)),
    }
}
