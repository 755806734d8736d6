//! Configuration of `request-transformer`, and the checks that its schema cannot express.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::shared::{
    template::{Template, TemplateError},
    transform::split_rule,
};
use plugin::Diagnostics;

/// Modifies requests before they are sent to the upstream: headers, query string, body, path and method.
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
/// **Order:** path, method, headers, body, query. Within headers, body and query: remove, rename, replace, add, append.
/// *Replace* only modifies what exists, *add* only adds what does not exist, *append* adds another value, *rename*
/// overwrites what already has the new name.
///
/// **Rules** have the form `name:value`; the value may contain colons.
///
/// **Headers.** Names are case-insensitive. `Host` can only be replaced, or be the new name of another header; this
/// sets the host of the upstream request.
///
/// **Query.** Names are case-sensitive. A query that no rule changes is forwarded byte for byte; a changed one is
/// re-encoded, with the arguments sorted by name.
///
/// **Body.** Rules apply to bodies of type `application/json`, `application/x-www-form-urlencoded` and
/// `multipart/form-data`; other bodies, and JSON that is not an object, are not modified. Values are always strings;
/// other JSON fields and other parts keep their encoding. Nothing can be appended to a multipart body. The body is
/// buffered; one longer than 8 MiB is rejected with 413. `Content-Length` is updated.
///
/// A body that cannot be parsed as its type is not modified if fields are only added or appended. This includes bodies
/// that are compressed, have two content types, more than 10,000 fields, or parts that parsers read differently. If
/// fields are removed, renamed or replaced, such a body is rejected with 400. In this case the rules are stricter: the
/// type is the text before `;` and must not occur elsewhere in the header, types with the suffix `+json` are JSON, and
/// a charset other than UTF-8, US-ASCII and ISO-8859-1 or an ambiguous multipart form is rejected as well.
///
/// **Names** in remove, rename and replace rules for a query, a form or a multipart body also match `name[]`,
/// `name[x]`, `[name]` and names surrounded by white space, because PHP, qs and Rack treat these as the same field.
///
/// **Method.** `http_method` replaces the method. If the new method is GET, HEAD or TRACE, the fields of a form body
/// also become query arguments; a form longer than 64 KiB is rejected with 413 in this case.
///
/// **Templates.** In every value and in `replace.uri`, `$(…)` is replaced by the value of a Lua expression. It can
/// access `headers`, `query_params`, `uri_captures` (by name or number) and `shared` (values of other plugins):
/// `$(headers['x-user'])`, `$(headers.x_user or 'guest')`, `$(uri_captures[1] .. '-' .. query_params.v)`,
/// `$(headers.host:gsub('%..*', ''))`. An absent value renders as empty text. A repeated header or argument is a
/// table, which renders as a comma-separated list unless it is indexed. The available functions are `type`,
/// `tostring`, `tonumber`, those of `string` except `gmatch` and `dump`, and `abs ceil floor max min` of `math`.
/// Assignments, function definitions and table constructors are not supported. If a template fails, such as
/// `$(nothing.here)`, the request is rejected with 500 and the reason is logged. With `untrusted_lua = off`, every
/// template fails with 500. A literal `$(` can only be produced by balanced parentheses: `$('$(x)')` renders as
/// `$(x)`, whereas `$('$(')` is not balanced.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Method that replaces the request's, in upper case.
    #[schemars(extend("pattern" = "^[A-Z]+$"))]
    pub http_method: Option<String>,
    /// Headers, arguments and fields to remove.
    pub remove: Remove,
    /// Headers, arguments and fields to rename: `old:new`.
    pub rename: Rename,
    /// New values of headers, arguments and fields that exist, and the path.
    pub replace: Replace,
    /// Headers, arguments and fields to add if they do not exist.
    pub add: Pairs,
    /// Values to append.
    pub append: Pairs,
}

/// Names to remove.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Remove {
    /// Fields of the body.
    pub body: Vec<String>,
    /// Headers.
    #[schemars(extend("items" = {"type": "string", "x-rule": "header_pair"}))]
    pub headers: Vec<String>,
    /// Query arguments.
    pub querystring: Vec<String>,
}

/// Names to change: `old:new`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rename {
    /// Fields of the body. The new name can be a template.
    #[schemars(extend("items" = {"type": "string", "x-rule": "pair_with_value"}))]
    pub body: Vec<String>,
    /// Headers.
    #[schemars(extend("items" = {"type": "string", "pattern": "^[^:]+:", "x-rule": "header_rename"}))]
    pub headers: Vec<String>,
    /// Query arguments. The new name can be a template.
    #[schemars(extend("items" = {"type": "string", "x-rule": "pair_with_value"}))]
    pub querystring: Vec<String>,
}

/// New values: `name:value`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Replace {
    /// Fields of the body.
    #[schemars(extend("items" = {"type": "string", "x-rule": "pair_with_value"}))]
    pub body: Vec<String>,
    /// Headers.
    #[schemars(extend("items" = {"type": "string", "pattern": "^[^:]+:", "x-rule": "header_pair"}))]
    pub headers: Vec<String>,
    /// Query arguments.
    #[schemars(extend("items" = {"type": "string", "x-rule": "pair_with_value"}))]
    pub querystring: Vec<String>,
    /// Path of the upstream request, in place of the one derived from route and service. Must start with `/`. The
    /// query is retained.
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
    /// Query arguments.
    #[schemars(extend("items" = {"type": "string", "x-rule": "pair_with_value"}))]
    pub querystring: Vec<String>,
}

impl Config {
    /// Checks that templates compile. Kong compiles those of headers and of the path at request time: a syntax error
    /// in them is a warning, because requests will fail with 500.
    pub fn check(&self, checks: &mut Diagnostics) {
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

/// Checks a template that Kong compiles at request time.
fn validate_deferred(value: &str, pointer: &str, checks: &mut Diagnostics) {
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

fn unknown_name(template: &Template, pointer: &str, checks: &mut Diagnostics) {
    if let Some(name) = template.unknown_name() {
        let message = format!(
            "'{name}' means nothing in a template: there are headers, query_params, uri_captures, shared"
        );
        checks.warning("plugin/unknown-name", pointer, message);
    }
}

/// Returns Kong's error message for an invalid template.
pub fn unsupported(value: &str, error: &TemplateError) -> String {
    format!("value '{value}' is not in supported format, error:{error}")
}
