//! Errors of schemas that do not compile.

use serde_json::Value;

/// Why a schema does not compile, and where.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("schema {schema}{pointer}: {defect}")]
pub struct CompileError {
    /// Whose schema it is: a kind of entity, or a plugin.
    pub schema: String,
    /// JSON pointer from the root of the schema.
    pub pointer: String,
    /// What is wrong there.
    pub defect: Defect,
}

/// What is wrong with a schema.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Defect {
    /// Neither an object nor `true`.
    #[error("a schema is an object or true")]
    NotASchema,
    /// The schema of an entity is not that of a record.
    #[error("the schema of an entity must have fields")]
    NotARecord,
    /// The keyword is unknown, or does not apply to values of that type.
    #[error("the keyword `{0}` is unknown here")]
    Keyword(String),
    /// The value of a keyword is malformed.
    #[error("`{keyword}` must be {expected}")]
    Value {
        /// The keyword.
        keyword: String,
        /// What its value has to be.
        expected: &'static str,
    },
    /// A `type` that JSON Schema does not have.
    #[error("there is no type `{0}`")]
    UnknownType(String),
    /// A `format` without a check.
    #[error("there is no format `{0}` for values of this type")]
    UnknownFormat(String),
    /// An `x-rule` that does not exist.
    #[error("there is no rule `{0}`")]
    UnknownRule(String),
    /// A custom check without a function.
    #[error("there is no check `{0}`")]
    UnknownCheck(String),
    /// An expansion of a shorthand that does not exist.
    #[error("there is no expansion `{0}`")]
    UnknownExpansion(String),
    /// A reference to a kind of entity that does not exist.
    #[error("there is no kind of entity `{0}`")]
    UnknownKind(String),
    /// A check or shorthand that refers to a field that the record does not have.
    #[error("the record has no field `{0}`")]
    UnknownField(String),
    /// A `$ref` that cannot be resolved.
    #[error("the reference {0} cannot be resolved")]
    UnknownReference(String),
    /// A regular expression that does not compile.
    #[error("the pattern does not compile: {0}")]
    Pattern(regex::Error),
}

impl From<Defect> for CompileError {
    fn from(defect: Defect) -> Self {
        CompileError { schema: String::new(), pointer: String::new(), defect }
    }
}

impl CompileError {
    /// Prepends a step to the pointer.
    pub(super) fn below(mut self, step: &str) -> Self {
        self.pointer = format!("/{}{}", step.replace('~', "~0").replace('/', "~1"), self.pointer);
        self
    }

    /// Sets whose schema it is.
    #[must_use]
    pub fn of(self, schema: impl Into<String>) -> Self {
        CompileError { schema: schema.into(), ..self }
    }
}

/// The error of a keyword whose value is malformed.
pub(super) fn value_of(keyword: &str, expected: &'static str) -> CompileError {
    Defect::Value { keyword: keyword.to_owned(), expected }.into()
}

/// The strings of a list; `None` if it is not one, or has something else in it.
pub(super) fn strings(value: &Value) -> Option<Vec<Box<str>>> {
    value.as_array()?.iter().map(|item| item.as_str().map(Box::from)).collect()
}
