//! A request from its head to the end of its response. Dropping it runs the log phase and writes the record, exactly
//! once, whatever has ended the request.
//!
//! ```text
//!            handler runs            head built             body sent, or broken off
//!  ActiveRequest -------------> ActiveRequest -----------> ResponseBody ----------------------> dropped
//!      |  the client leaves: 499                                                         ^
//!      '---------------------------------------------------------------------------------'
//! ```

use std::{rc::Rc, time::SystemTime};

use http::{StatusCode, Version};
use smallvec::SmallVec;

use super::{pipeline::PipelineState, request_metrics::RequestMetrics, worker::ConnContext};
use plugin::{Exchange, Request, ResponseSource};
use runtime::SnapshotRef;
use telemetry::{AccessLog, EndedBy, Record, RequestLine, Source, Tls};

/// nginx's status for a client that left before the response.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// Where records are written.
#[derive(Debug, Default)]
pub struct Sinks {
    pub metrics: Option<RequestMetrics>,
    pub access_log: Option<AccessLog>,
}

impl Sinks {
    /// Whether records are needed at all.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.metrics.is_some() || self.access_log.is_some()
    }

    /// Whether the fields of responses are retained for the record.
    pub fn needs_response_headers(&self) -> bool {
        self.access_log.as_ref().is_some_and(|log| log.format().uses_response_headers())
    }
}

/// A request and its response.
#[derive(Debug)]
pub struct ActiveRequest {
    pub pipeline: PipelineState,
    /// The snapshot that it uses from start to end.
    pub snap: SnapshotRef,
    conn_ctx: Rc<ConnContext>,
    /// Whether body filters run.
    pub runs_body_filter: bool,
    /// Whether the body filters have seen the last chunk.
    pub is_body_filtered: bool,
    pub transfer: Transfer,
}

/// What is known of the transfer of a response.
#[derive(Debug)]
pub struct Transfer {
    /// The status that was sent; `None` before the head.
    pub status: Option<u16>,
    /// Code of the error that is responded with.
    pub error: Option<&'static str>,
    pub ended_by: EndedBy,
    /// Bytes of the head.
    pub head_bytes: u64,
    /// Bytes of the body that have left the filters.
    pub body_bytes: u64,
    /// Bytes that were written to the connection, where that is known.
    pub written_bytes: Option<u64>,
}

impl ActiveRequest {
    /// Starts a request.
    pub fn start(conn_ctx: &Rc<ConnContext>, request: Request) -> Box<Self> {
        let number = conn_ctx.requests.get() + 1;
        conn_ctx.requests.set(number);
        let worker = &conn_ctx.worker;
        worker.requests.set(worker.requests.get() + 1);
        let client = plugin::Client { request_number: number, ..conn_ctx.client.clone() };
        let exchange = Exchange::new(client, request, worker.request_id());
        Box::new(ActiveRequest {
            pipeline: PipelineState { exchange, selected: SmallVec::new() },
            snap: worker.snapshot(),
            conn_ctx: Rc::clone(conn_ctx),
            runs_body_filter: false,
            is_body_filtered: false,
            transfer: Transfer {
                status: None,
                error: None,
                // Until the response is complete, only its end can be early.
                ended_by: EndedBy::Client,
                head_bytes: 0,
                body_bytes: 0,
                written_bytes: None,
            },
        })
    }

    /// Records a request that gets no response through the pipeline: its head was refused or never completed, or its
    /// stream was reset before it started.
    pub fn record_refused(conn_ctx: &Rc<ConnContext>, request: Request, refusal: Refusal) {
        if !conn_ctx.worker.sinks.is_on() {
            return;
        }
        let mut active = Self::start(conn_ctx, request);
        let Refusal { status, error, ended_by } = refusal;
        active.pipeline.exchange.response.status = StatusCode::from_u16(status).unwrap_or_default();
        active.transfer.status = Some(status);
        active.transfer.error = error;
        active.transfer.ended_by = ended_by;
    }

    fn write_record(&self) {
        let ActiveRequest { pipeline: PipelineState { exchange, .. }, snap, conn_ctx, transfer, .. } = self;
        let sinks = &conn_ctx.worker.sinks;
        let status = transfer.status.unwrap_or(CLIENT_CLOSED_REQUEST);
        if let Some(metrics) = &sinks.metrics {
            metrics.count(snap, exchange, status, transfer.error, transfer.ended_by);
        }
        let Some(access_log) = &sinks.access_log else { return };
        let (request, state) = (&exchange.request, &snap.state);
        let mut ids = [[0; 36]; 3];
        let [route_id, service_id, consumer_id] = &mut ids;
        let sent_body_bytes = match transfer.written_bytes {
            Some(written) if transfer.ended_by != EndedBy::Complete => {
                transfer.body_bytes.min(written.saturating_sub(transfer.head_bytes))
            }
            _ => transfer.body_bytes,
        };
        access_log.log(&Record {
            ended_at: SystemTime::now(),
            duration: exchange.received_at.elapsed(),
            request_id: exchange.id.0,
            client: exchange.client.ip,
            peer: exchange.client.peer,
            local: exchange.client.local,
            connection: exchange.client.connection_number,
            connection_request: exchange.client.request_number,
            tls: conn_ctx.tls.map(|(version, cipher)| Tls {
                version,
                cipher,
                server_name: exchange.client.sni.as_deref(),
            }),
            protocol: match request.version {
                Version::HTTP_10 => "HTTP/1.0",
                Version::HTTP_2 => "HTTP/2.0",
                _ => "HTTP/1.1",
            },
            scheme: exchange.scheme(),
            request: (!request.received.is_refused).then(|| RequestLine {
                method: request.method.as_str(),
                path: request.uri.path(),
                query: request.uri.query(),
            }),
            request_headers: &Fields(&request.headers),
            request_bytes: request.received.bytes(),
            status,
            response_headers: &Fields(&exchange.response.headers),
            sent_bytes: transfer.written_bytes.unwrap_or(transfer.head_bytes + transfer.body_bytes),
            sent_body_bytes,
            tries: &exchange.tries,
            route: exchange.route().map(|route| {
                let route = &state.routes[route];
                name_or_id(route.name.as_deref(), route.id, route_id)
            }),
            service: exchange.service().map(|service| {
                let service = &state.services[service];
                name_or_id(service.name.as_deref(), service.id, service_id)
            }),
            consumer: exchange.consumer.map(|consumer| {
                let consumer = &state.consumers[consumer];
                let name = consumer.username.as_deref().or(consumer.custom_id.as_deref());
                name_or_id(name, consumer.id, consumer_id)
            }),
            source: match exchange.response.source {
                ResponseSource::Upstream => Source::Upstream,
                ResponseSource::Plugin => Source::Plugin,
                ResponseSource::Gateway => Source::Gateway,
            },
            ended_by: transfer.ended_by,
            error: transfer.error,
            limited_by: exchange.limited_by,
        });
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        let worker = &self.conn_ctx.worker;
        let (transfer, is_panicking) = (&mut self.transfer, std::thread::panicking());
        if is_panicking {
            transfer.error = Some("panic");
            // Before the head, the client gets the response that stands for a panic.
            transfer.ended_by = if transfer.status.is_none() { EndedBy::Complete } else { EndedBy::Gateway };
            transfer.status.get_or_insert(500);
        }
        if worker.is_shut_down.get() && transfer.ended_by == EndedBy::Client {
            transfer.ended_by = EndedBy::Gateway;
        }
        if transfer.status.is_none() {
            let response = &mut self.pipeline.exchange.response;
            response.status = StatusCode::from_u16(CLIENT_CLOSED_REQUEST).unwrap_or_default();
            response.source = ResponseSource::Gateway;
        }
        if !is_panicking {
            self.pipeline.log(&self.snap);
        }
        if worker.sinks.is_on() {
            self.write_record();
        }
    }
}

/// Why a request gets no response through the pipeline.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    pub status: u16,
    pub error: Option<&'static str>,
    pub ended_by: EndedBy,
}

/// Header fields for the record.
struct Fields<'a>(&'a http_codec::Headers);

impl telemetry::Headers for Fields<'_> {
    fn value(&self, name: &str) -> Option<&[u8]> {
        self.0.first_value(name)
    }
}

/// The name of an entity, or its id, formatted in `buffer`.
fn name_or_id<'a>(name: Option<&'a str>, id: uuid::Uuid, buffer: &'a mut [u8; 36]) -> &'a str {
    match name {
        Some(name) => name,
        None => id.hyphenated().encode_lower(buffer),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        sync::Arc,
        time::Duration,
    };

    use http::Method;

    use super::*;
    use crate::http2::harness::loopback_context;
    use model::State;
    use net::Body;
    use runtime::{Gateway, Options, compile};
    use store::Stores;
    use telemetry::{Destination, Format, Registry};

    #[test]
    fn a_request_whose_task_panics_is_recorded_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let format = Format::parse("$status $gateway_error $gateway_ended_by", Default::default()).unwrap();
        let destination = Destination { name: "proxy", path: path.clone(), format };
        let access_log = AccessLog::open(destination, &Registry::new(1)).unwrap();
        let (options, stores) =
            (Options { access_log: Some(access_log.clone()), ..Options::default() }, Stores::default());
        let (snapshot, _) = compile(Arc::new(State::default()), &options, &stores, None);
        let conn_ctx = loopback_context(&Gateway::new(options, stores, snapshot));
        let request = || {
            let uri = http::Uri::from_static("/");
            Request::new(Method::GET, uri, Version::HTTP_11, Default::default(), Body::Empty)
        };
        let panicking = catch_unwind(AssertUnwindSafe(|| {
            let _in_flight = ActiveRequest::start(&conn_ctx, request());
            panic!("in a filter");
        }));
        assert!(panicking.is_err());
        drop(ActiveRequest::start(&conn_ctx, request()));
        conn_ctx.worker.is_shut_down.set(true);
        drop(ActiveRequest::start(&conn_ctx, request()));
        assert!(access_log.flush(Duration::from_secs(20)));
        let lines = std::fs::read_to_string(&path).unwrap();
        assert_eq!(lines, "500 panic complete\n499 - client\n499 - gateway\n");
    }
}
