//! Parsing of queries and request bodies: JSON, urlencoded and multipart forms, YAML.

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use http_codec::{
    multipart::{self, Mode, Part},
    urlencoded::{self, Argument},
};
use serde_json::{Map, Value};

use super::reply::Reply;

/// Fields of a query or of a form, in order.
#[derive(Clone, Debug, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Parses a query or an urlencoded form.
    pub fn of_query(query: &str) -> Self {
        Fields(pairs(query.as_bytes()))
    }

    /// Returns the first field of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Converts the fields to an object: the types of numbers and booleans are inferred, `a.b` becomes a nested object,
    /// `a[]` and `a[1]` become elements of an array.
    pub fn to_json(&self) -> Value {
        let mut root = Value::Object(Map::new());
        for (name, text) in &self.0 {
            let mut at = &mut root;
            for step in name.split('.') {
                let (key, listed) = match step.split_once('[') {
                    Some((key, _)) => (key, true),
                    None => (step, false),
                };
                if !at.is_object() {
                    *at = Value::Object(Map::new());
                }
                at = &mut at[key];
                if listed {
                    if !at.is_array() {
                        *at = Value::Array(Vec::new());
                    }
                    if let Value::Array(items) = at {
                        items.push(Value::Null);
                        let last = items.len() - 1;
                        at = &mut items[last];
                        continue;
                    }
                    break;
                }
            }
            *at = infer(text);
        }
        root
    }
}

fn infer(text: &str) -> Value {
    match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "" => Value::Null,
        _ => match text.parse::<i64>() {
            Ok(number) => number.into(),
            Err(_) => text.into(),
        },
    }
}

/// Media type of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    #[default]
    None,
    Json,
    Urlencoded,
    Parts,
    Yaml,
}

/// A request's body.
#[derive(Debug, Default)]
pub struct Body {
    form: Form,
    /// Boundary of a multipart body, if it has one.
    boundary: Option<Vec<u8>>,
    /// The bytes of the body.
    pub raw: Bytes,
}

impl Body {
    /// Parses the header fields about the body. `yaml`: whether the endpoint accepts YAML.
    ///
    /// # Errors
    /// With the response to a media type that is not accepted.
    pub fn expected(headers: &HeaderMap, yaml: bool) -> Result<Self, Reply> {
        let mut body = Body::default();
        let mut types = headers.get_all(header::CONTENT_TYPE).iter();
        let Some(kind) = types.next() else {
            let length = headers.get(header::CONTENT_LENGTH).map(|n| n.as_bytes() == b"0");
            let none = length.unwrap_or(!headers.contains_key(header::TRANSFER_ENCODING));
            let refused = || Reply::empty(StatusCode::UNSUPPORTED_MEDIA_TYPE);
            return if none { Ok(body) } else { Err(refused()) };
        };
        if types.next().is_some() {
            return Err(Reply::bad_request("Multiple Content-Type headers not allowed"));
        }
        let kind = kind.to_str().unwrap_or_default();
        let begins = |with: &str| kind.get(..with.len()).is_some_and(|k| k.eq_ignore_ascii_case(with));
        body.form = if begins("application/json") {
            Form::Json
        } else if begins("application/x-www-form-urlencoded") {
            Form::Urlencoded
        } else if begins("multipart/form-data") {
            Form::Parts
        } else if yaml && ["application/yaml", "application/x-yaml", "text/yaml"].into_iter().any(begins) {
            Form::Yaml
        } else {
            return Err(Reply::empty(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        };
        body.boundary = multipart::boundary(kind.as_bytes()).ok().map(<[u8]>::to_vec);
        Ok(body)
    }

    /// Whether the media type is JSON.
    pub fn is_json(&self) -> bool {
        self.form == Form::Json
    }

    /// Returns the fields of a form; empty for other media types.
    pub fn fields(&self) -> Fields {
        match self.form {
            Form::Urlencoded => Fields(pairs(&self.raw)),
            Form::Parts => Fields(parts(&self.raw, self.boundary.as_deref())),
            Form::None | Form::Json | Form::Yaml => Fields::default(),
        }
    }

    /// Returns the body as an object.
    ///
    /// # Errors
    /// With the response to malformed JSON.
    pub fn object(&self) -> Result<Value, Reply> {
        match self.form {
            Form::Json => match serde_json::from_slice(&self.raw) {
                Ok(value @ (Value::Object(_) | Value::Array(_))) => Ok(value),
                _ => Err(malformed()),
            },
            _ => Ok(self.fields().to_json()),
        }
    }
}

/// Creates the response to malformed JSON.
pub fn malformed() -> Reply {
    Reply::bad_request("Cannot parse JSON body")
}

/// Parses a query or an urlencoded form: name and text of each argument, empty for one without `=`.
fn pairs(text: &[u8]) -> Vec<(String, String)> {
    let owned = |argument: Argument<'_>| {
        (argument.name_text().into_owned(), argument.value_text().unwrap_or_default().into_owned())
    };
    urlencoded::arguments(text).map(owned).collect()
}

/// Parses a multipart body (RFC 7578): name and text of each part. Parts without a name are skipped; a malformed body
/// has no parts.
fn parts(body: &[u8], boundary: Option<&[u8]>) -> Vec<(String, String)> {
    let parts = boundary.and_then(|boundary| multipart::parts(body, boundary, Mode::Lenient).ok());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let named = |part: Part<'_>| Some((text(part.name?), text(part.value)));
    parts.unwrap_or_default().into_iter().filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parts_of_a_form_are_found_by_their_names() {
        let body = "--x\r\nContent-Disposition: form-data; name=\"config\"; filename=\"kong.yml\"\r\n\
                    Content-Type: text/yaml\r\n\r\na: 1\r\n--no\r\n\r\n--x\r\n\
                    content-disposition: form-data; name=flatten_errors\r\n\r\n1\r\n--x--\r\n";
        let expected = [("config", "a: 1\r\n--no\r\n"), ("flatten_errors", "1")];
        assert_eq!(
            parts(body.as_bytes(), Some(b"x")),
            expected.map(|(name, text)| (name.to_owned(), text.to_owned()))
        );
        assert_eq!(parts(b"", Some(b"x")), []);
        assert_eq!(parts(b"--x", Some(b"x")), []);
        assert_eq!(parts(body.as_bytes(), None), []);
    }

    #[test]
    fn a_form_becomes_an_object() {
        let fields = Fields::of_query("name=x&port=80&config.a.b=true&tags[]=p&tags[]=q&paths[1]=/");
        let expected = json!({
            "name": "x", "port": 80, "config": { "a": { "b": true } }, "tags": ["p", "q"], "paths": ["/"],
        });
        assert_eq!(fields.to_json(), expected);
    }

    #[test]
    fn other_content_is_refused() {
        let of = |kind: &'static str, yaml| {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, kind.parse().expect("a value"))]);
            Body::expected(&headers, yaml).is_ok()
        };
        assert!(of("application/json; charset=utf-8", false));
        assert!(of("text/yaml", true));
        assert!(!of("text/yaml", false));
        assert!(!of("text/plain", true));
        assert!(Body::expected(&HeaderMap::new(), false).is_ok(), "no body at all");
    }
}
