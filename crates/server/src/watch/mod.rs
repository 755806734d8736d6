//! File watching: reports a change once the content of the files differs and is complete.
//!
//! [`places`] resolves every path component on the way to the files, [`watches`] places kernel watches on them, and
//! [`activity`] records which files a writer still has open. Once no file is open and no event arrived for the debounce
//! time, [`content`] compares hashes: only different text is a change. The reloader owns the [`Watcher`], and checks after
//! loading that what it loaded is complete ([`Change::is_whole`]).

mod activity;
mod content;
mod places;
mod watches;

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep_until, timeout_at};

use self::{
    activity::{Mark, Wait},
    content::Content,
    watches::Watches,
};
use super::reload_thread::ReloadThread;
use config::Input;

/// Longest pause after a change, however long applying it took.
const MAX_COOLDOWN: Duration = Duration::from_secs(1);
/// Interval of reading the files where the system does not report all changes.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// How long the content of polled files must be unchanged before it counts as complete.
const POLL_DEBOUNCE: Duration = Duration::from_millis(100);
/// How long a file may be absent before that is a change: tools remove a file or a folder, and then put the next version
/// in its place.
const ABSENCE: Duration = Duration::from_secs(1);
/// How long a writer may keep a file open before a warning is logged.
const OPEN_WARNING: Duration = Duration::from_secs(10);

/// Watcher of the content of a set of files.
pub struct Watcher {
    watches: Arc<Watches>,
    reload_thread: ReloadThread,
    /// The content that was reported last; `None` if it was not applied.
    seen: Option<Content>,
    /// Polled content that was read once; it counts once a second read returns the same.
    candidate: Option<Content>,
    /// When the files are read without a reported event.
    read_at: Option<Instant>,
    /// Since when a file has been absent.
    absent_since: Option<Instant>,
    /// Whether the warning about an open file was logged.
    is_open_logged: bool,
    /// When the last change was reported.
    reported_at: Option<Instant>,
    cooldown_until: Instant,
}

/// A change of the content.
pub struct Change {
    watches: Arc<Watches>,
    mark: Mark,
}

impl Change {
    /// Whether text loaded since the change was reported is complete: no file was written to. Blocks.
    pub fn is_whole(&self) -> bool {
        self.watches.is_whole_since(self.mark)
    }
}

impl Watcher {
    /// Watches the files of an input. `None` if it has no files.
    pub fn of(input: &Input, reload_thread: &ReloadThread) -> Option<Self> {
        let Input::Paths(paths) = input else { return None };
        let files: Vec<PathBuf> = paths.iter().filter(|p| p.as_os_str() != "-").cloned().collect();
        (!files.is_empty()).then(|| Self::new(files, reload_thread.clone()))
    }

    /// Places the watches. Files are read on the reload thread.
    fn new(files: Vec<PathBuf>, reload_thread: ReloadThread) -> Self {
        let (watches, content) = Watches::new(files);
        Watcher {
            read_at: watches.is_blind().then(|| Instant::now() + POLL_INTERVAL),
            watches: Arc::new(watches),
            reload_thread,
            seen: Some(content),
            candidate: None,
            absent_since: None,
            is_open_logged: false,
            reported_at: None,
            cooldown_until: Instant::now(),
        }
    }

    /// Waits until the content of the files differs. Cancel-safe: no change is lost if the future is dropped.
    ///
    /// The time between two calls counts as the time of applying the last change. The cooldown is as long as that, so
    /// that at most half of the time is spent on reloads, however often files change.
    pub async fn changed(&mut self) -> Change {
        if let Some(reported) = self.reported_at.take() {
            self.cooldown_until = Instant::now() + reported.elapsed().min(MAX_COOLDOWN);
        }
        loop {
            let is_reported = self.debounce().await;
            let mark = self.watches.activity.begin_read();
            let watches = Arc::clone(&self.watches);
            let read = self.reload_thread.run(move || (watches.read(mark), watches.is_blind())).await;
            self.watches.activity.end_read(mark);
            let now = Instant::now();
            let Ok((content, is_blind)) = read else {
                self.read_at = Some(now + POLL_INTERVAL);
                continue;
            };
            self.read_at = is_blind.then(|| now + POLL_INTERVAL);
            if self.is_change(content, is_reported, now) {
                self.seen = Some(content);
                self.reported_at = Some(now);
                return Change { watches: Arc::clone(&self.watches), mark };
            }
        }
    }

    /// Whether that content differs and is final. If it may not be final, another read is scheduled.
    fn is_change(&mut self, content: Content, is_reported: bool, now: Instant) -> bool {
        let candidate = self.candidate.take();
        if self.seen == Some(content) {
            self.absent_since = None;
            return false;
        }
        if content.is_incomplete && self.seen.is_some_and(|seen| !seen.is_incomplete) {
            let absent_since = *self.absent_since.get_or_insert(now);
            if now < absent_since + ABSENCE {
                self.read_at = Some(absent_since + ABSENCE);
                return false;
            }
        } else if !is_reported && self.seen.is_some() && candidate != Some(content) {
            self.candidate = Some(content);
            self.read_at = Some(now + POLL_DEBOUNCE);
            return false;
        }
        self.absent_since = None;
        true
    }

    /// Has the next read report a change even with the same content: the last one was not applied, because a file was
    /// being written.
    pub fn retry(&mut self) {
        self.seen = None;
        self.read_at = Some(Instant::now() + POLL_DEBOUNCE);
    }

    /// Waits until the files should be read; returns whether the system reported an event.
    async fn debounce(&mut self) -> bool {
        let watches = Arc::clone(&self.watches);
        let activity = &watches.activity;
        loop {
            match activity.wait() {
                Wait::Event => match self.read_at {
                    Some(at) => {
                        if timeout_at(at, activity.changed.notified()).await.is_err() {
                            return false;
                        }
                    }
                    None => activity.changed.notified().await,
                },
                Wait::Close(path, since) => {
                    if self.is_open_logged {
                        activity.changed.notified().await;
                    } else if timeout_at(since + OPEN_WARNING, activity.changed.notified()).await.is_err() {
                        self.is_open_logged = true;
                        tracing::warn!(
                            "{} was written to and is still open in its writer: it is loaded when the writer closes \
                             it, or on SIGHUP",
                            path.display()
                        );
                    }
                }
                Wait::Until(quiet_at) => {
                    let at = quiet_at.max(self.cooldown_until);
                    if at <= Instant::now() {
                        self.is_open_logged = false;
                        return true;
                    }
                    tokio::select! {
                        () = sleep_until(at) => {}
                        () = activity.changed.notified() => {}
                    }
                }
            }
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs, io::Write as _, os::unix::fs::symlink, path::Path};

    use super::*;

    async fn next_change(watcher: &mut Watcher) -> Change {
        tokio::time::timeout(Duration::from_secs(10), watcher.changed()).await.expect("a change")
    }

    fn reload_thread() -> ReloadThread {
        ReloadThread::spawn().expect("a thread")
    }

    fn watch(path: &Path) -> Watcher {
        Watcher::new(vec![path.to_path_buf()], reload_thread())
    }

    /// A file with the text `one`, and its watcher.
    fn watched() -> (tempfile::TempDir, PathBuf, Watcher) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("kong.yml");
        fs::write(&file, "one").expect("written");
        let watcher = watch(&file);
        (folder, file, watcher)
    }

    /// Creates a folder `name` with a file with that text.
    fn version(root: &Path, name: &str, text: &str) {
        fs::create_dir_all(root.join(name)).expect("a folder");
        fs::write(root.join(name).join("kong.yml"), text).expect("written");
    }

    /// Replaces the target of a link atomically.
    fn flip(root: &Path, target: &str, link: &str) {
        symlink(target, root.join("next")).expect("a link");
        fs::rename(root.join("next"), root.join(link)).expect("renamed");
    }

    /// Waits until the recorded events lead to that state.
    async fn until(watcher: &mut Watcher, wait: impl Fn(Wait) -> bool) {
        let step = async {
            while !wait(watcher.watches.activity.wait()) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), step).await.expect("an event");
    }

    #[tokio::test]
    async fn a_write_and_a_rename_into_place_are_seen() {
        let (folder, file, mut watcher) = watched();
        fs::write(&file, "two").expect("written");
        assert!(next_change(&mut watcher).await.is_whole(), "a write");
        let other = folder.path().join("kong.part");
        fs::write(&other, "three").expect("written");
        fs::rename(&other, &file).expect("renamed");
        assert!(next_change(&mut watcher).await.is_whole(), "a rename");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_file_open_for_writing_is_no_change_until_it_is_closed() {
        let (_folder, file, mut watcher) = watched();
        let mut writer = fs::File::create(&file).expect("opened");
        writer.write_all(b"half").expect("written");
        until(&mut watcher, |wait| matches!(wait, Wait::Close(..))).await;
        let half = watcher.seen;
        writer.write_all(b" and half").expect("written");
        drop(writer);
        next_change(&mut watcher).await;
        assert_ne!(watcher.seen, half);
        assert_eq!(watcher.seen, Some(watch(&file).seen.expect("read")), "the whole text");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn files_written_while_they_were_loaded_are_loaded_again() {
        let (_folder, file, mut watcher) = watched();
        fs::write(&file, "two").expect("written");
        let change = next_change(&mut watcher).await;
        let mut writer = fs::File::create(&file).expect("opened");
        writer.write_all(b"two").expect("written");
        assert!(!change.is_whole(), "what was loaded may be half");
        watcher.retry();
        drop(writer);
        assert!(next_change(&mut watcher).await.is_whole(), "although the text is the same");
    }

    #[tokio::test]
    async fn a_link_in_the_path_is_followed_each_time_it_is_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        for (name, text) in [("v1", "one"), ("v2", "two"), ("v3", "three")] {
            version(root, name, text);
        }
        symlink("v1", root.join("current")).expect("a link");
        let mut watcher = watch(&root.join("current/kong.yml"));
        for name in ["v2", "v3", "v1"] {
            flip(root, name, "current");
            next_change(&mut watcher).await;
        }
        fs::write(root.join("v1/kong.yml"), "four").expect("written");
        next_change(&mut watcher).await;
    }

    #[tokio::test]
    async fn a_folder_is_followed_each_time_it_is_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        version(root, "etc/kong", "zero");
        let mut watcher = watch(&root.join("etc/kong/kong.yml"));
        for turn in 0..3 {
            version(root, "next/kong", &format!("turn {turn}"));
            fs::rename(root.join("etc"), root.join(format!("old{turn}"))).expect("moved away");
            fs::rename(root.join("next"), root.join("etc")).expect("moved here");
            next_change(&mut watcher).await;
            fs::write(root.join("etc/kong/kong.yml"), format!("write {turn}")).expect("written");
            next_change(&mut watcher).await;
        }
    }

    #[tokio::test]
    async fn files_created_changed_and_removed_in_subfolders_are_seen() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        version(root, "a", "one");
        let mut watcher = watch(root);
        version(root, "b/c", "two");
        next_change(&mut watcher).await;
        fs::write(root.join("b/c/kong.yml"), "three").expect("written");
        next_change(&mut watcher).await;
        fs::rename(root.join("b"), root.join("d")).expect("renamed");
        next_change(&mut watcher).await;
        fs::remove_dir_all(root.join("d")).expect("removed");
        next_change(&mut watcher).await;
    }

    #[tokio::test]
    async fn a_write_through_another_hard_link_is_seen() {
        let (folder, file, _watcher) = watched();
        let elsewhere = folder.path().join("elsewhere");
        fs::create_dir(&elsewhere).expect("a folder");
        fs::hard_link(&file, elsewhere.join("kong.yml")).expect("a link");
        let mut watcher = watch(&file);
        fs::write(elsewhere.join("kong.yml"), "two").expect("written");
        next_change(&mut watcher).await;
    }

    #[tokio::test]
    async fn a_cancelled_wait_loses_no_change() {
        let (_folder, file, mut watcher) = watched();
        fs::write(&file, "two").expect("written");
        until(&mut watcher, |wait| wait != Wait::Event).await;
        // The future is dropped at its first wait, unless the reload thread was faster.
        if tokio::time::timeout(Duration::ZERO, watcher.changed()).await.is_err() {
            next_change(&mut watcher).await;
        }
        assert_eq!(watcher.seen, watch(&file).seen);
    }

    #[tokio::test]
    async fn a_file_that_is_absent_for_a_moment_is_no_change() {
        let (_folder, _file, mut watcher) = watched();
        let whole = watcher.seen.expect("read");
        let gone = Content { is_incomplete: true, ..whole };
        let now = Instant::now();
        assert!(!watcher.is_change(gone, true, now));
        assert_eq!(watcher.read_at, Some(now + ABSENCE));
        assert!(!watcher.is_change(whole, true, now), "it is back");
        assert!(!watcher.is_change(gone, true, now + ABSENCE), "and absent again since just now");
        assert!(watcher.is_change(gone, false, now + 2 * ABSENCE));
    }

    #[tokio::test]
    async fn polled_content_counts_once_it_was_read_twice() {
        let (_folder, file, mut watcher) = watched();
        fs::write(&file, "two").expect("written");
        let (_, next) = Watches::new(vec![file]);
        let now = Instant::now();
        assert!(!watcher.is_change(next, false, now));
        assert_eq!(watcher.read_at, Some(now + POLL_DEBOUNCE));
        assert!(watcher.is_change(next, false, now + POLL_DEBOUNCE));
    }

    #[tokio::test]
    async fn the_cooldown_lasts_as_long_as_applying_took() {
        let (_folder, file, mut watcher) = watched();
        fs::write(&file, "two").expect("written");
        next_change(&mut watcher).await;
        let reported = watcher.reported_at.expect("the change was reported");
        watcher.reported_at = Some(reported - Duration::from_secs(3600));
        let before = Instant::now();
        assert!(tokio::time::timeout(Duration::ZERO, watcher.changed()).await.is_err());
        assert!(watcher.cooldown_until >= before + MAX_COOLDOWN, "an hour is a long rest");
        assert!(watcher.cooldown_until <= Instant::now() + MAX_COOLDOWN, "but not that long");
    }

    #[tokio::test]
    async fn the_same_content_again_is_no_change() {
        let (_folder, file, mut watcher) = watched();
        fs::write(&file, "one").expect("written");
        fs::write(&file, "two").expect("written");
        next_change(&mut watcher).await;
        assert_eq!(watcher.seen, watch(&file).seen, "only the last content counts");
    }
}
