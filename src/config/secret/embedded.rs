//! Credentials that any text may carry in a form of their own, whatever field it stands in.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::{
    is_credential_header,
    lexical::{Scanner, value_end},
};

/// A field name before a colon, with the quote that may end it.
static HEADER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"([A-Za-z][A-Za-z0-9-]*)(["']?)[ \t]*:"#).expect("the pattern is a constant")
});

/// The authority of a URL up to its last `@`.
static USERINFO: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#"'<>:@]*:([^\s/?#"'<>]*)@"#)
        .expect("the pattern is a constant")
});

/// The private keys in PEM. One without an end goes as far as its Base64.
fn private_keys(text: &str) -> Vec<Range<usize>> {
    const BEGIN: &str = "-----BEGIN ";
    const END: &str = "PRIVATE KEY-----";
    /// Longer than any key, and short enough that many keys without an end cost little.
    const MAX_BYTES: usize = 32 * 1024;
    let find = |from: usize, to: usize, words: &str| {
        let window = text.as_bytes().get(from..to.min(text.len()))?;
        memchr::memmem::find(window, words.as_bytes()).map(|at| from + at)
    };
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = find(at, text.len(), BEGIN) {
        at = start + BEGIN.len();
        // `RSA `, `ENCRYPTED ` and the like may stand between.
        let Some(head) = find(at, at + 48, END).map(|at| at + END.len()) else { continue };
        let closing = find(head, head + MAX_BYTES, "-----END ").and_then(|at| find(at, at + 64, END));
        at = match closing {
            Some(closing) => closing + END.len(),
            None => {
                let base64 =
                    |b: &u8| b.is_ascii_alphanumeric() || b"+/=\\".contains(b) || b.is_ascii_whitespace();
                head + text.as_bytes()[head..].iter().take_while(|b| base64(b)).count()
            }
        };
        found.push(start..at);
    }
    found
}

/// The ranges of credentials in a text, in order: a value alone, or a whole file.
pub fn embedded(text: &str) -> Vec<Range<usize>> {
    let mut found = private_keys(text);
    if memchr::memmem::find(text.as_bytes(), b"://").is_some() {
        found.extend(
            USERINFO.captures_iter(text).filter_map(|url| url.get(1).map(|password| password.range())),
        );
    }
    if text.contains(':') {
        let scanner = Scanner::new(text);
        let mut masked_to = 0;
        for header in HEADER.captures_iter(text) {
            let (Some(name), Some(quote), Some(all)) = (header.get(1), header.get(2), header.get(0)) else {
                continue;
            };
            // The end of a longer name is none.
            let before = text[..name.start()].chars().next_back();
            if name.start() < masked_to
                || before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))
                || !is_credential_header(name.as_str())
            {
                continue;
            }
            let opening = before.filter(|c| matches!(c, '"' | '\''));
            let value = match opening {
                // `"Authorization:Bearer x"`: one text.
                Some(quote_char) if quote.is_empty() => in_quotes(text, all.end(), quote_char),
                // `Authorization: …` as a key or a plain text.
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

/// From there to the quote that ends the text, or the end of the line, without blanks in front.
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
