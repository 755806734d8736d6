//! Documentation of the finding codes about files, each with an example that triggers it and one that does not.
//!
//! Codes are stable. `gatewayctl explain CODE` prints this documentation; a test loads every example.

/// Documentation of one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// The code: `config/unknown-field`.
    pub code: &'static str,
    /// One-line summary.
    pub summary: &'static str,
    /// Cause and remedy, in a few sentences.
    pub explanation: &'static str,
    /// Example that triggers the code; empty where none can be given.
    pub bad: &'static str,
    /// The corrected example.
    pub good: &'static str,
}

/// Code of the finding that counts the omitted findings.
pub const MORE_FINDINGS: &str = "source/more-findings";

/// Looks up a code.
pub fn find(code: &str) -> Option<&'static Code> {
    CODES.iter().find(|c| c.code == code)
}

macro_rules! codes {
    ($($code:literal: $summary:literal, $text:literal, $bad:literal => $good:literal;)*) => {
        /// All codes about files, sorted by name.
        pub const CODES: &[Code] = &[$(
            Code { code: $code, summary: $summary, explanation: $text, bad: $bad, good: $good },
        )*];
    };
}

codes! {
    "config/bad-expression": "a route's conditions cannot be used by the router",
    "The router puts the conditions of a route into its own language and compiles them. That failed; the message \
     has the reason.",
    "" => "";

    "config/bad-length": "a text or list is too short or too long",
    "Most texts must not be empty, and some lists and texts have a least or greatest length.",
    "_format_version: \"3.0\"\nservices:\n- {name: \"\", host: example.com}\n" =>
    "_format_version: \"3.0\"\nservices:\n- {name: a, host: example.com}\n";

    "config/bad-reference": "an entity that is referred to does not exist",
    "A service, route, consumer or other entity is named by its unique name or its id, and there is none such in \
     the file. Consumers are named by username, not by custom_id.",
    "_format_version: \"3.0\"\nservices:\n- {name: users, host: example.com}\nroutes:\n\
     - {name: r, paths: [/], service: user}\n" =>
    "_format_version: \"3.0\"\nservices:\n- {name: users, host: example.com}\nroutes:\n\
     - {name: r, paths: [/], service: users}\n";

    "config/conflict": "two fields do not go together",
    "Some fields are only allowed, or are needed, when another one has a certain value. The message names both.",
    "_format_version: \"3.0\"\nservices:\n- {name: a, host: example.com, protocol: http, tls_verify: true}\n" =>
    "_format_version: \"3.0\"\nservices:\n- {name: a, host: example.com, protocol: https, tls_verify: true}\n";

    "config/deprecated-field": "a field is still understood but has a new name",
    "The old field is read as the new one. It will go away with the next major version of the format.",
    "" => "";

    "config/duplicate": "two entities claim one name or one id",
    "Names, keys and ids are unique among the entities of a kind. A plugin may stand once for each combination of \
     service, route and consumer, a target once in an upstream, a group once for a consumer. Both places are shown.",
    "_format_version: \"3.0\"\nservices:\n- {name: a, host: one.example.com}\n- {name: a, host: two.example.com}\n" =>
    "_format_version: \"3.0\"\nservices:\n- {name: a, host: one.example.com}\n- {name: b, host: two.example.com}\n";

    "config/ignored-parent": "a route names another service than the one it stands in",
    "A route inside a service belongs to that service, as in Kong. What it says itself has no effect.",
    "_format_version: \"3.0\"\nservices:\n- {name: b, host: b.test}\n- {name: a, host: a.test, routes: [{name: r, paths: [/], service: b}]}\n" =>
    "_format_version: \"3.0\"\nservices:\n- {name: b, host: b.test}\n- {name: a, host: a.test, routes: [{name: r, paths: [/]}]}\n";

    "config/invalid-entity": "an entity as a whole does not make sense",
    "All fields are fine by themselves, but not together: a key that does not belong to its certificate, an authority \
     that has expired, a JWK of another key id.",
    "_format_version: \"3.0\"\nkeys:\n- {kid: a, jwk: '{\"kty\": \"oct\", \"k\": \"QQ\", \"kid\": \"b\"}'}\n" =>
    "_format_version: \"3.0\"\nkeys:\n- {kid: a, jwk: '{\"kty\": \"oct\", \"k\": \"QQ\", \"kid\": \"a\"}'}\n";

    "config/invalid-value": "a value does not follow the rules of its field",
    "Hosts, paths, names, tags, certificates, regular expressions and the like have rules of their own. The message \
     says which was broken.",
    "_format_version: \"3.0\"\nservices:\n- {name: a, host: \"example.com:8080\"}\n" =>
    "_format_version: \"3.0\"\nservices:\n- {name: a, host: example.com, port: 8080}\n";

    "config/merge-conflict": "two files say different things where only one can be said",
    "Several files make one configuration: lists are appended, maps are joined, and all else must agree.",
    "" => "";

    "config/missing-field": "a field that is needed is missing or null",
    "The field has no default, so it must be written.",
    "_format_version: \"3.0\"\nservices:\n- {name: a}\n" =>
    "_format_version: \"3.0\"\nservices:\n- {name: a, host: example.com}\n";

    "config/needs-one-of": "of several fields one is needed, or only one is allowed",
    "A route must have a condition, a consumer a name, and so on. The message lists the fields.",
    "_format_version: \"3.0\"\nroutes:\n- {name: r}\n" =>
    "_format_version: \"3.0\"\nroutes:\n- {name: r, paths: [/]}\n";

    "config/no-format-version": "the file does not say its version",
    "It is read as 3.0, as decK does; Kong itself refuses it, and so does --kong-strict.",
    "" => "";

    "config/not-a-map": "the document is not a map",
    "A configuration is a map of entity kinds. An empty file, a list or a single text is none.",
    "just text\n" => "_format_version: \"3.0\"\n";

    "config/not-allowed": "the value is not one of those possible",
    "The field takes one of a few words or numbers. The message lists them.",
    "_format_version: \"3.0\"\nservices:\n- {name: a, host: example.com, protocol: htps}\n" =>
    "_format_version: \"3.0\"\nservices:\n- {name: a, host: example.com, protocol: https}\n";

    "config/old-format": "the file has a version before 3.0",
    "Versions 1.1 and 2.1 guessed which paths of routes are regular expressions; since 3.0 a `~` in front says so. \
     The paths are read as 3.0 would have them. Write 3.0 and put `~` in front of regular expressions.",
    "_format_version: \"1.1\"\nroutes:\n- {name: r, paths: ['/a/\\d+']}\n" =>
    "_format_version: \"3.0\"\nroutes:\n- {name: r, paths: ['~/a/\\d+']}\n";

    "config/other-format": "the file is meant for another program",
    "Its keys are those of a Kubernetes manifest, an OpenAPI description, a package.json or another well-known format, and \
     it has no `_format_version`. It is reported once, in place of every key that the gateway does not know.",
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kong}\n" => "_format_version: \"3.0\"\n";

    "config/out-of-range": "a number is too small or too large",
    "The message has the limits, which are included unless it says otherwise.",
    "_format_version: \"3.0\"\nservices:\n- {name: a, host: example.com, port: 70000}\n" =>
    "_format_version: \"3.0\"\nservices:\n- {name: a, host: example.com, port: 7000}\n";

    "config/overridden-field": "a field has no effect beside `url`",
    "`url` of a service stands for `protocol`, `host`, `port` and `path`. Where both are written and differ, `url` counts, \
     as in Kong. Write one or the other.",
    "_format_version: \"3.0\"\nservices:\n- {name: a, url: 'http://example.com', port: 8080}\n" =>
    "_format_version: \"3.0\"\nservices:\n- {name: a, url: 'http://example.com:8080'}\n";

    "config/unknown-field": "there is no such field",
    "Fields that the format does not know are refused at every depth, so that a slip of the finger is not silently \
     without effect.",
    "_format_version: \"3.0\"\nservices:\n- {name: a, hots: example.com, host: example.com}\n" =>
    "_format_version: \"3.0\"\nservices:\n- {name: a, host: example.com}\n";

    "config/unknown-file-type": "Kong would not read such a file",
    "Kong takes one file whose name ends in yaml, yml or json. This is said only with --kong-strict.",
    "" => "";

    "config/unreadable": "a value that follows the schema cannot be used",
    "The value passed all checks of the published schema and still does not fit. Please report it: the schema has \
     a gap.",
    "" => "";

    "config/unservable": "what the file asks for cannot be run",
    "The file follows the format, and Kong takes it, but the engine cannot work with it: a certificate of X.509 version 1, \
     a key that TLS does not use here. The message has the reason.",
    "" => "";

    "config/vault": "a reference into a vault cannot be followed",
    "A field holds {vault://...}, and there is no such vault, no such variable, or not the member asked for; then the \
     field counts as an empty string. Or what is there does not fit the field.",
    "_format_version: \"3.0\"\nplugins:\n- name: rate-limiting\n  config: {minute: 5, redis: {host: h, \
     password: '{vault://env/not-set}'}}\n" =>
    "_format_version: \"3.0\"\nplugins:\n- name: rate-limiting\n  config: {minute: 5, redis: {host: h, \
     password: abc}}\n";

    "config/wrong-type": "a value has the wrong type",
    "Numbers are not taken for texts nor texts for numbers, and a list stays a list with one item. YAML 1.1 reads yes, \
     no, on and off as booleans and 3.0 as a number: put them in quotes where a text is meant.",
    "_format_version: 3.0\n" => "_format_version: \"3.0\"\n";

    "deck/consumer-group": "consumer groups exist only in Kong Enterprise",
    "Groups and their members are checked and have no effect; plugins scoped to a group are left out. Scope them to \
     each consumer, or distinguish consumers by the groups of `acls`.",
    "" => "";

    "deck/destination": "the file says where decK would write",
    "`_workspace` and `_konnect` name a part of a gateway or of Konnect. Here the file is the whole configuration.",
    "" => "";

    "deck/enterprise": "something exists only in Kong Enterprise or Konnect",
    "It is left out, and the rest of the file is used.",
    "" => "";

    "deck/env": "a template names a variable that cannot be used",
    "The variable in ${{ env \"DECK_X\" }} is not set, or its name does not begin with DECK_.",
    "" => "";

    "deck/info": "a key of `_info` is wrong or cannot be followed",
    "`_info` takes select_tags, default_lookup_tags, defaults for service, route, upstream and target, and a few \
     switches. Nothing is looked up in other files or gateways.",
    "" => "";

    "deck/partial": "a partial is not in the file, or cannot be read as one",
    "`partials` of a plugin is a list of maps, `- name: my-redis`, which name entries of the top-level `partials` by \
     name or id.",
    "" => "";

    "deck/plugin-config": "shared settings of plugins are not in the file, or are no map",
    "`_config` of a plugin names an entry of the top-level `_plugin_configs`, a map of settings by name.",
    "" => "";

    "deck/template": "a template cannot be read or computed",
    "Between ${{ and }} may stand env, toBool, toInt, toFloat and indent, texts in quotes, numbers and pipes.",
    "" => "";

    "deck/unknown-consumer-group": "a consumer group that the file does not declare is named",
    "A plugin or a consumer names a group that `consumer_groups` does not have.",
    "" => "";

    "plugin/always-fails": "a plugin's setting makes every request fail",
    "Kong accepts such a setting and finds out when a request comes: it answers 500 each time. So does this gateway. \
     The message says what is wrong.",
    "_format_version: \"3.0\"\nplugins:\n- name: request-transformer\n  \
     config: {add: {headers: [\"X-User:$(headers user)\"]}}\n" =>
    "_format_version: \"3.0\"\nplugins:\n- name: request-transformer\n  \
     config: {add: {headers: [\"X-User:$(headers.user)\"]}}\n";

    "plugin/enterprise": "the plugin exists only in Kong Enterprise",
    "The open-source gateway has no plugin of that name, and neither has this one. Many whose name ends in `-advanced` \
     have an open-source counterpart.",
    "_format_version: \"3.0\"\nplugins:\n- name: rate-limiting-advanced\n  config: {limit: [5]}\n" =>
    "_format_version: \"3.0\"\nplugins:\n- name: rate-limiting\n  config: {minute: 5}\n";

    "plugin/invalid": "a plugin's settings do not make sense together",
    "Each setting is fine by itself; the plugin itself refuses the combination.",
    "" => "";

    "plugin/not-enabled": "the plugin is switched off on this node",
    "The node's setting `plugins` (KONG_PLUGINS) names the plugins that may be used, `bundled` standing for all that \
     come with the gateway. As in Kong, a file that uses another one is refused.",
    "" => "";

    "plugin/not-yet": "the plugin is part of Kong but not built into this gateway yet",
    "The file is fine, but serving it would leave out what the plugin does. A gateway that silently skips \
     authentication or limits is worse than one that does not start.",
    "" => "";

    "plugin/redis-not-yet": "rate-limiting cannot count in Redis yet",
    "With policy `redis` Kong counts the requests of all nodes together. That is not built yet: requests would pass \
     uncounted, or be answered 500 if `fault_tolerant` is false. So the file is refused. `--allow-unsupported` runs it all \
     the same, with a warning at every start. Policy `local` counts on each node.",
    "" => "";

    "plugin/unknown": "there is no plugin of that name",
    "Only plugins that are built into the gateway can be used. Check the spelling.",
    "_format_version: \"3.0\"\nplugins:\n- name: rate-limitting\n" => "_format_version: \"3.0\"\n";

    "plugin/unknown-name": "a template uses a name that means nothing",
    "Templates know headers, query_params, uri_captures, shared, and a few functions. Any other name is nil: looking \
     into it or calling it makes the request fail with 500.",
    "_format_version: \"3.0\"\nplugins:\n- name: request-transformer\n  \
     config: {add: {headers: [\"X-User:$(header.user)\"]}}\n" =>
    "_format_version: \"3.0\"\nplugins:\n- name: request-transformer\n  \
     config: {add: {headers: [\"X-User:$(headers.user)\"]}}\n";

    "source/duplicate-key": "a map has a key twice",
    "Of equal keys the last one counts, as Kong has it; the earlier value is lost.",
    "_format_version: \"3.0\"\nservices: []\nservices: []\n" => "_format_version: \"3.0\"\nservices: []\n";

    "source/encoding": "the text is not UTF-8",
    "Files are read as UTF-8.",
    "" => "";

    "source/json-syntax": "the text is not JSON",
    "The file's name ends in json, or its text begins like JSON, and it cannot be read.",
    "{\"_format_version\": [}" => "{\"_format_version\": \"3.0\"}";

    "source/more-documents": "only the first document of the file counts",
    "A YAML file may hold several documents separated by ---. The others are not looked at.",
    "_format_version: \"3.0\"\n---\na: 1\n" => "_format_version: \"3.0\"\n";

    "source/more-findings": "more was found than is listed",
    "Of errors, warnings and notes the first 200 each are listed, so that a file that is wrong throughout can be read \
     about and costs no more than a good one. The others were counted.",
    "" => "";

    "source/too-deep": "values are nested too deep",
    "Nesting has a limit, so that no file can exhaust the machine.",
    "" => "";

    "source/too-large": "the file is too large",
    "Size, the number of values and what aliases unfold to have limits, so that no file can exhaust the machine.",
    "" => "";

    "source/unknown-tag": "a value has a YAML tag that means nothing",
    "In YAML, a `!` at the start of a value without quotes begins a tag, which is no part of the value. A password such as \
     !abc is read as nothing at all.",
    "_format_version: \"3.0\"\nconsumers:\n- username: !amy\n  custom_id: amy\n" =>
    "_format_version: \"3.0\"\nconsumers:\n- username: '!amy'\n  custom_id: amy\n";

    "source/yaml-in-json": "a file named for JSON holds YAML",
    "It is read as YAML, which most JSON is too. Kong goes by the name of the file and refuses it.",
    "" => "";

    "source/yaml-syntax": "the text is not YAML",
    "The message says what the reader stumbled over; the cause is often a line above, such as a quote left open or \
     a tab for indentation.",
    "_format_version: \"3.0\nservices: []\n" => "_format_version: \"3.0\"\nservices: []\n";

    "test/case": "a file of cases for `gatewayctl test` is wrong",
    "The file that describes requests and what is expected of them has a field that there is not, lacks one, or has a value \
     of another type.",
    "" => "";

    "upstream/not-yet": "an upstream asks for balancing or health checks that are not built yet",
    "The file is valid and is served, but the targets take turns by weight (`round-robin`) and none is left out \
     when it fails. Do not rely on the setting named until it works.",
    "_format_version: \"3.0\"\nupstreams:\n- name: u\n  algorithm: least-connections\n  targets: [{target: 'a.test:80'}]\n" =>
    "_format_version: \"3.0\"\nupstreams:\n- name: u\n  targets: [{target: 'a.test:80'}]\n";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Input, Options, load};

    fn codes_of(text: &str) -> Vec<&'static str> {
        let options = Options { kong_strict: true, ..Options::new(crate::catalog()) };
        let input = Input::Text { name: "example".to_owned(), text: text.into() };
        load(&input, &options).expect("text at hand").findings.iter().map(|f| f.code).collect()
    }

    #[test]
    fn bad_examples_trigger_their_code_and_good_ones_are_clean() {
        for code in CODES.iter().filter(|c| !c.bad.is_empty()) {
            let got = codes_of(code.bad);
            assert!(got.contains(&code.code), "{}: the bad example gives {got:?}", code.code);
            let got = codes_of(code.good);
            assert!(got.is_empty(), "{}: the good example gives {got:?}", code.code);
        }
    }

    #[test]
    fn codes_are_in_order_and_unique() {
        assert!(CODES.windows(2).all(|pair| pair[0].code < pair[1].code));
    }
}
