//! All tables of a configuration, and lookups that span tables.

use std::{ops::Deref, sync::Arc};

use ahash::AHashMap;

use super::{
    Acl, AcmeStorage, BasicAuth, CaCertificate, Certificate, ClusteringDataPlane, Consumer, DerivedCache,
    FilterChain, HmacAuth, Ix, JwtSecret, Key, KeyAuth, KeySet, OAuth2AuthorizationCode, OAuth2Credential,
    OAuth2Token, Parameter, PluginEntity, RateLimitingMetric, Ref, Route, Service, Session, Sni, Table,
    Target, Upstream, Vault, Workspace,
};

/// A configuration: one table per kind of entity.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct State {
    pub services: Table<Service>,
    pub routes: Table<Route>,
    pub consumers: Table<Consumer>,
    pub plugins: Table<PluginEntity>,
    pub upstreams: Table<Upstream>,
    pub targets: Table<Target>,
    pub certificates: Table<Certificate>,
    pub ca_certificates: Table<CaCertificate>,
    pub snis: Table<Sni>,
    pub vaults: Table<Vault>,
    pub keys: Table<Key>,
    pub key_sets: Table<KeySet>,
    pub acls: Table<Acl>,
    pub basicauth_credentials: Table<BasicAuth>,
    pub hmacauth_credentials: Table<HmacAuth>,
    pub jwt_secrets: Table<JwtSecret>,
    pub keyauth_credentials: Table<KeyAuth>,
    pub oauth2_credentials: Table<OAuth2Credential>,
    pub oauth2_tokens: Table<OAuth2Token>,
    pub oauth2_authorization_codes: Table<OAuth2AuthorizationCode>,
    pub filter_chains: Table<FilterChain>,
    pub workspaces: Table<Workspace>,
    pub parameters: Table<Parameter>,
    pub sessions: Table<Session>,
    pub acme_storage: Table<AcmeStorage>,
    pub ratelimiting_metrics: Table<RateLimitingMetric>,
    pub clustering_data_planes: Table<ClusteringDataPlane>,
    /// Values that plugins derive from this data.
    pub derived: DerivedCache,
    /// The same rows with unresolved vault references, if there are any. In the tables above they are resolved.
    displayed: Option<Arc<State>>,
    custom_ids: AHashMap<Box<str>, Ix<Consumer>>,
    groups: AHashMap<Ix<Consumer>, Vec<Box<str>>>,
}

/// The rows of a configuration for output: with vault references instead of the secrets that they resolve to. Code that
/// prints rows takes this type, to which rows with secrets do not convert.
#[derive(Clone, Copy, Debug)]
pub struct DisplayState<'s>(&'s State);

impl<'s> DisplayState<'s> {
    /// The rows, with the lifetime of the configuration.
    pub fn rows(self) -> &'s State {
        self.0
    }
}

impl Deref for DisplayState<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        self.0
    }
}

impl State {
    /// Returns the rows for output.
    pub fn display(&self) -> DisplayState<'_> {
        DisplayState(self.displayed.as_deref().unwrap_or(self))
    }

    /// Sets the rows for output, if they differ from those to serve.
    pub fn set_displayed(&mut self, displayed: Arc<State>) {
        self.displayed = Some(displayed);
    }

    /// Builds the lookups that span tables. Called after all rows were added.
    #[must_use]
    pub fn indexed(mut self) -> Self {
        self.custom_ids =
            self.consumers.iter().filter_map(|(ix, c)| Some((c.custom_id.as_deref()?.into(), ix))).collect();
        self.groups.clear();
        for acl in self.acls.rows() {
            if let Some(consumer) = self.consumers.find(acl.consumer) {
                self.groups.entry(consumer).or_default().push(acl.group.as_str().into());
            }
        }
        self
    }

    /// Finds a consumer by its `custom_id`.
    pub fn consumer_by_custom_id(&self, custom_id: &str) -> Option<Ix<Consumer>> {
        self.custom_ids.get(custom_id).copied()
    }

    /// Finds a consumer by username or id, as settings such as `anonymous` refer to one.
    pub fn consumer(&self, name_or_id: &str) -> Option<Ix<Consumer>> {
        uuid::Uuid::parse_str(name_or_id)
            .ok()
            .and_then(|id| self.consumers.find(Ref::new(id)))
            .or_else(|| self.consumers.by_name(name_or_id))
    }

    /// Returns the groups of a consumer, in the order of the file.
    pub fn groups(&self, consumer: Ix<Consumer>) -> &[Box<str>] {
        self.groups.get(&consumer).map_or(&[], Vec::as_slice)
    }
}
