//! The record of file events: which files a writer still has open, and when the last event arrived.
//!
//! Each event passes through [`Activity::record`] on the watch thread. A file that was written to is open until the kernel
//! reports that its writer closed it; only then does its content count as complete.
//!
//! ```text
//!            write            close after write
//!  (closed) -------> Written ------------------> (closed)
//!     | create            ^ write                    ^
//!     v          open     |          close           |
//!  Created ----------> Opened -----------------------'
//!     '--- no open follows (a hard link): forgotten when the files are read
//! ```

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use notify::{
    Event, EventKind,
    event::{AccessKind, AccessMode, CreateKind, ModifyKind, RenameMode},
};
use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

use super::places::Places;

/// Whether the system reports that a writer has closed a file.
const CLOSE_IS_REPORTED: bool = cfg!(any(target_os = "linux", target_os = "android"));
/// Time without events before the files are read: tools write, rename and touch one file after another.
const DEBOUNCE: Duration = Duration::from_millis(25);
/// The same for a configuration of one file that was closed or renamed into place, and thereby is complete.
const DEBOUNCE_WHOLE: Duration = Duration::from_millis(2);
/// Longest debounce time under a steady stream of events, if no writer has a file open.
const MAX_DEBOUNCE: Duration = Duration::from_millis(250);
/// Most other files in the same folders whose writers are tracked, since one may be renamed over an input.
const MAX_OPEN: usize = 1024;

/// State of a file that a writer may have open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Created,
    Opened,
    Written,
}

/// The next event to wait for before the files are read.
#[derive(Debug, PartialEq, Eq)]
pub enum Wait {
    /// Any event.
    Event,
    /// The close of this file by its writer. The configuration has been stale since that time.
    Close(PathBuf, Instant),
    /// The end of the debounce time.
    Until(Instant),
}

/// Event counters at some point in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Number of events that may have changed the content.
    pub events: u64,
    /// Number of events after which a file may be partially written.
    writes: u64,
    /// Number of events that may have changed the set of paths to watch.
    pub moves: u64,
}

#[derive(Debug, Default)]
struct State {
    places: Arc<Places>,
    open: HashMap<PathBuf, Open>,
    /// An open file in the middle of a rename, by the cookie that links the two events of it.
    moving: Option<(usize, Open)>,
    mark: Mark,
    debounce: Duration,
    /// Times of the first and the last event since the files were read.
    since: Option<(Instant, Instant)>,
}

/// The record of events.
#[derive(Debug, Default)]
pub struct Activity {
    state: Mutex<State>,
    /// Woken by each event that matters.
    pub changed: Notify,
}

impl Activity {
    /// Sets the places that decide which events matter.
    pub fn follow(&self, places: Arc<Places>) {
        self.state.lock().places = places;
    }

    /// Records an event.
    pub fn record(&self, event: &Event, now: Instant) {
        let mut state = self.state.lock();
        let before = state.mark.events;
        if event.need_rescan() {
            // Events were lost, possibly close events among them.
            state.open.clear();
            state.change(DEBOUNCE, true, now);
        } else {
            event.paths.iter().for_each(|path| state.record(event, path, now));
        }
        if state.mark.events != before {
            self.changed.notify_one();
        }
    }

    /// Returns the counters before a read. Files that were created but not opened are forgotten: they are not being
    /// written.
    pub fn begin_read(&self) -> Mark {
        let mut state = self.state.lock();
        state.open.retain(|_, open| *open != Open::Created);
        state.mark
    }

    /// Records that the files were read after those events. Later events start a debounce time of their own.
    pub fn end_read(&self, mark: Mark) {
        let mut state = self.state.lock();
        let is_handled = state.mark.events == mark.events;
        state.since = state.since.filter(|_| !is_handled).map(|(_, last)| (last, last));
    }

    /// The next event to wait for before the files are read.
    pub fn wait(&self) -> Wait {
        let state = self.state.lock();
        let Some((first, last)) = state.since else { return Wait::Event };
        match state.open_file() {
            Some(path) => Wait::Close(path.to_path_buf(), first),
            None => Wait::Until((last + state.debounce).min(first + MAX_DEBOUNCE)),
        }
    }

    /// Whether content read since then is complete: no file was written to in the meantime.
    pub fn is_whole_since(&self, mark: Mark) -> bool {
        let state = self.state.lock();
        state.mark.writes == mark.writes && state.open_file().is_none()
    }
}

impl State {
    fn record(&mut self, event: &Event, path: &Path, now: Instant) {
        use EventKind::{Access, Any, Create, Modify, Other, Remove};
        let whole = if self.places.has_several() { DEBOUNCE } else { DEBOUNCE_WHOLE };
        let places = Arc::clone(&self.places);
        let content = || places.affects(path, false);
        let name = || places.affects(path, true);
        match event.kind {
            Access(AccessKind::Open(_)) => {
                if self.open.get(path) == Some(&Open::Created) && has_one_name(path) {
                    self.open.insert(path.to_path_buf(), Open::Opened);
                }
            }
            Access(AccessKind::Close(AccessMode::Write)) => {
                self.open.remove(path);
                self.change_if(content(), whole, false, now);
            }
            Access(_) => {}
            Create(kind) => {
                if kind == CreateKind::File {
                    self.set_open(path, Open::Created, content());
                }
                self.mark.writes += u64::from(content());
                self.change_if(name(), DEBOUNCE, true, now);
            }
            Modify(ModifyKind::Data(_)) => {
                self.set_open(path, Open::Written, content());
                self.mark.writes += u64::from(content());
                self.change_if(content(), DEBOUNCE, false, now);
            }
            Modify(ModifyKind::Name(mode)) => {
                self.forget_inside(path);
                match mode {
                    RenameMode::From => {
                        let open = self.open.remove(path);
                        self.moving = event.tracker().zip(open);
                    }
                    RenameMode::To => {
                        self.open.remove(path);
                        if let Some((_, open)) =
                            self.moving.take().filter(|(cookie, _)| event.tracker() == Some(*cookie))
                        {
                            self.set_open(path, open, content());
                        }
                    }
                    _ => {}
                }
                self.change_if(name(), whole, true, now);
            }
            Remove(_) => {
                self.forget_inside(path);
                // The event may be about the former file, after another one was renamed over it.
                if path.symlink_metadata().is_err() {
                    self.open.remove(path);
                }
                self.change_if(name(), whole, true, now);
            }
            Modify(_) | Any | Other => self.change_if(name(), DEBOUNCE, false, now),
        }
    }

    fn set_open(&mut self, path: &Path, open: Open, is_ours: bool) {
        if !CLOSE_IS_REPORTED {
            return;
        }
        if let Some(known) = self.open.get_mut(path) {
            *known = open;
        } else if is_ours || (self.places.is_beside_a_file(path) && self.open.len() < MAX_OPEN) {
            self.open.insert(path.to_path_buf(), open);
        }
    }

    /// Forgets the open files of a folder that was renamed: they are no longer at that path.
    fn forget_inside(&mut self, folder: &Path) {
        self.open.retain(|path, _| path == folder || !path.starts_with(folder));
    }

    /// Finds an input file that a writer has open.
    fn open_file(&self) -> Option<&Path> {
        let open = self.open.iter().filter(|(_, open)| **open != Open::Created);
        open.map(|(path, _)| path.as_path()).find(|path| self.places.affects(path, false))
    }

    fn change_if(&mut self, matters: bool, debounce: Duration, is_move: bool, now: Instant) {
        if matters {
            self.change(debounce, is_move, now);
        }
    }

    fn change(&mut self, debounce: Duration, is_move: bool, now: Instant) {
        self.mark.events += 1;
        self.mark.moves += u64::from(is_move);
        self.debounce = debounce;
        self.since = Some((self.since.map_or(now, |(first, _)| first), now));
    }
}

/// Whether a path is the only name of a file: a file with several was linked, not created.
fn has_one_name(path: &Path) -> bool {
    #[cfg(unix)]
    return path
        .symlink_metadata()
        .is_ok_and(|meta| meta.is_file() && std::os::unix::fs::MetadataExt::nlink(&meta) == 1);
    #[cfg(not(unix))]
    path.is_file()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;

    use notify::event::{DataChange, Flag, RemoveKind};

    use super::*;

    const OPEN: EventKind = EventKind::Access(AccessKind::Open(AccessMode::Any));
    const CLOSE: EventKind = EventKind::Access(AccessKind::Close(AccessMode::Write));
    const WRITE: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));
    const CREATE: EventKind = EventKind::Create(CreateKind::File);
    const REMOVE: EventKind = EventKind::Remove(RemoveKind::File);
    const FROM: EventKind = EventKind::Modify(ModifyKind::Name(RenameMode::From));
    const TO: EventKind = EventKind::Modify(ModifyKind::Name(RenameMode::To));

    /// The record of a folder that contains `kong.yml`, with a fixed clock.
    struct Folder {
        _folder: tempfile::TempDir,
        at: PathBuf,
        activity: Activity,
        now: Instant,
    }

    impl Folder {
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let at = folder.path().canonicalize().expect("a real path");
            fs::write(at.join("kong.yml"), "one").expect("written");
            let activity = Activity::default();
            activity.follow(Arc::new(Places::of(&[at.join("kong.yml")])));
            Folder { _folder: folder, at, activity, now: Instant::now() }
        }

        fn events(&self, events: &[(EventKind, &str)]) -> &Self {
            for (kind, name) in events {
                let event = Event::new(*kind).add_path(self.at.join(name)).set_tracker(7);
                self.activity.record(&event, self.now);
            }
            self
        }

        fn is_open(&self) -> bool {
            matches!(self.activity.wait(), Wait::Close(..))
        }

        /// The remaining debounce time.
        fn debounce(&self) -> Option<Duration> {
            match self.activity.wait() {
                Wait::Until(at) => Some(at - self.now),
                _ => None,
            }
        }
    }

    #[test]
    fn a_file_is_read_once_its_writer_has_closed_it() {
        let folder = Folder::new();
        assert_eq!(folder.activity.wait(), Wait::Event);
        assert!(folder.events(&[(OPEN, "kong.yml"), (WRITE, "kong.yml")]).is_open());
        folder.events(&[(WRITE, "kong.yml"), (CLOSE, "kong.yml")]);
        assert_eq!(folder.debounce(), Some(DEBOUNCE_WHOLE));
        folder.activity.end_read(folder.activity.begin_read());
        assert_eq!(folder.activity.wait(), Wait::Event);
    }

    #[test]
    fn a_created_file_is_open_until_it_is_closed_even_before_the_first_write() {
        let folder = Folder::new();
        folder.events(&[(REMOVE, "kong.yml"), (CREATE, "kong.yml"), (OPEN, "kong.yml")]);
        assert!(folder.is_open());
        folder.events(&[(CLOSE, "kong.yml")]);
        assert_eq!(folder.debounce(), Some(DEBOUNCE_WHOLE));
    }

    #[test]
    fn a_hard_link_is_never_closed_and_not_waited_for() {
        let folder = Folder::new();
        fs::hard_link(folder.at.join("kong.yml"), folder.at.join("other")).expect("a link");
        folder.events(&[(CREATE, "kong.yml"), (OPEN, "kong.yml")]);
        assert_eq!(folder.debounce(), Some(DEBOUNCE));
        folder.activity.begin_read();
        folder.events(&[(OPEN, "kong.yml")]);
        assert!(!folder.is_open(), "the one that reads it is no writer");
    }

    #[test]
    fn a_file_that_is_renamed_while_it_is_written_stays_open() {
        let folder = Folder::new();
        folder.events(&[(WRITE, "part")]);
        assert_eq!(folder.activity.wait(), Wait::Event, "another file");
        folder.events(&[(FROM, "part"), (TO, "kong.yml"), (REMOVE, "kong.yml")]);
        assert!(folder.is_open());
        folder.events(&[(CLOSE, "kong.yml")]);
        assert_eq!(folder.debounce(), Some(DEBOUNCE_WHOLE));
    }

    #[test]
    fn a_file_that_is_renamed_into_place_replaces_one_that_is_being_written() {
        let folder = Folder::new();
        folder.events(&[(WRITE, "kong.yml"), (FROM, "whole"), (TO, "kong.yml")]);
        assert_eq!(folder.debounce(), Some(DEBOUNCE_WHOLE));
    }

    #[test]
    fn a_renamed_folder_has_no_open_files_at_its_former_path() {
        let folder = Folder::new();
        assert!(folder.events(&[(WRITE, "kong.yml")]).is_open());
        folder.events(&[(FROM, "")]);
        assert_eq!(folder.debounce(), Some(DEBOUNCE_WHOLE));
    }

    #[test]
    fn a_growing_log_in_the_same_folder_is_no_event() {
        let folder = Folder::new();
        folder.events(&[(CREATE, "access.log"), (WRITE, "access.log"), (CLOSE, "access.log")]);
        assert_eq!(folder.activity.wait(), Wait::Event);
    }

    #[test]
    fn lost_events_end_the_wait_for_a_close() {
        let folder = Folder::new();
        folder.events(&[(WRITE, "kong.yml")]);
        folder.activity.record(&Event::new(EventKind::Other).set_flag(Flag::Rescan), folder.now);
        assert_eq!(folder.debounce(), Some(DEBOUNCE));
    }

    #[test]
    fn a_write_during_a_read_makes_the_content_incomplete() {
        let folder = Folder::new();
        let mark = folder.activity.begin_read();
        folder.events(&[(FROM, "whole"), (TO, "kong.yml")]);
        assert!(folder.activity.is_whole_since(mark), "a rename changes whole files");
        folder.events(&[(WRITE, "kong.yml"), (CLOSE, "kong.yml")]);
        assert!(!folder.activity.is_whole_since(mark));
    }

    #[test]
    fn the_debounce_time_is_bounded() {
        let mut folder = Folder::new();
        let start = folder.now;
        for _ in 0..100 {
            folder.events(&[(WRITE, "kong.yml"), (CLOSE, "kong.yml")]);
            folder.now += DEBOUNCE / 2;
        }
        assert_eq!(folder.activity.wait(), Wait::Until(start + MAX_DEBOUNCE));
    }
}
