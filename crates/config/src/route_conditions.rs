//! Validation of route match conditions by the router, each error reported at its condition.

use super::{
    expression,
    resolve::{path_of, path_text},
    validator::EntityRef,
};
use model::{KindInfo, Route, State, rule::regex};
use router::{Flavor, validate_route};
use source::{Document, ErrorPathSegment, Finding, Findings, Level, NodeId, Span, from_node};

/// Finding code: the router cannot compile a route's conditions.
const BAD_EXPRESSION: &str = "config/bad-expression";

/// Compiles every route. For a route that has other errors, each condition is tested alone, so that one run finds
/// all of them.
pub(super) fn check(
    doc: &Document,
    found: &[EntityRef],
    state: &State,
    flavor: Flavor,
    findings: &mut Findings,
) {
    for route in state.routes.rows() {
        let Err(text) = validate_route(route, flavor) else { continue };
        if findings.is_full(Level::Error) {
            findings.count_omitted(Level::Error);
            continue;
        }
        let place = found.iter().rposition(|found| Some(found.node) == route.origin);
        let Some(i) = place else { continue };
        let mut tree = path_of(found, i);
        tree.push(ErrorPathSegment::Entity);
        report(doc, found, i, route, flavor, Some((tree, text)), findings);
    }
    let Some(routes) = KindInfo::number("routes") else { return };
    let unclean = |i: &usize| found[*i].kind == routes && !found[*i].clean && !found[*i].stray;
    for i in (0..found.len()).filter(unclean) {
        if findings.is_full(Level::Error) {
            break;
        }
        if let Ok(route) = from_node::<Route>(doc, found[i].data) {
            report(doc, found, i, &route, flavor, None, findings);
        }
    }
}

/// Rejected condition.
struct RejectedCondition {
    node: NodeId,
    /// Path within the route, and display name.
    path: String,
    name: String,
    text: String,
}

/// Reports the conditions of one route. The first finding carries Kong's error text, which names no condition.
fn report(
    doc: &Document,
    found: &[EntityRef],
    i: usize,
    route: &Route,
    flavor: Flavor,
    mut kong_error: Option<(Vec<ErrorPathSegment>, String)>,
    findings: &mut Findings,
) {
    let owner = path_text(&path_of(found, i));
    for rejected in rejected_conditions(doc, found[i].data, route, flavor) {
        let place = doc.span(rejected.node);
        // Already reported by schema validation.
        if findings.iter().any(|finding| finding.level == Level::Error && finding.span() == Some(place)) {
            continue;
        }
        if findings.is_full(Level::Error) {
            findings.count_omitted(Level::Error);
            continue;
        }
        let reason = reason(&rejected.text);
        let text = doc.str(rejected.node).unwrap_or("");
        let span = part(place, text, &rejected.text).unwrap_or(place);
        let reason_text = expression::reason(reason).unwrap_or_else(|| reason.to_owned());
        let mut finding = Finding::error(BAD_EXPRESSION, format!("{}: {reason_text}", rejected.name))
            .at(span, "")
            .path(format!("{owner}.{}", rejected.path));
        finding.kong_errors.extend(kong_error.take());
        finding.help = help(text, reason, &rejected);
        findings.push(finding);
    }
    let Some((tree, text)) = kong_error else { return };
    let node = found[i].node;
    let first = doc.get(node, "name").or_else(|| doc.entries(node).first().map(|e| e.key));
    let finding = Finding::error(BAD_EXPRESSION, reason(&text).to_owned())
        .at(doc.span(first.unwrap_or(node)), "")
        .path(owner)
        .kong_error(tree, text);
    findings.push(finding);
}

/// Returns the conditions that are rejected when tested alone.
fn rejected_conditions(
    doc: &Document,
    node: NodeId,
    route: &Route,
    flavor: Flavor,
) -> Vec<RejectedCondition> {
    let mut all = Vec::new();
    let alone = Route {
        methods: None,
        hosts: None,
        paths: None,
        headers: None,
        snis: None,
        sources: None,
        destinations: None,
        expression: None,
        ..route.clone()
    };
    let mut attempt = |node: Option<NodeId>, path: String, name: String, route: Route| {
        if let (Some(node), Err(text)) = (node, validate_route(&route, flavor)) {
            all.push(RejectedCondition { node, path, name, text });
        }
    };
    // In other flavors the field itself is an error, which is sufficient.
    if let Some(expression) = route.expression.as_ref().filter(|_| flavor == Flavor::Expressions) {
        let alone = Route { expression: Some(expression.clone()), ..alone.clone() };
        attempt(doc.get(node, "expression"), "expression".to_owned(), "`expression`".to_owned(), alone);
    }
    let paths = doc.get(node, "paths").map_or(&[][..], |list| doc.items(list));
    for (i, path) in route.paths.iter().flatten().enumerate().filter(|(_, path)| path.starts_with('~')) {
        let alone = Route { paths: Some(vec![path.clone()]), ..alone.clone() };
        let name = format!("item {} of `paths`", i + 1);
        attempt(paths.get(i).copied(), format!("paths[{}]", i + 1), name, alone);
    }
    let headers = doc.get(node, "headers");
    for (name, values) in route.headers.iter().flat_map(|headers| headers.iter()) {
        let nodes =
            headers.and_then(|headers| doc.get(headers, name)).map_or(&[][..], |list| doc.items(list));
        for (i, value) in values.iter().enumerate() {
            let only = [(name.clone(), vec![value.clone()])].into_iter().collect();
            let alone = Route { headers: Some(Box::new(only)), ..alone.clone() };
            let path = format!("headers.{name}[{}]", i + 1);
            attempt(nodes.get(i).copied(), path, format!("the header `{name}`"), alone);
        }
    }
    all
}

/// Extracts the reason from the router's message, which quotes the whole expression before it.
pub(super) fn reason(text: &str) -> &str {
    let text = text.strip_prefix("Router Expression failed validation:").unwrap_or(text).trim();
    let last = text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or(text);
    last.strip_prefix("error: ").or_else(|| last.strip_prefix("= ")).unwrap_or(last)
}

fn help(text: &str, reason: &str, rejected: &RejectedCondition) -> Option<String> {
    if reason.contains("look-around") || reason.contains("backreferences") {
        let help = "the router's regular expressions have neither look-around nor backreferences: list what may match, \
                    or give another route a higher `regex_priority`";
        return Some(help.to_owned());
    }
    let named = |at: usize| text[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if reason.contains("repetition") && text.match_indices('{').any(|(at, _)| named(at)) {
        return Some("braces mean repetition: write `(?<name>[^/]+)` for a segment of any text".to_owned());
    }
    if rejected.path != "expression" {
        return regex::advice(text.strip_prefix('~').unwrap_or(text));
    }
    // The parser counts columns in characters.
    let at = place(&rejected.text).filter(|(line, _)| *line == 1).map(|(_, column)| column - 1);
    let byte = at.map(|at| text.char_indices().nth(at).map_or(text.len(), |(byte, _)| byte));
    expression::help(text, reason, byte)
}

/// Extracts line and column from the router's message.
pub(super) fn place(message: &str) -> Option<(usize, usize)> {
    let (line, column) = message.split("--> ").nth(1)?.lines().next()?.trim().split_once(':')?;
    Some((line.parse().ok()?, column.parse().ok().filter(|column| *column > 0)?))
}

/// Maps the underlined part of the router's message (`--> 1:13`, and `^-----^` two lines below) to a source span.
/// Single-line text only.
fn part(whole: Span, text: &str, message: &str) -> Option<Span> {
    let (_, column) = place(message).filter(|(line, _)| *line == 1)?;
    let marks = message.lines().find(|line| line.contains('^') && line.trim_start().starts_with('|'))?;
    let marks = marks.trim_start_matches([' ', '|']).trim_end();
    // A span longer than its text by two is quoted.
    let quote = match (whole.end - whole.start) as usize {
        length if length == text.len() => 0,
        length if length == text.len() + 2 => 1,
        _ => return None,
    };
    let ours = text.is_ascii() && !text.contains('\n') && message.contains(text);
    let start = (column - 1).min(text.len());
    let end = (start + marks.len().max(1)).min(text.len());
    let byte = |at: usize| whole.start + (quote + at) as u32;
    ours.then(|| Span { start: byte(start), end: byte(end), ..whole })
}
