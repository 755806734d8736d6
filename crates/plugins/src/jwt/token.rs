//! Extraction of a token from a request, and parsing of its compact serialisation (RFC 7515).

use std::borrow::Cow;

use base64::{
    Engine,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{HeaderName, header::COOKIE};
use smallvec::SmallVec;

use super::{
    claims::{ClaimValue, Claims},
    verify::Algorithm,
};
use plugin::Request;

/// Base64url, with or without padding.
pub const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Parts of a request in which tokens are looked up.
#[derive(Debug)]
pub struct TokenSources {
    /// Query arguments.
    pub arguments: Vec<String>,
    /// Cookies.
    pub cookies: Vec<String>,
    /// Headers that contain the token after `Bearer`.
    pub headers: Vec<HeaderName>,
}

/// Result of looking up a token in a request.
#[derive(Debug, PartialEq, Eq)]
pub enum TokenLookup<'a> {
    /// There is no token.
    Missing,
    /// There is only an argument without a value.
    NotText,
    /// There is one token, possibly in several places.
    Token(Cow<'a, str>),
    /// There are different tokens.
    Multiple,
}

impl<'a> TokenLookup<'a> {
    fn add(&mut self, token: Option<Cow<'a, str>>) {
        let found = match token {
            Some(token) if token.is_empty() => return,
            Some(token) => TokenLookup::Token(token),
            None => TokenLookup::NotText,
        };
        if *self == TokenLookup::Missing {
            *self = found;
        } else if *self != found {
            *self = TokenLookup::Multiple;
        }
    }
}

impl TokenSources {
    /// Looks up the token in all sources. Identical tokens count once.
    pub fn find<'r>(&self, request: &'r Request) -> TokenLookup<'r> {
        let mut lookup = TokenLookup::Missing;
        if !self.arguments.is_empty() {
            for argument in request.query_args() {
                if self.arguments.iter().any(|name| argument.is(name.as_bytes())) {
                    lookup.add(argument.value_text());
                }
            }
        }
        for name in &self.cookies {
            if let Some(value) = cookie(request, name) {
                lookup.add(Some(value.into()));
            }
        }
        for name in &self.headers {
            let text = request.headers.get(name).and_then(|v| std::str::from_utf8(v.as_bytes()).ok());
            if let Some(token) = text.and_then(bearer) {
                lookup.add(Some(token.into()));
            }
        }
        lookup
    }
}

/// Returns the first cookie with this name, ignoring case.
fn cookie<'r>(request: &'r Request, name: &str) -> Option<&'r str> {
    request.headers.get_all(COOKIE).iter().filter_map(|header| header.to_str().ok()).find_map(|header| {
        header.split(';').find_map(|pair| {
            let (n, value) = pair.split_once('=')?;
            n.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    })
}

/// Returns the text after the first `Bearer` or `bearer` and white space. As with Kong, no other case is recognised.
fn bearer(header: &str) -> Option<&str> {
    header.match_indices("earer").find_map(|(at, word)| {
        if !header[..at].ends_with(['B', 'b']) {
            return None;
        }
        let rest = &header[at + word.len()..];
        let token = rest.trim_start();
        (token.len() < rest.len() && !token.is_empty()).then_some(token)
    })
}

/// Buffer for the decoded header and payload of a token.
pub type Decoded = SmallVec<[u8; 1024]>;

/// A parsed token. Its contents are not verified yet.
pub struct Parts<'a> {
    /// Algorithm in the token's header.
    pub algorithm: Algorithm,
    /// Evaluated members of the header.
    pub header: Claims<'a>,
    /// Evaluated members of the payload.
    pub claims: Claims<'a>,
    /// Signing input: the encoded header and payload.
    pub signed: &'a [u8],
    /// The signature.
    pub signature: SmallVec<[u8; 64]>,
}

/// Parses a token. `key` is the claim that identifies the credential.
///
/// # Errors
/// A short description of the syntax error.
pub fn parse<'a>(token: &'a str, key: &str, decoded: &'a mut Decoded) -> Result<Parts<'a>, &'static str> {
    const JSON: &str = "invalid JSON";
    let (header, rest) = token.split_once('.').ok_or(JSON)?;
    let (payload, signature) = rest.split_once('.').ok_or(JSON)?;

    let split = append(header, decoded).ok_or(JSON)?;
    append(payload, decoded).ok_or(JSON)?;
    let (header, payload) = decoded.split_at(split);
    let header = Claims::read(header, key).map_err(|_| JSON)?;
    let claims = Claims::read(payload, key).map_err(|_| JSON)?;

    let ClaimValue::Text(algorithm) = &header.alg else { return Err("invalid alg") };
    let algorithm = Algorithm::from_name(algorithm).ok_or("invalid alg")?;
    if header.crit != ClaimValue::Absent {
        return Err("invalid crit");
    }
    let signed = &token.as_bytes()[..token.len() - signature.len() - 1];
    let mut raw = SmallVec::new();
    append(signature, &mut raw).ok_or("invalid signature")?;
    Ok(Parts { algorithm, header, claims, signed, signature: raw })
}

/// Decodes base64url and appends it to `into`; returns the new length.
fn append<A: smallvec::Array<Item = u8>>(text: &str, into: &mut SmallVec<A>) -> Option<usize> {
    let start = into.len();
    into.resize(start + base64::decoded_len_estimate(text.len()), 0);
    let length = BASE64URL.decode_slice(text, &mut into[start..]).ok()?;
    into.truncate(start + length);
    Some(start + length)
}
