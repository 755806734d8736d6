use serde_json::json;

use super::*;

static FIELDS: LazyLock<SecretFields> = LazyLock::new(|| SecretFields::new(&plugins::registry()));

/// Returns the text with all secrets masked.
fn masked(text: &str, found: Vec<std::ops::Range<usize>>) -> String {
    let mut out = text.to_owned();
    for range in found.into_iter().rev() {
        out.replace_range(range, "**");
    }
    out
}

#[track_caller]
fn named(text: &str, expected: &str) {
    assert_eq!(masked(text, named_values(text, &FIELDS)), expected);
}

#[track_caller]
fn carried(text: &str, expected: &str) {
    assert_eq!(masked(text, embedded(text, &FIELDS)), expected);
}

#[test]
fn secret_names_are_those_of_schemas_and_their_misspellings() {
    for name in [
        "password",
        "key",
        "secret",
        "token",
        "api_key",
        "client_secret",
        "redis_password",
        "jwk",
        "private_key",
        "key_alt",
    ] {
        assert!(FIELDS.is_secret_name(name), "{name}");
    }
    for name in ["passwrod", "pasword", "secert", "clientsecret", "client-secret"] {
        assert!(FIELDS.is_secret_name(name), "{name}");
    }
    for name in [
        "credentials",
        "hide_credentials",
        "keys",
        "key_names",
        "jwt_secrets",
        "secret_is_base64",
        "cert",
        "public_key",
        "rsa_public_key",
        "hash_secret",
        "name",
        "kid",
        "protocol",
    ] {
        assert!(!FIELDS.is_secret_name(name), "{name}");
    }
}

#[test]
fn values_end_where_yaml_ends_them() {
    named("- key: %ab\n  name: x\n", "- key: **\n  name: x\n");
    named("key: a b # why\nb: 1\n", "key: ** # why\nb: 1\n");
    named("{key: abc, name: x}", "{key: **, name: x}");
    named("x: [{password: abc}, {password: 'a, b', c: 1}]", "x: [{password: **}, {password: **, c: 1}]");
    named("key: \"a\\\"b\"\nc: 1", "key: **\nc: 1");
    named("key: 'it''s'\nc: 1", "key: **\nc: 1");
    named("- key: |-\n    one\n\n    two\n  cert: x\n", "- key: **\n  cert: x\n");
    named("secret:\n  one\n  two\nb: 1\n", "secret:**\nb: 1\n");
    named("secret: one\n  two\nb: 1\n", "secret: **\nb: 1\n");
    named("key: &a s3cret\nb: *a\n", "key: &a **\nb: *a\n");
    named("key: *a\n", "key: *a\n");
    named("jwk:\n- a\n- b\nc: 1\n", "jwk:**\nc: 1\n");
    named("  key: \"open\n  name: \"x\"\n", "  key: **\n  name: \"x\"\n");
    named("key: [a, {b: ']'}]\nc: 1", "key: **\nc: 1");
    named("key_names: [apikey]\ncredentials: \"true\"\n", "key_names: [apikey]\ncredentials: \"true\"\n");
}

#[test]
fn names_are_decoded_as_by_yaml_and_json() {
    named("- ? key\n  : abc\n  name: x\n", "- ? key\n  : **\n  name: x\n");
    named("- ? \"k\\x65y\" # why\n  : abc\n", "- ? \"k\\x65y\" # why\n  : **\n");
    named(r#""k\x65y": abc"#, r#""k\x65y": **"#);
    named(r#"{"k\u0065y": "abc" "x": 1}"#, r#"{"k\u0065y": ** "x": 1}"#);
    named(r#""\U0000006bey": abc"#, r#""\U0000006bey": **"#);
    named(r#"{"a": "b", "key": "c"}"#, r#"{"a": "b", "key": **}"#);
    named(r#"{"a\"": "b", "\q\u12": 1, "api_key": "c"}"#, r#"{"a\"": "b", "\q\u12": 1, "api_key": **}"#);
}

#[test]
fn values_end_where_json_ends_them() {
    named(r#"{"key":"abc","name":"x"}"#, r#"{"key":**,"name":"x"}"#);
    named("{\"key\":\n\"abc\"\n, \"b\": 1}", "{\"key\":\n**\n, \"b\": 1}");
    named("{\n\"jwk\": {\"a\": \"}\"},\n\"b\": 1}", "{\n\"jwk\": **,\n\"b\": 1}");
    named(r#"{"secret": 12, "b": [1"#, r#"{"secret": **, "b": [1"#);
}

#[test]
fn headers_urls_and_private_keys_are_recognised_in_any_text() {
    carried(
        "headers: [\"Authorization:Bearer x\", \"X-Foo:y\"]",
        "headers: [\"Authorization:**\", \"X-Foo:y\"]",
    );
    carried("- x-api-key: abc\n- b\n", "- x-api-key: **\n- b\n");
    carried("[Cookie:a=b, c]", "[Cookie:**, c]");
    carried("Proxy-Authorization: Basic eA==", "Proxy-Authorization: **");
    carried(r#"{"Authorization": ["Bearer x"], "b": 1}"#, r#"{"Authorization": **, "b": 1}"#);
    carried("Authorization:\n- Bearer x\nb: 1\n", "Authorization:**\nb: 1\n");
    carried("url: http://user:p@ss@host/x?y=z\n", "url: http://user:**@host/x?y=z\n");
    carried("url: http://user@host/ # a@b\n", "url: http://user@host/ # a@b\n");
    carried("credentials: true\nhide_credentials: true\n", "credentials: true\nhide_credentials: true\n");
    let pem = "-----BEGIN PRIVATE KEY-----\n  AA==\n  -----END PRIVATE KEY-----";
    carried(&format!("cert: |\n  {pem}\nb: 1\n"), "cert: |\n  **\nb: 1\n");
    carried("cert: \"-----BEGIN EC PRIVATE KEY-----\\nAA==\\n\"\nb: 1\n", "cert: \"**\"\nb: 1\n");
    // A PEM header alone, as quoted in help texts, is not a secret.
    let help = "write all of the file, from `-----BEGIN PRIVATE KEY-----` on";
    carried(help, help);
    let public = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----";
    carried(public, public);
}

#[test]
fn pairs_with_credential_names_are_recognised() {
    carried("[token:x, 'sig: y', page:1]", "[token:**, 'sig: **', page:1]");
    carried("- client_secret:a b\n- b:c\n", "- client_secret:**\n- b:c\n");
    carried("invalid value: api_key:x", "invalid value: api_key:**");
    // Fields known to a schema are decided by the schema.
    carried("key: x\nsecret: y\ntoken: z\n", "key: x\nsecret: y\ntoken: **\n");
    let lua = "local key = token:sub(1) -- f(key:len())";
    carried(lua, lua);
}

#[test]
fn arguments_of_queries_and_users_of_hosts_are_recognised() {
    carried("/x?a=b&token=x&c=d#e", "/x?a=b&token=**&c=d#e");
    carried(
        "{location: 'https://h/?Access_Token=x', b: 1}",
        "{location: 'https://h/?Access_Token=**', b: 1}",
    );
    carried("~/(?<token>[a-z]+)?key", "~/(?<token>[a-z]+)?key");
    carried("host: \"u:x@h\"", "host: \"u:**@h\"");
    carried("`host`: invalid value: u:x@h", "`host`: invalid value: u:**@h");
    carried("tags: [owner:team@h.test]", "tags: [owner:team@h.test]");
}

#[test]
fn values_are_masked_in_any_field() {
    let mut value = json!({
        "config": {
            "add": { "headers": ["Authorization:Bearer s3cret", "X-Foo:bar"] },
            "rename": { "headers": ["Authorization:X-Other"] },
            "headers": { "X-Api-Key": "s3cret", "X-Foo": "http://u:s3cret@h/" },
        },
    });
    FIELDS.redact_json(&mut value);
    assert_eq!(
        value,
        json!({
            "config": {
                "add": { "headers": ["Authorization:[masked]", "X-Foo:bar"] },
                "rename": { "headers": ["Authorization:X-Other"] },
                "headers": { "X-Api-Key": "[masked]", "X-Foo": "http://u:[masked]@h/" },
            },
        })
    );
}

#[test]
fn paths_follow_the_schemas() {
    assert_eq!(paths_of_kind("keyauth_credentials"), ["key"]);
    assert!(paths_of_kind("certificates").iter().any(|path| path == "key_alt"));
    assert!(FIELDS.paths_of_plugin("rate-limiting").iter().any(|path| path == "config.redis.password"));
    assert!(paths_of_kind("services").is_empty());
}

#[test]
fn long_lines_cost_no_more_than_many() {
    let text = format!("{{{}}}", r#""key":"abc","#.repeat(100_000));
    let begun = std::time::Instant::now();
    assert_eq!(named_values(&text, &FIELDS).len(), 100_000);
    assert!(begun.elapsed() < std::time::Duration::from_secs(20), "quadratic");
}
