//! Which entity of one side is which of the other: by name and owner where there is one, else by what
//! makes it unique, else by id.

use ahash::AHashMap;
use serde_json::Value;
use uuid::Uuid;

use super::secret;
use crate::{
    model::{Row, State},
    source::NodeId,
    upstream::shown_target,
};

/// One entity, ready to be compared: references are names, times and derived ids are gone.
#[derive(Debug)]
pub(super) struct Item {
    /// Equal on both sides for the same entity.
    pub identity: String,
    /// The entity in words.
    pub name: String,
    pub value: Value,
    pub origin: Option<NodeId>,
    /// Paths of secrets in `value`.
    pub secrets: &'static [String],
}

/// What ids of one side are called.
pub(super) struct Names(AHashMap<Uuid, String>);

impl Names {
    pub fn of(state: &State) -> Self {
        let mut names = AHashMap::new();
        macro_rules! named {
            ($($table:ident),*) => {$(
                for row in state.$table.rows() {
                    if let Some(name) = row.name() {
                        names.insert(row.id(), name.to_owned());
                    }
                }
            )*};
        }
        named!(services, routes, consumers, upstreams, key_sets);
        for consumer in state.consumers.rows() {
            if let (None, Some(custom)) = (&consumer.username, &consumer.custom_id) {
                names.insert(consumer.id, custom.clone());
            }
        }
        // Ids of nameless entities may differ at every load; what they are made of does not.
        for service in state.services.rows().iter().filter(|s| s.name.is_none()) {
            names.insert(service.id, url(&serde_json::to_value(service).unwrap_or_default()));
        }
        let mut names = Names(names);
        for route in state.routes.rows().iter().filter(|r| r.name.is_none()) {
            let mut value = serde_json::to_value(route).unwrap_or_default();
            value.get_mut("service").and_then(|service| names.in_place_of_id(service));
            names.0.insert(route.id, nameless(&value));
        }
        names
    }

    /// Puts the name of what is referred to in place of the reference, and returns it.
    fn in_place_of_id(&self, reference: &mut Value) -> Option<String> {
        let name = self.call(reference.get("id")?.as_str()?);
        *reference = Value::String(name.clone());
        Some(name)
    }

    fn call(&self, id: &str) -> String {
        let known = id.parse::<Uuid>().ok().and_then(|id| self.0.get(&id));
        known.cloned().unwrap_or_else(|| id.to_owned())
    }
}

/// Fields whose order means nothing.
const SETS: &[&str] = &["tags", "methods", "protocols", "snis", "sources", "destinations", "redirect_uris"];

/// Fields that refer to another entity.
const REFERENCES: &[&str] =
    &["service", "route", "consumer", "upstream", "certificate", "client_certificate", "set"];

impl Item {
    pub fn of<T: Row + serde::Serialize>(row: &T, names: &Names) -> Self {
        let mut value = serde_json::to_value(row).unwrap_or_default();
        let mut owners = Vec::new();
        for (field, value) in value.as_object_mut().into_iter().flatten() {
            match value {
                _ if REFERENCES.contains(&field.as_str()) => {
                    owners.extend(names.in_place_of_id(value).map(|name| format!("{field} {name}")));
                }
                Value::Array(items) if SETS.contains(&field.as_str()) => {
                    items.sort_by_cached_key(ToString::to_string);
                }
                _ => {}
            }
        }
        let kind = T::KIND.0;
        // A gateway that runs gives back the port that a file may leave out.
        if let ("targets", Some(target)) = (kind, value["target"].as_str()) {
            value["target"] = shown_target(target).into();
        }
        let key = own_key(kind, &value);
        let (identity, name) = match &key {
            Some(key) => {
                let named = called(kind, key);
                // What is told by its owners, because its own name says too little or too much.
                let owned = matches!(kind, "plugins" | "targets" | "acls") || secret::names_itself(kind);
                let of = match owners.as_slice() {
                    [] if kind == "plugins" => "(global)".to_owned(),
                    [] => String::new(),
                    _ if owned => format!("for {}", owners.join(" and ")),
                    _ => String::new(),
                };
                let name = [named, of].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(" ");
                let identity = if owned { format!("{key} {}", owners.join(" ")) } else { key.clone() };
                (identity, name)
            }
            None => (row.id().to_string(), row.id().to_string()),
        };
        if let Some(map) = value.as_object_mut() {
            // An id that follows from names says nothing new; one that is random differs at every load.
            let told = |field: &str| field != "id" || key.is_none();
            map.retain(|field, _| !matches!(field.as_str(), "created_at" | "updated_at") && told(field));
        }
        let secrets = secret::paths(T::KIND.0, &value);
        Item { identity, name, value, origin: row.origin(), secrets }
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
fn nameless(route: &Value) -> String {
    let fields = ["service", "hosts", "paths", "methods", "headers", "snis", "expression"];
    let set = fields.iter().filter(|f| route.get(**f).is_some_and(|value| !value.is_null()));
    format!("({})", set.map(|f| format!("{f} {}", route[*f])).collect::<Vec<_>>().join(", "))
}

/// Where a nameless service leads.
fn url(service: &Value) -> String {
    let text = |field: &str| service[field].as_str().unwrap_or_default();
    format!("{}://{}:{}{}", text("protocol"), text("host"), service["port"], text("path"))
}

/// What an entity is called, without what it belongs to. A secret is told by no name.
fn called(kind: &str, key: &str) -> String {
    match kind {
        "certificates" | "ca_certificates" => subject(key).unwrap_or_default(),
        _ if secret::names_itself(kind) => String::new(),
        _ => key.to_owned(),
    }
}

/// Whom a certificate in PEM is made out to: `CN=api.test`.
fn subject(pem: &str) -> Option<String> {
    use x509_parser::prelude::{FromDer, X509Certificate};
    let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).ok()?;
    let (_, certificate) = X509Certificate::from_der(&pem.contents).ok()?;
    Some(certificate.subject().to_string())
}

/// The text that makes an entity unique among its kind and owners.
fn own_key(kind: &str, value: &Value) -> Option<String> {
    let field = match kind {
        "plugins" => {
            let name = value["name"].as_str()?;
            return Some(match value["instance_name"].as_str() {
                Some(instance) => format!("{name} {instance}"),
                None => name.to_owned(),
            });
        }
        "consumers" => {
            return value["username"].as_str().or_else(|| value["custom_id"].as_str()).map(str::to_owned);
        }
        "routes" if value["name"].is_null() => return Some(nameless(value)),
        "services" if value["name"].is_null() => return Some(url(value)),
        "targets" => "target",
        "acls" => "group",
        "basicauth_credentials" | "hmacauth_credentials" => "username",
        "jwt_secrets" | "keyauth_credentials" => "key",
        "oauth2_credentials" => "client_id",
        "vaults" => "prefix",
        "certificates" | "ca_certificates" => "cert",
        _ => "name",
    };
    value[field].as_str().map(str::to_owned)
}
