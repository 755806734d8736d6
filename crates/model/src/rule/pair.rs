//! Rules for the `name:value` lists of the transformer plugins.

use super::text::header_name;

/// The name ends at the first colon, the value begins after the colons there.
fn split(rule: &str) -> (Option<&str>, &str) {
    let (name, value) = rule.split_once(':').unwrap_or((rule, ""));
    (Some(name).filter(|name| !name.is_empty()), value.trim_start_matches(':'))
}

/// The part before the colon names a header.
pub fn header_pair(value: &str) -> Result<(), String> {
    match split(value).0 {
        Some(name) if header_name(name).is_ok() => Ok(()),
        name => Err(format!("'{}' is not a valid header", name.unwrap_or("nil"))),
    }
}

/// Both parts name headers.
pub fn header_rename(value: &str) -> Result<(), String> {
    header_pair(value)?;
    let new = split(value).1;
    header_name(new).map_err(|_| format!("'{new}' is not a valid header"))
}

/// There is something after the colon.
pub fn pair_with_value(value: &str) -> Result<(), String> {
    match split(value) {
        (name, "") => Err(format!("key '{}' has no value", name.unwrap_or_default())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_refused_in_the_formats_words() {
        assert_eq!(header_pair("X-A:b:c"), Ok(()));
        assert_eq!(header_pair("x y"), Err("'x y' is not a valid header".to_owned()));
        assert_eq!(header_pair(":b"), Err("'nil' is not a valid header".to_owned()));
        assert_eq!(header_rename("a:b"), Ok(()));
        assert_eq!(header_rename("a:b c"), Err("'b c' is not a valid header".to_owned()));
        assert_eq!(pair_with_value("a::b"), Ok(()));
        assert_eq!(pair_with_value("a:"), Err("key 'a' has no value".to_owned()));
        assert_eq!(pair_with_value("a"), Err("key 'a' has no value".to_owned()));
    }
}
