//! The settings of `request-transformer`, and what is checked beyond their schema.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::shared::{
    template::{Template, TemplateError},
    transform::split_rule,
};
use plugin::Checks;

/// Changes requests before they are sent on: headers, query, body, path and method.
///
/// ```yaml
/// plugins:
/// - name: request-transformer
///   config:
///     remove: {headers: [X-Debug], querystring: [trace]}
///     rename: {headers: ["X-Token:Authorization"]}
///     replace: {uri: "/v2/users/$(uri_captures.id or 'me')"}
///     add: {headers: ["X-Tenant:acme", "X-Page:$(query_params.page)"]}
///     append: {querystring: ["tag:gateway"]}
/// ```
///
/// **Order.** First the path, then the method, the headers, the body, the query. In each of these: remove,
/// rename, replace, add, append. *Replace* changes only what is there, *add* only what is not, *append* adds
/// one more value, *rename* replaces what has the new name already.
///
/// **Rules** are written `name:value`; the value may hold colons.
///
/// **Headers.** Names in any case. `Host` can only be replaced (or be what another header is renamed to):
/// that changes the host the upstream is asked for.
///
/// **Query.** Names in their case. A query that no rule changes is sent on byte for byte; a changed one is
/// written anew, sorted by name.
///
/// **Body.** Bodies of type `application/json`, `application/x-www-form-urlencoded` and
/// `multipart/form-data`; others pass as they are, as does JSON that is no object. Values are always texts; other
/// fields of JSON and other parts keep their bytes. For a multipart body nothing can be appended. A body up to
/// 8 MiB is read whole for it; a longer one is refused with 413. `Content-Length` is set. A body that cannot be
/// read as its type (also one that is compressed, has two types, more than 10,000 fields, or parts that readers
/// disagree about) passes as it is if fields are only added or appended; if fields are removed, renamed or
/// replaced, it is refused with 400. In that case the type is what stands before `;` and must not be mentioned
/// elsewhere in the header, types that end in `+json` are JSON, and a charset other than UTF-8, US-ASCII and
/// ISO-8859-1 or a multipart form that parsers could read differently is refused too.
///
/// **Names** to remove, rename or replace in a query, a form or a multipart body also match `name[]`, `name[x]`,
/// `[name]` and names with blanks around them, because PHP, qs and Rack take these for the same field.
///
/// **Method.** `http_method` changes the method. If it becomes GET, HEAD or TRACE, the fields of a form also
/// become query arguments; a form longer than 64 KiB is refused with 413 then.
///
/// **Templates.** In every value and in `replace.uri`, `$(…)` stands for an expression of Lua over the
/// request: `headers`, `query_params`, `uri_captures` (by name or number), `shared` (what other plugins left);
/// `$(headers['x-user'])`, `$(headers.x_user or 'nobody')`, `$(uri_captures[1] .. '-' .. query_params.v)`,
/// `$(headers.host:gsub('%..*', ''))`. What is absent is empty. A header or argument that comes several times
/// is a table, and shows with commas if not indexed. Functions: `type`, `tostring`, `tonumber`, those of
/// `string` except `gmatch` and `dump`, and `abs ceil floor max min` of `math`. Assignments, functions and
/// tables of one's own are refused. A template that fails (such as `$(nothing.here)`) answers 500, and the log
/// says why. With the setting `untrusted_lua = off`, every template answers 500. To have `$(` as text: `$('$(')` does not balance, `$('$(x)')` does, and shows `$(x)`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Method in pointer of the request's, in capitals.
    #[schemars(extend("pattern" = "^[A-Z]+$"))]
    pub http_method: Option<String>,
    /// What is taken out, by name.
    pub remove: Remove,
    /// What gets another name: `old:new`.
    pub rename: Rename,
    /// What gets another value, if it is there.
    pub replace: Replace,
    /// What is added, unless it is there.
    pub add: Pairs,
    /// What gets one more value.
    pub append: Pairs,
}

/// Names to take out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Remove {
    /// Fields of the body.
    pub body: Vec<String>,
    /// Headers.
    #[schemars(extend("items" = {"type": "string", "x-rule": "header_pair"}))]
    pub headers: Vec<String>,
    /// Arguments of the query.
    pub querystring: Vec<String>,
}

/// Names to change: `old:new`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rename {
    /// Fields of the body; the new name may be a template.
    #[schemars(extend("items" = {"type": "string", "x-rule": "pair_with_value"}))]
    pub body: Vec<String>,
    /// Headers.
    #[schemars(extend("items" = {"type": "string", "pattern": "^[^:]+:", "x-rule": "header_rename"}))]
    pub headers: Vec<String>,
    /// Arguments of the query; the new name may be a template.
    #[schemars(extend("items" = {"type": "string", "x-rule": "pair_with_value"}))]
    pub querystring: Vec<String>,
}

/// Values to change: `name:value`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Replace {
    /// Fields of the body.
    #[schemars(extend("items" = {"type": "string", "x-rule": "pair_with_value"}))]
    pub body: Vec<String>,
    /// Headers.
    #[schemars(extend("items" = {"type": "string", "pattern": "^[^:]+:", "x-rule": "header_pair"}))]
    pub headers: Vec<String>,
    /// Arguments of the query.
    #[schemars(extend("items" = {"type": "string", "x-rule": "pair_with_value"}))]
    pub querystring: Vec<String>,
    /// Path that the upstream is asked for, in pointer of the one that follows from route and service. Begins
    /// with `/`; the query stays.
    pub uri: Option<String>,
}

/// Values to add: `name:value`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Pairs {
    /// Fields of the body.
    #[schemars(extend("items" = {"type": "string", "x-rule": "pair_with_value"}))]
    pub body: Vec<String>,
    /// Headers.
    #[schemars(extend("items" = {"type": "string", "pattern": "^[^:]+:", "x-rule": "header_pair"}))]
    pub headers: Vec<String>,
    /// Arguments of the query.
    #[schemars(extend("items" = {"type": "string", "x-rule": "pair_with_value"}))]
    pub querystring: Vec<String>,
}

impl Config {
    /// Templates must compile. Those of headers and of the path are compiled by Kong only when a request
    /// comes: what is not Lua there is a warning, for it will answer 500.
    pub fn check(&self, checks: &mut Checks) {
        let Config { http_method, remove: _, rename, replace, add, append } = self;
        if let Some(method) = http_method
            && !super::METHODS.contains(&method.as_str())
        {
            let message = format!("invalid method: {method}; every request will fail");
            checks.warning("plugin/always-fails", "/http_method", message);
        }
        let fields = [
            ("/rename/body", &rename.body),
            ("/rename/querystring", &rename.querystring),
            ("/replace/body", &replace.body),
            ("/replace/querystring", &replace.querystring),
            ("/add/body", &add.body),
            ("/add/querystring", &add.querystring),
            ("/append/body", &append.body),
            ("/append/querystring", &append.querystring),
        ];
        for (pointer, rules) in fields {
            each_value(pointer, rules, |pointer, value| match Template::compile(value) {
                Ok(template) => unknown_name(&template, pointer, checks),
                Err(error) => checks.error(pointer, unsupported(value, &error)),
            });
        }
        let headers = [
            ("/replace/headers", &replace.headers),
            ("/add/headers", &add.headers),
            ("/append/headers", &append.headers),
        ];
        for (pointer, rules) in headers {
            each_value(pointer, rules, |pointer, value| validate_deferred(value, pointer, checks));
        }
        if let Some(uri) = &replace.uri {
            validate_deferred(uri, "/replace/uri", checks);
        }
    }
}

fn each_value(pointer: &str, rules: &[String], mut visit: impl FnMut(&str, &str)) {
    for (at, rule) in rules.iter().enumerate() {
        if let Some((_, value)) = split_rule(rule) {
            visit(&format!("{pointer}/{at}"), value);
        }
    }
}

fn validate_deferred(value: &str, pointer: &str, checks: &mut Checks) {
    match Template::compile_deferred(value) {
        Ok(template) => {
            if let Some(failure) = template.syntax_error() {
                let message = format!("{}; every request will fail", unsupported(value, failure));
                checks.warning("plugin/always-fails", pointer, message);
            }
            unknown_name(&template, pointer, checks);
        }
        Err(error) => checks.error(pointer, unsupported(value, &error)),
    }
}

fn unknown_name(template: &Template, pointer: &str, checks: &mut Checks) {
    if let Some(name) = template.unknown_name() {
        let message = format!(
            "'{name}' means nothing in a template: there are headers, query_params, uri_captures, shared"
        );
        checks.warning("plugin/unknown-name", pointer, message);
    }
}

/// Kong's text for a value that is no template.
pub fn unsupported(value: &str, error: &TemplateError) -> String {
    format!("value '{value}' is not in supported format, error:{error}")
}
