//! The settings of `response-transformer`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Changes answers before the client gets them: headers, and the fields of a JSON object.
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
/// **Order.** Remove, rename, replace, add, append. *Replace* changes only what is there, *add* only what is
/// not, *append* adds one more value, *rename* replaces what has the new name already.
///
/// **Rules** are written `name:value`; the value may hold colons. There are no templates.
///
/// **Headers.** Whether a header is there is judged by the answer as it came, before any rule: one that
/// `remove` takes out does not come back by `add`. `remove` takes out all values of a header, of `Set-Cookie`
/// too; what follows a colon in such a rule is ignored.
///
/// **JSON.** Only in answers whose `Content-Type` is `application/json` or ends in `+json`, only at the top
/// level, and only if it is an object: other JSON passes as it is. Other fields keep their bytes. A value is a
/// text unless `json_types` gives the type of the rule at the same place in the list; a `number` that is none is
/// skipped, a `boolean` is true if it reads `true`. *Append* makes a text a list and lets a list grow.
///
/// The body is held until it is whole, up to 64 MiB and as far as the settings `body_buffer_connection_size` and
/// `body_buffer_total_size` allow it; other answers stream. A body that is no JSON, is compressed or cannot be held
/// passes unchanged if fields are only added or appended. If fields are removed, renamed or replaced, the client
/// gets 502 instead (503 if the node's memory is short), since the body may hold what must not get out; and
/// `Accept-Encoding` and `Range` are taken out of the request, so that upstreams send what can be read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What is taken out, by name.
    pub remove: Remove,
    /// What gets another name: `old:new`.
    pub rename: Rename,
    /// What gets another value, if it is there.
    pub replace: Values,
    /// What is added, unless it is there.
    pub add: Values,
    /// What gets one more value.
    pub append: Values,
}

/// Names to take out.
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
    /// Types of the values in `json`, in their order; where one is missing, the value is a text.
    pub json_types: Vec<JsonType>,
    /// Headers.
    #[schemars(extend("items" = {"type": "string", "pattern": "^[^:]+:"}))]
    pub headers: Vec<String>,
}

/// What a value is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JsonType {
    /// `true` or `false`.
    Boolean,
    /// A number.
    Number,
    /// Text.
    String,
}
