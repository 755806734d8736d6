//! Tokens as an expression.

use super::{
    TemplateError,
    lex::{Kind, Token, tokens},
};

/// An expression.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Expr {
    Nil,
    Bool(bool),
    Number(f64),
    Text(Box<[u8]>),
    /// A name that nothing in the expression declares.
    Global(Box<str>),
    /// A value looked up in another.
    Index(Box<Expr>, Box<Expr>),
    Call(Box<Expr>, Box<[Expr]>),
    /// A method of a value: `text:upper()`.
    Method(Box<Expr>, Box<str>, Box<[Expr]>),
    Not(Box<Expr>),
    Negate(Box<Expr>),
    Length(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
}

/// An operator whose two sides are always evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
    Concat,
    Equal,
    Differs,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Expr {
    /// Shows every global name.
    pub fn globals(&self, see: &mut dyn FnMut(&str)) {
        match self {
            Expr::Nil | Expr::Bool(_) | Expr::Number(_) | Expr::Text(_) => {}
            Expr::Global(name) => see(name),
            Expr::Not(of) | Expr::Negate(of) | Expr::Length(of) => of.globals(see),
            Expr::Index(a, b) | Expr::And(a, b) | Expr::Or(a, b) | Expr::Binary(_, a, b) => {
                a.globals(see);
                b.globals(see);
            }
            Expr::Call(of, list) | Expr::Method(of, _, list) => {
                of.globals(see);
                list.iter().for_each(|item| item.globals(see));
            }
        }
    }
}

/// How deep expressions may be nested: Lua's own limit.
const MAX_DEPTH: usize = 200;

/// How tightly `-`, `not` and `#` bind: looser than `^` alone.
const UNARY: u8 = 8;

/// Reads an expression that fills a text.
pub fn parse(text: &str) -> Result<Expr, TemplateError> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
    let expr = parser.expression(0)?;
    match parser.peek().kind {
        Kind::End => Ok(expr),
        _ => Err(parser.unexpected("')' expected")),
    }
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> &Token<'a> {
        &self.tokens[self.at]
    }

    fn next(&mut self) -> Token<'a> {
        let token = self.tokens[self.at].clone();
        // The end stays: there is always a token to look at.
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn is(&self, sign: &str) -> bool {
        self.peek().kind == Kind::Sign && self.peek().text == sign
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = self.is(sign);
        if found {
            self.next();
        }
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), TemplateError> {
        if self.take(sign) { Ok(()) } else { Err(self.unexpected(&format!("'{sign}' expected"))) }
    }

    fn unexpected(&self, what: &str) -> TemplateError {
        TemplateError::Syntax(format!("{what} near '{}'", self.peek().text))
    }

    /// An expression whose operators bind tighter than `limit`.
    fn expression(&mut self, limit: u8) -> Result<Expr, TemplateError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(TemplateError::Syntax("chunk has too many syntax levels".to_owned()));
        }
        let mut left = self.operand()?;
        while let Some((sign, [binds_left, binds_right])) = self.operator()
            && binds_left > limit
        {
            self.next();
            let right = self.expression(binds_right)?;
            left = joined(sign, Box::new(left), Box::new(right));
        }
        self.depth -= 1;
        Ok(left)
    }

    /// The operator that stands here, and how tightly it binds to the left and to the right.
    fn operator(&self) -> Option<(&'a str, [u8; 2])> {
        let token = self.peek();
        if token.kind != Kind::Sign {
            return None;
        }
        let binds = match token.text {
            "or" => [1, 1],
            "and" => [2, 2],
            "<" | ">" | "<=" | ">=" | "~=" | "==" => [3, 3],
            ".." => [5, 4],
            "+" | "-" => [6, 6],
            "*" | "/" | "%" => [7, 7],
            "^" => [10, 9],
            _ => return None,
        };
        Some((token.text, binds))
    }

    fn operand(&mut self) -> Result<Expr, TemplateError> {
        let token = self.peek().clone();
        let expr = match (&token.kind, token.text) {
            (Kind::Number(value), _) => Expr::Number(*value),
            (Kind::Text(value), _) => Expr::Text(value.clone()),
            (Kind::Sign, "nil") => Expr::Nil,
            (Kind::Sign, "true") => Expr::Bool(true),
            (Kind::Sign, "false") => Expr::Bool(false),
            (Kind::Sign, sign @ ("not" | "-" | "#")) => {
                self.next();
                let of = Box::new(self.expression(UNARY)?);
                return Ok(match sign {
                    "not" => Expr::Not(of),
                    "-" => Expr::Negate(of),
                    _ => Expr::Length(of),
                });
            }
            (Kind::Sign, "function") => return Err(TemplateError::Unsupported("a function".to_owned())),
            (Kind::Sign, "{") => return Err(TemplateError::Unsupported("a table".to_owned())),
            (Kind::Sign, "...") => {
                return Err(TemplateError::Syntax(
                    "cannot use '...' outside a vararg function near '...'".to_owned(),
                ));
            }
            _ => return self.suffixed(),
        };
        self.next();
        Ok(expr)
    }

    /// A name or parentheses, and what is looked up in or called on them.
    fn suffixed(&mut self) -> Result<Expr, TemplateError> {
        let mut expr = if self.peek().kind == Kind::Name {
            Expr::Global(self.next().text.into())
        } else if self.take("(") {
            let inner = self.expression(0)?;
            self.expect(")")?;
            inner
        } else {
            return Err(self.unexpected("unexpected symbol"));
        };
        loop {
            expr = if self.take(".") {
                let name = self.name()?;
                Expr::Index(Box::new(expr), Box::new(Expr::Text(name.as_bytes().into())))
            } else if self.take("[") {
                let key = self.expression(0)?;
                self.expect("]")?;
                Expr::Index(Box::new(expr), Box::new(key))
            } else if self.take(":") {
                let name = self.name()?.into();
                match self.arguments()? {
                    Some(list) => Expr::Method(Box::new(expr), name, list),
                    None => return Err(self.unexpected("function arguments expected")),
                }
            } else if let Some(list) = self.arguments()? {
                Expr::Call(Box::new(expr), list)
            } else {
                return Ok(expr);
            };
        }
    }

    fn name(&mut self) -> Result<&'a str, TemplateError> {
        match self.peek().kind {
            Kind::Name => Ok(self.next().text),
            _ => Err(self.unexpected("'<name>' expected")),
        }
    }

    /// The arguments of a call, if one stands here.
    fn arguments(&mut self) -> Result<Option<Box<[Expr]>>, TemplateError> {
        if let Kind::Text(value) = &self.peek().kind {
            let only = Expr::Text(value.clone());
            self.next();
            return Ok(Some([only].into()));
        }
        if self.is("{") {
            return Err(TemplateError::Unsupported("a table".to_owned()));
        }
        if !self.take("(") {
            return Ok(None);
        }
        let mut list = Vec::new();
        if self.take(")") {
            return Ok(Some(list.into()));
        }
        loop {
            list.push(self.expression(0)?);
            if !self.take(",") {
                self.expect(")")?;
                return Ok(Some(list.into()));
            }
        }
    }
}

fn joined(sign: &str, left: Box<Expr>, right: Box<Expr>) -> Expr {
    let operator = match sign {
        "or" => return Expr::Or(left, right),
        "and" => return Expr::And(left, right),
        "+" => Operator::Add,
        "-" => Operator::Subtract,
        "*" => Operator::Multiply,
        "/" => Operator::Divide,
        "%" => Operator::Modulo,
        "^" => Operator::Power,
        ".." => Operator::Concat,
        "==" => Operator::Equal,
        "~=" => Operator::Differs,
        "<" => Operator::Less,
        "<=" => Operator::LessOrEqual,
        ">" => Operator::Greater,
        _ => Operator::GreaterOrEqual,
    };
    Expr::Binary(operator, left, right)
}
