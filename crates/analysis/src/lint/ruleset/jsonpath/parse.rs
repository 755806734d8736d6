//! The grammar of expressions: a recursive-descent parser from tokens to a query.

use serde_json::Value as Json;

use super::{
    Comparison, Operand, Query, Segment, Selector, Test,
    scanner::{Parsed, Scanner},
};

/// Maximum nesting of filters and parentheses.
const MAX_DEPTH: usize = 32;

/// Parses an expression.
///
/// # Errors
/// The reason why the expression is not valid, and at which character.
pub fn parse(text: &str) -> Result<Query, String> {
    let mut parser = Parser { scanner: Scanner { text, at: 0 }, depth: 0 };
    let query = parser.whole().map_err(|why| {
        let character = text[..parser.scanner.at].chars().count() + 1;
        format!("{why} at character {character}")
    })?;
    Ok(query)
}

struct Parser<'t> {
    scanner: Scanner<'t>,
    /// Current nesting of filters and parentheses.
    depth: usize,
}

/// A call of a function of the standard: an operand or a test, by the type of its result.
enum Call {
    Operand(Operand),
    Test(Test),
}

impl Parser<'_> {
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == MAX_DEPTH {
            return Err("nested too deeply".to_owned());
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    fn whole(&mut self) -> Parsed<Query> {
        self.scanner.expect("$")?;
        let mut query = Query { from_root: true, segments: self.segments()?, keys: false };
        query.keys = self.scanner.take("~");
        if self.scanner.at < self.scanner.text.len() { Err("expected a step".to_owned()) } else { Ok(query) }
    }

    fn segments(&mut self) -> Parsed<Vec<Segment>> {
        let mut segments = Vec::new();
        loop {
            if self.scanner.take_after_blank("^") {
                segments.push(Segment::Parent);
            } else if self.scanner.take_after_blank("..") {
                let selectors = if self.scanner.take("[") { self.bracketed()? } else { vec![self.dotted()?] };
                segments.push(Segment::Descendant(selectors));
            } else if self.scanner.take_after_blank("[") {
                segments.push(Segment::Child(self.bracketed()?));
            } else if self.is_method() {
                return Ok(segments);
            } else if self.scanner.take_after_blank(".") {
                segments.push(Segment::Child(vec![self.dotted()?]));
            } else {
                return Ok(segments);
            }
        }
    }

    /// Whether `.match(` or `.indexOf(` is next, which are methods and no steps.
    fn is_method(&self) -> bool {
        [".match(", ".indexOf("].iter().any(|method| self.scanner.rest().starts_with(method))
    }

    fn dotted(&mut self) -> Parsed<Selector> {
        if self.scanner.take("*") { Ok(Selector::Wildcard) } else { Ok(Selector::Name(self.scanner.name()?)) }
    }

    fn bracketed(&mut self) -> Parsed<Vec<Selector>> {
        let mut selectors = Vec::new();
        loop {
            self.scanner.blank();
            selectors.push(self.selector()?);
            self.scanner.blank();
            if self.scanner.take("]") {
                return Ok(selectors);
            }
            if !self.scanner.take(",") {
                return Err("expected \",\" or \"]\"".to_owned());
            }
        }
    }

    fn selector(&mut self) -> Parsed<Selector> {
        match self.scanner.peek() {
            Some('\'' | '"') => Ok(Selector::Name(self.scanner.string()?)),
            Some('*') => {
                self.scanner.at += 1;
                Ok(Selector::Wildcard)
            }
            Some('?') => {
                self.scanner.at += 1;
                self.scanner.blank();
                Ok(Selector::Filter(self.nested(Self::any)?))
            }
            Some(c) if c.is_ascii_digit() || c == '-' || c == ':' => self.index_or_slice(),
            _ => Ok(Selector::Name(self.scanner.name()?)),
        }
    }

    fn index_or_slice(&mut self) -> Parsed<Selector> {
        let start = self.scanner.optional_integer()?;
        if !self.scanner.take_after_blank(":") {
            return start.map(Selector::Index).ok_or_else(|| "expected a number".to_owned());
        }
        self.scanner.blank();
        let end = self.scanner.optional_integer()?;
        let mut step = None;
        if self.scanner.take_after_blank(":") {
            let before = self.scanner.at;
            self.scanner.blank();
            step = self.scanner.optional_integer()?;
            if step.is_none() {
                self.scanner.at = before;
            }
        }
        Ok(Selector::Slice { start, end, step: step.unwrap_or(1) })
    }

    fn any(&mut self) -> Parsed<Test> {
        let mut tests = vec![self.all()?];
        while self.scanner.take_after_blank("||") {
            self.scanner.blank();
            tests.push(self.all()?);
        }
        Ok(one_or(tests, Test::Any))
    }

    fn all(&mut self) -> Parsed<Test> {
        let mut tests = vec![self.test()?];
        while self.scanner.take_after_blank("&&") {
            self.scanner.blank();
            tests.push(self.test()?);
        }
        Ok(one_or(tests, Test::All))
    }

    fn test(&mut self) -> Parsed<Test> {
        if self.scanner.take("!") {
            self.scanner.blank();
            let start = self.scanner.at;
            let test = self.nested(Self::test)?;
            if matches!(test, Test::Compare(..)) && !self.scanner.text[start..].starts_with('(') {
                self.scanner.at = start;
                return Err("a comparison that is negated needs parentheses".to_owned());
            }
            return Ok(Test::Not(Box::new(test)));
        }
        if self.scanner.take("(") {
            self.scanner.blank();
            let test = self.nested(Self::any)?;
            self.scanner.blank();
            self.scanner.expect(")")?;
            return Ok(test);
        }
        let start = self.scanner.at;
        match self.scanner.peek() {
            Some('@' | '$') if !self.is_property() => {
                let query = self.query()?;
                self.after_query(query, start)
            }
            Some(c) if c.is_ascii_lowercase() && self.is_call() => match self.call()? {
                Call::Test(test) => Ok(test),
                Call::Operand(left) => {
                    self.comparison(left)?.ok_or_else(|| "expected a comparison".to_owned())
                }
            },
            _ => {
                let left = self.operand()?;
                if matches!(left, Operand::Property) {
                    return self.of_property();
                }
                self.comparison(left)?.ok_or_else(|| "expected a comparison".to_owned())
            }
        }
    }

    /// Parses what follows `@property`: nothing, its length, a method, or a comparison.
    fn of_property(&mut self) -> Parsed<Test> {
        let mut left = Operand::Property;
        let is_length = self.scanner.take(".length");
        if is_length {
            left = Operand::Length(Box::new(left));
        } else if self.scanner.rest().starts_with(['.', '[', '^']) && !self.is_method() {
            let end = self.scanner.rest().find(|c: char| !(c.is_ascii_alphanumeric() || ".[^".contains(c)));
            let step = &self.scanner.rest()[..end.unwrap_or(self.scanner.rest().len())];
            return Err(format!("@property{step} is not supported"));
        }
        match self.comparison(left)? {
            Some(test) => Ok(test),
            None if is_length => Err("expected a comparison".to_owned()),
            None => Ok(Test::HasProperty),
        }
    }

    /// Parses what follows a query in a filter: nothing, a comparison, or a regular expression.
    fn after_query(&mut self, query: Query, start: usize) -> Parsed<Test> {
        let after = self.scanner.at;
        if self.is_method()
            || self.scanner.rest().trim_start().starts_with("=~")
            || self.comparator().is_some()
        {
            self.scanner.at = start;
            if !query.is_singular() {
                return Err("this finds more than one value".to_owned());
            }
            self.scanner.at = after;
            return self
                .comparison(Operand::Singular(query))?
                .ok_or_else(|| "expected a comparison".to_owned());
        }
        self.scanner.at = after;
        Ok(Test::Exists(query))
    }

    fn comparison(&mut self, left: Operand) -> Parsed<Option<Test>> {
        if self.scanner.take(".indexOf(") {
            self.scanner.blank();
            let left = Operand::IndexOf(Box::new(left), self.scanner.string()?);
            self.scanner.blank();
            self.scanner.expect(")")?;
            let compared = self.comparison(left)?;
            return compared.map(Some).ok_or_else(|| "expected a comparison".to_owned());
        }
        if self.scanner.take(".match(") {
            self.scanner.blank();
            let regex = self.scanner.regex()?;
            self.scanner.blank();
            self.scanner.expect(")")?;
            return Ok(Some(Test::Regex(left, regex)));
        }
        if self.scanner.take_after_blank("=~") {
            self.scanner.blank();
            return Ok(Some(Test::Regex(left, self.scanner.regex()?)));
        }
        let Some(comparison) = self.comparator() else { return Ok(None) };
        self.scanner.blank();
        let right = self.operand()?;
        Ok(Some(Test::Compare(left, comparison, right)))
    }

    fn comparator(&mut self) -> Option<Comparison> {
        // Longer ones first.
        const ALL: [(&str, Comparison); 8] = [
            ("===", Comparison::Equal),
            ("!==", Comparison::NotEqual),
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        ALL.iter().find(|(text, _)| self.scanner.take_after_blank(text)).map(|(_, comparison)| *comparison)
    }

    fn is_property(&self) -> bool {
        self.scanner.rest().starts_with("@property")
    }

    /// Whether the name of a function and its parenthesis are next.
    fn is_call(&self) -> bool {
        let name =
            self.scanner.rest().find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'));
        name.is_some_and(|end| self.scanner.rest()[end..].starts_with('('))
    }

    fn query(&mut self) -> Parsed<Query> {
        let from_root = self.scanner.peek() == Some('$');
        self.scanner.at += 1;
        let segments = self.nested(Self::segments)?;
        Ok(Query { from_root, segments, keys: false })
    }

    fn operand(&mut self) -> Parsed<Operand> {
        let start = self.scanner.at;
        match self.scanner.peek() {
            Some('@') if self.scanner.take("@property") => Ok(Operand::Property),
            Some('@' | '$') => {
                let query = self.query()?;
                if query.is_singular() {
                    return Ok(Operand::Singular(query));
                }
                self.scanner.at = start;
                Err("this finds more than one value".to_owned())
            }
            Some('\'' | '"') => Ok(Operand::Literal(Json::String(self.scanner.string()?))),
            Some(c) if c.is_ascii_digit() || c == '-' => self.scanner.number().map(Operand::Literal),
            Some(_) if self.is_call() => match self.call()? {
                Call::Operand(operand) => Ok(operand),
                Call::Test(_) => {
                    self.scanner.at = start;
                    Err("this is a test and has no value".to_owned())
                }
            },
            _ => {
                for (word, value) in
                    [("true", Json::Bool(true)), ("false", Json::Bool(false)), ("null", Json::Null)]
                {
                    if self.scanner.take(word) {
                        return Ok(Operand::Literal(value));
                    }
                }
                Err("expected a value".to_owned())
            }
        }
    }

    fn call(&mut self) -> Parsed<Call> {
        let start = self.scanner.at;
        let end = self.scanner.rest().find('(').unwrap_or_default();
        let name = &self.scanner.rest()[..end];
        self.scanner.at += end + 1;
        self.scanner.blank();
        let call = self.nested(|parser| {
            Ok(match name {
                "length" => Call::Operand(Operand::Length(Box::new(parser.operand()?))),
                "count" => Call::Operand(Operand::Count(parser.nodes()?)),
                "value" => Call::Operand(Operand::Value(parser.nodes()?)),
                "match" | "search" => {
                    let text = parser.operand()?;
                    parser.scanner.blank();
                    parser.scanner.expect(",")?;
                    parser.scanner.blank();
                    Call::Test(Test::Matches { text, regex: parser.operand()?, whole: name == "match" })
                }
                _ => {
                    parser.scanner.at = start;
                    return Err(format!("there is no function {name:?}"));
                }
            })
        })?;
        self.scanner.blank();
        self.scanner.expect(")")?;
        Ok(call)
    }

    fn nodes(&mut self) -> Parsed<Query> {
        match self.scanner.peek() {
            Some('@' | '$') => self.query(),
            _ => Err("expected a query".to_owned()),
        }
    }
}

fn one_or(mut tests: Vec<Test>, many: fn(Vec<Test>) -> Test) -> Test {
    match tests.len() {
        1 => tests.swap_remove(0),
        _ => many(tests),
    }
}
