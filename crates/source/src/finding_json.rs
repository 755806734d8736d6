//! JSON representation of findings. `place` and `related` have 1-based lines and columns; columns count
//! characters, ends are exclusive.

use serde_json::{Value, json};

use super::{Finding, Level, SourceMap, Span};

impl Level {
    /// Returns the level as a lower-case word.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Note => "note",
        }
    }
}

impl Finding {
    /// Converts the finding to JSON: `code`, `level`, `message`, `help`, `path`, `place`, `related`.
    pub fn to_json(&self, sources: &SourceMap) -> Value {
        let mut json = json!({
            "code": self.code,
            "level": self.level.as_str(),
            "message": self.message,
            "help": self.help,
            "path": self.path,
        });
        if let Some(span) = self.span() {
            json["place"] = place(sources, span);
        }
        let related: Vec<Value> = self
            .labels
            .iter()
            .skip(1)
            .map(|label| {
                let mut at = place(sources, label.span);
                at["message"] = Value::from(label.text.clone());
                at
            })
            .collect();
        if !related.is_empty() {
            json["related"] = Value::from(related);
        }
        json
    }
}

fn place(sources: &SourceMap, span: Span) -> Value {
    let file = sources.get(span.file);
    let (start, end) = (file.position(span.start), file.position(span.end));
    json!({
        "file": file.name(), "line": start.line, "column": start.column,
        "end_line": end.line, "end_column": end.column,
    })
}
