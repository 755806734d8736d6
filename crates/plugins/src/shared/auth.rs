//! What every authentication plugin does once it knows, or does not know, who asks: the anonymous consumer,
//! several plugins on one route, and the headers that tell the upstream. How a consumer is recognised is the
//! plugin's own business.
//!
//! Without `anonymous` a plugin insists: several such plugins must all succeed, and the last one names the
//! consumer. With `anonymous` it steps back when another plugin succeeded before it, and lets the request
//! pass as the anonymous consumer when nobody recognises it.

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use model::{Consumer, Ix, State};
use plugin::{Call, Credential, Exchange, HookResult, Reply, Stop};

/// The consumer's id.
pub const X_CONSUMER_ID: HeaderName = HeaderName::from_static("x-consumer-id");
/// The consumer's id in another system.
pub const X_CONSUMER_CUSTOM_ID: HeaderName = HeaderName::from_static("x-consumer-custom-id");
/// The consumer's name.
pub const X_CONSUMER_USERNAME: HeaderName = HeaderName::from_static("x-consumer-username");
/// Which credential it was: the key's id, the username.
pub const X_CREDENTIAL_IDENTIFIER: HeaderName = HeaderName::from_static("x-credential-identifier");
/// `true` if the consumer is the anonymous one.
pub const X_ANONYMOUS_CONSUMER: HeaderName = HeaderName::from_static("x-anonymous-consumer");
/// Groups of the consumer, as `acl` tells them.
pub const X_CONSUMER_GROUPS: HeaderName = HeaderName::from_static("x-consumer-groups");
/// Groups that an authentication plugin brought.
pub const X_AUTHENTICATED_GROUPS: HeaderName = HeaderName::from_static("x-authenticated-groups");

/// Whom a plugin recognised.
#[derive(Debug)]
pub struct Identity {
    /// The consumer, if the credential belongs to one.
    pub consumer: Option<Ix<Consumer>>,
    /// The credential.
    pub credential: Credential,
}

/// When a plugin asks who it is, and what follows from the answer.
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
    /// From the settings `anonymous` (name or id of a consumer) and `run_on_preflight`.
    pub fn new(anonymous: Option<String>, run_on_preflight: bool, state: &State) -> Self {
        let anonymous = anonymous.map(|setting| Anonymous { consumer: state.consumer(&setting), setting });
        AuthFlow { run_on_preflight, anonymous }
    }

    /// Whether this request need not prove anything here: a preflight request that shall pass, or one that
    /// another plugin recognised where either is enough.
    pub fn should_skip(&self, exchange: &Exchange) -> bool {
        (!self.run_on_preflight && exchange.request.method == Method::OPTIONS)
            || (self.anonymous.is_some() && exchange.credential.is_some())
    }

    /// Takes over the consumer that was recognised, or the anonymous one, or refuses with what `reject` says.
    ///
    /// # Errors
    /// The rejection; a failure if the anonymous consumer does not exist.
    pub fn finish<R>(
        &self,
        ctx: Call<'_>,
        found: Result<Identity, R>,
        reject: impl FnOnce(R) -> Reply,
    ) -> HookResult {
        let Call { exchange, state } = ctx;
        match (found, &self.anonymous) {
            (Ok(found), _) => set_identity(exchange, state, found.consumer, Some(found.credential)),
            (Err(_), Some(Anonymous { consumer: Some(consumer), .. })) => {
                set_identity(exchange, state, Some(*consumer), None);
            }
            (Err(_), Some(Anonymous { setting, .. })) => {
                return Err(Stop::Fault(format!("the anonymous consumer {setting} does not exist")));
            }
            (Err(rejection), None) => return Err(reject(rejection).into()),
        }
        Ok(())
    }
}

/// Notes who asks and tells the upstream. What the client itself put into these headers never gets through.
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

/// Sets a header; without a value, or with one that no header can hold, removes it.
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
