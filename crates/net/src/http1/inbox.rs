//! What was read from a connection and not yet looked at.

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
use http_codec::{Decoder, Step};

/// Bytes for which there is room at a read, at first and at most.
const ROOM: (usize, usize) = (8 * 1024, 256 * 1024);
/// Room that every connection may have. More is reserved from the process's memory, times the number of buffers of
/// that size that may wait for a slow peer: one being filled, two being written, and one read ahead.
const FREE_ROOM: usize = 32 * 1024;
const BUFFERS: usize = 4;
/// Bytes of a body that are handed on at once.
const PIECE: usize = 64 * 1024;
/// Bytes of a body for which one unit of the task's budget is charged. A task has 128 units a turn, so that it takes
/// 1 MiB out of its framing before other tasks run.
const CHARGED_BYTES: usize = 8 * 1024;
/// What a byte of framing is charged more than a byte of data: a chunk of one byte comes with five of them.
const FRAMING_CHARGE: usize = 15;
/// Room that is left of a buffer and not worth a read.
const SCRAP: usize = 2 * 1024;

/// A buffer that grows while much arrives at once.
#[derive(Debug)]
pub struct Inbox {
    /// What is there.
    pub bytes: BytesMut,
    room: usize,
    /// How the connection has ended, behind those bytes.
    end: Option<io::Result<()>>,
    /// What room beyond [`FREE_ROOM`] is reserved from; not limited without.
    memory: Option<Arc<MemoryBudget>>,
    reservation: Option<SpareReservation>,
    /// Bytes read since the connection was opened.
    read_bytes: u64,
    /// Bytes of bodies taken out of their framing for which the task's budget has not been charged.
    uncharged_bytes: usize,
}

impl Default for Inbox {
    fn default() -> Self {
        Inbox {
            bytes: BytesMut::new(),
            room: ROOM.0,
            end: None,
            memory: None,
            reservation: None,
            read_bytes: 0,
            uncharged_bytes: 0,
        }
    }
}

impl Inbox {
    /// Reserves the room that a fast peer needs from that budget.
    pub fn set_memory(&mut self, memory: Arc<MemoryBudget>) {
        self.memory = Some(memory);
    }

    /// Makes the room for a read larger, as far as there is memory for it, or smaller.
    fn resize(&mut self, room: usize) {
        if room <= FREE_ROOM {
            self.reservation = None;
        } else if room > self.room
            && let Some(memory) = &self.memory
        {
            let Some(reservation) = memory.reserve_spare(room * BUFFERS) else { return };
            self.reservation = Some(reservation);
        }
        self.room = room;
    }

    /// Reads what is there to be read; nothing means that the other side has finished.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn poll_read<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.bytes.capacity() - self.bytes.len() < SCRAP.max(self.room / 4) {
            self.bytes.reserve(self.room);
        }
        let room = self.bytes.capacity() - self.bytes.len();
        let read = ready!(poll_read_buf(Pin::new(stream), cx, &mut self.bytes))?;
        self.read_bytes += read as u64;
        // A buffer read full is a sign of much to come.
        if read == room {
            self.resize((self.room * 2).min(ROOM.1));
        } else if self.room > ROOM.0 && read < self.room / 4 {
            self.resize((self.room / 2).max(ROOM.0));
        }
        Poll::Ready(Ok(read))
    }

    /// Reads as much of a body as is there, up to what is worth handing on at once: each piece costs whoever takes
    /// it a system call. Does not ask for more than the body has, where that is known.
    fn fill<S: AsyncRead + Unpin>(&mut self, body: &Decoder, stream: &mut S, cx: &mut Context<'_>) {
        while self.end.is_none() {
            let left = body.left().map_or(PIECE as u64, |left| left.min(PIECE as u64));
            let Some(lacking) = left.checked_sub(self.bytes.len() as u64).filter(|lacking| *lacking > 0)
            else {
                return;
            };
            if body.left().is_some() || self.bytes.len() >= FREE_ROOM {
                self.resize(self.room.max(lacking as usize));
            }
            if self.room <= FREE_ROOM && self.bytes.len() >= self.free_bytes() {
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

    /// Bytes that are held without a reservation: little, where all connections together hold much.
    fn free_bytes(&self) -> usize {
        match &self.memory {
            Some(memory) if memory.is_tight() => ROOM.0,
            Some(_) => FREE_ROOM,
            None => usize::MAX,
        }
    }

    /// Bytes read since the connection was opened.
    pub fn read_bytes(&self) -> u64 {
        self.read_bytes
    }

    /// Whether there is nothing, and may be something later.
    pub fn is_idle(&self) -> bool {
        self.bytes.is_empty() && self.end.is_none()
    }

    /// The next piece of a body; `failed` says whose connection it is.
    ///
    /// # Errors
    /// When the connection fails or is closed before the body's end, or the framing is malformed.
    pub fn poll_frame<S: AsyncRead + Unpin>(
        &mut self,
        body: &mut Decoder,
        stream: &mut S,
        cx: &mut Context<'_>,
        failed: fn(io::Error) -> BodyError,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        // The runtime counts reads, each of which may bring thousands of tiny chunks: without a charge for the bytes, one
        // peer keeps the worker busy for as long as it sends.
        while self.uncharged_bytes >= CHARGED_BYTES {
            ready!(poll_proceed(cx)).made_progress();
            self.uncharged_bytes -= CHARGED_BYTES;
        }
        self.fill(body, stream, cx);
        let before = self.bytes.len();
        let step = body.step(&mut self.bytes);
        let taken = before - self.bytes.len();
        let data = if let Ok(Step::Data(data)) = &step { data.len() } else { 0 };
        self.uncharged_bytes += taken + FRAMING_CHARGE * taken.saturating_sub(data);
        match step {
            Ok(Step::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
            Ok(Step::Trailers(trailers)) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
            Ok(Step::Ended) => return Poll::Ready(None),
            Ok(Step::More) => {}
            Err(error) => return Poll::Ready(Some(Err(error.into()))),
        }
        match self.end.take() {
            None => Poll::Pending,
            Some(Ok(())) if body.close() => Poll::Ready(None),
            Some(Ok(())) => Poll::Ready(Some(Err(failed(io::ErrorKind::UnexpectedEof.into())))),
            Some(Err(error)) => Poll::Ready(Some(Err(failed(error)))),
        }
    }

    /// Gives back room that only much data needs: the connection is about to be idle.
    pub fn rest(&mut self) {
        if self.room > ROOM.0 && self.bytes.is_empty() {
            self.bytes = BytesMut::new();
            self.resize(ROOM.0);
        }
    }
}
