//! Configuration of `response-transformer`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Modifies responses before they are sent to the client: headers, and the fields of a JSON object.
///
/// ```yaml
/// plugins:
/// - name: response-transformer
///   config:
///     remove: {headers: [X-Powered-By], json: [internal_id]}
///     rename: {json: ["usr:user"]}
///     add: {headers: ["X-Served-By:gateway"], json: ["version:2"], json_types: [number]}
///     append: {headers: ["Vary:Accept"]}
/// ```
///
/// **Order:** remove, rename, replace, add, append. *Replace* only modifies headers and fields that exist, *add* only
/// adds those that do not exist, *append* adds another value, *rename* overwrites a header or field that already has
/// the new name.
///
/// **Rules** have the form `name:value`; the value may contain colons. Templates are not supported.
///
/// **Headers.** Whether a header exists is determined from the original response, before any rule is applied: a header
/// that `remove` removes is not added again by `add`. `remove` removes all values of a header, also of `Set-Cookie`;
/// anything after a colon in such a rule is ignored.
///
/// **JSON.** Rules apply to responses with the content type `application/json` or a type with the suffix `+json`, and
/// only to the top-level fields of an object; other JSON is not modified. Other fields keep their encoding. A value is
/// a string, unless `json_types` has a type at the same position of the list. A `number` that is not a number is
/// skipped; a `boolean` is true if its value is `true`. *Append* converts a string to a list, or extends a list.
///
/// The body is buffered completely, up to 64 MiB and as far as `body_buffer_connection_size` and
/// `body_buffer_total_size` allow; other responses are streamed. If the body is not valid JSON, is compressed or
/// cannot be buffered, it is sent unmodified if fields are only added or appended. If fields are removed, renamed or
/// replaced, the client receives 502 instead (503 if the memory limit of the node is exceeded), since the body may
/// contain what must not be disclosed. In this case, `Accept-Encoding` and `Range` are removed from the request, so
/// that upstreams send a body that can be parsed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Headers and fields to remove.
    pub remove: Remove,
    /// Headers and fields to rename: `old:new`.
    pub rename: Rename,
    /// New values of headers and fields that exist.
    pub replace: Values,
    /// Headers and fields to add if they do not exist.
    pub add: Values,
    /// Values to append.
    pub append: Values,
}

/// Names to remove.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Remove {
    /// Fields of the JSON object.
    pub json: Vec<String>,
    /// Headers.
    pub headers: Vec<String>,
}

/// Names to change: `old:new`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rename {
    /// Fields of the JSON object.
    #[schemars(extend("items" = {"type": "string", "pattern": "^[^:]+:"}))]
    pub json: Vec<String>,
    /// Headers.
    #[schemars(extend("items" = {"type": "string", "pattern": "^[^:]+:", "x-rule": "header_rename"}))]
    pub headers: Vec<String>,
}

/// Values: `name:value`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Values {
    /// Fields of the JSON object.
    #[schemars(extend("items" = {"type": "string", "pattern": "^[^:]+:"}))]
    pub json: Vec<String>,
    /// Types of the values in `json`, in the same order. A value without a type is a string.
    pub json_types: Vec<JsonType>,
    /// Headers.
    #[schemars(extend("items" = {"type": "string", "pattern": "^[^:]+:"}))]
    pub headers: Vec<String>,
}

/// Type of a JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JsonType {
    /// `true` or `false`.
    Boolean,
    /// A number.
    Number,
    /// A string.
    String,
}
