//! From the text of an expression to a query.

use fancy_regex::Regex;
use serde_json::Value as Json;

use super::{Comparison, Operand, Query, Segment, Selector, Test};

/// Deepest nesting of filters and parentheses.
const DEEPEST: usize = 32;
/// Largest number that JSON takes exactly (RFC 7493).
const LARGEST: i64 = (1 << 53) - 1;

/// Reads an expression.
///
/// # Errors
/// What is wrong, and at which character.
pub fn parse(text: &str) -> Result<Query, String> {
    let mut parser = Parser { text, at: 0, depth: 0 };
    let query = parser.whole().map_err(|why| {
        let character = text[..parser.at].chars().count() + 1;
        format!("{why} at character {character}")
    })?;
    Ok(query)
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

type Parsed<T> = Result<T, String>;

/// What a function of the standard is: something with a value, or a test.
enum Call {
    Operand(Operand),
    Test(Test),
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Steps over a text if it is next.
    fn take(&mut self, wanted: &str) -> bool {
        let is = self.rest().starts_with(wanted);
        self.at += if is { wanted.len() } else { 0 };
        is
    }

    fn expect(&mut self, wanted: &str) -> Parsed<()> {
        if self.take(wanted) { Ok(()) } else { Err(format!("expected {wanted:?}")) }
    }

    fn blank(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    /// Steps over blanks if a text follows them.
    fn take_after_blank(&mut self, wanted: &str) -> bool {
        let before = self.at;
        self.blank();
        let is = self.take(wanted);
        if !is {
            self.at = before;
        }
        is
    }

    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == DEEPEST {
            return Err("nested too deeply".to_owned());
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    fn whole(&mut self) -> Parsed<Query> {
        self.expect("$")?;
        let mut query = Query { from_root: true, segments: self.segments()?, keys: false };
        query.keys = self.take("~");
        if self.at < self.text.len() { Err("expected a step".to_owned()) } else { Ok(query) }
    }

    fn segments(&mut self) -> Parsed<Vec<Segment>> {
        let mut segments = Vec::new();
        loop {
            if self.take_after_blank("^") {
                segments.push(Segment::Parent);
            } else if self.take_after_blank("..") {
                let selectors = if self.take("[") { self.bracketed()? } else { vec![self.dotted()?] };
                segments.push(Segment::Descendant(selectors));
            } else if self.take_after_blank("[") {
                segments.push(Segment::Child(self.bracketed()?));
            } else if self.is_method() {
                return Ok(segments);
            } else if self.take_after_blank(".") {
                segments.push(Segment::Child(vec![self.dotted()?]));
            } else {
                return Ok(segments);
            }
        }
    }

    /// Whether `.match(` or `.indexOf(` is next, which is no step.
    fn is_method(&self) -> bool {
        [".match(", ".indexOf("].iter().any(|method| self.rest().starts_with(method))
    }

    fn dotted(&mut self) -> Parsed<Selector> {
        if self.take("*") { Ok(Selector::Wildcard) } else { Ok(Selector::Name(self.name()?)) }
    }

    /// A name without quotes. The dash is what rulesets add to the standard.
    fn name(&mut self) -> Parsed<String> {
        let is_first = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
        let is_next = |c: char| is_first(c) || c.is_ascii_digit() || c == '-';
        if !self.peek().is_some_and(is_first) {
            return Err("expected a name".to_owned());
        }
        let end = self.rest().find(|c| !is_next(c)).unwrap_or(self.rest().len());
        let name = self.rest()[..end].to_owned();
        self.at += end;
        Ok(name)
    }

    fn bracketed(&mut self) -> Parsed<Vec<Selector>> {
        let mut selectors = Vec::new();
        loop {
            self.blank();
            selectors.push(self.selector()?);
            self.blank();
            if self.take("]") {
                return Ok(selectors);
            }
            if !self.take(",") {
                return Err("expected \",\" or \"]\"".to_owned());
            }
        }
    }

    fn selector(&mut self) -> Parsed<Selector> {
        match self.peek() {
            Some('\'' | '"') => Ok(Selector::Name(self.string()?)),
            Some('*') => {
                self.at += 1;
                Ok(Selector::Wildcard)
            }
            Some('?') => {
                self.at += 1;
                self.blank();
                Ok(Selector::Filter(self.nested(Self::any)?))
            }
            Some(c) if c.is_ascii_digit() || c == '-' || c == ':' => self.index_or_slice(),
            _ => Ok(Selector::Name(self.name()?)),
        }
    }

    fn index_or_slice(&mut self) -> Parsed<Selector> {
        let start = self.optional_integer()?;
        if !self.take_after_blank(":") {
            return start.map(Selector::Index).ok_or_else(|| "expected a number".to_owned());
        }
        self.blank();
        let end = self.optional_integer()?;
        let mut step = None;
        if self.take_after_blank(":") {
            let before = self.at;
            self.blank();
            step = self.optional_integer()?;
            if step.is_none() {
                self.at = before;
            }
        }
        Ok(Selector::Slice { start, end, step: step.unwrap_or(1) })
    }

    fn optional_integer(&mut self) -> Parsed<Option<i64>> {
        let digits = self.rest().strip_prefix('-').unwrap_or(self.rest());
        let count = digits.bytes().take_while(u8::is_ascii_digit).count();
        let length = self.rest().len() - digits.len() + count;
        if length == 0 {
            return Ok(None);
        }
        let text = &self.rest()[..length];
        let zero = digits.starts_with('0') && (count > 1 || text.starts_with('-'));
        let number = text.parse::<i64>().ok().filter(|n| n.abs() <= LARGEST && !zero);
        let number = number.ok_or_else(|| format!("{text:?} is no index"))?;
        self.at += length;
        Ok(Some(number))
    }

    /// A text in quotes, as JSON escapes it; the other kind of quote needs no escape.
    fn string(&mut self) -> Parsed<String> {
        let Some(quote) = self.peek() else { return Err("expected a text".to_owned()) };
        self.at += 1;
        let mut text = String::new();
        loop {
            let Some(c) = self.peek() else { return Err(format!("expected {quote}")) };
            self.at += c.len_utf8();
            match c {
                c if c == quote => return Ok(text),
                c if c < ' ' => return Err("a control character has to be escaped".to_owned()),
                '\\' => text.push(self.escape(quote)?),
                c => text.push(c),
            }
        }
    }

    fn escape(&mut self, quote: char) -> Parsed<char> {
        let Some(c) = self.peek() else { return Err("expected an escape".to_owned()) };
        self.at += c.len_utf8();
        Ok(match c {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            '/' | '\\' => c,
            'u' => {
                let unit = self.hex()?;
                let code = match unit {
                    0xD800..=0xDBFF => {
                        self.expect("\\u")?;
                        let low = self.hex()?;
                        if !(0xDC00..=0xDFFF).contains(&low) {
                            return Err("expected the second half of a character".to_owned());
                        }
                        0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)
                    }
                    unit => unit,
                };
                char::from_u32(code).ok_or("half a character")?
            }
            c if c == quote => c,
            c => return Err(format!("there is no escape \\{c}")),
        })
    }

    fn hex(&mut self) -> Parsed<u32> {
        let digits = self.rest().get(..4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let digits = digits.ok_or("expected four hexadecimal digits")?;
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|error| error.to_string())
    }

    fn any(&mut self) -> Parsed<Test> {
        let mut tests = vec![self.all()?];
        while self.take_after_blank("||") {
            self.blank();
            tests.push(self.all()?);
        }
        Ok(one_or(tests, Test::Any))
    }

    fn all(&mut self) -> Parsed<Test> {
        let mut tests = vec![self.test()?];
        while self.take_after_blank("&&") {
            self.blank();
            tests.push(self.test()?);
        }
        Ok(one_or(tests, Test::All))
    }

    fn test(&mut self) -> Parsed<Test> {
        if self.take("!") {
            self.blank();
            let start = self.at;
            let test = self.nested(Self::test)?;
            if matches!(test, Test::Compare(..)) && !self.text[start..].starts_with('(') {
                self.at = start;
                return Err("a comparison that is negated needs parentheses".to_owned());
            }
            return Ok(Test::Not(Box::new(test)));
        }
        if self.take("(") {
            self.blank();
            let test = self.nested(Self::any)?;
            self.blank();
            self.expect(")")?;
            return Ok(test);
        }
        let start = self.at;
        match self.peek() {
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

    /// What follows `@property`: nothing, its length, a method, or a comparison.
    fn of_property(&mut self) -> Parsed<Test> {
        let mut left = Operand::Property;
        let is_length = self.take(".length");
        if is_length {
            left = Operand::Length(Box::new(left));
        } else if self.rest().starts_with(['.', '[', '^']) && !self.is_method() {
            let end = self.rest().find(|c: char| !(c.is_ascii_alphanumeric() || ".[^".contains(c)));
            let step = &self.rest()[..end.unwrap_or(self.rest().len())];
            return Err(format!("@property{step} is not supported"));
        }
        match self.comparison(left)? {
            Some(test) => Ok(test),
            None if is_length => Err("expected a comparison".to_owned()),
            None => Ok(Test::HasProperty),
        }
    }

    /// What follows a query in a filter: nothing, a comparison, or a regular expression.
    fn after_query(&mut self, query: Query, start: usize) -> Parsed<Test> {
        let after = self.at;
        if self.is_method() || self.rest().trim_start().starts_with("=~") || self.comparator().is_some() {
            self.at = start;
            if !query.is_singular() {
                return Err("this finds more than one value".to_owned());
            }
            self.at = after;
            return self
                .comparison(Operand::Singular(query))?
                .ok_or_else(|| "expected a comparison".to_owned());
        }
        self.at = after;
        Ok(Test::Exists(query))
    }

    fn comparison(&mut self, left: Operand) -> Parsed<Option<Test>> {
        if self.take(".indexOf(") {
            self.blank();
            let left = Operand::IndexOf(Box::new(left), self.string()?);
            self.blank();
            self.expect(")")?;
            let compared = self.comparison(left)?;
            return compared.map(Some).ok_or_else(|| "expected a comparison".to_owned());
        }
        if self.take(".match(") {
            self.blank();
            let regex = self.regex()?;
            self.blank();
            self.expect(")")?;
            return Ok(Some(Test::Regex(left, regex)));
        }
        if self.take_after_blank("=~") {
            self.blank();
            return Ok(Some(Test::Regex(left, self.regex()?)));
        }
        let Some(comparison) = self.comparator() else { return Ok(None) };
        self.blank();
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
        ALL.iter().find(|(text, _)| self.take_after_blank(text)).map(|(_, comparison)| *comparison)
    }

    /// `/…/i`, or a text in quotes.
    fn regex(&mut self) -> Parsed<Regex> {
        let start = self.at;
        let text = match self.peek() {
            Some('\'' | '"') => self.string()?,
            Some('/') => {
                self.at += 1;
                let (mut escaped, mut in_class) = (false, false);
                let end = self.rest().char_indices().find(|(_, c)| {
                    let is_end = *c == '/' && !escaped && !in_class;
                    match c {
                        _ if escaped => escaped = false,
                        '\\' => escaped = true,
                        '[' => in_class = true,
                        ']' => in_class = false,
                        _ => {}
                    }
                    is_end
                });
                let (end, _) = end.ok_or("expected the end of a regular expression, \"/\"")?;
                self.at += end + 1;
                let flags = self.rest().bytes().take_while(u8::is_ascii_alphabetic).count();
                self.at += flags;
                self.text[start..self.at].to_owned()
            }
            _ => return Err("expected a regular expression, /…/".to_owned()),
        };
        super::super::function::regex(&text)
    }

    fn is_property(&self) -> bool {
        self.rest().starts_with("@property")
    }

    /// Whether the name of a function and its parenthesis are next.
    fn is_call(&self) -> bool {
        let name = self.rest().find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'));
        name.is_some_and(|end| self.rest()[end..].starts_with('('))
    }

    fn query(&mut self) -> Parsed<Query> {
        let from_root = self.peek() == Some('$');
        self.at += 1;
        let segments = self.nested(Self::segments)?;
        Ok(Query { from_root, segments, keys: false })
    }

    fn operand(&mut self) -> Parsed<Operand> {
        let start = self.at;
        match self.peek() {
            Some('@') if self.take("@property") => Ok(Operand::Property),
            Some('@' | '$') => {
                let query = self.query()?;
                if query.is_singular() {
                    return Ok(Operand::Singular(query));
                }
                self.at = start;
                Err("this finds more than one value".to_owned())
            }
            Some('\'' | '"') => Ok(Operand::Literal(Json::String(self.string()?))),
            Some(c) if c.is_ascii_digit() || c == '-' => self.number().map(Operand::Literal),
            Some(_) if self.is_call() => match self.call()? {
                Call::Operand(operand) => Ok(operand),
                Call::Test(_) => {
                    self.at = start;
                    Err("this is a test and has no value".to_owned())
                }
            },
            _ => {
                for (word, value) in
                    [("true", Json::Bool(true)), ("false", Json::Bool(false)), ("null", Json::Null)]
                {
                    if self.take(word) {
                        return Ok(Operand::Literal(value));
                    }
                }
                Err("expected a value".to_owned())
            }
        }
    }

    /// A number as JSON writes it, and `-0`.
    fn number(&mut self) -> Parsed<Json> {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
        let mut end = usize::from(bytes[0] == b'-');
        let whole = digits(end);
        if whole == 0 || whole > 1 && bytes[end] == b'0' {
            return Err("expected a number".to_owned());
        }
        end += whole;
        if bytes.get(end) == Some(&b'.') {
            let fraction = digits(end + 1);
            if fraction == 0 {
                return Err("expected digits after the point".to_owned());
            }
            end += 1 + fraction;
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let exponent = digits(end + 1 + sign);
            if exponent == 0 {
                return Err("expected an exponent".to_owned());
            }
            end += 1 + sign + exponent;
        }
        self.at += end;
        serde_json::from_str(&rest[..end]).map_err(|error| error.to_string())
    }

    fn call(&mut self) -> Parsed<Call> {
        let start = self.at;
        let end = self.rest().find('(').unwrap_or_default();
        let name = &self.rest()[..end];
        self.at += end + 1;
        self.blank();
        let call = self.nested(|parser| {
            Ok(match name {
                "length" => Call::Operand(Operand::Length(Box::new(parser.operand()?))),
                "count" => Call::Operand(Operand::Count(parser.nodes()?)),
                "value" => Call::Operand(Operand::Value(parser.nodes()?)),
                "match" | "search" => {
                    let text = parser.operand()?;
                    parser.blank();
                    parser.expect(",")?;
                    parser.blank();
                    Call::Test(Test::Matches { text, regex: parser.operand()?, whole: name == "match" })
                }
                _ => {
                    parser.at = start;
                    return Err(format!("there is no function {name:?}"));
                }
            })
        })?;
        self.blank();
        self.expect(")")?;
        Ok(call)
    }

    fn nodes(&mut self) -> Parsed<Query> {
        match self.peek() {
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
