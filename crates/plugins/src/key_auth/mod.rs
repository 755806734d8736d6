//! Authentication with an API key in a header, the query string or the body. The steps after the key look-up are in
//! `shared::auth`.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::WWW_AUTHENTICATE};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::{
    auth::{self, AuthFlow, Identity},
    body_args::{BodyArgs, Lookup},
};
use model::{KeyAuth, State, field};
use plugin::{
    self, BuildContext, BuildError, ConfigChange, Credential, Ctx, Effect, Gate, Hook, HookFuture,
    HookResult, LocalReply, Phases, PluginScopes, PluginTraits, Request, Risks,
};
use store::Clock;

/// Authenticates consumers with an API key in a header, the query string or the body.
///
/// The names in `key_names` are tried in order. For each name, the key is looked up in the header, the query string and
/// the body, as far as `key_in_header`, `key_in_query` and `key_in_body` are enabled; the first match is used. Keys are
/// the consumers' `keyauth_credentials`. A key with a `ttl` expires that many seconds after its `created_at`. A `ttl`
/// above 100000000 is interpreted as the expiry time in seconds since 1970, because Kong's exports contain such values.
///
/// ```yaml
/// plugins:
/// - name: key-auth
///   config:
///     key_names: [apikey]
///     hide_credentials: true
/// consumers:
/// - username: amy
///   keyauth_credentials: [{key: amy-key}]
/// ```
///
/// **Upstream headers:** `X-Consumer-ID`, `X-Consumer-Custom-ID`, `X-Consumer-Username`, and
/// `X-Credential-Identifier` with the id of the key; for the anonymous consumer `X-Anonymous-Consumer: true`
/// instead of the latter. Values of these headers and of `X-Consumer-Groups` and `X-Authenticated-Groups` that the
/// client sends are always removed.
///
/// **Errors** (unless `anonymous` is set), all with `WWW-Authenticate: Key`: 401 `No API key found in request`,
/// `Duplicate API key found`, or `Unauthorized` for an unknown or expired key. 413 if the body has to be searched and
/// is longer than 8 MiB (if the length is known in advance, such a body is only searched for `hide_credentials`). 400
/// `Cannot process request body` if the key has to be removed from a body that cannot be parsed, or that parsers could
/// read differently. 500 if the anonymous consumer does not exist.
///
/// **Timing:** keys are looked up by hash, with a random seed per process. The response time does not reveal how much
/// of a guessed key is correct, because only keys with the same hash are compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Names of the key, in the order in which they are tried. Header names are case-insensitive, and `_` also
    /// matches `-`.
    #[schemars(with = "Vec<field::HeaderName>")]
    pub key_names: Vec<String>,
    /// Whether the key is removed from the request before it is sent to the upstream.
    pub hide_credentials: bool,
    /// Username or id of the consumer that is used if authentication fails. If set, requests that another
    /// authentication plugin has authenticated need no key.
    pub anonymous: Option<String>,
    /// Whether the key is looked up in headers.
    pub key_in_header: bool,
    /// Whether the key is looked up in the query string.
    pub key_in_query: bool,
    /// Whether the key is looked up in the body: a form, a JSON object or a multipart form.
    pub key_in_body: bool,
    /// Whether requests with the method OPTIONS need a key.
    pub run_on_preflight: bool,
    /// Realm in `WWW-Authenticate`.
    pub realm: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            key_names: vec!["apikey".to_owned()],
            hide_credentials: false,
            anonymous: None,
            key_in_header: true,
            key_in_query: true,
            key_in_body: false,
            run_on_preflight: true,
            realm: None,
        }
    }
}

/// The plugin `key-auth`.
#[derive(Debug)]
pub struct Plugin {
    names: Vec<KeyName>,
    hide_credentials: bool,
    in_header: bool,
    in_query: bool,
    in_body: bool,
    challenge: HeaderValue,
    auth: AuthFlow,
    clock: Clock,
}

/// A name of the key and the headers that match it.
#[derive(Debug)]
struct KeyName {
    name: String,
    header: HeaderName,
    /// The header with `-` in place of `_`.
    dashed: Option<HeaderName>,
}

/// Reason for which a key is rejected.
#[derive(Clone, Copy, Debug)]
enum Rejection {
    Missing,
    Duplicate,
    Unknown,
}

/// State of the body while the key is looked up.
enum BodyLookup<'a> {
    /// The body has not been read.
    Unread,
    /// The body has been read, or need not be. `None` if it is not searched.
    Available(Option<&'a BodyArgs>),
}

impl plugin::Plugin for Plugin {
    const NAME: &'static str = "key-auth";
    const PRIORITY: i32 = 1250;
    const PHASES: Phases<Self> = Phases { access: Hook::Async(Self::access), ..Phases::NONE };
    const SCOPES: PluginScopes = PluginScopes::NO_CONSUMER;
    const TRAITS: PluginTraits = auth::TRAITS;
    type Config = Config;

    fn compare(change: ConfigChange<'_, Config>, risks: &mut Risks) {
        auth::compare(Self::NAME, change, |config| config.anonymous.as_deref(), risks);
    }

    /// A key that has to be removed from a body, or searched there, may lead to other responses.
    fn facts(config: &Config) -> Option<Vec<Gate>> {
        let mut gates =
            auth::facts("keyauth_credentials", config.anonymous.as_deref(), config.run_on_preflight)?;
        if config.hide_credentials {
            for name in &config.key_names {
                let names = [name.clone(), name.replace('_', "-")].into_iter();
                for name in names.filter_map(|name| HeaderName::try_from(name).ok()) {
                    gates.push(Gate::always(Effect::SetsRequestHeader { name, retains: false }));
                }
            }
        }
        if config.key_in_body {
            gates.insert(0, Gate::always(Effect::MayRespond));
        }
        Some(gates)
    }

    fn build(config: Config, context: &mut BuildContext<'_>) -> Result<Self, BuildError> {
        let names = config.key_names.into_iter().enumerate().map(|(i, name)| KeyName::new(i, name));
        let challenge =
            config.realm.map_or_else(|| "Key".to_owned(), |realm| format!("Key realm=\"{realm}\""));
        Ok(Plugin {
            names: names.collect::<Result<_, _>>()?,
            hide_credentials: config.hide_credentials,
            in_header: config.key_in_header,
            in_query: config.key_in_query,
            in_body: config.key_in_body,
            challenge: HeaderValue::from_str(&challenge)
                .map_err(|_| BuildError::at("/realm", "a header cannot hold this"))?,
            auth: AuthFlow::new(config.anonymous, config.run_on_preflight, context.state()),
            clock: context.stores.clock.clone(),
        })
    }
}

impl KeyName {
    fn new(index: usize, name: String) -> Result<Self, BuildError> {
        let header = |name: &str| {
            HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| BuildError::at(format!("/key_names/{index}"), "this is no name of a header"))
        };
        let dashed = name.contains('_').then(|| header(&name.replace('_', "-"))).transpose()?;
        Ok(KeyName { header: header(&name)?, dashed, name })
    }

    fn in_header<'r>(&self, headers: &'r HeaderMap) -> Lookup<'r> {
        let values_of = |name: &HeaderName| {
            Lookup::of(headers.get_all(name).iter().map(|v| Some(String::from_utf8_lossy(v.as_bytes()))))
        };
        match (values_of(&self.header), &self.dashed) {
            (Lookup::Missing, Some(dashed)) => values_of(dashed),
            (lookup, _) => lookup,
        }
    }

    fn in_query<'r>(&self, request: &'r Request) -> Lookup<'r> {
        let found = request.query_args().filter(|argument| argument.is(self.name.as_bytes()));
        Lookup::of(found.map(|argument| argument.value_text()))
    }
}

impl Plugin {
    fn access<'a>(&'a self, ctx: Ctx<'a>) -> HookFuture<'a> {
        if self.auth.should_skip(ctx.exchange) {
            return HookFuture::Ready(Ok(()));
        }
        let needs_body = self.in_body
            && BodyArgs::is_expected(&ctx.exchange.request, self.hide_credentials)
            && (self.hide_credentials
                || !BodyArgs::is_too_long(&ctx.exchange.request)
                    && self.find(&ctx.exchange.request, &BodyLookup::Unread).is_none());
        if needs_body {
            HookFuture::boxed(self.with_body(ctx))
        } else {
            HookFuture::Ready(self.authenticate(ctx, None))
        }
    }

    async fn with_body(&self, ctx: Ctx<'_>) -> HookResult {
        let args = BodyArgs::read(&mut ctx.exchange.request).await?;
        self.authenticate(ctx, Some(args))
    }

    fn authenticate(&self, ctx: Ctx<'_>, args: Option<BodyArgs>) -> HookResult {
        let Ctx { exchange, state } = ctx;
        let found = self
            .find(&exchange.request, &BodyLookup::Available(args.as_ref()))
            .unwrap_or(Err(Rejection::Missing));
        let (found, hide_credentials) = match found {
            Ok((name, key)) => (self.resolve_consumer(state, &key), self.hide_credentials.then_some(name)),
            Err(rejection) => (Err(rejection), None),
        };
        if let Some(name) = hide_credentials {
            hide_key(&mut exchange.request, name, args)?;
        }
        self.auth.finish(Ctx { exchange, state }, found, |rejection| self.rejection_reply(rejection))
    }

    /// Looks up the key and its name; `None` if the body has to be read first.
    fn find<'r>(
        &self,
        request: &'r Request,
        body: &BodyLookup<'r>,
    ) -> Option<Result<(&KeyName, Cow<'r, str>), Rejection>> {
        for name in &self.names {
            let mut lookup = Lookup::Missing;
            if self.in_header {
                lookup = name.in_header(&request.headers);
            }
            if lookup == Lookup::Missing && self.in_query {
                lookup = name.in_query(request);
            }
            if lookup == Lookup::Missing && self.in_body {
                match body {
                    BodyLookup::Unread => return None,
                    BodyLookup::Available(args) => {
                        lookup = args.map_or(Lookup::Missing, |args| args.find(&name.name))
                    }
                }
            }
            match lookup {
                Lookup::Text(key) if key.is_empty() => return Some(Err(Rejection::Missing)),
                Lookup::Text(key) => return Some(Ok((name, key))),
                Lookup::Multiple => return Some(Err(Rejection::Duplicate)),
                Lookup::Missing | Lookup::NotText => {}
            }
        }
        Some(Err(Rejection::Missing))
    }

    fn resolve_consumer(&self, state: &State, key: &str) -> Result<Identity, Rejection> {
        let row =
            &state.keyauth_credentials[state.keyauth_credentials.by_name(key).ok_or(Rejection::Unknown)?];
        if self.is_expired(row) {
            return Err(Rejection::Unknown);
        }
        Ok(Identity {
            consumer: Some(state.consumers.find(row.consumer).ok_or(Rejection::Unknown)?),
            credential: Credential { id: row.id, identifier: None },
        })
    }

    fn is_expired(&self, row: &KeyAuth) -> bool {
        /// The highest `ttl` that Kong accepts as a duration. Kong's exports contain expiry times.
        const MAX_DURATION_SECS: i64 = 100_000_000;
        row.ttl.is_some_and(|ttl| {
            let end = if ttl > MAX_DURATION_SECS { ttl } else { row.created_at.saturating_add(ttl) };
            end <= self.clock.now().as_secs() as i64
        })
    }

    fn rejection_reply(&self, rejection: Rejection) -> LocalReply {
        let message = match rejection {
            Rejection::Missing => "No API key found in request",
            Rejection::Duplicate => "Duplicate API key found",
            Rejection::Unknown => "Unauthorized",
        };
        LocalReply::error(StatusCode::UNAUTHORIZED, message).header(WWW_AUTHENTICATE, self.challenge.clone())
    }
}

/// Removes the key from every part of the request in which it can occur.
fn hide_key(request: &mut Request, name: &KeyName, args: Option<BodyArgs>) -> HookResult {
    request.headers.remove(&name.header);
    if let Some(dashed) = &name.dashed {
        request.headers.remove(dashed);
    }
    request.remove_query_arg(&name.name);
    match args {
        Some(args) => args.remove(request, &name.name),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
