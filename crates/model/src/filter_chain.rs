//! Chains of WebAssembly filters. The format knows them; this gateway has no filters to run yet.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Ref, Route, Service, Set, Timestamp, field};
use source::NodeId;

/// Filters that run on the requests of a service or a route.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(extend("x-entity-checks" = [
    {"at_most_one_of": ["service", "route"]},
    {"at_least_one_of": ["service", "route"]},
    {"custom": "no_wasm", "fields": ["filters"], "always": true},
]))]
pub struct FilterChain {
    /// Id; derived from route and service if absent.
    #[serde(default)]
    #[schemars(with = "field::Id")]
    pub id: Uuid,
    /// Unique name.
    #[schemars(with = "Option<field::Name>")]
    pub name: Option<String>,
    /// A disabled chain counts as absent.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The route it runs on.
    pub route: Option<Ref<Route>>,
    /// The service it runs on.
    pub service: Option<Ref<Service>>,
    /// The filters, in order.
    #[schemars(extend("minItems" = 1))]
    pub filters: Vec<Filter>,
    /// When it was made.
    #[serde(default, deserialize_with = "field::or_default")]
    #[schemars(with = "Option<field::Created>")]
    pub created_at: Timestamp,
    /// When it was last loaded.
    #[serde(default, deserialize_with = "field::ignored")]
    #[schemars(with = "field::Updated")]
    pub updated_at: Timestamp,
    /// Free labels.
    #[schemars(with = "Option<Set<field::Tag>>")]
    pub tags: Option<Set<String>>,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Option<NodeId>,
}

/// One filter and its settings.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Filter {
    /// Name of an installed filter.
    #[schemars(with = "field::NoFilter")]
    pub name: String,
    /// A disabled filter is skipped.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Settings, as the filter wants them.
    pub config: Option<serde_json::Value>,
}

fn yes() -> bool {
    true
}
