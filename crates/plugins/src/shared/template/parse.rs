//! Parser of Lua expressions, by precedence climbing.

use super::{
    TemplateError,
    lex::{Token, TokenKind, tokens},
};

/// An expression.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Expr {
    Nil,
    Bool(bool),
    Number(f64),
    Text(Box<[u8]>),
    /// A global name.
    Global(Box<str>),
    /// An index operation: the table and the key.
    Index(Box<Expr>, Box<Expr>),
    Call(Box<Expr>, Box<[Expr]>),
    /// A method call: `text:upper()`.
    Method(Box<Expr>, Box<str>, Box<[Expr]>),
    Not(Box<Expr>),
    Negate(Box<Expr>),
    Length(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
}

/// A binary operator that always evaluates both operands.
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
    /// Visits every global name.
    pub fn globals(&self, visit: &mut dyn FnMut(&str)) {
        match self {
            Expr::Nil | Expr::Bool(_) | Expr::Number(_) | Expr::Text(_) => {}
            Expr::Global(name) => visit(name),
            Expr::Not(of) | Expr::Negate(of) | Expr::Length(of) => of.globals(visit),
            Expr::Index(a, b) | Expr::And(a, b) | Expr::Or(a, b) | Expr::Binary(_, a, b) => {
                a.globals(visit);
                b.globals(visit);
            }
            Expr::Call(of, list) | Expr::Method(of, _, list) => {
                of.globals(visit);
                list.iter().for_each(|item| item.globals(visit));
            }
        }
    }
}

/// Maximum nesting depth of expressions: the limit of Lua.
const MAX_DEPTH: usize = 200;

/// Precedence of `-`, `not` and `#`: higher than all binary operators except `^`.
const UNARY_PRECEDENCE: u8 = 8;

/// Parses a text that consists of one expression.
pub fn parse(text: &str) -> Result<Expr, TemplateError> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
    let expr = parser.expression(0)?;
    match parser.peek().kind {
        TokenKind::End => Ok(expr),
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
        // The end token is never consumed, so that there is always a token to peek at.
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn is(&self, sign: &str) -> bool {
        self.peek().kind == TokenKind::Symbol && self.peek().text == sign
    }

    fn eat(&mut self, sign: &str) -> bool {
        let found = self.is(sign);
        if found {
            self.next();
        }
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), TemplateError> {
        if self.eat(sign) { Ok(()) } else { Err(self.unexpected(&format!("'{sign}' expected"))) }
    }

    fn unexpected(&self, what: &str) -> TemplateError {
        TemplateError::Syntax(format!("{what} near '{}'", self.peek().text))
    }

    /// Parses an expression with operators of a higher precedence than `min_precedence`.
    fn expression(&mut self, min_precedence: u8) -> Result<Expr, TemplateError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(TemplateError::Syntax("chunk has too many syntax levels".to_owned()));
        }
        let mut left = self.operand()?;
        while let Some((sign, [left_precedence, right_precedence])) = self.operator()
            && left_precedence > min_precedence
        {
            self.next();
            let right = self.expression(right_precedence)?;
            left = binary_expr(sign, Box::new(left), Box::new(right));
        }
        self.depth -= 1;
        Ok(left)
    }

    /// Returns the operator at the current token with its left and right precedence.
    fn operator(&self) -> Option<(&'a str, [u8; 2])> {
        let token = self.peek();
        if token.kind != TokenKind::Symbol {
            return None;
        }
        let precedence = match token.text {
            "or" => [1, 1],
            "and" => [2, 2],
            "<" | ">" | "<=" | ">=" | "~=" | "==" => [3, 3],
            ".." => [5, 4],
            "+" | "-" => [6, 6],
            "*" | "/" | "%" => [7, 7],
            "^" => [10, 9],
            _ => return None,
        };
        Some((token.text, precedence))
    }

    fn operand(&mut self) -> Result<Expr, TemplateError> {
        let token = self.peek().clone();
        let expr = match (&token.kind, token.text) {
            (TokenKind::Number(value), _) => Expr::Number(*value),
            (TokenKind::Text(value), _) => Expr::Text(value.clone()),
            (TokenKind::Symbol, "nil") => Expr::Nil,
            (TokenKind::Symbol, "true") => Expr::Bool(true),
            (TokenKind::Symbol, "false") => Expr::Bool(false),
            (TokenKind::Symbol, sign @ ("not" | "-" | "#")) => {
                self.next();
                let of = Box::new(self.expression(UNARY_PRECEDENCE)?);
                return Ok(match sign {
                    "not" => Expr::Not(of),
                    "-" => Expr::Negate(of),
                    _ => Expr::Length(of),
                });
            }
            (TokenKind::Symbol, "function") => {
                return Err(TemplateError::Unsupported("a function".to_owned()));
            }
            (TokenKind::Symbol, "{") => return Err(TemplateError::Unsupported("a table".to_owned())),
            (TokenKind::Symbol, "...") => {
                return Err(TemplateError::Syntax(
                    "cannot use '...' outside a vararg function near '...'".to_owned(),
                ));
            }
            _ => return self.postfix_expression(),
        };
        self.next();
        Ok(expr)
    }

    /// Parses a name or a parenthesised expression, followed by indexing and calls.
    fn postfix_expression(&mut self) -> Result<Expr, TemplateError> {
        let mut expr = if self.peek().kind == TokenKind::Name {
            Expr::Global(self.next().text.into())
        } else if self.eat("(") {
            let inner = self.expression(0)?;
            self.expect(")")?;
            inner
        } else {
            return Err(self.unexpected("unexpected symbol"));
        };
        loop {
            expr = if self.eat(".") {
                let name = self.name()?;
                Expr::Index(Box::new(expr), Box::new(Expr::Text(name.as_bytes().into())))
            } else if self.eat("[") {
                let key = self.expression(0)?;
                self.expect("]")?;
                Expr::Index(Box::new(expr), Box::new(key))
            } else if self.eat(":") {
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
            TokenKind::Name => Ok(self.next().text),
            _ => Err(self.unexpected("'<name>' expected")),
        }
    }

    /// Parses the arguments of a call, if the current token starts any.
    fn arguments(&mut self) -> Result<Option<Box<[Expr]>>, TemplateError> {
        if let TokenKind::Text(value) = &self.peek().kind {
            let only = Expr::Text(value.clone());
            self.next();
            return Ok(Some([only].into()));
        }
        if self.is("{") {
            return Err(TemplateError::Unsupported("a table".to_owned()));
        }
        if !self.eat("(") {
            return Ok(None);
        }
        let mut list = Vec::new();
        if self.eat(")") {
            return Ok(Some(list.into()));
        }
        loop {
            list.push(self.expression(0)?);
            if !self.eat(",") {
                self.expect(")")?;
                return Ok(Some(list.into()));
            }
        }
    }
}

fn binary_expr(sign: &str, left: Box<Expr>, right: Box<Expr>) -> Expr {
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
