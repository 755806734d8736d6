//! Detection of credentials by their form, in the text of any field.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::{
    SecretFields, is_credential_name,
    lexical::{Scanner, value_end},
};

/// Header field name before a colon, with an optional closing quote.
static HEADER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"([A-Za-z][A-Za-z0-9_-]*)(["']?)[ \t]*:"#).expect("the pattern is a constant")
});

/// Authority of a URL up to its last `@`.
static USERINFO: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#"'<>:@]*:([^\s/?#"'<>]*)@"#)
        .expect("the pattern is a constant")
});

/// Query argument, in a URL or a path.
static ARGUMENT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"[?&]([A-Za-z][A-Za-z0-9_.-]*)=([^\s&#"'`<>]+)"#).expect("the pattern is a constant")
});

/// Field that names a host, and a user's password before an `@` without a URL scheme. An error message may be in
/// between.
static HOST: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"\b(?:host|hostname|server|endpoint|address|target|url)["'`]?[ \t]*:[ \t]*(?:invalid [a-z]+:[ \t]*)?["'`]?[^\s:/@"'`,{}\[\]]*:([^\s/"'`]+)@"#,
    )
    .expect("the pattern is a constant")
});

/// Method call in Lua after its colon: `token:sub(1)`.
static CALL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[A-Za-z_]\w*\(").expect("the pattern is a constant"));

/// Returns whether a name at that offset starts a text of its own: a list item, or a quotation in a message.
fn begins_text(text: &str, at: usize) -> bool {
    let before = &text[..at];
    match before.chars().next_back() {
        None => true,
        Some(' ') => {
            let before = before.trim_end_matches(' ');
            before.is_empty() || before.ends_with(['[', ',', '-', ':', '\n'])
        }
        Some(c) => matches!(c, '"' | '\'' | '`' | '[' | ',' | '\n'),
    }
}

/// Returns the ranges of PEM private keys. A key without an end marker extends to the end of its Base64.
fn private_keys(text: &str) -> Vec<Range<usize>> {
    const BEGIN: &str = "-----BEGIN ";
    const END: &str = "PRIVATE KEY-----";
    /// Larger than any key, and small enough to bound the cost of many keys without an end marker.
    const MAX_BYTES: usize = 32 * 1024;
    let find = |from: usize, to: usize, words: &str| {
        let window = text.as_bytes().get(from..to.min(text.len()))?;
        memchr::memmem::find(window, words.as_bytes()).map(|at| from + at)
    };
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = find(at, text.len(), BEGIN) {
        at = start + BEGIN.len();
        // `RSA `, `ENCRYPTED ` and similar may be in between.
        let Some(head) = find(at, at + 48, END).map(|at| at + END.len()) else { continue };
        let closing = find(head, head + MAX_BYTES, "-----END ").and_then(|at| find(at, at + 64, END));
        at = match closing {
            Some(closing) => closing + END.len(),
            None => {
                let base64 =
                    |b: &u8| b.is_ascii_alphanumeric() || b"+/=\\".contains(b) || b.is_ascii_whitespace();
                let end = head + text.as_bytes()[head..].iter().take_while(|b| base64(b)).count();
                // A header without content is not a secret.
                if text[head..end].trim().is_empty() {
                    at = head;
                    continue;
                }
                end
            }
        };
        found.push(start..at);
    }
    found
}

/// Returns the ranges of credentials in a value or a whole file, in order.
pub fn embedded(text: &str, fields: &SecretFields) -> Vec<Range<usize>> {
    let mut found = private_keys(text);
    if memchr::memmem::find(text.as_bytes(), b"://").is_some() {
        found.extend(
            USERINFO.captures_iter(text).filter_map(|url| url.get(1).map(|password| password.range())),
        );
    }
    if text.contains(['?', '&']) {
        let secret = ARGUMENT.captures_iter(text).filter(|found| is_credential_name(&found[1]));
        found.extend(secret.filter_map(|found| found.get(2).map(|value| value.range())));
    }
    if text.contains('@') {
        found.extend(HOST.captures_iter(text).filter_map(|found| found.get(1).map(|value| value.range())));
    }
    if text.contains(':') {
        let scanner = Scanner::new(text);
        let mut masked_to = 0;
        for header in HEADER.captures_iter(text) {
            let (Some(name), Some(quote), Some(all)) = (header.get(1), header.get(2), header.get(0)) else {
                continue;
            };
            // Skip suffixes of a longer name.
            let before = text[..name.start()].chars().next_back();
            if name.start() < masked_to
                || before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))
                || !is_credential_name(name.as_str())
            {
                continue;
            }
            let opening = before.filter(|c| matches!(c, '"' | '\''));
            // `token:x` is a pair, and `token: x` an entry whose name may be known to a schema; `"token: x"` is a
            // pair again.
            let is_adjacent = text[all.end()..].chars().next().is_some_and(|c| !c.is_whitespace());
            let pair =
                quote.is_empty() && (opening.is_some() || is_adjacent) && begins_text(text, name.start());
            let call = || is_adjacent && CALL.is_match(&text[all.end()..]);
            if !pair && (!fields.is_credential_field(name.as_str()) || call()) {
                continue;
            }
            let value = match opening {
                // `"Authorization:Bearer x"`: a single string.
                Some(quote_char) if quote.is_empty() => in_quotes(text, all.end(), quote_char),
                // `Authorization: …` as a key or in plain text.
                _ => value_end(&scanner, name.start() - opening.map_or(0, char::len_utf8), all.end()),
            };
            if let Some(range) = value.filter(|range| !range.is_empty()) {
                masked_to = range.end;
                found.push(range);
            }
        }
    }
    found.sort_by_key(|range| (range.start, range.end));
    found
}

/// Returns the range up to the closing quote or the line end, without leading blanks.
fn in_quotes(text: &str, from: usize, quote: char) -> Option<Range<usize>> {
    let start = from + (text[from..].len() - text[from..].trim_start_matches([' ', '\t']).len());
    let mut escaped = false;
    let end = text[start..].find(|c| {
        let ends = c == '\n' || c == quote && !escaped;
        escaped = quote == '"' && c == '\\' && !escaped;
        ends
    });
    Some(start..end.map_or(text.len(), |at| start + at))
}
