//! Names of credentials in headers, queries and bodies, whose values are secrets and never printed.

/// Whether a header, query argument or body field of that name contains a credential. Case is ignored, and `-` and `_`
/// are equal.
pub fn is_credential_name(name: &str) -> bool {
    const NAMES: [&str; 12] = [
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "key",
        "sig",
        "signature",
        "x-signature",
        "x-amz-signature",
        "pwd",
        "jwt",
        "passphrase",
    ];
    /// Suffixes of such names, or whole names.
    const ENDINGS: [&str; 6] = ["token", "apikey", "api-key", "secret", "password", "passwd"];
    /// Names that end in `key`, one by one: others are cache keys, idempotency keys and the like.
    const KEYS: [&str; 9] = [
        "access-key",
        "account-key",
        "auth-key",
        "functions-key",
        "master-key",
        "private-key",
        "secret-key",
        "signing-key",
        "subscription-key",
    ];
    let same = |a: &[u8], known: &str| {
        let lower = |byte: &u8| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
        a.len() == known.len() && a.iter().map(lower).eq(known.bytes())
    };
    let name = name.as_bytes();
    let ends =
        |ending: &str| name.len().checked_sub(ending.len()).is_some_and(|at| same(&name[at..], ending));
    NAMES.iter().any(|known| same(name, known)) || ENDINGS.iter().chain(&KEYS).any(|ending| ends(ending))
}

#[cfg(test)]
mod tests {
    use super::is_credential_name;

    #[test]
    fn credentials_are_recognised_by_their_names() {
        for name in [
            "Authorization",
            "proxy-authorization",
            "Cookie",
            "X-API-Key",
            "apikey",
            "Kong-Admin-Token",
            "token",
            "access_token",
            "accessToken",
            "key",
            "api_key",
            "secret",
            "client_secret",
            "sig",
            "signature",
            "password",
            "passwd",
            "Ocp-Apim-Subscription-Key",
            "X-Internal-Secret",
        ] {
            assert!(is_credential_name(name), "{name}");
        }
        for name in [
            "host",
            "x-foo",
            "credentials",
            "tokens",
            "token_type",
            "x-request-id",
            "Idempotency-Key",
            "sec-websocket-key",
            "keys",
            "-key",
            "",
        ] {
            assert!(!is_credential_name(name), "{name}");
        }
    }
}
