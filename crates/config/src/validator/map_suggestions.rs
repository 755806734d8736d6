//! Suggestions for a text in place of a map, by the kind of map.

use super::{CompiledSchema, PathStep, RecordSchema, SchemaKind, Validator};
use crate::secret;
use model::{KINDS, KindInfo};

impl Validator<'_> {
    /// Suggests what to write instead of a text at the current path.
    pub(super) fn suggest_map(&self, schema: &CompiledSchema, text: &str) -> Option<String> {
        let list = match self.path[..] {
            [.., PathStep::Field(list), PathStep::Item(_)] => Some(list),
            _ => None,
        };
        let kind = list.and_then(KindInfo::number).filter(|_| matches!(schema.kind, SchemaKind::Any));
        let record = match (kind, &schema.kind) {
            (Some(kind), _) => self.resolver.kind(kind),
            (None, SchemaKind::Record(record)) => Some(&**record),
            _ => None,
        }?;
        let hides = kind.is_some_and(|kind| secret::holds_secrets(KINDS[kind].key))
            || record.may_conceal_secret(None);
        if let Some((name, value)) = assignment(record, text) {
            let shown = if hides { "…" } else { value };
            return Some(format!("write `{name}: {shown}`: a space belongs after the `:`"));
        }
        if let Some(kind) = kind {
            let shown = if hides || text.contains('\n') || text.is_empty() { "…" } else { text };
            return Some(format!("write `- {}: {shown}`", KINDS[kind].main_field));
        }
        let (host, port) = text.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok())?;
        if record.field("ip").is_some() {
            return Some(format!("write `{{ip: {host}, port: {port}}}`"));
        }
        let has = |field: &str| record.field(field).is_some();
        let plain = !host.contains(['@', '/']);
        (has("host") && has("port") && plain)
            .then(|| format!("write `host: {host}` and `port: {port}` below it"))
    }
}

/// `name:orders`, `name = orders`: a field name and a value without `: ` in between.
fn assignment<'t>(record: &RecordSchema, text: &'t str) -> Option<(&'t str, &'t str)> {
    let (name, _) = text.split_once([':', '='])?;
    let name = name.trim();
    let rest = text.trim_start().strip_prefix(name)?.trim_start();
    let value = rest.strip_prefix(':').or_else(|| rest.strip_prefix('='))?.trim_start();
    // Following lines were folded into the first.
    let value = value.split_whitespace().next().unwrap_or_default();
    (!value.is_empty() && record.names().any(|own| own == name)).then_some((name, value))
}
