//! A condition on a request, in the language of the router's expressions, apart from any route.

use std::fmt;

use super::{RequestInput, expr::Expr, expressions, match_input::MatchInput};

/// A condition on a request: `http.method == "OPTIONS" && http.headers.origin contains ""`.
#[derive(Clone, PartialEq)]
pub struct Condition {
    source: String,
    expr: Expr,
}

impl Condition {
    /// Parses a condition.
    ///
    /// # Errors
    /// If the text is not an expression of the router, with the parser's message.
    pub fn parse(source: impl Into<String>) -> Result<Self, String> {
        let source = source.into();
        expressions::condition(&source).map(|expr| Condition { source, expr })
    }

    /// Returns whether a request meets the condition; `path` is normalised.
    pub fn matches(&self, request: &RequestInput<'_>, path: &[u8]) -> bool {
        self.expr.matches(&MatchInput::of_request(request, path), &mut None)
    }

    /// Returns the text that was parsed.
    pub fn source(&self) -> &str {
        &self.source
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.source).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use http::HeaderMap;

    use super::*;

    #[test]
    fn a_condition_is_tested_without_a_route() {
        let condition = Condition::parse(r#"http.method == "GET" && !(net.src.ip in 10.0.0.0/8)"#);
        let condition = condition.expect("an expression");
        let headers = HeaderMap::new();
        let matches = |method: &str, address: [u8; 4]| {
            let request = RequestInput {
                method,
                https: false,
                host: None,
                query: "",
                headers: &headers,
                sni: None,
                source: (Ipv4Addr::from(address).into(), 1),
                destination: (Ipv4Addr::LOCALHOST.into(), 80),
            };
            condition.matches(&request, b"/")
        };
        assert!(matches("GET", [11, 0, 0, 1]));
        assert!(!matches("POST", [11, 0, 0, 1]));
        assert!(!matches("GET", [10, 0, 0, 1]));
        assert!(Condition::parse("http.colour == \"red\"").is_err());
    }
}
