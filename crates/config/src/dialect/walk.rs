//! Traversal of all entities of a document, at every nesting level.

use ahash::AHashSet;

use model::KindInfo;
use source::{Document, NodeId, Value};

/// Entity as written.
pub(super) struct Entity {
    pub kind: &'static KindInfo,
    pub node: NodeId,
    /// The containing list, and the position in it.
    list: NodeId,
    index: u32,
    /// The parent entity.
    parent: Option<u32>,
}

/// Returns every entity that is a map, parents before children. An entity shared by aliases is listed once.
pub(super) fn entities(doc: &Document, root: NodeId) -> Vec<Entity> {
    let mut found = Vec::new();
    let mut seen = vec![false; doc.next_id().0 as usize];
    for entry in doc.entries(root) {
        if let Some(kind) = doc.str(entry.key).and_then(KindInfo::of) {
            list(doc, entry.value, kind, None, &mut found, &mut seen);
        }
    }
    let mut next = 0;
    while next < found.len() {
        let (node, kind) = (found[next].node, found[next].kind);
        for child in kind.children() {
            if let Some(items) = doc.get(node, child.kind)
                && let Some(kind) = KindInfo::of(child.kind)
            {
                list(doc, items, kind, Some(next as u32), &mut found, &mut seen);
            }
        }
        next += 1;
    }
    found
}

fn list(
    doc: &Document,
    list: NodeId,
    kind: &'static KindInfo,
    parent: Option<u32>,
    found: &mut Vec<Entity>,
    seen: &mut [bool],
) {
    for (index, &node) in doc.items(list).iter().enumerate() {
        let seen = &mut seen[node.0 as usize];
        if matches!(doc.value(node), Value::Map(_)) && !std::mem::replace(seen, true) {
            found.push(Entity { kind, node, list, index: index as u32, parent });
        }
    }
}

/// Formats an entity's path with 1-based indexes: `services[1].routes[2]`.
pub(super) fn path(entities: &[Entity], i: usize) -> String {
    let entity = &entities[i];
    let own = format!("{}[{}]", entity.kind.key, entity.index + 1);
    match entity.parent {
        Some(parent) => format!("{}.{own}", path(entities, parent as usize)),
        None => own,
    }
}

/// Removes entities from their lists.
pub(super) fn leave_out(doc: &mut Document, entities: &[Entity], which: &[usize]) {
    let nodes: AHashSet<NodeId> = which.iter().map(|&i| entities[i].node).collect();
    let lists: AHashSet<NodeId> = which.iter().map(|&i| entities[i].list).collect();
    for list in lists {
        let rest = doc.items(list).iter().copied().filter(|node| !nodes.contains(node)).collect();
        doc.set(list, Value::Seq(rest));
    }
}
