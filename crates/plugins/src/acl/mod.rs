//! Access control by consumer group. The consumer has been authenticated before this plugin runs.

use http::{HeaderValue, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::auth::{X_AUTHENTICATED_GROUPS, X_CONSUMER_GROUPS};
use plugin::{
    self, AccessLists, BuildContext, BuildError, ConfigChange, Ctx, Effect, Gate, Hook, HookResult,
    LocalReply, Phases, PluginScopes, PluginTraits, Risks,
};

/// Allows or denies requests based on the groups of the authenticated consumer.
///
/// Groups are assigned to consumers in `acls`, or by an authentication plugin such as `ldap-auth`. Exactly one of
/// `allow` and `deny` must be set. A consumer matches if it is in at least one of the groups. Group names are
/// case-sensitive. The plugin requires an authentication plugin such as `key-auth` on the same route or service, which
/// runs first.
///
/// ```yaml
/// plugins:
/// - name: key-auth
/// - name: acl
///   config:
///     allow: [staff]
/// consumers:
/// - username: amy
///   keyauth_credentials: [{key: amy-key}]
///   acls: [{group: staff}]
/// ```
///
/// **Upstream headers:** `X-Consumer-Groups` with the consumer's groups, or `X-Authenticated-Groups` with the groups
/// assigned by the authentication plugin, separated by a comma and a space. Values that the client sends in these
/// headers are always removed.
///
/// **Errors:** 401 `Unauthorized` if the request is not authenticated and has no groups; 403 `You cannot consume this
/// service` for every other request that is denied.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-plugin-checks" = [
    {"only_one_of": ["config.allow", "config.deny"]},
    {"at_least_one_of": ["config.allow", "config.deny"]},
]))]
pub struct Config {
    /// Groups that are allowed; all others are denied.
    pub allow: Option<Vec<String>>,
    /// Groups that are denied; all others are allowed.
    pub deny: Option<Vec<String>>,
    /// Whether the group headers are withheld from the upstream.
    pub hide_groups_header: bool,
    /// Whether groups assigned by the authentication plugin, if any, take precedence over the consumer's own.
    /// Otherwise they are only used for the anonymous consumer, or if there is no consumer.
    pub always_use_authenticated_groups: bool,
}

impl Config {
    fn lists(&self) -> AccessLists<'_> {
        AccessLists {
            allow: self.allow.as_deref().unwrap_or_default(),
            deny: self.deny.as_deref().unwrap_or_default(),
        }
    }
}

/// The plugin `acl`.
#[derive(Debug)]
pub struct Plugin {
    names: ahash::AHashSet<String>,
    /// Whether members of the groups are denied; otherwise only they are allowed.
    deny: bool,
    hide_groups_header: bool,
    always_use_authenticated_groups: bool,
}

impl plugin::Plugin for Plugin {
    const NAME: &'static str = "acl";
    const PRIORITY: i32 = 950;
    const PHASES: Phases<Self> = Phases { access: Hook::Sync(Self::access), ..Phases::NONE };
    const SCOPES: PluginScopes = PluginScopes::NO_CONSUMER;
    const TRAITS: PluginTraits = PluginTraits { authorizes: true, ..PluginTraits::NONE };
    type Config = Config;

    fn compare(change: ConfigChange<'_, Config>, risks: &mut Risks) {
        if risks.presence(Self::NAME, change, "access widened", "access narrowed")
            && let (Some(old), Some(new)) = (change.old, change.new)
        {
            risks.access_lists(Self::NAME, old.lists(), new.lists());
        }
    }

    fn facts(config: &Config) -> Option<Vec<Gate>> {
        let AccessLists { allow, deny } = config.lists();
        let decision = match deny.is_empty() {
            true => Effect::NeedsGroup(allow.to_vec()),
            false => Effect::DeniesGroup(deny.to_vec()),
        };
        let headers = [X_CONSUMER_GROUPS, X_AUTHENTICATED_GROUPS].into_iter();
        let headers = headers.map(|name| Effect::SetsRequestHeader { name, retains: false });
        Some([decision].into_iter().chain(headers).map(Gate::always).collect())
    }

    fn build(config: Config, _: &mut BuildContext<'_>) -> Result<Self, BuildError> {
        let denied = config.deny.filter(|names| !names.is_empty());
        Ok(Plugin {
            deny: denied.is_some(),
            names: denied.or(config.allow).unwrap_or_default().into_iter().collect(),
            hide_groups_header: config.hide_groups_header,
            always_use_authenticated_groups: config.always_use_authenticated_groups,
        })
    }
}

impl Plugin {
    fn access(&self, ctx: Ctx<'_>) -> HookResult {
        let Ctx { exchange, state } = ctx;
        let is_authenticated = exchange.credential.is_some();
        let headers = &mut exchange.request.headers;
        headers.remove(X_CONSUMER_GROUPS);
        headers.remove(X_AUTHENTICATED_GROUPS);

        let authenticated_groups = exchange.authenticated_groups.as_deref().filter(|_| {
            exchange.consumer.is_none() || !is_authenticated || self.always_use_authenticated_groups
        });
        let (name, is_allowed, list) = match (authenticated_groups, exchange.consumer) {
            (Some(groups), _) => (X_AUTHENTICATED_GROUPS, self.is_allowed(groups), self.header_value(groups)),
            (None, Some(consumer)) => {
                let groups = state.groups(consumer);
                if groups.is_empty() && !self.deny {
                    return Err(rejection(is_authenticated).into());
                }
                (X_CONSUMER_GROUPS, self.is_allowed(groups), self.header_value(groups))
            }
            (None, None) => return Err(rejection(is_authenticated).into()),
        };
        if !is_allowed {
            return Err(rejection(true).into());
        }
        if let Some(list) = list {
            headers.insert(name, list);
        }
        Ok(())
    }

    fn is_allowed(&self, groups: &[impl AsRef<str>]) -> bool {
        groups.iter().any(|group| self.names.contains(group.as_ref())) != self.deny
    }

    /// Formats the groups as a header value; `None` if they are withheld from the upstream.
    fn header_value(&self, groups: &[impl AsRef<str>]) -> Option<HeaderValue> {
        if self.hide_groups_header {
            return None;
        }
        let mut list = String::new();
        for group in groups {
            if !list.is_empty() {
                list.push_str(", ");
            }
            list.push_str(group.as_ref());
        }
        HeaderValue::from_bytes(list.as_bytes()).ok()
    }
}

/// Creates the rejection of an authenticated or an unauthenticated request.
fn rejection(is_authenticated: bool) -> LocalReply {
    if is_authenticated {
        LocalReply::error(StatusCode::FORBIDDEN, "You cannot consume this service")
    } else {
        LocalReply::error(StatusCode::UNAUTHORIZED, "Unauthorized")
    }
}

#[cfg(test)]
mod tests;
