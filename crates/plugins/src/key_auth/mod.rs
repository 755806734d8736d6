//! Authentication by an API key in a header, the query or the body. What follows from it is in
//! `shared::auth`.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::WWW_AUTHENTICATE};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::{
    auth::{AuthFlow, Identity},
    body_args::{BodyArgs, Lookup},
};
use model::{KeyAuth, State, field};
use plugin::{
    self, Build, BuildError, Call, Credential, Hook, HookFuture, HookResult, Phases, Reply, Request, Scopes,
};
use store::Clock;

/// Recognises a consumer by an API key that the client sends along.
///
/// For each of `key_names` in turn a header, the query and the body are looked at, each only if its
/// `key_in_…` says so; the first that is there counts. Keys are `keyauth_credentials` of consumers. A key
/// whose `ttl` has passed since it was made (or, beyond 100000000, a `ttl` that is a past moment in seconds
/// since 1970) counts as unknown.
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
/// **To the upstream:** `X-Consumer-ID`, `X-Consumer-Custom-ID`, `X-Consumer-Username`, and
/// `X-Credential-Identifier` with the id of the key; for the anonymous consumer `X-Anonymous-Consumer: true`
/// in place of the latter. Whatever the client put into these, or into `X-Consumer-Groups` and
/// `X-Authenticated-Groups`, never gets through.
///
/// **Errors,** unless there is an `anonymous` consumer, all with `WWW-Authenticate: Key`: 401 `No API key
/// found in request`, `Duplicate API key found`, `Unauthorized` for an unknown key. 413 if a body that is looked
/// into is longer than 8 MiB (one known to be longer is looked into only for `hide_credentials`); 400 `Cannot
/// process request body` if the key has to be taken out of a body that cannot be read, or that parsers could read
/// differently; 500 if the anonymous consumer does not exist.
///
/// **Timing:** a key is found by its hash, under a seed drawn at random when the program starts. How long
/// that takes says nothing about how much of a guess is right: only a key of equal hash is ever compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Names that the key may go by, in the order in which they are tried. In a header `_` also stands for
    /// `-`, and case does not matter.
    #[schemars(with = "Vec<field::HeaderName>")]
    pub key_names: Vec<String>,
    /// Takes the key out of the request before it is sent on.
    pub hide_credentials: bool,
    /// Username or id of the consumer that requests count as which nobody recognises. If given, requests
    /// that another plugin recognised pass without a key.
    pub anonymous: Option<String>,
    /// Whether the key may be in a header.
    pub key_in_header: bool,
    /// Whether the key may be in the query.
    pub key_in_query: bool,
    /// Whether the key may be in the body: a form, a JSON object or a multipart form.
    pub key_in_body: bool,
    /// Whether requests with the method OPTIONS need a key.
    pub run_on_preflight: bool,
    /// Realm named in `WWW-Authenticate`.
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

/// A name, and the headers that answer to it.
#[derive(Debug)]
struct KeyName {
    name: String,
    header: HeaderName,
    /// The same with `-` for `_`.
    dashed: Option<HeaderName>,
}

/// Why a key is not accepted.
#[derive(Clone, Copy, Debug)]
enum Rejection {
    Missing,
    Duplicate,
    Unknown,
}

/// What has been found out about the body.
enum BodyLookup<'a> {
    /// It has not been read.
    Unread,
    /// It has, or need not be: these are its arguments.
    Available(Option<&'a BodyArgs>),
}

impl plugin::Plugin for Plugin {
    const NAME: &'static str = "key-auth";
    const PRIORITY: i32 = 1250;
    const PHASES: Phases<Self> = Phases { access: Hook::Async(Self::access), ..Phases::NONE };
    const SCOPES: Scopes = Scopes::NO_CONSUMER;
    const AUTHENTICATES: bool = true;
    type Config = Config;

    fn build(config: Config, context: &mut Build<'_>) -> Result<Self, BuildError> {
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
        let of = |name: &HeaderName| {
            Lookup::of(headers.get_all(name).iter().map(|v| Some(String::from_utf8_lossy(v.as_bytes()))))
        };
        match (of(&self.header), &self.dashed) {
            (Lookup::Missing, Some(dashed)) => of(dashed),
            (lookup, _) => lookup,
        }
    }

    fn in_query<'r>(&self, request: &'r Request) -> Lookup<'r> {
        Lookup::of(request.query_args().filter(|(name, _)| *name == self.name).map(|(_, value)| value))
    }
}

impl Plugin {
    fn access<'a>(&'a self, ctx: Call<'a>) -> HookFuture<'a> {
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

    async fn with_body(&self, ctx: Call<'_>) -> HookResult {
        let args = BodyArgs::read(&mut ctx.exchange.request).await?;
        self.authenticate(ctx, Some(args))
    }

    fn authenticate(&self, ctx: Call<'_>, args: Option<BodyArgs>) -> HookResult {
        let Call { exchange, state } = ctx;
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
        self.auth.finish(Call { exchange, state }, found, |rejection| self.rejection_reply(rejection))
    }

    /// The key and its name; none if the body has to be read first.
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
        /// The longest `ttl` that Kong takes for a duration; its exports hold moments.
        const MAX_DURATION_SECS: i64 = 100_000_000;
        row.ttl.is_some_and(|ttl| {
            let end = if ttl > MAX_DURATION_SECS { ttl } else { row.created_at.saturating_add(ttl) };
            end <= self.clock.now().as_secs() as i64
        })
    }

    fn rejection_reply(&self, rejection: Rejection) -> Reply {
        let message = match rejection {
            Rejection::Missing => "No API key found in request",
            Rejection::Duplicate => "Duplicate API key found",
            Rejection::Unknown => "Unauthorized",
        };
        Reply::error(StatusCode::UNAUTHORIZED, message).header(WWW_AUTHENTICATE, self.challenge.clone())
    }
}

/// Takes the key out wherever it may be under that name.
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
