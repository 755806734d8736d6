//! `request-transformer`: modifies requests before they are sent to the upstream.
//!
//! This module applies the rules in order, and sets the path and the method. The configuration is in [`config`], its
//! compiled form in [`rules`]; headers, arguments and bodies have a module each.

mod args;
mod body;
mod config;
mod headers;
mod multipart;
mod rules;
#[cfg(test)]
mod tests;

use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING},
};

use self::{
    args::Args,
    body::TransformError,
    config::Config,
    rules::{FieldRules, HeaderRules, restrict_lua},
};
use crate::shared::{
    body_args,
    body_format::BodyFormat,
    template::{Env, RenderError, Template},
};
use plugin::{
    self, BuildContext, BuildError, Ctx, Diagnostics, Exchange, Hook, HookFuture, HookResult, LocalReply,
    Phases, PluginTraits, ShortCircuit,
};

/// Maximum length of a body to which rules are applied. Such a body is buffered.
const MAX_BODY_BYTES: usize = body_args::MAX_BODY_BYTES;

/// Maximum length of a form that is converted to query arguments. Longer request lines are rejected by most servers.
const MAX_QUERY_FORM_BYTES: usize = 64 * 1024;

/// Methods that can be set; any other one fails.
const METHODS: &[&str] = &[
    "GET",
    "HEAD",
    "PUT",
    "POST",
    "DELETE",
    "OPTIONS",
    "MKCOL",
    "COPY",
    "MOVE",
    "PROPFIND",
    "PROPPATCH",
    "LOCK",
    "UNLOCK",
    "PATCH",
    "TRACE",
];

/// The plugin `request-transformer`.
#[derive(Debug)]
pub struct Plugin {
    uri: Option<UpstreamPath>,
    method: Option<Result<Method, String>>,
    headers: HeaderRules,
    body: FieldRules,
    query: FieldRules,
    /// Whether the templates of body or query rules use the headers as they were before the header rules. With Kong,
    /// templates use the headers as of when the first template accessed them.
    needs_original_headers: bool,
}

/// Path of the upstream request.
#[derive(Debug)]
enum UpstreamPath {
    Constant(String),
    Template(Template),
}

impl plugin::Plugin for Plugin {
    const NAME: &'static str = "request-transformer";
    const PRIORITY: i32 = 801;
    const PHASES: Phases<Self> = Phases { access: Hook::Async(Self::access), ..Phases::NONE };
    const TRAITS: PluginTraits = PluginTraits { transforms: true, changes_body: true, ..PluginTraits::NONE };
    type Config = Config;

    fn check(config: &Config, checks: &mut Diagnostics) {
        config.check(checks);
    }

    fn build(config: Config, context: &mut BuildContext<'_>) -> Result<Self, BuildError> {
        let lua_enabled = context.stores.node.untrusted_lua;
        let headers = HeaderRules::of(&config, lua_enabled)?;
        let body = FieldRules::of_body(&config, lua_enabled)?;
        let query = FieldRules::of_query(&config, lua_enabled)?;
        let uri =
            config.replace.uri.as_deref().map(Template::compile_deferred).transpose().map_err(|error| {
                let value = config.replace.uri.as_deref().unwrap_or_default();
                BuildError::at("/replace/uri", config::unsupported(value, &error))
            })?;
        let uses_headers = |template: &Template| template.uses("headers");
        let needs_original_headers = headers.templates().chain(&uri).any(uses_headers)
            && body.templates().chain(query.templates()).any(uses_headers);
        let method = config.http_method.map(|name| match Method::from_bytes(name.as_bytes()) {
            Ok(method) if METHODS.contains(&name.as_str()) => Ok(method),
            _ => Err(name),
        });
        let uri = uri
            .map(|uri| restrict_lua(uri, lua_enabled))
            .filter(|uri| uri.constant().is_none_or(|text| !text.is_empty()));
        let uri = uri.map(|uri| match uri.constant() {
            Some(path) if path.starts_with(b"/") => UpstreamPath::Constant(escape(path)),
            _ => UpstreamPath::Template(uri),
        });
        Ok(Plugin { uri, method, headers, body, query, needs_original_headers })
    }
}

impl Plugin {
    fn access<'a>(&'a self, ctx: Ctx<'a>) -> HookFuture<'a> {
        if self.may_read_body(&ctx.exchange.request.headers) {
            HookFuture::boxed(self.transform_with_body(ctx.exchange))
        } else {
            HookFuture::Ready(self.transform(ctx.exchange))
        }
    }

    fn may_read_body(&self, headers: &HeaderMap) -> bool {
        let rules_apply = body::is_expected(headers, &self.body)
            || (!self.body.is_empty() && self.headers.affects(&CONTENT_TYPE));
        rules_apply
            || (self.moves_form_to_query() && BodyFormat::mentioned(headers) == Some(BodyFormat::Form))
    }

    /// Returns whether the fields of a form become query arguments.
    fn moves_form_to_query(&self) -> bool {
        matches!(&self.method, Some(Ok(method)) if [Method::GET, Method::HEAD, Method::TRACE].contains(method))
    }

    fn transform(&self, exchange: &mut Exchange) -> HookResult {
        let original = self.original_headers(exchange);
        self.set_uri(exchange)?;
        self.set_method(exchange)?;
        headers::apply(&self.headers, exchange).map_err(render_failure)?;
        self.set_query(exchange, original.as_ref())
    }

    async fn transform_with_body(&self, exchange: &mut Exchange) -> HookResult {
        let original = self.original_headers(exchange);
        self.set_uri(exchange)?;
        self.set_method(exchange)?;
        if self.moves_form_to_query()
            && BodyFormat::mentioned(&exchange.request.headers) == Some(BodyFormat::Form)
        {
            let form = exchange.request.read_body(MAX_QUERY_FORM_BYTES).await?;
            let form = Args::read_form(&form).ok_or_else(unreadable_body)?;
            if !form.is_empty() {
                let mut query = Args::read(exchange.request.query().unwrap_or("").as_bytes());
                query.extend(form);
                exchange.request.set_query(Some(query.write_sorted()));
            }
        }
        headers::apply(&self.headers, exchange).map_err(render_failure)?;
        self.set_body(exchange, original.as_ref()).await?;
        self.set_query(exchange, original.as_ref())
    }

    fn original_headers(&self, exchange: &Exchange) -> Option<HeaderMap> {
        self.needs_original_headers.then(|| HeaderMap::clone(&exchange.request.headers))
    }

    fn set_uri(&self, exchange: &mut Exchange) -> HookResult {
        let path = match &self.uri {
            None => return Ok(()),
            Some(UpstreamPath::Constant(path)) => path.clone(),
            Some(UpstreamPath::Template(template)) => {
                let path = template.render(&Env::of(exchange)).map_err(render_failure)?;
                if !path.starts_with(b"/") {
                    return Err(ShortCircuit::Fail(
                        "[request-transformer] path must start with /".to_owned(),
                    ));
                }
                escape(&path)
            }
        };
        exchange.upstream_overrides.path = Some(path);
        Ok(())
    }

    fn set_method(&self, exchange: &mut Exchange) -> HookResult {
        match &self.method {
            None => {}
            Some(Ok(method)) => exchange.request.method = method.clone(),
            Some(Err(name)) => {
                return Err(ShortCircuit::Fail(format!("[request-transformer] invalid method: {name}")));
            }
        }
        Ok(())
    }

    async fn set_body(&self, exchange: &mut Exchange, original: Option<&HeaderMap>) -> HookResult {
        if !body::is_expected(&exchange.request.headers, &self.body) {
            return Ok(());
        }
        let body = exchange.request.read_body(MAX_BODY_BYTES).await?;
        let changed = {
            let headers = &exchange.request.headers;
            let env = Env::of(exchange).with_headers(original.unwrap_or(headers));
            match body::transform(&body, headers, &self.body, &env) {
                Ok(changed) => changed,
                // Kong forwards the body unmodified, so that a field that a rule hides would pass.
                Err(TransformError::Unreadable) if self.body.hides_fields() => return Err(unreadable_body()),
                Err(TransformError::Unreadable) => None,
                Err(TransformError::Render(error)) => return Err(render_failure(error)),
            }
        };
        if let Some(changed) = changed {
            let headers = &mut exchange.request.headers;
            headers.insert(CONTENT_LENGTH, HeaderValue::from(changed.len()));
            headers.remove(TRANSFER_ENCODING);
            drop(body);
            exchange.request.replace_body(changed)?;
        }
        Ok(())
    }

    fn set_query(&self, exchange: &mut Exchange, original: Option<&HeaderMap>) -> HookResult {
        if self.query.is_empty() {
            return Ok(());
        }
        let mut args = Args::read(exchange.request.query().unwrap_or("").as_bytes());
        let changed = {
            let env = Env::of(exchange).with_headers(original.unwrap_or(&exchange.request.headers));
            args.apply(&self.query, &env).map_err(render_failure)?
        };
        if changed {
            exchange.request.set_query((!args.is_empty()).then(|| args.write_sorted()));
        }
        Ok(())
    }
}

fn render_failure(error: RenderError) -> ShortCircuit {
    ShortCircuit::Fail(format!("[request-transformer] {error}"))
}

fn unreadable_body() -> ShortCircuit {
    LocalReply::error(StatusCode::BAD_REQUEST, "Request body cannot be read").into()
}

/// Encodes a path: `%` and the characters that RFC 3986 allows in a path are retained, all others are
/// percent-encoded.
fn escape(path: &[u8]) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path {
        if byte.is_ascii_alphanumeric() || b"!#$&'()*+,/:;=?@[]-_.~%".contains(byte) {
            out.push(char::from(*byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
