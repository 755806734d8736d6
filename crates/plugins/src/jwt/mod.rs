//! Authentication with a signed JSON Web Token (RFC 7519): configuration and decisions. Tokens are parsed in `token`,
//! keys and signatures are handled in `verify`; the steps after verification are in `shared::auth`.

mod claims;
mod token;
mod verify;

use std::{borrow::Cow, sync::Arc};

use http::{HeaderName, HeaderValue, StatusCode, header::WWW_AUTHENTICATE};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::{
    claims::{ClaimErrors, ClaimValue},
    token::{Parts, TokenLookup, TokenSources},
    verify::{Algorithm, Keys, Verifier},
};
use super::shared::auth::{self, AuthFlow, Identity};
use model::{Set, State};
use plugin::{
    self, BuildContext, BuildError, ConfigChange, Credential, Ctx, EntityRule, Gate, Hook, HookResult,
    LocalReply, Phases, PluginScopes, PluginTraits, Risks,
};
use store::Clock;

/// A registered claim with a time that can be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum TimeClaim {
    Exp,
    Nbf,
}

/// Authenticates consumers with a signed JSON Web Token.
///
/// The token is looked up in query arguments, in cookies, and in headers after `Bearer`. A request with two different
/// tokens is rejected. The claim `key_claim_name`, in the payload or else in the token's header, identifies the
/// credential: it is the `key` of a consumer's `jwt_secrets` entry. The entry also has the algorithm, which the token
/// must use (HS, RS, PS and ES with 256, 384 or 512 bits, EdDSA with Ed25519 or Ed448), and the secret or public key
/// with which the signature is verified.
///
/// ```yaml
/// plugins:
/// - name: jwt
///   config:
///     claims_to_verify: [exp]
/// consumers:
/// - username: amy
///   jwt_secrets:
///   - {key: issuer-of-amy, algorithm: HS256, secret: a-long-random-text}
/// ```
///
/// **Upstream headers:** the unmodified token, `X-Consumer-ID`, `X-Consumer-Custom-ID`, `X-Consumer-Username`, and
/// `X-Credential-Identifier` with the key of the entry; for the anonymous consumer `X-Anonymous-Consumer: true` instead
/// of the latter. Values of these headers and of `X-Consumer-Groups` and `X-Authenticated-Groups` that the client sends
/// are always removed.
///
/// **Errors** (unless `anonymous` is set), always in JSON: 401 `Unauthorized` with `WWW-Authenticate: Bearer` if there
/// is no token. For a token that is rejected, 401 with `error="invalid_token"` in the challenge: `Multiple tokens
/// provided`, `Bad token; …`, `No mandatory '…' in claims`, `No credentials found for given '…'`, `Invalid algorithm`,
/// `Invalid key/secret`, `Invalid signature`, or an object with the error of each claim that failed verification. 500
/// if the anonymous consumer does not exist.
///
/// Unlike Kong, the plugin rejects tokens with `crit` (extensions that must be understood, RFC 7515 section 4.1.11),
/// and tokens in which a member that the plugin evaluates occurs twice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-plugin-checks" = [
    {"if": "config.maximum_expiration", "above": 0, "then": "config.claims_to_verify", "contains": "exp"},
]))]
pub struct Config {
    /// Query arguments in which the token is looked up.
    pub uri_param_names: Option<Set<String>>,
    /// Cookies in which the token is looked up. Names are case-insensitive.
    pub cookie_names: Option<Set<String>>,
    /// Claim that identifies the credential by its `key`.
    pub key_claim_name: Option<String>,
    /// Whether the secrets of HS credentials are base64-encoded, in either alphabet, with or without padding.
    pub secret_is_base64: bool,
    /// Time claims that every token must have and that are verified.
    pub claims_to_verify: Option<Set<TimeClaim>>,
    /// Username or id of the consumer that is used if authentication fails. If set, requests that another
    /// authentication plugin has authenticated need no token.
    pub anonymous: Option<String>,
    /// Whether requests with the method OPTIONS need a token.
    pub run_on_preflight: bool,
    /// Maximum lifetime of a token in seconds: the maximum difference between `exp` and the current time. 0 for no
    /// limit.
    #[schemars(range(min = 0, max = 31_536_000))]
    pub maximum_expiration: Option<serde_json::Number>,
    /// Headers in which the token is looked up, after `Bearer`.
    pub header_names: Option<Set<String>>,
    /// Realm in `WWW-Authenticate`.
    pub realm: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            uri_param_names: Some(Set(["jwt".to_owned()].into())),
            cookie_names: Some(Set::default()),
            key_claim_name: Some("iss".to_owned()),
            secret_is_base64: false,
            claims_to_verify: None,
            anonymous: None,
            run_on_preflight: true,
            maximum_expiration: Some(0.into()),
            header_names: Some(Set(["authorization".to_owned()].into())),
            realm: None,
        }
    }
}

/// Returns why a credential with this algorithm cannot verify tokens with this public key; `None` if it can, or if
/// the algorithm uses a secret.
pub fn unusable_key(algorithm: &str, public_key: Option<&str>) -> Option<String> {
    let algorithm = Algorithm::from_name(algorithm).filter(|algorithm| algorithm.has_public_key())?;
    Verifier::public(algorithm, public_key).err().map(|error| error.to_string())
}

/// The plugin `jwt`.
#[derive(Debug)]
pub struct Plugin {
    sources: TokenSources,
    key_claim: String,
    claims: Vec<TimeClaim>,
    /// Seconds; 0 for no limit.
    maximum_expiration: f64,
    secret_is_base64: bool,
    keys: Arc<Keys>,
    challenge: HeaderValue,
    challenge_invalid: HeaderValue,
    auth: AuthFlow,
    clock: Clock,
}

/// Reason for which a request is rejected.
#[derive(Debug)]
enum Rejection {
    NoToken,
    Invalid(Cow<'static, str>),
    Claims(ClaimErrors),
}

impl From<&'static str> for Rejection {
    fn from(message: &'static str) -> Self {
        Rejection::Invalid(message.into())
    }
}

impl plugin::Plugin for Plugin {
    const NAME: &'static str = "jwt";
    const PRIORITY: i32 = 1450;
    const PHASES: Phases<Self> = Phases { access: Hook::Sync(Self::access), ..Phases::NONE };
    const SCOPES: PluginScopes = PluginScopes::NO_CONSUMER;
    const TRAITS: PluginTraits = auth::TRAITS;
    const RULES: &'static [(&'static str, EntityRule)] =
        &[("jwt_key", |field| unusable_key(&field("algorithm")?, field("rsa_public_key").as_deref()))];
    type Config = Config;

    fn compare(change: ConfigChange<'_, Config>, risks: &mut Risks) {
        auth::compare(Self::NAME, change, |config| config.anonymous.as_deref(), risks);
    }

    fn facts(config: &Config) -> Option<Vec<Gate>> {
        auth::facts("jwt_secrets", config.anonymous.as_deref(), config.run_on_preflight)
    }

    fn build(config: Config, context: &mut BuildContext<'_>) -> Result<Self, BuildError> {
        let challenge = |error: &str| {
            let realm = config.realm.as_ref().map_or_else(String::new, |realm| format!(" realm=\"{realm}\""));
            HeaderValue::from_str(&format!("Bearer{realm}{error}"))
                .map_err(|_| BuildError::at("/realm", "a header cannot hold this"))
        };
        let (challenge, challenge_invalid) = (challenge("")?, challenge(" error=\"invalid_token\"")?);
        let header = |name: String| {
            HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| BuildError::at("/header_names", format!("{name} is no name of a header")))
        };
        Ok(Plugin {
            sources: TokenSources {
                arguments: config.uri_param_names.unwrap_or_default().0.into(),
                cookies: config.cookie_names.unwrap_or_default().0.into(),
                headers: config
                    .header_names
                    .unwrap_or_default()
                    .0
                    .into_iter()
                    .map(header)
                    .collect::<Result<_, _>>()?,
            },
            key_claim: config.key_claim_name.unwrap_or_else(|| "iss".to_owned()),
            claims: config.claims_to_verify.unwrap_or_default().0.into(),
            maximum_expiration: config.maximum_expiration.and_then(|n| n.as_f64()).unwrap_or(0.0),
            secret_is_base64: config.secret_is_base64,
            keys: context.state().derived.get_or_compute(|| Keys::new(context.state())),
            challenge,
            challenge_invalid,
            auth: AuthFlow::new(config.anonymous, config.run_on_preflight, context.state()),
            clock: context.stores.clock.clone(),
        })
    }
}

impl Plugin {
    fn access(&self, ctx: Ctx<'_>) -> HookResult {
        if self.auth.should_skip(ctx.exchange) {
            return Ok(());
        }
        let found = match self.sources.find(&ctx.exchange.request) {
            TokenLookup::Missing => Err(Rejection::NoToken),
            TokenLookup::Multiple => Err("Multiple tokens provided".into()),
            TokenLookup::NotText => Err("Unrecognizable token".into()),
            TokenLookup::Token(token) => self.resolve_consumer(ctx.state, &token),
        };
        self.auth.finish(ctx, found, |rejection| self.rejection_reply(rejection))
    }

    fn resolve_consumer(&self, state: &State, token: &str) -> Result<Identity, Rejection> {
        let mut decoded = token::Decoded::default();
        let Parts { algorithm, header, mut claims, signed, signature } =
            token::parse(token, &self.key_claim, &mut decoded)
                .map_err(|error| Rejection::Invalid(format!("Bad token; {error}").into()))?;

        let key = match std::mem::take(&mut claims.key).or(header.key) {
            ClaimValue::Absent => {
                let message = format!("No mandatory '{}' in claims", self.key_claim);
                return Err(Rejection::Invalid(message.into()));
            }
            ClaimValue::Text(key) if key.is_empty() => {
                return Err(Rejection::Invalid(format!("Invalid '{}' in claims", self.key_claim).into()));
            }
            ClaimValue::Text(key) => Some(key),
            ClaimValue::Number(_) | ClaimValue::Other => None,
        };
        let unknown =
            || Rejection::Invalid(format!("No credentials found for given '{}'", self.key_claim).into());
        let ix = key.and_then(|key| state.jwt_secrets.by_name(&key)).ok_or_else(unknown)?;
        let row = &state.jwt_secrets[ix];
        if row.algorithm.as_deref().unwrap_or("HS256") != algorithm.name() {
            return Err("Invalid algorithm".into());
        }
        let verifier = self.keys.verifier(ix, row, algorithm, self.secret_is_base64);
        match verifier.map(|verifier| verifier.verify(signed, &signature)) {
            Err(_) => return Err("Invalid key/secret".into()),
            Ok(false) => return Err("Invalid signature".into()),
            Ok(true) => {}
        }
        claims
            .verify_times(&self.claims, self.maximum_expiration, self.clock.now())
            .map_err(Rejection::Claims)?;
        Ok(Identity {
            consumer: Some(state.consumers.find(row.consumer).ok_or_else(unknown)?),
            credential: Credential { id: row.id, identifier: Some(row.key.clone()) },
        })
    }

    fn rejection_reply(&self, rejection: Rejection) -> LocalReply {
        let (reply, challenge) = match rejection {
            Rejection::NoToken => {
                (LocalReply::message(StatusCode::UNAUTHORIZED, "Unauthorized"), &self.challenge)
            }
            Rejection::Invalid(message) => {
                (LocalReply::message(StatusCode::UNAUTHORIZED, message), &self.challenge_invalid)
            }
            Rejection::Claims(errors) => {
                (LocalReply::json(StatusCode::UNAUTHORIZED, errors.json()), &self.challenge_invalid)
            }
        };
        reply.header(WWW_AUTHENTICATE, challenge.clone())
    }
}

#[cfg(test)]
mod tests;
