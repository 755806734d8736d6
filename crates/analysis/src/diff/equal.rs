//! The fields in which one entity differs between two sides, without those that are equal in another form: generated
//! texts, vault references, hashed passwords.

use serde_json::Value;

use super::{
    FieldChange, MASK, Segment, Side,
    identity::{GENERATED, Item},
    value_fields,
};
use config::credential_hash;

/// The fields that differ between `compared`, with the values that `shown` has for them.
pub(super) fn differing(
    kind: &str,
    sides: [&Side<'_>; 2],
    compared: &[Item; 2],
    shown: &[Item; 2],
) -> Vec<FieldChange> {
    let mut fields = value_fields(&compared[0].value, &compared[1].value);
    let is_running = sides.iter().any(|side| side.running);
    fields.retain(|field| {
        let values = [&field.old, &field.new];
        let is_generated = is_running && values.iter().any(|value| **value == GENERATED);
        // A running gateway that reports a vault reference in place of a hash reports it as the file has it.
        let [old, new] = shown.each_ref().map(|item| at(&item.value, &field.path));
        let is_reference = is_running && old == new;
        let is_hash = (0..2).any(|side| is_stored_form(kind, &shown[side], &compared[1 - side], &field.path));
        !(is_generated || is_reference || is_hash)
    });
    show_written(
        &mut fields,
        compared.each_ref().map(|item| &item.value),
        shown.each_ref().map(|item| &item.value),
    );
    fields
}

/// Puts the written value in place of each compared one that is another: what a vault reference leads to is not shown.
pub(super) fn show_written(fields: &mut [FieldChange], compared: [&Value; 2], written: [&Value; 2]) {
    for field in fields {
        for (side, value) in [(0, &mut field.old), (1, &mut field.new)] {
            let shown = at(written[side], &field.path);
            if at(compared[side], &field.path) != shown {
                *value = shown.cloned().unwrap_or_else(|| MASK.into());
            }
        }
    }
}

/// Whether a field is a hash on one side, of the plain text on the other.
fn is_stored_form(kind: &str, plain: &Item, stored: &Item, path: &[Segment]) -> bool {
    let [Segment::Key(field)] = path else { return false };
    let texts = (plain.value[field.as_str()].as_str(), stored.value[field.as_str()].as_str());
    let (Some(text), Some(hash)) = texts else { return false };
    match (kind, field.as_str()) {
        ("basicauth_credentials", "password") => stored
            .consumer
            .as_deref()
            .is_some_and(|consumer| credential_hash::is_password(text, consumer, hash)),
        ("oauth2_credentials", "client_secret") => credential_hash::is_client_secret(text, hash),
        _ => false,
    }
}

fn at<'v>(value: &'v Value, path: &[Segment]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, segment| match segment {
        Segment::Key(key) => value.get(key.as_str()),
        Segment::Index(i) => value.get(i),
    })
}
