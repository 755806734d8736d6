//! One combination of label values, with the cells of each worker.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use super::{
    Buckets,
    exposition::{Exposition, Kind},
    shard,
};

/// What all series of a family have in common.
#[derive(Debug)]
pub struct Descriptor {
    pub name: Box<str>,
    pub help: Box<str>,
    pub kind: Kind,
    pub labels: Box<[Box<str>]>,
    /// For a histogram.
    pub buckets: Option<Buckets>,
    /// Its bounds as values of the label `le`.
    pub bound_texts: Box<[Box<str>]>,
}

impl Descriptor {
    /// Whether the same series can serve both.
    pub fn is_compatible(&self, other: &Descriptor) -> bool {
        self.kind == other.kind && self.labels == other.labels && self.buckets == other.buckets
    }

    /// Cells of a series in each shard: one, or those of the buckets, of the values above all bounds, and the sum.
    fn cell_count(&self) -> usize {
        self.buckets.as_ref().map_or(1, |buckets| buckets.bounds.len() + 2)
    }
}

/// Values of one shard. Allocated by the thread that adds to them, so that two workers share no cache line.
type Cells = Box<[AtomicU64]>;

/// One combination of label values.
#[derive(Debug)]
pub struct Series {
    descriptor: Arc<Descriptor>,
    labels: Box<[Box<str>]>,
    shards: Box<[OnceLock<Cells>]>,
}

impl Series {
    pub fn new(descriptor: Arc<Descriptor>, labels: Box<[Box<str>]>, shards: usize) -> Self {
        Series { descriptor, labels, shards: (0..shards).map(|_| OnceLock::new()).collect() }
    }

    /// The shard of this thread and its cells.
    #[inline]
    fn cells(&self) -> (usize, &Cells) {
        let shard = shard::current(self.shards.len());
        let cells = self.shards[shard]
            .get_or_init(|| (0..self.descriptor.cell_count()).map(|_| AtomicU64::new(0)).collect());
        (shard, cells)
    }

    /// Adds to a cell of this thread.
    #[inline]
    pub fn add(&self, at: usize, count: u64) {
        let (shard, cells) = self.cells();
        add_to(&cells[at], shard, count);
    }

    /// Counts a value of a histogram.
    #[inline]
    pub fn observe(&self, value: u64) {
        let Some(buckets) = &self.descriptor.buckets else { return };
        let (shard, cells) = self.cells();
        let at = buckets.bounds.partition_point(|bound| *bound < value);
        add_to(&cells[at], shard, 1);
        add_to(&cells[buckets.bounds.len() + 1], shard, value);
    }

    /// Sum of a cell over all shards.
    pub fn sum(&self, at: usize) -> u64 {
        let shards = self.shards.iter().filter_map(OnceLock::get);
        shards.fold(0, |sum, cells| sum.wrapping_add(cells[at].load(Relaxed)))
    }

    /// Number of values of a histogram.
    pub fn count(&self) -> u64 {
        let bounds = self.descriptor.buckets.as_ref().map_or(0, |buckets| buckets.bounds.len());
        (0..=bounds).map(|at| self.sum(at)).sum()
    }

    /// Appends the samples of this series.
    pub fn write(&self, to: &mut Exposition) {
        let Descriptor { name, kind, buckets, bound_texts, .. } = &*self.descriptor;
        let names = self.descriptor.labels.iter().map(|name| &**name);
        let mut labels: Vec<(&str, &str)> = names.zip(self.labels.iter().map(|value| &**value)).collect();
        match (kind, buckets) {
            (Kind::Gauge, _) => to.sample(name, "", &labels, self.sum(0).cast_signed()),
            (Kind::Histogram, Some(Buckets { bounds, scale })) => {
                let mut count = 0;
                let le = labels.len();
                labels.push(("le", ""));
                for (at, bound) in bound_texts.iter().enumerate() {
                    count += self.sum(at);
                    labels[le].1 = bound;
                    to.sample(name, "_bucket", &labels, count);
                }
                // The count is that of the buckets, even while workers add.
                count += self.sum(bounds.len());
                labels[le].1 = "+Inf";
                to.sample(name, "_bucket", &labels, count);
                labels.pop();
                to.sample(name, "_sum", &labels, scaled(self.sum(bounds.len() + 1), *scale));
                to.sample(name, "_count", &labels, count);
            }
            _ => to.sample(name, "", &labels, self.sum(0)),
        }
    }
}

/// Adds to a cell. Only the shared one has several writers.
#[inline]
fn add_to(cell: &AtomicU64, shard: usize, count: u64) {
    if shard == shard::SHARED {
        cell.fetch_add(count, Relaxed);
    } else {
        cell.store(cell.load(Relaxed).wrapping_add(count), Relaxed);
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 microseconds, which are 285 years")]
pub fn scaled(value: u64, scale: u64) -> f64 {
    value as f64 / scale as f64
}
