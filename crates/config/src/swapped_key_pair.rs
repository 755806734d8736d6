//! Detection of a certificate and a key in each other's fields, reported once.

use super::{Loaded, resolve::path_of, validator::EntityRef};
use model::KindInfo;
use source::{Document, ErrorPathSegment, Finding, NodeId, Span};

/// Certificate and key fields.
const PAIRS: [(&str, &str); 2] = [("cert", "key"), ("cert_alt", "key_alt")];

/// Replaces the two errors about swapped fields by one finding.
pub(super) fn merge(loaded: &mut Loaded) {
    let Some(kind) = KindInfo::number("certificates") else { return };
    let Loaded { document: doc, findings, found, secrets, .. } = loaded;
    for i in (0..found.len()).filter(|&i| found[i].kind == kind && !found[i].clean) {
        for (cert, key) in PAIRS {
            let Some((cert_node, key_node)) = swapped(doc, &found[i], cert, key) else { continue };
            let fields = [cert, key].map(|field| key_span(doc, &found[i], field));
            let spans = [doc.span(key_node), doc.span(cert_node), fields[0], fields[1]];
            // A private key is secret in any field.
            secrets.push(spans[1]);
            let ours = |finding: &Finding| finding.span().is_some_and(|span: Span| spans.contains(&span));
            let mut merged = Finding::error(
                "config/invalid-value",
                format!(
                    "`{cert}` and `{key}` are swapped: `{key}` holds a certificate, `{cert}` a private key"
                ),
            )
            .at(key_span(doc, &found[i], key), "a certificate")
            .at(key_span(doc, &found[i], cert), "a private key")
            .path(super::resolve::path_text(&path_of(found, i)))
            .help(format!("exchange the names `{cert}` and `{key}`"));
            for finding in findings.0.iter_mut().filter(|finding| ours(finding)) {
                merged.kong_errors.append(&mut finding.kong_errors);
            }
            if merged.kong_errors.is_empty() && !found[i].stray {
                merged.kong_errors.push((
                    path_of(found, i).into_iter().chain([ErrorPathSegment::Entity]).collect(),
                    merged.message.clone(),
                ));
            }
            findings.0.retain(|finding| !ours(finding));
            findings.push_retained(merged);
        }
    }
}

/// Returns the values of both fields if each contains what belongs in the other.
fn swapped(doc: &Document, found: &EntityRef, cert: &str, key: &str) -> Option<(NodeId, NodeId)> {
    let (cert, key) = (doc.get(found.data, cert)?, doc.get(found.data, key)?);
    let private = doc.str(cert)?.contains("PRIVATE KEY-----");
    let public = doc.str(key)?.contains("-----BEGIN CERTIFICATE-----");
    (private && public).then_some((cert, key))
}

fn key_span(doc: &Document, found: &EntityRef, field: &str) -> Span {
    let entry = doc.entry(found.node, field);
    doc.span(entry.map_or(found.node, |entry| entry.key))
}
