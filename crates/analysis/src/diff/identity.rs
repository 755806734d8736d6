//! Which entity of one side is which of the other: by name and owner where there is one, else by what
//! makes it unique.

use ahash::AHashMap;
use serde_json::Value;
use uuid::Uuid;

use super::{
    Side, secret,
    sets::{self, PluginSets},
};
use model::{KindInfo, Row, State, rule::pem};
use source::NodeId;
use upstream::canonical_target;

/// One entity, ready to be compared: references are names, times and derived ids are removed, and generated texts
/// are replaced by [`GENERATED`].
#[derive(Debug)]
pub(super) struct Item {
    /// Equal on both sides for the same entity.
    pub identity: String,
    /// The entity in words.
    pub name: String,
    /// What it belongs to.
    pub owners: String,
    /// Whether the text that makes it unique was generated.
    pub is_nameless: bool,
    pub value: Value,
    /// Id of its consumer, if it has one: passwords are hashed with it.
    pub consumer: Option<String>,
    pub origin: Option<NodeId>,
    /// Paths of secrets in `value`.
    pub secrets: &'static [String],
}

/// What represents a text that was generated while the file was read. It begins with NUL, so that no text that people
/// write is taken for it.
pub(super) const GENERATED: &str = "\0(generated)";

/// What ids of one side are called.
pub(super) struct Names(AHashMap<Uuid, String>);

impl Names {
    pub fn of(state: &State) -> Self {
        let mut names = AHashMap::new();
        for table in state.tables().into_iter().filter(|table| !table.info().children().is_empty()) {
            names.extend(table.iter().filter_map(|row| Some((row.id(), row.name()?.to_owned()))));
        }
        for consumer in state.consumers.rows() {
            if let (None, Some(custom)) = (&consumer.username, &consumer.custom_id) {
                names.insert(consumer.id, custom.clone());
            }
        }
        // Ids of nameless entities may differ at every load; what they are made of does not.
        for set in state.key_sets.rows().iter().filter(|set| set.name.is_none()) {
            names.insert(set.id, NAMELESS.to_owned());
        }
        names.extend(certificates(state));
        for service in state.services.rows().iter().filter(|s| s.name.is_none()) {
            names.insert(service.id, url(&serde_json::to_value(service).unwrap_or_default()));
        }
        let mut names = Names(names);
        for route in state.routes.rows().iter().filter(|r| r.name.is_none()) {
            let mut value = serde_json::to_value(route).unwrap_or_default();
            sets::sort("routes", &mut value);
            value.get_mut("service").and_then(|service| names.replace_id_with_name(service));
            names.0.insert(route.id, unnamed_route_key(&value));
        }
        names
    }

    /// Puts the name of what is referred to in place of the reference, and returns it.
    fn replace_id_with_name(&self, reference: &mut Value) -> Option<String> {
        let name = self.display_name(reference.get("id")?.as_str()?);
        *reference = Value::String(name.clone());
        Some(name)
    }

    fn display_name(&self, id: &str) -> String {
        let known = id.parse::<Uuid>().ok().and_then(|id| self.0.get(&id));
        known.cloned().unwrap_or_else(|| id.to_owned())
    }
}

impl Item {
    pub fn of(
        kind: &KindInfo,
        row: &dyn Row,
        names: &Names,
        side: &Side<'_>,
        plugin_sets: &PluginSets<'_>,
    ) -> Self {
        let mut value = row.to_json();
        let consumer = value["consumer"]["id"].as_str().map(str::to_owned);
        for field in kind.generated.iter().filter(|field| side.leaves_out(row.origin(), field)) {
            value[*field] = GENERATED.into();
        }
        let mut owners = Vec::new();
        for (field, value) in value.as_object_mut().into_iter().flatten() {
            if kind.foreign.iter().any(|foreign| foreign.field == field) {
                owners.extend(names.replace_id_with_name(value).map(|name| format!("{field} {name}")));
            }
        }
        plugin_sets.sort(kind.key, &mut value);
        // A gateway that runs gives back the port that a file may leave out.
        if let ("targets", Some(target)) = (kind.key, value["target"].as_str()) {
            value["target"] = canonical_target(target).into();
        }
        let is_loading = side.leaves_out(row.origin(), "created_at");
        let written = value.get("created_at").filter(|_| side.document.is_some()).cloned();
        let written = written.map(|time| if is_loading { GENERATED.into() } else { time });
        let key = own_key(kind, &value);
        let is_nameless = key == GENERATED;
        // A key that must not be shown says too little in words, too.
        let owned = kind.comparison.is_some_and(|comparison| comparison.owned)
            || is_nameless
            || secret::names_itself(kind);
        let (named, of) = (called(kind, &key), owners.join(" and "));
        let of = match owners.as_slice() {
            [] if kind.key == "plugins" => "(global)".to_owned(),
            [] => String::new(),
            _ if owned => format!("for {of}"),
            _ => String::new(),
        };
        let name = [named, of].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(" ");
        let owners = owners.join(" ");
        let identity = if owned { format!("{key} {owners}") } else { key };
        if let Some(map) = value.as_object_mut() {
            // Times and ids differ from load to load, or follow from the rest, as a digest does.
            map.retain(|field, _| {
                !matches!(field.as_str(), "id" | "created_at" | "updated_at" | "cert_digest")
            });
        }
        // Written times decide between routes where the router asks for them; those of loading are no setting.
        if let (true, "routes", Some(time)) = (side.dated, kind.key, written) {
            value["created_at"] = time;
        }
        let secrets = secret::paths(side.catalog.secrets(), kind.key, &value);
        Item { identity, name, owners, is_nameless, value, consumer, origin: row.origin(), secrets }
    }
}

impl Item {
    /// The identity, and a number that is another for another value.
    pub fn fingerprint(self) -> (String, u64) {
        // Fixed seeds: both sides must agree. A chance of 2^-64 that a change goes unseen is taken.
        let print = print(&self.value, &ahash::RandomState::with_seeds(1, 2, 3, 4));
        (self.identity, print)
    }
}

/// A number for a value: the entries of a map count in any order.
fn print(value: &Value, hasher: &ahash::RandomState) -> u64 {
    match value {
        Value::Object(map) => map.iter().fold(map.len() as u64, |sum, (key, value)| {
            sum.wrapping_add(hasher.hash_one((key, print(value, hasher))))
        }),
        Value::Array(items) => {
            let first = items.len() as u64;
            items.iter().fold(first, |sum, item| hasher.hash_one((sum, print(item, hasher))))
        }
        plain => hasher.hash_one(plain),
    }
}

/// What a nameless route matches.
fn unnamed_route_key(route: &Value) -> String {
    let fields = ["service", "hosts", "paths", "methods", "headers", "snis", "expression"];
    let set = fields.iter().filter(|f| route.get(**f).is_some_and(|value| !value.is_null()));
    format!("({})", set.map(|f| format!("{f} {}", route[*f])).collect::<Vec<_>>().join(", "))
}

/// Where a nameless service leads.
fn url(service: &Value) -> String {
    let text = |field: &str| service[field].as_str().unwrap_or_default();
    format!("{}://{}:{}{}", text("protocol"), text("host"), service["port"], text("path"))
}

/// What an entity is called, without what it belongs to. Empty for kinds whose names are secrets.
fn called(kind: &KindInfo, key: &str) -> String {
    match kind.key {
        _ if key == GENERATED => String::new(),
        "certificates" | "ca_certificates" => subject(key).unwrap_or_default(),
        _ if secret::names_itself(kind) => String::new(),
        _ => key.to_owned(),
    }
}

/// The subject of a certificate in PEM: `CN=api.test`.
fn subject(pem: &str) -> Option<String> {
    use x509_parser::prelude::{FromDer, X509Certificate};
    let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).ok()?;
    let (_, certificate) = X509Certificate::from_der(&pem.contents).ok()?;
    Some(certificate.subject().to_string())
}

/// Names of certificates, whose ids files leave out: the subject, with the beginning of the digest if other certificates
/// have the same. A certificate that is renewed keeps its name.
fn certificates(state: &State) -> Vec<(Uuid, String)> {
    let rows = state.certificates.rows();
    let subjects: Vec<(Uuid, String, &str)> =
        rows.iter().filter_map(|row| Some((row.id, subject(&row.cert)?, row.cert.as_str()))).collect();
    let mut counts: AHashMap<&str, usize> = AHashMap::new();
    subjects.iter().for_each(|(_, subject, _)| *counts.entry(subject).or_default() += 1);
    let name = |subject: &str, cert: &str| match counts.get(subject) {
        Some(1) => subject.to_owned(),
        _ => format!("{subject} {:.16}", pem::digest(cert).unwrap_or_default()),
    };
    subjects.iter().map(|(id, subject, cert)| (*id, name(subject, cert))).collect()
}

/// What represents the name of an entity that has none: the n-th of one side is the n-th of the other.
const NAMELESS: &str = "(nameless)";

/// The text that makes an entity unique among its kind and owners.
fn own_key(kind: &KindInfo, value: &Value) -> String {
    let text = |field: &str| value[field].as_str().map(str::to_owned);
    let fields = kind.comparison.map_or(&[][..], |comparison| comparison.key);
    let key = fields.iter().find_map(|field| text(field));
    match kind.key {
        "plugins" => match (key, text("instance_name")) {
            (Some(name), Some(instance)) => format!("{name} {instance}"),
            (name, _) => name.unwrap_or_default(),
        },
        "routes" => key.unwrap_or_else(|| unnamed_route_key(value)),
        "services" => key.unwrap_or_else(|| url(value)),
        _ => key.unwrap_or_else(|| NAMELESS.to_owned()),
    }
}
