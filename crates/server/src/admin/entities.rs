//! The endpoints of entities: lists, single entities, and entities under others. They are read-only: writes are rejected
//! as in Kong's DB-less mode.

use http::{Method, StatusCode};
use percent_encoding::utf8_percent_encode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    body::Fields,
    collections::{COLLECTIONS, Collection, shown},
    page::{ESCAPED, Page},
    reply::{ErrorCode, Reply},
};
use model::{DisplayState, Ref, Rows};
use upstream::canonical_target;

/// Result of a lookup: the row of the entity, or the response to the request.
type Lookup = Result<usize, Reply>;

fn table<'s>(state: DisplayState<'s>, collection: &Collection) -> Result<&'s dyn Rows, Reply> {
    state.rows().table(collection.kind).ok_or_else(Reply::not_found)
}

/// Parses a text that is an id, not a name.
fn as_id(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|_| text.len() == 36)
}

/// Finds an entity by id or by name.
fn find(state: DisplayState<'_>, collection: &Collection, text: &str) -> Result<Option<usize>, Reply> {
    let rows = table(state, collection)?;
    if let Some(id) = as_id(text) {
        return Ok(rows.index_of_id(id));
    }
    if collection.key.is_some() {
        return Ok(rows.index_of_name(text));
    }
    if collection.kind == "certificates" {
        let sni = state.snis.by_name(text).map(|ix| &state.snis[ix]);
        let missing = || Reply::message(StatusCode::NOT_FOUND, "SNI not found");
        return Ok(rows.index_of_id(sni.ok_or_else(missing)?.certificate.id));
    }
    let fields = json!({ "id": "expected a valid UUID" });
    let message = "invalid primary key: '{id=\"expected a valid UUID\"}'";
    Err(Reply::error(ErrorCode::InvalidPrimaryKey, message.into(), Some(("fields", fields))))
}

fn pick(state: DisplayState<'_>, collection: &Collection, text: &str) -> Lookup {
    find(state, collection, text)?.ok_or_else(Reply::not_found)
}

fn show(state: DisplayState<'_>, collection: &Collection, row: usize) -> Reply {
    match state.rows().table(collection.kind) {
        Some(rows) => Reply::ok(&shown(state, collection.kind, rows, row)),
        None => Reply::not_found(),
    }
}

/// Creates the response to a write. `by` is the field that identified the entity, if it was not the id.
fn reject_write(method: &Method, kind: &str, by: Option<&str>) -> Reply {
    let what = match *method {
        Method::POST => "create",
        Method::PATCH => "update",
        Method::PUT => "create or update",
        _ => "remove",
    };
    let by = by.map_or_else(String::new, |field| format!(" by '{field}'"));
    let message = format!("cannot {what} '{kind}' entities{by} when not using a database");
    Reply::error(ErrorCode::Unsupported, message.into(), None)
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
) -> Result<Reply, Reply> {
    if !reads(method) {
        return Ok(reject_write(method, of.kind, None));
    }
    if of.kind == "consumers"
        && let Some(custom_id) = query.get("custom_id")
    {
        return Ok(by_custom_id(state, of, custom_id));
    }
    let page = Page::new(query, of.tagged)?;
    list_of(state, of, &page, &format!("/{}", of.path), |_, _| true)
}

/// `/consumers?custom_id=…`: a list of at most one.
fn by_custom_id(state: DisplayState<'_>, of: &Collection, custom_id: &str) -> Reply {
    if custom_id.is_empty() {
        return Reply::bad_request("custom_id must be an unempty string");
    }
    let found = state.consumer_by_custom_id(custom_id);
    let data: Vec<Value> =
        found.map(|ix| shown(state, of.kind, &state.consumers, ix.get())).into_iter().collect();
    Reply::ok(&json!({ "data": data, "next": null }))
}

/// Renders a page of the rows of a kind that match `wanted`.
fn list_of(
    state: DisplayState<'_>,
    of: &Collection,
    page: &Page,
    path: &str,
    wanted: impl Fn(&dyn Rows, usize) -> bool,
) -> Result<Reply, Reply> {
    let rows = table(state, of)?;
    let keys = (0..rows.len())
        .filter(|&row| wanted(rows, row) && page.wants(rows.row(row).tags()))
        .map(|row| (rows.row(row).id().to_string(), row))
        .collect();
    Ok(page.reply(keys, |row| shown(state, of.kind, rows, row), path, &[]))
}

/// Renders a list under another entity. As in Kong, the link to the next page repeats no query parameters.
fn nested(
    state: DisplayState<'_>,
    of: &Collection,
    query: &Fields,
    path: &str,
    wanted: impl Fn(&dyn Rows, usize) -> bool,
) -> Result<Reply, Reply> {
    let page = Page::new(query, of.tagged)?.without_query_in_next();
    list_of(state, of, &page, path, wanted)
}

/// Percent-encodes a path segment of a link.
pub fn escaped(part: &str) -> String {
    utf8_percent_encode(part, ESCAPED).to_string()
}

/// `/services/x`.
pub fn entity(state: DisplayState<'_>, method: &Method, of: &Collection, text: &str) -> Result<Reply, Reply> {
    if reads(method) {
        return Ok(show(state, of, pick(state, of, text)?));
    }
    let found = find(state, of, text)?;
    let by = of.key.filter(|_| as_id(text).is_none());
    Ok(match (method, found) {
        // Deleting an entity that does not exist succeeds.
        (&Method::DELETE, None) => Reply::empty(StatusCode::NO_CONTENT),
        (&Method::PATCH, None) => missing(by, text),
        _ => reject_write(method, of.kind, by),
    })
}

/// Creates the response to a change of an entity that does not exist.
fn missing(by: Option<&str>, text: &str) -> Reply {
    let (field, what) = match by {
        Some(field) => (field, "the entity with"),
        None => ("id", "the entity with primary key"),
    };
    let message = format!("could not find {what} '{{{field}={}}}'", Value::from(text));
    Reply::error(ErrorCode::NotFound, message.into(), Some(("fields", json!({ field: text }))))
}

/// `/routes/x/service`.
pub fn foreign(
    state: DisplayState<'_>,
    method: &Method,
    (of, field, other): (&Collection, &str, &Collection),
    text: &str,
) -> Result<Reply, Reply> {
    let row = pick(state, of, text)?;
    let target = table(state, of)?.row(row).linked(field);
    Ok(match *method {
        Method::GET | Method::HEAD => {
            let rows = table(state, other)?;
            let found = target.and_then(|id| rows.index_of_id(id)).ok_or_else(Reply::not_found)?;
            show(state, other, found)
        }
        // An entity can be removed only through its own endpoint.
        Method::DELETE if target.is_some() => Reply::not_allowed(),
        Method::PUT => reject_write(method, other.kind, None),
        _ if target.is_some() => reject_write(method, other.kind, None),
        _ => Reply::not_found(),
    })
}

/// `/services/x/routes`.
pub fn children(
    state: DisplayState<'_>,
    method: &Method,
    (parent, of, field): (&Collection, &Collection, &str),
    text: &str,
    query: &Fields,
) -> Result<Reply, Reply> {
    let row = pick(state, parent, text)?;
    if !reads(method) {
        return Ok(reject_write(method, of.kind, None));
    }
    let id = table(state, parent)?.row(row).id();
    let path = format!("/{}/{}/{}", parent.path, escaped(text), of.nested);
    let wanted = |rows: &dyn Rows, row: usize| rows.row(row).linked(field) == Some(id);
    nested(state, of, query, &path, wanted)
}

/// `/services/x/routes/y`.
pub fn child(
    state: DisplayState<'_>,
    method: &Method,
    (parent, of, field): (&Collection, &Collection, &str),
    text: &str,
    child: &str,
) -> Result<Reply, Reply> {
    let row = pick(state, parent, text)?;
    let id = table(state, parent)?.row(row).id();
    let found = if of.kind == "acls" && as_id(child).is_none() {
        let acls = state.acls.rows();
        acls.iter().position(|acl| acl.consumer == Ref::new(id) && acl.group == child)
    } else {
        find(state, of, child)?
    };
    let rows = table(state, of)?;
    let found = found.filter(|&row| rows.row(row).linked(field) == Some(id));
    match found {
        Some(row) if reads(method) => Ok(show(state, of, row)),
        None if *method != Method::PUT => Err(Reply::not_found()),
        _ => {
            let by = of.key.filter(|_| as_id(child).is_none());
            Ok(reject_write(method, of.kind, by))
        }
    }
}

/// `/tags` and `/tags/x`: lists tags with their entities.
pub fn tags(state: DisplayState<'_>, only: Option<&str>, query: &Fields) -> Result<Reply, Reply> {
    let page = Page::new(query, false)?;
    let page = if only.is_some() { page.without_query_in_next() } else { page };
    let mut keys = Vec::new();
    for table in state.rows().tables() {
        let kind = table.info().key;
        for row in table.iter() {
            for tag in row.tags().iter().filter(|tag| only.is_none_or(|only| *tag == only)) {
                let entry = json!({ "tag": tag, "entity_name": kind, "entity_id": row.id() });
                keys.push((format!("{kind}|{}|{tag}", row.id()), entry));
            }
        }
    }
    let path = match only {
        Some(tag) => format!("/tags/{}", escaped(tag)),
        None => "/tags".to_owned(),
    };
    Ok(page.reply(keys, |entry| entry, &path, &[]))
}

fn collection(kind: &str) -> Result<&'static Collection, Reply> {
    COLLECTIONS.iter().find(|c| c.kind == kind).ok_or_else(Reply::not_found)
}

/// Finds an upstream by name or id, and the rows of its targets.
pub fn upstream(state: DisplayState<'_>, text: &str) -> Result<(usize, Vec<usize>), Reply> {
    let upstream = pick(state, collection("upstreams")?, text)?;
    let id = state.upstreams.rows()[upstream].id;
    let mine = |row: &usize| state.targets.rows()[*row].upstream.id == id;
    Ok((upstream, (0..state.targets.len()).filter(mine).collect()))
}

/// `/upstreams/x/targets/all`.
pub fn all_targets(state: DisplayState<'_>, text: &str, query: &Fields) -> Result<Reply, Reply> {
    let (upstream, _) = upstream(state, text)?;
    let id = state.upstreams.rows()[upstream].id;
    let path = format!("/upstreams/{}/targets/all", escaped(text));
    let wanted = |rows: &dyn Rows, row: usize| rows.row(row).linked("upstream") == Some(id);
    nested(state, collection("targets")?, query, &path, wanted)
}

/// Finds a target of an upstream by id or by address; the last one with that address.
pub fn find_target(state: DisplayState<'_>, text: &str, target: &str) -> Lookup {
    let (_, targets) = upstream(state, text)?;
    let id = as_id(target);
    let is = |row: &usize| {
        let row = &state.targets.rows()[*row];
        id.map_or_else(|| canonical_target(&row.target) == canonical_target(target), |id| row.id == id)
    };
    targets.into_iter().rev().find(is).ok_or_else(Reply::not_found)
}

/// `/upstreams/x/targets/y`.
pub fn target(state: DisplayState<'_>, method: &Method, text: &str, target: &str) -> Result<Reply, Reply> {
    let row = find_target(state, text, target)?;
    if reads(method) {
        return Ok(show(state, collection("targets")?, row));
    }
    // Kong treats PUT of a target as an update.
    let method = if *method == Method::PUT { &Method::PATCH } else { method };
    Ok(reject_write(method, "targets", None))
}
