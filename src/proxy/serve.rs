//! HTTP on a connection, until it ends or the worker drains.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use hyper::{
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::sleep,
};

use super::{
    gate::{Checked, Patience},
    handle::handle,
    worker::{Link, Worker},
};
use crate::net::OnThisThread;

/// Most fields in a request's head.
const MAX_HEADERS: usize = 1000;
/// Bytes read ahead of a slow consumer.
const BUFFER: usize = 64 * 1024;

/// Serves HTTP/1 on a connection.
pub async fn serve_http1<S>(link: Rc<Link>, stream: S)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let worker = Rc::clone(&link.worker);
    let options = &worker.options;
    let patience = Patience {
        idle: options.idle_timeout,
        stalled: options.client_timeout,
        taking: options.send_timeout,
    };
    let stream = Checked::new(stream, Arc::clone(&link.gate), patience, options.head);
    let service = service_fn(move |request| handle(Rc::clone(&link), request));
    let connection = http1::Builder::new()
        .max_headers(MAX_HEADERS)
        .max_buf_size(BUFFER.max(options.head.total * 2))
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    // A request may be on its way: closing at once would lose it. Those that come meanwhile are answered with
    // `Connection: close`.
    let linger = async { Box::pin(sleep(worker.linger.get())).await };
    until_drained(&worker, linger, connection, http1::UpgradeableConnection::graceful_shutdown).await;
}

/// Serves HTTP/2 on a connection.
pub async fn serve_http2<S>(link: Rc<Link>, stream: S)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let worker = Rc::clone(&link.worker);
    let service = service_fn(move |request| handle(Rc::clone(&link), request));
    let connection = http2::Builder::new(OnThisThread)
        .timer(TokioTimer::new())
        .max_concurrent_streams(128)
        .max_header_list_size(u32::try_from(worker.options.head.total).unwrap_or(u32::MAX))
        .keep_alive_interval(worker.options.idle_timeout)
        .serve_connection(TokioIo::new(stream), service);
    // GOAWAY with the highest id at once, and with the real one a round trip later: no request is lost.
    until_drained(&worker, async {}, connection, http2::Connection::graceful_shutdown).await;
}

/// Drives a connection; when the worker drains and `linger` is over, asks it to end after what is in flight.
async fn until_drained<C: Future>(
    worker: &Worker,
    linger: impl Future<Output = ()>,
    connection: C,
    end: impl Fn(Pin<&mut C>),
) {
    let mut connection = pin!(connection);
    let mut drained = pin!(async {
        worker.drained().await;
        linger.await;
    });
    let (mut waiting, mut told) = (false, false);
    poll_fn(|cx| {
        // Before the drain, asked once: this task's waker does not change.
        if !waiting || (worker.draining.get() && !told) {
            waiting = true;
            if drained.as_mut().poll(cx).is_ready() {
                told = true;
                end(connection.as_mut());
            }
        }
        connection.as_mut().poll(cx).map(drop)
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
