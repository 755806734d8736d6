//! Load, compile, swap; or keep the old and say why. One at a time, off the threads that serve requests.

use std::{fmt, sync::Arc, time::Duration};

use tokio::{
    select,
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};

use super::{
    Observer, Read, Status,
    backroom::{Backroom, Broken},
    watch::{Change, Watcher},
};
use config::{self, Input, LoadError, Loaded};
use runtime::{self, Gateway, Options, Snapshot};
use source::{Finding, NodeId, Span, Step};
use store::Stores;

/// Makes the machine of what was loaded. What cannot be made to work becomes an error finding, and there is
/// no snapshot then: `validate` and `serve` judge alike, because both call this.
pub fn build(
    loaded: &mut Loaded,
    options: &Options,
    stores: &Stores,
    previous: Option<&Snapshot>,
) -> Option<Snapshot> {
    let state = Arc::clone(loaded.state.as_ref()?);
    let (snapshot, problems) = runtime::compile(state, options, stores, previous);
    for problem in &problems {
        let mut finding =
            Finding::error("config/unservable", format!("{}: {}", problem.kind, problem.message));
        if let Some(origin) = problem.origin {
            finding = finding.at(deepest(loaded, origin, &problem.pointer), "");
        }
        loaded.findings.push(finding);
    }
    loaded.catalog.secrets().redact_findings(&mut loaded.findings);
    loaded.findings.sort();
    problems.is_empty().then_some(snapshot)
}

/// Follows a JSON pointer from a node as far as it leads. Of a text of many lines the place is that of its field.
fn deepest(loaded: &Loaded, mut node: NodeId, pointer: &str) -> Span {
    let doc = &loaded.document;
    let mut key = None;
    for part in pointer.split('/').filter(|p| !p.is_empty()) {
        let step = part.parse().map_or(Step::Key(part), Step::Index);
        let Some(next) = doc.at(node, &[step]) else { break };
        key = doc.entry(node, part).map(|entry| entry.key);
        node = next;
    }
    let long = doc.str(node).is_some_and(|text| text.contains('\n'));
    doc.span(key.filter(|_| long).unwrap_or(node))
}

/// How soon after a swap the former snapshot is looked at: a busy worker has let go of it by then.
const SOON: Duration = Duration::from_millis(20);
/// How often it is looked at where an idle worker, or a long request, holds it.
const SELDOM: Duration = Duration::from_millis(500);
/// How long nothing was loaded when the code for that leaves memory: the code that serves requests leaves with it, and
/// the first request after that fetches it again.
const CALM: Duration = Duration::from_secs(1);

/// Name of the configuration of a gateway that was given none.
const NOTHING: &str = "no configuration";

/// The configuration of a gateway that is given none: it serves, knows no route, and is not ready.
pub fn nothing() -> Input {
    Input::Text { name: NOTHING.to_owned(), text: b"_format_version: \"3.0\"\n".to_vec() }
}

/// Thirty-two hex digits that differ when the text of a configuration does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hash([u8; 16]);

impl Hash {
    /// Of a gateway that was given no configuration at all.
    pub const NOTHING: Self = Hash([0; 16]);

    /// Of all files that were read.
    pub fn of(loaded: &Loaded) -> Self {
        if loaded.sources.iter().all(|(_, file)| file.name() == NOTHING) {
            return Self::NOTHING;
        }
        let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        for (_, file) in loaded.sources.iter() {
            context.update(file.text().as_bytes());
            context.update(&[0]);
        }
        let mut short = [0; 16];
        short.copy_from_slice(&context.finish().as_ref()[..16]);
        Hash(short)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A configuration that somebody sent, and where the outcome is told.
pub struct Post {
    /// The text.
    pub input: Input,
    /// Do nothing if this text runs already.
    pub check_hash: bool,
    /// Refuse decK's additions, whatever files may hold.
    pub kong_strict: bool,
    /// Where the outcome goes.
    pub answer: oneshot::Sender<Outcome>,
}

/// Asks for a moment when nothing is being applied.
pub struct Ask {
    /// Have the files loaded again first.
    pub load: bool,
    /// Is told then.
    pub done: oneshot::Sender<()>,
}

/// What came of a configuration.
pub enum Outcome {
    /// It serves now.
    Applied(Box<Loaded>),
    /// The same text serves already.
    Unchanged,
    /// It is refused.
    Refused(Box<Loaded>),
    /// It cannot be read.
    Unreadable(LoadError),
}

impl From<Broken> for LoadError {
    fn from(broken: Broken) -> Self {
        LoadError { path: "configuration".to_owned(), reason: broken.to_string() }
    }
}

/// Applies configurations one after another.
pub struct Reloader {
    pub input: Input,
    pub read: Read,
    pub gateway: Arc<Gateway>,
    pub status: Arc<Status>,
    pub observer: Arc<dyn Observer>,
    pub backroom: Backroom,
}

impl Reloader {
    /// Applies changes of the files, as they happen and when asked to, and what is posted.
    pub async fn run(
        self,
        mut watcher: Option<Watcher>,
        mut asked: mpsc::Receiver<Ask>,
        mut posts: mpsc::Receiver<Post>,
    ) {
        let this = Arc::new(self);
        this.backroom.step_back().await;
        // When former snapshots are looked at, and how long after that again.
        let (mut due, mut pause) = (Instant::now(), SOON);
        // When code leaves memory.
        let mut calm = None;
        loop {
            let none = !this.gateway.has_retired();
            let changed = async {
                match &mut watcher {
                    Some(watcher) => watcher.changed().await,
                    None => std::future::pending().await,
                }
            };
            let loaded = select! {
                change = changed => {
                    let applied = this.apply_files(Some(change)).await;
                    if let (false, Some(watcher)) = (applied, &mut watcher) {
                        watcher.retry();
                    }
                    true
                }
                Some(ask) = asked.recv() => {
                    if ask.load {
                        this.apply_files(None).await;
                    }
                    let _ = ask.done.send(());
                    ask.load
                }
                Some(post) = posts.recv() => {
                    let outcome = this.apply(post.input, post.check_hash, post.kong_strict).await;
                    let _ = post.answer.send(outcome);
                    true
                }
                () = sleep_until(due), if !none => {
                    pause = (2 * pause).min(SELDOM);
                    due = Instant::now() + pause;
                    this.reap().await;
                    false
                }
                () = sleep_until(calm.unwrap_or(due)), if calm.is_some() => {
                    calm = None;
                    this.backroom.release_code().await;
                    false
                }
            };
            if loaded {
                calm = Some(Instant::now() + CALM);
            }
            if none {
                pause = SOON;
                due = Instant::now() + pause;
            }
        }
    }

    /// Loads the files and applies them. Returns false if a writer has touched one of them after that change: what was
    /// loaded may be half of a text, and is dropped.
    async fn apply_files(self: &Arc<Self>, change: Option<Change>) -> bool {
        let this = Arc::clone(self);
        // What was loaded is freed there too.
        let work = move || {
            let begun = Instant::now();
            let loaded = this.load(&this.input, false);
            let is_whole = change.is_none_or(|change| change.is_whole());
            if is_whole {
                drop(this.swap(loaded, false, begun));
            }
            is_whole
        };
        self.backroom.run(work).await.unwrap_or_else(|broken| {
            self.unreadable(broken.into());
            true
        })
    }

    async fn apply(self: &Arc<Self>, input: Input, check_hash: bool, strict: bool) -> Outcome {
        let this = Arc::clone(self);
        let work = move || {
            let begun = Instant::now();
            this.swap(this.load(&input, strict), check_hash, begun)
        };
        self.backroom.run(work).await.unwrap_or_else(|broken| self.unreadable(broken.into()))
    }

    fn unreadable(&self, error: LoadError) -> Outcome {
        self.status.unreadable(&error);
        self.observer.unreadable(&error);
        Outcome::Unreadable(error)
    }

    /// Frees former snapshots that nobody uses any more, and gives back the memory they took.
    async fn reap(self: &Arc<Self>) {
        let this = Arc::clone(self);
        if self.backroom.run(move || this.gateway.reap()).await.is_ok_and(|freed| freed > 0) {
            self.backroom.give_back().await;
        }
    }

    fn load(&self, input: &Input, strict: bool) -> Result<Loaded, LoadError> {
        let mut options = self.read.options();
        options.kong_strict |= strict;
        config::load(input, &options)
    }

    fn swap(&self, loaded: Result<Loaded, LoadError>, check_hash: bool, begun: Instant) -> Outcome {
        let mut loaded = match loaded {
            Ok(loaded) => loaded,
            Err(error) => {
                return self.unreadable(error);
            }
        };
        if check_hash && self.status.hash() == Hash::of(&loaded) {
            self.status.unchanged();
            return Outcome::Unchanged;
        }
        let previous = self.gateway.snapshot();
        let built = build(&mut loaded, &self.gateway.options, &self.gateway.stores, Some(&previous));
        drop(previous);
        let Some(snapshot) = built else {
            self.status.refused(&loaded);
            self.observer.refused(&loaded, true);
            return Outcome::Refused(Box::new(loaded));
        };
        let generation = self.gateway.swap(snapshot);
        self.status.applied(&loaded);
        self.observer.reloaded(&loaded, generation, begun.elapsed());
        Outcome::Applied(Box::new(loaded))
    }
}
