//! Kernel watches on folders and files, placed again whenever a path component has changed.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use notify::{Config, RecommendedWatcher, RecursiveMode, Watcher as _};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    activity::{Activity, Mark},
    content::Content,
    places::Places,
};

/// Most attempts to place the watches while names keep changing.
const MAX_ATTEMPTS: usize = 8;

/// The watches on a set of inputs.
#[derive(Debug)]
pub struct Watches {
    inputs: Vec<PathBuf>,
    pub activity: Arc<Activity>,
    placed: Mutex<Placed>,
}

#[derive(Debug, Default)]
struct Placed {
    places: Arc<Places>,
    /// The watch; it ends on drop. `None` if the system provides none.
    backend: Option<RecommendedWatcher>,
    /// Value of [`Mark::moves`] when they were placed.
    moves: u64,
    /// A path whose changes are not all reported, and the reason.
    blind: Option<(PathBuf, String)>,
}

impl Watches {
    /// Places watches on the inputs and reads them.
    pub fn new(inputs: Vec<PathBuf>) -> (Self, Content) {
        let watches = Watches { inputs, activity: Arc::default(), placed: Mutex::default() };
        let placed = watches.place(&Placed::default());
        let content = Content::of(&placed.places);
        *watches.placed.lock() = placed;
        (watches, content)
    }

    /// Whether some changes are not reported.
    pub fn is_blind(&self) -> bool {
        self.placed.lock().blind.is_some()
    }

    /// Reads the files, after placing the watches again if the paths to watch may have changed.
    pub fn read(&self, mark: Mark) -> Content {
        let mut placed = self.placed.lock();
        let is_stale = placed.moves != mark.moves
            || (placed.blind.is_some() && *placed.places != Places::of(&self.inputs));
        if is_stale {
            let next = self.place(&placed);
            let mut former = std::mem::replace(&mut *placed, next);
            // The former watch reports all of its events first: a missed close event would be waited for.
            former.catch_up();
        }
        Content::of(&placed.places)
    }

    /// Whether content read after that mark is complete: no file has been written to since.
    pub fn is_whole_since(&self, mark: Mark) -> bool {
        self.placed.lock().catch_up();
        self.activity.is_whole_since(mark)
    }

    /// Places watches on all paths. Resolves the paths again afterwards, to find names that changed in between.
    fn place(&self, former: &Placed) -> Placed {
        let mut placed = Placed::default();
        for _ in 0..MAX_ATTEMPTS {
            let places = Arc::new(Places::of(&self.inputs));
            if placed.backend.is_some() && *placed.places == *places {
                break;
            }
            self.activity.follow(Arc::clone(&places));
            placed = Placed { moves: self.activity.begin_read().moves, ..Placed::default() };
            match self.backend() {
                Ok(mut backend) => {
                    for path in places.folders.iter().chain(&places.files) {
                        let unseen = match backend.watch(path, RecursiveMode::NonRecursive) {
                            Ok(()) => unreported(path).map(str::to_owned),
                            // The path is being replaced, which its parent folder reports.
                            Err(error) if is_absent(&error) => None,
                            Err(error) => Some(reason(&error)),
                        };
                        if let (Some(reason), None) = (unseen, &placed.blind) {
                            placed.blind = Some((path.clone(), reason));
                        }
                    }
                    placed.backend = Some(backend);
                }
                Err(error) => {
                    placed.blind = Some((self.inputs.first().cloned().unwrap_or_default(), reason(&error)));
                }
            }
            placed.places = places;
        }
        if let (Some((path, reason)), None) = (&placed.blind, &former.blind) {
            tracing::warn!(
                "changes of {} are not reported ({reason}): the files are read every {} s",
                path.display(),
                super::POLL_INTERVAL.as_secs()
            );
        }
        placed
    }

    fn backend(&self) -> notify::Result<RecommendedWatcher> {
        let activity = Arc::clone(&self.activity);
        notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if let Ok(event) = event {
                activity.record(&event, Instant::now());
            }
        })
    }
}

impl Placed {
    /// Waits until the watch thread has recorded all events up to now. The thread alternates between requests and events:
    /// once it has handled a second request, it has recorded the events that preceded the first one.
    fn catch_up(&mut self) {
        for _ in 0..2 {
            if let Some(backend) = &mut self.backend
                && let Err(error) = backend.configure(Config::default())
            {
                tracing::debug!("the watch of the files has ended: {error}");
            }
        }
    }
}

fn is_absent(error: &notify::Error) -> bool {
    matches!(error.kind, notify::ErrorKind::PathNotFound)
        || matches!(&error.kind, notify::ErrorKind::Io(error) if error.kind() == std::io::ErrorKind::NotFound)
}

/// Formats the reason without the path, which the message contains already.
fn reason(error: &notify::Error) -> String {
    match &error.kind {
        notify::ErrorKind::Io(error) => error.to_string(),
        notify::ErrorKind::MaxFilesWatch => "the limit fs.inotify.max_user_watches is reached".to_owned(),
        _ => error.to_string(),
    }
}

/// Returns the name of the path's file system if it reports only changes made by this machine.
#[cfg(target_os = "linux")]
fn unreported(path: &Path) -> Option<&'static str> {
    // The magic numbers of statfs(2).
    const REMOTE: &[(u64, &str)] = &[
        (0x6969, "NFS"),
        (0x517b, "SMB"),
        (0xff53_4d42, "CIFS"),
        (0xfe53_4d42, "SMB2"),
        (0x0102_1997, "9P"),
        (0x6573_5546, "FUSE"),
        (0x00c3_6400, "Ceph"),
        (0x5346_414f, "AFS"),
        (0x786f_4256, "a shared folder of VirtualBox"),
    ];
    let kind = rustix::fs::statfs(path).ok()?.f_type as u64 & 0xffff_ffff;
    REMOTE.iter().find(|(magic, _)| *magic == kind).map(|(_, name)| *name)
}

#[cfg(not(target_os = "linux"))]
fn unreported(_path: &Path) -> Option<&'static str> {
    None
}
