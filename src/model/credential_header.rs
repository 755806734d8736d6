//! Header fields that carry credentials: their values are secrets, and are never printed.

/// Whether a header field of that name carries a credential.
pub fn is_credential_header(name: &str) -> bool {
    const NAMES: [&str; 8] = [
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "apikey",
        "api-key",
        "x-api-key",
        "x-apikey",
    ];
    const ENDINGS: [&str; 5] = ["-token", "-api-key", "-apikey", "-secret", "-password"];
    let ends = |ending: &&str| {
        let at = name.len().checked_sub(ending.len());
        at.and_then(|at| name.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(ending))
    };
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known)) || ENDINGS.iter().any(ends)
}

#[cfg(test)]
mod tests {
    use super::is_credential_header;

    #[test]
    fn credentials_are_told_by_the_name_of_their_header() {
        for name in
            ["Authorization", "proxy-authorization", "Cookie", "X-API-Key", "apikey", "Kong-Admin-Token"]
        {
            assert!(is_credential_header(name), "{name}");
        }
        for name in ["host", "x-foo", "credentials", "token", "access_token", "x-request-id", "-key", ""] {
            assert!(!is_credential_header(name), "{name}");
        }
    }
}
