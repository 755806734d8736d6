//! HTTP on a connection, until it ends or the worker drains.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use http_body_util::BodyExt as _;
use hyper::{
    body::{Body as _, Incoming},
    server::conn::http2 as h2,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{Instant, sleep},
};

use super::{
    handle::handle,
    http2::{self, Account, Followed, Paced, Streams, Watch},
    worker::{Link, Worker},
};
use crate::{
    net::{Body, BodyError, Timer, gather},
    plugin::Request,
};

/// Bytes of an HTTP/2 stream's answer that are held for its client.
const SEND_BUFFER: usize = 64 * 1024;

/// Streams that an HTTP/2 client may have open, as with nginx.
const MAX_STREAMS: u32 = 128;
/// Streams that an HTTP/2 client may make us reset.
const MAX_ERRORS: usize = 100;

/// Serves HTTP/2 on a connection.
pub async fn serve_http2<S>(link: Rc<Link>, stream: S)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let worker = Rc::clone(&link.worker);
    let options = &worker.options;
    let account = Account::new(http2::Patience {
        idle: options.idle_timeout,
        head: options.client_timeout,
        taking: options.send_timeout,
        requests: options.requests_per_connection(),
    });
    let (stream, outlet) = gather(stream);
    let begun = Rc::clone(&account);
    let service = service_fn(move |request| {
        let pace = begun.begin();
        let answer = handle(Rc::clone(&link), taken(request), None);
        async move { Ok::<_, Infallible>(answer.await.map(|body| Paced::new(body, pace))) }
    });
    let connection = h2::Builder::new(Streams(Rc::clone(&account)))
        .max_concurrent_streams(MAX_STREAMS)
        .max_local_error_reset_streams(MAX_ERRORS)
        .max_header_list_size(u32::try_from(options.head.total).unwrap_or(u32::MAX))
        .max_send_buf_size(SEND_BUFFER)
        .serve_connection(TokioIo::new(Followed::new(stream, Rc::clone(&account))), service);
    let mut watch = Watch::new(account);
    let mut stuck = Timer::default();
    let taking = options.send_timeout;
    let end = h2::Connection::graceful_shutdown;
    // GOAWAY with the highest id at once, and with the real one a round trip later: no request is lost.
    until_ended(&worker, async {}, connection, end, |cx, told| {
        // All that could be answered now is: it leaves together.
        match outlet.poll(cx) {
            Poll::Ready(Ok(())) => stuck.stop(),
            Poll::Ready(Err(_)) => return Verdict::Cut,
            Poll::Pending => {
                stuck.set_once(|| Instant::now() + taking);
                if stuck.poll(cx).is_ready() {
                    return Verdict::Cut;
                }
            }
        }
        watch.poll(cx, told)
    })
    .await;
    // What a connection that is cut still had to say, if it fits.
    let _ = outlet.poll(&mut Context::from_waker(Waker::noop()));
}

/// A request as plugins see it.
fn taken(request: http::Request<Incoming>) -> Request {
    let (parts, body) = request.into_parts();
    let body = match body.is_end_stream() {
        true => Body::Empty,
        false => Body::Stream(Box::new(body.map_err(BodyError::from))),
    };
    Request::from_parts(parts, body)
}

/// What is to become of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Go,
    /// It ends after what is in flight.
    End,
    /// It ends now.
    Cut,
}

/// Drives a connection, which is asked to end after what is in flight when the worker drains and `linger` is
/// over, or when `watch` says so. That is asked after everything that happens, and told whether the connection
/// knows.
async fn until_ended<C: Future>(
    worker: &Worker,
    linger: impl Future<Output = ()>,
    connection: C,
    end: impl Fn(Pin<&mut C>),
    mut watch: impl FnMut(&mut Context<'_>, bool) -> Verdict,
) {
    let mut connection = pin!(connection);
    let mut drained = pin!(async {
        worker.drained().await;
        linger.await;
    });
    let (mut waiting, mut told) = (false, false);
    poll_fn(|cx| {
        let mut tell = false;
        // Before the drain, asked once: this task's waker does not change.
        if !waiting || (worker.draining.get() && !told) {
            waiting = true;
            tell = drained.as_mut().poll(cx).is_ready();
        }
        loop {
            if tell && !told {
                told = true;
                end(connection.as_mut());
            }
            if connection.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            match watch(cx, told) {
                Verdict::End if !told => tell = true,
                Verdict::Go | Verdict::End => return Poll::Pending,
                Verdict::Cut => {
                    end(connection.as_mut());
                    let _ = connection.as_mut().poll(cx);
                    return Poll::Ready(());
                }
            }
        }
    })
    .await;
}

/// Whether a clear-text connection begins with HTTP/2's preface. Looks, and takes nothing.
pub async fn speaks_http2(stream: &TcpStream) -> bool {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let mut seen = [0; PREFACE.len()];
    // What is there may be looked at again and again: a preface in pieces is waited for a while.
    for _ in 0..100 {
        match stream.peek(&mut seen).await {
            Ok(n) if n > 0 && PREFACE.starts_with(&seen[..n]) => {
                if n == PREFACE.len() {
                    return true;
                }
                sleep(Duration::from_millis(5)).await;
            }
            _ => return false,
        }
    }
    false
}
