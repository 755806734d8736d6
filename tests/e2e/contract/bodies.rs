//! Bodies: request bodies as they stream, response bodies with their trailers, whole response bodies, and replies whose
//! body is a stream. And where a request is sent.

use std::time::Duration;

use bytes::Bytes;
use gatewayctl::{
    model::State,
    net::BodyError,
    plugin::{
        BodyFlow, BuildContext, BuildError, Chunk, Ctx, Hook, HookFuture, HookResult, LocalReply, Phases,
        Plugin, ReplyStream, RequestBodyFilter, ShortCircuit, UpstreamTimeouts, native,
        testing::{PluginHarness, request},
    },
};
use http::{HeaderValue, StatusCode, header};
use http_body_util::StreamBody;
use hyper::body::Frame;
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::rig::*;

/// Changes and ends bodies; `mode` selects how.
struct Scribe {
    mode: String,
}

#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ScribeConfig {
    mode: String,
}

impl Plugin for Scribe {
    const NAME: &'static str = "scribe";
    const PRIORITY: i32 = 30;
    const PHASES: Phases<Self> = Phases {
        access: Hook::Sync(Self::access),
        request_body: Some(Self::request_body),
        response: Hook::Async(Self::response),
        header_filter: Some(Self::header_filter),
        body_filter: Some(Self::body_filter),
        ..Phases::NONE
    };
    const MAX_RESPONSE_BODY_BYTES: usize = 16;
    type Config = ScribeConfig;

    fn build(config: ScribeConfig, _: &mut BuildContext<'_>) -> Result<Self, BuildError> {
        Ok(Scribe { mode: config.mode })
    }

    fn phases(&self) -> gatewayctl::plugin::PhaseSet {
        use gatewayctl::plugin::Phase::{Access, BodyFilter, HeaderFilter, RequestBody, Response};
        let all = [
            (Access, ["stream", "elsewhere"].contains(&&*self.mode)),
            (RequestBody, self.mode.starts_with("request")),
            (Response, self.mode == "whole"),
            (HeaderFilter, self.mode == "panic-head"),
            (BodyFilter, ["end", "abort", "trailers", "panic-body"].contains(&&*self.mode)),
        ];
        all.into_iter()
            .fold(gatewayctl::plugin::PhaseSet::EMPTY, |set, (phase, is_on)| set.with(phase, is_on))
    }
}

/// Turns a body to capitals, and ends or rejects it at a `!`.
struct Capitals {
    rejects: bool,
}

impl RequestBodyFilter for Capitals {
    fn filter(&mut self, chunk: &mut Chunk) -> BodyFlow {
        let at = chunk.data.iter().position(|byte| *byte == b'!');
        if at.is_some() && self.rejects {
            return BodyFlow::Abort(BodyError::TooLong { limit: 0 });
        }
        let data = chunk.data.slice(..at.unwrap_or(chunk.data.len()));
        chunk.data = data.to_ascii_uppercase().into();
        if at.is_some() { BodyFlow::End } else { BodyFlow::Continue }
    }
}

impl Scribe {
    fn access(&self, ctx: Ctx<'_>) -> HookResult {
        let overrides = &mut ctx.exchange.upstream_overrides;
        match &*self.mode {
            "stream" => {
                let events = ["data: 1\n\n", "data: 2\n\n"].map(|text| Ok(Frame::data(Bytes::from(text))));
                let events = StreamBody::new(futures_util::stream::iter(events));
                let mut reply = LocalReply::empty(StatusCode::OK);
                reply.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
                Err(ShortCircuit::Stream(Box::new(reply), ReplyStream::new(events)))
            }
            _ => {
                overrides.service = ctx.state.services.by_name("other");
                overrides.retries = Some(0);
                let second = Duration::from_secs(1);
                let timeouts = UpstreamTimeouts { connect: second, write: second, read: second };
                overrides.timeouts = Some(timeouts);
                Ok(())
            }
        }
    }

    fn request_body(&self, _: Ctx<'_>) -> Option<Box<dyn RequestBodyFilter>> {
        Some(Box::new(Capitals { rejects: self.mode == "request-reject" }))
    }

    fn response<'a>(&'a self, ctx: Ctx<'a>) -> HookFuture<'a> {
        let response = &mut ctx.exchange.response;
        if response.body == "secret" {
            return HookFuture::Ready(Err(LocalReply::message(StatusCode::BAD_GATEWAY, "withheld").into()));
        }
        response.body = [b"<", &response.body[..], b">"].concat().into();
        response.status = StatusCode::CREATED;
        HookFuture::Ready(Ok(()))
    }

    fn header_filter(&self, _: Ctx<'_>) {
        panic!("in a header filter");
    }

    fn body_filter(&self, _: Ctx<'_>, chunk: &mut Chunk) -> BodyFlow {
        match &*self.mode {
            "end" if chunk.data.contains(&b'.') => {
                chunk.data = Bytes::from_static(b"end");
                BodyFlow::End
            }
            "panic-body" => panic!("in a body filter"),
            "abort" if chunk.last => BodyFlow::Abort(BodyError::Unreadable("it must not be sent")),
            "trailers" => {
                if let Some(trailers) = &mut chunk.trailers {
                    let sum = trailers.remove("x-sum").unwrap_or(HeaderValue::from_static("none"));
                    trailers.insert("x-seen", sum);
                    chunk.data = Bytes::from_static(b"+");
                }
                BodyFlow::Continue
            }
            _ => BodyFlow::Continue,
        }
    }
}

fn harness(mode: &str) -> PluginHarness {
    let state = State::default();
    PluginHarness::new::<Scribe>(json!({"mode": mode}), state).expect("settings are valid")
}

fn rig(upstream: &Upstream, mode: &str, other: Option<&Upstream>) -> Rig {
    let other = other
        .map_or_else(String::new, |other| format!("- {{name: other, url: 'http://{}'}}\n", other.address));
    let text = format!(
        "_format_version: '3.0'\nservices:\n- name: s\n  url: http://{}\n  routes:\n  - {{name: r, paths: [/]}}\n{other}\
         plugins:\n- {{name: scribe, config: {{mode: {mode}}}}}\n",
        upstream.address,
    );
    Rig::of_plugins(&text, super::registry([native::<Scribe>()]), &[plain()])
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: close, TE\r\n\r\n";

#[test]
fn the_harness_filters_bodies() {
    let mut exchange = request("POST", "/", &[], "");
    let (sent, error) = harness("request").request_body(&mut exchange, &["abc", "d!e", "f"]);
    assert_eq!((sent.as_str(), error.is_none()), ("ABCD", true));
    let (sent, error) = harness("request-reject").request_body(&mut exchange, &["abc", "d!e"]);
    assert_eq!((sent.as_str(), error.is_some()), ("ABC", true));
    assert_eq!(harness("end").body_filter(&mut exchange, &["ab", "c.", "d"]), "abend");
    let whole = harness("whole");
    whole.response(&mut exchange, StatusCode::OK, "abc").expect("the response passes");
    assert_eq!((exchange.response.status, &exchange.response.body[..]), (StatusCode::CREATED, &b"<abc>"[..]));
    assert!(whole.response(&mut exchange, StatusCode::OK, "secret").is_err());
    assert!(matches!(harness("stream").access(&mut exchange), Err(ShortCircuit::Stream(..))));
}

#[tokio::test]
async fn a_request_body_is_filtered_while_it_is_sent() {
    let upstream = Upstream::echo().await;
    let gateway = rig(&upstream, "request", None);
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (request, sent) in [
        (format!("{chunked}3\r\nabc\r\n3\r\nd!e\r\n0\r\n\r\n"), "ABCD"),
        ("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc".to_owned(), "ABC"),
    ] {
        let answer = gateway.send(&request).await;
        assert!(status(&answer) == 200 && answer.ends_with(sent), "{answer}");
    }
    // Without a body there is nothing to filter.
    assert_eq!(status(&gateway.send(GET).await), 200);
}

#[tokio::test]
async fn a_filter_rejects_a_request_body() {
    let upstream = Upstream::echo().await;
    let gateway = rig(&upstream, "request-reject", None);
    let answer =
        gateway.send("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\na!c").await;
    assert_eq!((status(&answer), upstream.connections()), (413, 0), "{answer}");
}

#[tokio::test]
async fn a_whole_response_is_changed_under_a_limit() {
    for (body, expected, text) in [
        ("abc", 201, "<abc>"),
        ("secret", 502, r#"{"message":"withheld"}"#),
        ("longer than sixteen bytes", 502, ""),
    ] {
        let answer: &'static str =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).leak();
        let upstream = Upstream::raw(answer).await;
        let answer = rig(&upstream, "whole", None).send(GET).await;
        assert!(status(&answer) == expected && answer.ends_with(text), "{answer}");
    }
}

#[tokio::test]
async fn a_panic_in_a_filter_withholds_the_response() {
    let upstream =
        Upstream::raw("HTTP/1.1 200 OK\r\nX-Hide: secret\r\nContent-Length: 6\r\n\r\nsecret").await;
    let answer = rig(&upstream, "panic-head", None).send(GET).await;
    assert!(status(&answer) == 500 && !answer.contains("secret"), "{answer}");
    let answer = rig(&upstream, "panic-body", None).send(GET).await;
    assert!(!answer.ends_with("secret"), "{answer}");
}

#[tokio::test]
async fn a_body_filter_ends_and_aborts_a_response() {
    let upstream = Upstream::script(|mut stream, _| async move {
        read_message(&mut stream).await;
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n";
        let _ = stream.write_all(head.as_bytes()).await;
        let _ = stream.write_all(b"2\r\nc.\r\n").await;
        // The rest does not come, unless the gateway closes the connection.
        let _ = read_message(&mut stream).await;
    })
    .await;
    let answer = rig(&upstream, "end", None).send(GET).await;
    assert!(answer.contains("end\r\n") && answer.ends_with("0\r\n\r\n"), "{answer}");
    let upstream =
        Upstream::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n").await;
    let answer = rig(&upstream, "abort", None).send(GET).await;
    assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn a_body_filter_sees_and_changes_trailers() {
    let upstream = Upstream::raw(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n2\r\nab\r\n0\r\nx-sum: 7\r\n\r\n",
    )
    .await;
    let answer = rig(&upstream, "trailers", None).send(GET).await;
    let end = answer.split("ab").last().unwrap_or_default().to_ascii_lowercase();
    assert!(end.contains("+\r\n0\r\nx-seen: 7\r\n"), "{answer}");
}

#[tokio::test]
async fn a_reply_may_be_a_stream() {
    let upstream = Upstream::echo().await;
    let answer = rig(&upstream, "stream", None).send(GET).await;
    assert_eq!(field(&answer, "content-type"), Some("text/event-stream"), "{answer}");
    assert!(answer.contains("data: 1\n\n") && answer.contains("data: 2\n\n"), "{answer}");
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn a_plugin_selects_another_service() {
    let (upstream, other) = (Upstream::echo().await, Upstream::raw("HTTP/1.1 204 No Content\r\n\r\n").await);
    let answer = rig(&upstream, "elsewhere", Some(&other)).send(GET).await;
    assert_eq!((status(&answer), upstream.connections(), other.connections()), (204, 0, 1), "{answer}");
}
