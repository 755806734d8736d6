//! Evaluation of an expression for one request.
//!
//! Values borrow from the request or the template where possible. Error messages are those of Lua.

use std::borrow::Cow;

use super::{
    Env, MAX_TEXT_BYTES, number, number_text,
    parse::{Expr, Operator},
    strings::Function,
};

/// A Lua value.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Value<'a> {
    Nil,
    Bool(bool),
    Number(f64),
    Text(Cow<'a, [u8]>),
    /// Values of a repeated header or argument.
    List(Vec<Value<'a>>),
    Table(Table<'a>),
    Function(Function),
}

/// A table that is a view of other data, not materialised in memory.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub enum Table<'a> {
    Headers,
    Query,
    Captures,
    Shared,
    Strings,
    Math,
    Json(&'a serde_json::Value),
}

impl<'a> Value<'a> {
    /// Converts a shared value.
    pub fn of_json(json: &'a serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Value::Nil,
            serde_json::Value::Bool(value) => Value::Bool(*value),
            serde_json::Value::Number(value) => value.as_f64().map_or(Value::Nil, Value::Number),
            serde_json::Value::String(value) => Value::Text(Cow::Borrowed(value.as_bytes())),
            _ => Value::Table(Table::Json(json)),
        }
    }

    /// Returns whether the value is truthy: neither `nil` nor `false`.
    pub fn is_true(&self) -> bool {
        !matches!(self, Value::Nil | Value::Bool(false))
    }

    /// Returns the type name as Lua's `type` does.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Nil => "nil",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::Text(_) => "string",
            Value::List(_) | Value::Table(_) => "table",
            Value::Function(_) => "function",
        }
    }

    /// Returns the value as a number, if it is one or is a string that represents one.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Value::Number(value) => Some(*value),
            Value::Text(text) => number(text),
            _ => None,
        }
    }

    /// Returns the value as a string, if it is a string or a number.
    pub fn as_text(&self) -> Option<Cow<'_, [u8]>> {
        match self {
            Value::Text(text) => Some(Cow::Borrowed(text)),
            Value::Number(value) => Some(Cow::Owned(number_text(*value).into_bytes())),
            _ => None,
        }
    }

    /// Writes the value as it appears in a rendered template: empty for `nil` and `false`, list elements separated by
    /// commas. (Kong renders a table as its memory address, which is of no use.)
    pub fn write(&self, out: &mut Vec<u8>) {
        if self.is_true() {
            self.print(out);
        }
    }

    /// Writes the value as Lua's `tostring` does.
    pub fn print(&self, out: &mut Vec<u8>) {
        match self {
            Value::Nil => out.extend_from_slice(b"nil"),
            Value::Bool(value) => out.extend_from_slice(value.to_string().as_bytes()),
            Value::Number(value) => out.extend_from_slice(number_text(*value).as_bytes()),
            Value::Text(text) => out.extend_from_slice(text),
            Value::List(items) => {
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.extend_from_slice(b", ");
                    }
                    item.print(out);
                }
            }
            Value::Table(_) => out.extend_from_slice(b"table"),
            Value::Function(_) => out.extend_from_slice(b"function"),
        }
    }

    fn equals(&self, other: &Value<'_>) -> bool {
        match (self, other) {
            (Value::Nil, Value::Nil) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Number(a), Value::Number(b)) => a == b,
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::Function(a), Value::Function(b)) => a == b,
            _ => false,
        }
    }
}

/// Error message of an evaluation.
type EvalError = String;

/// Evaluates an expression.
pub fn evaluate<'a>(expr: &'a Expr, env: &'a Env<'a>) -> Result<Value<'a>, EvalError> {
    Ok(match expr {
        Expr::Nil => Value::Nil,
        Expr::Bool(value) => Value::Bool(*value),
        Expr::Number(value) => Value::Number(*value),
        Expr::Text(text) => Value::Text(Cow::Borrowed(text)),
        Expr::Global(name) => env.global(name),
        Expr::Index(of, key) => {
            let object = evaluate(of, env)?;
            let key = evaluate(key, env)?;
            index(object, &key, of, env)?
        }
        Expr::Call(of, list) => {
            let function = match evaluate(of, env)? {
                Value::Function(function) => function,
                other => return Err(type_error("call", of, &other)),
            };
            let list: Vec<Value<'_>> =
                list.iter().map(|item| evaluate(item, env)).collect::<Result<_, _>>()?;
            function.call(list, env)?
        }
        Expr::Method(of, name, list) => {
            let object = evaluate(of, env)?;
            let key = Value::Text(Cow::Borrowed(name.as_bytes()));
            let method = match index(object.clone(), &key, of, env)? {
                Value::Function(function) => function,
                other => {
                    return Err(format!("attempt to call method '{name}' (a {} value)", other.type_name()));
                }
            };
            let mut args = vec![object];
            for item in list {
                args.push(evaluate(item, env)?);
            }
            method.call(args, env)?
        }
        Expr::Not(of) => Value::Bool(!evaluate(of, env)?.is_true()),
        Expr::Negate(of) => {
            let value = evaluate(of, env)?;
            let number = value.as_number().ok_or_else(|| type_error("perform arithmetic on", of, &value))?;
            Value::Number(-number)
        }
        Expr::Length(of) => match evaluate(of, env)? {
            Value::Text(text) => Value::Number(text.len() as f64),
            Value::List(items) => Value::Number(items.len() as f64),
            Value::Table(Table::Json(serde_json::Value::Array(items))) => Value::Number(items.len() as f64),
            Value::Table(_) => Value::Number(0.0),
            other => return Err(type_error("get length of", of, &other)),
        },
        Expr::And(left, right) => {
            let first = evaluate(left, env)?;
            if first.is_true() { evaluate(right, env)? } else { first }
        }
        Expr::Or(left, right) => {
            let first = evaluate(left, env)?;
            if first.is_true() { first } else { evaluate(right, env)? }
        }
        Expr::Binary(operator, left, right) => {
            let (a, b) = (evaluate(left, env)?, evaluate(right, env)?);
            binary(*operator, (left, &a), (right, &b))?
        }
    })
}

fn index<'a>(
    object: Value<'a>,
    key: &Value<'_>,
    of: &Expr,
    env: &'a Env<'a>,
) -> Result<Value<'a>, EvalError> {
    Ok(match object {
        Value::Table(table) => env.index(table, key),
        // Strings are indexed by the functions of the table `string`.
        Value::Text(_) => env.index(Table::Strings, key),
        Value::List(items) => match key {
            Value::Number(at) if *at >= 1.0 => items.into_iter().nth(*at as usize - 1).unwrap_or(Value::Nil),
            _ => Value::Nil,
        },
        other => return Err(type_error("index", of, &other)),
    })
}

fn binary<'a>(
    operator: Operator,
    left: (&Expr, &Value<'_>),
    right: (&Expr, &Value<'_>),
) -> Result<Value<'a>, EvalError> {
    let (a, b) = (left.1, right.1);
    Ok(match operator {
        Operator::Concat => {
            // Lua checks the right operand first.
            let second = b.as_text().ok_or_else(|| type_error("concatenate", right.0, b))?;
            let first = a.as_text().ok_or_else(|| type_error("concatenate", left.0, a))?;
            if first.len() + second.len() > MAX_TEXT_BYTES {
                return Err("the text is too long".to_owned());
            }
            Value::Text(Cow::Owned([first, second].concat()))
        }
        Operator::Equal => Value::Bool(a.equals(b)),
        Operator::Differs => Value::Bool(!a.equals(b)),
        Operator::Less => Value::Bool(ordered(a, b, |o| o.is_lt())?),
        Operator::LessOrEqual => Value::Bool(ordered(a, b, |o| o.is_le())?),
        Operator::Greater => Value::Bool(ordered(b, a, |o| o.is_lt())?),
        Operator::GreaterOrEqual => Value::Bool(ordered(b, a, |o| o.is_le())?),
        _ => {
            let a = a.as_number().ok_or_else(|| type_error("perform arithmetic on", left.0, a))?;
            let b = b.as_number().ok_or_else(|| type_error("perform arithmetic on", right.0, b))?;
            Value::Number(match operator {
                Operator::Add => a + b,
                Operator::Subtract => a - b,
                Operator::Multiply => a * b,
                Operator::Divide => a / b,
                Operator::Modulo => a - (a / b).floor() * b,
                _ => a.powf(b),
            })
        }
    })
}

fn ordered(
    a: &Value<'_>,
    b: &Value<'_>,
    holds: impl Fn(std::cmp::Ordering) -> bool,
) -> Result<bool, EvalError> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => Ok(a.partial_cmp(b).is_some_and(holds)),
        (Value::Text(a), Value::Text(b)) => Ok(holds(a.cmp(b))),
        _ if a.type_name() == b.type_name() => {
            Err(format!("attempt to compare two {} values", a.type_name()))
        }
        _ => Err(format!("attempt to compare {} with {}", a.type_name(), b.type_name())),
    }
}

/// Returns Lua's error for an operation on a value of the wrong type, with the name of the variable.
fn type_error(what: &str, of: &Expr, value: &Value<'_>) -> EvalError {
    let kind = value.type_name();
    match of {
        Expr::Global(name) => format!("attempt to {what} global '{name}' (a {kind} value)"),
        Expr::Index(_, key) => match &**key {
            Expr::Text(name) => {
                format!("attempt to {what} field '{}' (a {kind} value)", String::from_utf8_lossy(name))
            }
            _ => format!("attempt to {what} field '?' (a {kind} value)"),
        },
        _ => format!("attempt to {what} a {kind} value"),
    }
}
