//! The text format of Prometheus, version 0.0.4.

use std::fmt::{self, Write as _};

/// Type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only increases.
    Counter,
    /// It increases and decreases.
    Gauge,
    /// Counts by bucket, and a sum.
    Histogram,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

/// Metrics as text.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
}

impl Exposition {
    /// Starts a family; its samples follow.
    pub fn family(&mut self, name: &str, help: &str, kind: Kind) {
        let _ = writeln!(self.text, "# HELP {name} {}\n# TYPE {name} {}", Escaped(help, false), kind.name());
    }

    /// Appends a sample of the family: the name with a suffix, labels and value. Labels with an empty value are left
    /// out, which means the same to Prometheus.
    pub fn sample(&mut self, name: &str, suffix: &str, labels: &[(&str, &str)], value: impl fmt::Display) {
        self.text.push_str(name);
        self.text.push_str(suffix);
        let mut separator = '{';
        for (label, value) in labels.iter().filter(|(_, value)| !value.is_empty()) {
            let _ = write!(self.text, "{separator}{label}=\"{}\"", Escaped(value, true));
            separator = ',';
        }
        if separator == ',' {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }

    /// Appends a family with one sample without labels.
    pub fn single(&mut self, name: &str, help: &str, kind: Kind, value: impl fmt::Display) {
        self.family(name, help, kind);
        self.sample(name, "", &[], value);
    }

    /// The text.
    pub fn into_text(self) -> String {
        self.text
    }
}

/// A help text, or a label value, in which quotes are escaped too.
struct Escaped<'a>(&'a str, bool);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Escaped(mut rest, quotes) = *self;
        let special = |c: char| matches!(c, '\\' | '\n') || quotes && c == '"';
        while let Some(at) = rest.find(special) {
            f.write_str(&rest[..at])?;
            f.write_str(match rest.as_bytes()[at] {
                b'\\' => "\\\\",
                b'\n' => "\\n",
                _ => "\\\"",
            })?;
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

/// Whether a name is one of a metric, which may contain colons, or of a label.
pub fn is_valid_name(name: &str, colons: bool) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || colons && b == b':')
}
