//! Where a request may carry a token, and what a token is made of (RFC 7515, compact form).

use std::borrow::Cow;

use base64::{
    Engine,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{HeaderName, header::COOKIE};
use smallvec::SmallVec;

use super::{
    claims::{Claims, Value},
    verify::Algorithm,
};
use plugin::Request;

/// Base64url, with or without padding.
pub const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Where to look.
#[derive(Debug)]
pub struct TokenSources {
    /// Arguments of the query.
    pub arguments: Vec<String>,
    /// Cookies.
    pub cookies: Vec<String>,
    /// Headers, with `Bearer` in front of the token.
    pub headers: Vec<HeaderName>,
}

/// What a request carries.
#[derive(Debug, PartialEq, Eq)]
pub enum TokenLookup<'a> {
    /// No token.
    Missing,
    /// An argument without a value, and no token beside it.
    NotText,
    /// One token, maybe in several sources.
    Token(Cow<'a, str>),
    /// Tokens that differ.
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
    /// All tokens of a request; equal ones count once.
    pub fn find<'r>(&self, request: &'r Request) -> TokenLookup<'r> {
        let mut lookup = TokenLookup::Missing;
        if !self.arguments.is_empty() {
            for (name, value) in request.query_args() {
                if self.arguments.iter().any(|n| **n == name) {
                    lookup.add(value);
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

/// The first cookie of that name, whatever its case.
fn cookie<'r>(request: &'r Request, name: &str) -> Option<&'r str> {
    request.headers.get_all(COOKIE).iter().filter_map(|header| header.to_str().ok()).find_map(|header| {
        header.split(';').find_map(|pair| {
            let (n, value) = pair.split_once('=')?;
            n.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    })
}

/// What follows the first `Bearer` (or `bearer`, no other case) and white space.
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

/// Room for a token's decoded header and payload.
pub type Decoded = SmallVec<[u8; 1024]>;

/// A token taken apart; nothing in it is proven yet.
pub struct Parts<'a> {
    /// What it says it is signed with.
    pub algorithm: Algorithm,
    /// From its header.
    pub header: Claims<'a>,
    /// From its payload.
    pub claims: Claims<'a>,
    /// What the signature is over.
    pub signed: &'a [u8],
    /// The signature.
    pub signature: SmallVec<[u8; 64]>,
}

/// Takes a token apart; `key` is the claim that names the credential.
///
/// # Errors
/// What is wrong with it, in a few words.
pub fn parse<'a>(token: &'a str, key: &str, decoded: &'a mut Decoded) -> Result<Parts<'a>, &'static str> {
    const JSON: &str = "invalid JSON";
    let (header, rest) = token.split_once('.').ok_or(JSON)?;
    let (payload, signature) = rest.split_once('.').ok_or(JSON)?;

    let split = append(header, decoded).ok_or(JSON)?;
    append(payload, decoded).ok_or(JSON)?;
    let (header, payload) = decoded.split_at(split);
    let header = Claims::read(header, key).map_err(|_| JSON)?;
    let claims = Claims::read(payload, key).map_err(|_| JSON)?;

    let Value::Text(algorithm) = &header.alg else { return Err("invalid alg") };
    let algorithm = Algorithm::from_name(algorithm).ok_or("invalid alg")?;
    if header.crit != Value::Nothing {
        return Err("invalid crit");
    }
    let signed = &token.as_bytes()[..token.len() - signature.len() - 1];
    let mut raw = SmallVec::new();
    append(signature, &mut raw).ok_or("invalid signature")?;
    Ok(Parts { algorithm, header, claims, signed, signature: raw })
}

/// Decodes base64url onto the end of `into`; returns the new length.
fn append<A: smallvec::Array<Item = u8>>(text: &str, into: &mut SmallVec<A>) -> Option<usize> {
    let start = into.len();
    into.resize(start + base64::decoded_len_estimate(text.len()), 0);
    let length = BASE64URL.decode_slice(text, &mut into[start..]).ok()?;
    into.truncate(start + length);
    Some(start + length)
}
