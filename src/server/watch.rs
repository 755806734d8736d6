//! When to load again: the files changed, or somebody asked.
//!
//! Folders are watched, not files: editors write a new file and rename it into place, and Kubernetes
//! flips a symbolic link two folders up. What is renamed into place is whole and is looked at almost at
//! once; a file that is being written is left alone until it is quiet. Then the content decides: only text
//! that differs counts as a change.

use std::{
    collections::BTreeSet,
    io::Read as _,
    path::{Path, PathBuf},
    time::Duration,
};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _, event::ModifyKind};
use tokio::{sync::mpsc, time::Instant};

use super::backroom::Backroom;
use crate::config::Input;

/// How long the folders must be quiet after a write before the files are read: an editor's write, rename and
/// touch come together.
const QUIET: Duration = Duration::from_millis(25);
/// The same after a rename, which several files may share.
const SETTLED: Duration = Duration::from_millis(2);
/// A folder that never falls quiet is read all the same after this.
const PATIENCE: Duration = Duration::from_millis(250);
/// Longest rest after a change, however long applying it took.
const REST: Duration = Duration::from_secs(1);
/// Events that are not looked at yet; more tell nothing new.
const EVENTS: usize = 64;
/// Bytes of a file that are read at a time.
const PIECE: usize = 64 << 10;
/// How often files are looked at where the system cannot tell of changes (some network file systems).
const POLL: Duration = Duration::from_secs(2);

/// Watches the folders that hold some files.
pub struct Watcher {
    /// For each event, how long the folders must be quiet after it.
    events: mpsc::Receiver<Duration>,
    // Dropping it ends the watch.
    _backend: Option<RecommendedWatcher>,
    backroom: Backroom,
    files: Vec<PathBuf>,
    seen: u64,
    /// Something happened, and the files have not been looked at since: how long to be quiet.
    stirred: Option<Duration>,
    /// When the last change was told.
    told: Option<Instant>,
    rest_until: Instant,
}

impl Watcher {
    /// Watches the files of an input, if it has any.
    pub fn of(input: &Input, backroom: &Backroom) -> Option<Self> {
        let Input::Paths(paths) = input else { return None };
        let files: Vec<PathBuf> = paths.iter().filter(|p| p.as_os_str() != "-").cloned().collect();
        (!files.is_empty()).then(|| Self::new(&files, backroom.clone()))
    }

    /// Starts to watch. Folders among the paths are watched with all that lies in them. What has changed is found out
    /// in the backroom.
    pub fn new(files: &[PathBuf], backroom: Backroom) -> Self {
        let (sender, events) = mpsc::channel(EVENTS);
        let own = files.to_vec();
        let backend = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let Ok(event) = event else { return };
            if let (Some(quiet), true) = (quiet_after(event.kind), concerns(&event, &own)) {
                let _ = sender.try_send(quiet);
            }
        });
        let backend = backend.ok().and_then(|mut watcher| {
            for folder in folders(files) {
                watcher.watch(&folder, RecursiveMode::NonRecursive).ok()?;
            }
            Some(watcher)
        });
        if backend.is_none() {
            tracing::warn!(
                "changes of files are not reported by this system; looking every {} s",
                POLL.as_secs()
            );
        }
        let (files, seen) = (files.to_vec(), fingerprint(files));
        Watcher {
            events,
            _backend: backend,
            backroom,
            files,
            seen,
            stirred: None,
            told: None,
            rest_until: Instant::now(),
        }
    }

    /// Waits until the content of the files is another one. Dropped in the middle, it loses nothing.
    ///
    /// What was done about the last change is taken to have lasted until now; at most half of the time is
    /// spent on changes, however fast they come.
    pub async fn changed(&mut self) {
        if let Some(told) = self.told.take() {
            self.rest_until = Instant::now() + told.elapsed().min(REST);
        }
        loop {
            self.stir().await;
            let files = self.files.clone();
            let now = self.backroom.run(move || fingerprint(&files)).await.unwrap_or(self.seen);
            self.stirred = None;
            if now != self.seen {
                self.seen = now;
                self.told = Some(Instant::now());
                return;
            }
        }
    }

    /// Waits until something may have changed and the folders are quiet.
    async fn stir(&mut self) {
        if self._backend.is_none() {
            return tokio::time::sleep(POLL).await;
        }
        let mut quiet = match self.stirred {
            Some(quiet) => quiet,
            None => match self.events.recv().await {
                Some(quiet) => quiet,
                None => std::future::pending().await,
            },
        };
        self.stirred = Some(quiet);
        tokio::time::sleep_until(self.rest_until).await;
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until
            && let Ok(Some(next)) = tokio::time::timeout(quiet, self.events.recv()).await
        {
            quiet = next;
            self.stirred = Some(quiet);
        }
    }
}

/// How long the folders must be quiet after such an event; none if nothing can have changed.
fn quiet_after(kind: EventKind) -> Option<Duration> {
    match kind {
        EventKind::Access(_) => None,
        EventKind::Modify(ModifyKind::Name(_)) => Some(SETTLED),
        _ => Some(QUIET),
    }
}

/// Whether an event may be about the files: a log that grows beside them is not. They are known by the name given
/// and by the one where links lead now, which may have been flipped since the watch began.
fn concerns(event: &notify::Event, files: &[PathBuf]) -> bool {
    if !matches!(event.kind, EventKind::Modify(ModifyKind::Data(_))) {
        return true;
    }
    let changed = |path: Option<&Path>| {
        let name = path.and_then(Path::file_name);
        name.is_none() || event.paths.iter().any(|changed| changed.file_name() == name)
    };
    files
        .iter()
        .any(|file| file.is_dir() || changed(Some(file)) || changed(file.canonicalize().ok().as_deref()))
}

/// The folders to watch: those that hold a file, by the name given and by where links lead.
fn folders(files: &[PathBuf]) -> BTreeSet<PathBuf> {
    let mut folders = BTreeSet::new();
    for file in files {
        if file.is_dir() {
            folders.insert(file.clone());
            continue;
        }
        let mut at = file.clone();
        // Each link on the way may be flipped; eight are more than any mount uses.
        for _ in 0..8 {
            folders.insert(parent(&at));
            match std::fs::read_link(&at) {
                Ok(target) => at = parent(&at).join(target),
                Err(_) => break,
            }
        }
        if let Ok(real) = file.canonicalize() {
            folders.insert(parent(&real));
        }
    }
    folders.retain(|f| f.is_dir());
    folders
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// Reads until the piece is full or the file ends.
fn fill(file: &mut std::fs::File, piece: &mut [u8]) -> std::io::Result<usize> {
    let mut length = 0;
    while length < piece.len() {
        match file.read(&mut piece[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// A number that differs when the content of any file does.
fn fingerprint(files: &[PathBuf]) -> u64 {
    use std::hash::{BuildHasher, Hasher};
    // Fixed keys: the number is compared with later ones of the same process only.
    let mut hasher = ahash::RandomState::with_seeds(1, 2, 3, 4).build_hasher();
    // A piece at a time: what a whole file takes would be asked of the system for this alone.
    let mut piece = vec![0; PIECE];
    let mut add = |path: &Path| {
        hasher.write(path.as_os_str().as_encoded_bytes());
        let mut file = std::fs::File::open(path);
        loop {
            match file.as_mut().map_err(|_| ()).and_then(|file| fill(file, &mut piece).map_err(|_| ())) {
                Ok(0) => return,
                Ok(length) => hasher.write(&piece[..length]),
                Err(()) => return hasher.write_u8(0),
            }
        }
    };
    for file in files {
        if !file.is_dir() {
            add(file);
            continue;
        }
        let mut inside: Vec<_> =
            std::fs::read_dir(file).into_iter().flatten().flatten().map(|e| e.path()).collect();
        inside.sort();
        inside.iter().filter(|p| p.is_file()).for_each(|p| add(p));
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    async fn soon(watcher: &mut Watcher) -> bool {
        tokio::time::timeout(Duration::from_secs(10), watcher.changed()).await.is_ok()
    }

    fn backroom() -> Backroom {
        Backroom::open().expect("a thread")
    }

    /// A file that holds `one`, and its watcher.
    fn watched() -> (tempfile::TempDir, PathBuf, Watcher) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("kong.yml");
        fs::write(&file, "one").expect("written");
        let watcher = Watcher::new(std::slice::from_ref(&file), backroom());
        (folder, file, watcher)
    }

    #[tokio::test]
    async fn a_write_and_a_rename_into_place_are_seen() {
        let (folder, file, mut watcher) = watched();
        fs::write(&file, "two").expect("written");
        assert!(soon(&mut watcher).await, "a write");
        let other = folder.path().join("kong.part");
        fs::write(&other, "three").expect("written");
        fs::rename(&other, &file).expect("renamed");
        assert!(soon(&mut watcher).await, "a rename");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_flipped_link_is_seen_as_kubernetes_flips_it() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        for (version, text) in [("..v1", "one"), ("..v2", "two")] {
            fs::create_dir(at(version)).expect("a folder");
            fs::write(at(version).join("kong.yml"), text).expect("written");
        }
        symlink("..v1", at("..data")).expect("a link");
        symlink("..data/kong.yml", at("kong.yml")).expect("a link");
        let mut watcher = Watcher::new(&[at("kong.yml")], backroom());
        symlink("..v2", at("..data_tmp")).expect("a link");
        fs::rename(at("..data_tmp"), at("..data")).expect("flipped");
        assert!(soon(&mut watcher).await);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_write_is_seen_where_a_flipped_link_leads() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::write(at("v1.yml"), "one").expect("written");
        fs::write(at("v2.yml"), "two").expect("written");
        symlink("v1.yml", at("kong.yml")).expect("a link");
        let mut watcher = Watcher::new(&[at("kong.yml")], backroom());
        symlink("v2.yml", at("next")).expect("a link");
        fs::rename(at("next"), at("kong.yml")).expect("flipped");
        assert!(soon(&mut watcher).await, "the link");
        fs::write(at("v2.yml"), "three").expect("written");
        assert!(soon(&mut watcher).await, "the file that it leads to now");
    }

    #[tokio::test]
    async fn a_wait_that_is_given_up_loses_no_change() {
        let (_folder, file, mut watcher) = watched();
        fs::write(&file, "two").expect("written");
        // Given up as soon as the event has been taken.
        while watcher.stirred.is_none() {
            let _ = tokio::time::timeout(Duration::ZERO, watcher.changed()).await;
            tokio::task::yield_now().await;
        }
        assert!(soon(&mut watcher).await);
    }

    #[test]
    fn what_is_renamed_is_whole_and_what_is_written_may_not_be() {
        use notify::event::{AccessKind, CreateKind, DataChange, RenameMode};
        assert_eq!(quiet_after(EventKind::Modify(ModifyKind::Name(RenameMode::To))), Some(SETTLED));
        assert_eq!(quiet_after(EventKind::Modify(ModifyKind::Data(DataChange::Any))), Some(QUIET));
        assert_eq!(quiet_after(EventKind::Create(CreateKind::File)), Some(QUIET));
        assert_eq!(quiet_after(EventKind::Access(AccessKind::Read)), None);
    }

    #[test]
    fn a_log_that_grows_beside_the_files_is_no_change() {
        use notify::event::{CreateKind, DataChange};
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::write(at("kong.yml"), "one").expect("written");
        let concerned = |files: &[&str], kind, name: &str| {
            let files: Vec<_> = files.iter().map(|file| at(file)).collect();
            concerns(&notify::Event::new(kind).add_path(at(name)), &files)
        };
        let grown = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        assert!(concerned(&["kong.yml"], grown, "kong.yml"));
        assert!(!concerned(&["kong.yml"], grown, "access.log"));
        assert!(
            concerned(&["kong.yml"], EventKind::Create(CreateKind::Any), "..data"),
            "a link may be flipped"
        );
        assert!(concerned(&["kong.yml", ""], grown, "other.yml"), "all files of a folder count");
    }

    #[tokio::test]
    async fn after_a_change_it_rests_for_as_long_as_applying_took() {
        let (_folder, file, mut watcher) = watched();
        fs::write(&file, "two").expect("written");
        assert!(soon(&mut watcher).await);
        let told = watcher.told.expect("the change was told");
        watcher.told = Some(told - Duration::from_secs(3600));
        let before = Instant::now();
        let _ = tokio::time::timeout(Duration::ZERO, watcher.changed()).await;
        assert!(watcher.rest_until >= before + REST, "an hour is a long rest");
        assert!(watcher.rest_until <= Instant::now() + REST, "but not that long");
    }

    #[tokio::test]
    async fn the_same_content_again_is_no_change() {
        let (_folder, file, mut watcher) = watched();
        fs::write(&file, "one").expect("written");
        fs::write(&file, "two").expect("written");
        assert!(soon(&mut watcher).await);
        assert_eq!(watcher.seen, fingerprint(&[file]), "only the last content counts");
    }
}
