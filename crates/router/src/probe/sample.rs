//! A text that a regular expression matches, so that a route with one can be asked for.

use regex_syntax::hir::{Class, Hir, HirKind};

/// A short text that the expression matches; none if it uses what only backtracking engines know, or matches
/// no printable text.
pub fn matching(regex: &str) -> Option<String> {
    let hir = regex_syntax::ParserBuilder::new().build().parse(regex).ok()?;
    let mut text = String::new();
    write(&hir, &mut text)?;
    Some(text)
}

fn write(hir: &Hir, text: &mut String) -> Option<()> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(()),
        HirKind::Literal(literal) => {
            text.push_str(std::str::from_utf8(&literal.0).ok()?);
            Some(())
        }
        HirKind::Class(class) => {
            text.push(member(class)?);
            Some(())
        }
        HirKind::Repetition(repetition) => {
            // Once where it may be never: what follows a prefix is seen too.
            let times = repetition.min.max(1).min(repetition.max.unwrap_or(u32::MAX)).min(64);
            (0..times).try_for_each(|_| write(&repetition.sub, text))
        }
        HirKind::Capture(capture) => write(&capture.sub, text),
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| write(part, text)),
        HirKind::Alternation(ways) => {
            let start = text.len();
            ways.iter().find_map(|way| {
                text.truncate(start);
                write(way, text)
            })
        }
    }
}

/// A character of a class, one that people would use if there is one.
fn member(class: &Class) -> Option<char> {
    const LIKED: [char; 5] = ['1', 'a', 'A', '-', '_'];
    let has = |c: char| match class {
        Class::Unicode(class) => class.ranges().iter().any(|r| r.start() <= c && c <= r.end()),
        Class::Bytes(class) => {
            u8::try_from(c).is_ok_and(|b| class.ranges().iter().any(|r| r.start() <= b && b <= r.end()))
        }
    };
    LIKED.into_iter().find(|c| has(*c)).or_else(|| ('!'..='~').find(|c| has(*c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_matches_its_expression() {
        for regex in
            [r"/v\d+/users/(?<id>[^/]+)$", r"^/a(b|c)*", r"/(?i)health", r"/[a-z]{3,5}\.json", "/x|/y"]
        {
            let text = matching(regex).unwrap_or_else(|| panic!("no sample of {regex}"));
            assert!(regex::Regex::new(regex).expect("a regex").is_match(&text), "{regex}: {text}");
        }
        assert_eq!(matching(r"/(?!x)y"), None, "look-around is for another engine");
    }
}
