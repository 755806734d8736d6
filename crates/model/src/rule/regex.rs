//! Regular expressions as PCRE2 knows them, which is what Kong checks them with. The engines here take some that
//! PCRE2 refuses, and say why they refuse others in words of their own; both are put right here.

/// The largest count in braces that PCRE2 takes.
const LARGEST_COUNT: u32 = 65_535;

const POSIX_CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "word", "xdigit",
];

/// Error of a regular expression: the message, and a suggested replacement.
struct RegexError(&'static str, Option<String>);

/// Checks that [`compile_regex`] and PCRE2 accept a regular expression. Most are recognised by their syntax
/// alone, which costs a hundredth of compiling.
///
/// # Errors
/// With the message of PCRE2, if it has one for the error.
pub fn check_regex(pattern: &str) -> Result<(), String> {
    if let Some(RegexError(reason, _)) = pcre_only_error(pattern) {
        return Err(reason.to_owned());
    }
    let Err(error) = regex_syntax::parse(pattern) else { return Ok(()) };
    let Err(other) = fancy_regex::Regex::new(pattern) else { return Ok(()) };
    Err(pcre_message(&error, &other, pattern)
        .map_or_else(|| other.to_string(), |RegexError(reason, _)| reason.to_owned()))
}

/// Suggests a replacement of an expression that [`check_regex`] rejects.
pub fn advice(pattern: &str) -> Option<String> {
    if let Some(RegexError(_, help)) = pcre_only_error(pattern) {
        return help;
    }
    let (error, other) = (regex_syntax::parse(pattern).err()?, fancy_regex::Regex::new(pattern).err()?);
    pcre_message(&error, &other, pattern).and_then(|RegexError(_, help)| help)
}

/// Compiles a regular expression, including back-references and look-around.
///
/// # Errors
/// With the message of the engine.
pub fn compile_regex(pattern: &str) -> Result<fancy_regex::Regex, String> {
    fancy_regex::Regex::new(pattern).map_err(|e| e.to_string())
}

/// Converts the errors of both engines to the message of PCRE2.
fn pcre_message(
    error: &regex_syntax::Error,
    other: &fancy_regex::Error,
    pattern: &str,
) -> Option<RegexError> {
    use fancy_regex::{CompileError, Error, ParseError};
    use regex_syntax::{ast, hir};
    match other {
        Error::CompileError(error)
            if matches!(
                **error,
                CompileError::InvalidBackref(_) | CompileError::InvalidGroupNameBackref(_)
            ) =>
        {
            return Some(RegexError("reference to non-existent subpattern", None));
        }
        Error::ParseError(_, ParseError::UnclosedOpenParen) => {
            return Some(RegexError("missing closing parenthesis", Some("add the missing `)`".to_owned())));
        }
        Error::ParseError(_, ParseError::TrailingBackslash) => {
            let help = "remove it, or write `\\\\` for the character itself";
            return Some(RegexError("\\ at end of pattern", Some(help.to_owned())));
        }
        _ => {}
    }
    let at = |span: &ast::Span| pattern.get(span.start.offset..span.end.offset).unwrap_or("");
    match error {
        regex_syntax::Error::Parse(error) => Some(match error.kind() {
            ast::ErrorKind::ClassRangeInvalid => {
                let (low, high) = at(error.span()).split_once('-')?;
                let help = format!("write `{high}-{low}`, the lower one first");
                RegexError("range out of order in character class", Some(help))
            }
            ast::ErrorKind::ClassRangeLiteral => RegexError("invalid range in character class", None),
            ast::ErrorKind::ClassUnclosed => RegexError(
                "missing terminating ] for character class",
                Some("add the missing `]`".to_owned()),
            ),
            ast::ErrorKind::GroupUnclosed => {
                RegexError("missing closing parenthesis", Some("add the missing `)`".to_owned()))
            }
            ast::ErrorKind::GroupUnopened => RegexError(
                "unmatched closing parenthesis",
                Some("remove this `)`, or write `\\)` for the character itself".to_owned()),
            ),
            ast::ErrorKind::GroupNameInvalid => RegexError(
                "syntax error in subpattern name",
                Some("names of groups have letters, digits and `_`, and begin with no digit".to_owned()),
            ),
            ast::ErrorKind::EscapeUnrecognized => RegexError("unrecognized character follows \\", None),
            ast::ErrorKind::EscapeUnexpectedEof => RegexError("\\ at end of pattern", None),
            _ => return None,
        }),
        regex_syntax::Error::Translate(error) => match error.kind() {
            hir::ErrorKind::UnicodePropertyNotFound | hir::ErrorKind::UnicodePropertyValueNotFound => {
                let help = "properties are such as `\\p{L}` for letters, `\\p{Lu}` for capital ones, `\\p{N}` for numbers";
                Some(RegexError("unknown property after \\P or \\p", Some(help.to_owned())))
            }
            _ => None,
        },
        _ => None,
    }
}

/// Finds errors of PCRE2 that the engines here accept: a quantifier without an item, counts that are too large or out of
/// order, look-behind of unlimited length, unknown POSIX classes.
fn pcre_only_error(pattern: &str) -> Option<RegexError> {
    // Extended mode, in which blanks and comments are ignored, is not supported here: it does not occur in paths.
    if pattern.contains("(?x") {
        return None;
    }
    let mut rest = pattern;
    let mut repeatable = false;
    // For each open group, whether it is inside a look-behind.
    let mut behind: Vec<bool> = Vec::new();
    while let Some(c) = rest.chars().next() {
        let mut after = &rest[c.len_utf8()..];
        match c {
            '\\' => {
                let escaped = after.chars().next()?;
                after = &after[escaped.len_utf8()..];
                if "pPxuUogkN".contains(escaped) && after.starts_with('{') {
                    after = &after[after.find('}').map_or(0, |end| end + 1)..];
                }
                repeatable = !"bBAzZGK".contains(escaped);
            }
            '[' => match class(after) {
                Ok(length) => {
                    after = &after[length..];
                    repeatable = true;
                }
                Err(refusal) => return refusal,
            },
            '(' if after.starts_with("?#") => {
                after = &after[after.find(')').map_or(after.len(), |end| end + 1)..]
            }
            '(' => {
                let (length, flags) = group_prefix(after);
                let looks = after.starts_with("?<=") || after.starts_with("?<!");
                after = &after[length..];
                repeatable = false;
                if flags {
                    after = after.strip_prefix(')').unwrap_or(after);
                } else {
                    behind.push(looks || behind.last() == Some(&true));
                }
            }
            ')' => {
                behind.pop();
                repeatable = true;
            }
            '|' | '^' | '$' => repeatable = false,
            '*' | '+' | '?' => {
                if !repeatable {
                    return Some(nothing_to_repeat(c.encode_utf8(&mut [0; 4])));
                }
                if c != '?' && behind.last() == Some(&true) {
                    return Some(unlimited());
                }
                after = after.strip_prefix(['?', '+']).unwrap_or(after);
                repeatable = false;
            }
            '{' => match counted_repetition(after) {
                None => repeatable = true,
                Some((length, least, most)) => {
                    let written = &rest[..=length];
                    if !repeatable {
                        return Some(nothing_to_repeat(written));
                    }
                    if least > most {
                        let help = format!("write `{{{most},{least}}}`, the lower one first");
                        return Some(RegexError("numbers out of order in {} quantifier", Some(help)));
                    }
                    if least > LARGEST_COUNT || most > LARGEST_COUNT && most != u32::MAX {
                        let help = format!("write at most {LARGEST_COUNT}, or `{{{least},}}` for any number");
                        return Some(RegexError("number too big in {} quantifier", Some(help)));
                    }
                    if most == u32::MAX && behind.last() == Some(&true) {
                        return Some(unlimited());
                    }
                    after = after[length..].strip_prefix(['?', '+']).unwrap_or(&after[length..]);
                    repeatable = false;
                }
            },
            _ => repeatable = true,
        }
        rest = after;
    }
    None
}

fn unlimited() -> RegexError {
    let help = "in a look-behind write `{1,9}` or the like in place of `+`, `*` and `{1,}`";
    RegexError("length of lookbehind assertion is not limited", Some(help.to_owned()))
}

fn nothing_to_repeat(written: &str) -> RegexError {
    let help = format!("remove the `{written}`, or write `\\{written}` for the character itself");
    RegexError("quantifier does not follow a repeatable item", Some(help))
}

/// Returns the length of a class after its `[`, including its `]`.
fn class(text: &str) -> Result<usize, Option<RegexError>> {
    let mut at = usize::from(text.starts_with('^'));
    let mut first = true;
    while let Some(c) = text[at..].chars().next() {
        let after = &text[at + c.len_utf8()..];
        at += match c {
            ']' if !first => return Ok(at + 1),
            '\\' => 1 + after.chars().next().map_or(0, char::len_utf8),
            '[' => match after.strip_prefix(':').and_then(|name| name.split_once(":]")) {
                Some((name, _)) if name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'^') => {
                    if !POSIX_CLASSES.contains(&name.trim_start_matches('^')) {
                        let help = format!("the names are {}", POSIX_CLASSES.join(", "));
                        return Err(Some(RegexError("unknown POSIX class name", Some(help))));
                    }
                    "[::]".len() + name.len()
                }
                _ => 1,
            },
            _ => c.len_utf8(),
        };
        first = false;
    }
    // An unclosed class is reported by the engine.
    Err(None)
}

/// Returns the length of a group's prefix after its `(`, and whether the group is only flags, as in `(?i)`.
fn group_prefix(text: &str) -> (usize, bool) {
    let Some(rest) = text.strip_prefix('?') else { return (0, false) };
    let named = rest.trim_start_matches('P');
    if named.starts_with('<') && !named.starts_with("<=") && !named.starts_with("<!") {
        return (text.find('>').map_or(1, |end| end + 1), false);
    }
    let head = rest.find([')', ':', '=', '!', '>', '|']).unwrap_or(rest.len());
    let flags = rest[head..].starts_with(')');
    (1 + head + usize::from(!flags && head < rest.len()), flags)
}

/// Parses a counted repetition after its `{`: length including the `}`, minimum and maximum.
fn counted_repetition(text: &str) -> Option<(usize, u32, u32)> {
    let end = text.find('}')?;
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse().unwrap_or(u32::MAX - 1))
    };
    let (least, most) = match text[..end].split_once(',') {
        None => (number(&text[..end])?, number(&text[..end])?),
        Some((least, "")) => (number(least)?, u32::MAX),
        Some((least, most)) => (number(least)?, number(most)?),
    };
    Some((end + 1, least, most))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The messages are those of libpcre2 10.44.
    #[test]
    fn errors_of_pcre_are_reported_with_its_messages() {
        const UNLIMITED: &str = "length of lookbehind assertion is not limited";
        const REPEAT: &str = "quantifier does not follow a repeatable item";
        for (pattern, message) in [
            ("a**", REPEAT),
            ("b+*", REPEAT),
            ("a{2}{3}", REPEAT),
            ("a???", REPEAT),
            ("a*++", REPEAT),
            ("^*", REPEAT),
            (r"\b*", REPEAT),
            ("(?i)*", REPEAT),
            ("x|*", REPEAT),
            ("*a", REPEAT),
            ("c{1,70000}", "number too big in {} quantifier"),
            ("c{65536}", "number too big in {} quantifier"),
            ("a{2,1}", "numbers out of order in {} quantifier"),
            ("[[:foo:]]", "unknown POSIX class name"),
            ("[z-a]", "range out of order in character class"),
            (r"\p{Foo}", r"unknown property after \P or \p"),
            ("(?<=a+)b", UNLIMITED),
            ("(?<!a{2,})b", UNLIMITED),
            ("(a", "missing closing parenthesis"),
            ("a)", "unmatched closing parenthesis"),
            ("[a", "missing terminating ] for character class"),
        ] {
            assert_eq!(check_regex(pattern), Err(message.to_owned()), "{pattern}");
        }
    }

    #[test]
    fn expressions_valid_in_pcre_are_accepted() {
        for pattern in [
            "a??",
            "a*+",
            "a{65535}",
            "a{2,}",
            "[[:alpha:]]",
            "[[:^alpha:]_]",
            "x{a}*",
            "x{",
            "()*",
            "a(?#c)*",
            "[]a]",
            "[^]a]*",
            r"[\]*]+",
            r"\p{L}+",
            r"(?<id>\d+)?",
            "(?i)a*",
            "(?i:a)*",
            "(?P<n>a)*",
            "(?:a|b)+?",
            "[*+?{}]*",
            r"\x{41}*",
            r"\$*",
            ".*",
            "(?<=ab)c",
            r"(a)\1",
            "[a[:digit:]b]{2}",
        ] {
            assert_eq!(check_regex(pattern), Ok(()), "{pattern}");
        }
    }

    #[test]
    fn suggested_expressions_are_accepted() {
        for (pattern, message) in [
            ("a{2,1}", "write `{1,2}`"),
            ("[z-a]", "write `a-z`"),
            ("a**", "remove the `*`"),
            ("(a", "add the missing `)`"),
        ] {
            let help = advice(pattern);
            assert!(help.as_deref().is_some_and(|help| help.starts_with(message)), "{pattern}: {help:?}");
        }
        assert_eq!(advice("a+"), None);
    }
}
