//! The endpoints of entities: lists, single ones, those that refer to another one. They can be read; a write
//! is refused, since the files say what there is.

use http::{Method, StatusCode};
use percent_encoding::utf8_percent_encode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    answer::{Answer, Failure},
    body::Fields,
    collections::{COLLECTIONS, Collection, Rows, TAGGED, rows, shown},
    page::{ESCAPED, Page},
};
use model::{DisplayState, Ref};
use upstream::shown_target;

/// What comes of looking for an entity: its number, or the answer that ends the request.
type Picked = Result<usize, Answer>;

fn table<'s>(state: DisplayState<'s>, collection: &Collection) -> Result<&'s dyn Rows, Answer> {
    rows(state, collection.kind).ok_or_else(Answer::not_found)
}

/// A text that is an id and no name.
fn as_id(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|_| text.len() == 36)
}

/// Finds an entity by id, or by what it is called.
fn find(state: DisplayState<'_>, collection: &Collection, text: &str) -> Result<Option<usize>, Answer> {
    let rows = table(state, collection)?;
    if let Some(id) = as_id(text) {
        return Ok(rows.by_id(id));
    }
    if collection.key.is_some() {
        return Ok(rows.by_name(text));
    }
    if collection.kind == "certificates" {
        let sni = state.snis.by_name(text).map(|ix| &state.snis[ix]);
        let missing = || Answer::message(StatusCode::NOT_FOUND, "SNI not found");
        return Ok(rows.by_id(sni.ok_or_else(missing)?.certificate.id));
    }
    let fields = json!({ "id": "expected a valid UUID" });
    let message = "invalid primary key: '{id=\"expected a valid UUID\"}'";
    Err(Answer::failure(Failure::InvalidPrimaryKey, message.into(), Some(("fields", fields))))
}

fn pick(state: DisplayState<'_>, collection: &Collection, text: &str) -> Picked {
    find(state, collection, text)?.ok_or_else(Answer::not_found)
}

fn show(state: DisplayState<'_>, collection: &Collection, row: usize) -> Answer {
    match rows(state, collection.kind) {
        Some(rows) => Answer::ok(&shown(state, collection.kind, rows, row)),
        None => Answer::not_found(),
    }
}

/// The refusal of a write. `by` is the field the entity was named by, if it was not its id.
fn refuse(method: &Method, kind: &str, by: Option<&str>) -> Answer {
    let what = match *method {
        Method::POST => "create",
        Method::PATCH => "update",
        Method::PUT => "create or update",
        _ => "remove",
    };
    let by = by.map_or_else(String::new, |field| format!(" by '{field}'"));
    let message = format!("cannot {what} '{kind}' entities{by} when not using a database");
    Answer::failure(Failure::Unsupported, message.into(), None)
}

fn reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// `/services`.
pub fn list(
    state: DisplayState<'_>,
    method: &Method,
    of: &Collection,
    query: &Fields,
) -> Result<Answer, Answer> {
    if !reads(method) {
        return Ok(refuse(method, of.kind, None));
    }
    if of.kind == "consumers"
        && let Some(custom_id) = query.get("custom_id")
    {
        return Ok(by_custom_id(state, of, custom_id));
    }
    let page = Page::new(query, TAGGED.contains(&of.kind))?;
    list_of(state, of, &page, &format!("/{}", of.path), |_, _| true)
}

/// `/consumers?custom_id=…`: a list of one or none.
fn by_custom_id(state: DisplayState<'_>, of: &Collection, custom_id: &str) -> Answer {
    if custom_id.is_empty() {
        return Answer::bad_request("custom_id must be an unempty string");
    }
    let found = state.consumer_by_custom_id(custom_id);
    let data: Vec<Value> =
        found.map(|ix| shown(state, of.kind, &state.consumers, ix.get())).into_iter().collect();
    Answer::ok(&json!({ "data": data, "next": null }))
}

/// A page of those rows of a kind that `wanted` lets through.
fn list_of(
    state: DisplayState<'_>,
    of: &Collection,
    page: &Page,
    path: &str,
    wanted: impl Fn(&dyn Rows, usize) -> bool,
) -> Result<Answer, Answer> {
    let rows = table(state, of)?;
    let keys = (0..rows.len())
        .filter(|&row| wanted(rows, row) && page.wants(rows.tags(row)))
        .map(|row| (rows.id(row).to_string(), row))
        .collect();
    Ok(page.answer(keys, |row| shown(state, of.kind, rows, row), path, &[]))
}

/// The same for a list under another entity, whose links to the next page repeat nothing, as Kong's.
fn nested(
    state: DisplayState<'_>,
    of: &Collection,
    query: &Fields,
    path: &str,
    wanted: impl Fn(&dyn Rows, usize) -> bool,
) -> Result<Answer, Answer> {
    let page = Page::new(query, TAGGED.contains(&of.kind))?.forgetful();
    list_of(state, of, &page, path, wanted)
}

/// A part of a path in a link.
pub fn escaped(part: &str) -> String {
    utf8_percent_encode(part, ESCAPED).to_string()
}

/// `/services/x`.
pub fn one(state: DisplayState<'_>, method: &Method, of: &Collection, text: &str) -> Result<Answer, Answer> {
    if reads(method) {
        return Ok(show(state, of, pick(state, of, text)?));
    }
    let found = find(state, of, text)?;
    let by = of.key.filter(|_| as_id(text).is_none());
    Ok(match (method, found) {
        // Gone already.
        (&Method::DELETE, None) => Answer::empty(StatusCode::NO_CONTENT),
        (&Method::PATCH, None) => missing(by, text),
        _ => refuse(method, of.kind, by),
    })
}

/// The answer for a change of an entity that is not there.
fn missing(by: Option<&str>, text: &str) -> Answer {
    let (field, what) = match by {
        Some(field) => (field, "the entity with"),
        None => ("id", "the entity with primary key"),
    };
    let message = format!("could not find {what} '{{{field}={}}}'", Value::from(text));
    Answer::failure(Failure::NotFound, message.into(), Some(("fields", json!({ field: text }))))
}

/// `/routes/x/service`.
pub fn referred(
    state: DisplayState<'_>,
    method: &Method,
    (of, field, other): (&Collection, &str, &Collection),
    text: &str,
) -> Result<Answer, Answer> {
    let row = pick(state, of, text)?;
    let target = table(state, of)?.linked(row, field);
    Ok(match *method {
        Method::GET | Method::HEAD => {
            let rows = table(state, other)?;
            let found = target.and_then(|id| rows.by_id(id)).ok_or_else(Answer::not_found)?;
            show(state, other, found)
        }
        // Its own endpoint is where an entity is removed.
        Method::DELETE if target.is_some() => Answer::not_allowed(),
        Method::PUT => refuse(method, other.kind, None),
        _ if target.is_some() => refuse(method, other.kind, None),
        _ => Answer::not_found(),
    })
}

/// `/services/x/routes`.
pub fn children(
    state: DisplayState<'_>,
    method: &Method,
    (parent, of, field): (&Collection, &Collection, &str),
    text: &str,
    query: &Fields,
) -> Result<Answer, Answer> {
    let row = pick(state, parent, text)?;
    if !reads(method) {
        return Ok(refuse(method, of.kind, None));
    }
    let id = table(state, parent)?.id(row);
    let path = format!("/{}/{}/{}", parent.path, escaped(text), of.nested);
    let wanted = |rows: &dyn Rows, row: usize| rows.linked(row, field) == Some(id);
    nested(state, of, query, &path, wanted)
}

/// `/services/x/routes/y`.
pub fn child(
    state: DisplayState<'_>,
    method: &Method,
    (parent, of, field): (&Collection, &Collection, &str),
    text: &str,
    child: &str,
) -> Result<Answer, Answer> {
    let row = pick(state, parent, text)?;
    let id = table(state, parent)?.id(row);
    let found = if of.kind == "acls" && as_id(child).is_none() {
        let acls = state.acls.rows();
        acls.iter().position(|acl| acl.consumer == Ref::new(id) && acl.group == child)
    } else {
        find(state, of, child)?
    };
    let rows = table(state, of)?;
    let found = found.filter(|&row| rows.linked(row, field) == Some(id));
    match found {
        Some(row) if reads(method) => Ok(show(state, of, row)),
        None if *method != Method::PUT => Err(Answer::not_found()),
        _ => {
            let by = of.key.filter(|_| as_id(child).is_none());
            Ok(refuse(method, of.kind, by))
        }
    }
}

/// `/tags` and `/tags/x`: which entity has which tag.
pub fn tags(state: DisplayState<'_>, only: Option<&str>, query: &Fields) -> Result<Answer, Answer> {
    let page = Page::new(query, false)?;
    let page = if only.is_some() { page.forgetful() } else { page };
    let mut keys = Vec::new();
    for kind in TAGGED {
        let Some(rows) = rows(state, kind) else { continue };
        for row in 0..rows.len() {
            let id = rows.id(row);
            for tag in rows.tags(row).iter().filter(|tag| only.is_none_or(|only| *tag == only)) {
                let entry = json!({ "tag": tag, "entity_name": kind, "entity_id": id });
                keys.push((format!("{kind}|{id}|{tag}"), entry));
            }
        }
    }
    let path = match only {
        Some(tag) => format!("/tags/{}", escaped(tag)),
        None => "/tags".to_owned(),
    };
    Ok(page.answer(keys, |entry| entry, &path, &[]))
}

fn collection(kind: &str) -> Result<&'static Collection, Answer> {
    COLLECTIONS.iter().find(|c| c.kind == kind).ok_or_else(Answer::not_found)
}

/// The upstream of that name or id, and its targets, the last one first where one stands twice.
pub fn upstream(state: DisplayState<'_>, text: &str) -> Result<(usize, Vec<usize>), Answer> {
    let upstream = pick(state, collection("upstreams")?, text)?;
    let id = state.upstreams.rows()[upstream].id;
    let mine = |row: &usize| state.targets.rows()[*row].upstream.id == id;
    Ok((upstream, (0..state.targets.len()).filter(mine).collect()))
}

/// `/upstreams/x/targets/all`.
pub fn all_targets(state: DisplayState<'_>, text: &str, query: &Fields) -> Result<Answer, Answer> {
    let (upstream, _) = upstream(state, text)?;
    let id = state.upstreams.rows()[upstream].id;
    let path = format!("/upstreams/{}/targets/all", escaped(text));
    let wanted = |rows: &dyn Rows, row: usize| rows.linked(row, "upstream") == Some(id);
    nested(state, collection("targets")?, query, &path, wanted)
}

/// A target of an upstream by its id or by its address.
pub fn find_target(state: DisplayState<'_>, text: &str, target: &str) -> Picked {
    let (_, targets) = upstream(state, text)?;
    let id = as_id(target);
    let is = |row: &usize| {
        let row = &state.targets.rows()[*row];
        id.map_or_else(|| shown_target(&row.target) == shown_target(target), |id| row.id == id)
    };
    targets.into_iter().rev().find(is).ok_or_else(Answer::not_found)
}

/// `/upstreams/x/targets/y`.
pub fn target(state: DisplayState<'_>, method: &Method, text: &str, target: &str) -> Result<Answer, Answer> {
    let row = find_target(state, text, target)?;
    if reads(method) {
        return Ok(show(state, collection("targets")?, row));
    }
    // Kong changes a target with PUT too.
    let method = if *method == Method::PUT { &Method::PATCH } else { method };
    Ok(refuse(method, "targets", None))
}
