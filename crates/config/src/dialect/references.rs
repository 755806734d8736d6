//! References written as an object with a name: `service: {name: a}` becomes `service: a`.

use super::walk::Entity;
use crate::node_edit::{get, set_key};
use model::KindInfo;
use source::{Document, Value};

/// Rewrites an entity's references. One with an `id` is reduced to it; others are left to schema validation.
pub(super) fn by_name(doc: &mut Document, entity: &Entity) {
    for foreign in entity.kind.foreign {
        let Some(value) = doc.get(entity.node, foreign.field) else { continue };
        if !matches!(doc.value(value), Value::Map(_)) {
            continue;
        }
        let place = doc.span(value);
        if get(doc, value, "id").is_some() {
            if let (Some(id), true) = (doc.entry(value, "id"), doc.entries(value).len() > 1) {
                let alone = doc.add(Value::Map([id].into()), place);
                set_key(doc, entity.node, foreign.field, place, alone);
            }
            continue;
        }
        let name = KindInfo::of(foreign.kind).and_then(|kind| kind.name);
        if let Some(name) = name.and_then(|field| get(doc, value, field)).filter(|&n| doc.str(n).is_some()) {
            set_key(doc, entity.node, foreign.field, place, name);
        }
    }
}
