//! Regular expressions as PCRE2 knows them, which is what Kong checks them with. The engines here take some that
//! PCRE2 refuses, and say why they refuse others in words of their own; both are put right here.

/// The largest count in braces that PCRE2 takes.
const LARGEST_COUNT: u32 = 65_535;

const POSIX_CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "word", "xdigit",
];

/// Why an expression is refused, and what to write instead.
struct Refusal(&'static str, Option<String>);

/// Whether a regular expression is one that [`compile_regex`] compiles and PCRE2 takes. Most are told by their syntax
/// alone, which costs a hundredth of compiling.
///
/// # Errors
/// In PCRE2's words, where it has some for it.
pub fn check_regex(pattern: &str) -> Result<(), String> {
    if let Some(Refusal(reason, _)) = repeated(pattern) {
        return Err(reason.to_owned());
    }
    let Err(error) = regex_syntax::parse(pattern) else { return Ok(()) };
    let Err(other) = fancy_regex::Regex::new(pattern) else { return Ok(()) };
    Err(in_words(&error, &other, pattern)
        .map_or_else(|| other.to_string(), |Refusal(reason, _)| reason.to_owned()))
}

/// What to write in place of an expression that [`check_regex`] refuses.
pub fn advice(pattern: &str) -> Option<String> {
    if let Some(Refusal(_, help)) = repeated(pattern) {
        return help;
    }
    let (error, other) = (regex_syntax::parse(pattern).err()?, fancy_regex::Regex::new(pattern).err()?);
    in_words(&error, &other, pattern).and_then(|Refusal(_, help)| help)
}

/// Compiles a regular expression with what PCRE has beyond regular languages.
///
/// # Errors
/// The engine's own words.
pub fn compile_regex(pattern: &str) -> Result<fancy_regex::Regex, String> {
    fancy_regex::Regex::new(pattern).map_err(|e| e.to_string())
}

/// Both engines' errors in PCRE2's words.
fn in_words(error: &regex_syntax::Error, other: &fancy_regex::Error, pattern: &str) -> Option<Refusal> {
    use fancy_regex::{CompileError, Error, ParseError};
    use regex_syntax::{ast, hir};
    match other {
        Error::CompileError(error)
            if matches!(
                **error,
                CompileError::InvalidBackref(_) | CompileError::InvalidGroupNameBackref(_)
            ) =>
        {
            return Some(Refusal("reference to non-existent subpattern", None));
        }
        Error::ParseError(_, ParseError::UnclosedOpenParen) => {
            return Some(Refusal("missing closing parenthesis", Some("add the missing `)`".to_owned())));
        }
        Error::ParseError(_, ParseError::TrailingBackslash) => {
            let help = "remove it, or write `\\\\` for the character itself";
            return Some(Refusal("\\ at end of pattern", Some(help.to_owned())));
        }
        _ => {}
    }
    let at = |span: &ast::Span| pattern.get(span.start.offset..span.end.offset).unwrap_or("");
    match error {
        regex_syntax::Error::Parse(error) => Some(match error.kind() {
            ast::ErrorKind::ClassRangeInvalid => {
                let (low, high) = at(error.span()).split_once('-')?;
                let help = format!("write `{high}-{low}`, the lower one first");
                Refusal("range out of order in character class", Some(help))
            }
            ast::ErrorKind::ClassRangeLiteral => Refusal("invalid range in character class", None),
            ast::ErrorKind::ClassUnclosed => {
                Refusal("missing terminating ] for character class", Some("add the missing `]`".to_owned()))
            }
            ast::ErrorKind::GroupUnclosed => {
                Refusal("missing closing parenthesis", Some("add the missing `)`".to_owned()))
            }
            ast::ErrorKind::GroupUnopened => Refusal(
                "unmatched closing parenthesis",
                Some("remove this `)`, or write `\\)` for the character itself".to_owned()),
            ),
            ast::ErrorKind::GroupNameInvalid => Refusal(
                "syntax error in subpattern name",
                Some("names of groups have letters, digits and `_`, and begin with no digit".to_owned()),
            ),
            ast::ErrorKind::EscapeUnrecognized => Refusal("unrecognized character follows \\", None),
            ast::ErrorKind::EscapeUnexpectedEof => Refusal("\\ at end of pattern", None),
            _ => return None,
        }),
        regex_syntax::Error::Translate(error) => match error.kind() {
            hir::ErrorKind::UnicodePropertyNotFound | hir::ErrorKind::UnicodePropertyValueNotFound => {
                let help = "properties are such as `\\p{L}` for letters, `\\p{Lu}` for capital ones, `\\p{N}` for numbers";
                Some(Refusal("unknown property after \\P or \\p", Some(help.to_owned())))
            }
            _ => None,
        },
        _ => None,
    }
}

/// What PCRE2 refuses and the engines here take: a repetition of nothing that can be repeated, counts that are too
/// large or the wrong way round, look-behind of any length, classes of POSIX that there are not.
fn repeated(pattern: &str) -> Option<Refusal> {
    // In extended mode blanks and comments are no items; nobody writes it in a path.
    if pattern.contains("(?x") {
        return None;
    }
    let mut rest = pattern;
    let mut repeatable = false;
    // For each group that is open, whether it lies in a look-behind.
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
                let (length, flags) = group_head(after);
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
            '{' => match counts(after) {
                None => repeatable = true,
                Some((length, least, most)) => {
                    let written = &rest[..=length];
                    if !repeatable {
                        return Some(nothing_to_repeat(written));
                    }
                    if least > most {
                        let help = format!("write `{{{most},{least}}}`, the lower one first");
                        return Some(Refusal("numbers out of order in {} quantifier", Some(help)));
                    }
                    if least > LARGEST_COUNT || most > LARGEST_COUNT && most != u32::MAX {
                        let help = format!("write at most {LARGEST_COUNT}, or `{{{least},}}` for any number");
                        return Some(Refusal("number too big in {} quantifier", Some(help)));
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

fn unlimited() -> Refusal {
    let help = "in a look-behind write `{1,9}` or the like in place of `+`, `*` and `{1,}`";
    Refusal("length of lookbehind assertion is not limited", Some(help.to_owned()))
}

fn nothing_to_repeat(written: &str) -> Refusal {
    let help = format!("remove the `{written}`, or write `\\{written}` for the character itself");
    Refusal("quantifier does not follow a repeatable item", Some(help))
}

/// The length of a class after its `[`, with its `]`.
fn class(text: &str) -> Result<usize, Option<Refusal>> {
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
                        return Err(Some(Refusal("unknown POSIX class name", Some(help))));
                    }
                    "[::]".len() + name.len()
                }
                _ => 1,
            },
            _ => c.len_utf8(),
        };
        first = false;
    }
    // It is not closed; the engine says so.
    Err(None)
}

/// The length of what follows the `(` of a group before its content, and whether it is only flags, as in `(?i)`.
fn group_head(text: &str) -> (usize, bool) {
    let Some(rest) = text.strip_prefix('?') else { return (0, false) };
    let named = rest.trim_start_matches('P');
    if named.starts_with('<') && !named.starts_with("<=") && !named.starts_with("<!") {
        return (text.find('>').map_or(1, |end| end + 1), false);
    }
    let head = rest.find([')', ':', '=', '!', '>', '|']).unwrap_or(rest.len());
    let flags = rest[head..].starts_with(')');
    (1 + head + usize::from(!flags && head < rest.len()), flags)
}

/// Braces that count, after their `{`: the length with the `}`, the least and the most.
fn counts(text: &str) -> Option<(usize, u32, u32)> {
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

    /// What libpcre2 10.44 says about each.
    #[test]
    fn what_pcre_refuses_is_refused_in_its_words() {
        const UNLIMITED: &str = "length of lookbehind assertion is not limited";
        const REPEAT: &str = "quantifier does not follow a repeatable item";
        for (pattern, said) in [
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
            assert_eq!(check_regex(pattern), Err(said.to_owned()), "{pattern}");
        }
    }

    #[test]
    fn what_pcre_takes_is_taken() {
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
    fn advice_is_what_is_taken_then() {
        for (pattern, said) in [
            ("a{2,1}", "write `{1,2}`"),
            ("[z-a]", "write `a-z`"),
            ("a**", "remove the `*`"),
            ("(a", "add the missing `)`"),
        ] {
            let help = advice(pattern);
            assert!(help.as_deref().is_some_and(|help| help.starts_with(said)), "{pattern}: {help:?}");
        }
        assert_eq!(advice("a+"), None);
    }
}
