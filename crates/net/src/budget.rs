//! Memory budgets for buffered message bodies: one per client connection, and one for the process.
//!
//! A single body that is buffered (to compute its length, for retries, or for a plugin) has a limit of its own, but a
//! client may open many connections and streams. [`BodyBuffer`] therefore reserves its bytes from a [`ConnectionBudget`],
//! which reserves from the [`MemoryBudget`] of the process. A reservation is released when the last handle to the bytes
//! is dropped.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

use bytes::{Bytes, BytesMut};

/// Bytes of a body that are buffered without a reservation: as many as one read can return anyway.
const FREE_BYTES: usize = 16 * 1024;

/// Error for a reservation that exceeds a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BudgetExceeded {
    /// The budget of the client's connection is exhausted.
    #[error(
        "the buffered bodies of a client connection are limited to {0} bytes (setting body_buffer_connection_size)"
    )]
    Connection(usize),
    /// The budget of the process is exhausted.
    #[error("all buffered bodies together are limited to {0} bytes (setting body_buffer_total_size)")]
    Process(u64),
}

/// Budget of the process.
#[derive(Debug)]
pub struct MemoryBudget {
    max_bytes: u64,
    used_bytes: AtomicU64,
    peak_bytes: AtomicU64,
    refused_count: AtomicU64,
}

impl MemoryBudget {
    /// Creates an unused budget.
    pub fn new(max_bytes: u64) -> Arc<Self> {
        Arc::new(MemoryBudget {
            max_bytes,
            used_bytes: AtomicU64::new(0),
            peak_bytes: AtomicU64::new(0),
            refused_count: AtomicU64::new(0),
        })
    }

    /// Returns the size of the budget.
    pub fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// Returns the bytes reserved now.
    pub fn used_bytes(&self) -> u64 {
        self.used_bytes.load(Relaxed)
    }

    /// Returns the maximum of the bytes reserved at one time.
    pub fn peak_bytes(&self) -> u64 {
        self.peak_bytes.load(Relaxed)
    }

    /// Returns the number of reservations refused since the start of the process, by this budget or by one of a connection.
    pub fn refused_count(&self) -> u64 {
        self.refused_count.load(Relaxed)
    }

    /// Returns whether more than half of the budget is used.
    pub fn is_tight(&self) -> bool {
        self.used_bytes() > self.max_bytes / 2
    }

    /// Reserves bytes for an optional buffer that only makes transfers faster; `None` once half of the budget is used.
    pub fn reserve_spare(self: &Arc<Self>, bytes: usize) -> Option<SpareReservation> {
        if self.is_tight() || !self.reserve(bytes) {
            return None;
        }
        Some(SpareReservation { budget: Arc::clone(self), bytes })
    }

    /// Reserves bytes, and returns whether the budget allowed it.
    fn reserve(&self, bytes: usize) -> bool {
        let used = self.used_bytes.fetch_add(bytes as u64, Relaxed) + bytes as u64;
        if used > self.max_bytes {
            self.release(bytes);
            return false;
        }
        self.peak_bytes.fetch_max(used, Relaxed);
        true
    }

    fn release(&self, bytes: usize) {
        self.used_bytes.fetch_sub(bytes as u64, Relaxed);
    }
}

/// Reservation for an optional buffer ([`MemoryBudget::reserve_spare`]), released on drop.
#[derive(Debug)]
pub struct SpareReservation {
    budget: Arc<MemoryBudget>,
    bytes: usize,
}

impl Drop for SpareReservation {
    fn drop(&mut self) {
        self.budget.release(self.bytes);
    }
}

/// Budget of one client connection. Clones share it.
#[derive(Clone, Debug)]
pub struct ConnectionBudget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    process: Arc<MemoryBudget>,
    max_bytes: usize,
    used_bytes: AtomicUsize,
}

impl ConnectionBudget {
    /// Creates a budget within that of the process.
    pub fn new(process: Arc<MemoryBudget>, max_bytes: usize) -> Self {
        ConnectionBudget(Arc::new(Inner { process, max_bytes, used_bytes: AtomicUsize::new(0) }))
    }

    /// Creates a budget without a limit, for messages that are not received from a connection.
    pub fn unlimited() -> Self {
        Self::new(MemoryBudget::new(u64::MAX / 2), usize::MAX / 2)
    }

    /// Returns the bytes reserved now.
    pub fn used_bytes(&self) -> usize {
        self.0.used_bytes.load(Relaxed)
    }

    /// Reserves bytes until the reservation is dropped.
    ///
    /// # Errors
    /// Returns an error if this budget or that of the process is exhausted.
    pub fn reserve(&self, bytes: usize) -> Result<Reservation, BudgetExceeded> {
        let mut reservation = Reservation { budget: self.clone(), bytes: 0 };
        reservation.grow(bytes)?;
        Ok(reservation)
    }
}

/// Reservation from a connection's budget, released on drop.
#[derive(Debug)]
pub struct Reservation {
    budget: ConnectionBudget,
    bytes: usize,
}

impl Reservation {
    /// Reserves more bytes.
    ///
    /// # Errors
    /// Returns an error if a budget is exhausted. The bytes reserved before remain reserved.
    pub fn grow(&mut self, bytes: usize) -> Result<(), BudgetExceeded> {
        self.try_grow(bytes).inspect_err(|_| {
            self.budget.0.process.refused_count.fetch_add(1, Relaxed);
        })
    }

    /// As [`Reservation::grow`], without counting a refusal: for callers that have a fallback.
    fn try_grow(&mut self, bytes: usize) -> Result<(), BudgetExceeded> {
        let Inner { process, max_bytes, used_bytes } = &*self.budget.0;
        let exceeded = if used_bytes.fetch_add(bytes, Relaxed) + bytes > *max_bytes {
            BudgetExceeded::Connection(*max_bytes)
        } else if process.reserve(bytes) {
            self.bytes += bytes;
            return Ok(());
        } else {
            BudgetExceeded::Process(process.max_bytes)
        };
        used_bytes.fetch_sub(bytes, Relaxed);
        Err(exceeded)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.0.used_bytes.fetch_sub(self.bytes, Relaxed);
        self.budget.0.process.release(self.bytes);
    }
}

/// Buffer for the chunks of a body. A single chunk is kept without a copy; several are copied together.
#[derive(Debug)]
pub struct BodyBuffer {
    budget: ConnectionBudget,
    first: Bytes,
    joined: BytesMut,
    reservation: Option<Reservation>,
}

impl BodyBuffer {
    /// Creates an empty buffer that reserves from a budget.
    pub fn new(budget: &ConnectionBudget) -> Self {
        BodyBuffer { budget: budget.clone(), first: Bytes::new(), joined: BytesMut::new(), reservation: None }
    }

    /// Returns the number of bytes buffered.
    pub fn len(&self) -> usize {
        self.first.len().max(self.joined.len())
    }

    /// Returns whether no bytes are buffered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends a chunk. A chunk that exceeds a budget is returned with the error; the bytes before it remain buffered.
    ///
    /// # Errors
    /// Returns an error if a budget is exhausted.
    pub fn push(&mut self, chunk: Bytes) -> Result<(), (Bytes, BudgetExceeded)> {
        let length = self.len() + chunk.len();
        let reserved = self.reservation.as_ref().map_or(FREE_BYTES, |reservation| reservation.bytes);
        if length > reserved
            && let Err(exceeded) = self.reserve(length, reserved)
        {
            return Err((chunk, exceeded));
        }
        if self.is_empty() {
            self.first = chunk;
        } else {
            if self.joined.is_empty() {
                self.joined.extend_from_slice(&std::mem::take(&mut self.first));
            }
            self.joined.extend_from_slice(&chunk);
        }
        Ok(())
    }

    /// Reserves for a body of that length: doubles the reservation as the buffer doubles its capacity, or reserves the
    /// length alone if the budget does not allow more.
    fn reserve(&mut self, length: usize, reserved: usize) -> Result<(), BudgetExceeded> {
        let current = self.reservation.as_ref().map_or(0, |reservation| reservation.bytes);
        let reservation = match &mut self.reservation {
            Some(reservation) => reservation,
            None => self.reservation.insert(self.budget.reserve(0)?),
        };
        let doubled = reservation.try_grow(length.max(2 * reserved) - current);
        doubled.or_else(|_| reservation.grow(length - current))
    }

    /// Returns the buffered bytes. Their reservation is released with the last handle to them.
    pub fn freeze(self) -> Bytes {
        let bytes = if self.joined.is_empty() { self.first } else { self.joined.freeze() };
        match self.reservation {
            Some(reservation) => Bytes::from_owner(ReservedBytes { bytes, _reservation: reservation }),
            None => bytes,
        }
    }
}

/// Bytes with their reservation.
struct ReservedBytes {
    bytes: Bytes,
    _reservation: Reservation,
}

impl AsRef<[u8]> for ReservedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(length: usize) -> Bytes {
        Bytes::from(vec![b'x'; length])
    }

    #[test]
    fn only_long_bodies_reserve_and_the_last_handle_releases() {
        let process = MemoryBudget::new(1 << 20);
        let budget = ConnectionBudget::new(Arc::clone(&process), 1 << 20);
        let mut short = BodyBuffer::new(&budget);
        short.push(chunk(FREE_BYTES)).expect("free");
        assert_eq!((short.freeze().len(), budget.used_bytes()), (FREE_BYTES, 0));
        let mut long = BodyBuffer::new(&budget);
        for _ in 0..40 {
            long.push(chunk(1000)).expect("within the budget");
        }
        assert!(budget.used_bytes() >= 40_000);
        let bytes = long.freeze();
        let part = bytes.slice(5..10);
        drop(bytes);
        assert!(process.used_bytes() >= 40_000, "a part is a handle");
        drop(part);
        assert_eq!((budget.used_bytes(), process.used_bytes()), (0, 0));
        assert!(process.peak_bytes() >= 40_000);
    }

    #[test]
    fn a_chunk_beyond_either_budget_is_returned() {
        let process = MemoryBudget::new(100_000);
        let (one, other) = [(); 2].map(|()| ConnectionBudget::new(Arc::clone(&process), 70_000)).into();
        let mut first = BodyBuffer::new(&one);
        first.push(chunk(60_000)).expect("within both");
        let (back, exceeded) = first.push(chunk(20_000)).expect_err("beyond the connection's");
        assert_eq!((back.len(), exceeded), (20_000, BudgetExceeded::Connection(70_000)));
        assert_eq!(first.len(), 60_000);
        let mut second = BodyBuffer::new(&other);
        let (_, exceeded) = second.push(chunk(60_000)).expect_err("beyond the process's");
        assert_eq!(exceeded, BudgetExceeded::Process(100_000));
        assert_eq!(process.refused_count(), 2);
        drop((first, second));
        assert_eq!(process.used_bytes(), 0);
    }
}
