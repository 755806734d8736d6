//! The functions of rules: each looks at one value, absent or not, and says what is wrong with it.

use std::borrow::Cow;

use fancy_regex::Regex;
use serde_json::Value as Json;

/// A function with its options.
#[derive(Debug)]
pub enum Function {
    Truthy,
    Falsy,
    /// Finds nothing; holds the place of a rule.
    Blank,
    Defined,
    Undefined,
    Pattern {
        wanted: Option<Regex>,
        unwanted: Option<Regex>,
    },
    Length {
        min: Option<f64>,
        max: Option<f64>,
    },
    /// The values as texts: `5` is '5'.
    Enumeration(Vec<String>),
    TypedEnum,
    Casing {
        name: String,
        shape: Regex,
    },
    Alphabetical(Option<String>),
    Xor(Vec<String>),
    Or(Vec<String>),
    Schema(Box<jsonschema::Validator>),
}

/// Names of all functions.
pub const NAMES: [&str; 14] = [
    "blank",
    "truthy",
    "falsy",
    "defined",
    "undefined",
    "pattern",
    "length",
    "enumeration",
    "typedEnum",
    "casing",
    "alphabetical",
    "xor",
    "or",
    "schema",
];

impl Function {
    /// The function of that name with those options.
    ///
    /// # Errors
    /// Why there is none, or what is wrong with its options.
    pub fn new(name: &str, options: &Json) -> Result<Function, String> {
        let regex = |key: &str| options[key].as_str().map(regex).transpose();
        Ok(match name {
            "truthy" => Function::Truthy,
            "falsy" => Function::Falsy,
            "defined" => Function::Defined,
            "undefined" => Function::Undefined,
            "pattern" => {
                let (wanted, unwanted) = (regex("match")?, regex("notMatch")?);
                if wanted.is_none() && unwanted.is_none() {
                    return Err("pattern needs functionOptions `match` or `notMatch`".to_owned());
                }
                Function::Pattern { wanted, unwanted }
            }
            "length" => {
                let (min, max) = (number(&options["min"]), number(&options["max"]));
                if min.is_none() && max.is_none() {
                    return Err("length needs functionOptions `min` or `max`".to_owned());
                }
                Function::Length { min, max }
            }
            "enumeration" => match &options["values"] {
                Json::Array(values) => Function::Enumeration(values.iter().map(plain).collect()),
                Json::String(_) => Function::Enumeration(list(&options["values"])),
                _ => return Err("enumeration needs functionOptions `values`".to_owned()),
            },
            "blank" => Function::Blank,
            "typedEnum" => Function::TypedEnum,
            "casing" => casing(options)?,
            "alphabetical" => Function::Alphabetical(options["keyedBy"].as_str().map(str::to_owned)),
            "xor" | "or" => {
                let names = list(&options["properties"]);
                if names.len() < 2 {
                    return Err(format!("{name} needs functionOptions `properties`, at least two"));
                }
                if name == "xor" { Function::Xor(names) } else { Function::Or(names) }
            }
            "schema" => match jsonschema::validator_for(&options["schema"]) {
                Ok(validator) if options["schema"].is_object() => Function::Schema(Box::new(validator)),
                Ok(_) => return Err("schema needs functionOptions `schema`, a JSON Schema".to_owned()),
                Err(error) => return Err(format!("this is no JSON Schema: {error}")),
            },
            other => {
                let near = config::nearest(other, NAMES);
                let meant = near.map_or_else(
                    || format!("; there are {}", NAMES.join(", ")),
                    |near| format!("; did you mean {near}?"),
                );
                return Err(format!("there is no function {other:?}{meant}"));
            }
        })
    }

    /// Checks a value. Returns a path below the value and a message for each problem; `shown` is the value as messages
    /// may contain it.
    pub fn check(&self, value: Option<&Json>, shown: &str) -> Vec<(Vec<String>, String)> {
        let here = |message: Option<String>| message.map(|m| (Vec::new(), m)).into_iter().collect();
        match self {
            Function::Blank => Vec::new(),
            Function::Truthy => here((!truthy(value)).then(|| "must be truthy".to_owned())),
            Function::Falsy => here(truthy(value).then(|| "must be falsy".to_owned())),
            Function::Defined => here(value.is_none().then(|| "must be defined".to_owned())),
            Function::Undefined => here(value.is_some().then(|| "must be undefined".to_owned())),
            Function::Pattern { wanted, unwanted } => here(value.and_then(scalar).and_then(|text| {
                // An expression that gives up has not matched.
                let is = |regex: &Regex| regex.is_match(&*text).unwrap_or(false);
                match (wanted, unwanted) {
                    (Some(wanted), _) if !is(wanted) => {
                        Some(format!("{shown} must match {:?}", wanted.as_str()))
                    }
                    (_, Some(unwanted)) if is(unwanted) => {
                        Some(format!("{shown} must not match {:?}", unwanted.as_str()))
                    }
                    _ => None,
                }
            })),
            Function::Length { min, max } => {
                here(value.and_then(length).and_then(|length| match (min, max) {
                    (Some(min), _) if length < *min => Some(format!("must not be shorter than {min}")),
                    (_, Some(max)) if length > *max => Some(format!("must not be longer than {max}")),
                    _ => None,
                }))
            }
            Function::Enumeration(values) => {
                let is_allowed = |text: &str| values.iter().any(|allowed| allowed.trim() == text.trim());
                let is_wrong = |v: &&Json| !v.is_array() && !v.is_object() && !is_allowed(&plain(v));
                here(value.filter(is_wrong).map(|_| format!("{shown} must be one of {}", values.join(", "))))
            }
            Function::TypedEnum => value.map_or_else(Vec::new, typed_enum),
            Function::Casing { name, shape } => here(value.and_then(scalar).and_then(|text| {
                (!text.is_empty() && !shape.is_match(&*text).unwrap_or(false))
                    .then(|| format!("{shown} must be {name} case"))
            })),
            Function::Alphabetical(key) => here(value.and_then(|v| disorder(v, key.as_deref()))),
            Function::Xor(names) => here(
                given(value, names)
                    .filter(|n| *n != 1)
                    .map(|_| format!("exactly one of {} must be defined", names.join(", "))),
            ),
            Function::Or(names) => here(
                given(value, names)
                    .filter(|n| *n == 0)
                    .map(|_| format!("one of {} must be defined", names.join(", "))),
            ),
            Function::Schema(validator) => value.map_or_else(Vec::new, |value| {
                let errors = validator.iter_errors(value).map(|error| {
                    let path = error.instance_path().to_string();
                    let path = path.split('/').skip(1).map(|s| s.replace("~1", "/").replace("~0", "~"));
                    (path.collect(), error.masked_with(shown_as()).to_string())
                });
                errors.collect()
            }),
        }
    }
}

/// What stands for a value in a schema's messages: it may be a secret.
fn shown_as() -> &'static str {
    "the value"
}

/// As JavaScript sees it.
fn truthy(value: Option<&Json>) -> bool {
    match value {
        None | Some(Json::Null) => false,
        Some(Json::Bool(b)) => *b,
        Some(Json::Number(n)) => n.as_f64() != Some(0.0),
        Some(Json::String(s)) => !s.is_empty(),
        Some(_) => true,
    }
}

fn length(value: &Json) -> Option<f64> {
    match value {
        Json::String(s) => Some(s.chars().count() as f64),
        Json::Array(a) => Some(a.len() as f64),
        Json::Object(o) => Some(o.len() as f64),
        Json::Number(n) => n.as_f64(),
        _ => None,
    }
}

fn given(value: Option<&Json>, names: &[String]) -> Option<usize> {
    let map = value?.as_object()?;
    Some(names.iter().filter(|name| map.contains_key(*name)).count())
}

/// A text, number or switch as it is written.
fn scalar(value: &Json) -> Option<Cow<'_, str>> {
    match value {
        Json::String(text) => Some(Cow::Borrowed(text)),
        Json::Number(_) | Json::Bool(_) => Some(Cow::Owned(value.to_string())),
        _ => None,
    }
}

/// Names in a list, or in a text with commas between them.
fn list(value: &Json) -> Vec<String> {
    let items: Vec<String> = match value {
        Json::String(text) => text.split(',').map(str::to_owned).collect(),
        Json::Array(items) => items.iter().map(plain).collect(),
        _ => Vec::new(),
    };
    items.iter().map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
}

/// A number, perhaps in quotes.
fn number(value: &Json) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn plain(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn disorder(value: &Json, key: Option<&str>) -> Option<String> {
    let names: Vec<String> = match value {
        Json::Object(map) => map.keys().cloned().collect(),
        Json::Array(items) => items.iter().map(|v| plain(key.map_or(v, |key| &v[key]))).collect(),
        _ => return None,
    };
    let pair = names.windows(2).find(|pair| pair[0] > pair[1])?;
    Some(match key {
        // Values of an array may be secrets; names of keys are not.
        _ if value.is_object() => format!("{:?} must be placed after {:?}", pair[0], pair[1]),
        Some(key) => format!("items must be in alphabetical order of {key}"),
        None => "items must be in alphabetical order".to_owned(),
    })
}

fn typed_enum(value: &Json) -> Vec<(Vec<String>, String)> {
    let (Some(wanted), Some(values)) = (value["type"].as_str(), value["enum"].as_array()) else {
        return Vec::new();
    };
    let is = |v: &Json| match wanted {
        "string" => v.is_string(),
        "integer" => v.is_i64() || v.is_u64(),
        "number" => v.is_number(),
        "boolean" => v.is_boolean(),
        "array" => v.is_array(),
        "object" => v.is_object(),
        "null" => v.is_null(),
        _ => true,
    };
    let wrong = values.iter().enumerate().filter(|(_, v)| !is(v));
    wrong
        .map(|(i, _)| (vec!["enum".to_owned(), i.to_string()], format!("must be of type {wanted}")))
        .collect()
}

/// `abc` or `/abc/i`.
pub(super) fn regex(text: &str) -> Result<Regex, String> {
    let written = text.strip_prefix('/').and_then(|rest| rest.rsplit_once('/'));
    let source = match written.filter(|(_, flags)| flags.bytes().all(|b| b"gimsuy".contains(&b))) {
        Some((body, flags)) => {
            let flags: String = flags.chars().filter(|c| "ims".contains(*c)).collect();
            if flags.is_empty() { body.to_owned() } else { format!("(?{flags}){body}") }
        }
        None => text.to_owned(),
    };
    Regex::new(&source).map_err(|error| format!("{text:?} is no regular expression: {error}"))
}

fn casing(options: &Json) -> Result<Function, String> {
    let given = options["type"].as_str().ok_or("casing needs functionOptions `type`")?;
    let is_on = |value: &Json| *value == true || value == "true";
    let digits = if is_on(&options["disallowDigits"]) { "" } else { "0-9" };
    // decK's linter takes the four with separators as sets of characters: `a--b` and `2fa` are kebab case.
    let (name, word) = match given.to_ascii_lowercase().replace(['-', '_', ' '], "").trim_end_matches("case")
    {
        "flat" | "lower" => ("flat", format!("[a-z][a-z{digits}]*")),
        "camel" => ("camel", format!("[a-z][a-z{digits}]*(?:[A-Z{digits}](?:[a-z{digits}]+|$))*")),
        "pascal" => ("pascal", format!("[A-Z][a-z{digits}]*(?:[A-Z{digits}](?:[a-z{digits}]+|$))*")),
        "kebab" => ("kebab", format!("[a-z{digits}-]+")),
        "cobol" => ("cobol", format!("[A-Z{digits}-]+")),
        "snake" => ("snake", format!("[a-z{digits}_]+")),
        "macro" => ("macro", format!("[A-Z{digits}_]+")),
        _ => {
            return Err(format!(
                "there is no casing {given:?}; flat, camel, pascal, kebab, cobol, snake, macro"
            ));
        }
    };
    // `separator: {char: /}` as Spectral writes it, or `separator.char: /`.
    let option = |key: &str| match &options["separator"][key] {
        Json::Null => &options[format!("separator.{key}")],
        value => value,
    };
    let shape = match option("char").as_str().filter(|separator| !separator.is_empty()) {
        None => format!("^{word}$"),
        Some(separator) => {
            let separator = regex::escape(separator);
            let leading =
                if is_on(option("allowLeading")) { format!("(?:{separator})?") } else { String::new() };
            let alone = if leading.is_empty() { String::new() } else { format!("^{separator}$|") };
            format!("{alone}^{leading}(?:{word})(?:{separator}(?:{word}))*$")
        }
    };
    let shape = Regex::new(&shape).map_err(|e| e.to_string())?;
    Ok(Function::Casing { name: name.to_owned(), shape })
}
