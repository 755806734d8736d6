//! All tables of one configuration, and the look-ups that requests make in them.

use std::{ops::Deref, sync::Arc};

use ahash::AHashMap;

use super::{
    Acl, AcmeStorage, BasicAuth, CaCertificate, Certificate, ClusteringDataPlane, Consumer, Derived,
    FilterChain, HmacAuth, Ix, JwtSecret, Key, KeyAuth, KeySet, OAuth2AuthorizationCode, OAuth2Credential,
    OAuth2Token, Parameter, Plugin, RateLimitingMetric, Ref, Route, Service, Session, Sni, Table, Target,
    Upstream, Vault, Workspace,
};

/// One configuration: every entity in its table.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct State {
    pub services: Table<Service>,
    pub routes: Table<Route>,
    pub consumers: Table<Consumer>,
    pub plugins: Table<Plugin>,
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
    /// What plugins work out of this data once and share.
    pub derived: Derived,
    /// The same rows with vault references as they are written, where there are any: here they are resolved.
    displayed: Option<Arc<State>>,
    custom_ids: AHashMap<Box<str>, Ix<Consumer>>,
    groups: AHashMap<Ix<Consumer>, Vec<Box<str>>>,
}

/// The rows of a configuration as they may be printed: vault references as they are written, not the values they
/// stand for. What prints rows takes this type, which no served row converts to.
#[derive(Clone, Copy, Debug)]
pub struct DisplayState<'s>(&'s State);

impl<'s> DisplayState<'s> {
    /// The rows, for as long as the configuration lives.
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
    /// The rows to print.
    pub fn display(&self) -> DisplayState<'_> {
        DisplayState(self.displayed.as_deref().unwrap_or(self))
    }

    /// Sets the rows to print where they differ from those to serve.
    pub fn set_displayed(&mut self, displayed: Arc<State>) {
        self.displayed = Some(displayed);
    }

    /// Builds the look-ups that span tables; call once all rows are in.
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

    /// A consumer by its `custom_id`.
    pub fn consumer_by_custom_id(&self, custom_id: &str) -> Option<Ix<Consumer>> {
        self.custom_ids.get(custom_id).copied()
    }

    /// A consumer by username or id, as settings such as `anonymous` name one.
    pub fn consumer(&self, name_or_id: &str) -> Option<Ix<Consumer>> {
        uuid::Uuid::parse_str(name_or_id)
            .ok()
            .and_then(|id| self.consumers.find(Ref::new(id)))
            .or_else(|| self.consumers.by_name(name_or_id))
    }

    /// The groups a consumer belongs to, in the order of the file.
    pub fn groups(&self, consumer: Ix<Consumer>) -> &[Box<str>] {
        self.groups.get(&consumer).map_or(&[], Vec::as_slice)
    }
}
