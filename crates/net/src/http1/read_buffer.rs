//! Read buffer of an HTTP/1 connection, which adapts its size to the peer and decodes bodies.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http_body::Frame;
use tokio::{io::AsyncRead, task::coop::poll_proceed};
use tokio_util::io::poll_read_buf;

use crate::{BodyError, MemoryBudget, SpareReservation};
use http_codec::{BodyDecoder, DecodeStep};

/// Initial capacity for a read.
const INITIAL_READ_BYTES: usize = 8 * 1024;
/// Maximum capacity for a read.
const MAX_READ_BYTES: usize = 256 * 1024;
/// Capacity that needs no reservation from the budget of the process.
const UNRESERVED_READ_BYTES: usize = 32 * 1024;
/// Number of buffers of that capacity that may exist while a peer is slow: one being filled, two being written, and one
/// read ahead. All are reserved.
const RESERVED_BUFFER_COUNT: usize = 4;
/// Maximum length of a data frame. Longer ones save the consumer few system calls.
const MAX_FRAME_BYTES: usize = 64 * 1024;
/// Bytes of a body for which one unit of the task's budget is charged. tokio grants 128 units per poll, so a task decodes
/// up to 1 MiB before other tasks run.
const BYTES_PER_BUDGET_UNIT: usize = 8 * 1024;
/// Extra charge for a byte of framing over a byte of data: a chunk of one byte has five bytes of framing.
const FRAMING_SURCHARGE: usize = 15;
/// Minimum spare capacity that is worth a read.
const MIN_READ_BYTES: usize = 2 * 1024;

/// Bytes that were read from a connection and not consumed yet.
///
/// The capacity for a read doubles while reads fill it, and halves while they use less than a quarter.
#[derive(Debug)]
pub struct ReadBuffer {
    /// Unconsumed bytes.
    pub bytes: BytesMut,
    /// Capacity for the next read.
    read_capacity: usize,
    /// End of the connection, behind `bytes`.
    end: Option<io::Result<()>>,
    /// Budget for capacity beyond [`UNRESERVED_READ_BYTES`]; `None` for no limit.
    memory: Option<Arc<MemoryBudget>>,
    reservation: Option<SpareReservation>,
    /// Bytes read since the connection was opened.
    read_bytes: u64,
    /// Bytes of bodies that were decoded and not yet charged to the task's budget.
    uncharged_bytes: usize,
}

impl Default for ReadBuffer {
    fn default() -> Self {
        ReadBuffer {
            bytes: BytesMut::new(),
            read_capacity: INITIAL_READ_BYTES,
            end: None,
            memory: None,
            reservation: None,
            read_bytes: 0,
            uncharged_bytes: 0,
        }
    }
}

impl ReadBuffer {
    /// Sets the budget that large capacities are reserved from.
    pub fn set_memory(&mut self, memory: Arc<MemoryBudget>) {
        self.memory = Some(memory);
    }

    /// Sets the capacity for reads. Does not grow it if the budget is exhausted.
    fn resize(&mut self, read_capacity: usize) {
        if read_capacity <= UNRESERVED_READ_BYTES {
            self.reservation = None;
        } else if read_capacity > self.read_capacity
            && let Some(memory) = &self.memory
        {
            let bytes = read_capacity * RESERVED_BUFFER_COUNT;
            let Some(reservation) = memory.reserve_spare(bytes) else { return };
            self.reservation = Some(reservation);
        }
        self.read_capacity = read_capacity;
    }

    /// Reads once, and returns the number of bytes; 0 at the end of the stream.
    ///
    /// # Errors
    /// Returns an error if the connection fails.
    pub fn poll_read<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.bytes.capacity() - self.bytes.len() < MIN_READ_BYTES.max(self.read_capacity / 4) {
            self.bytes.reserve(self.read_capacity);
        }
        let spare = self.bytes.capacity() - self.bytes.len();
        let read = ready!(poll_read_buf(Pin::new(stream), cx, &mut self.bytes))?;
        self.read_bytes += read as u64;
        // A read that fills the buffer indicates that more data is in the socket.
        if read == spare {
            self.resize((self.read_capacity * 2).min(MAX_READ_BYTES));
        } else if self.read_capacity > INITIAL_READ_BYTES && read < self.read_capacity / 4 {
            self.resize((self.read_capacity / 2).max(INITIAL_READ_BYTES));
        }
        Poll::Ready(Ok(read))
    }

    /// Reads available data of a body, up to [`MAX_FRAME_BYTES`]: each frame costs its consumer a system call. Does not
    /// read beyond a known end of the body.
    fn fill<S: AsyncRead + Unpin>(&mut self, body: &BodyDecoder, stream: &mut S, cx: &mut Context<'_>) {
        const MAX_FRAME: u64 = MAX_FRAME_BYTES as u64;
        while self.end.is_none() {
            let wanted = body.remaining().map_or(MAX_FRAME, |remaining| remaining.min(MAX_FRAME));
            let Some(missing) = wanted.checked_sub(self.bytes.len() as u64).filter(|missing| *missing > 0)
            else {
                return;
            };
            if body.remaining().is_some() || self.bytes.len() >= UNRESERVED_READ_BYTES {
                self.resize(self.read_capacity.max(missing as usize));
            }
            if self.read_capacity <= UNRESERVED_READ_BYTES && self.bytes.len() >= self.max_unreserved_bytes()
            {
                return;
            }
            match self.poll_read(stream, cx) {
                Poll::Ready(Ok(0)) => self.end = Some(Ok(())),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => self.end = Some(Err(error)),
                Poll::Pending => return,
            }
        }
    }

    /// Returns the limit for bytes that are buffered without a reservation: lower while the budget of the process is tight.
    fn max_unreserved_bytes(&self) -> usize {
        match &self.memory {
            Some(memory) if memory.is_tight() => INITIAL_READ_BYTES,
            Some(_) => UNRESERVED_READ_BYTES,
            None => usize::MAX,
        }
    }

    /// Returns the bytes read since the connection was opened.
    pub fn read_bytes(&self) -> u64 {
        self.read_bytes
    }

    /// Returns whether the buffer is empty and the connection has not ended.
    pub fn is_idle(&self) -> bool {
        self.bytes.is_empty() && self.end.is_none()
    }

    /// Polls for the next frame of a body. `failed` converts an I/O error, by the side of the connection.
    ///
    /// # Errors
    /// Returns an error if the connection fails, is closed before the end of the body, or the framing is malformed.
    pub fn poll_frame<S: AsyncRead + Unpin>(
        &mut self,
        body: &mut BodyDecoder,
        stream: &mut S,
        cx: &mut Context<'_>,
        failed: fn(io::Error) -> BodyError,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        // Charge for bytes: tokio charges one unit per read, and a read can return thousands of tiny chunks, so that one
        // peer could monopolize the worker.
        while self.uncharged_bytes >= BYTES_PER_BUDGET_UNIT {
            ready!(poll_proceed(cx)).made_progress();
            self.uncharged_bytes -= BYTES_PER_BUDGET_UNIT;
        }
        self.fill(body, stream, cx);
        let before = self.bytes.len();
        let step = body.step(&mut self.bytes);
        let consumed = before - self.bytes.len();
        let data_len = if let Ok(DecodeStep::Data(data)) = &step { data.len() } else { 0 };
        self.uncharged_bytes += consumed + FRAMING_SURCHARGE * consumed.saturating_sub(data_len);
        match step {
            Ok(DecodeStep::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
            Ok(DecodeStep::Trailers(trailers)) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
            Ok(DecodeStep::Ended) => return Poll::Ready(None),
            Ok(DecodeStep::NeedMore) => {}
            Err(error) => return Poll::Ready(Some(Err(error.into()))),
        }
        match self.end.take() {
            None => Poll::Pending,
            Some(Ok(())) if body.close() => Poll::Ready(None),
            Some(Ok(())) => Poll::Ready(Some(Err(failed(io::ErrorKind::UnexpectedEof.into())))),
            Some(Err(error)) => Poll::Ready(Some(Err(failed(error)))),
        }
    }

    /// Shrinks an empty buffer to its initial capacity, before the connection becomes idle.
    pub fn shrink(&mut self) {
        if self.read_capacity > INITIAL_READ_BYTES && self.bytes.is_empty() {
            self.bytes = BytesMut::new();
            self.resize(INITIAL_READ_BYTES);
        }
    }
}
