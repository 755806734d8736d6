//! A registry of metrics whose values are sharded by worker.
//!
//! A family is a metric with its label names; a series is one combination of label values. A worker adds to its own
//! cells of a series with a load and a store, without a lock and without a cache line that another worker writes; a
//! scrape sums the cells of all workers. Only the first use of a series takes a lock, so callers retain the handles.
//!
//! ```text
//!  Registry -- Family (name, label names) -- Series (label values) -- cells of worker 0
//!                                                                 |-- cells of worker 1
//!                                                                 '-- cells of all other threads (atomic additions)
//! ```

mod exposition;
mod series;
mod shard;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;

use self::{
    exposition::is_valid_name,
    series::{Descriptor, Series, scaled},
};
pub use self::{
    exposition::{Exposition, Kind},
    shard::set_worker,
};

/// Label value of the series that counts what exceeds the limit of a family.
pub const OTHER: &str = "other";

/// Maximum number of series of a family, so that label values from requests or plugins cannot exhaust the memory.
const MAX_SERIES: usize = 10_000;
/// Maximum length of a label value; the rest is cut off.
const MAX_LABEL_BYTES: usize = 256;

/// The metrics of a process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Registry(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Number of workers that have cells of their own.
    workers: usize,
    max_series: usize,
    families: Mutex<BTreeMap<Box<str>, Arc<Family>>>,
}

/// Error of registering a metric.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The name is not a metric name of Prometheus.
    #[error("`{0}` is not a metric name")]
    Name(String),
    /// The label's name is not one of Prometheus.
    #[error("`{0}` is not a label name")]
    Label(String),
    /// The name is in use for a metric of another kind, or with other labels.
    #[error("the metric `{0}` is registered already, with another type, other labels or other buckets")]
    Conflict(String),
}

/// Bucket bounds of a histogram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buckets {
    /// Upper bounds, ascending, in the unit of the observed values.
    pub bounds: &'static [u64],
    /// Observed values per unit of the metric: 1000 if microseconds are observed and milliseconds exposed.
    pub scale: u64,
}

impl Buckets {
    /// The bounds in the unit of the metric.
    fn texts(&self) -> impl Iterator<Item = Box<str>> {
        self.bounds.iter().map(|bound| scaled(*bound, self.scale).to_string().into())
    }
}

impl Default for Registry {
    /// A registry with cells for as many workers as there are cores.
    fn default() -> Self {
        Registry::new(std::thread::available_parallelism().map_or(1, usize::from))
    }
}

impl Registry {
    /// Creates a registry in which each of so many workers has cells of its own. Further workers share one set.
    pub fn new(workers: usize) -> Self {
        Self::with_max_series(workers, MAX_SERIES)
    }

    fn with_max_series(workers: usize, max_series: usize) -> Self {
        Registry(Arc::new(Inner { workers, max_series, families: Mutex::default() }))
    }

    /// Registers a counter, or returns the one of that name.
    ///
    /// # Errors
    /// If a name is invalid, or in use for another metric.
    pub fn counter(&self, name: &str, help: &str, labels: &[&str]) -> Result<CounterFamily, RegisterError> {
        self.register(name, help, Kind::Counter, labels, None).map(CounterFamily)
    }

    /// Registers a gauge, or returns the one of that name.
    ///
    /// # Errors
    /// If a name is invalid, or in use for another metric.
    pub fn gauge(&self, name: &str, help: &str, labels: &[&str]) -> Result<GaugeFamily, RegisterError> {
        self.register(name, help, Kind::Gauge, labels, None).map(GaugeFamily)
    }

    /// Registers a histogram, or returns the one of that name.
    ///
    /// # Errors
    /// If a name is invalid, or in use for another metric.
    pub fn histogram(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: Buckets,
    ) -> Result<HistogramFamily, RegisterError> {
        self.register(name, help, Kind::Histogram, labels, Some(buckets)).map(HistogramFamily)
    }

    fn register(
        &self,
        name: &str,
        help: &str,
        kind: Kind,
        labels: &[&str],
        buckets: Option<Buckets>,
    ) -> Result<Arc<Family>, RegisterError> {
        if !is_valid_name(name, true) {
            return Err(RegisterError::Name(name.to_owned()));
        }
        // `le` is the label of a histogram's buckets.
        let is_valid = |label: &str| is_valid_name(label, false) && label != "le" && !label.starts_with("__");
        if let Some(label) = labels.iter().find(|label| !is_valid(label)) {
            return Err(RegisterError::Label((*label).to_owned()));
        }
        let descriptor = Descriptor {
            name: name.into(),
            help: help.into(),
            kind,
            labels: labels.iter().map(|label| Box::from(*label)).collect(),
            bound_texts: buckets.iter().flat_map(Buckets::texts).collect(),
            buckets,
        };
        let mut families = self.0.families.lock();
        match families.get(name) {
            Some(family) if family.descriptor.is_compatible(&descriptor) => Ok(Arc::clone(family)),
            Some(_) => Err(RegisterError::Conflict(name.to_owned())),
            None => {
                let family = Arc::new(Family {
                    descriptor: Arc::new(descriptor),
                    shards: self.0.workers + 1,
                    max_series: self.0.max_series,
                    series: Mutex::default(),
                });
                families.insert(name.into(), Arc::clone(&family));
                Ok(family)
            }
        }
    }

    /// Appends all metrics that have a series in the text format of Prometheus, ordered by name and label values.
    pub fn write(&self, to: &mut Exposition) {
        let families: Vec<_> = self.0.families.lock().values().map(Arc::clone).collect();
        for family in families {
            // Formatting takes long: a worker that needs a new series must not wait for it.
            let series: Vec<_> = family.series.lock().values().map(Arc::clone).collect();
            if series.is_empty() {
                continue;
            }
            let Descriptor { name, help, kind, .. } = &*family.descriptor;
            to.family(name, help, *kind);
            series.iter().for_each(|series| series.write(to));
        }
    }
}

/// A metric with its label names.
#[derive(Debug)]
struct Family {
    descriptor: Arc<Descriptor>,
    shards: usize,
    max_series: usize,
    series: Mutex<BTreeMap<Box<[Box<str>]>, Arc<Series>>>,
}

impl Family {
    /// Returns the series of these label values; missing values are empty. A full family first drops the series without
    /// a handle. If there are none, the series with all labels [`OTHER`] is returned.
    fn series(&self, values: &[&str]) -> Arc<Series> {
        let names = self.descriptor.labels.len();
        let labels: Box<[Box<str>]> =
            (0..names).map(|at| cut(values.get(at).copied().unwrap_or("")).into()).collect();
        let mut all = self.series.lock();
        if let Some(series) = all.get(&labels) {
            return Arc::clone(series);
        }
        let mut labels = labels;
        if all.len() >= self.max_series {
            all.retain(|labels, series| {
                Arc::strong_count(series) > 1 || labels.iter().all(|value| **value == *OTHER)
            });
            if all.len() >= self.max_series {
                labels = (0..names).map(|_| Box::from(OTHER)).collect();
            }
        }
        let series = || Arc::new(Series::new(Arc::clone(&self.descriptor), labels.clone(), self.shards));
        Arc::clone(all.entry(labels.clone()).or_insert_with(series))
    }
}

/// Cuts a label value to its maximum length.
fn cut(value: &str) -> &str {
    &value[..value.floor_char_boundary(MAX_LABEL_BYTES)]
}

/// The series of a counter. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CounterFamily(Arc<Family>);

impl CounterFamily {
    /// Returns the counter of these label values, in the order of the label names.
    pub fn with(&self, values: &[&str]) -> Counter {
        Counter(self.0.series(values))
    }
}

/// The series of a gauge. Cheap to clone.
#[derive(Clone, Debug)]
pub struct GaugeFamily(Arc<Family>);

impl GaugeFamily {
    /// Returns the gauge of these label values, in the order of the label names.
    pub fn with(&self, values: &[&str]) -> Gauge {
        Gauge(self.0.series(values))
    }
}

/// The series of a histogram. Cheap to clone.
#[derive(Clone, Debug)]
pub struct HistogramFamily(Arc<Family>);

impl HistogramFamily {
    /// Returns the histogram of these label values, in the order of the label names.
    pub fn with(&self, values: &[&str]) -> Histogram {
        Histogram(self.0.series(values))
    }
}

/// A number that only increases. Cheap to clone; usable on any thread.
#[derive(Clone, Debug)]
pub struct Counter(Arc<Series>);

impl Counter {
    /// Adds one.
    #[inline]
    pub fn increment(&self) {
        self.add(1);
    }

    /// Adds a number.
    #[inline]
    pub fn add(&self, count: u64) {
        self.0.add(0, count);
    }

    /// The sum of all workers.
    pub fn value(&self) -> u64 {
        self.0.sum(0)
    }
}

/// A number that increases and decreases: the sum of what each worker has added. Cheap to clone; usable on any thread.
#[derive(Clone, Debug)]
pub struct Gauge(Arc<Series>);

impl Gauge {
    /// Adds a number, which may be negative.
    #[inline]
    pub fn add(&self, difference: i64) {
        // Two's complement: the wrapping sum of all cells is the sum of all differences.
        self.0.add(0, difference.cast_unsigned());
    }

    /// The sum of all workers.
    pub fn value(&self) -> i64 {
        self.0.sum(0).cast_signed()
    }
}

/// Counts of observed values by bucket, and their sum. Cheap to clone; usable on any thread.
#[derive(Clone, Debug)]
pub struct Histogram(Arc<Series>);

impl Histogram {
    /// Counts a value.
    #[inline]
    pub fn observe(&self, value: u64) {
        self.0.observe(value);
    }

    /// Number of values.
    pub fn count(&self) -> u64 {
        self.0.count()
    }
}
