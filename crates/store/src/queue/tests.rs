//! The queue against a model, in paused time.
//!
//! Options and pauses are whole seconds; entry number n is pushed n milliseconds after a whole second. Entries and timers
//! thereby never coincide, and the model has one order of events.

use std::collections::VecDeque;

use proptest::prelude::*;
use tokio::{
    runtime::Builder,
    sync::Semaphore,
    time::{sleep, sleep_until},
};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// An attempt to send a batch: how long it takes in seconds, and whether it succeeds.
type Attempt = (u32, bool);

/// What happened, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Event {
    /// An attempt to send entries, by number.
    Sent(Duration, Vec<usize>),
    /// Statistics before an entry is pushed, and at the end.
    Stats(QueueStats),
}

#[derive(Clone, Debug)]
struct Case {
    options: QueueOptions,
    /// Seconds before an entry, and its size.
    pushes: Vec<(u32, usize)>,
    /// Results of attempts, in order; then all succeed immediately.
    attempts: Vec<Attempt>,
}

fn case() -> impl Strategy<Value = Case> {
    let seconds = |range: std::ops::Range<u32>| range.prop_map(|n| SECOND * n);
    let options = (
        1..5_usize,
        seconds(0..6),
        1..8_usize,
        prop::option::of(1..40_usize),
        seconds(1..4),
        seconds(1..9),
        seconds(0..30),
    );
    let options =
        options.prop_map(|(batch, coalescing, entries, bytes, initial, max_delay, max_time)| QueueOptions {
            max_batch_size: batch,
            max_coalescing_delay: coalescing,
            max_entries: entries,
            max_bytes: bytes,
            initial_retry_delay: initial,
            max_retry_delay: max_delay,
            max_retry_time: max_time,
            concurrency_limit: ConcurrencyLimit::One,
        });
    let pushes = prop::collection::vec((0..4_u32, 0..20_usize), 0..40);
    let attempts = prop::collection::vec((0..5_u32, any::<bool>()), 0..30);
    (options, pushes, attempts).prop_map(|(options, pushes, attempts)| Case { options, pushes, attempts })
}

/// Time from the start at which each entry is pushed.
fn push_times(case: &Case) -> Vec<Duration> {
    let mut at = Duration::ZERO;
    let mut times = Vec::new();
    for (number, (pause, _)) in case.pushes.iter().enumerate() {
        // A pause of 0 is a millisecond.
        at += SECOND * *pause;
        times.push(at + Duration::from_millis(number as u64));
    }
    times
}

/// Runs the queue.
fn run(case: &Case) -> Vec<Event> {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let start = Instant::now();
        let events = Arc::new(Mutex::new(Vec::new()));
        let attempts = Arc::new(Mutex::new(VecDeque::from(case.attempts.clone())));
        let queue = {
            let events = Arc::clone(&events);
            Queues::default().open("test", case.options.clone(), move |batch: Arc<[usize]>| {
                events.lock().push(Event::Sent(start.elapsed(), batch.to_vec()));
                let (seconds, succeeds) = attempts.lock().pop_front().unwrap_or((0, true));
                async move {
                    sleep(SECOND * seconds).await;
                    if succeeds { Ok(()) } else { Err("scripted".to_owned()) }
                }
            })
        };
        for (number, at) in push_times(case).into_iter().enumerate() {
            sleep_until(start + at).await;
            events.lock().push(Event::Stats(queue.stats()));
            queue.push(number, case.pushes[number].1);
        }
        sleep(SECOND * 100_000).await;
        events.lock().push(Event::Stats(queue.stats()));
        std::mem::take(&mut *events.lock())
    })
}

/// What the sender of the model does.
enum Sender {
    Idle,
    /// Waits for a batch to fill up, until a time.
    Coalescing(Duration),
    /// An attempt that ends at a time.
    Sending {
        end: Duration,
        succeeds: bool,
        since: Duration,
        retries: u32,
    },
    /// Waits for a retry, until a time.
    Retrying {
        at: Duration,
        since: Duration,
        retries: u32,
    },
}

struct Model<'c> {
    case: &'c Case,
    waiting: VecDeque<(usize, usize)>,
    in_flight: Vec<(usize, usize)>,
    sender: Sender,
    attempts: VecDeque<Attempt>,
    stats: QueueStats,
    events: Vec<Event>,
}

impl<'c> Model<'c> {
    fn run(case: &'c Case) -> Vec<Event> {
        let mut model = Model {
            case,
            waiting: VecDeque::new(),
            in_flight: Vec::new(),
            sender: Sender::Idle,
            attempts: case.attempts.clone().into(),
            stats: QueueStats::default(),
            events: Vec::new(),
        };
        for (number, at) in push_times(case).into_iter().enumerate() {
            model.run_until(at);
            model.note_stats();
            model.push(at, number, case.pushes[number].1);
        }
        model.run_until(SECOND * 100_000);
        model.note_stats();
        model.events
    }

    fn note_stats(&mut self) {
        let stats = QueueStats { waiting: self.waiting.len(), in_flight: self.in_flight.len(), ..self.stats };
        self.events.push(Event::Stats(stats));
    }

    fn bytes(&self) -> usize {
        self.waiting.iter().chain(&self.in_flight).map(|(_, bytes)| bytes).sum()
    }

    fn push(&mut self, at: Duration, number: usize, bytes: usize) {
        let max_bytes = self.case.options.max_bytes.unwrap_or(usize::MAX);
        if bytes > max_bytes {
            self.stats.dropped += 1;
            return;
        }
        while self.waiting.len() + self.in_flight.len() == self.case.options.max_entries
            || self.bytes() + bytes > max_bytes
        {
            self.stats.dropped += 1;
            if self.waiting.pop_front().is_none() {
                return;
            }
        }
        self.waiting.push_back((number, bytes));
        if let Sender::Idle = self.sender {
            self.sender = Sender::Coalescing(at + self.case.options.max_coalescing_delay);
        }
        self.send_if_due(at);
    }

    fn run_until(&mut self, end: Duration) {
        loop {
            let next = match self.sender {
                Sender::Idle => return,
                Sender::Coalescing(at) | Sender::Sending { end: at, .. } | Sender::Retrying { at, .. } => at,
            };
            if next > end {
                return;
            }
            match self.sender {
                Sender::Idle => unreachable!(),
                Sender::Coalescing(at) => self.send_if_due(at),
                Sender::Retrying { since, retries, .. } => self.attempt(next, since, retries),
                Sender::Sending { succeeds, since, retries, .. } => {
                    let options = &self.case.options;
                    if !succeeds && next - since <= options.max_retry_time {
                        let delay = options.initial_retry_delay * 2_u32.pow(retries);
                        let at = next + delay.min(options.max_retry_delay);
                        self.sender = Sender::Retrying { at, since, retries: retries + 1 };
                        continue;
                    }
                    let count = self.in_flight.drain(..).count() as u64;
                    if succeeds {
                        self.stats.delivered += count
                    } else {
                        self.stats.lost += count
                    }
                    self.sender = match self.waiting.is_empty() {
                        true => Sender::Idle,
                        false => Sender::Coalescing(next + options.max_coalescing_delay),
                    };
                    self.send_if_due(next);
                }
            }
        }
    }

    fn send_if_due(&mut self, now: Duration) {
        let Sender::Coalescing(deadline) = self.sender else { return };
        let batch = self.case.options.max_batch_size;
        if self.waiting.len() >= batch || deadline <= now {
            self.in_flight = self.waiting.drain(..batch.min(self.waiting.len())).collect();
            self.attempt(now, now, 0);
        }
    }

    fn attempt(&mut self, now: Duration, since: Duration, retries: u32) {
        self.events.push(Event::Sent(now, self.in_flight.iter().map(|(number, _)| *number).collect()));
        let (seconds, succeeds) = self.attempts.pop_front().unwrap_or((0, true));
        self.sender = Sender::Sending { end: now + SECOND * seconds, succeeds, since, retries };
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn it_behaves_as_the_model(case in case()) {
        prop_assert_eq!(run(&case), Model::run(&case));
    }
}

/// Handler whose attempts succeed once permits are added.
fn gated(gate: &Arc<Semaphore>) -> impl Fn(Arc<[usize]>) -> SendFuture + Send + Sync + 'static + use<> {
    let gate = Arc::clone(gate);
    move |_| {
        let gate = Arc::clone(&gate);
        Box::pin(async move {
            gate.acquire().await.unwrap().forget();
            Ok(())
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_flush_waits_for_no_batch_and_counts_what_remains() {
    let queues = Queues::default();
    let options =
        QueueOptions { max_batch_size: 2, max_coalescing_delay: 3600 * SECOND, ..QueueOptions::default() };
    let gate = Arc::new(Semaphore::new(1));
    let queue = queues.open("a", options, gated(&gate));
    queue.push(1, 1);
    assert_eq!(queues.flush(SECOND).await, 0, "one entry is less than a batch");
    assert_eq!(queue.stats(), QueueStats { delivered: 1, ..QueueStats::default() });
    for number in 0..3 {
        queue.push(number, 1);
    }
    assert_eq!(queues.flush(SECOND).await, 3, "the server does not respond");
    gate.add_permits(2);
    assert_eq!(queues.flush(SECOND).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_reload_keeps_entries_and_changes_options_and_destination() {
    let queues = Queues::default();
    let sent = Arc::new(Mutex::new(Vec::new()));
    let to = |name: &'static str| {
        let sent = Arc::clone(&sent);
        move |batch: Arc<[usize]>| {
            sent.lock().push((name, batch.to_vec()));
            std::future::ready(Ok(()))
        }
    };
    let options =
        QueueOptions { max_batch_size: 10, max_coalescing_delay: 3600 * SECOND, ..QueueOptions::default() };
    let old = queues.open("a", options.clone(), to("old"));
    old.push(1, 1);
    old.push(2, 1);
    sleep(SECOND).await;
    let new = queues.open("a", QueueOptions { max_batch_size: 3, ..options.clone() }, to("new"));
    drop(old);
    new.push(3, 1);
    sleep(SECOND).await;
    assert_eq!(*sent.lock(), [("new", vec![1, 2, 3])]);

    // A queue without handles delivers its entries, and is removed then.
    new.push(4, 1);
    drop(new);
    sleep(2 * 3600 * SECOND).await;
    assert_eq!(sent.lock().last(), Some(&("new", vec![4])));
    let again = queues.open("a", options, to("again"));
    assert_eq!(again.stats(), QueueStats::default());
}

#[tokio::test(start_paused = true)]
async fn queues_differ_by_key_and_type_of_entries() {
    let queues = Queues::default();
    let gate = Arc::new(Semaphore::new(0));
    let a = queues.open("a", QueueOptions::default(), gated(&gate));
    let b = queues.open("b", QueueOptions::default(), gated(&gate));
    let text = queues.open("a", QueueOptions::default(), |_: Arc<[String]>| std::future::pending());
    a.push(1, 1);
    text.push("x".to_owned(), 1);
    sleep(SECOND).await;
    let in_flight = [a.stats(), b.stats(), text.stats()].map(|stats| stats.in_flight);
    assert_eq!(in_flight, [1, 0, 1]);
}

#[tokio::test(start_paused = true)]
async fn without_a_concurrency_limit_entries_are_sent_alone_and_at_the_same_time() {
    let queues = Queues::default();
    let options = QueueOptions {
        concurrency_limit: ConcurrencyLimit::Unlimited,
        max_entries: 3,
        ..QueueOptions::default()
    };
    let gate = Arc::new(Semaphore::new(0));
    let queue = queues.open("a", options, gated(&gate));
    for number in 0..5 {
        queue.push(number, 1);
    }
    sleep(SECOND).await;
    assert_eq!(queue.stats(), QueueStats { in_flight: 3, dropped: 2, ..QueueStats::default() });
    gate.add_permits(3);
    assert_eq!(queues.flush(SECOND).await, 0);
    assert_eq!(queue.stats(), QueueStats { delivered: 3, dropped: 2, ..QueueStats::default() });
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failed_attempt() {
    let queues = Queues::default();
    let attempts = Arc::new(Mutex::new(0));
    let queue = {
        let attempts = Arc::clone(&attempts);
        queues.open("a", QueueOptions::default(), move |_: Arc<[usize]>| {
            *attempts.lock() += 1;
            assert!(*attempts.lock() > 1, "the first attempt");
            std::future::ready(Ok(()))
        })
    };
    queue.push(1, 1);
    sleep(SECOND).await;
    assert_eq!((*attempts.lock(), queue.stats().delivered), (2, 1));
}

#[test]
fn a_queue_outlives_the_runtime_that_sent_its_entries() {
    let runtime = || Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let queues = Queues::default();
    let gate = Arc::new(Semaphore::new(0));
    let options = QueueOptions { max_batch_size: 2, ..QueueOptions::default() };
    let queue = queues.open("a", options, gated(&gate));
    runtime().block_on(async {
        (0..3).for_each(|number| queue.push(number, 1));
        sleep(SECOND).await;
    });
    assert_eq!(queue.stats(), QueueStats { waiting: 1, lost: 2, ..QueueStats::default() });
    gate.add_permits(2);
    runtime().block_on(async {
        queue.push(3, 1);
        assert_eq!(queues.flush(SECOND).await, 0);
    });
    assert_eq!(queue.stats(), QueueStats { lost: 2, delivered: 2, ..QueueStats::default() });
}

#[tokio::test]
async fn many_threads_push_and_nothing_is_miscounted() {
    let queues = Queues::on(Handle::current());
    let options = QueueOptions {
        max_batch_size: 7,
        max_entries: 50,
        max_coalescing_delay: Duration::from_millis(1),
        ..QueueOptions::default()
    };
    let queue = queues.open("a", options, |_: Arc<[usize]>| async {
        tokio::task::yield_now().await;
        Ok(())
    });
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let queue = queue.clone();
            std::thread::spawn(move || (0..5000).for_each(|number| queue.push(number, 1)))
        })
        .collect();
    tokio::task::spawn_blocking(|| threads.into_iter().for_each(|thread| thread.join().unwrap()))
        .await
        .unwrap();
    assert_eq!(queues.flush(Duration::from_secs(30)).await, 0);
    let QueueStats { waiting, in_flight, delivered, dropped, lost } = queue.stats();
    assert_eq!((waiting, in_flight, delivered + dropped, lost), (0, 0, 20_000, 0));
    assert_eq!(queue.0.state.lock().bytes, 0);
}
