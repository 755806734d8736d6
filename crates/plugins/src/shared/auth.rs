//! Steps common to all authentication plugins: the anonymous consumer, several authentication plugins on one route, and
//! the headers that identify the consumer to the upstream. How a credential is verified is up to each plugin.
//!
//! Without `anonymous`, authentication is required: if several such plugins apply, all must succeed, and the last one
//! sets the consumer. With `anonymous`, a plugin is skipped if another one has already authenticated the request, and
//! a request without valid credentials continues as the anonymous consumer.
//!
//! ```text
//!  should_skip? ── yes ──────────────────────────────────> continue unchanged
//!       │ no
//!  plugin verifies the credential
//!       │
//!  finish ── Ok(identity) ───────────────────────────────> continue as the consumer
//!       ├─── Err, `anonymous` set and found ─────────────> continue as the anonymous consumer
//!       ├─── Err, `anonymous` set, no such consumer ─────> 500
//!       └─── Err ────────────────────────────────────────> the plugin's rejection, such as 401
//! ```

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use model::{Consumer, Ix, State};
use plugin::{
    ConfigChange, Credential, Ctx, Effect, Exchange, Gate, HookResult, LocalReply, PluginTraits, Risks,
    ShortCircuit,
};

/// Id of the consumer.
pub const X_CONSUMER_ID: HeaderName = HeaderName::from_static("x-consumer-id");
/// `custom_id` of the consumer.
pub const X_CONSUMER_CUSTOM_ID: HeaderName = HeaderName::from_static("x-consumer-custom-id");
/// Username of the consumer.
pub const X_CONSUMER_USERNAME: HeaderName = HeaderName::from_static("x-consumer-username");
/// Identifier of the credential, such as its id or key.
pub const X_CREDENTIAL_IDENTIFIER: HeaderName = HeaderName::from_static("x-credential-identifier");
/// `true` for the anonymous consumer.
pub const X_ANONYMOUS_CONSUMER: HeaderName = HeaderName::from_static("x-anonymous-consumer");
/// ACL groups of the consumer, set by `acl`.
pub const X_CONSUMER_GROUPS: HeaderName = HeaderName::from_static("x-consumer-groups");
/// Groups assigned by an authentication plugin, set by `acl`.
pub const X_AUTHENTICATED_GROUPS: HeaderName = HeaderName::from_static("x-authenticated-groups");

/// Result of a successful authentication.
#[derive(Debug)]
pub struct Identity {
    /// Consumer of the credential, if it belongs to one.
    pub consumer: Option<Ix<Consumer>>,
    /// The credential.
    pub credential: Credential,
}

/// Settings common to all authentication plugins, and the decisions that follow from them.
#[derive(Debug)]
pub struct AuthFlow {
    run_on_preflight: bool,
    anonymous: Option<Anonymous>,
}

#[derive(Debug)]
struct Anonymous {
    setting: String,
    consumer: Option<Ix<Consumer>>,
}

impl AuthFlow {
    /// Creates the flow from the settings `anonymous` (username or id of a consumer) and `run_on_preflight`.
    pub fn new(anonymous: Option<String>, run_on_preflight: bool, state: &State) -> Self {
        let anonymous = anonymous.map(|setting| Anonymous { consumer: state.consumer(&setting), setting });
        AuthFlow { run_on_preflight, anonymous }
    }

    /// Returns whether the request needs no authentication by this plugin: a preflight request if `run_on_preflight`
    /// is off, or, with `anonymous`, a request that another plugin has authenticated.
    pub fn should_skip(&self, exchange: &Exchange) -> bool {
        (!self.run_on_preflight && exchange.request.method == Method::OPTIONS)
            || (self.anonymous.is_some() && exchange.credential.is_some())
    }

    /// Applies the result of authentication: sets the consumer, falls back to the anonymous consumer, or rejects the
    /// request with the reply that `reject` creates.
    ///
    /// # Errors
    /// The rejection, or a failure if the anonymous consumer does not exist.
    pub fn finish<R>(
        &self,
        ctx: Ctx<'_>,
        found: Result<Identity, R>,
        reject: impl FnOnce(R) -> LocalReply,
    ) -> HookResult {
        let Ctx { exchange, state } = ctx;
        match (found, &self.anonymous) {
            (Ok(found), _) => set_identity(exchange, state, found.consumer, Some(found.credential)),
            (Err(_), Some(Anonymous { consumer: Some(consumer), .. })) => {
                set_identity(exchange, state, Some(*consumer), None);
            }
            (Err(_), Some(Anonymous { setting, .. })) => {
                return Err(ShortCircuit::Fail(format!("the anonymous consumer {setting} does not exist")));
            }
            (Err(rejection), None) => return Err(reject(rejection).into()),
        }
        Ok(())
    }
}

/// Traits of an authentication plugin.
pub const TRAITS: PluginTraits = PluginTraits { authenticates: true, ..PluginTraits::NONE };

/// Headers that identify the consumer to the upstream.
const IDENTITY_HEADERS: [HeaderName; 7] = [
    X_CONSUMER_ID,
    X_CONSUMER_CUSTOM_ID,
    X_CONSUMER_USERNAME,
    X_CREDENTIAL_IDENTIFIER,
    X_ANONYMOUS_CONSUMER,
    X_CONSUMER_GROUPS,
    X_AUTHENTICATED_GROUPS,
];

/// Returns the facts of an authentication plugin. `credentials` is the key of its credentials in a file.
pub fn facts(
    credentials: &'static str,
    anonymous: Option<&str>,
    run_on_preflight: bool,
) -> Option<Vec<Gate>> {
    let mut gates = Vec::new();
    if !run_on_preflight {
        gates.push(Gate::when("http.method == \"OPTIONS\"", Effect::Passes)?);
    }
    gates.push(Gate::always(Effect::Authenticates { credentials, anonymous: anonymous.map(str::to_owned) }));
    let headers = IDENTITY_HEADERS.into_iter();
    gates.extend(headers.map(|name| Gate::always(Effect::SetsRequestHeader { name, retains: false })));
    Some(gates)
}

/// Reports a change of the setting `anonymous`. That the plugin is added or removed depends on the other
/// authentication plugins of the route.
pub fn compare<C>(
    plugin: &str,
    change: ConfigChange<'_, C>,
    anonymous: impl Fn(&C) -> Option<&str>,
    risks: &mut Risks,
) {
    let (Some(old), Some(new)) = (change.old, change.new) else { return };
    let admits = |config| anonymous(config).is_some_and(|name: &str| !name.is_empty());
    match (admits(old), admits(new)) {
        (false, true) => {
            risks.high(format!("authentication optional: {plugin} admits anonymous requests"));
        }
        (true, false) => {
            risks.medium(format!("authentication required: {plugin} refuses anonymous requests"));
        }
        _ => {}
    }
}

/// Records the consumer and sets the headers that identify it to the upstream. Values that the client sent in these
/// headers are always removed.
fn set_identity(
    exchange: &mut Exchange,
    state: &State,
    consumer: Option<Ix<Consumer>>,
    credential: Option<Credential>,
) {
    let headers = &mut exchange.request.headers;
    let consumer_row = consumer.map(|ix| &state.consumers[ix]);
    set_id_header(headers, X_CONSUMER_ID, consumer_row.map(|c| c.id));
    set_header(headers, X_CONSUMER_CUSTOM_ID, consumer_row.and_then(|c| c.custom_id.as_deref()));
    set_header(headers, X_CONSUMER_USERNAME, consumer_row.and_then(|c| c.username.as_deref()));
    match credential.as_ref().map(|c| c.identifier.as_deref()) {
        Some(None) => set_id_header(headers, X_CREDENTIAL_IDENTIFIER, credential.as_ref().map(|c| c.id)),
        identifier => set_header(headers, X_CREDENTIAL_IDENTIFIER, identifier.flatten()),
    }
    set_header(headers, X_ANONYMOUS_CONSUMER, credential.is_none().then_some("true"));
    headers.remove(X_CONSUMER_GROUPS);
    headers.remove(X_AUTHENTICATED_GROUPS);
    exchange.consumer = consumer;
    exchange.credential = credential;
}

/// Sets a header. Removes it if there is no value, or if the value is not a valid header value.
fn set_header(headers: &mut HeaderMap, name: HeaderName, value: Option<&str>) {
    match value.and_then(|text| HeaderValue::from_bytes(text.as_bytes()).ok()) {
        Some(value) => headers.insert(name, value),
        None => headers.remove(name),
    };
}

fn set_id_header(headers: &mut HeaderMap, name: HeaderName, id: Option<uuid::Uuid>) {
    let mut text = uuid::Uuid::encode_buffer();
    set_header(headers, name, id.map(|id| &*id.hyphenated().encode_lower(&mut text)));
}
