//! Write buffer of an HTTP/1 connection: head, chunk framing and body data leave in one `writev`.

use std::{
    io::{self, IoSlice, Write as _},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use tokio::io::AsyncWrite;

/// Maximum length of data that is copied behind the head: copying costs less than another buffer in `writev`, and short
/// frames leave together.
const COPY_THRESHOLD_BYTES: usize = 4 * 1024;
/// Initial capacity: a head and a short body.
const INITIAL_CAPACITY_BYTES: usize = 2 * 1024;
/// Maximum bytes that are collected by copying before they must be written.
const MAX_COPIED_BYTES: usize = 32 * 1024;

/// Bytes that have not been written to the stream yet: `head`, then `data`, then `trailing`.
#[derive(Debug, Default)]
pub struct WriteBuffer {
    /// Heads, chunk framing and data that was copied.
    head: Vec<u8>,
    /// Bytes of `head` that have been written.
    head_written: usize,
    /// Data that is written without a copy.
    data: [Bytes; 2],
    /// Chunk framing behind the data.
    trailing: &'static [u8],
    /// Whether the stream may buffer bytes since the last flush.
    needs_flush: bool,
    /// Bytes written since the connection was opened.
    written_bytes: u64,
}

impl WriteBuffer {
    /// Returns the buffer for a head, the empty line behind it included.
    pub fn head(&mut self) -> &mut Vec<u8> {
        if self.head.capacity() == 0 {
            self.head.reserve(INITIAL_CAPACITY_BYTES);
        }
        &mut self.head
    }

    /// Appends data of a body that is not chunked.
    pub fn push_data(&mut self, data: Bytes) {
        debug_assert!(self.data[1].is_empty() && self.trailing.is_empty(), "the caller checks the capacity");
        if !self.data[0].is_empty() {
            self.data[1] = data;
        } else if data.len() <= COPY_THRESHOLD_BYTES {
            self.head.extend_from_slice(&data);
        } else {
            self.data[0] = data;
        }
    }

    /// Appends a chunk.
    pub fn push_chunk(&mut self, data: Bytes) {
        write!(self.head, "{:x}\r\n", data.len()).expect("writing to a vector cannot fail");
        self.push_data(data);
        if self.data[0].is_empty() {
            self.head.extend_from_slice(b"\r\n");
        } else {
            self.trailing = b"\r\n";
        }
    }

    /// Appends the last chunk and an empty trailer section.
    pub fn push_last_chunk(&mut self) {
        if self.trailing.is_empty() {
            self.head.extend_from_slice(b"0\r\n\r\n");
        } else {
            self.trailing = b"\r\n0\r\n\r\n";
        }
    }

    /// Appends the last chunk and trailers. All data before must have been written.
    pub fn push_trailers(&mut self, trailers: &HeaderMap) {
        debug_assert!(
            self.data[0].is_empty() && self.trailing.is_empty(),
            "the caller writes the data first"
        );
        self.head.extend_from_slice(b"0\r\n");
        for (name, value) in trailers {
            self.head.extend_from_slice(name.as_str().as_bytes());
            self.head.extend_from_slice(b": ");
            self.head.extend_from_slice(value.as_bytes());
            self.head.extend_from_slice(b"\r\n");
        }
        self.head.extend_from_slice(b"\r\n");
    }

    /// Returns whether more data can be appended before the buffer is written.
    pub fn has_capacity(&self) -> bool {
        self.data[1].is_empty() && self.trailing.is_empty() && self.head.len() < MAX_COPIED_BYTES
    }

    /// Returns the bytes written since the connection was opened.
    pub fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    /// Returns whether all bytes have been written.
    pub fn is_empty(&self) -> bool {
        self.head_written == self.head.len() && self.has_no_data() && self.trailing.is_empty()
    }

    /// Returns whether all bytes have been written and flushed.
    pub fn is_flushed(&self) -> bool {
        self.is_empty() && !self.needs_flush
    }

    fn has_no_data(&self) -> bool {
        self.data.iter().all(Bytes::is_empty)
    }

    /// Discards the bytes that have not been written.
    pub fn clear(&mut self) {
        self.head.clear();
        self.head_written = 0;
        self.data = Default::default();
        self.trailing = b"";
    }

    /// Writes all bytes. The stream may buffer them until [`WriteBuffer::poll_flush`].
    ///
    /// # Errors
    /// Returns an error if the connection fails.
    pub fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let head = &self.head[self.head_written..];
            let stream = Pin::new(&mut *stream);
            let [first, second] = &self.data;
            let written = if first.is_empty() && second.is_empty() && self.trailing.is_empty() {
                ready!(stream.poll_write(cx, head))?
            } else {
                let slices = [head, first, second, self.trailing].map(IoSlice::new);
                ready!(stream.poll_write_vectored(cx, &slices))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.needs_flush = true;
            self.written_bytes += written as u64;
            self.advance(written);
        }
        self.head.clear();
        self.head_written = 0;
        Poll::Ready(Ok(()))
    }

    /// Removes the first `written` bytes.
    fn advance(&mut self, written: usize) {
        let from_head = written.min(self.head.len() - self.head_written);
        self.head_written += from_head;
        let mut remaining = written - from_head;
        for data in &mut self.data {
            let length = remaining.min(data.len());
            remaining -= length;
            data.advance(length);
            if data.is_empty() {
                // Release the handle, so that the read buffer it is a slice of can reuse its capacity.
                *data = Bytes::new();
            }
        }
        self.trailing = &self.trailing[remaining..];
    }

    /// Flushes the stream if bytes were written since the last flush.
    ///
    /// # Errors
    /// Returns an error if the connection fails.
    pub fn poll_flush<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.needs_flush {
            ready!(Pin::new(stream).poll_flush(cx))?;
            self.needs_flush = false;
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::io::{AsyncReadExt, duplex};

    use super::*;

    #[tokio::test]
    async fn bytes_are_written_in_order_with_partial_writes() {
        const LONG: usize = COPY_THRESHOLD_BYTES + 1;
        for (capacity, length) in [(1, 18), (2, 18), (1000, 18), (7, LONG), (1 << 20, LONG)] {
            let data: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let (mut near, mut far) = duplex(capacity);
            let mut buffer = WriteBuffer::default();
            buffer.head().extend_from_slice(b"head;");
            buffer.push_chunk(Bytes::from(data.clone()));
            assert_eq!(buffer.has_capacity(), length <= COPY_THRESHOLD_BYTES);
            buffer.push_last_chunk();
            let sending = async {
                std::future::poll_fn(|cx| buffer.poll_write(&mut near, cx)).await.expect("a peer that reads");
                assert!(buffer.is_empty());
                drop(near);
            };
            let mut received = Vec::new();
            let (_, read) = tokio::join!(sending, far.read_to_end(&mut received));
            read.expect("end of stream");
            let start = format!("head;{length:x}\r\n");
            assert!(received == [start.as_bytes(), &data, b"\r\n0\r\n\r\n"].concat(), "{capacity} {length}");
        }
    }

    #[test]
    fn discarded_bytes_are_not_written() {
        let mut buffer = WriteBuffer::default();
        buffer.head().extend_from_slice(b"head");
        buffer.push_last_chunk();
        buffer.clear();
        assert!(buffer.is_empty());
        let mut sink = tokio::io::sink();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(buffer.poll_write(&mut sink, &mut cx).is_ready());
    }
}
