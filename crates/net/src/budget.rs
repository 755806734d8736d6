//! Limits on the memory that buffered message bodies take: one for each client connection, one for the process.
//!
//! A body that is held whole (to learn its length, to repeat a try, because a plugin reads it) is bounded by
//! itself, but a client may open many connections and streams. [`BodyBuffer`] therefore reserves what it
//! holds from a [`ConnectionBudget`], which reserves from the [`MemoryBudget`] of the process. A reservation
//! ends when the last handle on the bytes is dropped.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

use bytes::{Bytes, BytesMut};

/// Bytes of a body that are buffered without a reservation: as much as one read may bring anyway.
const FREE_BYTES: usize = 16 * 1024;

/// Which budget is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BudgetExceeded {
    /// That of the client's connection.
    #[error(
        "the buffered bodies of a client connection are limited to {0} bytes (setting body_buffer_connection_size)"
    )]
    Connection(usize),
    /// That of the process.
    #[error("all buffered bodies together are limited to {0} bytes (setting body_buffer_total_size)")]
    Process(u64),
}

/// The budget of the process.
#[derive(Debug)]
pub struct MemoryBudget {
    max_bytes: u64,
    used_bytes: AtomicU64,
    peak_bytes: AtomicU64,
    refused_count: AtomicU64,
}

impl MemoryBudget {
    /// A budget of that many bytes, none of which is used.
    pub fn new(max_bytes: u64) -> Arc<Self> {
        Arc::new(MemoryBudget {
            max_bytes,
            used_bytes: AtomicU64::new(0),
            peak_bytes: AtomicU64::new(0),
            refused_count: AtomicU64::new(0),
        })
    }

    /// Bytes in all.
    pub fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// Bytes reserved now.
    pub fn used_bytes(&self) -> u64 {
        self.used_bytes.load(Relaxed)
    }

    /// The most that was ever reserved at one time.
    pub fn peak_bytes(&self) -> u64 {
        self.peak_bytes.load(Relaxed)
    }

    /// Reservations refused since the process started, by this budget or by one of a connection.
    pub fn refused_count(&self) -> u64 {
        self.refused_count.load(Relaxed)
    }

    /// Whether more than half of it is used.
    pub fn is_tight(&self) -> bool {
        self.used_bytes() > self.max_bytes / 2
    }

    /// Reserves bytes for what makes a transfer faster and is not needed for it; `None` once half of the budget is used.
    pub fn reserve_spare(self: &Arc<Self>, bytes: usize) -> Option<SpareReservation> {
        if self.is_tight() || !self.reserve(bytes) {
            return None;
        }
        Some(SpareReservation { budget: Arc::clone(self), bytes })
    }

    /// Reserves bytes; whether there were that many.
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

/// Bytes that are reserved as long as this lives ([`MemoryBudget::reserve_spare`]).
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

/// The budget of one client connection. Clones share it.
#[derive(Clone, Debug)]
pub struct ConnectionBudget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    process: Arc<MemoryBudget>,
    max_bytes: usize,
    used_bytes: AtomicUsize,
}

impl ConnectionBudget {
    /// A budget of that many bytes, within that of the process.
    pub fn new(process: Arc<MemoryBudget>, max_bytes: usize) -> Self {
        ConnectionBudget(Arc::new(Inner { process, max_bytes, used_bytes: AtomicUsize::new(0) }))
    }

    /// A budget that nothing exceeds: for messages that come from no connection.
    pub fn unlimited() -> Self {
        Self::new(MemoryBudget::new(u64::MAX / 2), usize::MAX / 2)
    }

    /// Bytes reserved now.
    pub fn used_bytes(&self) -> usize {
        self.0.used_bytes.load(Relaxed)
    }

    /// Reserves bytes until the reservation is dropped.
    ///
    /// # Errors
    /// When fewer are left, here or in the process.
    pub fn reserve(&self, bytes: usize) -> Result<Reservation, BudgetExceeded> {
        let mut reservation = Reservation { budget: self.clone(), bytes: 0 };
        reservation.grow(bytes)?;
        Ok(reservation)
    }
}

/// Bytes that are reserved as long as this lives.
#[derive(Debug)]
pub struct Reservation {
    budget: ConnectionBudget,
    bytes: usize,
}

impl Reservation {
    /// Reserves more bytes.
    ///
    /// # Errors
    /// When fewer are left; what was reserved stays so.
    pub fn grow(&mut self, bytes: usize) -> Result<(), BudgetExceeded> {
        self.try_grow(bytes).inspect_err(|_| {
            self.budget.0.process.refused_count.fetch_add(1, Relaxed);
        })
    }

    /// The same, where there is another way if fewer are left.
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

/// Collects the pieces of a body. A single piece is kept as it came; several are copied together.
#[derive(Debug)]
pub struct BodyBuffer {
    budget: ConnectionBudget,
    first: Bytes,
    joined: BytesMut,
    reservation: Option<Reservation>,
}

impl BodyBuffer {
    /// An empty buffer that reserves from that budget.
    pub fn new(budget: &ConnectionBudget) -> Self {
        BodyBuffer { budget: budget.clone(), first: Bytes::new(), joined: BytesMut::new(), reservation: None }
    }

    /// Bytes collected.
    pub fn len(&self) -> usize {
        self.first.len().max(self.joined.len())
    }

    /// Whether no bytes were collected.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a piece. One that does not fit the budget comes back with the error, and what was collected stays.
    ///
    /// # Errors
    /// When a budget is used up.
    pub fn push(&mut self, piece: Bytes) -> Result<(), (Bytes, BudgetExceeded)> {
        let length = self.len() + piece.len();
        let reserved = self.reservation.as_ref().map_or(FREE_BYTES, |reservation| reservation.bytes);
        if length > reserved
            && let Err(exceeded) = self.reserve(length, reserved)
        {
            return Err((piece, exceeded));
        }
        if self.is_empty() {
            self.first = piece;
        } else {
            if self.joined.is_empty() {
                self.joined.extend_from_slice(&std::mem::take(&mut self.first));
            }
            self.joined.extend_from_slice(&piece);
        }
        Ok(())
    }

    /// Reserves what a body of that length takes: twice what is reserved, as the buffer grows, or just that length where
    /// there is no more.
    fn reserve(&mut self, length: usize, reserved: usize) -> Result<(), BudgetExceeded> {
        let own = self.reservation.as_ref().map_or(0, |own| own.bytes);
        let reservation = match &mut self.reservation {
            Some(reservation) => reservation,
            None => self.reservation.insert(self.budget.reserve(0)?),
        };
        let doubled = reservation.try_grow(length.max(2 * reserved) - own);
        doubled.or_else(|_| reservation.grow(length - own))
    }

    /// The bytes collected. Their reservation ends with the last handle on them.
    pub fn freeze(self) -> Bytes {
        let bytes = if self.joined.is_empty() { self.first } else { self.joined.freeze() };
        match self.reservation {
            Some(reservation) => Bytes::from_owner(Owned { bytes, _reservation: reservation }),
            None => bytes,
        }
    }
}

struct Owned {
    bytes: Bytes,
    _reservation: Reservation,
}

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(length: usize) -> Bytes {
        Bytes::from(vec![b'x'; length])
    }

    #[test]
    fn short_bodies_reserve_nothing_and_long_ones_until_the_last_handle_is_dropped() {
        let process = MemoryBudget::new(1 << 20);
        let budget = ConnectionBudget::new(Arc::clone(&process), 1 << 20);
        let mut short = BodyBuffer::new(&budget);
        short.push(piece(FREE_BYTES)).expect("free");
        assert_eq!((short.freeze().len(), budget.used_bytes()), (FREE_BYTES, 0));
        let mut long = BodyBuffer::new(&budget);
        for _ in 0..40 {
            long.push(piece(1000)).expect("within the budget");
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
    fn a_piece_beyond_either_budget_is_returned() {
        let process = MemoryBudget::new(100_000);
        let (one, other) = [(); 2].map(|()| ConnectionBudget::new(Arc::clone(&process), 70_000)).into();
        let mut first = BodyBuffer::new(&one);
        first.push(piece(60_000)).expect("within both");
        let (back, exceeded) = first.push(piece(20_000)).expect_err("beyond the connection's");
        assert_eq!((back.len(), exceeded), (20_000, BudgetExceeded::Connection(70_000)));
        assert_eq!(first.len(), 60_000);
        let mut second = BodyBuffer::new(&other);
        let (_, exceeded) = second.push(piece(60_000)).expect_err("beyond the process's");
        assert_eq!(exceeded, BudgetExceeded::Process(100_000));
        assert_eq!(process.refused_count(), 2);
        drop((first, second));
        assert_eq!(process.used_bytes(), 0);
    }
}
