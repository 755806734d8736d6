//! The thread that writes an access log.
//!
//! ```text
//!  worker -- formats a line --> queue (bounded) --> log thread --> file, standard output or error
//!                |  queue full                        ^  | write fails
//!                '--> line dropped, counted           |  '--> lines dropped, counted, reported once
//!                                          SIGUSR1 ---' opens the path again
//! ```

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, Write},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
        mpsc::{self, Receiver, SyncSender, TrySendError},
    },
    thread,
    time::{Duration, Instant},
};

use super::Format;
use crate::{
    metrics::{Counter, Registry},
    record::Record,
};

/// Maximum number of lines in the queue.
const MAX_QUEUED_LINES: usize = 16 * 1024;
/// Maximum size of the lines in the queue.
const MAX_QUEUED_BYTES: usize = 16 * 1024 * 1024;
/// Lines are collected up to this size and leave in one write.
const BATCH_BYTES: usize = 64 * 1024;
/// How often lines that the queue has dropped are reported.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);
/// Name and help of the counter of dropped lines.
const DROPPED: (&str, &str) = (
    "gateway_access_log_lines_dropped_total",
    "Lines of access logs that were dropped: the queue was full, or the file could not be written",
);

/// Where an access log is written.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Name of the log, for messages and metrics: `proxy`, `admin`.
    pub name: &'static str,
    /// Path; `/dev/stdout` and `/dev/stderr` are the process's own.
    pub path: PathBuf,
    /// Format of its lines.
    pub format: Format,
}

/// An access log. Cheap to clone; the last clone ends its thread.
#[derive(Clone)]
pub struct AccessLog(Arc<Inner>);

struct Inner {
    destination: Destination,
    queue: SyncSender<Message>,
    queued_bytes: Arc<AtomicUsize>,
    /// Set in place of a message if the queue is full.
    must_reopen: Arc<AtomicBool>,
    /// Lines dropped since the queue was full, and lines that could not be written.
    dropped: [Counter; 2],
}

enum Message {
    Line(Vec<u8>),
    Reopen,
    Flush(mpsc::Sender<()>),
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AccessLog").field(&self.0.destination).finish()
    }
}

impl AccessLog {
    /// Opens the log and starts its thread.
    ///
    /// # Errors
    /// If the path cannot be opened, or the thread cannot be started.
    pub fn open(destination: Destination, metrics: &Registry) -> io::Result<Self> {
        let output = Output::open(&destination)?;
        Self::start(destination, output, metrics, MAX_QUEUED_LINES)
    }

    fn start(
        destination: Destination,
        output: Output,
        metrics: &Registry,
        max_lines: usize,
    ) -> io::Result<Self> {
        let dropped = metrics.counter(DROPPED.0, DROPPED.1, &["log", "reason"]).map_err(io::Error::other)?;
        let dropped = ["queue", "write"].map(|reason| dropped.with(&[destination.name, reason]));
        let (queue, messages) = mpsc::sync_channel(max_lines);
        let queued_bytes = Arc::new(AtomicUsize::new(0));
        let must_reopen = Arc::new(AtomicBool::new(false));
        let writer = Writer {
            destination: destination.clone(),
            output,
            batch: Vec::new(),
            is_line_cut: false,
            lost_lines: 0,
            is_failing: false,
            queued_bytes: Arc::clone(&queued_bytes),
            must_reopen: Arc::clone(&must_reopen),
            dropped: dropped.clone(),
            reported_drops: 0,
            reported_at: None,
        };
        thread::Builder::new()
            .name(format!("{}-log", destination.name))
            .spawn(move || writer.run(&messages))?;
        Ok(AccessLog(Arc::new(Inner { destination, queue, queued_bytes, must_reopen, dropped })))
    }

    /// The format of its lines.
    pub fn format(&self) -> &Format {
        &self.0.destination.format
    }

    /// Formats a record and queues its line. Never waits: a line that exceeds the queue is dropped and counted.
    pub fn log(&self, record: &Record<'_>) {
        let mut line = Vec::with_capacity(256);
        self.format().write(record, &mut line);
        let length = line.len();
        if self.0.queued_bytes.fetch_add(length, Relaxed) + length <= MAX_QUEUED_BYTES
            && self.0.queue.try_send(Message::Line(line)).is_ok()
        {
            return;
        }
        self.0.queued_bytes.fetch_sub(length, Relaxed);
        self.0.dropped[0].increment();
    }

    /// Opens the path again, because a log rotation has moved the file. Lines in the queue are written to the present file
    /// first, unless the queue is full. Never waits: a destination that accepts no data must not block the caller, which
    /// handles signals.
    pub fn reopen(&self) {
        if let Err(TrySendError::Full(_)) = self.0.queue.try_send(Message::Reopen) {
            self.0.must_reopen.store(true, Relaxed);
        }
    }

    /// Waits until the lines in the queue are written, at most for `limit`; whether they were.
    pub fn flush(&self, limit: Duration) -> bool {
        let (written, wait) = mpsc::channel();
        let deadline = Instant::now() + limit;
        let mut message = Message::Flush(written);
        loop {
            match self.0.queue.try_send(message) {
                Ok(()) => {
                    return wait.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok();
                }
                Err(TrySendError::Full(back)) if Instant::now() < deadline => message = back,
                Err(_) => return false,
            }
            thread::park_timeout(Duration::from_millis(5));
        }
    }
}

/// An open destination.
enum Output {
    File(File),
    Stdout,
    Stderr,
    #[cfg(test)]
    Test(Box<dyn Write + Send>),
}

impl Output {
    fn open(destination: &Destination) -> io::Result<Output> {
        // The device of a standard stream cannot be opened if the stream is a socket, as under systemd.
        match destination.path.to_str() {
            Some("/dev/stdout") => Ok(Output::Stdout),
            Some("/dev/stderr") => Ok(Output::Stderr),
            _ => OpenOptions::new().append(true).create(true).open(&destination.path).map(Output::File),
        }
    }

    /// Writes all bytes; returns how many were written before an error.
    fn write(&mut self, bytes: &[u8]) -> (usize, io::Result<()>) {
        match self {
            Output::File(file) => write_counted(file, bytes),
            // Locked for the whole batch, so that two logs do not mix their lines.
            Output::Stdout => write_counted(&mut io::stdout().lock(), bytes),
            Output::Stderr => write_counted(&mut io::stderr().lock(), bytes),
            #[cfg(test)]
            Output::Test(output) => write_counted(output, bytes),
        }
    }
}

fn write_counted(to: &mut impl Write, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while written < bytes.len() {
        match to.write(&bytes[written..]) {
            Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, to.flush())
}

/// State of the log thread.
struct Writer {
    destination: Destination,
    output: Output,
    /// Lines to be written.
    batch: Vec<u8>,
    /// Whether the last write ended within a line.
    is_line_cut: bool,
    /// Lines lost since writing fails.
    lost_lines: u64,
    is_failing: bool,
    queued_bytes: Arc<AtomicUsize>,
    must_reopen: Arc<AtomicBool>,
    dropped: [Counter; 2],
    /// Lines dropped by the queue that were reported, and when.
    reported_drops: u64,
    reported_at: Option<Instant>,
}

impl Writer {
    /// Writes lines until the log is dropped.
    fn run(mut self, messages: &Receiver<Message>) {
        while let Ok(first) = messages.recv() {
            let mut next = Some(first);
            while let Some(message) = next {
                match message {
                    Message::Line(line) if self.batch.is_empty() => self.batch = line,
                    Message::Line(line) => self.batch.extend_from_slice(&line),
                    Message::Reopen => {
                        self.write();
                        self.reopen();
                    }
                    Message::Flush(written) => {
                        self.write();
                        let _ = written.send(());
                    }
                }
                next = (self.batch.len() < BATCH_BYTES).then(|| messages.try_recv().ok()).flatten();
            }
            self.write();
            if self.must_reopen.swap(false, Relaxed) {
                self.reopen();
            }
            self.report_drops();
        }
    }

    /// Writes the batch, or drops what cannot be written.
    fn write(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let (mut written, mut result) = (0, Ok(()));
        if self.is_line_cut {
            result = self.output.write(b"\n").1;
            self.is_line_cut = result.is_err();
        }
        if result.is_ok() {
            (written, result) = self.output.write(&self.batch);
        }
        let (sent, lost) = self.batch.split_at(written);
        if let Some(last) = sent.last() {
            self.is_line_cut = *last != b'\n';
        }
        let lost_lines = lost.iter().filter(|&&byte| byte == b'\n').count() as u64;
        match result {
            Err(error) => {
                self.lost_lines += lost_lines;
                self.dropped[1].add(lost_lines);
                if !std::mem::replace(&mut self.is_failing, true) {
                    let path = self.destination.path.display();
                    tracing::error!("cannot write the access log {path}, lines are dropped: {error}");
                }
            }
            Ok(()) if self.is_failing => {
                self.is_failing = false;
                let (path, lines) = (self.destination.path.display(), std::mem::take(&mut self.lost_lines));
                tracing::warn!(lines, "the access log {path} is written again; lines were dropped");
            }
            Ok(()) => {}
        }
        self.queued_bytes.fetch_sub(self.batch.len(), Relaxed);
        self.batch.clear();
    }

    fn reopen(&mut self) {
        match Output::open(&self.destination) {
            Ok(output) => {
                self.output = output;
                self.is_line_cut = false;
            }
            Err(error) => {
                let path = self.destination.path.display();
                tracing::error!(
                    "cannot reopen the access log {path}, the open file is written further: {error}"
                );
            }
        }
    }

    /// Reports lines that the queue has dropped, at most once in an interval.
    fn report_drops(&mut self) {
        let drops = self.dropped[0].value();
        if drops == self.reported_drops || self.reported_at.is_some_and(|at| at.elapsed() < REPORT_INTERVAL) {
            return;
        }
        let (path, lines) = (self.destination.path.display(), drops - self.reported_drops);
        tracing::warn!(
            lines,
            "lines of the access log {path} were dropped: it cannot be written fast enough"
        );
        (self.reported_drops, self.reported_at) = (drops, Some(Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        sync::{Mutex, MutexGuard},
    };

    use super::{super::tests::record, *};
    use crate::record::RequestLine;

    const TEST_TIMEOUT: Duration = Duration::from_secs(20);

    fn destination(path: impl Into<PathBuf>) -> Destination {
        let format = Format::parse("$request_method", Default::default()).expect("a format");
        Destination { name: "proxy", path: path.into(), format }
    }

    fn log(log: &AccessLog, text: &str) {
        let mut record = record();
        record.request = Some(RequestLine { method: text, path: "/", query: None });
        log.log(&record);
    }

    /// A disk with space for so many bytes.
    #[derive(Clone)]
    struct Disk(Arc<Mutex<(Vec<u8>, usize)>>);

    impl Disk {
        fn state(&self) -> MutexGuard<'_, (Vec<u8>, usize)> {
            self.0.lock().expect("no panic")
        }
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut state = self.state();
            let space = state.1 - state.0.len();
            if space == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let count = space.min(bytes.len());
            state.0.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_moved_file_is_written_until_the_log_is_reopened() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("access.log"), folder.path().join("access.log.1"));
        fs::write(&path, "older\n").unwrap();
        let access = AccessLog::open(destination(&path), &Registry::new(1)).unwrap();
        log(&access, "one");
        assert!(access.flush(TEST_TIMEOUT));
        fs::rename(&path, &moved).unwrap();
        log(&access, "two");
        access.reopen();
        log(&access, "three");
        assert!(access.flush(TEST_TIMEOUT));
        let read = |path| fs::read_to_string(path).unwrap();
        assert_eq!((read(&moved), read(&path)), ("older\none\ntwo\n".to_owned(), "three\n".to_owned()));
        // A path that cannot be opened leaves the open file in use.
        fs::rename(&path, &moved).unwrap();
        fs::create_dir(&path).unwrap();
        access.reopen();
        log(&access, "four");
        assert!(access.flush(TEST_TIMEOUT));
        assert_eq!(read(&moved), "three\nfour\n");
    }

    #[test]
    fn a_full_disk_drops_lines_and_counts_them() {
        let metrics = Registry::new(1);
        let disk = Disk(Arc::new(Mutex::new((Vec::new(), 6))));
        let output = Output::Test(Box::new(disk.clone()));
        let access = AccessLog::start(destination("/full"), output, &metrics, 16).unwrap();
        for text in ["one", "two", "three"] {
            log(&access, text);
            assert!(access.flush(TEST_TIMEOUT));
        }
        assert_eq!((disk.state().0.as_slice(), access.0.dropped[1].value()), (&b"one\ntw"[..], 2));
        disk.state().1 = 100;
        log(&access, "four");
        log(&access, "five");
        assert!(access.flush(TEST_TIMEOUT));
        assert_eq!(disk.state().0, b"one\ntw\nfour\nfive\n", "the cut line ends before the next one");
        assert_eq!((access.0.dropped[1].value(), access.0.queued_bytes.load(Relaxed)), (2, 0));
    }

    #[test]
    fn a_full_queue_drops_lines_and_counts_them() {
        let disk = Disk(Arc::new(Mutex::new((Vec::new(), usize::MAX))));
        let output = Output::Test(Box::new(disk.clone()));
        let access =
            AccessLog::start(destination("/nonexistent/slow"), output, &Registry::new(1), 4).unwrap();
        // The thread waits for the disk with the first line.
        let busy = disk.state();
        for _ in 0..2000 {
            log(&access, "line");
        }
        let dropped = access.0.dropped[0].value();
        assert!((1..2000).contains(&dropped) && !access.flush(Duration::ZERO), "{dropped}");
        // Does not wait for the disk. The path cannot be opened, so that the output stays.
        access.reopen();
        drop(busy);
        assert!(access.flush(TEST_TIMEOUT));
        assert_eq!(disk.state().0.len() as u64, (2000 - dropped) * 5);
        assert_eq!(access.0.queued_bytes.load(Relaxed), 0);
    }

    #[test]
    fn a_path_that_cannot_be_opened_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing/access.log");
        let error = AccessLog::open(destination(path), &Registry::new(1)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
