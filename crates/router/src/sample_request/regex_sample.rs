//! Generation of texts that match a regular expression, for sample requests.

use regex_syntax::hir::{Class, Hir, HirKind};

/// Generates a short text that matches. `None` if the expression needs a backtracking engine, or matches no printable
/// text.
pub fn matching(regex: &str) -> Option<String> {
    let hir = regex_syntax::ParserBuilder::new().build().parse(regex).ok()?;
    let mut text = String::new();
    write(&hir, &mut text)?;
    Some(text)
}

/// Most boundary texts of one expression.
const MAX_BOUNDARIES: usize = 24;
/// Most repetitions of a part in a boundary text.
const MAX_REPETITIONS: u32 = 512;

/// Generates texts just inside and just outside of what an expression matches: with the bounds of its classes and of its
/// repetitions, one at a time. Their number is limited, and they contain no delimiters of URLs.
pub fn boundaries(regex: &str) -> Vec<String> {
    let Ok(hir) = regex_syntax::ParserBuilder::new().build().parse(regex) else { return Vec::new() };
    let mut found: Vec<String> = Vec::new();
    let mut spots = Vec::new();
    collect(&hir, &mut spots);
    for spot in spots {
        let ways: Vec<Hir> = match spot.kind() {
            HirKind::Class(class) => {
                ends(class).into_iter().map(|c| Hir::literal(c.to_string().into_bytes())).collect()
            }
            HirKind::Repetition(repetition) => {
                let (min, max) = (repetition.min, repetition.max.unwrap_or(repetition.min + 1));
                let mut counts = vec![min.saturating_sub(1), min, max, max.saturating_add(1)];
                counts.retain(|count| *count <= MAX_REPETITIONS);
                counts.dedup();
                let times = |count: u32| Hir::concat(vec![(*repetition.sub).clone(); count as usize]);
                counts.into_iter().map(times).collect()
            }
            HirKind::Alternation(ways) => ways.clone(),
            _ => Vec::new(),
        };
        for way in ways {
            let mut text = String::new();
            if found.len() < MAX_BOUNDARIES
                && write_with(&hir, &mut text, spot, &way).is_some()
                && !found.contains(&text)
            {
                found.push(text);
            }
        }
    }
    found
}

/// Collects the parts of an expression that can be written in several ways.
fn collect<'h>(hir: &'h Hir, spots: &mut Vec<&'h Hir>) {
    match hir.kind() {
        HirKind::Class(_) => spots.push(hir),
        HirKind::Repetition(repetition) => {
            spots.push(hir);
            collect(&repetition.sub, spots);
        }
        HirKind::Capture(capture) => collect(&capture.sub, spots),
        HirKind::Concat(parts) => parts.iter().for_each(|part| collect(part, spots)),
        HirKind::Alternation(ways) => {
            spots.push(hir);
            ways.iter().for_each(|way| collect(way, spots));
        }
        HirKind::Empty | HirKind::Look(_) | HirKind::Literal(_) => {}
    }
}

/// Returns the first and last characters of the ranges of a class, and their neighbours.
fn ends(class: &Class) -> Vec<char> {
    const MAX_ENDS: usize = 16;
    let ranges: Vec<(u32, u32)> = match class {
        Class::Unicode(class) => class.ranges().iter().map(|r| (r.start().into(), r.end().into())).collect(),
        Class::Bytes(class) => class.ranges().iter().map(|r| (r.start().into(), r.end().into())).collect(),
    };
    let beside = |(first, last): (u32, u32)| [last, first, last + 1, first.saturating_sub(1)];
    let is_plain = |c: &char| c.is_ascii_graphic() && !"?#%/".contains(*c);
    let ends = ranges.into_iter().flat_map(beside).filter_map(char::from_u32).filter(is_plain);
    ends.take(MAX_ENDS).collect()
}

/// Writes a match in which the part `spot` is replaced by `way`.
fn write_with(hir: &Hir, text: &mut String, spot: &Hir, way: &Hir) -> Option<()> {
    if std::ptr::eq(hir, spot) {
        return write(way, text);
    }
    match hir.kind() {
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| write_with(part, text, spot, way)),
        HirKind::Capture(capture) => write_with(&capture.sub, text, spot, way),
        HirKind::Alternation(ways) => {
            let holds = |one: &&Hir| {
                let mut inner = Vec::new();
                collect(one, &mut inner);
                inner.iter().any(|inner| std::ptr::eq(*inner, spot))
            };
            match ways.iter().find(holds) {
                Some(one) => write_with(one, text, spot, way),
                None => write(hir, text),
            }
        }
        HirKind::Repetition(repetition) => {
            write_with(&repetition.sub, text, spot, way)?;
            let times = repetition.min.min(64);
            (1..times).try_for_each(|_| write(&repetition.sub, text))
        }
        _ => write(hir, text),
    }
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
            // Optional parts are written once, so that the text differs from a plain prefix.
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

/// Returns a character of a class, preferably a common one.
fn member(class: &Class) -> Option<char> {
    const PREFERRED: [char; 5] = ['1', 'a', 'A', '-', '_'];
    let has = |c: char| match class {
        Class::Unicode(class) => class.ranges().iter().any(|r| r.start() <= c && c <= r.end()),
        Class::Bytes(class) => {
            u8::try_from(c).is_ok_and(|b| class.ranges().iter().any(|r| r.start() <= b && b <= r.end()))
        }
    };
    PREFERRED.into_iter().find(|c| has(*c)).or_else(|| ('!'..='~').find(|c| has(*c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_lie_on_both_sides_of_ends() {
        let found = boundaries("^v[0-4]+$");
        for text in ["v0", "v4", "v5", "v"] {
            assert!(found.iter().any(|f| f == text), "{text} is missing: {found:?}");
        }
        let lengths: Vec<usize> = boundaries("/[a-z]{1,40}$").iter().map(String::len).collect();
        assert!([1, 2, 41, 42].iter().all(|length| lengths.contains(length)), "{lengths:?}");
        assert!(boundaries("/(a|b[0-3]|c)").contains(&"/b3".to_owned()));
        assert!(boundaries(r"/[^/]{9}[\w.]*(x|y){1,1000000}").len() <= MAX_BOUNDARIES);
    }

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
